// inlay text: labels and vectors of texts by networks that read their words.
import { InlayError, shown } from '../errors.js'
import type { Labelled } from '../models/labels.js'
import { openTextModel } from '../models/open-text-model.js'
import { RecurrentClassifier, recurrentClassifierOptions } from '../models/recurrent-classifier.js'
import { TextClassifier } from '../models/text-classifier.js'
import { TextCnn, textCnnOptions } from '../models/text-cnn.js'
import {
  TransformerClassifier,
  transformerClassifierOptions,
} from '../models/transformer-classifier.js'
import { TransformerEncoder } from '../models/transformer-encoder.js'
import { type Options, type RunOptions, flag, list, oneOf, text } from '../options.js'
import { WordVectors } from '../vectors/word-vectors.js'
import { labelledLineOptions, predictOptions } from '../words/classifier-options.js'
import { type LabelledLineOptions, readLabelledTexts } from '../words/labelled.js'
import { type Architectures, checkArchitecture, ownGroups, sharedOptions } from './architectures.js'
import { type Command, group } from './command.js'
import { labelRow, likeliest, printEvaluation } from './labels.js'
import { linesFrom, textsOf } from './lines.js'
import { newDocumentsCommand } from './new-documents.js'
import { quantity } from './quantities.js'
import type { Session } from './session.js'
import { textEncoderCommands } from './text-encoders.js'
import { networkTrainCommand, ofData, sayable, trainingGroups } from './train-network.js'
import { quietFlags } from './train.js'
import { numbersOf, weightsOf } from './typed-lists.js'

const lines = 'lines with a label: files, globs or folders/; .gz and .zst are read as they are'
const classifier = 'what `inlay text train` wrote'

const files = {
  validation: text('lines with a label whose loss is worked out after each epoch'),
  initialVectors: text('vectors of words to begin with, in any format'),
  encoder: text(
    'what `inlay text pretrain` wrote, to begin from: it decides words and shape (transformer)',
  ),
}
const { cell: _, ...recurrent } = sayable(recurrentClassifierOptions, files)
const tables: Architectures<'cnn' | 'lstm' | 'gru' | 'transformer'> = {
  cnn: {
    ...sayable(textCnnOptions, files),
    windows: list('words of a window, for each kind of filters (default: 3,4,5)'),
  },
  lstm: recurrent,
  gru: recurrent,
  transformer: { ...sayable(transformerClassifierOptions, files), encoder: files.encoder },
}
const networkFlags = {
  architecture: oneOf(['cnn', 'lstm', 'gru', 'transformer'], 'what reads the words'),
  labelWeights: list('what labels count, others 1: sport=2,politics=0.5'),
}

type TrainGiven = Options<typeof files & typeof networkFlags & typeof labelledLineOptions> & {
  readonly windows?: readonly string[] | undefined
}

const train = networkTrainCommand<TrainGiven, TextClassifier>({
  name: 'text train',
  summary: 'trains a neural classifier of texts on lines with a label',
  usage: 'LINES... -o MODEL [flags]',
  operands: { LINES: lines },
  count: { from: 1, to: Infinity },
  learnt: 'the lines',
  files,
  groups: [
    group('Network', networkFlags, { short: { architecture: 'a' } }),
    ...ownGroups(tables, files),
    ...trainingGroups({ ...sharedOptions(tables), ...labelledLineOptions }),
  ],
  examples: [
    'train.txt -o questions.safetensors --lowercase --validation valid.txt --patience 3',
    'train.txt -o questions.safetensors -a lstm --pooling attention --initial-vectors vectors.bin',
    'train.txt -o questions.safetensors -a transformer --blocks 4 --resume questions.checkpoint',
  ],

  check({ architecture = 'cnn', labelWeights, ...given }) {
    checkArchitecture(tables, architecture, given)
    weightsOf(labelWeights, '--label-weights')
  },

  async train(paths, given, run) {
    const { architecture = 'cnn', labelWeights, windows, ...rest } = given
    const { validation, initialVectors, encoder, ...all } = rest
    const [how, options] = partedLines(all)
    using begin =
      initialVectors === undefined ? undefined : await WordVectors.open(initialVectors, run)
    using base = encoder === undefined ? undefined : await TransformerEncoder.open(encoder, run)
    const examples = examplesOf(paths, how, run)
    const settings = {
      ...options,
      ...run,
      ...(begin && { initialVectors: begin }),
      ...(validation !== undefined && { validation: examplesOf([validation], how, run) }),
      ...(labelWeights && { labelWeights: weightsOf(labelWeights, '--label-weights') }),
    }
    if (architecture === 'transformer') {
      return await TransformerClassifier.train(examples, {
        ...settings,
        ...(base && { encoder: base }),
      })
    }
    return architecture === 'cnn'
      ? await TextCnn.train(examples, { ...settings, windows: numbersOf(windows) })
      : await RecurrentClassifier.train(examples, { ...settings, cell: architecture })
  },
  told: ({ labels, words }) => {
    return `${quantity(labels.length, 'labels')}, ${quantity(words.length, 'words')}`
  },
})

