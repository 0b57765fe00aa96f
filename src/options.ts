// Options as tables: each model writes every option once, with default, limits and meaning, and
// from that table come its type, its checks, the flags of the command line and their help.
import { InvalidOptionError, shown } from './errors.js'
import type { Progress } from './run.js'

/** The limits of a number: `from` and `to` are allowed themselves, `above` and `below` are not. */
export interface Limits {
  readonly from?: number
  readonly above?: number
  readonly to?: number
  readonly below?: number
}

/** What kind of values an option takes. */
export type Shape =
  | { readonly kind: 'integer'; readonly limits: Limits }
  | { readonly kind: 'real'; readonly limits: Limits }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'flag' }
  // `placeholder` is what stands for the value in help: FILE, LABEL.
  | { readonly kind: 'text'; readonly placeholder: string }
  | { readonly kind: 'list' }
  | { readonly kind: 'value' }

/** One option of a table; `Value` includes `undefined` when there is no default. */
export interface Option<Value> {
  readonly default: Value
  /** What it is for, as one line of help. */
  readonly about: string
  readonly shape: Shape
  /** What is allowed, to follow "must be": "an integer from 1 to 4096". */
  readonly expected: string
  accepts(value: unknown): boolean
}

/** A table of options by name. */
// eslint-disable-next-line typescript/no-explicit-any -- a table holds options of any value
export type Table = Readonly<Record<string, Option<any>>>

/** What a caller may give for a table: every option may be left out or be `undefined`. */
export type Options<T extends Table> = {
  readonly [Name in keyof T]?: T[Name]['default'] | undefined
}

/** What a table becomes: every option has its value. */
export type Settings<T extends Table> = { readonly [Name in keyof T]: T[Name]['default'] }

/** A whole number. Without a default it is `undefined` unless given. */
export function integer<Default extends number | undefined>(
  value: Default,
  limits: Limits,
  about: string,
): Option<number | Default> {
  const accepts = (given: unknown) =>
    Number.isSafeInteger(given) && isWithin(given as number, limits)
  const expected = `an integer${described(limits)}`
  return { default: value, about, shape: { kind: 'integer', limits }, expected, accepts }
}

/** A finite number. */
export function real<Default extends number | undefined>(
  value: Default,
  limits: Limits,
  about: string,
): Option<number | Default> {
  const accepts = (given: unknown) => Number.isFinite(given) && isWithin(given as number, limits)
  const expected = `a number${described(limits)}`
  return { default: value, about, shape: { kind: 'real', limits }, expected, accepts }
}

/** One of several names; the first is the default. */
export function oneOf<const Choices extends readonly string[]>(
  choices: Choices,
  about: string,
): Option<Choices[number]> {
  return choice(choices[0]!, choices, about)
}

/** One of several names, or `undefined`: the choice is made from something else. */
export function maybeOneOf<const Choices extends readonly string[]>(
  choices: Choices,
  about: string,
): Option<Choices[number] | undefined> {
  return choice(undefined, choices, about)
}

/** True or false. */
export function flag<Default extends boolean | undefined>(
  value: Default,
  about: string,
): Option<boolean | Default> {
  const accepts = (given: unknown) => typeof given === 'boolean'
  return { default: value, about, shape: { kind: 'flag' }, expected: 'true or false', accepts }
}

/** A string that is not empty: a path, a name. */
export function text(about: string, placeholder = 'FILE'): Option<string | undefined> {
  const accepts = (given: unknown) => typeof given === 'string' && given !== ''
  const expected = 'a string that is not empty'
  return { default: undefined, about, shape: { kind: 'text', placeholder }, expected, accepts }
}

/** As `text`, with a default. */
export function textOr(value: string, about: string): Option<string> {
  return { ...text(about, 'TEXT'), default: value } as Option<string>
}

/** An array of strings. */
export function list(about: string): Option<readonly string[]> {
  const accepts = (given: unknown) =>
    Array.isArray(given) && given.every((item) => typeof item === 'string')
  return { default: [], about, shape: { kind: 'list' }, expected: 'an array of strings', accepts }
}

