// The column of a table that is foretold.
import { InlayError, shown } from '../errors.js'
import type { Network } from '../nn/network.js'
import { wrongOption } from '../options.js'
import { type Cells, invalidRow, isMissing, kindOf, numberOf, scaleOf } from '../tables/columns.js'
import type { Cell } from '../tables/read-table.js'
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
export function isTarget(given: unknown, network: Network): given is Target {
  const { task, name, labels, mean, deviation } = (given ?? {}) as {
    readonly [field: string]: unknown
  }
  if (typeof name !== 'string') return false
  if (task === 'classification') return labelNames.accepts(labels, network)
  const isScale = Number.isFinite(mean) && Number.isFinite(deviation) && (deviation as number) > 0
  return task === 'regression' && isScale && widthOf(network) === 1
}

/** What the target's column holds. */
export function targetOf(
  cells: Cells,
  name: string,
  task: TableTask,
  missing: readonly string[],
  who: string,
): Target {
  checkNames(cells, [name], who)
  const present = targetCells(cells, name, new Set(missing), who)
  if (task === 'regression') {
    const numbers = present.map((cell, row) => numberOf(cell, name, row, who))
    return { task, name, ...scaleOf(numbers) }
  }
  const labels = [...new Set(present.map(String))]
  if (labels.length < 2) {
    throw wrongOption('target', 'a column of two labels or more', labels[0], who)
  }
  const isFraction = (cell: Cell) => !Number.isInteger(Number(cell))
  if (kindOf(present) === 'numeric' && present.some(isFraction)) {
    const expected = "a column of labels; for numbers there is `task: 'regression'`"
    throw wrongOption('target', expected, present.find(isFraction), who)
  }
  return { task, name, labels }
}

function targetCells(
  cells: Cells,
  name: string,
  nothing: ReadonlySet<string>,
  who: string,
): Cell[] {
  return Array.from({ length: cells.length }, (_, row) => {
    const cell = cells.at(name, row)
    if (isMissing(cell, nothing)) throw invalidRow(who, row, `has nothing in \`${name}\``)
    return cell
  })
}

/** What is wanted of each row: the number of its label, or a number of the scale that is learnt. */
export function wantedOf(
  cells: Cells,
  target: Target,
  missing: readonly string[],
  who: string,
): number[] {
  const given = targetCells(cells, target.name, new Set(missing), who)
  if (target.task === 'regression') {
    const { name, mean, deviation } = target
    return given.map((cell, row) => (numberOf(cell, name, row, who) - mean) / deviation)
  }
  const places = new Map(target.labels.map((label, at) => [label, at]))
  return given.map((cell, row) => {
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
