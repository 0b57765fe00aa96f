import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import {
  Corpus,
  FastText,
  InlayError,
  InvalidOptionError,
  MeanEncoder,
  Vectors,
  Word2Vec,
  WordVectors,
  meanEncoderOptions,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomNumbers, toySentences } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const words = ['a', 'b', 'c', 'd']
const rows = Float32Array.of(1, 0, 0, 0, 2, 0, 0, 0, 4, 1, 1, 1)
const vectors = WordVectors.from(words, rows, 3)
const wrong = { instanceOf: InvalidOptionError }

/** The same in plain JavaScript. */
function mean(text: string, weigh: (word: string) => number, byWeight: boolean): number[] {
  const known = text.split(/\s+/).filter((word) => vectors.has(word))
  const total = known.reduce((sum, word) => sum + (byWeight ? weigh(word) : 1), 0)
  const sums = [0, 1, 2].map((d) =>
    known.reduce((sum, word) => sum + weigh(word) * vectors.vector(word)[d]!, 0),
  )
  return sums.map((sum) => (total > 0 ? sum / total : 0))
}

function near(row: Float32Array, expected: readonly number[], bound = 1e-6): boolean {
  return expected.every((value, d) => Math.abs(value - row[d]!) < bound)
}

test('the plain mean of the words that are known', async (t) => {
  using encoder = await MeanEncoder.train(vectors)
  t.is(encoder.dimensions, 3)
  const texts = ['a b', 'a a x b', 'd', 'c\tc  a\n']
  const found = await encoder.encode(texts)
  t.is(found.length, 4)
  t.deepEqual([...found.known!], [2, 3, 1, 3])
  for (const [i, text] of texts.entries())
    t.true(
      near(
        found.row(i),
        mean(text, () => 1, false),
      ),
    )
})

test('a text without a known word is zeros, is seen to be, and is like nothing', async (t) => {
  using encoder = await MeanEncoder.train(vectors)
  const found = await encoder.encode(['', ' \n', 'x y', [], 'a'])
  t.deepEqual([...found.known!], [0, 0, 0, 0, 1])
  for (let i = 0; i < 4; i++) {
    t.deepEqual([...found.row(i)], [0, 0, 0])
    t.is(found.similarity(i, 4), 0)
  }
  t.is(found.similarity(4, 4), 1)
  t.is((await encoder.encode([])).length, 0)
})

test('frequency weights are a / (a + p)', async (t) => {
  using corpus = await Corpus.read(['a a a a a a b b c'], { minCount: 1 })
  const options = { weights: 'frequency', smoothing: 0.01, frequencies: corpus } as const
  using encoder = await MeanEncoder.train(vectors, options)
  const weigh = (word: string) => 0.01 / (0.01 + corpus.count(word) / corpus.tokens)
  for (const word of words) t.true(Math.abs(encoder.weightOf(word) - weigh(word)) < 1e-6)
  t.is(encoder.weightOf('nowhere'), 1)
  const found = await encoder.encode(['a b c d', 'a a b'])
  t.true(near(found.row(0), mean('a b c d', weigh, false)))
  t.true(near(found.row(1), mean('a a b', weigh, false)))
})

test('over a FastText, unheard-of words have vectors and weigh as the rarest', async (t) => {
  const options = { minCount: 1, dimensions: 8, epochs: 1 }
  using model = await FastText.train(toySentences(2000), options)
  const known = model.vectors.words.at(0)!
  using encoder = await MeanEncoder.train(model, { weights: 'frequency' })
  t.is(encoder.dimensions, 8)
  t.is(encoder.weightOf('unheardof'), 1)
  const found = await encoder.encode([`${known} unheardof`, 'unheardof', 'x'])
  t.deepEqual([...found.known!.subarray(0, 2)], [2, 1])
  const [own, other] = [known, 'unheardof'].map((word) => model.vector(word)!)
  t.true(near(found.row(1), [...other!]))
  const weight = encoder.weightOf(known)
  const expected = Array.from(own!, (value, d) => (value * weight + other![d]!) / 2)
  t.true(near(found.row(0), expected))
  const inside = folder(t)
  await t.throwsAsync(encoder.save(join(inside, 'e.safetensors')), { code: 'UNSUPPORTED' })
})

test('vectors that were trained here know how frequent their words are', async (t) => {
  using model = await Word2Vec.train(toySentences(5000), { minCount: 1, dimensions: 8, epochs: 1 })
  using encoder = await MeanEncoder.train(model.vectors, { weights: 'frequency' })
  const [first, last] = [model.vectors.words.at(0)!, model.vectors.words.at(-1)!]
  t.true(encoder.weightOf(first) < encoder.weightOf(last))
  await t.throwsAsync(MeanEncoder.train(vectors, { weights: 'frequency' }), {
    ...wrong,
    message: /`frequencies` must be given/,
  })
})

