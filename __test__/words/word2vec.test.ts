import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import {
  Corpus,
  InlayError,
  InvalidOptionError,
  Word2Vec,
  type Word2VecOptions,
  WordVectors,
  word2vecOptions,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { node } from '../fixtures/node.js'
import { smallDisk } from '../fixtures/small-disk.js'
import { toySentences } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const toy = toySentences(60_000)
const tiny = toySentences(4_000, 100)
const one = { minCount: 1, threads: 1 }
/** A model of so few words and dimensions that it takes milliseconds. */
const small: Word2VecOptions = { ...one, dimensions: 12, epochs: 2 }
const refused = { instanceOf: InvalidOptionError }
const rows = async (options: Word2VecOptions) => {
  using model = await Word2Vec.train(tiny, { ...small, ...options })
  return model.vectors.matrix()
}

for (const architecture of ['skip-gram', 'cbow'] as const) {
  for (const objective of ['negative-sampling', 'hierarchical-softmax'] as const) {
    test(`${architecture}, ${objective}: words of one topic come together`, async (t) => {
      const options = { ...one, architecture, objective, dimensions: 32, epochs: 8 }
      using model = await Word2Vec.train(toy, options)
      const { vectors, losses } = model
      t.true(vectors.similarity('3', '13') > vectors.similarity('3', '14') + 0.3)
      const neighbours = await vectors.mostSimilar('3', { topK: 5, restrict: 100 })
      t.deepEqual(
        neighbours.map(({ word }) => Number(word) % 10),
        [3, 3, 3, 3, 3],
      )
      t.is(losses.length, 8)
      t.true(losses.at(-1)! < losses[0]!)
    })
  }
}

test('same seed and one thread: same bytes; another seed: others', async (t) => {
  const [a, b, c] = [await rows({ seed: 5 }), await rows({ seed: 5 }), await rows({ seed: 6 })]
  t.deepEqual(a, b)
  t.notDeepEqual(a, c)
})

test('every option that decides the vectors changes them', async (t) => {
  const changes: Word2VecOptions[] = [
    { architecture: 'cbow' },
    { objective: 'hierarchical-softmax' },
    { dimensions: 13 },
    { window: 2 },
    { shrinkWindow: false },
    { negative: 9 },
    { negativeExponent: -0.5 },
    { sharedNegatives: false },
    { epochs: 3 },
    { learningRate: 0.04 },
    { finalLearningRate: 0.01 },
    { schedule: 'cosine' },
    { schedule: 'constant' },
    { subsample: 0 },
    { minCount: 40 },
    { maxVocabulary: 50 },
    { stopWords: ['1', '2', '3'] },
    { seed: 2 },
    { initialVectors: WordVectors.from(['1'], new Float32Array(12).fill(0.1), 12) },
    { frozen: ['1'] },
  ]
  const plain = await rows({})
  for (const change of changes) t.notDeepEqual(await rows(change), plain, JSON.stringify(change))
  const cbow: Word2VecOptions = { architecture: 'cbow', window: 3 }
  t.notDeepEqual(await rows({ ...cbow, cbowMean: false }), await rows(cbow))
})

test('a model says how it was trained', async (t) => {
  using model = await Word2Vec.train(tiny, { ...small, architecture: 'cbow' })
  t.deepEqual(model.options, {
    architecture: 'cbow',
    objective: 'negative-sampling',
    dimensions: 12,
    window: 5,
    shrinkWindow: true,
    negative: 5,
    negativeExponent: 0.75,
    sharedNegatives: true,
    cbowMean: true,
    epochs: 2,
    learningRate: 0.05,
    finalLearningRate: 0.05 * 1e-4,
    schedule: 'linear',
    subsample: 1e-3,
  })
})

test('the options of the caller are not written to', async (t) => {
  const options = Object.freeze({ ...small })
  using model = await Word2Vec.train(tiny, options)
  t.is(model.vectors.dimensions, 12)
})

test('words may have any name', async (t) => {
  const words = ['__proto__', 'constructor', 'two words', '', '日本', '😀']
  const sentences = Array.from({ length: 50 }, () => words)
  using model = await Word2Vec.train(sentences, small)
  t.deepEqual([...model.vectors.words].toSorted(), words.toSorted())
  for (const word of words) t.is(model.vectors.vector(word).length, 12)
})

test('1536 dimensions are trained', async (t) => {
  using model = await Word2Vec.train(tiny, { ...small, dimensions: 1536 })
  t.is(model.vectors.dimensions, 1536)
  t.true(model.vectors.vector('1').every((value) => Number.isFinite(value)))
  t.true(model.vectors.similarity('3', '13') > model.vectors.similarity('3', '14'))
})

test('a corpus that was read before is trained on as its source is', async (t) => {
  using corpus = await Corpus.read(tiny, { minCount: 1 })
  using model = await Word2Vec.train(corpus, { threads: 1, dimensions: 12, epochs: 2 })
  t.deepEqual(await model.vectors.matrix(), await rows({}))
  t.is(corpus.count('1') > 0, true, 'the corpus is still open')
  const error = await t.throwsAsync(Word2Vec.train(corpus, { minCount: 2 }), refused)
  t.is(error.context['option'], 'minCount')
})

test('vectors may be given, and frozen', async (t) => {
  const given = WordVectors.from(['1', 'no such word'], new Float32Array(24).fill(0.25), 12)
  using started = await Word2Vec.train(tiny, { ...small, initialVectors: given })
  t.notDeepEqual(started.vectors.vector('1'), given.vector('1'))
  using frozen = await Word2Vec.train(tiny, { ...small, initialVectors: given, frozen: true })
  t.deepEqual(frozen.vectors.vector('1'), given.vector('1'))
  using named = await Word2Vec.train(tiny, { ...small, initialVectors: given, frozen: ['1', 'x'] })
  t.deepEqual(named.vectors.vector('1'), given.vector('1'))
  const long = WordVectors.from(['1'], new Float32Array(13), 13)
  await t.throwsAsync(Word2Vec.train(tiny, { ...small, initialVectors: long }), refused)
})

test('both matrices are there, for words', async (t) => {
  using model = await Word2Vec.train(tiny, small)
  t.deepEqual([...model.outputVectors!.words], [...model.vectors.words])
  t.notDeepEqual(await model.outputVectors!.matrix(), await model.vectors.matrix())
  using tree = await Word2Vec.train(tiny, { ...small, objective: 'hierarchical-softmax' })
  t.is(tree.outputVectors, undefined)
})

for (const objective of ['negative-sampling', 'hierarchical-softmax'] as const) {
  test(`${objective}: predictions are probabilities of the whole vocabulary`, async (t) => {
    using model = await Word2Vec.train(toy, { ...one, objective, dimensions: 32, epochs: 8 })
    const all = await model.predict(['3', '13', '23', 'unknown'], { topK: 5000 })
    t.is(all.length, model.vectors.size)
    t.true(Math.abs(all.reduce((sum, { probability }) => sum + probability, 0) - 1) < 1e-3)
    t.true(all.every(({ probability }, i) => i === 0 || probability <= all[i - 1]!.probability))
    t.is(Number(all[0]!.word) % 10, 3)
    t.is((await model.predict(['3'])).length, 10)
    await t.throwsAsync(model.predict(['unknown']), { code: 'NOT_FOUND' })
    await t.throwsAsync(model.predict('3' as unknown as string[]), refused)
  })
}

test('a likely sentence scores higher; negative sampling has no such score', async (t) => {
  const objective = 'hierarchical-softmax'
  using model = await Word2Vec.train(toy, { ...one, objective, dimensions: 32, epochs: 8 })
  const [likely, odd] = [await model.score(['3', '13', '23']), await model.score(['3', '14', '25'])]
  t.true(likely < 0 && odd < likely)
  using sampled = await Word2Vec.train(tiny, small)
  await t.throwsAsync(sampled.score(['3']), { instanceOf: InlayError, code: 'UNSUPPORTED' })
})

for (const objective of ['negative-sampling', 'hierarchical-softmax'] as const) {
  test(`${objective}: what is saved opens as it was`, async (t) => {
    const path = join(folder(t), 'model.safetensors')
    using model = await Word2Vec.train(tiny, { ...small, objective })
    await model.save(path)
    using opened = await Word2Vec.open(path)
    t.deepEqual(await opened.vectors.matrix(), await model.vectors.matrix())
    t.deepEqual(opened.options, model.options)
    t.deepEqual(opened.losses, model.losses)
    t.deepEqual(await opened.predict(['1', '2']), await model.predict(['1', '2']))
    using vectors = await WordVectors.open(path)
    t.deepEqual(vectors.vector('1'), model.vectors.vector('1'))
    await t.throwsAsync(Word2Vec.open(join(path, '..', 'none')), { code: 'NOT_FOUND' })
    await model.vectors.save(join(path, '..', 'vectors.safetensors'))
    const vectorsOnly = Word2Vec.open(join(path, '..', 'vectors.safetensors'))
    await t.throwsAsync(vectorsOnly, { code: 'INVALID_INPUT' })
  })
}

test('training goes on with new text and new words, in a new model', async (t) => {
  using model = await Word2Vec.train(tiny, small)
  const before = await model.vectors.matrix()
  const news = Array.from({ length: 200 }, () => ['1', 'new', '2', 'news'])
  using newer = await model.update(news, { epochs: 3, threads: 1 })
  t.deepEqual(newer.updated, { kept: model.vectors.size, added: 2 })
  for (const word of model.vectors.words) t.true(newer.vectors.has(word))
  t.true(newer.vectors.has('new') && newer.vectors.has('news'))
  t.deepEqual(await model.vectors.matrix(), before)
  t.like(newer.options, { epochs: 3, dimensions: 12 })
  // A word that the news do not have stays where it was.
  t.deepEqual(newer.vectors.vector('50'), model.vectors.vector('50'))
  t.notDeepEqual(newer.vectors.vector('1'), model.vectors.vector('1'))
  await t.throwsAsync(model.update(news, { dimensions: 13 }), refused)
})

test.serial(
  'a training that was killed goes on from its checkpoint, to the same bytes',
  async (t) => {
    const path = join(folder(t), 'a.checkpoint')
    const program = fileURLToPath(new URL('../fixtures/resumed.js', import.meta.url))
    const unbroken = await node([program, 'Word2Vec', join(folder(t), 'b.checkpoint')])
    const killed = await node([program, 'Word2Vec', path, 'kill'])
    t.is(killed.signal, 'SIGKILL')
    t.deepEqual(readdirSync(join(path, '..')).filter((name) => name === 'a.checkpoint').length, 1)
    const resumed = await node([program, 'Word2Vec', path])
    t.is(resumed.stdout, unbroken.stdout, resumed.stderr)
    t.regex(resumed.stdout, /^[0-9a-f]{64} /)
  },
)

test.serial('a training that was aborted leaves a checkpoint and goes on from it', async (t) => {
  const checkpoint = join(folder(t), 'a.checkpoint')
  const options = { ...one, dimensions: 24, epochs: 30, checkpoint, checkpointEvery: 1000 }
  const controller = new AbortController()
  const aborted = Word2Vec.train(toy, {
    ...options,
    signal: controller.signal,
    onProgress: ({ phase, done }) => {
      if (phase === 'train' && done > 50_000) controller.abort()
    },
  })
  await t.throwsAsync(aborted, { any: true, instanceOf: DOMException })
  t.true(existsSync(checkpoint))
  let first: number | undefined
  using resumed = await Word2Vec.train(toy, {
    ...options,
    onProgress: ({ phase, done }) => {
      if (phase === 'train') first ??= done
    },
  })
  t.true(first! >= 50_000)
  using whole = await Word2Vec.train(toy, {
    ...options,
    checkpoint: join(folder(t), 'b.checkpoint'),
  })
  t.deepEqual(await resumed.vectors.matrix(), await whole.vectors.matrix())
  t.deepEqual(resumed.losses, whole.losses)
})

test('a checkpoint of another training is refused with what differs', async (t) => {
  const checkpoint = join(folder(t), 'a.checkpoint')
  const options = { ...small, checkpoint }
  const model = await Word2Vec.train(tiny, options)
  model.close()
  for (const [change, named] of [
    [{ window: 3 }, /window/],
    [{ dimensions: 13 }, /dimensions/],
    [{ seed: 9 }, /seed/],
  ] as const) {
    const other = Word2Vec.train(tiny, { ...options, ...change })
    await t.throwsAsync(other, { ...refused, message: named })
  }
  await t.throwsAsync(Word2Vec.train(toySentences(2000, 100), options), refused)
})

test('a full disk is an error, and leaves nothing behind', async (t) => {
  const disk = smallDisk(t)
  if (disk === undefined) return
  const options = { ...small, dimensions: 600 }
  using model = await Word2Vec.train(toy, options)
  const full = { instanceOf: InlayError, code: 'DISK_FULL' }
  await t.throwsAsync(model.save(join(disk, 'model.safetensors')), full)
  const checkpoint = join(disk, 'a.checkpoint')
  await t.throwsAsync(Word2Vec.train(toy, { ...options, checkpoint }), full)
  t.deepEqual(readdirSync(disk), [])
})

test('a file is replaced in full or not at all', async (t) => {
  const path = join(folder(t), 'model.safetensors')
  using model = await Word2Vec.train(tiny, small)
  await model.save(path)
  const before = readFileSync(path)
  const controller = new AbortController()
  // Large enough that the abort comes before the end, however busy the machine is.
  using large = await Word2Vec.train(toy, { ...small, epochs: 1, dimensions: 4096 })
  const saving = large.save(path, { signal: controller.signal })
  controller.abort()
  await t.throwsAsync(saving, { any: true })
  t.deepEqual(readFileSync(path), before)
  t.deepEqual(readdirSync(join(path, '..')), ['model.safetensors'])
})

for (const { option, value } of wrongValues(word2vecOptions)) {
  const shown = typeof value === 'object' ? JSON.stringify(value) : String(value)
  if (option === 'frozen' && value === true) continue
  test(`Word2Vec.train refuses ${option}: ${typeof value} ${shown}`, async (t) => {
    await t.throwsAsync(Word2Vec.train('never-read.txt', { [option]: value }), refused)
  })
}

test('options that have no meaning together are refused', async (t) => {
  const hierarchical = { objective: 'hierarchical-softmax' } as const
  for (const options of [
    { ...hierarchical, negative: 5 },
    { ...hierarchical, negativeExponent: 1 },
    { ...hierarchical, sharedNegatives: false },
    { cbowMean: false },
    { schedule: 'constant', finalLearningRate: 0.01 },
    { frozen: true },
    { epochs: 2, checkpointEvery: 5 },
  ] as Word2VecOptions[]) {
    await t.throwsAsync(Word2Vec.train('never-read.txt', options), refused, JSON.stringify(options))
  }
})

test('memory is estimated before it is taken', (t) => {
  const estimate = Word2Vec.estimateMemory({ vocabulary: 1_000_000, dimensions: 300 })
  t.true(estimate > 2.4e9 && estimate < 3e9)
  t.throws(() => Word2Vec.estimateMemory({} as { vocabulary: number }), refused)
})

test('more memory than there is is an error', async (t) => {
  const words = Array.from({ length: 3_000_000 }, (_, i) => i)
  const training = Word2Vec.train([words], { ...small, dimensions: 4096 })
  const error = await t.throwsAsync(training, { instanceOf: InlayError, code: 'OUT_OF_MEMORY' })
  t.true((error.context['asked'] as number) > 4e10)
})

test('a model that is closed refuses its use', async (t) => {
  const model = await Word2Vec.train(tiny, small)
  const { vectors } = model
  model.close()
  await t.throwsAsync(model.predict(['1']), { code: 'CLOSED' })
  await t.throwsAsync(model.save('never'), { code: 'CLOSED' })
  t.throws(() => vectors.vector('1'), { code: 'CLOSED' })
  await sleep(1)
})
