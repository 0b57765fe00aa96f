// Flags made from option tables: `minCount` of a table is --min-count, its shape says how the text
// behind it is read, and its default, limits and meaning are the help.
import { parseArgs } from 'node:util'
import { readFileSync } from 'node:fs'
import { shown } from '../errors.js'
import { type Limits, type Option, type Options, type Table, nearest } from '../options.js'
import { errorOf } from '../text-file.js'
import { grouped } from './quantities.js'

/** Wrong use of the command line: one line, a hint where to read more, exit code 2. */
export class UsageError extends Error {}

/** One flag of a command. */
export interface Flag {
  /** The option's name in its table. */
  readonly name: string
  /** Without dashes: "min-count". */
  readonly flag: string
  readonly short?: string | undefined
  // eslint-disable-next-line typescript/no-explicit-any -- a table holds options of any value
  readonly option: Option<any>
}

/** `minCount` is typed as `--min-count`. */
export function flagName(option: string): string {
  return option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** What a command's flags gave, by the option's name; what was not typed is absent. */
export function parse<T extends Table>(
  flags: readonly Flag[],
  argv: readonly string[],
): { given: Options<T>; operands: string[] } {
  const byFlag = new Map(flags.map((flag) => [flag.flag, flag]))
  const { tokens } = parseArgs({
    args: withNegativeNumbers(argv, flags),
    options: Object.fromEntries(flags.map(parseArgsOption)),
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  const given: Record<string, unknown> = {}
  const operands: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value)
    if (token.kind !== 'option') continue
    const isNegated = !byFlag.has(token.name) && token.name.startsWith('no-')
    const flag = byFlag.get(isNegated ? token.name.slice(3) : token.name)
    if (!flag || (isNegated && flag.option.shape.kind !== 'flag')) {
      throw unknownFlag(token.rawName, flags)
    }
    const typed = { name: token.rawName, text: token.value, isInline: token.inlineValue === true }
    const value = read(flag, typed, isNegated)
    // A list grows with each mention of its flag; of anything else the last mention counts.
    const before = given[flag.name]
    given[flag.name] = Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value
  }
  return { given: given as Options<T>, operands }
}

/** How a flag is written in help: "-o, --output FILE", "--no-shrink-window", "--schedule NAME". */
export function synopsis({ flag, short, option }: Flag): string {
  const { shape } = option
  const letter = short === undefined ? '    ' : `-${short}, `
  if (shape.kind === 'flag') return `${letter}--${option.default === true ? 'no-' : ''}${flag}`
  if (shape.kind === 'text') return `${letter}--${flag} ${shape.placeholder}`
  const placeholders = { integer: 'N', real: 'X', choice: 'NAME', list: 'LIST', value: '' }
  return `${letter}--${flag} ${placeholders[shape.kind]}`
}

/** The option's meaning with its choices, default and limits: "values in a word's vector [100; 1 to 4096]". */
export function meaning({ option }: Flag): string {
  const { about, shape, default: value } = option
  const hasDefault = typeof value === 'number' || typeof value === 'string'
  const parts = [
    hasDefault ? String(value) : '',
    shape.kind === 'integer' || shape.kind === 'real' ? range(shape.limits) : '',
  ].filter((part) => part !== '')
  const limits = parts.length === 0 ? '' : ` [${parts.join('; ')}]`
  if (shape.kind === 'choice') return `${about}: ${shape.choices.join(', ')}${limits}`
  return `${shape.kind === 'flag' && value === true ? 'off: ' : ''}${about}${limits}`
}

function range({ from, above, to, below }: Limits): string {
  if (from !== undefined && to !== undefined) return `${from} to ${grouped(to)}`
  if (from !== undefined && below === undefined) return `${from} or more`
  const least = from === undefined ? (above === undefined ? '' : `above ${above}`) : `from ${from}`
  const most =
    to === undefined ? (below === undefined ? '' : `below ${below}`) : `at most ${grouped(to)}`
  return [least, most].filter((part) => part !== '').join(', ')
}

function parseArgsOption({ flag, short, option }: Flag) {
  const type = option.shape.kind === 'flag' ? ('boolean' as const) : ('string' as const)
  return [flag, { type, ...(short !== undefined && { short }) }] as const
}

/** parseArgs takes "-0.5" for a flag: behind a flag that wants a number it is one. */
function withNegativeNumbers(argv: readonly string[], flags: readonly Flag[]): string[] {
  const wantsNumber = new Set(
    flags
      .filter(({ option }) => option.shape.kind === 'integer' || option.shape.kind === 'real')
      .flatMap(({ flag, short }) => [`--${flag}`, `-${short}`]),
  )
  const joined: string[] = []
  for (const argument of argv) {
    const before = joined.at(-1)
    if (before !== undefined && wantsNumber.has(before) && /^-[.\d]/.test(argument)) {
      const isLong = before.startsWith('--')
      joined[joined.length - 1] = isLong ? `${before}=${argument}` : `${before}${argument}`
    } else {
      joined.push(argument)
    }
  }
  return joined
}

interface Typed {
  readonly name: string
  readonly text: string | undefined
  /** As in --flag=text. */
  readonly isInline: boolean
}

function read({ option }: Flag, { name, text, isInline }: Typed, isNegated: boolean): unknown {
  if (option.shape.kind === 'flag') {
    if (text !== undefined) throw new UsageError(`${name} takes no value`)
    return !isNegated
  }
  // Without `strict` a flag at the end has no value, and one before another flag takes that for it.
  const isFlag = !isInline && text !== undefined && /^--?[a-z]/.test(text)
  if (text === undefined || text === '' || isFlag) {
    throw new UsageError(`${name} needs a value: ${option.expected}`)
  }
  const value = valueOf(option, text, name)
  if (option.accepts(value)) return value
  throw new UsageError(`${name} must be ${option.expected}, got ${shown(value)}`)
}

function valueOf({ shape }: Option<unknown>, text: string, name: string): unknown {
  if (shape.kind === 'integer' || shape.kind === 'real') {
    const number = Number(text)
    return text.trim() === '' || Number.isNaN(number) ? text : number
  }
  if (shape.kind === 'choice') {
    const begun = shape.choices.filter((choice) => choice.startsWith(text))
    return shape.choices.includes(text) || begun.length !== 1 ? text : begun[0]
  }
  if (shape.kind === 'list') return listOf(text, name)
  return text
}

/** "the,of,and", or "@FILE" with one word on each line. */
function listOf(text: string, name: string): string[] {
  if (text.startsWith('@')) {
    const lines = textOfList(text.slice(1), `${name} ${text}`).split(/\r?\n/)
    return lines.filter((word) => word !== '')
  }
  const words = text.split(',')
  // Left out, it would move the numbers behind it to other places.
  if (words.includes('')) throw new UsageError(`${name} has nothing between commas: "${text}"`)
  return words
}

function textOfList(file: string, who: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/^\uFEFF/, '')
  } catch (error) {
    throw errorOf(error, file, who)
  }
}

function unknownFlag(typed: string, flags: readonly Flag[]): UsageError {
  const known = flags.flatMap(({ flag, option }) =>
    option.shape.kind === 'flag' ? [flag, `no-${flag}`] : [flag],
  )
  const suggestion = typed.startsWith('--') ? nearest(typed.slice(2), known) : undefined
  const question = suggestion === undefined ? '' : `; did you mean --${suggestion}?`
  return new UsageError(`there is no flag ${typed}${question}`)
}
