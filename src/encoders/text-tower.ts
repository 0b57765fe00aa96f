// The tower of texts of a model whose other tower has something else in the same space, and what both towers say together.
import type { Texts } from '../corpus/source.js'
import type { Vectors } from '../embedder.js'
import { ids, network as describe, values } from '../nn/description.js'
import type { Layer } from '../nn/layer.js'
import { dense, shift, sigmoid, softmax } from '../nn/layers.js'
import type { TensorSource } from '../nn/loading.js'
import { Network } from '../nn/network.js'
import { type RunSettings, wrongOption } from '../options.js'
import { Turns } from '../turns.js'
import type { ModelFolder } from './model-folder.js'
import { SentenceVectors, tooLong } from './prompted-encoder.js'
import { readingOf } from './sentence-folder.js'
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
  /** The token, as it is written, that fills texts up to the most tokens; without: none does. */
  readonly pad?: string
}

/** What makes probabilities of cosines: softmax of their multiples; or with a bias, which is added then, a sigmoid of each. */
export interface Scores {
  readonly scale: number
  readonly bias?: number
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
    /** The number of the token that fills texts up. */
    readonly pad: number | undefined,
    readonly tokenizer: SubwordTokenizer,
  ) {
    this.dimensions = Number(network.summary().at(-1)!.shape.slice(1, -1))
  }

  static async load(
    folder: ModelFolder,
    { layers, tensors, length, end, pad }: TextLayers,
    files: readonly string[],
    run: RunSettings,
    who: string,
  ): Promise<TextTower> {
    const { limit } = await readingOf(folder, (name) => name, length)
    const file = folder.file('tokenizer.json')
    // As transformers, whose folders these are: only sentence-transformers makes letters small by itself.
    const reading = { limit, lowercase: false }
    const tokenizer = await SubwordTokenizer.open(file, reading, run, who)
    try {
      const description = describe({ input: ids({ name: 'tokens' }), layers })
      const found = await Network.load(description, files, { ...run, tensors, shared: true })
      const token = pad === undefined ? undefined : await numberOfToken(tokenizer, pad, run, who)
      return new TextTower(found, file, limit, end, token, tokenizer)
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
    const { network: found, tokenizer, dimensions, end, pad, maxTokens } = this
    const most = truncate === 'error' ? maxTokens : undefined
    const filled = pad === undefined ? {} : { pad: { token: pad, length: maxTokens } }
    const part = { dimensions, normalize: false, most, end, ...filled }
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

/** The number of a token: what a tokenizer makes of it that it does not make of nothing. */
async function numberOfToken(
  tokenizer: SubwordTokenizer,
  token: string,
  run: RunSettings,
  who: string,
): Promise<number> {
  const { ids: found, ends } = await tokenizer.tokenize(['', token], run, who)
  const [empty, own] = [found.subarray(0, ends[0]!), found.subarray(ends[0]!, ends[1]!)]
  return own.find((id, at) => id !== empty[at]) ?? own.at(-1) ?? 0
}

/** Probabilities by the products of rows and classes: [rows, classes]. */
export async function probabilitiesOf(
  rows: Vectors,
  classes: Vectors,
  { scale, bias }: Scores,
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
    layers: [
      dense({ name: 'texts', units: classes.length, bias: bias !== undefined }),
      bias === undefined ? softmax() : sigmoid(),
    ],
  })
  const added =
    bias === undefined ? {} : { 'texts.bias': new Float32Array(classes.length).fill(bias) }
  const parameters = { 'texts.weight': weight, ...added }
  using last = await Network.create(description, { ...run, parameters })
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
