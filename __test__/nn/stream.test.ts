import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import {
  type Example,
  Network,
  concat,
  crossEntropy,
  dense,
  embedding,
  ids,
  network,
  pool,
  squaredError,
  take,
  tanh,
  values,
} from 'inlay'
import { longestHold } from '../fixtures/longest-hold.js'
import { node } from '../fixtures/node.js'
import { randomNumbers } from '../fixtures/toy.js'

const classes = network({
  input: values({ shape: [2] }),
  layers: [dense({ units: 12 }), tanh(), dense({ units: 2 })],
  loss: crossEntropy(),
})
const next = randomNumbers(7)
const inputs = Array.from({ length: 300 }, () => [next() - 0.5, next() - 0.5])
const targets = inputs.map(([x, y]) => (x! * y! > 0 ? 1 : 0))
const examples: Example[] = inputs.map((input, i) => ({ input, target: targets[i]! }))
const options = { epochs: 30, batchSize: 16, learningRate: 0.03 }
const weights = (model: Network) => model.parameter('dense1.weight')!.values

async function* slowly() {
  for (const [i, example] of examples.entries()) {
    if (i % 100 === 50) await pause(1)
    yield example
  }
}

test('a stream that fits its buffer gives the same bytes as its examples at once', async (t) => {
  using whole = await Network.train(classes, { inputs, targets }, options)
  for (const stream of [examples, () => examples, slowly]) {
    using model = await Network.train(classes, stream, options)
    t.deepEqual(weights(model), weights(whole))
    t.deepEqual(model.history, whole.history)
  }
})

test('the rate of a stream falls along the steps that were said, as along those of examples at once', async (t) => {
  const falling = { ...options, schedule: 'cosine', epochs: 3 } as const
  using whole = await Network.train(classes, { inputs, targets }, falling)
  // 300 examples are 19 steps an epoch.
  using model = await Network.train(classes, examples, { ...falling, steps: 57 })
  t.deepEqual(weights(model), weights(whole))
  // What goes on for longer than was said does so without a rate.
  using longer = await Network.train(classes, examples, { ...falling, epochs: 5, steps: 57 })
  t.deepEqual(weights(longer), weights(whole))
  const totals = new Set<number | undefined>()
  const onProgress = ({ total }: { total?: number }) => totals.add(total)
  using _ = await Network.train(classes, examples, { ...falling, steps: 57, onProgress })
  t.deepEqual([...totals], [57 * 16])
  const refused = (given: object, message: RegExp) =>
    t.throwsAsync(Network.train(classes, examples, { ...options, ...given }), { message })
  await refused({ schedule: 'cosine' }, /`schedule` has no meaning for a stream.* without `steps`/)
  await refused({ steps: 5 }, /`steps` has no meaning where `schedule` is 'constant'/)
  const held = Network.train(classes, { inputs, targets }, { ...falling, steps: 5 })
  await t.throwsAsync(held, { message: /`steps` is for streams of examples only/ })
})

test('a small buffer learns as well, the same bytes for a seed and any number of threads', async (t) => {
  const small = { ...options, shuffleBuffer: 60, validation: { inputs, targets } }
  using first = await Network.train(classes, examples, { ...small, threads: 1 })
  using again = await Network.train(classes, examples, { ...small, threads: 3 })
  t.deepEqual(weights(again), weights(first))
  t.true(first.history.at(-1)!.validation! < 0.2, JSON.stringify(first.history.at(-1)))
  using other = await Network.train(classes, examples, { ...small, seed: 2 })
  t.notDeepEqual(weights(other), weights(first))
})

test('a million examples take the memory of two blocks, and are not read ahead of the learning', async (t) => {
  const program = fileURLToPath(new URL('../fixtures/stream-of-a-million.js', import.meta.url))
  const { stdout, stderr } = await node([program])
  const { grown, ahead, read, loss } = JSON.parse(stdout || `"${stderr}"`) as Record<string, number>
  t.is(read, 1_000_000)
  // All of them would be 400 MB.
  t.true(grown! < 100, `grew by ${grown} MB`)
  t.true(ahead! <= 3 * 4096, `${ahead} examples ahead`)
  t.true(loss! < 0.2, `a loss of ${loss}`)
})

