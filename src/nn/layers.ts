// Layers of positions by themselves, activations, and what layers are composed by. Nothing runs here: what each
// becomes, its shape and its arithmetic, is in the Rust crate of this folder's name.
import {
  type Options,
  counts,
  custom,
  flag,
  integer,
  oneOf,
  real,
  settleAlone,
  wrongOption,
} from '../options.js'
import { type Layer, type Named, type Required, extent, layer, name } from './layer.js'

const embeddingOptions = {
  name,
  /** Rows of the table: ids are below it. */
  values: integer(undefined, { from: 1 }, 'rows of the table'),
  /** Values of a row. */
  dimensions: integer(undefined, { from: 1 }, 'values of a row'),
  /** Standard deviation of the first values. */
  deviation: real(1, { from: 0 }, 'standard deviation of the first values'),
}

/** A row of a table for each id: [length] → [length, dimensions]. PyTorch's `nn.Embedding`. */
export function embedding(
  options: Required<Options<typeof embeddingOptions>, 'values' | 'dimensions'>,
): Layer {
  return layer('embedding', embeddingOptions, options, ['values', 'dimensions'])
}

const denseOptions = {
  name,
  /** Values that come out. */
  units: integer(undefined, { from: 1 }, 'values that come out'),
  /** Whether a value is added to each of them. */
  bias: flag(true, 'whether a value is added to each of them'),
}

/** y = x·Wᵀ + b at every position: [..., width] → [..., units]. PyTorch's `nn.Linear`. */
export function dense(options: Required<Options<typeof denseOptions>, 'units'>): Layer {
  return layer('dense', denseOptions, options, ['units'])
}

const hierarchicalSoftmaxOptions = {
  name,
  /** How often each class occurs, or what is as good: frequent classes are near the root. One for each class. */
  counts: custom<readonly number[]>(
    'an array of two integers or more, from 0 up',
    (given) =>
      Array.isArray(given) &&
      given.length > 1 &&
      given.every((count) => Number.isSafeInteger(count) && count >= 0),
    'how often each class occurs',
  ),
  /** Whether a value is added to the score of each node. */
  bias: flag(true, 'whether a value is added to each score'),
}

/**
 * The logarithm of the probability of each class: [..., width] → [..., classes]. Classes are the leaves of a Huffman tree, and
 * at each inner node a score w·x + b says with which probability, σ(score), it goes on to the left (Morin and Bengio 2005,
 * "Hierarchical Probabilistic Neural Network Language Model"; Mikolov et al. 2013, arXiv:1310.4546, section 2.1). As the last
 * layer under `crossEntropy` it learns from the nodes on the way to each row's class only, about log₂(classes) of them.
 * Parameters are those of a `dense` with a unit for each inner node, the root first: `classes - 1`.
 */
export function hierarchicalSoftmax(
  options: Required<Options<typeof hierarchicalSoftmaxOptions>, 'counts'>,
): Layer {
  const made = layer('hierarchical-softmax', hierarchicalSoftmaxOptions, options, ['counts'])
  return Object.freeze({ ...made, counts: Object.freeze([...(made['counts'] as number[])]) })
}

/** x + b, the same b at every position: [..., width] → the same. It begins with zeros. */
export function shift(options: Named = {}): Layer {
  return layer('shift', { name }, options)
}

const dropoutOptions = {
  name,
  /** With which each value becomes zero while training. */
  probability: real(0.5, { from: 0, below: 1 }, 'with which each value becomes zero'),
  /** Whether all values of a position become zero together. */
  rows: flag(false, 'whether all values of a position become zero together'),
  /** Whether the others are made larger so that the mean stays. Without, it is the masking noise of denoising
   * autoencoders. */
  rescale: flag(true, 'whether the others are made larger so that the mean stays'),
}

/** While training, values become zero at random, and the others are made larger so that the mean stays
 * (Srivastava et al. 2014). */
export function dropout(options: Options<typeof dropoutOptions> = {}): Layer {
  return layer('dropout', dropoutOptions, options)
}

