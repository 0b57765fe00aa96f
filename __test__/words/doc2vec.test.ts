import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import {
  Corpus,
  Doc2Vec,
  type Doc2VecOptions,
  InvalidOptionError,
  Phrases,
  type TaggedDocument,
  WordVectors,
  doc2vecOptions,
  inferOptions,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { node } from '../fixtures/node.js'
import { randomNumbers } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const refused = { instanceOf: InvalidOptionError }
const one = { minCount: 1, threads: 1 }
const small: Doc2VecOptions = { ...one, dimensions: 12, epochs: 2 }
const bag = { architecture: 'distributed-bag-of-words' } as const

/** Documents about one of two topics in turn, whose every other word is about nothing. */
function documents(count: number, seed = 1): string[][] {
  const random = randomNumbers(seed)
  const word = (kind: string) => `${kind}${Math.floor(random() * 10)}`
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: 40 }, (__, at) => word(at % 2 ? ['cat', 'dog'][i % 2]! : 'the')),
  )
}

const animals = documents(200)
const cosine = (a: Float32Array, b: Float32Array) => {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, v, i) => sum + v * y[i]!, 0)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}

const ways: Doc2VecOptions[] = [
  bag,
  { ...bag, wordTraining: true },
  { combine: 'mean' },
  { combine: 'sum' },
  { combine: 'concatenation' },
]

for (const way of ways) {
  for (const objective of ['negative-sampling', 'hierarchical-softmax'] as const) {
    test(`${JSON.stringify(way)}, ${objective}: documents of one topic come together`, async (t) => {
      const settings = { learningRate: 0.05, dimensions: 20, epochs: 20, subsample: 0 }
      const window = way.architecture && !way.wordTraining ? {} : { window: 1 }
      const options = { ...one, ...way, ...settings, ...window, objective }
      using model = await Doc2Vec.train(animals, options)
      t.is(model.tags.size, 200)
      const [a, b, c] = ['0', '2', '1'].map((tag) => model.tags.vector(tag))
      t.true(cosine(a!, b!) > cosine(a!, c!))
      t.true(model.losses.at(-1)! < model.losses[0]!)
      const rows = await model.infer(documents(20, 2))
      t.is(rows.length, 20 * 20)
      const row = (i: number) => rows.subarray(20 * i, 20 * i + 20)
      t.true(cosine(row(0), row(2)) > cosine(row(0), row(1)))
    })
  }
}

test('documents are tagged by number, by one tag or by several, which may be shared', async (t) => {
  const source: (TaggedDocument | string | string[])[] = [
    { text: 'a b\nc d', tags: ['first', 'both'] },
    'a b c',
    { words: ['c', 'd'], tags: 'both' },
    ['a', 'd'],
    { text: '', tags: 7 },
    { text: 'a b', tags: [] },
  ]
  using model = await Doc2Vec.train(source, small)
  t.deepEqual([...model.tags.words], ['first', 'both', '1', '3', '7', '5'])
  t.deepEqual([...model.vectors!.words].toSorted(), ['a', 'b', 'c', 'd'])
  using items = await Doc2Vec.train([{ words: [1, 2, 2], tags: ['x'] }, Uint32Array.of(1)], small)
  t.deepEqual([...items.tags.words], ['x', '1'])
})

test('the lines of a file are documents, empty ones too, and may be named', async (t) => {
  const path = join(folder(t), 'lines.txt')
  writeFileSync(path, 'a b\n\na rare b\nrare2\nb a')
  using model = await Doc2Vec.train(path, { ...small, minCount: 2 })
  t.deepEqual([...model.tags.words], ['0', '1', '2', '3', '4'])
  const tags = ['v', 'w', 'x', 'w', 'y']
  using named = await Doc2Vec.train(path, { ...small, tags })
  t.deepEqual([...named.tags.words], ['v', 'w', 'x', 'y'])
  await t.throwsAsync(Doc2Vec.train(path, { ...small, tags: ['v'] }), {
    ...refused,
    message: /5 documents/,
  })
  await t.throwsAsync(Doc2Vec.train([['a']], { ...small, tags: ['v'] }), refused)
})

