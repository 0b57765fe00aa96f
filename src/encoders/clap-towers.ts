// The two towers of CLAP (Wu et al. 2022, arXiv:2211.06687) as layers, by a folder's `config.json`, and where their parameters are
// among its tensors: RoBERTa for texts, and for sounds HTSAT (Chen et al. 2022, arXiv:2202.00874), a Swin Transformer.
import { InlayError } from '../errors.js'
import { network, values } from '../nn/description.js'
import type { Layer } from '../nn/layer.js'
import { dense, dropout, layerNorm, normalize, tanh } from '../nn/layers.js'
import type { TensorSource } from '../nn/loading.js'
import { patchMerging, transformerBlock } from '../nn/sequences.js'
import { pool } from '../nn/windows.js'
import { bertLike, families } from './bert.js'
import {
  type Front,
  type SoundShape,
  encoder,
  hasRoomForViews,
  viewsFront,
  wholeFront,
} from './clap-front.js'
import { Fields } from './model-folder.js'
import type { SoundLayers, SoundModel } from './sound-encoder.js'
import { type SoundPreparation, framesOf } from './sound-processor.js'
import { type BlockNames, TensorNames } from './tensor-names.js'
import type { TensorShapes } from './tensor-shapes.js'
import type { TextLayers } from './text-tower.js'
import { type Activation, activationLayer, activationOf } from './text-transformer.js'
import { checkSizes, headsOf } from './vision-transformer.js'

const blockOf = (stage: number, number: number) => `${encoder}.layers.${stage}.blocks.${number}`

/** A side of the map at most: no tensor says how large it is. */
const LARGEST = 1024

/** From what a tower gives to a vector of length 1: 'linear1', 'linear2' and `name`. */
function projection(
  tower: 'audio' | 'text',
  width: number,
  activation: Activation,
  name: string,
  shapes: TensorShapes,
): { layers: Layer[]; tensors: Record<string, TensorSource> } {
  const first = shapes.rows(`${tower}_projection.linear1.weight`, width)
  const units = shapes.rows(`${tower}_projection.linear2.weight`, first)
  const named = new TensorNames(`${tower}_projection.`)
  return {
    layers: [
      dense({ name: 'linear1', units: first }),
      activationLayer(activation),
      dense({ name: 'linear2', units }),
      normalize({ name }),
    ],
    tensors: { ...named.linear('linear1', 'linear1'), ...named.linear('linear2', 'linear2') },
  }
}

/** What stands between the two layers of a projection: what the whole model says, as transformers has it. */
function between(whole: Fields): Activation {
  return activationOf(whole, ['projection_hidden_act'], 'relu')
}

/** The tower of texts: as `bertLike`, and then 'class', 'pooler', ..., 'text'. */
export function clapText(whole: Fields, config: Fields, shapes: TensorShapes): TextLayers {
  const words = 'text_model.embeddings.word_embeddings.weight'
  const hidden = (i: number) => `text_model.encoder.layer.${i}.intermediate.dense.weight`
  const rows = shapes.rows(words)
  const width = shapes.get(words)!.at(-1)!
  const sizes = { width, hidden: shapes.rows(hidden(0), width), depth: shapes.count(hidden) }
  const places = shapes.rows('text_model.embeddings.position_embeddings.weight', width)
  checkSizes(config, sizes)
  for (const [name, size] of [
    ['vocab_size', rows],
    ['max_position_embeddings', places],
  ] as const) {
    const found = config.count([name], size)
    if (found !== size) throw config.wrong([name], `${size}, as its weights`, found)
  }
  const filled = {
    hidden_size: width,
    intermediate_size: sizes.hidden,
    num_hidden_layers: sizes.depth,
    num_attention_heads: headsOf(config, width, 12),
    vocab_size: rows,
    max_position_embeddings: places,
    ...config.json,
  }
  const skip = config.number(['pad_token_id'], 1) + 1
  if (!Number.isInteger(skip) || skip < 0 || skip >= places) {
    throw config.wrong(['pad_token_id'], `an integer below ${places - 1}`, skip - 1)
  }
  const names = new Set(shapes.all.keys())
  const model = bertLike(
    new Fields(config.folder, config.file, filled),
    families['roberta']!,
    names,
  )
  const head = projection('text', width, between(whole), 'text', shapes)
  return {
    layers: [
      ...model.layers,
      pool({ name: 'class', by: 'first' }),
      dense({ name: 'pooler.dense', units: width }),
      tanh({ name: 'pooler' }),
      ...head.layers,
    ],
    tensors: {
      ...model.tensors,
      ...new TensorNames('text_model.').linear('pooler.dense', 'pooler.dense'),
      ...head.tensors,
    },
    length: model.length,
  }
}

/** The tower of sounds: 'bands', 'map', 'patch', 'embeddings', 'layers.0.blocks.0', ..., 'layers.0', ..., 'norm', 'mean', ..., 'sound'.
 * With `enable_fusion` those up to 'embeddings' are there twice, for sounds that come as a whole and as views. */
