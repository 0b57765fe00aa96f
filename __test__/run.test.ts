import { getEventListeners } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { InlayError, type Progress, Word2Vec, WordVectors, configure } from 'inlay'
import { probeCallPanic, probePanic, probeQueryPanic } from '#inlay/native.js'
import { runOptions, settleAlone } from '#inlay/options.js'
import { ProgressReport, atOnce, run, serve } from '#inlay/run.js'
import { longestHold } from './fixtures/longest-hold.js'
import { node, script } from './fixtures/node.js'
import { toySentences } from './fixtures/toy.js'

const toy = toySentences(100_000)
const endless = new URL('fixtures/endless.js', import.meta.url)
/** An AbortError is a DOMException, which is no native error to ava. */
const aborted = { any: true, instanceOf: DOMException } as const
const long = { minCount: 1, epochs: 100_000 }
const short = { minCount: 1, epochs: 1, dimensions: 16, threads: 1 }

/** The longest hold of the event loop while so many trainings are under way. */
async function holdOf(t: ExecutionContext, trainings: number): Promise<number> {
  const controller = new AbortController()
  const options = { ...long, signal: controller.signal }
  const begun = Array.from({ length: trainings }, () => Word2Vec.train(toy, options))
  const ended = Promise.all(begun.map((training) => t.throwsAsync(training, aborted)))
  const hold = await longestHold()
  controller.abort()
  await ended
  t.log({ hold })
  return hold
}

test.serial('a long training never holds the event loop', async (t) => {
  t.true((await holdOf(t, 1)) < 5)
})

test.serial('two trainings at once never hold the event loop', async (t) => {
  t.true((await holdOf(t, 2)) < 5)
})

test.serial('runs one after the other have the same threads', async (t) => {
  if (process.platform !== 'linux') return t.pass()
  const seen = new Set<string>()
  for (let i = 0; i < 20; i++) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other is what is tested
    await Word2Vec.train(toySentences(100), { ...short, threads: 2 })
    for (const task of readdirSync('/proc/self/task')) {
      const name = readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim()
      if (name === 'inlay') seen.add(task)
    }
  }
  t.log(`${seen.size} threads for 20 runs`)
  t.true(seen.size >= 2 && seen.size < 10)
})

test.serial('a signal stops a training within 50 ms and leaves nothing behind', async (t) => {
  const latencies: number[] = []
  for (let i = 0; i < 10; i++) {
    const one = new AbortController()
    const training = Word2Vec.train(toy, { ...long, signal: one.signal })
    await sleep(30)
    const asked = performance.now()
    one.abort()
    const error = await t.throwsAsync(training, aborted)
    t.is((error as DOMException).name, 'AbortError')
    latencies.push(performance.now() - asked)
    t.is(getEventListeners(one.signal, 'abort').length, 0)
  }
  t.log('latencies in ms', latencies.map((n) => n.toFixed(1)).join(' '))
  t.true(latencies.toSorted((a, b) => a - b)[5]! < 50)

  const controller = new AbortController()
  const { signal } = controller
  await Word2Vec.train(toy, { ...short, signal })
  t.is(getEventListeners(signal, 'abort').length, 0)
  controller.abort(new Error('my reason'))
  await t.throwsAsync(Word2Vec.train(toy, { signal }), { message: 'my reason' })
})

test.serial('two thousand runs do not add up in memory', async (t) => {
  const tiny = toySentences(200)
  const after = async (count: number) => {
    for (let i = 0; i < count; i++) (await Word2Vec.train(tiny, short)).close()
    for (let i = 0; i < 3; i++) {
      globalThis.gc!()
      await sleep(20) // native memory is freed after the collection, on a later turn
    }
    const { rss, external } = process.memoryUsage()
    return { rss: rss / 2 ** 20, external: external / 2 ** 20 }
  }
  const [first, last] = [await after(600), await after(1400)]
  t.log(first, last)
  t.true(last.external - first.external < 1)
  t.true(last.rss - first.rss < 40)
})

test.serial('models that are forgotten are freed without close', async (t) => {
  const sentences = toySentences(20_000, 10_000)
  const options = { ...short, dimensions: 1024 } // about 80 MB each
  for (let i = 0; i < 12; i++) {
    await Word2Vec.train(sentences, options)
    await sleep(20)
  }
  const held = process.memoryUsage().rss / 2 ** 20
  t.log({ held })
  t.true(held < 600, 'the garbage collector does not know what the models weigh')
})

