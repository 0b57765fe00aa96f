// Films as models take them: frames of red, green and blue on a scale from -1 to 1.
import { InlayError } from '../errors.js'
import { readVideo } from '../media/read-video.js'
import {
  type CutSpec,
  SlabHandle,
  cutWindow,
  restorePixels,
  squaredDifferenceOf,
} from '../native.js'
import { type RunOptions, type RunSettings, isIterable, wrongOption } from '../options.js'
import { inTurns, pushValues } from '../patches/tokens.js'
import {
  type FilmInput,
  type FrameInput,
  checkedFrames,
  pushPixels,
} from '../patches/video-patches.js'
import type { Path } from '../path.js'
import type { RawImage } from '../pictures/prepare-pictures.js'
import type { Draw } from '../random-numbers.js'
import { run } from '../run.js'
import { Turns } from '../turns.js'

/** A film: a file by its name or its bytes, which `readVideo` reads, or its frames, what `readVideo` gives among them. */
export type ClipInput = Path | Uint8Array | FilmInput

/** Who the errors of cutting are from. */
const WHO = 'VideoAutoencoder'
/** Pixels that are compared at once. */
const COMPARED = 1 << 17

/** Values of a pixel: red, green and blue. */
export const COLOURS = 3

/** Where a window of a film begins. */
export interface Corner {
  readonly frame: number
  readonly top: number
  readonly left: number
}

/** Threads, and what stops them. */
type Run = Pick<RunOptions, 'threads' | 'signal'>

/** Frames, rows and columns. */
export type Extent = readonly [frames: number, rows: number, columns: number]

function settled({ threads, signal }: Run): RunSettings {
  return { threads, signal, seed: 0, onProgress: undefined }
}

/** How bytes come onto the scale and back. What lies behind a film's ends is as its last pixels. */
function specOf(size: Extent): CutSpec {
  const half = Array<number>(COLOURS).fill(0.5)
  const axes = [...size]
  return {
    size: axes,
    stride: axes,
    channels: COLOURS,
    mean: half,
    deviation: half,
    edge: 'repeat',
  }
}

/** Frames of a film that are in memory. */
export class Clip {
  readonly width: number
  readonly height: number
  /** When each of them is shown, in seconds. */
  readonly times: number[] = []
  readonly #slab: SlabHandle

  /** With room for frames like this one. */
  constructor(name: string, { width, height }: RawImage) {
    this.width = width
    this.height = height
    this.#slab = new SlabHandle(name, width, height, COLOURS)
  }

  /** Pixels of all frames. */
  get pixels(): number {
    return this.times.length * this.width * this.height
  }

