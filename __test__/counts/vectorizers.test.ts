import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import {
  Bm25,
  Corpus,
  InlayError,
  InvalidOptionError,
  NgramVectorizer,
  TfidfVectorizer,
  ngramVectorizerOptions,
  tfidfVectorizerOptions,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { toySentences } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const texts = ['a cat and a dog', 'the cat sat', '', 'dogs, dogs & dogs', 'the the the']
const manyTexts = toySentences(30_000, 300).map((line) => [...line].map((i) => `w${i}`).join(' '))

/** TF-IDF in plain JavaScript: rows by term. */
function plain(documents: readonly string[]): Map<string, number>[] {
  const counts = documents.map((text) => {
    const found = new Map<string, number>()
    for (const [word] of text.toLowerCase().matchAll(/\w\w+/g)) {
      found.set(word, (found.get(word) ?? 0) + 1)
    }
    return found
  })
  const df = (term: string) => counts.filter((row) => row.has(term)).length
  return counts.map((row) => {
    const idf = (term: string) => Math.log((1 + documents.length) / (1 + df(term))) + 1
    const weights = [...row].map(([term, count]) => [term, count * idf(term)] as const)
    const length = Math.hypot(...weights.map(([, weight]) => weight))
    return new Map(weights.map(([term, weight]) => [term, weight / length]))
  })
}

test('TF-IDF weighs terms by how few documents have them', async (t) => {
  const { vectorizer, matrix } = await TfidfVectorizer.trainAndTransform(texts)
  t.deepEqual(vectorizer.terms.slice(), ['and', 'cat', 'dog', 'dogs', 'sat', 'the'])
  t.is(vectorizer.trainedOn, 5)
  t.deepEqual([matrix.rows, matrix.columns], [5, 6])
  t.deepEqual([...vectorizer.documentFrequencies()], [1, 2, 1, 1, 1, 2])
  t.is(vectorizer.columnOf('cat'), 1)
  t.is(vectorizer.columnOf('Cat'), undefined)
  t.true(Math.abs(vectorizer.idf()[1]! - (Math.log(6 / 3) + 1)) < 1e-12)
  for (const [i, expected] of plain(texts).entries()) {
    const { indices, values } = matrix.row(i)
    const found = Array.from(indices, (column) => vectorizer.terms.at(column)!)
    t.deepEqual(found, [...expected.keys()].toSorted())
    found.forEach((term, at) => t.true(Math.abs(values[at]! - expected.get(term)!) < 1e-6))
  }
})

test('rows are the same in any company, by any number of threads and from any source', async (t) => {
  const inside = folder(t)
  const path = join(inside, 'texts.txt.gz')
  writeFileSync(path, gzipSync(manyTexts.map((text) => `${text}\n`).join('')))
  const options = { maxNgram: 2, minDocuments: 2 }
  const of = async (source: Parameters<typeof TfidfVectorizer.train>[0], threads: number) => {
    const { vectorizer, matrix } = await TfidfVectorizer.trainAndTransform(source, {
      ...options,
      threads,
    })
    return { terms: vectorizer.terms.slice(), parts: matrix.parts(), vectorizer }
  }
  const one = await of(manyTexts, 1)
  for (const source of [manyTexts, path, manyTexts.map((text) => text.split(' '))]) {
    const other = await of(source, 2)
    t.deepEqual(other.terms, one.terms)
    t.deepEqual(other.parts, one.parts)
  }
  const again = await one.vectorizer.transform(manyTexts.slice(7, 20))
  for (let i = 0; i < 13; i++) {
    const { offsets, indices, values } = one.parts
    const [from, to] = [offsets[7 + i]!, offsets[8 + i]!]
    const expected = { indices: indices.slice(from, to), values: values.slice(from, to) }
    t.deepEqual({ ...again.row(i) }, expected)
    t.deepEqual({ ...one.vectorizer.transformText(manyTexts[7 + i]!).row(0) }, expected)
  }
})

test('a corpus that was read before is a source, of the words that it kept', async (t) => {
  using corpus = await Corpus.read(manyTexts, { minCount: 5 })
  const kept = new Set(corpus.words)
  const words = manyTexts.map((text) => text.split(' ').filter((word) => kept.has(word)))
  const documents = words.filter((document) => document.length > 0)
  t.is(corpus.sentences, documents.length)
  const { vectorizer, matrix } = await TfidfVectorizer.trainAndTransform(corpus)
  const expected = await TfidfVectorizer.trainAndTransform(documents)
  t.deepEqual(vectorizer.terms.slice(), expected.vectorizer.terms.slice())
  t.deepEqual(matrix.parts(), expected.matrix.parts())
  const counts = await NgramVectorizer.train(corpus, { maxNgram: 2 })
  t.is((await counts.transform(corpus)).rows, documents.length)
  t.is((await Bm25.train(corpus)).documents, documents.length)
  corpus.close()
  await t.throwsAsync(TfidfVectorizer.train(corpus), { code: 'CLOSED' })
})

test('limits leave out terms of too few or too many documents, and the rarest', async (t) => {
  const terms = async (options: object) =>
    (await NgramVectorizer.train(['a1 b1', 'a1 b1 b1', 'a1 c1', 'a1 c1 d1'], options)).terms.slice()
  t.deepEqual(await terms({}), ['a1', 'b1', 'c1', 'd1'])
  t.deepEqual(await terms({ minDocuments: 2 }), ['a1', 'b1', 'c1'])
  t.deepEqual(await terms({ maxDocuments: 2 }), ['b1', 'c1', 'd1'])
  t.deepEqual(await terms({ minShare: 0.5, maxShare: 0.5 }), ['b1', 'c1'])
  t.deepEqual(await terms({ maxFeatures: 2 }), ['a1', 'b1'])
  const error = await t.throwsAsync(terms({ minDocuments: 5 }), { instanceOf: InlayError })
  t.is(error.code, 'INVALID_INPUT')
  t.regex(error.message, /none of 4 terms is within the limits/)
})

test('Chinese texts are cut into words', async (t) => {
  const chinese = ['我来到北京清华大学。', '他来到了网易杭研大厦', '小明硕士毕业于中国科学院计算所']
  const vectorizer = await TfidfVectorizer.train(chinese, { tokenizer: 'chinese' })
  t.not(vectorizer.columnOf('清华大学'), undefined)
  t.not(vectorizer.columnOf('来到'), undefined)
  t.is(vectorizer.columnOf('来到北京'), undefined)
})

test('more hashed columns than there is memory for are an error', async (t) => {
  if (process.platform !== 'linux') return t.pass('only there the system tells what it has')
  const vectorizer = NgramVectorizer.hashing({ columns: 2 ** 30 })
  await t.throwsAsync(vectorizer.transform(texts, { threads: 1024 }), { code: 'OUT_OF_MEMORY' })
})

test('hashed terms need no training', async (t) => {
  const vectorizer = NgramVectorizer.hashing({ columns: 32 })
  t.like(vectorizer.options, { columns: 32, alternateSign: true })
  t.is(vectorizer.columns, 32)
  t.is(vectorizer.terms.length, 0)
  const matrix = await vectorizer.transform(texts)
  t.deepEqual({ ...matrix.row(0) }, { ...vectorizer.transformText(texts[0]!).row(0) })
  t.is(matrix.row(2).indices.length, 0)
  const tfidf = await TfidfVectorizer.train(texts, { hashedColumns: 32 })
  t.is((await tfidf.transform(texts)).columns, 32)
})

test('a vectorizer comes back from its file; other and damaged files are refused', async (t) => {
  const inside = folder(t)
  const path = join(inside, 'tfidf.safetensors')
  using vectorizer = await TfidfVectorizer.train(manyTexts, { maxNgram: 2, sublinear: true })
  await vectorizer.save(path)
  using opened = await TfidfVectorizer.open(path)
  t.deepEqual(opened.options, vectorizer.options)
  t.is(opened.trainedOn, vectorizer.trainedOn)
  t.deepEqual(
    (await opened.transform(manyTexts.slice(0, 50))).parts(),
    (await vectorizer.transform(manyTexts.slice(0, 50))).parts(),
  )
  const message = `NgramVectorizer.open: ${path}: it holds a TfidfVectorizer`
  await t.throwsAsync(NgramVectorizer.open(path), { code: 'INVALID_INPUT', message })
  const bytes = readFileSync(path)
  for (const length of [0, 10, 1000, bytes.length - 1]) {
    truncateSync(path, length)
    const error = await t.throwsAsync(TfidfVectorizer.open(path), { instanceOf: InlayError })
    t.is(error.code, 'INVALID_INPUT')
    writeFileSync(path, bytes)
  }
  const missing = await t.throwsAsync(TfidfVectorizer.open(join(inside, 'none')), {
    instanceOf: InlayError,
  })
  t.is(missing.code, 'NOT_FOUND')
})

test('sources without documents, without terms, and items that are no texts are refused', async (t) => {
  const refused = async (source: unknown, message: RegExp) => {
    const error = await t.throwsAsync(TfidfVectorizer.train(source as string[]), {
      instanceOf: InlayError,
    })
    t.is(error.code, 'INVALID_INPUT')
    t.regex(error.message, message)
  }
  await refused([], /stream: holds no document/)
  await refused(['', 'a b c'], /no document holds a term/)
  await refused(['ab', { not: 'a text' }], /item 1|text/)
})

test('options that would do nothing are refused', async (t) => {
  for (const options of [
    { unit: 'characters', stopWords: ['the'] },
    { unit: 'characters-in-words', tokenizer: 'words' },
    { minNgram: 3, maxNgram: 2 },
    { hashedColumns: 100, minDocuments: 2 },
  ] as const) {
    await t.throwsAsync(TfidfVectorizer.train(texts, options), { instanceOf: InvalidOptionError })
  }
})

test('a run is stopped, and says how far it is', async (t) => {
  const controller = new AbortController()
  const endless = function* () {
    for (;;) yield 'cat dog bird'
  }
  const phases = new Set<string>()
  const running = TfidfVectorizer.train(endless(), {
    signal: controller.signal,
    onProgress: ({ phase, done }) => {
      phases.add(phase)
      if (done > 1000) controller.abort()
    },
  })
  await t.throwsAsync(running, { any: true, name: 'AbortError' })
  t.true(phases.has('count'))
})

for (const [name, table, train] of [
  ['TfidfVectorizer', tfidfVectorizerOptions, TfidfVectorizer.train],
  ['NgramVectorizer', ngramVectorizerOptions, NgramVectorizer.train],
] as const) {
  for (const { option, value } of wrongValues(table)) {
    test(`${name} refuses ${option}: ${value}`, async (t) => {
      await t.throwsAsync(train(texts, { [option]: value }), { instanceOf: InvalidOptionError })
    })
  }
}
