import { join } from 'node:path'
import test from 'ava'
import {
  InvalidOptionError,
  NeuralLanguageModel,
  RecurrentLanguageModel,
  adam,
  recurrentLanguageModel,
  recurrentLanguageModelOptions,
  sgd,
  summary,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomNumbers } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

/** Sentences whose last word repeats the first, five words before; between them stand words that say nothing of it. */
function sentences(count: number, seed: number): string[] {
  const next = randomNumbers(seed)
  const one = (words: readonly string[]) => words[Math.floor(next() * words.length)]!
  return Array.from({ length: count }, () => {
    const name = one(['ann', 'bob', 'eve', 'tom'])
    const between = Array.from({ length: 4 }, () => one(['and', 'so']))
    return [name, ...between, name].join(' ')
  })
}

/** Of seven words, the end among them, one is one of four, and four are each one of two. */
const grammar = (4 * 2 ** 4) ** (1 / 7)

const small = {
  dimensions: 8,
  units: 24,
  layers: 1,
  dropout: 0,
  lanes: 8,
  truncate: 14,
  epochs: 12,
  learningRate: 0.02,
  threads: 1,
}

for (const cell of ['lstm', 'gru'] as const) {
  test(`${cell}: a word is foretold by one that is five words before it`, async (t) => {
    using model = await RecurrentLanguageModel.train(sentences(800, 1), { ...small, cell })
    const { perplexity } = await model.perplexity(sentences(200, 2))
    t.true(perplexity > 0.97 * grammar && perplexity < 1.03 * grammar, `${perplexity}`)
    for (const name of ['ann', 'bob', 'eve', 'tom']) {
      const [next] = await model.nextWords(`${name} and so so and`, { limit: 1 })
      t.is(next!.word, name)
      t.true(next!.probability > 0.9, `${next!.probability}`)
    }
  })
}

test('it is learnt nearly as well from some words that are drawn for each batch', async (t) => {
  using model = await RecurrentLanguageModel.train(sentences(800, 1), { ...small, samples: 7 })
  t.is(model.words.length, 8)
  const { perplexity } = await model.perplexity(sentences(200, 2))
  t.true(perplexity > 0.97 * grammar && perplexity < 1.05 * grammar, `${perplexity}`)
  await t.throwsAsync(RecurrentLanguageModel.train(sentences(50, 1), { samples: 9 }), {
    code: 'INVALID_OPTION',
    message: /`samples` must be at most as many as the vocabulary has words, 8, got 9/,
  })
})

test('of a context of 300,000 words the next word is foretold', async (t) => {
  using model = await RecurrentLanguageModel.train(sentences(100, 1), small)
  const { words } = model
  const known = ['ann', 'and', 'so', 'so', 'and', 'bob', '</s>'].map((word) => words.indexOf(word))
  const length = 300_000
  const context = Array.from({ length }, (_, i) => words[known[i % 7]!]!)
  const next = await model.nextWords(context, { limit: 100 })
  // The same from the scores behind every word.
  const ids = [words.indexOf('</s>'), ...context.map((word) => words.indexOf(word))]
  const [scores] = await model.network.encodeSteps([ids], { last: 2 })
  t.is(scores!.length, 2)
  const shares = Array.from(scores!.row(1), Math.exp)
  const all = shares.reduce((sum, share) => sum + share, 0)
  t.is(next.length, words.length)
  for (const { word, probability } of next) {
    t.true(Math.abs(probability - shares[words.indexOf(word)]! / all) < 1e-6, word)
  }
  t.deepEqual(
    next.map(({ probability }) => probability),
    next.map(({ probability }) => probability).toSorted((a, b) => b - a),
  )
})

