import { corpusOptions } from '../corpus/corpus.js'
import { textOptions } from '../corpus/text.js'
import {
  type Options,
  type RunOptions,
  type Settings,
  custom,
  integer,
  oneOf,
  real,
} from '../options.js'

/** The highest order of a model. */
export const highestOrder = 10

/** Whole numbers that do not fall, the first 0. */
function areThresholds(given: unknown): boolean {
  if (!Array.isArray(given) || given[0] !== 0 || given.length > highestOrder) return false
  return given.every(
    (value, i) => Number.isInteger(value) && value >= (given[i - 1] ?? 0) && value < 2 ** 31,
  )
}

/** Discounts of counts 1, 2, and 3 and more: no more than the count. */
function areDiscounts(given: unknown): boolean {
  if (!Array.isArray(given) || given.length < 1 || given.length > 3) return false
  return given.every((value, i) => typeof value === 'number' && value >= 0 && value <= i + 1)
}

/** How texts are split, and how sentences will be that are scored. */
export const spellingOptions = {
  /** What a word is, in the text and in sentences that are scored. */
  tokenizer: textOptions.tokenizer,
  /** Whether words become lower case, in the text and in sentences that are scored. */
  lowercase: textOptions.lowercase,
  /** The Unicode form that words are brought to. */
  normalization: textOptions.normalization,
}

/** What is read of a text. */
export const readingOptions = {
  ...spellingOptions,
  sentences: textOptions.sentences,
  invalidUtf8: textOptions.invalidUtf8,
  spoolDirectory: textOptions.spoolDirectory,
}

/** How much memory there is. */
export const memoryOptions = {
  /** Bytes that counting and estimation take at most; what does not fit goes to temporary files, which
   * the system keeps in memory as far as it has some to spare [-S]. */
  memory: integer(4_000_000_000, { from: 1_000_000 }, 'bytes for the estimation, at most'),
}

/** Every option of `NgramLanguageModel.train`. In brackets: the names in lmplz. */
export const ngramOptions = {
  ...readingOptions,
  /** Phrases whose words are joined before anything is counted. */
  phrases: corpusOptions.phrases,
  /** Words of the longest n-gram: a word is foretold by those before it, one less [-o]. */
  order: integer(5, { from: 1, to: highestOrder }, 'words of the longest n-gram'),
  /** For each order from 1 on, how often an n-gram must occur at least to be left out: `[0, 0, 1]`
   * leaves out those of three and more words that occur once. The last holds for all higher orders; the
   * first is 0, since rare words are what `minCount` is for [--prune]. */
  prune: custom<readonly number[]>(
    'a list of whole numbers that begins with 0 and does not fall',
    areThresholds,
    'leaves out n-grams of each order that occur so often or less',
  ),
  /** What is taken from counts of 1, 2, and 3 and more at orders where the text is too small or too
   * uniform to tell; one number or two hold for the rest. Default: such a text is an error
   * [--discount_fallback]. */
  discountFallback: custom<readonly number[]>(
    'one to three numbers, none above 1, 2 and 3',
    areDiscounts,
    'discounts for texts that have none of their own, as 0.5,1,1.5',
  ),
  /** Words that occur less often are `<unk>`, which is then foretold like any other word. With 1 the
   * vocabulary is full, and `<unk>` has what is left for unheard-of words. */
  minCount: integer(1, { from: 1 }, 'makes words that occur less often <unk>'),
  /** Only so many words are told apart, the most frequent ones; the others are `<unk>`. Default: all. */
  maxVocabulary: integer(undefined, { from: 1, to: 0xffff_fff0 }, 'tells only so many words apart'),
  ...memoryOptions,
}

/** The options of `NgramLanguageModel.train`: see `ngramOptions`. */
export type NgramOptions = Options<typeof ngramOptions> & RunOptions

export type NgramTrainSettings = Settings<typeof ngramOptions>

/** Every option of `NgramLanguageModel.openArpa`. */
export const arpaOptions = { ...spellingOptions, ...memoryOptions }

/** The options of `NgramLanguageModel.openArpa`: see `arpaOptions`. */
export type ArpaOptions = Options<typeof arpaOptions> & RunOptions

/** Every option of `save`. */
export const ngramSaveOptions = {
  /** Bits of each probability and back-off of two and more words: the nearest of 2^bits values of its
   * order. Makes a packed file, a fifth of the size with 8. Default: exact values, in tables. */
  quantization: integer(undefined, { from: 2, to: 16 }, 'bits of a value: makes a small file'),
}

/** The options of `save`: see `ngramSaveOptions`. */
export type NgramSaveOptions = Options<typeof ngramSaveOptions> & RunOptions

/** Every option of `perplexity`. */
export const perplexityOptions = {
  sentences: textOptions.sentences,
  invalidUtf8: textOptions.invalidUtf8,
  spoolDirectory: textOptions.spoolDirectory,
}

/** The options of `perplexity`: see `perplexityOptions`. */
export type PerplexityOptions = Options<typeof perplexityOptions> & RunOptions

/** Every option of `generate`. */
export const generateOptions = {
  /** What the text begins with: a text, or its words. Default: nothing. */
  prompt: custom<string | readonly string[]>(
    'a text or an array of words',
    isSentence,
    'what it begins with',
  ),
  /** Texts. */
  texts: integer(1, { from: 1, to: 1_000_000 }, 'texts'),
  /** Words of a text at most, without those of `prompt`. */
  maxWords: integer(100, { from: 1, to: 1_000_000 }, 'words of a text at most'),
  /** Probabilities are raised to 1 / temperature: below 1 likely words become likelier. */
  temperature: real(1, { above: 0, to: 100 }, 'below 1 likely words become likelier'),
}

/** The options of `generate`: see `generateOptions`. */
export type GenerateOptions = Options<typeof generateOptions> & RunOptions

/** Every option of `nextWords`. */
export const nextWordsOptions = {
  /** Words, the likeliest ones. */
  limit: integer(10, { from: 1, to: 0xffff_fff0 }, 'words'),
  /** Whether the context begins its sentence; else it stands in the middle of one. */
  from: oneOf(['beginning', 'middle'], 'where the context stands in its sentence'),
}

/** The options of `nextWords`: see `nextWordsOptions`. */
export type NextWordsOptions = Options<typeof nextWordsOptions> & RunOptions

/** Every option of `filter`. */
export const filterOptions = {
  /** Texts of a higher perplexity are left out. Default: none. */
  maxPerplexity: real(undefined, { from: 1 }, 'leaves out texts of a higher perplexity'),
  /** Texts of a lower perplexity are left out, such as what repeats itself. Default: none. */
  minPerplexity: real(undefined, { from: 1 }, 'leaves out texts of a lower perplexity'),
}

/** The options of `filter`: see `filterOptions`. */
export type FilterOptions = Options<typeof filterOptions> & {
  readonly signal?: AbortSignal | undefined
}

/** A text, or its words. */
export function isSentence(given: unknown): given is string | readonly string[] {
  if (typeof given === 'string') return true
  return Array.isArray(given) && given.every((word) => typeof word === 'string')
}
