import type { Text, Texts } from '../corpus/source.js'
import type { Embedder, Vectors } from '../embedder.js'
import { type Options, type RunOptions, settle } from '../options.js'
import type { Path } from '../path.js'
import { clapSound, clapText } from './clap-towers.js'
import { towerConfig } from './clip-towers.js'
import { fingerprintOf } from './fingerprint.js'
import { findFolder } from './found-folder.js'
import { predictionOf } from './image-encoder.js'
import { type ClipTextOptions, clipTextOptions } from './image-text-encoder.js'
import { ModelFolder } from './model-folder.js'
import type { SentenceVectors } from './prompted-encoder.js'
import {
  SoundEncoder,
  type SoundEncodingOptions,
  type SoundPrediction,
  type SoundSource,
  soundEncodingOptions,
} from './sound-encoder.js'
import { type SoundPreparation, soundProcessor } from './sound-processor.js'
import { TextTower, checkClasses, numberOf, probabilitiesOf } from './text-tower.js'

const { batchSize, maxSeconds } = soundEncodingOptions
const predictionOptions = { batchSize, maxSeconds, ...clipTextOptions }

/** The options of `clap.predict`: those of both towers, but for `layer`. */
export type ClapPredictionOptions = Options<typeof predictionOptions> & RunOptions

/** What a CLAP is made of. */
interface ClapParts {
  readonly sounds: SoundEncoder
  readonly texts: TextTower
  readonly logitScale: number
}

/**
 * CLAP (Wu et al. 2022, arXiv:2211.06687): sounds and texts as vectors of one space, in which a sound is near to what it is called.
 * Sounds are found by a text, and told apart by classes that nobody has trained.
 *
 *     sound ─▶ mel spectrogram ─▶ Swin Transformer ─▶ mean ─▶ projection ─┐
 *                                                                         ├─▶ length 1: their product is the cosine
 *     text ─▶ tokens ─▶ RoBERTa ─▶ first token ─▶ projection ─────────────┘
 *
 *     using clap = await ClapEncoder.load('clap-htsat-unfused')
 *     const sounds = await clap.encodeSounds(['dog.wav', 'rain.mp3'])
 *     const texts = await clap.encodeTexts(['the sound of a dog', 'heavy rain'])
 *     const [found] = await clap.predict(['dog.wav'], ['the sound of a dog', 'the sound of a cat'])
 *
 * A vector depends on its sound or text alone, bit for bit. Encoders of one folder share their weights, in worker threads too.
 */
export class ClapEncoder {
  /** Values of a vector, of a sound and of a text. */
  readonly dimensions: number
  /** Tokens of a text that are read at most, those around it among them. */
  readonly maxTokens: number
  /** How sounds are prepared. */
  readonly preparation: SoundPreparation
  /** By what cosines are multiplied before they become probabilities: 1 / temperature, as it was learnt for sounds. */
  readonly logitScale: number
  /** The tower of sounds by itself, for what takes an `Embedder`, and whose layers give vectors. */
  readonly sounds: SoundEncoder
  /** The tower of texts as an `Embedder`: `encode` is `encodeTexts`. */
  readonly texts: Embedder<Text>
  readonly #parts: ClapParts
  #fingerprint: Promise<string> | undefined

  private constructor(parts: ClapParts) {
    this.#parts = parts
    this.sounds = parts.sounds
    this.dimensions = parts.sounds.dimensions
    this.maxTokens = parts.texts.maxTokens
    this.preparation = parts.sounds.preparation
    this.logitScale = parts.logitScale
    this.texts = Object.freeze({
      dimensions: this.dimensions,
      encode: async (texts: Texts, options: RunOptions = {}) => this.encodeTexts(texts, options),
    })
  }

  /**
   * Reads a Hugging Face folder of a `ClapModel`: `config.json`, `model.safetensors` (or the several that
   * `model.safetensors.index.json` names), `tokenizer.json`, `preprocessor_config.json`. Nothing in the folder is run.
   *
   * @throws {InlayError} `NOT_FOUND` a file is missing; `INVALID_INPUT` one is not what it should be, with all tensors
   *   that are missing or of another shape; `UNSUPPORTED` another model, or a preparation that is not known here
   */
  static async load(folder: Path, options: RunOptions = {}): Promise<ClapEncoder> {
    const who = 'ClapEncoder.load'
    const { run } = settle({}, options, who)
    const hints = { clip: 'ClipEncoder', siglip: 'SiglipEncoder' }
    const found = await findFolder(new ModelFolder(folder, who), 'clap', hints, run)
    const { config, files, shapes } = found
    const part = (tower: 'text' | 'audio') => towerConfig(found.folder, config.json, tower)
    const preparation = await soundProcessor(found.folder)
    const text = clapText(config, part('text'), shapes)
    const sound = clapSound(config, part('audio'), preparation, shapes)
    const opened: { close(): void }[] = []
    const keep = <T extends { close(): void }>(one: T): T => {
      opened.push(one)
      return one
    }
    try {
      const texts = keep(await TextTower.load(found.folder, text, files, run, who))
      const sounds = keep(await SoundEncoder.load(sound, files, run))
      const [ofSounds, ofTexts] = [sounds.dimensions, texts.dimensions]
      if (ofSounds !== ofTexts) {
        throw shapes.error(
          ` has projections to ${ofSounds} and to ${ofTexts} values, and should have two alike`,
        )
      }
      const logitScale = shapes.has('logit_scale_a')
        ? await numberOf('logit_scale_a', files, run)
        : Math.log(config.positive(['logit_scale_init_value'], 1 / 0.07))
      return new ClapEncoder({ sounds, texts, logitScale: Math.exp(logitScale) })
    } catch (error) {
      for (const one of opened) one.close()
      throw error
    }
  }

