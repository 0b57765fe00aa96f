// What a layer is in TypeScript: a plain value that is made of a table of options.
import {
  type Option,
  type Options,
  type Table,
  custom,
  settleAlone,
  text,
  wrongOption,
} from '../options.js'

/** A layer, or a composition of layers: a frozen value that can be printed, compared and stored. */
export interface Layer {
  /** What it is: 'dense', 'tanh', 'sum', ... */
  readonly kind: string
  /** By which its parameters and outputs are called. Default: its kind and a number, as in 'dense2'. */
  readonly name?: string
  readonly [option: string]: unknown
}

/** What every layer may be called. @internal */
export const name = text('by which its parameters and outputs are called', 'NAME')

/** What every layer may have: a name. */
export type Named = Options<{ name: typeof name }>

/** Options of which some must be given. @internal */
export type Required<All, Names extends keyof All> = All & {
  readonly [Name in Names]-?: Exclude<All[Name], undefined>
}

/** A layer with all its options, but those that were left out and have no default. @internal */
export function layer(
  kind: string,
  table: Table,
  given: unknown,
  required: readonly string[] = [],
): Layer {
  const settled = settleAlone(table, given, kind)
  for (const option of required) {
    const { expected } = table[option] as Option<unknown>
    if (settled[option] === undefined) throw wrongOption(option, expected, undefined, kind)
  }
  const known = Object.entries(settled).filter(([, value]) => value !== undefined)
  return Object.freeze({ kind, ...Object.fromEntries(known) })
}

/** A number for each axis, or one for all of them. */
export type Extent = number | readonly number[]

/** An option of windows. @internal */
export function extent<Default extends Extent | undefined>(
  value: Default,
  from: number,
  about: string,
) {
  const fits = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= from
  const expected = `an integer from ${from} up, or one for each axis`
  const accepts = (given: unknown) =>
    fits(given) || (Array.isArray(given) && given.length > 0 && given.every(fits))
  return { ...custom<Extent>(expected, accepts, about), default: value } as Option<Extent | Default>
}
