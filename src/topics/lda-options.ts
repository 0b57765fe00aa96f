// The options of Lda's verbs, and what no single option can say.
import { corpusOptions } from '../corpus/corpus.js'
import { tokenizers } from '../corpus/text.js'
import { InvalidOptionError } from '../errors.js'
import type { LdaSpec } from '../native.js'
import {
  type Options,
  type RunOptions,
  type Settings,
  custom,
  flag,
  integer,
  maybeOneOf,
  oneOf,
  real,
  text,
  textOr,
  wrongOption,
} from '../options.js'

/** Below the least, products of both priors are nothing in single precision. */
const prior = { from: 1e-8, to: 1e6 }
const isPrior = (given: unknown) =>
  typeof given === 'number' && given >= prior.from && given <= prior.to

/** How a model is trained. In brackets: the names in tomotopy and gensim. */
const trainingOptions = {
  /** Topics [k, num_topics]. */
  topics: integer(100, { from: 1, to: 65_535 }, 'topics'),
  /** Passes over the text [iterations]. */
  iterations: integer(200, { from: 1, to: 1_000_000 }, 'passes over the text'),
  /** What each topic has in a document before anything is seen, in words [alpha]. */
  alpha: real(0.1, prior, 'what a topic has in a document beforehand, in words'),
  /** One value for each topic in the place of `alpha`, which then are not alike from the start. */
  alphas: custom<readonly number[]>(
    'an array of numbers from 1e-8 to 1000000',
    (given) => Array.isArray(given) && given.every(isPrior),
    'one value for each topic in the place of alpha',
  ),
  /** What each word has in a topic before anything is seen, in words [eta]. */
  beta: real(0.01, prior, 'what a word has in a topic beforehand, in words'),
  /** Passes from one fit of the priors to the next (Minka 2000; Wallach 2008): each topic gets an alpha
   * of its own, larger where it is in more documents; 0 leaves them as they are [optim_interval]. */
  optimizeEvery: integer(
    10,
    { from: 0, to: 1_000_000 },
    'passes from one fit of alpha to the next',
  ),
  /** Whether beta is fitted as well. */
  optimizeBeta: flag(false, 'fits beta as well'),
  /** A file that holds the state of the training: written every `checkpointEvery` seconds, when the
   * run is aborted (the rejection waits for it; what was drawn since the last whole pass is lost), and
   * at the end. If it is there at the start, training goes on from it, to the same topics as if it had
   * never stopped; with more `iterations`, a finished one goes on. */
  checkpoint: text('the file that a training goes on from, and writes its state to'),
  /** Seconds from one checkpoint to the next. */
  checkpointEvery: real(30, { above: 0, to: 1e6 }, 'seconds from one checkpoint to the next'),
}

/** Every option of `Lda.train`. */
export const ldaOptions = { ...corpusOptions, ...trainingOptions }

/** The options of `Lda.train`: see `ldaOptions`. */
export type LdaOptions = Options<typeof ldaOptions> & RunOptions

/** How a model was trained, every option with its value; `alpha` is one value or one for each topic. */
export type LdaSettings = Readonly<LdaSpec>

/** Every option of `transform`, `perplexity` and `coherence` that says how texts become words. */
const readingOptions = {
  /** What a word is, as for a corpus. Default: as in the training; a model of a `Corpus` does not know
   * how that was read. */
  tokenizer: maybeOneOf(tokenizers, 'what a word is (default: as in the training)'),
  /** Whether words become lower case. Default: as in the training. */
  lowercase: flag(undefined, 'makes words lower case (default: as in the training)'),
  /** The Unicode form that words are brought to. Default: as in the training. */
  normalization: maybeOneOf(
    ['none', 'NFC', 'NFD', 'NFKC', 'NFKD'],
    'the Unicode form of words (default: as in the training)',
  ),
  /** The phrases of the training, which the model does not hold. */
  phrases: corpusOptions.phrases,
  /** What ends a document of a file: its line, or an empty line. */
  sentences: corpusOptions.sentences,
  /** What to do with bytes of files, and halves of surrogate pairs, that are no Unicode: as for a
   * corpus. */
  invalidUtf8: corpusOptions.invalidUtf8,
}

