// What networks that foretell words have in common: a text becomes words with those before them, and from scores come
// perplexities and the likeliest next words.
import type { CorpusSource } from '../corpus/source.js'
import type { NextWord, Perplexity, Sentence } from '../language/ngram-language-model.js'
import { nextWordsOptions } from '../language/ngram-options.js'
import { type NumberedTexts, type WordsInContext, wordsInContext } from '../native.js'
import type { NetworkDescription } from '../nn/description.js'
import type { Examples } from '../nn/examples.js'
import type { Layer } from '../nn/layer.js'
import { dense, hierarchicalSoftmax } from '../nn/layers.js'
import { type Loss, crossEntropy, sampledSoftmax } from '../nn/losses.js'
import type { Network } from '../nn/network.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  integer,
  oneOf,
  settle,
  wrongOption,
} from '../options.js'
import type { Path } from '../path.js'
import { run } from '../run.js'
import { Turns } from '../turns.js'
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

/** Words that each batch is compared with while it is learnt from, drawn by their ranks: see `sampledSoftmax`. */
export const samplesOption = integer(
  undefined,
  { from: 1 },
  'words that each batch is compared with',
)

/** How a word's probability comes of scores. */
export const softmaxOption = oneOf(
  ['full', 'hierarchical'],
  "how a word's probability comes of scores",
)

/** What a language model makes small: of all words, or of some that are drawn. */
export function lossOfWords(samples: number | undefined): Loss {
  return samples === undefined ? crossEntropy() : sampledSoftmax({ samples })
}

/** The layer that says how likely each word is: by a score, or, with `counts`, by a way to it. */
export function likelihoods(
  name: string,
  words: number,
  counts: readonly number[] | undefined,
): Layer {
  return counts ? hierarchicalSoftmax({ name, counts }) : dense({ name, units: words })
}

/** Not more can be drawn than there are, and none where there is a way to each. @internal */
export function checkSamples(
  { samples, softmax }: { readonly samples: number | undefined; readonly softmax: string },
  words: number,
  who: string,
): void {
  if (samples !== undefined && softmax === 'hierarchical') {
    throw wrongOption('samples', "left out where `softmax` is 'hierarchical'", samples, who)
  }
  if (samples === undefined || samples <= words) return
  const expected = `at most as many as the vocabulary has words, ${words}`
  throw wrongOption('samples', expected, samples, who)
}

/** What of a language model is its own. */
export interface LanguageModelFile extends ModelFile<LanguageModelRecord> {
  /** The layer that has the vectors of words. */
  readonly table: string
  /** They come before words in the vocabulary. */
  readonly marks: readonly string[]
}

/** The file of a language model; `reads` says whether a network is one that it can ask. */
export function languageModelFile(
  model: string,
  table: string,
  marks: readonly string[],
  reads: (network: NetworkDescription) => boolean,
): LanguageModelFile {
  const fits = (words: number, network: Network) => {
    const { description } = network
    const isOurs = description.inputs.length === 1 && reads(description)
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
    const turns = new Turns(settings.signal)
    let unknown = 0
    for (let i = 0; i < ids.length; i++) {
      if (ids[i] === 0) unknown += 1
      if (turns.isOver()) await turns.next()
    }
    return {
      perplexity: Math.exp(loss),
      logProbability: (-loss * words) / Math.LN10,
      words,
      sentences: ends.length,
      unknown,
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
    const turns = new Turns(runSettings.signal)
    const best = await highestOf(scores, settings.limit, turns)
    const highest = scores[best[0]!]!
    const share = (number: number) => Math.exp(scores[number]! - highest)
    let all = 0
    for (let number = 0; number < scores.length; number++) {
      all += share(number)
      if (turns.isOver()) await turns.next()
    }
    return best.map((number) => ({ word: this.words[number]!, probability: share(number) / all }))
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

/** Scores that are put in order at once. */
const TOGETHER = 1 << 10

/** The numbers of the highest scores, the highest first; of equals the lower number. */
async function highestOf(scores: Float32Array, limit: number, turns: Turns): Promise<number[]> {
  let best: number[] = []
  for (let from = 0; from < scores.length; from += TOGETHER) {
    const length = Math.min(TOGETHER, scores.length - from)
    best = best.concat(Array.from({ length }, (_, i) => from + i))
    // Most of it is in order already, and is sorted in one go over it.
    best = best.toSorted((a, b) => scores[b]! - scores[a]! || a - b).slice(0, limit)
    if (turns.isOver(best.length + TOGETHER)) await turns.next()
  }
  return best
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
