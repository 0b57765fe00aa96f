import { type Embedder, Vectors } from '../embedder.js'
import { InlayError, InvalidOptionError, shown } from '../errors.js'
import { Handle } from '../handle.js'
import {
  type EncodedRows,
  type FrequenciesHandle,
  type SentencesOfDocuments,
  meanRows,
  splitDocuments,
} from '../native.js'
import {
  type Options,
  type RunOptions,
  type Settings,
  oneOf,
  settle,
  wrongOption,
} from '../options.js'
import { serve } from '../run.js'
import { frequenciesOf, settleTexts, splitOptions, textsOption } from './document-frequencies.js'

/** Every option of `DocumentEncoder.train`. */
export const documentEncoderOptions = {
  ...splitOptions,
  /** What ends a sentence: what Unicode says (UAX #29), or the line. */
  sentences: oneOf(['unicode', 'line'], 'what ends a sentence'),
  /** What a sentence weighs: as much as any other; its number of words; 1 / its place from 1; or the
   * sum of its words' inverse document frequencies. */
  weights: oneOf(['equal', 'length', 'position', 'tf-idf'], 'what a sentence weighs'),
  /** Documents in which words are counted; with 'tf-idf' only, which needs them. */
  documents: textsOption('documents in which words are counted'),
}

/** The options of `DocumentEncoder.train`: see `documentEncoderOptions`. */
export type DocumentEncoderOptions = Options<typeof documentEncoderOptions> & RunOptions

/** How a document encoder was made. */
export type DocumentEncoderSettings = Omit<Settings<typeof documentEncoderOptions>, 'documents'>

/** Documents that are worked on together: so many, or of so many characters. */
const DOCUMENTS = 4096
const CHARACTERS = 1 << 20

/**
 * Documents as the weighted mean of the vectors of their sentences, whatever embeds those.
 *
 *     document ─▶ sentences ─(embedder)─▶ vectors ─▶ Σ weight · vector / Σ weight
 *
 *     const encoder = await DocumentEncoder.train(sentenceEncoder, { weights: 'position' })
 *     const rows = await encoder.encode(documents)
 *
 * Sentences whose vector is zeros are left out. A document without any other has a vector of zeros;
 * `rows.known` says how many sentences count in each.
 */
export class DocumentEncoder implements Embedder {
  /** Values of a vector. */
  readonly dimensions: number
  /** How it was made. */
  readonly options: DocumentEncoderSettings
  readonly #embedder: Embedder
  readonly #frequencies: Handle<FrequenciesHandle> | undefined

  private constructor(
    embedder: Embedder,
    options: DocumentEncoderSettings,
    frequencies: FrequenciesHandle | undefined,
  ) {
    this.dimensions = embedder.dimensions
    this.options = options
    this.#embedder = embedder
    this.#frequencies = frequencies && new Handle(frequencies)
  }

  /**
   * Makes an encoder over an embedder of sentences; counts documents for the weights 'tf-idf'. The
   * embedder is used, and not owned: close it afterwards.
   *
   * @throws {InvalidOptionError} what is no embedder; an option that would do nothing
   * @throws {InlayError} `INVALID_INPUT` documents without a word
   */
  static async train(
    embedder: Embedder,
    options: DocumentEncoderOptions = {},
  ): Promise<DocumentEncoder> {
    const who = 'DocumentEncoder.train'
    const { dimensions, encode } = (embedder as Partial<Embedder> | undefined) ?? {}
    if (!Number.isInteger(dimensions) || typeof encode !== 'function') {
      throw wrongOption('embedder', 'an Embedder', embedder, who)
    }
    const { settings, run: runSettings } = settle(documentEncoderOptions, options, who)
    const { documents, ...rest } = settings
    if ((documents === undefined) === (settings.weights === 'tf-idf')) {
      const problem = documents ? "is for the weights 'tf-idf' only" : "must be given for 'tf-idf'"
      throw new InvalidOptionError(`${who}: \`documents\` ${problem}`, { option: 'documents' })
    }
    const frequencies = documents && (await frequenciesOf(documents, settings, runSettings, who))
    return new DocumentEncoder(embedder, rest, frequencies)
  }

  /**
   * The vectors of documents. They come through the embedder a few thousand at a time; a vector does
   * not depend on the other documents, if the embedder keeps that promise.
   *
   * @throws {InlayError} `INVALID_INPUT` an item that is no string
   */
  async encode(
    documents: Iterable<string> | AsyncIterable<string>,
    options: RunOptions = {},
  ): Promise<Vectors> {
    const who = 'DocumentEncoder.encode'
    const { threads, seed, signal, onProgress } = settle({}, options, who).run
    settleTexts(documents, 'documents', who)
    const parts: EncodedRows[] = []
    const begun = performance.now()
    let done = 0
    let told = -Infinity
    const tell = () => {
      told = performance.now()
      const rate = (1000 * done) / Math.max(1, told - begun)
      onProgress?.({ phase: 'encode', done, unit: 'documents', rate })
    }
    for await (const batch of batches(documents, who)) {
      signal?.throwIfAborted()
      parts.push(await this.#encode(batch, { threads, seed, signal }, who))
      done += batch.length
      if (performance.now() - told >= 100) tell()
    }
    if (onProgress) tell()
    const { dimensions } = this
    const values = new Float32Array(done * dimensions)
    const known = new Uint32Array(done)
    let row = 0
    for (const part of parts) {
      values.set(part.values, row * dimensions)
      known.set(part.known, row)
      row += part.known.length
    }
    return new Vectors(values, dimensions, known)
  }

  async #encode(documents: string[], options: RunOptions, who: string): Promise<EncodedRows> {
    const { sentences: ends, weights, ...split } = this.options
    const frequencies = this.#frequencies?.use(who)
    const found = await serve<SentencesOfDocuments>(who, options.signal, (events) =>
      splitDocuments(documents, ends === 'line', weights, frequencies, split, events),
    )
    const { dimensions } = this
    const rows = await this.#embedder.encode(found.sentences, options)
    const { values } = rows
    if (values.length !== found.sentences.length * dimensions) {
      const problem = `the embedder gave ${rows.length} rows for ${found.sentences.length} sentences`
      throw new InlayError('INVALID_INPUT', `${who}: ${problem}`, { source: 'embedder', problem })
    }
    return serve<EncodedRows>(who, options.signal, (events) =>
      meanRows(values, dimensions, found.weights, found.ends, events),
    )
  }

  /** Frees the memory of its counts now rather than when the garbage is collected. */
  close(): void {
    this.#frequencies?.close()
  }

  /** As `close`: `using encoder = await DocumentEncoder.train(...)`. */
  [Symbol.dispose](): void {
    this.close()
  }
}

/** Documents as they come, in batches of about a megabyte. */
async function* batches(
  documents: Iterable<string> | AsyncIterable<string>,
  who: string,
): AsyncGenerator<string[]> {
  let batch: string[] = []
  let characters = 0
  let index = 0
  for await (const document of documents) {
    if (typeof document !== 'string') {
      const problem = `it must be a string, got ${shown(document)}`
      const message = `${who}: item ${index} of the documents: ${problem}`
      throw new InlayError('INVALID_INPUT', message, { index, problem })
    }
    batch.push(document)
    characters += document.length
    index++
    if (batch.length === DOCUMENTS || characters >= CHARACTERS) {
      yield batch
      batch = []
      characters = 0
    }
  }
  if (batch.length > 0) yield batch
}
