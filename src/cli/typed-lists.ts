// Lists that are no words: numbers, and numbers with names.
import { UsageError } from './flags.js'

/** What was typed as 3,4,5; what is no number is refused by the option's own check. */
export function numbersOf(typed: readonly string[] | undefined): number[] | undefined {
  return typed?.map((one) => (one.trim() === '' ? Number.NaN : Number(one)))
}

/** What was typed as sport=2,politics=0.5 behind `flag`. */
export function weightsOf(
  typed: readonly string[] | undefined,
  flag: string,
): Readonly<Record<string, number>> | undefined {
  const pairs = typed?.map((one) => {
    const [, name, number] = /^(.+)=(\d*\.?\d+)$/.exec(one) ?? []
    if (name !== undefined) return [name, Number(number)] as const
    throw new UsageError(`${flag} must be names with numbers, as a=2,b=0.5, got "${one}"`)
  })
  return pairs && Object.fromEntries(pairs)
}
