import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ava from 'ava'
import { Doc2Vec, WordVectors } from 'inlay'
import { colouredText, folder, inlay } from './inlay.js'

// One process at a time: dozens at once would only wait for each other.
const test = ava.serial

test('doc2vec train writes vectors of lines, and infer those of new ones', async (t) => {
  const inside = folder(t, {
    'text.txt': colouredText(100),
    'new.txt': 'red1 red2 red3\n\nnobody\nblue1 blue2\n',
  })
  const trained = await inlay(
    inside,
    `doc2vec train text.txt -o tags.bin --model m.safetensors --dimensions 8 --epochs 2 --threads 1
     --architecture distributed-bag --min-count 1`,
  )
  t.is(trained.code, 0, trained.stderr)
  t.regex(trained.stderr, /tags of 8 dimensions in tags\.bin\n$/)
  using model = await Doc2Vec.open(join(inside, 'm.safetensors'))
  t.is(model.options.architecture, 'distributed-bag-of-words')
  using tags = await WordVectors.open(join(inside, 'tags.bin'))
  t.deepEqual(tags.vector('3'), model.tags.vector('3'))

  const inferred = await inlay(inside, 'doc2vec infer m.safetensors new.txt -q')
  t.is(inferred.code, 0, inferred.stderr)
  const rows = inferred.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as number[])
  t.is(rows.length, 4)
  t.deepEqual(rows[1], Array<number>(8).fill(0))
  t.deepEqual(Float32Array.from(rows.flat()), await model.infer(join(inside, 'new.txt')))

  const saved = await inlay(
    inside,
    'doc2vec infer m.safetensors new.txt -o new.txt2.npy --epochs 2',
  )
  t.is(saved.code, 0, saved.stderr)
  t.is(readFileSync(join(inside, 'new.txt2.npy')).subarray(1, 6).toString(), 'NUMPY')
})

test('what doc2vec cannot do is told before it begins', async (t) => {
  const inside = folder(t, { 'text.txt': colouredText(10) })
  for (const line of [
    'doc2vec train text.txt',
    'doc2vec train text.txt -o text.txt',
    'doc2vec train text.txt -o v.unknown',
    'doc2vec train text.txt -o v.bin --architecture distributed-bag --combine sum',
    'doc2vec infer text.txt --format npy',
    'doc2vec infer',
  ]) {
    const { code, stderr } = await inlay(inside, line)
    t.is(code, 2, `${line}: ${stderr}`)
  }
  const { code, stderr } = await inlay(inside, 'doc2vec infer text.txt text.txt')
  t.is(code, 1)
  t.regex(stderr, /^inlay: /)
})
