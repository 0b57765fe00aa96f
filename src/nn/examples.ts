// What a network learns from, as columns.
import type { ColumnHandle } from '../native.js'
import { type RunSettings, checkKnown, isIterable, refusal, wrongOption } from '../options.js'
import { type Items, columnOf } from './columns.js'
import { type Input, type NetworkDescription, summary } from './description.js'
import { type Loss, companions, wantsClasses } from './losses.js'

/** What a network learns from: a column for each of its inputs, and what is wanted. */
export interface Examples {
  /** Items of the only input, or of each by its name. */
  readonly inputs: Items | Readonly<Record<string, Items>>
  /** What is wanted of each item: for `crossEntropy` and `sampledSoftmax` its class, or a class for each position; for
   * `cosineSimilarity` its score with its other; else as many numbers as the network gives. Without, what goes into the
   * first input. */
  readonly targets?: Items
  /** For `contrastive` and `triplet`, in the place of targets: what is like each item, as `inputs` are. */
  readonly positives?: Items | Readonly<Record<string, Items>>
  /** What is not like it; `contrastive` can do without. */
  readonly negatives?: Items | Readonly<Record<string, Items>>
  /** For `cosineSimilarity`: what each item is compared with. */
  readonly others?: Items | Readonly<Record<string, Items>>
}

/** All that examples can have. */
const parts = ['inputs', 'targets', 'positives', 'negatives', 'others']

/** What a target looks like: classes for one loss, as many numbers as come out for the others. */
export function targetsOf(description: NetworkDescription, who: string): Omit<Input, 'name'> {
  if (description.loss?.kind === 'cosine-similarity') {
    return { content: 'values', positions: [], width: 1 }
  }
  const shape = summary(description, who).at(-1)!.shape
  const axes = shape.slice(1, -1).split(', ')
  const width = Number(axes.pop())
  const positions = axes.includes('any') ? null : axes.map(Number)
  return description.loss && wantsClasses(description.loss)
    ? { content: 'ids', positions, width: 1 }
    : { content: 'values', positions, width }
}

/** The column of what is wanted; `undefined`: what goes in. */
export async function wantedOf(
  kind: Omit<Input, 'name'>,
  { targets }: Examples,
  option: string,
  who: string,
  { signal }: RunSettings,
): Promise<ColumnHandle | undefined> {
  if (targets === undefined && kind.content === 'ids') {
    throw wrongOption(option, 'a class for each item or position', targets, who)
  }
  return targets && columnOf(targets, kind, option, who, signal, true)
}

/**
 * A column for each input; behind them, if the loss is over pairs, as many of positives and of negatives.
 *
 * @throws {InlayError} `INVALID_INPUT` there are no examples
 */
export async function itemsOf(
  inputs: readonly Input[],
  loss: Loss,
  examples: Examples,
  place: string,
  who: string,
  settings: RunSettings,
): Promise<ColumnHandle[]> {
  if (typeof examples !== 'object' || examples === null) {
    throw wrongOption('examples', 'an object with `inputs`, or a stream', examples, who)
  }
  // `target` for `targets` would be no error, but an autoencoder.
  checkKnown(Object.keys(examples), parts, 'part of examples', who, place)
  const wants = companions(loss)
  if (wants.others && examples.targets === undefined) {
    throw wrongOption(`${place}targets`, 'a score for each pair', undefined, who)
  }
  if (wants.positives && examples.targets !== undefined) {
    refusal(who)(`${place}targets`, `is not for \`${loss.kind}\`, which takes \`positives\``)
  }
  // Nothing to learn from would be a network of random parameters; nothing held out has a loss of 0, and the first
  // epoch would be the best one.
  const none = place === '' ? 'there are no examples' : '`validation` has no examples'
  const { inputs: items } = examples
  const columns = await columnsOf(inputs, items, who, settings, `${place}inputs`, none)
  for (const part of ['positives', 'negatives', 'others'] as const) {
    const [given, option] = [examples[part], `${place}${part}`]
    if (given !== undefined && !wants[part]) {
      const losses = part === 'others' ? '`cosineSimilarity`' : '`contrastive` and `triplet`'
      refusal(who)(option, `is for ${losses}, and the loss is '${loss.kind}'`)
    }
    if (given === undefined && wants[part] === 'needed') {
      throw wrongOption(option, `items as \`inputs\` has them, for \`${loss.kind}\``, given, who)
    }
    if (given !== undefined) {
      columns.push(...(await columnsOf(inputs, given, who, settings, option)))
    }
  }
  return columns
}

/** A column for each input; `none` as in `columnOf`. */
export async function columnsOf(
  inputs: readonly Input[],
  given: Examples['inputs'],
  who: string,
  { signal }: RunSettings,
  option = 'inputs',
  none?: string,
): Promise<ColumnHandle[]> {
  const alone = inputs.length === 1 && isIterable(given)
  if (typeof given === 'object' && given !== null && !isIterable(given)) {
    const names = inputs.map(({ name }) => name)
    checkKnown(Object.keys(given), names, 'input', who, `${option}.`)
  }
  const columns: ColumnHandle[] = []
  for (const input of inputs) {
    const items = alone ? (given as Items) : named(given, input.name, option, who)
    // What has none in a further input is said below, where items are counted.
    const said = columns.length === 0 ? none : undefined
    columns.push(await columnOf(items, input, option, who, signal, false, said))
  }
  return columns
}

function named(given: Examples['inputs'], name: string, option: string, who: string): Items {
  const items = typeof given === 'object' && given !== null && Object.hasOwn(given, name)
  if (items) return (given as Readonly<Record<string, Items>>)[name]!
  throw wrongOption(option, `items, or an object with \`${name}\``, given, who)
}
