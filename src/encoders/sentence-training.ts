// How a sentence encoder learns further: its layers with what falls out while training, a loss, and examples as tokens.
import type { Texts } from '../corpus/source.js'
import { Labels } from '../models/labels.js'
import type { TokenizedTexts } from '../native.js'
import { each } from '../nn/columns.js'
import { ids, network } from '../nn/description.js'
import type { Examples } from '../nn/examples.js'
import { dense } from '../nn/layers.js'
import { type Loss, isLoss } from '../nn/losses.js'
import type { Epoch, Network } from '../nn/network.js'
import { adamw } from '../nn/optimizers.js'
import { checkTogether, fallingSchedule, learningOptions, networkTraining } from '../nn/training.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  custom,
  integer,
  iterable,
  list,
  oneOf,
  real,
  settle,
  wrongOption,
} from '../options.js'
import { Turns } from '../turns.js'
import { frozenLayers } from './frozen-layers.js'
import {
  type CollectedExamples,
  type ExampleKind,
  type SentenceExamples,
  collectedExamples,
} from './sentence-examples.js'
import type { SentenceParts } from './sentence-parts.js'

/** Every option of `encoder.train`. */
export const sentenceTrainingOptions = {
  ...learningOptions,
  /** What becomes small: for pairs and triplets `contrastive()` (each text is to find its positive among those of its
   * batch), for triplets also `triplet()`; for pairs with a score `cosineSimilarity()`; for labels `crossEntropy()` of a
   * dense layer that is not kept. Default: the first of these. */
  loss: custom<Loss>(
    'what `contrastive`, `triplet`, `cosineSimilarity` or `crossEntropy` gives',
    isLoss,
    'what training makes small',
  ),
  /** What is put before each text, as for `encode`; or before those of a column: `{ text: 'query', positive: 'passage' }`. */
  prompt: custom<string | Readonly<Record<string, string>>>(
    'a text, or an object of texts',
    (given) =>
      typeof given === 'string' ||
      (typeof given === 'object' &&
        given !== null &&
        Object.keys(given).length > 0 &&
        Object.values(given).every((prompt) => typeof prompt === 'string')),
    'what is put before each text',
  ),
  /** What is done with a text of more tokens than are read: its end is left out and `truncated` counts it, or it is an
   * error. */
  truncate: oneOf(['end', 'error'], 'what is done with a text of too many tokens'),
  /** With which values become zero while training. Default: what `config.json` says. */
  dropout: real(undefined, { from: 0, below: 1 }, 'with which values become zero while training'),
  /** How parameters follow their gradients. Default: `adamw()`. */
  optimizer: learningOptions.optimizer,
  /** The highest learning rate. */
  learningRate: real(2e-5, { above: 0 }, 'the highest learning rate'),
  schedule: fallingSchedule,
  /** Steps at the beginning over which the learning rate rises from nothing. Default: a tenth of all. */
  warmup: integer(undefined, { from: 0 }, 'steps over which the learning rate rises'),
  /** The longest that the gradient may be. */
  clip: real(1, { above: 0 }, 'the longest that the gradient may be'),
  /** Passes over the examples. */
  epochs: integer(1, { from: 1, to: 1_000_000 }, 'passes over the examples'),
  /** What stays as it is, by the names that PyTorch has for parameters or by parts of them: 'embeddings',
   * 'encoder.layer.0', 'LayerNorm'. */
  freeze: list('names of parameters that stay as they are'),
  /** Examples of the same kind whose loss is worked out after each epoch: the parameters of the epoch with the lowest one
   * are kept. */
  validation: iterable<SentenceExamples>(
    'examples',
    'examples whose loss is worked out after each epoch',
  ),
}

/** The options of `encoder.train`: see `sentenceTrainingOptions`. */
export type SentenceTrainingOptions = Options<typeof sentenceTrainingOptions> & RunOptions

/** Texts as tokens, with a prompt before each. */
type Tokenize = (
  texts: Texts,
  prompt: string | undefined,
  truncate: 'end' | 'error',
  run: RunSettings,
) => Promise<TokenizedTexts>

/** A network with other parameters for the same description, and how it came to them. */
export interface TrainedSentences {
  readonly found: Network
  readonly history: readonly Epoch[]
  /** Texts that had more tokens than are read. */
  readonly truncated: number
}

