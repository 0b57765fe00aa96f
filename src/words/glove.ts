import { type Corpus, corpusOptions } from '../corpus/corpus.js'
import type { CorpusSource } from '../corpus/source.js'
import { InvalidOptionError } from '../errors.js'
import { Handle } from '../handle.js'
import {
  type GloveHandle,
  type GloveSpec,
  estimateGlove,
  openGlove,
  openGloveParameters,
  saveGlove,
  saveGloveParameters,
  trainGlove,
} from '../native.js'
import {
  type Options,
  type RunOptions,
  flag,
  integer,
  oneOf,
  real,
  settle,
  settleAlone,
  text,
  wrongOption,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run } from '../run.js'
import { WordVectors } from '../vectors/word-vectors.js'
import {
  Cooccurrence,
  countPairs,
  countingOptions,
  refuseVain,
  settleBeside,
  settleVocabulary,
} from './cooccurrence.js'

/** How a model is trained. In brackets: the names in the C tool. */
const trainingOptions = {
  /** Values in a word's vector [-vector-size]. */
  dimensions: integer(100, { from: 1, to: 4096 }, "values in a word's vector"),
  /** Passes over the pairs [-iter]. */
  epochs: integer(25, { from: 1, to: 1_000_000 }, 'passes over the pairs'),
  /** Step of AdaGrad at the start [-eta]. */
  learningRate: real(0.05, { above: 0, to: 10 }, 'step of AdaGrad at the start'),
  /** Pairs that meet this often, or more often, weigh 1 [-x-max]. */
  xMax: real(100, { above: 0, to: 1e9 }, 'pairs that meet this often weigh 1'),
  /** Rarer pairs weigh (x / xMax)^alpha [-alpha]. */
  alpha: real(0.75, { from: 0, to: 10 }, 'rarer pairs weigh (x / xMax)^alpha'),
  /** What `model.vectors` are: the sum of a word's two vectors, or one of them [-model 2, 1]. */
  vectors: oneOf(['both', 'word', 'context'], 'the sum of both vectors of a word, or one of them'),
  /** Whether a vector `<unk>` comes last: the mean of the 100 rarest words [-unk]. */
  unknown: flag(false, 'adds <unk>, the mean of the 100 rarest words'),
  /** A file that holds the state of the training, gradient squares included: written every
   * `checkpointEvery` seconds, when the run is aborted (the rejection waits for it), and at the end.
   * If it is there at the start, training goes on from it, after the text has been counted again;
   * with one thread to the same bytes as if it had never stopped. */
  checkpoint: text('the file that a training goes on from, and writes its state to'),
  /** Seconds from one checkpoint to the next. */
  checkpointEvery: real(30, { above: 0, to: 1e6 }, 'seconds from one checkpoint to the next'),
}

/** Every option of `Glove.train`. */
export const gloveOptions = { ...corpusOptions, ...countingOptions, ...trainingOptions }

/** The options of `Glove.train`: see `gloveOptions`. */
export type GloveOptions = Options<typeof gloveOptions> & RunOptions

/** How a model was trained, every option with its value. */
export type GloveSettings = Readonly<GloveSpec>

const estimateOptions = {
  vocabulary: integer(undefined, { from: 1 }, 'words'),
  dimensions: trainingOptions.dimensions,
  vectors: trainingOptions.vectors,
  memory: countingOptions.memory,
}

/**
 * Word vectors whose products are the logarithms of how often words meet (Pennington, Socher,
 * Manning 2014, "GloVe: Global Vectors for Word Representation", equation 8).
 *
 *     text ─▶ Cooccurrence ─(word, context, x)─▶ AdaGrad on f(x) (w·c + b + b' - ln x)²
 *
 *     const model = await Glove.train('corpus.txt', { dimensions: 300, epochs: 50 })
 *     await model.vectors.mostSimilar('king')
 *     await model.save('model.safetensors')
 */
export class Glove {
  /** The vectors of the words, as `vectors` chose them: [words, dimensions]. They share the model's
   * memory. */
  readonly vectors: WordVectors
  /** The vectors of the words as words. */
  readonly wordVectors: WordVectors
  /** The vectors of the words as contexts. */
  readonly contextVectors: WordVectors
  /** Mean loss of a pair in each epoch, f(x) (w·c + b + b' - ln x)² / 2: what the C tool prints. */
  readonly losses: readonly number[]
  /** How it was trained; `undefined` for parameters of the C tool, which do not say. */
  readonly options: GloveSettings | undefined
  readonly #handle: Handle<GloveHandle>

  /** @internal */
  constructor(native: GloveHandle) {
    this.#handle = new Handle(native)
    this.vectors = new WordVectors(native.vectors())
    this.wordVectors = new WordVectors(native.wordVectors())
    this.contextVectors = new WordVectors(native.contextVectors())
    this.losses = native.losses()
    this.options = native.options() ?? undefined
  }

