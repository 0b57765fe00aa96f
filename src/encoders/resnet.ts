import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { InlayError } from '../errors.js'
import { residualLayers } from '../models/residual-layers.js'
import type { Layer } from '../nn/layer.js'
import { batchNorm, dense, relu, sum } from '../nn/layers.js'
import { conv2d, maxPool, pool } from '../nn/windows.js'
import { type RunOptions, settle } from '../options.js'
import { type Path, settlePath } from '../path.js'
import { type ImagePreparation, imageNet } from '../pictures/prepare-pictures.js'
import {
  ImageEncoder,
  type ImageEncoderOptions,
  type ImageModel,
  imageEncoderOptions,
  loadImageModel,
} from './image-encoder.js'
import { tensorsOf } from './model-folder.js'

type Shapes = ReadonlyMap<string, readonly number[]>

/**
 * ResNet of any depth that its paper has (He et al. 2015, arXiv:1512.03385): 18, 34, 50, 101 and 152 layers for ImageNet,
 * 20, 32, 44, 56 and 110 for CIFAR, with pretrained weights. Each layer gives vectors by torchvision's name:
 * 'layer4.2', 'avgpool', 'fc'.
 *
 *     picture 224 x 224 ─▶ conv 7x7 ─▶ max-pool ─▶ layer1 ─▶ layer2 ─▶ layer3 ─▶ layer4 ─▶ avgpool ─▶ fc ─▶ scores
 *
 *     const resnet = await ResNet.load('resnet50-11ad3fa6.pth')
 *     const vectors = await resnet.encode(['cat.jpg', 'dog.png']) // 2,048 values each
 */
export class ResNet extends ImageEncoder {
  /**
   * Reads weights from a safetensors file or one that `torch.save` wrote, of which nothing is run. Their names are
   * torchvision's, Hugging Face's, or for CIFAR those of the paper's small networks; the depth is found from names and
   * shapes. Of a Hugging Face folder, its `model.safetensors` is meant.
   *
   * @throws {InvalidOptionError} the file has another `depth`, or more or fewer `labels`
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is damaged or no ResNet, or lacks tensors: with all of
   *   them; `UNSUPPORTED` a folder whose `config.json` has what is not known here
   */
  static async load(path: Path, options: ImageEncoderOptions & RunOptions = {}): Promise<ResNet> {
    const who = 'ResNet.load'
    const { settings, run } = settle(imageEncoderOptions, options, who)
    const given = settlePath(path, who)
    const isFolder = await stat(given).then(
      (found) => found.isDirectory(),
      () => false,
    )
    const file = isFolder ? join(given, 'model.safetensors') : given
    const shapes = await tensorsOf([file], who, run)
    const names = namingOf(shapes, file, who)
    if (names.kind === 'hub') await checkConfig(file, who)
    const model = names.kind === 'cifar' ? small(shapes, names.prefix) : large(shapes, names)
    const preparation = { ...model.preparation, ...settings.preparation }
    const prepared = { ...model, preparation }
    return new ResNet(...(await loadImageModel(prepared, file, settings, run, who)))
  }
}

/** What a file calls its tensors. */
interface Naming {
  readonly kind: 'torchvision' | 'hub' | 'cifar'
  readonly prefix: string
}

function namingOf(shapes: Shapes, file: string, who: string): Naming {
  for (const name of shapes.keys()) {
    const hub = /^(.*?)embedder\.embedder\.convolution\.weight$/.exec(name)
    if (hub) return { kind: 'hub', prefix: hub[1]! }
    const plain = /^(|module\.)conv1\.weight$/.exec(name)
    if (!plain) continue
    const prefix = plain[1]!
    if (has(shapes, `${prefix}layer1.0.conv1.`)) {
      return { kind: has(shapes, `${prefix}layer4.`) ? 'torchvision' : 'cifar', prefix }
    }
  }
  const problem =
    'has no tensors of a ResNet: `conv1.weight` and `layer1.0.conv1.weight`, or ' +
    '`embedder.embedder.convolution.weight`'
  throw new InlayError('INVALID_INPUT', `${who}: ${file} ${problem}`, { file })
}

