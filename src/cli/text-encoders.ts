// inlay text pretrain, inlay text contrast: vectors of texts without labels, to encode by or to begin a classifier from.
import { RecurrentEncoder, recurrentEncoderOptions } from '../models/recurrent-encoder.js'
import type { TextNetwork } from '../models/text-network.js'
import {
  type TextPair,
  TransformerEncoder,
  contrastOptions,
  transformerEncoderOptions,
} from '../models/transformer-encoder.js'
import { type Options, oneOf, text } from '../options.js'
import { readTable } from '../tables/read-table.js'
import { type Architectures, checkArchitecture, ownGroups, sharedOptions } from './architectures.js'
import { type Command, group } from './command.js'
import { textsOf } from './lines.js'
import { quantity } from './quantities.js'
import { networkTrainCommand, sayable, trainingGroups } from './train-network.js'

const files = {
  validation: text('texts whose loss is worked out after each epoch (lstm, gru)'),
}
const { cell: _, ...recurrent } = sayable(recurrentEncoderOptions, files)
const tables: Architectures<'transformer' | 'lstm' | 'gru'> = {
  transformer: sayable(transformerEncoderOptions, files),
  lstm: { ...recurrent, ...files },
  gru: { ...recurrent, ...files },
}
const networkFlags = {
  architecture: oneOf(['transformer', 'lstm', 'gru'], 'what reads the words'),
}

const pretrain = networkTrainCommand<Options<typeof files & typeof networkFlags>, TextNetwork>({
  name: 'text pretrain',
  summary:
    'learns vectors of texts without labels: hidden words are guessed, or texts written again',
  usage: 'CORPUS... -o ENCODER [flags]',
  operands: {
    CORPUS: 'texts, one a line: files, globs or folders/; .gz and .zst are read as they are',
  },
  count: { from: 1, to: Infinity },
  learnt: 'the texts',
  files,
  groups: [
    group('Network', networkFlags, { short: { architecture: 'a' } }),
    ...ownGroups(tables, files),
    ...trainingGroups(sharedOptions(tables)),
  ],
  examples: [
    'corpus.txt -o encoder.safetensors --lowercase --epochs 4',
    'corpus.txt -o encoder.safetensors -a gru --validation valid.txt --patience 2',
  ],

  check: ({ architecture = 'transformer', ...given }) => {
    checkArchitecture(tables, architecture, given)
  },
  async train(corpora, { architecture = 'transformer', validation, ...options }, run) {
    const [source, settings] = [{ files: corpora }, { ...options, ...run }]
    if (architecture === 'transformer') return TransformerEncoder.train(source, settings)
    return RecurrentEncoder.train(source, { ...settings, cell: architecture, validation })
  },
  told: toldOf,
})

const contrast = networkTrainCommand<object, TransformerEncoder>({
  name: 'text contrast',
  summary: 'goes on training a Transformer of pretrain: what belongs together comes nearer',
  usage: 'ENCODER TEXTS -o ENCODER [flags]',
  operands: {
    ENCODER: 'what `inlay text pretrain` wrote, a transformer',
    TEXTS:
      'texts, one a line, each beside itself under other dropout; or .csv, .tsv or .jsonl with columns `text` and `positive`; .gz as well',
  },
  count: { from: 2, to: 2 },
  learnt: 'the texts',
  files: {},
  groups: trainingGroups(sayable(contrastOptions)),
  examples: [
    'encoder.safetensors texts.txt -o better.safetensors',
    'encoder.safetensors pairs.csv -o better.safetensors --temperature 0.1 --epochs 3',
  ],

  async train([path = '', texts = ''], options, run) {
    using encoder = await TransformerEncoder.open(path, run)
    const isTable = /\.(csv|tsv|tab|jsonl|ndjson)(\.gz)?$/i.test(texts)
    return await encoder.contrast(isTable ? pairsOf(texts) : textsIn(texts), { ...options, ...run })
  },
  told: toldOf,
})

export const textEncoderCommands: readonly Command[] = [pretrain, contrast]

function toldOf({ words, dimensions }: TextNetwork): string {
  return `vectors of ${dimensions} values by ${quantity(words.length, 'words')}`
}

/** The rows of a table; that they are pairs is the encoder's to check. */
async function* pairsOf(path: string): AsyncGenerator<TextPair> {
  for await (const row of readTable(path)) yield row as unknown as TextPair
}

async function* textsIn(path: string): AsyncGenerator<string> {
  for await (const line of textsOf({ files: [path] })) if (line.trim() !== '') yield line
}
