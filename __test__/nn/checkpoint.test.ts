import { copyFileSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Network, dense, network, sgd, squaredError, values } from 'inlay'
import { countingModel, countingTexts } from '../fixtures/counting.js'
import { folder } from '../fixtures/folder.js'
import { node } from '../fixtures/node.js'

const texts = countingTexts()
const options = {
  epochs: 30,
  batchSize: 4,
  truncate: 12,
  threads: 2,
  schedule: 'linear',
  validation: countingTexts(2, 50),
} as const
const names = ['embedding1.weight', 'lstm1.weight_ih_l1', 'dense1.weight']
const all = (model: Network) => names.map((name) => model.parameter(name)!.values)

test('a training that was killed goes on from its checkpoint, to the same bytes', async (t) => {
  const path = join(folder(t), 'a.checkpoint')
  const program = fileURLToPath(new URL('../fixtures/resumed-network.js', import.meta.url))
  const unbroken = await node([program])
  const killed = await node([program, path, 'kill'])
  t.is(killed.signal, 'SIGKILL', killed.stderr)
  const resumed = await node([program, path])
  t.regex(unbroken.stdout, /^[0-9a-f]{64}\s*$/, unbroken.stderr)
  t.is(resumed.stdout, unbroken.stdout, resumed.stderr)
})

test('a training that was aborted leaves a checkpoint and goes on from it', async (t) => {
  const checkpoint = join(folder(t), 'a.checkpoint')
  const kept = { ...options, checkpoint, checkpointEvery: 1000 }
  const controller = new AbortController()
  let stopped = 0
  const aborted = Network.train(countingModel(), texts, {
    ...kept,
    signal: controller.signal,
    onProgress: ({ done }) => {
      stopped = done
      if (done > 0) controller.abort()
    },
  })
  await t.throwsAsync(aborted, { any: true, instanceOf: DOMException })
  t.true(existsSync(checkpoint))
  let first: number | undefined
  using resumed = await Network.train(countingModel(), texts, {
    ...kept,
    onProgress: ({ done }) => {
      first ??= done
    },
  })
  t.true(stopped > 0 && first! >= stopped, `stopped at ${stopped}, went on at ${first}`)
  using whole = await Network.train(countingModel(), texts, options)
  t.deepEqual(all(resumed), all(whole))
  t.deepEqual(resumed.history, whole.history)
  // A training that has come to its end is given again; and its file is a network.
  using again = await Network.train(countingModel(), texts, kept)
  t.deepEqual(all(again), all(whole))
  using opened = await Network.open(checkpoint)
  t.deepEqual(opened.parameter('dense1.weight')?.shape, [7, 64])
})

test('a checkpoint of something else is refused, by name', async (t) => {
  const checkpoint = join(folder(t), 'a.checkpoint')
  const few = { ...options, epochs: 1, checkpoint }
  using _ = await Network.train(countingModel(), texts, few)
  const refused = async (given: object, message: RegExp, examples = texts) =>
    t.throwsAsync(Network.train(countingModel(), examples, { ...few, ...given }), {
      code: 'INVALID_OPTION',
      message,
    })
  await refused({ seed: 2 }, /`checkpoint` must be a checkpoint with seed 2, this one has 1/)
  await refused({ batchSize: 2 }, /with batchSize 2, this one has 4/)
  await refused({ epochs: 2 }, /with epochs 2, this one has 1/)
  await refused({}, /a checkpoint of the same examples/, countingTexts(8, 60))
  await refused({ validation: texts }, /a checkpoint of the same validation examples/)
  await refused({ checkpoint: undefined, checkpointEvery: 1 }, /`checkpointEvery`/)
  const damaged = join(folder(t), 'damaged')
  writeFileSync(damaged, 'no checkpoint')
  await t.throwsAsync(Network.train(countingModel(), texts, { ...few, checkpoint: damaged }), {
    code: 'INVALID_INPUT',
  })
})

test('a training that diverges leaves the last weights whose loss was finite', async (t) => {
  const checkpoint = join(folder(t), 'a.checkpoint')
  const line = network({
    input: values({ shape: [1] }),
    layers: [dense({ units: 1 })],
    loss: squaredError(),
  })
  const examples = { inputs: [1, 2], targets: [5, 3] }
  const far = {
    optimizer: sgd(),
    learningRate: 100,
    epochs: 1000,
    checkpoint,
    checkpointEvery: 1e-6,
  }
  const error = await t.throwsAsync(Network.train(line, examples, far), { code: 'DIVERGED' })
  t.true(error!.message.includes(`the last good weights are in ${checkpoint}`), error!.message)
  using good = await Network.open(checkpoint)
  t.true(Number.isFinite((await good.evaluate(examples)).loss))
  // It is not made better by going on.
  await t.throwsAsync(Network.train(line, examples, far), { code: 'DIVERGED' })
})

test('with a constant rate a training can be made longer', async (t) => {
  const path = join(folder(t), 'a.checkpoint')
  const constant = { epochs: 2, batchSize: 4, truncate: 12, checkpoint: path }
  using first = await Network.train(countingModel(), texts, constant)
  copyFileSync(path, `${path}.copy`)
  using longer = await Network.train(countingModel(), texts, { ...constant, epochs: 4 })
  using whole = await Network.train(countingModel(), texts, {
    epochs: 4,
    batchSize: 4,
    truncate: 12,
  })
  t.is(first.history.length, 2)
  t.deepEqual(longer.history, whole.history)
  t.deepEqual(all(longer), all(whole))
})
