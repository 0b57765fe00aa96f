import test from 'ava'
import {
  Network,
  crossEntropy,
  dense,
  embedding,
  gru,
  ids,
  lstm,
  network,
  pool,
  sgd,
  squaredError,
  values,
} from 'inlay'
import { randomNumbers } from '../fixtures/toy.js'

/** A text of digits in which each is the sum of the last one and the one `back` places before, modulo 5: who
 * remembers that far knows what comes next. */
function sums(length: number, back: number, seed: number): Uint32Array {
  const next = randomNumbers(seed)
  const text = Uint32Array.from({ length: length + 1 }, () => Math.floor(next() * 5))
  for (let i = back; i <= length; i++) text[i] = (text[i - 1]! + text[i - back]!) % 5
  return text
}

function nextOf(texts: readonly Uint32Array[]) {
  return {
    inputs: texts.map((text) => text.slice(0, -1)),
    targets: texts.map((text) => text.slice(1)),
  }
}

const model = (recurrent = lstm({ units: 32 })) =>
  network({
    input: ids(),
    layers: [embedding({ values: 5, dimensions: 16 }), recurrent, dense({ units: 5 })],
    loss: crossEntropy(),
  })

const lanes = nextOf([1, 2, 3, 4, 5, 6, 7, 8].map((seed) => sums(1000, 3, seed)))
const heldOut = nextOf([sums(5000, 3, 99), sums(300, 3, 98)])
const windows = { epochs: 12, batchSize: 8, truncate: 20, learningRate: 0.01, clip: 1, threads: 1 }

test('long texts are learnt in windows, and what is carried from one to the next is of use', async (t) => {
  using learnt = await Network.train(model(), lanes, windows)
  const { loss, accuracy } = await learnt.evaluate(heldOut)
  t.true(loss < 0.2, `a loss of ${loss}`)
  t.true(accuracy! > 0.95, `${accuracy} right`)
  // Windows of two digits are too short to be sure by themselves; 3 digits back is in the state.
  using short = await Network.train(model(), lanes, { ...windows, truncate: 2, epochs: 2 })
  const carried = await short.evaluate(heldOut)
  using pairs = await Network.train(model(), nextOf(lanes.inputs.flatMap((text) => cut(text, 3))), {
    ...windows,
    truncate: 2,
    epochs: 2,
    batchSize: 256,
  })
  const forgotten = await pairs.evaluate(nextOf(lanes.inputs.flatMap((text) => cut(text, 3))))
  t.true(carried.loss < forgotten.loss, `${carried.loss}, ${forgotten.loss}`)
})

function cut(text: Uint32Array, length: number): Uint32Array[] {
  const parts = Math.floor(text.length / length)
  return Array.from({ length: parts }, (_, i) => text.slice(i * length, (i + 1) * length))
}

test('windows give the same bytes on any number of threads', async (t) => {
  const texts = nextOf([40, 7, 133, 61, 90].map((length, i) => sums(length, 2, i)))
  const bytes = async (threads: number) => {
    const options = { epochs: 2, batchSize: 2, truncate: 16, threads, schedule: 'cosine' } as const
    using learnt = await Network.train(
      model(gru({ units: 8, layers: 2, dropout: 0.2 })),
      texts,
      options,
    )
    return Buffer.from(learnt.parameter('gru1.weight_hh_l1')!.values.buffer)
  }
  const first = await bytes(1)
  t.deepEqual(await bytes(2), first)
  t.deepEqual(await bytes(3), first)
})

test('an evaluation is the mean over all positions, and needs no memory for them', async (t) => {
  const classes = 2000
  const wide = network({
    input: ids(),
    layers: [
      embedding({ values: classes, dimensions: 4 }),
      lstm({ units: 4 }),
      dense({ units: classes }),
    ],
    loss: crossEntropy(),
  })
  const few = { inputs: [[1, 2]], targets: [[2, 3]] }
  using learnt = await Network.train(wide, few, { epochs: 1, optimizer: sgd(), learningRate: 1e-9 })
  const length = 60_000
  const text = Uint32Array.from({ length: length + 1 }, (_, i) => (i * 7919) % classes)
  const before = process.memoryUsage.rss()
  const { loss, accuracy } = await learnt.evaluate(nextOf([text]), { threads: 2 })
  // The scores of all positions would be 480 MB.
  const grown = (process.memoryUsage.rss() - before) / 1e6
  t.true(grown < 200, `grew by ${grown} MB`)
  t.true(Math.abs(loss - Math.log(classes)) < 0.5, `a loss of ${loss}`)
  t.true(accuracy! < 0.01)
  const whole = await learnt.evaluate(nextOf([text]), { threads: 1 })
  t.deepEqual(whole, { loss, accuracy })
})

test('the states of a long sequence are those of its pieces in one', async (t) => {
  const long = lanes.inputs[0]!
  using learnt = await Network.train(model(), lanes, { ...windows, epochs: 1 })
  const [all] = await learnt.encodeSteps([long], { layer: 'lstm1' })
  const [start] = await learnt.encodeSteps([long.slice(0, 700)], { layer: 'lstm1' })
  t.deepEqual(all!.values.slice(0, start!.values.length), start!.values)
})

test('what must be seen as a whole is refused', async (t) => {
  const pooled = network({
    input: ids(),
    layers: [embedding({ values: 5, dimensions: 4 }), pool({ by: 'mean' }), dense({ units: 2 })],
    loss: crossEntropy(),
  })
  await t.throwsAsync(
    Network.train(pooled, { inputs: [[1, 2, 3]], targets: [1] }, { truncate: 2 }),
    { code: 'INVALID_INPUT', message: /`truncate`\): `pool1` has to see an item as a whole/ },
  )
  const both = model(lstm({ units: 4, bidirectional: true }))
  await t.throwsAsync(Network.train(both, lanes, { truncate: 2 }), {
    message: /`lstm1` has to see/,
  })
  const vectors = network({
    input: values({ shape: [2] }),
    layers: [dense({ units: 2 })],
    loss: squaredError(),
  })
  await t.throwsAsync(Network.train(vectors, { inputs: [[1, 2]] }, { truncate: 2 }), {
    message: /its items have a fixed number of positions/,
  })
})

test('an evaluation of nothing, or without a loss, is refused', async (t) => {
  const network1 = model()
  using learnt = await Network.train(network1, lanes, { ...windows, epochs: 1 })
  await t.throwsAsync(learnt.evaluate({ inputs: [], targets: [] }), {
    code: 'INVALID_INPUT',
    message: /there are no examples/,
  })
  await t.throwsAsync(learnt.evaluate({ inputs: [[1, 2]], targets: [[-1, -1]] }), {
    code: 'INVALID_INPUT',
    message: /have nothing that is wanted/,
  })
  const { loss: _, ...without } = network1
  using bare = await learnt.transfer(without)
  await t.throwsAsync(bare.evaluate(lanes), {
    code: 'INVALID_OPTION',
    message: /a network with a `loss`/,
  })
  await t.throwsAsync(learnt.evaluate({ inputs: [[1, 2]], targets: [[1, 7]] }), {
    message: /item 0 has the id 7; they are below 5/,
  })
})