  /**
   * The vectors of sounds, of length 1: [sounds, dimensions]; or what another layer of their tower gives. What is heard of a sound
   * that is longer than `preparation.length` is in `preparation.long`.
   *
   * @throws {InvalidOptionError} there is no such layer; an item is no sound, or has another sample rate
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` a file is no sound, damaged or too long, or there are no samples, or they are
   *   no finite numbers; `UNSUPPORTED` a codec that is not read
   */
  async encodeSounds(
    sounds: Iterable<SoundSource> | AsyncIterable<SoundSource>,
    options: SoundEncodingOptions = {},
  ): Promise<Vectors> {
    return this.sounds.encodeFor(sounds, options, 'clap.encodeSounds')
  }

  /**
   * The vectors of texts, of length 1, and how many tokens each has: [texts, dimensions]. Models were trained with captions: 'the
   * sound of a dog' rather than 'dog'.
   *
   * @throws {InlayError} `INVALID_INPUT` an item that is no text, or one of too many tokens with `truncate: 'error'`
   */
  async encodeTexts(texts: Texts, options: ClipTextOptions = {}): Promise<SentenceVectors> {
    const who = 'clap.encodeTexts'
    const { settings, run } = settle(clipTextOptions, options, who)
    return this.#parts.texts.encode(texts, settings.truncate, run, who)
  }

  /**
   * How probable each of some texts is for each sound: [sounds, texts], each row with the sum 1. That is softmax of their cosines
   * times `logitScale`. Errors as for `encodeSounds` and `encodeTexts`.
   *
   * @throws {InvalidOptionError} no texts
   */
  async predictProbabilities(
    sounds: Iterable<SoundSource> | AsyncIterable<SoundSource>,
    texts: readonly string[],
    options: ClapPredictionOptions = {},
  ): Promise<Vectors> {
    return this.#probabilities(sounds, texts, options, 'clap.predictProbabilities')
  }

  /** The most probable of some texts for each sound: classes without training. Errors as for `predictProbabilities`. */
  async predict(
    sounds: Iterable<SoundSource> | AsyncIterable<SoundSource>,
    texts: readonly string[],
    options: ClapPredictionOptions = {},
  ): Promise<SoundPrediction[]> {
    const found = await this.#probabilities(sounds, texts, options, 'clap.predict')
    return Array.from(found, (row) => {
      const { index, probability } = predictionOf(row, texts)
      return { index, label: texts[index]!, probability }
    })
  }

  async #probabilities(
    sounds: Iterable<SoundSource> | AsyncIterable<SoundSource>,
    texts: readonly string[],
    options: ClapPredictionOptions,
    who: string,
  ): Promise<Vectors> {
    const { settings, run } = settle(predictionOptions, options, who)
    checkClasses(texts, who)
    const { truncate, ...ofSounds } = settings
    const classes = await this.#parts.texts.encode(texts, truncate, run, who)
    const heard = await this.sounds.encodeFor(sounds, { ...ofSounds, ...run }, who)
    return probabilitiesOf(heard, classes, { scale: this.logitScale }, run)
  }

  /** A number that names all that a vector depends on but the sound or text: weights of both towers, tokenizer, preparation. An
   * index that keeps it can tell whether a vector belongs to it. SHA-256, in hexadecimal digits. */
  fingerprint(): Promise<string> {
    const { network: ofTexts, tokenizerFile } = this.#parts.texts
    const { network: ofSounds, fronts, preparation } = this.sounds
    const { spectrogram, ...rest } = preparation
    const networks = [ofSounds, ...(fronts ? [fronts.whole, fronts.views] : []), ofTexts]
    const descriptions = networks.map(({ description }) => description)
    const said = [...descriptions, rest, spectrogram.spec, this.maxTokens, this.logitScale]
    this.#fingerprint ??= fingerprintOf(said, networks, [tokenizerFile])
    return this.#fingerprint
  }

  /** Frees the memory now rather than when the garbage is collected. */
  close(): void {
    this.sounds.close()
    this.#parts.texts.close()
  }

  /** As `close`: at the end of the block of `using`. */
  [Symbol.dispose](): void {
    this.close()
  }
}
