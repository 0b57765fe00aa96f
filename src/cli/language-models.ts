// inlay nnlm, inlay rnnlm: language models that are networks, and what they say of other texts.
import { nextWordsOptions } from '../language/ngram-options.js'
import type { NeuralLanguageModel } from '../models/neural-language-model.js'
import { Nnlm, nnlmOptions } from '../models/nnlm.js'
import {
  RecurrentLanguageModel,
  recurrentLanguageModelOptions,
} from '../models/recurrent-language-model.js'
import { type Options, type RunOptions, type Table, flag, text } from '../options.js'
import { saveOptions } from '../vectors/files.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { type Command, group } from './command.js'
import { checkFormat, checkWritten } from './files.js'
import { UsageError } from './flags.js'
import { printable } from './neighbours.js'
import { quantity } from './quantities.js'
import type { Session } from './session.js'
import { networkTrainCommand, sayable, trainingGroups } from './train-network.js'
import { quietFlags } from './train.js'

/** What one kind of language model differs in. */
interface LanguageModelKind<Model extends NeuralLanguageModel> {
  /** As it is typed: "nnlm". */
  readonly name: string
  readonly summary: string
  readonly options: Table
  readonly examples: readonly string[]
  train(source: { files: readonly string[] }, options: object): Promise<Model>
  open(path: string, run: RunOptions): Promise<Model>
}

const validation = text('a text whose loss is worked out after each epoch')
const initialVectors = text('vectors of words to begin with, in any format')

type TrainGiven = { readonly initialVectors?: string | undefined }

function languageModelCommands<Model extends NeuralLanguageModel>(
  kind: LanguageModelKind<Model>,
): readonly Command[] {
  const operand = { MODEL: `what \`inlay ${kind.name} train\` wrote` }
  const { options } = kind
  const files = { validation, ...(options['initialVectors'] && { initialVectors }) }

  const train = networkTrainCommand<TrainGiven, Model>({
    name: `${kind.name} train`,
    summary: kind.summary,
    usage: 'CORPUS... -o MODEL [flags]',
    operands: {
      CORPUS:
        'text, a sentence a line: files, globs or folders/; .gz and .zst are read as they are',
    },
    count: { from: 1, to: Infinity },
    learnt: 'the text',
    files,
    groups: trainingGroups(sayable(options, files)),
    examples: kind.examples,
    async train(corpora, { initialVectors: path, ...given }, run) {
      using begin = path === undefined ? undefined : await WordVectors.open(path, run)
      return await kind.train(
        { files: corpora },
        { ...given, ...run, ...(begin && { initialVectors: begin }) },
      )
    },
    told: ({ words }) => quantity(words.length, 'words'),
  })

  const perplexity: Command = {
    name: `${kind.name} perplexity`,
    summary: 'tells how well a model foretells texts',
    usage: 'MODEL TEXTS... [flags]',
    operands: { ...operand, TEXTS: 'text, a sentence a line: files, globs or folders/' },
    count: { from: 2, to: Infinity },
    groups: [group('Run', quietFlags, { short: { quiet: 'q' } })],
    examples: ['model.safetensors test.txt'],

    async run(
      { quiet, threads }: Options<typeof quietFlags>,
      [path = '', ...texts]: readonly string[],
      session: Session,
    ) {
      const { signal } = session
      const found = await session.withProgress({ quiet }, async (onProgress) => {
        const run = { signal, onProgress, threads }
        using model = await kind.open(path, run)
        return await model.perplexity({ files: texts }, run)
      })
      session.print(
        [
          `perplexity\t${found.perplexity.toFixed(4)}`,
          `words\t${found.words}`,
          `sentences\t${found.sentences}`,
          `unknown words\t${found.unknown}`,
        ].join('\n'),
      )
    },
  }

  const nextFlags = {
    limit: { ...nextWordsOptions.limit, about: 'how many words' },
    json: flag(false, 'writes JSON'),
  }
  const next: Command = {
    name: `${kind.name} next`,
    summary: 'lists the likeliest words after the first words of a sentence',
    usage: 'MODEL [WORD...] [flags]',
    operands: { ...operand, WORD: 'the words before; none: the sentence begins' },
    count: { from: 1, to: Infinity },
    groups: [group('Answers', nextFlags, { flags: { limit: 'top' }, short: { limit: 'k' } })],
    examples: ['model.safetensors members of the', 'model.safetensors members of the -k 3 --json'],

    async run(
      { limit, json }: Options<typeof nextFlags>,
      [path = '', ...words]: readonly string[],
      session: Session,
    ) {
      const { signal } = session
      using model = await kind.open(path, { signal })
      const found = await model.nextWords(words.join(' '), { limit, signal })
      if (json === true) return session.print(JSON.stringify(found))
      for (const { word, probability } of found) {
        session.print(`${printable(word)}\t${probability.toFixed(6)}`)
      }
    },
  }

  const vectorFlags = {
    output: text('where the vectors go; the ending of the name tells the format'),
    ...saveOptions,
  }
  const vectors: Command = {
    name: `${kind.name} vectors`,
    summary: 'writes the vectors of the words of a model',
    usage: 'MODEL -o VECTORS [flags]',
    operands: operand,
    count: { from: 1, to: 1 },
    groups: [group('Files', vectorFlags, { short: { output: 'o' } })],
    examples: ['model.safetensors -o vectors.safetensors'],

    async run(
      { output, ...how }: Options<typeof vectorFlags>,
      [path = '']: readonly string[],
      session: Session,
    ) {
      if (output === undefined) throw new UsageError('-o VECTORS is missing')
      checkFormat(output, how, '-o')
      checkWritten([path], { '-o': output })
      const { signal } = session
      using model = await kind.open(path, { signal })
      using found = model.vectors
      await found.save(output, { ...how, signal })
      session.note(
        `${quantity(found.size, 'words')} of ${found.dimensions} dimensions in ${output}`,
      )
    },
  }

  return [train, perplexity, next, vectors]
}

export const nnlmCommands = languageModelCommands({
  name: 'nnlm',
  summary: 'trains a neural language model: a word by some words before it',
  options: nnlmOptions,
  examples: [
    'corpus.txt -o model.safetensors --validation valid.txt --context 4',
    "'news/*.txt.gz' -o model.safetensors --softmax hierarchical --initial-vectors vectors.bin",
  ],
  train: (source, options) => Nnlm.train(source, options),
  open: (path, run) => Nnlm.open(path, run),
})

export const rnnlmCommands = languageModelCommands({
  name: 'rnnlm',
  summary: 'trains a recurrent language model: a word by all words before it',
  options: recurrentLanguageModelOptions,
  examples: [
    'corpus.txt -o model.safetensors --validation valid.txt --resume model.checkpoint',
    "'news/*.txt.gz' -o model.safetensors --cell gru --units 400 --max-vocabulary 20000",
  ],
  train: (source, options) => RecurrentLanguageModel.train(source, options),
  open: (path, run) => RecurrentLanguageModel.open(path, run),
})
