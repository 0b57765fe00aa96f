import { type CorpusSettings, Corpus, corpusOptions } from '../corpus/corpus.js'
import { type CorpusSource, type Texts, feed, settleSource } from '../corpus/source.js'
import { type Embedder, Vectors } from '../embedder.js'
import { Handle } from '../handle.js'
import {
  type CorpusHandle,
  type EncodedRows,
  type LdaHandle,
  type LdaMap,
  type LdaReading,
  type TopicWords,
  type VectorsHandle,
  TextStream,
  coherenceOfLda,
  documentTopicsOfLda,
  estimateLda,
  mapOfLda,
  openLda,
  perplexityOfLda,
  readLdaFiles,
  readLdaStream,
  saveLda,
  topWordsOfLda,
  trainLda,
  transformLda,
  wordTopicsOfLda,
} from '../native.js'
import {
  type RunOptions,
  type RunSettings,
  type Settings,
  settle,
  settleAlone,
  wrongOption,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run } from '../run.js'
import { WordList, decode } from '../vectors/word-list.js'
import { WordVectors } from '../vectors/word-vectors.js'
import {
  type CoherenceOptions,
  type LdaOptions,
  type LdaSettings,
  type ReadingSettings,
  type TopicMapOptions,
  type TransformOptions,
  checkTogether,
  coherenceOptions,
  estimateOptions,
  ldaOptions,
  refuseReading,
  topicMapOptions,
  trainSpec,
  transformOptions,
} from './lda-options.js'
import { topicMapPage } from './topic-map-page.js'

/** A word of a topic. */
export interface TopicWord {
  readonly word: string
  /** p(word | topic). */
  readonly probability: number
}

/** Words of a measure of coherence where none is given. */
const WINDOWS = { 'c-v': 110, npmi: 10, 'u-mass': 0 } as const

/**
 * Topics of documents: Latent Dirichlet Allocation (Blei, Ng, Jordan 2003) by collapsed Gibbs sampling
 * (Griffiths, Steyvers 2004).
 *
 *     document ─▶ mixture of topics ─▶ a topic for each word ─▶ the word
 *                 Dirichlet(alpha)                               Dirichlet(beta) of each topic
 *
 *     const model = await Lda.train('articles.txt', { topics: 50, stopWords: ['the', 'of'] })
 *     for (const words of await model.topWords(10)) console.log(words.map(({ word }) => word))
 *     const mixtures = await model.encode(['a new article'])
 */
export class Lda implements Embedder {
  /** The vocabulary, most frequent word first. */
  readonly words: WordList
  /** Topics: the values of a mixture. */
  readonly dimensions: number
  /** Documents of the training; after `update`, of that alone. */
  readonly documents: number
  /** alpha of each topic, as fitted. */
  readonly alpha: Float64Array
  /** beta, as fitted. */
  readonly beta: number
  /** How many words of the training each topic has. */
  readonly sizes: Float64Array
  /** Mean loss of a word in each pass, in nats: -ln of the probability that it had beside all
   * others. */
  readonly losses: readonly number[]
  /** How it was trained. */
  readonly options: LdaSettings
  readonly #handle: Handle<LdaHandle>
  readonly #names
  readonly #reading: LdaReading | undefined

