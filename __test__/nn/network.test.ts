import test from 'ava'
import {
  Network,
  adamw,
  binaryCrossEntropy,
  concat,
  crossEntropy,
  dense,
  dropout,
  embedding,
  flatten,
  gelu,
  ids,
  network,
  relu,
  softmax,
  sequence,
  squaredError,
  sum,
  take,
  values,
} from 'inlay'
import { corners, exactlyOne, quick } from '../fixtures/exactly-one.js'
import { longestHold } from '../fixtures/longest-hold.js'
import { randomNumbers } from '../fixtures/toy.js'

test('softmax alone: seven scores become shares that sum to one, the highest the most', async (t) => {
  const alone = network({ input: values({ shape: [7] }), layers: [softmax()] })
  using shares = await Network.create(alone)
  const [row] = await shares.encode([[1, 2, 3, 4, 1, 2, 3]])
  const expected = [0.024, 0.064, 0.175, 0.475, 0.024, 0.064, 0.175]
  expected.forEach((share, at) => t.true(Math.abs(row![at]! - share) < 5e-4))
  t.true(Math.abs(row!.reduce((all, share) => all + share) - 1) < 1e-6)
})

test('a network is made without training: by its seed, and ready to encode and to train', async (t) => {
  using one = await Network.create(exactlyOne, { seed: 5 })
  using same = await Network.create(exactlyOne, { seed: 5 })
  using other = await Network.create(exactlyOne, { seed: 6 })
  const of = (made: Network) => made.parameter('dense1.weight')!.values
  t.deepEqual(of(one), of(same))
  t.notDeepEqual(of(one), of(other))
  t.deepEqual(one.history, [])
  t.is((await one.encode(corners)).length, 4)
  using trained = await one.train({ inputs: corners, targets: [0, 1, 1, 0] }, quick)
  t.true(trained.history.at(-1)!.loss < 0.05)
  const wrong = {
    inputs: exactlyOne.inputs,
    layers: [dense({ units: 2 }), embedding({ values: 3, dimensions: 2 })],
  }
  await t.throwsAsync(Network.create(wrong), { code: 'INVALID_INPUT', message: /embedding1/ })
})

test('a network learns what one layer cannot, and any layer gives vectors', async (t) => {
  using model = await Network.train(exactlyOne, { inputs: corners, targets: [0, 1, 1, 0] }, quick)
  const scores = await model.encode(corners)
  t.deepEqual(
    Array.from(scores, ([no, yes]) => Number(yes! > no!)),
    [0, 1, 1, 0],
  )
  t.is(model.history.length, 200)
  t.true(model.history.at(-1)!.loss < 0.05)
  const hidden = await model.encode(corners, { layer: 'hidden' })
  t.is(hidden.dimensions, 8)
  t.true(hidden.values.every((value) => Math.abs(value) <= 1))
})

test('a seed gives the same bytes on any number of threads', async (t) => {
  const next = randomNumbers(5)
  const sequences = Array.from({ length: 100 }, () =>
    Array.from({ length: 1 + Math.floor(next() * 9) }, () => Math.floor(next() * 30)),
  )
  const targets = sequences.map((items) => items.map((id) => (id % 7 === 0 ? -1 : id % 3)))
  const tagger = network({
    input: ids(),
    layers: [
      embedding({ name: 'words', values: 30, dimensions: 10 }),
      dropout({ probability: 0.1 }),
      sum([[], [dense({ units: 10 }), gelu()]]),
      dense({ units: 3 }),
    ],
    loss: crossEntropy({ classWeights: [1, 2, 1], labelSmoothing: 0.1 }),
  })
  const bytes = async (threads: number, seed = 1) => {
    using model = await Network.train(
      tagger,
      { inputs: sequences, targets },
      { threads, seed, epochs: 2, optimizer: adamw(), schedule: 'cosine', warmup: 2, clip: 1 },
    )
    return Buffer.from(model.parameter('words.weight')!.values.buffer)
  }
  const first = await bytes(1)
  t.deepEqual(await bytes(2), first)
  t.deepEqual(await bytes(3), first)
  t.notDeepEqual(await bytes(1, 2), first)
})

test('what goes in may be typed arrays, arrays, iterables and streams', async (t) => {
  using model = await Network.train(
    exactlyOne,
    { inputs: corners, targets: [0, 1, 1, 0] },
    { epochs: 1 },
  )
  const wanted = (await model.encode(corners)).values
  async function* stream() {
    for (const corner of corners) yield Float32Array.from(corner)
  }
  t.deepEqual((await model.encode(new Float32Array(corners.flat()))).values, wanted)
  t.deepEqual((await model.encode(new Set(corners))).values, wanted)
  t.deepEqual((await model.encode(stream())).values, wanted)
  t.is((await model.encode([])).length, 0)
})

test('a sequence gives a row for each step, whatever stands beside it', async (t) => {
  const steps = network({
    input: sequence({ width: 2 }),
    layers: [dense({ name: 'out', units: 3 }), relu()],
    loss: squaredError(),
  })
  const items = [[1, 2, 3, 4], [], [5, 6]]
  const targets = [[1, 0, 0, 0, 1, 0], [], [0, 0, 1]]
  using model = await Network.train(steps, { inputs: items, targets }, { epochs: 1 })
  const rows = await model.encodeSteps(items)
  t.deepEqual(
    rows.map((row) => row.length),
    [2, 0, 1],
  )
  const [alone] = await model.encodeSteps([[5, 6]])
  t.deepEqual(alone!.values, rows[2]!.values)
  await t.throwsAsync(model.encode(items), {
    code: 'INVALID_OPTION',
    message: /a layer that gives one vector for each item: for sequences there is `encodeSteps`/,
  })
})

