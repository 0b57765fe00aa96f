// Pictures as networks take them: numbers of one scale.
import { custom, isCount, isIterable, wrongOption } from '../options.js'
import { Turns } from '../turns.js'

/** The pixels of a picture, row after row, each with its channels one after the other: [height, width, channels].
 * Bytes are from 0 to 255 and become shares of 255; other numbers are taken as they are. */
export type Picture = Uint8Array | Uint8ClampedArray | Float32Array

/** Height, width, and values of a pixel: [28, 28, 1], [32, 32, 3]. */
export type PictureShape = readonly [height: number, width: number, channels: number]

/** The option of that name; it must be given. @internal */
export const pictureShape = custom<PictureShape>(
  'height, width and channels: three integers from 1 up',
  (given) => Array.isArray(given) && given.length === 3 && given.every(isCount),
  'height, width and channels of a picture',
)

/** Values of a picture between two looks at the clock. */
const TOGETHER = 1 << 15

/** What becomes of a channel's values: (x - mean) / deviation. @internal */
export interface ChannelScale {
  readonly mean: readonly number[]
  readonly deviation: readonly number[]
}

/** Whether something is the scale of so many channels. @internal */
export function isScale(given: unknown, channels: number): given is ChannelScale {
  const { mean, deviation } = (given ?? {}) as Partial<ChannelScale>
  const numbers = (values: unknown) =>
    Array.isArray(values) && values.length === channels && values.every(Number.isFinite)
  return numbers(mean) && numbers(deviation) && deviation!.every((value) => value > 0)
}

/** Mean and standard deviation of each channel over all pictures; where all are the same, 1. @internal */
export async function channelScale(
  pictures: readonly Picture[],
  shape: PictureShape,
  option: string,
  who: string,
  signal: AbortSignal | undefined,
): Promise<ChannelScale> {
  const channels = shape[2]
  const sums = new Float64Array(channels)
  const squares = new Float64Array(channels)
  const turns = new Turns(signal)
  for (const [at, picture] of pictures.entries()) {
    checkPicture(picture, shape, `${option}[${at}]`, who)
    const factor = unitOf(picture)
    for (let from = 0; from < picture.length; from += TOGETHER) {
      const to = Math.min(picture.length, from + TOGETHER)
      for (let i = from; i < to; i++) {
        const value = picture[i]! * factor
        const channel = channels === 1 ? 0 : i % channels
        sums[channel]! += value
        squares[channel]! += value * value
      }
      if (turns.isOver(to - from)) await turns.next()
    }
  }
  const count = Math.max(1, pictures.length * shape[0] * shape[1])
  const mean = Array.from(sums, (sum) => sum / count)
  const variances = Array.from(squares, (sum, i) => Math.max(0, sum / count - mean[i]! ** 2))
  // What rounding leaves of no variance is none.
  const deviation = variances.map((variance) => (variance < 1e-12 ? 1 : Math.sqrt(variance)))
  return { mean, deviation }
}

/** Pictures on a scale, one after the other in the same memory: each is wanted before the next is asked
 * for. @internal */
export async function* scaled(
  pictures: Iterable<Picture> | AsyncIterable<Picture>,
  shape: PictureShape,
  { mean, deviation }: ChannelScale,
  option: string,
  who: string,
): AsyncGenerator<Float32Array> {
  const channels = shape[2]
  const values = new Float32Array(sizeOf(shape))
  const turns = new Turns()
  let at = 0
  if (!isIterable(pictures)) throw wrongOption(option, 'an iterable of pictures', pictures, who)
  for await (const picture of pictures) {
    checkPicture(picture, shape, `${option}[${at++}]`, who)
    const factor = unitOf(picture)
    for (let from = 0; from < picture.length; from += TOGETHER) {
      const to = Math.min(picture.length, from + TOGETHER)
      for (let i = from; i < to; i++) {
        const channel = channels === 1 ? 0 : i % channels
        values[i] = (picture[i]! * factor - mean[channel]!) / deviation[channel]!
      }
      if (turns.isOver(to - from)) await turns.next()
    }
    yield values
  }
}

/** The values of pictures from 0 to 1, one picture after the other in the same memory, as with `scaled`.
 *
 * @throws {InvalidOptionError} other numbers
 * @internal */
export async function* shares(
  pictures: Iterable<Picture> | AsyncIterable<Picture>,
  shape: PictureShape,
  option: string,
  who: string,
): AsyncGenerator<Float32Array> {
  const turns = new Turns()
  const same = { mean: Array(shape[2]).fill(0), deviation: Array(shape[2]).fill(1) }
  let at = 0
  for await (const picture of scaled(pictures, shape, same, option, who)) {
    for (let from = 0; from < picture.length; from += TOGETHER) {
      const part = picture.subarray(from, from + TOGETHER)
      const wrong = part.find((value) => !(value >= 0 && value <= 1))
      if (wrong !== undefined) {
        throw wrongOption(`${option}[${at}]`, 'bytes, or numbers from 0 to 1', wrong, who)
      }
      if (turns.isOver(part.length)) await turns.next()
    }
    at += 1
    yield picture
  }
}

/** Numbers of a picture. @internal */
export function sizeOf([height, width, channels]: PictureShape): number {
  return height * width * channels
}

function unitOf(picture: Picture): number {
  return picture instanceof Float32Array ? 1 : 1 / 255
}

function checkPicture(picture: unknown, shape: PictureShape, option: string, who: string): void {
  const isPicture =
    picture instanceof Uint8Array ||
    picture instanceof Uint8ClampedArray ||
    picture instanceof Float32Array
  if (isPicture && picture.length === sizeOf(shape)) return
  const expected = `a Uint8Array or Float32Array of ${shape.join(' x ')} numbers`
  throw wrongOption(option, expected, isPicture ? picture.length : picture, who)
}
