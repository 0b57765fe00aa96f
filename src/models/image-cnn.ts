import { type Embedder, Vectors } from '../embedder.js'
import { network, summary, values } from '../nn/description.js'
import type { Layer } from '../nn/layer.js'
import { batchNorm, dense, dropout, flatten, relu } from '../nn/layers.js'
import { type Loss, crossEntropy } from '../nn/losses.js'
import { type Epoch, Network } from '../nn/network.js'
import { checkTogether, learningOptions } from '../nn/training.js'
import { conv2d, maxPool } from '../nn/windows.js'
import {
  type Options,
  type RunOptions,
  type Settings,
  counts,
  custom,
  flag,
  integer,
  oneOf,
  real,
  refusal,
  settle,
  text,
  wrongOption,
} from '../options.js'
import type { Path } from '../path.js'
import {
  type ChannelScale,
  type Picture,
  type PictureShape,
  channelScale,
  isScale,
  pictureShape,
  scaled,
} from '../pictures/pictures.js'
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
import {
  type ModelFile,
  NetworkModel,
  aboutOf,
  inputShape,
  openModel,
  widthOf,
} from './network-model.js'
import { networkTraining } from './training.js'

/** Every option of `ImageCnn.train`. */
export const imageCnnOptions = {
  /** Height, width and channels of a picture: [28, 28, 1]. It must be given. */
  shape: pictureShape,
  /** Channels of each convolution; each is followed by a pool that halves height and width. Default: [32, 64]. */
  channels: counts('channels of each convolution'),
  /** Height and width of the windows of convolutions. */
  kernel: integer(3, { from: 1 }, 'height and width of the windows of convolutions'),
  /** Whether each convolution is followed by a batch norm. */
  batchNorm: flag(false, 'whether each convolution is followed by a batch norm'),
  /** Units of the hidden layers behind them. Default: [128]. */
  hidden: counts('units of the hidden layers behind them'),
  /** With which a value of a hidden layer becomes zero while training; of a pool half as often. */
  dropout: real(0.2, { from: 0, below: 1 }, 'with which a value becomes zero while training'),
  /** Layers from picture to vector, in the place of `channels`, `kernel`, `batchNorm`, `hidden` and `dropout`. */
  layers: custom<readonly Layer[]>(
    'a list of layers, at least one',
    (given) =>
      Array.isArray(given) &&
      given.length > 0 &&
      given.every((layer) => typeof (layer as Layer | null)?.kind === 'string'),
    'layers from picture to vector',
  ),
  /** What each label counts. Default: all the same. */
  labelWeights,
  ...learningOptions,
  /** The highest learning rate. */
  learningRate: real(0.002, { above: 0 }, 'the highest learning rate'),
  /** How it goes on from there: to zero along half a cosine or in a straight line, or multiplied by
   * `stepFactor` after each `stepEvery` of the training. */
  schedule: oneOf(['cosine', 'linear', 'constant', 'steps'], 'how the learning rate goes on'),
  /** Pictures of a batch. */
  batchSize: integer(64, { from: 1, to: 1_000_000 }, 'pictures of a batch'),
  /** Examples whose loss is worked out after each epoch. */
  validation: labelledValidation,
}

/** The options of `ImageCnn.train`: see `imageCnnOptions`. */
export type ImageCnnOptions = Omit<Options<typeof imageCnnOptions>, 'validation' | 'shape'> &
  RunOptions & {
    readonly shape: PictureShape
    readonly validation?: LabelledInputs<Picture> | undefined
  }

const encodeOptions = {
  /** The layer whose output is wanted. Default: the one before the scores. */
  layer: text('the layer whose output is wanted', 'NAME'),
}

/** Convolutions, each with a pool, and dense layers: LeCun et al. 1998, figure 2, with rectifiers and dropout. */
function convolutions({
  channels = [32, 64],
  kernel,
  batchNorm: isNormed,
  hidden = [128],
  dropout: share,
}: Settings<typeof imageCnnOptions>): Layer[] {
  const fall = (probability: number) => (share > 0 ? [dropout({ probability })] : [])
  return [
    ...channels.flatMap((count, at) => [
      conv2d({
        name: `conv${at + 1}`,
        channels: count,
        kernel,
        padding: Math.floor(kernel / 2),
        bias: !isNormed,
      }),
      ...(isNormed ? [batchNorm({ name: `norm${at + 1}` })] : []),
      relu(),
      maxPool({ name: `pool${at + 1}`, kernel: 2 }),
      ...fall(share / 2),
    ]),
    flatten(),
    ...hidden.flatMap((units, at) => [
      dense({ units }),
      relu({ name: `hidden${at + 1}` }),
      ...fall(share),
    ]),
  ]
}

/** A picture, layers that make a vector of it, and a score for each label. */
const imageClassifier = (
  shape: PictureShape,
  layers: readonly Layer[],
  labels: number,
  loss: Loss,
) =>
  network({
    input: values({ shape }),
    layers: [...layers, flatten({ name: 'features' }), dense({ name: 'scores', units: labels })],
    loss,
  })

/** What a model says of itself in its file. */
interface About {
  readonly labels: readonly string[]
  readonly shape: PictureShape
  readonly scale: ChannelScale
}

const file: ModelFile<About> = {
  model: 'ImageCnn',
  layers: ['features'],
  record: {
    labels: labelNames,
    shape: inputShape(3),
    scale: {
      expected: 'mean and deviation of each channel',
      accepts: (given, { description }) => isScale(given, description.inputs[0]!.width),
    },
  },
}

