// One form for all that becomes vectors of patches: pictures, sounds, films, texts.
import { Vectors } from '../embedder.js'
import { InvalidOptionError } from '../errors.js'
import { TokenValues } from '../native.js'
import {
  type RunOptions,
  isCount,
  isIterable,
  runOptions,
  settleAlone,
  wrongOption,
} from '../options.js'
import { Turns } from '../turns.js'

/** What an input was. */
export type Modality = 'text' | 'image' | 'sound' | 'video'

const modalities: readonly unknown[] = ['text', 'image', 'sound', 'video'] satisfies Modality[]

/** An input that became tokens. */
export interface TokenInput {
  readonly modality: Modality
  /** How many tokens it became. */
  readonly length: number
  /** What was cut: frames, rows and columns. Of a sound, its spectrogram has a row for each frame and a column for each
   * band, and its samples are one row. A text has none. */
  readonly extent?: readonly [frames: number, rows: number, columns: number]
  /** Of a film: the time of each frame, in seconds. */
  readonly times?: readonly number[]
  /** Of a sound: its samples a second. */
  readonly sampleRate?: number
}

/** The parts of `Tokens`. */
export interface TokenParts {
  /** [tokens, width]: those of each input one after the other. */
  readonly values: Float32Array
  /** [tokens, 3]: the place of each token in its input, along time, row and column; of a text, its number, 0 and 0. */
  readonly positions: Uint32Array
  /** Values of a token. */
  readonly width: number
  /** How many tokens each input has, and what it was. */
  readonly inputs: readonly TokenInput[]
}

/** Values that are copied at once. */
const TOGETHER = 1 << 17

const signalOption = { signal: runOptions.signal }

/**
 * Patches of one or many inputs, of any size each: packed one after the other, with no padding. A network takes them as
 * they are, an item for each input:
 *
 *     const tokens = await new ImagePatches({ size: 16 }).tokens(['a.jpg', 'b.png'])
 *     const vectors = await network.encode(tokens) // its input: sequence({ width: tokens.width })
 *
 * An object of this class does not change; nobody should write to its arrays.
 */
export class Tokens implements Iterable<Float32Array> {
  /** [count, width]: those of each input one after the other. */
  readonly values: Float32Array
  /** [count, 3]: the place of each token in its input, along time, row and column, counted in patches; of a text, its
   * number, 0 and 0. */
  readonly positions: Uint32Array
  /** Values of a token. */
  readonly width: number
  /** What became tokens, in order. */
  readonly inputs: readonly TokenInput[]
  /** How many inputs there are. */
  readonly length: number
  /** How many tokens there are. */
  readonly count: number
  /** Where the tokens of each input begin, and where the last one's end. */
  readonly #offsets: readonly number[]

  /** @internal */
  constructor({ values, positions, width, inputs }: TokenParts) {
    this.values = values
    this.positions = positions
    this.width = width
    this.inputs = Object.isFrozen(inputs) ? inputs : Object.freeze(inputs.map(frozen))
    this.length = inputs.length
    this.count = values.length / width
    let end = 0
    this.#offsets = [0, ...inputs.map(({ length }) => (end += length))]
    Object.freeze(this)
  }

  /**
   * Tokens of parts that are there: what a network made of others, what another program cut. They are not copied.
   *
   * @throws {InvalidOptionError} parts that do not fit each other
   */
  static from(parts: TokenParts): Tokens {
    const who = 'Tokens.from'
    const { values, positions, width, inputs } = parts ?? {}
    if (!isCount(width)) throw wrongOption('width', 'an integer from 1 up', width, who)
    if (!(values instanceof Float32Array) || values.length % width !== 0) {
      throw wrongOption('values', `a Float32Array of rows of ${width}`, values, who)
    }
    const count = values.length / width
    if (!(positions instanceof Uint32Array) || positions.length !== 3 * count) {
      throw wrongOption('positions', `a Uint32Array of ${3 * count} numbers`, positions, who)
    }
    if (!Array.isArray(inputs)) throw wrongOption('inputs', 'an array', inputs, who)
    let tokens = 0
    for (const [at, input] of (inputs as readonly TokenInput[]).entries()) {
      if (!modalities.includes(input?.modality)) {
        const expected = "'text', 'image', 'sound' or 'video'"
        throw wrongOption(`inputs[${at}].modality`, expected, input?.modality, who)
      }
      if (!isCount(input.length) && input.length !== 0) {
        throw wrongOption(`inputs[${at}].length`, 'an integer from 0 up', input.length, who)
      }
      const { extent } = input
      if (extent !== undefined && !isExtent(extent)) {
        const expected = 'frames, rows and columns, three integers from 1 up'
        throw wrongOption(`inputs[${at}].extent`, expected, extent, who)
      }
      tokens += input.length
    }
    if (tokens !== count) {
      throw wrongOption('inputs', `inputs of ${count} tokens in all`, `inputs of ${tokens}`, who)
    }
    return new Tokens({ values, positions, width, inputs: inputs.map(frozen) })
  }

