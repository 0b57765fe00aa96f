// Where text comes from: files, which Rust reads alone, or JavaScript, which is pulled batch by
// batch: only so much is taken from an iterator as the reader has room for, and never for so long
// that the event loop waits.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { wrongOption } from '../options.js'
import type { Feeder, MakeFeeder } from '../run.js'
import type { TextStream } from '../native.js'
import { Packer } from './packer.js'

/** One text, to be split into sentences and words; or one sentence: an array of its words, or of
 * item numbers, whose words are their decimal digits. */
export type Text = string | readonly string[] | readonly number[] | Uint32Array | Int32Array

/** A document: its text or its words, and what it is called; several may share a tag. Without tags
 * it is called by its number in the source, from 0. */
export type TaggedDocument = {
  readonly tags?: string | number | readonly (string | number)[] | undefined
} & (
  | { readonly text: string; readonly words?: undefined }
  | { readonly words: Exclude<Text, string>; readonly text?: undefined }
)

/**
 * Where documents come from:
 * - a path, a glob or a directory, as for a corpus: each line is a document;
 * - an iterable or async iterable of documents, of texts, or of arrays of words, or a function that
 *   gives a fresh one. It is read once.
 */
export type DocumentSource =
  | string
  | URL
  | { readonly files: readonly (string | URL)[] }
  | Documents
  | (() => Documents)

/** Documents that are already here or that come one by one. */
export type Documents = Iterable<Text | TaggedDocument> | AsyncIterable<Text | TaggedDocument>

/** Texts that are already here or that come one by one. */
export type Texts = Iterable<Text> | AsyncIterable<Text>

/**
 * Where text comes from:
 * - a path, a glob (`texts/*.txt.gz`) or a directory (`texts/`, told by its slash), as a string or URL; several as `{ files }`.
 *   Files that end in .gz or .zst are unpacked while they are read;
 * - an iterable or async iterable, or a function that gives a fresh one. It is read once.
 */
export type CorpusSource =
  | string
  | URL
  | { readonly files: readonly (string | URL)[] }
  | Texts
  | (() => Texts)

/** A source that is known to be one or the other. */
export type SettledSource =
  | { readonly files: string[]; readonly texts?: undefined }
  | { readonly files?: undefined; readonly texts: () => Iterator<Text> | AsyncIterator<Text> }

/** Texts of so many characters, and so many texts, are handed over at once and not as a stream. */
const SHORT = 1 << 16
const FEW = 1024

/** How long taking one batch may take, in milliseconds, before other events have their turn. */
const SLICE = 1

/**
 * Tells what a source is, reading nothing.
 *
 * @throws {InvalidOptionError} it is no source
 */
export function settleSource(source: unknown, who: string): SettledSource {
  const expected = 'a path, a URL, `{ files }`, an iterable of texts or a function that gives one'
  const wrong = () => wrongOption('source', expected, source, who)
  const path = (file: unknown) => {
    if (typeof file === 'string' && file !== '') return file
    if (file instanceof URL && file.protocol === 'file:') return fileURLToPath(file)
    throw wrong()
  }
  if (typeof source === 'string' || source instanceof URL) return { files: [path(source)] }
  if (typeof source === 'function') return { texts: () => iteratorOf(source(), wrong) }
  if (typeof source !== 'object' || source === null) throw wrong()
  if ((source as { readableObjectMode?: boolean }).readableObjectMode === false) {
    // Its chunks end in the middle of words: to take them for texts would be a silent loss.
    const lines = 'its lines, as `readline.createInterface({ input: stream })` gives them'
    throw wrongOption('source', `${expected}; for a stream of bytes, ${lines}`, source, who)
  }
  if (Symbol.asyncIterator in source || Symbol.iterator in source) {
    return { texts: () => iteratorOf(source, wrong) }
  }
  const { files } = source as { files?: unknown }
  if (!Array.isArray(files) || files.length === 0) throw wrong()
  return { files: files.map(path) }
}

/** Whether texts are strings that are all here, and so few that a stream of them would cost more than they do. */
export function isShort(texts: Texts): texts is string[] {
  if (!Array.isArray(texts) || texts.length > FEW) return false
  let length = 0
  for (const text of texts) {
    if (typeof text !== 'string') return false
    length += text.length
    if (length > SHORT) return false
  }
  return true
}

