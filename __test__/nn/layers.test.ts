import { readFileSync } from 'node:fs'
import test from 'ava'
import {
  Network,
  attentionPool,
  averagePool,
  concat,
  conv1d,
  conv2d,
  convTranspose2d,
  crossEntropy,
  dense,
  embedding,
  gru,
  ids,
  layerNorm,
  lstm,
  maxPool,
  network,
  patchMerging,
  permute,
  pool,
  positions,
  prefixTokens,
  relu,
  resize,
  rmsNorm,
  selfAttention,
  sequence,
  squaredError,
  summary,
  tanh,
  transformerBlock,
  values,
  flatten,
} from 'inlay'
import { randomNumbers } from '../fixtures/toy.js'

/** What PyTorch gave: see make.py beside the files. */
function golden(name: string): { items: number[][]; outputs: { last: number[][] } } {
  return JSON.parse(readFileSync(`__test__/fixtures/nn/${name}.json`, 'utf8'))
}

test('pictures become what the same module of PyTorch makes of them', async (t) => {
  const { items, outputs } = golden('pictures')
  const description = network({
    input: values({ shape: [9, 8, 2] }),
    layers: [
      conv2d({ name: '0', channels: 4, kernel: 3, padding: 1 }),
      relu(),
      maxPool({ kernel: 2 }),
      conv2d({ name: '3', channels: 3, kernel: [3, 3], stride: 2, bias: false }),
      tanh(),
      convTranspose2d({ name: '5', channels: 2, kernel: 2, stride: 2 }),
      averagePool({ kernel: 2, stride: 1 }),
    ],
  })
  using model = await Network.load(description, '__test__/fixtures/nn/pictures.safetensors')
  const found = await model.encode(items)
  outputs.last.forEach((row, i) => {
    t.is(found.dimensions, row.length)
    row.forEach((value, j) => t.true(Math.abs(found.row(i)[j]! - value) < 1e-5, `${i}, ${j}`))
  })
})

test('sentences go through recurrence and attention as in PyTorch, without padding', async (t) => {
  const { items, outputs } = golden('sentences')
  const block = { heads: 2, width: 8, hidden: 12 }
  const description = network({
    input: ids(),
    layers: [
      embedding({ name: 'words', values: 9, dimensions: 6 }),
      lstm({ name: 'there', units: 4, layers: 2, bidirectional: true }),
      gru({ name: 'back', units: 8 }),
      ...transformerBlock({ ...block, name: 'layer' }),
      ...transformerBlock({ ...block, name: 'first', activation: 'gelu', normFirst: true }),
      rmsNorm({ name: 'norm' }),
    ],
  })
  using model = await Network.load(description, '__test__/fixtures/nn/sentences.safetensors')
  const found = await model.encodeSteps(items)
  outputs.last.forEach((row, i) => {
    t.is(found[i]!.values.length, row.length)
    row.forEach((value, j) => {
      t.true(Math.abs(found[i]!.values[j]! - value) < 1e-5, `${i}, ${j}`)
    })
  })
})

/** Sequences of ids: does a 1 come before a 2? Bags of words cannot tell. */
function orders(count: number, seed: number) {
  const next = randomNumbers(seed)
  const inputs = Array.from({ length: count }, () => {
    const item = Array.from(
      { length: 4 + Math.floor(next() * 5) },
      () => 3 + Math.floor(next() * 5),
    )
    const [a, b] = [Math.floor(next() * (item.length - 1)), item.length - 1]
    const second = a + 1 + Math.floor(next() * (b - a))
    const turned = next() < 0.5
    item[a] = turned ? 2 : 1
    item[second] = turned ? 1 : 2
    return item
  })
  return { inputs, targets: inputs.map((item) => Number(item.indexOf(1) < item.indexOf(2))) }
}

const words = embedding({ values: 8, dimensions: 16 })
const readers = {
  'an LSTM': [words, lstm({ units: 16 }), pool({ by: 'last' })],
  'a bidirectional GRU': [words, gru({ units: 8, bidirectional: true }), pool({ by: 'max' })],
  'a Transformer': [
    words,
    positions({ code: 'learned', length: 8 }),
    ...transformerBlock({ heads: 4, width: 16, normFirst: true }),
    layerNorm(),
    attentionPool(),
  ],
  'a class token': [
    words,
    positions(),
    prefixTokens(),
    ...transformerBlock({ heads: 4, width: 16, normFirst: true }),
    pool({ by: 'first' }),
  ],
  'a text CNN': [
    words,
    positions(),
    concat(
      [2, 3, 4].map((kernel) => [conv1d({ channels: 12, kernel }), relu(), pool({ by: 'max' })]),
    ),
  ],
}
for (const [reader, layers] of Object.entries(readers)) {
  test(`${reader} learns in which order words come`, async (t) => {
    const description = network({
      input: ids(),
      layers: [...layers, dense({ units: 2 })],
      loss: crossEntropy(),
    })
    const training = { epochs: 30, learningRate: 0.01, batchSize: 20 }
    using model = await Network.train(description, orders(400, 1), training)
    const { inputs, targets } = orders(100, 2)
    const scores = await model.encode(inputs)
    const right = Array.from(scores, ([no, yes], i) => Number(yes! > no!) === targets[i])
    t.true(right.filter(Boolean).length >= 90, `${right.filter(Boolean).length} of 100`)
  })
}

