import { InlayError, shown } from '../errors.js'
import { Handle } from '../handle.js'
import {
  type AnalogyScores,
  type Found,
  type NamesHandle,
  type VectorsHandle,
  componentsOfVectors,
  evaluateAnalogies,
  evaluateSimilarity,
  matrixOfVectors,
  openVectors,
  rankOfWord,
  saveVectors,
  searchVectors,
  transformVectors,
  firstNotFinite,
  vectorsFrom,
} from '../native.js'
import {
  type Options,
  type RunOptions,
  checkIterable,
  integer,
  oneOf,
  settle,
  settleAlone,
  settleWord,
  wrongOption,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run, serve } from '../run.js'
import {
  type AnalogyEvaluation,
  type Questions,
  type SimilarityEvaluation,
  analogyOptions,
  settleQuestions,
  similarityOptions,
} from './evaluation.js'
import { type Precision, openOptions, precisions, saveOptions } from './files.js'
import {
  type Neighbour,
  type Query,
  type SearchOptions,
  TOGETHER,
  type WordOrVector,
  isQuery,
  packed,
  settleSearch,
  unpacked,
  vectorOf,
} from './query.js'
import { WordList } from './word-list.js'

/**
 * Words with a vector each, in native memory or in a mapped file.
 *
 *     using vectors = await WordVectors.open('vectors.safetensors')
 *     await vectors.mostSimilar('king')
 *     await vectors.analogy('man', 'king', 'woman') // man is to king as woman is to ...
 *
 * Rows are found by exact search over all of them. Zero vectors have the cosine 0 with everything.
 */
export class WordVectors {
  /** The words, in the order of the rows. */
  readonly words: WordList
  /** The number of words. */
  readonly size: number
  /** The length of a vector. */
  readonly dimensions: number
  /** How values are kept. */
  readonly precision: Precision
  readonly #handle: Handle<VectorsHandle>
  readonly #names: Handle<NamesHandle>