test.serial('progress comes ten times a second at most, rises, and ends at the end', async (t) => {
  const events: (Progress & { time: number })[] = []
  let settled = false
  const onProgress = (event: Progress) => {
    t.false(settled)
    events.push({ ...event, time: performance.now() })
  }
  const start = performance.now()
  await Word2Vec.train(toy, { minCount: 1, epochs: 20, threads: 1, onProgress })
  settled = true
  const training = events.filter(({ phase }) => phase === 'train')
  const last = training.at(-1)!
  t.is(events.at(-1), last)
  t.is(last.total, last.done)
  t.is(last.done, 20 * 100_000)
  t.is(last.unit, 'words')
  t.is(last.epoch, 20)
  t.true(events.every(({ rate }) => rate >= 0))
  t.true(training.some(({ remaining }) => remaining! >= 0))
  t.true(training.some(({ loss }) => loss! > 0))
  // 95 ms apart at least, as two threads' clocks may differ; the first and the last of a phase come in any
  // case. A phase begins where the one before has ended.
  let began = start
  for (const phase of new Set(events.map((event) => event.phase))) {
    const heard = events.filter((event) => event.phase === phase)
    const seconds = (heard.at(-1)!.time - began) / 1000
    began = heard.at(-1)!.time
    t.true(heard.length <= seconds / 0.095 + 2, `${phase}: ${heard.length} in ${seconds} s`)
  }
  t.deepEqual(
    training.map(({ done }) => done),
    training.map(({ done }) => done).toSorted((a, b) => a - b),
  )
})

test.serial('a pause, as for a validation, hardly changes the rate and the time left', (t) => {
  const { now } = performance
  t.teardown(() => (performance.now = now))
  let [time, done] = [0, 0]
  performance.now = () => time
  const told: Progress[] = []
  const report = new ProgressReport((progress) => told.push(progress))
  const hear = (milliseconds: number) => {
    time += milliseconds
    done += 100
    report.hear({ phase: 'train', unit: 'items', done, total: 10_000 })
  }
  for (let event = 0; event < 60; event += 1) hear(100)
  hear(2000)
  const { rate, remaining } = told.at(-1)!
  t.true(rate > 700 && rate < 1000, `${rate} a second, where 1,000 are usual`)
  t.true(remaining! < 6, `${remaining} s for 3,900`)
})

test.serial('what onProgress throws stops the training and is the rejection', async (t) => {
  const onProgress = () => {
    throw new Error('from the callback')
  }
  await t.throwsAsync(Word2Vec.train(toy, { ...long, onProgress }), {
    message: 'from the callback',
  })
})

test.serial('two trainings at once do not disturb each other', async (t) => {
  const rows = async () => (await Word2Vec.train(toy, short)).vectors.matrix()
  const alone = await rows()
  for (const both of await Promise.all([rows(), rows()])) t.deepEqual(both, alone)
})

test.serial('a Worker can be terminated in the middle of a training', async (t) => {
  for (let i = 0; i < 5; i++) {
    const worker = new Worker(endless)
    await new Promise((resolve) => worker.once('message', resolve))
    const asked = performance.now()
    await worker.terminate()
    t.log('terminated in ms', (performance.now() - asked).toFixed(1))
  }
  t.is((await Word2Vec.train(toy, short)).vectors.size, 1000)
})

test.serial('a Worker can be terminated in the middle of a search', async (t) => {
  const code = `
    import { parentPort } from 'node:worker_threads'
    import { WordVectors } from 'inlay'
    const rows = new Float32Array(20000 * 100).fill(1)
    const vectors = WordVectors.from(Array.from({ length: 20000 }, (_, i) => 'w' + i), rows, 100)
    for (let i = 0; i < 50; i++) void vectors.mostSimilar('w1')
    parentPort.postMessage('under way')`
  for (let i = 0; i < 5; i++) {
    const url = new URL(`data:text/javascript,${encodeURIComponent(resolved(code))}`)
    const worker = new Worker(url)
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
    await worker.terminate()
  }
  const vectors = WordVectors.from(['a', 'b'], Float32Array.of(1, 0, 1, 1), 2)
  t.is((await vectors.mostSimilar('a'))[0]!.word, 'b')
})

test.serial('twenty Workers may load the package at once', async (t) => {
  const code = `
    import { Word2Vec } from 'inlay'
    import { parentPort } from 'node:worker_threads'
    const sentences = Array.from({ length: 100 }, () => [1, 2, 3])
    const model = await Word2Vec.train(sentences, { epochs: 1, threads: 1, dimensions: 8 })
    const [best] = await model.vectors.mostSimilar('1')
    parentPort.postMessage(model.vectors.size + (best ? 1 : 0))`
  const url = new URL(`data:text/javascript,${encodeURIComponent(resolved(code))}`)
  const sizes = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const worker = new Worker(url)
      const ended = new Promise((resolve) => worker.once('exit', resolve))
      const size = await new Promise((resolve, reject) =>
        worker.once('message', resolve).once('error', reject),
      )
      await ended
      return size
    }),
  )
  t.deepEqual(
    sizes,
    Array.from({ length: 20 }, () => 4),
  )
})

/** A module as a data: URL has no folder, so it cannot import the package by its name. */
function resolved(code: string): string {
  return code.replace(`'inlay'`, `'${import.meta.resolve('inlay')}'`)
}

