import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { type Texts, feed, isShort, settleSource } from '../corpus/source.js'
import { Handle } from '../handle.js'
import {
  type EncodedTokens,
  type StaticHandle,
  TextStream,
  distillStatic,
  encodeStaticStream,
  encodeStaticTexts,
  openStatic,
  saveStatic,
  tokenizerOfStatic,
} from '../native.js'
import { each } from '../nn/columns.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  integer,
  list,
  oneOf,
  real,
  refusal,
  settle,
  wrongOption,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run, serve } from '../run.js'
import { Turns } from '../turns.js'
import { ModelFolder } from './model-folder.js'
import {
  PromptedEncoder,
  SentenceVectors,
  type VectorSettings,
  tooLong,
} from './prompted-encoder.js'
import { SentenceEncoder, widthOf } from './sentence-encoder.js'
import {
  type StaticFolder,
  describedFolder,
  isStaticFolder,
  model2vecTokens,
  readStaticFolder,
} from './static-folder.js'
import { writeFolder } from './whole-folder.js'

/** Every option of `StaticEncoder.load`. */
export const staticEncoderOptions = {
  /** Tokens of a text that are read. Default: what the folder says. */
  maxTokens: integer(undefined, { from: 1, to: 0xffff_fffe }, 'tokens of a text that are read'),
}

/** Every option of `StaticEncoder.distill`. In brackets: model2vec's names. */
export const distillingOptions = {
  /** Words that become tokens beside those that the teacher has, also of several parts: 'New York' [vocabulary]. */
  vocabulary: list('words that become tokens beside those that the teacher has'),
  /** Values of a vector, those along which tokens vary most [pca_dims]. Default: 256, or the teacher's if it has fewer. */
  dimensions: integer(undefined, { from: 1 }, 'values of a vector'),
  /** What a token's row is multiplied by: the less, the more common it is by Zipf's law, its number being its rank; or
   * all by 1. */
  weights: oneOf(['zipf', 'equal'], "what a token's row is multiplied by"),
  /** The a of a / (a + p), by which rows are multiplied with 'zipf' [sif_coefficient]. */
  smoothing: real(1e-4, { above: 0, below: 1 }, 'the a of a / (a + p)'),
}

/** The options of `StaticEncoder.distill`: see `distillingOptions`. */
export type DistillingOptions = Options<typeof distillingOptions> & RunOptions

/** Every option of `encoder.save`. */
export const staticSavingOptions = {
  /** What rows of float32 are written in. Default: float32. Rows that are of fewer bits stay as they are. */
  precision: oneOf(['float32', 'float16'], 'what rows of float32 are written in'),
}

/** Bytes that are hashed at once: a millisecond's work. */
const PIECE = 1 << 20
/** What stands for no limit. */
const UNLIMITED = 0xffff_ffff

type About = Pick<StaticFolder, 'library' | 'config' | 'about' | 'normalizes'>

/**
 * Sentence vectors without a network: the mean of the rows of a text's tokens, a hundred times as fast as a Transformer's.
 * A folder of [model2vec](https://github.com/MinishLab/model2vec) (Tulkens, van Dongen 2024) or of sentence-transformers'
 * StaticEmbedding, whose vectors are those of Python; or distilled from a `SentenceEncoder`.
 *
 *     using encoder = await StaticEncoder.load('potion-base-8M')
 *     const vectors = await encoder.encode(['A cat sits.', 'A kitten is sitting.', 'Ham sandwiches'])
 *
 *     using teacher = await SentenceEncoder.load('all-MiniLM-L6-v2')
 *     using student = await StaticEncoder.distill(teacher, { dimensions: 256 })
 *     await student.save('minilm-static')
 *
 * A vector depends on its text alone, bit for bit. A text without a known token has a vector of zeros; `vectors.known` has
 * the number of tokens that each is the mean of. Encoders of one folder share its rows, which are mapped, not read.
 */
export class StaticEncoder extends PromptedEncoder {
  /** Values of a vector. */
  readonly dimensions: number
  /** Tokens of a text that are read at most; `Infinity`: all of them. */
  readonly maxTokens: number
  readonly #handle: Handle<StaticHandle>
  readonly #about: About
  #fingerprint: Promise<string> | undefined

