import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  Corpus,
  DocumentEncoder,
  InlayError,
  InvalidOptionError,
  Lda,
  type LdaOptions,
  coherenceOptions,
  ldaOptions,
  transformOptions,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { smallDisk } from '../fixtures/small-disk.js'
import { toySentences } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

/** Documents of one of ten topics each: word n is of topic n % 10. */
const toy = toySentences(20_000, 100)
const heldOut = toySentences(24_000, 100).slice(1000)
const small: LdaOptions = { minCount: 1, topics: 12, iterations: 40, optimizeEvery: 0 }
const refused = { instanceOf: InvalidOptionError }
const invalid = { instanceOf: InlayError, code: 'INVALID_INPUT' }

/** Where a row is largest. */
const largest = (row: Float32Array) => row.indexOf(Math.max(...row))
const sum = (row: Iterable<number>) => [...row].reduce((a, b) => a + b, 0)

for (const topics of [12, 350]) {
  test(`${topics} topics: the words of a topic come from one planted topic, and the loss falls`, async (t) => {
    using model = await Lda.train(toy, { ...small, topics })
    t.is(model.dimensions, topics)
    t.is(model.documents, toy.length)
    t.is(model.losses.length, 40)
    t.true(model.losses.at(-1)! < 0.8 * model.losses[0]!)
    t.is(sum(model.sizes), 20_000)
    const top = await model.topWords(4)
    const whole = top.filter((_, topic) => model.sizes[topic]! > 20_000 / topics)
    t.true(whole.length >= 8)
    const pure = whole.filter(
      (words) => new Set(words.map(({ word }) => Number(word) % 10)).size === 1,
    )
    t.true(pure.length >= 0.8 * whole.length)
    for (const words of top) {
      t.true(
        words.every(({ probability }, i) => i === 0 || probability <= words[i - 1]!.probability),
      )
    }
  })
}

test('a seed gives the same topics on any number of threads, and another seed others', async (t) => {
  const files = folder(t)
  const saved = async (options: LdaOptions) => {
    const path = join(files, `${Object.values(options)}`)
    using model = await Lda.train(toy, { ...small, optimizeEvery: 5, ...options })
    await model.save(path)
    return readFileSync(path)
  }
  const one = await saved({ threads: 1 })
  t.deepEqual(await saved({ threads: 2 }), one)
  t.deepEqual(await saved({ threads: 5 }), one)
  t.notDeepEqual(await saved({ seed: 2 }), one)
})

test('a model comes back from its file as it was', async (t) => {
  const path = join(folder(t), 'model.safetensors')
  using model = await Lda.train(['a b a b', 'C d c', ''], { ...small, lowercase: true })
  await model.save(path)
  using again = await Lda.open(path)
  t.deepEqual([...again.words], [...model.words])
  t.deepEqual(again.alpha, model.alpha)
  t.deepEqual(again.sizes, model.sizes)
  t.deepEqual(again.losses, model.losses)
  t.deepEqual(again.options, model.options)
  t.deepEqual(await again.topWords(), await model.topWords())
  t.deepEqual((await again.documentTopics()).values, (await model.documentTopics()).values)
  // It knows that words were made lower case.
  t.deepEqual((await again.encode(['A b'])).known, Uint32Array.of(2))
})

test('mixtures of documents add up to one, and documents without words have the prior', async (t) => {
  using model = await Lda.train(['a b a b', '', 'c d c'], {
    ...small,
    alphas: undefined,
    topics: 3,
  })
  t.is(model.documents, 3)
  const rows = await model.documentTopics()
  t.is(rows.length, 3)
  for (const row of rows) t.true(Math.abs(sum(row) - 1) < 1e-5)
  t.deepEqual(
    rows.row(1).map((value) => Math.fround(value * 3)),
    Float32Array.of(1, 1, 1),
  )
  t.deepEqual(model.mixture(2), rows.row(2))
  t.throws(() => model.mixture(3), refused)
})

