// How labels are printed: those of an item, and how well they are told apart.
import type { ClassEvaluation } from '../models/class-evaluation.js'
import type { Session } from './session.js'

/** What is said of a label. */
interface Said {
  readonly label: string
  readonly probability: number
}

/** Labels and their probabilities, the likeliest first, on one line. */
export function labelRow(predictions: readonly Said[]): string {
  return predictions
    .map(({ label, probability }) => `${label}\t${probability.toFixed(6)}`)
    .join('\t')
}

/** The likeliest labels of a row of probabilities. */
export function likeliest(
  labels: readonly string[],
  probabilities: ArrayLike<number>,
  { topK = 1, threshold = 0 }: { topK?: number | undefined; threshold?: number | undefined },
): Said[] {
  return labels
    .map((label, at) => ({ label, probability: probabilities[at]! }))
    .filter(({ probability }) => probability >= threshold)
    .toSorted((a, b) => b.probability - a.probability)
    .slice(0, topK)
}

/** Tab-separated: how many `items` are right, and precision, recall and F1 of each label; or JSON. */
export function printEvaluation(
  found: ClassEvaluation,
  items: string,
  json: boolean | undefined,
  session: Session,
): void {
  if (json === true) return session.print(JSON.stringify(found))
  const { count, accuracy, macroF1, labels } = found
  const rate = (value: number) => value.toFixed(4)
  const rows = labels.map((one) =>
    [one.label, one.count, ...[one.precision, one.recall, one.f1].map(rate)].join('\t'),
  )
  session.print(
    [
      `${items}\t${count}`,
      `accuracy\t${rate(accuracy)}`,
      `macro F1\t${rate(macroF1)}`,
      `label\t${items}\tprecision\trecall\tF1`,
      ...rows,
    ].join('\n'),
  )
}
