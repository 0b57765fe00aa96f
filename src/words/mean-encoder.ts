import { Corpus } from '../corpus/corpus.js'
import { type Text, type Texts, feed, isShort } from '../corpus/source.js'
import { type Embedder, Vectors } from '../embedder.js'
import { InvalidOptionError } from '../errors.js'
import { Handle } from '../handle.js'
import {
  type EncodedRows,
  type MeanEncoderHandle,
  type MeanEncoderSpec,
  TextStream,
  encodeMeanStream,
  encodeMeanTexts,
  fitMeanEncoder,
  makeMeanEncoder,
  openMeanEncoder,
  saveMeanEncoder,
} from '../native.js'
import {
  type Options,
  type RunOptions,
  custom,
  oneOf,
  real,
  settle,
  settleWord,
  wrongOption,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run, serve } from '../run.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { FastText } from './fasttext.js'
import { frequenciesOf, settleTexts, splitOptions, textsOption } from './document-frequencies.js'

/** Every option of `MeanEncoder.train`. */
export const meanEncoderOptions = {
  ...splitOptions,
  /** What a word weighs: as much as any other; a / (a + p), p being its share of a text; or its
   * inverse document frequency. */
  weights: oneOf(['equal', 'frequency', 'tf-idf'], 'what a word weighs'),
  /** The a of a / (a + p). */
  smoothing: real(1e-3, { above: 0, to: 1 }, 'the a of a / (a + p)'),
  /** A corpus that says how frequent words are. Default: the text that the vectors were trained on,
   * where they know it; with 'frequency' only. */
  frequencies: custom<Corpus>(
    'a Corpus',
    (given) => given instanceof Corpus,
    'how frequent words are',
  ),
  /** Documents in which words are counted, each text being one; with 'tf-idf' only, which needs them. */
  documents: textsOption('documents in which words are counted'),
  /** Sentences whose common direction is found and taken away from every vector. Default: nothing is
   * taken away. */
  sentences: textsOption('sentences whose common direction is taken away'),
}

/** The options of `MeanEncoder.train`: see `meanEncoderOptions`. */
export type MeanEncoderOptions = Options<typeof meanEncoderOptions> & RunOptions

/** How an encoder was made. */
export type MeanEncoderSettings = Readonly<MeanEncoderSpec>

/**
 * Texts as the mean of the vectors of their words.
 *
 *     equal:      1/n Σ v(w)
 *     frequency:  1/n Σ a / (a + p(w)) v(w)         Arora et al. 2017; with `sentences`: SIF
 *     tf-idf:     Σ idf(w) v(w) / Σ idf(w)          idf(w) = ln((1 + documents) / (1 + df(w))) + 1
 *
 *     const encoder = await MeanEncoder.train(model.vectors, { weights: 'frequency', sentences })
 *     const rows = await encoder.encode(['a cat chases a mouse', 'a kitten hunts rodents'])
 *     rows.similarity(0, 1)
 *
 * n counts the words that have a vector; the others are left out. A text without any has a vector of
 * zeros, and `rows.known` says 0 for it.
 */
export class MeanEncoder implements Embedder<Text> {
  /** Values of a vector. */
  readonly dimensions: number
  /** How it was made. */
  readonly options: MeanEncoderSettings
  /** The direction that is taken away from every vector, of length 1. */
  readonly component: Float32Array | undefined
  readonly #handle: Handle<MeanEncoderHandle>

  /** @internal */
  constructor(native: MeanEncoderHandle) {
    this.#handle = new Handle(native)
    this.dimensions = native.dimensions
    this.options = native.options()
    this.component = native.component() ?? undefined
  }

