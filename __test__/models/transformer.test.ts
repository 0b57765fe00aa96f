import { join } from 'node:path'
import test from 'ava'
import {
  InvalidOptionError,
  type Labelled,
  TransformerClassifier,
  TransformerEncoder,
  contrastOptions,
  maskedLanguageModel,
  summary,
  transformerClassifierOptions,
  transformerEncoderOptions,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomNumbers } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const pairs = [
  ['king', 'queen'],
  ['day', 'night'],
  ['salt', 'pepper'],
  ['sun', 'moon'],
] as const

/** Texts in which the first word tells the last one. */
function texts(count: number, seed: number): string[] {
  const next = randomNumbers(seed)
  return Array.from({ length: count }, () => {
    const [first, second] = pairs[Math.floor(next() * 4)]!
    const between = Array.from({ length: 1 + Math.floor(next() * 3) }, () => 'and')
    return [first, ...between, second].join(' ')
  })
}

/** The label is whether two words are of one pair. */
function labelled(count: number, seed: number): Labelled<string>[] {
  const next = randomNumbers(seed)
  return Array.from({ length: count }, (_, i) => {
    const [a, b] = [Math.floor(next() * 4), 1 + Math.floor(next() * 3)]
    const other = i % 2 === 0 ? a : (a + b) % 4
    return {
      input: `${pairs[a]![0]} and ${pairs[other]![1]}`,
      label: i % 2 === 0 ? 'paired' : 'not',
    }
  })
}

const small = {
  dimensions: 16,
  heads: 2,
  blocks: 1,
  hidden: 32,
  dropout: 0,
  batchSize: 16,
  learningRate: 0.005,
  threads: 1,
}

test('hidden words are guessed from what stands around them', async (t) => {
  using encoder = await TransformerEncoder.train(texts(200, 1), { ...small, epochs: 6 })
  const losses = encoder.history.map(({ loss }) => loss)
  // Whoever does not look around pays ln 4 for each of the words that tell each other, and little for 'and'.
  t.true(losses.at(-1)! < 0.5, losses.join(' '))
  t.true(losses.at(-1)! < losses[0]! / 2)
  t.deepEqual(encoder.words.slice(0, 3), ['<unk>', '<mask>', 'and'])
})

test('texts have vectors, whatever stands beside them, before and after save', async (t) => {
  const path = join(folder(t), 'encoder.safetensors')
  const options = { ...small, epochs: 1, places: 'learned', maxWords: 3 } as const
  using one = await TransformerEncoder.train(texts(50, 1), { ...options, threads: 1 })
  using two = await TransformerEncoder.train(texts(50, 1), { ...options, threads: 2 })
  await one.save(path)
  using opened = await TransformerEncoder.open(path)
  const asked = ['sun and moon', 'sun and moon and salt', '', 'nothing known']
  const rows = await one.encode(asked)
  t.deepEqual(await two.encode(asked), rows)
  t.deepEqual(await opened.encode(asked), rows)
  t.deepEqual(opened.shape, one.shape)
  // Further words than three are not read.
  t.deepEqual(rows.row(0), rows.row(1))
  t.true(rows.row(2).every((value) => value === 0))
  await t.throwsAsync(TransformerClassifier.open(path), { code: 'INVALID_INPUT' })
})

test('pairs come together, and their texts part from the others', async (t) => {
  using encoder = await TransformerEncoder.train(texts(100, 1), { ...small, epochs: 1 })
  const examples = Array.from({ length: 60 }, (_, i) => {
    const [text, positive] = pairs[i % 4]!
    return { text, positive }
  })
  // A batch has each pair once: no positive of one is another's too.
  const options = { epochs: 10, batchSize: 4, learningRate: 0.005, shuffle: false, threads: 1 }
  using near = await encoder.contrast(examples, options)
  const margin = async (model: TransformerEncoder) => {
    const rows = await model.encode(pairs.flat())
    return rows.similarity(0, 1) - rows.similarity(0, 3)
  }
  t.true((await margin(near)) > 0.5, `${await margin(near)}`)
  t.true((await margin(near)) > (await margin(encoder)))
  t.is(near.history.length, 10)
  const mixed = ['a text', { text: 'king', positive: 'queen' }]
  await t.throwsAsync(encoder.contrast(mixed), { instanceOf: InvalidOptionError })
  await t.throwsAsync(encoder.contrast([]), { message: /there are no examples/ })
  // A string would be gone over letter by letter, and be taken for the path of a file.
  for (const source of ['corpus.txt', { text: 'sun', positive: 'moon' }, undefined]) {
    await t.throwsAsync(encoder.contrast(source as never), {
      instanceOf: InvalidOptionError,
      message: /`source` must be an iterable of texts or pairs, got /,
    })
  }
})

