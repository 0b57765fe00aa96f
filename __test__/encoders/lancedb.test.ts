// Encoders in LanceDB: rows become vectors when they come in, searches take texts, and a table that is opened again finds
// its encoder.
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { type Embedder, SentenceEncoder, StaticEncoder, Vectors, lancedbEmbeddings } from 'inlay'
import { folder } from '../fixtures/folder.js'

const golden = fileURLToPath(new URL('../../../__test__/golden', import.meta.url))
const texts = ['the quick brown fox', 'numbers and pictures', 'a lazy dog', 'it is a test']

/** LanceDB has no binary for some machines. */
const lancedb = await import('@lancedb/lancedb').catch(() => undefined)

if (!lancedb) test('LanceDB does not run on this machine: nothing is tested', (t) => t.pass())
else {
  const { connect, embedding } = lancedb

  for (const [name, load, model] of [
    ['sentence', SentenceEncoder, `${golden}/text-models/bert`],
    ['static', StaticEncoder, `${golden}/static-models/model2vec`],
  ] as const) {
    test(`a table of a ${name} encoder takes texts, and is opened again`, async (t) => {
      const loads: string[] = []
      const embeddings = lancedbEmbeddings(
        embedding,
        async ({ path }: { path: string }) => {
          loads.push(path)
          return load.load(path)
        },
        { name },
      )
      const encoder = await embeddings({ path: model })
      using wanted = await load.load(model)
      t.is(encoder.ndims(), wanted.dimensions)
      const schema = embedding.LanceSchema({
        text: encoder.sourceField(),
        vector: encoder.vectorField(),
      })
      const place = folder(t)
      const table = await (
        await connect(place)
      ).createTable(
        'texts',
        texts.slice(0, 3).map((text) => ({ text })),
        { schema },
      )
      await table.add([{ text: texts[3]! }])
      const rows = (await table.query().toArray()) as { text: string; vector: Iterable<number> }[]
      t.deepEqual(rows.map(({ text }) => text).toSorted(), texts.toSorted())
      const vectors = await wanted.encode(texts)
      for (const { text, vector } of rows) {
        t.deepEqual(Float32Array.from(vector), vectors.row(texts.indexOf(text)))
      }
      table.close()
      const again = await (await connect(place)).openTable('texts')
      const found = (await again.search(texts[2]!).limit(1).toArray()) as Record<string, unknown>[]
      t.is(found[0]?.['text'], texts[2])
      t.true((found[0]!['_distance'] as number) < 1e-6)
      await again.add([{ text: 'one more' }])
      t.is(await again.countRows(), 5)
      t.deepEqual(loads, [model])
    })
  }

  test('sources and queries go each their own way', async (t) => {
    const constant =
      (...values: number[]) =>
      (inputs: Iterable<string>) => {
        const rows = Array.from(inputs, () => values).flat()
        return Promise.resolve(Vectors.from(Float32Array.from(rows), values.length))
      }
    const encode = constant(1, 0) as Embedder['encode']
    const embedder = { dimensions: 2, encode, encodeQuery: constant(0, 1) as Embedder['encode'] }
    const embeddings = lancedbEmbeddings(embedding, () => Promise.resolve(embedder), {
      name: 'two',
    })
    const encoder = await embeddings({})
    const [source] = await encoder.computeSourceEmbeddings(['a'])
    t.deepEqual(source, Float32Array.of(1, 0))
    t.deepEqual(await encoder.computeQueryEmbeddings('a'), Float32Array.of(0, 1))
  })

  test('what is no encoder is refused, and what failed is tried again', async (t) => {
    let tries = 0
    const embeddings = lancedbEmbeddings(
      embedding,
      async () => {
        if (++tries === 1) throw new Error('not yet')
        return {} as Embedder
      },
      { name: 'wrong' },
    )
    await t.throwsAsync(embeddings({}), { message: 'not yet' })
    await t.throwsAsync(embeddings({}), { code: 'INVALID_OPTION', message: /`encode`/ })
    t.throws(() => lancedbEmbeddings({} as never, embeddings as never), { code: 'INVALID_OPTION' })
    t.throws(() => lancedbEmbeddings(embedding, 7 as never), { code: 'INVALID_OPTION' })
    const wrong = { name: 7 as never }
    t.throws(() => lancedbEmbeddings(embedding, embeddings as never, wrong), {
      code: 'INVALID_OPTION',
    })
  })
}
