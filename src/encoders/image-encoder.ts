// What pretrained networks of pictures have in common: how a picture comes in, and what is asked of them.
import type { Embedder, Vectors } from '../embedder.js'
import { InlayError } from '../errors.js'
import { type NetworkDescription, network, values } from '../nn/description.js'
import type { Layer } from '../nn/layer.js'
import { concat, softmax } from '../nn/layers.js'
import type { TensorSource } from '../nn/loading.js'
import { Network } from '../nn/network.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  custom,
  integer,
  isIterable,
  settle,
  text,
  wrongOption,
} from '../options.js'
import {
  type ImageInput,
  type ImagePreparation,
  isPreparation,
  preparePictures,
} from '../pictures/prepare-pictures.js'
import { inBatches } from './in-batches.js'

/** What may be said when a pretrained network of pictures is loaded. */
export const imageEncoderOptions = {
  /** Layers with weights that the file must have. Default: as many as its tensors make. */
  depth: integer(undefined, { from: 1 }, 'layers with weights that the file must have'),
  /** How pictures are prepared, where it is not as the weights of torchvision want it. */
  preparation: custom<Partial<ImagePreparation>>(
    'an object with `resize`, `crop`, `halfPixel`, `interpolation`, `mean` or `deviation`',
    isPreparation,
    'how pictures are prepared',
  ),
  /** Names of the classes, in the order of their scores. */
  labels: custom<readonly string[]>(
    'an array of strings',
    (given) => Array.isArray(given) && given.every((label) => typeof label === 'string'),
    'names of the classes',
  ),
}

/** The options of `Vgg.load`, `ResNet.load` and `Vit.load`: see `imageEncoderOptions`. */
export type ImageEncoderOptions = Options<typeof imageEncoderOptions>

/** What may be said when pictures are encoded. */
export const imageEncodingOptions = {
  /** The layer whose output is wanted, by PyTorch's name. Default: the one before the scores. */
  layer: text('the layer whose output is wanted', 'NAME'),
  /** Pictures that are in memory at once. */
  batchSize: integer(8, { from: 1, to: 4096 }, 'pictures that are in memory at once'),
  /** Pixels of a picture at most: a larger one is refused before it is decoded. */
  maxPixels: integer(100_000_000, { from: 1 }, 'pixels of a picture at most'),
}

const predictionOptions = {
  batchSize: imageEncodingOptions.batchSize,
  maxPixels: imageEncodingOptions.maxPixels,
}

/** The options of `encode`: see `imageEncodingOptions`. */
export type ImageEncodingOptions = Options<typeof imageEncodingOptions> & RunOptions

/** The class that a network finds most probable. */
export interface ImagePrediction {
  /** Which of the scores is the highest. */
  readonly index: number
  /** Its name, if names were given. */
  readonly label?: string
  readonly probability: number
}

/** The most probable of some classes. @internal */
export function predictionOf(
  row: Float32Array,
  labels: readonly string[] | undefined,
): ImagePrediction {
  const index = row.reduce((best, value, at) => (value > row[best]! ? at : best), 0)
  const label = labels?.[index]
  return { index, ...(label !== undefined && { label }), probability: row[index]! }
}

/** A network of pictures before its weights are read. @internal */
export interface ImageModel {
  /** From a prepared picture, or from what `trunk` gives, to scores, or to the vector if the file has none. */
  readonly layers: readonly Layer[]
  /** What stands before `layers`. */
  readonly trunk?: readonly Layer[]
  /** To another vector of what `trunk` gives. */
  readonly beside?: readonly Layer[]
  /** Where parameters are that have other names or shapes in the file. */
  readonly tensors: Readonly<Record<string, TensorSource>>
  /** What stands before names in the file, where `tensors` does not say them. */
  readonly prefix?: string
  /** The layer that gives the vector. */
  readonly vector: string
  /** The layer that gives scores; `undefined`: the file has none. */
  readonly scores: string | undefined
  readonly depth: number
  readonly preparation: ImagePreparation
}

/** A pretrained network of pictures: vectors of pictures by any of its layers, and classes where it has scores. */
export class ImageEncoder implements Embedder<ImageInput> {
  /** Values of a vector: of the layer before the scores. */
  readonly dimensions: number
  /** Layers with weights; of a Transformer, its blocks. */
  readonly depth: number
  /** How pictures are prepared. */
  readonly preparation: ImagePreparation
  /** Names of the classes, in the order of their scores, if they were given. */
  readonly labels: readonly string[] | undefined
  /** The layers, any of which gives vectors. */
  readonly network: Network
  readonly #model: ImageModel

