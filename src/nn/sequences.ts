// Layers of sequences: recurrence, attention, places, and the Transformer's block, which is composed of others.
import {
  type Options,
  counts,
  custom,
  flag,
  integer,
  isCount,
  oneOf,
  real,
  settleAlone,
  wrongOption,
} from '../options.js'
import { type Layer, type Required, extent, layer, name } from './layer.js'
import {
  dense,
  dropout,
  gelu,
  layerNorm,
  layerScale,
  permute,
  quickGelu,
  relu,
  reshape,
  silu,
  sum,
} from './layers.js'

const recurrentOptions = {
  name,
  /** Values of a hidden state [hidden_size]. */
  units: integer(undefined, { from: 1 }, 'values of a hidden state'),
  /** Layers on top of each other [num_layers]. */
  layers: integer(1, { from: 1, to: 64 }, 'layers on top of each other'),
  /** Whether each also goes from the end to the start; its states come behind the others. */
  bidirectional: flag(false, 'whether each also goes from the end to the start'),
  /** With which values between two layers become zero while training. */
  dropout: real(0, { from: 0, below: 1 }, 'with which values between layers become zero'),
  /** Whether gates have biases. */
  bias: flag(true, 'whether gates have biases'),
}

type RecurrentOptions = Required<Options<typeof recurrentOptions>, 'units'>

/** Long short-term memory (Hochreiter and Schmidhuber 1997), each state as a row: [steps, width] → [steps,
 * units], twice as wide if it is bidirectional. PyTorch's `nn.LSTM`. */
export function lstm(options: RecurrentOptions): Layer {
  return layer('lstm', recurrentOptions, options, ['units'])
}

/** Gated recurrent units (Cho et al. 2014, arXiv:1406.1078), as `lstm`. PyTorch's `nn.GRU`. */
export function gru(options: RecurrentOptions): Layer {
  return layer('gru', recurrentOptions, options, ['units'])
}

const selfAttentionOptions = {
  name,
  /** Parts of the values, each with weights of its own [num_heads]. */
  heads: integer(undefined, { from: 1 }, 'parts of the values with weights of their own'),
  /** Whether a position sees only itself and those before it. */
  causal: flag(false, 'whether a position sees only itself and those before it'),
  /** Whether values are added after each product. */
  bias: flag(true, 'whether values are added after each product'),
  /** Positions that each sees on either side of itself (Beltagy et al. 2020, arXiv:2004.05150). Default: all. */
  window: integer(undefined, { from: 0 }, 'positions that each sees on either side of itself'),
  /** Queries and keys turn by angles that grow with their place, so that their products depend on how far they are from
   * each other (Su et al. 2021, arXiv:2104.09864): the base of these angles [rope_theta], 10,000 as a rule; or how far each pair of
   * a head's values turns from one place to the next (`speeds`), and by what queries and keys are multiplied beside it (`scale`, 1),
   * for models that were stretched to longer texts. Default: they do not. */
  rotary: custom<number | { readonly speeds: readonly number[]; readonly scale?: number }>(
    'a number above 0, or an object with `speeds` and perhaps `scale`',
    (given) => {
      const isAbove = (value: unknown) => typeof value === 'number' && value > 0 && value < Infinity
      if (typeof given === 'number') return isAbove(given)
      const { speeds, scale = 1 } = (given ?? {}) as Record<string, unknown>
      const isSpeed = (speed: unknown) => speed === 0 || isAbove(speed)
      return Array.isArray(speeds) && speeds.every(isSpeed) && isAbove(scale)
    },
    'the base of the angles by which places turn',
  ),
  /** By the places that come with an item along so many axes (`sequence({ width, axes })`), and not by the number of a
   * position, as in the pictures of Qwen2-VL (Wang et al. 2024, arXiv:2409.12191): how many pairs of a head's values turn by
   * each axis, half as many in all as a head has values. Default: by the number of the position. */
  axes: custom<readonly number[]>(
    'an array of integers from 0 up, at least one',
    (given) =>
      Array.isArray(given) &&
      given.length > 0 &&
      given.every((count) => count === 0 || isCount(count)),
    'how many pairs of values turn by each axis',
  ),
  /** What each head adds to a product by how far two positions are from each other, in so many buckets, from `furthest` on
   * always the same (Raffel et al. 2020, arXiv:1910.10683). It comes from a file, as `relative_bias` [buckets, heads], and is
   * not learnt. Default: nothing. */
  relative: custom<{ readonly buckets: number; readonly furthest: number }>(
    'an object with `buckets` and `furthest`',
    (given) => {
      const { buckets, furthest } = (given ?? {}) as Record<string, unknown>
      return isCount(buckets) && isCount(furthest)
    },
    'what heads add by how far two positions are from each other',
  ),
  /** The positions of a map look at those in the same window of `side` x `side`, and windows begin `shift` positions later, down
   * and across (Liu et al. 2021, arXiv:2103.14030). What each head adds to a product by how far two positions are from each other
   * comes from a file, as `relative_bias` [(2 · side - 1)², heads], and is not learnt. Default: all look at each other. */
  mapWindows: custom<{ readonly side: number; readonly shift?: number }>(
    'an object with `side` and perhaps `shift`',
    (given) => {
      const { side, shift = 0 } = (given ?? {}) as Record<string, unknown>
      return isCount(side) && Number.isSafeInteger(shift) && (shift as number) >= 0
    },
    'windows of a map, within which its positions look at each other',
  ),
  /** With which a weight becomes zero while training. */
  dropout: real(0, { from: 0, below: 1 }, 'with which a weight becomes zero'),
}

