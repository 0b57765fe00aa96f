import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  Network,
  batchNorm,
  binaryCrossEntropy,
  contrastive,
  cosineSimilarity,
  conv2d,
  dense,
  dropout,
  embedding,
  flatten,
  ids,
  network,
  pool,
  relu,
  sgd,
  sigmoid,
  squaredError,
  summary,
  tanh,
  triplet,
  values,
  variational,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomNumbers } from '../fixtures/toy.js'

const norms = network({
  input: values({ shape: [6, 5, 2] }),
  layers: [
    conv2d({ name: '0', channels: 4, kernel: 3, bias: false }),
    batchNorm({ name: '1' }),
    relu(),
    batchNorm({ name: '3', affine: false }),
    flatten(),
    dense({ name: '5', units: 5 }),
    batchNorm({ name: '6', epsilon: 0.01 }),
  ],
  loss: squaredError(),
})

test('batch norms of a PyTorch module give its outputs, and are saved as they came', async (t) => {
  const { items, outputs } = JSON.parse(
    readFileSync('__test__/fixtures/nn/norms.json', 'utf8'),
  ) as {
    items: number[][]
    outputs: { last: number[][] }
  }
  using model = await Network.load(norms, '__test__/fixtures/nn/norms.safetensors')
  const found = await model.encode(items)
  outputs.last.forEach((row, i) => {
    row.forEach((value, j) => t.true(Math.abs(found.row(i)[j]! - value) < 1e-5, `${i}, ${j}`))
  })
  // What is folded is there for whoever asks for it.
  t.is((await model.encode(items, { layer: '0' })).dimensions, 48)
  t.deepEqual(model.parameter('1.num_batches_tracked'), { values: Float32Array.of(20), shape: [] })
  const path = join(folder(t), 'norms.safetensors')
  await model.save(path)
  using opened = await Network.open(path)
  t.deepEqual((await opened.encode(items)).values, found.values)
  t.deepEqual(opened.parameter('6.running_var'), model.parameter('6.running_var'))
  const header = readFileSync(path)
  const length = Number(header.readBigUInt64LE())
  const tensors = JSON.parse(header.toString('utf8', 8, 8 + length)) as Record<string, object>
  t.like(tensors['1.num_batches_tracked'], { dtype: 'I64', shape: [] })
})

test('batch norms count what they learn, keep what they have seen, and stay where frozen', async (t) => {
  t.deepEqual(
    summary(norms).map(({ parameters }) => parameters),
    [72, 8, 0, 0, 0, 245, 10],
  )
  const next = randomNumbers(2)
  const inputs = Array.from({ length: 21 }, () =>
    Float32Array.from({ length: 60 }, () => 3 + next()),
  )
  const targets = Array.from({ length: 21 }, () => Float32Array.from({ length: 5 }, next))
  const bytes = async (threads: number) => {
    using model = await Network.train(
      norms,
      { inputs, targets },
      { threads, epochs: 3, batchSize: 5 },
    )
    return ['1.weight', '3.running_mean', '6.running_var'].map((name) => model.parameter(name)!)
  }
  const first = await bytes(1)
  t.deepEqual(await bytes(2), first)
  t.deepEqual(await bytes(3), first)
  using model = await Network.train(norms, { inputs, targets }, { epochs: 3, batchSize: 5 })
  // 21 items are 4 batches: the last one goes with the one before it, for the norm of single vectors.
  t.is(model.parameter('6.num_batches_tracked')!.values[0], 12)
  using further = await model.train({ inputs, targets }, { freeze: ['1', '3'] })
  t.deepEqual(further.parameter('3.running_mean'), model.parameter('3.running_mean'))
  t.notDeepEqual(further.parameter('6.running_mean'), model.parameter('6.running_mean'))
  const all = await model.encode(inputs)
  const [alone] = await model.encode([inputs[7]!])
  t.deepEqual(alone, all.row(7), 'an item does not depend on its neighbours')
  using other = await model.transfer(norms)
  t.deepEqual((await other.encode(inputs)).values, all.values)
})

/** Items of ten kinds: eight values near those of the kind, and sixteen larger ones that say nothing. Two
 * views of each item, and one of another kind. */
function views(count: number, seed: number) {
  const next = randomNumbers(seed)
  const kinds = randomNumbers(17)
  const centres = Array.from({ length: 10 }, () => Array.from({ length: 8 }, () => kinds() - 0.5))
  const view = (kind: number) => [
    ...centres[kind % 10]!.map((value) => value + 0.4 * (next() - 0.5)),
    ...Array.from({ length: 16 }, () => 4 * (next() - 0.5)),
  ]
  const numbers = Array.from({ length: count }, (_, i) => i)
  return {
    inputs: numbers.map(view),
    positives: numbers.map(view),
    negatives: numbers.map((kind) => view(kind + 1 + Math.floor(9 * next()))),
  }
}

