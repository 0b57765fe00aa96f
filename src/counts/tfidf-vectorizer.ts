import type { Corpus } from '../corpus/corpus.js'
import type { CorpusSource } from '../corpus/source.js'
import type { AnalysisSpec, VectorizerHandle, WeightingSpec } from '../native.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  flag,
  integer,
  oneOf,
  settle,
} from '../options.js'
import { InvalidOptionError } from '../errors.js'
import type { Path } from '../path.js'
import { analysisOptions, limitOptions, readingOptions, settleAnalysis } from './analysis.js'
import { analysisOf, anotherKind } from './ngram-vectorizer.js'
import { SparseMatrix } from './sparse-matrix.js'
import { Vectorizer, type VectorizerSpec, open, train } from './vectorizer.js'

/** Every option of `TfidfVectorizer.train`. In brackets: scikit-learn's names. */
export const tfidfVectorizerOptions = {
  ...readingOptions,
  ...analysisOptions,
  ...limitOptions,
  /** Whether a term counts once in a document, however often it is there [binary]. */
  binary: flag(false, 'counts a term once in a document'),
  /** Whether a count c weighs 1 + ln c [sublinear_tf]. */
  sublinear: flag(false, 'weighs a count by its logarithm'),
  /** Whether document frequencies count as if one more document had every term [smooth_idf]. */
  smoothIdf: flag(true, 'counts one more document that has every term'),
  /** What a row is divided by: its length, the sum of its absolute values, or nothing [norm]. */
  norm: oneOf(['l2', 'l1', 'none'], 'what a row is divided by'),
  /** Columns that terms are hashed into, by MurmurHash3, instead of a vocabulary. Default: a column for
   * each term. */
  hashedColumns: integer(
    undefined,
    { from: 1, to: 1 << 30 },
    'columns that terms are hashed into, instead of a vocabulary',
  ),
}

/** The options of `TfidfVectorizer.train`: see `tfidfVectorizerOptions`. */
export type TfidfVectorizerOptions = Options<typeof tfidfVectorizerOptions> & RunOptions

/** How a vectorizer was made, every option with its value. */
export type TfidfVectorizerSettings = Readonly<AnalysisSpec> &
  Readonly<
    Pick<WeightingSpec, 'binary' | 'sublinear' | 'smoothIdf' | 'norm'> & {
      hashedColumns: number | undefined
    }
  >

/**
 * Texts as weights of their terms: how often a term is in the text, and how few texts have it.
 *
 *     tf · idf / |tf · idf|        idf = ln((1 + documents) / (1 + df)) + 1
 *
 *     const { vectorizer, matrix } = await TfidfVectorizer.trainAndTransform(texts)
 *     const query = vectorizer.transformText('cats and dogs')
 *     const [near] = await matrix.mostSimilar(query)
 *
 * With the same options the same as scikit-learn's TfidfVectorizer, in float32.
 */
export class TfidfVectorizer extends Vectorizer {
  /** How it was made. */
  readonly options: TfidfVectorizerSettings

  /** @internal */
  constructor(native: VectorizerHandle) {
    super(native)
    const { binary, sublinear, smoothIdf, norm, hashedColumns } = native.weighting()
    const weighting = { binary, sublinear, smoothIdf, norm, hashedColumns }
    this.options = { ...native.analysis(), ...weighting }
  }

  /**
   * Chooses columns, the terms of `source` within the limits in the order of their bytes, and counts in
   * how many documents each is. Each text of an iterable, each line of a file, each sentence of a `Corpus` is a document. The same
   * for any number of threads.
   *
   *     const vectorizer = await TfidfVectorizer.train('texts.txt', { maxNgram: 2, maxShare: 0.5 })
   *
   * @throws {InvalidOptionError} before anything is read
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` bytes that are no UTF-8, no documents, or no term
   * within the limits
   */
  static async train(
    source: CorpusSource | Corpus,
    options: TfidfVectorizerOptions = {},
  ): Promise<TfidfVectorizer> {
    const who = 'TfidfVectorizer.train'
    const [spec, runSettings] = specOf(options, who)
    return new TfidfVectorizer(await train(source, spec, false, runSettings, who))
  }

  /**
   * As `train` and then `transform` of the same source, which is read once.
   *
   *     const { vectorizer, matrix } = await TfidfVectorizer.trainAndTransform(texts)
   */
  static async trainAndTransform(
    source: CorpusSource | Corpus,
    options: TfidfVectorizerOptions = {},
  ): Promise<{ vectorizer: TfidfVectorizer; matrix: SparseMatrix }> {
    const who = 'TfidfVectorizer.trainAndTransform'
    const [spec, runSettings] = specOf(options, who)
    const native = await train(source, spec, true, runSettings, who)
    const matrix = new SparseMatrix(native.takeRows())
    return { vectorizer: new TfidfVectorizer(native), matrix }
  }

  /**
   * Opens a vectorizer that `save` wrote. Its terms are mapped, not read.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no TfidfVectorizer, or damaged
   */
  static async open(path: Path, options: RunOptions = {}): Promise<TfidfVectorizer> {
    const who = 'TfidfVectorizer.open'
    const native = await open(path, options, who)
    if (!native.weighting().idf) throw anotherKind(path, 'NgramVectorizer', who)
    return new TfidfVectorizer(native)
  }

  /** The inverse document frequency of each column, copied. */
  idf(): Float64Array {
    return this.native('idf').idf()
  }
}

function specOf(options: TfidfVectorizerOptions, who: string): [VectorizerSpec, RunSettings] {
  const { settings: given, run } = settle(tfidfVectorizerOptions, options, who)
  const settings = settleAnalysis(given, options, who)
  if (settings.hashedColumns !== undefined) {
    for (const option of Object.keys(limitOptions) as (keyof typeof limitOptions)[]) {
      if (options[option] !== undefined) {
        const message = `${who}: \`${option}\` has no meaning with \`hashedColumns\``
        throw new InvalidOptionError(message, { option })
      }
    }
  }
  const weighting = { ...settings, idf: true, alternateSign: false }
  const analysis = analysisOf(settings)
  return [{ reading: settings, analysis, weighting, limits: settings }, run]
}
