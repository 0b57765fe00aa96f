import { InlayError } from './errors.js'

/** What the native classes have in common. */
interface Closable {
  /** Tells the garbage collector what the object weighs. */
  weigh(): void
  close(): void
}

/** A native object until it is closed. Without `close` its memory is freed some time after the
 * last use, when the garbage is collected. */
export class Handle<Native extends Closable> {
  #native: Native | undefined

  constructor(native: Native) {
    native.weigh()
    this.#native = native
  }

  /**
   * The native object, for `who`.
   *
   * @throws {InlayError} `CLOSED`
   */
  use(who: string): Native {
    if (this.#native) return this.#native
    throw new InlayError('CLOSED', `${who}: called after \`close()\``)
  }

  /** Frees the memory at once, or when the last run that uses it ends. Twice is once. */
  close(): void {
    this.#native?.close()
    this.#native = undefined
  }
}
