// Examples that do not fit the memory: read block by block, no faster than they are learnt from.
import { InlayError } from '../errors.js'
import { ExampleStream as NativeStream } from '../native.js'
import { checkKnown, isIterable, wrongOption } from '../options.js'
import type { Feeder, MakeFeeder } from '../run.js'
import { Turns } from '../turns.js'
import { Filling, type Item, type Kind } from './columns.js'
import type { Input } from './description.js'

/** What goes in and what is wanted, for one item. */
export interface Example {
  /** The item, or one for each input by its name. */
  readonly input: Item | Readonly<Record<string, Item>>
  /** As in `Examples.targets`; all examples have one or none has. */
  readonly target?: Item
}

/** All that an example can have. */
const parts = ['input', 'target']

/** Examples one after the other. */
type Sequence = Iterable<Example> | AsyncIterable<Example>

/** Examples that are read while a network learns from them, and never all in memory: an iterable, a stream, or
 * a function that gives one for each epoch, counted from 1. */
export type ExampleStream = Sequence | ((epoch: number) => Sequence)

/** @internal */
export function isStream(given: unknown): given is ExampleStream {
  return typeof given === 'function' || isIterable(given)
}

/** What an example counts beside its values: it is waited for. */
const EXAMPLE = 32

/** What the columns of a stream look like, and how many examples are a block. */
interface Shape {
  readonly inputs: readonly Input[]
  readonly target: Kind
  readonly block: number
  readonly epochs: number
}

/**
 * The two ends of a stream: `native` for the run, and what feeds it. A block is read when the run asks for it,
 * which it does as soon as it has taken the one before.
 *
 * @internal
 * @throws {InvalidOptionError} an iterable that can be read once, for more than one epoch
 */
export function streamOf(
  given: ExampleStream,
  shape: Shape,
  who: string,
): { native: NativeStream; feed: MakeFeeder } {
  if (isIterable(given) && shape.epochs > 1 && isReadOnce(given)) {
    const expected = 'a function that gives the examples anew for each epoch, or `epochs: 1`'
    throw wrongOption('examples', expected, 'what can be read once', who)
  }
  const native = new NativeStream()
  const feed: MakeFeeder = (stop, joined) => {
    const failed = (error: unknown) => stop(error instanceof InlayError ? joined(error) : error)
    return new Reader(given, shape, native, failed, who)
  }
  return { native, feed }
}

function isReadOnce(given: Sequence): boolean {
  if (Symbol.iterator in given) return (given[Symbol.iterator]() as unknown) === given
  return !(Symbol.iterator in given) && (given[Symbol.asyncIterator]() as unknown) === given
}

class Reader implements Feeder {
  #examples: Iterator<Example> | AsyncIterator<Example> | undefined
  #epoch = 0
  #number = 0
  /** Whether the epoch is over, and its last block has been given. */
  #over = false
  #closed = false
  /** Whether examples have targets. */
  #wanted: boolean | undefined

  constructor(
    readonly given: ExampleStream,
    readonly shape: Shape,
    readonly native: NativeStream,
    readonly failed: (error: unknown) => void,
    readonly who: string,
  ) {}

  more(): void {
    this.#block().catch((error: unknown) => {
      if (!this.#closed) this.failed(error)
    })
  }

  close(): void {
    this.#closed = true
    this.native.end()
    // A generator is let go; what it does then is nobody's concern any more.
    const examples = this.#examples
    this.#examples = undefined
    Promise.resolve(examples?.return?.()).catch(() => {})
  }

  async #block(): Promise<void> {
    if (!this.#over) {
      const columns = this.shape.inputs.map((input) => new Filling(input))
      const wanted = new Filling(this.shape.target, true)
      const count = await this.#fill(columns, wanted)
      if (this.#closed) return
      if (count > 0) {
        const inputs = columns.map(({ column }) => column)
        return this.native.push(inputs, this.#wanted ? wanted.column : undefined)
      }
    }
    this.#over = false
    this.#examples = undefined
    this.native.turnOver()
  }

  async #fill(columns: readonly Filling[], wanted: Filling): Promise<number> {
    const examples = (this.#examples ??= this.#open())
    const all = [...columns, wanted]
    const turns = new Turns()
    for (let count = 0; ; count++) {
      if (count === this.shape.block || this.#closed) {
        all.forEach((column) => column.flush())
        return count
      }
      const next = await examples.next()
      if (next.done) {
        this.#over = true
        all.forEach((column) => column.flush())
        return count
      }
      this.#add(next.value, columns, wanted)
      if (all.some((column) => column.isFull)) all.forEach((column) => column.flush())
      if (turns.isOver(EXAMPLE)) await turns.next()
    }
  }

  #open(): Iterator<Example> | AsyncIterator<Example> {
    const { given, who } = this
    this.#epoch++
    this.#number = 0
    const sequence = typeof given === 'function' ? given(this.#epoch) : given
    if (!isIterable(sequence)) {
      throw wrongOption('examples', 'a function that gives an iterable or a stream', sequence, who)
    }
    return Symbol.asyncIterator in sequence
      ? sequence[Symbol.asyncIterator]()
      : sequence[Symbol.iterator]()
  }

  #add(example: Example, columns: readonly Filling[], wanted: Filling): void {
    const { who } = this
    const name = `examples[${this.#number++}]`
    const input = example?.input ?? undefined
    if (typeof example !== 'object' || input === undefined) {
      throw wrongOption(name, 'an object with `input`', example, who)
    }
    checkKnown(Object.keys(example), parts, 'part of an example', who, `${name}.`)
    this.#checkNames(input, `${name}.input.`)
    for (const [i, { name: of }] of this.shape.inputs.entries()) {
      columns[i]!.add(this.#item(input, of, name), `${name}.input`, who)
    }
    this.#wanted ??= example.target !== undefined || wanted.kind.content === 'ids'
    if (this.#wanted !== (example.target !== undefined)) {
      const expected = this.#wanted ? 'what is wanted of the item' : 'absent, as in others'
      throw wrongOption(`${name}.target`, expected, example.target, who)
    }
    if (example.target !== undefined) wanted.add(example.target, `${name}.target`, who)
  }

  /** Items by the names of inputs, and no others. */
  #checkNames(given: Example['input'], place: string): void {
    const names = this.shape.inputs.map((input) => input.name)
    if (typeof given !== 'object' || !names.some((name) => Object.hasOwn(given, name))) return
    checkKnown(Object.keys(given), names, 'input', this.who, place)
  }

  #item(given: Example['input'], input: string, name: string): Item {
    const named = typeof given === 'object' && Object.hasOwn(given, input)
    if (named) return (given as Readonly<Record<string, Item>>)[input]!
    if (this.shape.inputs.length === 1) return given as Item
    throw wrongOption(`${name}.input`, `an object with \`${input}\``, given, this.who)
  }
}
