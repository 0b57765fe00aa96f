// inlay FAMILY train, of models that are networks: from examples to the file of a model.
import { corpusOptions } from '../corpus/corpus.js'
import type { NetworkModel } from '../models/network-model.js'
import type { Epoch } from '../nn/network.js'
import { networkTrainingOptions } from '../nn/training.js'
import { InlayError, InvalidOptionError } from '../errors.js'
import { type Options, type RunOptions, type Table, text } from '../options.js'
import { labelledLineOptions } from '../words/classifier-options.js'
import { type Command, type FlagGroup, group } from './command.js'
import { checkWritten } from './files.js'
import { UsageError } from './flags.js'
import { checkpoint, resumable } from './resume.js'
import type { Session } from './session.js'
import { runFlags } from './train.js'

const output = { output: text('where the model goes: a safetensors file') }
const resuming = { checkpoint, checkpointEvery: networkTrainingOptions.checkpointEvery }

/** What a command that trains a network differs in. */
interface NetworkTrainer<Given, Model extends NetworkModel> extends Pick<
  Command,
  'name' | 'summary' | 'usage' | 'operands' | 'count' | 'examples'
> {
  /** What it learns from: "the lines". */
  readonly learnt: string
  /** Flags that name what is read beside the operands. */
  readonly files: Table
  readonly groups: readonly FlagGroup[]
  /** Throws for what cannot be, before anything is read. */
  check?(given: Given): void
  /** What is read, beside the operands and the files of flags. */
  train(operands: readonly string[], given: Given, run: RunOptions): Promise<Model>
  /** What was learnt: "9.99 k words". */
  told(model: Model): string
}

type TrainGiven = Options<typeof output & typeof resuming & typeof runFlags> & {
  readonly validation?: string | undefined
  readonly patience?: number | undefined
}

/** The command that trains a network. */
export function networkTrainCommand<Given, Model extends NetworkModel>(
  trainer: NetworkTrainer<Given, Model>,
): Command {
  const { learnt, files, groups, check, train, told, ...about } = trainer
  return {
    ...about,
    groups: [
      group(
        'Files',
        { ...output, ...files, ...resuming },
        { flags: { checkpoint: 'resume' }, short: { output: 'o' } },
      ),
      ...groups,
      group('Run', runFlags, { short: { quiet: 'q' } }),
    ],

    async run(given: TrainGiven, operands: readonly string[], session: Session) {
      const { output: target, quiet, ...rest } = given
      if (target === undefined) throw new UsageError('-o MODEL is missing')
      checkTogether(rest)
      check?.(rest as Given)
      const named = Object.keys(files).map((name) => (given as Record<string, unknown>)[name])
      const read = [...operands, ...named].filter((path) => typeof path === 'string')
      checkWritten(read, { '-o': target, '--resume': rest.checkpoint })
      const work = async (onProgress: RunOptions['onProgress']) => {
        const run = { signal: session.signal, onProgress, threads: rest.threads }
        using model = await ofData(learnt, () => train(operands, rest as Given, run))
        await model.save(target, run)
        return [told(model), ...epochTold(model.history, rest.validation), target].join('; ')
      }
      const news = await resumable(rest.checkpoint, session, () =>
        session.withProgress({ quiet }, work),
      )
      if (!quiet) session.note(news)
    },
  }
}

/** What the library says of its examples is of data here, and of no flag; `what` they are: "the lines". */
export async function ofData<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof InvalidOptionError)) throw error
    if (error.context['option'] !== 'examples') throw error
    throw new InlayError('INVALID_INPUT', error.message.replace('`examples`', what))
  }
}

/** As the library has it, by the names of flags. */
function checkTogether({ patience, validation, checkpoint: state, checkpointEvery }: TrainGiven) {
  if (patience !== undefined && validation === undefined) {
    throw new UsageError('--patience has no meaning without --validation')
  }
  if (checkpointEvery !== undefined && state === undefined) {
    throw new UsageError('--checkpoint-every has no meaning without --resume')
  }
}

/** What a flag can say of a model's options, without those that are said by other flags. */
export function sayable(table: Table, ...others: readonly Table[]): Table {
  const left = Object.entries(table).filter(
    ([name, { shape }]) =>
      shape.kind !== 'value' && ![resuming, ...others].some((other) => Object.hasOwn(other, name)),
  )
  return Object.fromEntries(left)
}

const textual = { ...corpusOptions, ...labelledLineOptions }

/** What decides a training, and how text becomes words. */
export function trainingGroups(table: Table): readonly FlagGroup[] {
  const of = (isText: boolean) =>
    Object.fromEntries(
      Object.entries(table).filter(([name]) => Object.hasOwn(textual, name) === isText),
    )
  return [group('Training', of(false)), group('Text', of(true))].filter(
    ({ flags }) => flags.length > 0,
  )
}

/** The loss of the epoch whose parameters are kept, and the one on what was held out, if anything was. */
export function epochTold(
  history: readonly Epoch[],
  heldOut: string | undefined,
): readonly string[] {
  const best = history.reduce<number>((found, { validation = Infinity }, at) => {
    return validation < (history[found]!.validation ?? Infinity) ? at : found
  }, 0)
  const kept = heldOut === undefined ? history.length - 1 : best
  const epoch = history[kept]
  if (!epoch) return []
  const { loss, validation } = epoch
  const also = validation === undefined ? '' : `, ${validation.toFixed(4)} on ${heldOut}`
  return [`a loss of ${loss.toFixed(4)} in epoch ${kept + 1} of ${history.length}${also}`]
}
