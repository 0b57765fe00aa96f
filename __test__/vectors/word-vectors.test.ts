import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { InlayError, InvalidOptionError, type Query, WordVectors } from 'inlay'
import { openOptions, saveOptions } from '#inlay/vectors/files.js'
import { searchOptions } from '#inlay/vectors/query.js'
import { folder } from '../fixtures/folder.js'
import { smallDisk } from '../fixtures/small-disk.js'
import { randomNumbers } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

/** Directions of a clock: 12 up, 3 to the right. */
const clock = WordVectors.from(
  ['twelve', 'three', 'six', 'nine', 'one thirty'],
  Float32Array.of(0, 1, 2, 0, 0, -3, -4, 0, 5, 5),
  2,
)
const notFound = { instanceOf: InlayError, code: 'NOT_FOUND' }
const invalidInput = { instanceOf: InlayError, code: 'INVALID_INPUT' }
const close = (a: number, b: number) => Math.abs(a - b) < 1e-5
const names = (found: readonly { word: string }[]) => found.map(({ word }) => word)

function randomVectors(count: number, dimensions: number): WordVectors {
  const random = randomNumbers(3)
  const rows = Float32Array.from({ length: count * dimensions }, () => random() - 0.5)
  return WordVectors.from(
    Array.from({ length: count }, (_, i) => `w${i}`),
    rows,
    dimensions,
  )
}

test('words are found by name and number', (t) => {
  t.like(clock, { size: 5, dimensions: 2, precision: 'float32' })
  t.true(clock.has('one thirty'))
  t.false(clock.has('midnight'))
  t.deepEqual([clock.indexOf('three'), clock.indexOf('midnight')], [1, -1])
  t.deepEqual([...clock.words], ['twelve', 'three', 'six', 'nine', 'one thirty'])
  t.false(clock.has('toString') || clock.has('__proto__') || clock.has(''))
})

test('a vector is a copy', (t) => {
  const vector = clock.vector('three')
  t.deepEqual(vector, Float32Array.of(2, 0))
  vector[0] = 7
  t.deepEqual(clock.vector('three'), Float32Array.of(2, 0))
})

test('similarity is the cosine', (t) => {
  t.true(close(clock.similarity('twelve', 'three'), 0))
  t.true(close(clock.similarity('twelve', 'six'), -1))
  t.true(close(clock.similarity('one thirty', 'three'), Math.SQRT1_2))
  t.true(close(clock.nSimilarity(['twelve', 'three'], ['one thirty']), 7.5 / Math.sqrt(1.25 * 50)))
  t.is(clock.doesntMatch(['twelve', 'three', 'six', 'one thirty']), 'six')
})

test('the nearest come first, without the words of the query', async (t) => {
  t.deepEqual(names(await clock.mostSimilar('twelve')), ['one thirty', 'three', 'nine', 'six'])
  t.deepEqual(names(await clock.mostSimilar('twelve', { topK: 1 })), ['one thirty'])
  const [best] = await clock.mostSimilar({ positive: ['twelve', 'three'], topK: 1 })
  t.is(best!.word, 'one thirty')
  t.true(close(best!.similarity, 1))
  const away = await clock.mostSimilar({ positive: 'twelve', negative: 'three' })
  t.deepEqual(names(away), ['nine', 'one thirty', 'six'])
})

test('exclude and restrict limit the answers', async (t) => {
  t.deepEqual(names(await clock.mostSimilar('twelve', { restrict: 3 })), ['three', 'six'])
  const options = { exclude: ['one thirty', 'midnight'], topK: 2 }
  t.deepEqual(names(await clock.mostSimilar('twelve', options)), ['three', 'nine'])
})

test('vectors may be asked for, alone or among words', async (t) => {
  t.is((await clock.similarByVector([1, 1], { topK: 1 }))[0]!.word, 'one thirty')
  t.is((await clock.mostSimilar(Float32Array.of(0, -1)))[0]!.word, 'six')
  const mixed: Query = { positive: ['twelve', Float32Array.of(1, 0)] }
  t.is((await clock.mostSimilar(mixed))[0]!.word, 'one thirty')
})

test('an analogy is the nearest to b - a + c', async (t) => {
  const [best] = await clock.analogy('nine', 'twelve', 'three')
  t.is(best!.word, 'one thirty')
  t.deepEqual(names(await clock.analogy('twelve', 'three', 'six', { topK: 9 })).length, 2)
})

