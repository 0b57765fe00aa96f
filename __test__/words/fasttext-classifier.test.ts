import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  type ClassifierOptions,
  FastTextClassifier,
  InlayError,
  InvalidOptionError,
  type LabelledText,
  WordVectors,
  classifierOptions,
  quantizeOptions,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomNumbers } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const refused = { instanceOf: InvalidOptionError }
const kinds = {
  colour: ['red', 'green', 'blue', 'naïve'],
  food: ['ham', 'sandwich', 'café', 'pie'],
  animal: ['cat', 'mouse', 'kitten', '文字'],
}
/** Texts of three words about one thing and two about none. */
const examples: LabelledText[] = (() => {
  const random = randomNumbers(1)
  const one = (words: readonly string[]) => words[Math.floor(random() * words.length)]!
  return Array.from({ length: 300 }, () => {
    const [label, words] = Object.entries(kinds)[Math.floor(random() * 3)]!
    const text = [one(words), one(['the', 'of']), one(words), one(['and', 'a']), one(words)]
    return { text: text.join(' '), labels: [label] }
  })
})()
const lines = examples.map(({ text, labels }) => `__label__${labels[0]} ${text}`)
const quick: ClassifierOptions = { dimensions: 10, epochs: 10, learningRate: 0.5, threads: 1 }
const losses = classifierOptions.loss.shape
if (losses.kind !== 'choice') throw new Error('the losses are choices')

for (const loss of losses.choices as NonNullable<ClassifierOptions['loss']>[]) {
  test(`${loss}: texts get their labels, and so they do of the saved file`, async (t) => {
    const place = folder(t)
    const options = { ...quick, loss, wordNgrams: 2, minn: 2, maxn: 3, bucket: 500 }
    using classifier = await FastTextClassifier.train(examples, options)
    t.deepEqual([...classifier.labels].toSorted(), Object.keys(kinds).toSorted())
    t.is(classifier.losses.length, 10)
    t.true(classifier.losses[9]! < classifier.losses[0]!)
    const path = join(place, 'model.bin')
    await classifier.save(path)
    using again = await FastTextClassifier.open(path)
    t.like(again.options, { ...options, threads: undefined, learningRate: undefined })
    for (const model of [classifier, again]) {
      t.is(model.predict('red green')[0]!.label, 'colour')
      t.is(model.predict('sandwiches')[0]!.label, 'food', 'by its subwords')
      t.true((await model.evaluate(lines)).f1 > 0.97)
    }
    t.deepEqual(again.predict('cat', { topK: 3 }), classifier.predict('cat', { topK: 3 }))
  })
}

test('items, lines and files are one source', async (t) => {
  const path = join(folder(t), 'lines.txt')
  writeFileSync(path, lines.join('\n'))
  async function* later() {
    yield* examples
  }
  const models = await Promise.all(
    [examples, lines, path, later(), () => examples].map((source) =>
      FastTextClassifier.train(source, quick),
    ),
  )
  const [first, ...others] = models.map((model) => model.predict('the blue ham', { topK: 3 }))
  for (const other of others) t.deepEqual(other, first)
})

test('a seed gives the same bytes on one thread, another seed others', async (t) => {
  const place = folder(t)
  const bytes = async (seed: number) => {
    const path = join(place, `${seed}.bin`)
    await (await FastTextClassifier.train(lines, { ...quick, seed })).save(path)
    return readFileSync(path)
  }
  t.deepEqual(await bytes(1), await bytes(1))
  t.notDeepEqual(await bytes(1), await bytes(2))
})

test('a batch says what each text says, and nothing is said of nothing', async (t) => {
  using classifier = await FastTextClassifier.train(lines, { ...quick, minCount: 200 })
  const texts = lines.slice(0, 200)
  const batch = await classifier.predictBatch(texts, { topK: 2 })
  t.deepEqual(
    batch,
    texts.map((text) => classifier.predict(text, { topK: 2 })),
  )
  t.deepEqual(await classifier.predictBatch([]), [])
  t.deepEqual([...classifier.words], ['</s>'], 'the only word that occurs 200 times')
  t.is(classifier.sentenceVector('nothing known').length, 10)
})

