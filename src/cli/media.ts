// inlay media: what pictures, sounds and films are.
import { InlayError } from '../errors.js'
import { readSound, readSoundOptions } from '../media/read-sound.js'
import { readVideo, readVideoOptions } from '../media/read-video.js'
import { type Options, flag } from '../options.js'
import { type Command, group } from './command.js'
import type { Session } from './session.js'

const infoFlags = {
  json: flag(false, 'a line of JSON for each'),
  maxSeconds: readSoundOptions.maxSeconds,
  maxPixels: readVideoOptions.maxPixels,
  ffmpeg: readVideoOptions.ffmpeg,
}

type Given = Options<typeof infoFlags>

/** What is found in a file. */
type Found =
  | { readonly kind: 'picture'; readonly width: number; readonly height: number }
  | {
      readonly kind: 'film'
      readonly width: number
      readonly height: number
      readonly frames: number
      /** Frames a second, on average. */
      readonly rate: number
      readonly duration: number
    }
  | {
      readonly kind: 'sound'
      readonly channels: number
      readonly sampleRate: number
      readonly duration: number
    }

const info: Command = {
  name: 'media info',
  summary: 'prints what pictures, sounds and films are',
  usage: 'FILE... [flags]',
  operands: { FILE: 'pictures, sounds and films of all kinds that are read' },
  count: { from: 1, to: Infinity },
  groups: [group('Output and limits', infoFlags)],
  examples: ['photo.jpg bell.flac clip.mp4', 'films/*.gif --json'],

  async run(given: Given, paths: readonly string[], session: Session) {
    for (const path of paths) {
      // A file may have both pictures and a sound.
      for (const found of await partsOf(path, given, session.signal)) {
        session.print(
          given.json ? JSON.stringify({ path, ...found }) : [path, ...told(found)].join('\t'),
        )
      }
    }
  },
}

async function partsOf(path: string, given: Given, signal: AbortSignal): Promise<Found[]> {
  const film = await unlessForeign(pictures(path, given, signal))
  const sound = await unlessForeign(soundOf(path, given, signal))
  if (!(film instanceof InlayError)) return sound instanceof InlayError ? [film] : [film, sound]
  if (!(sound instanceof InlayError)) return [sound]
  throw new InlayError(film.code, `${film.message}; ${sound.message}`)
}

/** What a file is, or why it is none of that kind. */
async function unlessForeign<Part>(part: Promise<Part>): Promise<Part | InlayError> {
  try {
    return await part
  } catch (error) {
    if (!(error instanceof InlayError)) throw error
    if (error.code === 'INVALID_INPUT' || error.code === 'UNSUPPORTED') return error
    throw error
  }
}

async function pictures(
  path: string,
  { maxPixels, ffmpeg }: Given,
  signal: AbortSignal,
): Promise<Found> {
  let [frames, width, height, first, last] = [0, 0, 0, 0, 0]
  for await (const frame of readVideo(path, { maxPixels, ffmpeg, signal })) {
    if (frames === 0) ({ width, height, time: first } = frame)
    last = frame.time
    frames += 1
  }
  if (frames < 2) return { kind: 'picture', width, height }
  const rate = last > first ? (frames - 1) / (last - first) : 0
  // The last frame is shown as long as the others are on average.
  const duration = rate > 0 ? frames / rate : 0
  return { kind: 'film', width, height, frames, rate, duration }
}

async function soundOf(path: string, { maxSeconds }: Given, signal: AbortSignal): Promise<Found> {
  const { channels, sampleRate, duration } = await readSound(path, { maxSeconds, signal })
  return { kind: 'sound', channels, sampleRate, duration }
}

function told(found: Found): string[] {
  if (found.kind === 'sound') {
    const { channels, sampleRate, duration } = found
    const several = channels === 1 ? '1 channel' : `${channels} channels`
    return ['sound', several, `${sampleRate} Hz`, `${duration.toFixed(3)} s`]
  }
  const size = `${found.width} x ${found.height}`
  if (found.kind === 'picture') return ['picture', size]
  const { frames, rate, duration } = found
  return [
    'film',
    size,
    `${frames} frames`,
    `${rate.toFixed(2)} a second`,
    `${duration.toFixed(3)} s`,
  ]
}

export const mediaCommands: readonly Command[] = [info]
