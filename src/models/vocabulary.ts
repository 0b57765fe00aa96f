// What models that read text as words have in common: words with numbers, texts as numbers of words, and
// rows of word vectors to begin from.
import { Corpus, corpusOptions, readCorpus } from '../corpus/corpus.js'
import { type CorpusSource, type Texts, feed, settleSource } from '../corpus/source.js'
import { textOptions } from '../corpus/text.js'
import { Handle } from '../handle.js'
import {
  type NumberedTexts,
  TextStream,
  VocabularyBuilder,
  type VocabularyHandle,
  makeVocabulary,
  numberCorpus,
  numberTexts,
} from '../native.js'
import type { Network } from '../nn/network.js'
import {
  type RunSettings,
  type Settings,
  custom,
  integer,
  settleAlone,
  wrongOption,
} from '../options.js'
import { run } from '../run.js'
import { Turns } from '../turns.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { type Field, tablesOf } from './network-model.js'

/** How texts become words. */
const spellingOptions = {
  /** What a word is. */
  tokenizer: textOptions.tokenizer,
  /** Whether words become lower case (all of Unicode). */
  lowercase: textOptions.lowercase,
  /** The Unicode form that words are brought to. */
  normalization: textOptions.normalization,
}

/** How texts become words, and which of them have numbers. */
export const vocabularyOptions = {
  ...spellingOptions,
  /** Words that occur less often are one, `<unk>`, as are words that were never met. */
  minCount: integer(1, { from: 1 }, 'words that occur less often are one'),
  /** Only so many words, the most frequent ones; the others are `<unk>`. Default: all. */
  maxVocabulary: corpusOptions.maxVocabulary,
}

type Spelling = Settings<typeof spellingOptions>

/** What a model's file says of its words. */
export interface VocabularyRecord extends Spelling {
  /** With a space between; in a word it is `\\s`, and a backslash `\\\\`. One long string is read in a moment, where
   * an array of two hundred thousand would hold the event loop. */
  readonly words: string
}

/** What stands for all words that have no number of their own; it is number 0. */
export const UNKNOWN = '<unk>'

/** Words that cross at once. */
const BLOCK = 512

const escaped = (word: string) => word.replaceAll('\\', '\\\\').replaceAll(' ', '\\s')
const unescaped = (word: string) =>
  word.replaceAll(/\\(.)/g, (_, letter: string) => (letter === 's' ? ' ' : letter))

/** The words of a record. */
async function wordsOf({ words: text }: VocabularyRecord): Promise<string[]> {
  const words: string[] = []
  const turns = new Turns()
  for (let from = 0; from <= text.length;) {
    const space = text.indexOf(' ', from)
    const to = space < 0 ? text.length : space
    words.push(unescaped(text.slice(from, to)))
    from = to + 1
    if (turns.isOver()) await turns.next()
  }
  return words
}

/** Words with numbers, from 0 up: `<unk>`, a model's own marks, then words, most frequent first. */
export class Vocabulary {
  readonly #native: Handle<VocabularyHandle>
  #numbers: Map<string, number> | undefined

  private constructor(
    readonly words: readonly string[],
    readonly spelling: Spelling,
    native: VocabularyHandle,
  ) {
    this.#native = new Handle(native)
  }

  /** Words as they are, which begin with `<unk>` and a model's marks. */
  static async ofWords(
    words: readonly string[],
    spelling: Spelling,
    settings: RunSettings,
    who: string,
  ): Promise<Vocabulary> {
    const builder = new VocabularyBuilder()
    const turns = new Turns(settings.signal)
    for (let from = 0; from < words.length; from += BLOCK) {
      builder.add(words.slice(from, from + BLOCK))
      if (turns.isOver(BLOCK)) await turns.next()
    }
    const native = await run<VocabularyHandle>(who, settings, (spec, events) =>
      makeVocabulary(builder, pick(spelling), spec, events),
    )
    return new Vocabulary(words, pick(spelling), native)
  }