test('a quantized model is smaller, is saved, and is not quantized twice', async (t) => {
  const place = folder(t)
  const options = { ...quick, wordNgrams: 3, minn: 2, maxn: 4, bucket: 3000 }
  using classifier = await FastTextClassifier.train(examples, options)
  using small = await classifier.quantize({ cutoff: 400, qnorm: true })
  t.true(small.isQuantized && !classifier.isQuantized)
  t.true((await small.evaluate(lines)).precision > 0.95)
  await classifier.save(join(place, 'large.bin'))
  await small.save(join(place, 'small.ftz'))
  const size = (name: string) => readFileSync(join(place, name)).length
  t.true(size('small.ftz') < size('large.bin') / 3)
  using again = await FastTextClassifier.open(join(place, 'small.ftz'))
  t.deepEqual(again.predict('cat and mouse'), small.predict('cat and mouse'))
  await t.throwsAsync(small.quantize(), { instanceOf: InlayError, code: 'UNSUPPORTED' })
})

/** Many words, of which each text needs its own few. */
const needy = Array.from({ length: 1200 }, (_, i) => {
  const word = (k: number) => `w${(i % 12) * 97 + ((i * 31 + k * 7) % 97)}`
  return { text: [1, 2, 3, 4].map(word).join(' '), labels: [`l${i % 12}`] }
})

test('what is kept of a quantized model can be trained further', async (t) => {
  const place = folder(t)
  const options = { ...quick, wordNgrams: 2, bucket: 2000 }
  using classifier = await FastTextClassifier.train(needy, options)
  const how = { cutoff: 300, qnorm: true, dsub: 1, threads: 1 }
  using plain = await classifier.quantize(how)
  using further = await classifier.quantize({ ...how, retrain: needy })
  const f1 = async (model: FastTextClassifier) => (await model.evaluate(needy)).f1
  t.true((await f1(further)) > (await f1(plain)) + 0.01)
  t.is(further.losses.length, 10)
  const bytes = async (model: FastTextClassifier) => {
    await model.save(join(place, 'model.ftz'))
    return readFileSync(join(place, 'model.ftz'))
  }
  using same = await classifier.quantize({ ...how, retrain: needy, epochs: 10, learningRate: 0.5 })
  t.deepEqual(await bytes(same), await bytes(further), "the model's own options")
  using less = await classifier.quantize({ ...how, retrain: needy, epochs: 1 })
  t.is(less.losses.length, 1)

  const strange = classifier.quantize({ ...how, retrain: [{ text: 'w1', labels: ['x'] }] })
  await t.throwsAsync(strange, { code: 'INVALID_INPUT', message: /no line with a label/ })
  await t.throwsAsync(classifier.quantize({ ...how, retrain: 'no-such-file.txt' }), {
    code: 'NOT_FOUND',
  })
})

test('a quantized model fits the size that it may have', async (t) => {
  const path = join(folder(t), 'model.ftz')
  using classifier = await FastTextClassifier.train(needy, {
    ...quick,
    wordNgrams: 2,
    bucket: 2000,
  })
  for (const [modelSize, bytes] of [
    ['20k', 20_000],
    [25_001, 25_001],
    ['0.03M', 30_000],
  ] as const) {
    using small = await classifier.quantize({ modelSize, qnorm: true })
    await small.save(path)
    const got = readFileSync(path).length
    t.true(got <= bytes && got > bytes - 40, `${got} of ${bytes}`)
  }
  await t.throwsAsync(classifier.quantize({ modelSize: '9k' }), {
    code: 'UNSUPPORTED',
    message: /no room/,
  })
})

for (const { option, value } of wrongValues(quantizeOptions)) {
  const shown = typeof value === 'object' ? JSON.stringify(value) : String(value)
  // Files and items are looked at when they are read; functions give them.
  const isSource = ['{}', '[1]', 'no such choice'].includes(shown) || typeof value === 'function'
  if (option === 'retrain' && isSource) continue
  test(`quantize refuses ${option}: ${typeof value} ${shown}`, async (t) => {
    using classifier = await FastTextClassifier.train(examples, quick)
    await t.throwsAsync(classifier.quantize({ [option]: value }), refused)
  })
}

