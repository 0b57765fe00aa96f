import type { Corpus } from '../corpus/corpus.js'
import type { CorpusSource } from '../corpus/source.js'
import { InlayError } from '../errors.js'
import type { AnalysisSpec, VectorizerHandle } from '../native.js'
import { untrainedVectorizer } from '../native.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  flag,
  integer,
  oneOf,
  settle,
  settleAlone,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { analysisOptions, limitOptions, readingOptions, settleAnalysis } from './analysis.js'
import { SparseMatrix } from './sparse-matrix.js'
import { Vectorizer, type VectorizerSpec, open, train } from './vectorizer.js'

const weightingOptions = {
  /** Whether a term counts once in a document, however often it is there [binary]. */
  binary: flag(false, 'counts a term once in a document'),
  /** What a row is divided by: nothing, the sum of its absolute values, or its length [norm]. */
  norm: oneOf(['none', 'l1', 'l2'], 'what a row is divided by'),
}

/** Every option of `NgramVectorizer.train`. */
export const ngramVectorizerOptions = {
  ...readingOptions,
  ...analysisOptions,
  ...limitOptions,
  ...weightingOptions,
}

/** The options of `NgramVectorizer.train`: see `ngramVectorizerOptions`. */
export type NgramVectorizerOptions = Options<typeof ngramVectorizerOptions> & RunOptions

/** Every option of `NgramVectorizer.hashing`. */
export const hashingOptions = {
  ...analysisOptions,
  ...weightingOptions,
  /** Columns that terms are hashed into, by MurmurHash3 [n_features]. */
  columns: integer(1 << 20, { from: 1, to: 1 << 30 }, 'columns that terms are hashed into'),
  /** Whether half of the terms count as negative, so that those that meet in a column cancel out rather
   * than add up [alternate_sign]. */
  alternateSign: flag(true, 'counts half of the terms as negative'),
}

/** The options of `NgramVectorizer.hashing`: see `hashingOptions`. */
export type HashingOptions = Options<typeof hashingOptions>

/** How a vectorizer was made, every option with its value. */
export interface NgramVectorizerSettings extends Readonly<AnalysisSpec> {
  readonly binary: boolean
  readonly norm: 'none' | 'l1' | 'l2'
  /** Columns that terms are hashed into, if they are. */
  readonly columns: number | undefined
  readonly alternateSign: boolean
}

/**
 * Texts as counts of their terms: words, characters, or several of them in a row. With the same options
 * the same as scikit-learn's CountVectorizer, and with `hashing` its HashingVectorizer.
 *
 *     const vectorizer = await NgramVectorizer.train(texts, { maxNgram: 2, minDocuments: 5 })
 *     const counts = await vectorizer.transform(texts)        // SparseMatrix: [texts, terms]
 *     vectorizer.terms.slice(0, 10)
 */
export class NgramVectorizer extends Vectorizer {
  /** How it was made. */
  readonly options: NgramVectorizerSettings

  /** @internal */
  constructor(native: VectorizerHandle) {
    super(native)
    const { binary, norm, hashedColumns: columns, alternateSign } = native.weighting()
    this.options = { ...native.analysis(), binary, norm, columns, alternateSign }
  }

  /**
   * Chooses columns: the terms of `source` within the limits, in the order of their bytes. Each text of
   * an iterable, each line of a file is a document. The same for any number of threads.
   *
   *     const vectorizer = await NgramVectorizer.train('texts.txt', { unit: 'characters', minNgram: 3 })
   *
   * @throws {InvalidOptionError} before anything is read
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` bytes that are no UTF-8, no documents, or no term
   * within the limits
   */
  static async train(
    source: CorpusSource | Corpus,
    options: NgramVectorizerOptions = {},
  ): Promise<NgramVectorizer> {
    const who = 'NgramVectorizer.train'
    const [spec, runSettings] = specOf(options, who)
    return new NgramVectorizer(await train(source, spec, false, runSettings, who))
  }

  /**
   * As `train` and then `transform` of the same source, which is read once.
   *
   *     const { vectorizer, matrix } = await NgramVectorizer.trainAndTransform(texts)
   */
  static async trainAndTransform(
    source: CorpusSource | Corpus,
    options: NgramVectorizerOptions = {},
  ): Promise<{ vectorizer: NgramVectorizer; matrix: SparseMatrix }> {
    const who = 'NgramVectorizer.trainAndTransform'
    const [spec, runSettings] = specOf(options, who)
    const native = await train(source, spec, true, runSettings, who)
    const matrix = new SparseMatrix(native.takeRows())
    return { vectorizer: new NgramVectorizer(native), matrix }
  }

  /**
   * A vectorizer without a vocabulary: terms are hashed into columns (Weinberger et al. 2009,
   * arXiv:0902.2206). Nothing has to be read, but which term a column stands for cannot be told.
   *
   *     const vectorizer = NgramVectorizer.hashing({ columns: 2 ** 18, norm: 'l2' })
   *
   * @throws {InvalidOptionError}
   */
  static hashing(options: HashingOptions = {}): NgramVectorizer {
    const who = 'NgramVectorizer.hashing'
    const { columns: hashedColumns, ...given } = settleAlone(hashingOptions, options, who)
    const settings = settleAnalysis(given, options, who)
    const weighting = { ...settings, ...unweighted, hashedColumns }
    return new NgramVectorizer(untrainedVectorizer(analysisOf(settings), weighting))
  }

  /**
   * Opens a vectorizer that `save` wrote. Its terms are mapped, not read.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no NgramVectorizer, or damaged
   */
  static async open(path: Path, options: RunOptions = {}): Promise<NgramVectorizer> {
    const who = 'NgramVectorizer.open'
    const native = await open(path, options, who)
    if (native.weighting().idf) throw anotherKind(path, 'TfidfVectorizer', who)
    return new NgramVectorizer(native)
  }
}

const unweighted = { sublinear: false, idf: false, smoothIdf: false }

function specOf(options: NgramVectorizerOptions, who: string): [VectorizerSpec, RunSettings] {
  const { settings: given, run } = settle(ngramVectorizerOptions, options, who)
  const settings = settleAnalysis(given, options, who)
  const weighting = { ...settings, ...unweighted, hashedColumns: undefined, alternateSign: false }
  const analysis = analysisOf(settings)
  return [{ reading: settings, analysis, weighting, limits: settings }, run]
}

/** The native side takes a list that it may change. */
export function analysisOf(
  settings: Omit<AnalysisSpec, 'stopWords'> & { readonly stopWords: readonly string[] },
): AnalysisSpec {
  return { ...settings, stopWords: [...settings.stopWords] }
}

/** The error of a file that holds the other vectorizer. */
export function anotherKind(path: Path, found: string, who: string): InlayError {
  const source = settlePath(path, who)
  const problem = `it holds a ${found}`
  return new InlayError('INVALID_INPUT', `${who}: ${source}: ${problem}`, { source, problem })
}
