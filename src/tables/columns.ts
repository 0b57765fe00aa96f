// Columns of a table as a network takes them: ids of categories, and numbers of one scale.
import { InlayError, shown } from '../errors.js'
import { isCount } from '../options.js'
import { Turns, arrayOf } from '../turns.js'
import { type Cell, type Row, type TableSource, rowProblem, rowsOf } from './read-table.js'

/** What the cells of a column are. */
export type ColumnKind = 'categorical' | 'numeric' | 'ignored'

/** A column of categories. The rows of its table are: what was not seen, what is missing, and `values`. */
export interface CategoricalColumn {
  readonly kind: 'categorical'
  readonly name: string
  /** The most frequent first; of equals the one that came first. */
  readonly values: readonly string[]
  /** Values of a category's vector. */
  readonly dimensions: number
  /** Whether some were missing. Without, there is no row for it, and what is missing was not seen. */
  readonly missing: boolean
}

/** A column of numbers, which become (x - mean) / deviation. */
export interface NumericColumn {
  readonly kind: 'numeric'
  readonly name: string
  readonly mean: number
  readonly deviation: number
  /** Whether some were missing: then a further number says of each row whether it is. */
  readonly missing: boolean
}

/** What is known of a column. */
export type Column = CategoricalColumn | NumericColumn

/** Whether something is what is known of columns with different names. @internal */
export function areColumns(given: unknown): given is readonly Column[] {
  if (!Array.isArray(given) || !given.every(isColumn)) return false
  return new Set(given.map(({ name }) => name)).size === given.length
}

function isColumn(given: unknown): given is Column {
  const { kind, name, missing, ...known } = (given ?? {}) as {
    readonly [field: string]: unknown
  }
  if (typeof name !== 'string' || typeof missing !== 'boolean') return false
  const { values, dimensions, mean, deviation } = known
  if (kind === 'categorical') {
    const areStrings = Array.isArray(values) && values.every((value) => typeof value === 'string')
    return areStrings && new Set(values).size === values.length && isCount(dimensions)
  }
  const isScale = Number.isFinite(mean) && Number.isFinite(deviation) && (deviation as number) > 0
  return kind === 'numeric' && isScale
}

/** Rows of a category's table before those of its values. @internal */
export function firstValueOf({ missing }: CategoricalColumn): number {
  return missing ? 2 : 1
}

/** Cells of a block. */
const BLOCK = 1 << 12

/** The cells of a column, in blocks: an array that grows moves all that it holds, and all columns would at once. */
class CellList {
  readonly #blocks: Cell[][] = []
  length = 0

  push(cell: Cell): void {
    if (this.length % BLOCK === 0) this.#blocks.push([])
    this.#blocks.at(-1)!.push(cell)
    this.length += 1
  }

  at(row: number): Cell {
    return this.#blocks[Math.floor(row / BLOCK)]?.[row % BLOCK]
  }

  *[Symbol.iterator](): Generator<Cell> {
    for (const block of this.#blocks) yield* block
  }
}

/** The cells of a table, column by column. @internal */
export class Cells {
  readonly columns = new Map<string, CellList>()
  length = 0
  /** Equal strings are one in memory. */
  readonly #strings = new Map<string, string>()

  /**
   * All rows of a source.
   *
   * @throws {InlayError} `INVALID_INPUT` an item is no row
   */
  static async of(
    source: TableSource,
    option: string,
    who: string,
    signal: AbortSignal | undefined,
  ): Promise<Cells> {
    const cells = new Cells()
    const turns = new Turns(signal)
    for await (const row of rowsOf(source, option, who)) {
      const problem = rowProblem(row)
      if (problem !== undefined) throw invalidRow(who, cells.length, problem)
      cells.#add(row)
      if (turns.isOver(cells.columns.size)) await turns.next()
    }
    return cells
  }

  #add(row: Row): void {
    for (const name of Object.keys(row)) {
      let column = this.columns.get(name)
      if (column === undefined) this.columns.set(name, (column = new CellList()))
      while (column.length < this.length) column.push(undefined)
      const cell = row[name]
      column.push(typeof cell === 'string' ? this.#one(cell) : cell)
    }
    this.length += 1
  }

