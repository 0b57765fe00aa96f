// inlay tfidf: from text files to a vectorizer and to sparse matrices.
import { writeFile } from 'node:fs/promises'
import { type Options, type RunOptions, text } from '../options.js'
import { TfidfVectorizer, tfidfVectorizerOptions } from '../counts/tfidf-vectorizer.js'
import { readingOptions } from '../counts/vectorizer.js'
import { type Command, group } from './command.js'
import { checkWritten } from './files.js'
import { UsageError } from './flags.js'
import { quantity } from './quantities.js'
import type { Session } from './session.js'
import { quietFlags } from './train.js'

const CORPUS =
  'text: files, globs or folders/; .gz and .zst are read as they are; a line is a document'

const fileFlags = {
  output: text('where the vectorizer goes: a safetensors file'),
  matrix: text('where the weights of the text go: an .npz for SciPy'),
  terms: text('where the terms go, one a line, in the order of the columns'),
}

const ownOptions = Object.fromEntries(
  Object.entries(tfidfVectorizerOptions).filter(([name]) => !Object.hasOwn(readingOptions, name)),
)

type TrainGiven = Options<typeof fileFlags & typeof tfidfVectorizerOptions & typeof quietFlags>

const train: Command = {
  name: 'tfidf train',
  summary: 'weighs the terms of documents by how few documents have them',
  usage: 'CORPUS... -o VECTORIZER [flags]',
  operands: { CORPUS },
  count: { from: 1, to: Infinity },
  groups: [
    group('Files', fileFlags, { short: { output: 'o' } }),
    group('Terms', ownOptions),
    group('Text', readingOptions),
    group('Run', quietFlags, { short: { quiet: 'q' } }),
  ],
  examples: [
    'texts.txt -o tfidf.safetensors --matrix texts.npz --terms terms.txt',
    "'news/*.txt.gz' -o tfidf.safetensors --max-ngram 2 --min-documents 5 --max-share 0.5",
  ],

  async run(given: TrainGiven, corpora: readonly string[], session: Session) {
    const { output, matrix: weights, terms, quiet, ...options } = given
    if (output === undefined) throw new UsageError('-o VECTORIZER is missing')
    if (terms !== undefined && options.hashedColumns !== undefined) {
      throw new UsageError('--terms has no meaning with --hashed-columns, which keeps no terms')
    }
    checkWritten(corpora, { '-o': output, '--matrix': weights, '--terms': terms })
    const { signal } = session
    const work = async (onProgress: RunOptions['onProgress']) => {
      const run = { threads: options.threads, signal, onProgress }
      const trained = await TfidfVectorizer.trainAndTransform(
        { files: corpora },
        { ...options, ...run },
      )
      using vectorizer = trained.vectorizer
      using matrix = trained.matrix
      await vectorizer.save(output, run)
      if (weights !== undefined) await matrix.save(weights, run)
      if (terms !== undefined) await writeFile(terms, `${vectorizer.terms.slice().join('\n')}\n`)
      return { rows: matrix.rows, columns: matrix.columns }
    }
    const { rows, columns } = await session.withProgress({ quiet }, work)
    if (!quiet) {
      session.note(`${quantity(columns, 'terms')} of ${quantity(rows, 'documents')} in ${output}`)
    }
  },
}

const matrixFlags = { output: text('where the weights go: an .npz for SciPy') }

type TransformGiven = Options<typeof matrixFlags & typeof readingOptions & typeof quietFlags>

const transform: Command = {
  name: 'tfidf transform',
  summary: 'weighs the terms of other documents by a vectorizer',
  usage: 'VECTORIZER CORPUS... -o MATRIX [flags]',
  operands: { VECTORIZER: 'a file that `inlay tfidf train` wrote', CORPUS },
  count: { from: 2, to: Infinity },
  groups: [
    group('Files', matrixFlags, { short: { output: 'o' } }),
    group('Text', readingOptions),
    group('Run', quietFlags, { short: { quiet: 'q' } }),
  ],
  examples: ['tfidf.safetensors more.txt -o more.npz'],

  async run(given: TransformGiven, [path, ...corpora]: readonly string[], session: Session) {
    const { output, quiet, ...options } = given
    if (output === undefined) throw new UsageError('-o MATRIX is missing')
    checkWritten([path!, ...corpora], { '-o': output })
    const { signal } = session
    const work = async (onProgress: RunOptions['onProgress']) => {
      using vectorizer = await TfidfVectorizer.open(path!, { signal })
      const run = { signal, onProgress }
      using matrix = await vectorizer.transform({ files: corpora }, { ...options, ...run })
      await matrix.save(output, run)
      return { rows: matrix.rows, stored: matrix.stored }
    }
    const { rows, stored } = await session.withProgress({ quiet }, work)
    if (!quiet) {
      session.note(`${quantity(stored, 'values')} of ${quantity(rows, 'documents')} in ${output}`)
    }
  },
}

export const tfidfCommands: readonly Command[] = [train, transform]
