// Items that come one by one and are worked on some at a time.
import { Vectors } from '../embedder.js'

/** The vectors of items, of which `batchSize` are in memory at once; of none as well, so that their width is known. `first` is the
 * number of a batch's first item. */
export async function inBatches<Item>(
  items: Iterable<Item> | AsyncIterable<Item>,
  batchSize: number,
  encode: (batch: readonly Item[], first: number) => Promise<Vectors>,
): Promise<Vectors> {
  const parts: Float32Array[] = []
  let [batch, first, width]: [Item[], number, number | undefined] = [[], 0, undefined]
  const flush = async () => {
    const rows = await encode(batch, first)
    parts.push(rows.values)
    width = rows.dimensions
    first += batch.length
    batch = []
  }
  for await (const item of items) {
    batch.push(item)
    if (batch.length === batchSize) await flush()
  }
  if (batch.length > 0 || width === undefined) await flush()
  return new Vectors(joined(parts), width!)
}

function joined(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0]!
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
