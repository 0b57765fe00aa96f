// The two towers of CLIP (Radford et al. 2021, arXiv:2103.00020) as layers, by a folder's `config.json`, and where their
// parameters are among its tensors.
import { dense, embedding, layerNorm, normalize } from '../nn/layers.js'
import type { TensorSource } from '../nn/loading.js'
import { positions } from '../nn/sequences.js'
import { pool } from '../nn/windows.js'
import type { ImageModel } from './image-encoder.js'
import { imageProcessor } from './image-processor.js'
import { Fields, type Json, type ModelFolder } from './model-folder.js'
import { type BlockNames, TensorNames } from './tensor-names.js'
import type { TensorShapes } from './tensor-shapes.js'
import type { TextLayers } from './text-tower.js'
import { activationOf } from './text-transformer.js'
import { blocks, checkSizes, headsOf, sideOf, sizesOf, visionLayers } from './vision-transformer.js'

/** Of which tower something is. */
type Tower = 'text' | 'vision'

/** What a block's parameters are called. */
export const blockOf = (tower: Tower) => {
  return (i: number): BlockNames => {
    const layer = `${tower}_model.encoder.layers.${i}`
    return {
      attention: [
        `${layer}.self_attn.q_proj`,
        `${layer}.self_attn.k_proj`,
        `${layer}.self_attn.v_proj`,
      ],
      out: `${layer}.self_attn.out_proj`,
      norm1: `${layer}.layer_norm1`,
      linear1: `${layer}.mlp.fc1`,
      linear2: `${layer}.mlp.fc2`,
      norm2: `${layer}.layer_norm2`,
    }
  }
}

/** What the hidden layer of a block is called. */
export const hiddenOf = (tower: Tower) => (i: number) => `${blockOf(tower)(i).linear1}.weight`

/** What a folder says of a tower: in old ones, what is in `..._config_dict` holds. */
export function towerConfig(folder: ModelFolder, config: Json, tower: Tower | 'audio'): Fields {
  const name = `${tower}_config`
  const found = config[`${name}_dict`] ?? config[name] ?? {}
  if (typeof found === 'object' && !Array.isArray(found)) {
    return new Fields(folder, 'config.json', found as Json)
  }
  throw folder.wrong('config.json', `should have an object as \`${name}\``)
}

/** The tower of pictures: 'embeddings', 'layers.0', ..., 'class', 'norm', 'image'. */
export async function clipImage(config: Fields, shapes: TensorShapes): Promise<ImageModel> {
  const { folder } = config
  const before = 'vision_model.embeddings'
  const names = {
    patch: `${before}.patch_embedding.weight`,
    positions: `${before}.position_embedding.weight`,
    tokens: [`${before}.class_embedding`],
    hidden: hiddenOf('vision'),
  }
  const sizes = sizesOf(shapes, names)
  checkSizes(config, sizes)
  const side = sideOf(config, sizes)
  const epsilon = config.positive(['layer_norm_eps'], 1e-5)
  const shape = {
    ...sizes,
    side,
    epsilon,
    heads: headsOf(config, sizes.width, 12),
    activation: activationOf(config, ['hidden_act'], 'quick_gelu'),
    isClip: true,
  }
  const named = new TensorNames('')
  const tensors: Record<string, TensorSource> = {
    'patch.weight': named.of(names.patch),
    'tokens.weight': { ...named.of(...names.tokens), reshaped: true },
    'positions.weight': named.of(names.positions),
    // So it is written.
    ...named.norm('embeddings', 'vision_model.pre_layrnorm'),
    ...named.norm('norm', 'vision_model.post_layernorm'),
    'projection.weight': named.of('visual_projection.weight'),
  }
  const block = blockOf('vision')
  for (let i = 0; i < shape.depth; i++) {
    Object.assign(tensors, named.block(`layers.${i}`, block(i)))
  }
  const units = shapes.rows('visual_projection.weight', shape.width)
  return {
    layers: [
      ...visionLayers(shape),
      pool({ name: 'class', by: 'first' }),
      layerNorm({ name: 'norm', epsilon }),
      dense({ name: 'projection', units, bias: false }),
      normalize({ name: 'image' }),
    ],
    tensors,
    vector: 'image',
    scores: undefined,
    depth: shape.depth,
    preparation: await imageProcessor(folder, 'CLIP', side),
  }
}

/** The tower of texts: 'embeddings', 'layers.0', ..., 'end', 'norm', 'text'. A text's vector is that of its last token, which has
 * seen all others. */
export function clipText(config: Fields, shapes: TensorShapes): TextLayers {
  const words = 'text_model.embeddings.token_embedding.weight'
  const places = 'text_model.embeddings.position_embedding.weight'
  const hidden = hiddenOf('text')
  const values = shapes.rows(words)
  const width = shapes.get(words)!.at(-1)!
  const length = shapes.rows(places, width)
  const [inner, depth] = [shapes.rows(hidden(0), width), shapes.count(hidden)]
  checkSizes(config, { width, hidden: inner, depth })
  const epsilon = config.positive(['layer_norm_eps'], 1e-5)
  const shape = {
    width,
    hidden: inner,
    heads: headsOf(config, width, 8),
    depth,
    activation: activationOf(config, ['hidden_act'], 'quick_gelu'),
    epsilon,
  }
  const named = new TensorNames('')
  const tensors: Record<string, TensorSource> = {
    'tokens.weight': named.of(words),
    'embeddings.weight': named.of(places),
    ...named.norm('norm', 'text_model.final_layer_norm'),
    'projection.weight': named.of('text_projection.weight'),
  }
  const block = blockOf('text')
  for (let i = 0; i < depth; i++) Object.assign(tensors, named.block(`layers.${i}`, block(i)))
  // The first models said 2, which is no token at all: theirs is the one with the highest number.
  const said = config.number(['eos_token_id'], 49_407)
  if (!Number.isInteger(said) || said < 0) {
    throw config.wrong(['eos_token_id'], 'the number of a token', said)
  }
  return {
    layers: [
      embedding({ name: 'tokens', values, dimensions: width }),
      positions({ name: 'embeddings', code: 'learned', length }),
      ...blocks(shape, { causal: true }),
      pool({ name: 'end', by: 'last' }),
      layerNorm({ name: 'norm', epsilon }),
      dense({
        name: 'projection',
        units: shapes.rows('text_projection.weight', width),
        bias: false,
      }),
      normalize({ name: 'text' }),
    ],
    tensors,
    length,
    end: said === 2 ? -1 : said,
  }
}
