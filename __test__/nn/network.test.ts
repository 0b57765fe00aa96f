import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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
  layerNorm,
  network,
  networkTrainingOptions,
  relu,
  softmax,
  sequence,
  sgd,
  sigmoid,
  squaredError,
  sum,
  summary,
  take,
  tanh,
  values,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { longestHold } from '../fixtures/longest-hold.js'
import { smallDisk } from '../fixtures/small-disk.js'
import { randomNumbers } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

/** Two numbers of which exactly one is 1: no single layer tells. */
const corners = [
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
]
const exactlyOne = network({
  input: values({ shape: [2] }),
  layers: [dense({ units: 8 }), tanh({ name: 'hidden' }), dense({ units: 2 })],
  loss: crossEntropy(),
})
const quick = { epochs: 200, learningRate: 0.05, batchSize: 4 }

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

test("a PyTorch module's parameters give its outputs, layer by layer", async (t) => {
  const golden = JSON.parse(readFileSync('__test__/fixtures/nn/module.json', 'utf8')) as {
    items: number[][]
    outputs: Record<string, number[][]>
  }
  const description = network({
    input: ids({ length: 4 }),
    layers: [
      embedding({ name: '0', values: 7, dimensions: 5 }),
      flatten({ name: '1' }),
      dense({ name: '2', units: 6 }),
      gelu({ name: '3' }),
      dense({ name: '4', units: 3 }),
      sigmoid({ name: '5' }),
    ],
  })
  using model = await Network.load(description, '__test__/fixtures/nn/module.safetensors')
  for (const [layer, wanted] of Object.entries(golden.outputs)) {
    const found = await model.encode(golden.items, { layer })
    wanted.forEach((row, i) =>
      row.forEach((value, j) => {
        t.true(Math.abs(found.row(i)[j]! - value) < 1e-5, `layer ${layer}, ${i}, ${j}`)
      }),
    )
  }
})

test('all tensors that are missing or of another shape are listed', async (t) => {
  const description = network({
    input: ids({ length: 4 }),
    layers: [
      embedding({ name: '0', values: 8, dimensions: 5 }),
      flatten(),
      dense({ name: 'scores', units: 6 }),
    ],
  })
  const error = await t.throwsAsync(
    Network.load(description, '__test__/fixtures/nn/module.safetensors'),
    { code: 'INVALID_INPUT' },
  )
  t.regex(error!.message, /`0\.weight` is \[7, 5\] and should be \[8, 5\]/)
  t.regex(error!.message, /`scores\.weight` \[6, 20\] is missing; `scores\.bias` \[6\] is missing/)
})

test('a network that was saved gives the same, and goes on learning', async (t) => {
  const path = join(folder(t), 'network.safetensors')
  using model = await Network.train(
    exactlyOne,
    { inputs: corners, targets: [0, 1, 1, 0] },
    { epochs: 3 },
  )
  await model.save(path)
  using opened = await Network.open(path)
  t.deepEqual(opened.description, model.description)
  const before = (await model.encode(corners)).values
  t.deepEqual((await opened.encode(corners)).values, before)
  using further = await opened.train({ inputs: corners, targets: [0, 1, 1, 0] }, quick)
  t.true(further.history.at(-1)!.loss < 0.05)
  t.deepEqual((await opened.encode(corners)).values, before, 'the one before stays as it was')
})

test('files that are no networks, or damaged ones, are refused', async (t) => {
  const path = join(folder(t), 'network.safetensors')
  await t.throwsAsync(Network.open(path), { code: 'NOT_FOUND' })
  await t.throwsAsync(Network.open('__test__/fixtures/nn/module.safetensors'), {
    code: 'INVALID_INPUT',
    message: /is not a network/,
  })
  using model = await Network.train(
    exactlyOne,
    { inputs: corners, targets: [0, 1, 1, 0] },
    { epochs: 1 },
  )
  await model.save(path)
  const whole = readFileSync(path)
  for (let length = 0; length < whole.length; length += 37) {
    writeFileSync(path, whole.subarray(0, length))
    await t.throwsAsync(Network.open(path), { code: 'INVALID_INPUT' })
  }
  writeFileSync(path, whole.toString('latin1').replace('tanh', 'tanj'), 'latin1')
  await t.throwsAsync(Network.open(path), { message: /unknown kind `tanj`/ })
})

