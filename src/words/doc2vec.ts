import { Corpus, corpusOptions } from '../corpus/corpus.js'
import { tokenizers } from '../corpus/text.js'
import { type CorpusSource, type DocumentSource, feed, settleSource } from '../corpus/source.js'
import { Handle } from '../handle.js'
import {
  type Doc2VecHandle,
  type Doc2VecSpec,
  type DocumentsHandle,
  TextStream,
  documentsOfCorpus,
  estimateDoc2Vec,
  inferDoc2Vec,
  openDoc2Vec,
  readDocumentFiles,
  readDocumentStream,
  saveDoc2Vec,
  trainDoc2Vec,
} from '../native.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  type Settings,
  custom,
  flag,
  integer,
  maybeOneOf,
  oneOf,
  real,
  settle,
  settleAlone,
  wrongOption,
  refusal,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run } from '../run.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { checkTogether, refuseReading, trainingOptions as shared } from './training.js'

/** How a model is trained. In brackets: the names in gensim. */
const trainingOptions = {
  /** What predicts what. PV-DM: the tags of a document and the words around the centre together;
   * PV-DBOW: each tag every word [dm]. */
  architecture: oneOf(
    ['distributed-memory', 'distributed-bag-of-words'],
    'what predicts what: PV-DM or PV-DBOW',
  ),
  /** How tags and words of a window become one vector: their mean, their sum, or one behind the
   * other, which gives each place outputs of its own. distributed-memory only [dm_mean, dm_concat]. */
  combine: oneOf(
    ['mean', 'sum', 'concatenation'],
    'how a window becomes one vector (distributed-memory)',
  ),
  /** Whether words learn vectors as well, as in skip-gram. distributed-bag-of-words only
   * [dbow_words]. */
  wordTraining: flag(false, 'trains words as skip-gram does (distributed-bag-of-words)'),
  /** How a prediction is scored [hs]. */
  objective: shared.objective,
  /** Values in a vector [vector_size]. */
  dimensions: integer(100, { from: 1, to: 4096 }, 'values in a vector'),
  /** Words on each side of the centre, at most; with concatenation, always [window]. */
  window: shared.window,
  /** Whether each window has a random width up to `window`, so that near words count more. Not with
   * concatenation [shrink_windows]. */
  shrinkWindow: flag(true, 'gives each window a random width up to `window`'),
  /** Noise words for each prediction; negative sampling only [negative]. */
  negative: shared.negative,
  /** Noise words are drawn by count to this power; negative sampling only [ns_exponent]. */
  negativeExponent: shared.negativeExponent,
  /** Whether words that stand together share their noise words, which is faster; `false` draws for
   * each prediction, as gensim does. Negative sampling only, and not with concatenation. */
  sharedNegatives: flag(true, 'lets words that stand together share their noise words'),
  /** Passes over the documents [epochs]. */
  epochs: integer(10, { from: 1, to: 1_000_000 }, 'passes over the documents'),
  /** Learning rate at the first word [alpha]. */
  learningRate: real(0.025, { above: 0, to: 10 }, 'learning rate at the first word'),
  /** Learning rate at the last word [min_alpha]. Default: 1e-4, or `learningRate` if that is less. */
  finalLearningRate: real(
    undefined,
    { from: 0, to: 10 },
    'learning rate at the last word (default: 1e-4)',
  ),
  /** The way from the first learning rate to the last. */
  schedule: shared.schedule,
  /** Occurrences of words more frequent than this share of the text are left out at random; 0 leaves
   * none out [sample]. */
  subsample: shared.subsample,
  /** Tags of the documents of files or of a Corpus, in their order, one each; documents of a stream
   * bring their own. Default: numbers from 0. */
  tags: custom<readonly string[]>(
    'an array of strings',
    (given) => Array.isArray(given) && given.every((tag) => typeof tag === 'string'),
    'what the documents are called, one after the other',
  ),
  /** Vectors of words to start from; words that are not in it start at random. Only where words
   * learn. */
  initialVectors: custom<WordVectors>(
    'WordVectors',
    (given) => given instanceof WordVectors,
    'vectors of words to start from',
  ),
  /** Words whose vectors do not move; `true`: all that `initialVectors` has. Only where words learn. */
  frozen: custom<true | readonly string[]>(
    'true or an array of words',
    (given) =>
      given === true || (Array.isArray(given) && given.every((word) => typeof word === 'string')),
    'words whose vectors do not move',
  ),
  /** A file that holds the state of the training, as for Word2Vec: if it is there at the start,
   * training goes on from it. */
  checkpoint: shared.checkpoint,
  /** Seconds from one checkpoint to the next. */
  checkpointEvery: shared.checkpointEvery,
}

