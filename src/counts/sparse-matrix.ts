import { Vectors } from '../embedder.js'
import { InlayError } from '../errors.js'
import { Handle } from '../handle.js'
import {
  type FoundRows,
  type SparseHandle,
  denseOfSparse,
  multiplySparse,
  nearestRows,
  openSparse,
  saveSparse,
  selectRows,
  sparseOfParts,
  transposeSparse,
} from '../native.js'
import { type RunOptions, integer, settle, settleAlone, wrongOption } from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run, serve } from '../run.js'

/** The values of a row that are not zero. */
export interface SparseRow {
  /** Their columns, rising. */
  readonly indices: Uint32Array
  /** As many. */
  readonly values: Float32Array
}

/** A row that was found, and how near it is. */
export interface FoundRow {
  /** Its number, from 0. */
  readonly row: number
  /** Its cosine, or what else it was found by. */
  readonly score: number
}

/** The parts of a matrix by rows (CSR). */
export interface SparseParts {
  /** How many columns there are. */
  readonly columns: number
  /** Where each row begins and ends among `indices`: one more than rows, rising from 0. */
  readonly offsets: Float64Array
  /** The columns of the values, rising in each row. */
  readonly indices: Uint32Array
  /** The values, finite. */
  readonly values: Float32Array
}

const searchOptions = {
  topK: integer(10, { from: 1 }, 'rows that are given'),
}

/**
 * A matrix most of whose values are zero, by rows (CSR): documents by terms, and the other way round.
 * It lies in Rust; what is asked for is copied.
 *
 *     const matrix = await vectorizer.transform(['the cat sat', 'the dog sat'])
 *     matrix.row(0)                                       // { indices, values }
 *     await matrix.mostSimilar(matrix.rowsAt([0]))        // cosines with all rows
 *     const words = await matrix.transpose()              // a word by the documents that it is in
 *     await matrix.save('documents.npz')                  // for scipy.sparse.load_npz
 */
export class SparseMatrix {
  /** How many rows there are. */
  readonly rows: number
  /** How many columns. */
  readonly columns: number
  /** How many values are stored. */
  readonly stored: number
  readonly #handle: Handle<SparseHandle>

  /** @internal */
  constructor(native: SparseHandle) {
    this.#handle = new Handle(native)
    this.rows = native.rows
    this.columns = native.columns
    this.stored = native.stored
  }

  /**
   * Makes a matrix of its parts, which are copied.
   *
   *     SparseMatrix.from({ columns: 3, offsets: Float64Array.of(0, 1), indices: Uint32Array.of(2), values: Float32Array.of(1) })
   *
   * @throws {InvalidOptionError} the parts are no matrix
   */
  static from(parts: SparseParts): SparseMatrix {
    const who = 'SparseMatrix.from'
    const { columns, offsets, indices, values } = parts
    if (!Number.isInteger(columns) || columns < 0 || columns > 0xffff_ffff) {
      throw wrongOption('columns', 'an integer from 0 to 4294967295', columns, who)
    }
    if (!(offsets instanceof Float64Array) || !offsets.every((at) => Number.isSafeInteger(at))) {
      throw wrongOption('offsets', 'a Float64Array of integers', offsets, who)
    }
    if (!(indices instanceof Uint32Array)) {
      throw wrongOption('indices', 'a Uint32Array', indices, who)
    }
    if (!(values instanceof Float32Array)) {
      throw wrongOption('values', 'a Float32Array', values, who)
    }
    try {
      return new SparseMatrix(sparseOfParts(columns, offsets, indices, values))
    } catch (error) {
      throw wrongOption('parts', 'those of a matrix', (error as Error).message, who)
    }
  }

  /**
   * Opens a `.npz` that `save`, or SciPy's `save_npz`, wrote. Values of one place are added up.
   *
   *     const matrix = await SparseMatrix.open('documents.npz')
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is damaged; `UNSUPPORTED` a matrix that
   * is not by rows (`tocsr()` makes it so)
   */
  static async open(path: Path, options: RunOptions = {}): Promise<SparseMatrix> {
    const who = 'SparseMatrix.open'
    const file = settlePath(path, who)
    const settings = settle({}, options, who).run
    return new SparseMatrix(
      await run<SparseHandle>(who, settings, (spec, events) => openSparse(file, spec, events)),
    )
  }

  /**
   * The values of a row that are not zero, copied.
   *
   * @throws {InvalidOptionError} there is no such row
   */
  row(i: number): SparseRow {
    const who = 'SparseMatrix.row'
    return this.#handle.use(who).row(this.#place(i, who))
  }

