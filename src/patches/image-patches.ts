// Pictures <-> patches.
import { type CutSpec, type CutTokens, ImagesHandle, cutImages, restorePixels } from '../native.js'
import {
  type Options,
  type RunOptions,
  integer,
  isIterable,
  settle,
  settleAlone,
  wrongOption,
} from '../options.js'
import { settlePath } from '../path.js'
import type { ImageInput, RawImage } from '../pictures/prepare-pictures.js'
import { run } from '../run.js'
import { Turns } from '../turns.js'
import {
  coveredOf,
  extentsOf,
  sides,
  partsOf,
  pixelOptions,
  pixelSpec,
  pushPixels,
  sizeAndStride,
  widthOf,
} from './cut.js'
import { checkRaw } from './raw-image.js'
import { Tokens, pushValues } from './tokens.js'

const expected = 'a number, or height and width'

/** Every option of `ImagePatches`. */
export const imagePatchesOptions = {
  /** Height and width of a patch in pixels, or one number for both. It must be given. */
  size: sides(2, expected, 'height and width of a patch'),
  /** From one patch to the next, at most `size`: with less, patches overlap. Default: `size`. */
  stride: sides(2, expected, 'from one patch to the next'),
  ...pixelOptions,
}

/** The options of `ImagePatches`: see `imagePatchesOptions`. */
export type ImagePatchesOptions = Options<typeof imagePatchesOptions>

/** What may be said when pictures are cut. */
export const imageCuttingOptions = {
  /** Pixels of a picture file at most: a larger one is refused before it is decoded. */
  maxPixels: integer(100_000_000, { from: 1 }, 'pixels of a picture file at most'),
}

/**
 * Pictures of any size and shape as patches of one size, and back (Dosovitskiy et al. 2020, arXiv:2010.11929; packed as in
 * Dehghani et al. 2023, arXiv:2307.06304).
 *
 *     const cut = new ImagePatches({ size: 16 })
 *     const tokens = await cut.tokens(['wide.jpg', 'tall.png']) // width 768: 16 rows of 16 pixels of 3 channels
 *     const [wide, tall] = await cut.restore(tokens)
 */
export class ImagePatches {
  /** Values of a patch: height · width · channels, of each row its pixels, of each pixel its channels. */
  readonly width: number
  readonly #spec: CutSpec

  /** @throws {InvalidOptionError} */
  constructor(options: ImagePatchesOptions) {
    const who = 'ImagePatches'
    const settings = settleAlone(imagePatchesOptions, options, who)
    const { size, stride } = sizeAndStride(settings, 2, expected, who)
    this.#spec = { size: [1, ...size], stride: [1, ...stride], ...pixelSpec(settings, who) }
    this.width = widthOf(this.#spec)
    Object.freeze(this)
  }

  /**
   * The patches of pictures, row after row; numbers from 0 to 1, but for those that `mean` and `deviation` move. Positions are
   * 0, row and column, counted in patches. The same bits for any number of threads. All pictures are in memory at once.
   *
   * @throws {InvalidOptionError} an item is no picture
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` a file is no picture, damaged or too large, or a picture does not fit
   *   the patches as `edge` wants it; `OUT_OF_MEMORY`
   */
  async tokens(
    images: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    options: Options<typeof imageCuttingOptions> & RunOptions = {},
  ): Promise<Tokens> {
    const who = 'imagePatches.tokens'
    const { settings, run: runSettings } = settle(imageCuttingOptions, options, who)
    if (!isIterable(images)) throw wrongOption('images', 'an iterable of pictures', images, who)
    const handle = new ImagesHandle(this.#spec.channels)
    const turns = new Turns(runSettings.signal)
    let number = 0
    for await (const image of images) await add(handle, image, `images[${number++}]`, turns, who)
    const found = await run<CutTokens>(who, runSettings, (spec, events) =>
      cutImages(handle, this.#spec, settings.maxPixels, spec, events),
    )
    return new Tokens(partsOf(found, this.width, 'image'))
  }

  /**
   * The pictures that were cut, bit for bit: pixels of `channels`, rounded to bytes. Where patches overlap, a value is the
   * mean of what they say; what `edge: 'drop'` left out is missing.
   *
   * @throws {InvalidOptionError} tokens of another width or of what is no picture
   */
  async restore(tokens: Tokens, options: RunOptions = {}): Promise<RawImage[]> {
    const who = 'imagePatches.restore'
    const settings = settle({}, options, who).run
    const extents = extentsOf(tokens, this.#spec, 'image', who)
    const values = await pushValues([tokens.values], settings.signal)
    const images = await run<Uint8Array[]>(who, settings, (spec, events) =>
      restorePixels(values, extents, this.#spec, spec, events),
    )
    return images.map((data, at) => {
      const [, height, width] = coveredOf(tokens.inputs[at]!.extent!, this.#spec)
      return { data, width, height, channels: this.#spec.channels as 1 | 3 | 4 }
    })
  }
}

async function add(
  handle: ImagesHandle,
  image: ImageInput,
  name: string,
  turns: Turns,
  who: string,
): Promise<void> {
  if (image instanceof Uint8Array) return handle.addEncoded(name, image)
  if (typeof image === 'string' || image instanceof URL) {
    return handle.addFile(settlePath(image, who, name))
  }
  const raw = checkRaw(image, name, 'a path, the bytes of a picture file', who)
  handle.begin(name, raw.width, raw.height)
  await pushPixels(handle, raw, turns)
}
