import { isDeepStrictEqual } from 'node:util'
import { type Embedder, Vectors } from '../embedder.js'
import { type NetworkDescription, network, values } from '../nn/description.js'
import type { Layer } from '../nn/layer.js'
import {
  dense,
  dropout,
  flatten,
  noise,
  relu,
  reshape,
  sigmoid,
  variational,
} from '../nn/layers.js'
import { binaryCrossEntropy, squaredError } from '../nn/losses.js'
import { type Epoch, Network } from '../nn/network.js'
import { checkTogether, learningOptions } from '../nn/training.js'
import { conv2d, convTranspose2d } from '../nn/windows.js'
import {
  type Options,
  type RunOptions,
  counts,
  integer,
  iterable,
  oneOf,
  real,
  refusal,
  settle,
  text,
  wrongOption,
} from '../options.js'
import type { Path } from '../path.js'
import {
  type Picture,
  type PictureShape,
  pictureShape,
  shares,
  sizeOf,
} from '../pictures/pictures.js'
import {
  type ModelFile,
  NetworkModel,
  aboutOf,
  inputShape,
  openModel,
  widthOf,
} from './network-model.js'
import { networkTraining } from './training.js'

/** Every option of `ImageAutoencoder.train`. */
export const imageAutoencoderOptions = {
  /** Height, width and channels of a picture: [28, 28, 1]. It must be given. */
  shape: pictureShape,
  /** What the layers are: convolutions with a stride of 2 and their way back, or dense ones. */
  architecture: oneOf(['convolutional', 'dense'], 'what the layers are'),
  /** Values of a code. */
  code: integer(32, { from: 1 }, 'values of a code'),
  /** Channels of each convolution. Default: [32, 64]. */
  channels: counts('channels of each convolution'),
  /** Units of the dense layers between picture and code, where there are no convolutions. Default: [256]. */
  hidden: counts('units of the dense layers between picture and code'),
  /** Standard deviation of what is added to each value of a picture while training: a denoising autoencoder. */
  noise: real(0, { from: 0 }, 'standard deviation of what is added while training'),
  /** With which a value of a picture becomes zero while training: a denoising autoencoder. */
  mask: real(0, { from: 0, below: 1 }, 'with which a value becomes zero while training'),
  /** Makes a variational autoencoder of it (Kingma and Welling 2014): a code is a normal distribution, and its
   * divergence from the standard one counts so much [β]; the loss of pixels is then the binary cross-entropy, so
   * that 1 is the evidence lower bound. */
  divergence: real(undefined, { above: 0 }, 'what the divergence of a variational code counts'),
  ...learningOptions,
  /** How the learning rate goes on: to zero along half a cosine or in a straight line, or multiplied by
   * `stepFactor` after each `stepEvery` of the training. */
  schedule: oneOf(['cosine', 'linear', 'constant', 'steps'], 'how the learning rate goes on'),
  /** Pictures of a batch. */
  batchSize: integer(64, { from: 1, to: 1_000_000 }, 'pictures of a batch'),
  /** Pictures whose loss is worked out after each epoch. */
  validation: iterable<Iterable<Picture> | AsyncIterable<Picture>>(
    'an iterable of pictures',
    'pictures whose loss is worked out after each epoch',
  ),
}

/** The options of `ImageAutoencoder.train`: see `imageAutoencoderOptions`. */
export type ImageAutoencoderOptions = Omit<Options<typeof imageAutoencoderOptions>, 'shape'> &
  RunOptions & { readonly shape: PictureShape }

const encodeOptions = {
  /** The layer whose output is wanted. Default: the code. */
  layer: text('the layer whose output is wanted', 'NAME'),
}

/** The way to the code and the way back: Hinton and Salakhutdinov 2006, figure 1, with dense layers. */
function denseHalves(shape: PictureShape, code: Layer, hidden: readonly number[]): Layer[][] {
  const there = hidden.flatMap((units, at) => [dense({ name: `encoder${at + 1}`, units }), relu()])
  const back = hidden
    .toReversed()
    .flatMap((units, at) => [dense({ name: `decoder${at + 1}`, units }), relu()])
  return [
    [flatten(), ...there, code],
    [...back, dense({ name: 'pixels', units: sizeOf(shape) }), reshape({ shape })],
  ]
}

