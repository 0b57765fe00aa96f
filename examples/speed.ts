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

/** Trains on the first `limit` words of a text file: on one thread, as JavaScript does, and on all. */
export async function compareWithJavaScript(path: string, limit = 250_000): Promise<Speed[]> {
  const sentences = sentencesOf(gunzipSync(readFileSync(path)).toString(), limit)

  const text = numbered(sentences, minCount)
  const inJavaScript = wordsPerSecond(() => {
    const { vectors, words } = trainInJavaScript(text, { ...settings, epochs: 1 })
    if (!vectors.every(Number.isFinite)) throw new Error('plain JavaScript did not learn')
    return words
  })
  const javascript = await inJavaScript

  using corpus = await Corpus.read(sentences, { minCount })
  // One pass takes a tenth of a second: several are timed, so that starting up counts as little as it does in life.
  const epochs = 10
  const inlay = (threads: number) =>
    wordsPerSecond(async () => {
      using model = await Word2Vec.train(corpus, { ...settings, epochs, threads })
      if (!model.losses.every(Number.isFinite)) throw new Error('inlay did not learn')
      return corpus.tokens * epochs
    })

  const results: Speed[] = [{ name: 'plain JavaScript', speed: javascript }]
  for (const threads of new Set([1, availableParallelism()])) {
    const speed = await inlay(threads)
    const name = threads === 1 ? 'inlay, 1 thread' : `inlay, ${threads} threads`
    results.push({ name, speed, ratio: speed / javascript })
  }
  return results
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
