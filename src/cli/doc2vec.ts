// inlay doc2vec: from documents to vectors of their tags, and from a model to vectors of new ones.
import { Vectors } from '../embedder.js'
import { Doc2Vec, doc2vecOptions, inferOptions } from '../words/doc2vec.js'
import { type Command, group } from './command.js'
import { newDocumentsCommand } from './new-documents.js'
import { runFlags, trainCommand } from './train.js'

const train = trainCommand({
  model: 'doc2vec',
  summary: 'trains vectors of documents, the lines of text',
  named: 'tags',
  corpus: 'text, a document a line',
  options: doc2vecOptions,
  examples: [
    'lines.txt -o tags.safetensors --model model.safetensors',
    'lines.txt -o tags.npy --architecture distributed-bag-of-words --tags @names.txt --epochs 20',
  ],
  async train(source, settings) {
    const model = await Doc2Vec.train(source, settings)
    return { vectors: model.tags, save: (path, run) => model.save(path, run) }
  },
})

const infer = newDocumentsCommand({
  name: 'doc2vec infer',
  summary: 'infers vectors of new documents, the lines of a file',
  model: 'what `inlay doc2vec train --model` wrote',
  rows: 'vectors',
  values: 'dimensions',
  title: 'Inference',
  options: inferOptions,
  run: group('Run', runFlags, { short: { quiet: 'q' } }),
  examples: ['model.safetensors new.txt -o new.npy --epochs 20', 'model.safetensors < new.txt'],
  open: (path, run) => Doc2Vec.open(path, run),
  async make(model, source, options) {
    return Vectors.from(await model.infer(source, options), model.options.dimensions)
  },
})

export const doc2vecCommands: readonly Command[] = [train, infer]
