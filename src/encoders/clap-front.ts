// What stands before the blocks of HTSAT (Chen et al. 2022, arXiv:2202.00874): a spectrogram, or four views of one, as patches.
import type { Layer } from '../nn/layer.js'
import {
  attentionalFusion,
  batchNorm,
  concat,
  dense,
  dropout,
  layerNorm,
  padChannels,
  permute,
  relu,
  reshape,
  slice,
  sum,
} from '../nn/layers.js'
import type { TensorSource } from '../nn/loading.js'
import { conv2d, conv3d, pool, resize } from '../nn/windows.js'
import { TensorNames } from './tensor-names.js'
import type { TensorShapes } from './tensor-shapes.js'

/** Before the names of what is in the tower of sounds. */
export const encoder = 'audio_model.audio_encoder'

/** Blocks of one width. */
export interface Stage {
  readonly depth: number
  readonly heads: number
  readonly hidden: number
}

/** What HTSAT is, but for its weights. */
export interface SoundShape {
  /** Of each stage: its blocks, and heads of each. */
  readonly stages: readonly Stage[]
  /** Values of a position in the first stage. */
  readonly width: number
  /** Positions of a window's side. */
  readonly window: number
  /** Bands of a spectrogram. */
  readonly bands: number
  /** Side of the map that patches are cut from, and of those. */
  readonly side: number
  readonly patch: number
  readonly stride: number
  readonly hasNorm: boolean
}

/** Layers up to 'embeddings', and where their parameters are. */
export interface Front {
  readonly layers: readonly Layer[]
  readonly tensors: Record<string, TensorSource>
}

const named = new TensorNames(`${encoder}.`)

/** Whether the map of a view has a patch of views. */
export function hasRoomForViews(shape: SoundShape): boolean {
  return shape.side + 2 * paddingOf(shape) >= 3 * shape.patch
}

/** Of a sound that comes as a whole: [frames, bands]. */
export function wholeFront(shape: SoundShape, frames: number): Front {
  const { bands, side } = shape
  const times = side / bands
  return {
    layers: [
      batchNorm({ name: 'bands' }),
      ...stretched(shape, [], frames),
      // The spectrogram in parts, one below the other: low bands above high ones, time from left to right.
      reshape({ shape: [times, side, bands] }),
      permute({ axes: [0, 2, 1] }),
      reshape({ name: 'map', shape: [side, side, 1] }),
      wholePatches(shape, 'patch'),
      embeddings(shape),
    ],
    tensors: { ...commonTensors(shape), ...named.linear('patch', 'patch_embed.proj') },
  }
}

/** Of one that comes as views, the first of which is all of it: [4, frames, bands]. The patches of all and those of the three others
 * side by side become one by shares (Dai et al. 2021, arXiv:2009.14082). */
