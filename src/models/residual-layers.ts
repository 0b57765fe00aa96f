import type { Layer } from '../nn/layer.js'
import { batchNorm, padChannels, relu, sum } from '../nn/layers.js'
import { averagePool, conv2d, pool } from '../nn/windows.js'
import { type Options, custom, integer, settleAlone, wrongOption } from '../options.js'

/** Every option of `residualLayers`. */
export const residualLayersOptions = {
  /** Layers with weights, with the dense one that follows: 6n + 2 for n blocks of a group. */
  depth: integer(20, { from: 4 }, 'layers with weights: 6n + 2 for n blocks of a group'),
  /** Channels of each group of blocks. Default: [16, 32, 64]. */
  channels: custom<readonly number[]>(
    'an array of integers from 1 up, each as large as the one before it or larger',
    (given) =>
      Array.isArray(given) &&
      given.length > 0 &&
      given.every((n, i) => Number.isInteger(n) && n > 0 && n >= (given[i - 1] ?? 1)),
    'channels of each group of blocks',
  ),
}

/** The options of `residualLayers`: see `residualLayersOptions`. */
export type ResidualLayersOptions = Options<typeof residualLayersOptions>

/**
 * From a small picture to a vector by residual blocks (He et al. 2015, arXiv:1512.03385, section 4.2): ResNet-20,
 * 32, 44, 56, 110. Between groups height and width are halved; there the shortcut takes every second pixel and has
 * zeros for channels that were not there. The names of layers are those that PyTorch's modules have: 'conv1',
 * 'bn1', 'layer1.0.conv1', ...; 'pool' gives the vector.
 *
 *     const description = network({
 *       input: values({ shape: [32, 32, 3] }),
 *       layers: [...residualLayers({ depth: 20 }), dense({ name: 'linear', units: 10 })],
 *       loss: crossEntropy(),
 *     })
 *     const model = await Network.load(description, 'resnet20.safetensors')
 *
 * @throws {InvalidOptionError} a depth that is not 6n + 2 (of g groups: 2g·n + 2)
 */
export function residualLayers(options: ResidualLayersOptions = {}): Layer[] {
  const who = 'residualLayers'
  const { depth, channels = [16, 32, 64] } = settleAlone(residualLayersOptions, options, who)
  const blocks = (depth - 2) / (2 * channels.length)
  if (!Number.isInteger(blocks)) {
    throw wrongOption('depth', `a multiple of ${2 * channels.length}, and 2 more`, depth, who)
  }
  const groups = channels.flatMap((count, group) =>
    Array.from({ length: blocks }, (_, block) => {
      const isFirst = group > 0 && block === 0
      return residualBlock({
        name: `layer${group + 1}.${block}`,
        from: isFirst ? channels[group - 1]! : count,
        to: count,
        stride: isFirst ? 2 : 1,
      })
    }),
  )
  return [
    conv2d({ name: 'conv1', channels: channels[0]!, kernel: 3, padding: 1, bias: false }),
    batchNorm({ name: 'bn1' }),
    relu(),
    ...groups.flat(),
    pool({ name: 'pool', by: 'mean' }),
  ]
}

/** Two convolutions, and what came in added to what they give: figure 2. */
function residualBlock({
  name,
  from,
  to,
  stride,
}: {
  name: string
  from: number
  to: number
  stride: number
}): Layer[] {
  const convolution = { channels: to, kernel: 3, padding: 1, bias: false }
  const before = Math.floor((to - from) / 2)
  const shortcut =
    stride === 1
      ? []
      : [averagePool({ kernel: 1, stride }), padChannels({ before, after: to - from - before })]
  return [
    sum([
      shortcut,
      [
        conv2d({ name: `${name}.conv1`, stride, ...convolution }),
        batchNorm({ name: `${name}.bn1` }),
        relu(),
        conv2d({ name: `${name}.conv2`, ...convolution }),
        batchNorm({ name: `${name}.bn2` }),
      ],
    ]),
    relu(),
  ]
}
