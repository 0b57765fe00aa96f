import type { Corpus } from '../corpus/corpus.js'
import { InlayError } from '../errors.js'
import { Handle } from '../handle.js'
import {
  type ClassifierHandle,
  type ClassifierScores,
  type ClassifierShape,
  type SaidOfAll,
  checkValidation,
  evaluateClassifier,
  openClassifier,
  predictLabels,
  quantizeClassifier,
  saveClassifier,
  scoreClassifier,
  trainClassifier,
} from '../native.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  type Settings,
  settle,
  settleAlone,
  wrongOption,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { atOnce, run, serve } from '../run.js'
import { WordList } from '../vectors/word-list.js'
import {
  type AutotuneOptions,
  type Trial,
  autotuneOptions,
  checkAutotune,
  search,
} from './autotune.js'
import {
  type ClassifierOptions,
  type PredictOptions,
  type QuantizeOptions,
  type TrainingSettings,
  batchOptions,
  bytesOf,
  checkQuantization,
  checkTraining,
  classifierOptions,
  evaluateOptions,
  openOptions,
  predictOptions,
  quantizeOptions,
  specOf,
} from './classifier-options.js'
import { type LabelledSource, readLines } from './labelled.js'
import { type Point, type TunedOptions, dimensionsFor, trainingOf } from './tuning-space.js'

/** How a classifier was trained, as far as its file says. */
export type ClassifierSettings = Readonly<ClassifierShape>

