import { Handle } from '../handle.js'
import { InvalidOptionError } from '../errors.js'
import {
  type PhrasesHandle,
  type PhrasesSpec,
  TextStream,
  openPhrases,
  savePhrases,
  trainPhrasesOnFiles,
  trainPhrasesOnStream,
} from '../native.js'
import {
  type Options,
  type RunOptions,
  custom,
  integer,
  list,
  oneOf,
  real,
  settle,
  wrongOption,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { atOnce, run } from '../run.js'
import { decode } from '../vectors/word-list.js'
import { type CorpusSource, feed, settleSource } from './source.js'
import { textOptions } from './text.js'

/** Every option of `Phrases.train`. In brackets: the names in word2phrase.c and gensim. */
export const phrasesOptions = {
  ...textOptions,
  /** How a pair is scored: after Mikolov et al. 2013, or by normalized pointwise mutual information,
   * from -1 to 1 [-, scoring]. */
  scoring: oneOf(['default', 'npmi'], 'how a pair is scored'),
  /** Pairs that score higher are phrases. Default: 10, for npmi 0.5 [-threshold, threshold]. */
  threshold: real(
    undefined,
    { from: -1, to: 1e9 },
    'pairs that score higher are phrases (default: 10, npmi 0.5)',
  ),
  /** Pairs that occur less often are no phrases [-min-count, min_count]. */
  minCount: integer(5, { from: 1 }, 'leaves out pairs that occur less often'),
  /** Words that may stand inside a phrase and never begin or end one, as `of` in `bank_of_america`;
   * `englishConnectorWords` are some [-, connector_words]. */
  connectorWords: list('words that may stand inside a phrase'),
  /** How often phrases are looked for, each time among words and the phrases before: two passes find
   * `new_york_times`. */
  passes: integer(1, { from: 1, to: 16 }, 'how often phrases are looked for'),
  /** The character between the words of a phrase [-, delimiter]. */
  delimiter: {
    ...custom<string>(
      'one character',
      (given) => typeof given === 'string' && [...given].length === 1 && given.isWellFormed(),
      'the character between the words of a phrase',
    ),
    default: '_',
    shape: { kind: 'text', placeholder: 'TEXT' } as const,
  },
}

/** The options of `Phrases.train`: see `phrasesOptions`. */
export type PhrasesOptions = Options<typeof phrasesOptions> & RunOptions

/** How phrases were found, every option with its value. */
export type PhrasesSettings = Readonly<PhrasesSpec>

/** A phrase that was found. */
export interface Phrase {
  /** Its words, joined by the delimiter. */
  readonly phrase: string
  /** By which it is a phrase. */
  readonly score: number
  /** How often its words stand side by side, as the pass that found it counted. */
  readonly count: number
  /** That pass, from 1. */
  readonly pass: number
}

/** English articles, prepositions and conjunctions, as gensim has them: for `connectorWords`. */
export const englishConnectorWords: readonly string[] = Object.freeze(
  'a an the for of with without at from to in on by and or'.split(' '),
)

/** Phrases that cross at once. */
const BLOCK = 1024

/**
 * Words that stand together more often than chance would have it (Mikolov et al. 2013,
 * arXiv:1310.4546, section 4; Bouma 2009 for npmi).
 *
 *     default:  (count(ab) - minCount) / (count(a) count(b)) · number of different words and pairs
 *     npmi:     ln(p(ab) / (p(a) p(b))) / -ln p(ab)
 *
 *     using phrases = await Phrases.train('corpus.txt', { passes: 2, connectorWords: englishConnectorWords })
 *     phrases.apply(['new', 'york', 'times']) // ['new_york_times']
 *     const model = await Word2Vec.train('corpus.txt', { phrases })
 */
export class Phrases implements Iterable<Phrase> {
  /** How many there are. */
  readonly size: number
  /** How they were found. */
  readonly options: PhrasesSettings
  readonly #handle: Handle<PhrasesHandle>

  /** @internal */
  constructor(native: PhrasesHandle) {
    this.#handle = new Handle(native)
    this.size = native.length
    this.options = native.options()
  }

  /**
   * Finds the phrases of a source, which is read once, whatever the number of passes. The result does
   * not depend on `threads`.
   *
   *     const phrases = await Phrases.train('news/*.txt.gz', { scoring: 'npmi', lowercase: true })
   *
   * @throws {InvalidOptionError} before anything is read
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` as `Corpus.read`; `DISK_FULL`
   */
  static async train(source: CorpusSource, options: PhrasesOptions = {}): Promise<Phrases> {
    const who = 'Phrases.train'
    const { settings, run: runSettings } = settle(phrasesOptions, options, who)
    const threshold = settings.threshold ?? (settings.scoring === 'npmi' ? 0.5 : 10)
    if (settings.scoring === 'default' && threshold <= 0) {
      throw wrongOption('threshold', 'a number above 0 for the default score', threshold, who)
    }
    if (settings.scoring === 'npmi' && threshold > 1) {
      throw wrongOption('threshold', 'a number from -1 to 1 for npmi', threshold, who)
    }
    if (settings.connectorWords.includes('')) {
      throw new InvalidOptionError(`${who}: \`connectorWords\` holds an empty word`, {
        option: 'connectorWords',
      })
    }
    const spec = { ...settings, threshold, connectorWords: [...settings.connectorWords] }
    const text = { ...settings, minCount: 1, maxVocabulary: undefined, stopWords: [] }
    const from = settleSource(source, who)
    if (from.files) {
      const { files } = from
      return new Phrases(
        await run<PhrasesHandle>(who, runSettings, (runSpec, events) =>
          trainPhrasesOnFiles(files, text, spec, runSpec, events),
        ),
      )
    }
    const stream = new TextStream()
    return new Phrases(
      await run<PhrasesHandle>(
        who,
        runSettings,
        (runSpec, events) => trainPhrasesOnStream(stream, text, spec, runSpec, events),
        feed(from.texts, stream, settings.invalidUtf8, who),
      ),
    )
  }

  /**
   * Opens a file that `save` wrote.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file holds no phrases, or is damaged
   */
  static async open(path: Path, options: RunOptions = {}): Promise<Phrases> {
    const who = 'Phrases.open'
    const file = settlePath(path, who)
    const settings = settle({}, options, who).run
    return new Phrases(
      await run<PhrasesHandle>(who, settings, (spec, events) => openPhrases(file, spec, events)),
    )
  }

  /**
   * The words of one sentence, phrases joined: from left to right, each word in one phrase at most.
   * For texts, give `phrases` to whatever reads them.
   *
   *     phrases.apply(['in', 'new', 'york']) // ['in', 'new_york']
   */
  apply(words: readonly string[]): string[] {
    const who = 'Phrases.apply'
    if (!Array.isArray(words) || !words.every((word) => typeof word === 'string')) {
      throw wrongOption('words', 'an array of strings', words, who)
    }
    const native = this.native(who)
    return atOnce(who, () => native.apply(words))
  }

  /** All phrases: those of the first pass, highest score first, then those of the second. */
  *[Symbol.iterator](): Iterator<Phrase> {
    for (let from = 0; from < this.size; from += BLOCK) {
      const block = this.native('Phrases').block(from, Math.min(this.size, from + BLOCK))
      for (const [i, phrase] of decode(block.phrases).entries()) {
        const [score, count, pass] = [block.scores[i]!, block.counts[i]!, block.passes[i]!]
        yield { phrase, score, count, pass }
      }
    }
  }

  /**
   * Writes the phrases to a file, for `Phrases.open`. The file is there in full or not at all.
   *
   * @throws {InlayError} `DISK_FULL`, `IO`
   */
  async save(path: Path, options: RunOptions = {}): Promise<void> {
    const who = 'Phrases.save'
    const file = settlePath(path, who)
    const settings = settle({}, options, who).run
    const native = this.native(who)
    await run<void>(who, settings, (spec, events) => savePhrases(native, file, spec, events))
  }

  /** Frees the memory now rather than when the garbage is collected. */
  close(): void {
    this.#handle.close()
  }

  /** As `close`: `using phrases = await Phrases.open(...)` closes it at the end of the block. */
  [Symbol.dispose](): void {
    this.close()
  }

  /** @internal */
  native(who: string): PhrasesHandle {
    return this.#handle.use(who)
  }
}
