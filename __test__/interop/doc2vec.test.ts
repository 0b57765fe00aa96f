// Vectors of tags go to gensim and come back.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import test from 'ava'
import { Doc2Vec, WordVectors } from 'inlay'
import { folder } from '../fixtures/folder.js'

const python = join(resolve(process.env['INLAY_PEERS'] ?? '.peers'), '.venv/bin/python')
const script = resolve('__test__/interop/gensim_round_trip.py')

const documents = [
  { text: 'the senate met to vote on the treaty', tags: ['treaty_1', 'politics'] },
  { text: 'the house will vote on the war', tags: ['国王', 'politics'] },
  { text: 'the cat sat', tags: 'naïve' },
  'the dog sat',
]

for (const [format, end] of [
  ['text', 'txt'],
  ['binary', 'bin'],
] as const) {
  test(`gensim reads the tags of a Doc2Vec as word2vec ${format}, and writes them back`, async (t) => {
    if (!existsSync(python)) {
      t.log('skipped: gensim is not installed (benchmark/peers.sh installs it)')
      return t.pass()
    }
    const place = folder(t)
    using model = await Doc2Vec.train(documents, { minCount: 1, dimensions: 7, epochs: 2 })
    const tags = [...model.tags.words]
    t.deepEqual(tags, ['treaty_1', 'politics', '国王', 'naïve', '3'])
    const ours = join(place, `tags.${end}`)
    await model.tags.save(ours, { format: `word2vec-${format}` })
    const read = new Map<string, number[]>(
      Object.entries(
        JSON.parse(execFileSync(python, [script, ours, format, place], { encoding: 'utf8' })),
      ),
    )
    t.is(read.size, tags.length)
    for (const tag of tags) {
      t.deepEqual(Float32Array.from(read.get(tag)!), model.tags.vector(tag), tag)
    }
    for (const theirs of ['gensim.txt', 'gensim.bin']) {
      using back = await WordVectors.open(join(place, theirs))
      t.deepEqual([...back.words], tags)
      for (const tag of tags) t.deepEqual(back.vector(tag), model.tags.vector(tag), theirs)
    }
  })
}
