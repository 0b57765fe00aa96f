// inlay vectors ...: questions to a file of word vectors, and files in other formats.
import { type Options, flag, integer, list } from '../options.js'
import {
  type AnalogyEvaluation,
  type SimilarityEvaluation,
  analogyOptions,
} from '../vectors/evaluation.js'
import { openOptions, saveOptions } from '../vectors/files.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { type Command, group } from './command.js'
import { checkFormat, checkWritten } from './files.js'
import { UsageError } from './flags.js'
import { printNeighbours } from './neighbours.js'
import { quantity } from './quantities.js'
import type { Session } from './session.js'
import { quietFlags } from './train.js'

const searchFlags = {
  topK: integer(10, { from: 1 }, 'how many words'),
  restrict: integer(undefined, { from: 1 }, 'searches the first, most frequent words only'),
  json: flag(false, 'writes JSON'),
}
const awayFlags = { ...searchFlags, not: list('words to be away from: a,b,c or @FILE') }
const searchNames = { flags: { topK: 'top' }, short: { topK: 'k' } }

const runNames = { short: { quiet: 'q' } }

// A question is answered from the file as it lies on the disk; other precisions are for `convert`.
const { precision: _, ...readFlags } = openOptions
const reading = group('Reading', readFlags)

const similar: Command = {
  name: 'vectors similar',
  summary: 'lists the words nearest to a word, or to the mean of several',
  usage: 'FILE WORD... [flags]',
  operands: { FILE: 'word vectors in any known format', WORD: 'a word of the file' },
  count: { from: 2, to: Infinity },
  groups: [group('Search', awayFlags, searchNames), reading],
  examples: ['vectors.safetensors king', 'vectors.bin king woman --not man -k 5 --json'],

  async run(
    given: Options<typeof awayFlags & typeof readFlags>,
    operands: readonly string[],
    session: Session,
  ) {
    const [file, ...positive] = operands
    const { not: negative, topK, restrict, json, ...open } = given
    using vectors = await WordVectors.open(file!, { ...open, signal: session.signal })
    const search = { topK, restrict, signal: session.signal }
    printNeighbours(await vectors.mostSimilar({ positive, negative }, search), json, session)
  },
}

const analogy: Command = {
  name: 'vectors analogy',
  summary: 'lists what is to C as B is to A',
  usage: 'FILE A B C [flags]',
  operands: { FILE: 'word vectors in any known format', 'A B C': 'words of the file' },
  count: { from: 4, to: 4 },
  groups: [group('Search', searchFlags, searchNames), reading],
  examples: ['vectors.safetensors france paris italy', 'vectors.bin man king woman -k 1'],

  async run(
    given: Options<typeof searchFlags & typeof readFlags>,
    operands: readonly string[],
    session: Session,
  ) {
    const [file, a, b, c] = operands
    const { topK, restrict, json, ...open } = given
    using vectors = await WordVectors.open(file!, { ...open, signal: session.signal })
    const search = { topK, restrict, signal: session.signal }
    printNeighbours(await vectors.analogy(a!, b!, c!, search), json, session)
  },
}

const evaluateFlags = {
  analogies: list('files of questions, as questions-words.txt: a,b'),
  similarity: list('files of word pairs with scores, as WordSim-353: a,b'),
  ...analogyOptions,
  ...quietFlags,
  json: searchFlags.json,
}