  /**
   * Makes an encoder of word vectors, or of a FastText, which has vectors of unheard-of words too:
   * counts documents and finds the common direction, if its options ask for it. It shares the vectors'
   * memory and needs them no more: they may be closed.
   *
   *     const sif = await MeanEncoder.train(vectors, { weights: 'frequency', sentences: ['...', '...'] })
   *
   * @throws {InvalidOptionError} an option that would do nothing; 'frequency' for vectors that do not
   * know how often their words occurred, without `frequencies`
   * @throws {InlayError} `INVALID_INPUT` documents without a word; sentences without a known one
   */
  static async train(
    vectors: WordVectors | FastText,
    options: MeanEncoderOptions = {},
  ): Promise<MeanEncoder> {
    const who = 'MeanEncoder.train'
    if (!(vectors instanceof WordVectors || vectors instanceof FastText)) {
      throw wrongOption('vectors', 'WordVectors or a FastText', vectors, who)
    }
    const { settings, run: runSettings } = settle(meanEncoderOptions, options, who)
    checkTogether(options, settings.weights, who)
    const native = vectors.native(who)
    const frequencies = settings.frequencies?.native(who)
    const documents =
      settings.documents && (await frequenciesOf(settings.documents, settings, runSettings, who))
    const encoder = await run<MeanEncoderHandle>(who, runSettings, (spec, events) =>
      makeMeanEncoder(native, settings, frequencies, documents, spec, events),
    ).finally(() => documents?.close())
    if (!settings.sentences) return new MeanEncoder(encoder)
    const stream = new TextStream()
    const open = settleTexts(settings.sentences, 'sentences', who)
    const fitted = await run<MeanEncoderHandle>(
      who,
      runSettings,
      (spec, events) => fitMeanEncoder(encoder, stream, spec, events),
      feed(open, stream, 'replace', who),
    )
    return new MeanEncoder(fitted)
  }

  /**
   * Opens an encoder that `save` wrote. It is mapped, not read.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no encoder, or damaged
   */
  static async open(path: Path, options: RunOptions = {}): Promise<MeanEncoder> {
    const who = 'MeanEncoder.open'
    const file = settlePath(path, who)
    const settings = settle({}, options, who).run
    return new MeanEncoder(
      await run<MeanEncoderHandle>(who, settings, (spec, events) =>
        openMeanEncoder(file, spec, events),
      ),
    )
  }

  /**
   * The vectors of texts: strings, or arrays of words. A vector does not depend on the other texts nor
   * on the number of threads, bit for bit.
   *
   *     const [cat, dog] = await encoder.encode(['a cat', ['a', 'dog']])
   *
   * @throws {InlayError} `INVALID_INPUT` an item that is no text
   */
  async encode(texts: Texts, options: RunOptions = {}): Promise<Vectors> {
    const who = 'MeanEncoder.encode'
    const settings = settle({}, options, who).run
    const open = settleTexts(texts, 'texts', who)
    const native = this.#handle.use(who)
    if (isShort(texts) && !settings.threads && !settings.onProgress) {
      const rows = await serve<EncodedRows>(who, settings.signal, (events) =>
        encodeMeanTexts(native, texts, events),
      )
      return new Vectors(rows.values, this.dimensions, rows.known)
    }
    const stream = new TextStream()
    const rows = await run<EncodedRows>(
      who,
      settings,
      (spec, events) => encodeMeanStream(native, stream, spec, events),
      feed(open, stream, 'replace', who),
    )
    return new Vectors(rows.values, this.dimensions, rows.known)
  }

  /** What a word weighs: 1 for 'equal'. */
  weightOf(word: string): number {
    const who = 'MeanEncoder.weightOf'
    return this.#handle.use(who).weightOf(settleWord(word, who))
  }

  /**
   * Writes the encoder to a file: word vectors, weights and the common direction. `WordVectors.open`
   * reads its vectors too. The file is there in full or not at all.
   *
   * @throws {InlayError} `UNSUPPORTED` an encoder of a FastText: save that model; `DISK_FULL`, `IO`
   */
  async save(path: Path, options: RunOptions = {}): Promise<void> {
    const who = 'MeanEncoder.save'
    const file = settlePath(path, who)
    const settings = settle({}, options, who).run
    const native = this.#handle.use(who)
    await run<void>(who, settings, (spec, events) => saveMeanEncoder(native, file, spec, events))
  }

  /** Frees the memory now rather than when the garbage is collected. */
  close(): void {
    this.#handle.close()
  }

  /** As `close`: `using encoder = await MeanEncoder.open(...)` closes it at the end of the block. */
  [Symbol.dispose](): void {
    this.close()
  }
}

/** What no single option can say. */
function checkTogether(given: MeanEncoderOptions, weights: string, who: string): void {
  const refuse = (option: string, message: string) => {
    throw new InvalidOptionError(`${who}: \`${option}\` ${message}`, { option })
  }
  for (const option of ['smoothing', 'frequencies'] as const) {
    if (given[option] !== undefined && weights !== 'frequency') {
      refuse(option, "is for the weights 'frequency' only")
    }
  }
  if (given.documents !== undefined && weights !== 'tf-idf') {
    refuse('documents', "is for the weights 'tf-idf' only")
  }
  if (given.documents === undefined && weights === 'tf-idf') {
    refuse('documents', "must be given for the weights 'tf-idf'")
  }
}
