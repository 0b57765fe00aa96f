import { learningOptions } from '../nn/training.js'
import {
  type Options,
  type RunOptions,
  counts,
  custom,
  integer,
  isCount,
  isFilledRecordOf,
  list,
  oneOf,
  real,
  text,
} from '../options.js'
import type { ColumnKind } from '../tables/columns.js'
import { type TableSource, isTableSource } from '../tables/read-table.js'

/** What of a row is foretold: one of several labels, or a number. */
export type TableTask = 'classification' | 'regression'

const { freeze: _, ...training } = learningOptions
const kinds: ReadonlySet<unknown> = new Set<ColumnKind>(['categorical', 'numeric', 'ignored'])

/** Every option of `CategoryEmbeddings.train`. */
export const categoryEmbeddingsOptions = {
  /** The column that is foretold; it must be given. */
  target: text('the column that is foretold', 'COLUMN'),
  /** What is foretold: one of several labels, or a number. */
  task: oneOf(['classification', 'regression'], 'what is foretold'),
  /** What columns are: 'categorical', 'numeric' or 'ignored'. Default: numeric where all cells read as numbers
   * ('007' does not), categorical otherwise. */
  columns: custom<Readonly<Record<string, ColumnKind>>>(
    "an object of 'categorical', 'numeric' and 'ignored'",
    (given) => isFilledRecordOf(given, (kind) => kinds.has(kind)),
    'what columns are',
  ),
  /** Strings that stand for nothing, as null, undefined, NaN and the empty string always do: '?', 'NA'. */
  missing: list('strings that stand for nothing, beside the empty one'),
  /** Categories that occur less often are taken as unseen. */
  minCount: integer(2, { from: 1 }, 'categories that occur less often are taken as unseen'),
  /** This share of categories is taken as unseen while training, so that there is a vector for what was not. */
  unseenShare: real(0.01, { from: 0, below: 1 }, 'share of categories that is taken as unseen'),
  /** Values of a category's vector, by column. Default: 1.6·n⁰·⁵⁶ for n categories, at most 600. */
  dimensions: custom<Readonly<Record<string, number>>>(
    'an object of integers from 1 up',
    (given) => isFilledRecordOf(given, isCount),
    "values of a category's vector, by column",
  ),
  /** Units of hidden layers, one after the other. Default: [128, 64]. */
  hidden: counts('units of hidden layers'),
  /** With which a value of a hidden layer becomes zero while training. */
  dropout: real(0.2, { from: 0, below: 1 }, 'with which a hidden value becomes zero'),
  ...training,
  /** The highest learning rate. */
  learningRate: real(0.002, { above: 0 }, 'the highest learning rate'),
  /** How it goes on from there: to zero along half a cosine or in a straight line, or multiplied by `stepFactor`
   * after each `stepEvery` of the training. */
  schedule: oneOf(['cosine', 'linear', 'constant', 'steps'], 'how the learning rate goes on'),
  /** Rows of a batch. */
  batchSize: integer(128, { from: 1, to: 1_000_000 }, 'rows of a batch'),
  /** Rows whose loss is worked out after each epoch. */
  validation: custom<TableSource>(
    'a path, or an iterable of objects',
    isTableSource,
    'rows whose loss is worked out after each epoch',
  ),
}

/** The options of `CategoryEmbeddings.train`: see `categoryEmbeddingsOptions`. */
export type CategoryEmbeddingsOptions<Task extends TableTask = 'classification'> = Omit<
  Options<typeof categoryEmbeddingsOptions>,
  'target' | 'task'
> &
  RunOptions & { readonly target: string; readonly task?: Task | undefined }

/** Every option of `CategoryEmbeddings.open`. */
export const openTableOptions = {
  /** What the model must foretell. */
  task: categoryEmbeddingsOptions.task,
}
