// inlay doc2vec: from documents to vectors of their tags, and from a model to vectors of new ones.
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { corpusOptions } from '../corpus/corpus.js'
import { type Options, type RunOptions, flag, list, runOptions, text } from '../options.js'
import { saveOptions } from '../vectors/files.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { Doc2Vec, doc2vecOptions, inferOptions } from '../words/doc2vec.js'
import { type Command, group } from './command.js'
import { checkApart, checkEnding, checkWritable } from './files.js'
import { UsageError } from './flags.js'
import { quantity } from './quantities.js'
import type { Session } from './session.js'

const { threads, seed } = runOptions
const runFlags = { threads, seed, quiet: flag(false, 'says nothing while it works') }

const trainFlags = {
  output: text(
    'where the vectors go; the ending of the name tells the format, .safetensors is ours',
  ),
  format: saveOptions.format,
  precision: saveOptions.precision,
  model: text('where the whole model goes, to infer vectors with'),
  checkpoint: text('keeps the state of the training here, and goes on from it if it is there'),
  checkpointEvery: doc2vecOptions.checkpointEvery,
  tags: list('what the documents are called, in their order: a,b,c or @FILE (default: numbers)'),
  initialVectors: text('vectors of words to begin with, in any format'),
  frozen: list('words whose vectors stay as they begin: a,b,c or @FILE'),
}

const own = new Set([...Object.keys(corpusOptions), ...Object.keys(trainFlags)])
const trainingFlags = Object.fromEntries(
  Object.entries(doc2vecOptions).filter(([name]) => !own.has(name)),
)

type TrainGiven = Omit<Options<typeof doc2vecOptions>, keyof typeof trainFlags> &
  Options<typeof trainFlags & typeof runFlags>

const train: Command = {
  name: 'doc2vec train',
  summary: 'trains vectors of documents, the lines of text',
  usage: 'CORPUS... -o TAGS_VECTORS [flags]',
  operands: {
    CORPUS: 'text, a document a line: files, globs or folders/; .gz and .zst are read as they are',
  },
  count: { from: 1, to: Infinity },
  groups: [
    group('Files', trainFlags, { flags: { checkpoint: 'resume' }, short: { output: 'o' } }),
    group('Training', trainingFlags),
    group('Text', corpusOptions),
    group('Run', runFlags, { short: { quiet: 'q' } }),
  ],
  examples: [
    'lines.txt -o tags.safetensors --model model.safetensors',
    'lines.txt -o tags.npy --architecture distributed-bag-of-words --tags @names.txt --epochs 20',
  ],

  async run(given: TrainGiven, corpora: readonly string[], session: Session) {
    const { output, format, precision, model, quiet, initialVectors, frozen, tags, ...options } =
      given
    if (output === undefined) throw new UsageError('-o TAGS_VECTORS is missing')
    if (format === undefined) checkEnding(output, '-o')
    checkFiles(initialVectors === undefined ? corpora : [...corpora, initialVectors], [
      ['-o', output],
      ['--model', model],
      ['--resume', options.checkpoint],
    ])

    const { signal } = session
    const work = async (onProgress: RunOptions['onProgress']) => {
      const run = { signal, onProgress, threads: options.threads }
      const begin = initialVectors && (await WordVectors.open(initialVectors, run))
      const settings = { ...options, tags, initialVectors: begin || undefined, frozen, ...run }
      const trained = await Doc2Vec.train({ files: corpora }, settings)
      await trained.tags.save(output, { format, precision, ...run })
      if (model !== undefined) await trained.save(model, run)
      return trained.tags
    }
    try {
      const { size, dimensions } = await session.withProgress({ quiet }, work)
      if (quiet) return
      session.note(`${quantity(size, 'tags')} of ${dimensions} dimensions in ${output}`)
    } catch (error) {
      const { checkpoint } = options
      if (checkpoint !== undefined && existsSync(checkpoint)) {
        session.lastWords = `stopped; the same command goes on from ${checkpoint}`
      }
      throw error
    }
  },
}

const inferFlags = {
  output: text(
    'where the vectors go, named by the numbers of the lines; default: standard output, a JSON array a line',
  ),
  format: saveOptions.format,
  precision: saveOptions.precision,
}

type InferGiven = Options<typeof inferFlags & typeof inferOptions & typeof runFlags>

const infer: Command = {
  name: 'doc2vec infer',
  summary: 'infers vectors of new documents, the lines of a file',
  usage: 'MODEL [FILE] [flags]',
  operands: {
    MODEL: 'what `inlay doc2vec train --model` wrote',
    FILE: 'text, a document a line; default: standard input',
  },
  count: { from: 1, to: 2 },
  groups: [
    group('Files', inferFlags, { short: { output: 'o' } }),
    group('Inference', inferOptions),
    group('Run', runFlags, { short: { quiet: 'q' } }),
  ],
  examples: ['model.safetensors new.txt -o new.npy --epochs 20', 'model.safetensors < new.txt'],

  async run(given: InferGiven, [path = '', file]: readonly string[], session: Session) {
    const { output, format, precision, quiet, ...options } = given
    if (output === undefined && (format ?? precision) !== undefined) {
      throw new UsageError('--format and --precision need -o VECTORS')
    }
    if (output !== undefined && format === undefined) checkEnding(output, '-o')
    checkFiles(file === undefined ? [path] : [path, file], [['-o', output]])
    const { signal } = session
    const work = async (onProgress: RunOptions['onProgress']) => {
      const run = { signal, onProgress }
      using model = await Doc2Vec.open(path, run)
      const source =
        file === undefined
          ? createInterface({ input: process.stdin, crlfDelay: Infinity })
          : { files: [file] }
      const rows = await model.infer(source, { ...options, ...run })
      const { dimensions } = model.options
      const size = rows.length / dimensions
      if (output !== undefined) {
        const names = Array.from({ length: size }, (_, i) => `${i}`)
        using vectors = WordVectors.from(names, rows, dimensions)
        await vectors.save(output, { format, precision, ...run })
      }
      return { rows, size, dimensions }
    }
    const { rows, size, dimensions } = await session.withProgress({ quiet }, work)
    if (output === undefined) {
      for (let i = 0; i < size; i++) {
        session.print(JSON.stringify([...rows.subarray(i * dimensions, (i + 1) * dimensions)]))
      }
    } else if (!quiet) {
      session.note(`${quantity(size, 'documents')} of ${dimensions} dimensions in ${output}`)
    }
  },
}

export const doc2vecCommands: readonly Command[] = [train, infer]

/** All that is written must have a place, and must not be what is read. */
function checkFiles(
  read: readonly string[],
  written: readonly (readonly [flag: string, path: string | undefined])[],
) {
  const seen = [...read]
  for (const [asked, path] of written) {
    if (path === undefined) continue
    checkApart(path, seen, asked)
    checkWritable(path, asked)
    seen.push(path)
  }
}
