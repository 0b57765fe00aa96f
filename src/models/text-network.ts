// What networks that read texts as words have in common: texts become numbers of words, and the layer `encoding`
// gives a text's vector.
import type { Text, Texts } from '../corpus/source.js'
import { type Embedder, Vectors } from '../embedder.js'
import type { Epoch, Network } from '../nn/network.js'
import { type RunOptions, type RunSettings, integer, settle } from '../options.js'
import type { Path } from '../path.js'
import { Turns } from '../turns.js'
import { type ModelFile, NetworkModel, maybe, openModel, widthOf } from './network-model.js'
import { Vocabulary, type VocabularyRecord, vocabularyField } from './vocabulary.js'
import { each } from '../nn/columns.js'

/** The layer whose output is a text's vector. */
export const ENCODING = 'encoding'

/** What the file of a model says beside the network. */
export interface TextNetworkRecord {
  readonly vocabulary: VocabularyRecord
  /** The most words of a text that are read, if there is a limit. */
  readonly maxWords?: number
}

/** The file of a model that reads texts. */
export function textNetworkFile(model: string): ModelFile<TextNetworkRecord> {
  const maxWords = maybe(integer(undefined, { from: 1 }, 'the most words of a text'))
  return { model, layers: [ENCODING], record: { vocabulary: vocabularyField(), maxWords } }
}

/** A network with what texts have to become for it. */
export interface TextNetworkParts<Record extends TextNetworkRecord = TextNetworkRecord> {
  readonly network: Network
  readonly vocabulary: Vocabulary
  readonly record: Record
  /** How its training went. */
  readonly history?: readonly Epoch[]
}

/**
 * Texts as vectors by a network that reads their words one after the other: what `TextCnn`, `RecurrentEncoder` and the
 * others have in common. Of its network 'encoding' gives a text's vector.
 */
export class TextNetwork extends NetworkModel implements Embedder<Text> {
  /** Values of a text's vector. */
  readonly dimensions: number
  readonly #vocabulary: Vocabulary
  readonly #maxWords: number

  /** @internal */
  constructor({ network, vocabulary, record, history }: TextNetworkParts) {
    super(network, history)
    this.#vocabulary = vocabulary
    this.#maxWords = record.maxWords ?? Infinity
    this.dimensions = widthOf(network, ENCODING)!
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
    const known: number[] = []
    const turns = new Turns(settings.signal)
    for (const item of items) {
      let count = 0
      for (let i = 0; i < item.length; i++) if (item[i] !== 0) count += 1
      known.push(count)
      if (turns.isOver(item.length)) await turns.next()
    }
    const asked = { ...settings, layer: ENCODING }
    const { values, dimensions } = await this.network.encode(items, asked)
    for (const [i, words] of known.entries()) {
      if (words === 0) values.fill(0, i * dimensions, (i + 1) * dimensions)
      if (turns.isOver()) await turns.next()
    }
    return new Vectors(values, dimensions, Uint32Array.from(known))
  }

  /** Texts by the numbers of their words. @internal */
  protected async numbered(
    texts: Texts,
    settings: RunSettings,
    who: string,
  ): Promise<Iterable<Uint32Array>> {
    return each(await this.#vocabulary.number(texts, settings, who), this.#maxWords)
  }

  override close(): void {
    super.close()
    this.#vocabulary.close()
  }
}

/** Opens what `save` wrote. */
export function openTextNetwork<Record extends TextNetworkRecord, Model>(
  file: ModelFile<Record>,
  path: Path,
  options: RunOptions,
  make: (parts: TextNetworkParts<Record>) => Model,
): Promise<Model> {
  return openModel(file, path, options, async (network, record, run, who) =>
    make({ network, vocabulary: await Vocabulary.of(record.vocabulary, run, who), record }),
  )
}
