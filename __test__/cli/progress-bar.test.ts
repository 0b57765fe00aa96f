import test from 'ava'
import type { Progress } from 'inlay'
import { ProgressBar } from '#inlay/cli/progress-bar.js'

function screen({ columns = 100, isTTY = true, environment = { NO_COLOR: '1' } } = {}) {
  const written: string[] = []
  let time = 0
  const stream = { columns, isTTY, write: (text: string) => written.push(text) }
  const bar = new ProgressBar({ stream, now: () => time, environment })
  return { bar, written, at: (milliseconds: number) => (time = milliseconds) }
}

const training: Progress = {
  phase: 'train',
  done: 580_000,
  total: 1_000_000,
  unit: 'words',
  rate: 213_000,
  remaining: 8,
  epoch: 3,
  loss: 2.1134,
}

test('a line has the phase, a bar, the share, the epoch, the speed, the loss and the time left', (t) => {
  const { bar, written } = screen()
  bar.hear(training)
  t.is(written[0]?.slice(0, 5), '\r\u001b[2K')
  t.regex(
    written.join('').slice(5),
    /^train {2}#+-?\.+ {3}58 % {2}epoch 3 {2}213 k words\/s {2}loss 2\.113 {2}0:08 left$/,
  )
})

for (const columns of [100, 80, 60, 40, 30, 20, 10]) {
  test(`a line fits into ${columns} columns, and keeps the share as long as anything`, (t) => {
    const { bar, written } = screen({ columns })
    bar.hear(training)
    const line = written.join('').replace('\r\u001b[2K', '')
    t.true(line.length < columns, line)
    if (columns >= 20) t.regex(line, /58 %/)
  })
}

test('a terminal is drawn to ten times a second at most', (t) => {
  const { bar, written, at } = screen()
  for (let time = 0; time <= 1000; time += 5) {
    at(time)
    bar.hear({ ...training, done: time })
  }
  t.true(written.length <= 11, String(written.length))
  t.true(written.length >= 9, String(written.length))
})

test('each phase leaves one line that says what it did', (t) => {
  const { bar, written, at } = screen()
  bar.hear({ phase: 'read', done: 1_000_000, total: 10_800_000, unit: 'bytes', rate: 0 })
  at(500)
  bar.hear({ ...training, done: 1000 })
  at(4500)
  bar.end()
  const lines = written
    .join('')
    .split('\r\u001b[2K')
    .filter((line) => line.endsWith('\n'))
  t.deepEqual(lines, [
    'read   10.8 MB in 0.50 s, 21.6 MB/s\n',
    'train  1.00 M words in 4.00 s, 250 k words/s, loss 2.113\n',
  ])
})

test('a phase that went on from a checkpoint counts what this run did', (t) => {
  const { bar, written, at } = screen()
  const resumed = { ...training, begun: 500_000 }
  bar.hear({ ...resumed, done: 510_000 })
  at(2000)
  bar.hear({ ...resumed, done: 1_000_000 })
  bar.end()
  t.is(written.at(-1), 'train  500 k words in 2.00 s, 250 k words/s, loss 2.113\n')
})

test('a phase that was all but done when it was first heard of counts as a whole', (t) => {
  const { bar, written, at } = screen()
  bar.hear({ ...training, done: 900_000 })
  at(2000)
  bar.end()
  t.is(written.at(-1), 'train  1.00 M words in 2.00 s, 500 k words/s, loss 2.113\n')
})

test('a run that failed leaves no line', (t) => {
  const { bar, written } = screen()
  bar.hear(training)
  bar.end({ failed: true })
  t.is(written.at(-1), '\r\u001b[2K')
})

test('without a terminal there is a plain line every five seconds and one for each phase', (t) => {
  const { bar, written, at } = screen({ isTTY: false })
  bar.hear({ ...training, done: 0 })
  for (let time = 0; time <= 12_000; time += 100) {
    at(time)
    bar.hear(training)
  }
  bar.end()
  t.is(written.length, 3)
  t.is(written[0], 'train   58 %  epoch 3  213 k words/s  loss 2.113  0:08 left\n')
  t.regex(written[2]!, /^train {2}1\.00 M words in 12\.0 s/)
  t.false(written.some((text) => text.includes('\r') || text.includes('\u001b')))
})

test('a stream whose end is not known shows how much was done', (t) => {
  const { bar, written } = screen()
  bar.hear({ phase: 'read', done: 5_250_000, unit: 'words', rate: 1000 })
  t.regex(written.join(''), /read {3}5\.25 M words {2}1\.00 k words\/s$/)
})
