import type { Embedder, Vectors } from '../embedder.js'
import { InlayError } from '../errors.js'
import { crossEntropy } from '../nn/losses.js'
import { network, values } from '../nn/description.js'
import { dense, dropout, relu } from '../nn/layers.js'
import { type Epoch, Network } from '../nn/network.js'
import { checkTogether, learningOptions } from '../nn/training.js'
import { type Options, type RunOptions, custom, integer, real, settle } from '../options.js'
import type { Path } from '../path.js'
import type { ClassEvaluation } from './class-evaluation.js'
import {
  type ClassPrediction,
  type Collected,
  Labels,
  type LabelledInputs,
  collected,
  labelWeights,
  labelledValidation,
  withProbabilities,
} from './labels.js'

/** Every option of `Classifier.train`. */
export const classifierHeadOptions = {
  ...learningOptions,
  /** Units of hidden layers between vector and classes, one after the other. Default: none, which is
   * softmax regression. */
  hidden: custom<readonly number[]>(
    'an array of integers from 1 up',
    (given) => Array.isArray(given) && given.every((units) => Number.isInteger(units) && units > 0),
    'units of hidden layers',
  ),
  /** With which a value of a vector or hidden layer becomes zero while training. */
  dropout: real(0, { from: 0, below: 1 }, 'with which a value becomes zero while training'),
  /** What each label counts. Default: all the same. */
  labelWeights,
  /** The highest learning rate. */
  learningRate: real(0.01, { above: 0 }, 'the highest learning rate'),
  /** Passes over the examples. */
  epochs: integer(50, { from: 1, to: 1_000_000 }, 'passes over the examples'),
  /** Examples whose loss is worked out after each epoch. */
  validation: labelledValidation,
}

/** The options of `Classifier.train`: see `classifierHeadOptions`. */
export type ClassifierHeadOptions<Input> = Omit<
  Options<typeof classifierHeadOptions>,
  'validation'
> &
  RunOptions & { readonly validation?: LabelledInputs<Input> | undefined }

/**
 * A classifier over whatever gives vectors: texts by a `MeanEncoder`, documents, pictures, sounds. One dense
 * layer and softmax, or a multilayer perceptron (`hidden`).
 *
 *     vector ─▶ [dense ─▶ relu]* ─▶ dense ─▶ softmax ─▶ probabilities
 *
 *     const classifier = await Classifier.train(encoder, [{ input: 'goal!', label: 'sport' }, ...])
 *     const [prediction] = await classifier.predict(['a late goal'])
 *     prediction.label // 'sport'
 */
export class Classifier<Input = string> {
  /** The labels, in the order in which they first came. */
  readonly labels: readonly string[]
  /** The layers over the vectors; 'scores' gives a score for each label. */
  readonly network: Network
  /** How its training went, epoch by epoch; of a classifier from a file, empty. */
  readonly history: readonly Epoch[]
  readonly #labels: Labels

  private constructor(
    /** What gives the vectors. */
    readonly embedder: Embedder<Input>,
    found: Network,
    labels: Labels,
    history: readonly Epoch[] = [],
  ) {
    this.network = found
    this.#labels = labels
    this.labels = labels.names
    this.history = history
  }

