import { join } from 'node:path'
import test from 'ava'
import {
  InvalidOptionError,
  type Labelled,
  RecurrentClassifier,
  type RecurrentClassifierOptions,
  RecurrentEncoder,
  recurrentClassifierOptions,
  recurrentEncoder,
  recurrentEncoderOptions,
  summary,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomNumbers } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

/** Texts whose label is their first word's, however long the rest is: it must be remembered. */
function remembered(count: number, seed: number): Labelled<string>[] {
  const next = randomNumbers(seed)
  return Array.from({ length: count }, (_, i) => {
    const rest = Array.from(
      { length: 2 + Math.floor(next() * 6) },
      () => `word${Math.floor(next() * 8)}`,
    )
    const label = i % 2 === 0 ? 'left' : 'right'
    return { input: [label, ...rest, next() < 0.5 ? 'left' : 'right'].join(' '), label }
  })
}

const small: RecurrentClassifierOptions = {
  dimensions: 8,
  units: 12,
  epochs: 15,
  batchSize: 20,
  learningRate: 0.02,
  dropout: 0.1,
  threads: 1,
}

for (const options of [
  { cell: 'lstm', pooling: 'last', bidirectional: false },
  { cell: 'gru', pooling: 'last', bidirectional: true },
  { cell: 'gru', pooling: 'attention', layers: 2 },
  { cell: 'lstm', pooling: 'max' },
  { cell: 'lstm', pooling: 'mean' },
] as const) {
  test(`what stood first is remembered: ${JSON.stringify(options)}`, async (t) => {
    using classifier = await RecurrentClassifier.train(remembered(300, 1), { ...small, ...options })
    const { accuracy } = await classifier.evaluate(remembered(100, 2))
    t.true(accuracy > 0.95, `${accuracy}`)
  })
}

test('a recurrent classifier that was saved predicts the same, and gives vectors', async (t) => {
  const path = join(folder(t), 'classifier.safetensors')
  const options = { ...small, epochs: 1 }
  using one = await RecurrentClassifier.train(remembered(60, 1), { ...options, threads: 1 })
  using two = await RecurrentClassifier.train(remembered(60, 1), { ...options, threads: 2 })
  await one.save(path)
  using opened = await RecurrentClassifier.open(path)
  const texts = ['left word1', '', 'word2 word3 right']
  t.deepEqual(await opened.predict(texts), await one.predict(texts))
  t.deepEqual(await two.encode(texts), await one.encode(texts))
  t.is(one.dimensions, 24)
  await t.throwsAsync(RecurrentEncoder.open(path), { code: 'INVALID_INPUT' })
})

const colours = ['red', 'green', 'blue', 'white']
const things = ['house', 'tree', 'stone', 'bird']

/** Texts that differ in a colour and a thing. */
function descriptions(count: number, seed: number): string[] {
  const next = randomNumbers(seed)
  const one = (words: readonly string[]) => words[Math.floor(next() * words.length)]!
  return Array.from({ length: count }, () => `a ${one(colours)} ${one(things)} is here`)
}

test('vectors of texts hold what is needed to write them again', async (t) => {
  const options = {
    dimensions: 12,
    units: 24,
    epochs: 40,
    batchSize: 16,
    learningRate: 0.01,
    threads: 1,
  }
  using encoder = await RecurrentEncoder.train(descriptions(200, 1), {
    ...options,
    validation: descriptions(50, 2),
  })
  // Without the text's vector two words of six would cost ln 4 each.
  const { validation } = encoder.history.at(-1)!
  t.true(validation! < 0.1 * ((2 * Math.log(4)) / 6), `${validation}`)
  const rows = await encoder.encode([
    'a red house is here',
    'a red house is here',
    'a blue bird is here',
  ])
  t.is(rows.dimensions, 24)
  t.deepEqual(rows.row(0), rows.row(1))
  t.true(rows.similarity(0, 2) < 0.99)
})

test('the decoder of a text is not kept; the encoder is the same after save', async (t) => {
  const path = join(folder(t), 'encoder.safetensors')
  const options = { dimensions: 4, units: 6, epochs: 1, cell: 'gru' } as const
  using encoder = await RecurrentEncoder.train(descriptions(20, 1), options)
  await encoder.save(path)
  using opened = await RecurrentEncoder.open(path)
  const texts = ['a red house', '', 'nothing known']
  const rows = await encoder.encode(texts)
  t.deepEqual(await opened.encode(texts), rows)
  t.true(rows.row(1).every((value) => value === 0) && rows.row(2).every((value) => value === 0))
  t.is(encoder.network.parameter('scores.weight'), undefined)
})

test('the network of an encoder reads a text and writes it', (t) => {
  const shape = { words: 10, dimensions: 3, cell: 'gru', units: 5, wordDropout: 0.5 } as const
  const learnt = summary(recurrentEncoder(shape)).filter(({ parameters }) => parameters > 0)
  t.deepEqual(
    learnt.map(({ name, parameters }) => [name, parameters]),
    [
      ['words', 30],
      ['encoder', 3 * 5 * (3 + 5 + 2)],
      ['before', 30],
      ['decoder', 3 * 5 * (8 + 5 + 2)],
      ['scores', 60],
    ],
  )
})

for (const { option, value } of wrongValues(recurrentClassifierOptions)) {
  if (option === 'validation' && Array.isArray(value)) continue
  test(`RecurrentClassifier refuses ${option}: ${String(value)} ${typeof value}`, async (t) => {
    const training = RecurrentClassifier.train(remembered(4, 1), { [option]: value })
    await t.throwsAsync(training, { instanceOf: InvalidOptionError })
  })
}

for (const { option, value } of wrongValues(recurrentEncoderOptions)) {
  if (option === 'validation' && (value === 'no such choice' || Array.isArray(value))) continue
  test(`RecurrentEncoder refuses ${option}: ${String(value)} ${typeof value}`, async (t) => {
    const training = RecurrentEncoder.train(['a b'], { [option]: value })
    await t.throwsAsync(training, { instanceOf: InvalidOptionError })
  })
}
