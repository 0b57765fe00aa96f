import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { InlayError, InvalidOptionError, type VideoLatent, readLatent, saveLatent } from 'inlay'
import { drawsFrom } from '../fixtures/damaged-files.js'
import { folder } from '../fixtures/folder.js'

/** A piece of so many steps of two frames each, whose first frame stands at a time. */
function piece(steps: number, first: number, channels = 3): Required<VideoLatent> {
  const values = Float32Array.from({ length: steps * 2 * 3 * channels }, (_, i) =>
    Math.sin(first + i),
  )
  const times = Array.from({ length: 2 * steps }, (_, i) => (first + i) / 8)
  return { values, shape: [steps, 2, 3, channels], times, width: 23, height: 15 }
}

async function all(path: string): Promise<Required<VideoLatent>[]> {
  const pieces: Required<VideoLatent>[] = []
  for await (const one of readLatent(path)) pieces.push(one)
  return pieces
}

test('a latent comes out of a file in the pieces in which it went in', async (t) => {
  for (const channels of [1, 4]) {
    const path = join(folder(t), 'film.safetensors')
    const pieces = [piece(2, 0, channels), piece(1, 4, channels), piece(3, 6, channels)]
    await saveLatent(path, pieces)
    t.deepEqual(await all(path), pieces)
    // It is replaced when the other is there in full.
    await saveLatent(path, pieces[2]!)
    t.deepEqual(await all(path), [pieces[2]])
  }
})

test('what does not fit is refused, and leaves nothing behind', async (t) => {
  const inside = folder(t)
  const path = join(inside, 'film.safetensors')
  const refused = async (latent: Parameters<typeof saveLatent>[1], message: RegExp) => {
    await t.throwsAsync(saveLatent(path, latent), { message })
    t.deepEqual(readdirSync(inside), [])
  }
  const { times: _, ...timeless } = piece(1, 0)
  await refused(timeless, /`latent.times` must be given/)
  await refused(
    [piece(1, 0), { ...piece(1, 2), width: 24 }],
    /`latent` must be pieces of 2 x 3 x 3 of 23 x 15/,
  )
  await refused([piece(1, 0), piece(1, 2, 4)], /`latent` must be pieces of/)
  await refused([], /there is no latent/)
  await refused(7 as never, /`latent` must be a latent/)
  const controller = new AbortController()
  controller.abort(new Error('enough'))
  const saving = saveLatent(path, piece(1, 0), { signal: controller.signal })
  await t.throwsAsync(saving, { message: 'enough' })
  t.deepEqual(readdirSync(inside), [])
  await t.throwsAsync(all(path), { code: 'NOT_FOUND' })
})

test('files with other bytes give a latent or one error', async (t) => {
  const path = join(folder(t), 'film.safetensors')
  await saveLatent(path, [piece(2, 0), piece(3, 4)])
  const whole = readFileSync(path)
  const random = drawsFrom(7)
  const text = whole.indexOf('}}') + 2
  const codes = new Set<string>()
  for (let i = 0; i < 400; i++) {
    const bytes = Buffer.from(whole)
    bytes[random(i % 3 === 0 ? whole.length : text)] =
      random(2) === 0 ? 48 + random(10) : random(256)
    writeFileSync(path, i % 10 === 9 ? bytes.subarray(0, random(whole.length)) : bytes)
    try {
      const pieces = await all(path)
      t.true(pieces.every(({ values }) => values.every(Number.isFinite)))
      codes.add('none')
    } catch (error) {
      if (!(error instanceof InlayError)) throw error
      t.false(error instanceof InvalidOptionError)
      codes.add(error.code)
    }
  }
  t.deepEqual([...codes].toSorted(), ['INVALID_INPUT', 'none'])
})
