// Skip-gram with negative sampling in plain JavaScript: what one would write without native code, and
// write well. It follows word2vec.c (Mikolov et al. 2013, arXiv:1310.4546) step by step: typed arrays,
// a table of the sigmoid, a table of noise words by count^0.75, frequent words left out at random,
// windows of random width, a learning rate that falls to nothing.

/** Text as word numbers: sentence `i` is `ids` from `ends[i - 1]` up to `ends[i]`. */
export interface NumberedText {
  readonly ids: Int32Array
  readonly ends: Int32Array
  /** How often each word occurs in the text. */
  readonly counts: Float64Array
}

export interface JavaScriptOptions {
  readonly dimensions: number
  readonly window: number
  readonly negative: number
  readonly subsample: number
  readonly learningRate: number
  readonly epochs: number
}

const sigmoidLimit = 6
const sigmoidSteps = 1024
const sigmoidTable = Float32Array.from({ length: sigmoidSteps }, (_, i) => {
  const x = ((2 * (i + 0.5)) / sigmoidSteps - 1) * sigmoidLimit
  return 1 / (1 + Math.exp(-x))
})
const noiseSteps = 1 << 20

/** Numbers the words of whole sentences; words that occur less than `minCount` times are left out. */
export function numbered(
  sentences: readonly (readonly string[])[],
  minCount: number,
): NumberedText {
  const found = new Map<string, number>()
  for (const sentence of sentences) {
    for (const word of sentence) found.set(word, (found.get(word) ?? 0) + 1)
  }
  const kept = [...found].filter(([, count]) => count >= minCount).toSorted((a, b) => b[1] - a[1])
  const numbers = new Map(kept.map(([word], id) => [word, id]))
  const ids: number[] = []
  const ends: number[] = []
  for (const sentence of sentences) {
    for (const word of sentence) {
      const id = numbers.get(word)
      if (id !== undefined) ids.push(id)
    }
    ends.push(ids.length)
  }
  const counts = Float64Array.from(kept, ([, count]) => count)
  return { ids: Int32Array.from(ids), ends: Int32Array.from(ends), counts }
}

/** Trains and gives the input vectors, row after row, with the words of text that were gone through. */
export function trainInJavaScript(
  { ids, ends, counts }: NumberedText,
  { dimensions, window, negative, subsample, learningRate, epochs }: JavaScriptOptions,
): { vectors: Float32Array; words: number } {
  const size = counts.length
  const random = randomFrom(1)
  const input = new Float32Array(size * dimensions)
  for (let i = 0; i < input.length; i++) input[i] = (random() / 2 ** 32 - 0.5) / dimensions
  const output = new Float32Array(size * dimensions)
  const gradient = new Float32Array(dimensions)
  const noise = noiseTable(counts)
  const keep = keepShares(counts, ids.length, subsample)
  const sentence = new Int32Array(longest(ends))

  const planned = ids.length * epochs
  let words = 0
  for (let epoch = 0; epoch < epochs; epoch++) {
    let start = 0
    for (const end of ends) {
      const rate = learningRate * Math.max(1 - words / planned, 1e-4)
      let length = 0
      for (let i = start; i < end; i++) {
        const id = ids[i]!
        if (random() / 2 ** 32 < keep[id]!) sentence[length++] = id
      }
      words += end - start
      start = end

      for (let centre = 0; centre < length; centre++) {
        const target = sentence[centre]!
        const reach = window - (random() % window)
        const last = Math.min(length - 1, centre + reach)
        for (let place = Math.max(0, centre - reach); place <= last; place++) {
          if (place === centre) continue
          const x = sentence[place]! * dimensions
          gradient.fill(0)
          for (let sample = 0; sample <= negative; sample++) {
            const word = sample === 0 ? target : noise[random() & (noiseSteps - 1)]!
            if (sample > 0 && word === target) continue
            const y = word * dimensions
            const score = dot(input, x, output, y, dimensions)
            const step = ((sample === 0 ? 1 : 0) - sigmoid(score)) * rate
            for (let d = 0; d < dimensions; d++) {
              const value = output[y + d]!
              gradient[d]! += step * value
              output[y + d] = value + step * input[x + d]!
            }
          }
          for (let d = 0; d < dimensions; d++) input[x + d]! += gradient[d]!
        }
      }
    }
  }
  return { vectors: input, words }
}

/** Four sums at once, since each addition waits for the one before (1.2 times as fast as one sum). */
function dot(a: Float32Array, i: number, b: Float32Array, j: number, length: number): number {
  let first = 0
  let second = 0
  let third = 0
  let fourth = 0
  const whole = length & ~3
  for (let d = 0; d < whole; d += 4) {
    first += a[i + d]! * b[j + d]!
    second += a[i + d + 1]! * b[j + d + 1]!
    third += a[i + d + 2]! * b[j + d + 2]!
    fourth += a[i + d + 3]! * b[j + d + 3]!
  }
  for (let d = whole; d < length; d++) first += a[i + d]! * b[j + d]!
  return first + second + third + fourth
}

function sigmoid(x: number): number {
  if (x >= sigmoidLimit) return 1
  if (x <= -sigmoidLimit) return 0
  return sigmoidTable[((x + sigmoidLimit) * (sigmoidSteps / sigmoidLimit / 2)) | 0]!
}

/** Words by count^0.75: a word's share of the table is its probability. */
function noiseTable(counts: Float64Array): Int32Array {
  const table = new Int32Array(noiseSteps)
  const weights = counts.map((count) => count ** 0.75)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  let word = 0
  let reached = weights[0]! / total
  for (let i = 0; i < noiseSteps; i++) {
    table[i] = word
    if (i / noiseSteps > reached && word < counts.length - 1) reached += weights[++word]! / total
  }
  return table
}

/** The probability with which an occurrence of a word is kept, as word2vec.c has it. */
function keepShares(counts: Float64Array, total: number, subsample: number): Float64Array {
  if (subsample === 0) return counts.map(() => 1)
  return counts.map((count) => {
    const ratio = (subsample * total) / count
    return Math.sqrt(ratio) + ratio
  })
}

function longest(ends: Int32Array): number {
  return ends.reduce((most, end, i) => Math.max(most, end - (i === 0 ? 0 : ends[i - 1]!)), 0)
}

/** 32 random bits a call (xorshift, Marsaglia 2003): faster than Math.random, and the same in each run. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}
