// BERT and its kin as a network: what `config.json` says as layers, and where each parameter is among the tensors of the
// folder.
import { InlayError } from '../errors.js'
import type { Layer } from '../nn/layer.js'
import { dense, embedding, layerNorm, shift, sum } from '../nn/layers.js'
import type { TensorSource } from '../nn/loading.js'
import { positions, selfAttention } from '../nn/sequences.js'
import type { Fields } from './model-folder.js'
import { type BlockNames, TensorNames } from './tensor-names.js'
import {
  type Activation,
  type TextTransformer,
  activationLayer,
  activationOf,
  falling,
  prefixOf,
  shareOf,
} from './text-transformer.js'

/** What is called how in a family's files. */
export interface Family {
  /** What `config.json` calls its sizes. */
  readonly sizes: {
    readonly width: readonly string[]
    readonly layers: readonly string[]
    readonly heads: readonly string[]
    readonly hidden: readonly string[]
    readonly activation: readonly string[]
  }
  /** And how it calls the shares that become zero while training: of values, and of what positions see in each other. */
  readonly shares: { readonly hidden: string; readonly attention: string }
  /** Of block i, what its parameters are called, without `weight` and `bias`. */
  readonly block: (i: number) => BlockNames
  /** Whether a row for the kind of token is added: for all tokens of one text it is the first. */
  readonly hasTypes: boolean
  /** Rows of the table of positions before that of the first one. */
  readonly skip: (config: Fields) => number
  /** Whether values fall out behind attention as well. */
  readonly fallsBehindAttention: boolean
  /** What heads add for distances, in these buckets: the tensor that all blocks have in common. */
  readonly relative?: {
    readonly buckets: number
    readonly furthest: number
    readonly tensor: string
  }
}

const bertBlock: Family['block'] = (i) => ({
  attention: [
    `encoder.layer.${i}.attention.self.query`,
    `encoder.layer.${i}.attention.self.key`,
    `encoder.layer.${i}.attention.self.value`,
  ],
  out: `encoder.layer.${i}.attention.output.dense`,
  norm1: `encoder.layer.${i}.attention.output.LayerNorm`,
  linear1: `encoder.layer.${i}.intermediate.dense`,
  linear2: `encoder.layer.${i}.output.dense`,
  norm2: `encoder.layer.${i}.output.LayerNorm`,
})

const sizes: Family['sizes'] = {
  width: ['hidden_size'],
  layers: ['num_hidden_layers'],
  heads: ['num_attention_heads'],
  hidden: ['intermediate_size'],
  activation: ['hidden_act'],
}

/** Devlin et al. 2019, arXiv:1810.04805. */
const bert: Family = {
  sizes,
  shares: { hidden: 'hidden_dropout_prob', attention: 'attention_probs_dropout_prob' },
  block: bertBlock,
  hasTypes: true,
  skip: () => 0,
  fallsBehindAttention: true,
}

/** Liu et al. 2019, arXiv:1907.11692; Conneau et al. 2020, arXiv:1911.02116. */
const roberta: Family = { ...bert, skip: (config) => config.number(['pad_token_id'], 1) + 1 }

/** Sanh et al. 2019, arXiv:1910.01108. */
const distilbert: Family = {
  sizes: {
    width: ['dim'],
    layers: ['n_layers'],
    heads: ['n_heads'],
    hidden: ['hidden_dim'],
    activation: ['activation'],
  },
  shares: { hidden: 'dropout', attention: 'attention_dropout' },
  block: (i) => ({
    attention: [
      `transformer.layer.${i}.attention.q_lin`,
      `transformer.layer.${i}.attention.k_lin`,
      `transformer.layer.${i}.attention.v_lin`,
    ],
    out: `transformer.layer.${i}.attention.out_lin`,
    norm1: `transformer.layer.${i}.sa_layer_norm`,
    linear1: `transformer.layer.${i}.ffn.lin1`,
    linear2: `transformer.layer.${i}.ffn.lin2`,
    norm2: `transformer.layer.${i}.output_layer_norm`,
  }),
  hasTypes: false,
  skip: () => 0,
  fallsBehindAttention: false,
}

/** Song et al. 2020, arXiv:2004.09297. Its buckets are 32, whatever the configuration says. */
const mpnet: Family = {
  ...bert,
  block: (i) => ({
    ...bertBlock(i),
    attention: [
      `encoder.layer.${i}.attention.attn.q`,
      `encoder.layer.${i}.attention.attn.k`,
      `encoder.layer.${i}.attention.attn.v`,
    ],
    out: `encoder.layer.${i}.attention.attn.o`,
    norm1: `encoder.layer.${i}.attention.LayerNorm`,
  }),
  hasTypes: false,
  skip: () => 2,
  relative: { buckets: 32, furthest: 128, tensor: 'encoder.relative_attention_bias.weight' },
}

