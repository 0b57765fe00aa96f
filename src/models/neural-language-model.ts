// What networks that foretell words have in common: a text becomes words with those before them, and from scores come
// perplexities and the likeliest next words.
import type { CorpusSource } from '../corpus/source.js'
import type { NextWord, Perplexity, Sentence } from '../language/ngram-language-model.js'
import { nextWordsOptions } from '../language/ngram-options.js'
import { type NumberedTexts, type WordsInContext, wordsInContext } from '../native.js'
import type { Input } from '../nn/description.js'
import type { Examples } from '../nn/examples.js'
import type { Network } from '../nn/network.js'
import { type Options, type RunOptions, type RunSettings, settle, wrongOption } from '../options.js'
import type { Path } from '../path.js'
import { run } from '../run.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { type ModelFile, NetworkModel, openModel, scoresOf, tablesOf } from './network-model.js'
import {
  UNKNOWN,
  Vocabulary,
  type VocabularyRecord,
  readAllWords,
  vocabularyField,
} from './vocabulary.js'

/** Behind a sentence. */
export const END = '</s>'

/** What the file of a model says beside the network. */
export interface LanguageModelRecord {
  readonly vocabulary: VocabularyRecord
}

/** What of a language model is its own. */
export interface LanguageModelFile extends ModelFile<LanguageModelRecord> {
  /** The layer that has the vectors of words. */
  readonly table: string
  /** They come before words in the vocabulary. */
  readonly marks: readonly string[]
}

/** The file of a language model; `takes` says whether items of so many positions are what it reads. */
export function languageModelFile(
  model: string,
  table: string,
  marks: readonly string[],
  takes: (positions: Input['positions']) => boolean,
): LanguageModelFile {
  const fits = (words: number, network: Network) => {
    const [input, ...others] = network.description.inputs
    const isOurs = others.length === 0 && takes(input!.positions ?? null)
    return isOurs && tablesOf(network).get(table)?.rows === words && scoresOf(network) === words
  }
  return { model, table, marks, record: { vocabulary: vocabularyField(marks, fits) } }
}

/** A network with its words. */
export interface LanguageModelParts {
  readonly network: Network
  readonly vocabulary: Vocabulary
}

/** How likely words are after those before them, by a network: what `Nnlm` and `RecurrentLanguageModel` have in common. Of
 * its network the last layer gives a score for each word. */
export abstract class NeuralLanguageModel extends NetworkModel {
  readonly #vocabulary: Vocabulary
  readonly #file: LanguageModelFile

  /** @internal */
  protected constructor({ network, vocabulary }: LanguageModelParts, file: LanguageModelFile) {
    super(network)
    this.#vocabulary = vocabulary
    this.#file = file
  }

  /** `<unk>`, the marks of sentences, then the words of the vocabulary, most frequent first. */
  get words(): readonly string[] {
    return this.#vocabulary.words
  }

  /** The vector of each word that the network begins with, of `<unk>` too. They are copied. */
  get vectors(): WordVectors {
    const { table, marks } = this.#file
    const { values, shape } = this.network.parameter(`${table}.weight`)!
    const dimensions = shape[1]!
    const first = 1 + marks.length
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

  override close(): void {
    super.close()
    this.#vocabulary.close()
  }
}

/** Opens what `save` wrote. */
export function openLanguageModel<Model>(
  file: LanguageModelFile,
  path: Path,
  options: RunOptions,
  make: (parts: LanguageModelParts) => Model,
): Promise<Model> {
  return openModel<LanguageModelRecord, Model>(
    file,
    path,
    options,
    async (network, record, settings, who) =>
      make({ network, vocabulary: await Vocabulary.of(record.vocabulary, settings, who) }),
  )
}

/** The sentences of a text by the numbers of their words. */
export async function readSentences(
  source: CorpusSource,
  vocabulary: Vocabulary,
  settings: RunSettings,
  who: string,
): Promise<NumberedTexts> {
  using corpus = await readAllWords(source, vocabulary.spelling, settings, who)
  return await vocabulary.numberCorpus(corpus, settings, who)
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
