import { join } from 'node:path'
import test from 'ava'
import {
  InvalidOptionError,
  type Labelled,
  TextClassifier,
  TextCnn,
  type TextCnnOptions,
  WordVectors,
  summary,
  textCnn,
  textCnnOptions,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomNumbers } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const filler = ['the', 'film', 'is', 'a', 'story', 'of', 'two', 'men', 'and', 'one', 'horse']

/** Texts whose label hangs on the order of two words: 'not good' is bad, 'good not' is good. */
function reviews(count: number, seed: number): Labelled<string>[] {
  const next = randomNumbers(seed)
  const some = (n: number) =>
    Array.from({ length: Math.floor(next() * n) }, () => filler[Math.floor(next() * 11)]!)
  return Array.from({ length: count }, (_, i) => {
    const [first, second] = i % 2 === 0 ? ['good', 'not'] : ['not', 'good']
    const words = [...some(6), first, second, ...some(6)]
    return { input: words.join(' '), label: i % 2 === 0 ? 'good' : 'bad' }
  })
}

const small: TextCnnOptions = {
  dimensions: 12,
  filters: 8,
  windows: [2, 3],
  epochs: 12,
  batchSize: 20,
  learningRate: 0.01,
  threads: 1,
}

test('labels that hang on the order of words are told apart', async (t) => {
  using cnn = await TextCnn.train(reviews(300, 1), small)
  const { accuracy, count, confusion } = await cnn.evaluate(reviews(100, 2))
  t.true(accuracy > 0.97, `${accuracy}`)
  t.is(count, 100)
  t.is(
    confusion.flat().reduce((sum, n) => sum + n),
    100,
  )
  t.deepEqual(cnn.labels, ['good', 'bad'])
  const shares = await cnn.predictProbabilities(['a film not good', 'one good not', ''])
  for (const row of shares) t.true(Math.abs(row[0]! + row[1]! - 1) < 1e-6)
  const [bad, good] = await cnn.predict(['a film not good', 'one good not'])
  t.deepEqual([bad!.label, good!.label], ['bad', 'good'])
  t.is(bad!.probability, shares.row(0)[1]!)
})

test('a text has a vector, whatever stands beside it, and zeros if no word is known', async (t) => {
  using cnn = await TextCnn.train(reviews(100, 1), { ...small, epochs: 2 })
  const texts = ['not good', 'the story of two men', '', 'quite unheard of', 'horse']
  const rows = await cnn.encode(texts)
  t.is(cnn.dimensions, 16)
  t.is(rows.dimensions, 16)
  t.deepEqual([...rows.known!], [2, 5, 0, 1, 1])
  t.true(rows.row(2).every((value) => value === 0))
  t.true(rows.row(1).some((value) => value !== 0))
  for (const [i, text] of texts.entries()) {
    t.deepEqual(
      (await cnn.encode([text.split(' ').filter(Boolean)], { threads: 1 })).row(0),
      rows.row(i),
    )
  }
  await t.throwsAsync(cnn.encode('not good' as never), { instanceOf: InvalidOptionError })
  await t.throwsAsync(cnn.encode([7 as never]), { code: 'INVALID_INPUT' })
})

test('a classifier that was saved predicts the same, on any number of threads', async (t) => {
  const path = join(folder(t), 'cnn.safetensors')
  const options = { ...small, epochs: 2, lowercase: true }
  using one = await TextCnn.train(reviews(100, 1), { ...options, threads: 1 })
  using two = await TextCnn.train(reviews(100, 1), { ...options, threads: 2 })
  await one.save(path)
  using opened = await TextCnn.open(path)
  t.true(opened instanceof TextClassifier)
  t.deepEqual(opened.words, one.words)
  t.deepEqual(opened.labels, one.labels)
  const texts = ['A film NOT good', 'two men']
  const wanted = await one.predictProbabilities(texts)
  t.deepEqual(await two.predictProbabilities(texts), wanted)
  t.deepEqual(await opened.predictProbabilities(texts), wanted)
  await opened.network.save(path)
  t.deepEqual((await TextCnn.open(path)).labels, one.labels)
})

test('word vectors stay as they are, or learn, or both', async (t) => {
  const words = ['good', 'not', 'film']
  const random = randomNumbers(5)
  const rows = Float32Array.from({ length: 3 * 4 }, () => random() - 0.5)
  const initialVectors = WordVectors.from(words, rows, 4)
  const options = { filters: 4, windows: [2], epochs: 2, initialVectors }
  const table = (cnn: TextCnn, name: string, word: string) => {
    const at = cnn.words.indexOf(word)
    return cnn.network.parameter(`${name}.weight`)!.values.slice(4 * at, 4 * at + 4)
  }
  using both = await TextCnn.train(reviews(60, 1), { ...options, wordVectors: 'multichannel' })
  using still = await TextCnn.train(reviews(60, 1), { ...options, wordVectors: 'static' })
  for (const word of words) {
    t.deepEqual(table(both, 'static', word), initialVectors.vector(word))
    t.deepEqual(table(still, 'static', word), initialVectors.vector(word))
    t.notDeepEqual(table(both, 'non-static', word), initialVectors.vector(word))
  }
  await t.throwsAsync(TextCnn.train(reviews(60, 1), { wordVectors: 'static' }), {
    message: /wordVectors.*initialVectors/,
  })
  await t.throwsAsync(TextCnn.train(reviews(60, 1), { initialVectors, dimensions: 4 }), {
    message: /dimensions/,
  })
})

test('labels and examples that do not fit are refused', async (t) => {
  const refused = { instanceOf: InvalidOptionError }
  await t.throwsAsync(TextCnn.train([{ input: 'a', label: 'one' }], small), refused)
  await t.throwsAsync(TextCnn.train(reviews(4, 1), { labelWeights: { fine: 1 } }), refused)
  const other = [{ input: 'a', label: 'fine' }]
  await t.throwsAsync(TextCnn.train(reviews(4, 1), { validation: other }), refused)
  await t.throwsAsync(TextCnn.train(['a' as never]), refused)
  await t.throwsAsync(TextCnn.train(reviews(4, 1), { ...small, validation: [] }), {
    message: /`validation` has no examples/,
  })
  using cnn = await TextCnn.train(reviews(20, 1), { ...small, epochs: 1 })
  await t.throwsAsync(cnn.evaluate(other), refused)
})

test('the network is the one of the paper', (t) => {
  const shape = { words: 100, labels: 2, dimensions: 30, windows: [3, 4, 5], filters: 10 }
  const lines = summary(textCnn({ ...shape, wordVectors: 'multichannel', dropout: 0.5 }))
  const learnt = lines.filter(({ parameters }) => parameters > 0)
  t.deepEqual(
    learnt.map(({ name, parameters }) => [name, parameters]),
    [
      ['non-static', 3000],
      ['static', 3000],
      ['windows3', 10 * (3 * 60 + 1)],
      ['windows4', 10 * (4 * 60 + 1)],
      ['windows5', 10 * (5 * 60 + 1)],
      ['scores', 2 * 31],
    ],
  )
})

for (const { option, value } of wrongValues(textCnnOptions)) {
  // A list is a list of examples, and one of numbers is one of windows.
  if (['validation', 'windows'].includes(option) && Array.isArray(value)) continue
  test(`refuses ${option}: ${String(value)} ${typeof value}`, async (t) => {
    const options = { [option]: value }
    await t.throwsAsync(TextCnn.train(reviews(4, 1), options), { instanceOf: InvalidOptionError })
  })
}
