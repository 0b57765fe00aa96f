// `npm run quickstart`: Word2Vec on two centuries of State of the Union addresses: what it learnt, how
// fast, and a map of it in quickstart.html.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Corpus, Word2Vec } from 'inlay'
import { ProgressBar } from '#inlay/cli/progress-bar.js'
import { compareWithJavaScript } from './speed.js'
import { mapOf } from './word-map.js'

const text = fileURLToPath(
  new URL('../../examples/data/state-of-the-union.txt.gz', import.meta.url),
)

console.log('Word2Vec on the State of the Union addresses, 1790 to 2021\n')
const bar = new ProgressBar()
const corpus = await Corpus.read(text, {
  tokenizer: 'words',
  lowercase: true,
  minCount: 10,
  onProgress: bar.hear,
})
const { vectors } = await Word2Vec.train(corpus, { epochs: 20, onProgress: bar.hear })
bar.end()
console.log(`\n${vectors.size} words of ${vectors.dimensions} dimensions\n`)

console.log('Nearest words')
for (const word of [
  'war',
  'economy',
  'constitution',
  'gold',
  'oil',
  'children',
  'navy',
  'soviet',
]) {
  const neighbours = await vectors.mostSimilar(word, { topK: 6 })
  console.log(`  ${word.padEnd(13)} ${neighbours.map((neighbour) => neighbour.word).join(', ')}`)
}

console.log('\nAnalogies')
for (const [a, b, c] of [
  ['france', 'french', 'spain'],
  ['japan', 'japanese', 'china'],
  ['nation', 'nations', 'country'],
  ['law', 'laws', 'treaty'],
  ['army', 'military', 'navy'],
  ['great', 'greater', 'high'],
] as const) {
  const [first, ...more] = await vectors.analogy(a, b, c, { topK: 3 })
  const others = more.map(({ word }) => word).join(', ')
  console.log(`  ${`${a} : ${b} = ${c} :`.padEnd(32)} ${first?.word}  (then ${others})`)
}

console.log(
  '\nSpeed, in words a second: skip-gram, 100 dimensions, window 5, 5 negatives, the same text',
)
for (const { name, speed, ratio } of await compareWithJavaScript(text)) {
  const times = ratio === undefined ? '' : `${ratio.toFixed(0).padStart(4)} x`
  console.log(
    `  ${name.padEnd(20)} ${Math.round(speed).toLocaleString('en').padStart(10)} ${times}`,
  )
}

writeFileSync('quickstart.html', await mapOf(corpus, vectors))
console.log('\nquickstart.html is a map of the 500 most frequent words: open it in a browser.')
