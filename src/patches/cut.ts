// What pictures, sounds and films have in common when they are cut to patches.
import type { CutSpec, CutTokens } from '../native.js'
import { custom, isCount, oneOf, wrongOption } from '../options.js'
import type { RawImage } from '../pictures/prepare-pictures.js'
import { Turns } from '../turns.js'
import { type Modality, type TokenInput, type TokenParts, Tokens, inTurns } from './tokens.js'

/** The longest that a patch may be along an axis. */
const MOST = 1 << 20
/** Bytes of pixels that are brought over at once: whole pixels of any number of channels. */
const PIXELS = 12 << 14

/** The options that all patches take. @internal */
export const edgeOption = {
  /** What becomes of the end of an axis that patches do not cover: one more patch, with zeros behind what there is, or with
   * the last of it again; it is left out; it is an error. */
  edge: oneOf(['fill', 'repeat', 'drop', 'refuse'], 'what becomes of the end of an axis'),
}

/** Lengths along the last so many axes; one number stands for all of them. @internal */
export function sides(axes: 2 | 3, expected: string, about: string) {
  const isLength = (given: unknown) => isCount(given) && given <= MOST
  return custom<number | readonly number[]>(
    `${expected}: integers from 1 to ${MOST}`,
    (given) =>
      isLength(given) || (Array.isArray(given) && given.length === axes && given.every(isLength)),
    about,
  )
}

/** Size and stride, each with a number for each axis. @internal */
export function sizeAndStride(
  given: {
    readonly size: number | readonly number[] | undefined
    readonly stride: number | readonly number[] | undefined
  },
  axes: number,
  expected: string,
  who: string,
): { size: number[]; stride: number[] } {
  if (given.size === undefined) throw wrongOption('size', expected, given.size, who)
  const all = (lengths: number | readonly number[]) =>
    typeof lengths === 'number' ? Array<number>(axes).fill(lengths) : [...lengths]
  const size = all(given.size)
  const stride = all(given.stride ?? given.size)
  if (stride.some((step, axis) => step > size[axis]!)) {
    throw wrongOption('stride', `at most the size, ${size.join(' x ')}`, stride.join(' x '), who)
  }
  return { size, stride }
}

/** Options of pixels. @internal */
export const pixelOptions = {
  /** Values of a pixel: grey, colours, or colours and transparency. Pictures of others are converted: colours to their luma,
   * grey to three like it, without transparency to opaque. */
  channels: custom<1 | 3 | 4>(
    '1, 3 or 4',
    (given) => [1, 3, 4].includes(given as number),
    'values of a pixel',
  ),
  /** What is taken from each channel, which is from 0 to 1. With `deviation`. */
  mean: numbers(
    'numbers from 0 to 1',
    (value) => value >= 0 && value <= 1,
    'taken from each channel',
  ),
  /** What each channel is divided by then. With `mean`. */
  deviation: numbers(
    'numbers from 1e-6 to 1e6',
    (value) => value >= 1e-6 && value <= 1e6,
    'what each channel is divided by',
  ),
  ...edgeOption,
}

function numbers(expected: string, accepts: (value: number) => boolean, about: string) {
  return custom<readonly number[]>(
    `an array of ${expected}, one for each channel`,
    (given) =>
      Array.isArray(given) && given.every((value) => Number.isFinite(value) && accepts(value)),
    about,
  )
}

/** Channels and their scale, as the native side reads them. @internal */
export function pixelSpec(
  {
    channels = 3,
    mean,
    deviation,
    edge,
  }: {
    readonly channels: 1 | 3 | 4 | undefined
    readonly mean: readonly number[] | undefined
    readonly deviation: readonly number[] | undefined
    readonly edge: CutSpec['edge']
  },
  who: string,
): Pick<CutSpec, 'channels' | 'mean' | 'deviation' | 'edge'> {
  const given = Object.entries({ mean, deviation })
  const wrong =
    given.find(([, values]) => values !== undefined && values.length !== channels) ??
    given.find(([, values]) => values === undefined && (mean ?? deviation) !== undefined)
  if (wrong) throw wrongOption(wrong[0], `${channels} numbers, one for each channel`, wrong[1], who)
  return { channels, edge, mean: [...(mean ?? [])], deviation: [...(deviation ?? [])] }
}

/** Values of a patch. @internal */
export function widthOf({ size, channels }: CutSpec): number {
  return size.reduce((product, length) => product * length, channels)
}

/** What was cut, as parts of tokens; `more` is what else is known of an input. @internal */
export function partsOf(
  found: CutTokens,
  width: number,
  modality: Modality,
  more: (input: number) => Partial<TokenInput> = () => ({}),
): TokenParts {
  const { values, positions, lengths, extents } = found
  const inputs = Array.from(lengths, (length, at): TokenInput => {
    const [frames = 0, rows = 0, columns = 0] = extents.subarray(3 * at, 3 * at + 3)
    return { modality, length, extent: [frames, rows, columns], ...more(at) }
  })
  return { values, positions, width, inputs }
}

/** Brings the pixels of a picture over. @internal */
export async function pushPixels(
  to: { push(bytes: Uint8Array, channels: number): void },
  { data, channels }: RawImage,
  turns: Turns,
): Promise<void> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.length)
  await inTurns(bytes, PIXELS, turns, (some) => to.push(some, channels))
}

/** What is to be restored, as the native side takes it: frames, rows and columns of each input.
 *
 * @throws {InvalidOptionError} tokens that such patches cannot be
 * @internal */
export function extentsOf(
  tokens: unknown,
  spec: CutSpec,
  modality: Modality,
  who: string,
): Uint32Array {
  if (!(tokens instanceof Tokens)) throw wrongOption('tokens', 'Tokens', tokens, who)
  const width = widthOf(spec)
  if (tokens.width !== width)
    throw wrongOption('tokens', `tokens of ${width} values`, tokens.width, who)
  const extents = tokens.inputs.map(({ extent, modality: other }, at) => {
    if (other === modality && extent !== undefined) return extent
    const expected = `of '${modality}', with its extent`
    throw wrongOption(`tokens.inputs[${at}]`, expected, other, who)
  })
  return Uint32Array.from(extents.flat())
}

/** What patches cover of an extent: all of it, but for what `edge: 'drop'` leaves out. @internal */
export function coveredOf(
  extent: readonly number[],
  { size, stride, edge }: CutSpec,
): [frames: number, rows: number, columns: number] {
  const covered = extent.map((length, axis) => {
    const over = Math.floor((length - size[axis]!) / stride[axis]!)
    return edge === 'fill' || edge === 'repeat'
      ? length
      : Math.min(length, over * stride[axis]! + size[axis]!)
  })
  return covered as [number, number, number]
}
