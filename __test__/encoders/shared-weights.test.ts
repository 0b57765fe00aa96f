// Encoders of one folder have one copy of its weights, in all threads, and tables of tokens none at all: they are read where
// the file has them. What happens to one encoder, or to the file's name, happens to no other.
import { execFile } from 'node:child_process'
import { copyFile, readFile, rename, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { SentenceEncoder } from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomBert } from '../fixtures/random-bert.js'

const golden = fileURLToPath(new URL('../../../__test__/golden/text-models', import.meta.url))
const holding = fileURLToPath(new URL('../fixtures/holding.js', import.meta.url))
const encoding = new URL('../fixtures/encoding.js', import.meta.url)
const text = 'the quick fox'

/** A folder of a small BERT of the test's own. */
async function smallBert(t: ExecutionContext, rows = 500): Promise<string> {
  const path = join(folder(t), 'model')
  await randomBert(path, join(golden, 'bert'), { rows, width: 64, blocks: 2 })
  return path
}

/** Other weights of the same form and length. */
async function otherWeights(path: string): Promise<Buffer> {
  const bytes = await readFile(join(path, 'model.safetensors'))
  const values = bytes.subarray(8 + Number(bytes.readBigUInt64LE()))
  for (let at = 0; at + 4 <= values.length; at += 4) {
    values.writeFloatLE(values.readFloatLE(at) * 0.5, at)
  }
  return bytes
}

const onLinux = process.platform === 'linux' ? test.serial : test.serial.skip

for (const precision of ['float32', 'int8'] as const) {
  onLinux(
    `${precision}: weights are held once, tables not at all, and all is given back`,
    async (t) => {
      const path = join(folder(t), 'model')
      const [rows, width, blocks] = [30_000, 512, 6]
      await randomBert(path, join(golden, 'bert'), { rows, width, blocks })
      const megabyte = 2 ** 20
      const table = (4 * rows * width) / megabyte
      const products = (4 * blocks * 8 * width * width) / megabyte
      const wanted = precision === 'int8' ? products / 4 : products
      const args = ['--expose-gc', holding, path, join(golden, 'bert'), precision]
      const { stdout } = await promisify(execFile)(process.execPath, args)
      const { one, others, workers, closed } = JSON.parse(stdout) as Record<string, number>
      const said = Object.entries({ one, others, workers, closed })
      const shown = said.map(([name, grown]) => `${name} ${grown!.toFixed(1)}`).join(', ')
      t.log(`MB: ${shown}; table ${table.toFixed(0)}, weights of products ${products.toFixed(0)}`)
      t.true(one! > wanted * 0.9, 'the measure sees weights')
      t.true(one! < wanted + 12, 'what is packed, once, and no table')
      t.true(others! < 12, 'four more have nothing of their own')
      t.true(workers! < 12, 'nor have four worker threads')
      t.true(closed! < 8, 'nobody holds them any more')
    },
  )
}

test('a worker that is ended while it encodes leaves the others right', async (t) => {
  const path = await smallBert(t)
  using encoder = await SentenceEncoder.load(path)
  const { values } = await encoder.encode([text])
  const begin = async () => {
    const worker = new Worker(encoding, { workerData: { path, text } })
    return { worker, vector: await messageOf<Float32Array>(worker) }
  }
  const messageOf = <T>(worker: Worker) =>
    new Promise<T>((resolve, reject) => worker.once('message', resolve).once('error', reject))
  const [ended, other] = await Promise.all([begin(), begin()])
  for (const { worker } of [ended, other]) {
    worker.postMessage('go on')
    t.is(await messageOf(worker), 'under way')
  }
  await ended.worker.terminate()
  t.deepEqual((await encoder.encode([text])).values, values)
  const third = await begin()
  for (const { vector } of [ended, other, third]) t.deepEqual(vector, values)
  await Promise.all([other.worker.terminate(), third.worker.terminate()])
  t.deepEqual((await encoder.encode([text])).values, values)
})

test('what one encoder learns is in no other, and in no file', async (t) => {
  const path = await smallBert(t)
  using one = await SentenceEncoder.load(path)
  using two = await SentenceEncoder.load(path)
  const [{ values }, fingerprint] = [await two.encode([text]), await two.fingerprint()]
  const before = await readFile(join(path, 'model.safetensors'))
  const pairs = ['a dog', 'the fox', 'a lazy fox'].map((pair) => ({ text: pair, positive: text }))
  using tuned = await one.train(pairs, { epochs: 2, learningRate: 0.01 })
  t.notDeepEqual((await tuned.encode([text])).values, values)
  for (const encoder of [one, two]) t.deepEqual((await encoder.encode([text])).values, values)
  t.deepEqual(await readFile(join(path, 'model.safetensors')), before)

  // What is saved over the folder takes its name only.
  await tuned.save(path)
  using saved = await SentenceEncoder.load(path)
  t.deepEqual((await saved.encode([text])).values, (await tuned.encode([text])).values)
  t.is(await two.fingerprint(), fingerprint)
  for (const encoder of [one, two]) t.deepEqual((await encoder.encode([text])).values, values)
})

test('a file in the place of another is read anew, and who has the old one keeps it', async (t) => {
  const path = await smallBert(t)
  const [file, next] = ['model.safetensors', 'next'].map((name) => join(path, name)) as [
    string,
    string,
  ]
  const old = await stat(file)
  using one = await SentenceEncoder.load(path)
  const { values } = await one.encode([text])
  // As long as before, and as old.
  await writeFile(next, await otherWeights(path))
  await utimes(next, old.atime, old.mtime)
  await rename(next, file)
  using two = await SentenceEncoder.load(path)
  const { values: others } = await two.encode([text])
  t.notDeepEqual(others, values)
  t.deepEqual((await one.encode([text])).values, values)

  // A copy of the folder has vectors of its own, which are the same.
  const copied = await smallBert(t)
  await copyFile(file, join(copied, 'model.safetensors'))
  using three = await SentenceEncoder.load(copied)
  t.deepEqual((await three.encode([text])).values, others)
})

test('weights that are not aligned in their file give the same vectors', async (t) => {
  const path = await smallBert(t)
  using one = await SentenceEncoder.load(path)
  const { values } = await one.encode([text])
  const bytes = await readFile(join(path, 'model.safetensors'))
  const length = Number(bytes.readBigUInt64LE())
  for (const shift of [1, 2, 4]) {
    const copied = await smallBert(t)
    const begin = Buffer.alloc(8)
    begin.writeBigUInt64LE(BigInt(length + shift))
    const [header, data] = [bytes.subarray(8, 8 + length), bytes.subarray(8 + length)]
    const whole = Buffer.concat([begin, header, Buffer.from(' '.repeat(shift)), data])
    await writeFile(join(copied, 'model.safetensors'), whole)
    using shifted = await SentenceEncoder.load(copied)
    t.deepEqual((await shifted.encode([text])).values, values, `${shift} bytes further`)
  }
})
