// A result is looked at before its time counts: a tool that does less is not faster.
import { WordVectors } from 'inlay'
import type { BenchmarkText } from './texts.js'

/**
 * A file of vectors must hold the text's frequent words, each with a vector that training has moved.
 *
 * @throws {Error} saying what is wrong with whose result
 */
export async function checkVectors(
  name: string,
  path: string,
  dimensions: number,
  text: BenchmarkText,
): Promise<void> {
  const wrong = (problem: string) => new Error(`${name} did not do the work: ${problem}`)
  using vectors = await WordVectors.open(path, { invalidUtf8: 'keep' })
  // word2vec.c counts the ends of lines as a word, GloVe's C tool adds one for unknown words.
  const size = vectors.size - ['</s>', '<unk>'].filter((word) => vectors.has(word)).length
  if (size !== text.frequent) throw wrong(`${size} words, the text has ${text.frequent}`)
  if (vectors.dimensions !== dimensions) throw wrong(`${vectors.dimensions} dimensions`)
  const rows = await vectors.matrix()
  const broken = rows.findIndex((value) => !Number.isFinite(value))
  if (broken >= 0) throw wrong(`${rows[broken]} in a vector`)
  // Vectors begin between -0.5 and 0.5 over the dimensions: a length of sqrt(1 / 12 dimensions).
  const begin = Math.sqrt(1 / (12 * dimensions))
  const known = Math.min(1000, vectors.size)
  let length = 0
  for (let word = 0; word < known; word++) {
    length += Math.hypot(...rows.subarray(word * dimensions, (word + 1) * dimensions)) / known
  }
  if (length < 2 * begin) throw wrong(`vectors of length ${length} on average, ${begin} at first`)
}
