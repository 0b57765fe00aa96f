// Encoders as other libraries want them, by structure alone: none of them is imported.
import { type Embedder, Vectors } from '../embedder.js'
import { type Options, integer, oneOf, settleAlone, text, textOr, wrongOption } from '../options.js'
import { Turns } from '../turns.js'
import { SentenceVectors } from './prompted-encoder.js'

/** An embedder of texts that may tell what is looked for from what is found. */
type TextEmbedder = Embedder<string> &
  Partial<Record<'encodeQuery' | 'encodeDocument', Embedder<string>['encode']>>

/** LangChain.js' `EmbeddingsInterface`. */
export interface LangchainEmbeddings {
  embedDocuments(documents: string[]): Promise<number[][]>
  embedQuery(document: string): Promise<number[]>
}

/**
 * An embedder as [LangChain.js](https://js.langchain.com) wants it: documents by `encodeDocument` and queries by
 * `encodeQuery`, where it has them.
 *
 *     const store = new MemoryVectorStore(langchainEmbeddings(encoder))
 */
export function langchainEmbeddings(embedder: TextEmbedder): LangchainEmbeddings {
  checkEmbedder(embedder, 'langchainEmbeddings')
  return {
    embedDocuments: async (documents) => {
      const encode = embedder.encodeDocument ?? embedder.encode
      return rowsOf(await encode.call(embedder, documents))
    },
    embedQuery: async (document) => {
      const encode = embedder.encodeQuery ?? embedder.encode
      const [row] = await rowsOf(await encode.call(embedder, [document]))
      return row!
    },
  }
}

const aiEmbeddingModelOptions = {
  /** What the model is called in logs. */
  modelId: text('what the model is called in logs', 'NAME'),
  /** Which version of the specification it is: AI SDK 5 takes 'v2', 6 takes 'v3', 7 all of them. */
  version: oneOf(['v3', 'v2', 'v4'], 'which version of the specification it is'),
  /** Texts of a call; `embedMany` makes several of more. */
  maxEmbeddingsPerCall: integer(256, { from: 1 }, 'texts of a call'),
}

/** The AI SDK's embedding model of a version. */
export interface AiEmbeddingModel<Version extends 'v2' | 'v3' | 'v4'> {
  readonly specificationVersion: Version
  readonly provider: 'inlay'
  readonly modelId: string
  readonly maxEmbeddingsPerCall: number
  readonly supportsParallelCalls: false
  doEmbed(options: {
    readonly values: string[]
    readonly abortSignal?: AbortSignal | undefined
  }): Promise<{
    embeddings: number[][]
    usage?: { tokens: number }
    warnings: { type: 'other'; message: string }[]
  }>
}

/**
 * An embedder as the [AI SDK](https://ai-sdk.dev) wants it.
 *
 *     const { embeddings } = await embedMany({ model: aiEmbeddingModel(encoder), values: texts })
 *
 * Where the embedder counts tokens, `usage` has them, and texts that were not read to their end are a warning.
 */
export function aiEmbeddingModel<Version extends 'v2' | 'v3' | 'v4' = 'v3'>(
  embedder: Embedder<string>,
  options: Options<typeof aiEmbeddingModelOptions> & { readonly version?: Version } = {},
): AiEmbeddingModel<Version> {
  const who = 'aiEmbeddingModel'
  checkEmbedder(embedder, who)
  const {
    modelId = 'embedder',
    version,
    maxEmbeddingsPerCall,
  } = settleAlone(aiEmbeddingModelOptions, options, who)
  return {
    specificationVersion: version as Version,
    provider: 'inlay',
    modelId,
    maxEmbeddingsPerCall,
    // Calls use all threads: side by side they would only wait for each other.
    supportsParallelCalls: false,
    doEmbed: async ({ values, abortSignal }) => {
      const vectors = await embedder.encode(values, { signal: abortSignal })
      const embeddings = await rowsOf(vectors)
      if (!(vectors instanceof SentenceVectors)) return { embeddings, warnings: [] }
      const tokens = vectors.tokens.reduce((sum, count) => sum + count, 0)
      const warnings = vectors.truncated.map((i) => {
        const message = `text ${i} has ${vectors.tokens[i]} tokens, and ${vectors.maxTokens} are read`
        return { type: 'other' as const, message }
      })
      return { embeddings, usage: { tokens }, warnings }
    },
  }
}

const lancedbEmbeddingsOptions = {
  /** By which a table finds its encoder again. */
  name: textOr('inlay', 'by which a table finds its encoder again'),
}

