import { isDeepStrictEqual } from 'node:util'
import { InlayError } from '../errors.js'
import type { VideoFrame } from '../media/read-video.js'
import { estimateMemory } from '../nn/estimate.js'
import type { Epoch, Network } from '../nn/network.js'
import { checkTogether } from '../nn/training.js'
import {
  type Options,
  type RunOptions,
  type Settings,
  integer,
  isCount,
  isIterable,
  iterable,
  oneOf,
  real,
  runOptions,
  settle,
  settleAlone,
  wrongOption,
} from '../options.js'
import { type VideoLatent, checkLatent } from '../patches/latent-patches.js'
import type { FrameInput } from '../patches/video-patches.js'
import type { Path } from '../path.js'
import { Turns } from '../turns.js'
import {
  COLOURS,
  Clip,
  type ClipInput,
  type Extent,
  bytesOf,
  clipsOf,
  differenceOf,
  framesOf,
} from './clips.js'
import { type ModelFile, NetworkModel, aboutOf, maybe, openModel } from './network-model.js'
import { learningOptionsWithout, networkTraining } from './training.js'
import type { VideoLayerOptions } from './video-layers.js'
import { type Coder, VideoParts } from './video-parts.js'
import {
  LINEAR,
  VALIDATED,
  begin,
  describe,
  drawn,
  extentOf,
  layersOf,
  shapeOf,
  windowsOf,
} from './video-training.js'

/** What decides the layers. */
const shapeOptions = {
  /** Pixels of a side that a vector of the latent space stands for: its rows and columns are so much fewer. */
  space: integer(8, { from: 1, to: 32 }, 'pixels of a side that a vector stands for'),
  /** Frames that a vector stands for, but for those of the first step, which stand for the first frame: 1 + k·time frames
   * become 1 + k steps. */
  time: integer(4, { from: 1, to: 32 }, 'frames that a vector stands for'),
  /** Values of a vector. 8 x 8 pixels of 4 frames are 768 numbers: with 16 the film is 48 times as large as its latent. */
  channels: integer(16, { from: 1, to: 4096 }, 'values of a vector'),
  /** Values at each place between film and latent. */
  hidden: integer(128, { from: 1, to: 65_536 }, 'values at each place between film and latent'),
  /** Blocks on each way: a convolution over 3 x 3 places of the last 3 steps, and a dense layer, beside what goes round both. */
  depth: integer(2, { from: 0, to: 64 }, 'blocks of layers on each way'),
}

/** Every option of `VideoAutoencoder.train`. */
export const videoAutoencoderOptions = {
  ...shapeOptions,
  /** Makes a variational autoencoder of it (Kingma and Welling 2014): a vector is a normal distribution, and its divergence
   * from the standard one counts so much beside the squared error [β]. `encode` gives its mean. Default: it is none. */
  divergence: real(undefined, { above: 0 }, 'what the divergence of a variational latent counts'),
  /** Rows and columns of the windows that it learns from. */
  crop: integer(64, { from: 1, to: 4096 }, 'rows and columns of the windows that it learns from'),
  /** Frames of these windows: 1 + k·time. Default: 1 + 4·time. */
  frames: integer(undefined, { from: 1, to: 4096 }, 'frames of the windows that it learns from'),
  /** Windows of an epoch, drawn anew for each. Default: as many as have the pixels of all films. */
  windows: integer(undefined, { from: 1 }, 'windows of an epoch'),
  ...learningOptionsWithout('shuffle'),
  /** The highest learning rate [lr]. */
  learningRate: real(0.001, { above: 0 }, 'the highest learning rate'),
  /** How it goes on: to zero along half a cosine or in a straight line, or multiplied by `stepFactor` after each `stepEvery`
   * of the training. */
  schedule: oneOf(['cosine', 'linear', 'constant', 'steps'], 'how the learning rate goes on'),
  /** Steps at the beginning over which it rises from nothing. */
  warmup: integer(50, { from: 0 }, 'steps over which the learning rate rises'),
  /** The longest that the gradient may be; a longer one is made as long as this. */
  clip: real(1, { above: 0 }, 'the longest that the gradient may be'),
  /** Windows of a batch. */
  batchSize: integer(4, { from: 1, to: 1_000_000 }, 'windows of a batch'),
  /** Films whose loss is worked out after each epoch, in at most 64 windows of them: the parameters of the epoch with the
   * lowest one are kept. */
  validation: iterable<Iterable<ClipInput> | AsyncIterable<ClipInput>>(
    'an iterable of films',
    'films whose loss is worked out after each epoch',
  ),
}

