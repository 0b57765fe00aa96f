import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import type { Texts } from '../corpus/source.js'
import type { Vectors } from '../embedder.js'
import { each } from '../nn/columns.js'
import type { TokenizedTexts } from '../native.js'
import { ids, network } from '../nn/description.js'
import { Network } from '../nn/network.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  integer,
  settle,
  wrongOption,
} from '../options.js'
import type { Path } from '../path.js'
import { pool } from '../nn/windows.js'
import { Fields, type Json, ModelFolder, tensorsOf } from './model-folder.js'
import {
  PromptedEncoder,
  SentenceVectors,
  type VectorSettings,
  sentenceEncodingOptions,
  tooLong,
} from './prompted-encoder.js'
import { sentenceModules } from './sentence-modules.js'
import { SubwordTokenizer } from './subword-tokenizer.js'
import { hiddenLayer, textTransformer } from './text-transformer.js'

/** Every option of `SentenceEncoder.load`. */
export const sentenceEncoderOptions = {
  /** Tokens of a text that are read, those around it among them. Default: what the folder says. */
  maxTokens: integer(undefined, { from: 3 }, 'tokens of a text that are read'),
  /** `'int8'`: weights of 8 bits, a quarter of the memory and less than half of the time, for vectors that are a little less
   * exact. */
  precision: oneOf(['float32', 'int8'], 'how exact the weights are'),
}

const tokenEncodingOptions = {
  prompt: sentenceEncodingOptions.prompt,
  truncate: sentenceEncodingOptions.truncate,
  /** Behind how many blocks: 0 is what goes into the first. Default: all of them. */
  layer: integer(undefined, { from: 0 }, 'behind how many blocks'),
}

interface Parts {
  readonly folder: ModelFolder
  readonly network: Network
  readonly tokenizer: SubwordTokenizer
  readonly maxTokens: number
  readonly precision: 'float32' | 'int8'
  readonly depth: number
  readonly files: readonly string[]
  readonly about: Json
  readonly normalizes: boolean
  /** How many layers are the Transformer's. */
  readonly transformerLayers: number
}

/**
 * Sentence vectors by a pretrained Transformer: a folder of sentence-transformers or of Hugging Face (BERT, DistilBERT,
 * RoBERTa, XLM-RoBERTa, CamemBERT), whose vectors are those of Python.
 *
 *     using encoder = await SentenceEncoder.load('all-MiniLM-L6-v2')
 *     const vectors = await encoder.encode(['A cat sits.', 'A kitten is sitting.', 'Ham sandwiches'])
 *     vectors.similarity(0, 1)
 *
 * A vector depends on its text alone, bit for bit: not on the others, their number, or the number of threads. Nothing is
 * padded, so that texts need no order. Encoders of one folder share their weights, in worker threads too.
 */
export class SentenceEncoder extends PromptedEncoder {
  /** Values of a vector. */
  readonly dimensions: number
  /** Tokens of a text that are read at most, those around it among them. */
  readonly maxTokens: number
  /** Blocks of the Transformer. */
  readonly depth: number
  /** The layers, any of which gives vectors: 'embeddings', 'layers.0.norm2', ..., 'sentence'. */
  readonly network: Network
  readonly #parts: Parts
  #fingerprint: Promise<string> | undefined

  private constructor(parts: Parts) {
    super(parts.about)
    this.#parts = parts
    this.network = parts.network
    this.maxTokens = parts.maxTokens
    this.depth = parts.depth
    this.dimensions = widthOf(parts.network)
  }

  /**
   * Reads a folder: `config.json`, `model.safetensors` (or the several that `model.safetensors.index.json` names),
   * `tokenizer.json`, and where it is one of sentence-transformers `modules.json` with what it names. Without that,
   * vectors are means over tokens. Nothing in the folder is run.
   *
   * @throws {InlayError} `NOT_FOUND` a file is missing; `INVALID_INPUT` one is not what it should be, with all tensors
   *   that are missing or of another shape; `UNSUPPORTED` a model or a module that is not known here
   */
  static async load(
    folder: Path,
    options: Options<typeof sentenceEncoderOptions> & RunOptions = {},
  ): Promise<SentenceEncoder> {
    const who = 'SentenceEncoder.load'
    const { settings, run } = settle(sentenceEncoderOptions, options, who)
    const found = new ModelFolder(folder, who)
    const about = (await found.json('config_sentence_transformers.json')) ?? {}
    const modules = await sentenceModules(found)
    const within = (name: string) => join(modules.transformer, name)
    const configFile = within('config.json')
    const config = new Fields(found, configFile, await found.neededJson(configFile))
    const tokenizerFile = within('tokenizer.json')
    if (!(await found.has(tokenizerFile))) throw found.missing(tokenizerFile)
    const weights = await found.weights(modules.transformer)
    const names = new Set((await tensorsOf(weights, who, run)).keys())
    const model = textTransformer(config, names)
    const maxTokens = await lengthOf(found, within, model.length)
    if (settings.maxTokens !== undefined && settings.maxTokens > model.length) {
      const most = `at most ${model.length}, for which the model has positions`
      throw wrongOption('maxTokens', most, settings.maxTokens, who)
    }
    const description = network({
      input: ids({ name: 'tokens' }),
      layers: [...model.layers, ...named(modules.layers)],
    })
    const files = [...weights, ...modules.files]
    const limit = settings.maxTokens ?? maxTokens
    const tokenizer = await SubwordTokenizer.open(found.file(tokenizerFile), limit, run, who)
    try {
      const loaded = await Network.load(description, files, {
        ...run,
        tensors: { ...model.tensors, ...modules.tensors },
        precision: settings.precision,
        shared: true,
      })
      return new SentenceEncoder({
        folder: found,
        network: loaded,
        tokenizer,
        maxTokens: limit,
        precision: settings.precision,
        depth: model.depth,
        files: [...files, found.file(tokenizerFile)],
        about,
        normalizes: modules.normalizes,
        transformerLayers: model.layers.length,
      })
    } catch (error) {
      tokenizer.close()
      throw error
    }
  }

