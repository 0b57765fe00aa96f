// Files go to the C tool of GloVe and come back. It is looked for in `glove-src/build` of the folder
// of the peers, where its own Makefile puts it.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Cooccurrence, Glove, WordVectors } from 'inlay'
import { folder } from '../fixtures/folder.js'
import { toySentences } from '../fixtures/toy.js'

const programs = join(resolve(process.env['INLAY_PEERS'] ?? '.peers'), 'glove-src', 'build')

/** Runs programs of the C tool in a folder; undefined, and a word that the test is skipped, where it
 * is not. */
function tool(t: ExecutionContext, cwd: string) {
  if (!existsSync(join(programs, 'glove'))) {
    t.log("skipped: GloVe's C tool is not installed")
    t.pass()
    return undefined
  }
  return (name: string, flags: Readonly<Record<string, string | number>>, input?: string) => {
    const args = Object.entries(flags).flatMap(([flag, value]) => [`-${flag}`, `${value}`])
    return execFileSync(join(programs, name), args, {
      cwd,
      maxBuffer: 1 << 28,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      ...(input !== undefined && { input: readFileSync(join(cwd, input)) }),
    })
  }
}

const text = toySentences(40_000, 300)
  .map((line) => [...line].map((item) => `w${item}`).join(' '))
  .join('\n')

/** Records by the words' numbers. */
function recordsOf(bytes: Buffer): Map<string, number> {
  const numbers = Array.from({ length: bytes.length / 16 }, (_, i) => 16 * i)
  return new Map(
    numbers.map((at) => [
      `${bytes.readInt32LE(at)} ${bytes.readInt32LE(at + 4)}`,
      bytes.readDoubleLE(at + 8),
    ]),
  )
}

for (const [symmetric, weighting] of [
  [1, 1],
  [0, 1],
  [1, 0],
] as const) {
  test(`pairs are the C tool's: symmetric ${symmetric}, distance weighting ${weighting}`, async (t) => {
    const inside = folder(t)
    const run = tool(t, inside)
    if (!run) return
    writeFileSync(join(inside, 'text.txt'), `${text}\n`)
    // Words of one count stand in another order there: ours is used by both.
    using pairs = await Cooccurrence.count(join(inside, 'text.txt'), {
      minCount: 20,
      window: 7,
      symmetric: symmetric === 1,
      distanceWeighting: weighting === 1,
    })
    await pairs.save(join(inside, 'ours.bin'), { vocabulary: join(inside, 'vocab.txt') })
    const flags = {
      'vocab-file': 'vocab.txt',
      'window-size': 7,
      symmetric,
      'distance-weighting': weighting,
      memory: 0.5,
      // Some pairs go to its file of rarer ones: where that is empty, it counts the first pair twice.
      'max-product': 2000,
    }
    const theirs = recordsOf(run('cooccur', flags, 'text.txt'))
    const ours = recordsOf(readFileSync(join(inside, 'ours.bin')))
    t.is(ours.size, theirs.size)
    for (const [pair, count] of theirs) {
      if (!(Math.abs(ours.get(pair)! / count - 1) < 1e-8)) t.fail(`${pair}: ${ours.get(pair)}`)
    }
  })
}

test('the C tool trains on our pairs, and we on theirs, to the same cost', async (t) => {
  const inside = folder(t)
  const run = tool(t, inside)
  if (!run) return
  writeFileSync(join(inside, 'text.txt'), `${text}\n`)
  using counted = await Cooccurrence.count(join(inside, 'text.txt'), { minCount: 20 })
  await counted.save(join(inside, 'ours.bin'), { vocabulary: join(inside, 'vocab.txt') })
  const shuffled = run('shuffle', { seed: 3, memory: 0.5 }, 'ours.bin')
  writeFileSync(join(inside, 'shuffled.bin'), shuffled)
  const flags = { 'vocab-file': 'vocab.txt', 'vector-size': 20, 'x-max': 10, iter: 8, threads: 1 }
  run('glove', { ...flags, 'input-file': 'shuffled.bin', 'save-file': 'c', binary: 2, seed: 1 })

  using pairs = await Cooccurrence.open(join(inside, 'shuffled.bin'), {
    vocabulary: join(inside, 'vocab.txt'),
  })
  t.is(pairs.size, counted.size)
  const options = { dimensions: 20, xMax: 10, epochs: 8, threads: 1, unknown: true }
  using ours = await Glove.train(pairs, options)
  using theirs = await Glove.openParameters(join(inside, 'c.bin'), {
    vocabulary: join(inside, 'vocab.txt'),
  })
  using theirText = await WordVectors.open(join(inside, 'c.txt'))
  t.is(theirText.size, theirs.vectors.size + 1)
  const [dumped, written] = [theirs.vectors.vector('w3'), theirText.vector('w3')]
  t.true(dumped.every((value, i) => Math.abs(value - written[i]!) < 2e-6))

  // Their cost is told in six digits, and only that of their own order of pairs.
  const start = join(inside, 'start')
  await ours.saveParameters(`${start}.bin`)
  const again = run('glove', {
    ...flags,
    'input-file': 'shuffled.bin',
    'save-file': 'again',
    'load-init-param': 1,
    'init-param-file': 'start.bin',
    eta: 1e-9,
    iter: 1,
    binary: 1,
  })
  t.is(again.length, 0)
  const moved = await Glove.openParameters(join(inside, 'again.bin'), {
    vocabulary: join(inside, 'vocab.txt'),
  })
  t.true(
    moved.wordVectors.vector('w3').every((value, i) => {
      return Math.abs(value - ours.wordVectors.vector('w3')[i]!) < 1e-5
    }),
  )
  const near = (vectors: WordVectors) => vectors.similarity('w3', 'w13')
  t.true(Math.abs(near(ours.vectors) - near(theirs.vectors)) < 0.1)
})
