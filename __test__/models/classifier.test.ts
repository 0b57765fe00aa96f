import { join } from 'node:path'
import test from 'ava'
import {
  Classifier,
  type Embedder,
  type Labelled,
  Network,
  Vectors,
  classifierHeadOptions,
  network,
  squaredError,
  dense,
  values,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomNumbers } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

type Point = readonly [number, number]

/** Points are their own vectors. */
const points: Embedder<Point> = {
  dimensions: 2,
  async encode(inputs) {
    const rows: number[] = []
    for await (const point of inputs) rows.push(...point)
    return Vectors.from(Float32Array.from(rows), 2)
  },
}

const weekdays = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday']

/** Seven clouds around a circle. */
function clouds(count: number, seed: number): Labelled<Point>[] {
  const next = randomNumbers(seed)
  return Array.from({ length: count }, (_, i) => {
    const angle = ((i % 7) * 2 * Math.PI) / 7
    const input: Point = [
      Math.cos(angle) + 0.3 * (next() - 0.5),
      Math.sin(angle) + 0.3 * (next() - 0.5),
    ]
    return { input, label: weekdays[i % 7]! }
  })
}

/** A disc in a ring: no straight line tells them apart. */
function ring(count: number, seed: number): Labelled<Point>[] {
  const next = randomNumbers(seed)
  return Array.from({ length: count }, (_, i) => {
    const [angle, radius] = [2 * Math.PI * next(), i % 2 === 0 ? 0.5 * next() : 1 + 0.5 * next()]
    const input: Point = [radius * Math.cos(angle), radius * Math.sin(angle)]
    return { input, label: i % 2 === 0 ? 'disc' : 'ring' }
  })
}

test('seven classes are told apart by one layer and softmax', async (t) => {
  using classifier = await Classifier.train(points, clouds(350, 1))
  t.deepEqual(classifier.labels, weekdays)
  const shares = await classifier.predictProbabilities(clouds(70, 2).map(({ input }) => input))
  for (const row of shares) {
    t.true(Math.abs(row.reduce((sum, share) => sum + share, 0) - 1) < 1e-5)
    t.true(row.every((share) => share >= 0))
  }
  const { accuracy, macroF1, confusion, count } = await classifier.evaluate(clouds(70, 2))
  t.is(count, 70)
  t.true(accuracy > 0.95 && macroF1 > 0.95, `${accuracy}`)
  t.is(
    confusion.flat().reduce((sum, n) => sum + n, 0),
    70,
  )
  const [first] = await classifier.predict([[1, 0]])
  t.is(first!.label, 'Monday')
  t.true(first!.probability > 0.5)
})

test('hidden layers tell apart what no straight line does', async (t) => {
  using straight = await Classifier.train(points, ring(300, 1))
  using bent = await Classifier.train(points, ring(300, 1), { hidden: [16] })
  const [one, other] = [await straight.evaluate(ring(100, 2)), await bent.evaluate(ring(100, 2))]
  t.true(one.accuracy < 0.8, `${one.accuracy}`)
  t.true(other.accuracy > 0.97, `${other.accuracy}`)
})

test('scores are what the confusion matrix says', async (t) => {
  using classifier = await Classifier.train(points, clouds(350, 1))
  const wrong = clouds(14, 2).map(({ input, label }, i) => ({
    input,
    label: i < 7 ? 'Monday' : label,
  }))
  const { labels, confusion, accuracy } = await classifier.evaluate(wrong)
  t.is(accuracy, 8 / 14)
  t.deepEqual(confusion[0], [2, 1, 1, 1, 1, 1, 1])
  t.like(labels[0], { label: 'Monday', precision: 1, recall: 0.25, f1: 0.4, count: 8 })
  t.like(labels[1], { label: 'Tuesday', precision: 0.5, recall: 1, count: 1 })
})

test('weights of labels move the border', async (t) => {
  const same = [...ring(100, 3)].map(({ label }) => ({ input: [0, 0] as Point, label }))
  using classifier = await Classifier.train(points, same, { labelWeights: { disc: 3, ring: 1 } })
  const shares = (await classifier.predictProbabilities([[0, 0]])).row(0)
  t.true(Math.abs(shares[0]! - 0.75) < 0.02, `${shares[0]}`)
})

