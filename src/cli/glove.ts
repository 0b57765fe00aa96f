// inlay glove: from text files, or from counted pairs, to a file of word vectors.
import { existsSync } from 'node:fs'
import { type Options, type RunOptions, flag, runOptions, text } from '../options.js'
import { corpusOptions } from '../corpus/corpus.js'
import { saveOptions } from '../vectors/files.js'
import { Cooccurrence, countingOptions } from '../words/cooccurrence.js'
import { Glove, gloveOptions } from '../words/glove.js'
import { type Command, group } from './command.js'
import { checkApart, checkEnding, checkWritable } from './files.js'
import { UsageError } from './flags.js'
import { quantity } from './quantities.js'
import type { Session } from './session.js'

const fileFlags = {
  output: text(
    'where the vectors go; the ending of the name tells the format, .safetensors is ours',
  ),
  format: saveOptions.format,
  precision: saveOptions.precision,
  model: text('where the whole model goes, with the vectors of words and contexts'),
  checkpoint: text('keeps the state of the training here, and goes on from it if it is there'),
  checkpointEvery: gloveOptions.checkpointEvery,
  cooccurrence: text('trains on these pairs instead of text: a cooccurrence.bin'),
  vocabulary: text('the vocab.txt that belongs to --cooccurrence'),
}

const own = new Set([
  ...Object.keys(corpusOptions),
  ...Object.keys(countingOptions),
  ...Object.keys(fileFlags),
])
const trainingFlags = Object.fromEntries(
  Object.entries(gloveOptions).filter(([name]) => !own.has(name)),
)

const { threads, seed } = runOptions
const runFlags = { threads, seed, quiet: flag(false, 'says nothing while it works') }

type TrainGiven = Omit<Options<typeof gloveOptions>, keyof typeof fileFlags> &
  Options<typeof fileFlags & typeof runFlags>

const train: Command = {
  name: 'glove train',
  summary: 'trains word vectors on how often words meet',
  usage: 'CORPUS... -o VECTORS [flags]',
  operands: {
    CORPUS: 'text: files, globs or folders/; .gz and .zst are read as they are',
  },
  count: { from: 0, to: Infinity },
  groups: [
    group('Files', fileFlags, { flags: { checkpoint: 'resume' }, short: { output: 'o' } }),
    group('Training', trainingFlags),
    group('Counting', countingOptions),
    group('Text', corpusOptions),
    group('Run', runFlags, { short: { quiet: 'q' } }),
  ],
  examples: [
    'corpus.txt -o vectors.safetensors',
    "'news/*.txt.gz' -o vectors.txt --dimensions 300 --resume news.checkpoint",
    '--cooccurrence cooccurrence.bin --vocabulary vocab.txt -o vectors.safetensors',
  ],

  async run(given: TrainGiven, corpora: readonly string[], session: Session) {
    const { output, format, precision, model, quiet, cooccurrence, vocabulary, ...options } = given
    if (output === undefined) throw new UsageError('-o VECTORS is missing')
    if (format === undefined) checkEnding(output, '-o')
    checkSource(given, corpora)
    const read = [...corpora, ...[cooccurrence, vocabulary].filter((path) => path !== undefined)]
    checkWritten(read, { '-o': output, '--model': model, '--resume': options.checkpoint })

    const { signal } = session
    const work = async (onProgress: RunOptions['onProgress']) => {
      const run = { signal, onProgress, threads: options.threads }
      using pairs =
        cooccurrence === undefined
          ? undefined
          : await Cooccurrence.open(cooccurrence, { vocabulary: vocabulary!, ...run })
      const trained = await Glove.train(pairs ?? { files: corpora }, { ...options, ...run })
      await trained.vectors.save(output, { format, precision, ...run })
      if (model !== undefined) await trained.save(model, run)
      return trained.vectors
    }
    try {
      const { size, dimensions } = await session.withProgress({ quiet }, work)
      if (quiet) return
      session.note(`${quantity(size, 'words')} of ${dimensions} dimensions in ${output}`)
    } catch (error) {
      const { checkpoint } = options
      if (checkpoint !== undefined && existsSync(checkpoint)) {
        session.lastWords = `stopped; the same command goes on from ${checkpoint}`
      }
      throw error
    }
  },
}

const pairFlags = {
  output: text("where the pairs go, as the C tool's cooccurrence.bin"),
  vocabulary: text("where the words go, as the C tool's vocab.txt"),
}

const quietFlags = { threads, quiet: runFlags.quiet }

type CountGiven = Options<
  typeof pairFlags & typeof corpusOptions & typeof countingOptions & typeof quietFlags
>

const count: Command = {
  name: 'glove cooccurrence',
  summary: 'counts which words meet, for glove train or for the C tool',
  usage: 'CORPUS... -o PAIRS --vocabulary WORDS [flags]',
  operands: train.operands,
  count: { from: 1, to: Infinity },
  groups: [
    group('Files', pairFlags, { short: { output: 'o' } }),
    group('Counting', countingOptions),
    group('Text', corpusOptions),
    group('Run', quietFlags, { short: { quiet: 'q' } }),
  ],
  examples: ['corpus.txt -o cooccurrence.bin --vocabulary vocab.txt --window 10'],

  async run(given: CountGiven, corpora: readonly string[], session: Session) {
    const { output, vocabulary, quiet, ...options } = given
    if (output === undefined) throw new UsageError('-o PAIRS is missing')
    if (vocabulary === undefined) throw new UsageError('--vocabulary WORDS is missing')
    checkWritten(corpora, { '-o': output, '--vocabulary': vocabulary })
    const { signal } = session
    const size = await session.withProgress({ quiet }, async (onProgress) => {
      const run = { signal, onProgress, threads: options.threads }
      using pairs = await Cooccurrence.count({ files: corpora }, { ...options, ...run })
      await pairs.save(output, { vocabulary, ...run })
      return pairs.size
    })
    if (!quiet)
      session.note(`${quantity(size, 'pairs')} in ${output}, their words in ${vocabulary}`)
  },
}

export const gloveCommands: readonly Command[] = [train, count]

/** Text, or pairs with their words, and not both. */
function checkSource({ cooccurrence, vocabulary }: TrainGiven, corpora: readonly string[]): void {
  if (cooccurrence === undefined && corpora.length === 0) {
    throw new UsageError('too little was given: CORPUS or --cooccurrence PAIRS is wanted')
  }
  if (cooccurrence !== undefined && corpora.length > 0) {
    throw new UsageError('CORPUS and --cooccurrence cannot both be given')
  }
  if ((cooccurrence === undefined) !== (vocabulary === undefined)) {
    throw new UsageError('--cooccurrence and --vocabulary belong together')
  }
}

/** All that is written must have a place, and must not be what is read. */
function checkWritten(
  read: readonly string[],
  written: Readonly<Record<string, string | undefined>>,
): void {
  const seen = [...read]
  for (const [asked, path] of Object.entries(written)) {
    if (path === undefined) continue
    checkApart(path, seen, asked)
    checkWritable(path, asked)
    seen.push(path)
  }
}