/** The options of `VideoAutoencoder.train`: see `videoAutoencoderOptions`. */
export type VideoAutoencoderOptions = Options<typeof videoAutoencoderOptions> & RunOptions

/** Where a film begins. */
const BEGINNING = { frame: 0, top: 0, left: 0 }

const codingOptions = { threads: runOptions.threads, signal: runOptions.signal }

/** The options of coding: threads, and what stops it. */
export type VideoCodingOptions = Options<typeof codingOptions>

/** How far films are from what is made of their latents. */
export interface VideoReconstruction {
  /** Of each film, its peak signal-to-noise ratio in decibels, 10·log₁₀(255² / mean squared difference of bytes). */
  readonly clips: readonly number[]
  /** Of all pixels of all films together. */
  readonly psnr: number
  /** Frames of all films. */
  readonly frames: number
}

/** What its file says of a model is what its layers are made of. */
const file: ModelFile<VideoLayerOptions> = {
  model: 'VideoAutoencoder',
  record: {
    space: shapeOptions.space,
    time: shapeOptions.time,
    channels: shapeOptions.channels,
    hidden: shapeOptions.hidden,
    divergence: maybe({
      expected: 'a number above 0',
      accepts: (given) => typeof given === 'number' && given > 0,
    }),
    // The last one, since layers are made of all of them.
    depth: {
      expected: 'the number of blocks, of which its layers are made',
      accepts: (given, { description: { layers, about } }) =>
        shapeOptions.depth.accepts(given) &&
        isDeepStrictEqual(layers, layersOf(about as VideoLayerOptions)),
    },
  },
}

/**
 * Films compressed to a latent space, in which a vector stands for some pixels of some frames, and back; learnt from films
 * without labels. The frames of a group become values of one place at once (as in LTX-Video, HaCohen et al. 2024,
 * arXiv:2501.00103), and a vector is what is linear in them and what layers see beyond that, of the places around and of those
 * before. What is linear is principal components, which are found at once and stay; the layers begin as nothing, and training
 * makes it better.
 *
 *     frames ─▶ groups of 4 x 8 x 8 pixels ─┬─▶ dense ───────────────────────────────────────┬─▶ + ─▶ latent
 *                                           └─▶ dense ─▶ [3-D causal convolution]* ─▶ dense ─┘
 *     frames ◀─ groups ◀─ + ◀─ the same two ways ◀─ latent
 *
 * No vector depends on later frames, and the first ones on the first frame only, of which they see a group: a picture is a
 * film (Yu et al. 2023, MAGVIT-v2, arXiv:2310.05737, section 3.2; Yang et al. 2024, CogVideoX, arXiv:2408.06072, section 2.1).
 *
 *     const model = await VideoAutoencoder.train([readVideo('a.mp4', { height: 128 }), 'b.gif'])
 *     const latent = await model.encode('c.mp4') // [1 + k, height / 8, width / 8, 16] of 1 + 4k frames
 *     for await (const { data, time } of model.decode(latent)) { ... }
 */
export class VideoAutoencoder extends NetworkModel {
  /** Pixels of a side that a vector stands for. */
  readonly space: number
  /** Frames that a vector stands for. */
  readonly time: number
  /** Values of a vector. */
  readonly channels: number
  readonly #parts: VideoParts

