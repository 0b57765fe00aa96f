// What training makes small.
import {
  type Options,
  custom,
  flag,
  integer,
  oneOf,
  real,
  settleAlone,
  wrongOption,
} from '../options.js'
import type { Layer, Required } from './layer.js'

/** A loss: a frozen value. */
export interface Loss {
  readonly kind: (typeof kinds)[number]
  readonly weights?: readonly number[]
  readonly smoothing?: number
  readonly temperature?: number
  readonly symmetric?: boolean
  readonly margin?: number
  readonly distance?: 'euclidean' | 'cosine'
  readonly samples?: number
  readonly distribution?: 'log-uniform' | 'uniform'
}

const kinds = [
  'cross-entropy',
  'sampled-softmax',
  'binary-cross-entropy',
  'squared-error',
  'contrastive',
  'cosine-similarity',
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
  others?: 'needed'
} {
  if (kind === 'contrastive') return { positives: 'needed', negatives: 'possible' }
  if (kind === 'cosine-similarity') return { others: 'needed' }
  return kind === 'triplet' ? { positives: 'needed', negatives: 'needed' } : {}
}

/** Whether it wants a class for each item or position. @internal */
export function wantsClasses({ kind }: Loss): boolean {
  return kind === 'cross-entropy' || kind === 'sampled-softmax'
}

/** What a loss asks of the last layer. @internal */
export function checkLast({ kind, samples = 0 }: Loss, last: Layer, who: string): void {
  if (kind !== 'sampled-softmax') return
  if (last.kind !== 'dense') {
    const expected = 'layers that end with a `dense`, which `sampledSoftmax` takes over'
    throw wrongOption('layers', expected, last.kind, who)
  }
  if (samples > (last['units'] as number)) {
    const expected = `one with at most as many \`samples\` as there are classes, ${last['units']}`
    throw wrongOption('loss', expected, samples, who)
  }
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

const sampledSoftmaxOptions = {
  /** Classes that each batch is compared with, all of them different; a small share of all [num_sampled]. */
  samples: integer(undefined, { from: 1 }, 'classes that each batch is compared with'),
  /** How they are drawn: as is right where classes are numbered from the most frequent one down, as the words of
   * a vocabulary are (P(c) = ln((c + 2) / (c + 1)) / ln(classes + 1)), or all alike. */
  distribution: oneOf(['log-uniform', 'uniform'], 'how they are drawn'),
}

/**
 * Cross-entropy over very many classes, learnt from a few of them at a time (Jean et al. 2015, arXiv:1412.2007;
 * TensorFlow's `sampled_softmax_loss`). The last layer is a `dense` with a unit for each class. Training does not work out
 * all that it gives: each row meets its own class c and those s that were drawn for the whole batch, by `seed` and step,
 *
 *     -ln(exp(u(c)) / (exp(u(c)) + Σ exp(u(s))))     u(k) = score of k - ln(how often k is expected among them)
 *
 * where a class s that is c is left out. The more `samples`, the nearer is the gradient to that of `crossEntropy`; with all
 * classes it is the same. Everything but training looks at all classes: `encode` gives a score for each, and `evaluate`
 * and validation examples have the loss of `crossEntropy`. In `history`, `loss` is the sampled one, which is lower.
 * Targets are those of `crossEntropy`.
 *
 *     network({ input, layers: [..., dense({ units: 100_000 })], loss: sampledSoftmax({ samples: 1000 }) })
 */
export function sampledSoftmax(
  options: Required<Options<typeof sampledSoftmaxOptions>, 'samples'>,
): Loss {
  const who = 'sampledSoftmax'
  const { samples, distribution } = settleAlone(sampledSoftmaxOptions, options, who)
  if (samples === undefined) {
    throw wrongOption('samples', sampledSoftmaxOptions.samples.expected, samples, who)
  }
  return Object.freeze({ kind: 'sampled-softmax', samples, distribution })
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

/**
 * (cos(a, b) - score)²: the cosine of what the network gives for two items is to be their score (Reimers and Gurevych 2019,
 * arXiv:1908.10084, section 3). Examples are `{ inputs, others, targets }`, with a score from -1 to 1 for each pair.
 * sentence-transformers' `CosineSimilarityLoss`.
 */
export function cosineSimilarity(): Loss {
  return Object.freeze({ kind: 'cosine-similarity' })
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
