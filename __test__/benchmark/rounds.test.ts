import test from 'ava'
import { glance, plainText } from '../../benchmark/report.js'
import { type Contender, type Sample, hold, spread } from '../../benchmark/rounds.js'

/** A contender whose runs take what is told, and say when they were. */
function scripted(name: string, samples: readonly Sample[], log: string[]): Contender {
  return {
    name,
    async run(round) {
      log.push(`${name}${round}`)
      return samples[round]!
    },
  }
}

const contest = { id: 'race', title: 'Race', about: 'Of two.', unit: 'words', work: 100 }

test('contenders take turns in each round', async (t) => {
  const log: string[] = []
  const samples = [{ wall: 1 }, { wall: 1 }]
  const contenders = [scripted('a', samples, log), scripted('b', samples, log)]
  await hold({ ...contest, clock: 'wall', contenders }, 2, () => {})
  t.deepEqual(log, ['a0', 'b0', 'a1', 'b1'])
})

test('a ratio is taken within its round, by the clock of the contest', async (t) => {
  const ours = [
    { wall: 9, cpu: 1 },
    { wall: 9, cpu: 2 },
  ]
  const theirs = [
    { wall: 1, cpu: 10 },
    { wall: 1, cpu: 40 },
  ]
  const contenders = [scripted('a', ours, []), scripted('b', theirs, [])]
  const { standings } = await hold({ ...contest, clock: 'cpu', contenders }, 2, () => {})
  t.deepEqual(standings[0]!.rates, [100, 50])
  t.deepEqual(standings[1]!.rates, [10, 2.5])
  t.deepEqual(standings[1]!.ratios, [10, 20])
})

test('a contender with work of its own is compared by unit of work', async (t) => {
  const many = { ...scripted('b', [{ wall: 2 }], []), work: 400 }
  const contenders = [scripted('a', [{ wall: 1 }], []), many]
  const { standings } = await hold({ ...contest, clock: 'wall', contenders }, 1, () => {})
  t.deepEqual(standings[1]!.ratios, [0.5])
})

test('a missing contender is named, with the reason', async (t) => {
  const contenders = [scripted('a', [{ wall: 1 }], []), { name: 'b', missing: 'not installed' }]
  const outcome = await hold({ ...contest, clock: 'wall', contenders }, 1, () => {})
  t.regex(plainText(outcome), /^b \(not installed\) +missing$/m)
})

test('a contender whose result is wrong ends the contest', async (t) => {
  const wrong: Contender = { name: 'b', run: () => Promise.reject(new Error('read 1 % of it')) }
  const contenders = [scripted('a', [{ wall: 1 }], []), wrong]
  const held = hold({ ...contest, clock: 'wall', contenders }, 1, () => {})
  await t.throwsAsync(held, { message: 'read 1 % of it' })
})

test('the middle of an even number of figures is the mean of the two in the middle', (t) => {
  t.deepEqual(spread([4, 1, 2, 3]), { median: 2.5, low: 1, high: 4 })
  t.deepEqual(spread([3, 1, 2]), { median: 2, low: 1, high: 3 })
})

test('rows at a glance stay where a model was not measured again', async (t) => {
  const old = [
    '| one thread, CPU time | inlay | c takes | quality, points above word2vec.c |',
    '| --- | ---: | ---: | --- |',
    '| First | 7 words/s | 2.00x | not measured |',
    '| Second | 8 words/s | 3.00x | +0.1 |',
  ].join('\n')
  const contenders = [scripted('a', [{ wall: 1 }], []), scripted('b', [{ wall: 4 }], [])]
  const speed = await hold({ ...contest, clock: 'wall', contenders }, 1, () => {})
  const rows = glance([{ title: 'First', speed, quality: undefined }], old)
    .trim()
    .split('\n')
  t.is(
    rows[0],
    '| one thread, CPU time | inlay | c takes | b takes | quality, points above word2vec.c |',
  )
  t.is(rows[2], '| First | 100 words/s |  | 4.00x | not measured |')
  t.is(rows[3], '| Second | 8 words/s | 3.00x |  | +0.1 |')
  t.is(rows.length, 4)
})
