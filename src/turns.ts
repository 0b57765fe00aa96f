// JavaScript that goes over data gives the event loop its turn every few milliseconds.
import { setImmediate as nextTurn } from 'node:timers/promises'

/** Milliseconds after which the event loop has its turn. */
const TURN = 1
/** Values between two looks at the clock. */
const LOOK = 1 << 9

/**
 * The turns of one piece of work.
 *
 *     const turns = new Turns(signal)
 *     for (const row of rows) {
 *       add(row)
 *       if (turns.isOver(row.length)) await turns.next()
 *     }
 */
export class Turns {
  #begin = performance.now()
  #left = LOOK

  constructor(readonly signal?: AbortSignal | undefined) {}

  /** Notes that so many values were gone over; whether the event loop is to have its turn. */
  isOver(values = 1): boolean {
    this.#left -= values
    if (this.#left > 0) return false
    this.#left = LOOK
    return performance.now() - this.#begin > TURN
  }

  /** The event loop has its turn. Throws the signal's reason if it was aborted. */
  async next(): Promise<void> {
    this.signal?.throwIfAborted()
    await nextTurn()
    this.#begin = performance.now()
  }
}

/** `Array.from({ length }, (_, i) => make(i))` in turns; `values` is what one of them goes over. */
export async function arrayOf<T>(
  length: number,
  make: (i: number) => T,
  turns = new Turns(),
  values = 1,
): Promise<T[]> {
  const made: T[] = []
  for (let i = 0; i < length; i++) {
    made.push(make(i))
    if (turns.isOver(values)) await turns.next()
  }
  return made
}
