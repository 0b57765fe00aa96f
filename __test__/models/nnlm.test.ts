import { join } from 'node:path'
import test from 'ava'
import { InvalidOptionError, Network, Nnlm, WordVectors, nnlmOptions, summary, nnlm } from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomNumbers } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const animals = ['cat', 'dog', 'fox', 'owl']
const foods = ['bread', 'soup', 'rice', 'fish']

/** Sentences of a small language: an animal eats a food, a food is eaten by an animal. */
function sentences(count: number, seed: number): string[] {
  const next = randomNumbers(seed)
  const one = (words: readonly string[]) => words[Math.floor(next() * words.length)]!
  return Array.from({ length: count }, () =>
    next() < 0.5
      ? `the ${one(animals)} eats some ${one(foods)}`
      : `some ${one(foods)} feeds the ${one(animals)}`,
  )
}

const small = {
  context: 3,
  dimensions: 8,
  hidden: 16,
  batchSize: 16,
  epochs: 20,
  dropout: 0,
  learningRate: 0.01,
  threads: 1,
}

test('a text is foretold nearly as well as its grammar allows', async (t) => {
  using model = await Nnlm.train(sentences(500, 1), small)
  const found = await model.perplexity(sentences(200, 2))
  // Of the six words of a sentence one is one of two, and two are each one of four.
  const grammar = (2 * 4 * 4) ** (1 / 6)
  t.true(
    found.perplexity < 1.05 * grammar && found.perplexity > 0.95 * grammar,
    `${found.perplexity}`,
  )
  t.like(found, { words: 1200, sentences: 200, unknown: 0 })
  t.true(Math.abs(found.logProbability + 1200 * Math.log10(found.perplexity)) < 1e-6)
})

test('words that stand in the same places come together', async (t) => {
  using model = await Nnlm.train(sentences(500, 1), small)
  const near = await model.vectors.mostSimilar('cat', { topK: 3 })
  t.deepEqual(near.map(({ word }) => word).toSorted(), ['dog', 'fox', 'owl'])
  t.is(model.vectors.indexOf('</s>'), -1)
  t.deepEqual(model.words.slice(0, 3), ['<unk>', '<s>', '</s>'])
  t.deepEqual(
    model.vectors.vector('<unk>'),
    model.network.parameter('C.weight')!.values.slice(0, 8),
  )
})

test('next words are those that the grammar allows, and their probabilities sum to one', async (t) => {
  using model = await Nnlm.train(sentences(500, 1), small)
  const after = await model.nextWords('the cat eats some', { limit: 4 })
  t.deepEqual(after.map(({ word }) => word).toSorted(), foods.toSorted())
  const first = await model.nextWords([], { limit: 2 })
  t.deepEqual(first.map(({ word }) => word).toSorted(), ['some', 'the'])
  const all = await model.nextWords('the cat', { limit: 100 })
  t.is(all.length, model.words.length)
  t.true(Math.abs(all.reduce((sum, { probability }) => sum + probability, 0) - 1) < 1e-6)
  await t.throwsAsync(model.nextWords(7 as never), { instanceOf: InvalidOptionError })
})

test('the same seed gives the same bytes on any number of threads, before and after save', async (t) => {
  const options = { ...small, epochs: 2, dropout: 0.2, direct: true }
  const path = join(folder(t), 'model.safetensors')
  using one = await Nnlm.train(sentences(100, 1), { ...options, threads: 1 })
  using two = await Nnlm.train(sentences(100, 1), { ...options, threads: 2 })
  await one.save(path)
  using opened = await Nnlm.open(path)
  for (const name of ['C.weight', 'H.weight', 'U.bias', 'W.weight']) {
    t.deepEqual(two.network.parameter(name), one.network.parameter(name), name)
    t.deepEqual(opened.network.parameter(name), one.network.parameter(name), name)
  }
  t.deepEqual(opened.words, one.words)
  t.deepEqual(await opened.nextWords('the owl'), await one.nextWords('the owl'))
  t.deepEqual(await opened.perplexity(['the owl']), await one.perplexity(['the owl']))
  const vectors = WordVectors.from(['a'], Float32Array.of(1), 1)
  await vectors.save(join(folder(t), 'other.safetensors'))
  const network = await Network.create(nnlm({ ...small, words: 3, direct: false }))
  await network.save(path)
  await t.throwsAsync(Nnlm.open(path), { code: 'INVALID_INPUT', message: /no Nnlm/ })
})

