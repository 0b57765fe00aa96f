// What training makes small.
import { type Options, custom, real, settleAlone } from '../options.js'

/** A loss: a frozen value. */
export interface Loss {
  readonly kind: 'cross-entropy' | 'binary-cross-entropy' | 'squared-error'
  readonly weights?: readonly number[]
  readonly smoothing?: number
}

/** Whether it is one of those that are made here. @internal */
export function isLoss(given: unknown): given is Loss {
  const kinds = ['cross-entropy', 'binary-cross-entropy', 'squared-error']
  return kinds.includes((given as Partial<Loss> | null)?.kind ?? '')
}

const crossEntropyOptions = {
  /** What each class counts. Default: all the same. */
  classWeights: custom<readonly number[]>(
    'an array of numbers from 0 up',
    (given) =>
      Array.isArray(given) && given.every((weight) => Number.isFinite(weight) && weight >= 0),
    'what each class counts',
  ),
  /** This share of what is wanted is spread over all classes (Szegedy et al. 2016, arXiv:1512.00567). */
  labelSmoothing: real(0, { from: 0, below: 1 }, 'share that is spread over all classes'),
}

/** -ln softmax(scores)[class], where the network gives a score for each class: for one class per item, or
 * per position. Its target is the class's number; -1 says that none is wanted there. */
export function crossEntropy(options: Options<typeof crossEntropyOptions> = {}): Loss {
  const { classWeights, labelSmoothing } = settleAlone(crossEntropyOptions, options, 'crossEntropy')
  const weights = classWeights && { weights: Object.freeze([...classWeights]) }
  return Object.freeze({ kind: 'cross-entropy', smoothing: labelSmoothing, ...weights })
}

/** -(t·ln σ(s) + (1 - t)·ln(1 - σ(s))) for each score s: several labels at once. Targets are as many numbers
 * from 0 to 1 as there are scores. */
export function binaryCrossEntropy(): Loss {
  return Object.freeze({ kind: 'binary-cross-entropy' })
}

/** (y - t)² for each value. Without targets, an item's own values are wanted: an autoencoder. */
export function squaredError(): Loss {
  return Object.freeze({ kind: 'squared-error' })
}
