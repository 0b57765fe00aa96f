// Where the search for a classifier's options looks: how far each may go, and by what steps.
import { type Draw, randomNumbers } from '../random-numbers.js'
import type { ClassifierOptions } from './classifier-options.js'

/** The options of `train` that are searched. */
export type TunedOptions = Pick<
  ClassifierOptions,
  'epochs' | 'learningRate' | 'dimensions' | 'wordNgrams' | 'minn' | 'maxn' | 'bucket'
>

/** A place in the space. */
export interface Point {
  readonly epochs: number
  readonly learningRate: number
  readonly dimensions: number
  readonly wordNgrams: number
  /** `minn` and `maxn`. */
  readonly lengths: readonly [minn: number, maxn: number]
  readonly bucket: number
  /** Values that share a byte, where the model is quantized. */
  readonly dsub: number
}

/** How far a step goes at the beginning of the search and at its end: a standard deviation. */
type Reach = readonly [first: number, last: number]
/** Lengths of character n-grams. */
const lengths = [
  [0, 0],
  [2, 4],
  [2, 5],
  [3, 6],
] as const

/** One in so many options stays as it is in a step. */
const stays = 3
/** How often a step that leads where the search has been is drawn again. */
const redraws = 100

/** The widest vectors of a model in a file of so many bytes with room for at least as much again in
 * words and n-grams; below 1 where there is no such model. */
export function dimensionsFor(bytes: number | undefined, labels: number): number {
  if (bytes === undefined) return 500
  // The centroids of a dimension, and the labels' own values or theirs.
  const isQuantized = labels >= 256
  const aDimension = isQuantized ? 2048 + labels / 2 : 1024 + 4 * labels
  // Names of labels, the least number of words, and what frames them.
  const rest = 8000 + 24 * labels
  return Math.min(500, Math.floor((bytes - rest) / 2 / aDimension))
}

/** Random steps from the best place so far, wide ones first; the same for the same seed. */
export class TuningSpace {
  readonly #random: Draw
  readonly #seen = new Set<string>()
  #best: Point

  constructor(
    /** What is not searched. */
    readonly held: Partial<Point>,
    readonly widest: number,
    seed: number,
  ) {
    this.#random = randomNumbers(seed)
    this.#best = {
      epochs: 5,
      learningRate: 0.1,
      dimensions: Math.min(100, widest),
      wordNgrams: 1,
      lengths: lengths[0],
      bucket: 2_000_000,
      dsub: 2,
      ...held,
    }
  }

  /** Where to look next, `progress` from 0 to 1 into the search: the defaults first, then places
   * that cost no more than `most`, or, if no step leads to one, as little as can be. `undefined`
   * when there is nothing new near the best place. */
  next(progress: number, most = Infinity): Point | undefined {
    let chosen: Point | undefined
    for (let draw = 0; draw <= redraws; draw++) {
      const point = this.#seen.size === 0 ? this.#best : this.#step(progress)
      if (this.#seen.has(keyOf(point))) continue
      if (!chosen || costOf(point) < costOf(chosen)) chosen = point
      if (costOf(chosen) <= most) break
    }
    if (chosen) this.#seen.add(keyOf(chosen))
    return chosen
  }

  /** The next steps go from here. */
  goOnFrom(point: Point): void {
    this.#best = point
  }

  #step(progress: number): Point {
    const from = this.#best
    const step = ([first, last]: Reach) => {
      const far = normal(this.#random) * (first + (last - first) * progress)
      return this.#random() < 1 / stays ? 0 : far
    }
    const within = (value: number, least: number, most: number) =>
      Math.min(Math.max(value, least), most)
    const moved = (value: number, least: number, most: number, reach: Reach) =>
      within(Math.round(value + step(reach)), least, most)
    // In octaves.
    const scaled = (value: number, least: number, most: number, reach: Reach) =>
      within(value * 2 ** step(reach), least, most)
    const place = lengths.findIndex(([minn, maxn]) => `${from.lengths}` === `${[minn, maxn]}`)
    return {
      epochs: Math.round(scaled(from.epochs, 1, 100, [2.5, 1])),
      learningRate: Number(scaled(from.learningRate, 0.01, 5, [2, 0.7]).toPrecision(3)),
      dimensions: Math.round(scaled(from.dimensions, 1, this.widest, [1.2, 0.5])),
      wordNgrams: moved(from.wordNgrams, 1, 5, [2, 1]),
      lengths: lengths[moved(Math.max(place, 0), 0, lengths.length - 1, [1.5, 0.8])]!,
      bucket: Math.round(scaled(from.bucket, 10_000, 10_000_000, [1.5, 0.7])),
      dsub: 2 ** moved(Math.log2(from.dsub), 1, 4, [1.2, 0.6]),
      ...this.held,
    }
  }
}

/** A point as options of `train`; `bucket` only where n-grams have any. */
export function trainingOf(point: Point): TunedOptions {
  const { epochs, learningRate, dimensions, wordNgrams, bucket } = point
  const [minn, maxn] = point.lengths
  const training = { epochs, learningRate, dimensions, wordNgrams, minn, maxn }
  return wordNgrams > 1 || maxn > 0 ? { ...training, bucket } : training
}

/** What a training costs, in no unit: the values that a pass moves, words being five letters long. */
export function costOf({ epochs, dimensions, wordNgrams, lengths: [minn, maxn] }: Point): number {
  let ngrams = 0
  for (let n = Math.max(minn, 1); n <= Math.min(maxn, 7); n++) ngrams += 8 - n
  return epochs * dimensions * (wordNgrams + ngrams)
}

/** Equal for points that give equal models. */
function keyOf(point: Point): string {
  return JSON.stringify([trainingOf(point), point.dsub])
}

/** Box and Muller 1958. */
function normal(random: Draw): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