test('a text is its own positive under other dropout', async (t) => {
  using encoder = await TransformerEncoder.train(texts(100, 1), {
    ...small,
    epochs: 1,
    dropout: 0.1,
  })
  const asked = pairs.flat()
  const options = { epochs: 100, batchSize: 8, learningRate: 0.005, threads: 1 }
  using apart = await encoder.contrast(asked, options)
  const mean = async (model: TransformerEncoder) => {
    const rows = await model.encode(asked)
    let sum = 0
    for (let i = 0; i < 8; i++) for (let j = 0; j < i; j++) sum += rows.similarity(i, j)
    return sum / 28
  }
  const means = [await mean(encoder), await mean(apart)] as const
  t.true(
    means[1] < means[0] - 0.1,
    `${means.join(' ')} ${apart.history.map(({ loss }) => loss.toFixed(2)).join(' ')}`,
  )
  t.true(apart.history.at(-1)!.loss < apart.history[0]!.loss)
})

test('a classifier sees which words are in a text together, from nothing or from an encoder', async (t) => {
  const training = { epochs: 25, batchSize: 16, learningRate: 0.005 }
  using classifier = await TransformerClassifier.train(labelled(300, 1), { ...small, ...training })
  const { accuracy } = await classifier.evaluate(labelled(100, 2))
  t.true(accuracy > 0.95, `${accuracy}`)
  using encoder = await TransformerEncoder.train(texts(100, 1), { ...small, epochs: 1 })
  const still = { epochs: 1, learningRate: 1e-9, batchSize: 16 }
  using tuned = await TransformerClassifier.train(labelled(20, 1), { ...still, encoder })
  t.deepEqual(tuned.words, encoder.words)
  const asked = ['sun and moon']
  const [before, after] = [await encoder.encode(asked), await tuned.encode(asked)]
  for (const [i, value] of before.values.entries()) {
    t.true(Math.abs(value - after.values[i]!) < 1e-4)
  }
  await t.throwsAsync(TransformerClassifier.train(labelled(20, 1), { encoder, heads: 2 }), {
    message: /heads.*encoder/,
  })
})

test('the network that guesses words is a Transformer of the given shape', (t) => {
  const shape = { words: 50, dimensions: 8, heads: 2, blocks: 2, hidden: 20, maxWords: 10 }
  const lines = summary(maskedLanguageModel({ ...shape, places: 'learned', dropout: 0.1 }))
  const of = (name: string) => lines.find((line) => line.name === name)!.parameters
  t.is(of('words'), 400)
  t.is(of('places'), 80)
  t.is(of('layers.1.self_attn'), 4 * 8 * 9)
  t.is(of('layers.1.linear1'), 20 * 9)
  t.is(of('scores'), 50 * 9)
})

for (const [table, run] of [
  [transformerEncoderOptions, (options: object) => TransformerEncoder.train(['a b'], options)],
  [
    transformerClassifierOptions,
    (options: object) => TransformerClassifier.train(labelled(4, 1), options),
  ],
] as const) {
  for (const { option, value } of wrongValues(table)) {
    if (option === 'validation' && Array.isArray(value)) continue
    test(`${run.toString().slice(0, 50)} refuses ${option}: ${String(value)} ${typeof value}`, async (t) => {
      await t.throwsAsync(run({ [option]: value }), { instanceOf: InvalidOptionError })
    })
  }
}

test('contrast refuses what is no option of its', async (t) => {
  using encoder = await TransformerEncoder.train(texts(10, 1), { ...small, epochs: 1 })
  for (const { option, value } of wrongValues(contrastOptions)) {
    const training = encoder.contrast(['sun'], { [option]: value })
    await t.throwsAsync(training, { instanceOf: InvalidOptionError }, option)
  }
})