  /** @internal */
  constructor(native: VectorsHandle) {
    this.#handle = new Handle(native)
    this.#names = new Handle(native.names())
    this.words = new WordList(this.#names)
    this.size = this.words.length
    this.dimensions = native.dimensions
    this.precision = native.precision as Precision
  }

  /**
   * Opens a file of any known format, told by its content. A safetensors file is mapped: it is
   * open in milliseconds whatever its size, and its pages are read when they are used.
   *
   *     const vectors = await WordVectors.open('GoogleNews-vectors-negative300.bin', { limit: 100_000 })
   *
   * @throws {InvalidOptionError} before anything is read
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` with file and byte offset: the file is cut short,
   * damaged, or of no known format; `OUT_OF_MEMORY`
   */
  static async open(
    path: Path,
    options: Options<typeof openOptions> & RunOptions = {},
  ): Promise<WordVectors> {
    const who = 'WordVectors.open'
    const file = settlePath(path, who)
    const { settings, run: runSettings } = settle(openOptions, options, who)
    return new WordVectors(
      await run<VectorsHandle>(who, runSettings, (spec, events) =>
        openVectors(file, settings, spec, events),
      ),
    )
  }

  /**
   * Makes word vectors of rows that lie one after the other; they are copied.
   *
   *     const vectors = WordVectors.from(['a', 'b'], Float32Array.of(1, 0, 0, 1), 2)
   *
   * @throws {InvalidOptionError} the rows are not as many as the words, a value is not finite, or a word comes twice
   */
  static from(words: Iterable<string>, rows: Float32Array, dimensions: number): WordVectors {
    const who = 'WordVectors.from'
    settleAlone({ dimensions: integer(1, { from: 1, to: 65_536 }, '') }, { dimensions }, who)
    checkIterable(words, 'words', 'an iterable of words', who)
    const names = [...words]
    if (!(rows instanceof Float32Array) || rows.length !== names.length * dimensions) {
      const expected = `a Float32Array of ${names.length} x ${dimensions} values`
      throw wrongOption('rows', expected, rows, who)
    }
    const seen = new Set<string>()
    for (const [i, name] of names.entries()) {
      if (typeof name !== 'string') throw wrongOption(`words[${i}]`, 'a string', name, who)
      if (seen.has(name))
        throw wrongOption(`words[${i}]`, 'a word that did not come before', name, who)
      seen.add(name)
    }
    const wrong = firstNotFinite(rows)
    if (wrong >= 0) throw wrongOption(`rows[${wrong}]`, 'a finite number', rows[wrong], who)
    return new WordVectors(vectorsFrom(names, rows, dimensions))
  }

  /** Whether there is such a word. */
  has(word: string): boolean {
    return this.indexOf(word) >= 0
  }

  /** The number of a word, -1 if there is none. */
  indexOf(word: string): number {
    return typeof word === 'string' ? this.native('WordVectors.indexOf').find(word) : -1
  }

  /**
   * The vector of a word: a copy, in float32 whatever the precision.
   *
   *     const king = vectors.vector('king')
   *
   * @throws {InlayError} `NOT_FOUND`
   */
  vector(word: string): Float32Array {
    const who = 'WordVectors.vector'
    return this.native(who).vector(this.#known(word, who))
  }

  /**
   * The cosine of two words.
   *
   *     vectors.similarity('king', 'queen')
   *
   * @throws {InlayError} `NOT_FOUND`
   */
  similarity(a: string, b: string): number {
    const who = 'WordVectors.similarity'
    return this.native(who).similarity(this.#known(a, who), this.#known(b, who))
  }

  /**
   * The cosine of the means of two lists of words.
   *
   *     vectors.nSimilarity(['king', 'queen'], ['man', 'woman'])
   *
   * @throws {InlayError} `NOT_FOUND`
   */
  nSimilarity(as: readonly string[], bs: readonly string[]): number {
    const who = 'WordVectors.nSimilarity'
    return this.native(who).nSimilarity(this.#allKnown(as, who), this.#allKnown(bs, who))
  }

  /**
   * The word that is least like the mean direction of all of them; unknown words are left out.
   *
   *     vectors.doesntMatch(['breakfast', 'cereal', 'dinner', 'lunch']) // 'cereal'
   *
   * @throws {InlayError} `NOT_FOUND` none of the words is known
   */
  doesntMatch(words: readonly string[]): string {
    const who = 'WordVectors.doesntMatch'
    const native = this.native(who)
    const known = listOfWords(words, who).filter((word) => native.find(word) >= 0)
    if (known.length > 0) return known[native.doesntMatch(known)]!
    throw new InlayError('NOT_FOUND', `${who}: none of the words is known`, {
      words: words.join(' '),
    })
  }

  /**
   * How many words are at least as near to `a` as `b` is: 1 when `b` is the nearest.
   *
   *     await vectors.rank('king', 'queen')
   *
   * @throws {InlayError} `NOT_FOUND`
   */
  async rank(a: string, b: string): Promise<number> {
    const who = 'WordVectors.rank'
    const native = this.native(who)
    const [from, to] = [this.#known(a, who), this.#known(b, who)]
    return serve<number>(who, undefined, (events) => rankOfWord(native, from, to, events))
  }

  /**
   * The words nearest to a word, or to several and away from others; best first, ties by number.
   *
   *     await vectors.mostSimilar('king', { topK: 5 })
   *     await vectors.mostSimilar({ positive: ['king', 'woman'], negative: ['man'] })
   *
   * Words count by their direction, vectors as they are given.
   *
   * @throws {InlayError} `NOT_FOUND` a word of the query is unknown; `INVALID_INPUT` a vector of the
   * wrong length or not finite
   */
  async mostSimilar(
    query: WordOrVector | (Query & SearchOptions),
    options: SearchOptions = {},
  ): Promise<Neighbour[]> {
    const who = 'WordVectors.mostSimilar'
    if (!isQuery(query)) return (await this.#search([query], options, who))[0]!
    const { positive, negative, ...own } = query
    return (await this.#search([{ positive, negative }], { ...own, ...options }, who))[0]!
  }

  /**
   * As `mostSimilar` for many queries in one pass over the rows: faster than one by one.
   *
   *     const [king, queen] = await vectors.mostSimilarEach(['king', 'queen'])
   *
   * @throws {InlayError} as `mostSimilar`
   */
  async mostSimilarEach(
    queries: readonly (WordOrVector | Query)[],
    options: SearchOptions = {},
  ): Promise<Neighbour[][]> {
    return this.#search(queries, options, 'WordVectors.mostSimilarEach')
  }

  /**
   * The words nearest to a vector.
   *
   *     await vectors.similarByVector(vectors.vector('king'))
   *
   * @throws {InlayError} `INVALID_INPUT` a vector of the wrong length or not finite
   */
  async similarByVector(
    vector: Float32Array | readonly number[],
    options: SearchOptions = {},
  ): Promise<Neighbour[]> {
    const who = 'WordVectors.similarByVector'
    const [found] = await this.#search([vectorOf(vector, this.dimensions, who)], options, who)
    return found!
  }

  /**
   * What is to `c` as `b` is to `a`: the words nearest to `b - a + c`, without the three.
   *
   *     await vectors.analogy('man', 'king', 'woman') // queen
   *
   * @throws {InlayError} `NOT_FOUND`
   */
  async analogy(
    a: string,
    b: string,
    c: string,
    options: SearchOptions = {},
  ): Promise<Neighbour[]> {
    const query = { positive: [b, c], negative: [a] }
    const [found] = await this.#search([query], options, 'WordVectors.analogy')
    return found!
  }

  /**
   * Asks the questions of a file in the format of word2vec's questions-words.txt: four words a
   * line, `: name` before each section. It may be gzip or zstd.
   *
   *     const { accuracy, sections } = await vectors.evaluateAnalogies('questions-words.txt')
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` a line that is no question
   */
  async evaluateAnalogies(
    questions: Questions,
    options: Options<typeof analogyOptions> & RunOptions = {},
  ): Promise<AnalogyEvaluation> {
    const who = 'WordVectors.evaluateAnalogies'
    const from = settleQuestions(questions, who)
    const { settings, run: runSettings } = settle(analogyOptions, options, who)
    const native = this.native(who)
    const found = await run<AnalogyScores>(who, runSettings, (spec, events) =>
      evaluateAnalogies(native, { ...from, ...settings }, spec, events),
    )
    const { correct, total } = found.total
    return { accuracy: correct / total, ...found, correct, total }
  }

  /**
   * Compares cosines with the scores that people gave: a file of two words and a number a line, as
   * WordSim-353 and SimLex-999 are. It may be gzip or zstd.
   *
   *     const { spearman } = await vectors.evaluateSimilarity('wordsim353.tsv')
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` a line that is no pair
   */
  async evaluateSimilarity(
    pairs: Questions,
    options: Options<typeof similarityOptions> & RunOptions = {},
  ): Promise<SimilarityEvaluation> {
    const who = 'WordVectors.evaluateSimilarity'
    const from = settleQuestions(pairs, who)
    const { settings, run: runSettings } = settle(similarityOptions, options, who)
    const native = this.native(who)
    return run<SimilarityEvaluation>(who, runSettings, (spec, events) =>
      evaluateSimilarity(native, { ...from, ...settings }, spec, events),
    )
  }

  /**
   * A copy whose mean row is zero.
   *
   *     const centered = await vectors.centered()
   */
  async centered(options: RunOptions = {}): Promise<WordVectors> {
    return this.#transformed('WordVectors.centered', { kind: 'centered' }, options)
  }

  /**
   * A copy whose rows have length 1; zero rows stay zero.
   *
   *     const normalized = await vectors.normalized()
   */
  async normalized(options: RunOptions = {}): Promise<WordVectors> {
    return this.#transformed('WordVectors.normalized', { kind: 'normalized' }, options)
  }

  /**
   * A centred copy without its first principal components: what all words have in common (Mu and
   * Viswanath 2018, arXiv:1702.01417).
   *
   *     const isotropic = await vectors.withoutTopComponents(2)
   */
  async withoutTopComponents(count: number, options: RunOptions = {}): Promise<WordVectors> {
    const who = 'WordVectors.withoutTopComponents'
    this.#checkCount(count, who)
    return this.#transformed(who, { kind: 'withoutTopComponents', count }, options)
  }

  /**
   * A copy whose values are kept in another precision.
   *
   *     const small = await vectors.withPrecision('int8')
   */
  async withPrecision(precision: Precision, options: RunOptions = {}): Promise<WordVectors> {
    const who = 'WordVectors.withPrecision'
    settleAlone({ precision: oneOf(precisions, '') }, { precision }, who)
    return this.#transformed(who, { kind: 'withPrecision', precision }, options)
  }

  /**
   * Where each word lies along the first principal components: [words, count], row after row, for
   * maps.
   *
   *     const map = await vectors.principalComponents(2, { restrict: 1000 })
   */
  async principalComponents(
    count: number,
    options: { readonly restrict?: number | undefined } & RunOptions = {},
  ): Promise<Float32Array> {
    const who = 'WordVectors.principalComponents'
    this.#checkCount(count, who)
    const table = { restrict: integer(undefined, { from: 1 }, 'the most frequent words only') }
    const { settings, run: runSettings } = settle(table, options, who)
    const native = this.native(who)
    return run<Float32Array>(who, runSettings, (spec, events) =>
      componentsOfVectors(native, count, settings.restrict, spec, events),
    )
  }

  /**
   * All vectors, row after row: [size, dimensions], a copy.
   *
   *     const rows = await vectors.matrix()
   */
  async matrix(options: RunOptions = {}): Promise<Float32Array> {
    const who = 'WordVectors.matrix'
    const runSettings = settle({}, options, who).run
    const native = this.native(who)
    return run<Float32Array>(who, runSettings, (spec, events) =>
      matrixOfVectors(native, spec, events),
    )
  }

  /**
   * Writes a file; it is there in full or not at all. `.npy` gets its words in a file beside it,
   * `NAME.vocabulary.txt`, and `.tsv` as the projector wants it, `NAME.metadata.tsv`.
   *
   *     await vectors.save('vectors.safetensors', { precision: 'float16' })
   *     await vectors.save('vectors.bin') // for gensim and word2vec.c
   *
   * @throws {InlayError} `DISK_FULL`, `IO`; `UNSUPPORTED` a word that the format cannot hold
   */
  async save(path: Path, options: Options<typeof saveOptions> & RunOptions = {}): Promise<void> {
    const who = 'WordVectors.save'
    const file = settlePath(path, who)
    const { settings, run: runSettings } = settle(saveOptions, options, who)
    const native = this.native(who)
    await run<void>(who, runSettings, (spec, events) =>
      saveVectors(native, file, settings, spec, events),
    )
  }

  /** Frees the memory now rather than when the garbage is collected. */
  close(): void {
    this.#handle.close()
    this.#names.close()
  }

  /** As `close`: `using vectors = await WordVectors.open(...)` closes at the end of the block. */
  [Symbol.dispose](): void {
    this.close()
  }

  /** @internal */
  native(who: string): VectorsHandle {
    return this.#handle.use(who)
  }

  #known(given: unknown, who: string): string {
    const word = settleWord(given, who)
    if (this.native(who).find(word) >= 0) return word
    throw new InlayError('NOT_FOUND', `${who}: there is no word ${shown(word)}`, { word })
  }

  #allKnown(words: unknown, who: string): string[] {
    return listOfWords(words, who).map((word) => this.#known(word, who))
  }

  #checkCount(count: number, who: string): void {
    const table = { count: integer(1, { from: 1, to: this.dimensions }, '') }
    settleAlone(table, { count }, who)
  }

  async #search(
    queries: readonly (WordOrVector | Query)[],
    options: SearchOptions,
    who: string,
  ): Promise<Neighbour[][]> {
    if (!Array.isArray(queries)) {
      throw wrongOption('queries', 'an array of words, vectors or queries', queries, who)
    }
    const { settings, signal } = settleSearch(options, who)
    const answers: Neighbour[][] = []
    for (let from = 0; from < queries.length; from += TOGETHER) {
      const native = this.native(who)
      const spec = packed(queries.slice(from, from + TOGETHER), from, this.dimensions, who)
      const found = await serve<Found>(who, signal, (events) =>
        searchVectors(native, { ...spec, ...settings }, events),
      )
      answers.push(...(await unpacked(found)))
    }
    return answers
  }

  async #transformed(who: string, transform: TransformSpec, options: RunOptions) {
    const runSettings = settle({}, options, who).run
    const native = this.native(who)
    return new WordVectors(
      await run<VectorsHandle>(who, runSettings, (spec, events) =>
        transformVectors(native, transform, spec, events),
      ),
    )
  }
}

function listOfWords(words: unknown, who: string): string[] {
  const areWords = Array.isArray(words) && words.every((word) => typeof word === 'string')
  if (areWords && words.length > 0) return words
  throw wrongOption('words', 'an array of one word at least', words, who)
}

type TransformSpec = Parameters<typeof transformVectors>[1]
