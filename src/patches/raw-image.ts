import { isCount, wrongOption } from '../options.js'
import type { RawImage } from '../pictures/prepare-pictures.js'

/** Pixels as they were given; `or` is what else could have been.
 *
 * @throws {InvalidOptionError} what are no pixels
 * @internal */
export function checkRaw(given: unknown, name: string, or: string, who: string): RawImage {
  const { data, width, height, channels } = (given ?? {}) as Partial<RawImage>
  const isBytes = data instanceof Uint8Array || data instanceof Uint8ClampedArray
  const isSide = (side: unknown): side is number => isCount(side) && side < 2 ** 32
  if (!isBytes || !isSide(width) || !isSide(height) || ![1, 3, 4].includes(channels!)) {
    const pixels =
      '{ data, width, height, channels } of bytes, sides from 1 up, and 1, 3 or 4 channels'
    throw wrongOption(name, or === '' ? pixels : `${or}, or ${pixels}`, given, who)
  }
  if (data.length !== width * height * channels!) {
    const expected = `${width} x ${height} x ${channels} bytes`
    throw wrongOption(`${name}.data`, expected, data.length, who)
  }
  return { data, width, height, channels: channels! }
}