  /**
   * Trains on inputs with labels. Same bytes for the same `seed`, whatever the number of threads, if the
   * embedder gives the same vectors.
   *
   * @throws {InvalidOptionError} there are fewer than two labels; a validation example has another one
   */
  static async train<Input>(
    embedder: Embedder<Input>,
    examples: LabelledInputs<Input>,
    options: ClassifierHeadOptions<Input> = {},
  ): Promise<Classifier<Input>> {
    const who = 'Classifier.train'
    const { settings, run } = settle(classifierHeadOptions, options, who)
    checkTogether(options, settings.schedule, who)
    const { hidden = [], labelWeights: weights, validation, ...rest } = options
    const { dropout: share = settings.dropout, ...training } = rest
    const { learningRate, epochs } = settings
    const given = await collected(examples, 'examples', who)
    const labels = Labels.of(given.labels, who)
    const classWeights = labels.weights(weights, who)
    const columns = async ({ inputs, labels: wanted }: Collected<Input>, option: string) => ({
      inputs: (await embedder.encode(inputs, run)).values,
      targets: wanted.map((label) => labels.classOf(label, option, who)),
    })
    const fall = share > 0 ? [dropout({ probability: share })] : []
    const description = network({
      input: values({ shape: [embedder.dimensions] }),
      layers: [
        ...fall,
        ...hidden.flatMap((units) => [dense({ units }), relu()].concat(fall)),
        dense({ name: 'scores', units: labels.names.length }),
      ],
      loss: crossEntropy({ classWeights }),
    })
    const heldOut = validation && (await collected(validation, 'validation', who))
    using trained = await Network.train(description, await columns(given, 'examples'), {
      ...training,
      learningRate,
      epochs,
      ...(heldOut && { validation: await columns(heldOut, 'validation') }),
    })
    const about = { labels: labels.names }
    const found = await trained.transfer(withProbabilities(description, about), run)
    return new Classifier(embedder, found, labels, trained.history)
  }

  /**
   * Opens what `save` wrote; vectors come from `embedder`, which is not in the file.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no classifier, or one of vectors of other
   *   dimensions
   */
  static async open<Input>(
    embedder: Embedder<Input>,
    path: Path,
    options: RunOptions = {},
  ): Promise<Classifier<Input>> {
    const found = await Network.open(path, options)
    const { labels } = (found.description.about ?? {}) as { labels?: readonly string[] }
    const { width } = found.description.inputs[0]!
    const gives = found.summary().at(-1)!.shape
    let problem: string | undefined
    if (!Array.isArray(labels) || gives !== `[${labels.length}]`) {
      problem = 'a network that is no classifier'
    } else if (width !== embedder.dimensions) {
      problem = `a classifier of vectors of ${width} values, not ${embedder.dimensions}`
    }
    if (problem === undefined) return new Classifier(embedder, found, new Labels(labels!))
    found.close()
    throw new InlayError('INVALID_INPUT', `Classifier.open: the file holds ${problem}`)
  }

  /** The most probable label of each input. */
  async predict(
    inputs: Iterable<Input> | AsyncIterable<Input>,
    options: RunOptions = {},
  ): Promise<ClassPrediction[]> {
    return this.#labels.predictions(await this.predictProbabilities(inputs, options))
  }

  /** The probability of each label, in the order of `labels`, for each input: [inputs, labels]. */
  async predictProbabilities(
    inputs: Iterable<Input> | AsyncIterable<Input>,
    options: RunOptions = {},
  ): Promise<Vectors> {
    const { values: vectors } = await this.embedder.encode(inputs, options)
    return this.network.encode(vectors, options)
  }

  /**
   * How well it tells labels apart: accuracy, the confusion matrix, and precision, recall and F1 of each.
   *
   * @throws {InvalidOptionError} an example has a label that the classifier does not know
   */
  async evaluate(
    examples: LabelledInputs<Input>,
    options: RunOptions = {},
  ): Promise<ClassEvaluation> {
    const predict = (inputs: Input[]) => this.predict(inputs, options)
    return this.#labels.evaluation(examples, predict, 'classifier.evaluate')
  }

  /** Writes layers and labels to a file, without the embedder. @throws {InlayError} `DISK_FULL`, `IO` */
  async save(path: Path, options: RunOptions = {}): Promise<void> {
    await this.network.save(path, options)
  }

  /** Frees the memory now rather than when the garbage is collected. */
  close(): void {
    this.network.close()
  }

  /** As `close`: at the end of the block of `using`. */
  [Symbol.dispose](): void {
    this.close()
  }
}
