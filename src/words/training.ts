// What the models of words and their contexts have in common: options of their training, what no
// single option can say, and the corpus they read.
import {
  type CorpusOptions,
  type CorpusSettings,
  Corpus,
  corpusOptions,
  readCorpus,
} from '../corpus/corpus.js'
import type { CorpusSource } from '../corpus/source.js'
import {
  type Options,
  type RunSettings,
  type Settings,
  custom,
  flag,
  integer,
  oneOf,
  real,
  refusal,
  text,
  wrongOption,
} from '../options.js'
import { WordVectors } from '../vectors/word-vectors.js'

/** How models of words and their contexts are trained. In brackets: the names in word2vec.c and
 * gensim. */
export const trainingOptions = {
  /** What predicts what: the centre each word of its context, or the mean of the context the
   * centre [-cbow, sg]. */
  architecture: oneOf(['skip-gram', 'cbow'], 'what predicts what'),
  /** How a prediction is scored [-hs, hs]. */
  objective: oneOf(['negative-sampling', 'hierarchical-softmax'], 'how a prediction is scored'),
  /** Values in a word's vector [-size, vector_size]. */
  dimensions: integer(100, { from: 1, to: 4096 }, "values in a word's vector"),
  /** Words on each side of the centre, at most [-window]. */
  window: integer(5, { from: 1, to: 1000 }, 'words on each side of the centre, at most'),
  /** Whether each context has a random width up to `window`, so that near words count more
   * [shrink_windows]. */
  shrinkWindow: flag(true, 'gives each context a random width up to the window'),
  /** Noise words for each prediction; negative sampling only [-negative]. */
  negative: integer(5, { from: 1, to: 1000 }, 'noise words for each prediction'),
  /** Noise words are drawn by count to this power: 0 all alike, 1 as they occur, below 0 the rare
   * ones first, as for item2vec (Caselles-Dupré et al. 2018, arXiv:1804.04212) [ns_exponent]. */
  negativeExponent: real(
    0.75,
    { from: -10, to: 10 },
    'noise words are drawn by count to this power',
  ),
  /** Whether the words around one centre share their noise words: several times as fast, at the
   * same quality; `false` draws for each prediction, as word2vec.c does. */
  sharedNegatives: flag(true, 'lets the words around one centre share their noise words'),
  /** Passes over the corpus [-iter, epochs]. */
  epochs: integer(5, { from: 1, to: 1_000_000 }, 'passes over the corpus'),
  /** Learning rate at the first word [-alpha, alpha]. Default: 0.025, for cbow 0.05. */
  learningRate: real(
    undefined,
    { above: 0, to: 10 },
    'learning rate at the first word (default: 0.025, cbow 0.05)',
  ),
  /** Learning rate at the last word [min_alpha]. Default: 1e-4 of `learningRate`. */
  finalLearningRate: real(
    undefined,
    { from: 0, to: 10 },
    'learning rate at the last word (default: 1e-4 of the first)',
  ),
  /** The way from the first learning rate to the last. */
  schedule: oneOf(
    ['linear', 'cosine', 'constant'],
    'the way from the first learning rate to the last',
  ),
  /** Occurrences of words more frequent than this share of the text are left out at random
   * [-sample, sample]; 0 leaves none out. */
  subsample: real(
    1e-3,
    { from: 0, to: 1 },
    'leaves out occurrences of words more frequent than this share',
  ),
  /** Input vectors to start from; words that are not in it start at random. */
  initialVectors: custom<WordVectors>(
    'WordVectors',
    (given) => given instanceof WordVectors,
    'vectors to start from',
  ),
  /** A file that holds the state of the training: written every `checkpointEvery` seconds, when the
   * run is aborted (the rejection waits for it), and at the end. If it is there at the start, training
   * goes on from it; with one thread to the same bytes as if it had never stopped. */
  checkpoint: text('the file that a training goes on from, and writes its state to'),
  /** Seconds from one checkpoint to the next. */
  checkpointEvery: real(30, { above: 0, to: 1e6 }, 'seconds from one checkpoint to the next'),
}

/** `trainingOptions` when checked. */
export type TrainingSettings = Settings<typeof trainingOptions>

/** What no single option can say. */
export function checkTogether(
  settings: Pick<TrainingSettings, 'objective' | 'checkpoint' | 'schedule'>,
  given: Options<Omit<typeof trainingOptions, 'architecture'>>,
  who: string,
): void {
  const refuse = refusal(who)
  if (settings.objective === 'hierarchical-softmax') {
    for (const option of ['negative', 'negativeExponent', 'sharedNegatives'] as const) {
      if (given[option] !== undefined) refuse(option, 'is for negative sampling only')
    }
  }
  if (given.checkpointEvery !== undefined && settings.checkpoint === undefined) {
    refuse('checkpointEvery', 'has no meaning without `checkpoint`')
  }
  if (settings.schedule === 'constant' && given.finalLearningRate !== undefined) {
    refuse('finalLearningRate', "has no meaning with the schedule 'constant'")
  }
}

/** The corpus itself, or what is read of a source; then it is the caller's to close. */
export async function corpusOf(
  source: CorpusSource | Corpus,
  settings: CorpusSettings,
  given: CorpusOptions,
  runSettings: RunSettings,
  who: string,
): Promise<Corpus> {
  if (!(source instanceof Corpus)) return readCorpus(source, settings, runSettings, who)
  refuseReading(given, who)
  return source
}

/** @throws {InvalidOptionError} options of reading, which a Corpus has behind it */
export function refuseReading(given: CorpusOptions, who: string): void {
  const names = Object.keys(corpusOptions) as (keyof typeof corpusOptions)[]
  const vain = names.find((name) => given[name] !== undefined)
  if (vain === undefined) return
  const expected = 'left out where the source is a Corpus, which was read with its own'
  throw wrongOption(vain, expected, given[vain], who)
}

/** @throws {InvalidOptionError} it is no list of words */
export function checkWords(words: readonly string[], name: string, who: string): void {
  if (Array.isArray(words) && words.every((word) => typeof word === 'string')) return
  throw wrongOption(name, 'an array of words', words, who)
}