/** Positions of an item look at each other (Vaswani et al. 2017, arXiv:1706.03762): [length, width] → the
 * same. PyTorch's `nn.MultiheadAttention` of a sequence with itself. */
export function selfAttention(
  options: Required<Options<typeof selfAttentionOptions>, 'heads'>,
): Layer {
  checkTurns(options, 'selfAttention')
  return layer('self-attention', selfAttentionOptions, options, ['heads'])
}

function checkTurns({ rotary, axes }: { rotary?: unknown; axes?: unknown }, who: string): void {
  if (axes !== undefined && rotary === undefined) {
    throw wrongOption('axes', 'left out without `rotary`, by whose angles places turn', axes, who)
  }
}

const positionsOptions = {
  name,
  /** Sines and cosines (Vaswani et al. 2017, section 3.5), or a table that is learnt. */
  code: oneOf(['sinusoidal', 'learned'], 'sines and cosines, or a table that is learnt'),
  /** Of a table: the most positions that an item may have. An array: of the places that come with an item
   * (`sequence({ width, axes })`), along each axis how many there may be; each axis has a table of its own, and their rows are
   * added up (factorized, Dehghani et al. 2023, arXiv:2307.06304, section 2.1). */
  length: extent(undefined, 1, 'the most positions that an item may have'),
  /** Of a table: the standard deviation of its first values. */
  deviation: real(undefined, { from: 0 }, 'standard deviation of the first values'),
  /** Of a table that comes from a file: its last rows are those of a grid of positions, `from`, brought to another size, `to`, as
   * `resize` with 'cubic' does it: for pictures of another size than it was learnt with. It is not learnt then. */
  grid: custom<{ readonly from: readonly number[]; readonly to: readonly number[] }>(
    'an object with `from` and `to`, each the lengths of all axes',
    (given) => {
      const { from, to } = (given ?? {}) as Record<string, unknown>
      return [from, to].every((axes) => Array.isArray(axes) && axes.every(isCount))
    },
    'a grid that is brought to another size',
  ),
}

/** Adds to each position what stands for its place: of its number in the item, or of where it is along several axes. */
export function positions(options: Options<typeof positionsOptions> = {}): Layer {
  if (!Array.isArray(options.length)) return layer('positions', positionsOptions, options)
  const { code, grid, ...rest } = settleAlone(positionsOptions, options, 'positions')
  if (code !== 'learned') {
    throw wrongOption('code', "'learned' where `length` is an array", code, 'positions')
  }
  if (grid !== undefined) {
    throw wrongOption('grid', 'left out where `length` is an array', grid, 'positions')
  }
  const { code: _, grid: __, ...table } = positionsOptions
  return layer('axial-positions', table, rest)
}

const prefixTokensOptions = {
  name,
  /** Tokens before each item. */
  count: integer(1, { from: 1 }, 'tokens before each item'),
  /** The standard deviation of their first values. */
  deviation: real(0.02, { from: 0 }, 'standard deviation of the first values'),
}

/** Tokens that are learnt before those of each item that has any: a class token (Devlin et al. 2018; Dosovitskiy et al. 2020,
 * arXiv:2010.11929), registers (Darcet et al. 2023, arXiv:2309.16588), a prefix (Li and Liang 2021). Positions of
 * several axes become one: [14, 14, 768] as [197, 768]. */
export function prefixTokens(options: Options<typeof prefixTokensOptions> = {}): Layer {
  return layer('prefix-tokens', prefixTokensOptions, options)
}

const activations = {
  relu,
  gelu,
  'gelu-tanh': () => gelu({ tanh: true }),
  'quick-gelu': quickGelu,
  silu,
} as const