test('many queries give what they give one by one', async (t) => {
  const vectors = randomVectors(700, 20)
  const queries = [...vectors.words].map((word, i) => (i % 3 ? word : vectors.vector(word)))
  const together = await vectors.mostSimilarEach(queries, { topK: 3 })
  t.is(together.length, 700)
  for (const i of [0, 1, 255, 256, 699]) {
    t.deepEqual(await vectors.mostSimilar(queries[i]!, { topK: 3 }), together[i]!)
  }
  t.deepEqual(await vectors.mostSimilarEach([]), [])
})

test('a search is exact: it finds what a loop over all rows finds', async (t) => {
  const vectors = randomVectors(300, 33)
  const cosine = (a: Float32Array, b: Float32Array) => {
    const dot = (u: Float32Array, v: Float32Array) => u.reduce((sum, x, i) => sum + x * v[i]!, 0)
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
  }
  const query = vectors.vector('w7')
  const expected = [...vectors.words]
    .map((word) => ({ word, similarity: cosine(query, vectors.vector(word)) }))
    .toSorted((a, b) => b.similarity - a.similarity)
    .slice(0, 10)
  const found = await vectors.similarByVector(query)
  t.deepEqual(names(found), names(expected))
  for (const [i, { similarity }] of found.entries()) {
    t.true(Math.abs(similarity - expected[i]!.similarity) < 1e-6)
  }
  t.is(await vectors.rank('w7', found[4]!.word), 4)
})

test('all neighbours may be asked for', async (t) => {
  const vectors = randomVectors(10_000, 4)
  const found = await vectors.mostSimilar('w0', { topK: 1_000_000 })
  t.is(new Set(names(found)).size, 9999)
})

test('unknown words are an error that names them', async (t) => {
  const error = t.throws(() => clock.vector('midnight'), notFound)
  t.is(error.message, 'WordVectors.vector: there is no word "midnight"')
  t.is(error.context['word'], 'midnight')
  t.throws(() => clock.similarity('three', 'midnight'), notFound)
  t.throws(() => clock.doesntMatch(['midnight', 'noon']), notFound)
  t.is(clock.doesntMatch(['midnight', 'three', 'six', 'one thirty', 'twelve']), 'six')
  await t.throwsAsync(clock.mostSimilar('midnight'), { ...notFound, message: /midnight/ })
  await t.throwsAsync(clock.analogy('three', 'six', 'midnight'), notFound)
  await t.throwsAsync(clock.rank('three', 'midnight'), notFound)
})

test('what is no word, and no list of queries, is refused', async (t) => {
  const refused = { instanceOf: InvalidOptionError }
  t.throws(() => clock.doesntMatch([1, 2] as unknown as string[]), refused)
  for (const queries of ['six', new Set(['six']), undefined]) {
    await t.throwsAsync(clock.mostSimilarEach(queries as unknown as string[]), refused)
  }
})

test('wrong queries are refused', async (t) => {
  const wrong = [5, null, {}, { positive: [] }, { positive: 5 }, { near: 'three' }, [], () => {}]
  for (const query of wrong) {
    await t.throwsAsync(clock.mostSimilar(query as string), { instanceOf: InvalidOptionError })
  }
  await t.throwsAsync(clock.similarByVector([1, 2, 3]), invalidInput)
  await t.throwsAsync(clock.similarByVector([1, Number.NaN]), invalidInput)
  await t.throwsAsync(clock.mostSimilar({ positive: ['three', [1]] }), invalidInput)
  t.throws(() => clock.nSimilarity([], ['three']), { instanceOf: InvalidOptionError })
})

for (const { option, value } of wrongValues(searchOptions)) {
  const shown = typeof value === 'object' ? JSON.stringify(value) : String(value)
  test(`mostSimilar refuses ${option}: ${typeof value} ${shown}`, async (t) => {
    const search = clock.mostSimilar('three', { [option]: value })
    await t.throwsAsync(search, { instanceOf: InvalidOptionError })
  })
}

for (const [verb, table, call] of [
  ['open', openOptions, (options: object) => WordVectors.open('never', options)],
  ['save', saveOptions, (options: object) => clock.save('never', options)],
] as const) {
  for (const { option, value } of wrongValues(table)) {
    const shown = typeof value === 'object' ? JSON.stringify(value) : String(value)
    test(`${verb} refuses ${option}: ${typeof value} ${shown}`, async (t) => {
      await t.throwsAsync<Error>(call({ [option]: value }), { instanceOf: InvalidOptionError })
    })
  }
}

