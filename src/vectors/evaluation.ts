// How word vectors are evaluated, and what comes of it.
import { flag, integer } from '../options.js'
import { type Path, settlePath } from '../path.js'

/** How analogies are scored. */
export const analogyOptions = {
  /** Questions with other than the first, most frequent words are skipped, and answers are looked
   * for among these words only; 30,000 is what word2vec.c's script takes. */
  restrict: integer(30_000, { from: 1 }, 'uses the most frequent words only'),
  /** Whether upper and lower case are one. */
  lowercase: flag(true, 'takes upper and lower case for one'),
}

/** How similarities are scored. */
export const similarityOptions = {
  /** Pairs with other than the first, most frequent words are skipped. Default: none. */
  restrict: integer(undefined, { from: 1 }, 'uses the most frequent words only'),
  lowercase: analogyOptions.lowercase,
}

/** Questions or pairs: a file, or their text. */
export type Questions = Path | { readonly text: string }

/** How many right, of those that could be asked. */
export interface AnalogyScore {
  /** Of one section of the questions. */
  readonly name: string
  readonly correct: number
  readonly total: number
}

/** What `evaluateAnalogies` found. */
export interface AnalogyEvaluation {
  /** `correct / total`; NaN when no question could be asked. */
  readonly accuracy: number
  readonly correct: number
  /** Questions whose four words are all known. */
  readonly total: number
  /** Questions with an unknown word. */
  readonly skipped: number
  /** Sections whose name does not begin with "gram". */
  readonly semantic: { readonly correct: number; readonly total: number }
  /** Sections whose name begins with "gram". */
  readonly syntactic: { readonly correct: number; readonly total: number }
  readonly sections: readonly AnalogyScore[]
}

/** What `evaluateSimilarity` found. */
export interface SimilarityEvaluation {
  /** Rank correlation of our cosines with the scores of people; ties share their mean rank. */
  readonly spearman: number
  readonly pearson: number
  /** Pairs whose words are both known. */
  readonly pairs: number
  /** Pairs with an unknown word. */
  readonly skipped: number
}

/** Where questions come from.
 *
 * @throws {InvalidOptionError}
 */
export function settleQuestions(
  questions: unknown,
  who: string,
): {
  path: string | undefined
  text: string | undefined
} {
  const given = (questions ?? {}) as { text?: unknown }
  if (typeof given.text === 'string') return { path: undefined, text: given.text }
  return { path: settlePath(questions, who), text: undefined }
}
