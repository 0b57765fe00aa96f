// What commands have in common that make vectors of files by a pretrained network: inlay images encode, inlay sounds encode.
import type { Vectors } from '../embedder.js'
import type { RunOptions, Table } from '../options.js'
import { type Command, group } from './command.js'
import { type RowFiles, checkRows, parted, rowFiles, saveRows, tellRows } from './rows.js'
import type { Session } from './session.js'
import { runFlags } from './train.js'

const { threads, quiet } = runFlags

/** What encodes files. */
export interface FileEncoder extends Disposable {
  encode(files: readonly string[], options: RunOptions): Promise<Vectors>
}

/** A command whose first operand is a model and whose others are files. */
export function encodeFiles(
  about: Pick<Command, 'name' | 'summary' | 'usage' | 'operands' | 'examples'>,
  items: 'pictures' | 'sounds',
  options: Table,
  load: (path: string, run: RunOptions) => Promise<FileEncoder>,
): Command {
  return {
    ...about,
    count: { from: 2, to: Infinity },
    groups: [
      rowFiles('vectors', 'the files as they were given'),
      group('Vectors', options),
      group('Run', { threads, quiet }, { short: { quiet: 'q' } }),
    ],

    async run(
      given: RowFiles & RunOptions,
      [path = '', ...paths]: readonly string[],
      session: Session,
    ) {
      const { files, others } = parted(given)
      checkRows(files, [path, ...paths])
      const work = async (onProgress: RunOptions['onProgress']) => {
        const run = { signal: session.signal, onProgress }
        using encoder = await load(path, run)
        const rows = await encoder.encode(paths, { ...others, ...run })
        await saveRows(rows, paths, files, run)
        return rows
      }
      const rows = await session.withProgress(files, work)
      tellRows(rows, [items, 'dimensions'], files, session)
    },
  }
}