  #one(text: string): string {
    const known = this.#strings.get(text)
    if (known === undefined) this.#strings.set(text, text)
    return known ?? text
  }

  /** A cell; `undefined` where the row has none. */
  at(name: string, row: number): Cell {
    return this.columns.get(name)?.at(row)
  }
}

/** What is learnt of columns before a network is. @internal */
export interface ColumnChoices {
  readonly kinds: Readonly<Record<string, ColumnKind>>
  /** Strings that stand for nothing. */
  readonly missing: readonly string[]
  readonly minCount: number
  readonly dimensions: Readonly<Record<string, number>>
}

/** The columns of a table but `target`: what their cells are, which there are, and how large. Columns in which
 * nothing stands, or no category often enough, are left out. @internal */
export async function columnsOf(
  cells: Cells,
  target: string,
  { kinds, missing, minCount, dimensions }: ColumnChoices,
  who: string,
): Promise<Column[]> {
  const nothing = new Set(missing)
  const turns = new Turns()
  const columns: Column[] = []
  for (const [name, given] of cells.columns) {
    // A column may be called as what every object has: 'constructor'.
    const chosen = Object.hasOwn(kinds, name) ? kinds[name] : undefined
    if (name === target || chosen === 'ignored') continue
    const present = await presentIn(given, nothing, turns)
    if (present.length === 0) continue
    const some = present.length < cells.length
    if ((chosen ?? (await kindOf(given, nothing, turns))) === 'numeric') {
      const numbers = await arrayOf(
        present.length,
        (i) => numberOf(given.at(present[i]!), name, present[i]!, who),
        turns,
      )
      const scale = await scaleOf(numbers, name, who, turns)
      columns.push({ kind: 'numeric', name, ...scale, missing: some })
      continue
    }
    const values = await frequent(given, present, minCount, turns)
    if (values.length === 0) continue
    const asked = Object.hasOwn(dimensions, name) ? dimensions[name] : undefined
    const width = asked ?? widthOf(values.length)
    columns.push({ kind: 'categorical', name, values, dimensions: width, missing: some })
  }
  return columns
}

/** The rows in which something stands. */
async function presentIn(
  given: CellList,
  nothing: ReadonlySet<string>,
  turns: Turns,
): Promise<number[]> {
  const rows: number[] = []
  for (let row = 0; row < given.length; row++) {
    if (!isMissing(given.at(row), nothing)) rows.push(row)
    if (turns.isOver()) await turns.next()
  }
  return rows
}

/** Values of a category's vector if none is chosen: 1.6·n⁰·⁵⁶ for n categories, at most 600. */
function widthOf(categories: number): number {
  return Math.max(1, Math.min(600, Math.round(1.6 * categories ** 0.56)))
}

/** Whether nothing stands in a cell. @internal */
export function isMissing(cell: Cell, nothing: ReadonlySet<string>): boolean {
  if (cell === undefined || cell === null || cell === '' || Number.isNaN(cell)) return true
  return typeof cell === 'string' && nothing.has(cell)
}

