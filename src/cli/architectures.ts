// Flags of a command that trains one of several networks: those that all of them know, and those of some.
import type { Option, Table } from '../options.js'
import { type FlagGroup, group } from './command.js'
import { UsageError, flagName } from './flags.js'

/** What each architecture may be told, by its name. */
export type Architectures<Name extends string> = Readonly<Record<Name, Table>>

/** The options that all have in common; where their defaults differ, their meaning says so. */
export function sharedOptions(tables: Architectures<string>): Table {
  const [first = {}, ...others] = Object.values(tables)
  const names = Object.keys(first).filter((name) =>
    others.every((table) => Object.hasOwn(table, name)),
  )
  return Object.fromEntries(names.map((name) => [name, united(name, tables)]))
}

/** The options of some only, with a heading for each of these; without those that stand elsewhere. */
export function ownGroups(tables: Architectures<string>, elsewhere: Table): FlagGroup[] {
  const shared = { ...sharedOptions(tables), ...elsewhere }
  const own = new Map<string, Record<string, Option<unknown>>>()
  const names = new Set(Object.values(tables).flatMap((table) => Object.keys(table)))
  for (const name of names) {
    if (Object.hasOwn(shared, name)) continue
    const knowing = Object.fromEntries(
      Object.entries(tables).filter(([, table]) => Object.hasOwn(table, name)),
    )
    const title = `Only of ${Object.keys(knowing).join(' and ')}`
    own.set(title, { ...own.get(title), [name]: united(name, knowing) })
  }
  return [...own].map(([title, table]) => group(title, table))
}

/** Throws for an option that is of another architecture. */
export function checkArchitecture<Name extends string>(
  tables: Architectures<Name>,
  chosen: Name,
  given: object,
): void {
  const others = new Set(Object.values<Table>(tables).flatMap((table) => Object.keys(table)))
  const wrong = Object.keys(given).find(
    (name) => others.has(name) && !Object.hasOwn(tables[chosen], name),
  )
  if (wrong === undefined) return
  throw new UsageError(`--${flagName(wrong)} has no meaning with --architecture ${chosen}`)
}

/** One option for several: without a default where theirs differ. */
function united(name: string, tables: Architectures<string>): Option<unknown> {
  const defaults = new Map<unknown, string[]>()
  for (const [architecture, table] of Object.entries(tables)) {
    const value: unknown = table[name]!.default
    defaults.set(value, [...(defaults.get(value) ?? []), architecture])
  }
  const option = Object.values(tables)[0]![name]!
  if (defaults.size === 1 || option.shape.kind === 'list') return option
  const said = [...defaults].map(([value, of]) => `${of.join(', ')} ${String(value ?? 'none')}`)
  return { ...option, default: undefined, about: `${option.about} (default: ${said.join('; ')})` }
}
