import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { readIdx } from 'inlay'
import { folder } from '../fixtures/folder.js'

/** Two pictures of 2 x 3 bytes. */
const header = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3]
const pictures = Buffer.from(header.concat([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255]))

test('pictures are bytes in their shape, packed or not', async (t) => {
  for (const bytes of [pictures, gzipSync(pictures)]) {
    const path = join(folder(t), 'pictures-idx3-ubyte')
    writeFileSync(path, bytes)
    const { length, shape, values, items } = await readIdx(path)
    t.deepEqual([length, shape], [2, [2, 3]])
    t.deepEqual(items[1], Uint8Array.from([7, 8, 9, 10, 11, 255]))
    t.true(values instanceof Uint8Array)
  }
})

test('numbers of other types are what they say, the first byte first', async (t) => {
  const path = join(folder(t), 'numbers')
  const read = async (type: number, bytes: readonly number[]) => {
    writeFileSync(path, Buffer.from([0, 0, type, 1, 0, 0, 0, 1, ...bytes]))
    return [...(await readIdx(path)).values]
  }
  t.deepEqual(await read(0x09, [0xff]), [-1])
  t.deepEqual(await read(0x0b, [0xff, 0xfe]), [-2])
  t.deepEqual(await read(0x0c, [0, 1, 0, 0]), [65_536])
  t.deepEqual(await read(0x0d, [0x3f, 0x80, 0, 0]), [1])
  t.deepEqual(await read(0x0e, [0xbf, 0xf0, 0, 0, 0, 0, 0, 0]), [-1])
})

test('what is no such file is refused', async (t) => {
  const path = join(folder(t), 'file')
  const refused = async (bytes: Uint8Array, message: RegExp) => {
    writeFileSync(path, bytes)
    await t.throwsAsync(readIdx(path), { code: 'INVALID_INPUT', message })
  }
  await refused(new Uint8Array(0), /no IDX array/)
  await refused(pictures.subarray(0, 12), /no IDX array/)
  await refused(Buffer.from([0, 0, 7, 1, 0, 0, 0, 0]), /no IDX array/)
  await refused(Buffer.from([0, 0, 8, 0]), /no IDX array/)
  await refused(
    pictures.subarray(0, 27),
    /has fewer bytes than the numbers that its header promises/,
  )
  await refused(
    Buffer.concat([pictures, pictures]),
    /has more than the 12 bytes of numbers of its header/,
  )
  const huge = Buffer.from([0, 0, 8, 2, 255, 255, 255, 255, 255, 255, 255, 255])
  await refused(huge, /has fewer bytes than the numbers/)
  await refused(gzipSync(pictures.subarray(0, 27)), /has 11 bytes of numbers, and 12 by its header/)
  await refused(gzipSync(pictures).subarray(0, 20), /is damaged gzip/)
  await t.throwsAsync(readIdx(join(folder(t), 'nowhere')), { code: 'NOT_FOUND' })
})
