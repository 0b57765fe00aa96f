import { type Options, type Settings, flag, oneOf, text } from '../options.js'

/** What a word can be. */
export const tokenizers = ['whitespace', 'words', 'alphanumeric', 'chinese'] as const

/** How text becomes words: what a corpus and phrases have in common. */
export const textOptions = {
  /** What a word is: what stands between ASCII white space; a word as Unicode has it (UAX #29),
   * punctuation left out; two or more letters, digits and underscores in a row, as scikit-learn has it;
   * or a Chinese word as jieba finds it. Texts only: an array of words is taken as it is. */
  tokenizer: oneOf(tokenizers, 'what a word is'),
  /** Whether words become lower case (all of Unicode). */
  lowercase: flag(false, 'makes words lower case'),
  /** The Unicode form that words are brought to. */
  normalization: oneOf(['none', 'NFC', 'NFD', 'NFKC', 'NFKD'], 'the Unicode form of words'),
  /** What ends a sentence: the line, or a blank line. Contexts do not cross it. */
  sentences: oneOf(['line', 'paragraph'], 'what ends a sentence'),
  /** Bytes that are no UTF-8: an error with file and offset, U+FFFD in their place, or the word
   * that holds them left out. */
  invalidUtf8: oneOf(['error', 'replace', 'skip'], 'what to do with bytes that are no UTF-8'),
  /** Where temporary files go (8 bytes at most for each word of the text). Default: the system's. */
  spoolDirectory: text('where temporary files go', 'FOLDER'),
}

/** How text becomes words: see `textOptions`. */
export type TextOptions = Options<typeof textOptions>

/** `TextOptions` when checked. */
export type TextSettings = Settings<typeof textOptions>
