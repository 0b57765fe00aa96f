// In how many documents each word occurs: what TF-IDF weights are made from.
import { feed, settleSource, type Text, type Texts } from '../corpus/source.js'
import { textOptions } from '../corpus/text.js'
import { type FrequenciesHandle, TextStream, countDocuments } from '../native.js'
import { type RunSettings, type Settings, custom, wrongOption } from '../options.js'
import { run } from '../run.js'

/** How texts become words. */
export const splitOptions = {
  /** What a word is: what stands between ASCII white space; a word as Unicode has it (UAX #29),
   * punctuation left out; two or more letters, digits and underscores in a row; or a Chinese word. */
  tokenizer: textOptions.tokenizer,
  /** Whether words become lower case (all of Unicode). */
  lowercase: textOptions.lowercase,
  /** The Unicode form that words are brought to. */
  normalization: textOptions.normalization,
}

export type SplitSettings = Settings<typeof splitOptions>

/** An option that takes texts. */
export function textsOption(about: string) {
  return custom<Texts | (() => Texts)>(
    'an iterable of texts or a function that gives one',
    areTexts,
    about,
  )
}

/** Not a string, which is an iterable of its characters, nor a list of numbers, which is one text. */
function areTexts(given: unknown): boolean {
  if (typeof given === 'function') return true
  if (Array.isArray(given)) return typeof given[0] !== 'number'
  if (typeof given !== 'object' || given === null) return false
  return Symbol.asyncIterator in given || Symbol.iterator in given
}

/**
 * How to begin reading texts.
 *
 * @throws {InvalidOptionError} they are no iterable
 */
export function settleTexts(
  texts: unknown,
  name: string,
  who: string,
): () => Iterator<Text> | AsyncIterator<Text> {
  const open = areTexts(texts) ? settleSource(texts, who).texts : undefined
  if (open) return open
  throw wrongOption(name, 'an iterable of texts', texts, who)
}

/** Counts documents, once; each text is a document. */
export async function frequenciesOf(
  documents: Texts | (() => Texts),
  split: SplitSettings,
  settings: RunSettings,
  who: string,
): Promise<FrequenciesHandle> {
  const open = settleTexts(documents, 'documents', who)
  const stream = new TextStream()
  return run<FrequenciesHandle>(
    who,
    settings,
    (spec, events) => countDocuments(stream, split, spec, events),
    feed(open, stream, 'replace', who),
  )
}
