// What a network is: what goes in, its layers, what training makes small.
import { InvalidOptionError } from '../errors.js'
import { summaryOfNetwork } from '../native.js'
import {
  type Options,
  counts,
  custom,
  integer,
  settleAlone,
  text,
  wrongOption,
} from '../options.js'
import type { Layer } from './layer.js'
import { type Loss, checkLast, isLoss } from './losses.js'

/** What goes into a network: a frozen value. */
export interface Input {
  readonly content: 'ids' | 'values'
  /** By which `take` finds it. */
  readonly name: string
  /** Of an item; `null`: a sequence of any length. */
  readonly positions: readonly number[] | null
  /** Values at each position. */
  readonly width: number
  /** Of a sequence: along how many axes the place of each position comes with it. Absent: none does. */
  readonly axes?: number
}

/** What every input of sequences may have. */
const axesOption = {
  /** Along how many axes the place of each position comes with an item: 3 for `Tokens` (time, row and column), 4 with their
   * modality. Default: none does. */
  axes: integer(undefined, { from: 1, to: 8 }, 'along how many axes places come with an item'),
}

const idsOptions = {
  /** Ids of an item. Default: any number of them. */
  length: integer(undefined, { from: 1 }, 'ids of an item'),
  /** By which `take` finds it. */
  name: text('by which `take` finds it', 'NAME'),
  ...axesOption,
}

/** Whole numbers from 0 that stand for words, categories or pieces: so many for each item, or sequences. */
export function ids(options: Options<typeof idsOptions> = {}): Input {
  const { length, name = 'input', axes } = settleAlone(idsOptions, options, 'ids')
  if (length !== undefined && axes !== undefined) {
    throw wrongOption('axes', 'left out where `length` is given', axes, 'ids')
  }
  const positions = length === undefined ? null : Object.freeze([length])
  return Object.freeze({ content: 'ids', name, positions, width: 1, ...(axes && { axes }) })
}

const valuesOptions = {
  /** The shape of an item, its values last: [784], [28, 28, 1]; of a sequence of any length only the values
   * of a step, with `sequence`. */
  shape: counts('the shape of an item', 1),
  /** By which `take` finds it. */
  name: text('by which `take` finds it', 'NAME'),
}

/** Numbers: vectors, pictures [height, width, channels], ... */
export function values(
  options: Options<typeof valuesOptions> & { readonly shape: readonly number[] },
): Input {
  const { shape, name = 'input' } = settleAlone(valuesOptions, options, 'values')
  if (shape === undefined) throw wrongOption('shape', valuesOptions.shape.expected, shape, 'values')
  const positions = Object.freeze(shape.slice(0, -1))
  return Object.freeze({ content: 'values', name, positions, width: shape.at(-1)! })
}

const sequenceOptions = {
  /** Values of a step. */
  width: integer(undefined, { from: 1 }, 'values of a step'),
  /** By which `take` finds it. */
  name: text('by which `take` finds it', 'NAME'),
  ...axesOption,
}

/** Sequences of any length of steps of numbers. */
export function sequence(
  options: Options<typeof sequenceOptions> & { readonly width: number },
): Input {
  const { width, name = 'input', axes } = settleAlone(sequenceOptions, options, 'sequence')
  if (width === undefined) throw wrongOption('width', 'an integer from 1 up', width, 'sequence')
  return Object.freeze({ content: 'values', name, positions: null, width, ...(axes && { axes }) })
}

/** A network before it has learnt anything: a frozen value, which is JSON. */
export interface NetworkDescription {
  readonly inputs: readonly Input[]
  readonly layers: readonly Layer[]
  readonly loss?: Loss
  /** What a model says of itself: kept with it, and nothing to the network. */
  readonly about?: unknown
}

const networkOptions = {
  /** What goes in. */
  input: custom<Input | readonly Input[]>(
    '`ids`, `values` or `sequence`, or an array of them',
    (given) => typeof given === 'object' && given !== null,
    'what goes in',
  ),
  /** What is done with it, one after the other. */
  layers: custom<readonly Layer[]>(
    'a list of layers, at least one',
    (given) => Array.isArray(given) && given.length > 0,
    'what is done with it',
  ),
  /** What training makes small. Needed to train only. */
  loss: custom<Loss>(
    'what `crossEntropy`, `squaredError` or another loss gives',
    isLoss,
    'what training makes small',
  ),
}

/**
 * Describes a network. All shapes are worked out and must fit.
 *
 *     const classifier = network({
 *       input: values({ shape: [784] }),
 *       layers: [dense({ units: 128 }), relu(), dense({ name: 'scores', units: 10 })],
 *       loss: crossEntropy(),
 *     })
 *
 * @throws {InvalidOptionError} with the layer and the shapes that do not fit
 */
export function network(
  options: Options<typeof networkOptions> & {
    readonly input: Input | readonly Input[]
    readonly layers: readonly Layer[]
  },
): NetworkDescription {
  const { input, layers, loss } = settleAlone(networkOptions, options, 'network')
  if (input === undefined)
    throw wrongOption('input', networkOptions.input.expected, input, 'network')
  if (layers === undefined)
    throw wrongOption('layers', networkOptions.layers.expected, layers, 'network')
  const inputs: readonly Input[] = Array.isArray(input) ? input : [input]
  const description = Object.freeze({
    inputs: Object.freeze([...inputs]),
    layers: Object.freeze([...layers]),
    ...(loss && { loss }),
  })
  summary(description, 'network')
  const names = inputs.map(({ name }) => name)
  const twice = names.find((name, at) => names.indexOf(name) < at)
  if (twice !== undefined) throw wrongOption('input', 'inputs of different names', twice, 'network')
  if (loss) checkLast(loss, layers.at(-1)!, 'network')
  return description
}

/** What `summary` says of a layer. */
export interface LayerSummary {
  readonly name: string
  /** Of what it gives for an item: '[28, 28, 1]'. */
  readonly shape: string
  /** Numbers that it learns. */
  readonly parameters: number
  /** Multiplications and additions for an item; for a sequence, for one step. */
  readonly operations: number
}

/** The layers of a network, with shapes, parameters and operations. */
export function summary(description: NetworkDescription, who = 'summary'): LayerSummary[] {
  const { inputs, layers } = description
  const found = summaryOfNetwork(toJson({ inputs, layers }))
  if (typeof found !== 'string') return found
  const message = `${who}: the network ${found}`
  throw new InvalidOptionError(message, {
    option: 'layers',
    expected: 'layers that fit',
    got: found,
  })
}

/** What the native side reads. @internal */
export function toJson(description: NetworkDescription): string {
  return JSON.stringify(description)
}
