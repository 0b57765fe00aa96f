// What a folder of Hugging Face says of how its pictures are prepared: the image processors of transformers.
import { InlayError, shown } from '../errors.js'
import type { ImagePreparation } from '../pictures/prepare-pictures.js'
import { Fields, type Json, type ModelFolder } from './model-folder.js'

/** What a processor does where its file does not say it. */
interface Processor {
  /** Of `size`: height and width, or what the shorter side becomes. */
  readonly square: boolean
  readonly size: number
  /** What is cut out of the middle then; 0: nothing. */
  readonly crop: number
  readonly resample: number
  readonly mean: readonly number[]
  readonly deviation: readonly number[]
}

const half = [0.5, 0.5, 0.5]
const clip: Processor = {
  square: false,
  size: 224,
  crop: 224,
  resample: 3,
  mean: [0.48145466, 0.4578275, 0.40821073],
  deviation: [0.26862954, 0.26130258, 0.27577711],
}

/** By the first word of the processor's class: `ViTImageProcessor`, `ViTFeatureExtractor`, `ViTImageProcessorFast`. */
const processors: Readonly<Record<string, Processor>> = {
  ViT: { square: true, size: 224, crop: 0, resample: 2, mean: half, deviation: half },
  DeiT: { square: true, size: 256, crop: 224, resample: 3, mean: half, deviation: half },
  CLIP: clip,
  Bit: clip,
  Siglip: { square: true, size: 224, crop: 0, resample: 3, mean: half, deviation: half },
}

/** Pillow's numbers of filters. */
const interpolations: Readonly<Record<number, ImagePreparation['interpolation']>> = {
  2: 'bilinear',
  3: 'bicubic',
}

/**
 * How pictures of a model of so many pixels a side, or of any square ones, are prepared; without such a file, as a processor of this kind does it.
 *
 * @throws {InlayError} `INVALID_INPUT` pictures of another size come of it; `UNSUPPORTED` what is not known here
 */
export async function imageProcessor(
  folder: ModelFolder,
  usual: 'ViT' | 'DeiT' | 'CLIP' | 'Bit' | 'Siglip',
  side?: number,
): Promise<ImagePreparation> {
  const [file, json] = await processorFile(folder, 'image_processor')
  const config = new Fields(
    folder,
    file,
    json ?? (side === undefined ? {} : { size: side, crop_size: side }),
  )
  const unsupported = (what: string) =>
    new InlayError('UNSUPPORTED', `${folder.who}: ${folder.file(file)} has ${what}`)
  const name = config.text(['image_processor_type', 'feature_extractor_type'], usual)
  const kind = /^(\w+?)(?:(?:ImageProcessor|FeatureExtractor)(?:Fast|Pil)?)?$/.exec(name)?.[1] ?? ''
  if (!Object.hasOwn(processors, kind)) throw unsupported(`a processor of type ${shown(name)}`)
  const processor = processors[kind]!
  if (!config.flag(['do_resize'], true)) throw unsupported('`do_resize` false')
  const number = config.number(['resample'], processor.resample)
  const interpolation = interpolations[number]
  if (interpolation === undefined) throw unsupported(`\`resample\` ${number}`)
  const crops = config.flag(['do_center_crop'], processor.crop > 0)
  const resize = sizeOf(config, 'size', processor.size, processor.square)
  const crop = crops ? sizeOf(config, 'crop_size', processor.crop, true) : resize
  if (typeof crop === 'number') throw unsupported('no crop, and pictures of any ratio')
  if (crop.some((length) => length !== (side ?? crop[0]))) {
    const wanted = side === undefined ? 'squares' : `${side} x ${side}`
    const problem = `gives pictures of ${crop.join(' x ')} pixels, and the model takes ${wanted}`
    throw folder.wrong(file, problem)
  }
  return {
    resize,
    crop: crop[0],
    halfPixel: 'down',
    interpolation,
    ...scaleOf(config, processor),
  }
}

/** The file that says how inputs are prepared, and what it says: in new folders a part of one for all kinds of them. */
export async function processorFile(
  folder: ModelFolder,
  part: 'image_processor' | 'feature_extractor',
): Promise<[string, Json | undefined]> {
  const own = 'preprocessor_config.json'
  const found = await folder.json(own)
  if (found !== undefined) return [own, found]
  const whole = 'processor_config.json'
  const { [part]: said } = (await folder.json(whole)) ?? {}
  return typeof said === 'object' && said !== null ? [whole, said as Json] : [own, undefined]
}

/** What a picture becomes: its shorter side, or height and width. */
function sizeOf(
  config: Fields,
  name: string,
  fallback: number,
  square: boolean,
): number | readonly [number, number] {
  const given = config.json[name] ?? fallback
  const isSide = (length: unknown): length is number =>
    Number.isInteger(length) && (length as number) > 0 && (length as number) <= 16_384
  if (isSide(given)) return square ? [given, given] : given
  const { height, width, shortest_edge: shorter, longest_edge: longer } = Object(given) as Json
  if (isSide(height) && isSide(width)) return [height, width]
  if (isSide(shorter) && longer === undefined) return shorter
  const expected = '`height` and `width`, or `shortest_edge`, each from 1 to 16384'
  throw config.wrong([name], expected, given)
}

/** What is taken from values from 0 to 1, and what they are divided by then. */
function scaleOf(
  config: Fields,
  processor: Processor,
): Pick<ImagePreparation, 'mean' | 'deviation'> {
  const factor = config.flag(['do_rescale'], true) ? config.number(['rescale_factor'], 1 / 255) : 1
  const isNormalized = config.flag(['do_normalize'], true)
  const three = (name: string, fallback: readonly number[], isFine: (value: number) => boolean) => {
    const given = config.json[name] ?? fallback
    const isRight = (value: unknown) => typeof value === 'number' && isFine(value)
    if (Array.isArray(given) && given.length === 3 && given.every(isRight)) return given as number[]
    throw config.wrong([name], 'three numbers', given)
  }
  const mean = isNormalized ? three('image_mean', processor.mean, Number.isFinite) : [0, 0, 0]
  const isDivisor = (value: number) => Number.isFinite(value) && value > 0
  const deviation = isNormalized ? three('image_std', processor.deviation, isDivisor) : [1, 1, 1]
  if (!isDivisor(factor)) throw config.wrong(['rescale_factor'], 'a number above 0', factor)
  // Of 1 / 255 there are as many forms as ways to round it.
  const scale = Math.abs(255 * factor - 1) < 1e-6 ? 1 : 255 * factor
  return {
    mean: mean.map((value) => value / scale),
    deviation: deviation.map((value) => value / scale),
  }
}
