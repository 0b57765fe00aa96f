import { type Corpus, corpusOptions } from '../corpus/corpus.js'
import type { CorpusSource } from '../corpus/source.js'
import { InlayError } from '../errors.js'
import { Handle } from '../handle.js'
import {
  type FastTextHandle,
  type FastTextSpec,
  openFastText,
  saveFastText,
  trainFastText,
} from '../native.js'
import {
  type Options,
  type RunOptions,
  type Settings,
  integer,
  maybeOneOf,
  real,
  refusal,
  settle,
  settleWord,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { atOnce, run } from '../run.js'
import type { Neighbour, Query, SearchOptions, WordOrVector } from '../vectors/query.js'
import { isQuery } from '../vectors/query.js'
import { decode } from '../vectors/word-list.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { checkTogether, corpusOf, trainingOptions } from './training.js'

/** What FastText has of its own, and where its defaults are others. In brackets: fastText's names. */
const ownOptions = {
  /** Characters of the shortest n-gram [-minn]. */
  minn: integer(3, { from: 1, to: 100 }, 'characters of the shortest n-gram'),
  /** Characters of the longest n-gram; 0: words have no n-grams [-maxn]. */
  maxn: integer(6, { from: 0, to: 100 }, 'characters of the longest n-gram; 0: none'),
  /** Buckets that n-grams are hashed into; only those that are met take memory [-bucket]. */
  bucket: integer(2_000_000, { from: 1, to: 0x7fff_ffff }, 'buckets that n-grams share'),
  /** Learning rate at the first word [-lr]. */
  learningRate: real(0.05, { above: 0, to: 10 }, 'learning rate at the first word'),
  /** Noise words are drawn by count to this power: 0.5, as fastText does. */
  negativeExponent: real(
    0.5,
    { from: -10, to: 10 },
    'noise words are drawn by count to this power',
  ),
  /** Occurrences of words more frequent than this share of the text are left out at random; 0
   * leaves none out [-t]. */
  subsample: real(
    1e-4,
    { from: 0, to: 1 },
    'leaves out occurrences of words more frequent than this share',
  ),
}

const saveOptions = {
  /** How the file is written. Default: `fasttext` where its name ends in .bin, else `safetensors`. */
  format: maybeOneOf(['safetensors', 'fasttext'], 'how the file is written'),
}

/** Every option of `FastText.train`. */
export const fastTextOptions = { ...corpusOptions, ...trainingOptions, ...ownOptions }

/** The options of `FastText.train`: see `fastTextOptions`. */
export type FastTextOptions = Options<typeof fastTextOptions> & RunOptions

/** How a model was trained, every option with its value. */
export type FastTextSettings = Readonly<FastTextSpec>

/** A part of a word that has a vector. */
export interface Subword {
  /** Characters; `<` and `>` are the ends of the word. */
  readonly text: string
  /** [dimensions], a copy. */
  readonly vector: Float32Array
}

/**
 * Word vectors that know how words are built (Bojanowski et al. 2017, arXiv:1607.04606): a word is the
 * mean of a vector of its own and of those of its character n-grams, so that misspelt, inflected and
 * unheard-of words have vectors too.
 *
 *     'where' ─▶ where, <wh, whe, her, ere, re>, <whe, ... ─(mean)─▶ hidden ─▶ objective
 *
 *     const model = await FastText.train('corpus.txt')
 *     model.vector('unheardof')
 *     await model.mostSimilar('goverment')
 */
export class FastText {
  /** The vectors of the words of the text: [words, dimensions]. */
  readonly vectors: WordVectors
  /** Mean loss of a prediction in each epoch, in nats. */
  readonly losses: readonly number[]
  /** How it was trained. */
  readonly options: FastTextSettings
  readonly #handle: Handle<FastTextHandle>

  /** @internal */
  constructor(native: FastTextHandle) {
    this.#handle = new Handle(native)
    this.vectors = new WordVectors(native.vectors())
    this.losses = native.losses()
    this.options = native.options()
  }

  /**
   * Trains on `source`: text, sentences or a corpus that was read before. Same bytes for the same
   * `seed` with `threads: 1` on one machine.
   *
   *     const model = await FastText.train('corpus.txt', { minn: 2, maxn: 5 })
   *
   * @throws {InvalidOptionError} before anything is read; a checkpoint of other options or text
   * @throws {InlayError} as `Word2Vec.train`
   */
  static async train(
    source: CorpusSource | Corpus,
    options: FastTextOptions = {},
  ): Promise<FastText> {
    const who = 'FastText.train'
    const { settings, run: runSettings } = settle(fastTextOptions, options, who)
    checkOwn(settings, options, who)
    const initial = settings.initialVectors?.native(who)
    const corpus = await corpusOf(source, settings, options, runSettings, who)
    try {
      const native = corpus.native(who)
      const { checkpoint, checkpointEvery } = settings
      return new FastText(
        await run<FastTextHandle>(who, runSettings, (spec, events) =>
          trainFastText(
            native,
            trainSpec(settings),
            checkpoint === undefined ? undefined : { path: checkpoint, every: checkpointEvery },
            initial,
            spec,
            events,
          ),
        ),
      )
    } finally {
      if (corpus !== source) corpus.close()
    }
  }

  /**
   * Opens a file that `save` or fastText (`.bin`) wrote, told by content. Rows are mapped, not read; of
   * a `.bin`, each word's rows are combined into its vector, on all threads. What a `.bin` does not
   * say, as its learning rate, is fastText's default in `options`.
   *
   *     const model = await FastText.open('cc.en.300.bin')
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no FastText model, a classifier, or
   * damaged
   */
  static async open(path: Path, options: RunOptions = {}): Promise<FastText> {
    const who = 'FastText.open'
    const file = settlePath(path, who)
    const runSettings = settle({}, options, who).run
    return new FastText(
      await run<FastTextHandle>(who, runSettings, (spec, events) =>
        openFastText(file, spec, events),
      ),
    )
  }

  /** Values in a vector. */
  get dimensions(): number {
    return this.vectors.dimensions
  }

  /**
   * The vector of any word, a copy: of a word that the text did not have, the mean of its n-grams.
   * `undefined` only for an unknown word that has no n-gram, as a short one or the empty one. Takes
   * microseconds.
   */
  vector(word: string): Float32Array | undefined {
    const who = 'FastText.vector'
    const native = this.#handle.use(who)
    settleWord(word, who)
    return atOnce(who, () => native.vector(word)) ?? undefined
  }

  /**
   * The n-grams of any word, by place and then length, each with its vector.
   *
   *     model.subwords('cat').map(({ text }) => text) // '<ca', '<cat', '<cat>', 'cat', 'cat>', 'at>'
   */
  subwords(word: string): Subword[] {
    const who = 'FastText.subwords'
    const native = this.#handle.use(who)
    settleWord(word, who)
    const { texts, vectors } = atOnce(who, () => native.ngrams(word))
    const { dimensions } = this
    return decode(texts).map((text, i) => {
      const from = i * dimensions
      return { text, vector: vectors.slice(from, from + dimensions) }
    })
  }

  /**
   * As `WordVectors.mostSimilar`, for any word: one that the text did not have is asked for by the
   * vector of its n-grams.
   *
   *     await model.mostSimilar('goverment', { topK: 3 })
   *
   * @throws {InlayError} `NOT_FOUND` an unknown word without n-grams
   */
  async mostSimilar(
    query: WordOrVector | Query,
    options: SearchOptions = {},
  ): Promise<Neighbour[]> {
    if (!isQuery(query)) return this.vectors.mostSimilar(this.#known(query), options)
    const { positive, negative } = query
    const items = (given: Query['positive']) => {
      if (given === undefined) return undefined
      if (typeof given === 'string') return [this.#known(given)]
      if (!Array.isArray(given)) return given
      return given.map((item: WordOrVector) => this.#known(item)) as readonly WordOrVector[]
    }
    return this.vectors.mostSimilar(
      { ...query, positive: items(positive), negative: items(negative) },
      options,
    )
  }

  /**
   * What is to `c` as `b` is to `a`, whether these are known or not: the words nearest to `b - a + c`.
   *
   *     await model.analogy('great', 'greatest', 'strong') // strongest
   *
   * @throws {InlayError} `NOT_FOUND` an unknown word without n-grams
   */
  analogy(a: string, b: string, c: string, options: SearchOptions = {}): Promise<Neighbour[]> {
    return this.mostSimilar({ positive: [b, c], negative: [a] }, options)
  }

  /**
   * The cosine of two words, known or not.
   *
   * @throws {InlayError} `NOT_FOUND` an unknown word without n-grams
   */
  similarity(a: string, b: string): number {
    const who = 'FastText.similarity'
    const native = this.#handle.use(who)
    for (const word of [a, b]) {
      settleWord(word, who)
      if (atOnce(who, () => native.vector(word)) === null) {
        const message = `${who}: no n-gram of the unknown word "${word}" has a vector`
        throw new InlayError('NOT_FOUND', message, { word })
      }
    }
    return atOnce(who, () => native.similarity(a, b))
  }

  /** An unknown word as its vector; what is known, and what has no vector, stays as it is. */
  #known(item: WordOrVector): WordOrVector {
    if (typeof item !== 'string' || this.vectors.has(item)) return item
    return this.vector(item) ?? item
  }

  /**
   * Writes the model to a file: rows of words and n-grams, outputs, counts and options. As
   * safetensors, `WordVectors.open` and whatever reads that format read its word vectors too; as
   * fastText's `.bin`, fastText and gensim open it. That has a row for every bucket, met or not: 800 MB
   * with the default ones and 100 dimensions. The file is there in full or not at all.
   *
   *     await model.save('model.safetensors')
   *     await model.save('model.bin') // for fastText
   *
   * @throws {InlayError} `UNSUPPORTED` a word with a byte 0 as `.bin`, or a model that came from one as
   * safetensors; `DISK_FULL`, `IO`
   */
  async save(path: Path, options: Options<typeof saveOptions> & RunOptions = {}): Promise<void> {
    const who = 'FastText.save'
    const file = settlePath(path, who)
    const { settings, run: runSettings } = settle(saveOptions, options, who)
    const format = settings.format ?? (/\.bin$/i.test(file) ? 'fasttext' : 'safetensors')
    const native = this.#handle.use(who)
    await run<void>(who, runSettings, (spec, events) =>
      saveFastText(native, file, format, spec, events),
    )
  }

  /** @internal What encoders take. */
  native(who: string): FastTextHandle {
    return this.#handle.use(who)
  }

  /** Frees the memory of the model and of its `vectors` now rather than when the garbage is
   * collected. */
  close(): void {
    this.#handle.close()
    this.vectors.close()
  }

  /** As `close`: `using model = await FastText.train(...)` closes it at the end of the block. */
  [Symbol.dispose](): void {
    this.close()
  }
}

type FastTextTraining = Settings<typeof trainingOptions & typeof ownOptions>

function checkOwn(settings: FastTextTraining, given: FastTextOptions, who: string): void {
  checkTogether(settings, given, who)
  const refuse = refusal(who)
  if (settings.maxn > 0 && settings.minn > settings.maxn) {
    refuse('minn', `is above \`maxn\` (${settings.maxn})`)
  }
  if (settings.architecture === 'cbow' && given.sharedNegatives !== undefined) {
    refuse('sharedNegatives', 'is for skip-gram only')
  }
}

function trainSpec(settings: FastTextTraining): FastTextSpec {
  const { learningRate } = settings
  return { ...settings, finalLearningRate: settings.finalLearningRate ?? learningRate * 1e-4 }
}
