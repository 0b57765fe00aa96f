// scripts/new-model.mjs in a copy of the source: what it makes compiles, and leaves nothing half done.
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('../../', import.meta.url))

function copyOfSource(): string {
  const copy = mkdtempSync(join(tmpdir(), 'inlay-new-model-'))
  const parts = ['src', 'native/index.d.ts', 'scripts/new-model.mjs', 'package.json']
  for (const part of [...parts, 'tsconfig.base.json', '.oxfmtrc.json']) {
    cpSync(join(root, part), join(copy, part), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction')
  return copy
}

const make = (copy: string, ...args: string[]) =>
  spawnSync(process.execPath, ['scripts/new-model.mjs', ...args], { cwd: copy, encoding: 'utf8' })

test('a new model compiles, and a second one of its name changes nothing', (t) => {
  const copy = copyOfSource()
  t.teardown(() => rmSync(copy, { recursive: true, force: true }))
  t.is(make(copy, 'swivel', 'SwiVel').status, 0)
  for (const path of ['src/words/swivel.ts', '__test__/words/swivel.test.ts', 'docs/swivel.md']) {
    t.true(existsSync(join(copy, path)), path)
  }
  const index = readFileSync(join(copy, 'src/index.ts'), 'utf8')
  t.regex(
    index,
    /export \{ SwiVel, swiVelOptions, type SwiVelOptions \} from '.\/words\/swivel.js'/,
  )
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  t.notThrows(() =>
    execFileSync(process.execPath, [tsc, '-p', 'src', '--outDir', 'dist'], { cwd: copy }),
  )

  const second = make(copy, 'swivel')
  t.is(second.status, 1)
  t.regex(second.stderr, /there already; nothing was changed/)
  t.is(readFileSync(join(copy, 'src/index.ts'), 'utf8'), index)
})

test('a name that would be no file name is refused', (t) => {
  const copy = copyOfSource()
  t.teardown(() => rmSync(copy, { recursive: true, force: true }))
  for (const name of [[], ['GloVe'], ['../glove'], ['glove_2']]) t.is(make(copy, ...name).status, 2)
})