const predictFlags = { ...predictOptions, json: flag(false, 'writes JSON, an array a line') }

const predict: Command = {
  name: 'text predict',
  summary: 'tells the label of each line of a text, and how probable it is',
  usage: 'MODEL [TEXTS...] [flags]',
  operands: { MODEL: classifier, TEXTS: 'texts, one a line; standard input without' },
  count: { from: 1, to: Infinity },
  groups: [
    group('Answers', predictFlags, { short: { topK: 'k' } }),
    group('Run', { threads: quietFlags.threads }),
  ],
  examples: ['questions.safetensors texts.txt -k 3', 'questions.safetensors --json < texts.txt'],

  async run(
    { json, threads, ...how }: Options<typeof predictFlags & typeof quietFlags>,
    [path = '', ...texts]: readonly string[],
    session: Session,
  ) {
    const run = { signal: session.signal, threads }
    using model = await openClassifier(path, run)
    for await (const batch of linesFrom(texts, session)) {
      const rows = await model.predictProbabilities(batch, run)
      for (const row of rows) {
        const said = likeliest(model.labels, row, how)
        session.print(json === true ? JSON.stringify(said) : labelRow(said))
      }
    }
  },
}

const evaluateFlags = { json: flag(false, 'writes JSON, with the confusion matrix') }

type EvaluateGiven = Options<typeof evaluateFlags & typeof labelledLineOptions & typeof quietFlags>

const evaluate: Command = {
  name: 'text evaluate',
  summary: 'compares what a model says with the labels of lines',
  usage: 'MODEL LINES... [flags]',
  operands: { MODEL: classifier, LINES: lines },
  count: { from: 2, to: Infinity },
  groups: [
    group('Answers', evaluateFlags),
    group('Text', labelledLineOptions),
    group('Run', quietFlags, { short: { quiet: 'q' } }),
  ],
  examples: ['questions.safetensors test.txt', 'questions.safetensors test.txt --json'],

  async run(given: EvaluateGiven, [path = '', ...paths]: readonly string[], session: Session) {
    const { json, quiet, threads, ...how } = given
    const found = await session.withProgress({ quiet }, async (onProgress) => {
      const run = { signal: session.signal, threads, onProgress }
      using model = await openClassifier(path, run)
      return await ofData('the lines', () => model.evaluate(examplesOf(paths, how, run), run))
    })
    printEvaluation(found, 'lines', json, session)
  },
}

const encode = newDocumentsCommand({
  name: 'text encode',
  summary: 'gives the vectors of texts, the lines of a file',
  model: 'what `inlay text train`, `pretrain` or `contrast` wrote',
  joins: false,
  rows: 'vectors',
  values: 'dimensions',
  title: '',
  options: {},
  run: group('Run', quietFlags, { short: { quiet: 'q' } }),
  examples: ['questions.safetensors texts.txt -o vectors.npy', 'questions.safetensors < texts.txt'],
  open: (path, run) => openTextModel(path, run),
  make: (model, source, options) => model.encode(textsOf(source), options),
})

export const textCommands: readonly Command[] = [
  train,
  predict,
  evaluate,
  encode,
  ...textEncoderCommands,
]

/** How lines are read, and the rest. */
function partedLines<Given extends LabelledLineOptions>(
  given: Given,
): [LabelledLineOptions, Omit<Given, keyof typeof labelledLineOptions>] {
  const { labelPrefix, invalidUtf8, spoolDirectory, ...rest } = given
  return [{ labelPrefix, invalidUtf8, spoolDirectory }, rest]
}

/** Lines with one label; those without any are left out. */
async function* examplesOf(
  paths: readonly string[],
  how: LabelledLineOptions,
  run: RunOptions,
): AsyncGenerator<Labelled<string>> {
  let count = 0
  for await (const { text: input, labels } of readLabelledTexts(
    { files: paths },
    { ...how, ...run },
  )) {
    const [label, ...more] = labels
    if (label === undefined) continue
    if (more.length > 0) {
      const problem = `a line has the labels ${labels.join(' and ')}, where one is wanted`
      throw new InlayError('INVALID_INPUT', `${problem}: ${shown(input)}`)
    }
    count += 1
    yield { input, label }
  }
  if (count > 0) return
  const prefix = how.labelPrefix ?? labelledLineOptions.labelPrefix.default
  throw new InlayError('INVALID_INPUT', `no line of ${paths.join(', ')} has a label, ${prefix}...`)
}

async function openClassifier(path: string, run: RunOptions): Promise<TextClassifier> {
  const model = await openTextModel(path, run)
  if (model instanceof TextClassifier) return model
  model.close()
  throw new InlayError('INVALID_INPUT', `${path} holds an encoder, which knows no labels`)
}
