// Brings items from JavaScript to where networks read them, some thousands at a time, so that the event loop
// is free in between.
import { InlayError } from '../errors.js'
import { ColumnHandle } from '../native.js'
import { isIterable, wrongOption } from '../options.js'
import { Turns } from '../turns.js'
import type { Input } from './description.js'

/** An item of an input with `axes`: its numbers one after the other, and where each of its rows is. */
export interface PlacedItem {
  readonly values: ArrayLike<number>
  /** [rows, axes]: whole numbers from 0. */
  readonly positions: ArrayLike<number>
}

/** An item: one number, or its numbers one after the other; with their places, where the input has `axes`. */
export type Item = number | ArrayLike<number> | PlacedItem

/** Items of an input: all numbers in one typed array, where every item has the same shape, or one item after
 * the other. */
export type Items = Float32Array | Uint32Array | Int32Array | Iterable<Item> | AsyncIterable<Item>

/** Numbers that are brought over at once. */
const TOGETHER = 1 << 16
/** Numbers of an array that is worth a call of its own. */
const LONG = 256
/** Items that are brought over at once: each is waited for, and may come from a stream. */
const ITEMS = 1 << 12
/** What -1 becomes among targets. */
const ignored = 2 ** 32 - 1

/** What numbers are, and how they belong to items. */
export type Kind = Pick<Input, 'content' | 'positions' | 'width' | 'axes'>

/**
 * A column of items. `targets` may be -1: nothing is wanted there. `none` is what is said of no items; without, there may be none.
 *
 * @throws {InvalidOptionError} an item is no number and no array of numbers, or an id no whole number from 0
 * @throws {InlayError} `INVALID_INPUT` there are no items
 */
export async function columnOf(
  items: Items,
  kind: Kind,
  option: string,
  who: string,
  signal?: AbortSignal,
  targets = false,
  none?: string,
): Promise<ColumnHandle> {
  const filling = new Filling(kind, targets)
  const checkSome = (count: number) => {
    if (count === 0 && none !== undefined) throw new InlayError('INVALID_INPUT', `${who}: ${none}`)
  }
  const turns = new Turns(signal)
  if (ArrayBuffer.isView(items)) {
    if (kind.positions === null) throw wrongOption(option, 'an array of sequences', items, who)
    checkSome(items.length)
    for (let at = 0; at < items.length; at += TOGETHER) {
      filling.addNumbers(items, at, option, who)
      if (turns.isOver(TOGETHER)) await turns.next()
    }
    return filling.column
  }
  if (!isIterable(items)) {
    throw wrongOption(
      option,
      'a typed array, or an iterable of numbers or arrays of numbers',
      items,
      who,
    )
  }
  let number = 0
  for await (const item of kind.axes !== undefined && knowsPlaces(items)
    ? items.placed(kind.axes)
    : items) {
    const name = `${option}[${number++}]`
    const begun = filling.begin(item, name, who)
    const { length } = begun.values
    for (let from = 0; from < length; from += TOGETHER) {
      filling.take(begun, from, name, who)
      if (filling.isFull) filling.flush()
      if (turns.isOver(Math.min(length - from, TOGETHER))) await turns.next()
    }
  }
  checkSome(number)
  filling.flush()
  return filling.column
}

/** Items that know the places of their rows: `Tokens`. */
function knowsPlaces(items: object): items is { placed(axes: number): Iterable<PlacedItem> } {
  return typeof (items as { placed?: unknown }).placed === 'function'
}

/** A column that is being filled, item by item. */
export class Filling {
  readonly column = new ColumnHandle()
  readonly #add: Ids | Values
  readonly #places: Ids
  readonly #lengths = new Numbers((length) => new Uint32Array(length))

  /** `targets` may be -1: nothing is wanted there. */
  constructor(
    readonly kind: Kind,
    targets = false,
  ) {
    const { column } = this
    this.#add =
      kind.content === 'ids' ? new Ids((ids) => column.addIds(ids), targets) : new Values(column)
    this.#places = new Ids((places) => column.addPlaces(places), false)
  }

  /** @throws {InvalidOptionError} as `columnOf` */
  add(item: Item, name: string, who: string): void {
    const begun = this.begin(item, name, who)
    for (let from = 0; from < begun.values.length; from += TOGETHER) {
      this.take(begun, from, name, who)
    }
  }

  /** The numbers of an item, all of which are to be taken next. */
  begin(item: Item, name: string, who: string): PlacedItem {
    const { axes = 0, width } = this.kind
    const placed = axes > 0 && typeof item === 'object' && 'values' in item
    const values = placed ? item.values : typeof item === 'number' ? [item] : item
    const positions = placed ? item.positions : []
    if (!isList(values) || !isList(positions) || (axes > 0 && !placed)) {
      const expected =
        axes > 0 ? 'an object with `values` and `positions`' : 'a number or an array of numbers'
      throw wrongOption(name, expected, item, who)
    }
    const rows = values.length / width
    if (!Number.isInteger(rows)) {
      throw wrongOption(name, `rows of ${width} numbers`, values.length, who)
    }
    if (positions.length !== rows * axes) {
      const expected = `${axes} numbers for each of ${rows} rows`
      throw wrongOption(`${name}.positions`, expected, positions.length, who)
    }
    this.#lengths.push(rows)
    return { values, positions }
  }

