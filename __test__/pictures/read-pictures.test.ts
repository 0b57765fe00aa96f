import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { type ReadPicturesOptions, readImage, readPictureFolder, readPictures } from 'inlay'
import { bmpOf } from '../fixtures/bmp.js'
import { folder } from '../fixtures/folder.js'

const options = (shape: ReadPicturesOptions['shape']): ReadPicturesOptions => ({ shape })

/** Two rows of three pixels: pure colours, and greys. */
const colours = bmpOf(3, 2, (column, row) =>
  row === 0
    ? ([0, 1, 2].map((at) => (at === column ? 255 : 0)) as [number, number, number])
    : [column, 100, 200],
)

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found = []
  for await (const item of items) found.push(item)
  return found
}

test('pictures of the wanted size are their pixels, as readImage has them', async (t) => {
  const [pixels] = await all(readPictures([colours], options([2, 3, 3])))
  t.deepEqual(pixels, (await readImage(colours)).data)
})

test("grey is Pillow's", async (t) => {
  // Image.new('RGB', (1, 1), colour).convert('L') of each.
  const wanted = [76, 150, 29, 82, 82, 82]
  const [pixels] = await all(readPictures([colours], options([2, 3, 1])))
  t.deepEqual([...pixels!], wanted)
})

test('pictures of other sizes are brought to the shape, many at a time, in their order', async (t) => {
  const files = Array.from({ length: 150 }, (_, i) => bmpOf(1 + (i % 7), 4, () => [i, 0, 255 - i]))
  const given = readPictures(files, { shape: [3, 5, 3], batchSize: 4 })
  for (let again = 0; again < 2; again++) {
    const found = await all(given)
    t.deepEqual(
      found.map((pixels) => [pixels.length, Array.from(pixels.subarray(-3))]),
      files.map((_, i) => [45, [i, 0, 255 - i]]),
    )
  }
})

test('a folder for each label: labels and files in the order of their names, all else left out', async (t) => {
  const root = folder(t)
  for (const [path, red] of [
    ['dog/b.bmp', 3],
    ['dog/a.BMP', 2],
    ['cat/z.bmp', 1],
  ] as const) {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(
      join(root, path),
      bmpOf(2, 2, () => [red, 0, 0]),
    )
  }
  writeFileSync(join(root, 'dog/notes.txt'), 'no picture')
  writeFileSync(join(root, 'stray.bmp'), colours)
  const found = await all(readPictureFolder(root, options([2, 2, 3])))
  t.deepEqual(
    found.map(({ input, label }) => [label, input[0]]),
    [
      ['cat', 1],
      ['dog', 2],
      ['dog', 3],
    ],
  )
})

test('what cannot be read is told', async (t) => {
  const root = folder(t)
  const shape = options([2, 2, 3])
  await t.throwsAsync(all(readPictureFolder(join(root, 'none'), shape)), { code: 'NOT_FOUND' })
  await t.throwsAsync(all(readPictureFolder(root, shape)), {
    code: 'INVALID_INPUT',
    message: /no pictures in folders/,
  })
  mkdirSync(join(root, 'cat'))
  writeFileSync(join(root, 'cat/a.bmp'), colours.subarray(0, 60))
  await t.throwsAsync(all(readPictureFolder(root, shape)), {
    code: 'INVALID_INPUT',
    message: /a\.bmp/,
  })
  await t.throwsAsync(all(readPictures(['none.png'], shape)), { code: 'NOT_FOUND' })
  await t.throwsAsync(all(readPictures([colours], { ...shape, maxPixels: 5 })), {
    code: 'INVALID_INPUT',
  })
  const option = { code: 'INVALID_OPTION' }
  t.throws(() => readPictures([colours], options([2, 2, 2 as never])), option)
  t.throws(() => readPictures([colours], {} as never), { ...option, message: /`shape` must be/ })
  t.throws(() => readPictures(7 as never, shape), option)
  const signal = AbortSignal.abort()
  await t.throwsAsync(all(readPictures([colours], { ...shape, signal })), { any: true })
})
