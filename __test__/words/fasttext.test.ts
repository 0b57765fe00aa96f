import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import {
  FastText,
  type FastTextOptions,
  InlayError,
  InvalidOptionError,
  WordVectors,
  fastTextOptions,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { node } from '../fixtures/node.js'
import { smallDisk } from '../fixtures/small-disk.js'
import { randomNumbers, toySentences } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const refused = { instanceOf: InvalidOptionError }
const one = { minCount: 1, threads: 1, subsample: 0 }
const tiny = toySentences(4_000, 100)
const small: FastTextOptions = { ...one, dimensions: 12, epochs: 2, bucket: 1000 }

/** Sentences about one of two topics, whose words are built of a stem and an ending. */
const endings = ['a', 'ing', 'er', 'ed', 'ish', 'ness', 'ful', 'ly']
const random = randomNumbers(4)
const inflected = Array.from({ length: 3000 }, (_, i) => {
  const stems = i % 2 === 0 ? ['garden', 'flower', 'water'] : ['copper', 'silver', 'metal']
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)]!
  return Array.from({ length: 8 }, () => pick(stems) + pick(endings))
})
const taught: FastTextOptions = { ...one, dimensions: 24, epochs: 4, bucket: 20_000 }

for (const architecture of ['skip-gram', 'cbow'] as const) {
  for (const objective of ['negative-sampling', 'hierarchical-softmax'] as const) {
    test(`${architecture}, ${objective}: a word never seen stands with its kind`, async (t) => {
      using model = await FastText.train(inflected, { ...taught, architecture, objective })
      t.false(model.vectors.has('gardenist'))
      t.true(
        model.similarity('gardenist', 'flowering') >
          model.similarity('gardenist', 'silvered') + 0.3,
      )
      for (const { word } of await model.mostSimilar('silverish', { topK: 5 })) {
        t.regex(word, /^(copper|silver|metal)/)
      }
      const query = { positive: ['gardenist', 'flower'], negative: 'copperoid' }
      for (const { word } of await model.mostSimilar(query, { topK: 3 })) {
        t.regex(word, /^(garden|flower|water)/)
      }
      const found = await model.analogy('copperoid', 'gardenist', 'flower', { topK: 3 })
      t.deepEqual(found, await model.mostSimilar(query, { topK: 3 }))
      t.is(model.losses.length, 4)
      t.true(model.losses.every((loss) => loss > 0 && loss < 10))
    })
  }
}

test('a word is the mean of its own row and its n-grams, an unknown one of its n-grams', async (t) => {
  using model = await FastText.train(inflected, taught)
  const subwords = model.subwords('silverx')
  t.deepEqual(
    model.subwords('cat').map(({ text }) => text),
    ['<ca', '<cat', '<cat>', 'cat', 'cat>', 'at>'],
  )
  const mean = Float32Array.from(
    { length: 24 },
    (_, i) => subwords.reduce((sum, { vector }) => sum + vector[i]!, 0) / subwords.length,
  )
  for (const [i, value] of model.vector('silverx')!.entries())
    t.true(Math.abs(value - mean[i]!) < 1e-6)
  t.deepEqual(model.vector('silvera'), model.vectors.vector('silvera'))
})

test('words without an n-gram', async (t) => {
  using model = await FastText.train(tiny, { ...small, maxn: 0 })
  t.is(model.vector('unknown'), undefined)
  t.deepEqual(model.subwords('1'), [])
  t.throws(() => model.similarity('1', 'unknown'), { code: 'NOT_FOUND' })
  await t.throwsAsync(model.mostSimilar('unknown'), { code: 'NOT_FOUND' })
  using long = await FastText.train(tiny, { ...small, minn: 6 })
  t.is(long.vector(''), undefined)
})

test('same seed and one thread: same bytes; another seed: others', async (t) => {
  const rows = async (seed: number) => {
    using model = await FastText.train(tiny, { ...small, seed })
    return [await model.vectors.matrix(), model.vector('unknown')]
  }
  t.deepEqual(await rows(5), await rows(5))
  t.notDeepEqual(await rows(5), await rows(6))
})

test('every option that decides the vectors changes them', async (t) => {
  const rows = async (options: FastTextOptions) => {
    using model = await FastText.train(tiny, { ...small, ...options })
    return model.vectors.matrix()
  }
  const plain = await rows({})
  for (const change of [
    { architecture: 'cbow' },
    { objective: 'hierarchical-softmax' },
    { dimensions: 13 },
    { minn: 2 },
    { maxn: 3 },
    { bucket: 900 },
    { window: 2 },
    { shrinkWindow: false },
    { negative: 9 },
    { negativeExponent: -0.5 },
    { sharedNegatives: false },
    { epochs: 3 },
    { learningRate: 0.04 },
    { finalLearningRate: 0.01 },
    { schedule: 'cosine' },
    { subsample: 1e-3 },
    { initialVectors: WordVectors.from(['1'], new Float32Array(12).fill(0.1), 12) },
  ] as FastTextOptions[]) {
    t.notDeepEqual(await rows(change), plain, JSON.stringify(change))
  }
})

