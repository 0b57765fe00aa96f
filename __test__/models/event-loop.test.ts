// However much a model is given, the event loop has its turn every few milliseconds.
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  CategoryEmbeddings,
  ImageAutoencoder,
  ImageCnn,
  Network,
  RecurrentEncoder,
  SequenceTagger,
  TextCnn,
  TransformerEncoder,
  dense,
  network,
  squaredError,
  values,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { longestHoldOf } from '../fixtures/longest-hold.js'
import { randomNumbers } from '../fixtures/toy.js'

const once = { epochs: 1, threads: 1 }
const free = async (t: ExecutionContext, work: Work) => {
  for (const [what, done] of Object.entries(work)) {
    const hold = await longestHoldOf(done)
    t.log(`${what}: ${hold.toFixed(1)} ms`)
    t.true(hold < 5, `${what}: ${hold} ms`)
  }
}
type Work = Readonly<Record<string, () => Promise<unknown>>>

test.serial('while tables are learnt and foretold', async (t) => {
  const next = randomNumbers(1)
  const rows = Array.from({ length: 50_000 }, () => {
    const cells = Array.from({ length: 20 }, (_, i) => {
      return [`c${i}`, i % 2 === 0 ? `v${Math.floor(100 * next())}` : next()]
    })
    return { ...Object.fromEntries(cells), target: next() < 0.5 ? 'yes' : 'no' }
  })
  const options = { ...once, target: 'target', hidden: [2], batchSize: 4096 }
  using model = await CategoryEmbeddings.train(rows.slice(0, 1000), options)
  await free(t, {
    train: async () => (await CategoryEmbeddings.train(rows, options)).close(),
    predict: () => model.predict(rows, { threads: 1 }),
    evaluate: () => model.evaluate(rows, { threads: 1 }),
  })
})

test.serial('while pictures are learnt and looked at', async (t) => {
  const next = randomNumbers(2)
  const shape = [64, 64, 3] as const
  const some = Array.from({ length: 20 }, () =>
    Uint8Array.from({ length: 64 * 64 * 3 }, () => 256 * next()),
  )
  const pictures = Array.from({ length: 1000 }, (_, i) => some[i % some.length]!)
  const labelled = pictures.map((input, i) => ({ input, label: i % 2 === 0 ? 'even' : 'odd' }))
  const options = { ...once, shape, channels: [1], kernel: 1, hidden: [2] }
  using cnn = await ImageCnn.train(labelled.slice(0, 64), options)
  const dense2 = { ...once, shape, architecture: 'dense', hidden: [2], code: 2 } as const
  using autoencoder = await ImageAutoencoder.train(some, dense2)
  // One that is larger than many others together.
  const large = Uint8Array.from({ length: 3000 * 1000 }, (_, i) => i % 256)
  const wide = { ...dense2, shape: [3000, 1000, 1] as const, hidden: [], code: 1 }
  using one = await ImageAutoencoder.train([large], wide)
  await free(t, {
    train: async () => (await ImageCnn.train(labelled, options)).close(),
    predict: () => cnn.predict(pictures, { threads: 1 }),
    evaluate: () => autoencoder.evaluate(pictures, { threads: 1 }),
    'a large picture': () => one.encode([large, large, large, large], { threads: 1 }),
  })
})

test.serial('while numbers are brought over, a long item too', async (t) => {
  const description = network({
    input: values({ shape: [10_000] }),
    layers: [dense({ units: 1 })],
    loss: squaredError(),
  })
  using plain = await Network.create(description)
  const row = Float32Array.from({ length: 10_000 }, (_, i) => i % 7)
  const numbers = Array.from(row)
  const long = network({
    input: values({ shape: [4_000_000, 1] }),
    layers: [dense({ units: 1 })],
  })
  using positions = await Network.create(long)
  const item = Array.from({ length: 4_000_000 }, (_, i) => i % 7)
  await free(t, {
    'typed arrays': () => plain.encode(Array(3000).fill(row), { threads: 1 }),
    arrays: () => plain.encode(Array(1000).fill(numbers), { threads: 1 }),
    'a long item': () => positions.encode([item], { threads: 1 }),
  })
})

test.serial('while sentences are numbered, learnt and tagged', async (t) => {
  const next = randomNumbers(3)
  const sentences = Array.from({ length: 20_000 }, () =>
    Array.from({ length: 12 }, () => `w${Math.floor(5000 * next())}`),
  )
  const tagged = sentences.map((words) => ({ words, tags: words.map((word) => word.slice(0, 2)) }))
  const lines = sentences.map((words) => words.join(' '))
  const labelled = lines.map((input, i) => ({ input, label: i % 2 === 0 ? 'even' : 'odd' }))
  const small = { ...once, dimensions: 2, batchSize: 256 }
  using tagger = await SequenceTagger.train(tagged.slice(0, 500), { ...small, units: 1 })
  using cnn = await TextCnn.train(labelled.slice(0, 500), { ...small, filters: 1, windows: [1] })
  const transformer = { heads: 1, blocks: 1, hidden: 1, maskings: 1, maxVocabulary: 20 }
  await free(t, {
    'SequenceTagger.train': async () =>
      (await SequenceTagger.train(tagged, { ...small, units: 1, characters: 1 })).close(),
    'tagger.evaluate': () => tagger.evaluate(tagged, { threads: 1 }),
    'RecurrentEncoder.train': async () =>
      (await RecurrentEncoder.train(lines, { ...small, units: 1, maxVocabulary: 20 })).close(),
    'TransformerEncoder.train': async () =>
      (await TransformerEncoder.train(lines, { ...small, ...transformer })).close(),
    'cnn.encode': () => cnn.encode(lines, { threads: 1 }),
    'cnn.evaluate': () => cnn.evaluate(labelled, { threads: 1 }),
  })
})

test.serial('while a large vocabulary is made, and a model opened that has it', async (t) => {
  const path = join(folder(t), 'model.safetensors')
  const examples = Array.from({ length: 10_000 }, (_, i) => ({
    input: Array.from({ length: 10 }, (_word, j) => `word${10 * i + j}`).join(' '),
    label: i % 2 === 0 ? 'even' : 'odd',
  }))
  const options = { ...once, dimensions: 1, filters: 1, windows: [1], batchSize: 256 }
  using cnn = await TextCnn.train(examples, options)
  t.is(cnn.words.length, 100_001)
  await cnn.save(path)
  await free(t, {
    train: async () => (await TextCnn.train(examples, options)).close(),
    open: async () => {
      using opened = await TextCnn.open(path)
      t.is(opened.words.at(-1), cnn.words.at(-1))
    },
  })
})
