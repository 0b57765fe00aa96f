// The pictures of the pages are what the script that draws them makes.
import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { readImage } from 'inlay'
import { folder } from './fixtures/folder.js'

/** Those that nothing is trained for. */
const quick = ['patches', 'spectrogram']

test('pictures that nothing is trained for are drawn again as they are in the pages', async (t) => {
  const drawn = folder(t)
  execFileSync(process.execPath, ['scripts/draw-docs.mjs', ...quick, '--to', drawn])
  for (const name of quick) {
    const found = await readImage(join(drawn, `${name}.png`))
    const wanted = await readImage(`docs/pictures/${name}.png`)
    t.deepEqual([found.width, found.height], [wanted.width, wanted.height])
    // Instruction sets may differ in the last bits of what becomes a colour.
    t.true(
      found.data.every((value, at) => Math.abs(value - wanted.data[at]!) <= 2),
      name,
    )
  }
})

test('pictures are small', (t) => {
  const sizes = readdirSync('docs/pictures').map(
    (name) => statSync(join('docs/pictures', name)).size,
  )
  t.true(sizes.length > 0)
  const all = sizes.reduce((sum, size) => sum + size, 0)
  t.true(all < 300_000, `${all} bytes`)
})
