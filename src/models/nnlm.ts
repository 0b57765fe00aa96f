import type { CorpusSource } from '../corpus/source.js'
import type { Perplexity, NextWord, Sentence } from '../language/ngram-language-model.js'
import { nextWordsOptions } from '../language/ngram-options.js'
import { type NumberedTexts, type WordsInContext, wordsInContext } from '../native.js'
import { type NetworkDescription, ids, network } from '../nn/description.js'
import { dense, dropout, embedding, flatten, sum, tanh } from '../nn/layers.js'
import { crossEntropy } from '../nn/losses.js'
import { type Epoch, Network } from '../nn/network.js'
import { checkTogether, learningOptions } from '../nn/training.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  custom,
  flag,
  integer,
  real,
  settle,
  wrongOption,
} from '../options.js'
import type { Path } from '../path.js'
import { run } from '../run.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { networkTraining } from './training.js'
import {
  UNKNOWN,
  Vocabulary,
  type VocabularyRecord,
  notOf,
  readAllWords,
  sourceOption,
  vocabularyOptions,
} from './vocabulary.js'

/** Before a sentence, and behind it. */
const [BEGIN, END] = ['<s>', '</s>']

/** What decides the network. */
export interface NnlmShape {
  /** Words that have numbers. */
  readonly words: number
  /** Words that the next one is foretold by. */
  readonly context: number
  /** Values of a word's vector. */
  readonly dimensions: number
  /** Units of the hidden layer. */
  readonly hidden: number
  /** Whether scores depend on word vectors directly too. */
  readonly direct: boolean
  /** With which values become zero while training. */
  readonly dropout: number
}

/** Bengio et al. 2003, figure 1: y = b + W·x + U·tanh(d + H·x), x the vectors of the words before. */
export function nnlm(shape: NnlmShape): NetworkDescription {
  const fall = shape.dropout > 0 ? [dropout({ probability: shape.dropout })] : []
  const hidden = [
    dense({ name: 'H', units: shape.hidden }),
    tanh(),
    ...fall,
    dense({ name: 'U', units: shape.words }),
  ]
  const direct = [dense({ name: 'W', units: shape.words, bias: false })]
  return network({
    input: ids({ length: shape.context }),
    layers: [
      embedding({ name: 'C', values: shape.words, dimensions: shape.dimensions, deviation: 0.1 }),
      flatten(),
      ...fall,
      ...(shape.direct ? [sum([hidden, direct])] : hidden),
    ],
    loss: crossEntropy(),
  })
}

/** Every option of `Nnlm.train`. */
export const nnlmOptions = {
  ...learningOptions,
  ...vocabularyOptions,
  /** Words that occur less often are one, `<unk>`, as are words that were never met. */
  minCount: integer(2, { from: 1 }, 'words that occur less often are one'),
  /** Words that the next one is foretold by [n - 1]. */
  context: integer(5, { from: 1, to: 1000 }, 'words that the next one is foretold by'),
  /** Values of a word's vector [m]. */
  dimensions: integer(100, { from: 1, to: 65_536 }, "values of a word's vector"),
  /** Units of the hidden layer [h]. */
  hidden: integer(200, { from: 1 }, 'units of the hidden layer'),
  /** Whether scores depend on word vectors directly too, beside the hidden layer [W]. */
  direct: flag(false, 'whether scores depend on word vectors directly too'),
  /** With which values of word vectors and of the hidden layer become zero while training. */
  dropout: real(0.25, { from: 0, below: 1 }, 'with which values become zero while training'),
  /** The vectors that words begin with; they decide the dimensions. Default: random ones. */
  initialVectors: custom<WordVectors>(
    'WordVectors',
    (given) => given instanceof WordVectors,
    'the vectors that words begin with',
  ),
  /** The learning rate at the beginning; it falls linearly to nothing. */
  schedule: { ...learningOptions.schedule, default: 'linear' as const },
  /** Words of a batch. */
  batchSize: integer(256, { from: 1, to: 1_000_000 }, 'words of a batch'),
  /** A text whose loss is worked out after each epoch. */
  validation: sourceOption('a text whose loss is worked out after each epoch'),
}

/** The options of `Nnlm.train`: see `nnlmOptions`. */
export type NnlmOptions = Options<typeof nnlmOptions> & RunOptions