  /** The vector of each token of each text, behind all blocks or some: of a text [tokens, width]. The first is that of
   * the token before the text, `[CLS]` or `<s>`. */
  async encodeTokens(
    texts: Texts,
    options: Options<typeof tokenEncodingOptions> & RunOptions = {},
  ): Promise<Vectors[]> {
    const who = 'encoder.encodeTokens'
    const { settings, run } = settle(tokenEncodingOptions, options, who)
    const { layer = this.depth, truncate } = settings
    if (layer > this.depth) throw wrongOption('layer', `at most ${this.depth} blocks`, layer, who)
    const tokens = await this.#tokenize(
      this.withPrompt(texts, settings.prompt, who),
      truncate,
      run,
      who,
    )
    return this.network.encodeSteps(each(tokens), { ...run, layer: hiddenLayer(layer) })
  }

  /** A number that names all that a vector depends on but the text: weights, tokenizer, modules, prompts. An index that
   * keeps it can tell whether a query's vector belongs to it. SHA-256, in hexadecimal digits. */
  fingerprint(): Promise<string> {
    this.#fingerprint ??= fingerprintOf(this.#parts)
    return this.#fingerprint
  }

  async #tokenize(
    texts: Texts,
    truncate: 'end' | 'error',
    run: RunSettings,
    who: string,
  ): Promise<TokenizedTexts> {
    const tokens = await this.#parts.tokenizer.tokenize(texts, run, who)
    const { maxTokens } = this
    const long = truncate === 'end' ? -1 : tokens.counts.findIndex((count) => count > maxTokens)
    if (long >= 0) throw tooLong(long, tokens.counts[long]!, maxTokens, who)
    return tokens
  }

  /** @internal */
  protected async vectorsOf(
    texts: Texts,
    { dimensions, normalize, truncate }: VectorSettings,
    run: RunSettings,
    who: string,
  ): Promise<SentenceVectors> {
    const tokens = await this.#tokenize(texts, truncate, run, who)
    // What is cut has another length.
    const isCut = dimensions < this.dimensions
    const { normalizes } = this.#parts
    const again = (normalize ?? normalizes) && (isCut || !normalizes)
    const settings = { ...run, dimensions, normalize: again }
    const { values } = await this.network.encode(each(tokens), settings)
    return new SentenceVectors(values, dimensions, tokens.counts, this.maxTokens)
  }

  /** @internal */
  get tokenizer(): SubwordTokenizer {
    return this.#parts.tokenizer
  }

  /** @internal Another network: the Transformer, and behind it the mean over tokens. */
  async withMean(run: RunSettings): Promise<Network> {
    const { description } = this.network
    const layers = description.layers.slice(0, this.#parts.transformerLayers)
    return this.network.transfer({ ...description, layers: [...layers, pool({ by: 'mean' })] }, run)
  }

  /** Frees the memory now rather than when the garbage is collected. */
  close(): void {
    this.network.close()
    this.#parts.tokenizer.close()
  }

  /** As `close`: at the end of the block of `using`. */
  [Symbol.dispose](): void {
    this.close()
  }
}

/** Values of a vector of a network that gives one for each item. */
export function widthOf(made: Network): number {
  const { shape } = made.summary().at(-1)!
  return Number(shape.slice(1, -1))
}

/** The last layer, whatever it is, is called `sentence`. */
function named<Layers extends readonly { readonly kind: string }[]>(layers: Layers): Layers {
  const last = layers.at(-1)!
  return [...layers.slice(0, -1), { ...last, name: 'sentence' }] as unknown as Layers
}

/** How many tokens of a text are read, by what the folder says; not more than there are positions for. */
async function lengthOf(
  folder: ModelFolder,
  within: (name: string) => string,
  most: number,
): Promise<number> {
  const models = ['bert', 'roberta', 'distilbert', 'camembert', 'xlm-roberta']
  for (const model of models) {
    const file = within(`sentence_${model}_config.json`)
    const found = await folder.json(file)
    const length = found?.['max_seq_length']
    if (found && length !== undefined && length !== null) {
      return Math.min(new Fields(folder, file, found).count(['max_seq_length']), most)
    }
  }
  const file = within('tokenizer_config.json')
  const { model_max_length: length } = (await folder.json(file)) ?? {}
  // A folder without a limit says 1e30.
  return typeof length === 'number' && length >= 1 ? Math.min(Math.floor(length), most) : most
}

async function fingerprintOf({
  files,
  network: { description },
  about,
  maxTokens,
  precision,
}: Parts): Promise<string> {
  const hash = createHash('sha256')
  const exact = precision === 'float32' ? [] : [precision]
  hash.update(JSON.stringify([description, about['prompts'] ?? {}, maxTokens, ...exact]))
  for (const file of files) {
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  }
  return hash.digest('hex')
}
