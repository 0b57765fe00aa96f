// Films <-> patches of space and time.
import { type CutSpec, type CutTokens, SlabHandle, cutSlab, restorePixels } from '../native.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  isIterable,
  settle,
  settleAlone,
  wrongOption,
} from '../options.js'
import type { RawImage } from '../pictures/prepare-pictures.js'
import { run } from '../run.js'
import { Turns } from '../turns.js'
import {
  coveredOf,
  extentsOf,
  sides,
  partsOf,
  pixelOptions,
  pixelSpec,
  pushPixels,
  sizeAndStride,
  widthOf,
} from './cut.js'
import { checkRaw } from './raw-image.js'
import { type TokenInput, type TokenParts, Tokens, joined, pushValues } from './tokens.js'

export { pushPixels } from './cut.js'

/** A frame of a film: its pixels, and its time in seconds. */
export interface FrameInput extends RawImage {
  readonly time: number
}

/** The frames of a film, all of one size, which are here or come one by one. */
export type FilmInput = Iterable<FrameInput> | AsyncIterable<FrameInput>

const expected = 'a number, or frames, height and width'

/** Every option of `VideoPatches`. */
export const videoPatchesOptions = {
  /** Frames, height and width of a patch, or one number for all. It must be given. */
  size: sides(3, expected, 'frames, height and width of a patch'),
  /** From one patch to the next, at most `size`: with less, patches overlap. Default: `size`. */
  stride: sides(3, expected, 'from one patch to the next'),
  ...pixelOptions,
}

/** The options of `VideoPatches`: see `videoPatchesOptions`. */
export type VideoPatchesOptions = Options<typeof videoPatchesOptions>

/**
 * Films of any size and length as patches of space and time (tubelets: Arnab et al. 2021, arXiv:2103.15691), and back.
 *
 *     const cut = new VideoPatches({ size: [2, 16, 16] })
 *     const tokens = await cut.tokens([readVideo('clip.mp4')])
 *     for await (const slab of cut.stream(readVideo('long.mp4'))) await network.encode(slab)
 */
export class VideoPatches {
  /** Values of a patch: frames · height · width · channels, of each frame its rows, of each row its pixels. */
  readonly width: number
  readonly #spec: CutSpec