test('tf-idf weights are fitted on documents', async (t) => {
  const documents = ['a b', 'a\nb a', 'a c', 'a x']
  using encoder = await MeanEncoder.train(vectors, { weights: 'tf-idf', documents, threads: 2 })
  const idf = (df: number) => Math.log(5 / (1 + df)) + 1
  const frequency: Record<string, number> = { a: 4, b: 2, c: 1, d: 0 }
  const weigh = (word: string) => idf(frequency[word]!)
  for (const word of words) t.true(Math.abs(encoder.weightOf(word) - weigh(word)) < 1e-6, word)
  t.true(near((await encoder.encode(['a b b d'])).row(0), mean('a b b d', weigh, true)))
})

test('SIF takes the common direction away, which is fitted once and kept', async (t) => {
  const random = randomNumbers(3)
  const names = Array.from({ length: 50 }, (_, i) => `w${i}`)
  const values = Float32Array.from(
    { length: 50 * 3 },
    (_, i) => (i % 3 === 0 ? 3 : 0) + random() - 0.5,
  )
  const leaning = WordVectors.from(names, values, 3)
  const sentence = () =>
    Array.from({ length: 6 }, () => names[Math.floor(random() * 50)]!).join(' ')
  const sentences = Array.from({ length: 200 }, sentence)
  using plain = await MeanEncoder.train(leaning)
  using encoder = await MeanEncoder.train(leaning, { sentences })
  const u = encoder.component!
  t.true(Math.abs(u.reduce((sum, x) => sum + x * x, 0) - 1) < 1e-6)
  // The direction that makes the sum of squared products greatest: no power step changes it.
  const before = await plain.encode(sentences)
  const next = [0, 0, 0]
  for (const row of before) {
    const along = row.reduce((sum, x, d) => sum + x * u[d]!, 0)
    row.forEach((x, d) => (next[d]! += along * x))
  }
  const length = Math.hypot(...next)
  t.true(
    near(
      u,
      next.map((x) => x / length),
      1e-5,
    ),
  )
  const after = await encoder.encode(sentences)
  for (const [i, row] of [...after].entries()) {
    const along = before.row(i).reduce((sum, x, d) => sum + x * u[d]!, 0)
    t.true(
      near(
        row,
        [...before.row(i)].map((x, d) => x - along * u[d]!),
        1e-5,
      ),
    )
    t.true(Math.abs(row.reduce((sum, x, d) => sum + x * u[d]!, 0)) < 1e-5)
  }
  await t.throwsAsync(MeanEncoder.train(leaning, { sentences: ['nothing known'] }), {
    code: 'INVALID_INPUT',
  })
})

test('a text has the same vector in any company, on any number of threads, however it comes', async (t) => {
  using model = await Word2Vec.train(toySentences(20_000), {
    minCount: 1,
    dimensions: 33,
    epochs: 1,
  })
  using encoder = await MeanEncoder.train(model.vectors, { weights: 'frequency' })
  const texts = toySentences(60_000).map((items) => items.join(' '))
  const many = await encoder.encode(texts, { threads: 3 })
  t.deepEqual(await encoder.encode(texts, { threads: 1 }), many)
  async function* stream() {
    yield* texts
  }
  t.deepEqual(await encoder.encode(stream()), many)
  t.deepEqual(await encoder.encode(texts.map((text) => text.split(' '))), many)
  for (const i of [0, 1, 777, texts.length - 1]) {
    t.deepEqual((await encoder.encode([texts[i]!])).values, many.row(i).slice())
  }
})

test('words of texts are split and spelled as a corpus does', async (t) => {
  const options = { tokenizer: 'words', lowercase: true } as const
  using encoder = await MeanEncoder.train(vectors, options)
  const found = await encoder.encode(['(A), B!', ['A', 'b']])
  t.deepEqual([...found.known!], [2, 2])
  t.deepEqual(found.row(0), found.row(1))
})

test('an encoder that was saved opens as it was, and its vectors open too', async (t) => {
  const file = join(folder(t), 'encoder.safetensors')
  using corpus = await Corpus.read(['a a b c'], { minCount: 1 })
  for (const options of [
    {},
    { weights: 'frequency', frequencies: corpus, sentences: ['a b', 'c d'] },
    { weights: 'tf-idf', documents: ['a b', 'a'], tokenizer: 'words', lowercase: true },
  ] as const) {
    using encoder = await MeanEncoder.train(vectors, options)
    await encoder.save(file)
    using opened = await MeanEncoder.open(file)
    t.deepEqual(opened.options, encoder.options)
    t.deepEqual(opened.component, encoder.component)
    t.is(opened.weightOf('x'), encoder.weightOf('x'))
    const texts = ['a b c d', 'x', 'A b']
    t.deepEqual(await opened.encode(texts), await encoder.encode(texts))
    using again = await WordVectors.open(file)
    t.deepEqual(again.vector('d'), vectors.vector('d'))
  }
})

