// The two ways of a video autoencoder, through which a film of any size goes a piece at a time.
import { network, values } from '../nn/description.js'
import type { Network } from '../nn/network.js'
import type { RunOptions } from '../options.js'
import { COLOURS } from './clips.js'
import { type VideoLayerOptions, decoderLayers, encoderLayers, lookback } from './video-layers.js'

/** Values of frames that go through the layers together, where the steps that one depends on are no more. */
const TOGETHER = 1 << 22
/** Steps of time that come at once at most. */
const MOST_STEPS = 32
/** Networks that are kept: for films of a few sizes both ways, for whole pieces and for what is left at the end. */
const KEPT = 8

type Run = Pick<RunOptions, 'threads' | 'signal'>

/** Frames to vectors, or vectors to frames, of a film that comes in pieces. */
export interface Coder {
  /** Whether nothing has gone through yet. */
  readonly begins: boolean
  /** Steps that had best come next, of frames of so many pixels: at first more, so that all pieces are as long with what
   * they look back on. */
  wanted(pixels: number): number
  /** What comes of so many steps of time that follow those before. */
  next(given: Float32Array, steps: number, rows: number, columns: number): Promise<Float32Array>
}

/** The two ways, for films of any size. */
export class VideoParts {
  readonly #whole: Network
  readonly #about: VideoLayerOptions
  readonly #networks = new Map<string, Promise<Network>>()

  constructor(whole: Network, about: VideoLayerOptions) {
    this.#whole = whole
    this.#about = about
  }

  /** From frames, whole groups of them, to vectors. */
  encoder(run: Run): Coder {
    const { space, time } = this.#about
    const shapeOf = (steps: number, rows: number, columns: number) => [
      steps * time,
      rows * space,
      columns * space,
      COLOURS,
    ]
    return this.#coder('encoder', shapeOf, run)
  }

  /** From vectors to frames, whole groups of them. */
  decoder(run: Run): Coder {
    const { channels } = this.#about
    const shapeOf = (...extent: number[]) => [...extent, channels]
    return this.#coder('decoder', shapeOf, run)
  }

  /** Layers that look back see the steps again that the next ones depend on: of what those give, nothing is new. */
  #coder(
    way: 'encoder' | 'decoder',
    shapeOf: (steps: number, rows: number, columns: number) => number[],
    run: Run,
  ): Coder {
    const needed = lookback(this.#about)
    let [kept, before, begins] = [new Float32Array(0), 0, true]
    const wanted = (pixels: number): number => {
      const fit = Math.floor(TOGETHER / (pixels * COLOURS * this.#about.time)) - needed
      return Math.min(MOST_STEPS, Math.max(1, fit)) + (begins ? needed : 0)
    }
    const next = async (
      given: Float32Array,
      steps: number,
      rows: number,
      columns: number,
    ): Promise<Float32Array> => {
      const seen = new Float32Array(kept.length + given.length)
      seen.set(kept)
      seen.set(given, kept.length)
      const all = before + steps
      const found = await this.#run(way, seen, shapeOf(all, rows, columns), run)
      const fresh = found.subarray((found.length / all) * before)
      before = Math.min(all, needed)
      kept = seen.slice((seen.length / all) * (all - before))
      begins = false
      return fresh
    }
    return {
      get begins() {
        return begins
      },
      wanted,
      next,
    }
  }

  async #run(
    way: 'encoder' | 'decoder',
    given: Float32Array,
    shape: readonly number[],
    run: Run,
  ): Promise<Float32Array> {
    const key = [way, ...shape].join()
    const layersOf = way === 'encoder' ? encoderLayers : decoderLayers
    const describe = () => network({ input: values({ shape }), layers: layersOf(this.#about) })
    const found = this.#networks.get(key) ?? this.#whole.transfer(describe())
    // The one that was asked for last is at the end.
    this.#networks.delete(key)
    this.#networks.set(key, found)
    for (const [oldest] of this.#networks) {
      if (this.#networks.size <= KEPT) break
      // Others may be at work in it: it is let go with the garbage.
      this.#networks.delete(oldest)
    }
    return (await (await found).encode(given, run)).values
  }

  close(): void {
    for (const found of this.#networks.values()) void found.then((one) => one.close())
    this.#networks.clear()
  }
}
