// Texts as the tokens of a pretrained model.
import { type Texts, feed, settleSource } from '../corpus/source.js'
import { Handle } from '../handle.js'
import {
  type SubwordHandle,
  type LessonHandle,
  TextStream,
  type TokenizedTexts,
  lessonOfTokens,
  openSubwords,
  tokenizeTexts,
} from '../native.js'
import { type RunSettings, wrongOption } from '../options.js'
import { run, unlessAborted } from '../run.js'

/** What a `tokenizer.json` says: WordPiece, byte-pair encoding or Unigram, with all that comes before and after. */
export class SubwordTokenizer {
  readonly #native: Handle<SubwordHandle>

  private constructor(native: SubwordHandle) {
    this.#native = new Handle(native)
  }

  static async open(
    file: string,
    limit: number,
    settings: RunSettings,
    who: string,
  ): Promise<SubwordTokenizer> {
    const native = await run<SubwordHandle>(who, settings, (spec, events) =>
      openSubwords(file, limit, spec, events),
    )
    return new SubwordTokenizer(native)
  }

  /** The tokens of texts, with those that stand around a text; how many each has, those beyond the limit too. */
  async tokenize(texts: Texts, settings: RunSettings, who: string): Promise<TokenizedTexts> {
    const open = typeof texts === 'string' ? undefined : settleSource(texts, who).texts
    if (!open) throw wrongOption('texts', 'an iterable of texts', texts, who)
    const stream = new TextStream()
    const native = this.#native.use(who)
    const tokens = run<TokenizedTexts>(
      who,
      settings,
      (spec, events) => tokenizeTexts(native, stream, true, spec, events),
      feed(open, stream, 'replace', who),
    )
    // A text of a megabyte is cut in one go.
    return unlessAborted(tokens, settings.signal)
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