/** The share of anchors that have the view of their own kind nearest among ten. */
function shareFound(anchors: ArrayLike<number>[], others: ArrayLike<number>[]): number {
  const length = (x: ArrayLike<number>) => Math.hypot(...Array.from(x))
  const cosine = (x: ArrayLike<number>, y: ArrayLike<number>) =>
    Array.from(x).reduce((sum, value, i) => sum + value * y[i]!, 0) / (length(x) * length(y))
  const right = anchors.filter((anchor, i) => {
    const group = others.slice(i - (i % 10), i - (i % 10) + 10)
    const scores = group.map((other) => cosine(anchor, other))
    return scores.indexOf(Math.max(...scores)) === i % 10
  })
  return right.length / anchors.length
}

const encoder = [dense({ units: 32 }), tanh(), dense({ units: 8 })]
const pairwise = {
  'in-batch negatives': contrastive({ temperature: 0.2 }),
  'both ways, with negatives': contrastive({ temperature: 0.2, symmetric: true }),
  triplets: triplet({ margin: 2 }),
  'triplets of cosines': triplet({ margin: 0.5, distance: 'cosine' }),
}
for (const [name, loss] of Object.entries(pairwise)) {
  test(`items come near what is like them: ${name}`, async (t) => {
    const description = network({ input: values({ shape: [24] }), layers: encoder, loss })
    const examples = (count: number, seed: number) => {
      const { negatives, ...pairs } = views(count, seed)
      return name === 'in-batch negatives' ? pairs : { ...pairs, negatives }
    }
    const heldOut = examples(200, 2)
    using model = await Network.train(description, examples(400, 1), {
      batchSize: 20,
      epochs: 30,
      learningRate: 0.005,
      validation: heldOut,
    })
    const before = shareFound(heldOut.inputs, heldOut.positives)
    const encoded = [await model.encode(heldOut.inputs), await model.encode(heldOut.positives)]
    const [anchors, positives] = encoded.map((vectors) => Array.from(vectors))
    const after = shareFound(anchors!, positives!)
    t.log(`${after} find their own, ${before} before`)
    t.true(before < 0.2 && after > 0.5, `${before}, ${after}`)
    const [first, last] = [model.history[0]!, model.history.at(-1)!]
    t.true(last.loss < 0.8 * first.loss && last.validation! < first.validation!)
    const { loss: best } = await model.evaluate(heldOut, { batchSize: 20 })
    const lowest = Math.min(...model.history.map((epoch) => epoch.validation!))
    t.true(Math.abs(best - lowest) < 1e-5, `${best}, ${lowest}`)
  })
}

test('the same sentences twice, with other dropout, bring sentences of one topic together', async (t) => {
  const next = randomNumbers(4)
  // Twenty words of each of ten topics; a sentence has six of one topic and two of any.
  const word = (topic: number) => topic * 20 + Math.floor(20 * next())
  const sentences = Array.from({ length: 600 }, (_, i) =>
    Array.from({ length: 8 }, (__, k) => word(k < 6 ? i % 10 : Math.floor(10 * next()))),
  )
  const layers = [
    embedding({ values: 200, dimensions: 16 }),
    pool({ by: 'mean' }),
    dense({ units: 16 }),
  ]
  const simcse = (probability: number) =>
    network({ input: ids(), layers: [dropout({ probability }), ...layers], loss: contrastive() })
  t.throws(() => simcse(0.1), { message: /`dropout1` takes values/ })
  const fallen = (probability: number) =>
    network({
      input: ids(),
      layers: [layers[0]!, dropout({ probability }), ...layers.slice(1)],
      loss: contrastive({ temperature: 0.1 }),
    })
  const examples = { inputs: sentences, positives: sentences }
  const training = { epochs: 1, batchSize: 30, learningRate: 0.003 }
  using model = await Network.train(fallen(0.3), examples, training)
  using certain = await Network.train(fallen(0), examples, training)
  // Both passes have random numbers of their own: without these, each item is its own positive.
  t.true(model.history[0]!.loss > 1.5 * certain.history[0]!.loss, `${model.history[0]!.loss}`)
  using further = await model.train(examples, { ...training, epochs: 10 })
  t.true(further.history.at(-1)!.loss < 0.7 * model.history[0]!.loss)
})

