// Picture files as networks take them: pixels of one shape, of files and of folders whose names are labels.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { InlayError } from '../errors.js'
import { readImageOptions } from '../media/read-image.js'
import type { Labelled } from '../models/labels.js'
import { fitPictures } from '../native.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  integer,
  isIterable,
  settle,
  wrongOption,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run as runNative } from '../run.js'
import { type PictureShape, pictureShape, sizeOf } from './pictures.js'
import { type ImageInput, handleOf } from './prepare-pictures.js'

/** Every option of `readPictures` and `readPictureFolder`. */
export const readPicturesOptions = {
  /** Height, width and channels that each picture is brought to, whatever its own are; of 1 channel it is grey. It must be
   * given. */
  shape: {
    ...pictureShape,
    expected: 'height, width and channels, which are 1 or 3',
    accepts: (given: unknown) =>
      pictureShape.accepts(given) && [1, 3].includes((given as PictureShape)[2]),
  },
  /** Pixels of a file at most: a larger picture is refused before it is decoded. */
  maxPixels: readImageOptions.maxPixels,
  /** Pictures that are decoded together, on all threads. */
  batchSize: integer(64, { from: 1, to: 4096 }, 'pictures that are decoded together'),
}

/** The options of `readPictures` and `readPictureFolder`: see `readPicturesOptions`. */
export type ReadPicturesOptions = Omit<Options<typeof readPicturesOptions>, 'shape'> &
  RunOptions & { readonly shape: PictureShape }

/**
 * The pixels of picture files (PNG, JPEG, WebP, GIF, BMP, TIFF), each as bytes of one shape: what `ImageCnn` and
 * `ImageAutoencoder` take. Their sizes are changed as Pillow does it (bilinear, with antialiasing), and grey is Pillow's too.
 *
 *     const pixels = readPictures(['cat.jpg', 'dog.png'], { shape: model.shape })
 *     const predictions = await model.predict(pixels)
 *
 * Reading rejects with an `InlayError`: `NOT_FOUND`, `IO`; `INVALID_INPUT` for what is no picture.
 *
 * @throws {InvalidOptionError} at once
 */
export function readPictures(
  files: Iterable<ImageInput>,
  options: ReadPicturesOptions,
): AsyncIterable<Uint8Array> {
  const who = 'readPictures'
  const how = settled(options, who)
  if (!isIterable(files)) throw wrongOption('files', 'an iterable of pictures', files, who)
  return { [Symbol.asyncIterator]: () => pixelsOf([...files], how, who) }
}

/**
 * The pictures of a folder in which each label has a folder of its own (`cats/1.jpg`, `dogs/1.jpg`), as torchvision's
 * `ImageFolder` has it: labels and files in the order of their names.
 *
 *     const examples = readPictureFolder('animals/train', { shape: [64, 64, 3] })
 *     const model = await ImageCnn.train(examples, { shape: [64, 64, 3] })
 *
 * Reading rejects with an `InlayError`: `NOT_FOUND`, `IO`; `INVALID_INPUT` for what is no picture, or where there is none.
 *
 * @throws {InvalidOptionError} at once
 */
export function readPictureFolder(
  folder: Path,
  options: ReadPicturesOptions,
): AsyncIterable<Labelled<Uint8Array>> {
  const who = 'readPictureFolder'
  const root = settlePath(folder, who)
  const how = settled(options, who)
  return { [Symbol.asyncIterator]: () => labelledPixels(root, how, who) }
}

/** How pictures are read, checked. */
type Reading = ReturnType<typeof settled>

function settled(options: ReadPicturesOptions, who: string) {
  const { settings, run } = settle(readPicturesOptions, options, who)
  const { shape, maxPixels, batchSize } = settings
  if (shape === undefined) {
    throw wrongOption('shape', readPicturesOptions.shape.expected, shape, who)
  }
  return { shape, maxPixels, batchSize, run }
}

async function* labelledPixels(
  root: string,
  how: Reading,
  who: string,
): AsyncGenerator<Labelled<Uint8Array>> {
  const found = (await filesOfFolder(root, who)).filter(({ label }) => label !== '')
  if (found.length === 0) {
    const problem = 'there are no pictures in folders that are named by labels'
    throw new InlayError('INVALID_INPUT', `${who}: ${root}: ${problem}`, { path: root, problem })
  }
  const files = found.map(({ path }) => path)
  let at = 0
  for await (const input of pixelsOf(files, how, who)) yield { input, label: found[at++]!.label }
}

/** The pictures of a folder and of the folders in it, whose names are labels; of its own files the label is empty. @internal */
export async function filesOfFolder(
  root: string,
  who: string,
): Promise<{ readonly path: string; readonly label: string }[]> {
  const list = async (folder: string) => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') {
          const context = { what: 'folder', name: folder }
          throw new InlayError('NOT_FOUND', `${who}: folder not found: ${folder}`, context)
        }
        const context = { doing: 'read', path: folder, reason: error.message }
        throw new InlayError('IO', `${who}: ${folder}: ${error.message}`, context)
      },
    )
    return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }
  const isPicture = (name: string) => /\.(png|jpe?g|webp|gif|bmp|tiff?)$/i.test(name)
  const found: { path: string; label: string }[] = []
  for (const entry of await list(root)) {
    const path = join(root, entry.name)
    if (!entry.isDirectory() && isPicture(entry.name)) found.push({ path, label: '' })
    if (!entry.isDirectory()) continue
    for (const { name } of await list(path)) {
      if (isPicture(name)) found.push({ path: join(path, name), label: entry.name })
    }
  }
  return found
}

async function* pixelsOf(
  files: readonly ImageInput[],
  { shape, maxPixels, batchSize, run }: Reading,
  who: string,
): AsyncGenerator<Uint8Array> {
  // Their progress would be heard again with each batch.
  const settings: RunSettings = { ...run, onProgress: undefined }
  const size = sizeOf(shape)
  for (let from = 0; from < files.length; from += batchSize) {
    const handle = handleOf(files.slice(from, from + batchSize), from, who)
    const pixels = await runNative<Uint8Array>(who, settings, (spec, events) =>
      fitPictures(handle, [...shape], maxPixels, spec, events),
    )
    for (let at = 0; at < pixels.length; at += size) yield pixels.slice(at, at + size)
  }
}
