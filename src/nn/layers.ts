// Layers as plain values: nothing runs here. A list of them is a network; what each becomes, its shape and
// its arithmetic, is in the Rust crate of this folder's name.
import {
  type Option,
  type Options,
  type Table,
  flag,
  integer,
  real,
  settleAlone,
  text,
  wrongOption,
} from '../options.js'

/** A layer, or a composition of layers: a frozen value that can be printed, compared and stored. */
export interface Layer {
  /** What it is: 'dense', 'tanh', 'sum', ... */
  readonly kind: string
  /** By which its parameters and outputs are called. Default: its kind and a number, as in 'dense2'. */
  readonly name?: string
  readonly [option: string]: unknown
}

const name = text('by which its parameters and outputs are called', 'NAME')

/** What every layer may have: a name. */
export type Named = Options<{ name: typeof name }>

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

const dropoutOptions = {
  name,
  /** With which each value becomes zero while training. */
  probability: real(0.5, { from: 0, below: 1 }, 'with which each value becomes zero'),
  /** Whether all values of a position become zero together. */
  rows: flag(false, 'whether all values of a position become zero together'),
}

/** While training, values become zero at random, and the others are made larger so that the mean stays
 * (Srivastava et al. 2014). */
export function dropout(options: Options<typeof dropoutOptions> = {}): Layer {
  return layer('dropout', dropoutOptions, options)
}

/** All positions of an item in one row: [4, 100] → [400]. */
export function flatten(options: Named = {}): Layer {
  return layer('flatten', { name }, options)
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

/** Branches that all get the same, added up: residual and direct connections. An empty branch is what
 * comes in, unchanged. */
export function sum(branches: readonly (readonly Layer[])[]): Layer {
  return composition('sum', branches)
}

/** Branches that all get the same, one behind the other in each row: filters of several widths. */
export function concat(branches: readonly (readonly Layer[])[]): Layer {
  return composition('concat', branches)
}

/** In the place of what comes: another of the network's inputs, by its name. */
export function take(input: string): Layer {
  if (typeof input !== 'string') throw wrongOption('input', 'the name of an input', input, 'take')
  return Object.freeze({ kind: 'take', input })
}

/** Options of which some must be given. */
type Required<All, Names extends keyof All> = All & {
  readonly [Name in Names]-?: Exclude<All[Name], undefined>
}

/** A layer with all its options, but those that were left out and have no default. */
function layer(
  kind: string,
  table: Table,
  given: unknown,
  required: readonly string[] = [],
): Layer {
  const settled = settleAlone(table, given, kind)
  for (const option of required) {
    const { expected } = table[option] as Option<unknown>
    if (settled[option] === undefined) throw wrongOption(option, expected, undefined, kind)
  }
  const known = Object.entries(settled).filter(([, value]) => value !== undefined)
  return Object.freeze({ kind, ...Object.fromEntries(known) })
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
