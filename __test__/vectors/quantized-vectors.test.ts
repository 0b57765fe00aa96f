// Vectors in fewer bits are those of sentence-transformers, bit for bit.
import { readFile } from 'node:fs/promises'
import test from 'ava'
import { QuantizedVectors, Vectors, quantizingOptions } from 'inlay'
import { longestHoldOf } from '../fixtures/longest-hold.js'
import { wrongValues } from '../fixtures/wrong-values.js'

/** What `quantized.py` beside it wrote. */
const golden = new URL('../../../__test__/golden/quantized.json', import.meta.url)

interface Golden {
  readonly width: number
  readonly vectors: number[]
  readonly others: number[]
  readonly ranges: number[]
  readonly of: Record<string, { plain: number[]; calibrated?: number[]; ranged?: number[] }>
}

const read = async () => {
  const found = JSON.parse(await readFile(golden, 'utf8')) as Golden
  const { width, vectors, others, ranges, of } = found
  const rows = (values: number[]) => Vectors.from(Float32Array.from(values), width)
  const [least, most] = [ranges.slice(0, width), ranges.slice(width)].map((r) =>
    Float32Array.from(r),
  )
  return {
    of,
    vectors: rows(vectors),
    others: rows(others),
    ranges: { least: least!, most: most! },
  }
}

test('bytes and bits are those of sentence-transformers', async (t) => {
  const { of, vectors, others, ranges } = await read()
  for (const precision of ['int8', 'uint8'] as const) {
    const plain = await vectors.quantize(precision)
    t.deepEqual(Array.from(plain.values), of[precision]!.plain)
    t.is(plain.width, 21)
    t.deepEqual(await vectors.quantize(precision, { ranges: plain.ranges }), plain)
    t.deepEqual(await vectors.quantize(precision, { ranges: vectors }), plain)
    const calibrated = await vectors.quantize(precision, { ranges: others })
    t.deepEqual(Array.from(calibrated.values), of[precision]!.calibrated)
    const ranged = await vectors.quantize(precision, { ranges })
    t.deepEqual(Array.from(ranged.values), of[precision]!.ranged)
    t.is(ranged.ranges, ranges)
  }
  for (const precision of ['binary', 'ubinary'] as const) {
    const found = await vectors.quantize(precision)
    t.deepEqual(Array.from(found.values), of[precision]!.plain)
    t.is(found.width, 3)
    t.is(found.ranges, undefined)
  }
})

test('rows are views of the type that their precision has', async (t) => {
  const { vectors } = await read()
  const bytes: QuantizedVectors<'uint8'> = await vectors.quantize('uint8')
  const row: Uint8Array = bytes.row(1)
  t.is(row.buffer, bytes.values.buffer)
  t.is(row.length, 21)
  const bits = await vectors.quantize('binary')
  const [first]: Iterable<Int8Array> = bits
  t.true(first instanceof Int8Array)
  t.is(Array.from(bits).length, 9)
  t.is(bits.dimensions, 21)
  t.throws(() => bits.row(9), { code: 'INVALID_OPTION' })
})

test('what has no meaning is refused, by the compiler too', async (t) => {
  const { vectors, ranges } = await read()
  // @ts-expect-error bits have no ranges
  await t.throwsAsync(vectors.quantize('binary', { ranges }), { message: /for bytes only/ })
  // @ts-expect-error there is no such precision
  await t.throwsAsync(vectors.quantize('int4'), { code: 'INVALID_OPTION' })
  const one = Vectors.from(vectors.row(0), 21)
  await t.throwsAsync(one.quantize('int8'), { message: /one vector says nothing/ })
  t.is((await one.quantize('int8', { ranges })).length, 1)
  t.is((await one.quantize('ubinary')).length, 1)
  const narrow = Vectors.from(new Float32Array(20), 20)
  await t.throwsAsync(narrow.quantize('int8', { ranges }), { message: /of 20 columns/ })
  await t.throwsAsync(vectors.quantize('int8', { ranges: narrow }), { message: /of 21 columns/ })
  await t.throwsAsync(vectors.quantize('int8', { ranges: {} as never }), { code: 'INVALID_OPTION' })
  const none = Vectors.from(new Float32Array(0), 21)
  t.is((await none.quantize('int8')).length, 0)
  t.is((await none.quantize('ubinary')).length, 0)
  for (const { option, value } of wrongValues(quantizingOptions)) {
    if (typeof value === 'object' && value !== null) continue
    await t.throwsAsync(vectors.quantize('int8', { [option]: value }), { code: 'INVALID_OPTION' })
  }
  const signal = AbortSignal.abort(new Error('enough'))
  const many = Vectors.from(new Float32Array(1 << 24), 64)
  await t.throwsAsync(many.quantize('int8', { signal }), { message: 'enough' })
})

test('the event loop has its turn while many vectors are quantized', async (t) => {
  const values = new Float32Array(1 << 24)
  for (let i = 0; i < values.length; i++) values[i] = Math.sin(i)
  const vectors = Vectors.from(values, 256)
  const held = await longestHoldOf(async () => {
    await vectors.quantize('int8')
    await vectors.quantize('binary')
  })
  t.log(`${held.toFixed(1)} ms`)
  t.true(held < 5, `${held} ms`)
})