  /** Takes numbers from one on, as many as are brought over at once, and the places of their rows. */
  take({ values, positions }: PlacedItem, from: number, name: string, who: string): void {
    const to = Math.min(values.length, from + TOGETHER)
    this.#add.all(values, from, to, name, who)
    const { axes = 0, width } = this.kind
    const [first, end] = [from, to].map((number) => Math.floor(number / width) * axes)
    if (axes > 0) this.#places.all(positions, first!, end!, `${name}.positions`, who)
  }

  /** Numbers of many items that are all of one shape. */
  addNumbers(numbers: ArrayLike<number>, from: number, name: string, who: string): void {
    this.#add.all(numbers, from, Math.min(numbers.length, from + TOGETHER), name, who)
    this.#add.flush()
  }

  /** Whether it is time to bring over what has come. */
  get isFull(): boolean {
    return this.#add.size >= TOGETHER || this.#lengths.size >= ITEMS
  }

  /** Brings over what has come. */
  flush(): void {
    this.#add.flush()
    if (this.kind.axes !== undefined) this.#places.flush()
    const lengths = this.#lengths.take()
    if (this.kind.positions === null) this.column.addLengths(lengths)
  }
}

function isList(item: unknown): item is ArrayLike<number> {
  return (
    typeof item === 'object' &&
    item !== null &&
    Number.isInteger((item as ArrayLike<number>).length)
  )
}

/** Numbers that are on their way, in memory that is used again: an array that grows would leave as much behind as it
 * brings, and a stream of a million examples that many times over. */
class Numbers<Kept extends Float32Array | Uint32Array> {
  #kept: Kept
  #size = 0

  constructor(readonly make: (length: number) => Kept) {
    this.#kept = make(256)
  }

  get size(): number {
    return this.#size
  }

  push(number: number): void {
    if (this.#size === this.#kept.length) {
      const larger = this.make(2 * this.#size)
      larger.set(this.#kept)
      this.#kept = larger
    }
    this.#kept[this.#size++] = number
  }

  /** All of them, to be copied at once. */
  take(): Kept {
    const taken = this.#kept.subarray(0, this.#size) as Kept
    this.#size = 0
    return taken
  }
}

class Ids {
  readonly #numbers = new Numbers((length) => new Uint32Array(length))

  constructor(
    readonly add: (ids: Uint32Array) => void,
    readonly targets: boolean,
  ) {}

  get size(): number {
    return this.#numbers.size
  }

  all(numbers: ArrayLike<number>, from: number, to: number, name: string, who: string): void {
    if (numbers instanceof Uint32Array && to - from >= LONG) {
      this.flush()
      this.add(numbers.subarray(from, to))
      return
    }
    for (let i = from; i < to; i++) {
      const id = numbers[i]
      if (this.targets && id === -1) this.#numbers.push(ignored)
      else if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < ignored)
        this.#numbers.push(id)
      else throw wrongOption(name, 'whole numbers from 0 up', id, who)
    }
  }

  flush(): void {
    this.add(this.#numbers.take())
  }
}

class Values {
  readonly #numbers = new Numbers((length) => new Float32Array(length))

  constructor(readonly column: ColumnHandle) {}

  get size(): number {
    return this.#numbers.size
  }

  all(numbers: ArrayLike<number>, from: number, to: number, name: string, who: string): void {
    if (numbers instanceof Float32Array && to - from >= LONG) {
      this.flush()
      this.column.addValues(numbers.subarray(from, to))
      return
    }
    for (let i = from; i < to; i++) {
      const value = numbers[i]
      if (typeof value !== 'number') throw wrongOption(name, 'numbers', value, who)
      this.#numbers.push(value)
    }
  }

  flush(): void {
    if (this.#numbers.size > 0) this.column.addValues(this.#numbers.take())
  }
}

/** Items of ids one by one, as often as they are gone over; of each so many numbers at most. */
export function each<Numbers extends Uint32Array | Int32Array>(
  items: { readonly ids: Numbers; readonly ends: Float64Array },
  most = Infinity,
): Iterable<Numbers> {
  return { [Symbol.iterator]: () => itemsOf(items, most) }
}

function* itemsOf<Numbers extends Uint32Array | Int32Array>(
  { ids, ends }: { readonly ids: Numbers; readonly ends: Float64Array },
  most: number,
): Generator<Numbers> {
  for (let i = 0; i < ends.length; i++) {
    const from = i === 0 ? 0 : ends[i - 1]!
    yield ids.subarray(from, Math.min(ends[i]!, from + most)) as Numbers
  }
}