const evaluate: Command = {
  name: 'vectors evaluate',
  summary: 'scores word vectors by analogies and by similarities that people gave',
  usage: 'FILE [--analogies FILES] [--similarity FILES] [flags]',
  operands: { FILE: 'word vectors in any known format' },
  count: { from: 1, to: 1 },
  groups: [group('Evaluation', evaluateFlags, runNames), reading],
  examples: [
    'vectors.safetensors --analogies questions-words.txt --similarity wordsim353.tsv,simlex999.tsv',
  ],

  async run(
    given: Options<typeof evaluateFlags & typeof readFlags>,
    [file]: readonly string[],
    session: Session,
  ) {
    const { analogies = [], similarity = [], restrict, lowercase, json, quiet, ...more } = given
    if (analogies.length + similarity.length === 0) {
      throw new UsageError('nothing to evaluate: --analogies or --similarity is missing')
    }
    const { threads, ...open } = more
    await session
      .withProgress({ quiet }, async (onProgress) => {
        const run = { threads, signal: session.signal, onProgress }
        using vectors = await WordVectors.open(file!, { ...open, ...run })
        const results: Result[] = []
        for (const path of analogies) {
          const result = await vectors.evaluateAnalogies(path, { restrict, lowercase, ...run })
          results.push({ kind: 'analogies', file: path, ...result })
        }
        for (const path of similarity) {
          results.push({
            kind: 'similarity',
            file: path,
            ...(await vectors.evaluateSimilarity(path, run)),
          })
        }
        return results
      })
      .then((results) => {
        if (json === true) return session.print(JSON.stringify(results))
        for (const result of results) session.print(told(result))
      })
  },
}

type Result =
  | ({ readonly kind: 'analogies'; readonly file: string } & AnalogyEvaluation)
  | ({ readonly kind: 'similarity'; readonly file: string } & SimilarityEvaluation)

const convertFlags = {
  to: saveOptions.format,
  precision: saveOptions.precision,
  ...quietFlags,
}

const convert: Command = {
  name: 'vectors convert',
  summary: 'writes word vectors in another format, in another precision, or the first of them only',
  usage: 'IN OUT [flags]',
  operands: {
    IN: 'word vectors in any known format',
    OUT: 'the new file; the ending of the name tells the format',
  },
  count: { from: 2, to: 2 },
  groups: [group('Writing', convertFlags, runNames), reading],
  examples: [
    'GoogleNews.bin vectors.safetensors --limit 200000 --precision float16',
    'vectors.safetensors vectors.txt',
  ],

  async run(
    given: Options<typeof convertFlags & typeof readFlags>,
    [input, output]: readonly string[],
    session: Session,
  ) {
    const { to, precision, threads, quiet, ...open } = given
    checkFormat(output!, { format: to, precision }, 'OUT')
    checkWritten([input!], { OUT: output })
    const size = await session.withProgress({ quiet }, async (onProgress) => {
      const run = { threads, signal: session.signal, onProgress }
      using vectors = await WordVectors.open(input!, { ...open, ...run })
      await vectors.save(output!, { format: to, precision, ...run })
      return vectors.size
    })
    if (quiet !== true) session.note(`${quantity(size, 'words')} in ${output}`)
  },
}

export const vectorsCommands: readonly Command[] = [similar, analogy, evaluate, convert]

function told(result: Result): string {
  if (result.kind === 'similarity') {
    const { file, spearman, pearson, pairs, skipped } = result
    const scores = `spearman ${spearman.toFixed(4)}  pearson ${pearson.toFixed(4)}`
    return `${file}  ${scores}  ${pairs} pairs, ${skipped} skipped`
  }
  const { file, correct, total, skipped, semantic, syntactic, sections } = result
  const lines = sections.map((section) => `  ${share(section)}  ${section.name}`)
  return [
    `${file}  ${skipped} skipped`,
    `  ${share({ correct, total })}  all`,
    `  ${share(semantic)}  semantic`,
    `  ${share(syntactic)}  syntactic`,
    ...lines,
  ].join('\n')
}

/** " 73.51 %   370 / 506": in columns. */
function share({ correct, total }: { readonly correct: number; readonly total: number }): string {
  const percent = total === 0 ? '-' : ((100 * correct) / total).toFixed(2)
  return `${percent.padStart(6)} %  ${String(correct).padStart(6)} / ${String(total).padEnd(6)}`
}