/** `readingOptions` when checked. */
export type ReadingSettings = Settings<typeof readingOptions>

/** Every option of `transform` and `perplexity`. */
export const transformOptions = {
  ...readingOptions,
  /** Steps of each document, at most. */
  iterations: integer(100, { from: 1, to: 1_000_000 }, 'steps of each document, at most'),
  /** A document is done when a step moves less of its mixture than this. */
  tolerance: real(
    1e-3,
    { from: 0, to: 1 },
    'a document is done when a step moves less of its mixture',
  ),
}

/** The options of `transform` and `perplexity`: see `transformOptions`. */
export type TransformOptions = Options<typeof transformOptions> & RunOptions

/** Every option of `coherence`. */
export const coherenceOptions = {
  ...readingOptions,
  /** What is measured: ln (D(w, v) + 1) / D(v) over pairs (Mimno et al. 2011); normalized pointwise
   * mutual information over pairs (Aletras, Stevenson 2013); or C_v, the cosines of words by their
   * NPMI with the others (Röder et al. 2015). */
  measure: oneOf(['c-v', 'npmi', 'u-mass'], 'what is measured'),
  /** Words of each topic. */
  topWords: integer(10, { from: 2, to: 1000 }, 'words of each topic'),
  /** Words that stand together, at most; 0: the document. Default: 110 for c-v, 10 for npmi; u-mass
   * always takes documents. */
  window: integer(
    undefined,
    { from: 0, to: 1_000_000 },
    'words that stand together, at most; 0: the document (default: 110 for c-v, 10 for npmi)',
  ),
}

/** The options of `coherence`: see `coherenceOptions`. */
export type CoherenceOptions = Options<typeof coherenceOptions> & RunOptions

/** Every option of `mapPage`. */
export const topicMapOptions = {
  /** The heading. */
  title: textOr('Topics', 'the heading'),
  /** Words that are shown of a topic. */
  topWords: integer(30, { from: 1, to: 1000 }, 'words that are shown of a topic'),
}

/** The options of `mapPage`: see `topicMapOptions`. */
export type TopicMapOptions = Options<typeof topicMapOptions> & RunOptions

/** What decides how much memory a training takes. */
export const estimateOptions = {
  tokens: integer(undefined, { from: 1 }, 'words of text'),
  documents: integer(undefined, { from: 1 }, 'documents'),
  vocabulary: integer(undefined, { from: 1 }, 'different words'),
  topics: trainingOptions.topics,
}

/** Throws where options have no place beside one another. */
export function checkTogether(
  settings: Settings<typeof ldaOptions>,
  given: LdaOptions,
  who: string,
): void {
  const refuse = (option: string, message: string) => {
    throw new InvalidOptionError(`${who}: \`${option}\` ${message}`, { option })
  }
  if (settings.alphas) {
    if (given.alpha !== undefined) refuse('alpha', 'has no meaning beside `alphas`')
    if (settings.alphas.length !== settings.topics) {
      const expected = `an array of ${settings.topics} numbers, one for each topic`
      throw wrongOption('alphas', expected, settings.alphas, who)
    }
  }
  if (settings.optimizeEvery === 0 && given.optimizeBeta) {
    refuse('optimizeBeta', 'has no meaning where `optimizeEvery` is 0')
  }
  if (given.checkpointEvery !== undefined && settings.checkpoint === undefined) {
    refuse('checkpointEvery', 'has no meaning without `checkpoint`')
  }
}

/** @throws {InvalidOptionError} options of reading, which a Corpus has behind it */
export function refuseReading(given: LdaOptions, who: string): void {
  const names = Object.keys(corpusOptions) as (keyof typeof corpusOptions)[]
  const vain = names.find((name) => given[name] !== undefined)
  if (vain === undefined) return
  const expected = 'left out where the source is a Corpus, which was read with its own'
  throw wrongOption(vain, expected, given[vain], who)
}

/** What the native side takes. */
export function trainSpec(settings: Settings<typeof ldaOptions>): LdaSpec {
  return { ...settings, alpha: settings.alphas ? [...settings.alphas] : [settings.alpha] }
}
