import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import type { Text, Texts } from '../corpus/source.js'
import { type Embedder, Vectors } from '../embedder.js'
import { InlayError } from '../errors.js'
import { each } from '../nn/columns.js'
import type { TokenizedTexts } from '../native.js'
import { ids, network } from '../nn/description.js'
import { Network } from '../nn/network.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  custom,
  flag,
  integer,
  oneOf,
  settle,
  wrongOption,
} from '../options.js'
import type { Path } from '../path.js'
import { Fields, type Json, ModelFolder, tensorsOf } from './model-folder.js'
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

/** Every option of `encoder.encode`. */
export const sentenceEncodingOptions = {
  /** What is put before each text: one of `prompts` by its name, or a text of yours. Default: the folder's default. */
  prompt: custom<string>(
    'a text',
    (given) => typeof given === 'string',
    'what is put before each text',
  ),
  /** Whether vectors have length 1. Default: what the folder says. */
  normalize: flag(undefined, 'whether vectors have length 1'),
  /** Only the first so many values of each vector, for models that were trained for that (Matryoshka; Kusupati et al.
   * 2022, arXiv:2205.13147). Default: all. */
  dimensions: integer(undefined, { from: 1 }, 'only the first values of each vector'),
  /** What is done with a text of more tokens than are read: its end is left out and the vectors say so (`tokens`), or
   * it is an error. */
  truncate: oneOf(['end', 'error'], 'what is done with a text of too many tokens'),
}

/** The options of `encoder.encode`: see `sentenceEncodingOptions`. */
export type SentenceEncodingOptions = Options<typeof sentenceEncodingOptions> & RunOptions

const tokenEncodingOptions = {
  prompt: sentenceEncodingOptions.prompt,
  truncate: sentenceEncodingOptions.truncate,
  /** Behind how many blocks: 0 is what goes into the first. Default: all of them. */
  layer: integer(undefined, { from: 0 }, 'behind how many blocks'),
}

/** Vectors of texts, and how much of each text was read. */
export class SentenceVectors extends Vectors {
  /** @internal */
  constructor(
    values: Float32Array,
    dimensions: number,
    /** Tokens of each text, those around it and those that were not read among them. */
    readonly tokens: Uint32Array,
    /** How many of them are read at most. */
    readonly maxTokens: number,
  ) {
    super(values, dimensions)
  }

  /** Which texts had more tokens than were read. */
  get truncated(): number[] {
    const all = Array.from(this.tokens.keys())
    return all.filter((i) => this.tokens[i]! > this.maxTokens)
  }
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
export class SentenceEncoder implements Embedder<Text> {
  /** Values of a vector. */
  readonly dimensions: number
  /** Tokens of a text that are read at most, those around it among them. */
  readonly maxTokens: number
  /** Blocks of the Transformer. */
  readonly depth: number
  /** What may be put before texts, by name. */
  readonly prompts: Readonly<Record<string, string>>
  /** The layers, any of which gives vectors: 'embeddings', 'layers.0.norm2', ..., 'sentence'. */
  readonly network: Network
  readonly #parts: Parts
  readonly #defaultPrompt: string
  #fingerprint: Promise<string> | undefined