test('a variational code is as near to the standard normal one as its weight says', async (t) => {
  const next = randomNumbers(6)
  const inputs = Array.from({ length: 300 }, () => {
    const [a, b] = [next(), next()]
    return [a, b, a * b, (a + b) / 2, 1 - a, 1 - b]
  })
  const autoencoder = (weight: number) =>
    network({
      input: values({ shape: [6] }),
      layers: [
        dense({ units: 16 }),
        tanh(),
        variational({ name: 'code', units: 2, weight }),
        dense({ units: 16 }),
        tanh(),
        dense({ units: 6 }),
      ],
      loss: squaredError(),
    })
  const spread = async (weight: number) => {
    using model = await Network.train(
      autoencoder(weight),
      { inputs },
      { epochs: 60, learningRate: 0.01, validation: { inputs } },
    )
    const code = await model.encode(inputs, { layer: 'code' })
    t.deepEqual((await model.encode(inputs, { layer: 'code' })).values, code.values)
    const decoded = await model.encode(inputs)
    const errors = inputs.flatMap((item, i) => item.map((x, j) => (x - decoded.row(i)[j]!) ** 2))
    const error = errors.reduce((sum, x) => sum + x) / errors.length
    const mean = (power: number) =>
      code.values.reduce((sum, x) => sum + x ** power, 0) / code.values.length
    // What the validation loss has beside the error of what comes of means is the divergence.
    const divergence = (model.history.at(-1)!.validation! - error) * 6
    return { error, divergence, variance: mean(2) - mean(1) ** 2 }
  }
  const [free, held, crushed] = [await spread(0), await spread(0.02), await spread(10)]
  t.log(free, held, crushed)
  t.true(Math.abs(free.divergence) < 1e-6, 'a weight of 0 adds nothing')
  t.true(free.error < held.error && held.error < crushed.error)
  t.true(held.divergence > 0.01 && held.variance > 0.3 && held.variance < 1.5)
  t.true(crushed.variance < 0.01, 'all items have the standard normal distribution')
})

test('a variational autoencoder of pixels learns by its evidence lower bound', async (t) => {
  const next = randomNumbers(8)
  const inputs = Array.from({ length: 200 }, () => {
    const at = Math.floor(8 * next())
    return Float32Array.from({ length: 16 }, (_, i) => Number(i >= at && i < at + 8))
  })
  const description = network({
    input: values({ shape: [16] }),
    layers: [
      dense({ units: 16 }),
      relu(),
      variational({ name: 'code', units: 2 }),
      dense({ units: 16 }),
      relu(),
      dense({ name: 'pixels', units: 16 }),
    ],
    loss: binaryCrossEntropy(),
  })
  using model = await Network.train(description, { inputs }, { epochs: 150, learningRate: 0.01 })
  const bound = model.history.at(-1)!.loss * 16
  // Eight pictures, all as likely: no code can do with less than ln 8.
  t.true(bound > Math.log(8) && bound < 2.5 * Math.log(8), `${bound}`)
  using shown = await model.transfer(
    network({ input: description.inputs, layers: [...description.layers, sigmoid()] }),
  )
  const seen = await shown.encode(inputs)
  const right = inputs.filter((item, i) =>
    item.every((pixel, j) => Number(seen.row(i)[j]! > 0.5) === pixel),
  )
  t.true(right.length > 120, `${right.length} of 200`)
})

test('cosines of pairs become their scores', async (t) => {
  const description = network({
    input: ids(),
    layers: [embedding({ values: 8, dimensions: 6 }), pool({ by: 'mean' })],
    loss: cosineSimilarity(),
  })
  const inputs = [[0], [1, 2], [3], [4, 4]]
  const others = [[5], [6], [7, 7, 7], [5]]
  const targets = [1, -0.5, 0.25, 0]
  const examples = { inputs, others, targets }
  using model = await Network.train(description, examples, {
    epochs: 400,
    learningRate: 0.02,
    validation: examples,
  })
  const vectors = await model.encode([...inputs, ...others])
  for (const [i, score] of targets.entries()) {
    t.true(Math.abs(vectors.similarity(i, i + 4) - score) < 0.02)
  }
  const { loss } = await model.evaluate(examples)
  t.true(loss < 1e-3)
  t.is(Math.min(...model.history.map(({ validation }) => validation!)), loss)
})

