import { Turns } from '../turns.js'

/** How well a label is told from the others. Where nothing was predicted, or nothing was there, the share in
 * question is 0. */
export interface ClassScore {
  readonly label: string
  /** Of what was predicted to be it, the share that is. */
  readonly precision: number
  /** Of what is it, the share that was predicted to be. */
  readonly recall: number
  /** The harmonic mean of both. */
  readonly f1: number
  /** How many examples are it. */
  readonly count: number
}

/** How well labels are told apart. */
export interface ClassEvaluation {
  /** Examples. */
  readonly count: number
  /** The share that was predicted right. */
  readonly accuracy: number
  /** The mean of all labels' F1. */
  readonly macroF1: number
  /** Each label's scores. */
  readonly labels: readonly ClassScore[]
  /** `confusion[i][j]`: examples of label i that were predicted to be label j. */
  readonly confusion: readonly (readonly number[])[]
}

/** Counts what was wanted and what was found, both by the numbers of labels. */
export async function evaluationOf(
  labels: readonly string[],
  wanted: ArrayLike<number>,
  found: ArrayLike<number>,
): Promise<ClassEvaluation> {
  const confusion = labels.map(() => labels.map(() => 0))
  const turns = new Turns()
  for (let i = 0; i < wanted.length; i++) {
    confusion[wanted[i]!]![found[i]!]! += 1
    if (turns.isOver()) await turns.next()
  }
  const scores = labels.map((label, at) => {
    const right = confusion[at]![at]!
    const count = confusion[at]!.reduce((total, n) => total + n, 0)
    const predicted = confusion.reduce((total, row) => total + row[at]!, 0)
    const [precision, recall] = [share(right, predicted), share(right, count)]
    return {
      label,
      precision,
      recall,
      f1: share(2 * precision * recall, precision + recall),
      count,
    }
  })
  const right = confusion.reduce((total, row, at) => total + row[at]!, 0)
  const macroF1 = share(
    scores.reduce((total, { f1 }) => total + f1, 0),
    labels.length,
  )
  return {
    count: wanted.length,
    accuracy: share(right, wanted.length),
    macroF1,
    labels: scores,
    confusion,
  }
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}