test('a new document gets the topic of its words, the same in any company', async (t) => {
  using model = await Lda.train(toy, small)
  const rows = await model.encode(heldOut, { threads: 3 })
  t.is(rows.length, heldOut.length)
  const [first] = await model.encode([heldOut[5]!])
  t.deepEqual(first, rows.row(5))
  const top = await model.topWords(1)
  const right = heldOut.filter((document, i) => {
    const [likeliest] = top[largest(rows.row(i))]!
    return Number(likeliest!.word) % 10 === document[0]! % 10
  })
  t.true(right.length > 0.9 * heldOut.length)
  const unknown = await model.encode(['nothing known', ''])
  t.deepEqual([...unknown.values], Array(24).fill(0))
  t.deepEqual(unknown.known, Uint32Array.of(0, 0))
  t.is((await model.encode([])).length, 0)
})

test('files of documents give what the same texts give', async (t) => {
  const path = join(folder(t), 'documents.txt')
  const lines = toy.slice(0, 200).map((words) => words.join(' '))
  lines[7] = ''
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''))
  using model = await Lda.train(path, small)
  using same = await Lda.train(lines, small)
  t.is(model.documents, 200)
  t.deepEqual((await model.documentTopics()).values, (await same.documentTopics()).values)
  const rows = await model.transform(path)
  t.deepEqual(rows.values, (await model.encode(lines)).values)
  using corpus = await Corpus.read(lines, { minCount: 1 })
  using third = await Lda.train(corpus, { topics: 12, iterations: 40, optimizeEvery: 0 })
  t.is(third.documents, 199, 'a corpus has no sentence without words')
  await t.throwsAsync(Lda.train(corpus, { minCount: 1 }), refused)
})

test('an Lda is an embedder', async (t) => {
  using model = await Lda.train(toy, small)
  using encoder = await DocumentEncoder.train(model, { sentences: 'line' })
  const rows = await encoder.encode([heldOut[0]!.join(' '), 'unknown'])
  const [alone] = await model.encode([heldOut[0]!])
  t.true(Math.abs(rows.row(0)[3]! - alone![3]!) < 1e-6)
})

test('words have topics, as vectors that can be searched', async (t) => {
  using model = await Lda.train(toy, small)
  using vectors = await model.wordTopics()
  t.is(vectors.size, model.words.length)
  t.is(vectors.dimensions, 12)
  t.true(Math.abs(sum(vectors.vector('3')) - 1) < 1e-5)
  t.true(vectors.similarity('3', '13') > 0.9)
  t.true(vectors.similarity('3', '14') < 0.5)
})

test('perplexity falls with training, and coherence tells topics from chance', async (t) => {
  using none = await Lda.train(toy, { ...small, iterations: 1 })
  using model = await Lda.train(toy, small)
  const before = await none.perplexity(heldOut)
  const after = await model.perplexity(heldOut)
  t.true(after < 0.7 * before, `${before} ${after}`)
  t.true(after > 5 && after < 20, 'ten words a topic')
  for (const measure of ['c-v', 'npmi', 'u-mass'] as const) {
    const options = { measure, topWords: 5 }
    const mean = async (lda: Lda) => sum(await lda.coherence(toy, options)) / 12
    t.true((await mean(model)) > (await mean(none)), measure)
  }
  await t.throwsAsync(model.perplexity(['nothing known']), invalid)
  await t.throwsAsync(model.coherence(toy, { measure: 'u-mass', window: 5 }), refused)
})

