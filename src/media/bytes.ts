// Bytes of a file that are here or that come piece by piece, carried over in turns.
import { InlayError, InvalidOptionError, shown } from '../errors.js'
import { BytesHandle } from '../native.js'
import { wrongOption } from '../options.js'
import { type Path, settlePath } from '../path.js'
import { unlessAborted } from '../run.js'
import { Turns } from '../turns.js'

/** A file: by its name, its bytes, or its bytes as they come (a Node.js or web stream of bytes, any async iterable of
 * them). */
export type MediaSource = Path | Uint8Array | AsyncIterable<Uint8Array>

/** Bytes that are carried over at once: a fraction of a millisecond. */
const PIECE = 1 << 18

/** A source that was looked at. @internal */
export type SettledSource =
  | { readonly name: string; readonly path: string }
  | { readonly name: string; readonly pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array> }

/** What a source is; `what` stands for it in messages. @internal */
export function settleSource(source: unknown, what: string, who: string): SettledSource {
  if (source instanceof Uint8Array) return { name: what, pieces: [source] }
  if (typeof source === 'object' && source !== null && Symbol.asyncIterator in source) {
    return { name: what, pieces: source as AsyncIterable<Uint8Array> }
  }
  if (typeof source !== 'string' && !(source instanceof URL)) {
    throw wrongOption(what, 'a path, bytes of a file, or an async iterable of bytes', source, who)
  }
  const path = settlePath(source, who, what)
  return { name: path, path }
}

/** The pieces of a source in parts of a size that can be carried over at once. Leaving them lets the source clean up.
 * An abort rejects even while the source has nothing to give. @internal */
export async function* partsOf(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  what: string,
  signal: AbortSignal | undefined,
  who: string,
): AsyncGenerator<Uint8Array, void, void> {
  const isAsync = Symbol.asyncIterator in pieces
  const iterator = isAsync ? pieces[Symbol.asyncIterator]() : pieces[Symbol.iterator]()
  const turns = new Turns(signal)
  let isOver = false
  try {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- a piece is asked for when it is wanted
      const { done, value } = await unlessAborted(Promise.resolve(iterator.next()), signal)
      isOver = done === true
      if (done) return
      if (!(value instanceof Uint8Array)) throw noBytes(value, what, who)
      for (let from = 0; from < value.length; from += PIECE) {
        yield value.subarray(from, from + PIECE)
        if (turns.isOver(1 << 9)) await turns.next()
      }
    }
  } finally {
    // Not waited for: what has nothing to give does not end either.
    if (!isOver) void Promise.resolve(iterator.return?.()).catch(() => undefined)
  }
}

/** All bytes of a source. @internal */
export async function bytesOf(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  what: string,
  most: number,
  signal: AbortSignal | undefined,
  who: string,
): Promise<BytesHandle> {
  const handle = new BytesHandle()
  let length = 0
  for await (const part of partsOf(pieces, what, signal, who)) {
    length += part.length
    if (length > most) {
      const message = `${who}: ${what} has more than the ${most} bytes that are held; give it as a file`
      throw new InlayError('INVALID_INPUT', message, { source: what })
    }
    handle.push(part)
  }
  return handle
}

function noBytes(value: unknown, what: string, who: string): InvalidOptionError {
  const message = `${who}: \`${what}\` must give Uint8Arrays, gave ${shown(value)}`
  return new InvalidOptionError(message, { option: what, got: shown(value) })
}
