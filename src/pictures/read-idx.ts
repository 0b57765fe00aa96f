// The file format of MNIST and its kin (LeCun, Cortes and Burges): a header, and an array of numbers.
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { type ErrorCode, InlayError } from '../errors.js'
import { type RunOptions, settle } from '../options.js'
import { type Path, settlePath } from '../path.js'

/** Bytes of a number, and how it is read, by the third byte of the file. */
const types = new Map<number, { bytes: number; read: (view: DataView, at: number) => number }>([
  [0x08, { bytes: 1, read: (view, at) => view.getUint8(at) }],
  [0x09, { bytes: 1, read: (view, at) => view.getInt8(at) }],
  [0x0b, { bytes: 2, read: (view, at) => view.getInt16(at) }],
  [0x0c, { bytes: 4, read: (view, at) => view.getInt32(at) }],
  [0x0d, { bytes: 4, read: (view, at) => view.getFloat32(at) }],
  [0x0e, { bytes: 8, read: (view, at) => view.getFloat64(at) }],
])

/** An array of items of one shape: of pictures [28, 28], of labels []. */
export interface IdxArray {
  /** How many items there are. */
  readonly length: number
  /** The shape of an item. */
  readonly shape: readonly number[]
  /** All numbers, item after item: as bytes where the file has bytes. */
  readonly values: Uint8Array | Float64Array
  /** The items, in order: views of `values`, not copies. */
  readonly items: readonly (Uint8Array | Float64Array)[]
}

/**
 * Reads a file of MNIST's format (IDX), packed by gzip or not: 'train-images-idx3-ubyte.gz'.
 *
 *     const { items, shape } = await readIdx('train-images-idx3-ubyte.gz') // 60,000 of [28, 28]
 *
 * @throws {InlayError} `NOT_FOUND`, `IO`; `INVALID_INPUT` the file is no such array, or has more or fewer numbers
 *   than its header says
 */
export async function readIdx(
  path: Path,
  options: Pick<RunOptions, 'signal'> = {},
): Promise<IdxArray> {
  const who = 'readIdx'
  const file = settlePath(path, who)
  const { signal } = settle({}, options, who).run
  const fail = (code: ErrorCode, problem: string) =>
    new InlayError(code, `${who}: ${file}: ${problem}`, { path: file, problem })
  const bytes = await unpacked(file, signal, fail)
  const invalid = (problem: string) => fail('INVALID_INPUT', problem)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const type = bytes.length >= 4 && view.getUint16(0) === 0 ? types.get(bytes[2]!) : undefined
  const axes = bytes[3] ?? 0
  const start = 4 + 4 * axes
  if (type === undefined || axes === 0 || bytes.length < start) throw invalid('it is no IDX array')
  const [length = 0, ...shape] = Array.from({ length: axes }, (_, i) => view.getUint32(4 + 4 * i))
  const size = shape.reduce((product, axis) => product * axis, 1)
  if (bytes.length - start !== length * size * type.bytes) {
    const had = `${bytes.length - start} bytes of numbers`
    throw invalid(`it has ${had}, and ${length * size * type.bytes} by its header`)
  }
  const values =
    bytes[2] === 0x08
      ? new Uint8Array(bytes.buffer, bytes.byteOffset + start, length * size)
      : Float64Array.from({ length: length * size }, (_, i) =>
          type.read(view, start + i * type.bytes),
        )
  const items = Array.from({ length }, (_, i) => values.subarray(i * size, (i + 1) * size))
  return { length, shape, values, items }
}

async function unpacked(
  file: string,
  signal: AbortSignal | undefined,
  fail: (code: ErrorCode, problem: string) => InlayError,
): Promise<Uint8Array> {
  try {
    const bytes = await readFile(file, { signal })
    const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b
    return isPacked ? await promisify(gunzip)(bytes) : bytes
  } catch (error) {
    signal?.throwIfAborted()
    const { code = '', message } = error as NodeJS.ErrnoException
    const isDamaged = code.startsWith('Z_') || code === 'ERR_BUFFER_TOO_LARGE'
    throw fail(isDamaged ? 'INVALID_INPUT' : code === 'ENOENT' ? 'NOT_FOUND' : 'IO', message)
  }
}
