import { Handle } from '../handle.js'
import {
  type CorpusHandle,
  type ModelHandle,
  TextStream,
  openCorpus,
  readCorpusFiles,
  readCorpusStream,
  saveCorpus,
} from '../native.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  type Settings,
  custom,
  integer,
  list,
  settle,
  settleWord,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run } from '../run.js'
import { WordList } from '../vectors/word-list.js'
import { Phrases } from './phrases.js'
import { type CorpusSource, feed, settleSource } from './source.js'
import { textOptions } from './text.js'

/** How text becomes words, and which of them are kept. */
export const corpusOptions = {
  ...textOptions,
  /** Phrases whose words are joined before anything is counted. */
  phrases: custom<Phrases>(
    'Phrases',
    (given) => given instanceof Phrases,
    'phrases whose words are joined',
  ),
  /** Words that occur less often are left out [-min-count, min_count]. */
  minCount: integer(5, { from: 1 }, 'leaves out words that occur less often'),
  /** Only so many words are kept, the most frequent ones [max_final_vocab]. Default: all. */
  maxVocabulary: integer(undefined, { from: 1, to: 0xffff_fff0 }, 'keeps only so many words'),
  /** Words that are left out. */
  stopWords: list('words that are left out'),
}

/** How text becomes words: see `corpusOptions`. */
export type CorpusOptions = Options<typeof corpusOptions>

/** `CorpusOptions` when checked. */
export type CorpusSettings = Settings<typeof corpusOptions>

/** What was left out of a corpus. */
export interface Dropped {
  /** Different words. */
  readonly words: number
  /** All their occurrences. */
  readonly tokens: number
}

/**
 * Text, read and counted: a vocabulary and the text as word numbers. The numbers lie in a file
 * (a temporary one, or the one that `save` wrote), not in memory, so a corpus may be far larger
 * than memory.
 *
 *     using corpus = await Corpus.read('texts/*.txt.gz', { lowercase: true, minCount: 10 })
 *     console.log(corpus.size, corpus.words.slice(0, 10), corpus.count('whale'))
 *     const model = await Word2Vec.train(corpus)
 */
export class Corpus {
  /** The vocabulary, most frequent word first; words of the same count as they first occur. */
  readonly words: WordList
  /** Words in the vocabulary. */
  readonly size: number
  /** Words of the text that are in the vocabulary, all occurrences. */
  readonly tokens: number
  /** Sentences of the text. */
  readonly sentences: number
  /** What is below `minCount`, beyond `maxVocabulary` or a stop word. */
  readonly dropped: Dropped
  readonly #handle: Handle<CorpusHandle>
  readonly #names

  /** @internal */
  constructor(native: CorpusHandle) {
    this.#handle = new Handle(native)
    this.#names = new Handle(native.names())
    this.words = new WordList(this.#names)
    const { size, tokens, sentences, droppedWords, droppedTokens } = native.figures()
    this.size = size
    this.tokens = tokens
    this.sentences = sentences
    this.dropped = { words: droppedWords, tokens: droppedTokens }
  }

  /**
   * Reads, splits and counts a source, once.
   *
   *     const corpus = await Corpus.read('corpus.txt')
   *     const sessions = await Corpus.read([[17, 4, 99], [4, 17]], { minCount: 1 })
   *
   * @throws {InvalidOptionError} before anything is read
   * @throws {InlayError} `NOT_FOUND` no such file; `INVALID_INPUT` bytes that are no UTF-8, an item
   * that is no text, or nothing that occurs `minCount` times; `DISK_FULL`
   */
  static async read(
    source: CorpusSource,
    options: CorpusOptions & RunOptions = {},
  ): Promise<Corpus> {
    const who = 'Corpus.read'
    const { settings, run: runSettings } = settle(corpusOptions, options, who)
    return readCorpus(source, settings, runSettings, who)
  }

  /**
   * Opens a file that `save` wrote: it is mapped, not read, so this takes milliseconds.
   *
   *     const corpus = await Corpus.open('texts.corpus')
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no corpus, or damaged
   */
  static async open(path: Path, options: RunOptions = {}): Promise<Corpus> {
    const who = 'Corpus.open'
    const file = settlePath(path, who)
    const settings = settle({}, options, who).run
    return new Corpus(
      await run<CorpusHandle>(who, settings, (spec, events) => openCorpus(file, spec, events)),
    )
  }

  /** How often a word occurs; 0 when it is not in the vocabulary. Takes microseconds. */
  count(word: string): number {
    const who = 'Corpus.count'
    return this.#handle.use(who).count(settleWord(word, who))
  }

  /**
   * Writes vocabulary and text to a file, for `Corpus.open`. The file is there in full or not at
   * all.
   *
   *     await corpus.save('texts.corpus')
   *
   * @throws {InlayError} `DISK_FULL`, `IO`
   */
  async save(path: Path, options: RunOptions = {}): Promise<void> {
    const who = 'Corpus.save'
    const file = settlePath(path, who)
    const settings = settle({}, options, who).run
    const native = this.native(who)
    await run<void>(who, settings, (spec, events) => saveCorpus(native, file, spec, events))
  }

  /** Frees memory and temporary files now rather than when the garbage is collected. */
  close(): void {
    this.#handle.close()
    this.#names.close()
  }

  /** As `close`: `using corpus = await Corpus.read(...)` closes it at the end of the block. */
  [Symbol.dispose](): void {
    this.close()
  }

  /** @internal */
  native(who: string): CorpusHandle {
    return this.#handle.use(who)
  }
}

/** What `Corpus.read` does, in the name of another verb. The words of `base` are kept whatever
 * their count. */
export async function readCorpus(
  source: CorpusSource,
  settings: CorpusSettings,
  runSettings: RunSettings,
  who: string,
  base?: ModelHandle,
): Promise<Corpus> {
  const from = settleSource(source, who)
  const phrases = settings.phrases?.native(who)
  if (from.files) {
    const { files } = from
    return new Corpus(
      await run<CorpusHandle>(who, runSettings, (spec, events) =>
        readCorpusFiles(files, settings, phrases, base, spec, events),
      ),
    )
  }
  const stream = new TextStream()
  return new Corpus(
    await run<CorpusHandle>(
      who,
      runSettings,
      (spec, events) => readCorpusStream(stream, settings, phrases, base, spec, events),
      feed(from.texts, stream, settings.invalidUtf8, who),
    ),
  )
}
