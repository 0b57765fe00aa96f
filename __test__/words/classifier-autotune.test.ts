import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  type AutotuneOptions,
  FastTextClassifier,
  InvalidOptionError,
  type LabelledText,
  type Progress,
  WordVectors,
  autotuneOptions,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomNumbers } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const refused = { instanceOf: InvalidOptionError }

/** Questions whose label is in the order of two words: bigrams are needed, and more than 5 epochs. */
function examples(count: number, seed: number): LabelledText[] {
  const random = randomNumbers(seed)
  const one = () => `w${Math.floor(random() * 12)}`
  return Array.from({ length: count }, () => {
    const isFirst = random() < 0.5
    const text = [one(), ...(isFirst ? ['not', 'so'] : ['so', 'not']), one()].join(' ')
    return { text, labels: [isFirst ? 'first' : 'second'] }
  })
}

const [training, validation] = [examples(300, 1), examples(150, 2)]
const quick = { validation, trials: 8, threads: 1, dimensions: 10 } as const

test('a search finds what the defaults do not, and tells how', async (t) => {
  const heard: Progress[] = []
  const found = await FastTextClassifier.autotune(training, {
    ...quick,
    trials: 15,
    onProgress: (progress) => heard.push(progress),
  })
  using classifier = found.classifier
  const { score, options, trials, dsub } = found
  t.is(trials.length, 15)
  t.is(dsub, undefined)
  t.like(trials[0]!.options, { epochs: 5, learningRate: 0.1, wordNgrams: 1, dimensions: 10 })
  t.true(trials[0]!.score! < 0.8, `${trials[0]!.score}`)
  t.true(score > 0.95, `${score}`)
  t.is(score, Math.max(...trials.map((trial) => trial.score ?? 0)))
  t.is((await classifier.evaluate(validation)).f1, score)
  t.true(options.wordNgrams! > 1)
  t.is(classifier.options.wordNgrams, options.wordNgrams!)

  // Another training with what was found gives the same model.
  using again = await FastTextClassifier.train(training, { ...options, threads: 1 })
  t.deepEqual(
    again.predict('w1 so not w2', { topK: 2 }),
    classifier.predict('w1 so not w2', { topK: 2 }),
  )

  t.true(
    heard.some(({ phase }) => phase === 'read'),
    'the text is read once',
  )
  const tuning = heard.filter(({ phase }) => phase === 'tune')
  t.like(tuning.at(-1), { unit: 'trials', done: 15, total: 15, trial: 15, score })
})

test('a seed finds the same on one thread, another seed tries others', async (t) => {
  const place = folder(t)
  const search = async (seed: number) => {
    const { classifier, trials } = await FastTextClassifier.autotune(training, { ...quick, seed })
    await classifier.save(join(place, 'model.bin'))
    classifier.close()
    const tried = trials.map(({ options, score }) => ({ options, score }))
    return { tried, bytes: readFileSync(join(place, 'model.bin')) }
  }
  const [one, same, other] = [await search(1), await search(1), await search(2)]
  t.deepEqual(one.tried, same.tried)
  t.true(one.bytes.equals(same.bytes))
  t.notDeepEqual(one.tried, other.tried)
})

test('options that are given are held', async (t) => {
  const held = { epochs: 3, wordNgrams: 2, minn: 1, maxn: 2, bucket: 777, learningRate: 0.3 }
  const { classifier, trials } = await FastTextClassifier.autotune(training, {
    ...quick,
    dimensions: undefined,
    ...held,
    trials: 6,
    loss: 'hierarchical-softmax',
  })
  classifier.close()
  for (const { options } of trials) t.like(options, held)
  t.true(new Set(trials.map(({ options }) => options.dimensions)).size > 1)
  t.is(classifier.options.loss, 'hierarchical-softmax')

  const vectors = WordVectors.from(['so', 'not'], new Float32Array(14).fill(0.1), 7)
  const begun = await FastTextClassifier.autotune(training, {
    ...quick,
    dimensions: undefined,
    trials: 2,
    initialVectors: vectors,
  })
  begun.classifier.close()
  for (const { options } of begun.trials) t.is(options.dimensions, 7)

  // Where everything is held there is one thing to try.
  const all = await FastTextClassifier.autotune(training, { ...quick, ...held, trials: 6 })
  all.classifier.close()
  t.is(all.trials.length, 1)
})

test('with a model size every model is small, and its file is never larger', async (t) => {
  const many = Array.from({ length: 400 }, (_, i) => ({
    text: `u${i} u${(i * 7) % 400} ${training[i % 300]!.text}`,
    labels: training[i % 300]!.labels,
  }))
  for (const [size, bytes] of [
    ['30k', 30_000],
    [45_000, 45_000],
  ] as const) {
    const { classifier, trials, dsub, score } = await FastTextClassifier.autotune(many, {
      validation,
      trials: 8,
      threads: 1,
      modelSize: size,
    })
    t.true(classifier.isQuantized)
    t.true([2, 4, 8, 16].includes(dsub!))
    const path = join(folder(t), 'model.ftz')
    await classifier.save(path)
    const got = statSync(path).size
    t.true(got <= bytes && got > bytes / 3, `${got} of ${bytes}`)
    t.is((await classifier.evaluate(validation)).f1, score, 'judged as the small one')
    t.true(trials.some(({ score: made }) => made !== undefined))
    classifier.close()
  }
  await t.throwsAsync(FastTextClassifier.autotune(many, { ...quick, modelSize: 2000 }), {
    code: 'UNSUPPORTED',
    message: /no room for a model of 2 labels/,
  })
  const held = { ...quick, dimensions: 300, modelSize: '100k', trials: 3 }
  await t.throwsAsync(FastTextClassifier.autotune(many, held), { code: 'UNSUPPORTED' })
})

