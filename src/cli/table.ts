// inlay table: labels and numbers of the rows of tables, and the vectors of their categories.
import { type Options, type RunOptions, list, text } from '../options.js'
import { CategoryEmbeddings } from '../models/category-embeddings.js'
import { type TableTask, categoryEmbeddingsOptions } from '../models/category-options.js'
import { type ReadTableOptions, readTable, readTableOptions } from '../tables/read-table.js'
import { type Command, group } from './command.js'
import { checkFormat, checkWritten } from './files.js'
import { UsageError } from './flags.js'
import { quantity } from './quantities.js'
import { checkpoint, resumable } from './resume.js'
import type { Session } from './session.js'
import { quietFlags, runFlags } from './train.js'

const table = 'a table: CSV, .tsv or .jsonl, .gz as well'
const model = 'a model of `inlay table train`'
const output = { output: text('where it goes') }
const { format, header, skipLines, trim } = readTableOptions
const tableFlags = { format, delimiter: text('between fields', 'TEXT'), header, skipLines, trim }
const kindFlags = {
  categorical: list('columns of categories, whatever they look like'),
  numeric: list('columns of numbers'),
  ignored: list('columns that are left out'),
}
const { target, task, columns: _, ...all } = categoryEmbeddingsOptions
const resuming = { checkpoint, checkpointEvery: all.checkpointEvery }
const trainingFlags = Object.fromEntries(
  Object.entries(all).filter(
    ([name, { shape }]) => shape.kind !== 'value' && !Object.hasOwn(resuming, name),
  ),
)
const taskFlags = { target, task }
const validationFlags = { validation: text('a table whose loss is worked out after each epoch') }

type TableGiven = Options<typeof tableFlags>
type TrainGiven = TableGiven &
  Omit<Options<typeof all>, 'validation'> &
  Options<
    typeof output & typeof taskFlags & typeof kindFlags & typeof validationFlags & typeof runFlags
  >

const train: Command = {
  name: 'table train',
  summary: 'learns to foretell a column of a table from the others',
  usage: 'TABLE --target COLUMN -o MODEL [flags]',
  operands: { TABLE: table },
  count: { from: 1, to: 1 },
  groups: [
    group(
      'Files',
      { ...output, ...validationFlags, ...resuming },
      { flags: { checkpoint: 'resume' }, short: { output: 'o' } },
    ),
    group('Columns', { ...taskFlags, ...kindFlags }),
    group('Table', tableFlags),
    group('Training', trainingFlags),
    group('Run', runFlags, { short: { quiet: 'q' } }),
  ],
  examples: [
    'people.csv --target income -o income.safetensors --missing ?',
    'flats.csv --target rent --task regression --categorical postcode -o rent.safetensors',
  ],

  async run(given: TrainGiven, [path = '']: readonly string[], session: Session) {
    const { quiet, ...rest } = given
    const { reading, ...read } = withoutReading(rest)
    const {
      output: to,
      validation,
      categorical,
      numeric,
      ignored,
      target: wanted,
      ...options
    } = read
    if (to === undefined) throw new UsageError('-o MODEL is missing')
    if (wanted === undefined) throw new UsageError('--target COLUMN is missing')
    checkWritten(validation === undefined ? [path] : [path, validation], {
      '-o': to,
      '--resume': options.checkpoint,
    })
    const kinds = Object.fromEntries(
      Object.entries({ categorical, numeric, ignored }).flatMap(([kind, names = []]) =>
        names.map((name) => [name, kind as keyof typeof kindFlags]),
      ),
    )
    const { signal } = session
    const work = async (onProgress: RunOptions['onProgress']) => {
      using trained = await CategoryEmbeddings.train<TableTask>(readTable(path, reading), {
        ...options,
        target: wanted,
        ...(Object.keys(kinds).length > 0 && { columns: kinds }),
        ...(validation !== undefined && { validation: readTable(validation, reading) }),
        signal,
        onProgress,
      })
      await trained.save(to, { signal })
      return trained.columns
    }
    const columns = await resumable(options.checkpoint, session, () =>
      session.withProgress({ quiet }, work),
    )
    if (!quiet)
      session.note(`what \`${wanted}\` is from ${quantity(columns.length, 'columns')} in ${to}`)
  },
}

