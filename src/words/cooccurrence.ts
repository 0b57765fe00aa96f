import { resolve } from 'node:path'
import { type CorpusSettings, Corpus, corpusOptions, readCorpus } from '../corpus/corpus.js'
import type { CorpusSource } from '../corpus/source.js'
import { Handle } from '../handle.js'
import {
  type CooccurrenceHandle,
  countCooccurrence,
  openCooccurrence,
  saveCooccurrence,
} from '../native.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  type Settings,
  flag,
  integer,
  settle,
  wrongOption,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run } from '../run.js'
import { WordList } from '../vectors/word-list.js'

/** What of a text is counted. In brackets: the names in GloVe's C tool. */
export const countingOptions = {
  /** Words to the left of each word that it meets. Words that are not in the vocabulary take no
   * place [-window-size]. */
  window: integer(15, { from: 1, to: 1000 }, 'words to the left of each word that it meets'),
  /** Whether each word meets the words to its right as well [-symmetric]. */
  symmetric: flag(true, 'counts the words to the right as well'),
  /** Whether a meeting at distance d counts 1 / d; else 1 [-distance-weighting]. */
  distanceWeighting: flag(true, 'counts a meeting at distance d as 1 / d'),
  /** Bytes that counting and shuffling take at most, on all threads together; what does not fit
   * goes to temporary files [-memory, in GB]. */
  memory: integer(1_000_000_000, { from: 16_000_000 }, 'bytes for counting and shuffling, at most'),
}

/** What `open` is told beside a file. */
export function settleBeside(
  options: ({ readonly vocabulary: Path } & RunOptions) | undefined,
  who: string,
): { readonly words: string; readonly runSettings: RunSettings } {
  const { vocabulary, ...others }: Partial<NonNullable<typeof options>> = options ?? {}
  const words = settlePath(vocabulary, who, 'vocabulary')
  return { words, runSettings: settle({}, others, who).run }
}

/** Where a vocabulary goes, if anywhere: not over what it belongs to. */
export function settleVocabulary(
  given: Path | undefined,
  file: string,
  who: string,
): string | undefined {
  const path = given === undefined ? undefined : settlePath(given, who, 'vocabulary')
  if (path === undefined || resolve(path) !== resolve(file)) return path
  throw wrongOption('vocabulary', 'another file than what it belongs to', path, who)
}

/** Every option of `Cooccurrence.count`. */
export const cooccurrenceOptions = { ...corpusOptions, ...countingOptions }

/** The options of `Cooccurrence.count`: see `cooccurrenceOptions`. */
export type CooccurrenceOptions = Options<typeof cooccurrenceOptions> & RunOptions

/** What is counted, when checked. */
export type CountingSettings = Settings<typeof countingOptions>

/**
 * Which words meet within a window, and how often: what GloVe is trained on. The pairs lie in a file
 * (a temporary one, or the one that was opened), not in memory.
 *
 *     using pairs = await Cooccurrence.count('corpus.txt', { window: 10 })
 *     await pairs.save('cooccurrence.bin', { vocabulary: 'vocab.txt' })
 *     const model = await Glove.train(pairs, { dimensions: 300 })
 */
export class Cooccurrence {
  /** The vocabulary, most frequent word first. */
  readonly words: WordList
  /** Pairs of a word and a context that meet; with symmetric contexts a pair of two words is two. */
  readonly size: number
  readonly #handle: Handle<CooccurrenceHandle>
  readonly #names

