// What a command is: its name, its flags by groups, and what it does. Help is made from it.
import type { Options, Table } from '../options.js'
import type { Session } from './session.js'
import { type Flag, flagName, meaning, synopsis } from './flags.js'

/** Flags under one heading of the help. */
export interface FlagGroup {
  readonly title: string
  readonly flags: readonly Flag[]
}

export interface Command {
  /** As it is typed: "word2vec train". */
  readonly name: string
  /** One line of the list of commands. */
  readonly summary: string
  /** What follows the name: "CORPUS... -o VECTORS". */
  readonly usage: string
  /** What stands without a flag, by name, with its meaning. */
  readonly operands: Readonly<Record<string, string>>
  /** How many operands there must be. */
  readonly count: { readonly from: number; readonly to: number }
  readonly groups: readonly FlagGroup[]
  readonly examples: readonly string[]
  // `given` is what `parse` made of the groups' tables.
  run(given: Options<Table>, operands: readonly string[], session: Session): Promise<void>
}

/** Flags of a table in its order. `flags` gives other names than the option's; `short` one letter. */
export function group(
  title: string,
  table: Table,
  {
    flags = {},
    short = {},
  }: {
    flags?: Readonly<Record<string, string>>
    short?: Readonly<Record<string, string>>
  } = {},
): FlagGroup {
  const made = Object.entries(table)
    .filter(([, option]) => option.shape.kind !== 'value')
    .map(([name, option]) => ({
      name,
      flag: flags[name] ?? flagName(name),
      short: short[name],
      option,
    }))
  return { title, flags: made }
}

/** The help of one command. */
export function helpOf({ name, summary, usage, operands, groups, examples }: Command): string {
  const sections = [
    `${capital(summary)}.`,
    `Usage: inlay ${name} ${usage}`,
    columns(Object.entries(operands)),
    ...groups.map(
      ({ title, flags }) =>
        `${title}\n${columns(flags.map((flag) => [synopsis(flag), meaning(flag)]))}`,
    ),
    `Examples\n${examples.map((example) => `  inlay ${name} ${example}`).join('\n')}`,
  ]
  return `${sections.join('\n\n')}\n`
}

/** The help of a group of commands, or of all. */
export function overviewOf(prefix: string, commands: readonly Command[]): string {
  const listed = commands.map(({ name, summary }) => [name, summary] as const)
  const path = prefix === '' ? 'inlay' : `inlay ${prefix}`
  const sections = [
    prefix === ''
      ? 'Embeddings and models of text, tables, pictures, sounds and films: trained, and asked.'
      : '',
    `Usage: ${path} COMMAND ...`,
    columns(listed),
    `\`inlay COMMAND --help\` tells a command's flags, \`inlay --version\` the version.`,
  ]
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`
}

const leftColumn = 34
const lineLength = 100

/** Two columns; a left side that is too wide has a line of its own. */
function columns(rows: readonly (readonly [left: string, right: string])[]): string {
  const widest = Math.max(...rows.map(([left]) => left.length))
  const width = Math.min(widest, leftColumn)
  return rows
    .flatMap(([left, right]) => {
      const [first = '', ...more] = wrap(right, lineLength - width - 4)
      const indent = ' '.repeat(width + 4)
      const rest = more.map((line) => `${indent}${line}`)
      if (left.length > width) return [`  ${left}`, `${indent}${first}`, ...rest]
      return [`  ${left.padEnd(width)}  ${first}`, ...rest]
    })
    .join('\n')
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`
    } else {
      lines.push(word)
    }
  }
  return lines
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
