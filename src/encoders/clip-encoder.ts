import type { Text, Texts } from '../corpus/source.js'
import type { Embedder, Vectors } from '../embedder.js'
import { InlayError } from '../errors.js'
import { type Options, type RunOptions, settle } from '../options.js'
import type { Path } from '../path.js'
import type { ImageInput, ImagePreparation } from '../pictures/prepare-pictures.js'
import { clipImage, clipText, towerConfig } from './clip-towers.js'
import { fingerprintOf } from './fingerprint.js'
import {
  ImageEncoder,
  type ImageEncodingOptions,
  type ImagePrediction,
  imageEncodingOptions,
  loadImageModel,
  predictionOf,
} from './image-encoder.js'
import { Fields, ModelFolder } from './model-folder.js'
import { type SentenceVectors, sentenceEncodingOptions } from './prompted-encoder.js'
import { TensorShapes } from './tensor-shapes.js'
import { TextTower, checkClasses, numberOf, probabilitiesOf } from './text-tower.js'

/** What may be said when texts are encoded by CLIP. */
export const clipTextOptions = {
  truncate: sentenceEncodingOptions.truncate,
}

/** The options of `clip.encodeTexts`: see `clipTextOptions`. */
export type ClipTextOptions = Options<typeof clipTextOptions> & RunOptions

const { batchSize, maxPixels } = imageEncodingOptions
const predictionOptions = { batchSize, maxPixels, ...clipTextOptions }

/** The options of `clip.predict`: those of both towers, but for `layer`. */
export type ClipPredictionOptions = Options<typeof predictionOptions> & RunOptions

/** What a CLIP is made of. */
interface ClipParts {
  readonly images: ImageEncoder
  readonly texts: TextTower
  readonly logitScale: number
}

/**
 * CLIP (Radford et al. 2021, arXiv:2103.00020): pictures and texts as vectors of one space, in which a picture is near to what
 * it shows in words. Pictures are found by a text, and told apart by classes that nobody has trained.
 *
 *     picture ─▶ Vision Transformer ─▶ class token ─▶ projection ─┐
 *                                                                 ├─▶ length 1: their product is the cosine
 *     text ─▶ tokens ─▶ Transformer ─▶ last token ─▶ projection ──┘
 *
 *     using clip = await ClipEncoder.load('clip-vit-base-patch32')
 *     const pictures = await clip.encodeImages(['cat.jpg', 'beach.png'])
 *     const texts = await clip.encodeTexts(['a photo of a cat', 'sand and sea'])
 *     const [found] = await clip.predict(['cat.jpg'], ['a photo of a cat', 'a photo of a dog'])
 *
 * A vector depends on its picture or text alone, bit for bit. Encoders of one folder share their weights, in worker threads too.
 */
export class ClipEncoder {
  /** Values of a vector, of a picture and of a text. */
  readonly dimensions: number
  /** Tokens of a text that are read at most, those around it among them. */
  readonly maxTokens: number
  /** How pictures are prepared. */
  readonly preparation: ImagePreparation
  /** By what cosines are multiplied before they become probabilities: 1 / temperature, as it was learnt. */
  readonly logitScale: number
  /** The tower of pictures by itself, for what takes an `Embedder`, and whose layers give vectors. */
  readonly images: ImageEncoder
  /** The tower of texts as an `Embedder`: `encode` is `encodeTexts`. */
  readonly texts: Embedder<Text>
  readonly #parts: ClipParts
  #fingerprint: Promise<string> | undefined

  private constructor(parts: ClipParts) {
    this.#parts = parts
    this.images = parts.images
    this.dimensions = parts.images.dimensions
    this.maxTokens = parts.texts.maxTokens
    this.preparation = parts.images.preparation
    this.logitScale = parts.logitScale
    this.texts = Object.freeze({
      dimensions: this.dimensions,
      encode: async (texts: Texts, options: RunOptions = {}) => this.encodeTexts(texts, options),
    })
  }