function iteratorOf(texts: unknown, wrong: () => Error): Iterator<Text> | AsyncIterator<Text> {
  const source = texts as Partial<AsyncIterable<Text> & Iterable<Text>> | null | undefined
  if (typeof source === 'object' && source !== null) {
    const iterator = source[Symbol.asyncIterator]?.() ?? source[Symbol.iterator]?.()
    if (iterator) return iterator
  }
  throw wrong()
}

/**
 * Makes the feeder of a native reader: one batch for each wish. What the iterator throws, and an
 * item that is no text, stop the run; whatever stops it, `return()` of the iterator is called.
 */
export function feed(
  open: () => Iterator<Text> | AsyncIterator<Text>,
  stream: TextStream,
  invalidUtf8: 'error' | 'replace' | 'skip',
  who: string,
  takesDocuments = false,
): MakeFeeder {
  return (stop, joined) => {
    const packer = new Packer(stream, invalidUtf8, who, joined, takesDocuments)
    const feeder = new TextFeeder(open, stream, packer)
    feeder.pump().catch((reason: unknown) => {
      stop(reason)
      stream.end()
    })
    return feeder
  }
}

class TextFeeder implements Feeder {
  #wishes = 0
  #closed = false
  #wake = () => {}
  #iterator: Iterator<Text> | AsyncIterator<Text> | undefined
  /** The text at hand, and how far it is packed. */
  #rest: { readonly text: Text; readonly from: number } | undefined

  constructor(
    readonly open: () => Iterator<Text> | AsyncIterator<Text>,
    readonly stream: TextStream,
    readonly packer: Packer,
  ) {}

  more(): void {
    this.#wishes++
    this.#wake()
  }

  close(): void {
    this.#closed = true
    void giveBack(this.#iterator)
  }

  /** Fulfils wishes until there is no more to give. */
  async pump(): Promise<void> {
    // Before anything is waited for: `readline` loses lines that come before its iterator is there.
    const iterator = (this.#iterator = this.open())
    for (let hasMore = true; hasMore;) {
      await this.#wish()
      if (this.#closed) return
      hasMore = await this.#fill(iterator)
      if (this.#closed) return
      if (this.packer.isEmpty) this.#wishes++
      else this.packer.push()
    }
    this.stream.end()
  }

  async #wish(): Promise<void> {
    if (this.#wishes === 0) await new Promise<void>((resolve) => (this.#wake = resolve))
    // Wishes are delivered until none is left: whoever fulfils them there and then, and gets the
    // next one for it, keeps timers and sockets waiting.
    await nextTurn()
    this.#wishes--
  }

  /** Fills a batch; false when the iterator has ended. */
  async #fill(iterator: Iterator<Text> | AsyncIterator<Text>): Promise<boolean> {
    const deadline = performance.now() + SLICE
    // The clock is looked at after 1, 2, 4 ... items: to look takes a third of what a short text does.
    let [items, look] = [0, 1]
    do {
      let text = this.#rest?.text
      const from = this.#rest?.from ?? 0
      if (text === undefined) {
        const step = iterator.next()
        // No `await` for what is here already: it would cost more than to pack a short text.
        const waits = isPromise(step)
        const { done, value } = waits ? await step : step
        if (waits) look = items + 1
        if (done) {
          this.#iterator = undefined
          return false
        }
        text = this.packer.begin(value)
      }
      const stopped = this.packer.pack(text, from)
      this.#rest = stopped === undefined ? undefined : { text, from: stopped }
      items++
      if (items === look) {
        look *= 2
        if (performance.now() >= deadline) return true
      }
    } while (!this.#rest && !this.#closed)
    return true
  }
}

/** Lets an iterator clean up. The run has its outcome, so what goes wrong here is not it. */
async function giveBack(iterator: Iterator<Text> | AsyncIterator<Text> | undefined): Promise<void> {
  try {
    await iterator?.return?.()
  } catch {
    // The rejection of the run says why it ended; this would hide it.
  }
}

function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T>).then === 'function'
}
