// However large a file is, the event loop has its turn every few milliseconds while it becomes JavaScript's.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { readConllu, readLabelledTexts, readPictures } from 'inlay'
import { bmpOf } from '../fixtures/bmp.js'
import { folder } from '../fixtures/folder.js'
import { longestHoldOf } from '../fixtures/longest-hold.js'

async function free(t: ExecutionContext, read: () => AsyncIterable<unknown>, wanted: number) {
  const hold = await longestHoldOf(async () => {
    let count = 0
    for await (const _ of read()) count += 1
    t.is(count, wanted)
  })
  t.log(`${hold.toFixed(1)} ms`)
  t.true(hold < 5, `${hold} ms`)
}

test.serial('while a treebank is read', async (t) => {
  const path = join(folder(t), 'a.conllu')
  const word = (i: number) => `${i + 1}\tword${i}\t_\tNOUN\tNN\t_\t_\t_\t_\t_\n`
  const sentence = `${Array.from({ length: 20 }, (_, i) => word(i)).join('')}\n`
  writeFileSync(path, sentence.repeat(10_000))
  await free(t, () => readConllu(path), 10_000)
})

test.serial('while lines with labels are read', async (t) => {
  const path = join(folder(t), 'a.txt')
  const line = (i: number) => `__label__${i % 7} word${i} and some others that come again\n`
  writeFileSync(path, Array.from({ length: 100_000 }, (_, i) => line(i)).join(''))
  await free(t, () => readLabelledTexts(path, { threads: 1 }), 100_000)
})

test.serial('while pictures are read', async (t) => {
  const path = join(folder(t), 'a.bmp')
  writeFileSync(
    path,
    bmpOf(700, 700, (column, row) => [column % 256, row % 256, 9]),
  )
  const pictures = Array.from({ length: 12 }, () => path)
  for (const channels of [1, 3] as const) {
    const options = { shape: [700, 700, channels], batchSize: 4, threads: 1 } as const
    await free(t, () => readPictures(pictures, options), 12)
  }
})
