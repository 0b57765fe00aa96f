// The network of a table (Guo and Berkhahn 2016, figure 1), and what its file says beside it.
import { isDeepStrictEqual } from 'node:util'
import { type Input, type NetworkDescription, ids, network, values } from '../nn/description.js'
import { concat, dense, dropout, embedding, flatten, relu, take } from '../nn/layers.js'
import type { Loss } from '../nn/losses.js'
import type { Network } from '../nn/network.js'
import { type Column, areColumns, firstValueOf, numbersOf } from '../tables/columns.js'
import { categoryEmbeddingsOptions } from './category-options.js'
import { type ModelFile, tablesOf } from './network-model.js'
import { type Target, isTarget } from './table-target.js'

/** What a model says of itself in its file. */
export interface TableRecord {
  readonly columns: readonly Column[]
  readonly target: Target
  /** Strings that stand for nothing. */
  readonly missing: readonly string[]
}

/** The inputs of a table's network: each category by the name of its column, and all numbers. */
export const categoryInput = (column: string) => `column.${column}`
export const NUMBERS = 'numbers'

/** A network's inputs for columns. */
const inputsFor = (columns: readonly Column[]): Input[] => {
  const categories = columns.filter((column) => column.kind === 'categorical')
  const numbers = numbersOf(columns)
  return [
    ...categories.map(({ name }) => ids({ length: 1, name: categoryInput(name) })),
    ...(numbers > 0 ? [values({ shape: [1, numbers], name: NUMBERS })] : []),
  ]
}

/** The file of a `CategoryEmbeddings`. */
export const file: ModelFile<TableRecord> = {
  model: 'CategoryEmbeddings',
  layers: ['row'],
  record: {
    columns: {
      expected: 'the columns of its inputs',
      accepts: (given, found) => areColumns(given) && isOfColumns(found, given),
    },
    target: {
      expected: 'a label for each score, or mean and deviation of a number',
      accepts: (given, found) => isTarget(given, found),
    },
    missing: categoryEmbeddingsOptions.missing,
  },
}

/** Whether a network reads these columns, and has a row for each of their categories. */
function isOfColumns(found: Network, columns: readonly Column[]): boolean {
  const tables = tablesOf(found)
  return (
    columns.length > 0 &&
    isDeepStrictEqual(found.description.inputs, inputsFor(columns)) &&
    columns.every(
      (column) =>
        column.kind === 'numeric' ||
        isDeepStrictEqual(tables.get(categoryInput(column.name)), {
          rows: firstValueOf(column) + column.values.length,
          width: column.dimensions,
        }),
    )
  )
}

/** Entity embeddings of categorical variables: Guo and Berkhahn 2016, figure 1. */
export function entityEmbeddings(
  columns: readonly Column[],
  {
    hidden,
    share,
    outputs,
    loss,
  }: { hidden: readonly number[]; share: number; outputs: number; loss: Loss },
): NetworkDescription {
  const categories = columns.filter((column) => column.kind === 'categorical')
  const numbers = numbersOf(columns)
  const fall = share > 0 ? [dropout({ probability: share })] : []
  return network({
    input: inputsFor(columns),
    layers: [
      concat([
        ...categories.map((column) => [
          take(categoryInput(column.name)),
          embedding({
            name: categoryInput(column.name),
            values: firstValueOf(column) + column.values.length,
            dimensions: column.dimensions,
            deviation: 0.1,
          }),
        ]),
        ...(numbers > 0 ? [[take(NUMBERS)]] : []),
      ]),
      flatten({ name: 'row' }),
      ...hidden.flatMap((units, at) => [
        dense({ units }),
        relu({ name: `hidden${at + 1}` }),
        ...fall,
      ]),
      dense({ name: 'outputs', units: outputs }),
    ],
    loss,
  })
}