/** By `model_type`. */
export const families: Readonly<Record<string, Family>> = {
  bert,
  roberta,
  'xlm-roberta': roberta,
  camembert: roberta,
  distilbert,
  mpnet,
}

/** The layers of a model of one of these families; `names` are those of the folder's tensors. */
export function bertLike(
  config: Fields,
  family: Family,
  names: ReadonlySet<string>,
): TextTransformer {
  const { who } = config.folder
  const kind = config.text(['position_embedding_type'], 'absolute')
  if (kind !== 'absolute') {
    throw new InlayError('UNSUPPORTED', `${who}: a model with position embeddings of type ${kind}`)
  }
  const width = config.count(family.sizes.width)
  const depth = config.blocks(family.sizes.layers, names)
  const skip = family.skip(config)
  const length = config.count(['max_position_embeddings']) - skip
  const epsilon = config.positive(['layer_norm_eps'], 1e-12)
  const block = {
    heads: config.count(family.sizes.heads),
    width,
    hidden: config.count(family.sizes.hidden),
    activation: activationOf(config, family.sizes.activation),
    epsilon,
    relative: family.relative && {
      buckets: family.relative.buckets,
      furthest: family.relative.furthest,
    },
  }
  const blocks = Array.from({ length: depth }, (_, i) => i)
  const values = config.count(['vocab_size'])
  const layersOf = (shares: Shares) => [
    embedding({ name: 'tokens', values, dimensions: width }),
    positions({ name: 'positions', code: 'learned', length }),
    ...(family.hasTypes ? [shift({ name: 'types' })] : []),
    layerNorm({ name: 'embeddings', epsilon }),
    ...falling(shares.hidden),
    ...blocks.flatMap((i) => blockOf(`layers.${i}`, block, shares)),
  ]
  const learning = (probability?: number) => layersOf(sharesOf(config, family, probability))
  const tensors = tensorsOf(family, depth, skip, names)
  const layers = layersOf({ hidden: 0, attended: 0, attention: 0 })
  const hidden = (count: number) => (count === 0 ? 'embeddings' : `layers.${count - 1}.norm2`)
  return { layers, learning, tensors, length, width, depth, hidden }
}

/** With which probabilities values become zero while training. */
interface Shares {
  /** Of values. */
  readonly hidden: number
  /** Of values behind attention. */
  readonly attended: number
  /** Of what positions see in each other. */
  readonly attention: number
}

function sharesOf(config: Fields, family: Family, probability: number | undefined): Shares {
  const share = (key: string) => shareOf(config, key, 0.1, probability)
  const hidden = share(family.shares.hidden)
  const attended = family.fallsBehindAttention ? hidden : 0
  return { hidden, attended, attention: share(family.shares.attention) }
}

interface BlockShape {
  readonly heads: number
  readonly width: number
  readonly hidden: number
  readonly activation: Activation
  readonly relative: { readonly buckets: number; readonly furthest: number } | undefined
  readonly epsilon: number
}

/** Attention, and a small network at each position; behind each a norm (Devlin et al. 2019). */
function blockOf(
  name: string,
  { heads, width, hidden, activation, epsilon, relative }: BlockShape,
  shares: Shares,
): Layer[] {
  const attention = selfAttention({
    name: `${name}.self_attn`,
    heads,
    dropout: shares.attention,
    relative,
  })
  const network = [
    dense({ name: `${name}.linear1`, units: hidden }),
    activationLayer(activation),
    dense({ name: `${name}.linear2`, units: width }),
  ]
  return [
    sum([[], [attention, ...falling(shares.attended)]]),
    layerNorm({ name: `${name}.norm1`, epsilon }),
    sum([[], [...network, ...falling(shares.hidden)]]),
    layerNorm({ name: `${name}.norm2`, epsilon }),
  ]
}

function tensorsOf(
  { block, hasTypes, relative }: Family,
  depth: number,
  skip: number,
  names: ReadonlySet<string>,
): Record<string, TensorSource> {
  const words = 'embeddings.word_embeddings.weight'
  const prefix = prefixOf(names, words)
  // Files from before 2019 call a norm's parameters as TensorFlow did.
  const isOld = names.has(`${prefix}embeddings.LayerNorm.gamma`)
  const named = new TensorNames(prefix, isOld ? ['gamma', 'beta'] : ['weight', 'bias'])
  const types = {
    'types.bias': { ...named.of('embeddings.token_type_embeddings.weight'), row: 0 },
  }
  const tensors: Record<string, TensorSource> = {
    'tokens.weight': named.of(words),
    'positions.weight': { ...named.of('embeddings.position_embeddings.weight'), skip },
    ...(hasTypes && types),
    ...named.norm('embeddings', 'embeddings.LayerNorm'),
  }
  for (let i = 0; i < depth; i++) {
    Object.assign(tensors, named.block(`layers.${i}`, block(i)))
    if (relative) tensors[`layers.${i}.self_attn.relative_bias`] = named.of(relative.tensor)
  }
  return tensors
}
