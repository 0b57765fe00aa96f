// What models that read text as words have in common: words with numbers, texts as numbers of words, and
// rows of word vectors to begin from.
import { Corpus, corpusOptions, readCorpus } from '../corpus/corpus.js'
import { type CorpusSource, type Texts, feed, settleSource } from '../corpus/source.js'
import { textOptions } from '../corpus/text.js'
import { Handle } from '../handle.js'
import {
  type NumberedTexts,
  TextStream,
  VocabularyHandle,
  numberCorpus,
  numberTexts,
} from '../native.js'
import type { Network } from '../nn/network.js'
import {
  type RunSettings,
  type Settings,
  custom,
  integer,
  settleAlone,
  wrongOption,
} from '../options.js'
import { run } from '../run.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { type Field, differentStrings, tablesOf } from './network-model.js'

/** How texts become words. */
const spellingOptions = {
  /** What a word is. */
  tokenizer: textOptions.tokenizer,
  /** Whether words become lower case (all of Unicode). */
  lowercase: textOptions.lowercase,
  /** The Unicode form that words are brought to. */
  normalization: textOptions.normalization,
}

/** How texts become words, and which of them have numbers. */
export const vocabularyOptions = {
  ...spellingOptions,
  /** Words that occur less often are one, `<unk>`, as are words that were never met. */
  minCount: integer(1, { from: 1 }, 'words that occur less often are one'),
  /** Only so many words, the most frequent ones; the others are `<unk>`. Default: all. */
  maxVocabulary: corpusOptions.maxVocabulary,
}

type Spelling = Settings<typeof spellingOptions>

/** What a model's file says of its words. */
export interface VocabularyRecord extends Spelling {
  readonly words: readonly string[]
}

/** What stands for all words that have no number of their own; it is number 0. */
export const UNKNOWN = '<unk>'

/** Words with numbers, from 0 up: `<unk>`, a model's own marks, then words, most frequent first. */
export class Vocabulary {
  readonly #native: Handle<VocabularyHandle>
  #numbers: ReadonlyMap<string, number> | undefined

  private constructor(
    readonly words: readonly string[],
    readonly spelling: Spelling,
  ) {
    this.#native = new Handle(new VocabularyHandle([...words], { ...spelling }))
  }

  /** The words of a corpus that was read with all of them. */
  static ofCorpus(
    corpus: Corpus,
    settings: Settings<typeof vocabularyOptions>,
    marks: readonly string[] = [],
  ): Vocabulary {
    const own = [UNKNOWN, ...marks]
    const { minCount, maxVocabulary = Infinity } = settings
    // The most frequent first: where the first rare one stands is found by halves.
    let [from, to] = [0, Math.min(corpus.size, maxVocabulary)]
    while (from < to) {
      const middle = (from + to) >> 1
      if (corpus.count(corpus.words.at(middle)!) < minCount) to = middle
      else from = middle + 1
    }
    const words = corpus.words.slice(0, to).filter((word) => !own.includes(word))
    return new Vocabulary([...own, ...words], pick(settings))
  }

  /** What `record` gave. */
  static of(record: VocabularyRecord): Vocabulary {
    return new Vocabulary(record.words, pick(record))
  }

  get size(): number {
    return this.words.length
  }

  /** For a model's file. */
  get record(): VocabularyRecord {
    return { words: this.words, ...this.spelling }
  }

  /** The number of a word; of one that has none, that of `<unk>`. */
  numberOf(word: string): number {
    this.#numbers ??= new Map(this.words.map((known, number) => [known, number]))
    return this.#numbers.get(word) ?? 0
  }

  /** The sentences of a corpus. */
  async numberCorpus(corpus: Corpus, settings: RunSettings, who: string): Promise<NumberedTexts> {
    const numbers = Uint32Array.from(corpus.words, (word) => this.numberOf(word))
    return run<NumberedTexts>(who, settings, (spec, events) =>
      numberCorpus(corpus.native(who), numbers, spec, events),
    )
  }

