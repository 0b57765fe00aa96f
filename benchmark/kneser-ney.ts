// Interpolated modified Kneser-Ney as one would write it in JavaScript: n-grams are strings, tables are
// maps. The yardstick of the family `ngram`.

/** log10 probability and back-off of every n-gram; words are joined by spaces. */
export type Backoff = ReadonlyMap<string, { readonly log: number; readonly backoff: number }>

const newestOff = (ngram: string) => ngram.slice(0, ngram.lastIndexOf(' '))
const oldestOff = (ngram: string) => ngram.slice(ngram.indexOf(' ') + 1)

/** Estimates a model of sentences. */
export function estimate(sentences: readonly (readonly string[])[], order: number): Backoff {
  const counts = adjustedCounts(sentences, order)
  const model = new Map<string, { log: number; backoff: number }>()
  const chances = new Map<string, number>()
  for (const [below, ngrams] of counts.entries()) {
    const discount = discountsOf(ngrams)
    const contexts = new Map<string, { sum: number; left: number }>()
    const contextOf = (ngram: string) => (below === 0 ? '' : newestOff(ngram))
    for (const [ngram, count] of ngrams) {
      const context = contextOf(ngram)
      let found = contexts.get(context)
      if (found === undefined) contexts.set(context, (found = { sum: 0, left: 0 }))
      found.sum += count
      found.left += discount(count)
    }
    for (const [ngram, count] of ngrams) {
      const { sum, left } = contexts.get(contextOf(ngram))!
      const lower = below === 0 ? 1 / (ngrams.size + 1) : chances.get(oldestOff(ngram))!
      const chance = (count - discount(count)) / sum + (left / sum) * lower
      chances.set(ngram, chance)
      model.set(ngram, { log: Math.log10(chance), backoff: 0 })
    }
    const unknown = contexts.get('')
    if (unknown !== undefined) {
      const chance = unknown.left / unknown.sum / (ngrams.size + 1)
      model.set('<unk>', { log: Math.log10(chance), backoff: 0 })
      model.set('<s>', { log: 0, backoff: 0 })
    }
    for (const [context, { sum, left }] of contexts) {
      const found = model.get(context)
      if (found !== undefined) found.backoff = Math.log10(left / sum)
    }
  }
  return model
}

/** How often an n-gram is seen at the highest order and at the beginning of a sentence; after how many
 * words elsewhere. */
function adjustedCounts(sentences: readonly (readonly string[])[], order: number) {
  const counts = Array.from({ length: order }, () => new Map<string, number>())
  for (const sentence of sentences) {
    const words = ['<s>', ...sentence, '</s>']
    for (let end = 1; end < words.length; end++) {
      const longest = Math.min(order, end + 1)
      let ngram = words.slice(end + 1 - longest, end + 1).join(' ')
      for (let m = longest; m >= 1; m--) {
        const seen = counts[m - 1]!.get(ngram) ?? 0
        counts[m - 1]!.set(ngram, seen + 1)
        // A longer one that is not new says nothing of the shorter ones.
        if (seen > 0) break
        ngram = oldestOff(ngram)
      }
    }
  }
  return counts
}

/** Chen and Goodman 1998, equation 26. */
function discountsOf(ngrams: ReadonlyMap<string, number>): (count: number) => number {
  const n = [0, 0, 0, 0, 0]
  for (const count of ngrams.values()) if (count < 5) n[count]!++
  const y = n[1]! / (n[1]! + 2 * n[2]!)
  const discounts = [0, 1, 2, 3].map((j) => (j === 0 ? 0 : j - ((j + 1) * y * n[j + 1]!) / n[j]!))
  return (count) => discounts[Math.min(count, 3)]!
}

/** log10 of the probability of sentences, their ends included. */
export function score(
  model: Backoff,
  order: number,
  sentences: readonly (readonly string[])[],
): number {
  let sum = 0
  for (const sentence of sentences) {
    const words = ['<s>', ...sentence, '</s>'].map((word) => (model.has(word) ? word : '<unk>'))
    for (let end = 1; end < words.length; end++) {
      for (let start = Math.max(0, end + 1 - order); start <= end; start++) {
        const found = model.get(words.slice(start, end + 1).join(' '))
        if (found !== undefined) {
          sum += found.log
          break
        }
        sum += model.get(words.slice(start, end).join(' '))?.backoff ?? 0
      }
    }
  }
  return sum
}