const noiseOptions = {
  name,
  /** Standard deviation of what is added. */
  deviation: real(undefined, { from: 0 }, 'standard deviation of what is added'),
}

/** While training, each value gets a normal number added: what comes in for a denoising autoencoder (Vincent et
 * al. 2010). */
export function noise(options: Required<Options<typeof noiseOptions>, 'deviation'>): Layer {
  return layer('noise', noiseOptions, options, ['deviation'])
}

/** All positions of an item in one row: [4, 100] → [400]. */
export function flatten(options: Named = {}): Layer {
  return layer('flatten', { name }, options)
}

const reshapeOptions = {
  name,
  /** What an item becomes, its values last: [7, 7, 32]. */
  shape: counts('what an item becomes', 1),
}

/** The values of an item in their order, as another shape: [1568] → [7, 7, 32]. The way back of `flatten`. */
export function reshape(options: Required<Options<typeof reshapeOptions>, 'shape'>): Layer {
  return layer('reshape', reshapeOptions, options, ['shape'])
}

const permuteOptions = {
  name,
  /** Of each axis that comes out, which it was: [1, 0, 2] turns a picture over. */
  axes: custom<readonly number[]>(
    'an array of integers from 0 up',
    (given) =>
      Array.isArray(given) && given.every((axis) => Number.isSafeInteger(axis) && axis >= 0),
    'which axis each was',
  ),
}

/** The axes of an item, its values last, in another order: [height, width, c] → [width, height, c] by [1, 0, 2]. PyTorch's
 * `permute`, without the axis of items. */
export function permute(options: Required<Options<typeof permuteOptions>, 'axes'>): Layer {
  return layer('permute', permuteOptions, options, ['axes'])
}

const pixelShuffleOptions = {
  name,
  /** Positions of a block along each axis [upscale_factor, downscale_factor]. */
  factor: extent(undefined, 1, 'positions of a block'),
}

/** Blocks of positions as values of one: [height, width, c] → [height / r, width / r, c·r²], of any number of axes. PyTorch's
 * `nn.PixelUnshuffle`, with channels last and in its order. */
export function pixelUnshuffle(
  options: Required<Options<typeof pixelShuffleOptions>, 'factor'>,
): Layer {
  return layer('pixel-unshuffle', pixelShuffleOptions, options, ['factor'])
}

/** Values of a position as a block of positions (Shi et al. 2016, arXiv:1609.05158): [height, width, c·r²] → [height·r,
 * width·r, c]. The way back of `pixelUnshuffle`. PyTorch's `nn.PixelShuffle`. */
export function pixelShuffle(
  options: Required<Options<typeof pixelShuffleOptions>, 'factor'>,
): Layer {
  return layer('pixel-shuffle', pixelShuffleOptions, options, ['factor'])
}

const padChannelsOptions = {
  name,
  /** Zeros before the values of each position. */
  before: integer(0, { from: 0 }, 'zeros before the values of each position'),
  /** Zeros after them. */
  after: integer(0, { from: 0 }, 'zeros after them'),
}

/** Zeros around the values of each position: [..., width] → [..., before + width + after]. With
 * `averagePool({ kernel: 1, stride: 2 })` it is the shortcut without parameters of residual networks (He et al.
 * 2015, arXiv:1512.03385). */
export function padChannels(options: Options<typeof padChannelsOptions> = {}): Layer {
  return layer('pad-channels', padChannelsOptions, options)
}

/** max(x, 0) */
export function relu(options: Named = {}): Layer {
  return layer('relu', { name }, options)
}

/** tanh x */
export function tanh(options: Named = {}): Layer {
  return layer('tanh', { name }, options)
}

/** Scores of a row become shares that sum to one: eˢ / Σ eˢ. Where `crossEntropy` is the loss it comes after
 * training only: that takes scores. */
export function softmax(options: Named = {}): Layer {
  return layer('softmax', { name }, options)
}

