import { Corpus, readCorpus } from '../corpus/corpus.js'
import { type CorpusSource, settleSource } from '../corpus/source.js'
import { InlayError, InvalidOptionError } from '../errors.js'
import { Handle } from '../handle.js'
import {
  type EvaluationFigures,
  type NextWords,
  type NgramHandle,
  type ScoredSentences,
  evaluateNgrams,
  generateTexts,
  nextWords,
  openArpa,
  openNgrams,
  saveArpa,
  saveNgrams,
  scoreSentences,
  trainNgrams,
} from '../native.js'
import { type RunOptions, runOptions, settle, settleAlone, wrongOption } from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run, serve } from '../run.js'
import { WordList, decode } from '../vectors/word-list.js'
import {
  type ArpaOptions,
  type FilterOptions,
  type GenerateOptions,
  type NextWordsOptions,
  type NgramOptions,
  type NgramSaveOptions,
  type NgramTrainSettings,
  type PerplexityOptions,
  arpaOptions,
  filterOptions,
  generateOptions,
  isSentence,
  nextWordsOptions,
  ngramOptions,
  ngramSaveOptions,
  perplexityOptions,
} from './ngram-options.js'

/** A sentence: its text, which is split as the model's text was, or its words. */
export type Sentence = string | readonly string[]

/** How likely a word is after those before it. */
export interface WordScore {
  /** As the model spells it; `</s>` for the end of the sentence. */
  readonly word: string
  /** log10 of its probability. */
  readonly logProbability: number
  /** Words of the longest n-gram of the model that ends with it: less than the model's order where the
   * model had to back off, or where the sentence has just begun. */
  readonly order: number
  /** Whether it is not in the vocabulary. */
  readonly unknown: boolean
}

/** How likely a sentence is. */
export interface SentenceScore {
  /** log10 of its probability, its end included. */
  readonly logProbability: number
  /** 10 to the power of -logProbability / words. */
  readonly perplexity: number
  /** Its words in order, and its end. */
  readonly words: readonly WordScore[]
}

/** How well a model foretells a text. Ends of sentences count as words. */
export interface Perplexity {
  /** 10 to the power of -logProbability / words. */
  readonly perplexity: number
  /** The same of words in the vocabulary alone, in their contexts. */
  readonly perplexityOfKnown: number
  /** log10 of the probability of the text. */
  readonly logProbability: number
  readonly words: number
  readonly sentences: number
  /** Words that are not in the vocabulary. */
  readonly unknown: number
}

/** A word that may come next. */
export interface NextWord {
  /** `</s>` for the end of the sentence, `<unk>` for whatever is not in the vocabulary. */
  readonly word: string
  readonly probability: number
}

/** How a model was estimated. */
export interface NgramSettings {
  /** By order: n-grams that occur so often or less were left out. */
  readonly prune: readonly number[]
  /** By order: what was taken from counts of 1, 2, and 3 and more. */
  readonly discounts: readonly (readonly number[])[]
  readonly minCount: number
  readonly maxVocabulary: number | undefined
}

/** What `filter` scores at once: texts, and characters. */
const TEXTS = 1024
const CHARACTERS = 1 << 18

/**
 * A language model of n-grams: how likely is a word after the n - 1 words before it. Interpolated
 * modified Kneser-Ney (Chen and Goodman 1998, "An Empirical Study of Smoothing Techniques for Language
 * Modeling"), as KenLM's lmplz estimates it (Heafield et al. 2013).
 *
 *     text ─▶ n-grams of all orders, counted ─▶ discounts ─▶ probabilities, back-offs
 *
 *     const model = await NgramLanguageModel.train('corpus.txt', { order: 5 })
 *     model.score('this is a sentence').perplexity
 *     await model.save('model.safetensors')
 */
export class NgramLanguageModel {
  /** Words of the longest n-gram. */
  readonly order: number
  /** How many n-grams there are of each order, from 1 on. */
  readonly ngrams: readonly number[]
  /** `<unk>`, `<s>` and `</s>`, then the words of the vocabulary as they first occurred. */
  readonly words: WordList
  /** How it was estimated; `undefined` for an ARPA file, which does not say. */
  readonly options: NgramSettings | undefined
  /** Bits of its probabilities and back-offs, if it was opened from a file that was quantized. */
  readonly quantization: number | undefined
  readonly #handle: Handle<NgramHandle>
  readonly #names

