// Films, frame by frame.
import { resolve } from 'node:path'
import { InlayError } from '../errors.js'
import { FilmHandle, type FilmSpec, type FilmStep, nextFrame } from '../native.js'
import {
  type Options,
  type RunOptions,
  integer,
  real,
  refusal,
  runOptions,
  settleAlone,
  text,
} from '../options.js'
import { run, unlessAborted } from '../run.js'
import { SpooledFile } from '../spooled-file.js'
import { type MediaSource, type SettledSource, partsOf, settleSource } from './bytes.js'
import { Ffmpeg } from './ffmpeg.js'
import type { Image } from './read-image.js'

/** What may be said when a film is read. */
export const readVideoOptions = {
  /** Frames a second: what is shown at `from`, `from + 1 / rate` and so on, which is the nearest earlier frame.
   * Default: all frames, at their own times. */
  rate: real(undefined, { above: 0, to: 1000 }, 'frames a second (default: all)'),
  /** Where to begin, in seconds. */
  from: real(0, { from: 0, to: 1e9 }, 'where to begin, in seconds'),
  /** Where to end, in seconds. Default: where the film ends. */
  to: real(undefined, { above: 0, to: 1e9 }, 'where to end, in seconds'),
  /** Pixels of a row: frames are made so wide, with antialiasing. Default: as `height` says, or as they are. */
  width: integer(undefined, { from: 1, to: 16_384 }, 'pixels of a row'),
  /** Rows. Default: as `width` says, or as they are. */
  height: integer(undefined, { from: 1, to: 16_384 }, 'rows'),
  /** Pixels of a frame of the film at most: a film of larger ones is refused. */
  maxPixels: integer(100_000_000, { from: 1 }, 'pixels of a frame at most'),
  /** The program that decodes what is not decoded here. Default: `INLAY_FFMPEG` of the environment, or `ffmpeg` on
   * PATH. */
  ffmpeg: text('the program that decodes other films'),
}

/** The options of `readVideo`: see `readVideoOptions`. */
export type ReadVideoOptions = Options<typeof readVideoOptions> & Pick<RunOptions, 'signal'>

/** A frame of a film: a picture, and when it is shown. */
export interface VideoFrame extends Image {
  /** Seconds from the beginning of the film. */
  readonly time: number
}

type VideoSettings = ReturnType<typeof settings>

/**
 * The frames of a film, one at a time: each is decoded when it is asked for, and one more while it is looked at.
 * Animated GIF, PNG and WebP, y4m, and Motion-JPEG (AVI, or JPEGs one after the other) are decoded here, told by content;
 * a picture is a film of one frame. Everything else is decoded by the program `ffmpeg`, which has to be installed.
 * Leaving the loop closes the film, its source and the program.
 *
 *     for await (const { data, width, height, time } of readVideo('clip.mp4', { rate: 8, height: 224 })) { ... }
 *
 * @throws {InvalidOptionError} before anything is read
 * @throws {InlayError} `NOT_FOUND`, `IO`; `INVALID_INPUT` the file is no film, damaged or too large; `UNSUPPORTED` ffmpeg
 *   is needed and not there
 */
export function readVideo(
  source: MediaSource,
  options: ReadVideoOptions = {},
): AsyncGenerator<VideoFrame, void, void> {
  const who = 'readVideo'
  const settled = settings(options, who)
  const found = settleSource(source, 'source', who)
  const left = new AbortController()
  const signals = settled.signal ? [settled.signal, left.signal] : [left.signal]
  const signal = AbortSignal.any(signals)
  const frames = framesOf(found, { ...settled, signal }, who)
  return ahead(frames, settled.signal, () => left.abort())
}

function settings(options: ReadVideoOptions, who: string) {
  const table = { ...readVideoOptions, signal: runOptions.signal }
  const settled = settleAlone(table, options, who)
  if (settled.to !== undefined && settled.to <= settled.from) {
    refusal(who)('to', `must be above \`from\`, which is ${settled.from}, got ${settled.to}`)
  }
  return settled
}

/** Works on the next frame while one is looked at; `leave` lets go what it waits for. */
async function* ahead(
  frames: AsyncGenerator<VideoFrame, void, void>,
  signal: AbortSignal | undefined,
  leave: () => void,
): AsyncGenerator<VideoFrame, void, void> {
  let next: Promise<IteratorResult<VideoFrame, void>> | undefined
  try {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- frames come one after the other
      const { done, value } = await (next ?? frames.next())
      next = undefined
      if (done) return
      signal?.throwIfAborted()
      next = frames.next()
      // Heard when it is asked for.
      next.catch(() => undefined)
      yield value
    }
  } finally {
    leave()
    await next?.catch(() => undefined)
    await frames.return()
  }
}