export function viewsFront(shape: SoundShape, frames: number, shapes: TensorShapes): Front {
  const { bands, side, width } = shape
  const times = side / bands
  const whole = (name: string) => [
    slice({ to: 1 }),
    reshape({ shape: [side, side, 1] }),
    wholePatches(shape, name),
  ]
  const fusion = `${encoder}.patch_embed.fusion_model`
  const hidden = shapes.get(`${fusion}.local_att.0.weight`)?.[0] ?? 0
  if (hidden === 0) throw shapes.wrong(`${fusion}.local_att.0.weight`, `[hidden, ${width}, 1, 1]`)
  const shares = (name: string) => [
    dense({ name: `${name}.0`, units: hidden }),
    batchNorm({ name: `${name}.1` }),
    relu(),
    dense({ name: `${name}.2`, units: width }),
    batchNorm({ name: `${name}.3` }),
  ]
  const both = concat([shares('local'), [pool({ by: 'mean' }), ...shares('global')]])
  const tensors = { ...commonTensors(shape) }
  for (const copy of ['', '.added']) {
    const patches = named.linear(`patch${copy}`, 'patch_embed.proj')
    const views = named.linear(`views${copy}`, 'patch_embed.mel_conv2d')
    Object.assign(tensors, patches, views)
    tensors[`views${copy}.weight`] = { ...views[`views${copy}.weight`]!, reshaped: true }
  }
  for (const [name, parts] of [
    ['local', ['local_att.0', 'local_att.1', 'local_att.3', 'local_att.4']],
    ['global', ['global_att.1', 'global_att.2', 'global_att.4', 'global_att.5']],
  ] as const) {
    for (const [number, part] of parts.entries()) {
      const from = `patch_embed.fusion_model.${part}`
      if (number % 2 === 1) Object.assign(tensors, batchTensors(`${name}.${number}`, from))
      else {
        const found = named.linear(`${name}.${number}`, from)
        const weight = { ...found[`${name}.${number}.weight`]!, reshaped: true }
        Object.assign(tensors, found, { [`${name}.${number}.weight`]: weight })
      }
    }
  }
  return {
    layers: [
      batchNorm({ name: 'bands' }),
      ...stretched(shape, [4], frames),
      reshape({ shape: [4, times, side, bands] }),
      permute({ axes: [0, 1, 3, 2] }),
      reshape({ name: 'map', shape: [4, side * side] }),
      concat([
        [sum([whole('patch.added'), viewPatches(shape, 'views.added')]), both],
        whole('patch'),
        viewPatches(shape, 'views'),
      ]),
      attentionalFusion({ name: 'fused' }),
      embeddings(shape),
    ],
    tensors,
  }
}

/** As many frames as the map has room for. */
function stretched({ side, bands }: SoundShape, views: readonly number[], frames: number): Layer[] {
  const length = (side * side) / bands
  if (frames === length) return []
  return [resize({ size: [...views, length], by: 'cubic', alignCorners: true })]
}

function embeddings({ hasNorm }: SoundShape): Layer {
  const name = 'embeddings'
  return hasNorm ? layerNorm({ name }) : dropout({ name, probability: 0 })
}

/** Positions around the map. */
function paddingOf({ patch, stride }: SoundShape): number {
  return Math.floor((patch - stride) / 2)
}

function wholePatches(shape: SoundShape, name: string): Layer {
  const { width: channels, patch: kernel, stride } = shape
  return conv2d({ name, channels, kernel, stride, padding: paddingOf(shape) })
}

/** The three views behind the first as patches that are three times as wide, those of all side by side, with zeros on the right. */
function viewPatches(shape: SoundShape, name: string): Layer[] {
  const { side, width, patch, stride } = shape
  const padding = paddingOf(shape)
  const across = Math.floor(side / stride)
  const each = Math.floor((side + 2 * padding - 3 * patch) / (3 * stride)) + 1
  return [
    slice({ from: 1, to: 4 }),
    reshape({ shape: [3, side, side, 1] }),
    conv3d({
      name,
      channels: width,
      kernel: [1, patch, 3 * patch],
      stride: [1, stride, 3 * stride],
      padding: [0, padding, padding],
    }),
    permute({ axes: [1, 0, 2, 3] }),
    reshape({ shape: [across, 3 * each, width] }),
    permute({ axes: [0, 2, 1] }),
    padChannels({ after: across - 3 * each }),
    permute({ axes: [0, 2, 1] }),
  ]
}

function commonTensors({ hasNorm }: SoundShape): Record<string, TensorSource> {
  return {
    ...batchTensors('bands', 'batch_norm'),
    ...(hasNorm && named.norm('embeddings', 'patch_embed.norm')),
  }
}

/** The parameters of a batch norm, and what it has kept. */
function batchTensors(to: string, from: string): Record<string, TensorSource> {
  const kept = ['running_mean', 'running_var', 'num_batches_tracked']
  const sources = kept.map((part) => [`${to}.${part}`, named.of(`${from}.${part}`)] as const)
  return { ...named.norm(to, from), ...Object.fromEntries(sources) }
}
