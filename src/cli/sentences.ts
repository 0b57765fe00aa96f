// inlay sentences: texts as vectors by a folder of a pretrained model, how it learns further, and how it comes there.
import { type PromptedEncoder, sentenceEncodingOptions } from '../encoders/prompted-encoder.js'
import { SentenceEncoder } from '../encoders/sentence-encoder.js'
import { StaticEncoder } from '../encoders/static-encoder.js'
import { type Options, type RunOptions, oneOf } from '../options.js'
import { downloadModel, downloadOptions } from '../encoders/hub.js'
import { type Command, group } from './command.js'
import { UsageError } from './flags.js'
import { textsOf } from './lines.js'
import { newDocumentsCommand } from './new-documents.js'
import { sentencesTrain } from './sentences-train.js'
import type { Session } from './session.js'
import { runFlags } from './train.js'

const { normalize, dimensions, truncate } = sentenceEncodingOptions

const ownOptions = {
  /** Whether the folder's prompt for what is looked for, or for what is found, stands before each text. */
  as: oneOf(['text', 'query', 'document'], 'which of the prompts stands before each text'),
  normalize,
  dimensions,
  truncate,
  /** Of 8 bits: less than half of the time, for vectors that are a little less exact (see `sentenceEncoderOptions`). */
  weights: oneOf(['float32', 'int8'], 'how exact the weights of a Transformer are'),
}

type Encoding = Options<typeof ownOptions> & RunOptions

const verbs = { text: 'encode', query: 'encodeQuery', document: 'encodeDocument' } as const

const encode = newDocumentsCommand({
  name: 'sentences encode',
  summary: 'makes vectors of texts, the lines of a file, by a pretrained model',
  model: 'a folder of sentence-transformers, Hugging Face or model2vec',
  joins: false,
  rows: 'vectors',
  values: 'dimensions',
  title: 'Vectors',
  options: ownOptions,
  run: group('Run', runFlags, { short: { quiet: 'q' } }),
  examples: [
    'all-MiniLM-L6-v2 texts.txt -o vectors.npy',
    'all-MiniLM-L6-v2 --as query < queries.txt',
    'all-MiniLM-L6-v2 texts.txt --weights int8 -o vectors.npy',
  ],
  async open(path, run, options): Promise<PromptedEncoder & Disposable> {
    const { weights } = options as Encoding
    if (!(await StaticEncoder.isFolder(path))) {
      return SentenceEncoder.load(path, { ...run, ...(weights && { precision: weights }) })
    }
    if (weights === 'int8') throw new UsageError('--weights int8 is of a Transformer: this is none')
    return StaticEncoder.load(path, run)
  },
  async make(encoder, source, options) {
    const { as = 'text', weights: _, ...rest } = options as Encoding
    return encoder[verbs[as]](textsOf(source), rest)
  },
})

const { revision, endpoint, cache, files } = downloadOptions

type Downloading = Options<typeof downloadOptions> & { readonly quiet?: boolean }

const download: Command = {
  name: 'sentences download',
  summary: 'brings a model of a hub, if it is not there, and prints its folder',
  usage: 'NAME [flags]',
  operands: { NAME: 'as owner/model; what opens private ones is in HF_TOKEN' },
  count: { from: 1, to: 1 },
  groups: [
    group('Model', { revision, endpoint, cache, files }),
    group('Run', { quiet: runFlags.quiet }, { short: { quiet: 'q' } }),
  ],
  examples: [
    'sentence-transformers/all-MiniLM-L6-v2',
    'minishlab/potion-base-8M --revision main --cache models',
  ],

  async run({ quiet, ...options }: Downloading, [name]: readonly string[], session: Session) {
    const { signal } = session
    const work = async (onProgress: RunOptions['onProgress']) =>
      downloadModel(name!, { ...options, signal, onProgress })
    session.print(await session.withProgress({ quiet }, work))
  },
}

export const sentencesCommands: readonly Command[] = [encode, sentencesTrain, download]