  /** The words of a corpus that was read with all of them. */
  static async ofCorpus(
    corpus: Corpus,
    settings: Settings<typeof vocabularyOptions>,
    runSettings: RunSettings,
    who: string,
    marks: readonly string[] = [],
  ): Promise<Vocabulary> {
    const own = [UNKNOWN, ...marks]
    const { minCount, maxVocabulary = Infinity } = settings
    // The most frequent first: where the first rare one stands is found by halves.
    let [from, to] = [0, Math.min(corpus.size, maxVocabulary)]
    while (from < to) {
      const middle = (from + to) >> 1
      if (corpus.count(corpus.words.at(middle)!) < minCount) to = middle
      else from = middle + 1
    }
    const words = [...own]
    const turns = new Turns(runSettings.signal)
    for (let i = 0; i < to; i++) {
      const word = corpus.words.at(i)!
      if (!own.includes(word)) words.push(word)
      if (turns.isOver()) await turns.next()
    }
    return Vocabulary.ofWords(words, settings, runSettings, who)
  }

  /** What `record` gave. */
  static async of(
    record: VocabularyRecord,
    settings: RunSettings,
    who: string,
  ): Promise<Vocabulary> {
    return Vocabulary.ofWords(await wordsOf(record), record, settings, who)
  }

  get size(): number {
    return this.words.length
  }

  /** For a model's file. */
  async record(): Promise<VocabularyRecord> {
    const blocks: string[] = []
    const turns = new Turns()
    for (let from = 0; from < this.size; from += BLOCK) {
      blocks.push(
        this.words
          .slice(from, from + BLOCK)
          .map(escaped)
          .join(' '),
      )
      if (turns.isOver(BLOCK)) await turns.next()
    }
    return { words: blocks.join(' '), ...this.spelling }
  }

  /** The number of a model's own mark. */
  numberOf(mark: string): number {
    return this.words.indexOf(mark)
  }

  /** How often each word stands in a corpus of so many sentences; `end` stands behind each. */
  async counts(
    corpus: Corpus,
    { sentences, end }: { readonly sentences: number; readonly end: string },
    settings: RunSettings,
  ): Promise<number[]> {
    const turns = new Turns(settings.signal)
    const known = await this.#numbersByWord(turns)
    const counts = Array<number>(this.size).fill(0)
    for (let i = 0; i < corpus.size; i++) {
      const word = corpus.words.at(i)!
      counts[known.get(word) ?? 0]! += corpus.count(word)
      if (turns.isOver()) await turns.next()
    }
    counts[this.numberOf(end)]! += sentences
    return counts
  }