test('a damaged file is one clear error', async (t) => {
  const file = join(folder(t), 'encoder.safetensors')
  using encoder = await MeanEncoder.train(vectors, { sentences: ['a b', 'c d'] })
  await encoder.save(file)
  const bytes = readFileSync(file)
  const other = `${file}.other`
  const random = randomNumbers(5)
  for (let i = 0; i < 200; i++) {
    const damaged = Buffer.from(bytes)
    damaged[Math.floor(random() * damaged.length)] = Math.floor(random() * 256)
    writeFileSync(
      other,
      i % 5 === 0 ? damaged.subarray(0, Math.floor(random() * damaged.length)) : damaged,
    )
    try {
      using opened = await MeanEncoder.open(other)
      await opened.encode(['a b c d'])
    } catch (error) {
      t.true(error instanceof InlayError && error.code === 'INVALID_INPUT', String(error))
    }
  }
  await vectors.save(file)
  copyFileSync(file, other)
  await t.throwsAsync(MeanEncoder.open(other), { message: /is not a MeanEncoder/ })
  t.pass()
})

for (const { option, value } of wrongValues(meanEncoderOptions)) {
  const shown = typeof value === 'object' ? JSON.stringify(value) : String(value)
  test(`refuses ${option}: ${typeof value} ${shown}`, async (t) => {
    const error = await t.throwsAsync(MeanEncoder.train(vectors, { [option]: value }), wrong)
    t.is(error.context['option'], option)
  })
}

test('what would do nothing, and what is no text, is refused', async (t) => {
  using corpus = await Corpus.read(['a'], { minCount: 1 })
  for (const options of [
    { smoothing: 0.1 },
    { frequencies: corpus },
    { documents: ['a'] },
    { weights: 'tf-idf' },
    { weights: 'frequency', documents: ['a'] },
  ] as const) {
    await t.throwsAsync(MeanEncoder.train(vectors, options), wrong)
  }
  await t.throwsAsync(MeanEncoder.train({} as never), wrong)
  using encoder = await MeanEncoder.train(vectors)
  await t.throwsAsync(encoder.encode('a b' as never), { ...wrong, message: /`texts` must be/ })
  await t.throwsAsync(encoder.encode([{}] as never), { code: 'INVALID_INPUT' })
  await t.throwsAsync(MeanEncoder.train(vectors, { weights: 'tf-idf', documents: [' '] }), {
    code: 'INVALID_INPUT',
  })
})

test('it goes on when its vectors are closed, and after its own close it is an error', async (t) => {
  const own = WordVectors.from(words, rows, 3)
  const encoder = await MeanEncoder.train(own)
  own.close()
  t.deepEqual([...(await encoder.encode(['a'])).row(0)], [1, 0, 0])
  encoder.close()
  await t.throwsAsync(encoder.encode(['a']), { code: 'CLOSED' })
})

test('an abort stops it, and progress tells of texts', async (t) => {
  using encoder = await MeanEncoder.train(vectors)
  const controller = new AbortController()
  const endless = function* () {
    for (;;) yield 'a b c d'
  }
  const run = encoder.encode(endless(), { signal: controller.signal })
  await sleep(50)
  controller.abort()
  await t.throwsAsync(run, { any: true, name: 'AbortError' })
  let last = 0
  const onProgress = ({ done }: { done: number }) => (last = done)
  await encoder.encode(['a', 'b', 'c'], { onProgress })
  t.is(last, 3)
})

test('rows are views of one array', (t) => {
  const found = Vectors.from(Float32Array.of(3, 4, 0, 0, 4, 3), 2)
  t.is(found.length, 3)
  t.deepEqual(
    Array.from(found, (row) => [...row]),
    [
      [3, 4],
      [0, 0],
      [4, 3],
    ],
  )
  t.true(Math.abs(found.similarity(0, 2) - 24 / 25) < 1e-9)
  t.is(found.similarity(0, 1), 0)
  t.is(found.row(2).buffer, found.values.buffer)
  t.throws(() => found.row(3), wrong)
  t.throws(() => Vectors.from(Float32Array.of(1, 2, 3), 2), wrong)
  t.throws(() => Vectors.from(Float32Array.of(1), 0), wrong)
})