/** The frames of a film that is decoded here, or of which another program says what it is. */
async function* framesOf(
  source: SettledSource,
  settled: VideoSettings,
  who: string,
): AsyncGenerator<VideoFrame, void, void> {
  const { signal } = settled
  const film = new FilmHandle(source.name, false, specOf(settled))
  const parts = 'path' in source ? undefined : partsOf(source.pieces, source.name, signal, who)
  try {
    let beginning: Uint8Array | undefined
    while (!beginning) {
      const step = await stepOf(film, 'path' in source ? source.path : null, signal, who)
      if (step.kind === 'end') return
      if (step.kind === 'frame') yield frameOf(step)
      if (step.kind === 'more') await take(parts!, film, step.bytes)
      if (step.kind === 'foreign') beginning = film.rest()
    }
    film.close()
    if (isText(beginning)) {
      const message = `${who}: ${source.name} is a text and no film`
      throw new InlayError('INVALID_INPUT', message, { source: source.name })
    }
    if ('path' in source) return yield* decodedByFfmpeg(source.path, source.name, settled, who)
    const spooled = await SpooledFile.of(joined(beginning, parts!), source.name, who)
    try {
      yield* decodedByFfmpeg(spooled.path, source.name, settled, who)
    } finally {
      await spooled.remove()
    }
  } finally {
    film.close()
    await parts?.return()
  }
}

/** Gives a film about so many bytes, or says that there are no more. */
async function take(
  parts: AsyncGenerator<Uint8Array, void, void>,
  film: FilmHandle,
  bytes: number,
): Promise<void> {
  for (let taken = 0; taken < bytes;) {
    // oxlint-disable-next-line no-await-in-loop -- pieces come one after the other
    const { done, value } = await parts.next()
    if (done) return film.finish()
    film.push(value)
    taken += value.length
  }
}

async function* joined(
  beginning: Uint8Array,
  parts: AsyncGenerator<Uint8Array, void, void>,
): AsyncGenerator<Uint8Array, void, void> {
  yield beginning
  yield* parts
}

async function* decodedByFfmpeg(
  path: string,
  name: string,
  settled: VideoSettings,
  who: string,
): AsyncGenerator<VideoFrame, void, void> {
  const { from, maxPixels, signal } = settled
  const program = settled.ffmpeg ?? (process.env['INLAY_FFMPEG'] || 'ffmpeg')
  const film = new FilmHandle(name, true, specOf(settled))
  const spec = { program, path: resolve(path), from, maxPixels, signal }
  const ffmpeg = new Ffmpeg(spec, name, who)
  try {
    for (;;) {
      const step = await stepOf(film, null, signal, who)
      if (step.kind === 'frame') yield frameOf(step)
      else if (step.kind === 'more') await ffmpeg.more(film, step.bytes)
      else return
    }
  } finally {
    film.close()
    await ffmpeg.stop()
  }
}

/** What a film has next. A frame that is being decoded when the signal comes is decoded in vain. */
function stepOf(
  film: FilmHandle,
  path: string | null,
  signal: AbortSignal | undefined,
  who: string,
): Promise<FilmStep> {
  const alone = { threads: 1, seed: 1, signal, onProgress: undefined }
  const work = run<FilmStep>(who, alone, (spec, events) => nextFrame(film, path, spec, events))
  return unlessAborted(work, signal)
}

function specOf({ rate, from, to, width, height, maxPixels }: VideoSettings): FilmSpec {
  return { rate, from, to, width, height, maxPixels }
}

function frameOf({ data, width, height, time }: FilmStep): VideoFrame {
  return { data: data!, width, height, channels: 3, time }
}

/** How lists of other films begin (HLS, FFmpeg's own, DASH, SDP), which FFmpeg would open. */
const LISTS = /^(\ufeff)?\s*(#EXTM3U|ffconcat|<|v=0)/

/** Whether a file begins as texts do, or as a list of other films: no film has only characters. */
function isText(beginning: Uint8Array): boolean {
  const head = beginning.subarray(0, 512)
  if (LISTS.test(new TextDecoder().decode(head.subarray(0, 64)))) return true
  if (head.some((byte) => byte < 9 || (byte > 13 && byte < 32))) return false
  try {
    // The last character may be cut.
    return new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true }) !== ''
  } catch {
    return false
  }
}
