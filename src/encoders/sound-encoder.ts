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
  isCount,
  isIterable,
  settle,
  text,
  wrongOption,
} from '../options.js'
import { type SoundInput, soundsHandle } from '../patches/sound-input.js'
import type { Path } from '../path.js'
import { run } from '../run.js'
import { Turns } from '../turns.js'
import { inBatches } from './in-batches.js'
import { type SoundPreparation, framesOf } from './sound-processor.js'

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

/** The text that a sound is nearest to. */
export interface SoundPrediction {
  /** Which of the texts. */
  readonly index: number
  /** That text. */
  readonly label: string
  readonly probability: number
}

/** Layers, and where their parameters are. @internal */
export interface SoundLayers {
  readonly description: NetworkDescription
  readonly tensors: Readonly<Record<string, TensorSource>>
}

/** What stands before the layers that all sounds go through, where longer ones come as views. @internal */
export interface SoundFronts<Front> {
  readonly whole: Front
  readonly views: Front
}

/** A network of sounds before its weights are read. @internal */
export interface SoundModel extends SoundLayers {
  readonly fronts: SoundFronts<SoundLayers> | undefined
  readonly preparation: SoundPreparation
}

/** What is taken of sounds: the middle of longer ones; all of those that have no more frames; or views of those that have. */
type Take = 'middle' | 'whole' | 'views'

/** A pretrained network of sounds: vectors of sounds by any of its layers. */
export class SoundEncoder implements Embedder<SoundSource> {
  /** Values of a vector: of the last layer. */
  readonly dimensions: number
  /** How sounds are prepared. */
  readonly preparation: SoundPreparation
  /** The layers, any of which gives vectors. */
  readonly network: Network

  /** Of a model that takes views of longer sounds, what stands before `network`. @internal */
  readonly fronts: SoundFronts<Network> | undefined

  private constructor(
    found: Network,
    fronts: SoundFronts<Network> | undefined,
    preparation: SoundPreparation,
  ) {
    this.network = found
    this.fronts = fronts
    this.preparation = preparation
    this.dimensions = Number(found.summary().at(-1)!.shape.slice(1, -1))
  }

  /** @internal */
  static async load(
    model: SoundModel,
    files: readonly string[],
    settings: RunSettings,
  ): Promise<SoundEncoder> {
    const opened: Network[] = []
    const read = async ({ description, tensors }: SoundLayers) => {
      const found = await Network.load(description, files, { ...settings, tensors, shared: true })
      opened.push(found)
      return found
    }
    const { fronts, preparation } = model
    try {
      const found = await read(model)
      const before = fronts && {
        whole: await read(fronts.whole),
        views: await read(fronts.views),
      }
      return new SoundEncoder(found, before, preparation)
    } catch (error) {
      for (const one of opened) one.close()
      throw error
    }
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
    return inBatches(sounds, batchSize, async (batch, first) => {
      const nameOf = (number: number) => `sounds[${first + number}]`
      const read = await this.#read(batch, nameOf, maxSeconds, runSettings, who)
      return this.#encoded(read, nameOf, layer, runSettings, who)
    })
  }

  /** The samples of files. */
  async #read(
    batch: readonly SoundSource[],
    nameOf: (number: number) => string,
    maxSeconds: number,
    { signal }: RunSettings,
    who: string,
  ): Promise<SoundInput[]> {
    const { sampleRate } = this.preparation
    const wanted = { sampleRate, channels: 1, maxSeconds, signal }
    const read = async (source: SoundSource, number: number): Promise<SoundInput> => {
      const isFile = typeof source === 'string' || source instanceof URL
      if (!isFile && !(source instanceof Uint8Array)) return source
      return readSoundOf(source, wanted, nameOf(number), who)
    }
    return Promise.all(batch.map(read))
  }

  async #encoded(
    sounds: readonly SoundInput[],
    nameOf: (number: number) => string,
    layer: string | undefined,
    settings: RunSettings,
    who: string,
  ): Promise<Vectors> {
    const { fronts } = this
    const part = layer === undefined ? {} : { layer }
    const all = Array.from(sounds.keys())
    const inputsOf = (those: readonly number[], take: Take) => {
      const given = those.map((at) => sounds[at]!)
      return this.#prepared(given, (number) => nameOf(those[number]!), take, settings, who)
    }
    if (!fronts) {
      return this.network.encode(await inputsOf(all, 'middle'), { ...settings, ...part })
    }
    const isView = (at: number) => isLong(sounds[at], this.preparation)
    // Of layers that give something else for views there are no rows of one width.
    const shapeIn = (front: Network) => front.summary().find(({ name }) => name === layer)?.shape
    const shape = shapeIn(fronts.whole)
    const isBefore = shape !== undefined && shape === shapeIn(fronts.views)
    const rows: Float32Array[] = []
    let dimensions = 0
    for (const asViews of [false, true]) {
      const those = all.filter((at) => isView(at) === asViews)
      // Of no sounds at all, so that their width is known.
      if (those.length === 0 && (asViews || all.length > 0)) continue
      const front = asViews ? fronts.views : fronts.whole
      const inputs = await inputsOf(those, asViews ? 'views' : 'whole')
      const found = isBefore
        ? await front.encode(inputs, { ...settings, ...part })
        : await this.network.encode((await front.encode(inputs, settings)).values, {
            ...settings,
            ...part,
          })
      dimensions = found.dimensions
      for (const [number, at] of those.entries()) rows[at] = found.row(number)
    }
    return joined(rows, dimensions, settings.signal)
  }

  /** [sounds, frames, bands], or as views [sounds, 4, frames, bands]. */
  async #prepared(
    sounds: readonly SoundInput[],
    nameOf: (number: number) => string,
    take: Take,
    settings: RunSettings,
    who: string,
  ): Promise<Float32Array> {
    const { sampleRate, length, short, spectrogram } = this.preparation
    const { signal } = settings
    const { handle } = await soundsHandle(sounds, nameOf, sampleRate, signal, who)
    return run<Float32Array>(who, settings, (spec, events) =>
      prepareSounds(handle, spectrogram.spec, length, short, take, spec, events),
    )
  }

  /** Frees the memory now rather than when the garbage is collected. */
  close(): void {
    this.network.close()
    this.fronts?.whole.close()
    this.fronts?.views.close()
  }

  /** As `close`: at the end of the block of `using`. */
  [Symbol.dispose](): void {
    this.close()
  }
}

/** Whether a sound has more frames than are looked at; what is no sound is refused where it is brought over. */
function isLong(sound: Partial<SoundInput> | undefined, preparation: SoundPreparation): boolean {
  const { samples, channels } = sound ?? {}
  if (!(samples instanceof Float32Array) || !isCount(channels)) return false
  return framesOf(preparation, Math.floor(samples.length / channels)) > framesOf(preparation)
}

/** Rows in one piece of memory. */
async function joined(
  rows: readonly Float32Array[],
  dimensions: number,
  signal: AbortSignal | undefined,
): Promise<Vectors> {
  const turns = new Turns(signal)
  const values = new Float32Array(rows.length * dimensions)
  for (const [at, row] of rows.entries()) {
    values.set(row, at * dimensions)
    if (turns.isOver(dimensions)) await turns.next()
  }
  return new Vectors(values, dimensions)
}
