// Films in a latent space <-> patches of space and time.
import { type CutSpec, type CutTokens, cutNumbers, restoreNumbers } from '../native.js'
import {
  type Options,
  type RunOptions,
  integer,
  isCount,
  settle,
  settleAlone,
  wrongOption,
} from '../options.js'
import { run } from '../run.js'
import { Turns } from '../turns.js'
import { coveredOf, edgeOption, extentsOf, partsOf, sides, sizeAndStride, widthOf } from './cut.js'
import { Tokens, inOne, pushValues } from './tokens.js'

/** A film in a latent space: a vector for each place in time and space, as `VideoAutoencoder` makes them. */
export interface VideoLatent {
  /** [times, rows, columns, channels] */
  readonly values: Float32Array
  readonly shape: readonly [times: number, rows: number, columns: number, channels: number]
  /** When each frame that it stands for is shown, in seconds. Default: as many frames as it can stand for, one a second. */
  readonly times?: readonly number[]
  /** Pixels of a row of a frame. Default: as many as it can stand for. */
  readonly width?: number
  /** Rows of a frame. */
  readonly height?: number
}

const expected = 'a number, or times, rows and columns'

/** Every option of `LatentPatches`. */
export const latentPatchesOptions = {
  /** Times, rows and columns of a patch, or one number for all. It must be given. */
  size: sides(3, expected, 'times, rows and columns of a patch'),
  /** From one patch to the next, at most `size`: with less, patches overlap. Default: `size`. */
  stride: sides(3, expected, 'from one patch to the next'),
  /** Values of a vector of the latent space. It must be given. */
  channels: integer(undefined, { from: 1, to: 65_536 }, 'values of a vector of the latent space'),
  ...edgeOption,
}

/** The options of `LatentPatches`: see `latentPatchesOptions`. */
export type LatentPatchesOptions = Options<typeof latentPatchesOptions>

/**
 * Films in a latent space as patches of space and time, and back: what a Transformer over compressed films takes (Peebles and
 * Xie 2022, arXiv:2212.09748, section 3.2; of films: Brooks et al. 2024, "Video generation models as world simulators").
 *
 *     const cut = new LatentPatches({ size: [1, 2, 2], channels: model.channels })
 *     const tokens = await cut.tokens([await model.encode('clip.mp4')])
 *     const [latent] = await cut.restore(tokens)
 */
export class LatentPatches {
  /** Values of a patch: times · rows · columns · channels. */
  readonly width: number
  readonly #spec: CutSpec

  /** @throws {InvalidOptionError} */
  constructor(options: LatentPatchesOptions) {
    const who = 'LatentPatches'
    const settings = settleAlone(latentPatchesOptions, options, who)
    const { channels, edge } = settings
    if (channels === undefined) {
      throw wrongOption('channels', latentPatchesOptions.channels.expected, channels, who)
    }
    const { size, stride } = sizeAndStride(settings, 3, expected, who)
    this.#spec = { size, stride, channels, edge, mean: [], deviation: [] }
    this.width = widthOf(this.#spec)
    Object.freeze(this)
  }

  /**
   * The patches of latents, their values as they are. Positions are time, row and column, counted in patches.
   *
   * @throws {InvalidOptionError} a latent of other channels
   * @throws {InlayError} `INVALID_INPUT` a latent that does not fit the patches as `edge` wants it; `OUT_OF_MEMORY`
   */
  async tokens(latents: readonly VideoLatent[], options: RunOptions = {}): Promise<Tokens> {
    const who = 'latentPatches.tokens'
    const settings = settle({}, options, who).run
    if (!Array.isArray(latents)) throw wrongOption('latents', 'an array of latents', latents, who)
    const given = (latents as readonly VideoLatent[]).map((latent, at) =>
      checkLatent(latent, this.#spec.channels, `latents[${at}]`, who),
    )
    const extents = Uint32Array.from(given.flatMap(({ shape }) => shape.slice(0, 3)))
    const values = await pushValues(
      given.map((latent) => latent.values),
      settings.signal,
    )
    const found = await run<CutTokens>(who, settings, (spec, events) =>
      cutNumbers(values, extents, this.#spec, spec, events),
    )
    const timesOf = (at: number) => {
      const { times } = given[at]!
      return times ? { times: Object.freeze([...times]) } : {}
    }
    return new Tokens(partsOf(found, this.width, 'video', timesOf))
  }

  /**
   * The latents that were cut, bit for bit, with the times of their frames, for frames of all the pixels that they can stand
   * for: `{ ...before, ...restored }` has the size of `before`. Where patches overlap, a value is the mean of what they say.
   *
   * @throws {InvalidOptionError} tokens of another width or of what is no film
   */
  async restore(tokens: Tokens, options: RunOptions = {}): Promise<VideoLatent[]> {
    const who = 'latentPatches.restore'
    const settings = settle({}, options, who).run
    const extents = extentsOf(tokens, this.#spec, 'video', who)
    const values = await pushValues([tokens.values], settings.signal)
    const all = await run<Float32Array[]>(who, settings, (spec, events) =>
      restoreNumbers(values, extents, this.#spec, spec, events),
    )
    const turns = new Turns(settings.signal)
    const latents: VideoLatent[] = []
    for (const { extent, times } of tokens.inputs) {
      const [deep, rows, columns] = coveredOf(extent!, this.#spec)
      const own = all.splice(0, deep)
      latents.push({
        values: await inOne(own, (length) => new Float32Array(length), turns),
        shape: [deep, rows, columns, this.#spec.channels],
        ...(times && { times }),
      })
    }
    return latents
  }
}

/** A latent of so many channels.
 *
 * @throws {InvalidOptionError}
 * @internal */
export function checkLatent(
  given: unknown,
  channels: number,
  name: string,
  who: string,
): VideoLatent {
  const { values, shape } = (given ?? {}) as Partial<VideoLatent>
  const isShape = Array.isArray(shape) && shape.length === 4 && shape.every(isCount)
  if (!isShape || shape[3] !== channels) {
    const wanted = `a latent of \`shape\` [times, rows, columns, ${channels}]`
    throw wrongOption(name, wanted, shape ?? given, who)
  }
  const size = shape.reduce((product, axis) => product * axis, 1)
  if (!(values instanceof Float32Array) || values.length !== size) {
    throw wrongOption(`${name}.values`, `a Float32Array of ${size} numbers`, values, who)
  }
  return given as VideoLatent
}