/** 1 / (1 + e⁻ˣ) */
export function sigmoid(options: Named = {}): Layer {
  return layer('sigmoid', { name }, options)
}

/** x·σ(x) (Elfwing et al. 2017) */
export function silu(options: Named = {}): Layer {
  return layer('silu', { name }, options)
}

const geluOptions = {
  name,
  /** Whether it is the formula with tanh that GPT-2 has, and not the error function. */
  tanh: flag(false, 'whether it is the formula with tanh'),
}

/** x·Φ(x) (Hendrycks and Gimpel 2016, arXiv:1606.08415) */
export function gelu(options: Options<typeof geluOptions> = {}): Layer {
  const { tanh: byTanh, ...rest } = settleAlone(geluOptions, options, 'gelu')
  return layer(byTanh ? 'gelu-tanh' : 'gelu', { name }, rest)
}

/** x·σ(1.702·x), the coarser formula of the same paper, which CLIP has. */
export function quickGelu(options: Named = {}): Layer {
  return layer('quick-gelu', { name }, options)
}

const sliceOptions = {
  name,
  /** The first position that is kept, counted from 0. */
  from: integer(0, { from: 0 }, 'the first position that is kept'),
  /** The first behind it that is not. Default: all are. */
  to: integer(undefined, { from: 1 }, 'the first position behind it that is not kept'),
}

/** Some positions of an item, as an array's `slice` gives them: [length, width] → [to - from, width]. Of a sequence that is
 * shorter, as many as it has. Positions of several axes become one. */
export function slice(options: Options<typeof sliceOptions> = {}): Layer {
  return layer('slice', sliceOptions, options)
}

const gatedOptions = {
  name,
  /** What becomes of the first half. */
  activation: oneOf(
    ['gelu', 'gelu-tanh', 'quick-gelu', 'silu', 'relu', 'sigmoid', 'tanh'],
    'what becomes of the first half',
  ),
}

/** The first half of each row, through an activation, opens the second: [..., 2 · width] → [..., width], act(a)·b. Behind
 * a `dense` of both it is a gated linear unit (Dauphin et al. 2017, arXiv:1612.08083): GEGLU with 'gelu', SwiGLU with 'silu'
 * (Shazeer 2020, arXiv:2002.05202). */
export function gated(options: Options<typeof gatedOptions> = {}): Layer {
  return layer('gated', gatedOptions, options)
}

/** Two values become one by shares (Dai et al. 2021, arXiv:2009.14082): rows of four parts [p, q, x, y] → 2·m·x + 2·(1 - m)·y with
 * m = σ(p + q), [..., 4 · width] → [..., width]. */
export function attentionalFusion(options: Named = {}): Layer {
  return layer('attentional-fusion', { name }, options)
}

const layerScaleOptions = {
  name,
  /** The first value of all weights. */
  initial: real(1e-5, {}, 'the first value of all weights'),
}

/** Each value times a weight of its own, which begins small: behind a branch, so that it adds little at first (Touvron et al. 2021,
 * arXiv:2103.17239). Directly behind a `dense` it costs nothing while encoding. */
export function layerScale(options: Options<typeof layerScaleOptions> = {}): Layer {
  return layer('layer-scale', layerScaleOptions, options)
}

const layerNormOptions = {
  name,
  /** Added to the variance [eps]. */
  epsilon: real(1e-5, { above: 0 }, 'added to the variance'),
  /** Whether weights and biases are learnt [elementwise_affine]. */
  affine: flag(true, 'whether weights and biases are learnt'),
  /** Whether biases are, if weights are. */
  bias: flag(true, 'whether biases are learnt'),
}

/** Each row with mean 0 and variance 1, times weights, plus biases (Ba, Kiros and Hinton 2016,
 * arXiv:1607.06450). PyTorch's `nn.LayerNorm`. */
export function layerNorm(options: Options<typeof layerNormOptions> = {}): Layer {
  if (options.affine === false && options.bias !== undefined) {
    throw wrongOption('bias', 'left out where `affine` is false', options.bias, 'layerNorm')
  }
  return layer('layer-norm', layerNormOptions, options)
}