type AskGiven = TableGiven & Options<typeof quietFlags>

const askGroups = [group('Table', tableFlags), group('Run', quietFlags, { short: { quiet: 'q' } })]

const predict: Command = {
  name: 'table predict',
  summary: 'foretells the column for the rows of a table: label and probability, or a number',
  usage: 'MODEL TABLE [flags]',
  operands: { MODEL: model, TABLE: table },
  count: { from: 2, to: 2 },
  groups: askGroups,
  examples: ['income.safetensors new.csv', 'rent.safetensors new.csv.gz'],

  async run(given: AskGiven, [path = '', rows = '']: readonly string[], session: Session) {
    const { quiet, threads, ...reading } = given
    const { signal } = session
    await session.withProgress({ quiet }, async (onProgress) => {
      using opened = await CategoryEmbeddings.opened<TableTask>(path, undefined, { signal })
      const found = await opened.predict(readTable(rows, reading), { signal, onProgress, threads })
      for (const one of found) {
        session.print(
          typeof one === 'number' ? String(one) : `${one.label}\t${one.probability.toFixed(6)}`,
        )
      }
    })
  },
}

const evaluate: Command = {
  name: 'table evaluate',
  summary: 'compares what is foretold with the column of a table',
  usage: 'MODEL TABLE [flags]',
  operands: { MODEL: model, TABLE: table },
  count: { from: 2, to: 2 },
  groups: askGroups,
  examples: ['income.safetensors test.csv'],

  async run(given: AskGiven, [path = '', rows = '']: readonly string[], session: Session) {
    const { quiet, threads, ...reading } = given
    const { signal } = session
    const found = await session.withProgress({ quiet }, async (onProgress) => {
      using opened = await CategoryEmbeddings.opened<TableTask>(path, undefined, { signal })
      return await opened.evaluate(readTable(rows, reading), { signal, onProgress, threads })
    })
    const numbers = Object.entries(found).filter(([, value]) => typeof value === 'number')
    session.print(
      numbers.map(([name, value]) => `${name}\t${Number(value).toPrecision(6)}`).join('\n'),
    )
  },
}

const vectorFlags = { ...output, column: text('the column of categories', 'COLUMN') }

const vectors: Command = {
  name: 'table vectors',
  summary: 'writes the vectors of the categories of a column',
  usage: 'MODEL --column COLUMN -o VECTORS [flags]',
  operands: { MODEL: model },
  count: { from: 1, to: 1 },
  groups: [group('Files', vectorFlags, { short: { output: 'o' } })],
  examples: ['income.safetensors --column occupation -o occupations.safetensors'],

  async run(given: Options<typeof vectorFlags>, [path = '']: readonly string[], session: Session) {
    const { output: to, column } = given
    if (to === undefined) throw new UsageError('-o VECTORS is missing')
    if (column === undefined) throw new UsageError('--column COLUMN is missing')
    checkFormat(to, {}, '-o')
    checkWritten([path], { '-o': to })
    const { signal } = session
    using opened = await CategoryEmbeddings.opened<TableTask>(path, undefined, { signal })
    using found = opened.vectors(column)
    await found.save(to, { signal })
    session.note(`${quantity(found.size, 'vectors')} of ${found.dimensions} values in ${to}`)
  },
}

export const tableCommands: readonly Command[] = [train, predict, evaluate, vectors]

/** What says how a table is read, apart from all else. */
function withoutReading<Given extends TableGiven>(
  given: Given,
): Omit<Given, keyof TableGiven> & { reading: ReadTableOptions } {
  const { format: kind, delimiter, header: names, skipLines: lines, trim: trimmed, ...rest } = given
  const typed = { format: kind, delimiter, header: names, skipLines: lines, trim: trimmed }
  const known = Object.entries(typed).filter(([, value]) => value !== undefined)
  return { ...rest, reading: Object.fromEntries(known) }
}