/** What the file says beside the network. */
interface About {
  readonly model: 'Nnlm'
  readonly vocabulary: VocabularyRecord
}

/**
 * The neural probabilistic language model (Bengio et al. 2003, "A Neural Probabilistic Language Model"): how
 * likely a word is after the words before it, by their vectors, which are learnt with it.
 *
 *     words before ─▶ C: a vector each ─▶ one behind the other ─▶ tanh ─▶ a score for each word
 *                                                     └──────── direct ───────┘
 *
 *     const model = await Nnlm.train('corpus.txt', { context: 4 })
 *     const { perplexity } = await model.perplexity('test.txt')
 *     const [next] = await model.nextWords('members of the')
 */
export class Nnlm {
  /** The layers: 'C' has the vectors, 'U' gives a score for each word. */
  readonly network: Network
  /** Words that the next one is foretold by. */
  readonly context: number
  readonly #vocabulary: Vocabulary

  private constructor(found: Network, vocabulary: Vocabulary) {
    this.network = found
    this.context = found.description.inputs[0]!.positions![0]!
    this.#vocabulary = vocabulary
  }

  /**
   * Trains on a text: each line of a file and each text of an iterable is a sentence. Contexts do not cross
   * its ends, which count as words. The same bytes for the same `seed`, whatever the number of threads.
   *
   * @throws {InvalidOptionError} before anything is read
   * @throws {InlayError} as `Corpus.read`; `DIVERGED`
   */
  static async train(source: CorpusSource, options: NnlmOptions = {}): Promise<Nnlm> {
    const who = 'Nnlm.train'
    const { settings, run: runSettings } = settle(nnlmOptions, options, who)
    checkTogether(options, settings.schedule, who)
    const { initialVectors, validation } = settings
    if (initialVectors && options.dimensions !== undefined) {
      throw wrongOption('dimensions', 'left out beside `initialVectors`', options.dimensions, who)
    }
    using corpus = await readAllWords(source, settings, runSettings, who)
    const vocabulary = Vocabulary.ofCorpus(corpus, settings, [BEGIN, END])
    const sentences = await vocabulary.numberCorpus(corpus, runSettings, who)
    const dimensions = initialVectors?.dimensions ?? settings.dimensions
    const shape = { ...settings, words: vocabulary.size, dimensions }
    const about: About = { model: 'Nnlm', vocabulary: vocabulary.record }
    const description = { ...nnlm(shape), about }
    using start = await Network.create(description, runSettings)
    using begun = initialVectors
      ? await Network.create(description, {
          parameters: vocabulary.rows(start, 'C.weight', initialVectors, who),
        })
      : undefined
    const heldOut =
      validation &&
      (await examplesOf(await readSentences(validation, vocabulary, runSettings, who)))
    const found = await (begun ?? start).train(await examplesOf(sentences), {
      ...networkTraining(settings, options, runSettings),
      ...(heldOut && { validation: heldOut }),
    })
    return new Nnlm(found, vocabulary)

    async function examplesOf(texts: NumberedTexts) {
      const { contexts, next } = await inContext(
        texts,
        settings.context,
        vocabulary,
        runSettings,
        who,
      )
      return { inputs: contexts, targets: next }
    }
  }

  /**
   * Opens what `save` wrote.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no such model
   */
  static async open(path: Path, options: RunOptions = {}): Promise<Nnlm> {
    const found = await Network.open(path, options)
    const about = (found.description.about ?? {}) as Partial<About>
    const vocabulary = about.model === 'Nnlm' ? Vocabulary.of(about.vocabulary) : undefined
    if (vocabulary) return new Nnlm(found, vocabulary)
    found.close()
    throw notOf('Nnlm', 'Nnlm.open')
  }

  /** How its training went, epoch by epoch; of a model from a file, empty. */
  get history(): readonly Epoch[] {
    return this.network.history
  }

  /** `<unk>`, `<s>` and `</s>`, then the words of the vocabulary, most frequent first. */
  get words(): readonly string[] {
    return this.#vocabulary.words
  }