test('examples that a loss cannot take are one clear error', async (t) => {
  const input = values({ shape: [2] })
  const layers = [dense({ units: 3 })]
  const pairs = network({ input, layers, loss: contrastive() })
  const triplets = network({ input, layers, loss: triplet() })
  const squares = network({ input, layers: [dense({ units: 2 })], loss: squaredError() })
  const items = [
    [1, 2],
    [3, 4],
    [5, 6],
  ]
  const refuses = async (
    description: Parameters<typeof Network.train>[0],
    examples: object,
    message: RegExp,
    options = {},
  ) => {
    const training = Network.train(description, { inputs: items, ...examples }, options)
    t.regex((await t.throwsAsync(training))!.message, message)
  }
  await refuses(pairs, {}, /`positives` must be items as `inputs` has them, for `contrastive`/)
  await refuses(triplets, { positives: items }, /`negatives` must be items .* for `triplet`/)
  await refuses(
    squares,
    { positives: items },
    /`positives` is for `contrastive` and `triplet`, and/,
  )
  const both = { positives: items, targets: [0, 1, 2] }
  await refuses(pairs, both, /`targets` is not for `contrastive`, which takes `positives`/)
  await refuses(pairs, { positives: items.slice(1) }, /the positives: are 2, of 3 items/)
  const scored = network({ input, layers, loss: cosineSimilarity() })
  await refuses(scored, { targets: [0, 1, 0] }, /`others` must be items as `inputs` has them, for/)
  await refuses(scored, { others: items }, /`targets` must be a score for each pair, got undefined/)
  await refuses(scored, { positives: items, targets: [1] }, /`positives` is for `contrastive`/)
  await refuses(pairs, { positives: items, others: items }, /`others` is for `cosineSimilarity`/)
  const few = { others: items.slice(1), targets: [0, 1, 0] }
  await refuses(scored, few, /the others: are 2, of 3 items/)
  await refuses(scored, { others: items, targets: [0, 1] }, /the targets: are 2, of 3 items/)
  const alone = /learns from 2 examples at a time or more, which its loss compares: a batch has 1/
  await refuses(pairs, { positives: items }, alone, { batchSize: 1 })
  await refuses(pairs, { inputs: [[1, 2]], positives: [[1, 2]] }, alone)
  const validation = { inputs: items }
  await refuses(pairs, { positives: items }, /`validation\.positives` must be items/, {
    validation,
  })
  using model = await Network.train(pairs, { inputs: items, positives: items })
  await t.throwsAsync(model.evaluate({ inputs: items }), {
    message: /evaluate: `positives` must be/,
  })
  await t.throwsAsync(model.evaluate({ inputs: items, positives: items }, { batchSize: 1 }), {
    message: /has a loss over 2 examples at a time or more: a batch has 1/,
  })
  const words = network({
    input: ids(),
    layers: [embedding({ values: 9, dimensions: 2 })],
    loss: contrastive(),
  })
  const sentences = { inputs: [[1, 2], [3]], positives: [[1], [2]] }
  await refuses(
    words,
    sentences,
    /gives \[any, 2\], and its loss takes a vector for each item: pool them first/,
  )
  const single = network({ input, layers: [batchNorm({ name: 'norm' })], loss: squaredError() })
  await refuses(single, { inputs: [[1, 2]] }, /which `norm` compares: a batch has 1/)
  t.throws(() => contrastive({ temperature: 0 }), { message: /contrastive: `temperature`/ })
  t.throws(() => triplet({ distance: 'manhattan' as 'cosine' }), { message: /triplet: `distance`/ })
  t.throws(() => batchNorm({ momentum: 2 }), { message: /batch-norm: `momentum`/ })
  t.throws(() => variational({} as { units: number }), { message: /variational: `units`/ })
})

test('losses over pairs and norms that diverge say so, and end where they are stopped', async (t) => {
  const input = values({ shape: [2] })
  const inputs = Array.from({ length: 40 }, (_, i) => [i, 1 - i])
  const line = network({ input, layers: [dense({ units: 2 }), batchNorm()], loss: squaredError() })
  await t.throwsAsync(
    Network.train(line, { inputs }, { optimizer: sgd(), learningRate: 1e30, epochs: 50 }),
    { code: 'DIVERGED' },
  )
  const pairs = network({ input, layers: [dense({ units: 4 }), batchNorm()], loss: contrastive() })
  const controller = new AbortController()
  const examples = { inputs, positives: inputs }
  const training = Network.train(pairs, examples, {
    threads: 3,
    batchSize: 8,
    epochs: 1_000_000,
    signal: controller.signal,
    onProgress: () => controller.abort(new Error('enough')),
  })
  await t.throwsAsync(training, { message: 'enough' })
})
