// What both vectorizers are: columns for terms, chosen once, and sparse rows for texts.
import type { Corpus } from '../corpus/corpus.js'
import type { CorpusSource } from '../corpus/source.js'
import { Handle } from '../handle.js'
import {
  type AnalysisSpec,
  type LimitsSpec,
  type ReadingSpec,
  type SparseHandle,
  type VectorizerHandle,
  type WeightingSpec,
  openVectorizer,
  saveVectorizer,
  trainVectorizer,
  transformTexts,
} from '../native.js'
import { type Options, type RunOptions, type RunSettings, settle, wrongOption } from '../options.js'
import { type Path, settlePath } from '../path.js'
import { atOnce, run } from '../run.js'
import { WordList } from '../vectors/word-list.js'
import { openTexts, readingOptions } from './analysis.js'
import { SparseMatrix } from './sparse-matrix.js'

export { readingOptions }

/** The options of `transform`: see `readingOptions`. */
export type ReadingOptions = Options<typeof readingOptions> & RunOptions

/** Texts as sparse rows: a column for each term. `NgramVectorizer` and `TfidfVectorizer` are two. */
export abstract class Vectorizer {
  /** The term of each column, in the order of their bytes; none where terms are hashed. */
  readonly terms: WordList
  /** How many columns its rows have. */
  readonly columns: number
  /** Documents that it was trained on. */
  readonly trainedOn: number
  readonly #handle: Handle<VectorizerHandle>
  readonly #names

  /** @internal */
  constructor(native: VectorizerHandle) {
    this.#handle = new Handle(native)
    this.#names = new Handle(native.names())
    this.terms = new WordList(this.#names)
    this.columns = native.columns
    this.trainedOn = native.documents
  }

  /** The column of a term; `undefined` if it has none. Takes microseconds. */
  columnOf(term: string): number | undefined {
    if (typeof term !== 'string') throw wrongOption('term', 'a string', term, this.#who('columnOf'))
    const column = this.native('columnOf').find(term)
    return column < 0 ? undefined : column
  }

  /** In how many of the documents that it was trained on each column's term is, copied. */
  documentFrequencies(): Uint32Array {
    return this.native('documentFrequencies').documentFrequencies()
  }

  /**
   * The rows of texts, in their order: [texts, columns]. Terms without a column are passed over; a text
   * without any other has a row of zeros. A row does not depend on the other texts.
   *
   *     const matrix = await vectorizer.transform(['a cat', ['a', 'dog']])
   *     const large = await vectorizer.transform('texts/*.txt.gz')
   *
   * @throws {InlayError} `NOT_FOUND` no such file; `INVALID_INPUT` bytes that are no UTF-8, or an item
   * that is no text
   */
  async transform(
    source: CorpusSource | Corpus,
    options: ReadingOptions = {},
  ): Promise<SparseMatrix> {
    const who = this.#who('transform')
    const { settings, run: runSettings } = settle(readingOptions, options, who)
    const native = this.native('transform')
    const { from, feeder } = openTexts(source, settings, who)
    const rows = await run<SparseHandle>(
      who,
      runSettings,
      (spec, events) => transformTexts(native, from, settings, spec, events),
      feeder,
    )
    return new SparseMatrix(rows)
  }

  /**
   * The row of one short text: [1, columns]. Takes microseconds.
   *
   *     vectorizer.transformText('a cat').row(0)
   */
  transformText(text: string): SparseMatrix {
    const who = this.#who('transformText')
    if (typeof text !== 'string') throw wrongOption('text', 'a string', text, who)
    const native = this.native('transformText')
    return new SparseMatrix(atOnce(who, () => native.transformNow([text])))
  }

  /**
   * Writes the vectorizer to a file. It is there in full or not at all.
   *
   * @throws {InlayError} `DISK_FULL`, `IO`
   */
  async save(path: Path, options: RunOptions = {}): Promise<void> {
    const who = this.#who('save')
    const file = settlePath(path, who)
    const settings = settle({}, options, who).run
    const native = this.native('save')
    await run<void>(who, settings, (spec, events) => saveVectorizer(native, file, spec, events))
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

  /** @internal */
  native(verb: string): VectorizerHandle {
    return this.#handle.use(this.#who(verb))
  }

  #who(verb: string): string {
    return `${this.constructor.name}.${verb}`
  }
}

/** What decides a vectorizer. */
export interface VectorizerSpec {
  readonly reading: ReadingSpec
  readonly analysis: AnalysisSpec
  readonly weighting: WeightingSpec
  readonly limits: LimitsSpec
}

/** Trains; keeps the rows of the source if they are wanted. */
export async function train(
  source: CorpusSource | Corpus,
  { reading, analysis, weighting, limits }: VectorizerSpec,
  rows: boolean,
  settings: RunSettings,
  who: string,
): Promise<VectorizerHandle> {
  const { from, feeder } = openTexts(source, reading, who)
  return run<VectorizerHandle>(
    who,
    settings,
    (spec, events) =>
      trainVectorizer(from, reading, analysis, weighting, limits, rows, spec, events),
    feeder,
  )
}

/** Opens what `save` wrote. */
export async function open(
  path: Path,
  options: RunOptions,
  who: string,
): Promise<VectorizerHandle> {
  const file = settlePath(path, who)
  const settings = settle({}, options, who).run
  return run<VectorizerHandle>(who, settings, (spec, events) => openVectorizer(file, spec, events))
}