/** Trains a copy of an encoder's network. @throws {InlayError} see `encoder.train` */
export async function trainSentences(
  { network: base, model, modules, maxTokens }: SentenceParts,
  tokenize: Tokenize,
  given: SentenceExamples,
  options: SentenceTrainingOptions,
  who: string,
): Promise<TrainedSentences> {
  const { settings, run } = settle(sentenceTrainingOptions, options, who)
  checkTogether(options, settings.schedule, who)
  const learnt = Object.entries(model.tensors).filter(([name]) => !name.endsWith('.relative_bias'))
  const tensors = { ...Object.fromEntries(learnt), ...tensorsOfModules(modules.weights) }
  const layers = base.summary().map(({ name }) => name)
  const freeze = frozenLayers(settings.freeze, tensors, layers, who)
  const examples = await collectedExamples(given, 'examples', who)
  const heldOut =
    settings.validation &&
    (await collectedExamples(settings.validation, 'validation', who, examples))
  const loss = lossFor(examples.kind, settings.loss, who)
  const labels =
    examples.kind.wanted === 'label' ? await Labels.of(examples.labels, who) : undefined
  const head = labels ? [dense({ name: 'labels', units: labels.names.length })] : []
  const description = network({
    input: ids({ name: 'tokens' }),
    layers: [...model.learning(settings.dropout), ...modules.layers, ...head],
    loss,
  })

  let truncated = 0
  const turns = new Turns(run.signal)
  const columnsOf = async (of: CollectedExamples, option: string): Promise<Examples> => {
    const columns: Record<string, Iterable<Uint32Array>> = {}
    for (const [field, column] of Object.entries(of.kind.texts)) {
      const prompt = promptFor(field, of.kind, settings.prompt, who)
      const tokens = await tokenize(of.texts[field]!, prompt, settings.truncate, run)
      for (const count of tokens.counts) {
        truncated += Number(count > maxTokens)
        if (turns.isOver()) await turns.next()
      }
      columns[column] = each(tokens)
    }
    const wanted = labels ? await labels.classesOf(of.labels, option, who) : of.scores
    return { inputs: [], ...columns, ...(of.kind.wanted && { targets: wanted }) }
  }
  const columns = await columnsOf(examples, 'examples')
  const validation = heldOut && (await columnsOf(heldOut, 'validation'))
  const { optimizer = adamw(), batchSize, accumulate, epochs } = settings
  const steps = Math.ceil(examples.count / batchSize / accumulate) * epochs
  const { warmup = Math.round(steps / 10) } = settings
  using begun = await base.transfer(description, run)
  using trained = await begun.train(columns, {
    ...networkTraining(settings, options, run),
    optimizer,
    warmup,
    freeze,
    ...(validation && { validation }),
  })
  const found = await trained.transfer(base.description, run)
  return { found, history: trained.history, truncated }
}

/** Where the parameters of modules are, with the module's path before the names of its tensors. */
function tensorsOfModules(weights: SentenceParts['modules']['weights']) {
  const sources = weights.flatMap(({ path, tensors }) =>
    Object.entries(tensors).map(([name, source]) => {
      return [name, { tensors: source.tensors.map((tensor) => `${path}.${tensor}`) }] as const
    }),
  )
  return Object.fromEntries(sources)
}

/** @throws {InvalidOptionError} the loss is not for these examples */
function lossFor(kind: ExampleKind, given: Loss | undefined, who: string): Loss {
  if (given === undefined) return kind.loss()
  if (kind.losses.includes(given.kind)) return given
  const fields = Object.keys(kind.texts).concat(kind.wanted ?? [])
  const losses = kind.losses.map((loss) => `'${loss}'`).join(' or ')
  throw wrongOption('loss', `${losses} for examples with ${fields.join(', ')}`, given.kind, who)
}

/** @throws {InvalidOptionError} a prompt for a column that is not there */
function promptFor(
  field: string,
  { texts }: ExampleKind,
  given: string | Readonly<Record<string, string>> | undefined,
  who: string,
): string | undefined {
  if (typeof given !== 'object') return given
  const foreign = Object.keys(given).find((column) => !Object.hasOwn(texts, column))
  if (foreign === undefined) return given[field]
  const columns = Object.keys(texts).join(', ')
  throw wrongOption('prompt', `for columns of the examples: ${columns}`, foreign, who)
}
