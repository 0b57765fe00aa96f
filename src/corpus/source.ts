// Where text comes from: files, which Rust reads alone, or JavaScript, which is pulled batch by
// batch: only so much is taken from an iterator as the reader has room for, and never for so long
// that the event loop waits.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { InlayError } from '../errors.js'
import { wrongOption } from '../options.js'
import type { MakeFeeder } from '../run.js'
import type { TextStream } from '../native.js'
import { Packer } from './packer.js'

/** One text, to be split into sentences and words; or one sentence: an array of its words, or of
 * item numbers, whose words are their decimal digits. */
export type Text = string | readonly string[] | readonly number[] | Uint32Array | Int32Array

/** Texts that are already here or that come one by one. */
export type Texts = Iterable<Text> | AsyncIterable<Text>

/**
 * Where text comes from:
 * - a path, a glob (`texts/*.txt.gz`) or a directory, as a string or URL; several as `{ files }`.
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

function iteratorOf(texts: unknown, wrong: () => Error): Iterator<Text> | AsyncIterator<Text> {
  const source = texts as Partial<AsyncIterable<Text> & Iterable<Text>> | null | undefined
  if (typeof source === 'object' && source !== null) {
    const iterator = source[Symbol.asyncIterator]?.() ?? source[Symbol.iterator]?.()
    if (iterator) return iterator
  }
  throw wrong()
}

/**
 * Feeds a native reader from an iterator: one batch for each wish. What the iterator throws, and
 * an item that is no text, stop the run; whatever stops it, `return()` of the iterator is called.
 */
export function feed(
  open: () => Iterator<Text> | AsyncIterator<Text>,
  stream: TextStream,
  invalidUtf8: 'error' | 'replace' | 'skip',
  who: string,
): MakeFeeder {
  return (stop, joined) => {
    let wishes = 0
    let wake = () => {}
    let closed = false
    let iterator: Iterator<Text> | AsyncIterator<Text> | undefined

    const wished = async () => {
      if (wishes === 0) await new Promise<void>((resolve) => (wake = resolve))
      // Wishes are delivered until none is left: whoever fulfils them there and then, and gets the
      // next one for it, keeps timers and sockets waiting.
      await nextTurn()
      wishes--
    }
    const pack = (packer: Packer, text: Text, from: number) => {
      try {
        return packer.pack(text, from)
      } catch (error) {
        throw error instanceof InlayError ? joined(error) : error
      }
    }
    const pump = async () => {
      const packer = new Packer(stream, invalidUtf8, who)
      let rest: { text: Text; from: number } | undefined
      let exhausted = false
      while (!closed) {
        await wished()
        iterator ??= open()
        const deadline = performance.now() + SLICE
        while (!closed && (rest || !exhausted)) {
          if (!rest) {
            const pending = iterator.next()
            const { done, value } = isPromise(pending) ? await pending : pending
            if (done) {
              exhausted = true
              break
            }
            packer.index++
            rest = { text: value, from: 0 }
          }
          const from = pack(packer, rest.text, rest.from)
          rest = from === undefined ? undefined : { text: rest.text, from }
          if (rest || performance.now() > deadline) break
        }
        if (closed) return
        if (exhausted && !rest && packer.isEmpty) {
          iterator = undefined
          return stream.end()
        }
        if (packer.isEmpty) wishes++
        else packer.push()
      }
    }
    const fail = (reason: unknown) => {
      stop(reason)
      stream.end()
    }
    pump().catch(fail)

    return {
      more: () => {
        wishes++
        wake()
      },
      close: () => {
        closed = true
        const unfinished = iterator
        iterator = undefined
        void giveBack(unfinished)
      },
    }
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