const rmsNormOptions = {
  name,
  /** Added to the mean square [eps]. */
  epsilon: real(1.1920929e-7, { above: 0 }, 'added to the mean square'),
  /** Whether weights are learnt [elementwise_affine]. */
  affine: flag(true, 'whether weights are learnt'),
}

/** Each row divided by the root of its mean square, times weights (Zhang and Sennrich 2019,
 * arXiv:1910.07467). PyTorch's `nn.RMSNorm`. */
export function rmsNorm(options: Options<typeof rmsNormOptions> = {}): Layer {
  return layer('rms-norm', rmsNormOptions, options)
}

/** Each row divided by its length, so that a product of two rows is their cosine. PyTorch's `F.normalize`. */
export function normalize(options: Named = {}): Layer {
  return layer('normalize', { name }, options)
}

const batchNormOptions = {
  name,
  /** Added to the variance [eps]. */
  epsilon: real(1e-5, { above: 0 }, 'added to the variance'),
  /** Share of each batch in the running mean and variance. */
  momentum: real(0.1, { from: 0, to: 1 }, 'share of a batch in the running mean and variance'),
  /** Whether weights and biases are learnt. */
  affine: flag(true, 'whether weights and biases are learnt'),
}

/** Each channel with mean 0 and variance 1 over all positions of the batch, times weights, plus biases (Ioffe
 * and Szegedy 2015, arXiv:1502.03167). While encoding, and where it is frozen, mean and variance are those that
 * batches before have left, so that an item does not depend on others; directly behind `dense` or a
 * convolution it then costs nothing. PyTorch's `nn.BatchNorm1d`, `2d`, `3d`. */
export function batchNorm(options: Options<typeof batchNormOptions> = {}): Layer {
  return layer('batch-norm', batchNormOptions, options)
}

const variationalOptions = {
  name,
  /** Values of a sample. */
  units: integer(undefined, { from: 1 }, 'values of a sample'),
  /** What the divergence counts in the loss of an item [β]. */
  weight: real(1, { from: 0 }, 'what the divergence counts'),
}

/**
 * A normal distribution for each position, the code of a variational autoencoder (Kingma and Welling 2014,
 * arXiv:1312.6114): [..., width] → [..., units]. While training, a sample of it goes on, and how far it is from
 * the standard normal one (KL divergence) is added to the loss of the item before the mean is taken: with
 * `weight: 1` and a loss that is a log-likelihood (`binaryCrossEntropy`) that is the evidence lower bound, per
 * value. While encoding, its mean goes on. Parameters are those of two `nn.Linear`, `mean` and `log_variance`.
 */
export function variational(options: Required<Options<typeof variationalOptions>, 'units'>): Layer {
  return layer('variational', variationalOptions, options, ['units'])
}

/** Branches that all get the same, added up: residual and direct connections. An empty branch is what
 * comes in, unchanged. */
export function sum(branches: readonly (readonly Layer[])[]): Layer {
  return composition('sum', branches)
}

/** Branches that all get the same, one behind the other in each row: filters of several widths. A branch of one
 * vector stands beside every row of the others. */
export function concat(branches: readonly (readonly Layer[])[]): Layer {
  return composition('concat', branches)
}

/** In the place of what comes: another of the network's inputs, by its name. */
export function take(input: string): Layer {
  if (typeof input !== 'string') throw wrongOption('input', 'the name of an input', input, 'take')
  return Object.freeze({ kind: 'take', input })
}

function composition(kind: string, branches: readonly (readonly Layer[])[]): Layer {
  if (!Array.isArray(branches) || !branches.every(Array.isArray)) {
    throw wrongOption('branches', 'lists of layers', branches, kind)
  }
  return Object.freeze({
    kind,
    branches: Object.freeze(branches.map((branch) => Object.freeze([...branch]))),
  })
}
