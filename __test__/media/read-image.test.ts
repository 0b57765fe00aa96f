import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { readImage } from 'inlay'
import { folder } from '../fixtures/folder.js'
import { bmp } from '../fixtures/media-files.js'

test('a picture by its name or its bytes is its pixels', async (t) => {
  const path = join(folder(t), 'a.bmp')
  writeFileSync(path, bmp)
  const wanted = {
    data: Uint8Array.of(255, 0, 0, 255, 0, 0, 255, 0, 0, 255, 255, 255),
    width: 2,
    height: 2,
    channels: 3 as const,
  }
  t.deepEqual(await readImage(bmp), wanted)
  t.deepEqual(await readImage(path), wanted)
})

test('what is no picture, damaged or too large is one clear error', async (t) => {
  const input = 'INVALID_INPUT'
  await t.throwsAsync(readImage(bmp, { maxPixels: 3 }), { code: input, message: /at most 3/ })
  await t.throwsAsync(readImage(bmp.subarray(0, 60)), { code: input, message: /damaged BMP/ })
  await t.throwsAsync(readImage(Buffer.from('a')), { code: input, message: /no picture/ })
  await t.throwsAsync(readImage('none.png'), { code: 'NOT_FOUND' })
  const option = { code: 'INVALID_OPTION' }
  await t.throwsAsync(readImage(bmp, { maxPixels: 0 }), option)
  await t.throwsAsync(readImage(7 as unknown as string), option)
  await t.throwsAsync(readImage(bmp, { signal: AbortSignal.abort() }), {
    name: 'AbortError',
    any: true,
  })
})