  private constructor(native: StaticHandle, about: About) {
    super(about.about)
    this.#handle = new Handle(native)
    this.#about = about
    this.dimensions = native.dimensions
    this.maxTokens = native.limit ?? Infinity
  }

  /**
   * Reads a folder: `tokenizer.json` and `model.safetensors`, in a folder of model2vec with `config.json`, in one of
   * sentence-transformers where `modules.json` says. Each is read by its own library's rules: model2vec leaves out what the
   * tokenizer does not know, and reads 512 tokens if the folder says nothing else.
   *
   * @throws {InlayError} `NOT_FOUND` a file is missing; `INVALID_INPUT` one is not what it should be; `UNSUPPORTED` a
   *   folder of another model
   */
  static async load(
    folder: Path,
    options: Options<typeof staticEncoderOptions> & RunOptions = {},
  ): Promise<StaticEncoder> {
    const who = 'StaticEncoder.load'
    const { settings, run: runSettings } = settle(staticEncoderOptions, options, who)
    const found = await readStaticFolder(new ModelFolder(folder, who))
    const { maxTokens = found.maxTokens } = settings
    // 0 stands for what the tokenizer says.
    const limit = maxTokens === undefined ? 0 : Math.min(maxTokens, UNLIMITED)
    const isModel2vec = found.library === 'model2vec'
    const native = await run<StaticHandle>(who, runSettings, (spec, events) =>
      openStatic(found.tokenizer, found.rows, limit, isModel2vec, spec, events),
    )
    return new StaticEncoder(native, found)
  }

  /** Whether a folder says that it is one of a static encoder: `SentenceEncoder` reads the others. */
  static async isFolder(folder: Path): Promise<boolean> {
    return isStaticFolder(new ModelFolder(folder, 'StaticEncoder.isFolder'))
  }

  /**
   * Makes an encoder of what another one gives for each of its tokens, read by itself: the mean over the token and those
   * around it, along the directions in which these vary most, times the token's weight (Tulkens, van Dongen 2024). It
   * takes as long as the teacher takes for as many texts of three tokens, and needs no data. The teacher stays as it is.
   *
   * @throws {InvalidOptionError} more dimensions than the teacher has
   */
  static async distill(
    teacher: SentenceEncoder,
    options: DistillingOptions = {},
  ): Promise<StaticEncoder> {
    const who = 'StaticEncoder.distill'
    const { settings, run: runSettings } = settle(distillingOptions, options, who)
    if (!(teacher instanceof SentenceEncoder)) {
      throw wrongOption('teacher', 'a SentenceEncoder', teacher, who)
    }
    const { vocabulary, weights, smoothing } = settings
    if (options.smoothing !== undefined && weights === 'equal') {
      refusal(who)('smoothing', "is for the weights 'zipf' only")
    }
    using network = await teacher.withMean(runSettings)
    const width = widthOf(network)
    const { dimensions = Math.min(256, width) } = settings
    if (dimensions > width) throw wrongOption('dimensions', `at most ${width}`, dimensions, who)
    const lesson = await teacher.tokenizer.lesson(vocabulary, runSettings, who)
    const { values } = await network.encode(each(lesson.texts()), runSettings)
    const spec = {
      dimensions,
      limit: model2vecTokens,
      ...(weights === 'zipf' && { smoothing }),
    }
    const native = await run<StaticHandle>(who, runSettings, (runSpec, events) =>
      distillStatic(lesson, values, spec, runSpec, events),
    )
    const config = {
      apply_pca: dimensions,
      sif_coefficient: spec.smoothing ?? null,
      seq_length: 1_000_000,
      pooling: 'mean',
    }
    return new StaticEncoder(native, { library: 'model2vec', config, about: {}, normalizes: true })
  }

