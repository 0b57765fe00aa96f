// inlay fasttext ...: training, and what only vectors with subwords can answer.
import { type Options, flag, integer } from '../options.js'
import { FastText, fastTextOptions } from '../words/fasttext.js'
import { type Command, group } from './command.js'
import { printNeighbours } from './neighbours.js'
import type { Session } from './session.js'
import { trainCommand } from './train.js'

const train = trainCommand({
  model: 'fasttext',
  summary: 'trains word vectors with character n-grams on text',
  options: fastTextOptions,
  examples: [
    'corpus.txt -o vectors.safetensors --model model.bin',
    'corpus.txt -o vectors.vec --architecture cbow --minn 2 --maxn 5',
  ],
  train: (source, settings) => FastText.train(source, settings),
})

const modelOperand = { MODEL: "a model of `inlay fasttext train --model`, or fastText's .bin" }
const similarFlags = {
  topK: integer(10, { from: 1 }, 'how many words'),
  json: flag(false, 'writes JSON'),
}

const similar: Command = {
  name: 'fasttext similar',
  summary: 'lists the words nearest to any word, also to one that the text did not have',
  usage: 'MODEL WORD [flags]',
  operands: { ...modelOperand, WORD: 'any word' },
  count: { from: 2, to: 2 },
  groups: [group('Search', similarFlags, { flags: { topK: 'top' }, short: { topK: 'k' } })],
  examples: ['model.bin goverment -k 5'],

  async run(
    given: Options<typeof similarFlags>,
    [file, word]: readonly string[],
    session: Session,
  ) {
    using model = await FastText.open(file!, { signal: session.signal })
    const { topK, json } = given
    printNeighbours(await model.mostSimilar(word!, { topK, signal: session.signal }), json, session)
  },
}

const analogy: Command = {
  name: 'fasttext analogy',
  summary: 'lists what is to C as B is to A, for any three words',
  usage: 'MODEL A B C [flags]',
  operands: { ...modelOperand, A: 'as in "man is', B: 'to king,', C: 'as woman is to ..."' },
  count: { from: 4, to: 4 },
  groups: similar.groups,
  examples: ['model.bin great greatest strong'],

  async run(
    given: Options<typeof similarFlags>,
    [file, a, b, c]: readonly string[],
    session: Session,
  ) {
    using model = await FastText.open(file!, { signal: session.signal })
    const { topK, json } = given
    const found = await model.analogy(a!, b!, c!, { topK, signal: session.signal })
    printNeighbours(found, json, session)
  },
}

const vectorsFlags = { subwords: flag(false, 'the n-grams of each word instead of the word') }

const vectors: Command = {
  name: 'fasttext vectors',
  summary: 'prints the vectors of any words, as lines of word2vec text',
  usage: 'MODEL WORD... [flags]',
  operands: { ...modelOperand, WORD: 'any word' },
  count: { from: 2, to: Infinity },
  groups: [group('Output', vectorsFlags)],
  examples: ['model.bin unheardof words', 'model.bin where --subwords'],

  async run(given: Options<typeof vectorsFlags>, operands: readonly string[], session: Session) {
    const [file, ...words] = operands
    using model = await FastText.open(file!, { signal: session.signal })
    for (const word of words) {
      const lines = given.subwords
        ? model.subwords(word)
        : [{ text: word, vector: model.vector(word) }]
      for (const { text, vector } of lines) {
        if (!vector) throw new Error(`${word}: unknown, and too short for an n-gram`)
        session.print(`${text} ${Array.from(vector, (value) => Math.fround(value)).join(' ')}`)
      }
    }
  },
}

export const fastTextCommands: readonly Command[] = [train, similar, analogy, vectors]
