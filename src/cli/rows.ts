// Rows of numbers that a command makes: where they go, and how they are written.
import type { Vectors } from '../embedder.js'
import { type Options, type RunOptions, text } from '../options.js'
import { saveOptions } from '../vectors/files.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { type FlagGroup, group } from './command.js'
import { checkFormat, checkWritten } from './files.js'
import { UsageError } from './flags.js'
import { quantity } from './quantities.js'
import type { Session } from './session.js'

const { format, precision } = saveOptions

/** Where rows go. */
export type RowFiles = Options<typeof saveOptions & { output: ReturnType<typeof text> }> & {
  readonly quiet?: boolean | undefined
}

/** The flags: `rows` are the rows, "vectors", and `names` by what they are named. */
export function rowFiles(rows: string, names: string): FlagGroup {
  const where = `where the ${rows} go, named by ${names}`
  const output = text(`${where}; default: standard output, a JSON array a line`)
  return group('Files', { output, format, precision }, { short: { output: 'o' } })
}

/** What is given for the rows, and the rest. */
export function parted<Given extends RowFiles>({
  output,
  format: form,
  precision: bits,
  quiet,
  ...others
}: Given) {
  const files: RowFiles = { output, format: form, precision: bits, quiet }
  return { files, others }
}

/** Refuses what could not be written, before hours of work. */
export function checkRows(given: RowFiles, read: readonly (string | undefined)[]): void {
  const { output, format: form, precision: bits } = given
  if (output === undefined && (form ?? bits) !== undefined) {
    throw new UsageError('--format and --precision need -o VECTORS')
  }
  if (output !== undefined) checkFormat(output, { format: form, precision: bits }, '-o')
  checkWritten(
    read.filter((path) => path !== undefined),
    { '-o': output },
  )
}

/** Writes rows to the file, if there is one. */
export async function saveRows(
  rows: Vectors,
  names: readonly string[],
  { output, format: form, precision: bits }: RowFiles,
  run: RunOptions,
): Promise<void> {
  if (output === undefined) return
  using vectors = WordVectors.from(names, rows.values, rows.dimensions)
  await vectors.save(output, { format: form, precision: bits, ...run })
}

/** Prints rows, or what became of them: so many `items`, "documents", of so many `values`. */
export function tellRows(
  rows: Vectors,
  [items, values]: readonly [items: 'documents' | 'pictures' | 'sounds', values: string],
  { output, quiet }: RowFiles,
  session: Session,
): void {
  if (output === undefined) {
    for (const row of rows) session.print(JSON.stringify([...row]))
  } else if (!quiet) {
    const { length, dimensions } = rows
    session.note(`${quantity(length, items)} of ${dimensions} ${values} in ${output}`)
  }
}
