import { join } from 'node:path'
import test from 'ava'
import { PrincipalComponents, Vectors, principalComponentsOptions } from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomNumbers } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

/** Rows of 12 values that vary along three directions, less along each, around a mean; and a little along all. */
function rows(count: number, seed: number): Vectors {
  const next = randomNumbers(seed)
  const values = Array.from({ length: count }, () => {
    const along = [8, 3, 1].map((wide) => wide * (next() + next() + next() - 1.5))
    const value = (i: number) =>
      i + along[0]! * Math.sin(i) + along[1]! * Math.cos(i) + (along[2]! * (i % 3)) / 2
    return Array.from({ length: 12 }, (_, i) => value(i) + 0.01 * next())
  })
  return Vectors.from(Float32Array.from(values.flat()), 12)
}

function error(a: Vectors, b: Vectors): number {
  return a.values.reduce((sum, value, i) => sum + (value - b.values[i]!) ** 2, 0) / a.length
}

test('vectors come back, the nearer the more directions there are', async (t) => {
  const [given, held] = [rows(500, 1), rows(100, 2)]
  let before = Infinity
  for (const dimensions of [1, 2, 3]) {
    using model = await PrincipalComponents.train(given, { dimensions })
    t.deepEqual([model.dimensions, model.width], [dimensions, 12])
    const codes = await model.encode(held)
    t.deepEqual([codes.length, codes.dimensions], [100, dimensions])
    const found = error(await model.decode(codes), held)
    t.true(found < 0.6 * before, `${dimensions}: ${found} ${before}`)
    before = found
  }
  t.true(before < 0.001, `${before}`)
  // All directions are another way to say the same.
  using all = await PrincipalComponents.train(given, { dimensions: 12 })
  t.true(error(await all.decode(await all.encode(held)), held) < 1e-6)
})

test('directions are of length 1, at right angles, and the widest comes first', async (t) => {
  using model = await PrincipalComponents.train(rows(500, 1), { dimensions: 3 })
  const { values } = model.network.parameter('components.weight')!
  const product = (a: number, b: number) =>
    Array.from({ length: 12 }, (_, i) => values[a * 12 + i]! * values[b * 12 + i]!).reduce(
      (sum, x) => sum + x,
    )
  for (const a of [0, 1, 2]) {
    for (const b of [0, 1, 2]) t.true(Math.abs(product(a, b) - (a === b ? 1 : 0)) < 1e-5)
  }
  const codes = await model.encode(rows(500, 1))
  const spread = [0, 1, 2].map((k) =>
    Array.from(codes, (row) => row[k]!).reduce((sum, x) => sum + x * x),
  )
  t.true(spread[0]! > spread[1]! && spread[1]! > spread[2]!)
  using whitened = await PrincipalComponents.train(rows(500, 1), { dimensions: 3, whiten: true })
  const white = await whitened.encode(rows(500, 1))
  for (const k of [0, 1, 2]) {
    const variance = Array.from(white, (row) => row[k]! ** 2).reduce((sum, x) => sum + x) / 500
    t.true(Math.abs(variance - 1) < 1e-3, `${variance}`)
  }
  const [plain, other] = [await model.decode(codes), await whitened.decode(white)]
  t.true(error(plain, other) < 1e-6)
})

test('it is kept in a file, and is the same for any number of threads', async (t) => {
  const path = join(folder(t), 'components.safetensors')
  using model = await PrincipalComponents.train(rows(300, 1), { dimensions: 4, threads: 1 })
  using other = await PrincipalComponents.train(rows(300, 1), { dimensions: 4, threads: 3 })
  await model.save(path)
  using opened = await PrincipalComponents.open(path)
  const held = rows(5, 2)
  const codes = await model.encode(held)
  t.deepEqual((await other.encode(held)).values, codes.values)
  t.deepEqual((await opened.encode(held)).values, codes.values)
  t.deepEqual((await opened.decode(codes)).values, (await model.decode(codes)).values)
})

test('what varies along fewer directions than are asked for stays whole', async (t) => {
  const flat = Vectors.from(Float32Array.of(1, 2, 3, 1, 2, 3), 3)
  using model = await PrincipalComponents.train(flat, { dimensions: 2, whiten: true })
  t.deepEqual((await model.decode(await model.encode(flat))).values, flat.values)
})

test('what makes no sense is refused', async (t) => {
  const refused = (given: unknown, options: object, error_: object) =>
    t.throwsAsync(PrincipalComponents.train(given as Vectors, options), error_)
  await refused([1], {}, { message: /`vectors` must be Vectors/ })
  await refused(Vectors.from(new Float32Array(0), 3), {}, { message: /`vectors` must be Vectors/ })
  await refused(rows(5, 1), { dimensions: 13 }, { message: /`dimensions` must be at most 12/ })
  const wrong = Vectors.from(Float32Array.of(1, Number.NaN), 2)
  await refused(wrong, { dimensions: 1 }, { code: 'INVALID_INPUT' })
  using model = await PrincipalComponents.train(rows(9, 1), { dimensions: 2 })
  await t.throwsAsync(model.decode(rows(1, 1)), { message: /`codes` must be Vectors of 2 values/ })
  for (const { option, value } of wrongValues(principalComponentsOptions)) {
    await refused(rows(9, 1), { [option]: value }, { code: 'INVALID_OPTION' })
  }
})
