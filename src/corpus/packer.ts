// Packs texts from JavaScript into buffers: a few large arrays cross to Rust, never a string each.
import { Buffer } from 'node:buffer'
import { InlayError, shown } from '../errors.js'
import type { TextStream } from '../native.js'
import type { TaggedDocument, Text } from './source.js'

/** Bytes of one batch. */
const BATCH = 1 << 18
/** Words of one batch: to encode so many takes about a millisecond. */
const WORDS = 1 << 13
/** A character of a JavaScript string becomes three bytes at most. */
const WIDEST = 3
/** Texts or sentences that end in one batch. */
const ENDS = BATCH / 8
/** Half of a surrogate pair without its other half: no Unicode, so no UTF-8. */
const HALF = /\p{Surrogate}/u

type Kind = 'texts' | 'words' | 'items'

/** One batch in the making. A text that is too long for it goes on in the next one. */
export class Packer {
  /** The number of the item at hand, from 0: for messages. */
  index = -1
  #kind: Kind = 'texts'
  #bytes = Buffer.allocUnsafe(BATCH)
  #used = 0
  /** Texts that are to be written together, as one call for each would take longer than to write it. */
  #waiting: string[] = []
  #firstWaiting = 0
  #joined = ''
  #items = new Float64Array(BATCH / 8)
  /** Where each word ends, in bytes; the number of items. */
  #words = new Uint32Array(WORDS)
  #count = 0
  /** Where each text ends, in bytes; each sentence, in words or items. */
  #ends = new Uint32Array(ENDS)
  #ended = 0
  /** Tags of the documents that end in the batch, and where those of each end. */
  #tags: string[] = []
  #tagEnds: number[] = []
  /** Tags of the document at hand. */
  #own: readonly string[] = []

  constructor(
    readonly stream: TextStream,
    readonly invalidUtf8: 'error' | 'replace' | 'skip',
    readonly who: string,
    /** Gives an error the stack of the verb that was called. */
    readonly joined: (error: InlayError) => InlayError,
    /** Whether items are documents, which may have tags. */
    readonly takesDocuments: boolean,
  ) {}

  get isEmpty(): boolean {
    const texts = this.#waiting.length + this.#ended
    return this.#used === 0 && this.#count === 0 && texts === 0
  }

  /**
   * Takes an item of the source and returns its text; of a document the tags are noted.
   *
   * @throws {InlayError} `INVALID_INPUT` it is no document
   */
  begin(item: Text | TaggedDocument): Text {
    this.index++
    if (!this.takesDocuments) return item as Text
    this.#own = []
    if (typeof item !== 'object' || item === null || isText(item)) return item as Text
    const { text, words, tags, ...others } = item as { readonly [name: string]: unknown }
    const other = Object.keys(others)[0]
    if (other !== undefined)
      throw this.#wrong(`it has a property \`${other}\`, which no document has`)
    if ((text === undefined) === (words === undefined)) {
      throw this.#wrong('a document has either `text` or `words`')
    }
    if (text !== undefined && typeof text !== 'string') {
      throw this.#wrong(`\`text\` must be a string, got ${shown(text)}`)
    }
    if (words !== undefined && !isText(words)) {
      throw this.#wrong(`\`words\` must be an array of words or items, got ${shown(words)}`)
    }
    if (tags !== undefined)
      this.#own = (Array.isArray(tags) ? tags : [tags]).map((tag) => this.#tag(tag))
    return (text ?? words) as Text
  }

