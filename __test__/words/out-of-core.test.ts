// A corpus far larger than the memory that it may take.
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { folder } from '../fixtures/folder.js'
import { script } from '../fixtures/node.js'
import { randomNumbers } from '../fixtures/toy.js'

const gigabyte = 1e9

/** Writes a gigabyte: one block of lines of random words, again and again. */
function writeText(path: string): void {
  const random = randomNumbers(1)
  let block = ''
  while (block.length < 16e6) {
    const words = Array.from({ length: 20 }, () => `w${Math.floor(random() ** 3 * 30_000)}`)
    block += `${words.join(' ')}\n`
  }
  const bytes = Buffer.from(block)
  const file = openSync(path, 'w')
  for (let written = 0; written < gigabyte; written += bytes.length) writeSync(file, bytes)
  closeSync(file)
}

test('a gigabyte of text trains within 250 MB besides the vectors', async (t) => {
  t.timeout(20 * 60_000)
  const place = folder(t)
  const text = join(place, 'text')
  writeText(text)
  const end = await script(
    `import { Word2Vec } from 'inlay'
    const options = { dimensions: 8, window: 1, shrinkWindow: false, negative: 1, subsample: 1e-4 }
    const model = await Word2Vec.train(${JSON.stringify(text)}, {
      ...options, epochs: 1, threads: 2, spoolDirectory: ${JSON.stringify(place)},
    })
    const { size, dimensions } = model.vectors
    const vectors = 2 * size * Math.ceil(dimensions / 16) * 16 * 4
    console.log(JSON.stringify({ size, megabytes: process.resourceUsage().maxRSS / 1000 - vectors / 1e6 }))`,
    {},
    20 * 60_000,
  )
  t.is(end.code, 0, end.stderr)
  const { size, megabytes } = JSON.parse(end.stdout)
  t.log({ size, megabytes, seconds: end.elapsed / 1000 })
  t.is(size, 30_000)
  t.true(megabytes < 250, `${megabytes} MB`)
})