/** An array of whole numbers from 1 up, of `least` or more: units of layers, one after the other. */
export function counts(about: string, least: 0 | 1 = 0): Option<readonly number[] | undefined> {
  return custom<readonly number[]>(
    `an array of integers from 1 up${least === 0 ? '' : ', at least one'}`,
    (given) => Array.isArray(given) && given.length >= least && given.every(isCount),
    about,
  )
}

/** Items that are here or that come one by one. */
export function iterable<Items>(expected: string, about: string): Option<Items | undefined> {
  return custom<Items>(expected, isIterable, about)
}

/** Whether something is a whole number from 1 up. */
export function isCount(given: unknown): given is number {
  return Number.isSafeInteger(given) && (given as number) > 0
}

/** Nothing, if it gives items. @throws {InvalidOptionError} */
export function checkIterable(given: unknown, option: string, expected: string, who: string): void {
  if (!isIterable(given)) throw wrongOption(option, expected, given, who)
}

/** Whether something gives items, at once or one by one. */
export function isIterable(given: unknown): given is Iterable<unknown> | AsyncIterable<unknown> {
  return (
    typeof given === 'object' &&
    given !== null &&
    (Symbol.iterator in given || Symbol.asyncIterator in given)
  )
}

/** Anything else: an object of a class, a function. */
export function custom<Value>(
  expected: string,
  accepts: (given: unknown) => boolean,
  about: string,
): Option<Value | undefined> {
  return { default: undefined, about, shape: { kind: 'value' }, expected, accepts }
}

/** The options that every long computation takes beside its own. */
export const runOptions = {
  /** Threads of the run's own. Default: as many as the process may use. */
  threads: integer(undefined, { from: 1, to: 1024 }, 'threads (default: all cores)'),
  /** Seed of every random choice. What a seed promises is said by each verb. Default 1. */
  seed: integer(1, { from: 0 }, 'seed of every random choice'),
  /** Stops the run within 50 ms; the promise rejects with the signal's reason. */
  signal: custom<AbortSignal>(
    'an AbortSignal',
    (given) => given instanceof AbortSignal,
    'stops the run',
  ),
  /** Hears how far the run has come: ten times a second at most, and at the end. If it throws,
   * the run stops and rejects with what was thrown. */
  onProgress: custom<(progress: Progress) => void>(
    'a function',
    (given) => typeof given === 'function',
    'hears how far the run has come',
  ),
}

/** The options that every long computation takes. */
export type RunOptions = Options<typeof runOptions>

/** `RunOptions` when checked. */
export type RunSettings = Settings<typeof runOptions>

/**
 * Checks what a caller gave against a table and the run's own options, and fills in the defaults.
 * The caller's object is only read, each property once.
 *
 * @throws {InvalidOptionError} naming `who` was called, the option, what is allowed and what came
 */
export function settle<T extends Table>(
  table: T,
  given: unknown,
  who: string,
): { settings: Settings<T>; run: RunSettings } {
  const all = settleAlone({ ...runOptions, ...table }, given, who)
  const names = Object.keys(table)
  const settings = Object.fromEntries(names.map((name) => [name, all[name]])) as Settings<T>
  const { threads, seed, signal, onProgress } = all as RunSettings
  return { settings, run: { threads, seed, signal, onProgress } }
}

/** As `settle`, for calls that take no run options. */
export function settleAlone<T extends Table>(table: T, given: unknown, who: string): Settings<T> {
  if (
    given !== undefined &&
    (typeof given !== 'object' || given === null || Array.isArray(given))
  ) {
    const message = `${who}: the options must be an object, got ${shown(given)}`
    throw new InvalidOptionError(message, { option: '', got: shown(given) })
  }
  const options = new Map(Object.entries(given ?? {}))
  checkKnown(options.keys(), Object.keys(table), 'option', who)
  const settled = Object.entries(table).map(([name, option]) => {
    const chosen = options.get(name)
    if (chosen === undefined) return [name, option.default]
    if (!option.accepts(chosen)) throw wrongOption(name, option.expected, chosen, who)
    return [name, chosen]
  })
  return Object.fromEntries(settled) as Settings<T>
}