  async push(frame: FrameInput, turns: Turns): Promise<void> {
    await pushPixels(this.#slab, frame, turns)
    this.times.push(frame.time)
  }

  /** A window on the scale: [frames, rows, columns, 3]. Its first frame stands there so many times more. */
  window(corner: Corner, extent: Extent, repeated: number, settings: Run): Promise<Float32Array> {
    const { frame, top, left } = corner
    const begin = Uint32Array.of(frame, top, left)
    return run<Float32Array>(WHO, settled(settings), (spec, events) =>
      cutWindow(this.#slab, begin, repeated, specOf(extent), spec, events),
    )
  }

  /** Lets all frames go. */
  clear(): void {
    this.#slab.clear()
    this.times.length = 0
  }
}

/** Films in memory, until they are closed. */
export class Clips implements Disposable {
  constructor(readonly all: readonly Clip[]) {}

  /** Pixels of all films. */
  get pixels(): number {
    return this.all.reduce((sum, clip) => sum + clip.pixels, 0)
  }

  [Symbol.dispose](): void {
    for (const clip of this.all) clip.clear()
  }
}

/** The frames of a film, one at a time, all of one size.
 *
 * @throws {InvalidOptionError} what is no film
 * @throws {InlayError} as `readVideo`
 */
export function framesOf(
  clip: ClipInput,
  name: string,
  signal: AbortSignal | undefined,
  who: string,
): AsyncGenerator<FrameInput> {
  const isFile = typeof clip === 'string' || clip instanceof URL || clip instanceof Uint8Array
  return checkedFrames(isFile ? readVideo(clip, { signal }) : clip, name, who)
}

/** Films, in memory.
 *
 * @throws {InlayError} `INVALID_INPUT` there is none, or one without frames
 */
export async function clipsOf(
  clips: Iterable<ClipInput> | AsyncIterable<ClipInput>,
  option: string,
  signal: AbortSignal | undefined,
  who: string,
): Promise<Clips> {
  if (!isIterable(clips)) throw wrongOption(option, 'an iterable of films', clips, who)
  const turns = new Turns(signal)
  const held: Clip[] = []
  for await (const film of clips) {
    const name = `${option}[${held.length}]`
    let clip: Clip | undefined
    for await (const frame of framesOf(film, name, signal, who)) {
      clip ??= new Clip(name, frame)
      await clip.push(frame, turns)
    }
    if (!clip) throw new InlayError('INVALID_INPUT', `${who}: ${name} has no frame`, {})
    held.push(clip)
  }
  if (held.length === 0) throw new InlayError('INVALID_INPUT', `${who}: there are no films`, {})
  return new Clips(held)
}

/** A place for a window, drawn at random: any pixel is as likely as any other, but for those near the ends. */
export function drawnPlace(
  clips: readonly Clip[],
  [count, rows, columns]: Extent,
  draw: Draw,
): [Clip, Corner] {
  const pixels = clips.map((clip) => clip.pixels)
  let left = draw() * pixels.reduce((sum, own) => sum + own, 0)
  let at = 0
  while (at < clips.length - 1 && left >= pixels[at]!) left -= pixels[at++]!
  const clip = clips[at]!
  const along = (length: number, window: number) =>
    Math.floor(draw() * (Math.max(0, length - window) + 1))
  const frame = along(clip.times.length, count)
  return [clip, { frame, top: along(clip.height, rows), left: along(clip.width, columns) }]
}

/** Windows of films side by side, no more than so many, evenly taken from all. */
export function placesOf(
  clips: readonly Clip[],
  [count, rows, columns]: Extent,
  most: number,
): [Clip, Corner][] {
  const starts = (length: number, window: number) =>
    Array.from({ length: Math.max(1, Math.floor(length / window)) }, (_, at) => at * window)
  const all = clips.flatMap((clip) =>
    starts(clip.times.length, count).flatMap((frame) =>
      starts(clip.height, rows).flatMap((top) =>
        starts(clip.width, columns).map((left): [Clip, Corner] => [clip, { frame, top, left }]),
      ),
    ),
  )
  if (all.length <= most) return all
  return Array.from({ length: most }, (_, at) => all[Math.floor((at * all.length) / most)]!)
}

/** Frames that are on the scale, [frames, rows, columns, 3], as bytes: rounded, no further than from 0 to 255, and of each
 * frame so many rows and columns. */
export async function bytesOf(
  values: Float32Array,
  [rows, columns]: readonly [rows: number, columns: number],
  { width, height }: { readonly width: number; readonly height: number },
  settings: Run,
): Promise<Uint8Array[]> {
  const frames = values.length / (rows * columns * COLOURS)
  const pixels = await pushValues([values], settings.signal)
  const extent = Uint32Array.of(frames, height, width)
  return run<Uint8Array[]>(WHO, settled(settings), (spec, events) =>
    restorePixels(pixels, extent, specOf([1, rows, columns]), spec, events),
  )
}

/** The sum of squared differences between pixels of red, green and blue and a frame of any channels. */
export async function differenceOf(
  pixels: Uint8Array,
  { data, channels }: RawImage,
  turns: Turns,
): Promise<number> {
  const others = new Uint8Array(data.buffer, data.byteOffset, data.length)
  let sum = 0
  await inTurns(pixels, COMPARED * COLOURS, turns, (some, from) => {
    const first = from / COLOURS
    sum += squaredDifferenceOf(
      some,
      others.subarray(first * channels, (first + COMPARED) * channels),
      channels,
    )
  })
  return sum
}