test('a full disk leaves nothing behind', async (t) => {
  const disk = smallDisk(t)
  if (disk === undefined) return
  const wide = network({
    input: ids({ length: 1 }),
    layers: [embedding({ values: 9000, dimensions: 50 })],
    loss: squaredError(),
  })

  const targets = new Float32Array(50)
  using model = await Network.train(wide, { inputs: [0], targets }, { epochs: 1 })
  await t.throwsAsync(model.save(join(disk, 'network.safetensors')), { code: 'DISK_FULL' })
  await t.throwsAsync(Network.open(join(disk, 'network.safetensors')), { code: 'NOT_FOUND' })
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

test('a loss that is no longer finite is DIVERGED', async (t) => {
  const line = network({
    input: values({ shape: [1] }),
    layers: [dense({ units: 1 })],
    loss: squaredError(),
  })
  await t.throwsAsync(
    Network.train(
      line,
      { inputs: [1e3, -1e3], targets: [1, 2] },
      { optimizer: sgd(), learningRate: 100 },
    ),
    { code: 'DIVERGED', message: /no longer finite: a smaller `learningRate` or `clip` may help/ },
  )
})

test('what does not fit is one clear error', async (t) => {
  const refuses = async (inputs: unknown, targets: unknown, message: RegExp) => {
    const examples = { inputs, targets } as Parameters<typeof Network.train>[1]
    const error = await t.throwsAsync(Network.train(exactlyOne, examples))
    t.regex(error!.message, message)
  }
  await refuses([[1, 2], [3]], [0, 1], /`inputs\[1\]` must be rows of 2 numbers, got 1/)
  await refuses([[1, 'x']], [0], /`inputs\[0\]` must be numbers, got "x"/)
  await refuses([null], [0], /`inputs\[0\]` must be a number or an array of numbers, got null/)
  await refuses(7, [0], /`inputs` must be items, or an object with `input`, got 7/)
  await refuses([[1, 2]], undefined, /`targets` must be a class for each item or position/)
  await refuses([[1, 2]], [0.5], /`targets\[0\]` must be whole numbers from 0 up, got 0.5/)
  await refuses([[1, 2]], [2], /the targets: item 0 has the id 2; they are below 2/)
  await refuses([[1, 2]], [0, 1], /the targets: are 2, of 1 items/)
  await refuses([[1, Infinity]], [0], /item 0 has a value that is not finite: inf/)
  const lossless = network({ input: exactlyOne.inputs, layers: exactlyOne.layers })
  await t.throwsAsync(Network.train(lossless, { inputs: [[1, 2]], targets: [0] }), {
    message: /a network with a `loss`/,
  })
  await t.throwsAsync(
    Network.train(exactlyOne, { inputs: [[1, 2]], targets: [0] }, { freeze: ['dense7'] }),
    {
      message: /`freeze` must be the name of a layer: dense1, hidden, dense2, got "dense7"/,
    },
  )
  const few = network({
    input: exactlyOne.inputs,
    layers: exactlyOne.layers,
    loss: crossEntropy({ classWeights: [1] }),
  })
  await t.throwsAsync(Network.train(few, { inputs: [[1, 2]], targets: [0] }), {
    message: /has 2 classes, and 1 weights came/,
  })
})

test('descriptions are refused where they do not fit, and are frozen values where they do', (t) => {
  const refuses = (make: () => unknown, message: RegExp) => {
    t.regex(t.throws(make, { code: 'INVALID_OPTION' })!.message, message)
  }
  const input = values({ shape: [2, 3] })
  refuses(() => network({ input, layers: [] }), /`layers` must be a list of layers, at least one/)
  refuses(
    () =>
      network({ input, layers: [dense({ units: 4 }), embedding({ values: 3, dimensions: 2 })] }),
    /`embedding1` expects ids; `dense1` gives \[2, 4\]/,
  )
  refuses(
    () => network({ input, layers: [sum([[], [flatten()]])] }),
    /adds up branches of \[2, 3\] and \[6\]/,
  )
  refuses(
    () => dense({} as { units: number }),
    /dense: `units` must be an integer from 1 up, got undefined/,
  )
  refuses(() => dropout({ probability: 1 }), /dropout: `probability`/)
  refuses(() => values({ shape: [] }), /values: `shape`/)
  t.true(Object.isFrozen(exactlyOne) && Object.isFrozen(exactlyOne.layers[0]))
  t.deepEqual(JSON.parse(JSON.stringify(exactlyOne)), exactlyOne)
  t.deepEqual(summary(exactlyOne), [
    { name: 'dense1', shape: '[8]', parameters: 24, operations: 32 },
    { name: 'hidden', shape: '[8]', parameters: 0, operations: 8 },
    { name: 'dense2', shape: '[2]', parameters: 18, operations: 32 },
  ])
})

for (const { option, value } of wrongValues(networkTrainingOptions)) {
  test(`refuses ${option}: ${typeof value} ${String(value)}`, async (t) => {
    const options = { [option]: value } as object
    const examples = { inputs: corners, targets: [0, 1, 1, 0] }
    await t.throwsAsync(Network.train(exactlyOne, examples, options), { code: 'INVALID_OPTION' })
  })
}

test('options that would do nothing are refused', async (t) => {
  const examples = { inputs: corners, targets: [0, 1, 1, 0] }
  for (const [options, message] of [
    [{ patience: 3 }, /`patience` has no meaning without `validation`/],
    [{ stepFactor: 0.5 }, /`stepFactor` is for the schedule 'steps' only/],
    [{ stepEvery: 0.5, schedule: 'cosine' }, /`stepEvery` is for the schedule 'steps' only/],
  ] as const) {
    await t.throwsAsync(Network.train(exactlyOne, examples, options), {
      code: 'INVALID_OPTION',
      message,
    })
  }
  t.throws(() => sgd({ nesterov: true }), {
    message: /sgd: `momentum` must be above 0 where `nesterov` is true/,
  })
  t.throws(() => layerNorm({ affine: false, bias: true }), {
    message: /layerNorm: `bias` must be left out/,
  })
})

test('a network that was closed says so', async (t) => {
  const model = await Network.train(
    exactlyOne,
    { inputs: corners, targets: [0, 1, 1, 0] },
    { epochs: 1 },
  )
  model.close()
  await t.throwsAsync(model.encode(corners), { code: 'CLOSED' })
})

test('a network begins with the parameters that it is given', async (t) => {
  const description = network({
    input: ids({ length: 1 }),
    layers: [
      embedding({ name: 'table', values: 3, dimensions: 2 }),
      flatten(),
      dense({ units: 2 }),
    ],
    loss: crossEntropy(),
  })
  const table = Float32Array.of(1, 2, 3, 4, 5, 6)
  using start = await Network.create(description, { parameters: { 'table.weight': table } })
  t.deepEqual(start.parameter('table.weight')!.values, table)
  const examples = { inputs: [[0], [1]], targets: [0, 1] }
  using after = await start.train(examples, { epochs: 1, freeze: ['table'] })
  t.deepEqual(after.parameter('table.weight')!.values, table)
  t.notDeepEqual(after.parameter('dense1.weight'), start.parameter('dense1.weight'))
  const short = { 'table.weight': table.subarray(1) }
  await t.throwsAsync(Network.create(description, { parameters: short }), {
    message: /6 values.*5 came/,
  })
  await t.throwsAsync(Network.create(description, { parameters: { tables: table } }), {
    code: 'NOT_FOUND',
  })
  await t.throwsAsync(
    Network.create(description, { parameters: { 'table.weight': [1] as never } }),
    {
      message: /Float32Array/,
    },
  )
})
