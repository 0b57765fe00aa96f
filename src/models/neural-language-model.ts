// What networks that foretell words have in common: a text becomes words with those before them, and from scores come
// perplexities and the likeliest next words.
import type { CorpusSource } from '../corpus/source.js'
import type { NextWord, Perplexity, Sentence } from '../language/ngram-language-model.js'
import { nextWordsOptions } from '../language/ngram-options.js'
import { type NumberedTexts, type WordsInContext, wordsInContext } from '../native.js'
import type { Examples } from '../nn/examples.js'
import { type Epoch, Network } from '../nn/network.js'
import { type Options, type RunOptions, type RunSettings, settle, wrongOption } from '../options.js'
import type { Path } from '../path.js'
import { run } from '../run.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { UNKNOWN, Vocabulary, type VocabularyRecord, notOf, readAllWords } from './vocabulary.js'

/** Behind a sentence. */
export const END = '</s>'

/** What the file of a model says beside the network. */
export interface LanguageModelRecord {
  /** The name of its class. */
  readonly model: string
  readonly vocabulary: VocabularyRecord
}

/** A network with its words. */
export interface LanguageModelParts {
  readonly network: Network
  readonly vocabulary: Vocabulary
}

/** How likely words are after those before them, by a network: what `Nnlm` and `RecurrentLanguageModel` have in common. */
export abstract class NeuralLanguageModel {
  /** The layers; the last one gives a score for each word. */
  readonly network: Network
  readonly #vocabulary: Vocabulary
  readonly #table: string
  readonly #marks: number

  /** `table` has the vectors of words, `marks` come before words in the vocabulary. @internal */
  protected constructor(
    { network, vocabulary }: LanguageModelParts,
    table: string,
    marks: readonly string[],
  ) {
    this.network = network
    this.#vocabulary = vocabulary
    this.#table = table
    this.#marks = marks.length
  }

  /** How its training went, epoch by epoch; of a model from a file, empty. */
  get history(): readonly Epoch[] {
    return this.network.history
  }

  /** `<unk>`, the marks of sentences, then the words of the vocabulary, most frequent first. */
  get words(): readonly string[] {
    return this.#vocabulary.words
  }

  /** The vector of each word that the network begins with, of `<unk>` too. They are copied. */
  get vectors(): WordVectors {
    const { values, shape } = this.network.parameter(this.#table)!
    const dimensions = shape[1]!
    const first = 1 + this.#marks
    const words = [UNKNOWN, ...this.words.slice(first)]
    const rows = new Float32Array(words.length * dimensions)
    rows.set(values.subarray(0, dimensions))
    rows.set(values.subarray(first * dimensions), dimensions)
    return WordVectors.from(words, rows, dimensions)
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
    const who = `${this.constructor.name}.perplexity`
    const settings = settle({}, options, who).run
    const sentences = await readSentences(source, this.#vocabulary, settings, who)
    const examples = await this.examplesOf(sentences, this.#vocabulary, settings, who)
    const { loss } = await this.network.evaluate(examples, settings)
    const { ids, ends } = sentences
    const words = ids.length + ends.length
    return {
      perplexity: Math.exp(loss),
      logProbability: (-loss * words) / Math.LN10,
      words,
      sentences: ends.length,
      unknown: ids.reduce((count: number, id: number) => (id === 0 ? count + 1 : count), 0),
    }
  }

  /**
   * The likeliest words after a context, likeliest first. The context begins a sentence; of one that is longer than
   * the model looks back, the last words count.
   *
   *     const [{ word, probability }] = await model.nextWords('members of the', { limit: 1 })
   *
   * @throws {InvalidOptionError} the context is no text and no array of words
   */
  async nextWords(
    context: Sentence,
    options: Options<{ limit: typeof nextWordsOptions.limit }> & RunOptions = {},
  ): Promise<NextWord[]> {
    const who = `${this.constructor.name}.nextWords`
    const { settings, run: runSettings } = settle({ limit: nextWordsOptions.limit }, options, who)
    if (typeof context !== 'string' && !Array.isArray(context)) {
      throw wrongOption('context', 'a text or an array of words', context, who)
    }
    const { ids } = await this.#vocabulary.number([context], runSettings, who)
    const scores = await this.scoresAfter(ids, this.#vocabulary, runSettings)
    const highest = scores.reduce((most, score) => Math.max(most, score), -Infinity)
    const shares = Float64Array.from(scores, (score) => Math.exp(score - highest))
    const all = shares.reduce((total, share) => total + share, 0)
    return Array.from(shares.keys())
      .toSorted((a, b) => shares[b]! - shares[a]! || a - b)
      .slice(0, settings.limit)
      .map((number) => ({ word: this.words[number]!, probability: shares[number]! / all }))
  }

  /** Each word and each end of a text, and what it is foretold by. @internal */
  protected abstract examplesOf(
    sentences: NumberedTexts,
    vocabulary: Vocabulary,
    settings: RunSettings,
    who: string,
  ): Promise<Examples>

  /** A score for each word, of what comes after words. @internal */
  protected abstract scoresAfter(
    words: Uint32Array,
    vocabulary: Vocabulary,
    settings: RunSettings,
  ): Promise<Float32Array>

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

/**
 * Opens what `save` wrote.
 *
 * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is of another model
 */
export async function openLanguageModel(
  model: string,
  path: Path,
  options: RunOptions,
): Promise<LanguageModelParts> {
  const network = await Network.open(path, options)
  const record = (network.description.about ?? {}) as Partial<LanguageModelRecord>
  const vocabulary = record.model === model ? Vocabulary.of(record.vocabulary) : undefined
  if (vocabulary) return { network, vocabulary }
  network.close()
  throw notOf(model, `${model}.open`)
}

/** The sentences of a text by the numbers of their words. */
export async function readSentences(
  source: CorpusSource,
  vocabulary: Vocabulary,
  settings: RunSettings,
  who: string,
): Promise<NumberedTexts> {
  using corpus = await readAllWords(source, vocabulary.spelling, settings, who)
  return vocabulary.numberCorpus(corpus, settings, who)
}

/** Every word and every end, with the words before it; `begin` stands before a sentence. */
export function wordsWithContext(
  { ids, ends }: NumberedTexts,
  { length, begin }: { readonly length: number; readonly begin: string },
  vocabulary: Vocabulary,
  settings: RunSettings,
  who: string,
): Promise<WordsInContext> {
  const [before, behind] = [vocabulary.numberOf(begin), vocabulary.numberOf(END)]
  return run<WordsInContext>(who, settings, (spec, events) =>
    wordsInContext(ids, ends, length, before, behind, spec, events),
  )
}
