import { type Corpus, corpusOptions, readCorpus } from '../corpus/corpus.js'
import { InvalidOptionError } from '../errors.js'
import { Handle } from '../handle.js'
import {
  type ClassifierHandle,
  type ClassifierScores,
  type ClassifierShape,
  type ClassifierSpec,
  type SaidOfAll,
  evaluateClassifier,
  openClassifier,
  predictLabels,
  quantizeClassifier,
  saveClassifier,
  trainClassifier,
} from '../native.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  type Settings,
  custom,
  flag,
  integer,
  oneOf,
  real,
  runOptions,
  settle,
  settleAlone,
  textOr,
  wrongOption,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run, serve } from '../run.js'
import { WordList } from '../vectors/word-list.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { type LabelledSource, linesOf } from './labelled.js'

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
    (given) =>
      typeof given === 'object' &&
      given !== null &&
      !Array.isArray(given) &&
      Object.values(given).every((weight) => Number.isFinite(weight) && weight > 0),
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

/** How a classifier was trained, as far as its file says. */
export type ClassifierSettings = Readonly<ClassifierShape>

type TrainingSettings = Settings<typeof classifierOptions>

/** A label of a text. */
export interface LabelPrediction {
  readonly label: string
  /** From 0 to 1; those of softmax and hierarchical softmax sum to 1 over all labels. */
  readonly probability: number
}

const predictOptions = {
  topK: integer(1, { from: 1, to: 0xffff_ffff }, 'how many labels, at most'),
  threshold: real(0, { from: 0, to: 1 }, 'leaves out labels that are less likely'),
}

/** How many labels of a text. */
export type PredictOptions = Options<typeof predictOptions>

const batchOptions = { ...predictOptions, signal: runOptions.signal }

const evaluateOptions = {
  ...predictOptions,
  invalidUtf8: corpusOptions.invalidUtf8,
  spoolDirectory: corpusOptions.spoolDirectory,
}

const openOptions = { labelPrefix: classifierOptions.labelPrefix }

/** How a model is made small. */
export const quantizeOptions = {
  /** Words and n-grams that are kept, those of the longest vectors. Default: all. */
  cutoff: integer(undefined, { from: 256, to: 0xffff_ffff }, 'words and n-grams that are kept'),
  /** Values that share a byte. */
  dsub: integer(2, { from: 1, to: 4096 }, 'values that share a byte'),
  /** Whether the length of a vector has a byte of its own. */
  qnorm: flag(false, 'gives the length of a vector a byte of its own'),
  /** Whether the labels' vectors are quantized as well; needs 256 labels. */
  qout: flag(false, "quantizes the labels' vectors as well"),
}

/** How the predictions of one label came out. A rate without anything to divide by is NaN. */
export interface LabelScore {
  readonly label: string
  /** Lines that have it. */
  readonly expected: number
  /** Lines for which it was predicted. */
  readonly predicted: number
  readonly precision: number
  readonly recall: number
  readonly f1: number
}

/** How predictions came out: all labels together, and each. */
export interface Evaluation extends Omit<LabelScore, 'label'> {
  /** Lines that have a known label. */
  readonly examples: number
  /** In the order of `FastTextClassifier.labels`. */
  readonly labels: readonly LabelScore[]
}

/**
 * Labels for texts, by the mean of the vectors of their words and n-grams (Joulin et al. 2016,
 * arXiv:1607.01759): fastText's `supervised`, with its files.
 *
 *     text ─▶ words, subwords, word n-grams ─▶ mean of their vectors ─▶ loss ─▶ labels
 *
 *     const classifier = await FastTextClassifier.train('questions.txt', { wordNgrams: 2 })
 *     classifier.predict('how far is it to the moon ?') // [{ label: 'NUM', probability: 0.98 }]
 *     await classifier.save('questions.bin')
 */
export class FastTextClassifier {
  /** All labels without their prefix, most frequent first. */
  readonly labels: readonly string[]
  /** Mean loss of a line in each epoch, in nats; empty for a model that was opened. */
  readonly losses: readonly number[]
  /** How it was trained, as far as its file says. */
  readonly options: ClassifierSettings
  /** Whether its vectors are quantized. */
  readonly isQuantized: boolean
  readonly #handle: Handle<ClassifierHandle>
  readonly #labelPrefix: string
  #words: WordList | undefined

  /** @internal */
  constructor(native: ClassifierHandle, labelPrefix: string) {
    this.#handle = new Handle(native)
    this.#labelPrefix = labelPrefix
    this.labels = native.labels()
    this.losses = native.losses()
    this.options = native.shape()
    this.isQuantized = native.isQuantized()
  }

