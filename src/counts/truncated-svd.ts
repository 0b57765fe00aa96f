import { Vectors } from '../embedder.js'
import { Handle } from '../handle.js'
import { type SvdHandle, openSvd, saveSvd, trainSvd, transformSvd } from '../native.js'
import { type Options, type RunOptions, integer, settle, wrongOption } from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run } from '../run.js'
import { SparseMatrix } from './sparse-matrix.js'

/** Every option of `TruncatedSvd.train`. In brackets: scikit-learn's names. */
export const truncatedSvdOptions = {
  /** Values of a vector [n_components]. */
  dimensions: integer(100, { from: 1, to: 2048 }, 'values of a vector'),
  /** Times that the matrix is multiplied both ways to set the longest directions apart [n_iter]. */
  iterations: integer(5, { from: 0, to: 1000 }, 'times that the matrix is multiplied both ways'),
}

/** The options of `TruncatedSvd.train`: see `truncatedSvdOptions`. */
export type TruncatedSvdOptions = Options<typeof truncatedSvdOptions> & RunOptions

/**
 * The directions in which the rows of a sparse matrix are longest, and rows along them: of TF-IDF weights
 * latent semantic analysis (Deerwester et al. 1990), which makes dense vectors of documents and of terms.
 *
 *     X ≈ U Σ Vᵀ, found by random projections (Halko, Martinsson and Tropp 2011, arXiv:0909.4061)
 *
 *     const { vectorizer, matrix } = await TfidfVectorizer.trainAndTransform(texts)
 *     const svd = await TruncatedSvd.train(matrix, { dimensions: 100 })
 *     const documents = await svd.transform(matrix)     // Vectors: [texts, 100]
 */
export class TruncatedSvd {
  /** Values of a vector. */
  readonly dimensions: number
  /** Columns that a matrix must have. */
  readonly columns: number
  /** How long the matrix is in each direction, longest first. */
  readonly singularValues: Float64Array
  readonly #handle: Handle<SvdHandle>

  /** @internal */
  constructor(native: SvdHandle) {
    this.#handle = new Handle(native)
    this.dimensions = native.dimensions
    this.columns = native.columns
    this.singularValues = native.singularValues()
  }

  /**
   * Finds the directions. The same bytes for the same `seed` and any number of threads.
   *
   * @throws {InvalidOptionError} more dimensions than the matrix has rows or columns
   */
  static async train(
    matrix: SparseMatrix,
    options: TruncatedSvdOptions = {},
  ): Promise<TruncatedSvd> {
    const who = 'TruncatedSvd.train'
    const { settings, run: runSettings } = settle(truncatedSvdOptions, options, who)
    const rows = checkedMatrix(matrix, who)
    const { dimensions, iterations } = settings
    return new TruncatedSvd(
      await run<SvdHandle>(who, runSettings, (spec, events) =>
        trainSvd(rows, dimensions, iterations, spec, events),
      ),
    )
  }

  /**
   * Opens what `save` wrote.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no truncated SVD, or damaged
   */
  static async open(path: Path, options: RunOptions = {}): Promise<TruncatedSvd> {
    const who = 'TruncatedSvd.open'
    const file = settlePath(path, who)
    const settings = settle({}, options, who).run
    return new TruncatedSvd(
      await run<SvdHandle>(who, settings, (spec, events) => openSvd(file, spec, events)),
    )
  }

  /**
   * The rows of a matrix along the directions: [rows, dimensions].
   *
   * @throws {InvalidOptionError} it has other columns
   */
  async transform(matrix: SparseMatrix, options: RunOptions = {}): Promise<Vectors> {
    const who = 'TruncatedSvd.transform'
    const settings = settle({}, options, who).run
    const rows = checkedMatrix(matrix, who)
    if (matrix.columns !== this.columns) {
      throw wrongOption('matrix', `of ${this.columns} columns`, matrix.columns, who)
    }
    const native = this.#handle.use(who)
    const values = await run<Float32Array>(who, settings, (spec, events) =>
      transformSvd(native, rows, spec, events),
    )
    return new Vectors(values, this.dimensions)
  }

  /** The directions by column, copied: what each term of a vocabulary is along them,
   * [columns, dimensions]. */
  directions(): Vectors {
    return new Vectors(this.#handle.use('TruncatedSvd.directions').directions(), this.dimensions)
  }

  /**
   * Writes the directions to a file. It is there in full or not at all.
   *
   * @throws {InlayError} `DISK_FULL`, `IO`
   */
  async save(path: Path, options: RunOptions = {}): Promise<void> {
    const who = 'TruncatedSvd.save'
    const file = settlePath(path, who)
    const settings = settle({}, options, who).run
    const native = this.#handle.use(who)
    await run<void>(who, settings, (spec, events) => saveSvd(native, file, spec, events))
  }

  /** Frees the memory now rather than when the garbage is collected. */
  close(): void {
    this.#handle.close()
  }

  /** As `close`: at the end of the block of `using`. */
  [Symbol.dispose](): void {
    this.close()
  }
}

function checkedMatrix(matrix: SparseMatrix, who: string) {
  if (matrix instanceof SparseMatrix) return matrix.native(who)
  throw wrongOption('matrix', 'a SparseMatrix', matrix, who)
}
