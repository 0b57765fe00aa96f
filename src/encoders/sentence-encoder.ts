import { join } from 'node:path'
import type { Texts } from '../corpus/source.js'
import type { Vectors } from '../embedder.js'
import { InlayError } from '../errors.js'
import { each } from '../nn/columns.js'
import type { TokenizedTexts } from '../native.js'
import { ids, network } from '../nn/description.js'
import { type Epoch, Network } from '../nn/network.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  integer,
  oneOf,
  settle,
  wrongOption,
} from '../options.js'
import type { Path } from '../path.js'
import { pool } from '../nn/windows.js'
import { fingerprintOf } from './fingerprint.js'
import { Fields, ModelFolder, tensorsOf } from './model-folder.js'
import { textTransformer } from './model-types.js'
import {
  PromptedEncoder,
  SentenceVectors,
  type VectorSettings,
  sentenceEncodingOptions,
  tooLong,
} from './prompted-encoder.js'
import type { SentenceExamples } from './sentence-examples.js'
import { readingOf, saveSentenceFolder } from './sentence-folder.js'
import { sentenceModules } from './sentence-modules.js'
import type { SentenceParts } from './sentence-parts.js'
import { vectorsBehindPrompts } from './sentences-behind-prompts.js'
import { type SentenceTrainingOptions, trainSentences } from './sentence-training.js'
import { isStaticFolder } from './static-folder.js'
import { SubwordTokenizer } from './subword-tokenizer.js'

/** Every option of `SentenceEncoder.load`. */
export const sentenceEncoderOptions = {
  /** Tokens of a text that are read, those around it among them. Default: what the folder says. */
  maxTokens: integer(undefined, { from: 3 }, 'tokens of a text that are read'),
  /** `'int8'`: weights of 8 bits, in less memory and less than half of the time, for vectors that are a little less exact. Such
   * an encoder neither learns nor is saved. */
  precision: oneOf(['float32', 'int8'], 'how exact the weights are'),
}

const tokenEncodingOptions = {
  prompt: sentenceEncodingOptions.prompt,
  truncate: sentenceEncodingOptions.truncate,
  /** Behind how many blocks: 0 is what goes into the first. Default: all of them. */
  layer: integer(undefined, { from: 0 }, 'behind how many blocks'),
}