  /** @internal */
  constructor(found: Network, model: ImageModel, labels: readonly string[] | undefined) {
    this.network = found
    this.depth = model.depth
    this.preparation = Object.freeze({ ...model.preparation })
    this.labels = labels
    this.#model = model
    const { shape } = found.summary().find(({ name }) => name === model.vector)!
    this.dimensions = (JSON.parse(shape) as number[]).reduce((product, axis) => product * axis, 1)
  }

  /**
   * The vectors of pictures: what the layer before the scores gives, or another by its name; of one that gives a map,
   * its rows of pixels, each with its channels: [pictures, height · width · channels]. A vector depends on its picture
   * alone.
   *
   * @throws {InvalidOptionError} there is no such layer; an item is no picture
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` a file is no picture, damaged or too large
   */
  async encode(
    pictures: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    options: ImageEncodingOptions = {},
  ): Promise<Vectors> {
    return this.encodeFor(pictures, options, 'encoder.encode')
  }

  /** `encode`, for another that has it. @internal */
  async encodeFor(
    pictures: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    options: ImageEncodingOptions,
    who: string,
  ): Promise<Vectors> {
    const { settings, run } = settle(imageEncodingOptions, options, who)
    const layer = settings.layer ?? this.#model.vector
    return this.#encoded(pictures, layer, settings, run, who)
  }

  /** The probability of each class for each picture: [pictures, classes]. Errors as for `encode`.
   *
   * @throws {InlayError} `UNSUPPORTED` the file has no scores */
  async predictProbabilities(
    pictures: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    options: Omit<ImageEncodingOptions, 'layer'> = {},
  ): Promise<Vectors> {
    const who = 'encoder.predictProbabilities'
    const { settings, run } = settle(predictionOptions, options, who)
    if (this.#model.scores === undefined) {
      throw new InlayError('UNSUPPORTED', `${who}: the file has no layer that gives scores`)
    }
    return this.#encoded(pictures, 'probabilities', settings, run, who)
  }

  /** The most probable class of each picture. Errors as for `predictProbabilities`. */
  async predict(
    pictures: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    options: Omit<ImageEncodingOptions, 'layer'> = {},
  ): Promise<ImagePrediction[]> {
    const probabilities = await this.predictProbabilities(pictures, options)
    return Array.from(probabilities, (row) => predictionOf(row, this.labels))
  }

  async #encoded(
    pictures: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    layer: string,
    { batchSize, maxPixels }: { batchSize: number; maxPixels: number },
    run: RunSettings,
    who: string,
  ): Promise<Vectors> {
    if (!isIterable(pictures)) {
      throw wrongOption('pictures', 'an iterable of pictures', pictures, who)
    }
    return inBatches(pictures, batchSize, async (batch, first) => {
      const inputs = await preparePictures(batch, first, this.preparation, maxPixels, run, who)
      return this.network.encode(inputs, { ...run, layer })
    })
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

/** Loads what a file's tensors were found to be. @internal */
export async function loadImageModel(
  model: ImageModel,
  path: string | readonly string[],
  { depth, labels }: ImageEncoderOptions,
  run: RunSettings,
  who: string,
): Promise<[Network, ImageModel, readonly string[] | undefined]> {
  if (depth !== undefined && depth !== model.depth) {
    throw wrongOption('depth', `${model.depth}, which the file has`, depth, who)
  }
  const found = await Network.load(describe(model), path, {
    ...run,
    tensors: model.tensors,
    prefix: model.prefix ?? '',
    shared: true,
  })
  const scores = found.summary().find(({ name }) => name === model.scores)
  const classes = Number(/\d+(?=\]$)/.exec(scores?.shape ?? '')?.[0])
  if (labels !== undefined && (model.scores === undefined || labels.length !== classes)) {
    found.close()
    const expected =
      model.scores === undefined ? 'left out: the file has no scores' : `${classes} names`
    throw wrongOption('labels', expected, labels.length, who)
  }
  return [found, model, labels]
}

function describe({ layers, trunk, beside, scores, preparation }: ImageModel): NetworkDescription {
  const { crop } = preparation
  const head = scores === undefined ? [] : [softmax({ name: 'probabilities' })]
  const ends =
    beside === undefined ? [...layers, ...head] : [concat([[...layers, ...head], beside])]
  return network({
    input: values({ shape: [crop, crop, 3] }),
    layers: [...(trunk ?? []), ...ends],
  })
}