test('a corpus that was read before is trained on', async (t) => {
  using corpus = await Corpus.read(animals, { minCount: 1 })
  using model = await Doc2Vec.train(corpus, { threads: 1, dimensions: 12, epochs: 2 })
  using same = await Doc2Vec.train(animals, small)
  t.deepEqual(await model.tags.matrix(), await same.tags.matrix())
  await t.throwsAsync(Doc2Vec.train(corpus, { minCount: 2 }), refused)
})

test('items that are no documents are errors with their number', async (t) => {
  for (const [item, problem] of [
    [{ tags: 'x' }, /either `text` or `words`/],
    [{ text: 'a', words: ['a'] }, /either `text` or `words`/],
    [{ text: 1 }, /`text` must be a string/],
    [{ words: 'a' }, /`words` must be an array/],
    [{ text: 'a', tags: [1.5] }, /a tag must be a string or an integer/],
    [{ text: 'a', tags: ['\ud800'] }, /a tag must be/],
    [{ text: 'a', tag: 'x' }, /property `tag`/],
    [null, /it must be a string/],
  ] as const) {
    const source = [['a', 'b'], item] as unknown as TaggedDocument[]
    const error = await t.throwsAsync(Doc2Vec.train(source, small), { code: 'INVALID_INPUT' })
    t.regex(error.message, /^Doc2Vec\.train: item 1 of the source/)
    t.regex(error.message, problem)
  }
  await t.throwsAsync(Doc2Vec.train([['rare']], { threads: 1 }), { code: 'INVALID_INPUT' })
})

test('concatenation wants the same number of tags everywhere', async (t) => {
  const source = [
    { text: 'a b', tags: ['x'] },
    { text: 'a b', tags: ['y', 'z'] },
  ]
  const options = { ...small, combine: 'concatenation' } as const
  const error = await t.throwsAsync(Doc2Vec.train(source, options), { code: 'INVALID_INPUT' })
  t.regex(error.message, /document 1/)
  using two = await Doc2Vec.train([{ text: 'a b', tags: ['x', 'y'] }], options)
  await t.throwsAsync(two.infer(['a']), { code: 'UNSUPPORTED' })
})

test('many documents with long tags come in several batches', async (t) => {
  async function* source(): AsyncGenerator<TaggedDocument> {
    for (let i = 0; i < 30_000; i++)
      yield { words: ['a', `${i % 7}`], tags: `document number ${i}` }
  }
  using model = await Doc2Vec.train(source(), { ...small, epochs: 1 })
  t.is(model.tags.size, 30_000)
  t.deepEqual(model.tags.words.slice(29_998), ['document number 29998', 'document number 29999'])
})

test('same seed and one thread: same bytes; another seed: others', async (t) => {
  const rows = async (seed: number) => {
    using model = await Doc2Vec.train(animals, { ...small, seed })
    return model.tags.matrix()
  }
  t.deepEqual(await rows(5), await rows(5))
  t.notDeepEqual(await rows(5), await rows(6))
})

test('an inference is the same each time, for any threads, company and source', async (t) => {
  using model = await Doc2Vec.train(animals, small)
  const asked = documents(100, 3).map((words, i) => words.slice(i % 5))
  const rows = await model.infer(asked, { threads: 1 })
  t.deepEqual(await model.infer(asked, { threads: 3 }), rows)
  t.deepEqual(await model.infer([asked[7]!]), rows.slice(7 * 12, 8 * 12))
  t.deepEqual(await model.infer([asked[7]!.join('\n ')]), rows.slice(7 * 12, 8 * 12))
  t.notDeepEqual(await model.infer(asked, { seed: 2 }), rows)
  t.notDeepEqual(await model.infer(asked, { epochs: 9 }), rows)
  t.notDeepEqual(await model.infer(asked, { learningRate: 0.5 }), rows)
  t.notDeepEqual(await model.infer(asked, { finalLearningRate: 0.01 }), rows)
  const path = join(folder(t), 'lines.txt')
  writeFileSync(path, asked.map((words) => `${words.join(' ')}\n`).join(''))
  t.deepEqual(await model.infer(path), rows)
})

