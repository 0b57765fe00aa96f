// The column of a table that is foretold.
import { InlayError, shown } from '../errors.js'
import type { Network } from '../nn/network.js'
import { wrongOption } from '../options.js'
import { type Cells, invalidRow, isMissing, kindOf, numberOf, scaleOf } from '../tables/columns.js'
import type { Cell } from '../tables/read-table.js'
import { arrayOf } from '../turns.js'
import type { TableTask } from './category-options.js'
import { labelNames } from './labels.js'
import { widthOf } from './network-model.js'

/** What is foretold: one of several labels, or a number. */
export type Target =
  | { readonly task: 'classification'; readonly name: string; readonly labels: readonly string[] }
  | {
      readonly task: 'regression'
      readonly name: string
      readonly mean: number
      readonly deviation: number
    }

/** Whether something is the target of what a network gives. */
export async function isTarget(given: unknown, network: Network): Promise<boolean> {
  const { task, name, labels, mean, deviation } = (given ?? {}) as {
    readonly [field: string]: unknown
  }
  if (typeof name !== 'string') return false
  if (task === 'classification') return labelNames.accepts(labels, network)
  const isScale = Number.isFinite(mean) && Number.isFinite(deviation) && (deviation as number) > 0
  return task === 'regression' && isScale && widthOf(network) === 1
}

/** What the target's column holds. */
export async function targetOf(
  cells: Cells,
  name: string,
  task: TableTask,
  missing: readonly string[],
  who: string,
): Promise<Target> {
  checkNames(cells, [name], who)
  const nothing = new Set(missing)
  const numberIn = (cell: Cell, row: number) => numberOf(cell, name, row, who)
  if (task === 'regression') {
    const numbers = await ofTarget(cells, name, nothing, who, numberIn)
    return { task, name, ...(await scaleOf(numbers, name, who)) }
  }
  const [found, fractions] = [new Set<string>(), [] as Cell[]]
  await ofTarget(cells, name, nothing, who, (cell) => {
    found.add(String(cell))
    if (fractions.length === 0 && !Number.isInteger(Number(cell))) fractions.push(cell)
  })
  const labels = [...found]
  if (labels.length < 2) {
    throw wrongOption('target', 'a column of two labels or more', labels[0], who)
  }
  if (fractions.length > 0 && (await kindOf(cells.columns.get(name)!, nothing)) === 'numeric') {
    const expected = "a column of labels; for numbers there is `task: 'regression'`"
    throw wrongOption('target', expected, fractions[0], who)
  }
  return { task, name, labels }
}

/** What is made of each cell of the target's column, in which nothing may be missing. */
function ofTarget<T>(
  cells: Cells,
  name: string,
  nothing: ReadonlySet<string>,
  who: string,
  make: (cell: Cell, row: number) => T,
): Promise<T[]> {
  return arrayOf(cells.length, (row) => {
    const cell = cells.at(name, row)
    if (isMissing(cell, nothing)) throw invalidRow(who, row, `has nothing in \`${name}\``)
    return make(cell, row)
  })
}

/** What is wanted of each row: the number of its label, or a number of the scale that is learnt. */
export function wantedOf(
  cells: Cells,
  target: Target,
  missing: readonly string[],
  who: string,
): Promise<number[]> {
  const { name } = target
  const nothing = new Set(missing)
  if (target.task === 'regression') {
    const { mean, deviation } = target
    const scaled = (cell: Cell, row: number) => (numberOf(cell, name, row, who) - mean) / deviation
    return ofTarget(cells, name, nothing, who, scaled)
  }
  const places = new Map(target.labels.map((label, at) => [label, at]))
  return ofTarget(cells, name, nothing, who, (cell, row) => {
    const place = places.get(String(cell))
    if (place !== undefined) return place
    throw invalidRow(who, row, `has a label that was not learnt: ${shown(cell)}`)
  })
}

/** Refuses names of columns that the rows do not have. */
export function checkNames(cells: Cells, names: readonly string[], who: string): void {
  const unknown = names.find((name) => !cells.columns.has(name))
  if (unknown === undefined) return
  const known = [...cells.columns.keys()].join(', ')
  const message = `${who}: there is no column ${shown(unknown)}; there are ${known}`
  throw new InlayError('INVALID_INPUT', message, { column: unknown })
}