test('a map holds every topic with its words, and needs nothing beside it', async (t) => {
  const texts = [...toy, ...Array.from({ length: 500 }, () => ['</script>', '&'])]
  using model = await Lda.train(texts, small)
  const page = await model.mapPage({ title: 'A < B', topWords: 4 })
  t.false(/https?:\/\/(?!www\.w3\.org\/2000\/svg)/.test(page))
  t.true(page.includes('<h1>A &lt; B</h1>'))
  const [, json = ''] = /id="data">([^]*?)<\/script>/.exec(page) ?? []
  type Row = [x: number, y: number, size: number, words: [string, number, number][]]
  const rows = JSON.parse(json) as Row[]
  t.deepEqual(
    rows.map(([, , size]) => size),
    [...model.sizes],
  )
  const top = await model.topWords(4)
  for (const [topic, [x, y, , words]] of rows.entries()) {
    t.true(Math.hypot(x, y) < 1.5)
    const shown = new Set(words.map(([word]) => word))
    t.true(top[topic]!.every(({ word }) => shown.has(word)))
  }
  t.true(rows.some(([, , , words]) => words.some(([word]) => word === '</script>')))
})

test('priors are fitted unless told otherwise, and may differ from the start', async (t) => {
  using fixed = await Lda.train(toy, { ...small, alpha: 0.2 })
  t.deepEqual([...new Set(fixed.alpha)], [0.2])
  t.is(fixed.beta, 0.01)
  using fitted = await Lda.train(toy, { ...small, optimizeEvery: 10, optimizeBeta: true })
  t.true(new Set(fitted.alpha).size > 2)
  t.not(fitted.beta, 0.01)
  using uneven = await Lda.train(toy, { ...small, topics: 2, alphas: [5, 0.01] })
  t.deepEqual([...uneven.alpha], [5, 0.01])
  t.true(uneven.sizes[0]! > uneven.sizes[1]!)
})

test('a model learns on: counts stay, words are added, the old model stays as it is', async (t) => {
  using model = await Lda.train(toy, small)
  const before = await model.topWords(3)
  const more = heldOut.slice(0, 100).map((words) => Array.from(words, String).concat('novel'))
  using newer = await model.update(more, { iterations: 10 })
  t.is(newer.documents, 100)
  t.is(newer.words.length, model.words.length + 1)
  t.is(sum(newer.sizes), 20_000 + 100 * 21)
  t.deepEqual(await model.topWords(3), before)
  t.true(newer.sizes.every((size, topic) => size >= model.sizes[topic]!))
  for (const options of [{ topics: 5 }, { alpha: 1 }, { beta: 1 }] as LdaOptions[]) {
    await t.throwsAsync(model.update(more, options), refused)
  }
})

test('a training that was aborted leaves a checkpoint and goes on to the same topics', async (t) => {
  const files = folder(t)
  const checkpoint = join(files, 'a.checkpoint')
  const options = { ...small, iterations: 400, optimizeEvery: 10 }
  const kept = { ...options, checkpoint, checkpointEvery: 1000 }
  const controller = new AbortController()
  const aborted = Lda.train(toy, {
    ...kept,
    signal: controller.signal,
    onProgress: ({ phase, done }) => {
      if (phase === 'train' && done > 100_000) controller.abort()
    },
  })
  await t.throwsAsync(aborted, { any: true, instanceOf: DOMException })
  t.true(existsSync(checkpoint))
  let first: number | undefined
  using resumed = await Lda.train(toy, {
    ...kept,
    onProgress: ({ phase, done }) => {
      if (phase === 'train') first ??= done
    },
  })
  t.true(first! >= 20_000, 'it went on')
  using whole = await Lda.train(toy, options)
  t.deepEqual(resumed.losses, whole.losses)
  t.deepEqual((await resumed.documentTopics()).values, (await whole.documentTopics()).values)
  const other = await t.throwsAsync(Lda.train(toy, { ...kept, topics: 13 }), refused)
  t.regex(other.message, /a checkpoint with topics 13, this one has 12/)
})

