// ModernBERT (Warner et al. 2024, arXiv:2412.13663) as a network: no table of positions but turning queries and keys, most
// blocks with a window, gated hidden layers, norms first, and as a rule no biases.
import { dense, dropout, embedding, gated, layerNorm, sum } from '../nn/layers.js'
import type { Layer } from '../nn/layer.js'
import type { TensorSource } from '../nn/loading.js'
import { selfAttention } from '../nn/sequences.js'
import type { Fields } from './model-folder.js'
import { type RotaryTurns, turnsOf } from './rotary-turns.js'
import {
  type TextTransformer,
  activationOf,
  falling,
  prefixOf,
  shareOf,
} from './text-transformer.js'

/** How a block looks around: at all positions, or at those that are near. */
interface Look {
  readonly rotary: RotaryTurns
  readonly window: number | undefined
}

/** The layers of a model; `names` are those of the folder's tensors. */
export function modernBert(config: Fields, names: ReadonlySet<string>): TextTransformer {
  const width = config.count(['hidden_size'])
  const heads = config.count(['num_attention_heads'])
  const hidden = config.count(['intermediate_size'])
  const length = config.count(['max_position_embeddings'], 8192)
  const values = config.count(['vocab_size'])
  const activation = activationOf(config, ['hidden_activation', 'hidden_act'])
  const biases = {
    norm: config.flag(['norm_bias'], false),
    attention: config.flag(['attention_bias'], false),
    hidden: config.flag(['mlp_bias'], false),
  }
  const norm = (name: string) =>
    layerNorm({ name, epsilon: config.positive(['norm_eps'], 1e-5), bias: biases.norm })
  const looks = looksOf(config, width / heads / 2, names)

  const layersOf = (probability: number | undefined): Layer[] => {
    const share = (key: string) => (probability === 0 ? 0 : shareOf(config, key, 0, probability))
    const [embedded, attention, between] = [
      share('embedding_dropout'),
      share('attention_dropout'),
      share('mlp_dropout'),
    ]
    const block = ({ rotary, window }: Look, i: number): Layer[] => {
      const name = `layers.${i}`
      const look = selfAttention({
        name: `${name}.self_attn`,
        heads,
        bias: biases.attention,
        rotary,
        window,
        dropout: attention,
      })
      const before = i === 0 ? [] : [norm(`${name}.norm1`)]
      return [
        sum([[], [...before, look, ...falling(attention)]]),
        sum([
          [],
          [
            norm(`${name}.norm2`),
            dense({ name: `${name}.linear1`, units: 2 * hidden, bias: biases.hidden }),
            gated({ activation }),
            ...falling(between),
            dense({ name: `${name}.linear2`, units: width, bias: biases.hidden }),
          ],
        ]),
        // So that what a block gives has a name.
        dropout({ name, probability: 0 }),
      ]
    }
    return [
      embedding({ name: 'tokens', values, dimensions: width }),
      norm('embeddings'),
      ...falling(embedded),
      ...looks.flatMap(block),
      norm('norm'),
    ]
  }
  const depth = looks.length
  const layer = (blocks: number) => (blocks === depth ? 'norm' : `layers.${blocks - 1}`)
  return {
    layers: layersOf(0),
    learning: layersOf,
    tensors: tensorsOf(depth, biases, names),
    length,
    width,
    depth,
    hidden: (blocks) => (blocks === 0 ? 'embeddings' : layer(blocks)),
  }
}

/** How each block looks around: one in three, or as `layer_types` says, at all positions. So many pairs of a head's values turn. */
function looksOf(config: Fields, pairs: number, names: ReadonlySet<string>): Look[] {
  const depth = config.blocks(['num_hidden_layers'], names)
  const every = config.count(['global_attn_every_n_layers'], 3)
  const types = config.json['layer_types']
  const kinds = Array.isArray(types)
    ? (types as unknown[])
    : Array.from({ length: depth }, (_, i) => (i % every === 0 ? 'full' : 'sliding') + '_attention')
  if (kinds.length !== depth) throw config.wrong(['layer_types'], `${depth} items`, types)
  const parameters = (config.json['rope_parameters'] ?? {}) as Readonly<Record<string, unknown>>
  const look = (kind: string, old: string, base: number, window: number | undefined): Look => {
    const said = (parameters[kind] ?? {}) as Readonly<Record<string, unknown>>
    return { rotary: turnsOf(config, said, config.number([old], base), pairs), window }
  }
  const near = Math.floor(config.count(['local_attention'], 128) / 2)
  const full = look('full_attention', 'global_rope_theta', 160_000, undefined)
  const sliding = look('sliding_attention', 'local_rope_theta', 10_000, near)
  return kinds.map((kind) => {
    if (kind === 'full_attention') return full
    if (kind === 'sliding_attention') return sliding
    throw config.wrong(['layer_types'], "'full_attention' or 'sliding_attention'", kind)
  })
}

function tensorsOf(
  depth: number,
  biases: { readonly norm: boolean; readonly attention: boolean; readonly hidden: boolean },
  names: ReadonlySet<string>,
): Record<string, TensorSource> {
  const words = 'embeddings.tok_embeddings.weight'
  const prefix = prefixOf(names, words)
  const of = (name: string): TensorSource => ({ tensors: [prefix + name] })
  const both = (to: string, from: string, bias: boolean) => ({
    [`${to}.weight`]: of(`${from}.weight`),
    ...(bias && { [`${to}.bias`]: of(`${from}.bias`) }),
  })
  const block = (i: number) => ({
    [`layers.${i}.self_attn.in_proj_weight`]: of(`layers.${i}.attn.Wqkv.weight`),
    ...(biases.attention && {
      [`layers.${i}.self_attn.in_proj_bias`]: of(`layers.${i}.attn.Wqkv.bias`),
    }),
    ...both(`layers.${i}.self_attn.out_proj`, `layers.${i}.attn.Wo`, biases.attention),
    ...(i > 0 && both(`layers.${i}.norm1`, `layers.${i}.attn_norm`, biases.norm)),
    ...both(`layers.${i}.norm2`, `layers.${i}.mlp_norm`, biases.norm),
    ...both(`layers.${i}.linear1`, `layers.${i}.mlp.Wi`, biases.hidden),
    ...both(`layers.${i}.linear2`, `layers.${i}.mlp.Wo`, biases.hidden),
  })
  const blocks = Array.from({ length: depth }, (_, i) => block(i))
  return Object.assign(
    {
      'tokens.weight': of(words),
      ...both('embeddings', 'embeddings.norm', biases.norm),
      ...both('norm', 'final_norm', biases.norm),
    },
    ...blocks,
  ) as Record<string, TensorSource>
}
