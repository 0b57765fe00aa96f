import { type Corpus, corpusOptions, readCorpus } from '../corpus/corpus.js'
import type { CorpusSource } from '../corpus/source.js'
import { Handle } from '../handle.js'
import {
  type ModelHandle,
  type Predictions,
  type StartSpec,
  type Word2VecSpec,
  estimateWord2Vec,
  openWord2Vec,
  predictWord,
  saveWord2Vec,
  scoreSentence,
  trainWord2Vec,
} from '../native.js'
import {
  type Options,
  type RunOptions,
  type Settings,
  custom,
  flag,
  integer,
  runOptions,
  settle,
  settleAlone,
  wrongOption,
  refusal,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run, serve } from '../run.js'
import { decode } from '../vectors/word-list.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { checkTogether, checkWords, corpusOf, trainingOptions } from './training.js'

/** What only Word2Vec has. */
const ownOptions = {
  /** Whether a context is the mean of its vectors; else their sum. cbow only [-, cbow_mean]. */
  cbowMean: flag(true, 'takes the mean of a context; else the sum (cbow)'),
  /** Words whose input vectors do not move; `true`: all that `initialVectors` has. */
  frozen: custom<true | readonly string[]>(
    'true or an array of words',
    (given) =>
      given === true || (Array.isArray(given) && given.every((word) => typeof word === 'string')),
    'words whose vectors do not move',
  ),
}

/** Every option of `Word2Vec.train`. */
export const word2vecOptions = { ...corpusOptions, ...trainingOptions, ...ownOptions }

/** The options of `Word2Vec.train`: see `word2vecOptions`. */
export type Word2VecOptions = Options<typeof word2vecOptions> & RunOptions

type Word2VecTraining = Settings<typeof trainingOptions & typeof ownOptions>

/** How a model was trained, every option with its value. */
export type Word2VecSettings = Readonly<Word2VecSpec>

/** A word that a model expects. */
export interface Prediction {
  readonly word: string
  /** From 0 to 1; over the whole vocabulary they sum to 1. */
  readonly probability: number
}

const predictOptions = {
  topK: integer(10, { from: 1, to: 0xffff_ffff }, 'how many words'),
  signal: runOptions.signal,
}

const estimateOptions = {
  vocabulary: integer(undefined, { from: 1 }, 'words'),
  dimensions: trainingOptions.dimensions,
  objective: trainingOptions.objective,
}

/**
 * Word vectors by predicting neighbours (Mikolov et al. 2013, arXiv:1301.3781 figure 1,
 * arXiv:1310.4546).
 *
 *     sentence ─▶ context ─(hidden, target)─▶ objective ─▶ input vectors, output vectors
 *                 skip-gram | cbow            negative sampling | hierarchical softmax
 *
 *     const model = await Word2Vec.train('corpus.txt', { dimensions: 300, epochs: 3 })
 *     await model.vectors.mostSimilar('king')
 *     await model.save('model.safetensors')
 */
export class Word2Vec {
  /** The vectors of the words as centres (syn0): [words, dimensions], what one calls the word
   * vectors. They share the model's memory. */
  readonly vectors: WordVectors
  /** The vectors of the words as neighbours (syn1neg); `undefined` for hierarchical softmax, whose
   * outputs are inner nodes of a tree and no words. */
  readonly outputVectors: WordVectors | undefined
  /** Mean loss of a prediction in each epoch, in nats. */
  readonly losses: readonly number[]
  /** How it was trained. */
  readonly options: Word2VecSettings
  /** Where the model came from `update`: words that it had before, and words that are new. */
  readonly updated: { readonly kept: number; readonly added: number } | undefined
  readonly #handle: Handle<ModelHandle>

  /** @internal */
  constructor(native: ModelHandle, updated?: { kept: number; added: number }) {
    this.#handle = new Handle(native)
    this.vectors = new WordVectors(native.vectors())
    const output = native.outputVectors()
    this.outputVectors = output ? new WordVectors(output) : undefined
    this.losses = native.losses()
    this.options = native.options()
    this.updated = updated
  }