test('unknown words are passed over; a document of none has zeros', async (t) => {
  using model = await Doc2Vec.train(animals, small)
  const rows = await model.infer([['cat1', 'nobody', 'cat2'], ['cat1', 'cat2'], ['nobody'], '', []])
  const row = (i: number) => rows.subarray(12 * i, 12 * i + 12)
  t.deepEqual(row(0), row(1))
  t.notDeepEqual(row(0), new Float32Array(12))
  for (const i of [2, 3, 4]) t.deepEqual(row(i), new Float32Array(12))
  t.is((await model.infer([])).length, 0)
})

test('phrases of the training are asked for again', async (t) => {
  const text = documents(200, 3)
  for (const words of text) words.unshift('new', 'york')
  using phrases = await Phrases.train(text, { minCount: 2, threshold: 1 })
  t.deepEqual(phrases.apply(['new', 'york']), ['new_york'])
  using model = await Doc2Vec.train(text, { ...small, phrases })
  t.true(model.options.phrases && model.vectors!.has('new_york') && !model.vectors!.has('york'))
  const refusal = await t.throwsAsync(model.infer([['new', 'york']]), { code: 'INVALID_OPTION' })
  t.regex(refusal!.message, /`?phrases`?.*the Phrases of the training/)
  const path = join(folder(t), 'model.safetensors')
  await model.save(path)
  using opened = await Doc2Vec.open(path)
  t.true(opened.options.phrases)
  const [known, none] = [await model.infer([['new_york']], { phrases }), new Float32Array(12)]
  t.notDeepEqual(known, none)
  const rows = await opened.infer([[], ['new', 'york'], '', ['york'], 'new york'], { phrases })
  t.deepEqual(rows, Float32Array.of(...none, ...known, ...none, ...none, ...known))
})

test('a model of a corpus is told how its text was read', async (t) => {
  using corpus = await Corpus.read(['The Cat, the DOG.'], {
    minCount: 1,
    tokenizer: 'words',
    lowercase: true,
  })
  using model = await Doc2Vec.train(corpus, { ...small, minCount: undefined })
  const alike = { tokenizer: 'words', lowercase: true, normalization: 'NFC' } as const
  t.deepEqual(await model.infer(['THE, DOG!'], alike), await model.infer([['the', 'dog']]))
  t.deepEqual(await model.infer(['THE, DOG!']), new Float32Array(12))
})

test('text to be inferred is read as the text of the training was', async (t) => {
  const options = { ...small, tokenizer: 'words', lowercase: true } as const
  using model = await Doc2Vec.train(['The cat, the dog.', 'The end'], options)
  t.like(model.options, { tokenizer: 'words', lowercase: true, normalization: 'none' })
  t.deepEqual(await model.infer(['THE DOG!']), await model.infer([['the', 'dog']]))
})

test('what is saved opens as it was', async (t) => {
  const path = join(folder(t), 'model.safetensors')
  for (const way of ways) {
    using model = await Doc2Vec.train(animals, { ...small, ...way })
    await model.save(path)
    using opened = await Doc2Vec.open(path)
    t.deepEqual(opened.options, model.options)
    t.deepEqual(opened.losses, model.losses)
    t.deepEqual([...opened.tags.words], [...model.tags.words])
    t.deepEqual(await opened.tags.matrix(), await model.tags.matrix())
    t.is(opened.vectors === undefined, way.architecture !== undefined && !way.wordTraining)
    const asked = documents(5, 4)
    t.deepEqual(await opened.infer(asked), await model.infer(asked))
  }
  using vectors = WordVectors.from(['a'], new Float32Array(2), 2)
  await vectors.save(path)
  await t.throwsAsync(Doc2Vec.open(path), { code: 'INVALID_INPUT' })
  await t.throwsAsync(Doc2Vec.open(`${path}.none`), { code: 'NOT_FOUND' })
})

