// Text of files, read in pieces: what becomes JavaScript's strings in any case. What Rust reads, it opens itself.
import type { Buffer } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { type ErrorCode, InlayError } from './errors.js'

/** How bytes become text. */
interface Reading {
  /** Who reads, for errors. */
  readonly who?: string
  /** What is done with bytes that are no UTF-8: an error, or U+FFFD in their place. */
  readonly invalidUtf8?: 'error' | 'replace'
}

/**
 * A file's text, piece after piece, without a byte order mark; unpacked if its name ends in .gz.
 *
 * @throws {InlayError} `NOT_FOUND`, `IO`; `INVALID_INPUT` it is not UTF-8, or no gzip
 */
export async function* textOf(file: string, reading: Reading = {}): AsyncGenerator<string> {
  const bytes = createReadStream(file)
  const isPacked = /\.gz$/i.test(file)
  try {
    // What goes wrong is told by the one that is read.
    yield* textOfBytes(isPacked ? pipeline(bytes, createGunzip(), () => {}) : bytes, file, reading)
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
    for await (const chunk of bytes) yield decoder.decode(chunk, { stream: true })
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

function errorOf(error: unknown, file: string, who: string | undefined): unknown {
  if (error instanceof InlayError || !(error instanceof Error)) return error
  if (error.name === 'AbortError') return error
  const { code = '' } = error as NodeJS.ErrnoException
  const isDamaged = code.startsWith('Z_') || code === 'ERR_ENCODING_INVALID_ENCODED_DATA'
  const kind: ErrorCode = isDamaged ? 'INVALID_INPUT' : code === 'ENOENT' ? 'NOT_FOUND' : 'IO'
  const problem = code.startsWith('ERR_ENCODING') ? 'it is not UTF-8' : error.message
  const where = who === undefined ? `the file ${file}` : `${who}: ${file}`
  return new InlayError(kind, `${where}: ${problem}`, { path: file, problem })
}
