// Pictures from files, buffers or raw pixels, as pretrained encoders take them: torchvision's
// `Resize`, `CenterCrop`, `ToTensor` and `Normalize`, bit for bit, or as the image processors of transformers do it.
import { PicturesHandle, preparePictures as prepareNative } from '../native.js'
import { type RunSettings, isCount, wrongOption } from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run } from '../run.js'

/** Pixels that are there already: row after row, each with its channels from 0 to 255: grey, or red, green and
 * blue, or those and transparency, which is left out. */
export interface RawImage {
  readonly data: Uint8Array | Uint8ClampedArray
  readonly width: number
  readonly height: number
  readonly channels: 1 | 3 | 4
}

/** A picture: a file by its name, the bytes of one (PNG, JPEG, WebP, GIF, BMP, TIFF, told by content; the first frame;
 * turned upright as its EXIF orientation says), or pixels. */
export type ImageInput = Path | Uint8Array | RawImage

/** How pictures become the input of an encoder. */
export interface ImagePreparation {
  /** What the shorter side becomes, in pixels; or height and width, whatever they were. */
  readonly resize: number | readonly [height: number, width: number]
  /** Side of the square in the middle that is kept; of a smaller picture, with black around it. */
  readonly crop: number
  /** What half a pixel becomes where it is left out before the middle: its even neighbour, as torchvision has it, or
   * nothing, as transformers has it. */
  readonly halfPixel: 'even' | 'down'
  /** How pixels count when the size changes; both as Pillow does it, with antialiasing. */
  readonly interpolation: 'bilinear' | 'bicubic'
  /** Taken from red, green and blue, which are from 0 to 1 there. */
  readonly mean: readonly number[]
  /** What they are divided by then. */
  readonly deviation: readonly number[]
}

/** What torchvision's ImageNet weights were learnt with. @internal */
export const imageNet: ImagePreparation = {
  resize: 256,
  crop: 224,
  halfPixel: 'even',
  interpolation: 'bilinear',
  mean: [0.485, 0.456, 0.406],
  deviation: [0.229, 0.224, 0.225],
}

/** Whether something is a preparation, or a part of one. @internal */
export function isPreparation(given: unknown): given is Partial<ImagePreparation> {
  if (typeof given !== 'object' || given === null) return false
  const three = (values: unknown, least: number) =>
    Array.isArray(values) &&
    values.length === 3 &&
    values.every((value) => Number.isFinite(value) && value >= least)
  const isSide = (value: unknown) => isCount(value) && value <= 16_384
  const checks: { [Name in keyof ImagePreparation]: (value: unknown) => boolean } = {
    resize: (value) =>
      isSide(value) || (Array.isArray(value) && value.length === 2 && value.every(isSide)),
    crop: isSide,
    halfPixel: (value) => value === 'even' || value === 'down',
    interpolation: (value) => value === 'bilinear' || value === 'bicubic',
    mean: (value) => three(value, Number.NEGATIVE_INFINITY),
    deviation: (value) => three(value, Number.MIN_VALUE),
  }
  return Object.entries(given).every(
    ([name, value]) => Object.hasOwn(checks, name) && checks[name as keyof ImagePreparation](value),
  )
}

/** Decodes and prepares pictures, on threads: [pictures, crop, crop, 3]. @internal */
export async function preparePictures(
  pictures: readonly ImageInput[],
  first: number,
  { crop, halfPixel, interpolation, mean, deviation, resize }: ImagePreparation,
  maxPixels: number,
  settings: RunSettings,
  who: string,
): Promise<Float32Array> {
  const handle = handleOf(pictures, first, who)
  const recipe = {
    resize: typeof resize === 'number' ? [resize] : [...resize],
    crop: [crop, crop],
    half: halfPixel,
    filter: interpolation,
    mean: [...mean],
    deviation: [...deviation],
    maxPixels,
  }
  return run<Float32Array>(who, settings, (spec, events) =>
    prepareNative(handle, recipe, spec, events),
  )
}

/** Pictures that are to be decoded; `first` is the number of the first of them. @internal */
export function handleOf(
  pictures: readonly ImageInput[],
  first: number,
  who: string,
): PicturesHandle {
  const handle = new PicturesHandle()
  for (const [at, picture] of pictures.entries()) {
    addPicture(handle, picture, `pictures[${first + at}]`, who)
  }
  return handle
}

/** Adds a picture to those of a handle. @internal */
export function addPicture(
  handle: PicturesHandle,
  picture: ImageInput,
  name: string,
  who: string,
): void {
  if (picture instanceof Uint8Array) {
    handle.addEncoded(name, picture)
    return
  }
  if (typeof picture === 'string' || picture instanceof URL) {
    handle.addFile(settlePath(picture, who, name))
    return
  }
  if (!isRaw(picture)) {
    const expected = 'a path, the bytes of a picture file, or { data, width, height, channels }'
    throw wrongOption(name, expected, picture, who)
  }
  const { data, width, height, channels } = picture
  if (data.length !== width * height * channels) {
    const expected = `${width} x ${height} x ${channels} bytes`
    throw wrongOption(`${name}.data`, expected, data.length, who)
  }
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.length)
  handle.addPixels(name, width, height, channels, bytes)
}

function isRaw(given: unknown): given is RawImage {
  const { data, width, height, channels } = (given ?? {}) as Partial<RawImage>
  const isBytes = data instanceof Uint8Array || data instanceof Uint8ClampedArray
  const isSide = (side: unknown) => isCount(side) && side < 2 ** 32
  return isBytes && isSide(width) && isSide(height) && [1, 3, 4].includes(channels!)
}