/** Every option of `Doc2Vec.train`. */
export const doc2vecOptions = { ...corpusOptions, ...trainingOptions }

/** The options of `Doc2Vec.train`: see `doc2vecOptions`. */
export type Doc2VecOptions = Options<typeof doc2vecOptions> & RunOptions

type TrainingSettings = Settings<typeof doc2vecOptions>

/** How a model was trained, every option with its value. */
export type Doc2VecSettings = Readonly<Doc2VecSpec>

/** Every option of `infer`. */
export const inferOptions = {
  /** Passes over each document [epochs]. Default: as many as the model was trained with. */
  epochs: integer(
    undefined,
    { from: 1, to: 1_000_000 },
    "passes over each document (default: the model's)",
  ),
  /** Learning rate in the first pass [alpha]. Default: the model's. */
  learningRate: real(
    undefined,
    { above: 0, to: 10 },
    "learning rate in the first pass (default: the model's)",
  ),
  /** Learning rate in the last pass [min_alpha]. Default: the model's, or `learningRate` if that is
   * less. */
  finalLearningRate: real(
    undefined,
    { from: 0, to: 10 },
    "learning rate in the last pass (default: the model's)",
  ),
  /** What a word is, as for a corpus. Default: as in the training; a model of a `Corpus` does not know
   * how that was read. */
  tokenizer: maybeOneOf(tokenizers, 'what a word is (default: as in the training)'),
  /** Whether words become lower case. Default: as in the training. */
  lowercase: flag(undefined, 'makes words lower case (default: as in the training)'),
  /** The Unicode form that words are brought to. Default: as in the training. */
  normalization: maybeOneOf(
    ['none', 'NFC', 'NFD', 'NFKC', 'NFKD'],
    'the Unicode form of words (default: as in the training)',
  ),
  /** The phrases of the training, which the model does not hold. */
  phrases: corpusOptions.phrases,
  /** What to do with bytes of files, and halves of surrogate pairs, that are no Unicode: as for a
   * corpus. */
  invalidUtf8: corpusOptions.invalidUtf8,
}

/** The options of `infer`: see `inferOptions`. */
export type InferOptions = Options<typeof inferOptions> & RunOptions

const estimateOptions = {
  vocabulary: integer(undefined, { from: 1 }, 'words'),
  tags: integer(undefined, { from: 1 }, 'tags'),
  dimensions: trainingOptions.dimensions,
  window: trainingOptions.window,
  architecture: trainingOptions.architecture,
  combine: trainingOptions.combine,
  objective: trainingOptions.objective,
}

/**
 * Vectors of documents: each document's tags predict its words (Le and Mikolov 2014,
 * arXiv:1405.4053).
 *
 *     document ─▶ tags, and the words around ─▶ objective ─▶ tag vectors, word vectors, output vectors
 *                 PV-DM | PV-DBOW                negative sampling | hierarchical softmax
 *
 *     const model = await Doc2Vec.train([{ text: 'the cat sat', tags: 'cats' }, ...])
 *     await model.tags.mostSimilar('cats')
 *     const [vector] = await model.infer(['a cat'])
 */
export class Doc2Vec {
  /** The vectors of tags: [tags, dimensions], in the order in which they first come. They share the
   * model's memory. */
  readonly tags: WordVectors
  /** The vectors of words: [words, dimensions]; `undefined` for 'distributed-bag-of-words' without
   * `wordTraining`, which has none. */
  readonly vectors: WordVectors | undefined
  /** Mean loss of a prediction in each epoch, in nats. */
  readonly losses: readonly number[]
  /** How it was trained. */
  readonly options: Doc2VecSettings
  readonly #handle: Handle<Doc2VecHandle>

  /** @internal */
  constructor(native: Doc2VecHandle) {
    this.#handle = new Handle(native)
    this.tags = new WordVectors(native.tags())
    const vectors = native.vectors()
    this.vectors = vectors ? new WordVectors(vectors) : undefined
    this.losses = native.losses()
    this.options = native.options()
  }