test('a search ends when its time is up, with a model', async (t) => {
  const started = performance.now()
  const { classifier, trials } = await FastTextClassifier.autotune(training, {
    validation,
    duration: 1,
  })
  classifier.close()
  const took = (performance.now() - started) / 1000
  t.true(took > 0.9 && took < 4, `${took} s`)
  t.true(trials.length > 1)
  // Less time than one training needs.
  const hasty = await FastTextClassifier.autotune(training, {
    validation,
    duration: 0.001,
    epochs: 300,
  })
  hasty.classifier.close()
  t.is(hasty.trials.length, 1)
})

test('an abort stops a search in the middle and leaves nothing', async (t) => {
  const place = folder(t)
  const controller = new AbortController()
  let aborted = 0
  const search = FastTextClassifier.autotune(training, {
    validation,
    epochs: 100_000,
    spoolDirectory: place,
    signal: controller.signal,
    onProgress: ({ trial, epoch }) => {
      if (trial !== 1 || epoch === undefined || aborted > 0) return
      aborted = performance.now()
      controller.abort(new Error('enough'))
    },
  })
  await t.throwsAsync(search, { message: 'enough' })
  t.true(performance.now() - aborted < 1000)
  t.deepEqual(readdirSync(place), [])

  const thrown = FastTextClassifier.autotune(training, {
    ...quick,
    onProgress: ({ trial = 0 }) => {
      if (trial > 1) throw new RangeError('no more')
    },
    epochs: 2000,
  })
  await t.throwsAsync(thrown, { instanceOf: RangeError, message: 'no more' })
})

test('another metric chooses, of one label if need be', async (t) => {
  for (const options of [
    { metric: 'f1', metricLabel: 'first' },
    { metric: 'precision-at-recall', metricAt: 0.8, topK: 2 },
    { metric: 'recall-at-precision', metricAt: 0.9, metricLabel: 'second' },
  ] satisfies Partial<AutotuneOptions>[]) {
    const { classifier, score } = await FastTextClassifier.autotune(training, {
      ...quick,
      ...options,
    })
    classifier.close()
    t.true(score > 0.9 && score <= 1, `${options.metric}: ${score}`)
  }
})

test('a validation that tells nothing is one error, before any training', async (t) => {
  const place = folder(t)
  const path = join(place, 'valid.txt')
  writeFileSync(path, 'no labels here\n')
  const onProgress = ({ phase }: Progress) => t.not(phase, 'tune')
  for (const [wrong, message] of [
    [{ validation: path }, /the validation: no line has a label that the training text has/],
    [{ validation: [{ text: 'w1', labels: ['third'] }] }, /the validation: no line has a label/],
    [{ metricLabel: 'third' }, /the label `third` is not in both/],
    [{ minCountLabel: 1000 }, /the training text: no line has a label/],
  ] as const) {
    const search = FastTextClassifier.autotune(training, { ...quick, ...wrong, onProgress })
    await t.throwsAsync(search, { code: 'INVALID_INPUT', message })
  }
  const none = FastTextClassifier.autotune(training, { ...quick, validation: 'no-such-file.txt' })
  await t.throwsAsync(none, { code: 'NOT_FOUND' })
})

test('a training that diverges is one trial without a score', async (t) => {
  const wild = { ...quick, learningRate: 100, initialVectors: undefined, trials: 2 }
  const huge = WordVectors.from(['so', 'not'], new Float32Array(20).fill(1e30), 10)
  const search = FastTextClassifier.autotune(training, { ...wild, initialVectors: huge })
  await t.throwsAsync(search, { code: 'DIVERGED' }, 'all of them did')
})

for (const { option, value } of wrongValues(autotuneOptions)) {
  const shown = typeof value === 'object' ? JSON.stringify(value) : String(value)
  // Files and items are looked at when they are read; functions give them.
  const isSource = ['{}', '[1]', 'no such choice'].includes(shown) || typeof value === 'function'
  if (option === 'validation' && isSource) continue
  test(`autotune refuses ${option}: ${typeof value} ${shown}`, async (t) => {
    const options = { ...quick, [option]: value } as AutotuneOptions
    await t.throwsAsync(FastTextClassifier.autotune('never-read.txt', options), refused)
  })
}

test('options that have no meaning together are refused', async (t) => {
  for (const options of [
    { validation: undefined },
    { metricAt: 0.5 },
    { metric: 'precision-at-recall' },
    { negative: 3 },
    { minn: 3 },
    { minn: 3, maxn: 2 },
    { wordNgrams: 1, minn: 0, maxn: 0, bucket: 500 },
    { modelSize: '2 MB' },
    { modelSize: '0' },
    { modelSize: '' },
    { labelPrefix: 'a b' },
    { dimension: 3 },
  ]) {
    const all = { ...quick, ...options } as unknown as AutotuneOptions
    await t.throwsAsync(FastTextClassifier.autotune('never-read.txt', all), refused)
  }
})