  /** C: the vector of each word, of `<unk>` too. They are copied. */
  get vectors(): WordVectors {
    const { values, shape } = this.network.parameter('C.weight')!
    const dimensions = shape[1]!
    const words = this.#vocabulary.words
    const unknown = values.subarray(0, dimensions)
    const rows = new Float32Array((words.length - 2) * dimensions)
    rows.set(unknown)
    rows.set(values.subarray(3 * dimensions), dimensions)
    return WordVectors.from([UNKNOWN, ...words.slice(3)], rows, dimensions)
  }

  /**
   * How well the model foretells a text, whose lines are sentences. Their ends count as words; a word that is
   * not in the vocabulary is `<unk>`.
   *
   * @throws {InlayError} as `Corpus.read`
   */
  async perplexity(
    source: CorpusSource,
    options: RunOptions = {},
  ): Promise<Omit<Perplexity, 'perplexityOfKnown'>> {
    const who = 'Nnlm.perplexity'
    const settings = settle({}, options, who).run
    const sentences = await readSentences(source, this.#vocabulary, settings, who)
    const { contexts, next } = await inContext(
      sentences,
      this.context,
      this.#vocabulary,
      settings,
      who,
    )
    const { loss } = await this.network.evaluate({ inputs: contexts, targets: next }, settings)
    const words = next.length
    return {
      perplexity: Math.exp(loss),
      logProbability: (-loss * words) / Math.LN10,
      words,
      sentences: sentences.ends.length,
      unknown: sentences.ids.reduce(
        (count: number, id: number) => (id === 0 ? count + 1 : count),
        0,
      ),
    }
  }

  /**
   * The likeliest words after a context, likeliest first. Where it is shorter than the model's context, it
   * begins a sentence.
   *
   *     const [{ word, probability }] = await model.nextWords('members of the', { limit: 1 })
   *
   * @throws {InvalidOptionError} the context is no text and no array of words
   */
  async nextWords(
    context: Sentence,
    options: Options<{ limit: typeof nextWordsOptions.limit }> & RunOptions = {},
  ): Promise<NextWord[]> {
    const who = 'Nnlm.nextWords'
    const { settings, run: runSettings } = settle({ limit: nextWordsOptions.limit }, options, who)
    if (typeof context !== 'string' && !Array.isArray(context)) {
      throw wrongOption('context', 'a text or an array of words', context, who)
    }
    const { ids: known } = await this.#vocabulary.number([context], runSettings, who)
    const before = new Uint32Array(this.context).fill(this.#vocabulary.numberOf(BEGIN))
    const last = known.subarray(Math.max(0, known.length - this.context))
    before.set(last, this.context - last.length)
    const scores = (await this.network.encode([before], runSettings)).row(0)
    const highest = scores.reduce((most, score) => Math.max(most, score), -Infinity)
    const shares = Float64Array.from(scores, (score) => Math.exp(score - highest))
    const all = shares.reduce((total, share) => total + share, 0)
    return Array.from(shares.keys())
      .toSorted((a, b) => shares[b]! - shares[a]! || a - b)
      .slice(0, settings.limit)
      .map((number) => ({ word: this.words[number]!, probability: shares[number]! / all }))
  }

  /** Writes network and vocabulary to a file. @throws {InlayError} `DISK_FULL`, `IO` */
  async save(path: Path, options: RunOptions = {}): Promise<void> {
    await this.network.save(path, options)
  }

  /** Frees the memory now rather than when the garbage is collected. */
  close(): void {
    this.network.close()
    this.#vocabulary.close()
  }

  /** As `close`: at the end of the block of `using`. */
  [Symbol.dispose](): void {
    this.close()
  }
}

/** The sentences of a text by the numbers of their words. */
async function readSentences(
  source: CorpusSource,
  vocabulary: Vocabulary,
  settings: RunSettings,
  who: string,
): Promise<NumberedTexts> {
  using corpus = await readAllWords(source, vocabulary.spelling, settings, who)
  return vocabulary.numberCorpus(corpus, settings, who)
}

/** Every word and every end, with the words before it. */
function inContext(
  { ids: numbers, ends }: NumberedTexts,
  length: number,
  vocabulary: Vocabulary,
  settings: RunSettings,
  who: string,
): Promise<WordsInContext> {
  const [begin, end] = [vocabulary.numberOf(BEGIN), vocabulary.numberOf(END)]
  return run<WordsInContext>(who, settings, (spec, events) =>
    wordsInContext(numbers, ends, length, begin, end, spec, events),
  )
}