/** A string that reads as a number. '007' does not: it is a code. */
const decimal = /^\s*[-+]?(?!0\d)(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i

/** Numeric if all cells in which something stands read as numbers. @internal */
export async function kindOf(
  cells: Iterable<Cell>,
  nothing: ReadonlySet<string>,
  turns = new Turns(),
): Promise<ColumnKind> {
  for (const cell of cells) {
    const isNumber =
      typeof cell === 'number' ||
      typeof cell === 'bigint' ||
      (typeof cell === 'string' && decimal.test(cell))
    if (!isNumber && !isMissing(cell, nothing)) return 'categorical'
    if (turns.isOver()) await turns.next()
  }
  return 'numeric'
}

/** The number in a cell. @throws {InlayError} `INVALID_INPUT` there is none @internal */
export function numberOf(cell: Cell, name: string, row: number, who: string): number {
  const isText = typeof cell === 'string' && cell.trim() !== ''
  const number = isText || typeof cell === 'number' || typeof cell === 'bigint' ? Number(cell) : NaN
  if (Number.isFinite(number)) return number
  throw invalidRow(who, row, `has no number in \`${name}\`: ${shown(cell)}`)
}

/**
 * Mean and standard deviation; where all are the same, 1.
 *
 * @throws {InlayError} `INVALID_INPUT` numbers whose squares are none that can be written down
 * @internal
 */
export async function scaleOf(
  numbers: readonly number[],
  name: string,
  who: string,
  turns = new Turns(),
): Promise<{ mean: number; deviation: number }> {
  const meanOf = async (value: (number: number) => number) => {
    let sum = 0
    for (const number of numbers) {
      sum += value(number)
      if (turns.isOver()) await turns.next()
    }
    return sum / numbers.length
  }
  const mean = await meanOf((number) => number)
  const variance = await meanOf((number) => (number - mean) ** 2)
  if (!Number.isFinite(variance)) {
    const problem = `the numbers in \`${name}\` are too large for a standard deviation`
    throw new InlayError('INVALID_INPUT', `${who}: ${problem}`, { problem })
  }
  return { mean, deviation: Math.sqrt(variance) || 1 }
}

/** Values in these rows that occur often enough, the most frequent first. */
async function frequent(
  given: CellList,
  rows: readonly number[],
  minCount: number,
  turns: Turns,
): Promise<string[]> {
  const counts = new Map<string, number>()
  for (const row of rows) {
    const value = String(given.at(row))
    counts.set(value, (counts.get(value) ?? 0) + 1)
    if (turns.isOver()) await turns.next()
  }
  return [...counts]
    .filter(([, count]) => count >= minCount)
    .toSorted(([, a], [, b]) => b - a)
    .map(([value]) => value)
}

/** How many numbers the numeric columns of a row become. @internal */
export function numbersOf(columns: readonly Column[]): number {
  return columns.reduce(
    (sum, column) => sum + (column.kind === 'numeric' ? 1 + Number(column.missing) : 0),
    0,
  )
}

/** Ids of the categories of a column, a row after the other. `hide` says which are taken as unseen. @internal */
export async function idsOf(
  cells: Cells,
  column: CategoricalColumn,
  nothing: ReadonlySet<string>,
  hide: () => boolean = () => false,
): Promise<Uint32Array> {
  const [unseen, first] = [0, firstValueOf(column)]
  const places = new Map(column.values.map((value, at) => [value, first + at]))
  const idOf = (cell: Cell) => {
    if (isMissing(cell, nothing)) return first - 1
    return hide() ? unseen : (places.get(String(cell)) ?? unseen)
  }
  const ids = new Uint32Array(cells.length)
  const turns = new Turns()
  for (let row = 0; row < ids.length; row++) {
    ids[row] = idOf(cells.at(column.name, row))
    if (turns.isOver()) await turns.next()
  }
  return ids
}

/** The numeric columns of rows: [rows, numbersOf(columns)]. A number that is missing is the mean. @internal */
export async function scaledNumbers(
  cells: Cells,
  columns: readonly Column[],
  nothing: ReadonlySet<string>,
  who: string,
): Promise<Float32Array> {
  const width = numbersOf(columns)
  const numbers = new Float32Array(cells.length * width)
  const turns = new Turns()
  let place = 0
  for (const column of columns) {
    if (column.kind !== 'numeric') continue
    const { name, mean, deviation, missing } = column
    for (let row = 0; row < cells.length; row++) {
      const cell = cells.at(name, row)
      const at = row * width + place
      if (!isMissing(cell, nothing)) {
        numbers[at] = (numberOf(cell, name, row, who) - mean) / deviation
      } else if (missing) numbers[at + 1] = 1
      if (turns.isOver()) await turns.next()
    }
    place += missing ? 2 : 1
  }
  return numbers
}

/** "CategoryEmbeddings.train: row 3 has no number in `age`: "old"" @internal */
export function invalidRow(who: string, row: number, problem: string): InlayError {
  return new InlayError('INVALID_INPUT', `${who}: row ${row} ${problem}`, { row, problem })
}
