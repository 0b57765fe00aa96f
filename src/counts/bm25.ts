import type { Corpus } from '../corpus/corpus.js'
import type { CorpusSource } from '../corpus/source.js'
import { Handle } from '../handle.js'
import {
  type AnalysisSpec,
  type Bm25Handle,
  type FoundRows,
  type SaturationSpec,
  openBm25,
  saveBm25,
  searchBm25,
  trainBm25,
} from '../native.js'
import {
  type Options,
  type RunOptions,
  integer,
  real,
  settle,
  settleAlone,
  wrongOption,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run, serve } from '../run.js'
import { WordList } from '../vectors/word-list.js'
import {
  analysisOptions,
  limitOptions,
  openTexts,
  readingOptions,
  settleAnalysis,
} from './analysis.js'
import { analysisOf } from './ngram-vectorizer.js'
import { SparseMatrix, foundRows } from './sparse-matrix.js'

/** Every option of `Bm25.train`. */
export const bm25Options = {
  ...readingOptions,
  ...analysisOptions,
  ...limitOptions,
  /** How soon more of the same term counts no more; 0: at once. */
  k1: real(1.2, { from: 0, to: 1000 }, 'how soon more of the same term counts no more'),
  /** How much long documents are held back. */
  b: real(0.75, { from: 0, to: 1 }, 'how much long documents are held back'),
}

/** The options of `Bm25.train`: see `bm25Options`. */
export type Bm25Options = Options<typeof bm25Options> & RunOptions

/** How an index was made, every option with its value. */
export type Bm25Settings = Readonly<AnalysisSpec> & Readonly<SaturationSpec>

/** A document that a query found. */
export interface FoundDocument {
  /** Its number in the source, from 0. */
  readonly document: number
  /** How well it answers. */
  readonly score: number
}

const searchOptions = {
  topK: integer(10, { from: 1 }, 'documents that are given'),
}

/**
 * Documents that queries of words find (Robertson and Zaragoza 2009, "The Probabilistic Relevance
 * Framework: BM25 and Beyond"): beside vectors the other half of a hybrid search.
 *
 *     score(d, q) = Σ idf(t) · tf (k1 + 1) / (tf + k1 (1 - b + b |d| / mean |d|))
 *     idf(t) = ln(1 + (documents - df + 0.5) / (df + 0.5))
 *
 *     const index = await Bm25.train(texts)
 *     const [{ document, score }] = await index.search('cats and dogs', { topK: 1 })
 */
export class Bm25 {
  /** The terms that documents are found by, in the order of their bytes. */
  readonly terms: WordList
  /** How many documents there are. */
  readonly documents: number
  /** How it was made. */
  readonly options: Bm25Settings
  readonly #handle: Handle<Bm25Handle>
  readonly #names

  /** @internal */
  constructor(native: Bm25Handle) {
    this.#handle = new Handle(native)
    this.#names = new Handle(native.names())
    this.terms = new WordList(this.#names)
    this.documents = native.documents
    this.options = { ...native.analysis(), ...native.saturation() }
  }

  /**
   * Reads documents: texts of an iterable, or the lines of files. The same for any number of threads.
   *
   * @throws {InvalidOptionError} before anything is read
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` bytes that are no UTF-8, no documents, or no term
   * within the limits
   */
  static async train(source: CorpusSource | Corpus, options: Bm25Options = {}): Promise<Bm25> {
    const who = 'Bm25.train'
    const { settings: given, run: runSettings } = settle(bm25Options, options, who)
    const settings = settleAnalysis(given, options, who)
    const { from, feeder } = openTexts(source, settings, who)
    return new Bm25(
      await run<Bm25Handle>(
        who,
        runSettings,
        (spec, events) =>
          trainBm25(from, settings, analysisOf(settings), settings, settings, spec, events),
        feeder,
      ),
    )
  }

  /**
   * Opens an index that `save` wrote.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no index, or damaged
   */
  static async open(path: Path, options: RunOptions = {}): Promise<Bm25> {
    const who = 'Bm25.open'
    const file = settlePath(path, who)
    const settings = settle({}, options, who).run
    return new Bm25(
      await run<Bm25Handle>(who, settings, (spec, events) => openBm25(file, spec, events)),
    )
  }

  /**
   * The documents that answer a query best, best first, ties by number. Only those with a score above 0,
   * so with a term in common, are found.
   *
   *     await index.search('cats', { topK: 3 })
   */
  async search(query: string, options: { readonly topK?: number } = {}): Promise<FoundDocument[]> {
    const who = 'Bm25.search'
    if (typeof query !== 'string') throw wrongOption('query', 'a string', query, who)
    const [found] = await this.#search([query], options, who)
    return found!
  }

  /** As `search`, for many queries on all threads. */
  async searchBatch(
    queries: readonly string[],
    options: { readonly topK?: number } = {},
  ): Promise<FoundDocument[][]> {
    const who = 'Bm25.searchBatch'
    if (!Array.isArray(queries) || !queries.every((query) => typeof query === 'string')) {
      throw wrongOption('queries', 'an array of strings', queries, who)
    }
    return this.#search([...queries], options, who)
  }

  async #search(queries: string[], options: object, who: string): Promise<FoundDocument[][]> {
    const { topK } = settleAlone(searchOptions, options, who)
    const native = this.#handle.use(who)
    const found = await serve<FoundRows>(who, undefined, (events) =>
      searchBm25(native, queries, topK, events),
    )
    return foundRows(found).map((rows) => rows.map(({ row, score }) => ({ document: row, score })))
  }

  /** What each term adds to the score of each document: [documents, terms]. A copy. */
  weights(): SparseMatrix {
    return new SparseMatrix(this.#handle.use('Bm25.weights').weights())
  }

  /**
   * Writes the index to a file. It is there in full or not at all.
   *
   * @throws {InlayError} `DISK_FULL`, `IO`
   */
  async save(path: Path, options: RunOptions = {}): Promise<void> {
    const who = 'Bm25.save'
    const file = settlePath(path, who)
    const settings = settle({}, options, who).run
    const native = this.#handle.use(who)
    await run<void>(who, settings, (spec, events) => saveBm25(native, file, spec, events))
  }

  /** Frees the memory now rather than when the garbage is collected. */
  close(): void {
    this.#handle.close()
    this.#names.close()
  }

  /** As `close`: at the end of the block of `using`. */
  [Symbol.dispose](): void {
    this.close()
  }
}
