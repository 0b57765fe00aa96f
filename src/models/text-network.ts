// What networks that read texts as words have in common: texts become numbers of words, and the layer `encoding`
// gives a text's vector.
import type { Text, Texts } from '../corpus/source.js'
import { type Embedder, Vectors } from '../embedder.js'
import { type Epoch, Network } from '../nn/network.js'
import { type RunOptions, type RunSettings, settle } from '../options.js'
import type { Path } from '../path.js'
import { Vocabulary, type VocabularyRecord, each, notOf } from './vocabulary.js'

/** The layer whose output is a text's vector. */
export const ENCODING = 'encoding'

/** What the file of a model says beside the network. */
export interface TextNetworkRecord {
  /** The name of its class. */
  readonly model: string
  readonly vocabulary: VocabularyRecord
  /** Of a classifier. */
  readonly labels?: readonly string[]
  /** The most words of a text that are read, if there is a limit. */
  readonly maxWords?: number
}

/** A network with what texts have to become for it. */
export interface TextNetworkParts {
  readonly network: Network
  readonly vocabulary: Vocabulary
  readonly record: TextNetworkRecord
  /** How its training went. */
  readonly history: readonly Epoch[]
}

/**
 * Texts as vectors by a network that reads their words one after the other: what `TextCnn`, `RecurrentEncoder` and the
 * others have in common.
 */
export class TextNetwork implements Embedder<Text> {
  /** Values of a text's vector. */
  readonly dimensions: number
  /** The layers; 'encoding' gives a text's vector. */
  readonly network: Network
  /** How its training went, epoch by epoch; of a model from a file, empty. */
  readonly history: readonly Epoch[]
  readonly #vocabulary: Vocabulary
  readonly #maxWords: number

  /** @internal */
  constructor({ network, vocabulary, record, history }: TextNetworkParts) {
    this.network = network
    this.history = history
    this.#vocabulary = vocabulary
    this.#maxWords = record.maxWords ?? Infinity
    const { shape } = network.summary().find(({ name }) => name === ENCODING)!
    this.dimensions = Number(shape.slice(1, -1))
  }

  /** `<unk>`, then the words of the vocabulary, most frequent first. */
  get words(): readonly string[] {
    return this.#vocabulary.words
  }

  /**
   * The vectors of texts: strings, or arrays of words. A vector does not depend on the other texts nor on the
   * number of threads, bit for bit. A text of which no word is known has a vector of zeros.
   *
   * @throws {InlayError} `INVALID_INPUT` an item that is no text
   */
  async encode(texts: Texts, options: RunOptions = {}): Promise<Vectors> {
    const who = `${this.constructor.name}.encode`
    const settings = settle({}, options, who).run
    const items = await this.numbered(texts, settings, who)
    const known = Uint32Array.from(items, (item) =>
      item.reduce((count, id) => (id === 0 ? count : count + 1), 0),
    )
    const { values, dimensions } = await this.network.encode(items, {
      ...settings,
      layer: ENCODING,
    })
    for (const [i, words] of known.entries()) {
      if (words === 0) values.fill(0, i * dimensions, (i + 1) * dimensions)
    }
    return new Vectors(values, dimensions, known)
  }

  /** Texts by the numbers of their words. @internal */
  protected async numbered(
    texts: Texts,
    settings: RunSettings,
    who: string,
  ): Promise<Uint32Array[]> {
    const items = each(await this.#vocabulary.number(texts, settings, who))
    return Array.from(items, (words) => words.subarray(0, this.#maxWords))
  }

  /** Writes network and vocabulary to a file. @throws {InlayError} `DISK_FULL`, `IO` */
  async save(path: Path, options: RunOptions = {}): Promise<void> {
    await this.network.save(path, options)
  }

  /** Frees the memory now rather than when the garbage is collected. */
  close(): void {
    this.network.close()
    this.#vocabulary.close()
  }

  /** As `close`: at the end of the block of `using`. */
  [Symbol.dispose](): void {
    this.close()
  }
}

/**
 * Opens what `save` wrote.
 *
 * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is of another model
 */
export async function openTextNetwork(
  model: string,
  path: Path,
  options: RunOptions,
): Promise<TextNetworkParts> {
  const network = await Network.open(path, options)
  const record = (network.description.about ?? {}) as TextNetworkRecord
  const vocabulary = record.model === model ? Vocabulary.of(record.vocabulary) : undefined
  if (vocabulary) return { network, vocabulary, record, history: [] }
  network.close()
  throw notOf(model, `${model}.open`)
}
