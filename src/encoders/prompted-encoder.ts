// What encoders of texts have in common that come from folders: prompts, and what is said of the vectors that they give.
import { type Text, type Texts, isShort } from '../corpus/source.js'
import { type Embedder, Vectors } from '../embedder.js'
import { InlayError, shown } from '../errors.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  custom,
  flag,
  integer,
  isRecordOf,
  oneOf,
  settle,
  wrongOption,
} from '../options.js'
import type { Json } from './model-folder.js'

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

/** What is wanted of vectors. */
export interface VectorSettings {
  readonly dimensions: number
  /** Default: what the folder says. */
  readonly normalize: boolean | undefined
  readonly truncate: 'end' | 'error'
  /** What stands before each text. */
  readonly prompt: string
}

/** Vectors of texts, and how much of each text was read. */
export class SentenceVectors extends Vectors {
  readonly #truncated: readonly number[] | undefined

  /** @internal */
  constructor(
    values: Float32Array,
    dimensions: number,
    /** Tokens of each text, those around it and those that were not read among them. */
    readonly tokens: Uint32Array,
    /** How many of them are read at most. */
    readonly maxTokens: number,
    read: { readonly known?: Uint32Array; readonly truncated?: readonly number[] } = {},
  ) {
    super(values, dimensions, read.known)
    this.#truncated = read.truncated
  }

  /** Which texts were not read to their end. */
  get truncated(): number[] {
    if (this.#truncated) return [...this.#truncated]
    const all = Array.from(this.tokens.keys())
    return all.filter((i) => this.tokens[i]! > this.maxTokens)
  }
}

const wrongPrompts = (problem: string) =>
  new InlayError('INVALID_INPUT', `config_sentence_transformers.json: ${problem}`, {
    source: 'config_sentence_transformers.json',
    problem,
  })

function promptsOf(given: unknown): Record<string, string> {
  if (isRecordOf(given, (prompt) => typeof prompt === 'string')) {
    return { ...(given as Record<string, string>) }
  }
  throw wrongPrompts(`\`prompts\` must be texts by their names, got ${shown(given)}`)
}

function defaultOf(prompts: Readonly<Record<string, string>>, name: unknown): string {
  if (name === undefined) return ''
  if (typeof name === 'string' && Object.hasOwn(prompts, name)) return prompts[name]!
  const known = Object.keys(prompts).join(', ') || 'none'
  const problem = `\`default_prompt_name\` must be one of \`prompts\` (${known})`
  throw wrongPrompts(`${problem}, got ${shown(name)}`)
}

/** An encoder of texts that may put something before each of them. */
export abstract class PromptedEncoder implements Embedder<Text> {
  /** Values of a vector. */
  abstract readonly dimensions: number
  /** Tokens of a text that are read at most. */
  abstract readonly maxTokens: number
  /** What may be put before texts, by name. */
  readonly prompts: Readonly<Record<string, string>>
  readonly #defaultPrompt: string

  /** @internal `about`: what is in `config_sentence_transformers.json`. */
  protected constructor({ prompts, default_prompt_name: name }: Json) {
    const texts = promptsOf(prompts ?? {})
    this.prompts = Object.freeze(texts)
    this.#defaultPrompt = defaultOf(texts, name ?? undefined)
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

  /** @internal The vectors of texts that have their prompts. */
  protected abstract vectorsOf(
    texts: Texts,
    settings: VectorSettings,
    run: RunSettings,
    who: string,
  ): Promise<SentenceVectors>

  /** @internal A prompt by its name, a text, or the default one. */
  protected promptOf(given: string | undefined, fallback = this.#defaultPrompt): string {
    if (given === undefined) return fallback
    return Object.hasOwn(this.prompts, given) ? this.prompts[given]! : given
  }

  /** @internal Texts with such a prompt before each. */
  protected withPrompt(texts: Texts, given: string | undefined, who: string): Texts {
    return prompted(texts, this.promptOf(given), who)
  }

  #firstPrompt(names: readonly string[]): string {
    const name = names.find((known) => this.prompts[known])
    return name === undefined ? this.#defaultPrompt : this.prompts[name]!
  }

  async #encode(
    texts: Texts,
    options: SentenceEncodingOptions,
    who: string,
    fallback: string,
  ): Promise<SentenceVectors> {
    const { settings, run } = settle(sentenceEncodingOptions, options, who)
    const { dimensions = this.dimensions, normalize, truncate } = settings
    if (dimensions > this.dimensions) {
      throw wrongOption('dimensions', `at most ${this.dimensions}`, dimensions, who)
    }
    const prompt = this.promptOf(settings.prompt, fallback)
    const whole = prompted(texts, prompt, who)
    return this.vectorsOf(whole, { dimensions, normalize, truncate, prompt }, run, who)
  }
}

/** Texts with something before each. */
function prompted(texts: Texts, prompt: string, who: string): Texts {
  if (typeof texts === 'string') throw wrongOption('texts', 'an iterable of texts', texts, who)
  if (prompt === '') return texts
  if (isShort(texts)) return texts.map((text) => prompt + text)
  const before = (text: Text) => {
    if (typeof text !== 'string')
      throw wrongOption('texts', 'strings, where there is a prompt', text, who)
    return prompt + text
  }
  return (async function* () {
    for await (const text of texts) yield before(text)
  })()
}

/** A text of more tokens than are read. */
export function tooLong(item: number, tokens: number, maxTokens: number, who: string): InlayError {
  const message = `${who}: text ${item} has ${tokens} tokens, and ${maxTokens} are read`
  return new InlayError('INVALID_INPUT', message, { item, tokens, maxTokens })
}