/**
 * Labels of pictures by convolutions that are trained from scratch, and vectors of pictures: what any of its
 * layers gives: 'conv1', 'pool1', 'hidden1', ..., 'features' before the scores, 'scores', 'probabilities'.
 *
 *     picture ─▶ [conv ─▶ relu ─▶ pool]* ─▶ [dense ─▶ relu]* ─▶ dense ─▶ softmax ─▶ probabilities
 *
 *     const model = await ImageCnn.train([{ input: pixels, label: 'coat' }, ...], { shape: [28, 28, 1] })
 *     const [prediction] = await model.predict([pixels])
 *     const vectors = await model.encode([pixels], { layer: 'pool2' })
 */
export class ImageCnn extends NetworkModel implements Embedder<Picture> {
  /** The labels, in the order in which they first came. */
  readonly labels: readonly string[]
  /** Height, width and channels of a picture. */
  readonly shape: PictureShape
  /** Values of a vector: of the layer before the scores. */
  readonly dimensions: number
  readonly #labels: Labels
  readonly #scale: ChannelScale

  private constructor(found: Network, about: About, history?: readonly Epoch[]) {
    super(found, history)
    this.labels = about.labels
    this.shape = about.shape
    this.#labels = new Labels(about.labels)
    this.#scale = about.scale
    this.dimensions = widthOf(found, 'features')!
  }

  /**
   * Trains on pictures with labels. Same bytes for the same `seed`, whatever the number of threads.
   *
   * @throws {InvalidOptionError} a picture has another shape; there are fewer than two labels; a validation
   *   example has another one; layers do not fit
   * @throws {InlayError} `INVALID_INPUT` pixels that are no finite numbers; `DIVERGED`
   */
  static async train(
    examples: LabelledInputs<Picture>,
    options: ImageCnnOptions,
  ): Promise<ImageCnn> {
    const who = 'ImageCnn.train'
    const { settings, run } = settle(imageCnnOptions, options, who)
    checkTogether(options, settings.schedule, who)
    const { shape } = settings
    if (shape === undefined) throw wrongOption('shape', pictureShape.expected, shape, who)
    for (const option of ['channels', 'kernel', 'batchNorm', 'hidden', 'dropout'] as const) {
      if (settings.layers !== undefined && options[option] !== undefined) {
        refusal(who)(option, 'has no meaning beside `layers`')
      }
    }
    const layers = settings.layers ?? convolutions(settings)
    const given = await collected(examples, 'examples', who)
    const labels = await Labels.of(given.labels, who)
    const classWeights = labels.weights(settings.labelWeights, who)
    const description = imageClassifier(
      shape,
      layers,
      labels.names.length,
      crossEntropy({ classWeights }),
    )
    const scale = await channelScale(given.inputs, shape, 'examples', who, run.signal)
    const about: About = { labels: labels.names, shape, scale }
    const asked = withProbabilities(description, aboutOf(file, about))
    // Before it learns: one of its own layers may have the name of the last one.
    summary(asked, who)
    const columns = async ({ inputs, labels: wanted }: Collected<Picture>, option: string) => ({
      inputs: scaled(inputs, shape, scale, option, who),
      targets: await labels.classesOf(wanted, option, who),
    })
    const { validation } = settings
    const heldOut = validation && (await collected<Picture>(validation, 'validation', who))
    using trained = await Network.train(description, await columns(given, 'examples'), {
      ...networkTraining(settings, options, run),
      ...(heldOut && { validation: await columns(heldOut, 'validation') }),
    })
    const found = await trained.transfer(asked, run)
    return new ImageCnn(found, about, trained.history)
  }

  /**
   * Opens what `save` wrote.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no such model
   */
  static async open(path: Path, options: RunOptions = {}): Promise<ImageCnn> {
    return openModel(file, path, options, (found, about) => new ImageCnn(found, about))
  }

  /** The most probable label of each picture. */
  async predict(
    pictures: Iterable<Picture> | AsyncIterable<Picture>,
    options: RunOptions = {},
  ): Promise<ClassPrediction[]> {
    return this.#labels.predictions(await this.predictProbabilities(pictures, options))
  }

  /** The probability of each label, in the order of `labels`, for each picture: [pictures, labels]. */
  async predictProbabilities(
    pictures: Iterable<Picture> | AsyncIterable<Picture>,
    options: RunOptions = {},
  ): Promise<Vectors> {
    const inputs = this.#scaled(pictures, 'model.predictProbabilities')
    return this.network.encode(inputs, options)
  }

  /**
   * How well it tells labels apart: accuracy, the confusion matrix, and precision, recall and F1 of each.
   *
   * @throws {InvalidOptionError} an example has a label that the model does not know
   */
  async evaluate(
    examples: LabelledInputs<Picture>,
    options: RunOptions = {},
  ): Promise<ClassEvaluation> {
    const probabilities = (pictures: Picture[]) => this.predictProbabilities(pictures, options)
    return this.#labels.evaluation(examples, probabilities, 'model.evaluate')
  }

  /** The vectors of pictures: what the layer before the scores gives, or another by its name. */
  async encode(
    pictures: Iterable<Picture> | AsyncIterable<Picture>,
    options: Options<typeof encodeOptions> & RunOptions = {},
  ): Promise<Vectors> {
    const who = 'model.encode'
    const { settings, run } = settle(encodeOptions, options, who)
    const layer = settings.layer ?? 'features'
    return this.network.encode(this.#scaled(pictures, who), { layer, ...run })
  }

  #scaled(pictures: Iterable<Picture> | AsyncIterable<Picture>, who: string) {
    return scaled(pictures, this.shape, this.#scale, 'pictures', who)
  }
}