test('perplexity is that of the text as one sequence, each word after all before it', async (t) => {
  using model = await RecurrentLanguageModel.train(sentences(50, 1), { ...small, epochs: 1 })
  const text = ['ann and so so and ann', 'bob so', 'whatever']
  const found = await model.perplexity(text)
  t.like(found, { words: 12, sentences: 3, unknown: 1 })
  const stream = `</s> ${text.map((line) => `${line} </s>`).join(' ')}`.split(' ')
  const numbers = stream.map((word) => Math.max(0, model.words.indexOf(word)))
  const inputs = [numbers.slice(0, -1)]
  const { loss } = await model.network.evaluate({ inputs, targets: [numbers.slice(1)] })
  t.is(found.perplexity, Math.exp(loss))
  t.true(Math.abs(found.logProbability + 12 * Math.log10(found.perplexity)) < 1e-9)
  // By the probabilities of next words, one by one.
  let sum = 0
  const words = stream.slice(1)
  for (const [at, word] of words.entries()) {
    const next = await model.nextWords(words.slice(0, at), { limit: 100 })
    const known = word === 'whatever' ? '<unk>' : word
    sum += Math.log(next.find((one) => one.word === known)!.probability)
  }
  t.true(Math.abs(Math.exp(-sum / 12) / found.perplexity - 1) < 1e-5, `${Math.exp(-sum / 12)}`)
})

test('after no words comes what begins a sentence, and probabilities sum to one', async (t) => {
  using model = await RecurrentLanguageModel.train(sentences(200, 1), small)
  const first = await model.nextWords([], { limit: 4 })
  t.deepEqual(first.map(({ word }) => word).toSorted(), ['ann', 'bob', 'eve', 'tom'])
  const all = await model.nextWords('ann', { limit: 100 })
  t.deepEqual(all.map(({ word }) => word).toSorted(), [...model.words].toSorted())
  t.true(Math.abs(all.reduce((sum, { probability }) => sum + probability, 0) - 1) < 1e-6)
  await t.throwsAsync(model.nextWords(7 as never), { instanceOf: InvalidOptionError })
})

test('the same seed gives the same bytes on any number of threads, before and after save', async (t) => {
  const options = { ...small, layers: 2, epochs: 2, dropout: 0.2 }
  const path = join(folder(t), 'model.safetensors')
  using one = await RecurrentLanguageModel.train(sentences(100, 1), { ...options, threads: 1 })
  using two = await RecurrentLanguageModel.train(sentences(100, 1), { ...options, threads: 2 })
  using other = await RecurrentLanguageModel.train(sentences(100, 1), { ...options, seed: 2 })
  await one.save(path)
  using opened = await RecurrentLanguageModel.open(path)
  for (const name of ['words.weight', 'states.weight_hh_l1', 'scores.bias']) {
    t.deepEqual(two.network.parameter(name), one.network.parameter(name), name)
    t.deepEqual(opened.network.parameter(name), one.network.parameter(name), name)
    t.notDeepEqual(other.network.parameter(name), one.network.parameter(name), name)
  }
  t.deepEqual(two.history, one.history)
  t.deepEqual(opened.words, one.words)
  t.deepEqual(await opened.nextWords('ann'), await one.nextWords('ann'))
  t.deepEqual(await opened.perplexity(['ann so']), await one.perplexity(['ann so']))
  await one.network.transfer({ ...one.network.description, about: {} }).then((n) => n.save(path))
  await t.throwsAsync(RecurrentLanguageModel.open(path), {
    code: 'INVALID_INPUT',
    message: /no RecurrentLanguageModel/,
  })
})

test('vectors are those of words, and of the unknown one', async (t) => {
  using model = await RecurrentLanguageModel.train(sentences(50, 1), { ...small, epochs: 1 })
  t.true(model instanceof NeuralLanguageModel)
  t.deepEqual(model.words.slice(0, 2), ['<unk>', '</s>'])
  t.is(model.vectors.indexOf('</s>'), -1)
  const { values } = model.network.parameter('words.weight')!
  t.deepEqual(model.vectors.vector('<unk>'), values.subarray(0, 8))
  const bob = model.words.indexOf('bob')
  t.deepEqual(model.vectors.vector('bob'), values.slice(8 * bob, 8 * bob + 8))
})