  private constructor(parts: Parts) {
    this.#parts = parts
    this.network = parts.network
    this.maxTokens = parts.maxTokens
    this.depth = parts.depth
    const { shape } = parts.network.summary().at(-1)!
    this.dimensions = Number(shape.slice(1, -1))
    const { prompts, default_prompt_name: name } = parts.about
    const isText = (entry: [string, unknown]): entry is [string, string] =>
      typeof entry[1] === 'string'
    this.prompts = Object.freeze(Object.fromEntries(Object.entries(prompts ?? {}).filter(isText)))
    this.#defaultPrompt =
      typeof name === 'string' && Object.hasOwn(this.prompts, name) ? this.prompts[name]! : ''
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
      })
    } catch (error) {
      tokenizer.close()
      throw error
    }
  }

  /**
   * The vectors of texts, and how many tokens each has: [texts, dimensions].
   *
   * @throws {InvalidOptionError} more dimensions than there are
   * @throws {InlayError} `INVALID_INPUT` an item that is no text, or one of too many tokens with `truncate: 'error'`
   */
  async encode(texts: Texts, options: SentenceEncodingOptions = {}): Promise<SentenceVectors> {
    return this.#encode(texts, options, 'encoder.encode', this.#defaultPrompt)
  }

  /** The same for what is looked for: with the prompt `query`, if there is one. */
  async encodeQuery(texts: Texts, options: SentenceEncodingOptions = {}): Promise<SentenceVectors> {
    const prompt = this.#firstPrompt(['query'])
    return this.#encode(texts, options, 'encoder.encodeQuery', prompt)
  }

  /** The same for what is found: with the prompt `document`, `passage` or `corpus`, the first that there is. */
  async encodeDocument(
    texts: Texts,
    options: SentenceEncodingOptions = {},
  ): Promise<SentenceVectors> {
    const prompt = this.#firstPrompt(['document', 'passage', 'corpus'])
    return this.#encode(texts, options, 'encoder.encodeDocument', prompt)
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
    const prompt = this.#promptOf(settings.prompt, this.#defaultPrompt)
    const tokens = await this.#tokenize(texts, prompt, truncate, run, who)
    return this.network.encodeSteps(each(tokens), { ...run, layer: hiddenLayer(layer) })
  }

  /** A number that names all that a vector depends on but the text: weights, tokenizer, modules, prompts. An index that
   * keeps it can tell whether a query's vector belongs to it. SHA-256, in hexadecimal digits. */
  fingerprint(): Promise<string> {
    this.#fingerprint ??= fingerprintOf(this.#parts)
    return this.#fingerprint
  }

  #firstPrompt(names: readonly string[]): string {
    const name = names.find((known) => this.prompts[known])
    return name === undefined ? this.#defaultPrompt : this.prompts[name]!
  }

  #promptOf(given: string | undefined, fallback: string): string {
    if (given === undefined) return fallback
    return Object.hasOwn(this.prompts, given) ? this.prompts[given]! : given
  }

  async #tokenize(
    texts: Texts,
    prompt: string,
    truncate: 'end' | 'error',
    run: RunSettings,
    who: string,
  ): Promise<TokenizedTexts> {
    const { tokenizer } = this.#parts
    const tokens = await tokenizer.tokenize(prompted(texts, prompt, who), run, who)
    if (truncate === 'end') return tokens
    const long = tokens.counts.findIndex((count) => count > this.maxTokens)
    if (long < 0) return tokens
    const [count, most] = [tokens.counts[long]!, this.maxTokens]
    const message = `${who}: text ${long} has ${count} tokens, and ${most} are read`
    throw new InlayError('INVALID_INPUT', message, { item: long, tokens: count, maxTokens: most })
  }

  async #encode(
    texts: Texts,
    options: SentenceEncodingOptions,
    who: string,
    fallback: string,
  ): Promise<SentenceVectors> {
    const { settings, run } = settle(sentenceEncodingOptions, options, who)
    const { dimensions = this.dimensions, truncate } = settings
    if (dimensions > this.dimensions) {
      throw wrongOption('dimensions', `at most ${this.dimensions}`, dimensions, who)
    }
    const prompt = this.#promptOf(settings.prompt, fallback)
    const tokens = await this.#tokenize(texts, prompt, truncate, run, who)
    // What is cut has another length.
    const isCut = dimensions < this.dimensions
    const { normalizes } = this.#parts
    const normalize = (settings.normalize ?? normalizes) && (isCut || !normalizes)
    const { values } = await this.network.encode(each(tokens), { ...run, dimensions, normalize })
    return new SentenceVectors(values, dimensions, tokens.counts, this.maxTokens)
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

/** Texts with something before each. */
function prompted(texts: Texts, prompt: string, who: string): Texts {
  if (prompt === '') return texts
  const before = (text: Text) => {
    if (typeof text !== 'string')
      throw wrongOption('texts', 'strings, where there is a prompt', text, who)
    return prompt + text
  }
  return (async function* () {
    for await (const text of texts) yield before(text)
  })()
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
