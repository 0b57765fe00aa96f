// What every model has in common that turns something into a vector, and the rows that it gives.
import { cosineOfRows } from './native.js'
import { type RunOptions, wrongOption } from './options.js'
import {
  type QuantizedPrecision,
  type QuantizedVectors,
  type QuantizingOptions,
  quantized,
} from './quantized-vectors.js'

/**
 * Whatever turns an input into a vector: a text, and later an image or a sound. All that takes
 * vectors (search, classifiers, `DocumentEncoder`) takes any of them, also one of yours:
 *
 *     const letters: Embedder = {
 *       dimensions: 1,
 *       encode: async (texts) => Vectors.from(await lengthsOf(texts), 1),
 *     }
 *
 * - An input's vector depends on nothing but the input: not on the others of its call.
 * - An input that says nothing to the model has a vector of zeros.
 * - There is a row for each input, in their order, in one piece of memory.
 */
export interface Embedder<Input = string> {
  /** Values of a vector. */
  readonly dimensions: number
  /** The vectors of inputs that are here or that come one by one. */
  encode(inputs: Iterable<Input> | AsyncIterable<Input>, options?: RunOptions): Promise<Vectors>
}

/**
 * Rows of numbers: [length, dimensions].
 *
 *     const rows = await encoder.encode(['a cat', 'a dog'])
 *     rows.similarity(0, 1)
 *     WordVectors.from(['cat', 'dog'], rows.values, rows.dimensions) // to search, to save
 */
export class Vectors implements Iterable<Float32Array> {
  /** How many rows there are. */
  readonly length: number

  /** @internal */
  constructor(
    /** All values, row after row. */
    readonly values: Float32Array,
    /** Values of a row. */
    readonly dimensions: number,
    /** For each row, how many parts of its input the model knew: words of a sentence, sentences of a
     * document. 0 where the row is zeros for lack of any. `undefined` for models that know all. */
    readonly known?: Uint32Array,
  ) {
    this.length = values.length / dimensions
  }

  /**
   * Makes vectors of rows that lie one after the other; they are not copied.
   *
   * @throws {InvalidOptionError} the values are no whole number of rows
   */
  static from(values: Float32Array, dimensions: number): Vectors {
    const who = 'Vectors.from'
    if (!Number.isInteger(dimensions) || dimensions < 1) {
      throw wrongOption('dimensions', 'an integer from 1 up', dimensions, who)
    }
    if (!(values instanceof Float32Array) || values.length % dimensions !== 0) {
      throw wrongOption('values', `a Float32Array of rows of ${dimensions} values`, values, who)
    }
    return new Vectors(values, dimensions)
  }

  /**
   * A row: a view of `values`, not a copy.
   *
   * @throws {InvalidOptionError} there is no such row
   */
  row(i: number): Float32Array {
    if (!Number.isInteger(i) || i < 0 || i >= this.length) {
      throw wrongOption('i', `a row from 0 to ${this.length - 1}`, i, 'Vectors.row')
    }
    return this.values.subarray(i * this.dimensions, (i + 1) * this.dimensions)
  }

  /** The cosine of two rows; 0 if one of them is zeros. */
  similarity(i: number, j: number): number {
    return cosineOfRows(this.row(i), this.row(j))
  }

  /**
   * The same in fewer bits, as sentence-transformers' `quantize_embeddings` makes them: a quarter of the memory in bytes, a
   * thirty-second in bits. Vectors that are compared need the same ranges:
   *
   *     const index = await documents.quantize('int8')
   *     const query = await queries.quantize('int8', { ranges: index.ranges })
   *     const bits = await documents.quantize('ubinary') // 48 bytes for 384 values
   *
   * @throws {InvalidOptionError} bytes of one vector alone, without ranges; ranges of other columns
   */
  async quantize<Precision extends QuantizedPrecision>(
    precision: Precision,
    options: QuantizingOptions<Precision> = {},
  ): Promise<QuantizedVectors<Precision>> {
    return quantized(this, precision, options)
  }

  /** All rows, in order. */
  *[Symbol.iterator](): Iterator<Float32Array> {
    for (let i = 0; i < this.length; i++) yield this.row(i)
  }
}
