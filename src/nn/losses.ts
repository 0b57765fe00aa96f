// What training makes small.
import { type Options, custom, flag, oneOf, real, settleAlone } from '../options.js'

/** A loss: a frozen value. */
export interface Loss {
  readonly kind: (typeof kinds)[number]
  readonly weights?: readonly number[]
  readonly smoothing?: number
  readonly temperature?: number
  readonly symmetric?: boolean
  readonly margin?: number
  readonly distance?: 'euclidean' | 'cosine'
}

const kinds = [
  'cross-entropy',
  'binary-cross-entropy',
  'squared-error',
  'contrastive',
  'triplet',
] as const

/** Whether it is one of those that are made here. @internal */
export function isLoss(given: unknown): given is Loss {
  return kinds.some((kind) => kind === (given as Partial<Loss> | null)?.kind)
}

/** What an example has beside its item: 'needed', 'possible' or nothing. @internal */
export function companions({ kind }: Loss): {
  positives?: 'needed'
  negatives?: 'needed' | 'possible'
} {
  if (kind === 'contrastive') return { positives: 'needed', negatives: 'possible' }
  return kind === 'triplet' ? { positives: 'needed', negatives: 'needed' } : {}
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

const contrastiveOptions = {
  /** By which cosines are divided: the smaller, the more the nearest negatives count. */
  temperature: real(0.05, { above: 0 }, 'by which cosines are divided'),
  /** Whether each positive is to find its item among all items as well, and the mean of both is taken. */
  symmetric: flag(false, 'whether positives look for their items as well'),
}

/**
 * Each item is to find its positive among those of the whole batch, by cosines of what the network gives:
 * InfoNCE (van den Oord et al. 2018, arXiv:1807.03748), as in SimCSE and CLIP. For item a with positive p,
 *
 *     -ln(exp(cos(a, p) / temperature) / Σ exp(cos(a, c) / temperature))     c: all positives, all negatives
 *
 * Examples are `{ inputs, positives, negatives? }`: columns of the same kind, which go through the same
 * network. With `positives` the same as `inputs`, both go through it with other dropout. The larger the
 * batch, the more there is to be told apart.
 */
export function contrastive(options: Options<typeof contrastiveOptions> = {}): Loss {
  const settled = settleAlone(contrastiveOptions, options, 'contrastive')
  return Object.freeze({ kind: 'contrastive', ...settled })
}

const tripletOptions = {
  /** By how much the positive is to be nearer. */
  margin: real(1, { above: 0 }, 'by how much the positive is to be nearer'),
  /** The length of the difference, or 1 - cosine, which is from 0 to 2. */
  distance: oneOf(['euclidean', 'cosine'], 'how far two vectors are from each other'),
}

/** max(0, d(a, p) - d(a, n) + margin): each item is to be nearer to its positive than to its negative (Schroff
 * et al. 2015, arXiv:1503.03832). Examples are `{ inputs, positives, negatives }`. PyTorch's
 * `TripletMarginLoss`. */
export function triplet(options: Options<typeof tripletOptions> = {}): Loss {
  return Object.freeze({ kind: 'triplet', ...settleAlone(tripletOptions, options, 'triplet') })
}