test('every word is learnt from, in a text of any length', async (t) => {
  // Lanes cannot be equal where nothing divides the words; a text shorter than a window is one lane.
  for (const count of [1, 3, 23, 101]) {
    const steps: number[] = []
    using model = await RecurrentLanguageModel.train(sentences(count, 1), {
      ...small,
      minCount: 1,
      epochs: 1,
      onProgress: ({ phase, total }) => phase === 'train' && steps.push(total!),
    })
    const words = 7 * count
    const lanes = Math.max(1, Math.min(8, Math.floor(words / 14)))
    t.is(steps.at(-1), lanes * Math.ceil(words / lanes), `${count}`)
    t.true(Number.isFinite(model.history[0]!.loss))
  }
})

test('a validation text stops training early, and its loss is that of its perplexity', async (t) => {
  const validation = sentences(40, 2)
  const options = { ...small, epochs: 200, learningRate: 0.05, patience: 1, validation }
  using model = await RecurrentLanguageModel.train(sentences(60, 1), options)
  t.true(model.history.length < 200)
  const lowest = Math.min(...model.history.map((epoch) => epoch.validation!))
  const { perplexity } = await model.perplexity(validation)
  t.true(Math.abs(Math.log(perplexity) - lowest) < 1e-6, `${Math.log(perplexity)} ${lowest}`)
})

test('an empty text is an error', async (t) => {
  await t.throwsAsync(RecurrentLanguageModel.train([]), { code: 'INVALID_INPUT' })
  using model = await RecurrentLanguageModel.train(sentences(10, 1), { ...small, epochs: 1 })
  await t.throwsAsync(model.perplexity([]), { code: 'INVALID_INPUT' })
})

test('the network is the one of the paper', (t) => {
  const shape = { words: 50, dimensions: 6, units: 7, dropout: 0.5, layers: 2 }
  const lines = (cell: 'lstm' | 'gru') =>
    summary(recurrentLanguageModel({ ...shape, cell }))
      .filter(({ parameters }) => parameters !== 0)
      .map(({ name, parameters }) => [name, parameters])
  const states = 7 * (6 + 7 + 2) + 7 * (7 + 7 + 2)
  const around = (gates: number) => [
    ['words', 50 * 6],
    ['states', gates * states],
    ['scores', 50 * (7 + 1)],
  ]
  t.deepEqual(lines('lstm'), around(4))
  t.deepEqual(lines('gru'), around(3))
})

test('what would do nothing, or change the order of the text, is refused', async (t) => {
  const refused = { patience: 2, stepEvery: 0.5, batchSize: 3, shuffle: true, accumulate: 2 }
  for (const [option, value] of Object.entries(refused)) {
    await t.throwsAsync(RecurrentLanguageModel.train(['a b'], { [option]: value }), {
      instanceOf: InvalidOptionError,
      message: new RegExp(option),
    })
  }
  const freeze = { ...small, epochs: 1, freeze: ['elsewhere'] }
  await t.throwsAsync(RecurrentLanguageModel.train(sentences(9, 1), freeze), { message: /freeze/ })
  using one = await RecurrentLanguageModel.train(sentences(9, 1), { ...small, optimizer: sgd() })
  using two = await RecurrentLanguageModel.train(sentences(9, 1), { ...small, optimizer: adam() })
  t.notDeepEqual(one.history, two.history)
})

for (const { option, value } of wrongValues(recurrentLanguageModelOptions)) {
  // A path or a list is a source, whatever comes of it.
  if (option === 'validation' && (value === 'no such choice' || Array.isArray(value))) continue
  test(`refuses ${option}: ${String(value)} ${typeof value}`, async (t) => {
    const options = { [option]: value }
    const training = RecurrentLanguageModel.train(['a b'], options)
    await t.throwsAsync(training, { instanceOf: InvalidOptionError })
  })
}