test('from refuses rows that do not fit, and words that come twice', (t) => {
  const rows = Float32Array.of(1, 2)
  const refused = { instanceOf: InvalidOptionError }
  t.throws(() => WordVectors.from(['a'], rows, 1), refused)
  t.throws(() => WordVectors.from(['a', 'a'], rows, 1), refused)
  t.throws(() => WordVectors.from(['a', 'b'], rows, 0), refused)
  t.throws(() => WordVectors.from(['a', 'b'], Float32Array.of(1, Number.NaN), 1), {
    ...refused,
    message: /`rows\[1\]` must be a finite number, got NaN/,
  })
  t.throws(() => WordVectors.from(undefined as never, rows, 1), refused)
  t.throws(() => WordVectors.from('ab', rows, 1), refused)
  t.throws(() => WordVectors.from(['a', 5 as unknown as string], rows, 1), refused)
  t.throws(() => WordVectors.from(['a', 'b'], [1, 2] as unknown as Float32Array, 1), refused)
})

test('a signal rejects a search at once', async (t) => {
  const controller = new AbortController()
  const search = clock.mostSimilar('three', { signal: controller.signal })
  controller.abort(new Error('enough'))
  await t.throwsAsync(search, { message: 'enough' })
  await t.throwsAsync(clock.mostSimilar('three', { signal: controller.signal }), {
    message: 'enough',
  })
})

for (const file of ['a.safetensors', 'a.txt', 'a.vec', 'a.bin', 'a.npy', 'a.tsv']) {
  test(`what is saved as ${file} opens as it was`, async (t) => {
    const path = join(folder(t), file)
    const strange = ['__proto__', 'constructor', 'ünïcödé', '日本語', '😀', 'a']
    const rows = Float32Array.from({ length: 18 }, (_, i) => Math.sin(i) / 3)
    const vectors = WordVectors.from(strange, rows, 3)
    await vectors.save(path)
    using opened = await WordVectors.open(path)
    t.deepEqual([...opened.words], strange)
    t.deepEqual(await opened.matrix(), rows)
    t.true(close(opened.similarity('__proto__', 'a'), vectors.similarity('__proto__', 'a')))
    using some = await WordVectors.open(path, { limit: 2 })
    t.deepEqual([...some.words], strange.slice(0, 2))
    t.deepEqual(await some.matrix(), rows.slice(0, 6))
  })
}

test('words with spaces and without letters survive in safetensors', async (t) => {
  const path = join(folder(t), 'a.safetensors')
  const strange = ['two words', ' ', '\n', '\0', 'tab\tbed']
  await WordVectors.from(strange, Float32Array.of(1, 2, 3, 4, 5), 1).save(path)
  using opened = await WordVectors.open(path)
  t.deepEqual([...opened.words], strange)
  t.is(opened.indexOf('two words'), 0)
})

test('bytes that are no UTF-8 survive, or are refused, or replaced', async (t) => {
  const path = join(folder(t), 'a.txt')
  writeFileSync(path, Buffer.from('2 1\nb\u00ffd 1\ngood 2\n', 'latin1'))
  using kept = await WordVectors.open(path)
  t.deepEqual(kept.words.bytes(0), Uint8Array.of(0x62, 0xff, 0x64))
  t.is(kept.words.at(0), 'b\ufffdd')
  await kept.save(join(path, '..', 'b.bin'))
  using again = await WordVectors.open(join(path, '..', 'b.bin'))
  t.deepEqual(again.words.bytes(0), kept.words.bytes(0))
  await t.throwsAsync(WordVectors.open(path, { invalidUtf8: 'error' }), invalidInput)
  using replaced = await WordVectors.open(path, { invalidUtf8: 'replace' })
  t.true(replaced.has('b\ufffdd'))
})

for (const precision of ['float32', 'float16', 'int8'] as const) {
  test(`${precision} stays near, in memory and in a file`, async (t) => {
    const vectors = randomVectors(200, 50)
    const path = join(folder(t), 'a.safetensors')
    using kept = await vectors.withPrecision(precision)
    await kept.save(path)
    using opened = await WordVectors.open(path)
    t.is(kept.precision, precision)
    t.is(opened.precision, precision)
    t.deepEqual(await opened.matrix(), await kept.matrix())
    t.true(Math.abs(opened.similarity('w1', 'w2') - vectors.similarity('w1', 'w2')) < 0.02)
    const [best] = await opened.similarByVector(vectors.vector('w3'))
    t.is(best!.word, 'w3')
  })
}

