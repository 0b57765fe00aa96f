// How documents become terms, and which terms are kept: what all that counts terms has in common.
import { Corpus } from '../corpus/corpus.js'
import { type CorpusSource, feed, settleSource } from '../corpus/source.js'
import { textOptions } from '../corpus/text.js'
import { InvalidOptionError } from '../errors.js'
import { type CorpusHandle, type ReadingSpec, TextStream } from '../native.js'
import { type Settings, flag, integer, list, oneOf, real } from '../options.js'
import type { MakeFeeder } from '../run.js'

/** How files are cut into documents. An item of an iterable is a document. */
export const readingOptions = {
  /** What a document of a file is: a line, an empty one too, or what stands between blank lines. */
  documents: oneOf(['line', 'paragraph'], 'what a document of a file is'),
  /** Bytes that are no UTF-8: an error with file and offset, U+FFFD in their place, or the word
   * that holds them left out. */
  invalidUtf8: textOptions.invalidUtf8,
}

/** Which terms a document has. In brackets: scikit-learn's names. */
export const analysisOptions = {
  /** What terms are made of: words; characters of the whole text; or characters within words, which
   * get a space on both sides [analyzer: 'word', 'char', 'char_wb']. */
  unit: oneOf(['words', 'characters', 'characters-in-words'], 'what terms are made of'),
  /** Words or characters of the shortest term [ngram_range]. */
  minNgram: integer(1, { from: 1, to: 100 }, 'words or characters of the shortest term'),
  /** Words or characters of the longest term [ngram_range]. Default: as many as of the shortest. */
  maxNgram: integer(undefined, { from: 1, to: 100 }, 'words or characters of the longest term'),
  /** What a word is: two or more letters, digits and underscores in a row, as scikit-learn's
   * `token_pattern`; a word as Unicode has it; what stands between white space; or, in Chinese, as
   * jieba finds it. */
  tokenizer: oneOf(['alphanumeric', 'words', 'whitespace', 'chinese'], 'what a word is'),
  /** Whether texts become lower case (all of Unicode). */
  lowercase: flag(true, 'makes texts lower case'),
  /** The Unicode form that texts are brought to. */
  normalization: textOptions.normalization,
  /** Words that are left out before words are joined, in lower case if that is asked for [stop_words]. */
  stopWords: list('words that are left out'),
}

/** Which terms are kept. */
export const limitOptions = {
  /** Terms of fewer documents are left out [min_df]. */
  minDocuments: integer(1, { from: 1 }, 'leaves out terms of fewer documents'),
  /** Terms of more documents are left out [max_df]. Default: none. */
  maxDocuments: integer(undefined, { from: 1 }, 'leaves out terms of more documents'),
  /** Terms of a smaller share of the documents are left out [min_df]. */
  minShare: real(0, { from: 0, to: 1 }, 'leaves out terms of a smaller share of the documents'),
  /** Terms of a larger share of the documents are left out [max_df]. */
  maxShare: real(1, { from: 0, to: 1 }, 'leaves out terms of a larger share of the documents'),
  /** Only so many terms are kept, the most frequent; ties by their bytes [max_features]. Default: all. */
  maxFeatures: integer(undefined, { from: 1, to: 0xffff_fff0 }, 'keeps only so many terms'),
}

type AnalysisSettings = Settings<typeof analysisOptions>

/** What no single option can say. */
export function settleAnalysis<T extends AnalysisSettings>(
  settings: T,
  given: object,
  who: string,
): T & { readonly maxNgram: number } {
  const { minNgram, maxNgram = minNgram, unit } = settings
  const refuse = (option: string, message: string): never => {
    throw new InvalidOptionError(`${who}: \`${option}\` ${message}`, { option })
  }
  if (maxNgram < minNgram) refuse('maxNgram', `is below \`minNgram\` (${minNgram})`)
  for (const option of ['tokenizer', 'stopWords'] as const) {
    if (unit !== 'words' && (given as Record<string, unknown>)[option] !== undefined) {
      refuse(option, `is for words only, not for ${unit}`)
    }
  }
  return { ...settings, maxNgram }
}

/** What a native reader is given: files, a corpus, or a stream and what feeds it. */
export function openTexts(
  source: CorpusSource | Corpus,
  reading: ReadingSpec,
  who: string,
): {
  readonly from: string[] | TextStream | CorpusHandle
  readonly feeder: MakeFeeder | undefined
} {
  if (source instanceof Corpus) return { from: source.native(who), feeder: undefined }
  const { files, texts } = settleSource(source, who)
  if (files) return { from: files, feeder: undefined }
  const stream = new TextStream()
  return { from: stream, feeder: feed(texts, stream, reading.invalidUtf8, who) }
}
