// inlay sentences train: a pretrained model learns further, from a table of examples.
import { existsSync, readdirSync } from 'node:fs'
import { SentenceEncoder } from '../encoders/sentence-encoder.js'
import type { SentenceExample } from '../encoders/sentence-examples.js'
import {
  type SentenceTrainingOptions,
  sentenceTrainingOptions,
} from '../encoders/sentence-training.js'
import { contrastive, triplet } from '../nn/losses.js'
import { type Options, type RunOptions, maybeOneOf, text } from '../options.js'
import { readTable } from '../tables/read-table.js'
import { type Command, group } from './command.js'
import { checkWritten } from './files.js'
import { UsageError } from './flags.js'
import { quantity } from './quantities.js'
import { checkpoint, resumable } from './resume.js'
import type { Session } from './session.js'
import { runFlags } from './train.js'

const losses = { contrastive, triplet }

const files = {
  output: text('the folder that is made; one that is there must be empty', 'FOLDER'),
  validation: text('a table of examples whose loss is worked out after each epoch'),
  checkpoint,
  checkpointEvery: sentenceTrainingOptions.checkpointEvery,
}

const own = {
  loss: maybeOneOf(['contrastive', 'triplet'], 'what becomes small, for examples with negatives'),
  prompt: text('what is put before each text: one of the prompts of the folder, or a text', 'TEXT'),
}

/** What a flag can say, and is not said by another one. */
const training = Object.fromEntries(
  Object.entries(sentenceTrainingOptions).filter(
    ([name, { shape }]) => shape.kind !== 'value' && !Object.hasOwn(files, name),
  ),
)

type Given = Options<typeof files & typeof own & typeof runFlags> &
  Omit<SentenceTrainingOptions, 'validation' | 'loss' | 'prompt'>

export const sentencesTrain: Command = {
  name: 'sentences train',
  summary: 'goes on training a pretrained model, on pairs, triplets, scores or labels',
  usage: 'MODEL EXAMPLES -o FOLDER [flags]',
  operands: {
    MODEL: 'a folder of sentence-transformers or Hugging Face',
    EXAMPLES:
      'CSV or JSON lines with columns `text` and `positive`, and perhaps `negative`; or `text`, `other` and `score`; or `input` and `label`',
  },
  count: { from: 2, to: 2 },
  groups: [
    group('Files', files, { flags: { checkpoint: 'resume' }, short: { output: 'o' } }),
    group('Training', { ...own, ...training }),
    group('Run', runFlags, { short: { quiet: 'q' } }),
  ],
  examples: [
    'all-MiniLM-L6-v2 pairs.csv -o my-encoder --epochs 3',
    'all-MiniLM-L6-v2 scores.tsv -o my-encoder --freeze embeddings,layer.0 --validation held-out.tsv',
  ],

  async run(given: Given, [folder, examples]: readonly string[], session: Session) {
    const { output, validation, loss, quiet, ...options } = given
    if (output === undefined) throw new UsageError('-o FOLDER is missing')
    if (existsSync(output) && readdirSync(output).length > 0) {
      throw new UsageError(`-o ${output}: that is there already`)
    }
    checkWritten([examples!, ...(validation ? [validation] : [])], { '--resume': given.checkpoint })
    const work = async (onProgress: RunOptions['onProgress']) => {
      const run = { signal: session.signal, threads: options.threads, onProgress }
      using encoder = await SentenceEncoder.load(folder!, run)
      using tuned = await encoder.train(examplesOf(examples!), {
        ...options,
        ...run,
        ...(loss && { loss: losses[loss]() }),
        ...(validation && { validation: examplesOf(validation) }),
      })
      await tuned.save(output, run)
      return { history: tuned.history, truncated: tuned.truncated }
    }
    const { history, truncated } = await resumable(options.checkpoint, session, () =>
      session.withProgress({ quiet }, work),
    )
    if (quiet) return
    const { loss: last, validation: heldOut } = history.at(-1)!
    const also = heldOut === undefined ? '' : `, ${heldOut.toFixed(4)} on ${validation}`
    session.note(`a loss of ${last.toFixed(4)} in the last epoch${also}; ${output}`)
    if (truncated > 0) session.note(`${quantity(truncated, 'texts')} were not read to the end`)
  },
}

/** The rows of a table; scores are numbers. */
async function* examplesOf(path: string): AsyncGenerator<SentenceExample> {
  for await (const { score, ...row } of readTable(path)) {
    const number = score === '' ? Number.NaN : Number(score)
    yield (score === undefined ? row : { ...row, score: number }) as unknown as SentenceExample
  }
}
