// A pretrained network of sounds: how a sound comes in, and vectors by any of its layers.
import { type Embedder, Vectors } from '../embedder.js'
import { readSoundOf, readSoundOptions } from '../media/read-sound.js'
import { prepareSounds } from '../native.js'
import type { NetworkDescription } from '../nn/description.js'
import type { TensorSource } from '../nn/loading.js'
import { Network } from '../nn/network.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  integer,
  isIterable,
  settle,
  text,
  wrongOption,
} from '../options.js'
import { type SoundInput, soundsHandle } from '../patches/sound-input.js'
import type { Path } from '../path.js'
import { run } from '../run.js'
import { inBatches } from './in-batches.js'
import type { SoundPreparation } from './sound-processor.js'

/** A sound: a file by its name, the bytes of one (see `readSound`), or samples, at the rate of the encoder. */
export type SoundSource = Path | Uint8Array | SoundInput

/** What may be said when sounds are encoded. */
export const soundEncodingOptions = {
  /** The layer whose output is wanted. Default: the last one, whose vectors have length 1. */
  layer: text('the layer whose output is wanted', 'NAME'),
  /** Sounds that are in memory at once. */
  batchSize: integer(8, { from: 1, to: 4096 }, 'sounds that are in memory at once'),
  /** Seconds of a file at most: a longer one is refused. */
  maxSeconds: readSoundOptions.maxSeconds,
}

/** The options of `encode`: see `soundEncodingOptions`. */
export type SoundEncodingOptions = Options<typeof soundEncodingOptions> & RunOptions

/** A network of sounds before its weights are read. @internal */
export interface SoundModel {
  readonly description: NetworkDescription
  readonly tensors: Readonly<Record<string, TensorSource>>
  readonly preparation: SoundPreparation
}

/** A pretrained network of sounds: vectors of sounds by any of its layers. */
export class SoundEncoder implements Embedder<SoundSource> {
  /** Values of a vector: of the last layer. */
  readonly dimensions: number
  /** How sounds are prepared. */
  readonly preparation: SoundPreparation
  /** The layers, any of which gives vectors. */
  readonly network: Network

  /** @internal */
  constructor(found: Network, preparation: SoundPreparation) {
    this.network = found
    this.preparation = preparation
    this.dimensions = Number(found.summary().at(-1)!.shape.slice(1, -1))
  }

  /** @internal */
  static async load(
    { description, tensors, preparation }: SoundModel,
    files: readonly string[],
    settings: RunSettings,
  ): Promise<SoundEncoder> {
    const found = await Network.load(description, files, { ...settings, tensors, shared: true })
    return new SoundEncoder(found, preparation)
  }

  /**
   * The vectors of sounds: what the last layer gives, or another by its name; of one that gives a map, its rows of positions, each
   * with its values. A vector depends on its sound alone. Files of another sample rate are resampled; samples must have the
   * encoder's.
   *
   * @throws {InvalidOptionError} there is no such layer; an item is no sound, or has another sample rate
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` a file is no sound, damaged or too long, or there are no samples, or they are
   *   no finite numbers; `UNSUPPORTED` a codec that is not read
   */
  async encode(
    sounds: Iterable<SoundSource> | AsyncIterable<SoundSource>,
    options: SoundEncodingOptions = {},
  ): Promise<Vectors> {
    return this.encodeFor(sounds, options, 'encoder.encode')
  }

  /** `encode`, for another that has it. @internal */
  async encodeFor(
    sounds: Iterable<SoundSource> | AsyncIterable<SoundSource>,
    options: SoundEncodingOptions,
    who: string,
  ): Promise<Vectors> {
    const { settings, run: runSettings } = settle(soundEncodingOptions, options, who)
    const { layer, batchSize, maxSeconds } = settings
    if (!isIterable(sounds)) throw wrongOption('sounds', 'an iterable of sounds', sounds, who)
    const part = layer === undefined ? {} : { layer }
    return inBatches(sounds, batchSize, async (batch, first) => {
      const inputs = await this.#prepared(batch, first, maxSeconds, runSettings, who)
      return this.network.encode(inputs, { ...runSettings, ...part })
    })
  }

  /** [sounds, frames, bands] */
  async #prepared(
    batch: readonly SoundSource[],
    first: number,
    maxSeconds: number,
    settings: RunSettings,
    who: string,
  ): Promise<Float32Array> {
    const { sampleRate, length, short, spectrogram } = this.preparation
    const nameOf = (number: number) => `sounds[${first + number}]`
    const wanted = { sampleRate, channels: 1, maxSeconds, signal: settings.signal }
    const read = async (source: SoundSource, number: number): Promise<SoundInput> => {
      const isFile = typeof source === 'string' || source instanceof URL
      if (!isFile && !(source instanceof Uint8Array)) return source
      return readSoundOf(source, wanted, nameOf(number), who)
    }
    const sounds = await Promise.all(batch.map(read))
    const { signal } = settings
    const { handle } = await soundsHandle(sounds, nameOf, sampleRate, signal, who)
    return run<Float32Array>(who, settings, (spec, events) =>
      prepareSounds(handle, spectrogram.spec, length, short, spec, events),
    )
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
