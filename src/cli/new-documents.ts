// inlay MODEL VERB: the lines of a file, or of standard input, as rows of numbers, by a model that was
// trained before: what `doc2vec infer`, `lda transform` and `sentences encode` have in common.
import { addAbortSignal } from 'node:stream'
import type { CorpusSource } from '../corpus/source.js'
import { Phrases } from '../corpus/phrases.js'
import type { Vectors } from '../embedder.js'
import { InlayError } from '../errors.js'
import { SpooledFile } from '../spooled-file.js'
import { type Options, type RunOptions, type Table, text } from '../options.js'
import { type Command, type FlagGroup, group } from './command.js'
import { type RowFiles, checkRows, parted, rowFiles, saveRows, tellRows } from './rows.js'
import type { Session } from './session.js'

/** What a command that makes rows of new documents differs in. */
interface Maker<Model extends Disposable> extends Pick<Command, 'name' | 'summary' | 'examples'> {
  /** What the model is: "what `inlay lda train` wrote". */
  readonly model: string
  /** Whether phrases may be joined first. */
  readonly joins?: boolean
  /** What goes to the output: "mixtures". */
  readonly rows: string
  /** What the values of a row are: "topics". */
  readonly values: string
  /** Options of a document, with their heading. */
  readonly title: string
  readonly options: Table
  readonly run: FlagGroup
  open(path: string, run: RunOptions, options: object): Promise<Model>
  make(model: Model, source: CorpusSource, options: object): Promise<Vectors>
}

type Given = RowFiles & Options<Record<'phrases', ReturnType<typeof text>>>

/** The command that makes rows of new documents. */
export function newDocumentsCommand<Model extends Disposable>(maker: Maker<Model>): Command {
  const options = {
    ...maker.options,
    ...(maker.joins !== false && {
      phrases: text('joins the phrases of this file, which the training had'),
    }),
  }
  return {
    name: maker.name,
    summary: maker.summary,
    usage: 'MODEL [FILE] [flags]',
    operands: {
      MODEL: maker.model,
      FILE: 'text, a document a line; default: standard input',
    },
    count: { from: 1, to: 2 },
    groups: [
      rowFiles(maker.rows, 'the numbers of the lines'),
      ...(Object.keys(options).length > 0 ? [group(maker.title, options)] : []),
      maker.run,
    ],
    examples: maker.examples,

    async run(given: Given, [path = '', file]: readonly string[], session: Session) {
      const { phrases, ...all } = given
      const { files, others } = parted(all)
      checkRows(files, [path, file, phrases])
      const work = async (onProgress: RunOptions['onProgress']) => {
        const run = { signal: session.signal, onProgress }
        using model = await maker.open(path, run, others)
        using joined = phrases === undefined ? undefined : await Phrases.open(phrases, run)
        const made = (from: string) =>
          maker.make(
            model,
            { files: [from] },
            { ...others, ...(joined && { phrases: joined }), ...run },
          )
        const rows = await (file === undefined ? ofInput(made, session) : made(file))
        const names = Array.from({ length: rows.length }, (_, i) => `${i}`)
        await saveRows(rows, names, files, run)
        return rows
      }
      const rows = await session.withProgress(files, work)
      tellRows(rows, ['documents', maker.values], files, session)
    },
  }
}

const INPUT = 'standard input'

/** What is made of standard input: of a file that keeps it, so that it is read as any other file is. */
async function ofInput<Made>(
  make: (path: string) => Promise<Made>,
  session: Session,
): Promise<Made> {
  // It may be that nobody types anything more.
  const input = addAbortSignal(session.signal, process.stdin)
  const spooled = await SpooledFile.of(input, INPUT, INPUT)
  try {
    return await make(spooled.path)
  } catch (error) {
    if (!(error instanceof InlayError)) throw error
    // Nobody knows the file by its path.
    throw new InlayError(error.code, error.message.replaceAll(spooled.path, INPUT), error.context)
  } finally {
    await spooled.remove()
  }
}
