// The two towers of SigLIP (Zhai et al. 2023, arXiv:2303.15343) as layers, by a folder's `config.json`, and where their parameters are
// among its tensors.
import { dense, embedding, layerNorm, normalize, sum } from '../nn/layers.js'
import type { TensorSource } from '../nn/loading.js'
import { positions } from '../nn/sequences.js'
import { multiheadPool, pool } from '../nn/windows.js'
import { blockOf, hiddenOf } from './clip-towers.js'
import type { ImageModel } from './image-encoder.js'
import { imageProcessor } from './image-processor.js'
import { Fields } from './model-folder.js'
import { TensorNames } from './tensor-names.js'
import type { TensorShapes } from './tensor-shapes.js'
import type { TextLayers } from './text-tower.js'
import { activationLayer, activationOf } from './text-transformer.js'
import { blocks, checkSizes, headsOf, sideOf, sizesOf, visionLayers } from './vision-transformer.js'

/** The tower of pictures: 'patch', 'embeddings', 'layers.0', ..., 'norm', 'probe', 'image'. */
export async function siglipImage(config: Fields, shapes: TensorShapes): Promise<ImageModel> {
  const { folder } = config
  const names = {
    patch: 'vision_model.embeddings.patch_embedding.weight',
    positions: 'vision_model.embeddings.position_embedding.weight',
    tokens: [],
    hidden: hiddenOf('vision'),
  }
  const sizes = sizesOf(shapes, names)
  checkSizes(config, sizes)
  const side = sideOf(config, sizes)
  const epsilon = config.positive(['layer_norm_eps'], 1e-6)
  const activation = activationOf(config, ['hidden_act'], 'gelu_pytorch_tanh')
  const heads = headsOf(config, sizes.width, 12)
  const shape = { ...sizes, side, epsilon, heads, activation, isClip: false }
  const named = new TensorNames('vision_model.')
  const all = new TensorNames('')
  const tensors: Record<string, TensorSource> = {
    ...named.linear('patch', 'embeddings.patch_embedding'),
    'embeddings.weight': named.of('embeddings.position_embedding.weight'),
    ...named.norm('norm', 'post_layernorm'),
    'probe.probe': { ...named.of('head.probe'), reshaped: true },
    'probe.in_proj_weight': named.of('head.attention.in_proj_weight'),
    'probe.in_proj_bias': named.of('head.attention.in_proj_bias'),
    ...named.linear('probe.out_proj', 'head.attention.out_proj'),
    ...named.norm('head.norm', 'head.layernorm'),
    ...named.linear('head.linear1', 'head.mlp.fc1'),
    ...named.linear('head.linear2', 'head.mlp.fc2'),
  }
  for (let i = 0; i < shape.depth; i++) {
    Object.assign(tensors, all.block(`layers.${i}`, blockOf('vision')(i)))
  }
  const network = [
    layerNorm({ name: 'head.norm', epsilon }),
    dense({ name: 'head.linear1', units: sizes.hidden }),
    activationLayer(activation),
    dense({ name: 'head.linear2', units: sizes.width }),
  ]
  return {
    layers: [
      ...visionLayers(shape),
      layerNorm({ name: 'norm', epsilon }),
      multiheadPool({ name: 'probe', heads }),
      sum([[], network]),
      normalize({ name: 'image' }),
    ],
    tensors,
    vector: 'image',
    scores: undefined,
    depth: shape.depth,
    preparation: await imageProcessor(folder, 'Siglip', side),
  }
}

/** The tower of texts: 'tokens', 'embeddings', 'layers.0', ..., 'end', 'norm', 'head', 'text'. All tokens see each other, those that
 * fill a text up among them, and the text's vector is that of the last place. */
export async function siglipText(config: Fields, shapes: TensorShapes): Promise<TextLayers> {
  const words = 'text_model.embeddings.token_embedding.weight'
  const hidden = hiddenOf('text')
  const values = shapes.rows(words)
  const width = shapes.get(words)!.at(-1)!
  const length = shapes.rows('text_model.embeddings.position_embedding.weight', width)
  const [inner, depth] = [shapes.rows(hidden(0), width), shapes.count(hidden)]
  checkSizes(config, { width, hidden: inner, depth })
  const epsilon = config.positive(['layer_norm_eps'], 1e-6)
  const activation = activationOf(config, ['hidden_act'], 'gelu_pytorch_tanh')
  const heads = headsOf(config, width, 12)
  const named = new TensorNames('text_model.')
  const all = new TensorNames('')
  const tensors: Record<string, TensorSource> = {
    'tokens.weight': named.of('embeddings.token_embedding.weight'),
    'embeddings.weight': named.of('embeddings.position_embedding.weight'),
    ...named.norm('norm', 'final_layer_norm'),
    ...named.linear('head', 'head'),
  }
  for (let i = 0; i < depth; i++) {
    Object.assign(tensors, all.block(`layers.${i}`, blockOf('text')(i)))
  }
  return {
    layers: [
      embedding({ name: 'tokens', values, dimensions: width }),
      positions({ name: 'embeddings', code: 'learned', length }),
      ...blocks({ width, hidden: inner, heads, depth, activation, epsilon }),
      pool({ name: 'end', by: 'last' }),
      layerNorm({ name: 'norm', epsilon }),
      dense({ name: 'head', units: shapes.rows('text_model.head.weight', width) }),
      normalize({ name: 'text' }),
    ],
    tensors,
    length,
    pad: await padOf(config),
  }
}

/** The token that fills texts up, as it is written. */
async function padOf({ folder }: Fields): Promise<string> {
  const file = 'tokenizer_config.json'
  const { pad_token: given = '</s>' } = (await folder.json(file)) ?? {}
  const content = typeof given === 'object' ? Object(given).content : given
  if (typeof content === 'string' && content !== '') return content
  throw folder.wrong(file, 'should have a text as `pad_token`')
}
