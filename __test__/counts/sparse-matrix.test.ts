import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { InlayError, InvalidOptionError, SparseMatrix, Vectors } from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomNumbers } from '../fixtures/toy.js'

/** [[1, 0, 2], [0, 0, 0], [0, 3, 4]] */
const parts = {
  columns: 3,
  offsets: Float64Array.of(0, 2, 2, 4),
  indices: Uint32Array.of(0, 2, 1, 2),
  values: Float32Array.of(1, 2, 3, 4),
}

/** A matrix of random values, a fifth of them not zero. */
function random(rows: number, columns: number, seed: number): SparseMatrix {
  const next = randomNumbers(seed)
  const [offsets, indices, values] = [[0], [] as number[], [] as number[]]
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (next() < 0.2) {
        indices.push(column)
        values.push(next() + 0.1)
      }
    }
    offsets.push(indices.length)
  }
  return SparseMatrix.from({
    columns,
    offsets: Float64Array.from(offsets),
    indices: Uint32Array.from(indices),
    values: Float32Array.from(values),
  })
}

test('rows, parts, selected rows and all values are what it was made of', async (t) => {
  using matrix = SparseMatrix.from(parts)
  t.deepEqual([matrix.rows, matrix.columns, matrix.stored], [3, 3, 4])
  t.deepEqual(
    { ...matrix.row(2) },
    { indices: Uint32Array.of(1, 2), values: Float32Array.of(3, 4) },
  )
  t.is(matrix.row(1).indices.length, 0)
  t.deepEqual(matrix.parts(), parts)
  t.deepEqual([...(await matrix.toVectors()).values], [1, 0, 2, 0, 0, 0, 0, 3, 4])
  t.deepEqual([...(await matrix.rowsAt([2, 0, 2]).toVectors()).values], [0, 3, 4, 1, 0, 2, 0, 3, 4])
  for (const row of [-1, 3, 0.5, NaN]) {
    t.throws(() => matrix.row(row), { instanceOf: InvalidOptionError })
    t.throws(() => matrix.rowsAt([row]), { instanceOf: InvalidOptionError })
  }
})

test('transposed, rows are columns', async (t) => {
  using matrix = SparseMatrix.from(parts)
  using other = await matrix.transpose()
  t.deepEqual([...(await other.toVectors()).values], [1, 0, 0, 0, 0, 3, 2, 0, 4])
  t.deepEqual((await other.transpose()).parts(), parts)
})

test('a product with a dense matrix is that of the dense ones', async (t) => {
  using matrix = random(600, 40, 1)
  const next = randomNumbers(2)
  const dense = Vectors.from(Float32Array.from({ length: 40 * 7 }, next), 7)
  const [product, rows] = [await matrix.multiply(dense), await matrix.toVectors()]
  for (let i = 0; i < 600; i += 37) {
    for (let j = 0; j < 7; j++) {
      let sum = 0
      for (let k = 0; k < 40; k++) sum += rows.row(i)[k]! * dense.row(k)[j]!
      t.true(Math.abs(product.row(i)[j]! - sum) < 1e-4)
    }
  }
  await t.throwsAsync(matrix.multiply(Vectors.from(new Float32Array(10), 5)), {
    instanceOf: InvalidOptionError,
  })
})

test('the most similar rows are those with the largest cosines', async (t) => {
  using matrix = random(500, 30, 3)
  using queries = random(40, 30, 4)
  const [rows, asked] = [await matrix.toVectors(), await queries.toVectors()]
  const cosine = (a: Float32Array, b: Float32Array) => {
    const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, v, k) => sum + v * y[k]!, 0)
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)) || 0
  }
  const found = await matrix.mostSimilar(queries, { topK: 5 })
  t.is(found.length, 40)
  for (const [q, near] of found.entries()) {
    const all = Array.from(rows, (row) => cosine(asked.row(q), row)).toSorted((a, b) => b - a)
    t.is(near.length, Math.min(5, all.filter((score) => score > 0).length))
    for (const [i, { row, score }] of near.entries()) {
      t.true(Math.abs(score - all[i]!) < 1e-5)
      t.true(Math.abs(score - cosine(asked.row(q), rows.row(row))) < 1e-5)
    }
  }
  await t.throwsAsync(matrix.mostSimilar(random(1, 31, 1)), { instanceOf: InvalidOptionError })
})

test('it comes back from its file; a damaged one is an error', async (t) => {
  const path = join(folder(t), 'matrix.npz')
  using matrix = random(50, 20, 5)
  await matrix.save(path)
  t.deepEqual((await SparseMatrix.open(path)).parts(), matrix.parts())
  const bytes = readFileSync(path)
  const next = randomNumbers(6)
  let refused = 0
  for (let round = 0; round < 200; round++) {
    const damaged = Buffer.from(bytes)
    damaged[Math.floor(next() * damaged.length)] = Math.floor(next() * 256)
    writeFileSync(path, round % 2 ? damaged : damaged.subarray(0, next() * damaged.length))
    try {
      ;(await SparseMatrix.open(path)).close()
    } catch (error) {
      t.true(error instanceof InlayError && ['INVALID_INPUT', 'UNSUPPORTED'].includes(error.code))
      refused++
    }
  }
  t.true(refused > 100, `${refused} of 200 were refused`)
})

test('parts that are no matrix are refused', (t) => {
  for (const wrong of [
    { columns: 2 },
    { columns: -1 },
    { offsets: Float64Array.of(0, 2, 1, 4) },
    { offsets: Float64Array.of(0, 2, 2, 5) },
    { offsets: Float64Array.of(0, 0.5, 2, 4) },
    { indices: Uint32Array.of(2, 0, 1, 2) },
    { indices: Uint32Array.of(0, 0, 1, 2) },
    { values: Float32Array.of(1, 2, 3) },
    { values: Float32Array.of(1, 2, 3, Infinity) },
  ]) {
    t.throws(() => SparseMatrix.from({ ...parts, ...wrong }), { instanceOf: InvalidOptionError })
  }
})

test('a closed matrix says so', (t) => {
  const matrix = SparseMatrix.from(parts)
  matrix.close()
  t.throws(() => matrix.row(0), { code: 'CLOSED' })
})
