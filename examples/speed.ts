// The speed of training beside plain JavaScript, on the same words, in the same run.
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { gunzipSync } from 'node:zlib'
import { Corpus, Word2Vec } from 'inlay'
import { numbered, trainInJavaScript } from '../benchmark/javascript.js'

export interface Speed {
  readonly name: string
  /** Words of text a second, those that subsampling leaves out included. */
  readonly speed: number
  /** By how much it is faster than plain JavaScript. */
  readonly ratio?: number
}

const settings = { dimensions: 100, window: 5, negative: 5, subsample: 1e-3, learningRate: 0.025 }
const minCount = 5

/** Trains on the first `limit` words of a text file: on one thread, as JavaScript does, and on all.
 * Three rounds, one contender after the other in each; the median counts. */
export async function compareWithJavaScript(path: string, limit = 100_000): Promise<Speed[]> {
  const sentences = sentencesOf(gunzipSync(readFileSync(path)).toString(), limit)
  const text = numbered(sentences, minCount)
  using corpus = await Corpus.read(sentences, { minCount })

  // One pass takes us a twentieth of a second: several are timed, so that starting counts as little as it does in life.
  const epochs = 10
  const inlay = async (threads: number) => {
    using model = await Word2Vec.train(corpus, { ...settings, epochs, threads })
    if (!model.losses.every(Number.isFinite)) throw new Error('inlay did not learn')
    return corpus.tokens * epochs
  }
  const javascript = () => {
    const { vectors, words } = trainInJavaScript(text, { ...settings, epochs: 1 })
    if (!vectors.every(Number.isFinite)) throw new Error('plain JavaScript did not learn')
    return words
  }
  const contenders = [
    { name: 'plain JavaScript', train: javascript, speeds: [] as number[] },
    ...[...new Set([1, availableParallelism()])].map((threads) => ({
      name: threads === 1 ? 'inlay, 1 thread' : `inlay, ${threads} threads`,
      train: () => inlay(threads),
      speeds: [] as number[],
    })),
  ]
  for (let round = 0; round < 3; round++) {
    for (const { train, speeds } of contenders) speeds.push(await wordsPerSecond(train))
  }
  const median = (speeds: readonly number[]) => speeds.toSorted((a, b) => a - b)[1]!
  const slowest = median(contenders[0]!.speeds)
  return contenders.map(({ name, speeds }, place) => {
    const speed = median(speeds)
    return place === 0 ? { name, speed } : { name, speed, ratio: speed / slowest }
  })
}

/** Sentences of lower-case words, `limit` words in all. */
function sentencesOf(text: string, limit: number): string[][] {
  const sentences: string[][] = []
  let words = 0
  for (const line of text.toLowerCase().split('\n')) {
    const sentence = line.match(/[\p{L}\p{N}]+(?:['.,][\p{L}\p{N}]+)*/gu)
    if (sentence) sentences.push(sentence)
    words += sentence?.length ?? 0
    if (words >= limit) break
  }
  return sentences
}

async function wordsPerSecond(train: () => number | Promise<number>): Promise<number> {
  const started = performance.now()
  const words = await train()
  return (1000 * words) / (performance.now() - started)
}
