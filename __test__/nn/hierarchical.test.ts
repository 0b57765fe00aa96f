// A softmax over many classes that are the leaves of a tree.
import { join } from 'node:path'
import test from 'ava'
import {
  Network,
  crossEntropy,
  dense,
  embedding,
  estimateMemory,
  flatten,
  hierarchicalSoftmax,
  ids,
  network,
  sampledSoftmax,
  values,
} from 'inlay'
import { folder } from '../fixtures/folder.js'

const classes = 400
const counts = Array.from({ length: classes }, (_, i) => Math.ceil(1000 / (i + 1)))

function describe(options: Parameters<typeof crossEntropy>[0] = {}, tree = true) {
  const last = tree ? hierarchicalSoftmax({ name: 'way', counts }) : dense({ units: classes })
  const layers = [embedding({ values: classes, dimensions: 16 }), flatten(), last]
  return network({ input: ids({ length: 1 }), layers, loss: crossEntropy(options) })
}

/** Of most numbers it is known what follows, a neighbour; small ones come most often. */
function examples(items: number) {
  const drawn = (i: number) => Math.floor(classes ** (i % 1)) - 1
  const inputs = Array.from({ length: items }, (_, i) => [drawn(i * 0.618034)])
  const targets = inputs.map(([id], i) => (i % 9 === 0 ? drawn(i * 0.4142) : id! ^ 1))
  return { inputs, targets }
}

test('it learns as well as a score for each class, and gives the logarithms of probabilities', async (t) => {
  const [data, validation] = [examples(6000), examples(900)]
  const options = { epochs: 15, batchSize: 32, learningRate: 0.01, validation, threads: 1 }
  using whole = await Network.train(describe({}, false), data, options)
  using tree = await Network.train(describe(), data, options)
  const [all, some] = [await whole.evaluate(validation), await tree.evaluate(validation)]
  t.true(some.loss < 1.1 * all.loss && all.loss < 0.7, `${some.loss} ${all.loss}`)
  t.true(some.accuracy! > 0.97 * all.accuracy!, `${some.accuracy} ${all.accuracy}`)
  // What is learnt from is the loss of all classes, and so is what is examined.
  const { loss, validation: examined } = tree.history.at(-1)!
  t.true(Math.abs(loss - examined!) < 0.1, `${loss} ${examined}`)
  const logarithms = await tree.encode(validation.inputs)
  t.is(logarithms.dimensions, classes)
  const found = validation.targets.map((wanted, item) => -logarithms.row(item)[wanted]!)
  const mean = found.reduce((total, own) => total + own, 0) / found.length
  t.true(Math.abs(mean - some.loss) < 1e-4, `${mean} ${some.loss}`)
  for (const row of logarithms) {
    t.true(Math.abs(row.reduce((total, value) => total + Math.exp(value), 0) - 1) < 1e-4)
  }
})

test('a seed gives the same bytes on any number of threads, and a file keeps the tree', async (t) => {
  const trained = (threads: number, seed: number) => {
    const options = { epochs: 1, accumulate: 2, clip: 0.5, threads, seed }
    return Network.train(describe(), examples(300), options)
  }
  using one = await trained(1, 1)
  using three = await trained(3, 1)
  using other = await trained(1, 2)
  const bytes = (found: Network) => found.parameter('way.weight')!.values
  t.deepEqual(bytes(three), bytes(one))
  t.notDeepEqual(bytes(other), bytes(one))
  t.deepEqual(one.parameter('way.weight')!.shape, [classes - 1, 16])
  const path = join(folder(t), 'tree.safetensors')
  await one.save(path)
  using opened = await Network.open(path)
  t.deepEqual(opened.description, one.description)
  t.deepEqual((await opened.encode([[3]])).values, (await one.encode([[3]])).values)
})

test('losses that look at all classes learn from all of them', async (t) => {
  const data = examples(3000)
  const options = { epochs: 6, batchSize: 32, learningRate: 0.01, threads: 2 }
  const train = (loss: Parameters<typeof crossEntropy>[0]) =>
    Network.train(describe(loss), data, options)
  using alone = await train({})
  // As good as none, but worked out of the probabilities of all classes.
  using spread = await train({ labelSmoothing: 1e-7 })
  const [few, all] = [alone.history.at(-1)!.loss, spread.history.at(-1)!.loss]
  t.true(Math.abs(few - all) < 0.01 * few, `${few} ${all}`)
})

test('memory is estimated without the scores that are not there', async (t) => {
  const many = Array<number>(30_000).fill(1)
  const of = (layer: ReturnType<typeof dense>) =>
    estimateMemory(
      network({ input: values({ shape: [8] }), layers: [layer], loss: crossEntropy() }),
      { batchSize: 128, threads: 1 },
    )
  const [all, few] = [
    await of(dense({ units: many.length })),
    await of(hierarchicalSoftmax({ counts: many })),
  ]
  t.true(few < 0.7 * all, `${few} ${all}`)
})

test('what has no meaning is one clear error', (t) => {
  for (const wrong of [undefined, [], [1], [1, -1], [1, 0.5], [1, Number.NaN], 'abc']) {
    t.throws(() => hierarchicalSoftmax({ counts: wrong as number[] }), {
      code: 'INVALID_OPTION',
      message: /`counts` must be an array of two integers or more, from 0 up/,
    })
  }
  const layers = [hierarchicalSoftmax({ counts: [3, 2, 1] })]
  t.throws(
    () => network({ input: values({ shape: [2] }), layers, loss: sampledSoftmax({ samples: 2 }) }),
    { code: 'INVALID_OPTION', message: /layers that end with a `dense`/ },
  )
})
