import { join } from 'node:path'
import { writeFileSync } from 'node:fs'
import test from 'ava'
import { type FrameInput, encodeY4m, encodeY4mOptions, readVideo } from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomFilm } from '../fixtures/media.js'
import { wrongValues } from '../fixtures/wrong-values.js'

async function bytesOf(film: Iterable<FrameInput>, rate?: number): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of encodeY4m(film, { rate })) parts.push(part)
  return Buffer.concat(parts)
}

test('a film that is written is read again, frame by frame', async (t) => {
  for (const channels of [1, 3, 4] as const) {
    const film = randomFilm(3, 7, 5, channels, 2)
    const path = join(folder(t), 'film.y4m')
    writeFileSync(path, await bytesOf(film))
    let frames = 0
    for await (const { data, width, height, time } of readVideo(path)) {
      const { data: wanted, time: shown } = film[frames++]!
      t.deepEqual([width, height, time], [7, 5, shown])
      const far = data.map((value, i) => {
        const from = channels === 1 ? Math.floor(i / 3) : Math.floor(i / 3) * channels + (i % 3)
        return Math.abs(value - wanted[from]!)
      })
      t.true(Math.max(...far) <= 2)
    }
    t.is(frames, 3)
  }
})

test('the rate is what was asked for, or what times say', async (t) => {
  const film = randomFilm(2, 2, 2, 3, 1)
  const rateOf = async (some: readonly FrameInput[], rate?: number) =>
    / F(\S+) /.exec((await bytesOf(some, rate)).toString('latin1'))![1]
  t.is(await rateOf(film), '8:1')
  t.is(await rateOf(film.slice(0, 1)), '1:1')
  t.is(await rateOf(film.map((frame) => ({ ...frame, time: 0 }))), '1:1')
  t.is(await rateOf(film, 29.97), '30000:1001')
  t.is(await rateOf(film, 24), '24:1')
  t.is(await rateOf(film, 12.5), '12500:1000')
  t.is(await rateOf(film, 0.0001), '1:1000')
})

test('what is no film is refused', async (t) => {
  await t.throwsAsync(bytesOf([]), { code: 'INVALID_INPUT', message: /has no frame/ })
  await t.throwsAsync(bytesOf(7 as never), { code: 'INVALID_OPTION' })
  const [first] = randomFilm(1, 2, 2, 3, 1)
  const [other] = randomFilm(1, 3, 2, 3, 1)
  await t.throwsAsync(bytesOf([first!, other!]), { message: /film\[1\]` must be of 2 x 2/ })
})

for (const { option, value } of wrongValues(encodeY4mOptions)) {
  test(`refuses ${option}: ${String(value)}`, async (t) => {
    const film = encodeY4m([], { [option]: value })
    await t.throwsAsync(film.next(), { code: 'INVALID_OPTION' })
  })
}