/** What is used of `embedding` of `@lancedb/lancedb`. */
export interface LancedbEmbedding<Instance extends object> {
  readonly TextEmbeddingFunction: abstract new () => Instance
  // The class goes to LanceDB as it is: what it wants of it is LanceDB's own.
  // eslint-disable-next-line typescript/no-explicit-any -- the type of a class that is not imported
  register(name?: string): (constructor: any) => unknown
}

/** What `lancedbEmbeddings` makes: an embedding function of a model, and what LanceDB keeps of the model in a table. */
export type LancedbEmbeddings<Instance extends object, Model extends object> = (
  model: Model,
) => Promise<Instance & { ndims(): number }>

/**
 * Encoders as [LanceDB](https://lancedb.com) wants them: tables whose texts become vectors when rows come in, and whose
 * searches take texts. Sources go through `encodeDocument` and queries through `encodeQuery`, where the encoder has them.
 *
 *     import { connect, embedding } from '@lancedb/lancedb'
 *
 *     const embeddings = lancedbEmbeddings(embedding, ({ folder }: { folder: string }) => SentenceEncoder.load(folder))
 *     const encoder = await embeddings({ folder: 'all-MiniLM-L6-v2' })
 *     const schema = embedding.LanceSchema({ text: encoder.sourceField(), vector: encoder.vectorField() })
 *     const table = await (await connect('data')).createTable('texts', [{ text: 'a cat' }], { schema })
 *     await table.search('a kitten').limit(1).toArray()
 *
 * A table keeps the name and the model, which must be JSON: whoever opens it calls `lancedbEmbeddings` with the same name
 * before, and `load` brings the encoder of each model once.
 */
export function lancedbEmbeddings<Instance extends object, Model extends object>(
  embedding: LancedbEmbedding<Instance>,
  load: (model: Model) => Promise<TextEmbedder>,
  options: Options<typeof lancedbEmbeddingsOptions> = {},
): LancedbEmbeddings<Instance, Model> {
  const who = 'lancedbEmbeddings'
  const { name } = settleAlone(lancedbEmbeddingsOptions, options, who)
  if (typeof embedding?.TextEmbeddingFunction !== 'function') {
    throw wrongOption('embedding', '`embedding` of @lancedb/lancedb', embedding, who)
  }
  if (typeof load !== 'function') throw wrongOption('load', 'a function', load, who)
  const loaded = new Map<string, Promise<TextEmbedder>>()
  const encoderOf = (model: Model) => {
    const key = JSON.stringify(model)
    const encoder =
      loaded.get(key) ?? load(model).then((found) => (checkEmbedder(found, who), found))
    loaded.set(key, encoder)
    // What failed may be tried again.
    encoder.catch(() => loaded.delete(key))
    return encoder
  }
  type Base = new () => { resolveVariables(model: Model): Model }
  const base = embedding.TextEmbeddingFunction as unknown as Base
  class InlayEmbeddings extends base {
    readonly #model: Model
    #encoder: TextEmbedder | undefined

    constructor(model: Model) {
      super()
      this.#model = this.resolveVariables(model)
    }

    /** LanceDB calls it, and waits, before anything else. */
    async init(): Promise<void> {
      this.#encoder = await encoderOf(this.#model)
    }

    ndims(): number {
      return this.#encoder!.dimensions
    }

    async generateEmbeddings(texts: string[]): Promise<Float32Array[]> {
      const encoder = this.#encoder!
      return Array.from(await (encoder.encodeDocument ?? encoder.encode).call(encoder, texts))
    }

    async computeQueryEmbeddings(query: string): Promise<Float32Array> {
      const encoder = this.#encoder!
      return (await (encoder.encodeQuery ?? encoder.encode).call(encoder, [query])).row(0)
    }
  }
  embedding.register(name)(InlayEmbeddings)
  return async (model) => {
    const made = new InlayEmbeddings(model)
    await made.init()
    return made as unknown as Instance & { ndims(): number }
  }
}

function checkEmbedder(given: unknown, who: string): void {
  if (typeof (given as Embedder | null)?.encode === 'function') return
  throw wrongOption('embedder', 'an object with `encode`', given, who)
}

/** Rows as arrays of numbers, which is what these libraries take. */
async function rowsOf(vectors: Vectors): Promise<number[][]> {
  const rows: number[][] = []
  const turns = new Turns()
  for (const row of vectors) {
    rows.push(Array.from(row))
    if (turns.isOver(row.length)) await turns.next()
  }
  return rows
}