/** Convolutions that halve height and width, and their way back: Masci et al. 2011. */
function convolutionalHalves(
  [height, width, depth]: PictureShape,
  code: Layer,
  channels: readonly number[],
): Layer[][] {
  const half = (size: number) => Math.ceil(size / 2)
  const sizes = [[height, width]]
  for (const _ of channels) sizes.push(sizes.at(-1)!.map(half))
  const window = { kernel: 3, stride: 2, padding: 1 }
  const there = channels.flatMap((count, at) => [
    conv2d({ name: `encoder${at + 1}`, channels: count, ...window }),
    relu(),
  ])
  const back = channels.map((_, at) => {
    const name = at === 0 ? 'pixels' : `decoder${at + 1}`
    const [small, large] = [sizes[at + 1]!, sizes[at]!]
    const outputPadding = large.map((size, axis) => size - 2 * small[axis]! + 1)
    return convTranspose2d({
      name,
      channels: at === 0 ? depth : channels[at - 1]!,
      ...window,
      outputPadding,
    })
  })
  const inner = [...sizes.at(-1)!, channels.at(-1) ?? depth]
  const units = inner.reduce((product, axis) => product * axis, 1)
  return [
    [...there, flatten(), code],
    [
      dense({ name: 'decoder', units }),
      relu(),
      reshape({ shape: inner }),
      ...back.toReversed().flatMap((layer, at) => (at === 0 ? [layer] : [relu(), layer])),
    ],
  ]
}

/** What comes in is wanted, of noisy pictures as they were: from 0 to 1. A variational code wants the likelihood of
 * pixels, of their scores before the sigmoid. */
function autoencoder(
  shape: PictureShape,
  layers: readonly Layer[],
  isVariational: boolean,
): NetworkDescription {
  const input = values({ shape })
  return isVariational
    ? network({ input, layers, loss: binaryCrossEntropy() })
    : network({ input, layers: [...layers, sigmoid()], loss: squaredError() })
}

/** What a model says of itself in its file. */
interface About {
  readonly shape: PictureShape
  readonly code: number
  /** Layers from code to picture. */
  readonly decoder: readonly Layer[]
}

const file: ModelFile<About> = {
  model: 'ImageAutoencoder',
  layers: ['code'],
  record: {
    shape: inputShape(3),
    code: {
      expected: 'as many values as the layer of that name gives',
      accepts: (given, found) => given === widthOf(found, 'code'),
    },
    decoder: {
      expected: 'the layers behind the code, which make pictures again',
      accepts: (given, { description: { layers, loss } }) => {
        const code = layers.findIndex(({ name }) => name === 'code')
        const isOurs = code >= 0 && loss?.kind === 'squared-error'
        return isOurs && isDeepStrictEqual(given, layers.slice(code + 1))
      },
    },
  },
}

/**
 * Pictures as short codes from which they can be made again: no labels are needed (Hinton and Salakhutdinov 2006;
 * denoising, of `noise` or `mask`: Vincent et al. 2010). Its layers are 'encoder1', ..., 'code', 'decoder1', ..., 'pixels'.
 *
 *     picture ─▶ (noise) ─▶ [conv ─▶ relu]* ─▶ dense ─▶ code ─▶ dense ─▶ [relu ─▶ way back of conv]* ─▶ sigmoid ─▶ picture
 *
 *     const model = await ImageAutoencoder.train(pictures, { shape: [28, 28, 1], code: 32 })
 *     const codes = await model.encode(pictures) // [pictures, 32]
 *     const again = await model.decode(codes)    // [pictures, 784], from 0 to 1
 */
export class ImageAutoencoder extends NetworkModel implements Embedder<Picture> {
  /** Height, width and channels of a picture. */
  readonly shape: PictureShape
  /** Values of a code. */
  readonly dimensions: number
  readonly #about: About
  #decoder: Promise<Network> | undefined

  private constructor(found: Network, about: About, history?: readonly Epoch[]) {
    super(found, history)
    this.shape = about.shape
    this.dimensions = about.code
    this.#about = about
  }

