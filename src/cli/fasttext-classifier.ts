// inlay fasttext classify-train and what asks its models: labels for texts.
import { type Options, type RunOptions, text } from '../options.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { autotuneOptions } from '../words/autotune.js'
import { classifierOptions, predictOptions, quantizeOptions } from '../words/classifier-options.js'
import { type Evaluation, type Tuning, FastTextClassifier } from '../words/fasttext-classifier.js'
import { type Command, group } from './command.js'
import { checkWritten } from './files.js'
import { UsageError } from './flags.js'
import { labelRow } from './labels.js'
import { linesFrom } from './lines.js'
import { quantity } from './quantities.js'
import type { Session } from './session.js'
import { quietFlags, runFlags } from './train.js'

const output = { output: text('where the model goes, as fastText writes it') }
const { labelPrefix, invalidUtf8, spoolDirectory } = classifierOptions
const textFlags = { labelPrefix, invalidUtf8, spoolDirectory }
const own = new Set(['initialVectors', 'classWeights', ...Object.keys(textFlags)])
const trainingFlags = Object.fromEntries(
  Object.entries(classifierOptions).filter(([name]) => !own.has(name)),
)
const startFlags = { initialVectors: text('vectors to begin with, in any format') }

type TrainGiven = Omit<Options<typeof classifierOptions>, 'initialVectors'> &
  Options<typeof output & typeof startFlags & typeof runFlags>

const files = 'lines with labels: files, globs or folders/; .gz and .zst are read as they are'

const train: Command = {
  name: 'fasttext classify-train',
  summary: 'trains a classifier on lines with labels',
  usage: 'LINES... -o MODEL [flags]',
  operands: { LINES: files },
  count: { from: 1, to: Infinity },
  groups: [
    group('Files', { ...output, ...startFlags }, { short: { output: 'o' } }),
    group('Training', trainingFlags),
    group('Text', textFlags),
    group('Run', runFlags, { short: { quiet: 'q' } }),
  ],
  examples: ['train.txt -o questions.bin --word-ngrams 2 --epochs 25 --learning-rate 0.5'],

  async run(given: TrainGiven, lines: readonly string[], session: Session) {
    const { output: path, quiet: isQuiet, initialVectors, ...options } = given
    const target = writable(path, [...lines, ...(initialVectors ? [initialVectors] : [])])
    const { signal } = session
    const work = async (onProgress: RunOptions['onProgress']) => {
      const run = { signal, onProgress, threads: options.threads }
      const begin = initialVectors && (await WordVectors.open(initialVectors, run))
      const settings = { ...options, initialVectors: begin || undefined, ...run }
      const trained = await FastTextClassifier.train({ files: lines }, settings)
      await trained.save(target, run)
      return trained
    }
    const trained = await session.withProgress({ quiet: isQuiet }, work)
    if (!isQuiet) session.note(`${quantity(trained.labels.length, 'labels')} in ${target}`)
  },
}

const predict: Command = {
  name: 'fasttext predict',
  summary: 'tells the labels of texts, one on each line',
  usage: 'MODEL [TEXTS...] [flags]',
  operands: { MODEL: 'a .bin or .ftz file', TEXTS: 'texts, one a line; standard input without' },
  count: { from: 1, to: Infinity },
  groups: [group('Answers', { ...predictOptions, labelPrefix }, { short: { topK: 'k' } })],
  examples: ['questions.bin texts.txt -k 3', 'lid.176.ftz < texts.txt'],

  async run(
    {
      topK,
      threshold,
      ...prefix
    }: Options<typeof predictOptions & { labelPrefix: typeof labelPrefix }>,
    [model = '', ...texts]: readonly string[],
    session: Session,
  ) {
    const { signal } = session
    using classifier = await FastTextClassifier.open(model, { ...prefix, signal })
    for await (const lines of linesFrom(texts, session)) {
      const all = await classifier.predictBatch(lines, { topK, threshold, signal })
      for (const predictions of all) session.print(labelRow(predictions))
    }
  },
}

const test: Command = {
  name: 'fasttext test',
  summary: 'compares predictions with the labels of lines',
  usage: 'MODEL LINES... [flags]',
  operands: { MODEL: 'a .bin or .ftz file', LINES: files },
  count: { from: 2, to: Infinity },
  groups: [
    group('Answers', predictOptions, { short: { topK: 'k' } }),
    group('Text', textFlags),
    group('Run', quietFlags, { short: { quiet: 'q' } }),
  ],
  examples: ['questions.bin test.txt', 'questions.bin test.txt -k 5 --threshold 0.2'],

  async run(
    given: Options<typeof predictOptions & typeof textFlags & typeof runFlags>,
    [model = '', ...lines]: readonly string[],
    session: Session,
  ) {
    const { labelPrefix: prefix, quiet: isQuiet, ...options } = given
    const { signal } = session
    using classifier = await FastTextClassifier.open(model, { labelPrefix: prefix, signal })
    const found = await session.withProgress({ quiet: isQuiet }, (onProgress) =>
      classifier.evaluate({ files: lines }, { ...options, signal, onProgress }),
    )
    session.print(tableOf(found))
  },
}

