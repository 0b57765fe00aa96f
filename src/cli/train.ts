// inlay MODEL train: from text files to a file of vectors, for every model that learns them from text.
import {
  type Option,
  type Options,
  type RunOptions,
  type Table,
  flag,
  list,
  runOptions,
  text,
} from '../options.js'
import { corpusOptions } from '../corpus/corpus.js'
import { Phrases } from '../corpus/phrases.js'
import { saveOptions } from '../vectors/files.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { type Command, type FlagGroup, group } from './command.js'
import { checkFormat, checkWritten } from './files.js'
import { UsageError } from './flags.js'
import { quantity } from './quantities.js'
import { checkpoint, resumable } from './resume.js'
import type { Session } from './session.js'

/** What was trained, as the command line needs it. */
interface Trained {
  readonly vectors: WordVectors
  save(path: string, options: RunOptions): Promise<void>
}

type Files = Readonly<Record<string, string | undefined>>

/** What a command that trains a model differs in. */
interface Trainer {
  /** As it is typed: "word2vec". */
  readonly model: string
  readonly summary: string
  /** What the vectors belong to: "words". */
  readonly named?: string
  /** What the text is, where it is not just text. */
  readonly corpus?: string
  /** Every option of the model's `train`. */
  readonly options: Table
  /** Options with a heading of their own. */
  readonly groups?: readonly FlagGroup[]
  /** Files that only this model reads instead of a corpus. */
  readonly instead?: Readonly<Record<string, Option<string | undefined>>>
  readonly examples: readonly string[]
  /** Throws for a source that cannot be. */
  check?(files: Files, corpora: readonly string[]): void
  // `settings` is what `parse` made of the model's own table.
  train(source: { files: readonly string[] }, settings: RunOptions, files: Files): Promise<Trained>
}

const { threads, seed } = runOptions
const quiet = flag(false, 'says nothing while it works')
/** Of commands that take time and draw nothing at random. */
export const quietFlags = { threads, quiet }
export const runFlags = { threads, seed, quiet }

const output = text(
  'where the vectors go; the ending of the name tells the format, .safetensors is ours',
)
const model = text('where the whole model goes, to open it again')

/** How the command line says what options take as a value; a model has those that its table has. */
const values = {
  tags: list('what the documents are called, in their order: a,b,c or @FILE (default: numbers)'),
  initialVectors: text('vectors of words to begin with, in any format'),
  phrases: text('joins the phrases of this file, as `inlay phrases train` writes it'),
  frozen: list('words whose vectors stay as they begin: a,b,c or @FILE'),
}

type Given = Options<
  typeof values & {
    output: typeof output
    model: typeof model
    checkpoint: typeof checkpoint
  } & typeof runFlags &
    typeof saveOptions
>

/** The command that trains a model. */
export function trainCommand(trainer: Trainer): Command {
  const { options, groups = [], instead, named = 'words' } = trainer
  const files = {
    output,
    format: saveOptions.format,
    precision: saveOptions.precision,
    model,
    checkpoint,
    checkpointEvery: options['checkpointEvery']!,
    ...instead,
    ...Object.fromEntries(Object.entries(values).filter(([name]) => options[name])),
  }
  const grouped = new Set([
    ...Object.keys({ ...files, ...corpusOptions }),
    ...groups.flatMap(({ flags }) => flags.map(({ name }) => name)),
  ])
  const training = Object.entries(options).filter(([name]) => !grouped.has(name))
  return {
    name: `${trainer.model} train`,
    summary: trainer.summary,
    usage: 'CORPUS... -o VECTORS [flags]',
    operands: {
      CORPUS: `${trainer.corpus ?? 'text'}: files, globs or folders/; .gz and .zst are read as they are`,
    },
    count: { from: instead ? 0 : 1, to: Infinity },
    groups: [
      group('Files', files, { flags: { checkpoint: 'resume' }, short: { output: 'o' } }),
      group('Training', Object.fromEntries(training)),
      ...groups,
      group('Text', corpusOptions),
      group('Run', runFlags, { short: { quiet: 'q' } }),
    ],
    examples: trainer.examples,

    async run(given: Given & Files, corpora: readonly string[], session: Session) {
      const { output: target, format, precision, model: whole, quiet: isQuiet, ...rest } = given
      if (target === undefined) throw new UsageError('-o VECTORS is missing')
      checkFormat(target, { format, precision }, '-o')
      trainer.check?.(given, corpora)
      const isOwn = ([name]: readonly [string, unknown]) => !Object.hasOwn(instead ?? {}, name)
      const settings: Given = Object.fromEntries(Object.entries(rest).filter(isOwn))
      const others = Object.keys(instead ?? {}).map((name) => given[name])
      const read = [...corpora, settings.initialVectors, settings.phrases, ...others]
      checkWritten(
        read.filter((path) => path !== undefined),
        { '-o': target, '--model': whole, '--resume': settings.checkpoint },
      )
      const work = async (onProgress: RunOptions['onProgress']) => {
        const run = { signal: session.signal, onProgress, threads: settings.threads }
        const trained = await trainer.train(
          { files: corpora },
          { ...settings, ...(await opened(settings, run)), ...run },
          given,
        )
        await trained.vectors.save(target, { format, precision, ...run })
        if (whole !== undefined) await trained.save(whole, run)
        return trained.vectors
      }
      const { size, dimensions } = await resumable(settings.checkpoint, session, () =>
        session.withProgress({ quiet: isQuiet }, work),
      )
      if (isQuiet) return
      session.note(`${quantity(size, named)} of ${dimensions} dimensions in ${target}`)
    },
  }
}

/** What the files hold that options name. */
async function opened({ initialVectors, phrases }: Given, run: RunOptions): Promise<object> {
  return {
    ...(initialVectors !== undefined && {
      initialVectors: await WordVectors.open(initialVectors, run),
    }),
    ...(phrases !== undefined && { phrases: await Phrases.open(phrases, run) }),
  }
}