  async #numbersByWord(turns: Turns): Promise<ReadonlyMap<string, number>> {
    if (this.#numbers) return this.#numbers
    const numbers = new Map<string, number>()
    for (const [number, word] of this.words.entries()) {
      numbers.set(word, number)
      if (turns.isOver()) await turns.next()
    }
    return (this.#numbers = numbers)
  }

  /** The sentences of a corpus. */
  async numberCorpus(corpus: Corpus, settings: RunSettings, who: string): Promise<NumberedTexts> {
    const turns = new Turns(settings.signal)
    const known = await this.#numbersByWord(turns)
    const numbers = new Uint32Array(corpus.size)
    for (let i = 0; i < numbers.length; i++) {
      numbers[i] = known.get(corpus.words.at(i)!) ?? 0
      if (turns.isOver()) await turns.next()
    }
    return run<NumberedTexts>(who, settings, (spec, events) =>
      numberCorpus(corpus.native(who), numbers, spec, events),
    )
  }

  /**
   * Texts, which may be arrays of words.
   *
   * @throws {InlayError} `INVALID_INPUT` an item that is no text
   */
  async number(texts: Texts, settings: RunSettings, who: string): Promise<NumberedTexts> {
    const open = typeof texts === 'string' ? undefined : settleSource(texts, who).texts
    if (!open) throw wrongOption('texts', 'an iterable of texts', texts, who)
    const stream = new TextStream()
    const native = this.#native.use(who)
    return run<NumberedTexts>(
      who,
      settings,
      (spec, events) => numberTexts(native, stream, 0, spec, events),
      feed(open, stream, 'replace', who),
    )
  }

  /**
   * The table of word vectors that a network begins with: what vectors say of a word, and for words that they
   * do not know what the network has drawn, as long on average.
   *
   * @throws {InvalidOptionError} they know none of the words
   */
  async rows(
    begun: Network,
    table: string,
    vectors: WordVectors,
    who: string,
  ): Promise<Readonly<Record<string, Float32Array>>> {
    const { values } = begun.parameter(table)!
    const { dimensions } = vectors
    const turns = new Turns()
    const known: number[] = []
    const rows: Float32Array[] = []
    for (const [number, word] of this.words.entries()) {
      if (vectors.has(word)) {
        known.push(number)
        rows.push(vectors.vector(word))
      }
      if (turns.isOver(dimensions)) await turns.next()
    }
    if (known.length === 0) {
      const some = vectors.words.slice(0, 3).join(', ')
      throw wrongOption('initialVectors', 'of words of the texts', some, who)
    }
    const scale = (await rootMeanSquare(rows, turns)) / (await rootMeanSquare([values], turns))
    for (let i = 0; i < values.length; i++) {
      values[i]! *= scale
      if (turns.isOver()) await turns.next()
    }
    for (const [at, number] of known.entries()) {
      values.set(rows[at]!, number * dimensions)
      if (turns.isOver(dimensions)) await turns.next()
    }
    return { [table]: values }
  }

  close(): void {
    this.#native.close()
  }
}

async function rootMeanSquare(rows: readonly Float32Array[], turns: Turns): Promise<number> {
  let [sum, count] = [0, 0]
  for (const row of rows) {
    for (let i = 0; i < row.length; i++) {
      sum += row[i]! * row[i]!
      if (turns.isOver()) await turns.next()
    }
    count += row.length
  }
  return Math.sqrt(sum / count)
}

function pick({ tokenizer, lowercase, normalization }: Spelling): Spelling {
  return { tokenizer, lowercase, normalization }
}

/** As many words as each table of a network has rows; one text of any length goes in. */
const readsText = (words: number, network: Network) => {
  const { inputs } = network.description
  const isText = inputs.length === 1 && inputs[0]!.content === 'ids' && !inputs[0]!.positions
  return isText && [...tablesOf(network).values()].every(({ rows }) => rows === words)
}

/** A vocabulary in a model's file: `<unk>`, the model's own marks, then words. */
export function vocabularyField(marks: readonly string[] = [], fits = readsText): Field {
  const first = [UNKNOWN, ...marks]
  const accepts = async (given: unknown, network: Network) => {
    if (typeof given !== 'object' || given === null) return false
    const record = given as VocabularyRecord
    if (typeof record.words !== 'string') return false
    const words = await wordsOf(record)
    return (
      first.every((word, number) => words[number] === word) &&
      fits(words.length, network) &&
      Object.entries(spellingOptions).every(([name, option]) =>
        option.accepts(record[name as keyof Spelling]),
      )
    )
  }
  return { expected: `the words of its network, the first of them ${first.join(' ')}`, accepts }
}

/** An option that takes the vectors of words. */
export function wordVectors(about: string) {
  return custom<WordVectors>('WordVectors', (given) => given instanceof WordVectors, about)
}

/** An option that takes a text. */
export function sourceOption(about: string) {
  const accepts = (given: unknown) => {
    try {
      settleSource(given, '')
      return true
    } catch {
      return false
    }
  }
  return custom<CorpusSource>(
    'a path, an iterable of texts or a function that gives one',
    accepts,
    about,
  )
}

/** All words of a source, each sentence a line, or an item. */
export function readAllWords(
  source: CorpusSource,
  spelling: Spelling,
  settings: RunSettings,
  who: string,
): Promise<Corpus> {
  const every = settleAlone(corpusOptions, { ...pick(spelling), minCount: 1 }, who)
  return readCorpus(source, every, settings, who)
}