  #tag(tag: unknown): string {
    if (Number.isSafeInteger(tag)) return String(tag)
    if (typeof tag === 'string' && tag.isWellFormed()) return tag
    throw this.#wrong(`a tag must be a string or an integer, got ${shown(tag)}`)
  }

  /**
   * Packs a text from a position on and returns where to go on in the next batch; `undefined`
   * when all of it is packed.
   *
   * @throws {InlayError} `INVALID_INPUT` it is no text
   */
  pack(text: Text, from: number): number | undefined {
    const kind = this.#kindOf(text)
    if (!this.isEmpty && (kind !== this.#kind || this.#isFull())) return from
    this.#kind = kind
    const stopped = this.#packKind(kind, text, from)
    if (stopped === undefined && this.takesDocuments) {
      for (const tag of this.#own) this.#tags.push(tag)
      this.#tagEnds.push(this.#tags.length)
    }
    return stopped
  }

  #packKind(kind: Kind, text: Text, from: number): number | undefined {
    if (kind === 'texts') return this.#packText(text as string, from)
    if (kind === 'words') return this.#packWords(text as readonly string[], from)
    return this.#packItems(text as readonly number[] | Uint32Array | Int32Array, from)
  }

  /** Hands the batch over and begins another. */
  push(): void {
    this.#writeWaiting()
    const ends = this.#ends.subarray(0, this.#ended)
    const bytes = this.#bytes.subarray(0, this.#used)
    if (this.takesDocuments) this.#pushTags()
    if (this.#kind === 'texts') this.stream.pushTexts(bytes, ends)
    else if (this.#kind === 'words') {
      this.stream.pushWords(bytes, this.#words.subarray(0, this.#count), ends)
    } else this.stream.pushItems(this.#items.subarray(0, this.#count), ends)
    this.#used = 0
    this.#count = 0
    this.#ended = 0
    if (this.#bytes.length > BATCH) this.#bytes = Buffer.allocUnsafe(BATCH)
  }

  #pushTags(): void {
    const most = this.#tags.reduce((sum, tag) => sum + tag.length * WIDEST, 0)
    const bytes = Buffer.allocUnsafe(most)
    let used = 0
    const ends = Uint32Array.from(this.#tags, (tag) => (used += bytes.write(tag, used)))
    this.stream.pushTags(bytes.subarray(0, used), ends, Uint32Array.from(this.#tagEnds))
    this.#tags = []
    this.#tagEnds = []
  }

  #isFull(): boolean {
    return (
      this.#tags.length >= WORDS ||
      this.#used > BATCH - 64 ||
      this.#count === this.#words.length ||
      this.#ended + this.#waiting.length >= ENDS
    )
  }

  #packText(text: string, from: number): number | undefined {
    if (from === 0) {
      const most = (this.#joined.length + text.length) * WIDEST
      if (this.#used + most > BATCH) this.#writeWaiting()
      if (this.#used + text.length * WIDEST <= BATCH) {
        if (this.#waiting.push(text) === 1) this.#firstWaiting = this.index
        this.#joined += text
        return undefined
      }
    }
    while (from < text.length) {
      const room = Math.floor((BATCH - this.#used) / WIDEST)
      if (room < 16) return from
      let to = Math.min(text.length, from + room)
      // A surrogate pair stays together; half a pair at the end of the text is no pair.
      if (to < text.length && isHighSurrogate(text.charCodeAt(to - 1))) to--
      this.#write(from === 0 && to === text.length ? text : text.slice(from, to))
      from = to
    }
    this.#ends[this.#ended++] = this.#used
    return undefined
  }

  /** Texts of ASCII alone have as many bytes as characters; of others each is asked how many it has. */
  #writeWaiting(): void {
    const [texts, joined] = [this.#waiting, this.#joined]
    this.#waiting = []
    this.#joined = ''
    const written = this.#bytes.write(joined, this.#used)
    const isAscii = written === joined.length
    if (isAscii || texts.every((text) => text.isWellFormed())) {
      for (const text of texts) {
        this.#used += isAscii ? text.length : Buffer.byteLength(text)
        this.#ends[this.#ended++] = this.#used
      }
      return
    }
    for (const [number, text] of texts.entries()) {
      this.#write(text, this.#firstWaiting + number)
      this.#ends[this.#ended++] = this.#used
    }
  }

  #packWords(words: readonly string[], from: number): number | undefined {
    for (let i = from; i < words.length; i++) {
      const word = words[i]
      if (typeof word !== 'string')
        throw this.#wrong(`word ${i} must be a string, got ${shown(word)}`)
      const most = word.length * WIDEST
      if (this.#count === this.#words.length || this.#used + most > this.#bytes.length) {
        if (this.#count > 0) return i
        this.#bytes = Buffer.allocUnsafe(most)
      }
      this.#write(word)
      this.#words[this.#count++] = this.#used
    }
    this.#ends[this.#ended++] = this.#count
    return undefined
  }

  #packItems(
    items: readonly number[] | Uint32Array | Int32Array,
    from: number,
  ): number | undefined {
    const to = Math.min(items.length, from + this.#items.length - this.#count)
    for (let i = from; i < to; i++) {
      const item = items[i]
      if (!Number.isSafeInteger(item))
        throw this.#wrong(`item number ${i} must be an integer, got ${shown(item)}`)
      this.#items[this.#count++] = item!
    }
    if (to < items.length) return to
    this.#ends[this.#ended++] = this.#count
    return undefined
  }

  #write(text: string, index = this.index): void {
    if (text.isWellFormed()) {
      this.#used += this.#bytes.write(text, this.#used)
      return
    }
    if (this.invalidUtf8 === 'error') {
      throw this.#wrong('it holds half a surrogate pair, which is not Unicode', index)
    }
    if (this.invalidUtf8 === 'replace') {
      this.#used += this.#bytes.write(text.toWellFormed(), this.#used)
      return
    }
    // A byte that no UTF-8 has stands for each half: the reader leaves the word out, as in files.
    for (const [i, part] of text.split(HALF).entries()) {
      if (i > 0) this.#bytes[this.#used++] = 0xff
      this.#used += this.#bytes.write(part, this.#used)
    }
  }

  #kindOf(text: unknown): Kind {
    if (typeof text === 'string') return 'texts'
    if (text instanceof Uint32Array || text instanceof Int32Array) return 'items'
    if (Array.isArray(text)) return typeof text[0] === 'number' ? 'items' : 'words'
    const expected = 'a string, an array of strings or an array of integers'
    throw this.#wrong(`it must be ${expected}, got ${shown(text)}`)
  }

  #wrong(problem: string, index = this.index): InlayError {
    const message = `${this.who}: item ${index} of the source: ${problem}`
    return this.joined(new InlayError('INVALID_INPUT', message, { index, problem }))
  }
}

function isText(item: unknown): boolean {
  return Array.isArray(item) || item instanceof Uint32Array || item instanceof Int32Array
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}