  /**
   * Trains on documents: the lines of files, the items of an iterable, or the sentences of a corpus.
   * Same bytes for the same `seed` with `threads: 1` on one machine, as for Word2Vec.
   *
   *     const model = await Doc2Vec.train('lines.txt', { epochs: 20 })
   *     model.tags.vector('0') // of the first line
   *     const tagged = await Doc2Vec.train(articles.map(({ body, id, author }) => ({ text: body, tags: [id, author] })))
   *
   * @throws {InvalidOptionError} before anything is read; `tags` of another number than documents; a
   * checkpoint of other options or documents
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` no word occurs `minCount` times, an item that
   * is no document, with concatenation documents of different numbers of tags, or as `Corpus.read`;
   * `OUT_OF_MEMORY`; `DISK_FULL`; `DIVERGED` a vector is no longer finite
   */
  static async train(
    source: DocumentSource | Corpus,
    options: Doc2VecOptions = {},
  ): Promise<Doc2Vec> {
    const who = 'Doc2Vec.train'
    const { settings, run: runSettings } = settle(doc2vecOptions, options, who)
    checkOwn(settings, options, who)
    const initial = settings.initialVectors?.native(who)
    const documents = await documentsOf(source, settings, options, runSettings, who)
    try {
      const [training, start] = [trainSpec(settings), startSpec(settings)]
      return new Doc2Vec(
        await run<Doc2VecHandle>(who, runSettings, (spec, events) =>
          trainDoc2Vec(documents, training, start, initial, spec, events),
        ),
      )
    } finally {
      documents.close()
    }
  }

  /**
   * Opens a model that `save` wrote. It is mapped, not read.
   *
   *     const model = await Doc2Vec.open('model.safetensors')
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no Doc2Vec model, or damaged
   */
  static async open(path: Path, options: RunOptions = {}): Promise<Doc2Vec> {
    const who = 'Doc2Vec.open'
    const file = settlePath(path, who)
    const runSettings = settle({}, options, who).run
    return new Doc2Vec(
      await run<Doc2VecHandle>(who, runSettings, (spec, events) => openDoc2Vec(file, spec, events)),
    )
  }

  /**
   * The bytes that a training takes beside the text, which stays on disk. With concatenation, for
   * documents of one tag.
   *
   *     Doc2Vec.estimateMemory({ vocabulary: 100_000, tags: 1_000_000 }) // 5e8 and a little
   *
   * @throws {InvalidOptionError}
   */
  static estimateMemory(
    options: { readonly vocabulary: number; readonly tags: number } & Omit<
      Options<typeof estimateOptions>,
      'vocabulary' | 'tags'
    >,
  ): number {
    const who = 'Doc2Vec.estimateMemory'
    const { vocabulary, tags, ...others } = settleAlone(estimateOptions, options, who)
    if (vocabulary === undefined) {
      throw wrongOption('vocabulary', estimateOptions.vocabulary.expected, undefined, who)
    }
    if (tags === undefined) {
      throw wrongOption('tags', estimateOptions.tags.expected, undefined, who)
    }
    return estimateDoc2Vec({ vocabulary, tags, ...others })
  }

  /**
   * Vectors of documents that the model has not seen: row i, from `i * dimensions` on, is of
   * document i. Each learns a tag of its own while the model stays as it is. A vector depends on the
   * document's words, these options and the `seed` only: it is the same each time, whatever the
   * number of threads and the company. Words that the model does not know are passed over; a document
   * of none has zeros. Tags of the documents are not used.
   *
   *     const rows = await model.infer(['the first text', ['the', 'second']], { epochs: 20 })
   *     const first = rows.subarray(0, model.options.dimensions)
   *     await model.tags.mostSimilar(first)
   *
   * Text becomes words as in the training: by `tokenizer`, `lowercase` and `normalization` of
   * `model.options` where these are not given. A model that was trained with `phrases` needs them
   * again.
   *
   * @throws {InvalidOptionError} before anything is read
   * @throws {InlayError} `INVALID_INPUT` an item that is no document, or as `Corpus.read`;
   * `UNSUPPORTED` with concatenation where documents had several tags
   */
  async infer(source: DocumentSource, options: InferOptions = {}): Promise<Float32Array> {
    const who = 'Doc2Vec.infer'
    const { settings, run: runSettings } = settle(inferOptions, options, who)
    const trained = this.options
    const native = this.#handle.use(who)
    const { invalidUtf8, phrases, epochs = trained.epochs } = settings
    if (trained.phrases && !phrases) {
      throw wrongOption('phrases', 'the Phrases of the training', undefined, who)
    }
    const learningRate = settings.learningRate ?? trained.learningRate
    const finalLearningRate =
      settings.finalLearningRate ?? Math.min(trained.finalLearningRate, learningRate)
    const reading = {
      ...settleAlone(corpusOptions, {}, who),
      tokenizer: settings.tokenizer ?? trained.tokenizer,
      lowercase: settings.lowercase ?? trained.lowercase,
      normalization: settings.normalization ?? trained.normalization,
      phrases,
      invalidUtf8,
    }
    const documents = await readDocuments(source, reading, undefined, native, runSettings, who)
    try {
      const how = { epochs, learningRate, finalLearningRate }
      return await run<Float32Array>(who, runSettings, (spec, events) =>
        inferDoc2Vec(native, documents, how, spec, events),
      )
    } finally {
      documents.close()
    }
  }