  /**
   * Reads a Hugging Face folder of a `CLIPModel`: `config.json`, `model.safetensors` (or the several that
   * `model.safetensors.index.json` names), `tokenizer.json`, `preprocessor_config.json`. Nothing in the folder is run.
   *
   * @throws {InlayError} `NOT_FOUND` a file is missing; `INVALID_INPUT` one is not what it should be, with all tensors
   *   that are missing or of another shape; `UNSUPPORTED` another model, or a preparation that is not known here
   */
  static async load(folder: Path, options: RunOptions = {}): Promise<ClipEncoder> {
    const who = 'ClipEncoder.load'
    const { run } = settle({}, options, who)
    const found = new ModelFolder(folder, who)
    const json = await found.neededJson('config.json')
    const config = new Fields(found, 'config.json', json)
    const type = config.text(['model_type'])
    if (type !== 'clip') {
      const hint = type === 'vit' || type === 'deit' ? '; `Vit.load` reads it' : ''
      const problem = `a model of type ${type}; these can be read: clip${hint}`
      throw new InlayError('UNSUPPORTED', `${who}: ${problem}`)
    }
    if (!(await found.has('tokenizer.json'))) throw found.missing('tokenizer.json')
    const files = await found.weightsOfAnyAge()
    const shapes = await TensorShapes.of(files, who, run)
    const text = clipText(towerConfig(found, json, 'text'), shapes)
    const image = await clipImage(towerConfig(found, json, 'vision'), shapes)
    const opened: { close(): void }[] = []
    const keep = <T extends { close(): void }>(one: T): T => {
      opened.push(one)
      return one
    }
    try {
      const texts = keep(await TextTower.load(found, text, files, run, who))
      const images = keep(new ImageEncoder(...(await loadImageModel(image, files, {}, run, who))))
      const [ofImages, ofTexts] = [images.dimensions, texts.dimensions]
      if (ofImages !== ofTexts) {
        throw shapes.error(
          ` has projections to ${ofImages} and to ${ofTexts} values, and should have two alike`,
        )
      }
      const logitScale = shapes.has('logit_scale')
        ? await numberOf('logit_scale', files, run)
        : config.number(['logit_scale_init_value'], 2.6592)
      return new ClipEncoder({ images, texts, logitScale: Math.exp(logitScale) })
    } catch (error) {
      for (const one of opened) one.close()
      throw error
    }
  }

  /**
   * The vectors of pictures, of length 1: [pictures, dimensions]; or what another layer of their tower gives.
   *
   * @throws {InvalidOptionError} there is no such layer; an item is no picture
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` a file is no picture, damaged or too large
   */
  async encodeImages(
    pictures: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    options: ImageEncodingOptions = {},
  ): Promise<Vectors> {
    return this.images.encodeFor(pictures, options, 'clip.encodeImages')
  }

  /**
   * The vectors of texts, of length 1, and how many tokens each has: [texts, dimensions]. Models were trained with captions: 'a
   * photo of a cat' rather than 'cat'.
   *
   * @throws {InlayError} `INVALID_INPUT` an item that is no text, or one of too many tokens with `truncate: 'error'`
   */
  async encodeTexts(texts: Texts, options: ClipTextOptions = {}): Promise<SentenceVectors> {
    const who = 'clip.encodeTexts'
    const { settings, run } = settle(clipTextOptions, options, who)
    return this.#parts.texts.encode(texts, settings.truncate, run, who)
  }

  /**
   * How probable each of some texts is for each picture: [pictures, texts], each row with the sum 1. That is softmax of their
   * cosines times `logitScale`. Errors as for `encodeImages` and `encodeTexts`.
   *
   * @throws {InvalidOptionError} no texts
   */
  async predictProbabilities(
    pictures: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    texts: readonly string[],
    options: ClipPredictionOptions = {},
  ): Promise<Vectors> {
    return this.#probabilities(pictures, texts, options, 'clip.predictProbabilities')
  }

  /** The most probable of some texts for each picture: classes without training. Errors as for `predictProbabilities`. */
  async predict(
    pictures: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    texts: readonly string[],
    options: ClipPredictionOptions = {},
  ): Promise<ImagePrediction[]> {
    const found = await this.#probabilities(pictures, texts, options, 'clip.predict')
    return Array.from(found, (row) => predictionOf(row, texts))
  }

  async #probabilities(
    pictures: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    texts: readonly string[],
    options: ClipPredictionOptions,
    who: string,
  ): Promise<Vectors> {
    const { settings, run } = settle(predictionOptions, options, who)
    checkClasses(texts, who)
    const { truncate, ...ofPictures } = settings
    const classes = await this.#parts.texts.encode(texts, truncate, run, who)
    const shown = await this.images.encodeFor(pictures, { ...ofPictures, ...run }, who)
    return probabilitiesOf(shown, classes, this.logitScale, run)
  }

  /** A number that names all that a vector depends on but the picture or text: weights of both towers, tokenizer, preparation. An
   * index that keeps it can tell whether a vector belongs to it. SHA-256, in hexadecimal digits. */
  fingerprint(): Promise<string> {
    const { network: ofTexts, tokenizerFile, end } = this.#parts.texts
    const { network: ofImages } = this.images
    const descriptions = [ofImages.description, ofTexts.description]
    const said = [...descriptions, this.preparation, this.maxTokens, end, this.logitScale]
    this.#fingerprint ??= fingerprintOf(said, [ofImages, ofTexts], [tokenizerFile])
    return this.#fingerprint
  }

  /** Frees the memory now rather than when the garbage is collected. */
  close(): void {
    this.images.close()
    this.#parts.texts.close()
  }

  /** As `close`: at the end of the block of `using`. */
  [Symbol.dispose](): void {
    this.close()
  }
}