/** A label of a text. */
export interface LabelPrediction {
  readonly label: string
  /** From 0 to 1; those of softmax and hierarchical softmax sum to 1 over all labels. */
  readonly probability: number
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

/** What a search for the best options has found. */
export interface Tuning {
  /** The model with the best score. */
  readonly classifier: FastTextClassifier
  /** Of that model on the validation. */
  readonly score: number
  /** What it was trained with, for `train`. */
  readonly options: TunedOptions
  /** For `quantize`, where there is a model size. */
  readonly dsub?: number
  /** All that was tried, in its order. */
  readonly trials: readonly Trial[]
}

type Quantization = Pick<Settings<typeof quantizeOptions>, 'dsub' | 'qnorm' | 'qout'> &
  Pick<QuantizeOptions, 'cutoff' | 'modelSize' | 'epochs' | 'learningRate'>

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
    checkTraining(settings, options, who)
    using corpus = await readLines(source, settings.labelPrefix, settings, runSettings, who)
    return FastTextClassifier.#train(corpus, settings, runSettings, who)
  }

  static async #train(
    corpus: Corpus,
    settings: TrainingSettings,
    runSettings: RunSettings,
    who: string,
  ): Promise<FastTextClassifier> {
    const initial = settings.initialVectors?.native(who)
    const native = await run<ClassifierHandle>(who, runSettings, (spec, events) =>
      trainClassifier(corpus.native(who), specOf(settings), initial, spec, events),
    )
    return new FastTextClassifier(native, settings.labelPrefix)
  }

  /**
   * Searches the options that give the best labels for `validation`, as fastText's autotune does:
   * a first training with the defaults, then others with options some random steps away from the
   * best ones so far, until `duration` or `trials` is used up. Options of `train` that are given
   * are held. With `modelSize` each model is made small enough, its kept vectors trained further,
   * and judged as the small one that it is. The text is read once.
   *
   *     const { classifier, options, score } = await FastTextClassifier.autotune('train.txt', {
   *       validation: 'valid.txt',
   *       duration: 300,
   *       modelSize: '2M',
   *     })
   *
   * The first trial runs to its end; the one that is under way when the time is up is given up. With
   * `trials`, without `duration`, one thread and the same `seed` finds the same.
   *
   * @throws {InvalidOptionError} before anything is read
   * @throws {InlayError} as `train`; `INVALID_INPUT` no line of the validation has a label that the
   * training text has; `UNSUPPORTED` no model fits `modelSize`
   */
  static async autotune(source: LabelledSource, options: AutotuneOptions): Promise<Tuning> {
    const who = 'FastTextClassifier.autotune'
    const table = { ...classifierOptions, ...autotuneOptions }
    const { settings, run: runSettings } = settle(table, options, who)
    const { validation, held } = checkAutotune(settings, options, who)
    const { labelPrefix } = settings
    using corpus = await readLines(source, labelPrefix, settings, runSettings, who)
    using valid = await readLines(validation, labelPrefix, settings, runSettings, who)
    const [texts, asked] = [corpus.native(who), valid.native(who)]
    const labels = await run<number>(who, runSettings, (spec, events) =>
      checkValidation(texts, asked, settings, spec, events),
    )
    const bytes = settings.modelSize === undefined ? undefined : bytesOf(settings.modelSize)
    const widest = dimensionsFor(bytes, labels)
    if (widest < 1) {
      const problem = `a file of ${bytes} bytes has no room for a model of ${labels} labels`
      throw new InlayError('UNSUPPORTED', `${who}: ${problem}`, { labels })
    }
    const small = bytes === undefined ? undefined : { modelSize: bytes, qnorm: true }
    const trial = async (point: Point, trialRun: RunSettings) => {
      const training = { ...settings, ...trainingOf(point) } as TrainingSettings
      const trained = await FastTextClassifier.#train(corpus, training, trialRun, who)
      let model = trained
      try {
        if (small) {
          const how = { ...small, dsub: point.dsub, qout: labels >= 256 }
          model = await trained.#quantized(how, corpus, trialRun, who)
        }
        const native = model.#handle.use(who)
        const score = await run<number>(who, trialRun, (spec, events) =>
          scoreClassifier(native, asked, settings, spec, events),
        )
        return { model, score }
      } catch (error) {
        model.close()
        throw error
      } finally {
        if (model !== trained) trained.close()
      }
    }
    const { model, ...found } = await search(settings, held, widest, trial, runSettings)
    return { classifier: model, ...found }
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
    const native = this.#handle.use(who)
    const said = atOnce(who, () => native.predict(text, topK, threshold))
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
    using corpus = await readLines(source, this.#labelPrefix, settings, runSettings, who)
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
    const native = this.#handle.use(who)
    return atOnce(who, () => native.sentenceVector(text))
  }

  /**
   * A small model of this one: vectors are product-quantized (Joulin et al. 2016,
   * arXiv:1612.03651), and with `cutoff` only the words and n-grams of the longest vectors are
   * kept, trained further on the lines of `retrain`. It is saved as fastText's `.ftz`. This one
   * stays as it is.
   *
   *     const small = await classifier.quantize({ cutoff: 50_000, qnorm: true, retrain: 'train.txt' })
   *     await small.save('questions.ftz')
   *
   * The same bytes for one `seed`; with `retrain` on one thread.
   *
   * @throws {InvalidOptionError}
   * @throws {InlayError} `UNSUPPORTED` it is quantized already, has fewer than 256 vectors, or
   * `modelSize` has no room for as many; for `retrain` as `train`
   */
  async quantize(options: QuantizeOptions = {}): Promise<FastTextClassifier> {
    const who = 'FastTextClassifier.quantize'
    const { settings, run: runSettings } = settle(quantizeOptions, options, who)
    checkQuantization(options, who)
    const { retrain } = settings
    if (retrain === undefined) return this.#quantized(settings, undefined, runSettings, who)
    this.#handle.use(who)
    using corpus = await readLines(retrain, this.#labelPrefix, settings, runSettings, who)
    return this.#quantized(settings, corpus, runSettings, who)
  }

  async #quantized(
    { modelSize, ...how }: Quantization,
    corpus: Corpus | undefined,
    runSettings: RunSettings,
    who: string,
  ): Promise<FastTextClassifier> {
    const native = this.#handle.use(who)
    const bytes = modelSize === undefined ? undefined : bytesOf(modelSize)
    const spec = { ...how, modelSize: bytes }
    const small = await run<ClassifierHandle>(who, runSettings, (runSpec, events) =>
      quantizeClassifier(native, spec, corpus?.native(who), runSpec, events),
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
