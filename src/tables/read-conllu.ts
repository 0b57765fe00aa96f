// Treebanks from files: CoNLL-U becomes sentences of words with tags, one at a time.
import { InlayError, shown } from '../errors.js'
import type { TaggedSentence } from '../models/tagged-sentences.js'
import { type Options, oneOf, settleAlone } from '../options.js'
import { type Path, settlePath } from '../path.js'
import { linesOf, textOf } from '../text-file.js'
import { Turns } from '../turns.js'

/** Every option of `readConllu`. */
export const readConlluOptions = {
  /** The column that tags are taken from: parts of speech that all languages share, or those of one (UPOS, XPOS). */
  column: oneOf(['upos', 'xpos'], 'the column of tags: those of all languages, or of one'),
}

/** The options of `readConllu`: see `readConlluOptions`. */
export type ReadConlluOptions = Options<typeof readConlluOptions>

/** Of ID, FORM, LEMMA, UPOS, XPOS, FEATS, HEAD, DEPREL, DEPS and MISC. */
const COLUMNS = 10
const places = { upos: 3, xpos: 4 } as const

/**
 * The sentences of a CoNLL-U file (https://universaldependencies.org/format.html), as often as they are asked for: its words,
 * each with what stands in one column, `_` where nothing does. Words that are written as one have a line each, and their
 * sum (`3-4`) is left out, as are empty nodes (`8.1`). Gzip is unpacked, and zstd from Node.js 22.15 on.
 *
 *     const tagger = await SequenceTagger.train(readConllu('en_ewt-ud-train.conllu.gz'))
 *
 * Reading rejects with an `InlayError`: `NOT_FOUND`, `IO`; `INVALID_INPUT` with the line, for what is no CoNLL-U.
 *
 * @throws {InvalidOptionError} at once
 */
export function readConllu(
  path: Path,
  options: ReadConlluOptions = {},
): AsyncIterable<TaggedSentence> {
  const who = 'readConllu'
  const file = settlePath(path, who)
  const { column } = settleAlone(readConlluOptions, options, who)
  return {
    [Symbol.asyncIterator]: () => conlluSentences(linesOf(textOf(file, { who })), file, column),
  }
}

/** The sentences of lines; `file` is what errors call where they come from. @internal */
export async function* conlluSentences(
  pieces: AsyncIterable<readonly string[]>,
  file: string,
  column: keyof typeof places,
): AsyncGenerator<TaggedSentence> {
  const turns = new Turns()
  let number = 0
  let sentence = { words: [] as string[], tags: [] as string[] }
  for await (const lines of pieces) {
    for (const line of lines) {
      number += 1
      if (turns.isOver(COLUMNS)) await turns.next()
      if (line.startsWith('#')) continue
      if (line.trim() === '') {
        if (sentence.words.length > 0) yield sentence
        sentence = { words: [], tags: [] }
        continue
      }
      const fields = line.split('\t')
      const problem = problemOf(fields, sentence.words.length + 1)
      if (problem !== undefined) {
        const message = `readConllu: ${file}: line ${number} ${problem}`
        throw new InlayError('INVALID_INPUT', message, { path: file, line: number, problem })
      }
      if (!isWord.test(fields[0]!)) continue
      sentence.words.push(fields[1]!)
      sentence.tags.push(fields[places[column]]!)
    }
  }
  if (sentence.words.length > 0) yield sentence
}

const isWord = /^\d+$/
const isOther = /^\d+[-.]\d+$/

/** Why a line is none of CoNLL-U; `undefined` if it is one. */
function problemOf([id = '', ...rest]: readonly string[], next: number): string | undefined {
  if (rest.length + 1 !== COLUMNS) {
    return `must have ${COLUMNS} columns between tabs, got ${rest.length + 1}`
  }
  if (!isWord.test(id) && !isOther.test(id)) return `begins with no number of a word: ${shown(id)}`
  if (isWord.test(id) && Number(id) !== next) {
    return `has the number ${id}, where ${next} is next: an empty line ends a sentence`
  }
  return rest.includes('') ? 'has an empty column' : undefined
}