  /** @internal */
  constructor(native: CooccurrenceHandle) {
    this.#handle = new Handle(native)
    this.#names = new Handle(native.names())
    this.words = new WordList(this.#names)
    this.size = native.pairs()
  }

  /**
   * Counts the pairs of a text, in bounded memory and on all threads. The result is the same for any
   * number of threads and any `memory`.
   *
   *     const pairs = await Cooccurrence.count('corpus.txt', { symmetric: false, memory: 4e9 })
   *
   * @throws {InvalidOptionError} before anything is read
   * @throws {InlayError} as `Corpus.read`; `INVALID_INPUT` no two words meet; `OUT_OF_MEMORY`;
   * `DISK_FULL`
   */
  static async count(
    source: CorpusSource | Corpus,
    options: CooccurrenceOptions = {},
  ): Promise<Cooccurrence> {
    const who = 'Cooccurrence.count'
    const { settings, run: runSettings } = settle(cooccurrenceOptions, options, who)
    return countPairs(source, settings, options, runSettings, who)
  }

  /**
   * Opens the C tool's `cooccurrence.bin` (or its shuffled form) and `vocab.txt`. The pairs are
   * mapped, not read; they are checked when they are trained on.
   *
   *     const pairs = await Cooccurrence.open('cooccurrence.bin', { vocabulary: 'vocab.txt' })
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` a file of another form
   */
  static async open(
    path: Path,
    options: { readonly vocabulary: Path } & RunOptions,
  ): Promise<Cooccurrence> {
    const who = 'Cooccurrence.open'
    const file = settlePath(path, who)
    const { words, runSettings } = settleBeside(options, who)
    return new Cooccurrence(
      await run<CooccurrenceHandle>(who, runSettings, (spec, events) =>
        openCooccurrence(file, words, spec, events),
      ),
    )
  }

  /**
   * Writes the C tool's `cooccurrence.bin`, and its `vocab.txt` if `vocabulary` names a file. Each is
   * there in full or not at all.
   *
   *     await pairs.save('cooccurrence.bin', { vocabulary: 'vocab.txt' })
   *
   * @throws {InlayError} `UNSUPPORTED` a word with white space, which `vocab.txt` cannot hold;
   * `DISK_FULL`, `IO`
   */
  async save(
    path: Path,
    { vocabulary, ...options }: { readonly vocabulary?: Path | undefined } & RunOptions = {},
  ): Promise<void> {
    const who = 'Cooccurrence.save'
    const file = settlePath(path, who)
    const words = settleVocabulary(vocabulary, file, who)
    const runSettings = settle({}, options, who).run
    const native = this.native(who)
    await run<void>(who, runSettings, (spec, events) =>
      saveCooccurrence(native, file, words, spec, events),
    )
  }

  /** Frees memory and temporary files now rather than when the garbage is collected. */
  close(): void {
    this.#handle.close()
    this.#names.close()
  }

  /** As `close`: `using pairs = await Cooccurrence.count(...)` closes it at the end of the block. */
  [Symbol.dispose](): void {
    this.close()
  }

  /** @internal */
  native(who: string): CooccurrenceHandle {
    return this.#handle.use(who)
  }
}

/** What `Cooccurrence.count` does, in the name of another verb. */
export async function countPairs(
  source: CorpusSource | Corpus,
  settings: CorpusSettings & CountingSettings,
  given: CooccurrenceOptions,
  runSettings: RunSettings,
  who: string,
): Promise<Cooccurrence> {
  if (source instanceof Corpus) refuseVain(corpusOptions, given, 'a Corpus', who)
  const corpus =
    source instanceof Corpus ? source : await readCorpus(source, settings, runSettings, who)
  try {
    const native = corpus.native(who)
    return new Cooccurrence(
      await run<CooccurrenceHandle>(who, runSettings, (spec, events) =>
        countCooccurrence(native, settings, settings, spec, events),
      ),
    )
  } finally {
    if (corpus !== source) corpus.close()
  }
}

/** Refuses options that are of no use where what they decide is decided. Temporary files are
 * written all the same. */
export function refuseVain(
  table: Readonly<Record<string, unknown>>,
  given: Readonly<Record<string, unknown>>,
  source: string,
  who: string,
): void {
  const names = Object.keys(table).filter((name) => name !== 'spoolDirectory')
  const vain = names.find((name) => given[name] !== undefined)
  if (vain === undefined) return
  const expected = `left out where the source is ${source}, which was made with its own`
  throw wrongOption(vain, expected, given[vain], who)
}
