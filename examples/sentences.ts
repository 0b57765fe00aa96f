// Sentences by meaning: two that share no word, about a cat and about a kitten, are nearer to each other than
// to one about sandwiches. The vectors of the words are trained here, on a text that is made here: a few
// hundred simple sentences, in which cats and kittens do alike. That is enough to show how it works; what it
// shows of English is what the lists below say. With vectors of a large text the code is the same.
import { MeanEncoder, Word2Vec } from 'inlay'

const hunters = ['cat', 'kitten', 'owl', 'fox', 'weasel']
const hunts = ['chases', 'hunts', 'catches', 'follows', 'watches']
const prey = ['mouse', 'rodents', 'rats', 'voles', 'squirrels']
const places = ['in the barn', 'in the garden', 'near the river', 'at night', 'under the hedge']
const people = ['i', 'we', 'they', 'my friends', 'the children']
const tastes = ['like', 'eat', 'love', 'make', 'order']
const fillings = ['ham', 'cheese', 'tomato', 'egg', 'tuna']
const dishes = ['sandwiches', 'salad', 'toast', 'soup', 'rolls']
const times = ['for lunch', 'with tea', 'at home', 'every monday', 'in the kitchen']

const asked = ['the cat chases the mouse', 'a kitten hunts rodents', 'i like ham sandwiches']

/** Every sentence of the lists but those that are asked about. */
function* sentences(): Generator<string> {
  for (let i = 0; i < 5 ** 4; i++) {
    const pick = (list: readonly string[], digit: number) => list[Math.floor(i / 5 ** digit) % 5]!
    const article = i % 2 === 0 ? 'the' : 'a'
    const chase = `${article} ${pick(hunters, 0)} ${pick(hunts, 1)} ${pick(prey, 2)}`
    const meal = `${pick(people, 0)} ${pick(tastes, 1)} ${pick(fillings, 2)} ${pick(dishes, 3)}`
    const isAsked = asked.some((one) =>
      [chase, chase.replace('mouse', 'the mouse'), meal].includes(one),
    )
    if (isAsked) continue
    yield `${chase} ${pick(places, 3)}`
    yield `${meal} ${pick(times, (i + 1) % 4)}`
  }
}

const text = [...sentences()]
using model = await Word2Vec.train(text, {
  minCount: 1,
  dimensions: 24,
  subsample: 0,
  epochs: 40,
  threads: 1,
})
// Frequent words, as `the`, count little: Arora et al. 2017.
using encoder = await MeanEncoder.train(model.vectors, { weights: 'frequency' })
const rows = await encoder.encode(asked)

const shown = ([i, j]: readonly [number, number]) =>
  `${rows.similarity(i, j).toFixed(2)}  ${asked[i]} / ${asked[j]}`
console.log(
  (
    [
      [0, 1],
      [0, 2],
      [1, 2],
    ] as const
  )
    .map(shown)
    .join('\n'),
)