test('the event loop is free while a stream is read', async (t) => {
  const controller = new AbortController()
  const { signal } = controller
  const training = Network.train(classes, () => many(Infinity), { batchSize: 256, signal })
  t.true((await longestHold()) < 5)
  controller.abort(new Error('enough'))
  await t.throwsAsync(training, { message: 'enough' })
})

function* many(count: number) {
  for (let i = 0; i < count; i++) yield examples[i % examples.length]!
}

test('several inputs, sequences, and an autoencoder without targets come from streams', async (t) => {
  const two = network({
    input: [ids({ name: 'words' }), values({ name: 'size', shape: [1] })],
    layers: [
      concat([
        [take('words'), embedding({ values: 9, dimensions: 4 }), pool({ by: 'mean' })],
        [take('size')],
      ]),
      dense({ units: 2 }),
    ],
    loss: crossEntropy(),
  })
  const rows = inputs.map(([x], i) => ({
    input: { words: Array.from({ length: 1 + (i % 4) }, (_, j) => (i + j) % 9), size: [x!] },
    target: i % 2,
  }))
  const columns = {
    inputs: { words: rows.map((row) => row.input.words), size: rows.map((row) => row.input.size) },
    targets: rows.map((row) => row.target),
  }
  using streamed = await Network.train(two, rows, { epochs: 2 })
  using whole = await Network.train(two, columns, { epochs: 2 })
  t.deepEqual(streamed.history, whole.history)
  const same = network({
    input: values({ shape: [2] }),
    layers: [dense({ units: 2 })],
    loss: squaredError(),
  })
  using itself = await Network.train(
    same,
    inputs.map((input) => ({ input })),
    { epochs: 2 },
  )
  using columnwise = await Network.train(same, { inputs }, { epochs: 2 })
  t.deepEqual(itself.history, columnwise.history)
})

test('what is wrong with an example is said with its number', async (t) => {
  const wrong = (given: unknown, message: RegExp) =>
    t.throwsAsync(Network.train(classes, [...examples.slice(0, 20), given as Example], options), {
      code: 'INVALID_OPTION',
      message,
    })
  await wrong({ input: [1, 'b'], target: 0 }, /examples\[20\]\.input/)
  await wrong({ input: [1, 2] }, /examples\[20\]\.target/)
  await wrong({ target: 1 }, /examples\[20\]` must be an object with `input`/)
  await wrong({ input: null, target: 1 }, /examples\[20\]` must be an object with `input`/)
  await wrong({ input: [1, 2], targets: 1 }, /`examples\[20\].targets`; did you mean .*\.target`/)
  await wrong({ input: { input: [1, 2], size: 1 }, target: 1 }, /no input .*\[20\].input.size`$/)
  await wrong(5, /examples\[20\]/)
  await t.throwsAsync(
    Network.train(classes, [...examples, { input: [1, 2], target: 2 }], options),
    {
      code: 'INVALID_INPUT',
      message: /has the id 2; they are below 2/,
    },
  )
  await t.throwsAsync(Network.train(classes, [], options), {
    message: /has no examples in epoch 1/,
  })
  await t.throwsAsync(Network.train(classes, many(40), options), {
    code: 'INVALID_OPTION',
    message: /a function that gives the examples anew for each epoch, or `epochs: 1`/,
  })
  await t.throwsAsync(Network.train(classes, examples, { schedule: 'linear' }), {
    message: /`schedule`/,
  })
  await t.throwsAsync(Network.train(classes, { inputs, targets }, { shuffleBuffer: 5 }), {
    message: /`shuffleBuffer` is for streams of examples only/,
  })
})

test('a stream that fails, or is stopped, ends the training and is let go', async (t) => {
  let ended = 0
  async function* failing(after: number) {
    try {
      for (let i = 0; ; i++) {
        if (i === after) throw new RangeError('no more rows')
        yield examples[i % 300]!
      }
    } finally {
      ended++
    }
  }
  await t.throwsAsync(Network.train(classes, failing(5000), { epochs: 1 }), {
    instanceOf: RangeError,
    message: 'no more rows',
  })
  t.is(ended, 1)
  const controller = new AbortController()
  const aborted = Network.train(classes, failing(Infinity), {
    epochs: 1,
    signal: controller.signal,
    onProgress: ({ done }) => {
      if (done > 0) controller.abort()
    },
  })
  await t.throwsAsync(aborted, { any: true, instanceOf: DOMException })
  await pause(20)
  t.is(ended, 2)
})
