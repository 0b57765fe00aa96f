// inlay glove: from text files, or from counted pairs, to a file of word vectors.
import { type Options, text } from '../options.js'
import { corpusOptions } from '../corpus/corpus.js'
import { Cooccurrence, countingOptions } from '../words/cooccurrence.js'
import { Glove, gloveOptions } from '../words/glove.js'
import { type Command, group } from './command.js'
import { checkWritten } from './files.js'
import { UsageError } from './flags.js'
import { quantity } from './quantities.js'
import type { Session } from './session.js'
import { quietFlags, trainCommand } from './train.js'

const instead = {
  cooccurrence: text('trains on these pairs instead of text: a cooccurrence.bin'),
  vocabulary: text('the vocab.txt that belongs to --cooccurrence'),
}

const train = trainCommand({
  model: 'glove',
  summary: 'trains word vectors on how often words meet',
  options: gloveOptions,
  groups: [group('Counting', countingOptions)],
  instead,
  examples: [
    'corpus.txt -o vectors.safetensors',
    "'news/*.txt.gz' -o vectors.txt --dimensions 300 --resume news.checkpoint",
    '--cooccurrence cooccurrence.bin --vocabulary vocab.txt -o vectors.safetensors',
  ],
  check({ cooccurrence, vocabulary }, corpora) {
    if (cooccurrence === undefined && corpora.length === 0) {
      throw new UsageError('too little was given: CORPUS or --cooccurrence PAIRS is wanted')
    }
    if (cooccurrence !== undefined && corpora.length > 0) {
      throw new UsageError('CORPUS and --cooccurrence cannot both be given')
    }
    if ((cooccurrence === undefined) !== (vocabulary === undefined)) {
      throw new UsageError('--cooccurrence and --vocabulary belong together')
    }
  },
  async train(source, settings, { cooccurrence, vocabulary }) {
    const { threads, signal, onProgress } = settings
    const run = { threads, signal, onProgress }
    using pairs =
      cooccurrence === undefined
        ? undefined
        : await Cooccurrence.open(cooccurrence, { vocabulary: vocabulary!, ...run })
    return Glove.train(pairs ?? source, settings)
  },
})

const pairFlags = {
  output: text("where the pairs go, as the C tool's cooccurrence.bin"),
  vocabulary: text("where the words go, as the C tool's vocab.txt"),
}

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