  private constructor(found: Network, about: VideoLayerOptions, history?: readonly Epoch[]) {
    super(found, history)
    const { space, time, channels } = about
    this.space = space
    this.time = time
    this.channels = channels
    this.#parts = new VideoParts(found, about)
  }

  /**
   * Trains on films, which are in memory as bytes while it does: `readVideo(path, { height: 128, rate: 12 })` keeps them small.
   * It learns from windows that are drawn from all places of all films. Same bytes for the same `seed`, whatever the number of
   * threads.
   *
   * @throws {InvalidOptionError} no films; frames of different sizes in one
   * @throws {InlayError} as `readVideo`; `INVALID_INPUT` there are no films, or one has no frame; `DIVERGED`
   */
  static async train(
    clips: Iterable<ClipInput> | AsyncIterable<ClipInput>,
    options: VideoAutoencoderOptions = {},
  ): Promise<VideoAutoencoder> {
    const who = 'VideoAutoencoder.train'
    const { settings, run } = settle(videoAutoencoderOptions, options, who)
    checkTogether(options, settings.schedule, who)
    const about = shapeOf(settings, who)
    const extent = extentOf(settings, who)
    using held = await clipsOf(clips, 'clips', run.signal, who)
    const { validation, batchSize, accumulate, epochs, schedule } = settings
    using judged = validation && (await clipsOf(validation, 'validation', run.signal, who))
    const shown = extent.reduce((product, axis) => product * axis, 1)
    const windows = settings.windows ?? Math.ceil(held.pixels / shown)
    const steps = epochs * Math.ceil(windows / (batchSize * accumulate))
    const source = { clips: held.all, extent, repeated: about.time - 1, signal: run.signal }
    using start = await begin(about, source, run)
    using trained = await start.train(
      (epoch) => drawn(source, windows, run.seed + epoch * 2 ** 32),
      {
        ...networkTraining(settings, options, run),
        freeze: [...LINEAR, ...(settings.freeze ?? [])],
        shuffle: false,
        // They are drawn at random as it is: no more than a step of them has to be there.
        shuffleBuffer: batchSize * accumulate,
        ...(schedule !== 'constant' && { steps }),
        ...(judged && { validation: { inputs: windowsOf({ ...source, clips: judged.all }) } }),
      },
    )
    const asked = { ...start.description, about: aboutOf(file, about) }
    const found = await trained.transfer(asked, { signal: run.signal })
    return new VideoAutoencoder(found, about, trained.history)
  }

  /**
   * The most bytes that a training with these options takes beside the films: see `estimateMemory`.
   *
   * @throws {InvalidOptionError}
   */
  static async estimateMemory(options: VideoAutoencoderOptions = {}): Promise<number> {
    const who = 'VideoAutoencoder.estimateMemory'
    const { settings, run } = settle(videoAutoencoderOptions, options, who)
    const { batchSize, accumulate, clip, optimizer, freeze, validation } = settings
    const kept = validation === undefined ? 0 : VALIDATED
    // Two blocks of a stream, each as large as a step.
    const examples = { examples: 2 * batchSize * accumulate + kept, validation: kept > 0 }
    const frozen = [...LINEAR, ...(freeze ?? [])]
    const learning = { batchSize, accumulate, clip, optimizer, freeze: frozen }
    const description = describe(shapeOf(settings, who), extentOf(settings, who))
    return estimateMemory(description, { ...examples, ...learning, ...run })
  }

  /**
   * Opens what `save` wrote.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no such model
   */
  static async open(path: Path, options: RunOptions = {}): Promise<VideoAutoencoder> {
    return openModel(file, path, options, (found, about) => new VideoAutoencoder(found, about))
  }