test.serial('the process can leave in the middle of a training', async (t) => {
  const exit = await node([fileURLToPath(endless), 'exit'])
  t.log(exit)
  t.like(exit, { code: 7, signal: null, stderr: '' })
  t.true(exit.elapsed < 5000)
  const thrown = await node([fileURLToPath(endless), 'throw'])
  t.like(thrown, { code: 1, signal: null })
  t.regex(thrown.stderr, /thrown on purpose/)
})

test.serial('a pending training keeps the process alive; a finished one does not', async (t) => {
  const code = `import { Word2Vec } from 'inlay'
    const sentences = [new Uint32Array(200000)]
    Word2Vec.train(sentences).then((model) => console.log('trained', model.vectors.size))`
  const end = await script(code)
  t.like(end, { code: 0, stdout: 'trained 1\n', stderr: '' })
})

test.serial('a pending search keeps the process alive; the pool does not', async (t) => {
  const code = `import { WordVectors } from 'inlay'
    const vectors = WordVectors.from(['a', 'b'], Float32Array.of(1, 0, 1, 1), 2)
    vectors.mostSimilar('a').then(([{ word }]) => console.log('found', word))`
  t.like(await script(code), { code: 0, stdout: 'found b\n', stderr: '' })
})

test.serial('a panic in a thread of a run is a rejection, and the next run works', async (t) => {
  const { threads, ...settings } = settleAlone(runOptions, { threads: 2 }, 'probe')
  const panic = run<void>('Some.verb', { ...settings, threads }, probePanic)
  const error = await t.throwsAsync(panic, { name: 'InlayError', code: 'INTERNAL' })
  t.regex(error.message, /^Some\.verb: .*probe\.rs:\d+.*the probe panics/s)
  t.is((await Word2Vec.train(toy, short)).vectors.size, 1000)
})

test.serial('a panic in the pool is a rejection, and the next search works', async (t) => {
  for (let i = 0; i < 8; i++) {
    const panic = serve<void>('Some.verb', undefined, probeQueryPanic)
    await t.throwsAsync(panic, { name: 'InlayError', code: 'INTERNAL' })
  }
  const vectors = WordVectors.from(['a', 'b'], Float32Array.of(1, 0, 1, 1), 2)
  t.is((await vectors.mostSimilar('a'))[0]!.word, 'b')
})

test.serial(
  'a panic in a call that is answered at once is an error, and the process lives',
  (t) => {
    const wanted = { name: 'InlayError', code: 'INTERNAL' }
    const error = t.throws(() => atOnce('Some.verb', probeCallPanic), wanted)
    t.regex(error.message, /^Some\.verb: .*probe\.rs:\d+.*the probe panics/s)
  },
)

test.serial('the pool can be resized while it works', async (t) => {
  const vectors = WordVectors.from(['a', 'b'], Float32Array.of(1, 0, 1, 1), 2)
  for (let i = 1; i < 20; i++) {
    const searches = Array.from({ length: 20 }, () => vectors.mostSimilar('a'))
    configure({ threads: 1 + (i % 3) })
    for (const found of await Promise.all(searches)) t.is(found[0]!.word, 'b')
  }
  t.throws(() => configure({ threads: 0 }), { code: 'INVALID_OPTION' })
})

test.serial('an error of a run has the stack of whoever called', async (t) => {
  async function whoeverCalled() {
    return Word2Vec.train('there-is-no-such-file.txt')
  }
  const error = await t.throwsAsync(whoeverCalled(), { instanceOf: InlayError, code: 'NOT_FOUND' })
  t.regex(error.stack!, /whoeverCalled/)
  t.regex(error.message, /^Word2Vec\.train: .*there-is-no-such-file\.txt/)
})

test.serial('CommonJS can require the package', async (t) => {
  const { stdout, stderr } = await node([
    '--eval',
    `console.log(typeof require('inlay').Word2Vec.train)`,
  ])
  t.is(stdout, 'function\n', stderr)
})

test('a variable forces the instruction set, and the result stays nearly the same', async (t) => {
  const code = `import { Word2Vec } from 'inlay'
    import { simd } from '#inlay/native.js'
    const sentences = Array.from({ length: 500 }, (_, i) => [i % 3, i % 5, i % 7, 9])
    const options = { dimensions: 20, threads: 1, minCount: 1, window: 2 }
    const { vectors } = await Word2Vec.train(sentences, options)
    console.log(JSON.stringify([simd(), ...(await vectors.matrix())]))`
  const values = async (set: string) =>
    JSON.parse((await script(code, { INLAY_SIMD: set })).stdout) as [string, ...number[]]
  const [[name, ...scalar], [best, ...others]] = [await values('scalar'), await values('')]
  t.is(name, 'scalar')
  t.log({ best })
  for (const [i, value] of scalar.entries()) t.true(Math.abs(value - others[i]!) < 1e-3)
  const wrong = await script(code, { INLAY_SIMD: 'mmx' })
  t.not(wrong.code, 0)
  t.regex(wrong.stderr, /INLAY_SIMD=mmx: this machine has .*scalar/)
})
