// Classes by their names: what is wanted of inputs, what networks say of them, and how well.
import type { Vectors } from '../embedder.js'
import type { NetworkDescription } from '../nn/description.js'
import { softmax } from '../nn/layers.js'
import { checkIterable, custom, isFilledRecordOf, iterable, wrongOption } from '../options.js'
import { Turns, arrayOf } from '../turns.js'
import { type ClassEvaluation, evaluationOf } from './class-evaluation.js'
import { differentStrings, widthOf } from './network-model.js'

/** An input and what it is. */
export interface Labelled<Input> {
  readonly input: Input
  readonly label: string
}

/** Inputs with labels, that are here or that come one by one. */
export type LabelledInputs<Input> = Iterable<Labelled<Input>> | AsyncIterable<Labelled<Input>>

/** A label and how probable it is. */
export interface ClassPrediction {
  readonly label: string
  /** From 0 to 1; those of all labels sum to 1. */
  readonly probability: number
}

/** Inputs and, in the same order, their labels. */
export interface Collected<Input> {
  readonly inputs: Input[]
  readonly labels: string[]
}

/** What each label counts in the loss. @internal */
export const labelWeights = custom<Readonly<Record<string, number>>>(
  'an object of numbers from 0 up, at least one',
  (given) =>
    isFilledRecordOf(given, (weight) => Number.isFinite(weight) && (weight as number) >= 0),
  'what each label counts',
)

/** Labels in a model's file: one for each score. @internal */
export const labelNames = differentStrings('different strings, one for each score', (network) =>
  widthOf(network),
)

/** Examples that are held out. @internal */
export const labelledValidation = iterable<LabelledInputs<never>>(
  'inputs with labels',
  'examples whose loss is worked out after each epoch',
)

/** All examples. @throws {InvalidOptionError} one has no label */
export async function collected<Input>(
  examples: LabelledInputs<Input>,
  option: string,
  who: string,
): Promise<Collected<Input>> {
  checkIterable(examples, option, 'an iterable of objects with `input` and `label`', who)
  const inputs: Input[] = []
  const labels: string[] = []
  const turns = new Turns()
  for await (const example of examples) {
    if (typeof example !== 'object' || example === null || typeof example.label !== 'string') {
      const name = `${option}[${inputs.length}]`
      throw wrongOption(name, 'an object with `input` and a string `label`', example, who)
    }
    inputs.push(example.input)
    labels.push(example.label)
    if (turns.isOver()) await turns.next()
  }
  return { inputs, labels }
}

/** The labels that a network tells apart: class i is `names[i]`. */
export class Labels {
  readonly #classes: ReadonlyMap<string, number>

  constructor(readonly names: readonly string[]) {
    this.#classes = new Map(names.map((label, at) => [label, at]))
  }

  /** Those of examples, as they first come. @throws {InvalidOptionError} fewer than two */
  static async of(labels: Iterable<string>, who: string): Promise<Labels> {
    const found = new Set<string>()
    const turns = new Turns()
    for (const label of labels) {
      found.add(label)
      if (turns.isOver()) await turns.next()
    }
    const names = [...found]
    if (names.length < 2) throw wrongOption('examples', 'of two labels or more', names[0], who)
    return new Labels(names)
  }

  /** The number of a label. @throws {InvalidOptionError} it is none of them */
  classOf(label: string, option: string, who: string): number {
    const found = this.#classes.get(label)
    if (found === undefined) {
      throw wrongOption(option, 'of the labels of the examples', label, who)
    }
    return found
  }

  /** What each class counts, 1 where nothing is said. */
  weights(given: Readonly<Record<string, number>> = {}, who: string): number[] {
    for (const label of Object.keys(given)) this.classOf(label, 'labelWeights', who)
    // A label may be called as what every object has: 'constructor'.
    return this.names.map((label) => (Object.hasOwn(given, label) ? given[label]! : 1))
  }

  /** The most probable label of each row of probabilities. */
  async predictions(shares: Vectors): Promise<ClassPrediction[]> {
    const best = await bestOf(shares)
    return arrayOf(shares.length, (row) => {
      const probability = shares.values[row * shares.dimensions + best[row]!]!
      return { label: this.names[best[row]!]!, probability }
    })
  }

  /** The numbers of labels, in turns. @throws {InvalidOptionError} one is none of them */
  classesOf(labels: readonly string[], option: string, who: string): Promise<number[]> {
    return arrayOf(labels.length, (i) => this.classOf(labels[i]!, option, who))
  }

  /** What became of examples. @throws {InvalidOptionError} one has a label that is none of these */
  async evaluation<Input>(
    examples: LabelledInputs<Input>,
    probabilities: (inputs: Input[]) => Promise<Vectors>,
    who: string,
  ): Promise<ClassEvaluation> {
    const { inputs, labels } = await collected(examples, 'examples', who)
    const wanted = await this.classesOf(labels, 'examples', who)
    return evaluationOf(this.names, wanted, await bestOf(await probabilities(inputs)))
  }
}

/** Where the highest value of a row stands; of equals the first. */
export function bestIn(values: Float32Array, row: number, dimensions: number): number {
  const from = row * dimensions
  let found = 0
  for (let at = 1; at < dimensions; at++) if (values[from + at]! > values[from + found]!) found = at
  return found
}

/** As `bestIn`, of each row. */
export async function bestOf({ values, dimensions, length }: Vectors): Promise<Uint32Array> {
  const best = new Uint32Array(length)
  const turns = new Turns()
  for (let row = 0; row < length; row++) {
    best[row] = bestIn(values, row, dimensions)
    if (turns.isOver(dimensions)) await turns.next()
  }
  return best
}

/** The same layers with probabilities behind them, for use. The loss, which takes scores, stays behind. */
export function withProbabilities(
  { inputs, layers }: NetworkDescription,
  about: unknown,
): NetworkDescription {
  return { inputs, layers: [...layers, softmax({ name: 'probabilities' })], about }
}