export function clapSound(
  whole: Fields,
  config: Fields,
  preparation: SoundPreparation,
  shapes: TensorShapes,
): SoundModel {
  const isFused = checkKind(config, preparation)
  const shape = shapeOf(config, shapes)
  const { bands, side, stages, width } = shape
  const [frames, length] = [framesOf(preparation), (side * side) / bands]
  if (preparation.spectrogram.bands !== bands || frames < 1 || frames > length) {
    const found = `${frames} x ${preparation.spectrogram.bands}`
    throw config.wrong(['num_mel_bins'], `the bands of a spectrogram of ${found}`, bands)
  }
  const last = width * 2 ** (stages.length - 1)
  const head = projection('audio', last, between(whole), 'sound', shapes)
  const front = wholeFront(shape, frames)
  const trunk = [
    ...stages.flatMap((_, stage) => stageLayers(config, shape, stage)),
    layerNorm({ name: 'norm' }),
    pool({ name: 'mean', by: 'mean' }),
    ...head.layers,
  ]
  const tensors = { ...trunkTensors(shape), ...head.tensors }
  if (!isFused) {
    const input = values({ shape: [frames, bands] })
    const layers = [...front.layers, ...trunk]
    return {
      description: network({ input, layers }),
      tensors: { ...front.tensors, ...tensors },
      fronts: undefined,
      preparation,
    }
  }
  if (!hasRoomForViews(shape)) {
    throw config.wrong(['spec_size'], 'room for three patches side by side', side)
  }
  const across = Math.floor(side / shape.stride)
  const described = ({ layers, tensors: own }: Front, input: readonly number[]): SoundLayers => {
    return { description: network({ input: values({ shape: input }), layers }), tensors: own }
  }
  return {
    description: network({ input: values({ shape: [across, across, width] }), layers: trunk }),
    tensors,
    fronts: {
      whole: described(front, [frames, bands]),
      views: described(viewsFront(shape, frames, shapes), [4, frames, bands]),
    },
    preparation,
  }
}

/** Whether longer sounds come as views. @throws {InlayError} `UNSUPPORTED` what HTSAT may be and is not here */
function checkKind(config: Fields, { long }: SoundPreparation): boolean {
  const isFused = config.flag(['enable_fusion'], false)
  const unsupported = (problem: string) =>
    new InlayError('UNSUPPORTED', `${config.folder.who}: a model with ${problem}`)
  if (isFused !== (long === 'views')) {
    const truncation = long === 'views' ? 'fusion' : 'rand_trunc'
    throw unsupported(
      `\`enable_fusion\` ${isFused} whose sounds have \`truncation\` '${truncation}'`,
    )
  }
  if (isFused && config.json['fusion_type'] === 'channel_map') {
    throw unsupported("`fusion_type` 'channel_map'")
  }
  for (const name of ['flatten_patch_embeds', 'qkv_bias']) {
    if (!config.flag([name], true)) throw unsupported(`\`${name}\` false`)
  }
  return isFused
}

/** The sizes that tensors say, and the configuration where they do not. */
function shapeOf(config: Fields, shapes: TensorShapes): SoundShape {
  const patchWeight = `${encoder}.patch_embed.proj.weight`
  const [width = 0, channels = 0, patch = 0, across = 0] = shapes.get(patchWeight) ?? []
  if (width === 0 || patch === 0 || channels !== 1 || patch !== across) {
    throw shapes.wrong(patchWeight, '[width, 1, patch, patch]')
  }
  const [bands = 0] = shapes.get(`${encoder}.batch_norm.weight`) ?? []
  if (bands === 0) throw shapes.wrong(`${encoder}.batch_norm.weight`, '[bands]')
  const depths = listOf(config, 'depths', [2, 2, 6, 2])
  const heads = listOf(config, 'num_attention_heads', [4, 8, 16, 32])
  const table = (stage: number, number: number) =>
    `${blockOf(stage, number)}.attention.self.relative_position_bias_table`
  const counted = depths.map((_, stage) => shapes.count((number) => table(stage, number)))
  if (depths.length > 8 || counted.some((depth, stage) => depth !== depths[stage])) {
    throw config.wrong(['depths'], `${counted.join(', ')}, as its weights`, depths.join(', '))
  }
  const window = said(config, 'window_size', 8, 1, 32)
  for (const [stage, count] of heads.entries()) {
    if (heads.length !== depths.length || (width * 2 ** stage) % count !== 0) {
      throw config.wrong(['num_attention_heads'], 'a number for each stage', heads.join(', '))
    }
    const rows = shapes.rows(table(stage, 0), count)
    const expected = `[${(2 * window - 1) ** 2}, ${count}], as the configuration says`
    if (rows !== (2 * window - 1) ** 2) throw shapes.wrong(table(stage, 0), expected)
  }
  const side = said(config, 'spec_size', 256, 1, LARGEST)
  if (side % bands !== 0) throw config.wrong(['spec_size'], `a multiple of ${bands} bands`, side)
  if (sideOf(config, 'patch_size', 4) !== patch) {
    throw config.wrong(['patch_size'], `${patch}, as its weights`, config.json['patch_size'])
  }
  const stride = sideOf(config, 'patch_stride', 4)
  const padding = Math.floor((patch - stride) / 2)
  const cut = Math.floor((side + 2 * padding - patch) / stride) + 1
  const positions = Math.floor(side / stride)
  if (stride > patch || cut !== positions || positions % 2 ** (depths.length - 1) !== 0) {
    const expected = `what cuts a map of ${side} x ${side} to even sides, ${depths.length} times`
    throw config.wrong(['patch_stride'], expected, stride)
  }
  for (let stage = 0; stage < depths.length; stage++) {
    const length = positions / 2 ** stage
    // transformers puts zeros around such a map, and they are seen.
    if (length % window !== 0) {
      const problem = `a map of ${length} x ${length} positions in windows of ${window} x ${window}`
      throw new InlayError('UNSUPPORTED', `${config.folder.who}: ${problem}`)
    }
  }
  const hasNorm = config.flag(['enable_patch_layer_norm'], true)
  const ratio = config.positive(['mlp_ratio'], 4)
  const stages = depths.map((depth, stage) => {
    const wide = width * 2 ** stage
    const name = `${blockOf(stage, 0)}.intermediate.dense.weight`
    const hidden = shapes.rows(name, wide)
    if (Math.floor(ratio * wide) !== hidden) {
      throw config.wrong(['mlp_ratio'], `${hidden / wide}, as its weights`, ratio)
    }
    return { depth, heads: heads[stage]!, hidden }
  })
  return { stages, width, window, bands, side, patch, stride, hasNorm }
}

