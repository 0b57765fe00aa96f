// From a text file to a file of vectors:
//
//     node build/examples/train.js corpus.txt vectors.safetensors
import { Word2Vec } from 'inlay'

const [corpus = 'examples/data/state-of-the-union.txt.gz', output = 'vectors.safetensors'] =
  process.argv.slice(2)

using model = await Word2Vec.train(corpus, { tokenizer: 'words', lowercase: true, epochs: 3 })
await model.vectors.save(output)

for (const { word, similarity } of await model.vectors.mostSimilar('peace', { topK: 5 })) {
  console.log(`${similarity.toFixed(2)}  ${word}`)
}
