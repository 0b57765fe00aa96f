// Tables from files: CSV and JSON lines become rows, one at a time.
import { InlayError, shown } from '../errors.js'
import {
  type Options,
  type Settings,
  custom,
  flag,
  integer,
  isIterable,
  list,
  maybeOneOf,
  settleAlone,
  wrongOption,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { linesOf, textOf } from '../text-file.js'
import { CsvReader } from './csv.js'

/** What stands in a column of a row. */
export type Cell = string | number | bigint | boolean | null | undefined

/** A row of a table: its cells by the names of their columns. */
export type Row = Readonly<Record<string, Cell>>

/** Rows: a file as `readTable` reads it, or objects that are here or come one by one. */
export type TableSource = Path | Iterable<Row> | AsyncIterable<Row>

/** Every option of `readTable`. */
export const readTableOptions = {
  /** What the file is. Default: by its name, JSON lines for .jsonl and .ndjson, CSV for all else. */
  format: maybeOneOf(['csv', 'jsonl'], 'what the file is; by its name'),
  /** Between fields of CSV. Default: a tab for .tsv and .tab, a comma for all else. */
  delimiter: custom<string>(
    'one character, and no quote or end of a line',
    (given) => typeof given === 'string' && /^[^"\r\n]$/.test(given),
    'between fields',
  ),
  /** Names of the columns, where the first record of CSV does not have them. */
  header: list('names of the columns, where the first line does not have them'),
  /** Lines of CSV before the first record. */
  skipLines: integer(0, { from: 0 }, 'lines before the first record'),
  /** Whether white space around fields of CSV is left out. */
  trim: flag(false, 'whether white space around fields is left out'),
}

/** The options of `readTable`: see `readTableOptions`. */
export type ReadTableOptions = Options<typeof readTableOptions>

/**
 * The rows of a file, as often as they are asked for; each time it is read anew, and never held as a whole.
 * CSV is RFC 4180 (quotes, ends of lines within them, CRLF, a byte order mark), and all its cells are strings;
 * of JSON lines each is an object of strings, numbers, booleans and null. Gzip is unpacked, and zstd from Node.js 22.15 on.
 *
 *     for await (const row of readTable('people.csv.gz')) console.log(row.occupation)
 *
 * Reading rejects with an `InlayError`: `NOT_FOUND`, `IO`; `INVALID_INPUT` with the line, for what is no table.
 *
 * @throws {InvalidOptionError} at once
 */
export function readTable(path: Path, options: ReadTableOptions = {}): AsyncIterable<Row> {
  const who = 'readTable'
  const file = settlePath(path, who)
  const settings = settleAlone(readTableOptions, options, who)
  const name = file.toLowerCase().replace(/\.(gz|zst)$/, '')
  const { format = /\.(jsonl|ndjson)$/.test(name) ? 'jsonl' : 'csv' } = settings
  if (format === 'jsonl') {
    for (const option of ['delimiter', 'header', 'skipLines', 'trim'] as const) {
      if (options[option] !== undefined) {
        throw wrongOption(option, 'left out where the file is JSON lines', options[option], who)
      }
    }
    return { [Symbol.asyncIterator]: () => jsonRows(file) }
  }
  const delimiter = settings.delimiter ?? (/\.(tsv|tab)$/.test(name) ? '\t' : ',')
  return { [Symbol.asyncIterator]: () => csvRows(file, { ...settings, delimiter }) }
}

/** Whether something can be a source of rows. @internal */
export function isTableSource(given: unknown): given is TableSource {
  return (typeof given === 'string' && given !== '') || given instanceof URL || isIterable(given)
}

/** The rows of whatever is a source of them. @internal */
export function rowsOf(
  source: TableSource,
  option: string,
  who: string,
): Iterable<Row> | AsyncIterable<Row> {
  if (!isTableSource(source)) {
    throw wrongOption(option, 'a path, or an iterable of objects', source, who)
  }
  return typeof source === 'string' || source instanceof URL ? readTable(source) : source
}

async function* csvRows(
  file: string,
  {
    delimiter,
    header,
    skipLines,
    trim,
  }: Settings<typeof readTableOptions> & { readonly delimiter: string },
): AsyncGenerator<Row> {
  const reader = new CsvReader(delimiter, (line, problem) =>
    invalid(file, line + skipLines, problem),
  )
  const clean = trim ? (field: string) => field.trim() : (field: string) => field
  let names = header === undefined || header.length === 0 ? undefined : checked(file, 1, header)
  const rowOf = ({ fields, line }: { fields: readonly string[]; line: number }) => {
    if (names === undefined) {
      names = checked(file, line + skipLines, fields.map(clean))
      return []
    }
    if (fields.length !== names.length) {
      const problem = `has ${fields.length} fields where there are ${names.length} columns`
      throw invalid(file, line + skipLines, problem)
    }
    return [Object.fromEntries(names.map((name, i) => [name, clean(fields[i]!)]))]
  }
  for await (const text of withoutLines(textOf(file, { who: 'readTable' }), skipLines)) {
    yield* reader.read(text).flatMap(rowOf)
  }
  yield* reader.end().flatMap(rowOf)
  if (names === undefined) throw invalid(file, 1, 'is not there: the file is empty')
}

async function* jsonRows(file: string): AsyncGenerator<Row> {
  let line = 0
  const rowOf = (json: string): Row[] => {
    line += 1
    if (json.trim() === '') return []
    let found: unknown
    try {
      found = JSON.parse(json)
    } catch {
      throw invalid(file, line, `is no JSON: ${shown(json)}`)
    }
    const problem = rowProblem(found)
    if (problem !== undefined) throw invalid(file, line, problem)
    return [found as Row]
  }
  for await (const lines of linesOf(textOf(file, { who: 'readTable' }))) yield* lines.flatMap(rowOf)
}

/** Why something is no row; `undefined` if it is one. @internal */
export function rowProblem(row: unknown): string | undefined {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) {
    return `is no object: ${shown(row)}`
  }
  const wrong = Object.entries(row).find(
    ([, cell]) => cell !== null && ['object', 'function', 'symbol'].includes(typeof cell),
  )
  return wrong && `has no string, number or boolean in \`${wrong[0]}\`: ${shown(wrong[1])}`
}

function checked(file: string, line: number, names: readonly string[]): readonly string[] {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice === undefined) return names
  throw invalid(file, line, `names the column ${shown(twice)} twice`)
}

async function* withoutLines(texts: AsyncIterable<string>, count: number): AsyncGenerator<string> {
  let left = count
  for await (const text of texts) {
    let from = 0
    for (; left > 0 && from < text.length; left--) {
      const end = text.indexOf('\n', from)
      from = end < 0 ? text.length : end + 1
      if (end < 0) break
    }
    yield text.slice(from)
  }
}

function invalid(file: string, line: number, problem: string): InlayError {
  const message = `readTable: ${file}: line ${line} ${problem}`
  return new InlayError('INVALID_INPUT', message, { path: file, line, problem })
}
