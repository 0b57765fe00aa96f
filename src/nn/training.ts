// The options of a training, what no single one of them can say, and how they go to the native side.
import {
  type Options,
  type RunOptions,
  type RunSettings,
  type Settings,
  custom,
  flag,
  integer,
  list,
  oneOf,
  real,
  refusal,
  text,
} from '../options.js'
import type { Input } from './description.js'
import type { Examples } from './examples.js'
import { type Loss, companions } from './losses.js'
import { type Optimizer, adam, isOptimizer } from './optimizers.js'
/** The options of all that trains a network. In brackets: PyTorch's names. */
export const learningOptions = {
  /** How parameters follow their gradients: `sgd()`, `adam()`, `adamw()`. Default: `adam()`. */
  optimizer: custom<Optimizer>(
    'what `sgd`, `adam` or `adamw` gives',
    isOptimizer,
    'how parameters follow their gradients',
  ),
  /** The highest learning rate [lr]. */
  learningRate: real(0.001, { above: 0 }, 'the highest learning rate'),
  /** How it goes on from there: to zero in a straight line or along half a cosine, or multiplied by
   * `stepFactor` after each `stepEvery` of the training. */
  schedule: oneOf(['constant', 'linear', 'cosine', 'steps'], 'how the learning rate goes on'),
  /** Steps at the beginning over which it rises from nothing. */
  warmup: integer(0, { from: 0 }, 'steps over which the learning rate rises'),
  /** With `schedule: 'steps'` [gamma]. */
  stepFactor: real(0.1, { above: 0, to: 1 }, 'factor of a step'),
  /** With `schedule: 'steps'`: this share of all steps. */
  stepEvery: real(1 / 3, { above: 0, to: 1 }, 'share of all steps'),
  /** With `schedule: 'steps'`: this share of all steps comes before the first. Default: `stepEvery`. */
  stepAfter: real(undefined, { from: 0, to: 1 }, 'share of all steps before the first'),
  /** Passes over the examples. */
  epochs: integer(10, { from: 1, to: 1_000_000 }, 'passes over the examples'),
  /** Items of a batch [batch_size]. */
  batchSize: integer(32, { from: 1, to: 1_000_000 }, 'items of a batch'),
  /** Batches whose gradients are added up before a step. */
  accumulate: integer(1, { from: 1, to: 1_000_000 }, 'batches of a step'),
  /** The longest that the gradient may be; a longer one is made as long as this [max_norm]. */
  clip: real(undefined, { above: 0 }, 'the longest that the gradient may be'),
  /** Whether each epoch has an order of its own. */
  shuffle: flag(true, 'whether each epoch has an order of its own'),
  /** Names of layers that stay as they are. */
  freeze: list('names of layers that stay as they are'),
  /** Examples whose loss is worked out after each epoch: the parameters of the epoch with the lowest one
   * are kept. */
  validation: custom<Examples>(
    'examples',
    (given) => typeof given === 'object' && given !== null && 'inputs' in given,
    'examples whose loss is worked out after each epoch',
  ),
  /** Epochs without a lower loss on `validation` after which training ends. Default: it goes on to the
   * end. */
  patience: integer(undefined, { from: 1 }, 'epochs without a lower validation loss'),
  /** A file that holds the state of the training: written at the start, every `checkpointEvery` seconds, when
   * the run is aborted (the rejection waits for it, and for the batch at hand), and at the end. If it is there
   * at the start, training goes on from it, to the same bytes as if it had never stopped. `Network.open` gives
   * its network: the last parameters that gave a finite loss. */
  checkpoint: text('the file that a training goes on from, and writes its state to'),
  /** Seconds from one checkpoint to the next. */
  checkpointEvery: real(30, { above: 0, to: 1e6 }, 'seconds from one checkpoint to the next'),
}

/** As `schedule`, for models that begin from what is learnt already: the rate falls from the start, if nothing is said. */
export const fallingSchedule = oneOf(
  ['linear', 'constant', 'cosine', 'steps'],
  'how the learning rate goes on',
)

/** The options that `Network.train` has alone. In brackets: PyTorch's names. */
export const networkOnlyOptions = {
  /** Positions of a window [bptt]: long sequences are learnt from window by window. What a layer carries along
   * a sequence goes on from each to the next, and gradients end where a window begins (truncated
   * backpropagation through time, Williams and Peng 1990). A step is one window of each item of a batch.
   * Recurrent layers of one direction, and those that look at each position by itself. */
  truncate: integer(undefined, { from: 1 }, 'positions of a window'),
  /** Of a stream: examples that are read together, rounded up to whole steps; each such block has an order of its
   * own, and there are two of them in memory [buffer_size]. */
  shuffleBuffer: integer(4096, { from: 1 }, 'examples of a stream that are read together'),
  /** Of a stream, whose end nobody knows: the steps along which the learning rate falls, where `schedule` lets it fall. */
  steps: integer(undefined, { from: 1 }, 'steps along which the rate of a stream falls'),
}