const transformerBlockOptions = {
  /** Before the names of its layers: 'layers.0'. */
  name,
  /** As for `selfAttention`. */
  heads: selfAttentionOptions.heads,
  /** As for `selfAttention`: with `normFirst` it is the block of a Swin Transformer. */
  mapWindows: selfAttentionOptions.mapWindows,
  /** Values of a position, which come in and go out. */
  width: integer(undefined, { from: 1 }, 'values of a position'),
  /** Values of the hidden layer between [dim_feedforward]. Default: four times `width`. */
  hidden: integer(undefined, { from: 1 }, 'values of the hidden layer'),
  /** Between the dense layers. */
  activation: oneOf(
    ['relu', 'gelu', 'gelu-tanh', 'quick-gelu', 'silu'],
    'between the dense layers',
  ),
  /** Whether norms stand before what they belong to, and not behind the sums [norm_first]. */
  normFirst: flag(false, 'whether norms stand first'),
  /** Whether a position sees only itself and those before it. */
  causal: flag(false, 'whether a position sees only itself and those before it'),
  /** As for `selfAttention`. */
  rotary: selfAttentionOptions.rotary,
  /** As for `selfAttention`. */
  axes: selfAttentionOptions.axes,
  /** Whether what both branches add is scaled first, as by `layerScale`. */
  layerScale: flag(false, 'whether what both branches add is scaled first'),
  /** With which values become zero while training. */
  dropout: real(0, { from: 0, below: 1 }, 'with which values become zero'),
  /** Added to the variance by the norms [layer_norm_eps]. */
  epsilon: real(1e-5, { above: 0 }, 'added to the variance by the norms'),
}

/** Attention and a small network at each position, each beside what goes round it (Vaswani et al. 2017,
 * section 3): a list of layers, with the names of PyTorch's `nn.TransformerEncoderLayer`. */
export function transformerBlock(
  options: Required<Options<typeof transformerBlockOptions>, 'heads' | 'width'>,
): readonly Layer[] {
  const who = 'transformerBlock'
  const settled = settleAlone(transformerBlockOptions, options, who)
  const { heads, width, causal, normFirst, mapWindows, rotary, axes } = settled
  const probability = settled.dropout
  checkTurns(settled, who)
  if (heads === undefined || width === undefined) {
    throw wrongOption(
      heads === undefined ? 'heads' : 'width',
      'an integer from 1 up',
      undefined,
      who,
    )
  }
  const named = (part: string) =>
    settled.name === undefined ? {} : { name: `${settled.name}.${part}` }
  const fall = probability > 0 ? [dropout({ probability })] : []
  const scale = (part: string) => (settled.layerScale ? [layerScale(named(part))] : [])
  const attention = [
    selfAttention({
      ...named('self_attn'),
      heads,
      causal,
      mapWindows,
      rotary,
      axes,
      dropout: probability,
    }),
    ...scale('scale1'),
    ...fall,
  ]
  const network = [
    dense({ ...named('linear1'), units: settled.hidden ?? 4 * width }),
    activations[settled.activation](),
    ...fall,
    dense({ ...named('linear2'), units: width }),
    ...scale('scale2'),
    ...fall,
  ]
  const norm = (part: string) => layerNorm({ ...named(part), epsilon: settled.epsilon })
  const [first, second] = [norm('norm1'), norm('norm2')]
  return normFirst
    ? [sum([[], [first, ...attention]]), sum([[], [second, ...network]])]
    : [sum([[], attention]), first, sum([[], network]), second]
}

const patchMergingOptions = {
  /** Before the names of its layers: 'layers.0.downsample'. */
  name,
  /** Of what comes in: height, width and values, the first two even. */
  shape: counts('height, width and values of what comes in', 1),
  /** Added to the variance by the norm. */
  epsilon: transformerBlockOptions.epsilon,
}

/** Four neighbours of a map as one position, with a norm and half as many values (Liu et al. 2021, arXiv:2103.14030, section
 * 3.1): a list of layers, [height, width, c] → [height / 2, width / 2, 2 · c], `norm` and `reduction`. */
export function patchMerging(
  options: Required<Options<typeof patchMergingOptions>, 'shape'>,
): readonly Layer[] {
  const who = 'patchMerging'
  const { name: before, shape = [], epsilon } = settleAlone(patchMergingOptions, options, who)
  const [height = 1, width = 1, values = 0] = shape
  if (shape.length !== 3 || height % 2 > 0 || width % 2 > 0) {
    throw wrongOption('shape', 'height, width and values, the first two even', options.shape, who)
  }
  const named = (part: string) => (before === undefined ? {} : { name: `${before}.${part}` })
  return [
    reshape({ shape: [height / 2, 2, width / 2, 2, values] }),
    // Two below each other stand before those on their right.
    permute({ axes: [0, 2, 3, 1, 4] }),
    reshape({ shape: [height / 2, width / 2, 4 * values] }),
    layerNorm({ ...named('norm'), epsilon }),
    dense({ ...named('reduction'), units: 2 * values, bias: false }),
  ]
}