  /**
   * The latent of a film of any size and length: [1 + k, rows, columns, channels]. What does not fill its last vectors is filled
   * with its last frame and pixels. Of the frames only some are in memory at once; the latent is whole: see `stream`.
   *
   * @throws {InvalidOptionError} what is no film
   * @throws {InlayError} as `readVideo`; `INVALID_INPUT` a film without frames
   */
  async encode(clip: ClipInput, options: VideoCodingOptions = {}): Promise<Required<VideoLatent>> {
    const parts: Required<VideoLatent>[] = []
    for await (const part of this.#stream(clip, options, 'model.encode')) parts.push(part)
    const [{ shape, width, height }] = parts as [Required<VideoLatent>]
    const joined = new Float32Array(parts.reduce((sum, part) => sum + part.values.length, 0))
    let end = 0
    for (const part of parts) {
      joined.set(part.values, end)
      end += part.values.length
    }
    const times = parts.flatMap((part) => part.times)
    const steps = parts.reduce((sum, part) => sum + part.shape[0], 0)
    return { values: joined, shape: [steps, shape[1], shape[2], shape[3]], times, width, height }
  }

  /** The latent of a film, a piece after the other, as soon as its frames are there: for films that are longer than the memory.
   * Together they are what `encode` gives, bit for bit. Errors as for `encode`. */
  stream(clip: ClipInput, options: VideoCodingOptions = {}): AsyncGenerator<Required<VideoLatent>> {
    return this.#stream(clip, options, 'model.stream')
  }

  async *#stream(
    clip: ClipInput,
    options: VideoCodingOptions,
    who: string,
  ): AsyncGenerator<Required<VideoLatent>> {
    const run = settleAlone(codingOptions, options, who)
    const turns = new Turns(run.signal)
    const encoder = this.#parts.encoder(run)
    let held: Clip | undefined
    try {
      for await (const frame of framesOf(clip, 'clip', run.signal, who)) {
        held ??= new Clip('clip', frame)
        await held.push(frame, turns)
        const steps = encoder.wanted(held.width * held.height)
        if (held.times.length < steps * this.time + (encoder.begins ? 1 - this.time : 0)) continue
        yield await this.#piece(held, encoder, run)
      }
      if (!held) throw new InlayError('INVALID_INPUT', `${who}: the film has no frame`, {})
      if (held.times.length > 0) yield await this.#piece(held, encoder, run)
    } finally {
      held?.clear()
    }
  }

