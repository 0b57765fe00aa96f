import type { Vectors } from '../embedder.js'
import { rankedArea } from '../native.js'
import type { RunSettings } from '../options.js'
import { run } from '../run.js'
import { Turns } from '../turns.js'
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

/** The area under the ROC curve of two classes, from the probabilities of both: [rows, 2]. */
export async function areaUnderCurve(
  { values }: Vectors,
  wanted: ArrayLike<number>,
  who: string,
  settings: RunSettings,
): Promise<number | undefined> {
  const classes = Uint32Array.from(wanted)
  const area = await run<number>(who, settings, (spec, events) =>
    rankedArea(values, classes, spec, events),
  )
  return Number.isNaN(area) ? undefined : area
}

/** Compares numbers with what was wanted; 1 of both is so much of the target's unit. */
export async function regressionOf(
  wanted: ArrayLike<number>,
  found: ArrayLike<number>,
  unit = 1,
): Promise<RegressionEvaluation> {
  const count = wanted.length
  const turns = new Turns()
  const mean = async (value: (row: number) => number) => {
    let sum = 0
    for (let row = 0; row < count; row++) {
      sum += value(row)
      if (turns.isOver()) await turns.next()
    }
    return count === 0 ? 0 : sum / count
  }
  const middle = await mean((row) => wanted[row]!)
  const variance = await mean((row) => (wanted[row]! - middle) ** 2)
  const squares = await mean((row) => (wanted[row]! - found[row]!) ** 2)
  const mae = unit * (await mean((row) => Math.abs(wanted[row]! - found[row]!)))
  const r2 = variance === 0 ? 0 : 1 - squares / variance
  return { count, rmse: unit * Math.sqrt(squares), mae, r2 }
}