/** What cannot be told from names and shapes of Hugging Face's, and is never otherwise in published weights. */
async function checkConfig(file: string, who: string): Promise<void> {
  const path = join(dirname(file), 'config.json')
  const text = await readFile(path, 'utf8').catch(() => '{}')
  let config: Record<string, unknown>
  try {
    config = Object(JSON.parse(text)) as Record<string, unknown>
  } catch {
    throw new InlayError('INVALID_INPUT', `${who}: ${path} is not JSON`, { file: path })
  }
  const { hidden_act: activation = 'relu' } = config
  const strides = ['downsample_in_bottleneck', 'downsample_in_first_stage'].find(
    (name) => config[name] === true,
  )
  if (activation === 'relu' && strides === undefined) return
  const what = strides ?? `hidden_act ${String(activation)}`
  throw new InlayError(
    'UNSUPPORTED',
    `${who}: ${path} has \`${what}\`, which is not known here`,
    {},
  )
}

/** A network for CIFAR: three groups, shortcuts without weights. */
function small(shapes: Shapes, prefix: string): ImageModel {
  const groups = [1, 2, 3].map((group) => blocksOf(shapes, `${prefix}layer${group}.`))
  const channels = [1, 2, 3].map(
    (group, at) => shapes.get(`${prefix}layer${group}.0.conv1.weight`)?.[0] ?? 16 << at,
  )
  const depth = 2 * groups.reduce((all, blocks) => all + blocks, 0) + 2
  // Where groups are of different lengths, the tensors that are missing are named.
  const layers = residualLayers({ depth: 6 * Math.max(...groups) + 2, channels })
  const classes = shapes.get(`${prefix}linear.weight`)?.[0]
  const own = classes === undefined ? [] : [dense({ name: 'linear', units: classes })]
  return {
    layers: [...layers, ...own],
    tensors: {},
    prefix,
    vector: 'pool',
    scores: classes === undefined ? undefined : 'linear',
    depth,
    preparation: { ...imageNet, resize: 32, crop: 32 },
  }
}

/** A network for ImageNet: table 1. */
function large(shapes: Shapes, { kind, prefix }: Naming): ImageModel {
  const named = kind === 'hub' ? hubNames(prefix) : torchNames(prefix)
  const stages = [1, 2, 3, 4].map((stage) => blocksOf(shapes, named.stage(stage)))
  const sources: Record<string, { tensors: string[] }> = {}
  const from = (layer: string, source: string, parts: readonly string[]) => {
    for (const part of parts) sources[`${layer}.${part}`] = { tensors: [`${source}.${part}`] }
  }
  const convolved = (
    layer: string,
    norm: string,
    source: { convolution: string; norm: string },
  ) => {
    from(layer, source.convolution, ['weight'])
    from(norm, source.norm, [...normParts])
    return shapes.get(`${source.convolution}.weight`)?.[0] ?? 64
  }
  const stem = convolved('conv1', 'bn1', named.stem)
  const layers: Layer[] = [
    conv2d({ name: 'conv1', channels: stem, kernel: 7, stride: 2, padding: 3, bias: false }),
    batchNorm({ name: 'bn1' }),
    relu({ name: 'relu' }),
    maxPool({ name: 'maxpool', kernel: 3, stride: 2, padding: 1 }),
  ]
  const isDeep = shapes.has(`${named.block(1, 0, 3).convolution}.weight`)
  for (const [at, blocks] of stages.entries()) {
    for (let block = 0; block < Math.max(1, blocks); block++) {
      const name = `layer${at + 1}.${block}`
      const counts = (isDeep ? [1, 2, 3] : [1, 2]).map((n) =>
        convolved(`${name}.conv${n}`, `${name}.bn${n}`, named.block(at + 1, block, n)),
      )
      const shortcut = named.shortcut(at + 1, block)
      const isProjected = shapes.has(`${shortcut.convolution}.weight`)
      if (isProjected) convolved(`${name}.downsample.0`, `${name}.downsample.1`, shortcut)
      const stride = at > 0 && block === 0 ? 2 : 1
      layers.push(...residualBlock(name, counts, stride, isProjected || stride > 1))
    }
  }
  layers.push(pool({ name: 'avgpool', by: 'mean' }))
  const classes = shapes.get(`${named.scores}.weight`)?.[0]
  if (classes !== undefined) {
    layers.push(dense({ name: 'fc', units: classes }))
    from('fc', named.scores, ['weight', 'bias'])
  }
  const convolutions = stages.reduce((all, blocks) => all + blocks * (isDeep ? 3 : 2), 0)
  return {
    layers,
    tensors: sources,
    prefix: '',
    vector: 'avgpool',
    scores: classes === undefined ? undefined : 'fc',
    depth: convolutions + 2,
    preparation: preparationOf(kind),
  }
}