  /** The latent of frames, which are let go then. */
  async #piece(
    held: Clip,
    encoder: Coder,
    run: Settings<typeof codingOptions>,
  ): Promise<Required<VideoLatent>> {
    const { width, height } = held
    const times = [...held.times]
    const [rows, columns] = [Math.ceil(height / this.space), Math.ceil(width / this.space)]
    const repeated = encoder.begins ? this.time - 1 : 0
    const steps = Math.ceil((repeated + times.length) / this.time)
    const extent: Extent = [steps * this.time, rows * this.space, columns * this.space]
    const pixels = await held.window(BEGINNING, extent, repeated, run)
    held.clear()
    const found = await encoder.next(pixels, steps, rows, columns)
    return { values: found, shape: [steps, rows, columns, this.channels], times, width, height }
  }

  /**
   * The frames of a latent, or of the pieces that `stream` gives, one after the other; nothing in it is random. A frame depends
   * on its own vectors and those before them. Only some frames are in memory at once.
   *
   *     for await (const { data, width, height, time } of model.decode(model.stream('long.mp4'))) { ... }
   *
   * @throws {InvalidOptionError} a latent of other channels; pieces of different sizes
   */
  async *decode(
    latent: VideoLatent | Iterable<VideoLatent> | AsyncIterable<VideoLatent>,
    options: VideoCodingOptions = {},
  ): AsyncGenerator<VideoFrame> {
    const who = 'model.decode'
    const run = settleAlone(codingOptions, options, who)
    const decoder = this.#parts.decoder(run)
    let [shown, size]: [number, string | undefined] = [0, undefined]
    for await (const given of isIterable(latent) ? latent : [latent]) {
      const {
        shape,
        values: all,
        times,
        ...sides
      } = checkLatent(given, this.channels, 'latent', who)
      const [steps, rows, columns] = shape
      const { width, height } = this.#sizeOf(sides, rows, columns, who)
      const told = `${width} x ${height}`
      if (told !== (size ??= told)) throw wrongOption('latent', `pieces of ${size}`, told, who)
      const place = rows * columns * this.channels
      const frame = rows * columns * this.space ** 2 * COLOURS
      const first = shown
      const isWanted = () => times === undefined || shown - first < times.length
      for (let at = 0, some = 0; at < steps && isWanted(); at += some) {
        some = decoder.wanted(frame / COLOURS)
        // Of the first group the last frame is the first one.
        const before = decoder.begins ? this.time - 1 : 0
        const part = all.subarray(at * place, (at + some) * place)
        const found = await decoder.next(part, part.length / place, rows, columns)
        const left = times && (first + times.length - shown) * frame
        const own = found.subarray(before * frame, left && before * frame + left)
        const decoded = [rows * this.space, columns * this.space] as const
        for (const data of await bytesOf(own, decoded, { width, height }, run)) {
          const time = times?.[shown - first] ?? shown
          shown += 1
          yield { data, width, height, channels: COLOURS, time }
        }
      }
    }
  }

  /** Pixels of the frames of a latent. */
  #sizeOf(
    { width, height }: Pick<VideoLatent, 'width' | 'height'>,
    rows: number,
    columns: number,
    who: string,
  ): { width: number; height: number } {
    const side = (name: string, given: number | undefined, places: number) => {
      const most = places * this.space
      const isSide = given === undefined || (isCount(given) && given > most - this.space)
      if (isSide && (given ?? most) <= most) return given ?? most
      throw wrongOption(`latent.${name}`, `of ${places} places of ${this.space} pixels`, given, who)
    }
    return { width: side('width', width, columns), height: side('height', height, rows) }
  }

  /**
   * How far films are from what is made of their latents. Of the frames only some are in memory at once.
   *
   * @throws {InvalidOptionError} what is no film
   * @throws {InlayError} as `readVideo`; `INVALID_INPUT` there are no films, or one has no frame
   */
  async evaluate(
    clips: Iterable<ClipInput> | AsyncIterable<ClipInput>,
    options: VideoCodingOptions = {},
  ): Promise<VideoReconstruction> {
    const who = 'model.evaluate'
    const { signal } = settleAlone(codingOptions, options, who)
    if (!isIterable(clips)) throw wrongOption('clips', 'an iterable of films', clips, who)
    const found: { error: number; values: number; frames: number }[] = []
    for await (const clip of clips) {
      found.push(await this.#differenceOf(clip, `clips[${found.length}]`, options, signal, who))
    }
    if (found.length === 0) throw new InlayError('INVALID_INPUT', `${who}: there are no films`, {})
    const total = (of: 'error' | 'values' | 'frames') =>
      found.reduce((sum, own) => sum + own[of], 0)
    return {
      clips: found.map(({ error, values: count }) => decibels(error / count)),
      psnr: decibels(total('error') / total('values')),
      frames: total('frames'),
    }
  }

  /** The sum of squared differences of bytes, and of how many. */
  async #differenceOf(
    clip: ClipInput,
    name: string,
    options: VideoCodingOptions,
    signal: AbortSignal | undefined,
    who: string,
  ): Promise<{ error: number; values: number; frames: number }> {
    // Those that went in and have not come back.
    const waiting: FrameInput[] = []
    const frames = framesOf(clip, name, signal, who)
    async function* noted() {
      for await (const frame of frames) {
        waiting.push(frame)
        yield frame
      }
    }
    const turns = new Turns(signal)
    const sums = { error: 0, values: 0, frames: 0 }
    for await (const { data } of this.decode(this.#stream(noted(), options, who), options)) {
      sums.error += await differenceOf(data, waiting.shift()!, turns)
      sums.values += data.length
      sums.frames += 1
    }
    return sums
  }

  override close(): void {
    super.close()
    this.#parts.close()
  }
}

function decibels(meanSquare: number): number {
  return 10 * Math.log10(255 ** 2 / meanSquare)
}
