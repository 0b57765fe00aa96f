// The options of FastTextClassifier's verbs, and what no single one of them can say.
import { corpusOptions } from '../corpus/corpus.js'
import { InvalidOptionError } from '../errors.js'
import type { ClassifierSpec } from '../native.js'
import {
  type Option,
  type Options,
  type RunOptions,
  type Settings,
  custom,
  flag,
  integer,
  isRecordOf,
  oneOf,
  real,
  runOptions,
  textOr,
} from '../options.js'
import { WordVectors } from '../vectors/word-vectors.js'
import type { LabelledSource } from './labelled.js'

/** Every option of `FastTextClassifier.train`. In brackets: the names in fastText. */
export const classifierOptions = {
  /** How labels are scored: all against one another, along a Huffman tree (for many labels), the
   * line's own against noise, or each by itself (for lines of several labels) [-loss]. */
  loss: oneOf(
    ['softmax', 'hierarchical-softmax', 'negative-sampling', 'one-versus-all'],
    'how labels are scored',
  ),
  /** Values in the vector of a word, n-gram or label [-dim]. */
  dimensions: integer(100, { from: 1, to: 4096 }, 'values in a vector'),
  /** Passes over the text [-epoch]. */
  epochs: integer(5, { from: 1, to: 1_000_000 }, 'passes over the text'),
  /** Learning rate at the first word; it falls to 0 in equal steps [-lr]. */
  learningRate: real(0.1, { above: 0, to: 100 }, 'learning rate at the first word'),
  /** The longest n-gram of words that has a vector; 1: none [-wordNgrams]. */
  wordNgrams: integer(1, { from: 1, to: 100 }, 'the longest n-gram of words; 1: none'),
  /** The shortest n-gram of characters that has a vector [-minn]. */
  minn: integer(0, { from: 0, to: 100 }, 'the shortest n-gram of characters'),
  /** The longest one; 0: none [-maxn]. */
  maxn: integer(0, { from: 0, to: 100 }, 'the longest n-gram of characters; 0: none'),
  /** N-grams share so many vectors, by their hashes. Only those that the text touches take memory,
   * but a saved file holds all [-bucket]. */
  bucket: integer(2_000_000, { from: 1, to: 100_000_000 }, 'vectors that n-grams share'),
  /** Words that occur less often have no vector [-minCount]. */
  minCount: integer(1, { from: 1 }, 'leaves out words that occur less often'),
  /** Labels that occur less often are left out [-minCountLabel]. */
  minCountLabel: integer(1, { from: 1 }, 'leaves out labels that occur less often'),
  /** Noise labels for each line; negative sampling only [-neg]. */
  negative: integer(5, { from: 1, to: 1000 }, 'noise labels for each line'),
  /** What a label begins with in the text [-label]. */
  labelPrefix: textOr('__label__', 'what a label begins with in the text'),
  /** Vectors to start from; their words are all kept [-pretrainedVectors]. */
  initialVectors: custom<WordVectors>(
    'WordVectors',
    (given) => given instanceof WordVectors,
    'vectors to start from',
  ),
  /** How much the lines of a label count, by label; 1 for those that are not named. With
   * one-versus-all: how much it counts where a line has it. */
  classWeights: custom<Readonly<Record<string, number>>>(
    'an object of numbers above 0, by label',
    (given) => isRecordOf(given, (weight) => Number.isFinite(weight) && (weight as number) > 0),
    'how much the lines of a label count',
  ),
  /** Bytes that are no UTF-8: an error with file and offset, U+FFFD in their place, or the word
   * that holds them left out. */
  invalidUtf8: corpusOptions.invalidUtf8,
  /** Where temporary files go. Default: the system's. */
  spoolDirectory: corpusOptions.spoolDirectory,
}

/** The options of `FastTextClassifier.train`: see `classifierOptions`. */
export type ClassifierOptions = Options<typeof classifierOptions> & RunOptions

/** `ClassifierOptions` when checked. */
export type TrainingSettings = Settings<typeof classifierOptions>

export const predictOptions = {
  topK: integer(1, { from: 1, to: 0xffff_ffff }, 'how many labels, at most'),
  threshold: real(0, { from: 0, to: 1 }, 'leaves out labels that are less likely'),
}

/** How many labels of a text. */
export type PredictOptions = Options<typeof predictOptions>

export const batchOptions = { ...predictOptions, signal: runOptions.signal }

/** How lines are read. */
const readingOptions = {
  invalidUtf8: corpusOptions.invalidUtf8,
  spoolDirectory: corpusOptions.spoolDirectory,
}

/** Every option of `readLabelledTexts`. */
export const labelledLineOptions = {
  /** What a label begins with in the text [-label]. */
  labelPrefix: classifierOptions.labelPrefix,
  /** Bytes that are no UTF-8: an error with file and offset, U+FFFD in their place, or the word
   * that holds them left out. */
  invalidUtf8: corpusOptions.invalidUtf8,
  /** Where temporary files go. Default: the system's. */
  spoolDirectory: corpusOptions.spoolDirectory,
}

