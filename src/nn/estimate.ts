// How much memory a training takes, before it starts.
import { estimateNetwork } from '../native.js'
import { type Options, type RunOptions, flag, integer, refusal, settle } from '../options.js'
import { run } from '../run.js'
import { type NetworkDescription, toJson } from './description.js'
import { companions } from './losses.js'
import { networkTrainingOptions } from './training.js'
import { adam } from './optimizers.js'

const { batchSize, accumulate, clip, truncate, optimizer, freeze } = networkTrainingOptions

/** Every option of `estimateMemory`. */
export const estimateOptions = {
  /** How many examples there are; of a stream, those of two blocks. Default: they are left out. */
  examples: integer(0, { from: 0 }, 'how many examples there are'),
  /** Positions of the longest item, where an input is a sequence of any length. */
  length: integer(undefined, { from: 1 }, 'positions of the longest item'),
  /** As for `Network.train`. */
  batchSize,
  /** As for `Network.train`. */
  accumulate,
  /** As for `Network.train`. */
  clip,
  /** As for `Network.train`. */
  truncate,
  /** As for `Network.train`. */
  optimizer,
  /** As for `Network.train`. */
  freeze,
  /** Whether there are validation examples: then the best parameters are kept beside the others. */
  validation: flag(false, 'whether there are validation examples'),
}

/** The options of `estimateMemory`: see `estimateOptions`. */
export type EstimateOptions = Options<typeof estimateOptions> & RunOptions

/**
 * The most bytes that a training of a network takes: parameters, their gradients and what the optimizer keeps,
 * examples, and all that lies between the layers for the longest items that `threads` work on at a time, both ways.
 *
 *     await estimateMemory(description, { batchSize: 64, length: 500, examples: 100_000 })
 *
 * It makes the network and lets a few items through, so it takes as long as they do, and their memory.
 *
 * @throws {InvalidOptionError}
 * @throws {InlayError} `INVALID_INPUT` the description is wrong, or takes no items of that length
 */
export async function estimateMemory(
  description: NetworkDescription,
  options: EstimateOptions = {},
): Promise<number> {
  const who = 'estimateMemory'
  const { settings, run: runSettings } = settle(estimateOptions, options, who)
  const any = description.inputs.some(({ positions }) => positions === null)
  const refuse = refusal(who)
  if (any && settings.length === undefined) {
    refuse('length', 'must be given where items are sequences of any length')
  }
  if (!any && settings.length !== undefined) {
    refuse('length', 'has no meaning where all items have one shape')
  }
  const prospect = {
    items: settings.examples,
    batch: settings.batchSize,
    parts: description.loss ? 1 + Object.keys(companions(description.loss)).length : 1,
    length: settings.length ?? 1,
    truncate: settings.truncate,
    loss: description.loss,
    optimizer: settings.optimizer ?? adam(),
    frozen: settings.freeze,
    holds: settings.accumulate > 1 || settings.clip !== undefined,
    validation: settings.validation,
  }
  return run<number>(who, runSettings, (spec, events) =>
    estimateNetwork(toJson(description), JSON.stringify(prospect), spec, events),
  )
}
