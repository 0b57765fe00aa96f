import type { Embedder, Vectors } from '../embedder.js'
import { InlayError } from '../errors.js'
import { crossEntropy } from '../nn/losses.js'
import { network, values } from '../nn/description.js'
import { dense, dropout, relu } from '../nn/layers.js'
import { type Epoch, Network } from '../nn/network.js'
import { checkTogether, learningOptions } from '../nn/training.js'
import { type Options, type RunOptions, counts, integer, real, settle } from '../options.js'
import type { Path } from '../path.js'
import type { ClassEvaluation } from './class-evaluation.js'
import {
  type ClassPrediction,
  type Collected,
  Labels,
  type LabelledInputs,
  collected,
  labelNames,
  labelWeights,
  labelledValidation,
  withProbabilities,
} from './labels.js'
import { type ModelFile, NetworkModel, aboutOf, openModel } from './network-model.js'
import { networkTraining } from './training.js'

/** Every option of `Classifier.train`. */
export const classifierHeadOptions = {
  ...learningOptions,
  /** Units of hidden layers between vector and classes, one after the other. Default: none, which is
   * softmax regression. */
  hidden: counts('units of hidden layers'),
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

/** What its file says beside the network. */
const file: ModelFile<{ readonly labels: readonly string[] }> = {
  model: 'Classifier',
  record: { labels: labelNames },
}

/**
 * A classifier over whatever gives vectors: texts by a `MeanEncoder`, documents, pictures, sounds. One dense
 * layer and softmax, or a multilayer perceptron (`hidden`). Of its network 'scores' gives a score for each label; its file
 * holds layers and labels, without the embedder.
 *
 *     vector ─▶ [dense ─▶ relu]* ─▶ dense ─▶ softmax ─▶ probabilities
 *
 *     const classifier = await Classifier.train(encoder, [{ input: 'goal!', label: 'sport' }, ...])
 *     const [prediction] = await classifier.predict(['a late goal'])
 *     prediction.label // 'sport'
 */
export class Classifier<Input = string> extends NetworkModel {
  /** The labels, in the order in which they first came. */
  readonly labels: readonly string[]
  readonly #labels: Labels

  private constructor(
    /** What gives the vectors. */
    readonly embedder: Embedder<Input>,
    found: Network,
    labels: Labels,
    history?: readonly Epoch[],
  ) {
    super(found, history)
    this.#labels = labels
    this.labels = labels.names
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
    const { hidden = [], dropout: share, validation } = settings
    const given = await collected(examples, 'examples', who)
    const labels = await Labels.of(given.labels, who)
    const classWeights = labels.weights(settings.labelWeights, who)
    const columns = async ({ inputs, labels: wanted }: Collected<Input>, option: string) => ({
      inputs: (await embedder.encode(inputs, run)).values,
      targets: await labels.classesOf(wanted, option, who),
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
    const heldOut = validation && (await collected<Input>(validation, 'validation', who))
    using trained = await Network.train(description, await columns(given, 'examples'), {
      ...networkTraining(settings, options, run),
      ...(heldOut && { validation: await columns(heldOut, 'validation') }),
    })
    const about = aboutOf(file, { labels: labels.names })
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
    return openModel(file, path, options, (found, { labels }) => {
      const { width } = found.description.inputs[0]!
      if (width === embedder.dimensions) return new Classifier(embedder, found, new Labels(labels))
      const problem = `a classifier of vectors of ${width} values, not ${embedder.dimensions}`
      throw new InlayError('INVALID_INPUT', `Classifier.open: the file holds ${problem}`)
    })
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
    const probabilities = (inputs: Input[]) => this.predictProbabilities(inputs, options)
    return this.#labels.evaluation(examples, probabilities, 'classifier.evaluate')
  }
}
