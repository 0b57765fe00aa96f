// BERT and its kin as a network: what `config.json` says as layers, and where each parameter is among the tensors of the
// folder.
import { InlayError } from '../errors.js'
import type { Layer } from '../nn/layer.js'
import { embedding, layerNorm } from '../nn/layers.js'
import type { TensorSource } from '../nn/network.js'
import { positions, transformerBlock } from '../nn/sequences.js'
import type { Fields } from './model-folder.js'

/** What is called how in a family's files. */
interface Family {
  /** What `config.json` calls its sizes. */
  readonly sizes: {
    readonly width: readonly string[]
    readonly layers: readonly string[]
    readonly heads: readonly string[]
    readonly hidden: readonly string[]
    readonly activation: readonly string[]
  }
  /** Of block i, what its parameters are called, without `weight` and `bias`. */
  readonly block: (i: number) => {
    readonly attention: readonly [query: string, key: string, value: string]
    readonly out: string
    readonly norm1: string
    readonly linear1: string
    readonly linear2: string
    readonly norm2: string
  }
  /** Whether a row for the kind of token is added: for all tokens of one text it is the first. */
  readonly hasTypes: boolean
  /** Whether positions are counted from behind the number of the padding token. */
  readonly skipsPadding: boolean
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
const bert: Family = { sizes, block: bertBlock, hasTypes: true, skipsPadding: false }

/** Liu et al. 2019, arXiv:1907.11692; Conneau et al. 2020, arXiv:1911.02116. */
const roberta: Family = { ...bert, skipsPadding: true }

/** Sanh et al. 2019, arXiv:1910.01108. */
const distilbert: Family = {
  sizes: {
    width: ['dim'],
    layers: ['n_layers'],
    heads: ['n_heads'],
    hidden: ['hidden_dim'],
    activation: ['activation'],
  },
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
  skipsPadding: false,
}

const families: Readonly<Record<string, Family>> = {
  bert,
  roberta,
  'xlm-roberta': roberta,
  camembert: roberta,
  distilbert,
}

const activations: Readonly<Record<string, 'gelu' | 'gelu-tanh' | 'relu' | 'silu'>> = {
  gelu: 'gelu',
  gelu_new: 'gelu-tanh',
  gelu_pytorch_tanh: 'gelu-tanh',
  gelu_fast: 'gelu-tanh',
  relu: 'relu',
  silu: 'silu',
  swish: 'silu',
}

/** A text model as layers over the ids of tokens. */
export interface TextTransformer {
  /** `tokens`, `embeddings`, then `layers.0...`: see `hiddenLayer`. */
  readonly layers: readonly Layer[]
  /** Where in the files each parameter is. */
  readonly tensors: Readonly<Record<string, TensorSource>>
  /** The most tokens of a text. */
  readonly length: number
  /** Values of a token. */
  readonly width: number
  /** Blocks. */
  readonly depth: number
}

/** The layer behind so many blocks: with 0, what goes into the first. */
export function hiddenLayer(blocks: number): string {
  return blocks === 0 ? 'embeddings' : `layers.${blocks - 1}.norm2`
}

/**
 * The layers of a model by its configuration; `names` are those of the folder's tensors.
 *
 * @throws {InlayError} `UNSUPPORTED` another kind of model
 */
export function textTransformer(config: Fields, names: ReadonlySet<string>): TextTransformer {
  const type = config.text(['model_type'])
  const family = Object.hasOwn(families, type) ? families[type]! : undefined
  const { who } = config.folder
  if (family === undefined) {
    const known = Object.keys(families).join(', ')
    throw new InlayError(
      'UNSUPPORTED',
      `${who}: a model of type ${type}; these can be read: ${known}`,
    )
  }
  const kind = config.text(['position_embedding_type'], 'absolute')
  if (kind !== 'absolute') {
    throw new InlayError('UNSUPPORTED', `${who}: a model with position embeddings of type ${kind}`)
  }
  const act = config.text(family.sizes.activation, 'gelu')
  const activation = Object.hasOwn(activations, act) ? activations[act]! : undefined
  if (activation === undefined) {
    throw new InlayError('UNSUPPORTED', `${who}: a model with the activation ${act}`)
  }
  const width = config.count(family.sizes.width)
  const depth = config.count(family.sizes.layers)
  const skip = family.skipsPadding ? config.number(['pad_token_id'], 1) + 1 : 0
  const length = config.count(['max_position_embeddings']) - skip
  const epsilon = config.number(['layer_norm_eps'], 1e-12)
  const block = {
    heads: config.count(family.sizes.heads),
    width,
    hidden: config.count(family.sizes.hidden),
    activation,
    epsilon,
  }
  const blocks = Array.from({ length: depth }, (_, i) => i)
  const layers = [
    embedding({ name: 'tokens', values: config.count(['vocab_size']), dimensions: width }),
    positions({ name: 'positions', code: 'learned', length }),
    layerNorm({ name: 'embeddings', epsilon }),
    ...blocks.flatMap((i) => transformerBlock({ name: `layers.${i}`, ...block })),
  ]
  return { layers, tensors: tensorsOf(family, depth, skip, names), length, width, depth }
}

function tensorsOf(
  { block, hasTypes }: Family,
  depth: number,
  skip: number,
  names: ReadonlySet<string>,
): Record<string, TensorSource> {
  // A model with a head has its own name before those of the encoder: 'bert.embeddings...'.
  const words = 'embeddings.word_embeddings.weight'
  const prefix = [...names].find((name) => name.endsWith(words))?.slice(0, -words.length) ?? ''
  // Files from before 2019 call a norm's parameters as TensorFlow did.
  const isOld = names.has(`${prefix}embeddings.LayerNorm.gamma`)
  const of = (...tensors: string[]) => ({ tensors: tensors.map((name) => prefix + name) })
  const norm = (to: string, from: string) => ({
    [`${to}.weight`]: of(`${from}.${isOld ? 'gamma' : 'weight'}`),
    [`${to}.bias`]: of(`${from}.${isOld ? 'beta' : 'bias'}`),
  })
  const linear = (to: string, from: string) => ({
    [`${to}.weight`]: of(`${from}.weight`),
    [`${to}.bias`]: of(`${from}.bias`),
  })
  const types = { tensor: `${prefix}embeddings.token_type_embeddings.weight`, row: 0 }
  const tensors: Record<string, TensorSource> = {
    'tokens.weight': of(words),
    'positions.weight': {
      ...of('embeddings.position_embeddings.weight'),
      skip,
      ...(hasTypes && { plus: types }),
    },
    ...norm('embeddings', 'embeddings.LayerNorm'),
  }
  for (let i = 0; i < depth; i++) {
    const { attention, out, norm1, linear1, linear2, norm2 } = block(i)
    Object.assign(tensors, {
      [`layers.${i}.self_attn.in_proj_weight`]: of(...attention.map((name) => `${name}.weight`)),
      [`layers.${i}.self_attn.in_proj_bias`]: of(...attention.map((name) => `${name}.bias`)),
      ...linear(`layers.${i}.self_attn.out_proj`, out),
      ...norm(`layers.${i}.norm1`, norm1),
      ...linear(`layers.${i}.linear1`, linear1),
      ...linear(`layers.${i}.linear2`, linear2),
      ...norm(`layers.${i}.norm2`, norm2),
    })
  }
  return tensors
}
