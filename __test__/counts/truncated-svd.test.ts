import { join } from 'node:path'
import test from 'ava'
import { InvalidOptionError, SparseMatrix, TruncatedSvd, truncatedSvdOptions } from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomNumbers } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

/** A matrix of `rank` random directions of lengths that fall, and nothing else. */
function ofRank(rank: number, rows: number, columns: number): SparseMatrix {
  const next = randomNumbers(1)
  const left = Array.from({ length: rank }, () => Array.from({ length: rows }, () => next() - 0.5))
  const right = Array.from({ length: rank }, () =>
    Array.from({ length: columns }, () => next() - 0.5),
  )
  const values = Float32Array.from({ length: rows * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns]
    return left.reduce((sum, l, k) => sum + l[row]! * right[k]![column]! * 3 ** -k, 0)
  })
  const offsets = Float64Array.from({ length: rows + 1 }, (_, row) => row * columns)
  const indices = Uint32Array.from(values, (_, at) => at % columns)
  return SparseMatrix.from({ columns, offsets, indices, values })
}

test('a matrix of few directions is what the directions make of it', async (t) => {
  using matrix = ofRank(4, 300, 60)
  using svd = await TruncatedSvd.train(matrix, { dimensions: 4 })
  const [rows, directions] = [await svd.transform(matrix), svd.directions()]
  const dense = await matrix.toVectors()
  for (let i = 0; i < 300; i += 17) {
    for (let j = 0; j < 60; j += 7) {
      const sum = rows.row(i).reduce((s, value, k) => s + value * directions.row(j)[k]!, 0)
      t.true(Math.abs(sum - dense.row(i)[j]!) < 1e-4, `${i} ${j}`)
    }
  }
})

test('directions are 1 long, square to each other, and as long as the matrix in them', async (t) => {
  using matrix = ofRank(30, 400, 50)
  using svd = await TruncatedSvd.train(matrix, { dimensions: 5 })
  const directions = svd.directions()
  const product = (a: number, b: number) =>
    Array.from(directions, (row) => row[a]! * row[b]!).reduce((sum, value) => sum + value, 0)
  const rows = await svd.transform(matrix)
  for (let a = 0; a < 5; a++) {
    for (let b = 0; b <= a; b++) t.true(Math.abs(product(a, b) - (a === b ? 1 : 0)) < 1e-4)
    const length = Math.hypot(...Array.from(rows, (row) => row[a]!))
    t.true(Math.abs(length / svd.singularValues[a]! - 1) < 1e-3, `${length}`)
    t.true(a === 0 || svd.singularValues[a]! <= svd.singularValues[a - 1]!)
  }
})

test('a seed gives the same bytes for any number of threads', async (t) => {
  using matrix = ofRank(20, 3000, 40)
  const values = async (threads: number, seed: number) => {
    using svd = await TruncatedSvd.train(matrix, { dimensions: 6, threads, seed, iterations: 1 })
    return svd.directions().values
  }
  const one = await values(1, 1)
  t.deepEqual(await values(2, 1), one)
  t.notDeepEqual(await values(2, 2), one)
})

test('more dimensions than a matrix has directions are zeros; more than sides are refused', async (t) => {
  using matrix = ofRank(2, 30, 20)
  using svd = await TruncatedSvd.train(matrix, { dimensions: 8 })
  t.true(svd.singularValues[2]! < 1e-3 * svd.singularValues[0]!)
  t.true(svd.directions().values.every(Number.isFinite))
  await t.throwsAsync(TruncatedSvd.train(matrix, { dimensions: 21 }), {
    instanceOf: InvalidOptionError,
    message: /at most 20/,
  })
})

test('it comes back from its file, and takes only matrices of its columns', async (t) => {
  const path = join(folder(t), 'svd.safetensors')
  using matrix = ofRank(5, 100, 30)
  using svd = await TruncatedSvd.train(matrix, { dimensions: 3 })
  await svd.save(path)
  using opened = await TruncatedSvd.open(path)
  t.deepEqual((await opened.transform(matrix)).values, (await svd.transform(matrix)).values)
  t.deepEqual(opened.singularValues, svd.singularValues)
  await t.throwsAsync(svd.transform(ofRank(2, 5, 31)), { instanceOf: InvalidOptionError })
  await t.throwsAsync(TruncatedSvd.train({} as SparseMatrix), { instanceOf: InvalidOptionError })
})

for (const { option, value } of wrongValues(truncatedSvdOptions)) {
  test(`refuses ${option}: ${value}`, async (t) => {
    using matrix = ofRank(2, 30, 20)
    const training = TruncatedSvd.train(matrix, { [option]: value })
    await t.throwsAsync(training, { instanceOf: InvalidOptionError })
  })
}