test('a label is called as it likes: as what every object has, too', async (t) => {
  const same = [...ring(100, 3)].map(({ label }) => ({
    input: [0, 0] as Point,
    label: label === 'disc' ? 'constructor' : label,
  }))
  using classifier = await Classifier.train(points, same, { labelWeights: { ring: 1 } })
  const shares = (await classifier.predictProbabilities([[0, 0]])).row(0)
  t.true(Math.abs(shares[0]! - 0.5) < 0.02, `${shares[0]}`)
})

test('a classifier that was saved predicts the same', async (t) => {
  const path = join(folder(t), 'classifier.safetensors')
  using classifier = await Classifier.train(points, clouds(70, 1), { epochs: 5, dropout: 0.1 })
  await classifier.save(path)
  using opened = await Classifier.open(points, path)
  const inputs: Point[] = [
    [1, 0],
    [0, 1],
  ]
  t.deepEqual(await opened.predict(inputs), await classifier.predict(inputs))
  t.deepEqual(opened.labels, classifier.labels)
  const narrow = { ...points, dimensions: 3 }
  await t.throwsAsync(Classifier.open(narrow, path), { message: /vectors of 2 values, not 3/ })
  const other = network({
    input: values({ shape: [2] }),
    layers: [dense({ units: 2 })],
    loss: squaredError(),
  })
  using plain = await Network.train(other, { inputs: [[1, 2]] }, { epochs: 1 })
  await plain.save(path)
  await t.throwsAsync(Classifier.open(points, path), { message: /a network that is no Classifier/ })
})

test('the layers behind are no longer trained: their loss takes scores, not probabilities', async (t) => {
  using classifier = await Classifier.train(points, clouds(14, 1), { epochs: 1 })
  t.is(classifier.history.length, 1)
  await t.throwsAsync(classifier.network.train({ inputs: [[0, 0]], targets: [0] }), {
    message: /a network with a `loss`/,
  })
})

test('a seed gives the same bytes on any number of threads, and validation ends it', async (t) => {
  const train = async (threads: number) => {
    const validation = clouds(35, 5)
    using found = await Classifier.train(points, clouds(70, 1), {
      threads,
      validation,
      patience: 2,
    })
    return found.network.parameter('scores.weight')
  }
  t.deepEqual(await train(2), await train(1))
})

test('examples that are none are refused', async (t) => {
  const one = { input: [0, 0] as Point, label: 'a' }
  const refuses = async (examples: unknown, message: RegExp, options = {}) => {
    const error = await t.throwsAsync(Classifier.train(points, examples as [], options), {
      code: 'INVALID_OPTION',
    })
    t.regex(error!.message, message)
  }
  await refuses([one], /`examples` must be of two labels or more, got "a"/)
  await refuses([], /`examples` must be of two labels or more, got undefined/)
  await refuses(undefined, /`examples` must be an iterable of objects with .* got undefined/)
  await refuses(
    [one, { input: [0, 0], label: 7 }],
    /`examples\[1\]` must be an object with `input`/,
  )
  await refuses(clouds(14, 1), /`validation` must be of the labels of the examples, got "a"/, {
    validation: [one],
  })
  await refuses(clouds(14, 1), /`labelWeights` must be of the labels/, { labelWeights: { a: 1 } })
  const map = new Map([['disc', 3]]) as unknown as Record<string, number>
  await refuses(clouds(14, 1), /`labelWeights` must be an object/, { labelWeights: map })
  await refuses(
    clouds(14, 1),
    /Classifier\.train: `patience` has no meaning without `validation`/,
    { patience: 2 },
  )
  using classifier = await Classifier.train(points, clouds(14, 1), { epochs: 1 })
  await t.throwsAsync(classifier.evaluate([one]), {
    message: /of the labels of the examples, got "a"/,
  })
  t.deepEqual(await classifier.predict([]), [])
  t.like(await classifier.evaluate([]), { count: 0, accuracy: 0, macroF1: 0 })
})

for (const { option, value } of wrongValues(classifierHeadOptions)) {
  // A hidden layer of one unit is narrow and not wrong.
  if (option === 'hidden' && Array.isArray(value)) continue
  test(`refuses ${option}: ${typeof value} ${String(value)}`, async (t) => {
    await t.throwsAsync(Classifier.train(points, clouds(14, 1), { [option]: value } as object), {
      code: 'INVALID_OPTION',
    })
  })
}