  /**
   * Some rows, in this order.
   *
   * @throws {InvalidOptionError} there is no such row
   */
  rowsAt(rows: readonly number[] | Uint32Array): SparseMatrix {
    const who = 'SparseMatrix.rowsAt'
    const places = Uint32Array.from(rows, (row) => this.#place(row, who))
    return new SparseMatrix(selectRows(this.#handle.use(who), places))
  }

  /** All parts, copied. */
  parts(): SparseParts {
    const native = this.#handle.use('SparseMatrix.parts')
    return {
      columns: this.columns,
      offsets: native.offsets(),
      indices: native.indices(),
      values: native.values(),
    }
  }

  /** The rows as columns: of documents by terms, terms by documents. */
  async transpose(options: RunOptions = {}): Promise<SparseMatrix> {
    const who = 'SparseMatrix.transpose'
    const settings = settle({}, options, who).run
    const native = this.#handle.use(who)
    return new SparseMatrix(
      await run<SparseHandle>(who, settings, (spec, events) =>
        transposeSparse(native, spec, events),
      ),
    )
  }

  /**
   * The product with a dense matrix that has a row for each column of this: [rows, dimensions].
   *
   * @throws {InvalidOptionError} it has another number of rows
   */
  async multiply(dense: Vectors, options: RunOptions = {}): Promise<Vectors> {
    const who = 'SparseMatrix.multiply'
    const settings = settle({}, options, who).run
    if (!(dense instanceof Vectors) || dense.length !== this.columns) {
      throw wrongOption('dense', `Vectors of ${this.columns} rows`, dense, who)
    }
    const native = this.#handle.use(who)
    const { values, dimensions } = dense
    const product = await run<Float32Array>(who, settings, (spec, events) =>
      multiplySparse(native, values, dimensions, spec, events),
    )
    return new Vectors(product, dimensions)
  }

  /**
   * The rows of this matrix that are nearest to each row of `queries` by their cosine, nearest first,
   * ties by row. Rows that have no column in common with a query are not found.
   *
   *     const [near] = await documents.mostSimilar(await vectorizer.transform(['a cat']), { topK: 3 })
   *     near[0].row
   *
   * The first call makes an index, as large as the matrix.
   *
   * @throws {InvalidOptionError} `queries` has other columns
   */
  async mostSimilar(
    queries: SparseMatrix,
    options: { readonly topK?: number } = {},
  ): Promise<FoundRow[][]> {
    const who = 'SparseMatrix.mostSimilar'
    const { topK } = settleAlone(searchOptions, options, who)
    if (!(queries instanceof SparseMatrix) || queries.columns !== this.columns) {
      throw wrongOption('queries', `a SparseMatrix of ${this.columns} columns`, queries, who)
    }
    const [native, other] = [this.#handle.use(who), queries.native(who)]
    return foundRows(
      await serve<FoundRows>(who, undefined, (events) => nearestRows(native, other, topK, events)),
    )
  }

  /**
   * All values, zeros included: [rows, columns].
   *
   * @throws {InlayError} `OUT_OF_MEMORY`; `UNSUPPORTED` a matrix without columns
   */
  async toVectors(options: RunOptions = {}): Promise<Vectors> {
    const who = 'SparseMatrix.toVectors'
    const settings = settle({}, options, who).run
    const native = this.#handle.use(who)
    if (this.columns === 0) {
      throw new InlayError('UNSUPPORTED', `${who}: rows without columns are no vectors`)
    }
    const values = await run<Float32Array>(who, settings, (spec, events) =>
      denseOfSparse(native, spec, events),
    )
    return new Vectors(values, this.columns)
  }

  /**
   * Writes a file for SciPy's `load_npz` and for `open`. It is there in full or not at all.
   *
   *     await matrix.save('documents.npz')
   *
   * @throws {InlayError} `DISK_FULL`, `IO`
   */
  async save(path: Path, options: RunOptions = {}): Promise<void> {
    const who = 'SparseMatrix.save'
    const file = settlePath(path, who)
    const settings = settle({}, options, who).run
    const native = this.#handle.use(who)
    await run<void>(who, settings, (spec, events) => saveSparse(native, file, spec, events))
  }

  /** Frees the memory now rather than when the garbage is collected. */
  close(): void {
    this.#handle.close()
  }

  /** As `close`: `using matrix = await SparseMatrix.open(...)` closes it at the end of the block. */
  [Symbol.dispose](): void {
    this.close()
  }

  /** @internal */
  native(who: string): SparseHandle {
    return this.#handle.use(who)
  }

  #place(row: number, who: string): number {
    if (Number.isInteger(row) && row >= 0 && row < this.rows) return row
    throw wrongOption('row', `a row from 0 to ${this.rows - 1}`, row, who)
  }
}

/** What was found for each query. */
export function foundRows({ rows, scores, ends }: FoundRows): FoundRow[][] {
  let start = 0
  return Array.from(ends, (end) => {
    const found: FoundRow[] = []
    for (; start < end; start++) found.push({ row: rows[start]!, score: scores[start]! })
    return found
  })
}