  /**
   * Texts, which may be arrays of words.
   *
   * @throws {InlayError} `INVALID_INPUT` an item that is no text
   */
  async number(texts: Texts, settings: RunSettings, who: string): Promise<NumberedTexts> {
    const open = typeof texts === 'string' ? undefined : settleSource(texts, who).texts
    if (!open) throw wrongOption('texts', 'an iterable of texts', texts, who)
    const stream = new TextStream()
    const native = this.#native.use(who)
    return run<NumberedTexts>(
      who,
      settings,
      (spec, events) => numberTexts(native, stream, 0, spec, events),
      feed(open, stream, 'replace', who),
    )
  }

  /**
   * The table of word vectors that a network begins with: what vectors say of a word, and for words that they
   * do not know what the network has drawn, as long on average.
   *
   * @throws {InvalidOptionError} they know none of the words
   */
  rows(
    begun: Network,
    table: string,
    vectors: WordVectors,
    who: string,
  ): Readonly<Record<string, Float32Array>> {
    const { values } = begun.parameter(table)!
    const known = this.words.flatMap((word, number) => (vectors.has(word) ? [number] : []))
    if (known.length === 0) {
      const some = vectors.words.slice(0, 3).join(', ')
      throw wrongOption('initialVectors', 'of words of the texts', some, who)
    }
    const rows = new Float32Array(known.length * vectors.dimensions)
    for (const [at, number] of known.entries()) {
      rows.set(vectors.vector(this.words[number]!), at * vectors.dimensions)
    }
    const scale = rootMeanSquare(rows) / rootMeanSquare(values)
    const filled = values.map((value) => value * scale)
    for (const [at, number] of known.entries()) {
      const row = rows.subarray(at * vectors.dimensions, (at + 1) * vectors.dimensions)
      filled.set(row, number * vectors.dimensions)
    }
    return { [table]: filled }
  }

  close(): void {
    this.#native.close()
  }
}

function rootMeanSquare(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)
}

function pick({ tokenizer, lowercase, normalization }: Spelling): Spelling {
  return { tokenizer, lowercase, normalization }
}

/** As many words as each table of a network has rows; one text of any length goes in. */
const readsText = (words: number, network: Network) => {
  const { inputs } = network.description
  const isText = inputs.length === 1 && inputs[0]!.content === 'ids' && !inputs[0]!.positions
  return isText && [...tablesOf(network).values()].every(({ rows }) => rows === words)
}

/** A vocabulary in a model's file: `<unk>`, the model's own marks, then words. */
export function vocabularyField(marks: readonly string[] = [], fits = readsText): Field {
  const first = [UNKNOWN, ...marks]
  const words = differentStrings('')
  const accepts = (given: unknown, network: Network) => {
    if (typeof given !== 'object' || given === null) return false
    const record = given as Partial<VocabularyRecord>
    return (
      words.accepts(record.words, network) &&
      first.every((word, number) => record.words![number] === word) &&
      fits(record.words!.length, network) &&
      Object.entries(spellingOptions).every(([name, option]) =>
        option.accepts(record[name as keyof Spelling]),
      )
    )
  }
  return { expected: `the words of its network, the first of them ${first.join(' ')}`, accepts }
}

/** An option that takes the vectors of words. */
export function wordVectors(about: string) {
  return custom<WordVectors>('WordVectors', (given) => given instanceof WordVectors, about)
}

/** An option that takes a text. */
export function sourceOption(about: string) {
  const accepts = (given: unknown) => {
    try {
      settleSource(given, '')
      return true
    } catch {
      return false
    }
  }
  return custom<CorpusSource>(
    'a path, an iterable of texts or a function that gives one',
    accepts,
    about,
  )
}

/** All words of a source, each sentence a line, or an item. */
export function readAllWords(
  source: CorpusSource,
  spelling: Spelling,
  settings: RunSettings,
  who: string,
): Promise<Corpus> {
  const every = settleAlone(corpusOptions, { ...pick(spelling), minCount: 1 }, who)
  return readCorpus(source, every, settings, who)
}

/** Texts one by one. */
export function* each<Numbers extends Uint32Array | Int32Array>({
  ids,
  ends,
}: {
  readonly ids: Numbers
  readonly ends: Float64Array
}): Generator<Numbers> {
  for (let i = 0; i < ends.length; i++) {
    yield ids.subarray(i === 0 ? 0 : ends[i - 1], ends[i]) as Numbers
  }
}