  /** @internal */
  constructor(native: LdaHandle) {
    this.#handle = new Handle(native)
    this.#names = new Handle(native.names())
    this.words = new WordList(this.#names)
    this.alpha = native.alpha()
    this.beta = native.beta()
    this.dimensions = this.alpha.length
    this.documents = native.documents()
    this.sizes = native.totals()
    this.losses = native.losses()
    this.options = native.options()
    this.#reading = native.reading() ?? undefined
  }

  /**
   * Finds the topics of documents: the lines or paragraphs of files (`sentences`), the texts or word
   * lists of an iterable, or the sentences of a corpus. A document without words keeps its number, but
   * in a corpus, which has none of them. The same topics for the same `seed`, whatever the number of
   * `threads`.
   *
   *     const model = await Lda.train('articles.txt', { topics: 50, lowercase: true, tokenizer: 'words' })
   *     const same = await Lda.train(articles.map(({ body }) => body), { topics: 50 })
   *
   * @throws {InvalidOptionError} before anything is read; a checkpoint of other options or text
   * @throws {InlayError} `INVALID_INPUT` no word occurs `minCount` times, or as `Corpus.read`;
   * `UNSUPPORTED` a document of more than 16,777,216 words; `OUT_OF_MEMORY`; `DISK_FULL`
   */
  static async train(source: CorpusSource | Corpus, options: LdaOptions = {}): Promise<Lda> {
    const who = 'Lda.train'
    const { settings, run: runSettings } = settle(ldaOptions, options, who)
    return trained(source, settings, options, runSettings, undefined, who)
  }

  /**
   * Opens a model that `save` wrote.
   *
   *     const model = await Lda.open('model.safetensors')
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no Lda model, or damaged
   */
  static async open(path: Path, options: RunOptions = {}): Promise<Lda> {
    const who = 'Lda.open'
    const file = settlePath(path, who)
    const runSettings = settle({}, options, who).run
    return new Lda(
      await run<LdaHandle>(who, runSettings, (spec, events) => openLda(file, spec, events)),
    )
  }

  /**
   * The bytes that a training takes at most beside the text, which stays on disk.
   *
   *     Lda.estimateMemory({ tokens: 1e8, documents: 500_000, vocabulary: 100_000, topics: 200 })
   *
   * @throws {InvalidOptionError}
   */
  static estimateMemory(options: {
    readonly tokens: number
    readonly documents: number
    readonly vocabulary: number
    readonly topics?: number | undefined
  }): number {
    const who = 'Lda.estimateMemory'
    const settled = settleAlone(estimateOptions, options, who)
    const needed = (name: 'tokens' | 'documents' | 'vocabulary') => {
      const given = settled[name]
      if (given !== undefined) return given
      throw wrongOption(name, estimateOptions[name].expected, undefined, who)
    }
    const [tokens, documents] = [needed('tokens'), needed('documents')]
    return estimateLda(tokens, documents, needed('vocabulary'), settled.topics)
  }

  /**
   * A model that has learnt from more documents: what this one counted stays as it is, the new words
   * get topics beside it, and the vocabulary grows by those that occur `minCount` times. Options are
   * this model's unless given; `topics` cannot change. This model stays as it is.
   *
   *     const newer = await model.update('new-articles.txt', { iterations: 50 })
   *
   * @throws {InvalidOptionError} @throws {InlayError} as `train`
   */
  async update(source: CorpusSource, options: LdaOptions = {}): Promise<Lda> {
    const who = 'Lda.update'
    const { alpha: _, ...trainedWith } = this.options
    const before = { ...trainedWith, ...this.#reading, phrases: undefined }
    const given = Object.fromEntries(
      Object.entries(options).filter(([, value]) => value !== undefined),
    ) as LdaOptions
    const { settings, run: runSettings } = settle(ldaOptions, { ...before, ...given }, who)
    for (const name of ['topics', 'alpha', 'alphas', 'beta'] as const) {
      const fixed = name === 'topics' ? settings.topics === this.dimensions : !(name in given)
      if (!fixed) throw wrongOption(name, 'left as the model has it', given[name], who)
    }
    this.#checkPhrases(settings.phrases, who)
    const model = { native: this.#handle.use(who), alpha: this.options.alpha }
    return trained(source, settings, given, runSettings, model, who)
  }

  /**
   * The most likely words of each topic, most likely first; fewer where a topic has fewer.
   *
   *     const [first] = await model.topWords(5)
   *
   * @throws {InvalidOptionError}
   */
  async topWords(topK = 10, options: RunOptions = {}): Promise<TopicWord[][]> {
    const who = 'Lda.topWords'
    if (!Number.isInteger(topK) || topK < 1 || topK > 0xffff_ffff) {
      throw wrongOption('topK', 'an integer from 1 up', topK, who)
    }
    const runSettings = settle({}, options, who).run
    const native = this.#handle.use(who)
    const topics = await run<TopicWords[]>(who, runSettings, (spec, events) =>
      topWordsOfLda(native, topK, spec, events),
    )
    return topics.map(({ words, probabilities }) =>
      decode(words).map((word, i) => ({ word, probability: probabilities[i]! })),
    )
  }

  /**
   * The topics of a document of the training: its mixture, by its number from 0.
   *
   * @throws {InvalidOptionError} there is no such document
   */
  mixture(document: number): Float32Array {
    const who = 'Lda.mixture'
    const native = this.#handle.use(who)
    if (!Number.isInteger(document) || document < 0 || document >= this.documents) {
      throw wrongOption('document', `a document from 0 to ${this.documents - 1}`, document, who)
    }
    return native.mixture(document)
  }

  /** The mixtures of all documents of the training: [documents, topics]. */
  async documentTopics(options: RunOptions = {}): Promise<Vectors> {
    const who = 'Lda.documentTopics'
    const runSettings = settle({}, options, who).run
    const native = this.#handle.use(who)
    const values = await run<Float32Array>(who, runSettings, (spec, events) =>
      documentTopicsOfLda(native, spec, events),
    )
    return new Vectors(values, this.dimensions)
  }

  /** p(topic | word) of each word: [words, topics], to be searched and saved as any vectors. */
  async wordTopics(options: RunOptions = {}): Promise<WordVectors> {
    const who = 'Lda.wordTopics'
    const runSettings = settle({}, options, who).run
    const native = this.#handle.use(who)
    return new WordVectors(
      await run<VectorsHandle>(who, runSettings, (spec, events) =>
        wordTopicsOfLda(native, spec, events),
      ),
    )
  }

  /**
   * The mixtures of documents that the model has not seen: [documents, topics]. Nothing in it is random:
   * a mixture depends on the document's words alone. Words that the model does not know are passed
   * over, `known` says how many it knows; a document of none has zeros. Text becomes words as in the
   * training.
   *
   *     const rows = await model.transform('new-articles.txt')
   *
   * @throws {InvalidOptionError} before anything is read
   * @throws {InlayError} as `Corpus.read`
   */
  async transform(source: CorpusSource, options: TransformOptions = {}): Promise<Vectors> {
    return this.#transform(source, options, 'Lda.transform')
  }

  /** As `transform`, for texts or word lists that are here or that come one by one. */
  async encode(texts: Texts, options: TransformOptions = {}): Promise<Vectors> {
    const who = 'Lda.encode'
    if (typeof texts === 'string') throw wrongOption('texts', 'an iterable of texts', texts, who)
    return this.#transform(texts, options, who)
  }

  async #transform(source: CorpusSource, options: TransformOptions, who: string): Promise<Vectors> {
    const { settings, run: runSettings } = settle(transformOptions, options, who)
    const native = this.#handle.use(who)
    using corpus = await this.#read(source, settings, runSettings, who)
    const rows = await run<EncodedRows>(who, runSettings, (spec, events) =>
      transformLda(native, corpus.native(who), settings, spec, events),
    )
    return new Vectors(rows.values, this.dimensions, rows.known)
  }

  /**
   * How well the model foretells documents that it has not seen: the mixture of each is made of every
   * second of its words, and the others are scored (document completion: Wallach et al. 2009). The
   * exponential of the mean of -ln p(word); lower is better.
   *
   *     await model.perplexity('held-out.txt')
   *
   * @throws {InvalidOptionError} before anything is read
   * @throws {InlayError} `INVALID_INPUT` no document has two words that the model knows, or as
   * `Corpus.read`
   */
  async perplexity(source: CorpusSource, options: TransformOptions = {}): Promise<number> {
    const who = 'Lda.perplexity'
    const { settings, run: runSettings } = settle(transformOptions, options, who)
    const native = this.#handle.use(who)
    using corpus = await this.#read(source, settings, runSettings, who)
    return run<number>(who, runSettings, (spec, events) =>
      perplexityOfLda(native, corpus.native(who), settings, spec, events),
    )
  }

  /**
   * Whether the first words of each topic stand together in documents: a number for each topic, higher
   * is better. The documents may be those of the training or any others.
   *
   *     const scores = await model.coherence('articles.txt', { measure: 'npmi' })
   *
   * @throws {InvalidOptionError} before anything is read
   * @throws {InlayError} `INVALID_INPUT` documents without a word of the model, or as `Corpus.read`
   */
  async coherence(source: CorpusSource, options: CoherenceOptions = {}): Promise<Float64Array> {
    const who = 'Lda.coherence'
    const { settings, run: runSettings } = settle(coherenceOptions, options, who)
    const { measure, topWords } = settings
    if (measure === 'u-mass' && settings.window !== undefined) {
      const expected = "left out for 'u-mass', which takes documents"
      throw wrongOption('window', expected, settings.window, who)
    }
    const window = settings.window ?? WINDOWS[measure]
    const native = this.#handle.use(who)
    using corpus = await this.#read(source, settings, runSettings, who)
    return run<Float64Array>(who, runSettings, (spec, events) =>
      coherenceOfLda(native, corpus.native(who), { measure, topWords, window }, spec, events),
    )
  }

  /** Reads documents of which only the model's words are known. */
  async #read(
    source: CorpusSource,
    settings: ReadingSettings,
    runSettings: RunSettings,
    who: string,
  ): Promise<Corpus> {
    this.#checkPhrases(settings.phrases, who)
    const defaults = settleAlone(corpusOptions, {}, who)
    const { tokenizer, lowercase, normalization } = this.#reading ?? defaults
    const reading = {
      ...defaults,
      ...settings,
      tokenizer: settings.tokenizer ?? tokenizer,
      lowercase: settings.lowercase ?? lowercase,
      normalization: settings.normalization ?? normalization,
    }
    return readDocuments(source, reading, runSettings, this.#handle.use(who), true, who)
  }

  #checkPhrases(phrases: CorpusSettings['phrases'], who: string): void {
    if (this.#reading?.phrases && !phrases) {
      throw wrongOption('phrases', 'the Phrases of the training', undefined, who)
    }
  }

  /**
   * A map of the topics as one HTML page that needs nothing beside it, in the manner of LDAvis (Sievert,
   * Shirley 2014): topics are near one another where they have like words, and a click shows the words of
   * one, by likelihood or by what sets it apart.
   *
   *     await writeFile('topics.html', await model.mapPage({ title: 'Our articles' }))
   *
   * @throws {InvalidOptionError}
   * @throws {InlayError} `UNSUPPORTED` more than 2,000 topics
   */
  async mapPage(options: TopicMapOptions = {}): Promise<string> {
    const who = 'Lda.mapPage'
    const { settings, run: runSettings } = settle(topicMapOptions, options, who)
    const { title, topWords } = settings
    const native = this.#handle.use(who)
    const { places, topics, counts } = await run<LdaMap>(who, runSettings, (spec, events) =>
      mapOfLda(native, topWords, spec, events),
    )
    const mapped = topics.map(({ words, probabilities }, topic) => ({
      x: places[2 * topic]!,
      y: places[2 * topic + 1]!,
      size: this.sizes[topic]!,
      words: decode(words).map((word, i) => ({
        word,
        probability: probabilities[i]!,
        count: counts[topic]![i]!,
      })),
    }))
    return topicMapPage(title, topWords, mapped)
  }

  /**
   * Writes the model to a file: counts of topics in words and documents, priors and options. The file
   * is there in full or not at all.
   *
   *     await model.save('model.safetensors')
   *
   * @throws {InlayError} `DISK_FULL`, `IO`
   */
  async save(path: Path, options: RunOptions = {}): Promise<void> {
    const who = 'Lda.save'
    const file = settlePath(path, who)
    const runSettings = settle({}, options, who).run
    const native = this.#handle.use(who)
    await run<void>(who, runSettings, (spec, events) => saveLda(native, file, spec, events))
  }

  /** Frees the memory of the model now rather than when the garbage is collected. */
  close(): void {
    this.#handle.close()
    this.#names.close()
  }

  /** As `close`: `using model = await Lda.train(...)` closes it at the end of the block. */
  [Symbol.dispose](): void {
    this.close()
  }
}

async function trained(
  source: CorpusSource | Corpus,
  settings: Settings<typeof ldaOptions>,
  given: LdaOptions,
  runSettings: RunSettings,
  model: { readonly native: LdaHandle; readonly alpha: number[] } | undefined,
  who: string,
): Promise<Lda> {
  checkTogether(settings, given, who)
  const isCorpus = source instanceof Corpus
  if (isCorpus) refuseReading(given, who)
  const corpus = isCorpus
    ? source
    : await readDocuments(source, settings, runSettings, model?.native, false, who)
  const { checkpoint, checkpointEvery, tokenizer, lowercase, normalization } = settings
  const phrases = settings.phrases !== undefined
  const reading = isCorpus ? undefined : { tokenizer, lowercase, normalization, phrases }
  // A model that learns on has its own priors already.
  const training = { ...trainSpec(settings), ...(model && { alpha: model.alpha }) }
  const kept = checkpoint === undefined ? undefined : { path: checkpoint, every: checkpointEvery }
  try {
    const native = corpus.native(who)
    return new Lda(
      await run<LdaHandle>(who, runSettings, (spec, events) =>
        trainLda(native, training, reading, kept, model?.native, spec, events),
      ),
    )
  } finally {
    if (!isCorpus) corpus.close()
  }
}

/** Reads documents, which keep their numbers. With a model its words are kept; closed, no others are. */
async function readDocuments(
  source: CorpusSource,
  settings: CorpusSettings,
  runSettings: RunSettings,
  model: LdaHandle | undefined,
  closed: boolean,
  who: string,
): Promise<Corpus> {
  const from = settleSource(source, who)
  const phrases = settings.phrases?.native(who)
  if (from.files) {
    const { files } = from
    return new Corpus(
      await run<CorpusHandle>(who, runSettings, (spec, events) =>
        readLdaFiles(files, settings, phrases, model, closed, spec, events),
      ),
    )
  }
  const stream = new TextStream()
  return new Corpus(
    await run<CorpusHandle>(
      who,
      runSettings,
      (spec, events) => readLdaStream(stream, settings, phrases, model, closed, spec, events),
      feed(from.texts, stream, settings.invalidUtf8, who),
    ),
  )
}