test('a picture is told by what is in it, wherever it is', async (t) => {
  const next = randomNumbers(3)
  const picture = (bars: boolean) => {
    const [y, x] = [Math.floor(next() * 6), Math.floor(next() * 6)]
    const image = new Float32Array(64)
    for (let i = 0; i < 3; i++) image[bars ? (y + i) * 8 + x : y * 8 + x + i] = 1
    return image
  }
  const set = (count: number) => ({
    inputs: Array.from({ length: count }, (_, i) => picture(i % 2 === 0)),
    targets: Array.from({ length: count }, (_, i) => i % 2),
  })
  const description = network({
    input: values({ shape: [8, 8, 1] }),
    layers: [
      conv2d({ channels: 8, kernel: 3, padding: 1 }),
      relu(),
      maxPool({ kernel: 2 }),
      flatten(),
      dense({ units: 2 }),
    ],
    loss: crossEntropy(),
  })
  t.is(summary(description)[2]!.shape, '[4, 4, 8]')
  using model = await Network.train(description, set(200), { epochs: 30, learningRate: 0.01 })
  const { inputs, targets } = set(60)
  const scores = await model.encode(inputs)
  const right = Array.from(scores, ([no, yes], i) => Number(yes! > no!) === targets[i])
  t.true(right.filter(Boolean).length >= 57, `${right.filter(Boolean).length} of 60`)
})

test('a map is seen in windows, and four of its positions become one', async (t) => {
  const description = network({
    input: values({ shape: [4, 8, 2] }),
    layers: [
      ...transformerBlock({
        name: 'block',
        heads: 1,
        width: 2,
        mapWindows: { side: 2, shift: 1 },
        normFirst: true,
      }),
      ...patchMerging({ name: 'merge', shape: [4, 8, 2] }),
    ],
  })
  t.deepEqual(
    summary(description)
      .map(({ name, shape }) => [name, shape])
      .slice(-2),
    [
      ['merge.norm', '[2, 4, 8]'],
      ['merge.reduction', '[2, 4, 4]'],
    ],
  )
  using model = await Network.create(description)
  t.deepEqual(model.parameter('block.self_attn.relative_bias')!.shape, [9, 1])
  const numbers = randomNumbers(3)
  const item = Float32Array.from({ length: 64 }, () => numbers())
  const before = await model.encode([item])
  // The first position has a window of its own, and is one of the four of the first that comes out.
  item[0]! += 1
  const after = await model.encode([item])
  const changed = Array.from({ length: 8 }, (_, at) => {
    return (
      before
        .row(0)
        .slice(4 * at, 4 * at + 4)
        .join() !==
      after
        .row(0)
        .slice(4 * at, 4 * at + 4)
        .join()
    )
  })
  t.deepEqual(changed, [true, ...Array<boolean>(7).fill(false)])
})

test('axes change places, and items their size', async (t) => {
  const description = network({
    input: values({ shape: [2, 3] }),
    layers: [permute({ axes: [1, 0] }), resize({ size: [5], by: 'linear', alignCorners: true })],
  })
  using model = await Network.create(description)
  const { values: found } = await model.encode([[1, 2, 3, 10, 20, 30]])
  t.deepEqual([...found], [1, 10, 1.5, 15, 2, 20, 2.5, 25, 3, 30])
})

test('layers refuse what does not fit, by their names', async (t) => {
  const refuses = (layers: Parameters<typeof network>[0]['layers'], message: RegExp) => {
    const make = () => network({ input: sequence({ width: 6 }), layers })
    t.regex(t.throws(make, { code: 'INVALID_OPTION' })!.message, message)
  }
  refuses([selfAttention({ heads: 4 })], /`self-attention1` .*heads/)
  refuses([conv2d({ channels: 2, kernel: 3 })], /`conv2d1` expects/)
  refuses(
    [conv1d({ channels: 4, kernel: 3, groups: 4 })],
    /`conv1d1` cannot cut its channels into 4 groups; the input gives \[any, 6\]/,
  )
  refuses([flatten()], /`flatten1` expects items of one length/)
  t.throws(() => lstm({} as { units: number }), {
    message: /lstm: `units` must be an integer from 1 up/,
  })
  t.throws(() => conv1d({ channels: 1, kernel: 0 }), { message: /conv1d: `kernel`/ })
  t.throws(() => transformerBlock({ heads: 2 } as never), { message: /transformerBlock: `width`/ })
  t.throws(() => patchMerging({ shape: [3, 4, 8] }), { message: /patchMerging: `shape`.*even/ })
  t.throws(() => permute({ axes: [-1] }), { message: /permute: `axes`/ })
  refuses([selfAttention({ heads: 2, mapWindows: { side: 4 } })], /`self-attention1` .*two axes/)
  const narrow = network({
    input: sequence({ width: 2 }),
    layers: [conv1d({ channels: 1, kernel: 3 }), pool()],
    loss: squaredError(),
  })
  const examples = {
    inputs: [
      [1, 2, 3, 4, 5, 6],
      [1, 2],
    ],
    targets: [0, 0],
  }
  await t.throwsAsync(Network.train(narrow, examples), {
    code: 'INVALID_INPUT',
    message: /item 1: `conv1d1` takes 3 rows or more, and gets 1/,
  })
})
