import { createHash } from 'node:crypto'
import { cp, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { SentenceEncoder, StaticEncoder } from 'inlay'
import { folder, inlay } from './inlay.js'

const golden = fileURLToPath(new URL('../../../__test__/golden/text-models/bert', import.meta.url))
const lines = ['a quick fox', '', 'a lazy dog']

const rowsOf = (printed: string) => {
  const rows = printed.trim().split('\n')
  return rows.map((row) => Float32Array.from(JSON.parse(row) as number[]))
}

test('the lines of a file become vectors, on standard output or in a file', async (t) => {
  const path = folder(t, { 'texts.txt': lines.join('\n') })
  await cp(golden, join(path, 'model'), { recursive: true })
  using encoder = await SentenceEncoder.load(golden)
  const wanted = await encoder.encode(lines, { dimensions: 8, normalize: true })
  const flags = '--dimensions 8 --normalize -q'
  const printed = await inlay(path, `sentences encode model texts.txt ${flags}`)
  t.is(printed.code, 0, printed.stderr)
  t.deepEqual(rowsOf(printed.stdout), Array.from(wanted))
  const saved = await inlay(path, 'sentences encode model texts.txt -o rows.npy')
  t.is(saved.code, 0, saved.stderr)
  t.regex(saved.stderr, /3 documents of 32 dimensions in rows\.npy/)
  t.true((await readFile(join(path, 'rows.npy'))).length >= 3 * 32 * 4)
})

test('what is missing or too long is one line', async (t) => {
  const path = folder(t, { 'long.txt': 'fox '.repeat(500) })
  await cp(golden, join(path, 'model'), { recursive: true })
  for (const [words, message] of [
    ['model none.txt', /none\.txt/],
    ['model long.txt --truncate error', /text 0 has \d+ tokens, and 64 are read/],
    ['nothing long.txt', /there is no file nothing/],
  ] as const) {
    const { code, stderr } = await inlay(path, `sentences encode ${words}`)
    t.is(code, 1)
    t.regex(stderr, message)
    t.is(stderr.trim().split('\n').length, 1, stderr)
  }
})

test('weights of 8 bits are asked for by a flag, which a static encoder has none of', async (t) => {
  const path = folder(t, { 'texts.txt': lines.join('\n') })
  const table = fileURLToPath(
    new URL('../../../__test__/golden/static-models/model2vec', import.meta.url),
  )
  await cp(golden, join(path, 'model'), { recursive: true })
  await cp(table, join(path, 'table'), { recursive: true })
  using encoder = await SentenceEncoder.load(golden, { precision: 'int8' })
  const wanted = await encoder.encode(lines)
  const printed = await inlay(path, 'sentences encode model texts.txt --weights int8 -q')
  t.is(printed.code, 0, printed.stderr)
  t.deepEqual(rowsOf(printed.stdout), Array.from(wanted))
  const refused = await inlay(path, 'sentences encode table texts.txt --weights int8')
  t.is(refused.code, 2)
  t.regex(refused.stderr, /--weights int8 is of a Transformer/)
})

test('a folder of a static encoder is one too', async (t) => {
  const path = folder(t, { 'texts.txt': lines.join('\n') })
  const table = fileURLToPath(
    new URL('../../../__test__/golden/static-models/model2vec', import.meta.url),
  )
  await cp(table, join(path, 'model'), { recursive: true })
  using encoder = await StaticEncoder.load(table)
  const wanted = await encoder.encode(lines)
  const printed = await inlay(path, 'sentences encode model texts.txt -q')
  t.is(printed.code, 0, printed.stderr)
  t.deepEqual(rowsOf(printed.stdout), Array.from(wanted))
})

test('a model that is brought by its name is a folder that is printed', async (t) => {
  const config = Buffer.from('{}')
  const blobId = createHash('sha1').update(`blob ${config.length}\0`).update(config).digest('hex')
  const said = { sha: 'a'.repeat(40), siblings: [{ rfilename: 'config.json', size: 2, blobId }] }
  const hub = createServer(({ url }, response) => {
    response.end(url!.startsWith('/api/') ? JSON.stringify(said) : config)
  })
  await new Promise<void>((resolve) => hub.listen(0, '127.0.0.1', resolve))
  t.teardown(() => hub.close())
  const endpoint = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`
  const path = folder(t, {})
  const { code, stdout, stderr } = await inlay(
    path,
    `sentences download some/model --endpoint ${endpoint} --cache models -q`,
  )
  t.is(code, 0, stderr)
  t.is(await readFile(join(path, stdout.trim(), 'config.json'), 'utf8'), '{}')
  const wrong = await inlay(path, `sentences download a/b/c --endpoint ${endpoint}`)
  t.is(wrong.code, 2)
  t.regex(wrong.stderr, /owner\/model/)
})

test('a model learns further from a table, and is a folder again', async (t) => {
  const rows = ['fox', 'dog', 'film', 'test'].map((word, i) => `a ${word},"the, ${word}",${i / 4}`)
  const path = folder(t, {
    'scores.csv': ['text,other,score', ...rows].join('\n'),
    'pairs.jsonl': rows.map((_, i) => JSON.stringify({ text: `a ${i}`, positive: 'b' })).join('\n'),
    'wrong.csv': 'text,other,score\na,b,5',
    'many.csv': ['text,positive', ...Array(200).fill('a fox,a dog')].join('\n'),
  })
  await cp(golden, join(path, 'model'), { recursive: true })
  const flags =
    '--epochs 2 --learning-rate 0.01 --freeze embeddings --dropout 0 --validation scores.csv'
  const done = await inlay(path, `sentences train model scores.csv -o tuned ${flags}`)
  t.is(done.code, 0, done.stderr)
  t.regex(done.stderr, /a loss of \d\.\d{4} in the last epoch, \d\.\d{4} on scores\.csv; tuned/)
  using encoder = await SentenceEncoder.load(join(path, 'tuned'))
  using before = await SentenceEncoder.load(golden)
  t.notDeepEqual((await encoder.encode(lines)).values, (await before.encode(lines)).values)
  const pairs = await inlay(path, 'sentences train model pairs.jsonl -o other -q')
  t.deepEqual([pairs.code, pairs.stderr], [0, ''])
  for (const [words, code, message] of [
    ['model scores.csv -o tuned', 2, /-o tuned: that is there already/],
    ['model scores.csv', 2, /-o FOLDER is missing/],
    ['model wrong.csv -o new', 2, /`examples\[0\]\.score` must be a number from -1 to 1/],
    ['model scores.csv -o new --loss triplet', 2, /--loss must be 'cosine-similarity'/],
    ['model none.csv -o new', 1, /none\.csv/],
  ] as const) {
    const failed = await inlay(path, `sentences train ${words}`)
    t.is(failed.code, code, failed.stderr)
    t.regex(failed.stderr, message)
  }
})
