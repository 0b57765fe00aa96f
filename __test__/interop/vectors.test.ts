// Vectors go to gensim and word2vec.c and come back. The peers are those of the benchmarks: see
// benchmark/peers.sh.
import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Word2Vec, WordVectors } from 'inlay'
import { folder } from '../fixtures/folder.js'
import { toySentences } from '../fixtures/toy.js'

const peers = resolve(process.env['INLAY_PEERS'] ?? '.peers')
const script = resolve('__test__/interop/gensim_round_trip.py')

/** A peer's program, or a word that the test is skipped. */
function peer(t: ExecutionContext, name: string): string | undefined {
  const program = join(peers, name)
  if (existsSync(program)) return program
  t.log(`skipped: ${name} is not installed (benchmark/peers.sh installs it)`)
  t.pass()
  return undefined
}

const words = ['king', '__proto__', 'naïve', '国王', 'constructor', 'a-b', '0']
const rows = Float32Array.from({ length: words.length * 3 }, (_, i) => Math.fround(Math.sin(i) * 7))
const row = (i: number) => rows.subarray(3 * i, 3 * i + 3)

for (const [format, end] of [
  ['word2vec-text', 'txt'],
  ['word2vec-binary', 'bin'],
] as const) {
  test(`gensim reads our ${format} file, and we read what gensim writes of it`, async (t) => {
    const python = peer(t, '.venv/bin/python')
    if (!python) return
    const place = folder(t)
    const ours = join(place, `ours.${end}`)
    await WordVectors.from(words, rows, 3).save(ours, { format })
    const args = [script, ours, format.slice('word2vec-'.length), place]
    const read = JSON.parse(execFileSync(python, args, { encoding: 'utf8' }))
    t.deepEqual(Object.keys(read).toSorted(), [...words].toSorted())
    for (const [i, word] of words.entries()) {
      t.deepEqual(Float32Array.from(Object.getOwnPropertyDescriptor(read, word)!.value), row(i))
    }
    for (const theirs of ['gensim.txt', 'gensim.bin']) {
      const back = await WordVectors.open(join(place, theirs))
      t.deepEqual([...back.words], words)
      for (const [i, word] of words.entries()) t.deepEqual(back.vector(word), row(i), theirs)
    }
  })
}

test('gensim finds the neighbours that we find', async (t) => {
  const python = peer(t, '.venv/bin/python')
  if (!python) return
  const place = folder(t)
  const model = await Word2Vec.train(toySentences(50_000), { minCount: 1, dimensions: 20 })
  const file = join(place, 'model.bin')
  await model.vectors.save(file)
  const code = `import json, sys
from gensim.models import KeyedVectors
vectors = KeyedVectors.load_word2vec_format(sys.argv[1], binary=True)
print(json.dumps(vectors.most_similar(positive=["3", "13"], negative=["4"], topn=5)))`
  const theirs: [string, number][] = JSON.parse(
    execFileSync(python, ['-c', code, file], { encoding: 'utf8' }),
  )
  const ours = await model.vectors.mostSimilar(
    { positive: ['3', '13'], negative: ['4'] },
    { topK: 5 },
  )
  t.deepEqual(
    ours.map(({ word }) => word),
    theirs.map(([word]) => word),
  )
  for (const [i, [, similarity]] of theirs.entries()) {
    t.true(Math.abs(ours[i]!.similarity - similarity) < 1e-5)
  }
})

test('what word2vec.c trains opens here, text and binary alike', async (t) => {
  const program = peer(t, 'word2vec-O3')
  if (!program) return
  const place = folder(t)
  const text = join(place, 'text')
  const lines = Array.from({ length: 500 }, (_, i) => `a b${i % 3} c${i % 5} 国${i % 2} __proto__`)
  writeFileSync(text, `${lines.join('\n')}\n`)
  const opened: WordVectors[] = []
  for (const binary of ['0', '1']) {
    const output = join(place, binary)
    const args = ['-train', text, '-output', output, '-binary', binary, '-size', '7', '-threads']
    execFileSync(program, [...args, '1', '-iter', '1'], { stdio: 'ignore' })
    opened.push(await WordVectors.open(output))
  }
  const [fromText, fromBinary] = opened as [WordVectors, WordVectors]
  t.is(fromBinary.size, 13, 'eleven words and two more characters, </s> among them')
  t.is(fromBinary.dimensions, 7)
  t.deepEqual([...fromText.words], [...fromBinary.words])
  for (const word of ['a', '国1', '__proto__', '</s>']) {
    const [x, y] = [fromText.vector(word), fromBinary.vector(word)]
    for (const [i, value] of x.entries()) t.true(Math.abs(value - y[i]!) < 1e-6, word)
  }
})