test('several inputs meet in one network', async (t) => {
  const table = network({
    input: [ids({ name: 'colour', length: 1 }), values({ name: 'sizes', shape: [2] })],
    layers: [
      concat([
        [embedding({ name: 'colours', values: 3, dimensions: 4 }), flatten()],
        [take('sizes')],
      ]),
      dense({ units: 1 }),
    ],
    loss: binaryCrossEntropy(),
  })
  const inputs = {
    colour: [0, 1, 2, 0],
    sizes: [
      [1, 0],
      [0, 1],
      [1, 1],
      [0, 0],
    ],
  }
  const targets = [1, 0, 1, 0]
  using model = await Network.train(table, { inputs, targets }, { ...quick, epochs: 400 })
  const scores = await model.encode(inputs)
  t.deepEqual(
    Array.from(scores, ([score]) => Number(score! > 0)),
    targets,
  )
  await t.throwsAsync(model.encode({ colour: [1] }), {
    message: /items, or an object with `sizes`/,
  })
})

test('without targets a network learns to give what it gets', async (t) => {
  const autoencoder = network({
    input: values({ shape: [6] }),
    layers: [dense({ name: 'code', units: 2 }), dense({ units: 6 })],
    loss: squaredError(),
  })
  const next = randomNumbers(9)
  const inputs = Array.from({ length: 60 }, () => {
    const [a, b] = [next(), next()]
    return [a, b, a + b, a - b, 2 * a, -b]
  })
  using model = await Network.train(autoencoder, { inputs }, { ...quick, learningRate: 0.02 })
  t.true(model.history.at(-1)!.loss < 0.01, `${model.history.at(-1)!.loss}`)
  t.is((await model.encode(inputs, { layer: 'code' })).dimensions, 2)
})

test('validation ends a training, and the best parameters are kept', async (t) => {
  const examples = { inputs: corners, targets: [0, 1, 1, 0] }
  const wrong = { inputs: corners, targets: [1, 0, 0, 1] }
  using model = await Network.train(exactlyOne, examples, {
    ...quick,
    validation: wrong,
    patience: 2,
  })
  t.true(model.history.length < 200)
  const losses = model.history.map((epoch) => epoch.validation!)
  t.is(losses.indexOf(Math.min(...losses)), losses.length - 3, `${losses}`)
})

test('layers that are frozen stay as they are', async (t) => {
  using model = await Network.train(
    exactlyOne,
    { inputs: corners, targets: [0, 1, 1, 0] },
    { epochs: 1 },
  )
  using further = await model.train(
    { inputs: corners, targets: [0, 1, 1, 0] },
    { freeze: ['dense1'] },
  )
  t.deepEqual(further.parameter('dense1.weight'), model.parameter('dense1.weight'))
  t.notDeepEqual(further.parameter('dense2.weight'), model.parameter('dense2.weight'))
  t.is(model.parameter('dense3.weight'), undefined)
})

test('a training that is stopped rejects with the reason; the event loop is free meanwhile', async (t) => {
  const inputs = new Float32Array(2 * 200_000)
  const targets = new Int32Array(200_000)
  const controller = new AbortController()
  const training = Network.train(
    exactlyOne,
    { inputs, targets },
    { epochs: 1000, signal: controller.signal },
  )
  t.true((await longestHold()) < 5)
  controller.abort(new Error('enough'))
  await t.throwsAsync(training, { message: 'enough' })
})

test('progress tells of epochs and losses', async (t) => {
  const heard: { epoch?: number; loss?: number; done: number }[] = []
  const onProgress = (progress: (typeof heard)[number]) => heard.push(progress)
  const model = await Network.train(
    exactlyOne,
    { inputs: corners, targets: [0, 1, 1, 0] },
    { ...quick, onProgress },
  )
  model.close()
  t.is(heard.at(-1)!.done, 800)
  t.is(heard.at(-1)!.epoch, 200)
  t.true(heard.at(-1)!.loss! < 0.1)
})

test('vectors keep their first values, and get the length of one', async (t) => {
  const description = network({ input: values({ shape: [2, 2] }), layers: [relu()] })
  using model = await Network.create(description)
  const items = Float32Array.of(3, 4, 1, 1, 0, 0, 0, 5)
  const of = async (options: object) => (await model.encode(items, options)).values
  t.deepEqual(await of({ dimensions: 2 }), Float32Array.of(3, 4, 0, 0))
  t.deepEqual(await of({ dimensions: 2, normalize: true }), Float32Array.of(0.6, 0.8, 0, 0))
  t.deepEqual((await of({ normalize: true })).slice(4), Float32Array.of(0, 0, 0, 1))
  t.deepEqual(await of({ dimensions: 4 }), items)
  await t.throwsAsync(model.encode(items, { dimensions: 5 }), { message: /at most 4/ })
})