/** An integer that no tensor says. */
function said(config: Fields, name: string, fallback: number, from: number, to: number): number {
  const found = config.count([name], fallback)
  if (found >= from && found <= to) return found
  throw config.wrong([name], `an integer from ${from} to ${to}`, found)
}

function listOf(config: Fields, name: string, fallback: readonly number[]): readonly number[] {
  const given = config.json[name] ?? fallback
  const isCount = (value: unknown) => Number.isInteger(value) && (value as number) > 0
  if (Array.isArray(given) && given.length > 0 && given.every(isCount)) return given as number[]
  throw config.wrong([name], 'integers from 1 up', given)
}

/** A size that is a number, or twice the same one. */
function sideOf(config: Fields, name: string, fallback: number): number {
  const given = config.json[name]
  if (!Array.isArray(given)) return config.count([name], fallback)
  const [height, width] = listOf(config, name, [])
  if (given.length === 2 && height === width) return height!
  throw config.wrong([name], 'a number, or twice the same one', given)
}

/** The blocks of a stage, every other of which has its windows shifted by half of one, and what makes a smaller map of it. */
function stageLayers(config: Fields, shape: SoundShape, stage: number): Layer[] {
  const { stages, window, stride } = shape
  const { depth, heads, hidden } = stages[stage]!
  const width = shape.width * 2 ** stage
  const across = Math.floor(shape.side / stride) / 2 ** stage
  const activation = activationOf(config, ['hidden_act'])
  const epsilon = config.positive(['layer_norm_eps'], 1e-5)
  const name = `layers.${stage}`
  const layers: Layer[] = []
  for (let i = 0; i < depth; i++) {
    const called = `${name}.blocks.${i}`
    // One window over all has nothing to be shifted against.
    const shift = i % 2 === 1 && across > window ? Math.floor(window / 2) : 0
    const mapWindows = { side: window, shift }
    const block = { width, heads, hidden, activation, epsilon, mapWindows, normFirst: true }
    layers.push(...transformerBlock({ ...block, name: called }))
    layers.push(dropout({ name: called, probability: 0 }))
  }
  if (stage < stages.length - 1) {
    layers.push(...patchMerging({ name: `${name}.downsample`, shape: [across, across, width] }))
  }
  return [...layers, dropout({ name, probability: 0 })]
}

function trunkTensors({ stages }: SoundShape): Record<string, TensorSource> {
  const named = new TensorNames(`${encoder}.`)
  const tensors: Record<string, TensorSource> = named.norm('norm', 'norm')
  for (const [stage, { depth }] of stages.entries()) {
    const name = `layers.${stage}`
    for (let i = 0; i < depth; i++) {
      const called = `${name}.blocks.${i}`
      Object.assign(tensors, named.block(called, namesOf(called)))
      const table = `${called}.attention.self.relative_position_bias_table`
      tensors[`${called}.self_attn.relative_bias`] = named.of(table)
    }
    if (stage < stages.length - 1) {
      const merge = `${name}.downsample`
      Object.assign(tensors, named.norm(`${merge}.norm`, `${merge}.norm`))
      Object.assign(
        tensors,
        named.linear(`${merge}.reduction`, `${merge}.reduction`, { bias: false }),
      )
    }
  }
  return tensors
}

function namesOf(before: string): BlockNames {
  return {
    attention: [
      `${before}.attention.self.query`,
      `${before}.attention.self.key`,
      `${before}.attention.self.value`,
    ],
    out: `${before}.attention.output.dense`,
    norm1: `${before}.layernorm_before`,
    linear1: `${before}.intermediate.dense`,
    linear2: `${before}.output.dense`,
    norm2: `${before}.layernorm_after`,
  }
}
