import { InlayError } from '../errors.js'
import type { Layer } from '../nn/layer.js'
import { batchNorm, dense, dropout, flatten, relu } from '../nn/layers.js'
import { averagePool, conv2d, maxPool } from '../nn/windows.js'
import { type RunOptions, settle, wrongOption } from '../options.js'
import { type Path, settlePath } from '../path.js'
import { imageNet } from '../pictures/prepare-pictures.js'
import {
  ImageEncoder,
  type ImageEncoderOptions,
  type ImageModel,
  imageEncoderOptions,
  loadImageModel,
} from './image-encoder.js'
import { tensorsOf } from './model-folder.js'

/** Convolutions before each pool: table 1, columns A, B, D and E. */
const stages = new Map([
  [11, [1, 1, 2, 2, 2]],
  [13, [2, 2, 2, 2, 2]],
  [16, [2, 2, 3, 3, 3]],
  [19, [2, 2, 4, 4, 4]],
])

/** Height and width of the map that the dense layers read. */
const side = 7

/**
 * VGG of 11, 13, 16 or 19 layers, with batch norm or without (Simonyan and Zisserman 2014, arXiv:1409.1556), with
 * pretrained weights under torchvision's names. Each layer gives vectors: 'features.28', 'avgpool', 'classifier.0', ...
 *
 *     picture 224 x 224 ─▶ [[conv 3x3 ─▶ relu]* ─▶ max-pool 2x2]*5 ─▶ 7 x 7 x 512 ─▶ dense 4096 ─▶ dense 4096 ─▶ scores
 *
 *     const vgg = await Vgg.load('vgg16-397923af.pth')
 *     const vectors = await vgg.encode(['cat.jpg', await readFile('dog.png')]) // 4,096 values each
 *     const maps = await vgg.encode(['cat.jpg'], { layer: 'features.28' })
 */
export class Vgg extends ImageEncoder {
  /**
   * Reads weights from a safetensors file or one that `torch.save` wrote, of which nothing is run. The depth, the widths
   * and whether there are batch norms are found from the tensors' names and shapes.
   *
   * @throws {InvalidOptionError} the file has another `depth`, or more or fewer `labels`
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is damaged or no VGG, or lacks tensors: with all of them
   */
  static async load(path: Path, options: ImageEncoderOptions & RunOptions = {}): Promise<Vgg> {
    const who = 'Vgg.load'
    const { settings, run } = settle(imageEncoderOptions, options, who)
    const file = settlePath(path, who)
    const preparation = { ...imageNet, ...settings.preparation }
    if (preparation.crop % (32 * side) !== 0) {
      throw wrongOption('preparation.crop', 'a multiple of 224', preparation.crop, who)
    }
    const shapes = await tensorsOf([file], who, run)
    const model = vgg(shapes, file, preparation, who)
    return new Vgg(...(await loadImageModel(model, file, settings, run, who)))
  }
}

function vgg(
  shapes: ReadonlyMap<string, readonly number[]>,
  file: string,
  preparation: ImageModel['preparation'],
  who: string,
): ImageModel {
  const convolutions = [...shapes].filter(([name, shape]) => isConvolution(name, shape)).length
  const isNormed = [...shapes.keys()].some((name) => /^features\.\d+\.running_mean$/.test(name))
  const known = [...stages].find(([, counts]) => sumOf(counts) === convolutions)
  if (known === undefined) {
    const found = `${convolutions} convolutions named \`features.N.weight\``
    const problem = `has ${found}; VGG-11, 13, 16 and 19 have 8, 10, 13 and 16`
    throw new InlayError('INVALID_INPUT', `${who}: ${file} ${problem}`, { file })
  }
  const [depth, counts] = known
  const layers = features(counts, isNormed, shapes)
  const pooled = preparation.crop / 32 / side
  layers.push(averagePool({ name: 'avgpool', kernel: pooled }))
  const widthOf = (name: string) => shapes.get(`${name}.weight`)?.[0]
  const [hidden, second, classes] = [0, 3, 6].map((n) => widthOf(`classifier.${n}`))
  if (hidden === undefined && second === undefined && classes === undefined) {
    return { layers, tensors: {}, vector: 'avgpool', scores: undefined, depth, preparation }
  }
  // A dense layer over a map of PyTorch's order of axes is a convolution as large as the map.
  layers.push(
    conv2d({ name: 'classifier.0', channels: hidden ?? 4096, kernel: side }),
    relu({ name: 'classifier.1' }),
    flatten(),
    dropout({ name: 'classifier.2' }),
    dense({ name: 'classifier.3', units: second ?? 4096 }),
    relu({ name: 'classifier.4' }),
    dropout({ name: 'classifier.5' }),
    dense({ name: 'classifier.6', units: classes ?? 1000 }),
  )
  const tensors = {
    'classifier.0.weight': { tensors: ['classifier.0.weight'], reshaped: true },
  }
  return { layers, tensors, vector: 'classifier.4', scores: 'classifier.6', depth, preparation }
}

/** Convolutions and pools under the numbers that torchvision gives them. */
function features(
  counts: readonly number[],
  isNormed: boolean,
  shapes: ReadonlyMap<string, readonly number[]>,
): Layer[] {
  const layers: Layer[] = []
  const next = () => `features.${layers.length}`
  for (const [stage, count] of counts.entries()) {
    for (let i = 0; i < count; i++) {
      const name = next()
      const channels = shapes.get(`${name}.weight`)?.[0] ?? Math.min(512, 64 << stage)
      layers.push(conv2d({ name, channels, kernel: 3, padding: 1 }))
      if (isNormed) layers.push(batchNorm({ name: next() }))
      layers.push(relu({ name: next() }))
    }
    layers.push(maxPool({ name: next(), kernel: 2 }))
  }
  return layers
}

function isConvolution(name: string, shape: readonly number[]): boolean {
  return /^features\.\d+\.weight$/.test(name) && shape.length === 4
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0)
}
