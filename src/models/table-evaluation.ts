import type { Vectors } from '../embedder.js'
import type { ClassEvaluation } from './class-evaluation.js'

/** How well classes of rows are told apart. */
export interface TableClassEvaluation extends ClassEvaluation {
  /** Of two classes: how probable it is that a row of one gets a higher probability of it than a row of the
   * other (the area under the ROC curve; ties count half). Absent where there are more classes, or where
   * rows of one are lacking. */
  readonly auc?: number
}

/** How near predicted numbers come. */
export interface RegressionEvaluation {
  /** Rows. */
  readonly count: number
  /** The root of the mean squared error, in units of the target. */
  readonly rmse: number
  /** The mean absolute error, in units of the target. */
  readonly mae: number
  /** The share of the variance that is explained, R²; 0 where all targets are the same. */
  readonly r2: number
}

/** The area under the ROC curve of two classes, from the probabilities of both: of the rank sum (Mann and
 * Whitney 1947). */
export function areaUnderCurve(shares: Vectors, isSecond: readonly boolean[]): number | undefined {
  const scores = Array.from(shares, (row) => row[1]!)
  const order = [...scores.keys()].toSorted((a, b) => scores[a]! - scores[b]!)
  let [seconds, ranks] = [0, 0]
  for (let from = 0, to = 0; from < order.length; from = to) {
    while (to < order.length && scores[order[to]!] === scores[order[from]!]) to += 1
    const among = order.slice(from, to).filter((row) => isSecond[row]).length
    seconds += among
    ranks += (among * (from + 1 + to)) / 2
  }
  const pairs = seconds * (order.length - seconds)
  return pairs === 0 ? undefined : (ranks - (seconds * (seconds + 1)) / 2) / pairs
}

/** Compares numbers with what was wanted. */
export function regressionOf(
  wanted: readonly number[],
  found: ArrayLike<number>,
): RegressionEvaluation {
  const count = wanted.length
  const mean = (values: readonly number[]) =>
    count === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / count
  const squares = mean(wanted.map((number, row) => (number - found[row]!) ** 2))
  const middle = mean(wanted)
  const variance = mean(wanted.map((number) => (number - middle) ** 2))
  return {
    count,
    rmse: Math.sqrt(squares),
    mae: mean(wanted.map((number, row) => Math.abs(number - found[row]!))),
    r2: variance === 0 ? 0 : 1 - squares / variance,
  }
}