  /** @throws {InvalidOptionError} */
  constructor(options: VideoPatchesOptions) {
    const who = 'VideoPatches'
    const settings = settleAlone(videoPatchesOptions, options, who)
    const { size, stride } = sizeAndStride(settings, 3, expected, who)
    this.#spec = { size, stride, ...pixelSpec(settings, who) }
    this.width = widthOf(this.#spec)
    Object.freeze(this)
  }

  /**
   * The patches of films; values as `ImagePatches` gives them. Positions are time, row and column, counted in patches. Of the
   * frames only those of one patch are in memory at once.
   *
   * @throws {InvalidOptionError} a film is no iterable of frames; frames of different sizes
   * @throws {InlayError} `INVALID_INPUT` a film without frames, or one that does not fit the patches as `edge` wants it
   */
  async tokens(
    films: Iterable<FilmInput> | AsyncIterable<FilmInput>,
    options: RunOptions = {},
  ): Promise<Tokens> {
    const who = 'videoPatches.tokens'
    const settings = settle({}, options, who).run
    if (!isIterable(films)) throw wrongOption('films', 'an iterable of films', films, who)
    const parts: TokenParts[] = []
    const inputs: TokenInput[] = []
    for await (const film of films) {
      const name = `films[${inputs.length}]`
      const slabs: TokenParts[] = []
      for await (const slab of this.#slabs(film, name, settings, who)) slabs.push(slab)
      inputs.push(
        whole(
          slabs.map((slab) => slab.inputs[0]!),
          this.#spec,
        ),
      )
      parts.push(...slabs)
    }
    const all = await joined(parts, this.width, new Turns(settings.signal))
    return new Tokens({ ...all, inputs })
  }

  /**
   * The patches of a film, those of one place in time after the other, as soon as its frames are there: for films that are
   * longer than the memory. Errors as for `tokens`.
   */
  async *stream(film: FilmInput, options: RunOptions = {}): AsyncGenerator<Tokens> {
    const who = 'videoPatches.stream'
    const settings = settle({}, options, who).run
    for await (const slab of this.#slabs(film, 'film', settings, who)) yield new Tokens(slab)
  }

  async *#slabs(
    film: FilmInput,
    name: string,
    settings: RunSettings,
    who: string,
  ): AsyncGenerator<TokenParts> {
    const [deep, step] = [this.#spec.size[0]!, this.#spec.stride[0]!]
    const turns = new Turns(settings.signal)
    let slab: SlabHandle | undefined
    let [times, frames, place]: [number[], number, number] = [[], 0, 0]
    const cut = async () => {
      const at = place++
      const handle = (slab ??= new SlabHandle(name, 0, 0, 1))
      const found = await run<CutTokens>(who, settings, (spec, events) =>
        cutSlab(handle, at, this.#spec, spec, events),
      )
      const own = Object.freeze(times.slice(0, deep))
      return partsOf(found, this.width, 'video', () => ({ times: own }))
    }
    for await (const frame of checkedFrames(film, name, who)) {
      frames += 1
      slab ??= new SlabHandle(name, frame.width, frame.height, this.#spec.channels)
      times.push(frame.time)
      await pushPixels(slab, frame, turns)
      if (times.length === deep) {
        yield await cut()
        times = times.slice(step)
      }
    }
    // What no patch has seen yet.
    const left = times.length > (place === 0 ? 0 : deep - step)
    if (frames === 0 || (left && (this.#spec.edge !== 'drop' || place === 0))) yield await cut()
  }

  /**
   * The films that were cut, frame by frame and bit for bit; see `ImagePatches.restore`.
   *
   * @throws {InvalidOptionError} tokens of another width or of what is no film
   */
  async restore(tokens: Tokens, options: RunOptions = {}): Promise<FrameInput[][]> {
    const who = 'videoPatches.restore'
    const settings = settle({}, options, who).run
    const extents = extentsOf(tokens, this.#spec, 'video', who)
    const values = await pushValues([tokens.values], settings.signal)
    const all = await run<Uint8Array[]>(who, settings, (spec, events) =>
      restorePixels(values, extents, this.#spec, spec, events),
    )
    const channels = this.#spec.channels as 1 | 3 | 4
    let next = 0
    return tokens.inputs.map(({ extent, times }) => {
      const [frames, height, width] = coveredOf(extent!, this.#spec)
      return all
        .slice(next, (next += frames))
        .map((data, at) => ({ data, width, height, channels, time: times?.[at] ?? at }))
    })
  }
}

/** The frames of a film, once each of them was looked at.
 *
 * @throws {InvalidOptionError} what is no film; frames of different sizes
 * @internal */
export async function* checkedFrames(
  film: FilmInput,
  name: string,
  who: string,
): AsyncGenerator<FrameInput> {
  if (!isIterable(film)) throw wrongOption(name, 'an iterable of frames', film, who)
  let first: RawImage | undefined
  let frames = 0
  for await (const frame of film) {
    const at = `${name}[${frames++}]`
    const raw = checkRaw(frame, at, '', who)
    if (!Number.isFinite(frame.time)) throw wrongOption(`${at}.time`, 'seconds', frame.time, who)
    first ??= raw
    checkAlike(raw, first, at, who)
    yield { ...raw, time: frame.time }
  }
}

function checkAlike(raw: RawImage, first: RawImage, name: string, who: string): void {
  const told = ({ width, height, channels }: RawImage) => `${width} x ${height} x ${channels}`
  if (told(raw) !== told(first)) {
    throw wrongOption(name, `of ${told(first)}, as the first frame`, told(raw), who)
  }
}

/** A film of the places in time that it was cut to. */
function whole(slabs: readonly TokenInput[], { size, stride }: CutSpec): TokenInput {
  const last = slabs.at(-1)!
  const [, rows, columns] = last.extent!
  const step = Math.min(stride[0]!, size[0]!)
  const times = slabs.flatMap((slab, at) =>
    at < slabs.length - 1 ? slab.times!.slice(0, step) : [...slab.times!],
  )
  return Object.freeze({
    modality: 'video',
    length: slabs.reduce((sum, { length }) => sum + length, 0),
    extent: [times.length, rows, columns] as const,
    times: Object.freeze(times),
  })
}