test('options of quantize that have no meaning together are refused', async (t) => {
  using classifier = await FastTextClassifier.train(examples, quick)
  for (const options of [
    { retrain: examples },
    { epochs: 3 },
    { learningRate: 0.1 },
    { cutoff: 300, modelSize: '2M' },
    { cutoff: 300, invalidUtf8: 'skip' as const },
  ]) {
    await t.throwsAsync(classifier.quantize(options), refused)
  }
})

test('evaluation counts by label', async (t) => {
  using classifier = await FastTextClassifier.train(examples, quick)
  const unlike = [
    { text: 'red', labels: ['colour'] },
    { text: 'red', labels: ['food'] },
    { text: 'cat', labels: ['animal', 'food'] },
    { text: 'cat', labels: ['never heard of'.replaceAll(' ', '-')] },
  ]
  const found = await classifier.evaluate(unlike)
  t.like(found, { examples: 3, expected: 4, predicted: 3, precision: 2 / 3, recall: 0.5 })
  const of = (name: string) => found.labels.find(({ label }) => label === name)
  t.like(of('colour'), { expected: 1, predicted: 2, precision: 0.5, recall: 1, f1: 2 / 3 })
  t.like(of('food'), { expected: 2, predicted: 0, precision: Number.NaN, recall: 0, f1: 0 })
})

test('vectors to start from bring their words along', async (t) => {
  const vectors = WordVectors.from(['cat', 'tiger'], new Float32Array(20).fill(0.5), 10)
  using classifier = await FastTextClassifier.train(examples, { ...quick, initialVectors: vectors })
  t.true([...classifier.words].includes('tiger'))
  const wide = WordVectors.from(['cat'], new Float32Array(11), 11)
  await t.throwsAsync(
    FastTextClassifier.train(examples, { ...quick, initialVectors: wide }),
    refused,
  )
})

test('class weights of labels that no line has are an error', async (t) => {
  const map = new Map([['colour', 2]]) as unknown as Record<string, number>
  const trained = FastTextClassifier.train(examples, { ...quick, classWeights: map })
  await t.throwsAsync(trained, { code: 'INVALID_OPTION', message: /`classWeights` must be/ })
  const classWeights = { colour: 2, sound: 1 }
  await t.throwsAsync(FastTextClassifier.train(examples, { ...quick, classWeights }), {
    code: 'NOT_FOUND',
    message: /sound/,
  })
})

test('what is no text with labels is an error that names the item', async (t) => {
  const wrong = [
    { text: 1, labels: [] },
    { text: 'a', labels: 'b' },
    { text: 'a', labels: ['two words'] },
    { text: 'a', labels: [''] },
    { text: 'a __label__b c', labels: ['d'] },
  ] as unknown as LabelledText[]
  for (const item of wrong) {
    await t.throwsAsync(FastTextClassifier.train([examples[0]!, item], quick), {
      code: 'INVALID_INPUT',
      message: /item 1 of the source/,
    })
  }
  await t.throwsAsync(FastTextClassifier.train(['no label here'], quick), {
    code: 'INVALID_INPUT',
    message: /has no label/,
  })
})

test('an abort ends a training', async (t) => {
  const controller = new AbortController()
  const long = FastTextClassifier.train(lines, {
    ...quick,
    epochs: 100_000,
    signal: controller.signal,
    onProgress: ({ phase }) => phase === 'train' && controller.abort(),
  })
  await t.throwsAsync(long, { any: true, instanceOf: DOMException })
})

test('a closed model says so', async (t) => {
  const classifier = await FastTextClassifier.train(examples, quick)
  classifier.close()
  t.throws(() => classifier.predict('red'), { code: 'CLOSED' })
})

for (const { option, value } of wrongValues(classifierOptions)) {
  const shown = typeof value === 'object' ? JSON.stringify(value) : String(value)
  // Objects without entries are weights of no label.
  if (option === 'classWeights' && shown === '{}') continue
  test(`FastTextClassifier.train refuses ${option}: ${typeof value} ${shown}`, async (t) => {
    await t.throwsAsync(FastTextClassifier.train('never-read.txt', { [option]: value }), refused)
  })
}

test('options that have no meaning together are refused', async (t) => {
  for (const options of [
    { negative: 5 },
    { minn: 2 },
    { minn: 4, maxn: 3 },
    { bucket: 1000 },
    { labelPrefix: '# ' },
  ]) {
    await t.throwsAsync(FastTextClassifier.train('never-read.txt', options), refused)
  }
})
