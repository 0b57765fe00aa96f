// Our side of the searches, as a program that stays: the number of threads belongs to a process.
//
//     node searcher.js FILE THREADS     each line on stdin: { "kept": ..., "words": [...], "together": ... }
import { createInterface } from 'node:readline'
import { type Neighbour, WordVectors, configure } from 'inlay'
import { stopwatch } from './rounds.js'

/** How the vectors that are searched are kept. */
export type Kept = 'float32' | 'mapped' | 'float16' | 'int8'

export interface Question {
  readonly kept: Kept
  readonly words: readonly string[]
  /** All words in one call, or one after the other. */
  readonly together: boolean
}

const [path, threads] = process.argv.slice(2)
configure({ threads: Number(threads) })
const mapped = await WordVectors.open(path!)
const vectors: Record<Kept, WordVectors> = {
  mapped,
  float32: WordVectors.from(mapped.words, await mapped.matrix(), mapped.dimensions),
  float16: await mapped.withPrecision('float16'),
  int8: await mapped.withPrecision('int8'),
}
// What is made at the first search (lengths of rows, threads) is not part of any.
for (const kept of Object.values(vectors)) await kept.mostSimilar(mapped.words.at(0)!)
console.log('ready')

for await (const line of createInterface({ input: process.stdin })) {
  const { kept, words, together } = JSON.parse(line) as Question
  let found: Neighbour[][] = []
  const sample = await stopwatch(async () => {
    if (together) found = await vectors[kept].mostSimilarEach(words)
    else for (const word of words) found.push(await vectors[kept].mostSimilar(word))
  })
  console.log(JSON.stringify({ ...sample, found: found.map((list) => list.map(pair)) }))
}

/** As gensim gives it. */
function pair({ word, similarity }: Neighbour): [string, number] {
  return [word, similarity]
}