  /**
   * Trains on lines with labels. Words are what stands between white space, as they are: lower
   * case, punctuation and the like are the caller's, here and for `predict`. The lines are taken in
   * their order: shuffle a source that is sorted by label. Same bytes for the same `seed` with
   * `threads: 1` on one machine; more threads write to the same vectors without locks.
   *
   *     await FastTextClassifier.train('train.txt', { loss: 'hierarchical-softmax' })
   *     await FastTextClassifier.train([{ text: 'good film', labels: ['positive'] }, ...])
   *
   * @throws {InvalidOptionError} before anything is read; `initialVectors` of other dimensions
   * @throws {InlayError} `NOT_FOUND` no such file, or a label of `classWeights` that no line has;
   * `INVALID_INPUT` no labels, an item that is no text, bytes that are no UTF-8; `OUT_OF_MEMORY`;
   * `DISK_FULL`; `DIVERGED` a vector is no longer finite
   */
  static async train(
    source: LabelledSource,
    options: ClassifierOptions = {},
  ): Promise<FastTextClassifier> {
    const who = 'FastTextClassifier.train'
    const { settings, run: runSettings } = settle(classifierOptions, options, who)
    checkTogether(settings, options, who)
    const { labelPrefix } = settings
    const initial = settings.initialVectors?.native(who)
    using corpus = await linesOfCorpus(source, labelPrefix, settings, runSettings, who)
    const native = await run<ClassifierHandle>(who, runSettings, (spec, events) =>
      trainClassifier(corpus.native(who), specOf(settings), initial, spec, events),
    )
    return new FastTextClassifier(native, labelPrefix)
  }

  /**
   * Opens a classifier that `save` or fastText wrote, `.bin` or `.ftz`, told by its content. The
   * vectors of a `.bin` are mapped, not read.
   *
   *     const languages = await FastTextClassifier.open('lid.176.ftz')
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no fastText model, or damaged;
   * `UNSUPPORTED` it holds word vectors, or is of a version that is not known
   */
  static async open(
    path: Path,
    options: Options<typeof openOptions> & RunOptions = {},
  ): Promise<FastTextClassifier> {
    const who = 'FastTextClassifier.open'
    const file = settlePath(path, who)
    const { settings, run: runSettings } = settle(openOptions, options, who)
    const native = await run<ClassifierHandle>(who, runSettings, (spec, events) =>
      openClassifier(file, settings.labelPrefix, spec, events),
    )
    return new FastTextClassifier(native, settings.labelPrefix)
  }

  /** The words that have vectors, most frequent first; `</s>` stands for the end of a line. */
  get words(): WordList {
    this.#words ??= new WordList(new Handle(this.#handle.use('FastTextClassifier.words').words()))
    return this.#words
  }

  /**
   * The likeliest labels of a text, likeliest first; none for a text of which the model knows
   * nothing. At once: a short text takes microseconds. Line breaks count as spaces, labels in the
   * text are left out.
   *
   *     classifier.predict('cheap flights', { topK: 3, threshold: 0.1 })
   *
   * @throws {InvalidOptionError}
   */
  predict(text: string, options: PredictOptions = {}): LabelPrediction[] {
    const who = 'FastTextClassifier.predict'
    if (typeof text !== 'string') throw wrongOption('text', 'a string', text, who)
    const { topK, threshold } = settleAlone(predictOptions, options, who)
    const said = this.#handle.use(who).predict(text, topK, threshold)
    return said.labels.map((label, i) => ({
      label: this.labels[label]!,
      probability: said.probabilities[i]!,
    }))
  }

  /**
   * As `predict`, for many texts, on the threads that short calls share (`configure`).
   *
   *     const predictions = await classifier.predictBatch(['cheap flights', 'late again'])
   *
   * @throws {InvalidOptionError}
   */
  async predictBatch(
    texts: readonly string[],
    options: Options<typeof batchOptions> = {},
  ): Promise<LabelPrediction[][]> {
    const who = 'FastTextClassifier.predictBatch'
    if (!Array.isArray(texts) || !texts.every((text) => typeof text === 'string')) {
      throw wrongOption('texts', 'an array of strings', texts, who)
    }
    const { topK, threshold, signal } = settleAlone(batchOptions, options, who)
    const native = this.#handle.use(who)
    const { labels, probabilities, ends } = await serve<SaidOfAll>(who, signal, (events) =>
      predictLabels(native, texts as string[], topK, threshold, events),
    )
    return Array.from(ends, (end, text) => {
      const from = text === 0 ? 0 : ends[text - 1]!
      return Array.from({ length: end - from }, (_, i) => ({
        label: this.labels[labels[from + i]!]!,
        probability: probabilities[from + i]!,
      }))
    })
  }