/** "Word2Vec.train: `dimensions` must be an integer from 1 to 4096, got 0" */
export function wrongOption(
  option: string,
  expected: string,
  given: unknown,
  who: string,
): InvalidOptionError {
  const got = shown(given)
  const message = `${who}: \`${option}\` must be ${expected}, got ${got}`
  return new InvalidOptionError(message, { option, expected, got })
}

/**
 * Names among those that are known; `place` stands before each of them.
 *
 * @throws {InvalidOptionError} "Word2Vec.train: there is no option `dimension`; did you mean `dimensions`?"
 */
export function checkKnown(
  names: Iterable<string>,
  known: readonly string[],
  what: string,
  who: string,
  place = '',
): void {
  for (const name of names) {
    if (known.includes(name)) continue
    const [option, alike] = [place + name, nearest(name, known)]
    const suggestion = alike === undefined ? undefined : place + alike
    const question = suggestion === undefined ? '' : `; did you mean \`${suggestion}\`?`
    const context = suggestion === undefined ? { option } : { option, suggestion }
    throw new InvalidOptionError(`${who}: there is no ${what} \`${option}\`${question}`, context)
  }
}

/** Throws that an option has no place among the others. */
export function refusal(who: string): (option: string, message: string) => never {
  return (option, message) => {
    throw new InvalidOptionError(`${who}: \`${option}\` ${message}`, { option })
  }
}

function choice<Value extends string | undefined>(
  value: Value,
  choices: readonly string[],
  about: string,
): Option<Value> {
  const accepts = (given: unknown) => choices.includes(given as string)
  const names = choices.map((name) => `'${name}'`)
  const expected = [names.slice(0, -1).join(', '), names.at(-1)].filter(Boolean).join(' or ')
  return { default: value, about, shape: { kind: 'choice', choices }, expected, accepts }
}

function isWithin(number: number, { from, above, to, below }: Limits): boolean {
  if (from !== undefined && number < from) return false
  if (above !== undefined && number <= above) return false
  if (to !== undefined && number > to) return false
  return below === undefined || number < below
}

function described({ from, above, to, below }: Limits): string {
  const least =
    from === undefined ? (above === undefined ? '' : ` above ${above}`) : ` from ${from}`
  const most = to === undefined ? (below === undefined ? '' : ` below ${below}`) : ` to ${to}`
  if (least === '' && to !== undefined) return ` up to ${to}`
  return most === '' && from !== undefined ? ` from ${from} up` : `${least}${most}`
}

/** Whether it is an object of such values by their names: neither an array nor a map, whose entries are not its properties. */
export function isRecordOf(
  given: unknown,
  fits: (value: unknown) => boolean,
): given is Readonly<Record<string, unknown>> {
  const isObject = Object.prototype.toString.call(given) === '[object Object]'
  return isObject && Object.values(given as object).every(fits)
}

/** Whether it is the same with a value at least. */
export function isFilledRecordOf(given: unknown, fits: (value: unknown) => boolean): boolean {
  return isRecordOf(given, fits) && Object.keys(given).length > 0
}

/** A word, if it is one. @throws {InvalidOptionError} */
export function settleWord(given: unknown, who: string): string {
  if (typeof given === 'string') return given
  throw wrongOption('word', 'a string', given, who)
}

/** The known name that the fewest edits make of `name`, if it is alike at all. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const scored = known.map((other) => ({ other, edits: editsBetween(fold(name), fold(other)) }))
  const best = scored.toSorted((a, b) => a.edits - b.edits)[0]
  return best && best.edits <= Math.max(1, name.length / 3) ? best.other : undefined
}

/** `min_count` and `minCount` are one name, typed by different habits. */
function fold(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, '')
}

/** Letters to add, drop or change (Levenshtein), row after row of the usual table. */
function editsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
