// What models of pictures and texts in one space have in common: CLIP and SigLIP.
import type { Text, Texts } from '../corpus/source.js'
import type { Embedder, Vectors } from '../embedder.js'
import { type Options, type RunOptions, type RunSettings, settle } from '../options.js'
import type { ImageInput, ImagePreparation } from '../pictures/prepare-pictures.js'
import { fingerprintOf } from './fingerprint.js'
import type { FoundFolder } from './found-folder.js'
import {
  ImageEncoder,
  type ImageEncodingOptions,
  type ImageModel,
  type ImagePrediction,
  imageEncodingOptions,
  loadImageModel,
  predictionOf,
} from './image-encoder.js'
import { type SentenceVectors, sentenceEncodingOptions } from './prompted-encoder.js'
import {
  type Scores,
  type TextLayers,
  TextTower,
  checkClasses,
  probabilitiesOf,
} from './text-tower.js'

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

/** What such a model is made of. @internal */
export interface ImageTextParts {
  /** What it is called in messages: 'clip'. */
  readonly called: string
  readonly images: ImageEncoder
  readonly texts: TextTower
  readonly scores: Scores
}

/** Pictures and texts as vectors of one space. */
export abstract class ImageTextEncoder {
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
  readonly #parts: ImageTextParts
  #fingerprint: Promise<string> | undefined

  /** @internal */
  protected constructor(parts: ImageTextParts) {
    this.#parts = parts
    this.images = parts.images
    this.dimensions = parts.images.dimensions
    this.maxTokens = parts.texts.maxTokens
    this.preparation = parts.images.preparation
    this.logitScale = parts.scores.scale
    this.texts = Object.freeze({
      dimensions: this.dimensions,
      encode: async (texts: Texts, options: RunOptions = {}) => this.encodeTexts(texts, options),
    })
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
    return this.images.encodeFor(pictures, options, `${this.#parts.called}.encodeImages`)
  }

  /**
   * The vectors of texts, of length 1, and how many tokens each has: [texts, dimensions]. Models were trained with captions: 'a
   * photo of a cat' rather than 'cat'.
   *
   * @throws {InlayError} `INVALID_INPUT` an item that is no text, or one of too many tokens with `truncate: 'error'`
   */
  async encodeTexts(texts: Texts, options: ClipTextOptions = {}): Promise<SentenceVectors> {
    const who = `${this.#parts.called}.encodeTexts`
    const { settings, run } = settle(clipTextOptions, options, who)
    return this.#parts.texts.encode(texts, settings.truncate, run, who)
  }

  /**
   * How probable each of some texts is for each picture: [pictures, texts]. Of CLIP that is softmax of their cosines times
   * `logitScale`, each row with the sum 1; of SigLIP each text is told by itself, as it was learnt. Errors as for `encodeImages` and `encodeTexts`.
   *
   * @throws {InvalidOptionError} no texts
   */
  async predictProbabilities(
    pictures: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    texts: readonly string[],
    options: ClipPredictionOptions = {},
  ): Promise<Vectors> {
    return this.#probabilities(
      pictures,
      texts,
      options,
      `${this.#parts.called}.predictProbabilities`,
    )
  }

  /** The most probable of some texts for each picture: classes without training. Errors as for `predictProbabilities`. */
  async predict(
    pictures: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    texts: readonly string[],
    options: ClipPredictionOptions = {},
  ): Promise<ImagePrediction[]> {
    const found = await this.#probabilities(
      pictures,
      texts,
      options,
      `${this.#parts.called}.predict`,
    )
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
    return probabilitiesOf(shown, classes, this.#parts.scores, run)
  }

  /** A number that names all that a vector depends on but the picture or text: weights of both towers, tokenizer, preparation. An
   * index that keeps it can tell whether a vector belongs to it. SHA-256, in hexadecimal digits. */
  fingerprint(): Promise<string> {
    const { network: ofTexts, tokenizerFile, end, pad } = this.#parts.texts
    const { network: ofImages } = this.images
    const descriptions = [ofImages.description, ofTexts.description]
    const { scores } = this.#parts
    const said = [...descriptions, this.preparation, this.maxTokens, end, pad, scores]
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

/** Reads both towers, and `scoresOf` what makes probabilities of cosines. @internal */
export async function loadTowers(
  { folder, files, shapes }: FoundFolder,
  called: string,
  image: ImageModel,
  text: TextLayers,
  scoresOf: () => Promise<Scores>,
  run: RunSettings,
): Promise<ImageTextParts> {
  const { who } = folder
  const opened: { close(): void }[] = []
  const keep = <T extends { close(): void }>(one: T): T => {
    opened.push(one)
    return one
  }
  try {
    const texts = keep(await TextTower.load(folder, text, files, run, who))
    const images = keep(new ImageEncoder(...(await loadImageModel(image, files, {}, run, who))))
    const [ofImages, ofTexts] = [images.dimensions, texts.dimensions]
    if (ofImages !== ofTexts) {
      throw shapes.error(
        ` has projections to ${ofImages} and to ${ofTexts} values, and should have two alike`,
      )
    }
    return { called, images, texts, scores: await scoresOf() }
  } catch (error) {
    for (const one of opened) one.close()
    throw error
  }
}