  /**
   * Writes the model to a file: all vectors, counts and options. Whatever reads safetensors reads
   * them. The file is there in full or not at all.
   *
   *     await model.save('model.safetensors')
   *
   * @throws {InlayError} `DISK_FULL`, `IO`
   */
  async save(path: Path, options: RunOptions = {}): Promise<void> {
    const who = 'Doc2Vec.save'
    const file = settlePath(path, who)
    const runSettings = settle({}, options, who).run
    const native = this.#handle.use(who)
    await run<void>(who, runSettings, (spec, events) => saveDoc2Vec(native, file, spec, events))
  }

  /** Frees the memory of the model and of its `tags` and `vectors` now rather than when the garbage
   * is collected. */
  close(): void {
    this.#handle.close()
    this.tags.close()
    this.vectors?.close()
  }

  /** As `close`: `using model = await Doc2Vec.train(...)` closes it at the end of the block. */
  [Symbol.dispose](): void {
    this.close()
  }
}

async function documentsOf(
  source: DocumentSource | Corpus,
  settings: TrainingSettings,
  given: Doc2VecOptions,
  runSettings: RunSettings,
  who: string,
): Promise<DocumentsHandle> {
  const { tags } = settings
  if (!(source instanceof Corpus)) {
    return readDocuments(source, settings, tags, undefined, runSettings, who)
  }
  refuseReading(given, who)
  const corpus = source.native(who)
  return run<DocumentsHandle>(who, runSettings, (spec, events) =>
    documentsOfCorpus(corpus, tags as string[] | undefined, spec, events),
  )
}

/** Reads documents; with a model, only its words are known. */
async function readDocuments(
  source: DocumentSource,
  settings: Settings<typeof corpusOptions>,
  tags: readonly string[] | undefined,
  model: Doc2VecHandle | undefined,
  runSettings: RunSettings,
  who: string,
): Promise<DocumentsHandle> {
  const from = settleSource(source as CorpusSource, who)
  const phrases = settings.phrases?.native(who)
  if (from.files) {
    const { files } = from
    return run<DocumentsHandle>(who, runSettings, (spec, events) =>
      readDocumentFiles({ files, tags }, settings, phrases, model, spec, events),
    )
  }
  if (tags !== undefined) {
    const expected = 'left out where the source is an iterable, whose documents have their own tags'
    throw wrongOption('tags', expected, tags, who)
  }
  const stream = new TextStream()
  return run<DocumentsHandle>(
    who,
    runSettings,
    (spec, events) => readDocumentStream(stream, settings, phrases, model, spec, events),
    feed(from.texts, stream, settings.invalidUtf8, who, true),
  )
}

/** What no single option can say. */
function checkOwn(settings: TrainingSettings, given: Doc2VecOptions, who: string): void {
  checkTogether(settings, given, who)
  const refuse = refusal(who)
  const isBag = settings.architecture === 'distributed-bag-of-words'
  if (isBag && given.combine !== undefined) refuse('combine', 'is for distributed-memory only')
  if (!isBag && given.wordTraining !== undefined) {
    refuse('wordTraining', 'is for distributed-bag-of-words only: distributed-memory always does')
  }
  if (isBag && !settings.wordTraining) {
    for (const option of ['window', 'shrinkWindow', 'initialVectors', 'frozen'] as const) {
      if (given[option] !== undefined) {
        refuse(option, 'has no meaning where words do not learn: see `wordTraining`')
      }
    }
  }
  if (!isBag && settings.combine === 'concatenation') {
    if (given.shrinkWindow !== undefined) {
      refuse('shrinkWindow', 'has no meaning with concatenation, whose windows are always whole')
    }
    if (given.sharedNegatives !== undefined) {
      refuse('sharedNegatives', 'has no meaning with concatenation, which shares none')
    }
  }
  if (settings.frozen === true && !settings.initialVectors) {
    refuse('frozen', 'can be true only with `initialVectors`')
  }
}

function trainSpec(settings: TrainingSettings): Doc2VecSpec {
  const { learningRate } = settings
  const finalLearningRate = settings.finalLearningRate ?? Math.min(1e-4, learningRate)
  return { ...settings, finalLearningRate, phrases: settings.phrases !== undefined }
}

function startSpec({ frozen, checkpoint, checkpointEvery }: TrainingSettings) {
  const words = frozen === true || frozen === undefined ? [] : [...frozen]
  return { frozen: words, freezeGiven: frozen === true, checkpoint, checkpointEvery }
}