for (const objective of ['negative-sampling', 'hierarchical-softmax'] as const) {
  test(`${objective}: what is saved opens as it was, as ours and as fastText's`, async (t) => {
    const place = folder(t)
    using model = await FastText.train(inflected, { ...taught, objective })
    for (const name of ['model.safetensors', 'model.bin']) {
      await model.save(join(place, name))
      using opened = await FastText.open(join(place, name))
      t.deepEqual([...opened.vectors.words], [...model.vectors.words])
      for (const word of ['silverish', 'unheard', 'garden']) {
        t.deepEqual(opened.vector(word), model.vector(word), `${name} ${word}`)
      }
      t.like(opened.options, { objective, minn: 3, maxn: 6, bucket: 20_000 })
      if (name === 'model.safetensors') t.deepEqual(opened.losses, model.losses)
    }
    using theirs = await FastText.open(join(place, 'model.bin'))
    await t.throwsAsync(theirs.save(join(place, 'x.safetensors')), { code: 'UNSUPPORTED' })
    await theirs.save(join(place, 'again'), { format: 'fasttext' })
    t.is(statSync(join(place, 'again')).size, statSync(join(place, 'model.bin')).size)
    using vectors = await WordVectors.open(join(place, 'model.safetensors'))
    t.deepEqual(vectors.vector('silverish'), model.vector('silverish'))
  })
}

test('what is no FastText model is one clear error', async (t) => {
  const place = folder(t)
  await t.throwsAsync(FastText.open(join(place, 'none')), { code: 'NOT_FOUND' })
  writeFileSync(join(place, 'text'), 'no model')
  await t.throwsAsync(FastText.open(join(place, 'text')), { code: 'INVALID_INPUT' })
  await WordVectors.from(['a'], new Float32Array(3), 3).save(join(place, 'v.safetensors'))
  await t.throwsAsync(FastText.open(join(place, 'v.safetensors')), { code: 'INVALID_INPUT' })
})

test.serial(
  'a training that was killed goes on from its checkpoint, to the same bytes',
  async (t) => {
    const path = join(folder(t), 'a.checkpoint')
    const program = fileURLToPath(new URL('../fixtures/resumed.js', import.meta.url))
    const unbroken = await node([program, 'FastText', join(folder(t), 'b.checkpoint')])
    const killed = await node([program, 'FastText', path, 'kill'])
    t.is(killed.signal, 'SIGKILL')
    const resumed = await node([program, 'FastText', path])
    t.is(resumed.stdout, unbroken.stdout, resumed.stderr)
    t.regex(resumed.stdout, /^[0-9a-f]{64} /)
  },
)

test('an abort ends a training', async (t) => {
  const controller = new AbortController()
  const training = FastText.train(inflected, {
    ...taught,
    epochs: 10_000,
    signal: controller.signal,
    onProgress: ({ phase }) => phase === 'train' && controller.abort(),
  })
  await t.throwsAsync(training, { any: true, instanceOf: DOMException })
})

test('a full disk is an error, and leaves nothing behind', async (t) => {
  const disk = smallDisk(t)
  if (disk === undefined) return
  using model = await FastText.train(tiny, { ...small, bucket: 2_000_000 })
  const full = { instanceOf: InlayError, code: 'DISK_FULL' }
  await t.throwsAsync(model.save(join(disk, 'model.bin')), full)
  t.deepEqual(readdirSync(disk), [])
})

for (const { option, value } of wrongValues(fastTextOptions)) {
  const shown = typeof value === 'object' ? JSON.stringify(value) : String(value)
  test(`FastText.train refuses ${option}: ${typeof value} ${shown}`, async (t) => {
    await t.throwsAsync(FastText.train('never-read.txt', { [option]: value }), refused)
  })
}

test('what is no word is refused', async (t) => {
  using model = await FastText.train([['a', 'b']], { minCount: 1, dimensions: 4, bucket: 10 })
  const word = 5 as unknown as string
  const message = /`word` must be a string, got 5/
  t.throws(() => model.vector(word), { instanceOf: InvalidOptionError, message })
  t.throws(() => model.subwords(word), { instanceOf: InvalidOptionError, message })
  t.throws(() => model.similarity('a', word), { instanceOf: InvalidOptionError, message })
})

test('options that have no meaning together are refused', async (t) => {
  for (const options of [
    { objective: 'hierarchical-softmax', negative: 5 },
    { architecture: 'cbow', sharedNegatives: true },
    { minn: 4, maxn: 3 },
    { epochs: 2, checkpointEvery: 5 },
  ] as FastTextOptions[]) {
    await t.throwsAsync(FastText.train('never-read.txt', options), refused, JSON.stringify(options))
  }
})

test('a model that is closed refuses its use', async (t) => {
  const model = await FastText.train(tiny, small)
  model.close()
  t.throws(() => model.vector('1'), { code: 'CLOSED' })
  await t.throwsAsync(model.save('never'), { code: 'CLOSED' })
})
