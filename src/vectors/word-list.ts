import { Buffer } from 'node:buffer'
import type { Handle } from '../handle.js'
import type { NamesHandle } from '../native.js'

/** Words of one block: their bytes one after the other, and where each ends (offsets has one more). */
export interface WordBlock {
  readonly bytes: Uint8Array
  readonly offsets: Uint32Array
}

/** The words of a block, decoded; what is no UTF-8 becomes U+FFFD. */
export function decode({ bytes, offsets }: WordBlock): string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const words = Array.from<string>({ length: offsets.length - 1 })
  for (let i = 0; i < words.length; i++) {
    words[i] = buffer.toString('utf8', offsets[i], offsets[i + 1])
  }
  return words
}

/** Words that cross at once: few calls, and no long pause for any of them. */
const BLOCK = 1024
/** Blocks that are kept decoded. */
const KEPT = 16

/**
 * The words of a vocabulary by number, most frequent first. They stay in native memory (or in the
 * file) and are fetched in blocks, so that a list of millions costs nothing until it is read.
 *
 *     for (const word of vectors.words) console.log(word)
 *     vectors.words.slice(0, 10) // the ten most frequent
 */
export class WordList implements Iterable<string> {
  /** The number of words. */
  readonly length: number
  readonly #names: Handle<NamesHandle>
  readonly #blocks = new Map<number, string[]>()

  /** @internal */
  constructor(names: Handle<NamesHandle>) {
    this.#names = names
    this.length = names.use('WordList').length
  }

  /** The word of a number; a negative one counts from the end, as `Array.prototype.at` does.
   * Bytes that are no UTF-8 are shown as U+FFFD: `bytes` gives them as they are. */
  at(index: number): string | undefined {
    const i = index < 0 ? this.length + Math.trunc(index) : Math.trunc(index)
    return i >= 0 && i < this.length ? this.#block(Math.floor(i / BLOCK))[i % BLOCK] : undefined
  }

  /** Words from a number up to another, which is left out; as `Array.prototype.slice`. */
  slice(from = 0, to = this.length): string[] {
    const clamp = (index: number) =>
      Math.trunc(Math.min(this.length, Math.max(0, index < 0 ? this.length + index : index)))
    const words: string[] = []
    for (let i = clamp(from); i < clamp(to); i++) words.push(this.at(i)!)
    return words
  }

  /** The bytes of a word, a copy; `undefined` when there is none of that number. */
  bytes(index: number): Uint8Array | undefined {
    if (!Number.isInteger(index) || index < 0 || index >= this.length) return undefined
    return this.#names.use('WordList.bytes').block(index, index + 1).bytes
  }

  /** All words, in order. */
  *[Symbol.iterator](): Iterator<string> {
    for (let i = 0; i < this.length; i++) yield this.at(i)!
  }

  #block(number: number): string[] {
    const kept = this.#blocks.get(number)
    if (kept) return kept
    const from = number * BLOCK
    const to = Math.min(this.length, from + BLOCK)
    const words = decode(this.#names.use('WordList').block(from, to))
    if (this.#blocks.size === KEPT) this.#blocks.delete(this.#blocks.keys().next().value!)
    this.#blocks.set(number, words)
    return words
  }
}
