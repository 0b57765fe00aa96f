// inlay tag: a tag for each word of a sentence, learnt from treebanks.
import { InlayError, shown } from '../errors.js'
import { SequenceTagger, sequenceTaggerOptions } from '../models/sequence-tagger.js'
import type { TaggedSentence } from '../models/tagged-sentences.js'
import { type Options, flag, maybeOneOf, text } from '../options.js'
import {
  type ReadConlluOptions,
  conlluSentences,
  readConllu,
  readConlluOptions,
} from '../tables/read-conllu.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { type Command, group } from './command.js'
import { printEvaluation } from './labels.js'
import { linesFrom } from './lines.js'
import { quantity } from './quantities.js'
import type { Session } from './session.js'
import { networkTrainCommand, ofData, sayable, trainingGroups } from './train-network.js'
import { quietFlags } from './train.js'

const treebank = 'sentences with tags: CoNLL-U, .gz as well'
const model = 'what `inlay tag train` wrote'

const files = {
  validation: text('sentences whose loss is worked out after each epoch: CoNLL-U'),
  knownVectors: text('vectors of words, which stay as they are, in any format'),
}

type TrainGiven = Options<typeof files> & ReadConlluOptions

const train = networkTrainCommand<TrainGiven, SequenceTagger>({
  name: 'tag train',
  summary: 'learns the tags of words from treebanks',
  usage: 'TREEBANK... -o MODEL [flags]',
  operands: { TREEBANK: treebank },
  count: { from: 1, to: Infinity },
  learnt: 'the sentences',
  files,
  groups: [
    group('Treebank', readConlluOptions),
    ...trainingGroups(sayable(sequenceTaggerOptions, files)),
  ],
  examples: [
    'en_ewt-ud-train.conllu -o english.safetensors --validation en_ewt-ud-dev.conllu --epochs 5',
    'en_ewt-ud-train.conllu.gz -o english.safetensors --column xpos --known-vectors vectors.bin',
  ],

  async train(paths, { column, validation, knownVectors, ...options }, run) {
    using known = knownVectors === undefined ? undefined : await WordVectors.open(knownVectors, run)
    return await SequenceTagger.train(sentencesOf(paths, { column }), {
      ...options,
      ...run,
      ...(known && { knownVectors: known }),
      ...(validation !== undefined && { validation: sentencesOf([validation], { column }) }),
    })
  },
  told: ({ tags }) => quantity(tags.length, 'tags'),
})

const predictFlags = {
  format: maybeOneOf(
    ['lines', 'conllu'],
    "a sentence a line, words between spaces, or CoNLL-U (default: by the name's end)",
  ),
  json: flag(false, 'writes JSON, a sentence a line'),
}

type PredictGiven = Options<typeof predictFlags & { threads: typeof quietFlags.threads }>

const predict: Command = {
  name: 'tag predict',
  summary: 'tells the tag of each word: a word a line, and an empty line behind each sentence',
  usage: 'MODEL [TEXTS...] [flags]',
  operands: { MODEL: model, TEXTS: 'sentences, or .conllu; standard input without' },
  count: { from: 1, to: Infinity },
  groups: [group('Sentences', predictFlags), group('Run', { threads: quietFlags.threads })],
  examples: ['english.safetensors texts.txt', 'english.safetensors --json < texts.txt'],

  async run(
    { format, json, threads }: PredictGiven,
    [path = '', ...texts]: readonly string[],
    session: Session,
  ) {
    const run = { signal: session.signal, threads }
    using tagger = await SequenceTagger.open(path, run)
    for (const inputs of texts.length > 0 ? texts.map((one) => [one]) : [[]]) {
      for await (const sentences of wordsFrom(inputs, format, session)) {
        const tagged = await tagger.tag(sentences, run)
        for (const [at, tags] of tagged.entries()) {
          const words = sentences[at]!
          const rows = words.map((word, i) => `${word}\t${tags[i]}\n`)
          session.print(json === true ? JSON.stringify({ words, tags }) : rows.join(''))
        }
      }
    }
  },
}

const evaluateFlags = {
  ...readConlluOptions,
  json: flag(false, 'writes JSON, with the confusion matrix'),
}

const evaluate: Command = {
  name: 'tag evaluate',
  summary: 'compares the tags that a model finds with those of treebanks',
  usage: 'MODEL TREEBANK... [flags]',
  operands: { MODEL: model, TREEBANK: treebank },
  count: { from: 2, to: Infinity },
  groups: [group('Treebank', evaluateFlags), group('Run', quietFlags, { short: { quiet: 'q' } })],
  examples: ['english.safetensors en_ewt-ud-test.conllu'],

  async run(
    given: Options<typeof evaluateFlags & typeof quietFlags>,
    [path = '', ...paths]: readonly string[],
    session: Session,
  ) {
    const { column, json, quiet, threads } = given
    const found = await session.withProgress({ quiet }, async (onProgress) => {
      const run = { signal: session.signal, threads, onProgress }
      using tagger = await SequenceTagger.open(path, run)
      return await ofData('the tags', () => tagger.evaluate(sentencesOf(paths, { column }), run))
    })
    printEvaluation(found, 'words', json, session)
  },
}

export const tagCommands: readonly Command[] = [train, predict, evaluate]

/** All sentences of files, each word with a tag. */
async function* sentencesOf(
  paths: readonly string[],
  how: ReadConlluOptions,
): AsyncGenerator<TaggedSentence> {
  for (const path of paths) {
    for await (const sentence of readConllu(path, how)) {
      const untagged = sentence.tags.indexOf('_')
      if (untagged >= 0) {
        const word = shown(sentence.words[untagged])
        const column = (how.column ?? readConlluOptions.column.default).toUpperCase()
        throw new InlayError('INVALID_INPUT', `${path}: the word ${word} has no tag in ${column}`)
      }
      yield sentence
    }
  }
}

/** Sentences that are tagged together: those of a piece of a file, or of standard input. */
async function* wordsFrom(
  paths: readonly string[],
  format: 'lines' | 'conllu' | undefined,
  session: Session,
): AsyncGenerator<(readonly string[])[]> {
  const [path = 'standard input'] = paths
  const pieces = linesFrom(paths, session)
  if ((format ?? (/\.conllu(\.(gz|zst))?$/i.test(path) ? 'conllu' : 'lines')) === 'lines') {
    for await (const lines of pieces) {
      yield lines.map((line) => line.split(/\s+/).filter((word) => word !== ''))
    }
    return
  }
  let batch: (readonly string[])[] = []
  for await (const { words } of conlluSentences(pieces, path, 'upos')) {
    if (batch.push(words) < TOGETHER) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

/** Sentences of CoNLL-U that are tagged together. */
const TOGETHER = 500
