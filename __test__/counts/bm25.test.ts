import { join } from 'node:path'
import test from 'ava'
import { Bm25, InvalidOptionError, bm25Options } from 'inlay'
import { folder } from '../fixtures/folder.js'
import { toySentences } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const texts = toySentences(20_000, 100).map((line) => [...line].map((i) => `w${i}`).join(' '))

/** The formula, word for word. */
function plain(query: string, { k1, b }: { k1: number; b: number }): number[] {
  const documents = texts.map((text) => text.split(' '))
  const mean = documents.reduce((sum, words) => sum + words.length, 0) / documents.length
  const scores = documents.map(() => 0)
  for (const term of query.split(' ')) {
    const df = documents.filter((words) => words.includes(term)).length
    const idf = Math.log(1 + (documents.length - df + 0.5) / (df + 0.5))
    for (const [d, words] of documents.entries()) {
      const tf = words.filter((word) => word === term).length
      if (tf > 0)
        scores[d]! += (idf * tf * (k1 + 1)) / (tf + k1 * (1 - b + (b * words.length) / mean))
    }
  }
  return scores
}

for (const at of [
  { k1: 1.2, b: 0.75 },
  { k1: 0, b: 0 },
  { k1: 2, b: 1 },
]) {
  test(`scores are those of the formula: k1 ${at.k1}, b ${at.b}`, async (t) => {
    using index = await Bm25.train(texts, at)
    t.is(index.documents, texts.length)
    for (const query of ['w1', 'w3 w17 w3', 'w90 w2 nothing']) {
      const scores = plain(query, at)
      const found = await index.search(query, { topK: 20 })
      const best = scores.toSorted((a, b) => b - a).filter((score) => score > 0)
      t.is(found.length, Math.min(20, best.length))
      for (const [i, { document, score }] of found.entries()) {
        t.true(Math.abs(score - scores[document]!) < 1e-4, query)
        t.true(Math.abs(score - best[i]!) < 1e-4, query)
      }
    }
  })
}

test('a query without a known term finds nothing, and many queries are answered at once', async (t) => {
  using index = await Bm25.train(texts)
  t.deepEqual(await index.search('nothing known'), [])
  t.deepEqual(await index.search(''), [])
  const queries = ['w1 w2', 'nothing', 'w7']
  const batch = await index.searchBatch(queries, { topK: 3 })
  t.deepEqual(batch, await Promise.all(queries.map((query) => index.search(query, { topK: 3 }))))
  await t.throwsAsync(index.search(5 as never), { instanceOf: InvalidOptionError })
  await t.throwsAsync(index.search('w1', { topK: 0 }), { instanceOf: InvalidOptionError })
})

test('an index comes back from its file', async (t) => {
  const path = join(folder(t), 'index.safetensors')
  using index = await Bm25.train(texts, { maxNgram: 2, k1: 0.9, b: 0.4 })
  await index.save(path)
  using opened = await Bm25.open(path)
  t.deepEqual(opened.options, index.options)
  t.deepEqual(await opened.search('w5 w9'), await index.search('w5 w9'))
  t.deepEqual(opened.weights().parts(), index.weights().parts())
})

for (const { option, value } of wrongValues(bm25Options)) {
  test(`refuses ${option}: ${value}`, async (t) => {
    await t.throwsAsync(Bm25.train(texts, { [option]: value }), { instanceOf: InvalidOptionError })
  })
}
