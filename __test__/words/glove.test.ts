import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import {
  Cooccurrence,
  type CooccurrenceOptions,
  Corpus,
  Glove,
  type GloveOptions,
  InlayError,
  InvalidOptionError,
  WordVectors,
  cooccurrenceOptions,
  gloveOptions,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { node } from '../fixtures/node.js'
import { smallDisk } from '../fixtures/small-disk.js'
import { toySentences } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const toy = toySentences(60_000)
const tiny = toySentences(4_000, 100)
/** Each sentence ends with words of the next: of words that never meet, GloVe learns nothing. */
const mixed = toySentences(60_000, 200).map((line, i, all) =>
  Uint32Array.of(...line, ...all[(i + 1) % all.length]!.subarray(0, 3)),
)
const one = { minCount: 1, threads: 1 }
/** A model of so few words and dimensions that it takes milliseconds. */
const small: GloveOptions = { ...one, dimensions: 12, epochs: 3 }
const refused = { instanceOf: InvalidOptionError }
const rows = async (options: GloveOptions) => {
  using model = await Glove.train(tiny, { ...small, ...options })
  return model.vectors.matrix()
}

/** The records of a `cooccurrence.bin` by "word context". */
function recordsOf(path: string, words: readonly string[]): Map<string, number> {
  const bytes = readFileSync(path)
  const record = (at: number) =>
    [
      `${words[bytes.readInt32LE(at) - 1]} ${words[bytes.readInt32LE(at + 4) - 1]}`,
      bytes.readDoubleLE(at + 8),
    ] as const
  return new Map(Array.from({ length: bytes.length / 16 }, (_, i) => record(16 * i)))
}

for (const threads of [1, 2]) {
  test(`${threads} thread(s): words of one topic come together, and the loss falls`, async (t) => {
    const options = { ...one, threads, dimensions: 32, epochs: 40, xMax: 10 }
    using model = await Glove.train(mixed, options)
    const { vectors, losses } = model
    t.true(vectors.similarity('3', '13') > vectors.similarity('3', '14') + 0.3)
    const neighbours = await vectors.mostSimilar('3', { topK: 5 })
    t.deepEqual(
      neighbours.map(({ word }) => Number(word) % 10),
      [3, 3, 3, 3, 3],
    )
    t.is(losses.length, 40)
    t.true(losses.at(-1)! < 0.5 * losses[0]!)
  })
}

test('counts are those that one makes by hand', async (t) => {
  const sentences = ['a b a c', 'c a'].map((line) => line.split(' '))
  const path = join(folder(t), 'cooccurrence.bin')
  const counted = async (options: CooccurrenceOptions) => {
    using pairs = await Cooccurrence.count(sentences, { minCount: 1, window: 2, ...options })
    await pairs.save(path)
    const records = recordsOf(path, [...pairs.words])
    t.is(records.size, pairs.size)
    return Object.fromEntries([...records].toSorted())
  }
  t.deepEqual(await counted({}), {
    'a a': 1, // 1/2 from each side
    'a b': 2,
    'a c': 2,
    'b a': 2,
    'b c': 0.5,
    'c a': 2,
    'c b': 0.5,
  })
  t.deepEqual(await counted({ symmetric: false, distanceWeighting: false }), {
    'a a': 1,
    'a b': 1,
    'a c': 1,
    'b a': 1,
    'b c': 1,
    'c a': 1,
  })
  // A word that is left out takes no place: b and c are neighbours.
  t.deepEqual(await counted({ stopWords: ['a'] }), { 'b c': 1, 'c b': 1 })
})

test('same seed and one thread: same bytes; another seed: others', async (t) => {
  const [a, b, c] = [await rows({ seed: 5 }), await rows({ seed: 5 }), await rows({ seed: 6 })]
  t.deepEqual(a, b)
  t.notDeepEqual(a, c)
})

test('every option that decides the vectors changes them, and memory does not', async (t) => {
  const changes: GloveOptions[] = [
    { dimensions: 13 },
    { window: 2 },
    { symmetric: false },
    { distanceWeighting: false },
    { epochs: 4 },
    { learningRate: 0.04 },
    { xMax: 1 },
    { alpha: 0.5 },
    { vectors: 'word' },
    { vectors: 'context' },
    { unknown: true },
    { minCount: 40 },
    { seed: 2 },
  ]
  const plain = await rows({})
  for (const change of changes) t.notDeepEqual(await rows(change), plain, JSON.stringify(change))
  t.deepEqual(await rows({ memory: 16_000_000 }), plain)
})

test('a model says how it was trained, and does not write to the options', async (t) => {
  using model = await Glove.train(tiny, Object.freeze({ ...small, xMax: 10 }))
  t.deepEqual(model.options, {
    dimensions: 12,
    epochs: 3,
    learningRate: 0.05,
    xMax: 10,
    alpha: 0.75,
    vectors: 'both',
    unknown: false,
  })
})

test('the vectors are sums of those of words and contexts, or one of them', async (t) => {
  using model = await Glove.train(tiny, small)
  const [sum, word, context] = await Promise.all(
    [model.vectors, model.wordVectors, model.contextVectors].map((vectors) => vectors.matrix()),
  )
  t.deepEqual(
    sum,
    word!.map((value, i) => value + context![i]!),
  )
  t.deepEqual(await rows({ vectors: 'word' }), word)
  t.deepEqual(await rows({ vectors: 'context' }), context)
})

test('<unk> is the mean of the rarest words; a text that has it is refused', async (t) => {
  using model = await Glove.train(tiny, { ...small, unknown: true })
  const { vectors } = model
  t.is(vectors.words.at(-1), '<unk>')
  const rarest = vectors.words.slice(-101, -1)
  const mean = rarest.reduce((sum, word) => sum + vectors.vector(word)[0]! / rarest.length, 0)
  t.true(Math.abs(vectors.vector('<unk>')[0]! - mean) < 1e-5)
  const text = [['<unk>', 'a', 'b']]
  await t.throwsAsync(Glove.train(text, { ...small, unknown: true }), { code: 'INVALID_INPUT' })
  using known = await Glove.train(text, small)
  t.true(known.vectors.has('<unk>'))
})

test('a corpus or pairs that were made before are trained on as their source is', async (t) => {
  using corpus = await Corpus.read(tiny, { minCount: 1 })
  const options = { threads: 1, dimensions: 12, epochs: 3 }
  using fromCorpus = await Glove.train(corpus, options)
  t.deepEqual(await fromCorpus.vectors.matrix(), await rows({}))
  using pairs = await Cooccurrence.count(corpus, { threads: 2 })
  using fromPairs = await Glove.train(pairs, options)
  t.deepEqual(await fromPairs.vectors.matrix(), await rows({}))
  t.is(corpus.count('1') > 0, true, 'the corpus is still open')
  t.is(pairs.size > 0, true)
  for (const vain of [{ minCount: 2 }, { window: 3 }] as GloveOptions[]) {
    const error = await t.throwsAsync(Glove.train(pairs, vain), refused)
    t.is(error.context['option'], Object.keys(vain)[0])
  }
  await t.throwsAsync(Cooccurrence.count(corpus, { minCount: 2 }), refused)
  using spooled = await Glove.train(pairs, { ...options, spoolDirectory: folder(t) })
  t.is(spooled.vectors.dimensions, 12)
})

test('saved pairs open and train to the same bytes; damaged ones are one clear error', async (t) => {
  const inside = folder(t)
  const [path, vocabulary] = [join(inside, 'cooccurrence.bin'), join(inside, 'vocab.txt')]
  using pairs = await Cooccurrence.count(tiny, one)
  await pairs.save(path, { vocabulary })
  t.is(readFileSync(path).length, 16 * pairs.size)
  using opened = await Cooccurrence.open(path, { vocabulary })
  t.deepEqual([...opened.words], [...pairs.words])
  const options = { threads: 1, dimensions: 12, epochs: 3 }
  using model = await Glove.train(opened, options)
  t.deepEqual(await model.vectors.matrix(), await rows({}))

  const bytes = readFileSync(path)
  bytes.writeInt32LE(1 + pairs.words.length, 32)
  writeFileSync(join(inside, 'wrong.bin'), bytes)
  using wrong = await Cooccurrence.open(join(inside, 'wrong.bin'), { vocabulary })
  const error = await t.throwsAsync(Glove.train(wrong, options), { code: 'INVALID_INPUT' })
  t.is((error as InlayError).context['offset'], 32)
  writeFileSync(join(inside, 'cut.bin'), bytes.subarray(0, 39))
  const cut = Cooccurrence.open(join(inside, 'cut.bin'), { vocabulary })
  await t.throwsAsync(cut, { code: 'INVALID_INPUT', message: /39 bytes/ })
  const none = Cooccurrence.open(join(inside, 'none.bin'), { vocabulary })
  await t.throwsAsync(none, { code: 'NOT_FOUND' })
  for (const nowhere of [{}, undefined] as { vocabulary: string }[]) {
    await t.throwsAsync(Cooccurrence.open(path, nowhere), refused)
    await t.throwsAsync(Glove.openParameters(path, nowhere), refused)
  }
})

test('what is saved opens as it was, and its vectors open like any others', async (t) => {
  const inside = folder(t)
  const path = join(inside, 'model.safetensors')
  using model = await Glove.train(tiny, small)
  await model.save(path)
  using opened = await Glove.open(path)
  t.deepEqual(await opened.vectors.matrix(), await model.vectors.matrix())
  t.deepEqual(await opened.contextVectors.matrix(), await model.contextVectors.matrix())
  t.deepEqual(opened.options, model.options)
  t.deepEqual(opened.losses, model.losses)
  using vectors = await WordVectors.open(path)
  t.deepEqual(vectors.vector('1'), model.vectors.vector('1'))
  await model.vectors.save(join(inside, 'vectors.safetensors'))
  const vectorsOnly = Glove.open(join(inside, 'vectors.safetensors'))
  await t.throwsAsync(vectorsOnly, { code: 'INVALID_INPUT' })

  const [text, dump] = [join(inside, 'vectors.txt'), join(inside, 'vectors.bin')]
  await model.vectors.save(text, { format: 'glove-text' })
  t.is(readFileSync(text, 'utf8').split('\n')[0]!.split(' ').length, 13)
  using back = await WordVectors.open(text)
  t.deepEqual(await back.matrix(), await model.vectors.matrix())
  const vocabulary = join(inside, 'vocab.txt')
  await t.throwsAsync(model.saveParameters(dump, { vocabulary: dump }), refused)
  await model.saveParameters(dump, { vocabulary })
  using dumped = await Glove.openParameters(dump, { vocabulary })
  t.deepEqual(await dumped.vectors.matrix(), await model.vectors.matrix())
  t.is(dumped.options, undefined)
})

test.serial(
  'a training that was killed goes on from its checkpoint, to the same bytes',
  async (t) => {
    const path = join(folder(t), 'a.checkpoint')
    const program = fileURLToPath(new URL('../fixtures/resumed-glove.js', import.meta.url))
    const unbroken = await node([program, join(folder(t), 'b.checkpoint')])
    const killed = await node([program, path, 'kill'])
    t.is(killed.signal, 'SIGKILL')
    const resumed = await node([program, path])
    t.is(resumed.stdout.split(' ')[0], unbroken.stdout.split(' ')[0], resumed.stderr)
    t.regex(resumed.stdout, /^[0-9a-f]{64} /)
  },
)

test.serial('a training that was aborted leaves a checkpoint and goes on from it', async (t) => {
  const checkpoint = join(folder(t), 'a.checkpoint')
  const options = { ...one, dimensions: 24, epochs: 60, checkpoint, checkpointEvery: 1000 }
  const controller = new AbortController()
  const aborted = Glove.train(toy, {
    ...options,
    signal: controller.signal,
    onProgress: ({ phase, done }) => {
      if (phase === 'train' && done > 50_000) controller.abort()
    },
  })
  await t.throwsAsync(aborted, { any: true, instanceOf: DOMException })
  t.true(existsSync(checkpoint))
  let first: number | undefined
  using resumed = await Glove.train(toy, {
    ...options,
    onProgress: ({ phase, done }) => {
      if (phase === 'train') first ??= done
    },
  })
  t.true(first! >= 50_000)
  const { checkpoint: _, checkpointEvery: __, ...plain } = options
  using whole = await Glove.train(toy, plain)
  t.deepEqual(await resumed.vectors.matrix(), await whole.vectors.matrix())
})

test.serial('an abort is heard in each phase, and leaves no temporary file', async (t) => {
  const spoolDirectory = folder(t)
  for (const stop of ['count', 'merge', 'check', 'shuffle', 'train']) {
    const controller = new AbortController()
    let heard = 0
    const aborted = Glove.train(toy, {
      ...small,
      epochs: 1_000_000,
      spoolDirectory,
      signal: controller.signal,
      onProgress: ({ phase }) => {
        if (phase !== stop && stop === 'train') return
        if (phase === stop || phase === 'train') {
          heard ||= performance.now()
          controller.abort()
        }
      },
    })
    await t.throwsAsync(aborted, { any: true, instanceOf: DOMException })
    t.true(heard > 0)
    t.deepEqual(readdirSync(spoolDirectory), [])
  }
})

test('a checkpoint of another training is refused with what differs', async (t) => {
  const checkpoint = join(folder(t), 'a.checkpoint')
  const options = { ...small, checkpoint }
  const model = await Glove.train(tiny, options)
  model.close()
  for (const [change, named] of [
    [{ window: 3 }, /the same text and counting/],
    [{ dimensions: 13 }, /dimensions/],
    [{ seed: 9 }, /seed/],
  ] as const) {
    const other = Glove.train(tiny, { ...options, ...change })
    await t.throwsAsync(other, { ...refused, message: named })
  }
})

test('a full disk is an error, and leaves nothing behind', async (t) => {
  const disk = smallDisk(t)
  if (disk === undefined) return
  const full = { instanceOf: InlayError, code: 'DISK_FULL' }
  await t.throwsAsync(Glove.train(toy, { ...small, spoolDirectory: disk }), full)
  using model = await Glove.train(toy, { ...small, dimensions: 600 })
  await t.throwsAsync(model.save(join(disk, 'model.safetensors')), full)
  t.deepEqual(readdirSync(disk), [])
})

const verbs = {
  'Glove.train': { table: gloveOptions, call: (o: object) => Glove.train('never-read.txt', o) },
  'Cooccurrence.count': {
    table: cooccurrenceOptions,
    call: (o: object) => Cooccurrence.count('never-read.txt', o),
  },
}
for (const [verb, { table, call }] of Object.entries(verbs)) {
  for (const { option, value } of wrongValues(table)) {
    const shown = typeof value === 'object' ? JSON.stringify(value) : String(value)
    test(`${verb} refuses ${option}: ${typeof value} ${shown}`, async (t) => {
      await t.throwsAsync(call({ [option]: value }), refused)
    })
  }
}

test('options that have no meaning together are refused', async (t) => {
  await t.throwsAsync(Glove.train('never-read.txt', { checkpointEvery: 5 }), refused)
})

test('memory is estimated before it is taken', (t) => {
  const estimate = Glove.estimateMemory({ vocabulary: 1_000_000, dimensions: 300 })
  t.true(estimate > 8e9 && estimate < 11e9, `${estimate}`)
  t.throws(() => Glove.estimateMemory({} as { vocabulary: number }), refused)
})

test('what is closed refuses its use', async (t) => {
  using pairs = await Cooccurrence.count(tiny, one)
  const model = await Glove.train(pairs, { dimensions: 4, epochs: 1 })
  const { vectors, contextVectors } = model
  model.close()
  pairs.close()
  await t.throwsAsync(model.save('never'), { code: 'CLOSED' })
  await t.throwsAsync(pairs.save('never'), { code: 'CLOSED' })
  await t.throwsAsync(Glove.train(pairs), { code: 'CLOSED' })
  t.throws(() => vectors.vector('1'), { code: 'CLOSED' })
  t.throws(() => contextVectors.vector('1'), { code: 'CLOSED' })
})