  /**
   * Texts as the numbers of their words or pieces, whatever gave them numbers: tokens of one value. `PatchEmbedding` has a
   * row for each number.
   *
   *     const captions = await Tokens.ofIds([[17, 4, 2], [9]])
   *
   * @throws {InvalidOptionError} other than whole numbers from 0 below 2²⁴, which are what a float32 can say
   */
  static async ofIds(
    texts: Iterable<ArrayLike<number>> | AsyncIterable<ArrayLike<number>>,
    options: Pick<RunOptions, 'signal'> = {},
  ): Promise<Tokens> {
    const who = 'Tokens.ofIds'
    const turns = new Turns(settleAlone(signalOption, options, who).signal)
    if (!isIterable(texts)) throw wrongOption('texts', 'an iterable of arrays of ids', texts, who)
    const parts: TokenParts[] = []
    for await (const text of texts) {
      const name = `texts[${parts.length}]`
      const length = (text as ArrayLike<number> | undefined)?.length
      if (typeof text !== 'object' || !(isCount(length) || length === 0)) {
        throw wrongOption(name, 'an array of ids', text, who)
      }
      const values = new Float32Array(length)
      for (let i = 0; i < length; i++) {
        const id = text[i]!
        if (!Number.isInteger(id) || id < 0 || id >= 1 << 24) {
          throw wrongOption(`${name}[${i}]`, `an integer from 0 below ${1 << 24}`, id, who)
        }
        values[i] = id
        if (turns.isOver()) await turns.next()
      }
      parts.push(await textPart(values, 1, turns))
    }
    return joined(parts, 1, turns)
  }

  /**
   * Texts as vectors of their words or pieces, [length, width] each: those of an embedder, what `network.encodeSteps`
   * gives.
   *
   *     const captions = await Tokens.ofVectors([await encoder.encode(['a', 'red', 'cat'])])
   *
   * @throws {InvalidOptionError} vectors of different widths
   */
  static async ofVectors(
    texts: readonly Vectors[],
    options: Pick<RunOptions, 'signal'> = {},
  ): Promise<Tokens> {
    const who = 'Tokens.ofVectors'
    const turns = new Turns(settleAlone(signalOption, options, who).signal)
    if (!Array.isArray(texts) || texts.length === 0) {
      throw wrongOption('texts', 'an array of Vectors, at least one', texts, who)
    }
    const parts: TokenParts[] = []
    for (const [at, text] of texts.entries()) {
      if (!(text instanceof Vectors)) throw wrongOption(`texts[${at}]`, 'Vectors', text, who)
      parts.push(await textPart(text.values, text.dimensions, turns))
    }
    const widths = parts.map(({ width }) => width)
    return joined(parts, sameWidth(widths, 'texts', who), turns)
  }

  /**
   * All of them, in order; they are copied, but for a single one.
   *
   *     const all = await Tokens.concat([pictures, clips])
   *
   * @throws {InvalidOptionError} tokens of different widths: `PatchEmbedding` brings them to one
   */
  static async concat(
    parts: readonly Tokens[],
    options: Pick<RunOptions, 'signal'> = {},
  ): Promise<Tokens> {
    const who = 'Tokens.concat'
    const turns = new Turns(settleAlone(signalOption, options, who).signal)
    checkAll(parts, 'parts', who)
    const widths = parts.map(({ width }) => width)
    return joined(parts, sameWidth(widths, 'parts', who), turns)
  }

  /** How many tokens each input has. */
  get lengths(): readonly number[] {
    return this.inputs.map(({ length }) => length)
  }

  /** What each input was. */
  get modalities(): readonly Modality[] {
    return this.inputs.map(({ modality }) => modality)
  }

