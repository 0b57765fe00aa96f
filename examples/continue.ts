// A model goes on learning: new text brings new words, and the old ones keep what they knew.
import { Word2Vec } from 'inlay'

const oldText = Array.from({ length: 500 }, () => 'the ship sails the sea and the crew sings')
const newText = Array.from({ length: 500 }, () => 'the rocket sails the sky and the crew sings')

const settings = { dimensions: 32, minCount: 5, subsample: 0 }
using before = await Word2Vec.train(oldText, settings)
await before.save('ships.safetensors')

// Later, in another process:
using model = await Word2Vec.open('ships.safetensors')
using after = await model.update(newText)

console.log(`${before.vectors.size} words before, ${after.vectors.size} after`)
console.log(`ship and rocket: ${after.vectors.similarity('ship', 'rocket').toFixed(2)}`)
