// Films as models take them: frames of red, green and blue on a scale from -1 to 1.
import { InlayError } from '../errors.js'
import { readVideo } from '../media/read-video.js'
import { isIterable, wrongOption } from '../options.js'
import { type FilmInput, type FrameInput, checkedFrames } from '../patches/video-patches.js'
import type { Path } from '../path.js'
import type { Draw } from '../random-numbers.js'
import { Turns } from '../turns.js'

/** A film: a file by its name or its bytes, which `readVideo` reads, or its frames, what `readVideo` gives among them. */
export type ClipInput = Path | Uint8Array | FilmInput

/** Values of a pixel: red, green and blue. */
export const COLOURS = 3

/** A frame: its pixels, and when it is shown. */
export interface ClipFrame {
  /** [height, width, 3] */
  readonly pixels: Uint8Array
  readonly time: number
  readonly width: number
  readonly height: number
}

/** A film that is in memory. */
export interface Clip {
  /** At least one. */
  readonly frames: readonly ClipFrame[]
  readonly width: number
  readonly height: number
}

/** Where a window of a film begins. */
export interface Corner {
  readonly frame: number
  readonly top: number
  readonly left: number
}

/** Frames, rows and columns. */
export type Extent = readonly [frames: number, rows: number, columns: number]

/** What a byte is on the scale. */
const SCALE = Float32Array.from({ length: 256 }, (_, byte) => byte / 127.5 - 1)

/** The frames of a film, one at a time, all of one size.
 *
 * @throws {InvalidOptionError} what is no film
 * @throws {InlayError} as `readVideo`
 */
export async function* framesOf(
  clip: ClipInput,
  name: string,
  signal: AbortSignal | undefined,
  who: string,
): AsyncGenerator<ClipFrame> {
  const isFile = typeof clip === 'string' || clip instanceof URL || clip instanceof Uint8Array
  const film = isFile ? readVideo(clip, { signal }) : clip
  const turns = new Turns(signal)
  for await (const frame of checkedFrames(film, name, who)) {
    const { time, width, height } = frame
    yield { pixels: await coloured(frame, turns), time, width, height }
  }
}

/** Grey as three like it; without transparency. */
async function coloured({ data, channels }: FrameInput, turns: Turns): Promise<Uint8Array> {
  if (channels === COLOURS) return new Uint8Array(data.buffer, data.byteOffset, data.length)
  const pixels = new Uint8Array((data.length / channels) * COLOURS)
  for (let from = 0, to = 0; from < data.length; from += channels, to += COLOURS) {
    for (let colour = 0; colour < COLOURS; colour++) {
      pixels[to + colour] = data[channels === 1 ? from : from + colour]!
    }
    if (turns.isOver(COLOURS)) await turns.next()
  }
  return pixels
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
): Promise<Clip[]> {
  if (!isIterable(clips)) throw wrongOption(option, 'an iterable of films', clips, who)
  const held: Clip[] = []
  for await (const clip of clips) {
    const name = `${option}[${held.length}]`
    const frames: ClipFrame[] = []
    for await (const frame of framesOf(clip, name, signal, who)) frames.push(frame)
    const [first] = frames
    if (!first) throw new InlayError('INVALID_INPUT', `${who}: ${name} has no frame`, {})
    held.push({ frames, width: first.width, height: first.height })
  }
  if (held.length === 0) throw new InlayError('INVALID_INPUT', `${who}: there are no films`, {})
  return held
}

/** A window of a film on the scale: [frames, rows, columns, 3]. Its first frame stands there so many times more. What lies
 * behind the film's ends is as its last pixels. */
export async function windowOf(
  { frames, width, height }: Clip,
  { frame: first, top, left }: Corner,
  [count, rows, columns]: Extent,
  repeated: number,
  turns: Turns,
): Promise<Float32Array> {
  const window = new Float32Array(count * rows * columns * COLOURS)
  let to = 0
  for (let number = 0; number < count; number++) {
    const at = first + Math.max(0, number - repeated)
    const { pixels } = frames[Math.min(at, frames.length - 1)]!
    for (let row = top; row < top + rows; row++) {
      const line = Math.min(row, height - 1) * width
      const inside = Math.min(columns, width - left)
      const from = (line + left) * COLOURS
      for (let i = 0; i < inside * COLOURS; i++) window[to++] = SCALE[pixels[from + i]!]!
      for (let i = inside * COLOURS; i < columns * COLOURS; i++, to++) {
        window[to] = window[to - COLOURS]!
      }
      if (turns.isOver(columns * COLOURS)) await turns.next()
    }
  }
  return window
}

/** A place for a window, drawn at random: any pixel is as likely as any other, but for those near the ends. */
export function drawnPlace(
  clips: readonly Clip[],
  [count, rows, columns]: Extent,
  draw: Draw,
): [Clip, Corner] {
  const pixels = clips.map(pixelsOf)
  let left = draw() * pixels.reduce((sum, own) => sum + own, 0)
  let at = 0
  while (at < clips.length - 1 && left >= pixels[at]!) left -= pixels[at++]!
  const clip = clips[at]!
  const along = (length: number, window: number) =>
    Math.floor(draw() * (Math.max(0, length - window) + 1))
  const frame = along(clip.frames.length, count)
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
    starts(clip.frames.length, count).flatMap((frame) =>
      starts(clip.height, rows).flatMap((top) =>
        starts(clip.width, columns).map((left): [Clip, Corner] => [clip, { frame, top, left }]),
      ),
    ),
  )
  if (all.length <= most) return all
  return Array.from({ length: most }, (_, at) => all[Math.floor((at * all.length) / most)]!)
}

/** Pixels of all frames. */
export function pixelsOf({ frames, width, height }: Clip): number {
  return frames.length * width * height
}

/** Some rows and columns of a frame that is on the scale, as bytes: rounded, and no further than from 0 to 255. */
export async function bytesOf(
  values: Float32Array,
  columns: number,
  width: number,
  height: number,
  turns: Turns,
): Promise<Uint8Array> {
  const bytes = new Uint8ClampedArray(width * height * COLOURS)
  for (let row = 0; row < height; row++) {
    const [from, to] = [row * columns * COLOURS, row * width * COLOURS]
    for (let i = 0; i < width * COLOURS; i++) bytes[to + i] = (values[from + i]! + 1) * 127.5
    if (turns.isOver(width * COLOURS)) await turns.next()
  }
  return new Uint8Array(bytes.buffer)
}
