// Pictures that commands learn from: folders of picture files, or arrays of MNIST's format.
import { statSync } from 'node:fs'
import { InlayError } from '../errors.js'
import { readImage } from '../media/read-image.js'
import type { LabelledInputs } from '../models/labels.js'
import { type Options, type RunOptions, flag, integer, text } from '../options.js'
import type { PictureShape } from '../pictures/pictures.js'
import { readIdx } from '../pictures/read-idx.js'
import { filesOfFolder, readPictures, readPicturesOptions } from '../pictures/read-pictures.js'
import { UsageError } from './flags.js'

export const pictures =
  "a folder that has a folder of pictures for each label, or MNIST's format (IDX), .gz as well"

/** What must be said beside pictures of MNIST's format. */
export const labelFlags = {
  labels: text('the labels, where the pictures are a file: one of the same format'),
}

/** What folders of pictures are brought to. */
export const shapeFlags = {
  height: integer(undefined, { from: 1, to: 16_384 }, "rows (default: the first picture's)"),
  width: integer(
    undefined,
    { from: 1, to: 16_384 },
    "pixels of a row (default: the first picture's)",
  ),
  grey: flag(false, 'makes pictures grey'),
  maxPixels: readPicturesOptions.maxPixels,
}

/** How pictures are read. */
export type ShapeGiven = Options<typeof shapeFlags>

/** Pictures of one shape, with labels if they are wanted. */
export interface PictureSource {
  readonly shape: PictureShape
  examples(): LabelledInputs<Uint8Array>
}

/** What is wanted of pictures. */
interface Wanted extends ShapeGiven {
  /** Where labels of a file are. */
  readonly labels?: string | undefined
  readonly needsLabels: boolean
  /** The shape that a model takes. */
  readonly wanted?: PictureShape | undefined
}

/** Opens a folder or a file of pictures. */
export async function openPictures(
  path: string,
  how: Wanted,
  run: RunOptions,
): Promise<PictureSource> {
  if (how.labels !== undefined && !how.needsLabels) {
    throw new UsageError('labels have no meaning for an autoencoder')
  }
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  const source = isFolder ? await openFolder(path, how, run) : await openIdx(path, how, run)
  const [has, takes] = [source.shape, how.wanted ?? source.shape].map((shape) => shape.join(' x '))
  if (has === takes) return source
  throw new InlayError('INVALID_INPUT', `${path} has pictures of ${has}, not of ${takes}`)
}

async function openFolder(
  path: string,
  { height, width, grey, maxPixels, wanted, labels, needsLabels }: Wanted,
  run: RunOptions,
): Promise<PictureSource> {
  if (labels !== undefined) {
    throw new UsageError('--labels are those of a file of pictures; folders are labels themselves')
  }
  const found = await filesOfFolder(path, 'pictures')
  const used = needsLabels ? found.filter(({ label }) => label !== '') : found
  if (used.length === 0) {
    const where = needsLabels ? `in folders of ${path} that are named by labels` : `in ${path}`
    throw new InlayError('INVALID_INPUT', `there are no pictures ${where}`)
  }
  const first =
    wanted === undefined && (height === undefined || width === undefined)
      ? await readImage(used[0]!.path, { maxPixels, signal: run.signal })
      : undefined
  const shape: PictureShape = wanted ?? [
    height ?? first!.height,
    width ?? first!.width,
    grey === true ? 1 : 3,
  ]
  const files = used.map((one) => one.path)
  return {
    shape,
    async *examples() {
      let at = 0
      for await (const input of readPictures(files, { ...run, shape, maxPixels })) {
        yield { input, label: used[at++]!.label }
      }
    },
  }
}

async function openIdx(
  path: string,
  { height, width, grey, labels, needsLabels }: Wanted,
  { signal }: RunOptions,
): Promise<PictureSource> {
  if ((height ?? width ?? grey) !== undefined) {
    throw new UsageError('--height, --width and --grey are for folders of pictures')
  }
  if (needsLabels && labels === undefined) throw new UsageError(`the labels of ${path} are missing`)
  const { shape, items } = await readIdx(path, { signal })
  const [rows, columns, channels = 1] = shape
  if (shape.length < 2 || shape.length > 3) {
    throw new InlayError(
      'INVALID_INPUT',
      `${path} holds no pictures, but items of ${shape.length} axes`,
    )
  }
  const bytes = items.filter((item) => item instanceof Uint8Array)
  if (bytes.length < items.length) {
    throw new InlayError('INVALID_INPUT', `${path} holds numbers that are no bytes`)
  }
  const named = labels === undefined ? undefined : await readIdx(labels, { signal })
  if (named && (named.shape.length > 0 || named.length !== items.length)) {
    const wanted = `a label for each of ${items.length} pictures is wanted`
    throw new InlayError(
      'INVALID_INPUT',
      `${labels}: ${wanted}, got ${named.values.length} numbers`,
    )
  }
  return {
    shape: [rows!, columns!, channels],
    *examples() {
      for (const [at, input] of bytes.entries()) {
        yield { input, label: String(named?.values[at] ?? '') }
      }
    },
  }
}
