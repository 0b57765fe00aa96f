// Sentence encoders in service: worker threads that share weights and are ended in the middle, texts of a megabyte, thousands
// of batches.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { SentenceEncoder } from 'inlay'
import { folder } from '../fixtures/folder.js'
import { longestHoldOf } from '../fixtures/longest-hold.js'
import { ownMegabytes, settledMegabytes } from '../fixtures/own-memory.js'
import { randomBert } from '../fixtures/random-bert.js'

const golden = fileURLToPath(new URL('../../../__test__/golden/text-models', import.meta.url))
const encoding = new URL('../fixtures/encoding.js', import.meta.url)
const text = 'the quick fox'

/** A worker that has loaded a folder, and the vector that it has for `text`. */
async function workerFor(path: string): Promise<{ worker: Worker; vector: Float32Array }> {
  const worker = new Worker(encoding, { workerData: { path, text } })
  return { worker, vector: await messageOf<Float32Array>(worker) }
}

const messageOf = <T>(worker: Worker) =>
  new Promise<T>((resolve, reject) => worker.once('message', resolve).once('error', reject))

test.serial(
  'worker threads share the weights of a folder, and end in the middle of their work',
  async (t) => {
    const path = join(folder(t), 'model')
    const [rows, width] = [60_000, 256]
    await randomBert(path, join(golden, 'bert'), { rows, width, blocks: 2 })
    using encoder = await SentenceEncoder.load(path)
    const { values } = await encoder.encode([text])

    // What a worker takes without any weights: that of a model so small that they are nothing.
    const small = await workerFor(join(golden, 'bert'))
    const before = await settledMegabytes()
    const others = await Promise.all([1, 2, 3].map(() => workerFor(join(golden, 'bert'))))
    const begun = await settledMegabytes()
    const empty = begun - before
    const workers = await Promise.all([1, 2, 3].map(() => workerFor(path)))
    const grown = (await settledMegabytes()) - begun - empty
    const weights = (rows * width * 4) / 2 ** 20
    t.log(
      `three workers: ${grown.toFixed(0)} MB beside what workers take, of ${weights.toFixed(0)}`,
    )
    t.true(grown < weights, 'not even the weights of one')
    for (const { vector } of workers) t.deepEqual(vector, values)

    for (const { worker } of [...workers, ...others, small]) {
      worker.postMessage('go on')
      t.is(await messageOf(worker), 'under way')
      await worker.terminate()
    }
    t.deepEqual((await encoder.encode([text])).values, values)
  },
)

/** Milliseconds from an abort to the rejection: the least of a few, as the machine may be busy. */
async function stoppedAfter(begin: (signal: AbortSignal) => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < 3; i++) {
    const controller = new AbortController()
    const rejected = begin(controller.signal).then(
      () => Infinity,
      () => performance.now(),
    )
    await new Promise((resolve) => setTimeout(resolve, 60))
    const asked = performance.now()
    controller.abort()
    times.push((await rejected) - asked)
  }
  return Math.min(...times)
}

for (const model of ['bert', 'roberta']) {
  test.serial(
    `${model}: a text of a megabyte is read to its limit, holds nobody up and can be stopped`,
    async (t) => {
      using encoder = await SentenceEncoder.load(join(golden, model))
      const cases = ['a lazy dog and the fox '.repeat(45_000), 'untouchable'.repeat(95_000)]
      for (const long of cases) {
        t.true(long.length > 1_000_000)
        const found = await encoder.encode([long, ''])
        t.is(found.tokens[1], 2)
        // A word of a megabyte is unknown to WordPiece.
        if (model === 'bert' && !long.includes(' ')) t.is(found.tokens[0], 3)
        else {
          const beginning = await encoder.encode([long.slice(0, 5_000)])
          t.deepEqual(found.truncated, [0])
          t.deepEqual(found.row(0), beginning.row(0))
          await t.throwsAsync(encoder.encode([long], { truncate: 'error' }), {
            code: 'INVALID_INPUT',
            message: /text 0 has \d+ tokens, and 64 are read/,
          })
        }
        const held = await longestHoldOf(() => encoder.encode([long, long, long]))
        const stopped = await stoppedAfter((signal) =>
          encoder.encode(Array(100).fill(long), { signal }),
        )
        t.log(`event loop held ${held.toFixed(1)} ms, stopped after ${stopped.toFixed(0)} ms`)
        t.true(held < 5, `${held} ms`)
        t.true(stopped < 100, `${stopped} ms`)
      }
    },
  )
}

test.serial('hundreds of batches leave no memory behind', async (t) => {
  using encoder = await SentenceEncoder.load(join(golden, 'roberta'))
  const batch = (i: number) =>
    Array.from({ length: 16 }, (_, j) => `${'a fox and a dog '.repeat((i + j) % 9)}${j}`)
  const some = async (count: number) => {
    for (let i = 0; i < count; i++) await encoder.encode(batch(i))
    return ownMegabytes()
  }
  await some(300)
  const [first, last] = [await some(300), await some(900)]
  t.log(`${(last - first).toFixed(1)} MB in 900 batches`)
  // 30 kB of each would be seen.
  t.true(last - first < 30)
})