  /** @internal */
  constructor(native: NgramHandle) {
    this.#handle = new Handle(native)
    this.#names = new Handle(native.names())
    this.words = new WordList(this.#names)
    this.ngrams = native.ngrams()
    this.order = this.ngrams.length
    this.quantization = native.quantization() ?? undefined
    const made = native.estimation() ?? undefined
    this.options = made && { ...made, maxVocabulary: made.maxVocabulary ?? undefined }
  }

  /**
   * Estimates a model of `source`: each line is a sentence, empty lines are none. The same text gives
   * the same bytes for any number of threads and any `memory`.
   *
   *     const model = await NgramLanguageModel.train('corpus.txt', { order: 3, prune: [0, 0, 1] })
   *
   * Of a `Corpus`, which must have been read with `minCount: 1`, the options of the text are decided;
   * `tokenizer`, `lowercase` and `normalization` say how sentences will be split that are scored.
   *
   * @throws {InvalidOptionError} before anything is read; a corpus that lacks words of its text
   * @throws {InlayError} as `Corpus.read`; `INVALID_INPUT` a text that is too small or too uniform for
   * discounts (see `discountFallback`), or that has the word `<s>` or `</s>`; `OUT_OF_MEMORY`, `DISK_FULL`
   */
  static async train(
    source: CorpusSource | Corpus,
    options: NgramOptions = {},
  ): Promise<NgramLanguageModel> {
    const who = 'NgramLanguageModel.train'
    const { settings, run: runSettings } = settle(ngramOptions, options, who)
    const prune = thresholdsOf(settings, who)
    if (source instanceof Corpus) refuseCorpus(source, options, who)
    const text = { ...settings, minCount: 1, maxVocabulary: undefined, stopWords: [] }
    const corpus =
      source instanceof Corpus ? source : await readCorpus(source, text, runSettings, who)
    const { discountFallback, minCount, maxVocabulary } = settings
    const smoothing = { prune, discountFallback, minCount, maxVocabulary }
    try {
      const native = corpus.native(who)
      return new NgramLanguageModel(
        await run<NgramHandle>(who, runSettings, (spec, events) =>
          trainNgrams(native, settings, smoothing, settings, spec, events),
        ),
      )
    } finally {
      if (corpus !== source) corpus.close()
    }
  }

  /**
   * Opens a model that `save` wrote. It is mapped, not read.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no n-gram language model, or damaged
   */
  static async open(path: Path, options: RunOptions = {}): Promise<NgramLanguageModel> {
    const who = 'NgramLanguageModel.open'
    const file = settlePath(path, who)
    const runSettings = settle({}, options, who).run
    return new NgramLanguageModel(
      await run<NgramHandle>(who, runSettings, (spec, events) => openNgrams(file, spec, events)),
    )
  }

  /**
   * Reads an ARPA file, as KenLM and SRILM write them, plain, gzip or zstd. Options say how sentences
   * will be split that are scored: the file does not.
   *
   *     const model = await NgramLanguageModel.openArpa('model.arpa.gz', { lowercase: true })
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` a damaged file, with the offset of the line;
   * `UNSUPPORTED` an n-gram whose words but the last, or but the first, have no n-gram of their own
   */
  static async openArpa(path: Path, options: ArpaOptions = {}): Promise<NgramLanguageModel> {
    const who = 'NgramLanguageModel.openArpa'
    const file = settlePath(path, who)
    const { settings, run: runSettings } = settle(arpaOptions, options, who)
    const room = { memory: settings.memory, spoolDirectory: undefined }
    return new NgramLanguageModel(
      await run<NgramHandle>(who, runSettings, (spec, events) =>
        openArpa(file, settings, room, spec, events),
      ),
    )
  }

  /**
   * Writes the model to a file, for `open`. The file is there in full or not at all. With `quantization`
   * it is about a fifth of the size, and answers are near rather than exact.
   *
   *     await model.save('small.safetensors', { quantization: 8 })
   *
   * @throws {InvalidOptionError}
   * @throws {InlayError} `INVALID_INPUT` the model was opened from a quantized file and would be quantized
   * again; `DISK_FULL`, `IO`
   */
  async save(path: Path, options: NgramSaveOptions = {}): Promise<void> {
    const who = 'NgramLanguageModel.save'
    const file = settlePath(path, who)
    const { settings, run: runSettings } = settle(ngramSaveOptions, options, who)
    const native = this.#handle.use(who)
    await run<void>(who, runSettings, (spec, events) =>
      saveNgrams(native, file, settings.quantization, spec, events),
    )
  }

  /**
   * Writes an ARPA file, with gzip if its name ends in `.gz`: what lmplz writes for the same text, byte
   * for byte.
   *
   * @throws {InvalidOptionError} the name ends in `.zst`, which is only read
   * @throws {InlayError} `DISK_FULL`, `IO`
   */
  async saveArpa(path: Path, options: RunOptions = {}): Promise<void> {
    const who = 'NgramLanguageModel.saveArpa'
    const file = settlePath(path, who)
    if (/\.zst$/i.test(file)) {
      throw wrongOption('path', 'a name that does not end in .zst, which is only read', file, who)
    }
    const runSettings = settle({}, options, who).run
    const native = this.#handle.use(who)
    await run<void>(who, runSettings, (spec, events) => saveArpa(native, file, spec, events))
  }

  /**
   * How likely a sentence is, word by word: P(w₁) P(w₂ | w₁) ... P(end | ...). With `begin: false` it
   * does not stand at the beginning of a sentence, with `end: false` it goes on. Takes microseconds.
   *
   *     const { perplexity, words } = model.score('we shall see')
   *     words.filter(({ unknown }) => unknown)
   *
   * @throws {InvalidOptionError} it is no text and no array of words
   */
  score(
    sentence: Sentence,
    { begin = true, end = true }: { readonly begin?: boolean; readonly end?: boolean } = {},
  ): SentenceScore {
    const who = 'NgramLanguageModel.score'
    settleSentence(sentence, 'sentence', who)
    const scored = this.#handle.use(who).score(sentence as string | string[], begin, end)
    const words = decode(scored.words).map((word, i) => ({
      word,
      logProbability: scored.logProbabilities[i]!,
      order: scored.orders[i]!,
      unknown: scored.unknown[i] === 1,
    }))
    const logProbability = words.reduce((sum, word) => sum + word.logProbability, 0)
    return { logProbability, perplexity: perplexityOf(logProbability, words.length), words }
  }

  /**
   * How well the model foretells a text, whose lines are sentences. The same for any number of threads.
   *
   *     const { perplexity, unknown } = await model.perplexity('test.txt')
   *
   * @throws {InvalidOptionError} a corpus that lacks words of its text
   * @throws {InlayError} as `Corpus.read`
   */
  async perplexity(
    source: CorpusSource | Corpus,
    options: PerplexityOptions = {},
  ): Promise<Perplexity> {
    const who = 'NgramLanguageModel.perplexity'
    const { settings, run: runSettings } = settle(perplexityOptions, options, who)
    const native = this.#handle.use(who)
    const rest = { phrases: undefined, minCount: 1, maxVocabulary: undefined, stopWords: [] }
    if (source instanceof Corpus) refuseCorpus(source, options, who)
    const corpus =
      source instanceof Corpus
        ? source
        : await readCorpus(source, { ...native.spelling(), ...settings, ...rest }, runSettings, who)
    try {
      const from = corpus.native(who)
      const { words, sentences, unknown, ...found } = await run<EvaluationFigures>(
        who,
        runSettings,
        (spec, events) => evaluateNgrams(native, from, spec, events),
      )
      return {
        perplexity: perplexityOf(found.logProbability, words),
        perplexityOfKnown: perplexityOf(found.logProbabilityOfKnown, words - unknown),
        logProbability: found.logProbability,
        words,
        sentences,
        unknown,
      }
    } finally {
      if (corpus !== source) corpus.close()
    }
  }

  /**
   * The likeliest words after a context, likeliest first. All words of the vocabulary, its end and
   * `<unk>` have 1 together.
   *
   *     const [{ word, probability }] = await model.nextWords('members of the', { limit: 1 })
   *
   * @throws {InvalidOptionError} the context is no text and no array of words
   */
  async nextWords(context: Sentence, options: NextWordsOptions = {}): Promise<NextWord[]> {
    const who = 'NgramLanguageModel.nextWords'
    settleSentence(context, 'context', who)
    const { settings, run: runSettings } = settle(nextWordsOptions, options, who)
    const native = this.#handle.use(who)
    const begin = settings.from === 'beginning'
    const found = await run<NextWords>(who, runSettings, (spec, events) =>
      nextWords(native, context, begin, settings.limit, spec, events),
    )
    return decode(found.words).map((word, i) => ({
      word,
      probability: 10 ** found.logProbabilities[i]!,
    }))
  }

  /**
   * Draws texts, each word by its probability after those before it, up to the end of the sentence; an
   * array of words for each, those of `prompt` first. The same `seed` gives the same texts.
   *
   *     const [words] = await model.generate({ prompt: 'the people', maxWords: 20, seed: 7 })
   *
   * @throws {InvalidOptionError}
   */
  async generate(options: GenerateOptions = {}): Promise<string[][]> {
    const who = 'NgramLanguageModel.generate'
    const { settings, run: runSettings } = settle(generateOptions, options, who)
    const { prompt = [], texts, maxWords, temperature } = settings
    const native = this.#handle.use(who)
    const before = this.score(prompt, { end: false }).words.map(({ word }) => word)
    const drawn = await run<string[][]>(who, runSettings, (spec, events) =>
      generateTexts(native, prompt, texts, maxWords, temperature, spec, events),
    )
    return drawn.map((words) => before.concat(words))
  }

  /**
   * Log10 of the probability of each sentence, and how many words it has: its end counts as one. Much
   * faster than one `score` after the other.
   *
   * @throws {InvalidOptionError} an item that is no text and no array of words
   */
  async scoreAll(
    sentences: readonly Sentence[],
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<{
    readonly logProbabilities: Float64Array
    readonly words: Uint32Array
    readonly unknown: Uint32Array
  }> {
    const who = 'NgramLanguageModel.scoreAll'
    if (!Array.isArray(sentences)) throw wrongOption('sentences', 'an array', sentences, who)
    for (const sentence of sentences) settleSentence(sentence, 'sentences', who)
    const { signal } = settleAlone({ signal: runOptions.signal }, options, who)
    const native = this.#handle.use(who)
    return serve<ScoredSentences>(who, signal, (events) =>
      scoreSentences(native, sentences as string[], events),
    )
  }

  /**
   * Those texts of a stream that are neither too unlikely nor too likely, as they come: what a model of
   * good text finds good. Each text is scored as one sentence.
   *
   *     for await (const text of model.filter(lines, { maxPerplexity: 500 })) console.log(text)
   *
   * @throws {InvalidOptionError} before anything is read; neither limit is given
   * @throws {InlayError} `INVALID_INPUT` an item that is no text and no array of words
   */
  async *filter<Item extends Sentence>(
    texts: Iterable<Item> | AsyncIterable<Item>,
    options: FilterOptions = {},
  ): AsyncGenerator<Item, void, undefined> {
    const who = 'NgramLanguageModel.filter'
    const table = { ...filterOptions, signal: runOptions.signal }
    const { maxPerplexity, minPerplexity, signal } = settleAlone(table, options, who)
    if (maxPerplexity === undefined && minPerplexity === undefined) {
      const message = `${who}: \`maxPerplexity\` or \`minPerplexity\` is wanted: without them nothing is left out`
      throw new InvalidOptionError(message, { option: 'maxPerplexity' })
    }
    if (!settleSource(texts, who).texts)
      throw wrongOption('texts', 'an iterable of texts', texts, who)
    const kept = async (batch: readonly Item[]) => {
      const { logProbabilities, words } = await this.scoreAll(batch, { signal })
      return batch.filter((_, i) => {
        const perplexity = perplexityOf(logProbabilities[i]!, words[i]!)
        return perplexity <= (maxPerplexity ?? Infinity) && perplexity >= (minPerplexity ?? 0)
      })
    }
    let batch: Item[] = []
    let characters = 0
    let index = 0
    for await (const text of texts) {
      if (!isSentence(text)) {
        throw new InlayError(
          'INVALID_INPUT',
          `${who}: item ${index} is neither a text nor an array of words`,
          {
            index,
          },
        )
      }
      index++
      batch.push(text)
      characters += text.length
      if (batch.length < TEXTS && characters < CHARACTERS) continue
      yield* await kept(batch)
      batch = []
      characters = 0
    }
    if (batch.length > 0) yield* await kept(batch)
  }

  /** Frees the memory now rather than when the garbage is collected. */
  close(): void {
    this.#handle.close()
    this.#names.close()
  }

  /** As `close`: `using model = await NgramLanguageModel.open(...)` closes it at the end of the block. */
  [Symbol.dispose](): void {
    this.close()
  }
}

function perplexityOf(logProbability: number, words: number): number {
  return 10 ** (-logProbability / words)
}

/** A threshold for each order. */
function thresholdsOf({ prune = [0], order }: NgramTrainSettings, who: string): number[] {
  if (prune.length > order) {
    const message = `${who}: \`prune\` has ${prune.length} numbers, the order is ${order}`
    throw new InvalidOptionError(message, { option: 'prune' })
  }
  return Array.from({ length: order }, (_, i) => prune[i] ?? prune.at(-1) ?? 0)
}

function settleSentence(given: unknown, name: string, who: string): void {
  if (!isSentence(given)) throw wrongOption(name, 'a text or an array of words', given, who)
}

/** Words that are not in a corpus cannot become `<unk>`; and how it was read is decided. */
function refuseCorpus(corpus: Corpus, given: object, who: string): void {
  const vain = ['sentences', 'invalidUtf8', 'phrases'].find(
    (name) => (given as Record<string, unknown>)[name] !== undefined,
  )
  if (vain !== undefined) {
    const message = `${who}: \`${vain}\` has no meaning for a Corpus, which is read already`
    throw new InvalidOptionError(message, { option: vain })
  }
  if (corpus.dropped.tokens > 0) {
    const message = `${who}: the corpus lacks words of its text: read it with \`minCount: 1\`, without \`maxVocabulary\` and \`stopWords\``
    throw new InvalidOptionError(message, { option: 'source' })
  }
}