  /** @internal */
  protected async vectorsOf(
    texts: Texts,
    { dimensions, normalize = this.#about.normalizes, truncate }: VectorSettings,
    settings: RunSettings,
    who: string,
  ): Promise<SentenceVectors> {
    const native = this.#handle.use(who)
    const found = await encoded(native, texts, { dimensions, normalize }, settings, who)
    const truncated = Array.from(found.truncated)
    if (truncate === 'error' && truncated.length > 0) {
      throw tooLong(truncated[0]!, found.tokens[truncated[0]!]!, this.maxTokens, who)
    }
    const { values, tokens, known } = found
    return new SentenceVectors(values, dimensions, tokens, this.maxTokens, { known, truncated })
  }

  /**
   * Writes a folder that `StaticEncoder.load` reads, and model2vec and sentence-transformers in Python. It is there in full
   * or not at all, in the place of one that holds no other files.
   *
   *     await encoder.save('small', { precision: 'float16' }) // vectors that are the same to three digits
   *
   * @throws {InvalidOptionError} `folder` holds something else
   * @throws {InlayError} `INVALID_INPUT` a value beyond what float16 can hold; `DISK_FULL`, `IO`
   */
  async save(
    folder: Path,
    options: Options<typeof staticSavingOptions> & RunOptions = {},
  ): Promise<void> {
    const who = 'encoder.save'
    const path = settlePath(folder, who, 'folder')
    const { settings: saving, run: settings } = settle(staticSavingOptions, options, who)
    const isHalf = saving.precision === 'float16'
    const { dimensions, maxTokens } = this
    const native = this.#handle.use(who)
    const files = describedFolder({ ...this.#about, dimensions, maxTokens })
    files.set('tokenizer.json', await this.#tokenizer(settings, who))
    const name = this.#about.library === 'model2vec' ? 'embeddings' : 'embedding.weight'
    files.set('model.safetensors', (file) =>
      run<void>(who, settings, (spec, events) =>
        saveStatic(native, file, name, isHalf, spec, events),
      ),
    )
    await writeFolder(resolve(path), files, settings, who)
  }

  /** A number that names all that a vector depends on but the text: rows, tokenizer, prompts. An index that keeps it can
   * tell whether a query's vector belongs to it. SHA-256, in hexadecimal digits. */
  fingerprint(): Promise<string> {
    this.#fingerprint ??= this.#hash()
    return this.#fingerprint
  }

  async #hash(): Promise<string> {
    const who = 'encoder.fingerprint'
    const { dimensions, maxTokens, prompts } = this
    const { library, normalizes } = this.#about
    const hash = createHash('sha256')
    hash.update(JSON.stringify([library, dimensions, String(maxTokens), normalizes, prompts]))
    hash.update(await this.#tokenizer(settle({}, {}, who).run, who))
    const turns = new Turns()
    for (let at = 0; ; at += PIECE) {
      const piece = this.#handle.use(who).bytes(at, PIECE)
      if (piece.length === 0) return hash.digest('hex')
      hash.update(piece)
      if (turns.isOver(PIECE)) await turns.next()
    }
  }

  #tokenizer(settings: RunSettings, who: string): Promise<Uint8Array> {
    const native = this.#handle.use(who)
    return run<Uint8Array>(who, settings, (spec, events) => tokenizerOfStatic(native, spec, events))
  }

  /** Frees the memory now rather than when the garbage is collected. */
  close(): void {
    this.#handle.close()
  }

  /** As `close`: at the end of the block of `using`. */
  [Symbol.dispose](): void {
    this.close()
  }
}

function encoded(
  native: StaticHandle,
  texts: Texts,
  wanted: { readonly dimensions: number; readonly normalize: boolean },
  settings: RunSettings,
  who: string,
): Promise<EncodedTokens> {
  if (isShort(texts) && !settings.threads && !settings.onProgress) {
    return serve<EncodedTokens>(who, settings.signal, (events) =>
      encodeStaticTexts(native, texts, wanted, events),
    )
  }
  const open = settleSource(texts, who).texts
  if (!open) throw wrongOption('texts', 'an iterable of texts', texts, who)
  const stream = new TextStream()
  return run<EncodedTokens>(
    who,
    settings,
    (spec, events) => encodeStaticStream(native, stream, wanted, spec, events),
    feed(open, stream, 'replace', who),
  )
}
