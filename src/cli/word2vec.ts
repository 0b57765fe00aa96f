// inlay word2vec ...
import { Word2Vec, word2vecOptions } from '../words/word2vec.js'
import type { Command } from './command.js'
import { trainCommand } from './train.js'

export const word2vecCommands: readonly Command[] = [
  trainCommand({
    model: 'word2vec',
    summary: 'trains word vectors on text',
    options: word2vecOptions,
    examples: [
      'corpus.txt -o vectors.safetensors',
      "'news/*.txt.gz' -o vectors.bin --dimensions 300 --epochs 10 --resume news.checkpoint",
    ],
    train: (source, settings) => Word2Vec.train(source, settings),
  }),
]