test('changed copies leave the original as it is', async (t) => {
  const vectors = randomVectors(100, 5)
  const before = await vectors.matrix()
  const column = (rows: Float32Array, j: number) =>
    rows.reduce((sum, value, i) => sum + (i % 5 === j ? value : 0), 0)
  const centered = await (await vectors.centered()).matrix()
  for (let j = 0; j < 5; j++) t.true(Math.abs(column(centered, j)) < 1e-4)
  const normalized = await vectors.normalized()
  t.true(close(Math.hypot(...normalized.vector('w5')), 1))
  const points = await vectors.principalComponents(2, { restrict: 50 })
  t.is(points.length, 100)
  const without = await vectors.withoutTopComponents(2)
  const left = await without.principalComponents(1)
  const had = await vectors.principalComponents(1)
  t.true(Math.hypot(...left) < Math.hypot(...had))
  t.deepEqual(await vectors.matrix(), before)
  await t.throwsAsync(vectors.principalComponents(6), { instanceOf: InvalidOptionError })
})

test('analogies are counted by section', async (t) => {
  const questions = `: semantic
twelve three nine twelve
twelve midnight three six
: gram1
twelve three three one\u00a0thirty`
  const path = join(folder(t), 'questions.txt')
  writeFileSync(path, questions)
  const found = await clock.evaluateAnalogies(path)
  t.is(found.total, 1)
  t.is(found.skipped, 2)
  t.deepEqual(
    found.sections.map(({ name }) => name),
    ['semantic', 'gram1'],
  )
  t.deepEqual(await clock.evaluateAnalogies({ text: questions }), found)
  const packed = gzipSync(questions)
  writeFileSync(`${path}.gz`, packed)
  t.deepEqual(await clock.evaluateAnalogies(`${path}.gz`), found)
  writeFileSync(`${path}.gz`, packed.subarray(0, 40))
  await t.throwsAsync(clock.evaluateAnalogies(`${path}.gz`), invalidInput)
  await t.throwsAsync(clock.evaluateAnalogies(`${path}.none`), { code: 'NOT_FOUND' })
  t.true(Number.isNaN((await clock.evaluateAnalogies({ text: '' })).accuracy))
  await t.throwsAsync(clock.evaluateAnalogies({ text: 'three words only' }), invalidInput)
})

test('similarities are correlated with what people say', async (t) => {
  const pairs = 'twelve\tthree\t5\ntwelve\tsix\t1\nthree\tone\t4\nTwelve\tnine\t6\n'
  const found = await clock.evaluateSimilarity({ text: pairs })
  t.is(found.pairs, 3)
  t.is(found.skipped, 1)
  t.true(found.spearman > 0.5)
  const exactly = await clock.evaluateSimilarity({ text: pairs }, { lowercase: false })
  t.is(exactly.skipped, 2)
})

test('files that are not what they should be are refused with their name', async (t) => {
  const path = folder(t)
  await randomVectors(3, 4).save(join(path, 'a.bin'))
  const whole = readFileSync(join(path, 'a.bin'))
  writeFileSync(join(path, 'short.bin'), whole.subarray(0, whole.length - 3))
  const error = await t.throwsAsync(WordVectors.open(join(path, 'short.bin')), invalidInput)
  t.true(error.message.includes('short.bin'))
  writeFileSync(join(path, 'empty.txt'), '')
  await t.throwsAsync(WordVectors.open(join(path, 'empty.txt')), invalidInput)
  await t.throwsAsync(WordVectors.open(join(path, 'none.txt')), { code: 'NOT_FOUND' })
  const unsupported = { instanceOf: InlayError, code: 'UNSUPPORTED', message: /one thirty/ }
  await t.throwsAsync(clock.save(join(path, 'b.bin')), unsupported)
  await t.throwsAsync(clock.save(join(path, 'a.unknown')), { code: 'INVALID_OPTION' })
})

test('a full disk is an error, and leaves nothing behind', async (t) => {
  const disk = smallDisk(t)
  if (disk === undefined) return
  const vectors = randomVectors(10_000, 50)
  await t.throwsAsync(vectors.save(join(disk, 'a.safetensors')), { code: 'DISK_FULL' })
  t.deepEqual(readdirSync(disk), [])
})

test('vectors that are closed refuse their use; searches under way end', async (t) => {
  const vectors = randomVectors(5000, 50)
  const search = vectors.mostSimilar('w1')
  vectors.close()
  t.is((await search).length, 10)
  t.throws(() => vectors.vector('w1'), { instanceOf: InlayError, code: 'CLOSED' })
  t.throws(() => vectors.words.at(0), { code: 'CLOSED' })
  await t.throwsAsync(vectors.mostSimilar('w1'), { code: 'CLOSED' })
  await sleep(1)
})
