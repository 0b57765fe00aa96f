// inlay lda: from documents to topics, what is in them, and the topics of new documents.
import { corpusOptions } from '../corpus/corpus.js'
import { Phrases } from '../corpus/phrases.js'
import { type Options, type RunOptions, integer, text } from '../options.js'
import { ldaOptions, topicMapOptions, transformOptions } from '../topics/lda-options.js'
import { Lda } from '../topics/lda.js'
import { type Command, group } from './command.js'
import { checkWritten } from './files.js'
import { newDocumentsCommand } from './new-documents.js'
import { UsageError } from './flags.js'
import { quantity } from './quantities.js'
import { checkpoint, resumable } from './resume.js'
import type { Session } from './session.js'
import { quietFlags, runFlags } from './train.js'

const trainFlags = {
  output: text('where the model goes: a safetensors file'),
  model: text('a model to learn on from, whose counts stay'),
  phrases: text('joins the phrases of this file, as `inlay phrases train` writes it'),
  checkpoint,
  checkpointEvery: ldaOptions.checkpointEvery,
}

const training = Object.fromEntries(
  Object.entries(ldaOptions).filter(
    ([name]) => !Object.hasOwn({ ...corpusOptions, ...trainFlags }, name),
  ),
)

type TrainGiven = Options<Omit<typeof ldaOptions, 'phrases'> & typeof trainFlags & typeof runFlags>

const train: Command = {
  name: 'lda train',
  summary: 'finds the topics of documents, the lines of text',
  usage: 'CORPUS... -o MODEL [flags]',
  operands: {
    CORPUS: 'text, a document a line: files, globs or folders/; .gz and .zst are read as they are',
  },
  count: { from: 1, to: Infinity },
  groups: [
    group('Files', trainFlags, { flags: { checkpoint: 'resume' }, short: { output: 'o' } }),
    group('Training', training),
    group('Text', corpusOptions),
    group('Run', runFlags, { short: { quiet: 'q' } }),
  ],
  examples: [
    'articles.txt -o topics.safetensors --topics 50 --lowercase --tokenizer words --stop-words @stop.txt',
    "'news/*.txt.gz' -o topics.safetensors --topics 1000 --resume news.checkpoint",
    'new.txt -o newer.safetensors --model topics.safetensors --iterations 50',
  ],

  async run(given: TrainGiven, corpora: readonly string[], session: Session) {
    const { output, model, quiet, phrases, ...options } = given
    if (output === undefined) throw new UsageError('-o MODEL is missing')
    checkWritten(
      [...corpora, model, phrases].filter((read) => read !== undefined),
      { '-o': output, '--resume': options.checkpoint },
    )
    const work = async (onProgress: RunOptions['onProgress']) => {
      const run = { signal: session.signal, onProgress }
      using joined = phrases === undefined ? undefined : await Phrases.open(phrases, run)
      using before = model === undefined ? undefined : await Lda.open(model, run)
      const source = { files: corpora }
      const settings = { ...options, phrases: joined, ...run }
      using trained = before
        ? await before.update(source, settings)
        : await Lda.train(source, settings)
      await trained.save(output, run)
      return trained.dimensions
    }
    const found = await resumable(options.checkpoint, session, () =>
      session.withProgress({ quiet }, work),
    )
    if (!quiet) session.note(`${quantity(found, 'topics')} in ${output}`)
  },
}

const topicsFlags = { topK: integer(10, { from: 1 }, 'words of each topic') }

const topics: Command = {
  name: 'lda topics',
  summary: 'prints the topics of a model: number, share of the text, alpha, first words',
  usage: 'MODEL [flags]',
  operands: { MODEL: 'what `inlay lda train` wrote' },
  count: { from: 1, to: 1 },
  groups: [group('Flags', topicsFlags, { short: { topK: 'k' } })],
  examples: ['topics.safetensors -k 20'],

  async run({ topK }: Options<typeof topicsFlags>, [path]: readonly string[], session: Session) {
    using model = await Lda.open(path!)
    const { sizes, alpha } = model
    const all = sizes.reduce((sum, size) => sum + size, 0)
    for (const [topic, words] of (await model.topWords(topK)).entries()) {
      const share = (sizes[topic]! / all).toFixed(4)
      const names = words.map(({ word }) => word).join(' ')
      session.print(`${topic}\t${share}\t${alpha[topic]!.toPrecision(3)}\t${names}`)
    }
  },
}

type MapGiven = Options<typeof topicMapOptions>

const map: Command = {
  name: 'lda map',
  summary: 'prints a map of topics as an HTML page',
  usage: 'MODEL [flags] > MAP.html',
  operands: { MODEL: 'what `inlay lda train` wrote' },
  count: { from: 1, to: 1 },
  groups: [group('Flags', topicMapOptions)],
  examples: ["topics.safetensors --title 'Our articles' > topics.html"],

  async run(given: MapGiven, [path]: readonly string[], session: Session) {
    const { signal } = session
    using model = await Lda.open(path!, { signal })
    session.print((await model.mapPage({ ...given, signal })).trimEnd())
  },
}

const transform = newDocumentsCommand({
  name: 'lda transform',
  summary: 'gives the topics of new documents, the lines of a file',
  model: 'what `inlay lda train` wrote',
  rows: 'mixtures',
  values: 'topics',
  title: 'Documents',
  options: transformOptions,
  run: group('Run', quietFlags, { short: { quiet: 'q' } }),
  examples: ['topics.safetensors new.txt -o new.npy', 'topics.safetensors < new.txt'],
  open: (path, run) => Lda.open(path, run),
  make: (model, source, options) => model.transform(source, options),
})

export const ldaCommands: readonly Command[] = [train, topics, transform, map]
