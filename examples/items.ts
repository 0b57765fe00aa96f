// Vectors of things that are bought together: each session is a sentence, each item number a word.
import { Word2Vec } from 'inlay'

/** Shoppers of three kinds, who want items 0 to 9, 10 to 19 and 20 to 29; six in each basket. */
function* sessions(): Generator<number[]> {
  const pick = (place: number) => Math.floor(10_000 * Math.abs(Math.sin(place))) % 10
  for (let i = 0; i < 3000; i++) {
    const kind = i % 3
    yield [0, 1, 2, 3, 4, 5].map((step) => 10 * kind + pick(6 * i + step))
  }
}

// The order within a session means little: a window as wide as the session, not shrunk at random. With a
// negative exponent the noise is drawn from the rare items, which suits recommendations better than text's 0.75
// (Caselles-Dupré et al. 2018, arXiv:1804.04212).
using model = await Word2Vec.train(sessions(), {
  dimensions: 16,
  window: 6,
  shrinkWindow: false,
  negativeExponent: -0.5,
  subsample: 0,
  epochs: 20,
})
for (const item of ['3', '14', '25']) {
  const others = await model.vectors.mostSimilar(item, { topK: 5 })
  console.log(`with ${item}: ${others.map(({ word }) => word).join(', ')}`)
}
