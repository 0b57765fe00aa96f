// Sound files to samples.
import { type SoundContent, readSound as readNative } from '../native.js'
import {
  type Options,
  type RunOptions,
  integer,
  real,
  refusal,
  runOptions,
  settleAlone,
} from '../options.js'
import { run } from '../run.js'
import { type MediaSource, bytesOf, settleSource } from './bytes.js'

/** What may be said when a sound is read. */
export const readSoundOptions = {
  /** Samples a second of each channel: another number than the file's is made by a band-limited filter. Default: the
   * file's. */
  sampleRate: integer(undefined, { from: 1000, to: 768_000 }, 'samples a second of each channel'),
  /** Channels: 1 is the mean of all, several are copies of one. Default: the file's. */
  channels: integer(undefined, { from: 1, to: 256 }, 'channels'),
  /** Where to begin, in seconds. */
  from: real(0, { from: 0, to: 1e9 }, 'where to begin, in seconds'),
  /** Where to end, in seconds. Default: where the file ends. */
  to: real(undefined, { above: 0, to: 1e9 }, 'where to end, in seconds'),
  /** Seconds at most: of a longer sound nothing is given. */
  maxSeconds: real(3_600, { above: 0, to: 1e9 }, 'seconds at most'),
}

/** The options of `readSound`: see `readSoundOptions`. */
export type ReadSoundOptions = Options<typeof readSoundOptions> &
  Pick<RunOptions, 'signal' | 'onProgress'>

/** A sound. */
export interface Sound {
  /** Samples of all channels, one after the other for each moment: [moments, channels]; from -1 to 1, but for files of
   * floats that go beyond. */
  readonly samples: Float32Array
  /** Moments a second. */
  readonly sampleRate: number
  readonly channels: number
  /** Seconds. */
  readonly duration: number
}

/** Bytes of a file that is no file, at most: 1 GB. */
const MOST = 2 ** 30

/**
 * The samples of a WAV, AIFF, FLAC, MP3, Ogg Vorbis, AAC or ALAC file (MP4 and ADTS), told by content; what encoders put
 * before and behind a sound is left out where the file says how much it is. Bytes and streams are held while they are
 * read, up to 1 GB.
 *
 *     const { samples } = await readSound('bell.flac', { sampleRate: 16_000, channels: 1 })
 *
 * @throws {InvalidOptionError} before anything is read, and where several channels are to become others than one
 * @throws {InlayError} `NOT_FOUND`, `IO`; `INVALID_INPUT` the file is no sound, damaged or longer than `maxSeconds`;
 *   `UNSUPPORTED` a codec that is not read
 */
export async function readSound(
  source: MediaSource,
  options: ReadSoundOptions = {},
): Promise<Sound> {
  return readSoundOf(source, options, 'source', 'readSound')
}

/** `readSound`, for another that reads sounds: `what` stands for the source in messages. @internal */
export async function readSoundOf(
  source: MediaSource,
  options: ReadSoundOptions,
  what: string,
  who: string,
): Promise<Sound> {
  const { signal, onProgress } = runOptions
  const settings = settleAlone({ ...readSoundOptions, signal, onProgress }, options, who)
  if (settings.to !== undefined && settings.to <= settings.from) {
    refusal(who)('to', `must be above \`from\`, which is ${settings.from}, got ${settings.to}`)
  }
  const found = settleSource(source, what, who)
  const input =
    'path' in found
      ? found.path
      : await bytesOf(found.pieces, found.name, MOST, settings.signal, who)
  const { signal: stop, onProgress: listener, ...wanted } = settings
  const alone = { threads: 1, seed: 1, signal: stop, onProgress: listener }
  const content = await run<SoundContent>(who, alone, (spec, events) =>
    readNative(found.name, input, wanted, spec, events),
  )
  const { samples, sampleRate, channels } = content
  return { samples, sampleRate, channels, duration: samples.length / channels / sampleRate }
}