/** Every option of `Network.train`. */
export const networkTrainingOptions = { ...learningOptions, ...networkOnlyOptions }

/** The options of `Network.train`: see `networkTrainingOptions`. */
export type NetworkTrainingOptions = Options<typeof networkTrainingOptions> & RunOptions

/** What no single option can say. @internal */
export function checkTogether(
  given: Pick<
    NetworkTrainingOptions,
    'patience' | 'stepFactor' | 'stepEvery' | 'stepAfter' | 'checkpoint' | 'checkpointEvery'
  > & { validation?: unknown },
  schedule: string,
  who: string,
): void {
  const refuse = refusal(who)
  if (given.patience !== undefined && given.validation === undefined) {
    refuse('patience', 'has no meaning without `validation`')
  }
  if (given.checkpointEvery !== undefined && given.checkpoint === undefined) {
    refuse('checkpointEvery', 'has no meaning without `checkpoint`')
  }
  for (const option of ['stepFactor', 'stepEvery', 'stepAfter'] as const) {
    if (given[option] !== undefined && schedule !== 'steps') {
      refuse(option, "is for the schedule 'steps' only")
    }
  }
}

/** The blocks of a stream are whole steps, so that only the last one of an epoch may be smaller. */
export function blockOf(
  inputs: readonly Input[],
  target: Omit<Input, 'name'>,
  { batchSize, accumulate, shuffleBuffer, epochs }: Settings<typeof networkTrainingOptions>,
) {
  const step = batchSize * accumulate
  return { inputs, target, epochs, block: Math.ceil(shuffleBuffer / step) * step }
}

/** What has a meaning for a stream only, and what has none for it. */
export function checkSource(
  stream: boolean,
  given: Pick<NetworkTrainingOptions, 'shuffleBuffer' | 'steps'>,
  schedule: string,
  loss: Loss,
  who: string,
): void {
  const refuse = refusal(who)
  if (stream && companions(loss).positives) {
    refuse('examples', 'of a loss over pairs are columns, and no stream')
  }
  if (!stream && given.shuffleBuffer !== undefined) {
    refuse('shuffleBuffer', 'is for streams of examples only')
  }
  if (!stream && given.steps !== undefined) refuse('steps', 'is for streams of examples only')
  if (stream && schedule !== 'constant' && given.steps === undefined) {
    refuse('schedule', 'has no meaning for a stream, whose end is not known, without `steps`')
  }
  if (schedule === 'constant' && given.steps !== undefined) {
    refuse('steps', "has no meaning where `schedule` is 'constant'")
  }
}

/** What the native side reads. */
export function trainingOf(
  settings: Settings<typeof networkTrainingOptions>,
  loss: unknown,
): string {
  const {
    optimizer = adam(),
    learningRate,
    schedule,
    warmup,
    stepFactor,
    stepEvery,
    stepAfter,
  } = settings
  const shape =
    schedule === 'steps'
      ? { kind: schedule, factor: stepFactor, after: stepAfter ?? stepEvery, share: stepEvery }
      : { kind: schedule }
  return JSON.stringify({
    loss,
    optimizer,
    schedule: { rate: learningRate, warmup, shape },
    epochs: settings.epochs,
    batch: settings.batchSize,
    accumulate: settings.accumulate,
    clip: settings.clip,
    shuffle: settings.shuffle,
    frozen: settings.freeze,
    patience: settings.patience,
    truncate: settings.truncate,
    steps: settings.steps,
    checkpoint: settings.checkpoint && {
      path: settings.checkpoint,
      every: settings.checkpointEvery,
    },
  })
}

/** A model's settled options. */
type Settled = { readonly [name: string]: unknown }

/**
 * Of a model's options those of `Network.train`: what was given, and the model's own defaults where they are
 * not the network's. The model makes `validation` of its own.
 */
export function networkTraining(
  settings: Settled,
  given: object,
  run: RunSettings,
): NetworkTrainingOptions {
  const chosen = Object.entries(learningOptions).filter(([name, option]) => {
    if (name === 'validation') return false
    return name in given || settings[name] !== option.default
  })
  return { ...Object.fromEntries(chosen.map(([name]) => [name, settings[name]])), ...run }
}
