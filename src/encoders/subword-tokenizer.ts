// Texts as the tokens of a pretrained model.
import { type Texts, feed, isShort, settleSource } from '../corpus/source.js'
import { Handle } from '../handle.js'
import {
  type EncodedTexts,
  type Events,
  type LessonHandle,
  type RunHandle,
  type RunSpec,
  type SubwordHandle,
  TextStream,
  type TokenizedTexts,
  encodeTexts,
  lessonOfTokens,
  openSubwords,
  tokenizeTexts,
} from '../native.js'
import type { Network } from '../nn/network.js'
import { type RunSettings, wrongOption } from '../options.js'
import { run, unlessAborted } from '../run.js'

/** A run over texts. A text of a megabyte is cut in one go: an abort does not wait for that. */
function read<T>(
  texts: Texts,
  settings: RunSettings,
  who: string,
  start: (stream: TextStream, spec: RunSpec, events: Events<T>) => RunHandle,
): Promise<T> {
  const open = typeof texts === 'string' ? undefined : settleSource(texts, who).texts
  if (!open) throw wrongOption('texts', 'an iterable of texts', texts, who)
  const short = isShort(texts)
  const stream = short ? TextStream.of(texts) : new TextStream()
  const begin = (spec: RunSpec, events: Events<T>) => start(stream, spec, events)
  const feeder = short ? undefined : feed(open, stream, 'replace', who)
  return unlessAborted(run<T>(who, settings, begin, feeder), settings.signal)
}

/** How a model reads texts. */
export interface TextReading {
  /** Tokens of a text at most. */
  readonly limit: number
  /** Whether letters are made small before all that the tokenizer does. */
  readonly lowercase: boolean
}

/** What a `tokenizer.json` says: WordPiece, byte-pair encoding or Unigram, with all that comes before and after. */
export class SubwordTokenizer {
  readonly #native: Handle<SubwordHandle>

  private constructor(native: SubwordHandle) {
    this.#native = new Handle(native)
  }

  static async open(
    file: string,
    { limit, lowercase }: TextReading,
    settings: RunSettings,
    who: string,
  ): Promise<SubwordTokenizer> {
    const native = await run<SubwordHandle>(who, settings, (spec, events) =>
      openSubwords(file, limit, lowercase, spec, events),
    )
    return new SubwordTokenizer(native)
  }

  /** The tokens of texts, with those that stand around a text; how many each has, those beyond the limit too. */
  async tokenize(texts: Texts, settings: RunSettings, who: string): Promise<TokenizedTexts> {
    const native = this.#native.use(who)
    return read<TokenizedTexts>(texts, settings, who, (stream, spec, events) =>
      tokenizeTexts(native, stream, true, spec, events),
    )
  }

  /** What a network gives for the tokens of each text, and how many these are, those beyond the limit too, in one run. Nothing
   * is given if a text has more tokens than `most`. Those behind the first that is `end` are left out; -1 is the one with the
   * highest number. Texts of fewer tokens than `pad.length` are filled up. */
  async encode(
    network: Network,
    texts: Texts,
    part: {
      dimensions: number
      normalize: boolean
      most: number | undefined
      end?: number | undefined
      pad?: { token: number; length: number }
    },
    settings: RunSettings,
    who: string,
  ): Promise<EncodedTexts> {
    const [tokenizer, native] = [this.#native.use(who), network.native(who)]
    const { dimensions, normalize, most, end, pad } = part
    const tokens = {
      ...(most !== undefined && { most }),
      ...(end !== undefined && { end }),
      ...(pad !== undefined && { pad }),
    }
    return read<EncodedTexts>(texts, settings, who, (stream, spec, events) =>
      encodeTexts(native, tokenizer, stream, tokens, { dimensions, normalize }, spec, events),
    )
  }

  /** The same once more, to be closed by itself. */
  share(who: string): SubwordTokenizer {
    return new SubwordTokenizer(this.#native.use(who).share())
  }

  /** Its tokens, and words that are to be tokens too, each as a text. */
  async lesson(
    words: readonly string[],
    settings: RunSettings,
    who: string,
  ): Promise<LessonHandle> {
    const native = this.#native.use(who)
    return run<LessonHandle>(who, settings, (spec, events) =>
      lessonOfTokens(native, words, spec, events),
    )
  }

  close(): void {
    this.#native.close()
  }
}