test('vectors of words may be given, and frozen', async (t) => {
  const given = WordVectors.from(['cat1', 'x'], new Float32Array(24).fill(0.25), 12)
  using free = await Doc2Vec.train(animals, { ...small, initialVectors: given })
  t.notDeepEqual(free.vectors!.vector('cat1'), given.vector('cat1'))
  using still = await Doc2Vec.train(animals, { ...small, initialVectors: given, frozen: true })
  t.deepEqual(still.vectors!.vector('cat1'), given.vector('cat1'))
})

test.serial('a training that was killed goes on from its checkpoint', async (t) => {
  const inside = folder(t)
  const program = fileURLToPath(new URL('../fixtures/resumed-doc2vec.js', import.meta.url))
  const unbroken = await node([program, join(inside, 'b.checkpoint')])
  const killed = await node([program, join(inside, 'a.checkpoint'), 'kill'])
  t.is(killed.signal, 'SIGKILL')
  const resumed = await node([program, join(inside, 'a.checkpoint')])
  t.is(resumed.stdout, unbroken.stdout, resumed.stderr)
  t.regex(resumed.stdout, /^[0-9a-f]{64} /)
})

test('a run can be aborted', async (t) => {
  const signal = AbortSignal.abort()
  await t.throwsAsync(Doc2Vec.train(animals, { ...small, signal }), {
    any: true,
    instanceOf: DOMException,
  })
  using model = await Doc2Vec.train(animals, small)
  const controller = new AbortController()
  const inferring = model.infer(animals, {
    epochs: 1_000_000,
    signal: controller.signal,
    onProgress: ({ phase }) => phase === 'infer' && controller.abort(),
  })
  setTimeout(() => controller.abort(), 200)
  await t.throwsAsync(inferring, { any: true, instanceOf: DOMException })
})

test('a closed model says so', async (t) => {
  const model = await Doc2Vec.train(animals, small)
  model.close()
  await t.throwsAsync(model.infer(['a']), { code: 'CLOSED' })
})

for (const { option, value } of wrongValues(doc2vecOptions)) {
  if (option === 'frozen' && value === true) continue
  const shown = typeof value === 'object' ? JSON.stringify(value) : String(value)
  test(`Doc2Vec.train refuses ${option}: ${typeof value} ${shown}`, async (t) => {
    await t.throwsAsync(Doc2Vec.train('never-read.txt', { [option]: value }), refused)
  })
}

for (const { option, value } of wrongValues(inferOptions)) {
  const shown = typeof value === 'object' ? JSON.stringify(value) : String(value)
  test(`infer refuses ${option}: ${typeof value} ${shown}`, async (t) => {
    using model = await Doc2Vec.train([['a', 'b']], small)
    await t.throwsAsync(model.infer('never-read.txt', { [option]: value }), refused)
  })
}

test('options that have no meaning together are refused', async (t) => {
  for (const options of [
    { ...bag, combine: 'sum' },
    { ...bag, window: 3 },
    { ...bag, shrinkWindow: false },
    { ...bag, frozen: ['a'] },
    { wordTraining: true },
    { combine: 'concatenation', sharedNegatives: false },
    { combine: 'concatenation', shrinkWindow: true },
    { objective: 'hierarchical-softmax', negative: 5 },
    { schedule: 'constant', finalLearningRate: 0.01 },
    { frozen: true },
    { checkpointEvery: 5 },
  ] as Doc2VecOptions[]) {
    await t.throwsAsync(Doc2Vec.train('never-read.txt', options), refused, JSON.stringify(options))
  }
})

test('memory is estimated before it is taken', (t) => {
  const sizes = { vocabulary: 100_000, tags: 1_000_000 }
  const mean = Doc2Vec.estimateMemory(sizes)
  t.true(mean > 4.4e8 && mean < 7e8)
  const wide = Doc2Vec.estimateMemory({ ...sizes, combine: 'concatenation' })
  t.true(wide - mean > 3.9e8 && wide - mean < 5e8)
  t.throws(() => Doc2Vec.estimateMemory({} as typeof sizes), refused)
})