  /**
   * Trains on `source`: text, sentences or a corpus that was read before. Same bytes for the same
   * `seed` with `threads: 1` on one machine; more threads write to the same vectors without locks
   * (Hogwild, Niu et al. 2011, arXiv:1106.5730), and their order is the machine's.
   *
   *     const model = await Word2Vec.train('corpus.txt', { architecture: 'cbow', window: 8 })
   *     const items = await Word2Vec.train(sessions, { minCount: 1, subsample: 0, negativeExponent: -0.5 })
   *
   * @throws {InvalidOptionError} before anything is read; a checkpoint of other options or text
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` no word occurs `minCount` times, or as
   * `Corpus.read`; `OUT_OF_MEMORY`; `DISK_FULL`; `DIVERGED` a vector is no longer finite
   */
  static async train(
    source: CorpusSource | Corpus,
    options: Word2VecOptions = {},
  ): Promise<Word2Vec> {
    const who = 'Word2Vec.train'
    const { settings, run: runSettings } = settle(word2vecOptions, options, who)
    checkOwn(settings, options, who)
    const initial = settings.initialVectors?.native(who)
    const corpus = await corpusOf(source, settings, options, runSettings, who)
    try {
      const native = corpus.native(who)
      return new Word2Vec(
        await run<ModelHandle>(who, runSettings, (spec, events) =>
          trainWord2Vec(
            native,
            trainSpec(settings),
            startSpec(settings),
            undefined,
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
   * Opens a model that `save` wrote: vectors, counts and options. It is mapped, not read.
   *
   *     const model = await Word2Vec.open('model.safetensors')
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no Word2Vec model, or damaged
   */
  static async open(path: Path, options: RunOptions = {}): Promise<Word2Vec> {
    const who = 'Word2Vec.open'
    const file = settlePath(path, who)
    const runSettings = settle({}, options, who).run
    return new Word2Vec(
      await run<ModelHandle>(who, runSettings, (spec, events) => openWord2Vec(file, spec, events)),
    )
  }

  /**
   * The bytes that a training takes beside the text, which stays on disk.
   *
   *     Word2Vec.estimateMemory({ vocabulary: 1_000_000, dimensions: 300 }) // 2.4e9 and a little
   *
   * @throws {InvalidOptionError}
   */
  static estimateMemory(options: {
    readonly vocabulary: number
    readonly dimensions?: number | undefined
    readonly objective?: Word2VecSettings['objective'] | undefined
  }): number {
    const who = 'Word2Vec.estimateMemory'
    const { vocabulary, dimensions, objective } = settleAlone(estimateOptions, options, who)
    if (vocabulary === undefined) {
      throw wrongOption('vocabulary', estimateOptions.vocabulary.expected, undefined, who)
    }
    return estimateWord2Vec(vocabulary, dimensions, objective)
  }

  /**
   * Goes on training on new text and gives a new model; this one stays as it is. Its words are all
   * kept, with their vectors; new words that occur `minCount` times join them.
   *
   *     const newer = await model.update('news.txt', { epochs: 2 })
   *     newer.updated // { kept: 70_000, added: 1_200 }
   *
   * Options of the training that are not given are as this model was trained with; `dimensions` and
   * `objective` cannot change. Those of reading, such as `tokenizer`, `lowercase` and `minCount`, are
   * not kept with a model: give them as before.
   *
   * @throws as `Word2Vec.train`
   */
  async update(source: CorpusSource, options: Word2VecOptions = {}): Promise<Word2Vec> {
    const who = 'Word2Vec.update'
    const { settings, run: runSettings } = settle(
      word2vecOptions,
      { ...this.options, ...defined(options) },
      who,
    )
    for (const name of ['dimensions', 'objective'] as const) {
      if (settings[name] !== this.options[name]) {
        throw wrongOption(name, `${this.options[name]}, as the model has it`, settings[name], who)
      }
    }
    const native = this.#handle.use(who)
    checkOwn(settings, options, who)
    const initial = settings.initialVectors?.native(who)
    using corpus = await readCorpus(source, settings, runSettings, who, native)
    const newer = await run<ModelHandle>(who, runSettings, (spec, events) =>
      trainWord2Vec(
        corpus.native(who),
        trainSpec(settings),
        startSpec(settings),
        native,
        initial,
        spec,
        events,
      ),
    )
    const kept = this.vectors.size
    return new Word2Vec(newer, { kept, added: corpus.size - kept })
  }

  /**
   * The centre words that a context speaks for, most probable first: softmax of the output vectors
   * with the context's mean vector. Unknown words of the context are left out.
   *
   *     await model.predict(['the', 'of', 'england'], { topK: 3 })
   *
   * @throws {InlayError} `NOT_FOUND` no word of the context is known
   */
  async predict(
    context: readonly string[],
    options: Options<typeof predictOptions> = {},
  ): Promise<Prediction[]> {
    const who = 'Word2Vec.predict'
    const { topK, signal } = settleAlone(predictOptions, options, who)
    checkWords(context, 'context', who)
    const native = this.#handle.use(who)
    const { words, probabilities } = await serve<Predictions>(who, signal, (events) =>
      predictWord(native, context as string[], topK, events),
    )
    return decode(words).map((word, i) => ({ word, probability: probabilities[i]! }))
  }

  /**
   * The natural logarithm of a sentence's probability: the sum over its words and their contexts
   * (Taddy 2015, arXiv:1504.07295). Unknown words are left out; without a pair of known words it is
   * 0. Hierarchical softmax only.
   *
   *     await model.score(['the', 'king', 'of', 'england'])
   *
   * @throws {InlayError} `UNSUPPORTED` the model was trained with negative sampling
   */
  async score(sentence: readonly string[]): Promise<number> {
    const who = 'Word2Vec.score'
    checkWords(sentence, 'sentence', who)
    const native = this.#handle.use(who)
    return serve<number>(who, undefined, (events) =>
      scoreSentence(native, sentence as string[], events),
    )
  }

  /**
   * Writes the model to a file: both matrices, counts and options. `WordVectors.open` and whatever
   * reads safetensors read its vectors too. The file is there in full or not at all.
   *
   *     await model.save('model.safetensors')
   *
   * @throws {InlayError} `DISK_FULL`, `IO`
   */
  async save(path: Path, options: RunOptions = {}): Promise<void> {
    const who = 'Word2Vec.save'
    const file = settlePath(path, who)
    const runSettings = settle({}, options, who).run
    const native = this.#handle.use(who)
    await run<void>(who, runSettings, (spec, events) => saveWord2Vec(native, file, spec, events))
  }

  /** Frees the memory of the model and of its `vectors` and `outputVectors` now rather than when
   * the garbage is collected. */
  close(): void {
    this.#handle.close()
    this.vectors.close()
    this.outputVectors?.close()
  }

  /** As `close`: `using model = await Word2Vec.train(...)` closes it at the end of the block. */
  [Symbol.dispose](): void {
    this.close()
  }
}

/** What no single option can say, of those that only Word2Vec has. */
function checkOwn(settings: Word2VecTraining, given: Word2VecOptions, who: string): void {
  checkTogether(settings, given, who)
  const refuse = refusal(who)
  if (settings.frozen === true && !settings.initialVectors) {
    refuse('frozen', 'can be true only with `initialVectors`')
  }
  if (settings.architecture === 'skip-gram' && given.cbowMean !== undefined) {
    refuse('cbowMean', 'is for cbow only')
  }
}

function trainSpec(settings: Word2VecTraining): Word2VecSpec {
  const learningRate = settings.learningRate ?? (settings.architecture === 'cbow' ? 0.05 : 0.025)
  const finalLearningRate = settings.finalLearningRate ?? learningRate * 1e-4
  return { ...settings, learningRate, finalLearningRate }
}

function startSpec({ frozen, checkpoint, checkpointEvery }: Word2VecTraining): StartSpec {
  const words = frozen === true || frozen === undefined ? [] : [...frozen]
  return { frozen: words, freezeGiven: frozen === true, checkpoint, checkpointEvery }
}

function defined<T extends object>(options: T): Partial<T> {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given) as Partial<T>
}
