// Picture files to pixels.
import { type PictureContent, PicturesHandle, readPicture } from '../native.js'
import { type Options, type RunOptions, integer, runOptions, settleAlone } from '../options.js'
import type { Path } from '../path.js'
import { type RawImage, addPicture } from '../pictures/prepare-pictures.js'
import { run, unlessAborted } from '../run.js'

/** What may be said when a picture is read. */
export const readImageOptions = {
  /** Pixels at most: a larger picture is refused before it is decoded. */
  maxPixels: integer(100_000_000, { from: 1 }, 'pixels of a picture at most'),
}

/** The options of `readImage`: see `readImageOptions`. */
export type ReadImageOptions = Options<typeof readImageOptions> & Pick<RunOptions, 'signal'>

/** A picture that was read: red, green and blue from 0 to 255, row after row. */
export interface Image extends RawImage {
  readonly data: Uint8Array
  readonly channels: 3
}

/**
 * The pixels of a PNG, JPEG, WebP, GIF (its first frame), BMP or TIFF, told by content; turned upright as its EXIF
 * orientation says, without transparency, 16 bits cut to 8.
 *
 *     const { data, width, height } = await readImage('photo.jpg') // [height, width, 3]
 *
 * @throws {InlayError} `NOT_FOUND`, `IO`; `INVALID_INPUT` the file is no picture, damaged or too large
 */
export async function readImage(
  source: Path | Uint8Array,
  options: ReadImageOptions = {},
): Promise<Image> {
  const who = 'readImage'
  const table = { ...readImageOptions, signal: runOptions.signal }
  const { maxPixels, signal } = settleAlone(table, options, who)
  const handle = new PicturesHandle()
  addPicture(handle, source, 'source', who)
  const settings = { threads: 1, seed: 1, signal, onProgress: undefined }
  const reading = run<PictureContent>(who, settings, (spec, events) =>
    readPicture(handle, maxPixels, spec, events),
  )
  const { data, width, height } = await unlessAborted(reading, signal)
  return { data, width, height, channels: 3 }
}
