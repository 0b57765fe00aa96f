// Frames as a film that is not compressed, for other programs.
import { InlayError } from '../errors.js'
import { planesOfPixels } from '../native.js'
import { type Options, type RunOptions, real, runOptions, settleAlone } from '../options.js'
import { type FilmInput, type FrameInput, checkedFrames } from '../patches/video-patches.js'
import { run } from '../run.js'

/** What may be said when a film is written. */
export const encodeY4mOptions = {
  /** Frames a second, each shown as long as the others. Default: what the times of the first two say, and 1 for a single one. */
  rate: real(undefined, { above: 0, to: 100_000 }, 'frames a second'),
}

/** The options of `encodeY4m`: see `encodeY4mOptions`. */
export type EncodeY4mOptions = Options<typeof encodeY4mOptions> & Pick<RunOptions, 'signal'>

/**
 * The bytes of a film that is not compressed (YUV4MPEG2, 4:4:4, all 256 values), a frame after the other: FFmpeg, mpv and
 * `readVideo` open it. Colours become brightness and differences, and are at most 2 of 255 from what they were.
 *
 *     await pipeline(encodeY4m(model.decode(latent), { rate: 25 }), createWriteStream('film.y4m'))
 *
 * @throws {InvalidOptionError} frames of different sizes
 * @throws {InlayError} `INVALID_INPUT` the film has no frame
 */
export async function* encodeY4m(
  film: FilmInput,
  options: EncodeY4mOptions = {},
): AsyncGenerator<Uint8Array> {
  const who = 'encodeY4m'
  const { rate, signal } = settleAlone(
    { ...encodeY4mOptions, signal: runOptions.signal },
    options,
    who,
  )
  const settings = { threads: 1, seed: 1, signal, onProgress: undefined }
  const planesOf = ({ data, channels }: FrameInput) => {
    const pixels = new Uint8Array(data.buffer, data.byteOffset, data.length)
    return run<Uint8Array>(who, settings, (spec, events) =>
      planesOfPixels(pixels, channels, spec, events),
    )
  }
  const encoder = new TextEncoder()
  // The first frame waits for the second one, which says how long it is shown.
  let first: FrameInput | undefined
  let count = 0
  for await (const frame of checkedFrames(film, 'film', who)) {
    count += 1
    if (count === 1 && rate === undefined) {
      first = frame
      continue
    }
    if (count === 1 || first) {
      const since = first ? frame.time - first.time : 0
      yield encoder.encode(header(frame, rate ?? (since > 0 ? 1 / since : 1)))
    }
    if (first) yield* [encoder.encode('FRAME\n'), await planesOf(first)]
    first = undefined
    yield* [encoder.encode('FRAME\n'), await planesOf(frame)]
  }
  if (count === 0) throw new InlayError('INVALID_INPUT', `${who}: the film has no frame`, {})
  if (!first) return
  yield encoder.encode(header(first, 1))
  yield* [encoder.encode('FRAME\n'), await planesOf(first)]
}

function header({ width, height }: FrameInput, rate: number): string {
  return `YUV4MPEG2 W${width} H${height} F${fraction(rate)} Ip A1:1 C444 XCOLORRANGE=FULL\n`
}

/** Whole frames a second, 30000:1001 and its like, and others in thousandths. */
function fraction(rate: number): string {
  for (const seconds of [1, 1001]) {
    const frames = (rate * seconds) / (seconds === 1 ? 1 : 1000)
    const whole = Math.round(frames)
    if (whole > 0 && Math.abs(frames - whole) < 1e-4 * frames) {
      return seconds === 1 ? `${whole}:1` : `${1000 * whole}:1001`
    }
  }
  return `${Math.max(1, Math.round(1000 * rate))}:1000`
}
