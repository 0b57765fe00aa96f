import test from 'ava'
import {
  DocumentEncoder,
  type Embedder,
  InvalidOptionError,
  MeanEncoder,
  Vectors,
  WordVectors,
} from 'inlay'

const vectors = WordVectors.from(['a', 'b', 'c'], Float32Array.of(1, 0, 0, 1, 1, 1), 2)
const words = { tokenizer: 'words', lowercase: true } as const
const sentences = await MeanEncoder.train(vectors, words)
const rounded = (row: Float32Array) => [...row].map((value) => Math.round(value * 1e6) / 1e6)

test('a document is the mean of its sentences, not of its words', async (t) => {
  using encoder = await DocumentEncoder.train(sentences)
  t.is(encoder.dimensions, 2)
  const found = await encoder.encode(['A a a! B?', 'c. Nothing known. a', '', 'unknown. words'])
  t.deepEqual(rounded(found.row(0)), [0.5, 0.5])
  t.deepEqual(rounded(found.row(1)), [1, 0.5], 'sentences of zeros are left out')
  t.deepEqual(
    [rounded(found.row(2)), rounded(found.row(3))],
    [
      [0, 0],
      [0, 0],
    ],
  )
  t.deepEqual([...found.known!], [2, 2, 0, 0])
})

test('sentences weigh by length, place, or the rarity of their words', async (t) => {
  const encode = async (options: object, document: string) => {
    using encoder = await DocumentEncoder.train(sentences, { ...words, ...options })
    return rounded((await encoder.encode([document])).row(0))
  }
  t.deepEqual(await encode({ weights: 'length' }, 'A a c. B.'), [0.75, 0.5])
  t.deepEqual(await encode({ weights: 'position' }, 'A. B.'), [0.666667, 0.333333])
  const documents = ['a b', 'a', 'a', 'a']
  const [a, b] = [Math.log(5 / 5) + 1, Math.log(5 / 2) + 1]
  const expected = [a / (a + b), b / (a + b)].map((value) => Math.round(value * 1e6) / 1e6)
  t.deepEqual(await encode({ weights: 'tf-idf', documents }, 'A. B.'), expected)
})

test('sentences end where Unicode says, or with the line', async (t) => {
  const seen: string[][] = []
  const embedder: Embedder = {
    dimensions: 1,
    encode: async (texts) => {
      const all: string[] = []
      for await (const text of texts) all.push(text)
      seen.push(all)
      return Vectors.from(
        Float32Array.from(all, ({ length }) => length),
        1,
      )
    },
  }
  const document = 'It is 3.14 m long. Really?\nYes, it is!'
  using unicode = await DocumentEncoder.train(embedder)
  using line = await DocumentEncoder.train(embedder, { sentences: 'line' })
  await unicode.encode([document])
  await line.encode([document])
  t.deepEqual(seen, [
    ['It is 3.14 m long.', 'Really?', 'Yes, it is!'],
    ['It is 3.14 m long. Really?', 'Yes, it is!'],
  ])
})

test('a document has the same vector in any company, and comes from a stream too', async (t) => {
  using encoder = await DocumentEncoder.train(sentences, { ...words, weights: 'length' })
  const documents = Array.from({ length: 10_000 }, (_, i) => `A b. ${'C '.repeat(i % 5)}. B`)
  async function* stream() {
    yield* documents
  }
  const found = await encoder.encode(stream())
  t.is(found.length, documents.length)
  t.deepEqual(await encoder.encode(documents, { threads: 1 }), found)
  for (const i of [0, 4095, 4096, 9999]) {
    t.deepEqual((await encoder.encode([documents[i]!])).values, found.row(i).slice())
  }
  let last = 0
  await encoder.encode(documents, { onProgress: ({ done }) => (last = done) })
  t.is(last, documents.length)
  await t.throwsAsync(encoder.encode(documents, { signal: AbortSignal.abort() }), {
    any: true,
    name: 'AbortError',
  })
})

test('a document encoder is an embedder itself', async (t) => {
  using inner = await DocumentEncoder.train(sentences, words)
  using outer = await DocumentEncoder.train(inner, { sentences: 'line' })
  t.deepEqual(rounded((await outer.encode(['A. B.\nB.'])).row(0)), [0.25, 0.75])
})

test('what is no embedder, does nothing, or gives too few rows is refused', async (t) => {
  const wrong = { instanceOf: InvalidOptionError }
  await t.throwsAsync(DocumentEncoder.train({} as never), wrong)
  await t.throwsAsync(DocumentEncoder.train(undefined as never), wrong)
  await t.throwsAsync(DocumentEncoder.train(sentences, { weights: 'tf-idf' }), wrong)
  await t.throwsAsync(DocumentEncoder.train(sentences, { documents: ['a'] }), wrong)
  await t.throwsAsync(DocumentEncoder.train(sentences, { weights: 'wrong' as never }), wrong)
  const short: Embedder = {
    dimensions: 2,
    encode: async () => Vectors.from(new Float32Array(2), 2),
  }
  using encoder = await DocumentEncoder.train(short)
  await t.throwsAsync(encoder.encode(['One. Two. Three.']), { code: 'INVALID_INPUT' })
  using right = await DocumentEncoder.train(sentences)
  await t.throwsAsync(right.encode('a' as never), wrong)
  await t.throwsAsync(right.encode(['a', 1] as never), { code: 'INVALID_INPUT' })
})
