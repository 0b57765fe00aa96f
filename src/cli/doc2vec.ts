// inlay doc2vec: from documents to vectors of their tags, and from a model to vectors of new ones.
import { createInterface } from 'node:readline'
import { Phrases } from '../corpus/phrases.js'
import { type Options, type RunOptions, text } from '../options.js'
import { saveOptions } from '../vectors/files.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { Doc2Vec, doc2vecOptions, inferOptions } from '../words/doc2vec.js'
import { type Command, group } from './command.js'
import { checkEnding, checkWritten } from './files.js'
import { UsageError } from './flags.js'
import { quantity } from './quantities.js'
import type { Session } from './session.js'
import { runFlags, trainCommand } from './train.js'

const train = trainCommand({
  model: 'doc2vec',
  summary: 'trains vectors of documents, the lines of text',
  named: 'tags',
  corpus: 'text, a document a line',
  options: doc2vecOptions,
  examples: [
    'lines.txt -o tags.safetensors --model model.safetensors',
    'lines.txt -o tags.npy --architecture distributed-bag-of-words --tags @names.txt --epochs 20',
  ],
  async train(source, settings) {
    const model = await Doc2Vec.train(source, settings)
    return { vectors: model.tags, save: (path, run) => model.save(path, run) }
  },
})

const inferFlags = {
  output: text(
    'where the vectors go, named by the numbers of the lines; default: standard output, a JSON array a line',
  ),
  format: saveOptions.format,
  precision: saveOptions.precision,
}

const inference = {
  ...inferOptions,
  phrases: text('joins the phrases of this file, which the training had'),
}

type InferGiven = Options<typeof inferFlags & typeof inference & typeof runFlags>

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
    group('Inference', inference),
    group('Run', runFlags, { short: { quiet: 'q' } }),
  ],
  examples: ['model.safetensors new.txt -o new.npy --epochs 20', 'model.safetensors < new.txt'],

  async run(given: InferGiven, [path = '', file]: readonly string[], session: Session) {
    const { output, format, precision, quiet, phrases, ...options } = given
    if (output === undefined && (format ?? precision) !== undefined) {
      throw new UsageError('--format and --precision need -o VECTORS')
    }
    if (output !== undefined && format === undefined) checkEnding(output, '-o')
    checkWritten(
      [path, file, phrases].filter((read) => read !== undefined),
      { '-o': output },
    )
    const { signal } = session
    const work = async (onProgress: RunOptions['onProgress']) => {
      const run = { signal, onProgress }
      using model = await Doc2Vec.open(path, run)
      using joined = phrases === undefined ? undefined : await Phrases.open(phrases, run)
      const source =
        file === undefined
          ? createInterface({ input: process.stdin, crlfDelay: Infinity })
          : { files: [file] }
      const rows = await model.infer(source, { ...options, phrases: joined, ...run })
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
