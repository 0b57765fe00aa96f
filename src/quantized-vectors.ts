// Vectors in fewer bits, for whoever keeps them: databases, files. What sentence-transformers' `quantize_embeddings` makes
// of the same vectors, bit for bit.
import type { Vectors } from './embedder.js'
import { InvalidOptionError } from './errors.js'
import { quantizeRows, widenRanges } from './native.js'
import { type Options, custom, oneOf, runOptions, settleAlone, wrongOption } from './options.js'
import { Turns } from './turns.js'

/** What a vector's values become: a byte for each, from -128 or from 0 up, or a bit for each, 1 where it is above 0, eight
 * to a byte that counts from -128 or from 0 up. */
export type QuantizedPrecision = 'int8' | 'uint8' | 'binary' | 'ubinary'

/** The least and the largest value of each column, between which there are 255 steps. */
export interface QuantizationRanges {
  readonly least: Float32Array
  readonly most: Float32Array
}

/** Every option of `vectors.quantize`. */
export const quantizingOptions = {
  /** The least and the largest value of each column, for bytes: those that other vectors were quantized with, or vectors of
   * which they are found. Default: found of these vectors, of which there must be several. */
  ranges: custom<QuantizationRanges | Vectors>(
    'ranges, or vectors of which they are found',
    (given) => typeof given === 'object' && given !== null,
    'the least and the largest value of each column',
  ),
  signal: runOptions.signal,
}

/** The options of `vectors.quantize`: bits need no ranges. */
export type QuantizingOptions<Precision extends QuantizedPrecision> = Precision extends
  | 'int8'
  | 'uint8'
  ? Options<typeof quantizingOptions>
  : Options<Pick<typeof quantizingOptions, 'signal'>>

/** What holds the bytes of a precision. */
export type BytesOf<Precision extends QuantizedPrecision> = Precision extends 'int8' | 'binary'
  ? Int8Array
  : Uint8Array

/** Rows of bytes: [length, width]. */
export class QuantizedVectors<
  Precision extends QuantizedPrecision = QuantizedPrecision,
> implements Iterable<BytesOf<Precision>> {
  /** How many rows there are. */
  readonly length: number

  /** @internal */
  constructor(
    readonly precision: Precision,
    /** All bytes, row after row. */
    readonly values: BytesOf<Precision>,
    /** Values of the vector that each row stands for. */
    readonly dimensions: number,
    /** What the buckets of bytes were made of, for other vectors that are compared with these. */
    readonly ranges: Precision extends 'int8' | 'uint8' ? QuantizationRanges : undefined,
  ) {
    this.length = values.length / this.width
  }

  /** Bytes of a row. */
  get width(): number {
    return isOfBytes(this.precision) ? this.dimensions : Math.ceil(this.dimensions / 8)
  }

  /**
   * A row: a view of `values`, not a copy.
   *
   * @throws {InvalidOptionError} there is no such row
   */
  row(i: number): BytesOf<Precision> {
    if (!Number.isInteger(i) || i < 0 || i >= this.length) {
      throw wrongOption('i', `a row from 0 to ${this.length - 1}`, i, 'QuantizedVectors.row')
    }
    const { width } = this
    return this.values.subarray(i * width, (i + 1) * width) as BytesOf<Precision>
  }

  /** All rows, in order. */
  *[Symbol.iterator](): Iterator<BytesOf<Precision>> {
    for (let i = 0; i < this.length; i++) yield this.row(i)
  }
}

const precisions = oneOf(['int8', 'uint8', 'binary', 'ubinary'], 'what values become')
/** Values that are gone over at once: a fraction of a millisecond. */
const TOGETHER = 1 << 16

const isOfBytes = (precision: QuantizedPrecision) => precision === 'int8' || precision === 'uint8'

/** See `Vectors.quantize`. */
export async function quantized<Precision extends QuantizedPrecision>(
  vectors: Vectors,
  precision: Precision,
  options: QuantizingOptions<Precision>,
): Promise<QuantizedVectors<Precision>> {
  const who = 'vectors.quantize'
  if (!precisions.accepts(precision)) {
    throw wrongOption('precision', precisions.expected, precision, who)
  }
  const { ranges: given, signal } = settleAlone(quantizingOptions, options, who)
  const { dimensions } = vectors
  const ofBytes = isOfBytes(precision)
  if (given !== undefined && !ofBytes) {
    throw new InvalidOptionError(`${who}: \`ranges\` are for bytes only`, { option: 'ranges' })
  }
  const turns = new Turns(signal)
  const ranges = ofBytes ? await rangesOf(vectors, given, turns, who) : undefined
  const width = ofBytes ? dimensions : Math.ceil(dimensions / 8)
  const isSigned = precision === 'int8' || precision === 'binary'
  const values = isSigned
    ? new Int8Array(vectors.length * width)
    : new Uint8Array(vectors.length * width)
  const all = ranges && joined(ranges)
  let at = 0
  for (const rows of parts(vectors)) {
    const bytes = quantizeRows(rows, dimensions, all, isSigned)
    values.set(isSigned ? new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length) : bytes, at)
    at += bytes.length
    if (turns.isOver(rows.length)) await turns.next()
  }
  return new QuantizedVectors(
    precision,
    values as BytesOf<Precision>,
    dimensions,
    ranges as QuantizedVectors<Precision>['ranges'],
  )
}

/** Views of some rows each. */
function* parts({ values, dimensions }: Vectors): Generator<Float32Array> {
  const together = Math.max(1, Math.floor(TOGETHER / dimensions)) * dimensions
  for (let from = 0; from < values.length; from += together) {
    yield values.subarray(from, from + together)
  }
}

const joined = ({ least, most }: QuantizationRanges) => {
  const all = new Float32Array(2 * least.length)
  all.set(least)
  all.set(most, least.length)
  return all
}

async function rangesOf(
  vectors: Vectors,
  given: QuantizationRanges | Vectors | undefined,
  turns: Turns,
  who: string,
): Promise<QuantizationRanges> {
  const { dimensions } = vectors
  if (given !== undefined && isRanges(given)) {
    if (given.least.length === dimensions && given.most.length === dimensions) return given
    throw wrongOption('ranges', `of ${dimensions} columns`, given.least.length, who)
  }
  const from = given ?? vectors
  if (!(from.values instanceof Float32Array) || from.dimensions !== dimensions) {
    throw wrongOption('ranges', `ranges or vectors of ${dimensions} columns`, given, who)
  }
  if (from.length < (given ? 1 : 2)) {
    const expected = 'given: one vector says nothing of the range of a column'
    if (vectors.length > 0) throw wrongOption('ranges', expected, given, who)
  }
  let all = new Float32Array(2 * dimensions).fill(Infinity, 0, dimensions)
  all.fill(-Infinity, dimensions)
  for (const rows of parts(from)) {
    all = widenRanges(rows, all) as Float32Array<ArrayBuffer>
    if (turns.isOver(rows.length)) await turns.next()
  }
  return { least: all.slice(0, dimensions), most: all.slice(dimensions) }
}

function isRanges(given: QuantizationRanges | Vectors): given is QuantizationRanges {
  const { least, most } = given as QuantizationRanges
  return least instanceof Float32Array && most instanceof Float32Array
}