const normParts = ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked'] as const

function preparationOf(kind: Naming['kind']): ImagePreparation {
  return kind === 'hub' ? { ...imageNet, interpolation: 'bicubic' } : imageNet
}

/** Two convolutions of 3 x 3, or three of 1 x 1, 3 x 3 and 1 x 1, and what came in added: figure 5. The stride is in
 * the one of 3 x 3, as in torchvision. */
function residualBlock(
  name: string,
  counts: readonly number[],
  stride: number,
  isProjected: boolean,
): Layer[] {
  const isDeep = counts.length === 3
  const branch = counts.flatMap((channels, at) => {
    const isWide = !isDeep || at === 1
    const strided = isDeep ? at === 1 : at === 0
    return [
      ...(at > 0 ? [relu()] : []),
      conv2d({
        name: `${name}.conv${at + 1}`,
        channels,
        kernel: isWide ? 3 : 1,
        padding: isWide ? 1 : 0,
        stride: strided ? stride : 1,
        bias: false,
      }),
      batchNorm({ name: `${name}.bn${at + 1}` }),
    ]
  })
  const projection = [
    conv2d({
      name: `${name}.downsample.0`,
      channels: counts.at(-1)!,
      kernel: 1,
      stride,
      bias: false,
    }),
    batchNorm({ name: `${name}.downsample.1` }),
  ]
  return [sum([isProjected ? projection : [], branch]), relu({ name })]
}

/** Blocks of a stage: one more than the highest number behind its name. */
function blocksOf(shapes: Shapes, stage: string): number {
  const numbers = [...shapes.keys()]
    .filter((name) => name.startsWith(stage))
    .map((name) => Number.parseInt(name.slice(stage.length), 10))
    .filter((number) => number >= 0)
  return numbers.reduce((most, number) => Math.max(most, Math.min(number, 999) + 1), 0)
}

function has(shapes: Shapes, start: string): boolean {
  return [...shapes.keys()].some((name) => name.startsWith(start))
}

function torchNames(prefix: string) {
  const block = (stage: number, at: number) => `${prefix}layer${stage}.${at}`
  return {
    stem: { convolution: `${prefix}conv1`, norm: `${prefix}bn1` },
    stage: (stage: number) => `${prefix}layer${stage}.`,
    block: (stage: number, at: number, n: number) => ({
      convolution: `${block(stage, at)}.conv${n}`,
      norm: `${block(stage, at)}.bn${n}`,
    }),
    shortcut: (stage: number, at: number) => ({
      convolution: `${block(stage, at)}.downsample.0`,
      norm: `${block(stage, at)}.downsample.1`,
    }),
    scores: `${prefix}fc`,
  }
}

function hubNames(prefix: string) {
  const pair = (name: string) => ({
    convolution: `${name}.convolution`,
    norm: `${name}.normalization`,
  })
  const block = (stage: number, at: number) => `${prefix}encoder.stages.${stage - 1}.layers.${at}`
  return {
    stem: pair(`${prefix}embedder.embedder`),
    stage: (stage: number) => `${prefix}encoder.stages.${stage - 1}.layers.`,
    block: (stage: number, at: number, n: number) => pair(`${block(stage, at)}.layer.${n - 1}`),
    shortcut: (stage: number, at: number) => pair(`${block(stage, at)}.shortcut`),
    scores: 'classifier.1',
  }
}