/**
 * Sentence vectors by a pretrained Transformer: a folder of sentence-transformers or of Hugging Face (BERT, DistilBERT,
 * RoBERTa, XLM-RoBERTa, CamemBERT, MPNet, ModernBERT), whose vectors are those of Python.
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
  /** How its training went, epoch by epoch; of one that was loaded, empty. */
  readonly history: readonly Epoch[]
  /** Texts of its training that had more tokens than are read. */
  readonly truncated: number
  readonly #parts: SentenceParts
  #fingerprint: Promise<string> | undefined

  private constructor(parts: SentenceParts) {
    super(parts.about)
    this.#parts = parts
    this.network = parts.network
    this.maxTokens = parts.maxTokens
    this.history = parts.learnt?.history ?? []
    this.truncated = parts.learnt?.truncated ?? 0
    this.depth = parts.model.depth
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
    if (await isStaticFolder(found)) {
      const problem = 'a static encoder, which has no network: `StaticEncoder.load` reads it'
      throw new InlayError('UNSUPPORTED', `${who}: the folder is of ${problem}`)
    }
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
    const reading = await readingOf(found, within, model.length)
    if (settings.maxTokens !== undefined && settings.maxTokens > model.length) {
      const most = `at most ${model.length}, for which the model has positions`
      throw wrongOption('maxTokens', most, settings.maxTokens, who)
    }
    const description = network({
      input: ids({ name: 'tokens' }),
      layers: [...model.layers, ...modules.layers],
    })
    const maxTokens = settings.maxTokens ?? reading.limit
    const own = { ...reading, limit: maxTokens }
    const tokenizer = await SubwordTokenizer.open(found.file(tokenizerFile), own, run, who)
    try {
      const files = [...weights, ...modules.weights.map(({ file }) => file)]
      const ofModules = modules.weights.flatMap(({ tensors }, number) => {
        const file = weights.length + number
        return Object.entries(tensors).map(([name, source]) => [name, { ...source, file }] as const)
      })
      const loaded = await Network.load(description, files, {
        ...run,
        tensors: { ...model.tensors, ...Object.fromEntries(ofModules) },
        precision: settings.precision,
        shared: true,
      })
      return new SentenceEncoder({
        folder: found,
        network: loaded,
        tokenizer,
        maxTokens,
        reading,
        precision: settings.precision,
        model,
        modules,
        weights,
        about,
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
    return this.network.encodeSteps(each(tokens), {
      ...run,
      layer: this.#parts.model.hidden(layer),
    })
  }

  /** A number that names all that a vector depends on but the text: weights, tokenizer, modules, prompts. An index that
   * keeps it can tell whether a query's vector belongs to it. What is saved and loaded keeps it. SHA-256, in hexadecimal
   * digits. */
  fingerprint(): Promise<string> {
    const { folder, network: found, about, maxTokens, modules, precision, reading } = this.#parts
    const other = [
      ...(precision === 'float32' ? [] : [precision]),
      ...(reading.lowercase ? ['lowercase'] : []),
    ]
    const said = [found.description, about['prompts'] ?? {}, maxTokens, ...other]
    const tokenizer = folder.file(join(modules.transformer, 'tokenizer.json'))
    this.#fingerprint ??= fingerprintOf(said, [found], [tokenizer])
    return this.#fingerprint
  }

  /**
   * Learns further: which texts belong together (pairs, triplets), how alike two are (pairs with a score), or what texts
   * are about (labels). Another encoder comes of it, with weights of its own; this one stays as it is, and so do all that
   * share its weights. The same bytes for the same `seed`, whatever the number of threads.
   *
   *     const tuned = await encoder.train(
   *       [{ text: 'How do I reset it?', positive: 'Hold the button for ten seconds.' }, ...],
   *       { freeze: ['embeddings', 'encoder.layer.0'] },
   *     )
   *     await tuned.save('my-encoder')
   *
   * @throws {InvalidOptionError} before anything is learnt: a loss that is not for these examples, a name that no
   *   parameter has, examples of several kinds
   * @throws {InlayError} `INVALID_INPUT` an item that is no text, or one of too many tokens with `truncate: 'error'`;
   *   `UNSUPPORTED` weights of 8 bits; `DIVERGED`; `DISK_FULL`, `IO` of the checkpoint
   */
  async train(
    examples: SentenceExamples,
    options: SentenceTrainingOptions = {},
  ): Promise<SentenceEncoder> {
    const who = 'encoder.train'
    const parts = this.#exact(who)
    const tokenize = (
      texts: Texts,
      prompt: string | undefined,
      truncate: 'end' | 'error',
      run: RunSettings,
    ) => {
      if (this.promptOf(prompt) !== '' && parts.modules.prompts !== 'part') {
        const problem = 'the folder leaves prompts out of vectors, which cannot be learnt here'
        throw new InlayError('UNSUPPORTED', `${who}: ${problem}`)
      }
      return this.#tokenize(this.withPrompt(texts, prompt, who), truncate, run, who)
    }
    const { found, ...learnt } = await trainSentences(parts, tokenize, examples, options, who)
    const tokenizer = parts.tokenizer.share(who)
    return new SentenceEncoder({ ...parts, network: found, tokenizer, learnt })
  }

  /**
   * Writes a folder that `load` opens, and sentence-transformers as well: weights as float32 under PyTorch's names, and
   * what else there is, copied from the folder that this encoder was loaded from. It is there in full or not at all. A
   * folder that is there already is replaced if it has no other files than these.
   *
   * @throws {InvalidOptionError} there is such a folder with other files in it, or a file
   * @throws {InlayError} `NOT_FOUND` the folder that the encoder was loaded from has gone; `UNSUPPORTED` weights of 8 bits;
   *   `DISK_FULL`, `IO`
   */
  async save(folder: Path, options: RunOptions = {}): Promise<void> {
    const who = 'encoder.save'
    const { run } = settle({}, options, who)
    await saveSentenceFolder(this.#exact(who), folder, run, who)
  }

  /** All that it is made of, if its weights are as they were. */
  #exact(who: string): SentenceParts {
    if (this.#parts.precision === 'float32') return this.#parts
    const problem = 'its weights have 8 bits: load the folder without `precision` for that'
    throw new InlayError('UNSUPPORTED', `${who}: ${problem}`)
  }

  async #tokenize(
    texts: Texts,
    truncate: 'end' | 'error',
    run: RunSettings,
    who: string,
  ): Promise<TokenizedTexts> {
    const tokens = await this.#parts.tokenizer.tokenize(texts, run, who)
    this.#checkLengths(tokens.counts, truncate, who)
    return tokens
  }

  #checkLengths(counts: Uint32Array, truncate: 'end' | 'error', who: string): void {
    const { maxTokens } = this
    const long = truncate === 'end' ? -1 : counts.findIndex((count) => count > maxTokens)
    if (long >= 0) throw tooLong(long, counts[long]!, maxTokens, who)
  }

  /** @internal */
  protected async vectorsOf(
    texts: Texts,
    { dimensions, normalize, truncate, prompt }: VectorSettings,
    run: RunSettings,
    who: string,
  ): Promise<SentenceVectors> {
    // What is cut has another length.
    const isCut = dimensions < this.dimensions
    const { modules, tokenizer } = this.#parts
    const again = (normalize ?? modules.normalizes) && (isCut || !modules.normalizes)
    if (prompt !== '' && modules.prompts !== 'part') {
      const tokens = await this.#tokenize(texts, truncate, run, who)
      const part = { dimensions, normalize: again, prompt }
      const values = await vectorsBehindPrompts(this.#parts, tokens, part, run, who)
      return new SentenceVectors(values, dimensions, tokens.counts, this.maxTokens)
    }
    const most = truncate === 'error' ? this.maxTokens : undefined
    const part = { dimensions, normalize: again, most }
    const { values, counts } = await tokenizer.encode(this.network, texts, part, run, who)
    this.#checkLengths(counts, truncate, who)
    return new SentenceVectors(values, dimensions, counts, this.maxTokens)
  }

  /** @internal */
  get tokenizer(): SubwordTokenizer {
    return this.#parts.tokenizer
  }

  /** @internal Another network: the Transformer, and behind it the mean over tokens. */
  async withMean(run: RunSettings): Promise<Network> {
    const { description } = this.network
    const layers = description.layers.slice(0, this.#parts.model.layers.length)
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