const { cutoff, modelSize, dsub, qnorm, qout, epochs, learningRate } = quantizeOptions
const smallness = { cutoff, modelSize, dsub, qnorm, qout }
const furtherFlags = {
  retrain: text('lines with labels on which what is kept is trained further'),
  epochs,
  learningRate,
  ...textFlags,
}

const quantize: Command = {
  name: 'fasttext quantize',
  summary: 'makes a small model of a large one',
  usage: 'MODEL -o SMALL [flags]',
  operands: { MODEL: 'a .bin file' },
  count: { from: 1, to: 1 },
  groups: [
    group('Files', output, { short: { output: 'o' } }),
    group('Quantization', smallness),
    group('Training further', furtherFlags),
    group('Run', runFlags, { short: { quiet: 'q' } }),
  ],
  examples: [
    'questions.bin -o questions.ftz --cutoff 50000 --qnorm --retrain train.txt',
    'questions.bin -o questions.ftz --model-size 2M',
  ],

  async run(
    given: Options<typeof output & typeof smallness & typeof furtherFlags & typeof runFlags>,
    [model = '']: readonly string[],
    session: Session,
  ) {
    const { output: path, quiet: isQuiet, labelPrefix: prefix, ...options } = given
    const target = writable(path, [model, ...(options.retrain ? [options.retrain] : [])])
    const { signal } = session
    await session.withProgress({ quiet: isQuiet }, async (onProgress) => {
      using large = await FastTextClassifier.open(model, { signal, labelPrefix: prefix })
      using small = await large.quantize({ ...options, signal, onProgress })
      await small.save(target, { signal, onProgress })
    })
  },
}

const { duration, trials, metric, metricAt, metricLabel, topK } = autotuneOptions
const searchFlags = { duration, trials, modelSize, metric, metricAt, metricLabel, topK }
const validationFlags = { ...output, validation: text('lines that models are judged by') }

type TuneGiven = Omit<TrainGiven, 'output'> & Options<typeof validationFlags & typeof searchFlags>

const autotune: Command = {
  name: 'fasttext autotune',
  summary: 'searches the best options of a classifier in a given time',
  usage: 'LINES... --validation LINES -o MODEL [flags]',
  operands: { LINES: files },
  count: { from: 1, to: Infinity },
  groups: [
    group('Files', { ...validationFlags, ...startFlags }, { short: { output: 'o' } }),
    group('Search', searchFlags),
    group('Training: what is given is held, not searched', trainingFlags),
    group('Text', textFlags),
    group('Run', runFlags, { short: { quiet: 'q' } }),
  ],
  examples: [
    'train.txt --validation valid.txt -o model.ftz --duration 300 --model-size 2M',
    'train.txt --validation valid.txt -o model.bin --trials 40 --seed 7 --threads 1',
  ],

  async run(given: TuneGiven, lines: readonly string[], session: Session) {
    const { output: path, quiet: isQuiet, initialVectors, validation, ...options } = given
    if (validation === undefined) throw new UsageError('--validation LINES is missing')
    const read = [...lines, validation, ...(initialVectors ? [initialVectors] : [])]
    const target = writable(path, read)
    const { signal } = session
    const found = await session.withProgress({ quiet: isQuiet }, async (onProgress) => {
      const run = { signal, onProgress, threads: options.threads }
      const begin = initialVectors && (await WordVectors.open(initialVectors, run))
      const settings = { ...options, validation, initialVectors: begin || undefined, ...run }
      const tuned = await FastTextClassifier.autotune({ files: lines }, settings)
      await tuned.classifier.save(target, run)
      return tuned
    })
    session.print(winnerOf(found))
  },
}

export const classifierCommands: readonly Command[] = [train, predict, test, quantize, autotune]

/** All that is written must have a place, and must not be what is read. */
function writable(path: string | undefined, read: readonly string[]): string {
  if (path === undefined) throw new UsageError('-o MODEL is missing')
  checkWritten(read, { '-o': path })
  return path
}

/** What the best model was made with, tab-separated. */
function winnerOf(found: Tuning): string {
  const { score, options } = found
  const [size, tried] = [found.dsub, found.trials.length]
  const all = { score: score.toFixed(4), trials: tried, ...options, dsub: size }
  const named = Object.entries(all).filter(([, value]) => value !== undefined)
  return named.map(([name, value]) => `${name}\t${value}`).join('\n')
}

/** Tab-separated, all labels together first. */
function tableOf({ examples, labels, ...overall }: Evaluation): string {
  const rate = (value: number) => value.toFixed(4)
  const rows = [{ label: `all (${examples} lines)`, ...overall }, ...labels]
  const lines = rows.map(({ label, expected, predicted, precision, recall, f1 }) =>
    [label, expected, predicted, ...[precision, recall, f1].map(rate)].join('\t'),
  )
  return ['label\texpected\tpredicted\tprecision\trecall\tF1', ...lines].join('\n')
}
