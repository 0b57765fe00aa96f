// inlay MODEL train: from text files to a file of word vectors, for every model that learns words
// from text.
import { existsSync } from 'node:fs'
import {
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
import { trainingOptions } from '../words/training.js'
import { type Command, group } from './command.js'
import { checkApart, checkEnding, checkWritable } from './files.js'
import { UsageError } from './flags.js'
import { quantity } from './quantities.js'
import type { Session } from './session.js'

/** A model of words, as the command line needs it. */
interface Trained {
  readonly vectors: WordVectors
  save(path: string, options: RunOptions): Promise<void>
}

/** What a command that trains words differs in. */
interface Trainer {
  /** As it is typed: "word2vec". */
  readonly model: string
  readonly summary: string
  /** Every option of the model's `train`. */
  readonly options: Table
  readonly examples: readonly string[]
  // `settings` is what `parse` made of the model's own table.
  train(source: { files: readonly string[] }, settings: object): Promise<Trained>
}

const fileFlags = {
  output: text(
    'where the vectors go; the ending of the name tells the format, .safetensors is ours',
  ),
  format: saveOptions.format,
  precision: saveOptions.precision,
  model: text('where the whole model goes, to train on or to predict with'),
  checkpoint: text('keeps the state of the training here, and goes on from it if it is there'),
  checkpointEvery: trainingOptions.checkpointEvery,
  initialVectors: text('vectors to begin with, in any format'),
  phrases: text('joins the phrases of this file, as `inlay phrases train` writes it'),
}
const frozenFlag = { frozen: list('words whose vectors stay as they begin: a,b,c or @FILE') }
const { threads, seed } = runOptions
const runFlags = { threads, seed, quiet: flag(false, 'says nothing while it works') }

type Given = Options<typeof fileFlags & typeof frozenFlag & typeof runFlags>

/** The command that trains a model of words. */
export function trainCommand({ model: name, summary, options, examples, train }: Trainer): Command {
  const files = { ...fileFlags, ...(options['frozen'] && frozenFlag) }
  const own = new Set([...Object.keys(corpusOptions), ...Object.keys(files)])
  const trainingFlags = Object.fromEntries(
    Object.entries(options).filter(([option]) => !own.has(option)),
  )
  return {
    name: `${name} train`,
    summary,
    usage: 'CORPUS... -o VECTORS [flags]',
    operands: {
      CORPUS: 'text: files, globs or folders/; .gz and .zst are read as they are',
    },
    count: { from: 1, to: Infinity },
    groups: [
      group('Files', files, { flags: { checkpoint: 'resume' }, short: { output: 'o' } }),
      group('Training', trainingFlags),
      group('Text', corpusOptions),
      group('Run', runFlags, { short: { quiet: 'q' } }),
    ],
    examples,

    async run(given: Given, corpora: readonly string[], session: Session) {
      const { output, format, precision, model, quiet, initialVectors, phrases, ...settings } =
        given
      if (output === undefined) throw new UsageError('-o VECTORS is missing')
      if (format === undefined) checkEnding(output, '-o')
      checkFiles(given, corpora)

      const { signal } = session
      const work = async (onProgress: RunOptions['onProgress']) => {
        const run = { signal, onProgress, threads: settings.threads }
        const begin = initialVectors && (await WordVectors.open(initialVectors, run))
        const joined = phrases === undefined ? undefined : await Phrases.open(phrases, run)
        const all = {
          ...settings,
          initialVectors: begin || undefined,
          phrases: joined,
          ...run,
        }
        const trained = await train({ files: corpora }, all)
        await trained.vectors.save(output, { format, precision, ...run })
        if (model !== undefined) await trained.save(model, run)
        return trained.vectors
      }
      try {
        const { size, dimensions } = await session.withProgress({ quiet }, work)
        if (quiet) return
        session.note(`${quantity(size, 'words')} of ${dimensions} dimensions in ${output}`)
      } catch (error) {
        const { checkpoint } = settings
        if (checkpoint !== undefined && existsSync(checkpoint)) {
          session.lastWords = `stopped; the same command goes on from ${checkpoint}`
        }
        throw error
      }
    },
  }
}

/** All that is written must have a place, and must not be what is read. */
function checkFiles(
  { output, model, checkpoint, initialVectors, phrases }: Given,
  corpora: readonly string[],
) {
  const read = [...corpora, initialVectors, phrases].filter((path) => path !== undefined)
  const written = [
    ['-o', output],
    ['--model', model],
    ['--resume', checkpoint],
  ] as const
  const seen = [...read]
  for (const [asked, path] of written) {
    if (path === undefined) continue
    checkApart(path, seen, asked)
    checkWritable(path, asked)
    seen.push(path)
  }
}