  /**
   * The values of an input, [tokens, width]: a view, not a copy.
   *
   * @throws {InvalidOptionError} there is no such input
   */
  item(i: number): Float32Array {
    if (!Number.isInteger(i) || i < 0 || i >= this.length) {
      throw wrongOption('i', `an input from 0 to ${this.length - 1}`, i, 'tokens.item')
    }
    const [from, to] = [this.#offsets[i]!, this.#offsets[i + 1]!]
    return this.values.subarray(from * this.width, to * this.width)
  }

  /** Some of the inputs, counted as by `Array.slice`: views, not copies. */
  slice(from = 0, to = this.length): Tokens {
    const inputs = this.inputs.slice(from, to)
    const whole = Math.trunc(from) || 0
    const begin = whole < 0 ? Math.max(0, this.length + whole) : Math.min(whole, this.length)
    const [first, last] = [this.#offsets[begin]!, this.#offsets[begin + inputs.length]!]
    return new Tokens({
      values: this.values.subarray(first * this.width, last * this.width),
      positions: this.positions.subarray(3 * first, 3 * last),
      width: this.width,
      inputs: Object.freeze(inputs),
    })
  }

  /**
   * Each input with the places of its tokens, [tokens, axes]: what an input of a network with `axes` takes. `axes` is 3, for
   * time, row and column, or 4, with the number of the input's modality behind them: 0 for a text, 1 for a picture, 2 for a
   * sound, 3 for a film.
   */
  *placed(axes: 3 | 4 = 3): Generator<{ values: Float32Array; positions: Uint32Array }> {
    if (axes !== 3 && axes !== 4) throw wrongOption('axes', '3 or 4', axes, 'tokens.placed')
    for (let i = 0; i < this.length; i++) {
      const [from, to] = [this.#offsets[i]!, this.#offsets[i + 1]!]
      const places = this.positions.subarray(3 * from, 3 * to)
      const modality = modalities.indexOf(this.inputs[i]!.modality)
      const positions = axes === 3 ? places : withModality(places, modality)
      yield { values: this.item(i), positions }
    }
  }

  /** The values of each input, [tokens, width]: views, not copies. */
  *[Symbol.iterator](): Iterator<Float32Array> {
    for (let i = 0; i < this.length; i++) yield this.item(i)
  }
}

/** [tokens, 3] as [tokens, 4]. */
function withModality(places: Uint32Array, modality: number): Uint32Array {
  const all = new Uint32Array((places.length / 3) * 4).fill(modality)
  for (let token = 0; 3 * token < places.length; token++) {
    all.set(places.subarray(3 * token, 3 * token + 3), 4 * token)
  }
  return all
}

function isExtent(given: unknown): boolean {
  const isSide = (side: unknown) => isCount(side) && side < 2 ** 32
  return Array.isArray(given) && given.length === 3 && given.every(isSide)
}

function frozen(input: TokenInput): TokenInput {
  return Object.freeze({ ...input })
}

/** Refuses what are no tokens. @internal */
export function checkAll(parts: unknown, option: string, who: string): void {
  if (!Array.isArray(parts) || parts.length === 0) {
    throw wrongOption(option, 'an array of Tokens, at least one', parts, who)
  }
  for (const [at, part] of parts.entries()) {
    if (!(part instanceof Tokens)) throw wrongOption(`${option}[${at}]`, 'Tokens', part, who)
  }
}

function sameWidth(widths: readonly number[], option: string, who: string): number {
  const [first, other] = [widths[0]!, widths.find((width) => width !== widths[0])]
  if (other === undefined) return first
  const message = `${who}: \`${option}\` must be of one width, got ${first} and ${other}`
  throw new InvalidOptionError(message, {
    option,
    expected: 'one width',
    got: `${first}, ${other}`,
  })
}

async function textPart(values: Float32Array, width: number, turns: Turns): Promise<TokenParts> {
  const length = values.length / width
  const positions = new Uint32Array(3 * length)
  for (let i = 0; i < length; i++) {
    positions[3 * i] = i
    if (turns.isOver()) await turns.next()
  }
  return { values, positions, width, inputs: [{ modality: 'text', length }] }
}

/** Parts one after the other. @internal */
export async function joined(
  parts: readonly TokenParts[],
  width: number,
  turns: Turns,
): Promise<Tokens> {
  const inputs = Object.freeze(parts.flatMap((part) => part.inputs.map(frozen)))
  const values = await inOne(
    parts.map((part) => part.values),
    (length) => new Float32Array(length),
    turns,
  )
  const positions = await inOne(
    parts.map((part) => part.positions),
    (length) => new Uint32Array(length),
    turns,
  )
  return new Tokens({ values, positions, width, inputs })
}

/** Arrays one after the other; a single one as it is. @internal */
export async function inOne<Numbers extends Float32Array | Uint32Array>(
  parts: readonly Numbers[],
  make: (length: number) => Numbers,
  turns: Turns,
): Promise<Numbers> {
  if (parts.length === 1) return parts[0]!
  const all = make(parts.reduce((sum, { length }) => sum + length, 0))
  let end = 0
  for (const part of parts) {
    const at = end
    await inTurns(part, TOGETHER, turns, (some, from) => all.set(some, at + from))
    end += part.length
  }
  return all
}

/** Gives the numbers of an array, so many at a time, and the event loop its turn in between. @internal */
export async function inTurns<
  Numbers extends Float32Array | Uint32Array | Uint8Array | Uint8ClampedArray,
>(
  numbers: Numbers,
  together: number,
  turns: Turns,
  take: (some: Numbers, from: number) => void,
): Promise<void> {
  for (let from = 0; from < numbers.length; from += together) {
    take(numbers.subarray(from, from + together) as Numbers, from)
    if (turns.isOver(together)) await turns.next()
  }
}

/** Brings the values of tokens, or of rows, over. @internal */
export async function pushValues(
  all: readonly Float32Array[],
  signal: AbortSignal | undefined,
): Promise<TokenValues> {
  const turns = new Turns(signal)
  const values = new TokenValues(all.reduce((sum, { length }) => sum + length, 0))
  for (const one of all) await inTurns(one, TOGETHER, turns, (some) => values.push(some))
  return values
}
