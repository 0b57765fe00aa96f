import type { Embedder, Vectors } from '../embedder.js'
import { InlayError } from '../errors.js'
import { crossEntropy } from '../nn/losses.js'
import { type NetworkDescription, network, values } from '../nn/description.js'
import { dense, dropout, relu, softmax } from '../nn/layers.js'
import { type Epoch, Network, checkTogether, networkTrainingOptions } from '../nn/network.js'
import {
  type Options,
  type RunOptions,
  custom,
  integer,
  real,
  settle,
  wrongOption,
} from '../options.js'
import type { Path } from '../path.js'
import { type ClassEvaluation, evaluationOf } from './class-evaluation.js'

/** An input and what it is. */
export interface Labelled<Input> {
  readonly input: Input
  readonly label: string
}

/** Every option of `Classifier.train`. */
export const classifierHeadOptions = {
  ...networkTrainingOptions,
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
  labelWeights: custom<Readonly<Record<string, number>>>(
    'an object of numbers from 0 up, at least one',
    (given) =>
      typeof given === 'object' &&
      given !== null &&
      !Array.isArray(given) &&
      Object.keys(given).length > 0 &&
      Object.values(given).every((weight) => Number.isFinite(weight) && weight >= 0),
    'what each label counts',
  ),
  /** The highest learning rate. */
  learningRate: real(0.01, { above: 0 }, 'the highest learning rate'),
  /** Passes over the examples. */
  epochs: integer(50, { from: 1, to: 1_000_000 }, 'passes over the examples'),
  /** Examples whose loss is worked out after each epoch. */
  validation: custom<Iterable<Labelled<never>> | AsyncIterable<Labelled<never>>>(
    'inputs with labels',
    (given) =>
      typeof given === 'object' &&
      given !== null &&
      (Symbol.iterator in given || Symbol.asyncIterator in given),
    'examples whose loss is worked out after each epoch',
  ),
}

/** The options of `Classifier.train`: see `classifierHeadOptions`. */
export type ClassifierHeadOptions<Input> = Omit<
  Options<typeof classifierHeadOptions>,
  'validation'
> &
  RunOptions & { readonly validation?: LabelledInputs<Input> | undefined }

/** Inputs with labels, that are here or that come one by one. */
export type LabelledInputs<Input> = Iterable<Labelled<Input>> | AsyncIterable<Labelled<Input>>

/** A label and how probable it is. */
export interface ClassPrediction {
  readonly label: string
  /** From 0 to 1; those of all labels sum to 1. */
  readonly probability: number
}

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

  private constructor(
    /** What gives the vectors. */
    readonly embedder: Embedder<Input>,
    found: Network,
    labels: readonly string[],
    history: readonly Epoch[] = [],
  ) {
    this.network = found
    this.labels = labels
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
    const { hidden = [], labelWeights = {}, validation, ...rest } = options
    const { dropout: share = settings.dropout, ...training } = rest
    const { learningRate, epochs } = settings
    const given = await collected(examples, 'examples', who)
    const labels = [...new Set(given.labels)]
    if (labels.length < 2) throw wrongOption('examples', 'of two labels or more', labels[0], who)
    for (const label of Object.keys(labelWeights)) checkLabel(label, labels, 'labelWeights', who)
    const classes = new Map(labels.map((label, at) => [label, at]))
    const columns = async ({ inputs, labels: wanted }: Collected<Input>, option: string) => ({
      inputs: (await embedder.encode(inputs, run)).values,
      targets: wanted.map((label) => {
        checkLabel(label, labels, option, who)
        return classes.get(label)!
      }),
    })
    const fall = share > 0 ? [dropout({ probability: share })] : []
    const description = network({
      input: values({ shape: [embedder.dimensions] }),
      layers: [
        ...fall,
        ...hidden.flatMap((units) => [dense({ units }), relu()].concat(fall)),
        dense({ name: 'scores', units: labels.length }),
      ],
      loss: crossEntropy({ classWeights: labels.map((label) => labelWeights[label] ?? 1) }),
    })
    const heldOut = validation && (await collected(validation, 'validation', who))
    using trained = await Network.train(description, await columns(given, 'examples'), {
      ...training,
      learningRate,
      epochs,
      ...(heldOut && { validation: await columns(heldOut, 'validation') }),
    })
    const found = await trained.transfer(withShares(description, labels), run)
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
    if (problem === undefined) return new Classifier(embedder, found, labels!)
    found.close()
    throw new InlayError('INVALID_INPUT', `Classifier.open: the file holds ${problem}`)
  }

  /** The most probable label of each input. */
  async predict(
    inputs: Iterable<Input> | AsyncIterable<Input>,
    options: RunOptions = {},
  ): Promise<ClassPrediction[]> {
    const shares = await this.predictProbabilities(inputs, options)
    return Array.from(shares, (row) => {
      const best = row.reduce((found, share, at) => (share > row[found]! ? at : found), 0)
      return { label: this.labels[best]!, probability: row[best]! }
    })
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
    const who = 'classifier.evaluate'
    const { inputs, labels: wanted } = await collected(examples, 'examples', who)
    for (const label of wanted) checkLabel(label, this.labels, 'examples', who)
    const found = await this.predict(inputs, options)
    return evaluationOf(
      this.labels,
      wanted,
      found.map(({ label }) => label),
    )
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

interface Collected<Input> {
  readonly inputs: Input[]
  readonly labels: string[]
}

async function collected<Input>(
  examples: LabelledInputs<Input>,
  option: string,
  who: string,
): Promise<Collected<Input>> {
  const inputs: Input[] = []
  const labels: string[] = []
  for await (const example of examples) {
    if (typeof example !== 'object' || example === null || typeof example.label !== 'string') {
      const name = `${option}[${inputs.length}]`
      throw wrongOption(name, 'an object with `input` and a string `label`', example, who)
    }
    inputs.push(example.input)
    labels.push(example.label)
  }
  return { inputs, labels }
}

function checkLabel(label: string, known: readonly string[], option: string, who: string): void {
  if (!known.includes(label)) throw wrongOption(option, 'of the labels of the examples', label, who)
}

/** The same layers, and probabilities after them. The loss, which takes scores, stays behind. */
function withShares(
  { inputs, layers }: NetworkDescription,
  labels: readonly string[],
): NetworkDescription {
  return { inputs, layers: [...layers, softmax({ name: 'probabilities' })], about: { labels } }
}
