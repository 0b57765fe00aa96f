// The tower of texts of a model whose other tower has something else in the same space, and what both towers say together.
import type { Texts } from '../corpus/source.js'
import type { Vectors } from '../embedder.js'
import { ids, network as describe, values } from '../nn/description.js'
import type { Layer } from '../nn/layer.js'
import { dense, shift, softmax } from '../nn/layers.js'
import type { TensorSource } from '../nn/loading.js'
import { Network } from '../nn/network.js'
import { type RunSettings, wrongOption } from '../options.js'
import { Turns } from '../turns.js'
import type { ModelFolder } from './model-folder.js'
import { SentenceVectors, tooLong } from './prompted-encoder.js'
import { lengthOf } from './sentence-folder.js'
import { SubwordTokenizer } from './subword-tokenizer.js'

/** A tower of texts before its weights are read. */
export interface TextLayers {
  readonly layers: readonly Layer[]
  readonly tensors: Readonly<Record<string, TensorSource>>
  /** Tokens of a text at most. */
  readonly length: number
  /** The token whose vector is that of the text, the first of its kind; -1: the one with the highest number. Without: all tokens
   * are read. */
  readonly end?: number
}

/** Texts to vectors: a tokenizer and a network. */
export class TextTower {
  readonly dimensions: number

  private constructor(
    readonly network: Network,
    /** Where the tokenizer comes from. */
    readonly tokenizerFile: string,
    /** Tokens of a text that are read at most. */
    readonly maxTokens: number,
    readonly end: number | undefined,
    readonly tokenizer: SubwordTokenizer,
  ) {
    this.dimensions = Number(network.summary().at(-1)!.shape.slice(1, -1))
  }

  static async load(
    folder: ModelFolder,
    { layers, tensors, length, end }: TextLayers,
    files: readonly string[],
    run: RunSettings,
    who: string,
  ): Promise<TextTower> {
    const maxTokens = await lengthOf(folder, (name) => name, length)
    const file = folder.file('tokenizer.json')
    const tokenizer = await SubwordTokenizer.open(file, maxTokens, run, who)
    try {
      const description = describe({ input: ids({ name: 'tokens' }), layers })
      const found = await Network.load(description, files, { ...run, tensors, shared: true })
      return new TextTower(found, file, maxTokens, end, tokenizer)
    } catch (error) {
      tokenizer.close()
      throw error
    }
  }

  /** The vectors of texts. @throws {InlayError} see `clip.encodeTexts` */
  async encode(
    texts: Texts,
    truncate: 'end' | 'error',
    run: RunSettings,
    who: string,
  ): Promise<SentenceVectors> {
    const { network: found, tokenizer, dimensions, end, maxTokens } = this
    const most = truncate === 'error' ? maxTokens : undefined
    const part = { dimensions, normalize: false, most, ...(end !== undefined && { end }) }
    const { values: rows, counts } = await tokenizer.encode(found, texts, part, run, who)
    const long = most === undefined ? -1 : counts.findIndex((count) => count > maxTokens)
    if (long >= 0) throw tooLong(long, counts[long]!, maxTokens, who)
    return new SentenceVectors(rows, dimensions, counts, maxTokens)
  }

  close(): void {
    this.network.close()
    this.tokenizer.close()
  }
}

/** Texts that stand for classes. @throws {InvalidOptionError} none */
export function checkClasses(texts: readonly string[], who: string): void {
  if (Array.isArray(texts) && texts.length > 0) return
  throw wrongOption('texts', 'an array of texts, at least one', texts, who)
}

/** softmax of the products of rows and classes, times a scale: [rows, classes]. */
export async function probabilitiesOf(
  rows: Vectors,
  classes: Vectors,
  scale: number,
  run: RunSettings,
): Promise<Vectors> {
  const turns = new Turns(run.signal)
  const weight = new Float32Array(classes.values.length)
  for (const [at, value] of classes.values.entries()) {
    weight[at] = value * scale
    if (turns.isOver()) await turns.next()
  }
  const description = describe({
    input: values({ shape: [classes.dimensions] }),
    layers: [dense({ name: 'texts', units: classes.length, bias: false }), softmax()],
  })
  using last = await Network.create(description, {
    ...run,
    parameters: { 'texts.weight': weight },
  })
  return await last.encode(rows.values, run)
}

/** A tensor of one number. */
export async function numberOf(
  name: string,
  files: readonly string[],
  run: RunSettings,
): Promise<number> {
  const description = describe({
    input: values({ shape: [1] }),
    layers: [shift({ name: 'number' })],
  })
  const tensors = { 'number.bias': { tensors: [name], reshaped: true } }
  using found = await Network.load(description, files, { ...run, tensors })
  return found.parameter('number.bias')!.values[0]!
}
