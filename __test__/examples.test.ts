import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { WordVectors } from 'inlay'

const examples = fileURLToPath(new URL('../examples/', import.meta.url))
const corpus = fileURLToPath(
  new URL('../../examples/data/state-of-the-union.txt.gz', import.meta.url),
)

async function run(cwd: string, example: string, ...argv: string[]): Promise<string> {
  const file = join(examples, `${example}.js`)
  const { stdout } = await promisify(execFile)(process.execPath, [file, ...argv], { cwd })
  return stdout
}

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'inlay-examples-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('train.ts: peace has neighbours, and the vectors are on disk', async (t) => {
  const inside = folder(t)
  const stdout = await run(inside, 'train', corpus, 'vectors.safetensors')
  t.regex(stdout, /^(\d\.\d\d {2}\S+\n){5}$/)
  using vectors = await WordVectors.open(join(inside, 'vectors.safetensors'))
  t.true(vectors.has('constitution'))
})

test('items.ts: items that are bought together are neighbours', async (t) => {
  const stdout = await run(folder(t), 'items')
  t.regex(stdout, /^with 3: (\d, ){4}\d$/m)
  t.regex(stdout, /^with 14: (1\d, ){4}1\d$/m)
  t.regex(stdout, /^with 25: (2\d, ){4}2\d$/m)
})

test('continue.ts: new words come to the old ones', async (t) => {
  const stdout = await run(folder(t), 'continue')
  t.regex(stdout, /^7 words before, 9 after$/m)
  t.regex(stdout, /^ship and rocket: -?[\d.]+$/m)
})

test('sentences.ts: a cat is nearer to a kitten than to ham sandwiches', async (t) => {
  const stdout = await run(folder(t), 'sentences')
  const found = stdout.trim().split('\n').map(Number.parseFloat)
  t.is(found.length, 3)
  const [kitten, ...sandwiches] = found as [number, number, number]
  for (const sandwich of sandwiches) t.true(kitten > sandwich + 0.3, stdout)
})
