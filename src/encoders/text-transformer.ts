// What text models have in common: layers over the ids of tokens, and where their parameters are in the folder's files.
import { InlayError } from '../errors.js'
import type { Layer } from '../nn/layer.js'
import { dropout, gelu, quickGelu, relu, silu } from '../nn/layers.js'
import type { TensorSource } from '../nn/loading.js'
import type { Fields } from './model-folder.js'

/** A text model as layers over the ids of tokens. */
export interface TextTransformer {
  /** `tokens`, `embeddings`, then `layers.0...`. */
  readonly layers: readonly Layer[]
  /** The same with what falls out while training: by the configuration, or everywhere with one probability. */
  readonly learning: (probability?: number) => readonly Layer[]
  /** Where in the files each parameter is. */
  readonly tensors: Readonly<Record<string, TensorSource>>
  /** The most tokens of a text. */
  readonly length: number
  /** Values of a token. */
  readonly width: number
  /** Blocks. */
  readonly depth: number
  /** The layer behind so many blocks: with 0, what goes into the first. */
  readonly hidden: (blocks: number) => string
}

/** A function of each value, under the name of a layer. */
export type Activation = 'gelu' | 'gelu-tanh' | 'quick-gelu' | 'relu' | 'silu'

const activations: Readonly<Record<string, Activation>> = {
  gelu: 'gelu',
  gelu_new: 'gelu-tanh',
  gelu_pytorch_tanh: 'gelu-tanh',
  gelu_fast: 'gelu-tanh',
  quick_gelu: 'quick-gelu',
  relu: 'relu',
  silu: 'silu',
  swish: 'silu',
}

/** What a configuration names. @throws {InlayError} `UNSUPPORTED` another one */
export function activationOf(
  config: Fields,
  names: readonly string[],
  fallback = 'gelu',
): Activation {
  const act = config.text(names, fallback)
  if (Object.hasOwn(activations, act)) return activations[act]!
  throw new InlayError('UNSUPPORTED', `${config.folder.who}: a model with the activation ${act}`)
}

/** The layer of an activation. */
export function activationLayer(activation: Activation): Layer {
  if (activation === 'relu') return relu()
  if (activation === 'silu') return silu()
  return activation === 'quick-gelu' ? quickGelu() : gelu({ tanh: activation === 'gelu-tanh' })
}

/** With this probability values become zero while training. */
export function falling(probability: number): Layer[] {
  return probability > 0 ? [dropout({ probability })] : []
}

/** A probability of a configuration, or the one that is given for all. */
export function shareOf(
  config: Fields,
  key: string,
  fallback: number,
  given: number | undefined,
): number {
  const found = given ?? config.number([key], fallback)
  if (found >= 0 && found < 1) return found
  throw config.wrong([key], 'a number from 0 below 1', found)
}

/** What stands before a model's own names where it has a head: 'bert.embeddings...'. */
export function prefixOf(names: ReadonlySet<string>, words: string): string {
  return [...names].find((name) => name.endsWith(words))?.slice(0, -words.length) ?? ''
}