test('an abort is heard, and leaves no temporary file', async (t) => {
  const spoolDirectory = folder(t)
  const controller = new AbortController()
  const aborted = Lda.train(toy, {
    ...small,
    iterations: 1_000_000,
    spoolDirectory,
    signal: controller.signal,
    onProgress: ({ phase }) => {
      if (phase === 'train') controller.abort()
    },
  })
  await t.throwsAsync(aborted, { any: true, instanceOf: DOMException })
  t.deepEqual(readdirSync(spoolDirectory), [])
})

test('texts without a word that is left are an error', async (t) => {
  await t.throwsAsync(Lda.train(['a b', 'a'], { minCount: 3 }), invalid)
  await t.throwsAsync(Lda.train(['a b'], { minCount: 1, stopWords: ['a', 'b'] }), invalid)
  await t.throwsAsync(Lda.train([], { minCount: 1 }), invalid)
  using model = await Lda.train(['a'], { ...small, topics: 350 })
  t.is(sum(model.sizes), 1)
})

test('files that are no model, or damaged, are errors', async (t) => {
  const files = folder(t)
  const path = join(files, 'model.safetensors')
  using model = await Lda.train(['a b a b', 'c d c'], small)
  await model.save(path)
  const bytes = readFileSync(path)
  const damaged = join(files, 'damaged')
  for (const content of [
    Buffer.from('no model'),
    bytes.subarray(0, bytes.length - 9),
    Buffer.alloc(0),
  ]) {
    writeFileSync(damaged, content)
    await t.throwsAsync(Lda.open(damaged), invalid)
  }
  await t.throwsAsync(Lda.open(join(files, 'nowhere')), { code: 'NOT_FOUND' })
})

test('a full disk leaves the old file', async (t) => {
  const disk = smallDisk(t)
  if (disk === undefined) return
  using model = await Lda.train(toySentences(200_000, 1000), {
    ...small,
    topics: 350,
    iterations: 1,
  })
  const path = join(disk, 'model.safetensors')
  writeFileSync(path, 'old')
  await t.throwsAsync(model.save(path), { code: 'DISK_FULL' })
  t.is(readFileSync(path, 'utf8'), 'old')
})

test('memory is estimated above what a training takes, and needs all sizes', (t) => {
  const size = { tokens: 1_500_000, documents: 11_000, vocabulary: 22_000 }
  t.true(Lda.estimateMemory({ ...size, topics: 100 }) > 1e7)
  t.true(Lda.estimateMemory({ ...size, topics: 1000 }) < 1e8)
  t.throws(() => Lda.estimateMemory({ tokens: 5, documents: 1 } as typeof size), refused)
})

test('options that have no meaning together are refused', async (t) => {
  for (const options of [
    { alpha: 1, alphas: [1, 2], topics: 2 },
    { alphas: [1, 2], topics: 3 },
    { optimizeEvery: 0, optimizeBeta: true },
    { alpha: 1e-50 },
    { alphas: [1, 1e-30], topics: 2 },
    { beta: 1e-50 },
    { checkpointEvery: 5 },
  ] as LdaOptions[]) {
    await t.throwsAsync(Lda.train(toy, options), refused)
  }
})

test('a closed model says so', async (t) => {
  const model = await Lda.train(['a b'], small)
  model.close()
  model.close()
  await t.throwsAsync(model.topWords(), { code: 'CLOSED' })
  t.throws(() => model.mixture(0), { code: 'CLOSED' })
})

const verbs = {
  train: [ldaOptions, (options: object) => Lda.train(toy, options)],
  transform: [transformOptions, async (options: object) => (await shared).transform(toy, options)],
  coherence: [coherenceOptions, async (options: object) => (await shared).coherence(toy, options)],
} as const
const shared = Lda.train(['a b'], small)
for (const [verb, [table, call]] of Object.entries(verbs)) {
  for (const { option, value } of wrongValues(table)) {
    const shown = typeof value === 'object' ? JSON.stringify(value) : String(value)
    test(`${verb} refuses ${option}: ${typeof value} ${shown}`, async (t) => {
      await t.throwsAsync(call({ [option]: value }), refused)
    })
  }
}
