// inlay word2vec train: from text files to a file of word vectors.
import { existsSync } from 'node:fs'
import { type Options, type RunOptions, flag, list, runOptions, text } from '../options.js'
import { corpusOptions } from '../corpus/corpus.js'
import { saveOptions } from '../vectors/files.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { Word2Vec, word2vecOptions } from '../words/word2vec.js'
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
  model: text('where the whole model goes, to train on or to predict with'),
  checkpoint: text('keeps the state of the training here, and goes on from it if it is there'),
  checkpointEvery: word2vecOptions.checkpointEvery,
  initialVectors: text('vectors to begin with, in any format'),
  frozen: list('words whose vectors stay as they begin: a,b,c or @FILE'),
}

const own = new Set([...Object.keys(corpusOptions), ...Object.keys(fileFlags)])
const trainingFlags = Object.fromEntries(
  Object.entries(word2vecOptions).filter(([name]) => !own.has(name)),
)

const { threads, seed } = runOptions
const runFlags = { threads, seed, quiet: flag(false, 'says nothing while it works') }

type Given = Omit<Options<typeof word2vecOptions>, keyof typeof fileFlags> &
  Options<typeof fileFlags & typeof runFlags>

const train: Command = {
  name: 'word2vec train',
  summary: 'trains word vectors on text',
  usage: 'CORPUS... -o VECTORS [flags]',
  operands: {
    CORPUS: 'text: files, globs or folders/; .gz and .zst are read as they are',
  },
  count: { from: 1, to: Infinity },
  groups: [
    group('Files', fileFlags, { flags: { checkpoint: 'resume' }, short: { output: 'o' } }),
    group('Training', trainingFlags),
    group('Text', corpusOptions),
    group('Run', runFlags, { short: { quiet: 'q' } }),
  ],
  examples: [
    'corpus.txt -o vectors.safetensors',
    "'news/*.txt.gz' -o vectors.bin --dimensions 300 --epochs 10 --resume news.checkpoint",
  ],

  async run(given: Given, corpora: readonly string[], session: Session) {
    const { output, format, precision, model, quiet, initialVectors, frozen, ...options } = given
    if (output === undefined) throw new UsageError('-o VECTORS is missing')
    if (format === undefined) checkEnding(output, '-o')
    checkFiles(given, corpora)

    const { signal } = session
    const work = async (onProgress: RunOptions['onProgress']) => {
      const run = { signal, onProgress, threads: options.threads }
      const begin = initialVectors && (await WordVectors.open(initialVectors, run))
      const settings = { ...options, initialVectors: begin || undefined, frozen, ...run }
      const trained = await Word2Vec.train({ files: corpora }, settings)
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

export const word2vecCommands: readonly Command[] = [train]

/** All that is written must have a place, and must not be what is read. */
function checkFiles(
  { output, model, checkpoint, initialVectors }: Given,
  corpora: readonly string[],
) {
  const read = initialVectors === undefined ? corpora : [...corpora, initialVectors]
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
