// The file format of MNIST and its kin (LeCun, Cortes and Burges): a header, and an array of numbers.
import { type IdxContent, readIdx as readNative } from '../native.js'
import { type RunOptions, settle } from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run } from '../run.js'
import { arrayOf } from '../turns.js'

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
  const settings = settle({}, options, who).run
  const { shape: axes, values } = await run<IdxContent>(who, settings, (spec, events) =>
    readNative(file, spec, events),
  )
  const [length = 0, ...shape] = axes
  const size = shape.reduce((product, axis) => product * axis, 1)
  const items = await arrayOf(length, (i) => values.subarray(i * size, (i + 1) * size))
  return { length, shape, values, items }
}
