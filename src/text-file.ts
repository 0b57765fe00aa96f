// Text of files, read in pieces: what becomes JavaScript's strings in any case. What Rust reads, it opens itself.
import { Buffer } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { type Duplex, Readable, pipeline } from 'node:stream'
import * as zlib from 'node:zlib'
import { InlayError } from './errors.js'

/** How bytes become text. */
interface Reading {
  /** Who reads, for errors. */
  readonly who?: string
  /** What is done with bytes that are no UTF-8: an error, or U+FFFD in their place. */
  readonly invalidUtf8?: 'error' | 'replace'
}

/**
 * A file's text, piece after piece, without a byte order mark; gzip and zstd are unpacked.
 *
 * @throws {InlayError} `NOT_FOUND`, `IO`; `INVALID_INPUT` it is not UTF-8, or damaged; `UNSUPPORTED` it is zstd, which
 *   Node.js unpacks from 22.15 on
 */
export async function* textOf(file: string, reading: Reading = {}): AsyncGenerator<string> {
  const bytes = createReadStream(file)
  try {
    yield* textOfBytes(bytes, file, reading)
  } finally {
    bytes.destroy()
  }
}

/** As `textOf`, of bytes that come in pieces; `name` is what errors call them. */
export async function* textOfBytes(
  bytes: AsyncIterable<Buffer>,
  name: string,
  { who, invalidUtf8 = 'error' }: Reading = {},
): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: invalidUtf8 === 'error' })
  try {
    for await (const chunk of unpacked(bytes, name, who)) {
      yield decoder.decode(chunk, { stream: true })
    }
    yield decoder.decode()
  } catch (error) {
    throw errorOf(error, name, who)
  }
}

/** The lines of a text that comes in pieces, without their ends: those of a piece together. */
export async function* linesOf(texts: AsyncIterable<string>): AsyncGenerator<string[]> {
  let rest = ''
  const withoutReturn = (line: string) => (line.endsWith('\r') ? line.slice(0, -1) : line)
  for await (const text of texts) {
    // A long line is put together once, and not gone over with each of its pieces.
    if (!text.includes('\n')) {
      rest += text
      continue
    }
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    yield lines.map(withoutReturn)
  }
  if (rest !== '') yield [withoutReturn(rest)]
}

/** How packed bytes begin: gzip (RFC 1952), zstd (RFC 8878). */
const beginnings = { gzip: Buffer.from([0x1f, 0x8b]), zstd: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]) }

/** Bytes as they were before gzip or zstd packed them: told by how they begin, as Rust tells it. */
async function* unpacked(
  bytes: AsyncIterable<Buffer>,
  name: string,
  who: string | undefined,
): AsyncGenerator<Buffer> {
  const pieces = bytes[Symbol.asyncIterator]()
  let head: Buffer = Buffer.alloc(0)
  // A line of standard input that is shorter than a beginning is not kept waiting for more.
  const isOpen = () =>
    Object.values(beginnings).some(
      (one) => head.length < one.length && head.equals(one.subarray(0, head.length)),
    )
  while (isOpen()) {
    const { done, value } = await pieces.next()
    if (done === true) break
    head = head.length === 0 ? value : Buffer.concat([head, value])
  }
  const whole = joined(head, pieces)
  const unpacker = unpackerOf(head, name, who)
  // What goes wrong is told by the one that is read.
  yield* unpacker === undefined ? whole : pipeline(Readable.from(whole), unpacker, () => {})
}

async function* joined(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield head
  yield* { [Symbol.asyncIterator]: () => rest }
}

/** What unpacks bytes that begin so; none for those that are not packed. */
function unpackerOf(head: Buffer, name: string, who: string | undefined): Duplex | undefined {
  const begins = (one: Buffer) => head.subarray(0, one.length).equals(one)
  if (begins(beginnings.gzip)) return zlib.createGunzip()
  if (!begins(beginnings.zstd)) return undefined
  const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Duplex }
  if (createZstdDecompress !== undefined) return createZstdDecompress()
  const problem =
    'it is packed by zstd, which Node.js unpacks from 22.15 on: unpack it, or pipe it from `zstd -dc`'
  throw new InlayError('UNSUPPORTED', `${placeOf(name, who)}: ${problem}`, { path: name, problem })
}

function placeOf(file: string, who: string | undefined): string {
  return who === undefined ? `the file ${file}` : `${who}: ${file}`
}

/** The error of a file that cannot be read, with the words and the context that Rust gives it. @internal */
export function errorOf(error: unknown, file: string, who?: string): unknown {
  if (error instanceof InlayError || !(error instanceof Error)) return error
  if (error.name === 'AbortError') return error
  const { code = '' } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') {
    const problem = `file not found: ${file}`
    const message = who === undefined ? problem : `${who}: ${problem}`
    return new InlayError('NOT_FOUND', message, { what: 'file', name: file })
  }
  const problem = code.startsWith('ERR_ENCODING') ? 'it is not UTF-8' : error.message
  const message = `${placeOf(file, who)}: ${problem}`
  const isDamaged = /^(Z_|ZSTD_|ERR_ENCODING_INVALID)/.test(code)
  if (isDamaged) return new InlayError('INVALID_INPUT', message, { source: file, problem })
  return new InlayError('IO', message, { doing: 'read', path: file, reason: problem })
}