export const evaluateOptions = { ...predictOptions, ...readingOptions }

export const openOptions = { labelPrefix: classifierOptions.labelPrefix }

/** Bytes as a number, or as fastText has them: '800k', '2M', '1.5G', in powers of a thousand. */
export const fileSize: Option<number | string | undefined> = {
  default: undefined,
  about: "bytes that the model's file may have: 2000000, 2M",
  shape: { kind: 'text', placeholder: 'SIZE' },
  expected: "bytes, or a string such as '800k', '2M' or '1.5G'",
  accepts: (given) => Number.isSafeInteger(bytesOf(given)) && bytesOf(given) > 0,
}

/** Lines with labels, looked at when they are read. */
export const lines = (about: string) =>
  custom<LabelledSource>(
    'lines with labels: a file, files, or an iterable',
    (given) =>
      (typeof given === 'string' && given !== '') ||
      typeof given === 'function' ||
      (typeof given === 'object' && given !== null),
    about,
  )

/** How a model is made small. */
export const quantizeOptions = {
  /** Words and n-grams that are kept, those of the longest vectors. Default: all. */
  cutoff: integer(undefined, { from: 256, to: 0xffff_ffff }, 'words and n-grams that are kept'),
  /** Keeps as many words and n-grams as a file of so many bytes has room for; instead of
   * `cutoff`. */
  modelSize: fileSize,
  /** Values that share a byte. */
  dsub: integer(2, { from: 1, to: 4096 }, 'values that share a byte'),
  /** Whether the length of a vector has a byte of its own. */
  qnorm: flag(false, 'gives the length of a vector a byte of its own'),
  /** Whether the labels' vectors are quantized as well; needs 256 labels. */
  qout: flag(false, "quantizes the labels' vectors as well"),
  /** Lines with labels, those of the training, on which what is kept is trained further before it
   * is quantized; with `cutoff` or `modelSize`. */
  retrain: lines('trains what is kept further on these lines with labels'),
  /** Passes over `retrain`. Default: as many as the model had. */
  epochs: integer(undefined, { from: 1, to: 1_000_000 }, 'passes over the lines of --retrain'),
  /** Learning rate at their first word. Default: the model's own, 0.1 for a model that was
   * opened. */
  learningRate: real(undefined, { above: 0, to: 100 }, 'learning rate at their first word'),
  ...readingOptions,
}

/** How a model is made small: see `quantizeOptions`. */
export type QuantizeOptions = Options<typeof quantizeOptions> & RunOptions

/** `modelSize` as a number; NaN for what is none. */
export function bytesOf(size: unknown): number {
  if (typeof size !== 'string') return typeof size === 'number' ? size : Number.NaN
  const [, figures, unit = ''] = /^(\d+(?:\.\d+)?)([kMG]?)$/i.exec(size) ?? []
  const scale = { k: 1e3, m: 1e6, g: 1e9 }[unit.toLowerCase()] ?? 1
  return figures === undefined ? Number.NaN : Math.floor(Number(figures) * scale)
}

export function specOf({ classWeights = {}, ...settings }: TrainingSettings): ClassifierSpec {
  const weightedLabels = Object.keys(classWeights)
  return { ...settings, weightedLabels, weights: Object.values(classWeights) }
}

/** What no single option of a training can say. */
export function checkTraining(
  settings: TrainingSettings,
  given: ClassifierOptions,
  who: string,
): void {
  const { loss, minn, maxn, wordNgrams } = settings
  if (given.negative !== undefined && loss !== 'negative-sampling') {
    refuse('negative', 'is for negative sampling only', who)
  }
  if (minn > maxn) refuse('minn', `must not be above \`maxn\`, which is ${maxn}`, who)
  if (given.bucket !== undefined && maxn === 0 && wordNgrams === 1) {
    refuse('bucket', 'has no meaning without `wordNgrams` or `maxn`', who)
  }
  if (/\s/.test(settings.labelPrefix)) refuse('labelPrefix', 'cannot hold white space', who)
}

/** What no single option of `quantize` can say. */
export function checkQuantization(given: QuantizeOptions, who: string): void {
  const isGiven = (name: keyof QuantizeOptions) => given[name] !== undefined
  if (isGiven('cutoff') && isGiven('modelSize')) {
    refuse('modelSize', 'takes the place of `cutoff`: give one of them', who)
  }
  if (isGiven('retrain')) {
    if (isGiven('cutoff') || isGiven('modelSize')) return
    refuse('retrain', 'has no meaning without `cutoff` or `modelSize`', who)
  }
  for (const name of ['epochs', 'learningRate', 'invalidUtf8', 'spoolDirectory'] as const) {
    if (isGiven(name)) refuse(name, 'has no meaning without `retrain`', who)
  }
}

/** Throws what is wrong with an option that is right by itself. */
export function refuse(option: string, message: string, who: string): never {
  throw new InvalidOptionError(`${who}: \`${option}\` ${message}`, { option })
}
