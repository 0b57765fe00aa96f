// Encoders in the libraries that they are made for: LangChain.js and the AI SDK.
import { fileURLToPath } from 'node:url'
import type { EmbeddingsInterface } from '@langchain/core/embeddings'
import { FakeVectorStore } from '@langchain/core/utils/testing'
import { type EmbeddingModel, embed, embedMany } from 'ai'
import test from 'ava'
import {
  type Embedder,
  SentenceEncoder,
  Vectors,
  aiEmbeddingModel,
  langchainEmbeddings,
} from 'inlay'

const golden = fileURLToPath(new URL('../../../__test__/golden/text-models/bert', import.meta.url))
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false })
const texts = ['the quick brown fox', 'numbers and pictures', 'a lazy dog', 'it is a test']

test('LangChain.js stores documents and finds them', async (t) => {
  using encoder = await SentenceEncoder.load(golden)
  const embeddings: EmbeddingsInterface = langchainEmbeddings(encoder)
  const store = await FakeVectorStore.fromTexts(
    texts,
    texts.map((_, i) => ({ i })),
    embeddings,
  )
  const [[found, score] = []] = await store.similaritySearchWithScore(texts[2]!, 1)
  t.is(found?.pageContent, texts[2])
  t.true(Math.abs(score! - 1) < 1e-6)
})

test('queries and documents go each their own way, where there are two', async (t) => {
  const constant = (value: number) => () => Promise.resolve(Vectors.from(Float32Array.of(value), 1))
  const embedder: Embedder<string> & { encodeQuery: Embedder<string>['encode'] } = {
    dimensions: 1,
    encode: constant(1),
    encodeQuery: constant(2),
  }
  const { embedQuery, embedDocuments } = langchainEmbeddings(embedder)
  t.deepEqual([await embedQuery('a'), ...(await embedDocuments(['a']))], [[2], [1]])
})

for (const version of ['v2', 'v3'] as const) {
  test(`the AI SDK embeds texts by a model of ${version}`, async (t) => {
    using encoder = await SentenceEncoder.load(golden, { maxTokens: 5 })
    const model: EmbeddingModel = aiEmbeddingModel(encoder, { version, maxEmbeddingsPerCall: 3 })
    const wanted = await encoder.encode(texts)
    const { embeddings, usage } = await embedMany({ model, values: texts })
    t.deepEqual(
      embeddings,
      Array.from(wanted, (row) => Array.from(row)),
    )
    t.is(
      usage.tokens,
      wanted.tokens.reduce((sum, count) => sum + count, 0),
    )
    const one = await embed({ model, value: texts[0]! })
    t.deepEqual(one.embedding, embeddings[0])
    const controller = new AbortController()
    controller.abort()
    await t.throwsAsync(
      embed({ model, value: 'a', abortSignal: controller.signal, maxRetries: 0 }),
      {
        any: true,
      },
    )
  })
}

test('what was not read is a warning, and what is no embedder is refused', async (t) => {
  using encoder = await SentenceEncoder.load(golden, { maxTokens: 5 })
  const model = aiEmbeddingModel(encoder, { version: 'v4', modelId: 'small' })
  t.is(model.specificationVersion, 'v4')
  t.is(model.modelId, 'small')
  const { warnings } = await model.doEmbed({ values: ['fox', texts[0]!] })
  t.regex(warnings[0]!.message, /^text 1 has \d+ tokens, and 5 are read$/)
  t.is(warnings.length, 1)
  t.throws(() => aiEmbeddingModel({} as never), { code: 'INVALID_OPTION' })
  t.throws(() => langchainEmbeddings(null as never), { code: 'INVALID_OPTION' })
  t.throws(() => aiEmbeddingModel(encoder, { version: 'v9' as never }), { code: 'INVALID_OPTION' })
})