test('it is learnt nearly as well from some words that are drawn for each batch', async (t) => {
  const path = join(folder(t), 'model.safetensors')
  using model = await Nnlm.train(sentences(500, 1), { ...small, samples: 12 })
  t.is(model.words.length, 15)
  const grammar = (2 * 4 * 4) ** (1 / 6)
  const { perplexity } = await model.perplexity(sentences(200, 2))
  t.true(perplexity < 1.08 * grammar && perplexity > 0.95 * grammar, `${perplexity}`)
  await model.save(path)
  using opened = await Nnlm.open(path)
  t.deepEqual(await opened.nextWords('the owl'), await model.nextWords('the owl'))
  await t.throwsAsync(Nnlm.train(sentences(100, 1), { samples: 17 }), {
    code: 'INVALID_OPTION',
    message:
      /Nnlm.train: `samples` must be at most as many as the vocabulary has words, 15, got 17/,
  })
  await t.throwsAsync(Nnlm.train(sentences(100, 1), { samples: 8, direct: true }), {
    code: 'INVALID_OPTION',
    message: /`samples` must be left out beside `direct`, whose scores are sums, got 8/,
  })
})

test('a way to each word is learnt as well as a score for each', async (t) => {
  const path = join(folder(t), 'model.safetensors')
  using model = await Nnlm.train(sentences(500, 1), { ...small, softmax: 'hierarchical' })
  const grammar = (2 * 4 * 4) ** (1 / 6)
  const { perplexity } = await model.perplexity(sentences(200, 2))
  t.true(perplexity < 1.08 * grammar && perplexity > 0.95 * grammar, `${perplexity}`)
  const likely = await model.nextWords('the owl', { limit: 100 })
  t.true(Math.abs(likely.reduce((sum, { probability }) => sum + probability, 0) - 1) < 1e-5)
  await model.save(path)
  using opened = await Nnlm.open(path)
  t.deepEqual(await opened.nextWords('the owl', { limit: 100 }), likely)
  const refused = { softmax: 'hierarchical' } as const
  await t.throwsAsync(Nnlm.train(sentences(20, 1), { ...refused, direct: true }), {
    code: 'INVALID_OPTION',
    message: /`softmax` must be 'full' beside `direct`, whose scores are sums/,
  })
  await t.throwsAsync(Nnlm.train(sentences(20, 1), { ...refused, samples: 4 }), {
    code: 'INVALID_OPTION',
    message: /`samples` must be left out where `softmax` is 'hierarchical', got 4/,
  })
})

test('words begin with the vectors that are given', async (t) => {
  const vectors = WordVectors.from(['cat', 'dog'], Float32Array.of(3, 4, -4, 3), 2)
  const options = { context: 2, hidden: 2, epochs: 1, learningRate: 1e-9, initialVectors: vectors }
  using model = await Nnlm.train(sentences(20, 1), options)
  t.true(Math.abs(model.vectors.vector('cat')[1]! - 4) < 1e-5)
  const lengths = model.vectors.words
  t.is(model.vectors.dimensions, 2)
  t.true(Array.from(lengths).includes('fox'))
  const unlike = WordVectors.from(['nothing'], Float32Array.of(1), 1)
  await t.throwsAsync(Nnlm.train(sentences(20, 1), { initialVectors: unlike }), {
    message: /initialVectors/,
  })
  const both = { initialVectors: vectors, dimensions: 2 }
  await t.throwsAsync(Nnlm.train(sentences(20, 1), both), { message: /dimensions/ })
})

test('rare and unheard-of words are one', async (t) => {
  const source = [...sentences(100, 1), 'the hapax eats some soup']
  using model = await Nnlm.train(source, { ...small, epochs: 1 })
  t.false(model.words.includes('hapax'))
  const known = await model.perplexity(['the hapax eats some soup'])
  t.deepEqual(known, await model.perplexity(['the whatever eats some soup']))
  t.is(known.unknown, 1)
})

test('a validation text stops training early', async (t) => {
  const options = { ...small, epochs: 200, learningRate: 0.05, patience: 1 }
  using model = await Nnlm.train(sentences(60, 1), { ...options, validation: sentences(60, 2) })
  t.true(model.history.length < 200)
  t.true(model.history.every(({ validation }) => validation! > 0))
})

test('the network is the one of the paper', (t) => {
  const shape = { words: 50, context: 4, dimensions: 6, hidden: 7, dropout: 0, direct: true }
  const lines = summary(nnlm(shape)).map(({ name, parameters }) => [name, parameters])
  t.deepEqual(
    lines.filter(([, parameters]) => parameters !== 0),
    [
      ['C', 50 * 6],
      ['H', 7 * (4 * 6 + 1)],
      ['U', 50 * (7 + 1)],
      ['W', 50 * 4 * 6],
    ],
  )
})

for (const { option, value } of wrongValues(nnlmOptions)) {
  // A path or a list is a source, whatever comes of it.
  if (option === 'validation' && (value === 'no such choice' || Array.isArray(value))) continue
  test(`refuses ${option}: ${String(value)} ${typeof value}`, async (t) => {
    const options = { [option]: value }
    await t.throwsAsync(Nnlm.train(['a b'], options), { instanceOf: InvalidOptionError })
  })
}
