import { Vectors } from '../embedder.js'
import { InlayError } from '../errors.js'
import { type Options, oneOf, settleAlone, wrongOption } from '../options.js'
import { SparseMatrix } from './sparse-matrix.js'

/** What can be a category. `NaN` is one, as good as any other. */
export type Category = string | number | bigint | boolean | null | undefined

/** Every option of `OneHotEncoder.train`. */
export const oneHotEncoderOptions = {
  /** What becomes of a value that is no category: an error, a row of zeros, or a column of its own, the
   * last one. */
  unknown: oneOf(['error', 'zeros', 'column'], 'what becomes of a value that is no category'),
}

/** The options of `OneHotEncoder.train`: see `oneHotEncoderOptions`. */
export type OneHotEncoderOptions = Options<typeof oneHotEncoderOptions>

/**
 * Categories as vectors of zeros and a single one: words of a vocabulary, colours, weekdays.
 *
 *     const encoder = OneHotEncoder.train(['red', 'green', 'red'])
 *     encoder.categories                              // ['red', 'green']
 *     encoder.encode(['green']).row(0)                // [0, 1]
 *     encoder.decode(encoder.encode(['green']))       // ['green']
 */
export class OneHotEncoder<Value extends Category = Category> {
  /** The category of each column, in the order in which they were first seen. */
  readonly categories: readonly Value[]
  /** Values of a vector: categories, and one more with `unknown: 'column'`. */
  readonly dimensions: number
  /** What becomes of a value that is no category. */
  readonly unknown: 'error' | 'zeros' | 'column'
  readonly #columns: ReadonlyMap<Value, number>

  private constructor(columns: ReadonlyMap<Value, number>, unknown: 'error' | 'zeros' | 'column') {
    this.#columns = columns
    this.categories = [...columns.keys()]
    this.unknown = unknown
    this.dimensions = columns.size + (unknown === 'column' ? 1 : 0)
  }

  /**
   * Takes the categories of some values, in the order in which they first occur. Values are the same
   * as in a `Map`: `NaN` equals itself, `1` is not `'1'`.
   *
   *     OneHotEncoder.train(corpus.words, { unknown: 'zeros' })
   *
   * @throws {InvalidOptionError} there are no values, or one that is no category
   */
  static train<Value extends Category>(
    values: Iterable<Value>,
    options: OneHotEncoderOptions = {},
  ): OneHotEncoder<Value> {
    const who = 'OneHotEncoder.train'
    const { unknown } = settleAlone(oneHotEncoderOptions, options, who)
    const columns = new Map<Value, number>()
    for (const value of checkedValues(values, who)) {
      if (columns.has(value)) continue
      if (!isCategory(value)) throw wrongOption('values', categoriesOnly, value, who)
      columns.set(value, columns.size)
    }
    if (columns.size === 0) throw wrongOption('values', 'one value at least', [], who)
    return new OneHotEncoder(columns, unknown)
  }

  /** The column of a category; `undefined` if it is none. */
  columnOf(value: Category): number | undefined {
    return this.#columns.get(value as Value)
  }

  /**
   * The vectors of values: [values, dimensions].
   *
   * @throws {InlayError} `INVALID_INPUT` a value that is no category, with `unknown: 'error'`
   */
  encode(values: Iterable<Category>): Vectors {
    const columns = this.#columnsOf(values, 'OneHotEncoder.encode')
    const dense = new Float32Array(columns.length * this.dimensions)
    columns.forEach((column, row) => {
      if (column >= 0) dense[row * this.dimensions + column] = 1
    })
    return new Vectors(dense, this.dimensions)
  }

  /**
   * The vectors of values as rows of a sparse matrix: [values, dimensions].
   *
   * @throws {InlayError} `INVALID_INPUT` a value that is no category, with `unknown: 'error'`
   */
  encodeSparse(values: Iterable<Category>): SparseMatrix {
    const columns = this.#columnsOf(values, 'OneHotEncoder.encodeSparse')
    const offsets = new Float64Array(columns.length + 1)
    columns.forEach((column, row) => (offsets[row + 1] = offsets[row]! + (column < 0 ? 0 : 1)))
    const indices = Uint32Array.from(columns.filter((column) => column >= 0))
    const ones = new Float32Array(indices.length).fill(1)
    return SparseMatrix.from({ columns: this.dimensions, offsets, indices, values: ones })
  }

  /**
   * The values that vectors stand for: of each row the category of its largest value. A row of zeros,
   * and the column of what is unknown, are `undefined`.
   *
   * @throws {InvalidOptionError} vectors of other dimensions
   */
  decode(vectors: Vectors | SparseMatrix): (Value | undefined)[] {
    const who = 'OneHotEncoder.decode'
    const sparse = vectors instanceof SparseMatrix
    const width = sparse ? vectors.columns : (vectors as Partial<Vectors>)?.dimensions
    if (width !== this.dimensions) {
      const expected = `Vectors or a SparseMatrix of ${this.dimensions} columns`
      throw wrongOption('vectors', expected, vectors, who)
    }
    if (!sparse) return Array.from(vectors, (row) => this.categories[largest(row)])
    return Array.from({ length: vectors.rows }, (_, i) => {
      const { indices, values } = vectors.row(i)
      return this.categories[indices[largest(values)] ?? -1]
    })
  }

  #columnsOf(values: Iterable<Category>, who: string): number[] {
    return Array.from(checkedValues(values, who), (value, i) => {
      const column = this.#columns.get(value as Value)
      if (column !== undefined) return column
      if (this.unknown === 'zeros') return -1
      if (this.unknown === 'column') return this.categories.length
      const shown = typeof value === 'string' ? JSON.stringify(value) : String(value)
      const message = `${who}: value ${i} (${shown}) is no category; see \`unknown\``
      throw new InlayError('INVALID_INPUT', message, { item: i })
    })
  }
}

const categoriesOnly = 'strings, numbers, booleans, bigints, null or undefined'

function isCategory(value: unknown): value is Category {
  return value === null || !['object', 'function', 'symbol'].includes(typeof value)
}

function checkedValues<Value>(values: Iterable<Value>, who: string): Iterable<Value> {
  const isText = typeof values === 'string'
  if (isText || typeof (values as Partial<Iterable<Value>>)?.[Symbol.iterator] !== 'function') {
    throw wrongOption('values', 'an iterable of values', values, who)
  }
  return values
}

/** The place of the largest value above 0, or -1. */
function largest(row: Float32Array): number {
  let place = -1
  let most = 0
  row.forEach((value, i) => {
    if (value > most) [place, most] = [i, value]
  })
  return place
}