  /**
   * Trains on `source`: text, sentences, a corpus that was read before, or pairs that were counted
   * before. Same bytes for the same `seed` with `threads: 1` on one machine; more threads write to
   * the same vectors without locks (Hogwild, Niu et al. 2011, arXiv:1106.5730), and their order is the
   * machine's.
   *
   *     const model = await Glove.train('corpus.txt', { window: 10, xMax: 10 })
   *     const pairs = await Cooccurrence.open('cooccurrence.bin', { vocabulary: 'vocab.txt' })
   *     const same = await Glove.train(pairs, { dimensions: 50 })
   *
   * @throws {InvalidOptionError} before anything is read; a checkpoint of other options or text
   * @throws {InlayError} as `Cooccurrence.count`; `INVALID_INPUT` a record that is none; `DIVERGED` a
   * vector is no longer finite
   */
  static async train(
    source: CorpusSource | Corpus | Cooccurrence,
    options: GloveOptions = {},
  ): Promise<Glove> {
    const who = 'Glove.train'
    const { settings, run: runSettings } = settle(gloveOptions, options, who)
    const { checkpoint, checkpointEvery } = settings
    if (options.checkpointEvery !== undefined && checkpoint === undefined) {
      const message = `${who}: \`checkpointEvery\` has no meaning without \`checkpoint\``
      throw new InvalidOptionError(message, { option: 'checkpointEvery' })
    }
    if (source instanceof Cooccurrence) {
      const { memory: _, ...counting } = countingOptions
      refuseVain({ ...corpusOptions, ...counting }, options, 'a Cooccurrence', who)
    }
    const pairs =
      source instanceof Cooccurrence
        ? source
        : await countPairs(source, settings, options, runSettings, who)
    try {
      const native = pairs.native(who)
      const kept =
        checkpoint === undefined ? undefined : { path: checkpoint, every: checkpointEvery }
      return new Glove(
        await run<GloveHandle>(who, runSettings, (spec, events) =>
          trainGlove(native, settings, settings, kept, spec, events),
        ),
      )
    } finally {
      if (pairs !== source) pairs.close()
    }
  }

  /**
   * Opens a model that `save` wrote. It is mapped, not read.
   *
   *     const model = await Glove.open('model.safetensors')
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no GloVe model, or damaged
   */
  static async open(path: Path, options: RunOptions = {}): Promise<Glove> {
    const who = 'Glove.open'
    const file = settlePath(path, who)
    const runSettings = settle({}, options, who).run
    return new Glove(
      await run<GloveHandle>(who, runSettings, (spec, events) => openGlove(file, spec, events)),
    )
  }

  /**
   * Opens what the C tool's `-binary 1` wrote: vectors and biases of words and contexts, in f64, and
   * the `vocab.txt` that they belong to. `vectors` are the sums.
   *
   *     const model = await Glove.openParameters('vectors.bin', { vocabulary: 'vocab.txt' })
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` a file of another form, or a value that is not
   * finite
   */
  static async openParameters(
    path: Path,
    options: { readonly vocabulary: Path } & RunOptions,
  ): Promise<Glove> {
    const who = 'Glove.openParameters'
    const file = settlePath(path, who)
    const { words, runSettings } = settleBeside(options, who)
    return new Glove(
      await run<GloveHandle>(who, runSettings, (spec, events) =>
        openGloveParameters(file, words, spec, events),
      ),
    )
  }

  /**
   * The bytes that a training takes at most beside the text and its pairs, which lie in files.
   *
   *     Glove.estimateMemory({ vocabulary: 400_000, dimensions: 300 })
   *
   * @throws {InvalidOptionError}
   */
  static estimateMemory(options: {
    readonly vocabulary: number
    readonly dimensions?: number | undefined
    readonly vectors?: GloveSettings['vectors'] | undefined
    readonly memory?: number | undefined
  }): number {
    const who = 'Glove.estimateMemory'
    const { vocabulary, dimensions, vectors, memory } = settleAlone(estimateOptions, options, who)
    if (vocabulary === undefined) {
      throw wrongOption('vocabulary', estimateOptions.vocabulary.expected, undefined, who)
    }
    return memory + estimateGlove(vocabulary, dimensions, vectors)
  }

  /**
   * Writes the model to a file: vectors and biases of words and contexts, counts and options.
   * `WordVectors.open` and whatever reads safetensors read its vectors too. The file is there in full
   * or not at all.
   *
   *     await model.save('model.safetensors')
   *
   * @throws {InlayError} `DISK_FULL`, `IO`
   */
  async save(path: Path, options: RunOptions = {}): Promise<void> {
    const who = 'Glove.save'
    const file = settlePath(path, who)
    const runSettings = settle({}, options, who).run
    const native = this.#handle.use(who)
    await run<void>(who, runSettings, (spec, events) => saveGlove(native, file, spec, events))
  }

  /**
   * Writes what the C tool's `-binary 1` writes, which its `-load-init-param` reads, and the
   * `vocab.txt` that belongs to it if `vocabulary` names a file. `<unk>` is left out, as there.
   *
   *     await model.saveParameters('vectors.bin', { vocabulary: 'vocab.txt' })
   *
   * @throws {InlayError} `UNSUPPORTED` a word with white space, which `vocab.txt` cannot hold;
   * `DISK_FULL`, `IO`
   */
  async saveParameters(
    path: Path,
    { vocabulary, ...options }: { readonly vocabulary?: Path | undefined } & RunOptions = {},
  ): Promise<void> {
    const who = 'Glove.saveParameters'
    const file = settlePath(path, who)
    const words = settleVocabulary(vocabulary, file, who)
    const runSettings = settle({}, options, who).run
    const native = this.#handle.use(who)
    await run<void>(who, runSettings, (spec, events) =>
      saveGloveParameters(native, file, words, spec, events),
    )
  }

  /** Frees the memory of the model and of its vectors now rather than when the garbage is
   * collected. */
  close(): void {
    this.#handle.close()
    this.vectors.close()
    this.wordVectors.close()
    this.contextVectors.close()
  }

  /** As `close`: `using model = await Glove.train(...)` closes it at the end of the block. */
  [Symbol.dispose](): void {
    this.close()
  }
}