  /**
   * Trains on pictures. Same bytes for the same `seed`, whatever the number of threads.
   *
   * @throws {InvalidOptionError} a picture has another shape; numbers that are not from 0 to 1
   * @throws {InlayError} `INVALID_INPUT` there are no pictures; `DIVERGED`
   */
  static async train(
    pictures: Iterable<Picture> | AsyncIterable<Picture>,
    options: ImageAutoencoderOptions,
  ): Promise<ImageAutoencoder> {
    const who = 'ImageAutoencoder.train'
    const { settings, run } = settle(imageAutoencoderOptions, options, who)
    checkTogether(options, settings.schedule, who)
    const { shape, architecture, code, channels, hidden, noise: deviation } = settings
    const { mask, divergence } = settings
    if (shape === undefined) throw wrongOption('shape', pictureShape.expected, shape, who)
    const isDense = architecture === 'dense'
    const other = isDense ? 'channels' : 'hidden'
    if (options[other] !== undefined) {
      refusal(who)(other, `has no meaning where the architecture is '${architecture}'`)
    }
    if (!isDense && channels?.length === 0) {
      throw wrongOption('channels', 'of one convolution or more', channels, who)
    }
    const isVariational = divergence !== undefined
    const middle = isVariational
      ? variational({ name: 'code', units: code, weight: divergence })
      : dense({ name: 'code', units: code })
    const [encoder = [], decoder = []] = isDense
      ? denseHalves(shape, middle, hidden ?? [256])
      : convolutionalHalves(shape, middle, channels ?? [32, 64])
    const spoilt = [
      ...(deviation > 0 ? [noise({ deviation })] : []),
      ...(mask > 0 ? [dropout({ probability: mask, rescale: false })] : []),
    ]
    const { validation } = settings
    using trained = await Network.train(
      autoencoder(shape, [...spoilt, ...encoder, ...decoder], isVariational),
      { inputs: shares(pictures, shape, 'pictures', who) },
      {
        ...networkTraining(settings, options, run),
        ...(validation && {
          validation: { inputs: shares(validation, shape, 'validation', who) },
        }),
      },
    )
    const about: About = { shape, code, decoder: [...decoder, sigmoid()] }
    const asked = autoencoder(shape, [...encoder, ...decoder], false)
    const found = await trained.transfer({ ...asked, about: aboutOf(file, about) }, run)
    return new ImageAutoencoder(found, about, trained.history)
  }

  /**
   * Opens what `save` wrote.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no such model
   */
  static async open(path: Path, options: RunOptions = {}): Promise<ImageAutoencoder> {
    return openModel(file, path, options, (found, about) => new ImageAutoencoder(found, about))
  }

  /** The codes of pictures: [pictures, dimensions]; or what another layer gives. */
  async encode(
    pictures: Iterable<Picture> | AsyncIterable<Picture>,
    options: Options<typeof encodeOptions> & RunOptions = {},
  ): Promise<Vectors> {
    const who = 'model.encode'
    const { settings, run } = settle(encodeOptions, options, who)
    const inputs = shares(pictures, this.shape, 'pictures', who)
    return this.network.encode(inputs, { layer: settings.layer ?? 'code', ...run })
  }

  /**
   * The pictures of codes: [codes, height x width x channels], from 0 to 1. Codes may be any: those between two
   * pictures as well.
   *
   * @throws {InvalidOptionError} codes of other dimensions
   */
  async decode(codes: Vectors, options: RunOptions = {}): Promise<Vectors> {
    if (!(codes instanceof Vectors) || codes.dimensions !== this.dimensions) {
      throw wrongOption('codes', `Vectors of ${this.dimensions} values`, codes, 'model.decode')
    }
    const { shape, code, decoder } = this.#about
    const description = network({ input: values({ shape: [code] }), layers: decoder })
    this.#decoder ??= this.network.transfer(description)
    const pictures = await (await this.#decoder).encode(codes.values, options)
    return new Vectors(pictures.values, sizeOf(shape))
  }

  /** Pictures as their codes have them: [pictures, height x width x channels], from 0 to 1. */
  async reconstruct(
    pictures: Iterable<Picture> | AsyncIterable<Picture>,
    options: RunOptions = {},
  ): Promise<Vectors> {
    const inputs = shares(pictures, this.shape, 'pictures', 'model.reconstruct')
    const { values: made } = await this.network.encode(inputs, options)
    return new Vectors(made, sizeOf(this.shape))
  }

  /** How far pictures are from what is made of their codes: the mean of all squared differences of values from
   * 0 to 1. @throws {InlayError} `INVALID_INPUT` there are no pictures */
  async evaluate(
    pictures: Iterable<Picture> | AsyncIterable<Picture>,
    options: RunOptions = {},
  ): Promise<ReconstructionEvaluation> {
    const seen = { count: 0 }
    const inputs = counted(shares(pictures, this.shape, 'pictures', 'model.evaluate'), seen)
    // Its loss is the squared error, and what goes in is wanted.
    const { loss } = await this.network.evaluate({ inputs }, options)
    return { count: seen.count, meanSquaredError: loss }
  }

  override close(): void {
    super.close()
    void this.#decoder?.then((decoder) => decoder.close())
    this.#decoder = undefined
  }
}

/** How far pictures are from what is made of their codes. */
export interface ReconstructionEvaluation {
  /** Pictures. */
  readonly count: number
  readonly meanSquaredError: number
}

async function* counted<T>(items: AsyncIterable<T>, seen: { count: number }): AsyncGenerator<T> {
  for await (const item of items) {
    seen.count += 1
    yield item
  }
}
