// Which model of pictures, trained from scratch, a file holds.
import type { RunOptions } from '../options.js'
import type { Path } from '../path.js'
import { ImageAutoencoder } from './image-autoencoder.js'
import { ImageCnn } from './image-cnn.js'
import { openOneOf } from './open-one-of.js'

/** By the name that stands in the file. */
const kinds = {
  ImageCnn: (path: Path, run: RunOptions) => ImageCnn.open(path, run),
  ImageAutoencoder: (path: Path, run: RunOptions) => ImageAutoencoder.open(path, run),
}

/**
 * Opens the model of pictures that a file holds, whichever it is: an `ImageCnn` or an `ImageAutoencoder`. Pretrained ones are
 * opened by `loadImageEncoder`.
 *
 *     const model = await openImageModel('digits.safetensors')
 *     const vectors = await model.encode(readPictures(['seven.png'], { shape: model.shape }))
 *
 * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is none of these
 */
export async function openImageModel(
  path: Path,
  options: RunOptions = {},
): Promise<ImageCnn | ImageAutoencoder> {
  return openOneOf<ImageCnn | ImageAutoencoder>(kinds, path, options, 'openImageModel')
}