  /**
   * Predicts the labels of lines that have them, and compares.
   *
   *     const { f1, labels } = await classifier.evaluate('test.txt')
   *
   * @throws {InlayError} as `Corpus.read`
   */
  async evaluate(
    source: LabelledSource,
    options: Options<typeof evaluateOptions> & RunOptions = {},
  ): Promise<Evaluation> {
    const who = 'FastTextClassifier.evaluate'
    const { settings, run: runSettings } = settle(evaluateOptions, options, who)
    const native = this.#handle.use(who)
    const { topK, threshold } = settings
    using corpus = await linesOfCorpus(source, this.#labelPrefix, settings, runSettings, who)
    const scores = await run<ClassifierScores>(who, runSettings, (spec, events) =>
      evaluateClassifier(native, corpus.native(who), topK, threshold, spec, events),
    )
    const score = (place: number) => {
      const [expected, predicted, , precision, recall, f1] = scores.figures.subarray(6 * place)
      return {
        expected: expected!,
        predicted: predicted!,
        precision: precision!,
        recall: recall!,
        f1: f1!,
      }
    }
    const labels = this.labels.map((label, i) => ({ label, ...score(i + 1) }))
    return { examples: scores.examples, ...score(0), labels }
  }

  /** The mean of the vectors of a text's words and n-grams, as `predict` makes it; zeros where the
   * model knows none. */
  sentenceVector(text: string): Float32Array {
    const who = 'FastTextClassifier.sentenceVector'
    if (typeof text !== 'string') throw wrongOption('text', 'a string', text, who)
    return this.#handle.use(who).sentenceVector(text)
  }

  /**
   * A small model of this one: vectors are product-quantized (Joulin et al. 2016,
   * arXiv:1612.03651), and with `cutoff` only the words and n-grams of the longest vectors are
   * kept. It is saved as fastText's `.ftz`. This one stays as it is.
   *
   *     const small = await classifier.quantize({ cutoff: 50_000, qnorm: true })
   *     await small.save('questions.ftz')
   *
   * @throws {InlayError} `UNSUPPORTED` it is quantized already, or has fewer than 256 vectors
   */
  async quantize(
    options: Options<typeof quantizeOptions> & RunOptions = {},
  ): Promise<FastTextClassifier> {
    const who = 'FastTextClassifier.quantize'
    const { settings, run: runSettings } = settle(quantizeOptions, options, who)
    const native = this.#handle.use(who)
    const small = await run<ClassifierHandle>(who, runSettings, (spec, events) =>
      quantizeClassifier(native, settings, spec, events),
    )
    return new FastTextClassifier(small, this.#labelPrefix)
  }

  /**
   * Writes a file that fastText and `open` read: what fastText calls `.bin`, or `.ftz` where the
   * model is quantized. The file is there in full or not at all.
   *
   *     await classifier.save('questions.bin')
   *
   * @throws {InlayError} `DISK_FULL`, `IO`; `UNSUPPORTED` a word with a byte 0 in it
   */
  async save(path: Path, options: RunOptions = {}): Promise<void> {
    const who = 'FastTextClassifier.save'
    const file = settlePath(path, who)
    const runSettings = settle({}, options, who).run
    const native = this.#handle.use(who)
    await run<void>(who, runSettings, (spec, events) => saveClassifier(native, file, spec, events))
  }

  /** Frees the memory now rather than when the garbage is collected. */
  close(): void {
    this.#handle.close()
  }

  /** As `close`: `using classifier = ...` closes it at the end of the block. */
  [Symbol.dispose](): void {
    this.close()
  }
}

/** Every word of the lines, between white space: what is left out is the classifier's to say. */
function linesOfCorpus(
  source: LabelledSource,
  labelPrefix: string,
  { invalidUtf8, spoolDirectory }: Pick<TrainingSettings, 'invalidUtf8' | 'spoolDirectory'>,
  runSettings: RunSettings,
  who: string,
): Promise<Corpus> {
  const settings = settleAlone(corpusOptions, { minCount: 1, invalidUtf8, spoolDirectory }, who)
  return readCorpus(linesOf(source, labelPrefix, who), settings, runSettings, who)
}

function specOf({ classWeights = {}, ...settings }: TrainingSettings): ClassifierSpec {
  const weightedLabels = Object.keys(classWeights)
  return { ...settings, weightedLabels, weights: Object.values(classWeights) }
}

/** What no single option can say. */
function checkTogether(settings: TrainingSettings, given: ClassifierOptions, who: string): void {
  const refuse = (option: string, message: string) => {
    throw new InvalidOptionError(`${who}: \`${option}\` ${message}`, { option })
  }
  const { loss, minn, maxn, wordNgrams } = settings
  if (given.negative !== undefined && loss !== 'negative-sampling') {
    refuse('negative', 'is for negative sampling only')
  }
  if (minn > maxn) refuse('minn', `must not be above \`maxn\`, which is ${maxn}`)
  if (given.bucket !== undefined && maxn === 0 && wordNgrams === 1) {
    refuse('bucket', 'has no meaning without `wordNgrams` or `maxn`')
  }
  if (/\s/.test(settings.labelPrefix)) refuse('labelPrefix', 'cannot hold white space')
}
