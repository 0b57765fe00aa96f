import type { CorpusSource } from '../corpus/source.js'
import type { NumberedTexts } from '../native.js'
import { type NetworkDescription, ids, network } from '../nn/description.js'
import { dense, dropout, embedding, flatten, sum, tanh } from '../nn/layers.js'
import { Network } from '../nn/network.js'
import { checkTogether, fallingSchedule, learningOptions } from '../nn/training.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  flag,
  integer,
  real,
  settle,
  wrongOption,
} from '../options.js'
import type { Path } from '../path.js'
import {
  END,
  type LanguageModelParts,
  NeuralLanguageModel,
  checkSamples,
  languageModelFile,
  likelihoods,
  lossOfWords,
  openLanguageModel,
  readSentences,
  samplesOption,
  softmaxOption,
  wordsWithContext,
} from './neural-language-model.js'
import { aboutOf } from './network-model.js'
import { networkTraining } from './training.js'
import {
  Vocabulary,
  readAllWords,
  sourceOption,
  vocabularyOptions,
  wordVectors,
} from './vocabulary.js'

/** Before a sentence. */
const BEGIN = '<s>'

/** Its items have one length: the words before. */
const file = languageModelFile('Nnlm', 'C', [BEGIN, END], ({ inputs: [words] }) => {
  return words?.positions?.length === 1
})

/** What decides the network. */
export interface NnlmShape {
  /** Words that have numbers. */
  readonly words: number
  /** Words that the next one is foretold by. */
  readonly context: number
  /** Values of a word's vector. */
  readonly dimensions: number
  /** Units of the hidden layer. */
  readonly hidden: number
  /** Whether scores depend on word vectors directly too. */
  readonly direct: boolean
  /** With which values become zero while training. */
  readonly dropout: number
  /** Words that each batch is compared with while training. Default: all. */
  readonly samples?: number | undefined
  /** How often each word occurs, for a hierarchical softmax. Default: a full one. */
  readonly counts?: readonly number[] | undefined
}

/** Bengio et al. 2003, figure 1: y = b + W·x + U·tanh(d + H·x), x the vectors of the words before. */
export function nnlm(shape: NnlmShape): NetworkDescription {
  const fall = shape.dropout > 0 ? [dropout({ probability: shape.dropout })] : []
  const hidden = [
    dense({ name: 'H', units: shape.hidden }),
    tanh(),
    ...fall,
    likelihoods('U', shape.words, shape.counts),
  ]
  const direct = [dense({ name: 'W', units: shape.words, bias: false })]
  return network({
    input: ids({ length: shape.context }),
    layers: [
      embedding({ name: 'C', values: shape.words, dimensions: shape.dimensions, deviation: 0.1 }),
      flatten(),
      ...fall,
      ...(shape.direct ? [sum([hidden, direct])] : hidden),
    ],
    loss: lossOfWords(shape.samples),
  })
}

/** Every option of `Nnlm.train`. */
export const nnlmOptions = {
  ...learningOptions,
  ...vocabularyOptions,
  /** Words that occur less often are one, `<unk>`, as are words that were never met. */
  minCount: integer(2, { from: 1 }, 'words that occur less often are one'),
  /** Words that the next one is foretold by [n - 1]. */
  context: integer(5, { from: 1, to: 1000 }, 'words that the next one is foretold by'),
  /** Values of a word's vector [m]. */
  dimensions: integer(100, { from: 1, to: 65_536 }, "values of a word's vector"),
  /** Units of the hidden layer [h]. */
  hidden: integer(200, { from: 1 }, 'units of the hidden layer'),
  /** Whether scores depend on word vectors directly too, beside the hidden layer [W]. */
  direct: flag(false, 'whether scores depend on word vectors directly too'),
  /** With which values of word vectors and of the hidden layer become zero while training. */
  dropout: real(0.25, { from: 0, below: 1 }, 'with which values become zero while training'),
  /** Words that each batch is compared with while training, drawn by their ranks: faster where there are very many. See
   * `sampledSoftmax`; not with `direct`. Default: all. */
  samples: samplesOption,
  /** How a word's probability comes of scores: of one for each word, or of one at each fork of the way to it in a Huffman tree,
   * which is much faster to train where there are very many. See `hierarchicalSoftmax`; not with `direct`. */
  softmax: softmaxOption,
  /** The vectors that words begin with; they decide the dimensions. Default: random ones. */
  initialVectors: wordVectors('the vectors that words begin with'),
  /** How the learning rate goes on from its highest: to zero in a straight line or along half a cosine, or multiplied by
   * `stepFactor` after each `stepEvery` of the training. */
  schedule: fallingSchedule,
  /** Words of a batch. */
  batchSize: integer(256, { from: 1, to: 1_000_000 }, 'words of a batch'),
  /** A text whose loss is worked out after each epoch. */
  validation: sourceOption('a text whose loss is worked out after each epoch'),
}

/** The options of `Nnlm.train`: see `nnlmOptions`. */
export type NnlmOptions = Options<typeof nnlmOptions> & RunOptions

/**
 * The neural probabilistic language model (Bengio et al. 2003, "A Neural Probabilistic Language Model"): how
 * likely a word is after the words before it, by their vectors, which are learnt with it.
 *
 *     words before ─▶ C: a vector each ─▶ one behind the other ─▶ tanh ─▶ a score for each word
 *                                                     └──────── direct ───────┘
 *
 *     const model = await Nnlm.train('corpus.txt', { context: 4 })
 *     const { perplexity } = await model.perplexity('test.txt')
 *     const [next] = await model.nextWords('members of the')
 */
export class Nnlm extends NeuralLanguageModel {
  /** Words that the next one is foretold by. */
  readonly context: number

  private constructor(parts: LanguageModelParts) {
    super(parts, file)
    this.context = parts.network.description.inputs[0]!.positions![0]!
  }

  /**
   * Trains on a text: each line of a file and each text of an iterable is a sentence. Contexts do not cross
   * its ends, which count as words. The same bytes for the same `seed`, whatever the number of threads.
   *
   * @throws {InvalidOptionError} before anything is read
   * @throws {InlayError} as `Corpus.read`; `DIVERGED`
   */
  static async train(source: CorpusSource, options: NnlmOptions = {}): Promise<Nnlm> {
    const who = 'Nnlm.train'
    const { settings, run: runSettings } = settle(nnlmOptions, options, who)
    checkTogether(options, settings.schedule, who)
    const { initialVectors, validation, samples, softmax } = settings
    if (initialVectors && options.dimensions !== undefined) {
      throw wrongOption('dimensions', 'left out beside `initialVectors`', options.dimensions, who)
    }
    if (samples !== undefined && settings.direct) {
      throw wrongOption('samples', 'left out beside `direct`, whose scores are sums', samples, who)
    }
    if (softmax === 'hierarchical' && settings.direct) {
      throw wrongOption('softmax', "'full' beside `direct`, whose scores are sums", softmax, who)
    }
    using corpus = await readAllWords(source, settings, runSettings, who)
    const vocabulary = await Vocabulary.ofCorpus(corpus, settings, runSettings, who, file.marks)
    checkSamples(settings, vocabulary.size, who)
    const sentences = await vocabulary.numberCorpus(corpus, runSettings, who)
    const ends = { sentences: sentences.ends.length, end: END }
    const counts =
      softmax === 'hierarchical' ? await vocabulary.counts(corpus, ends, runSettings) : undefined
    const dimensions = initialVectors?.dimensions ?? settings.dimensions
    const shape = { ...settings, words: vocabulary.size, dimensions, counts }
    const about = aboutOf(file, { vocabulary: await vocabulary.record() })
    const description = { ...nnlm(shape), about }
    using start = await Network.create(description, runSettings)
    using begun = initialVectors
      ? await Network.create(description, {
          parameters: await vocabulary.rows(start, 'C.weight', initialVectors, who),
        })
      : undefined
    const examplesOf = (texts: NumberedTexts) =>
      inContext(texts, settings.context, vocabulary, runSettings, who)
    const heldOut =
      validation &&
      (await examplesOf(await readSentences(validation, vocabulary, runSettings, who)))
    const found = await (begun ?? start).train(await examplesOf(sentences), {
      ...networkTraining(settings, options, runSettings),
      ...(heldOut && { validation: heldOut }),
    })
    return new Nnlm({ network: found, vocabulary })
  }

  /**
   * Opens what `save` wrote.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no such model
   */
  static async open(path: Path, options: RunOptions = {}): Promise<Nnlm> {
    return openLanguageModel(file, path, options, (parts) => new Nnlm(parts))
  }

  /** @internal */
  protected override examplesOf(
    sentences: NumberedTexts,
    vocabulary: Vocabulary,
    settings: RunSettings,
    who: string,
  ) {
    return inContext(sentences, this.context, vocabulary, settings, who)
  }

  /** @internal */
  protected override async scoresAfter(
    words: Uint32Array,
    vocabulary: Vocabulary,
    settings: RunSettings,
  ): Promise<Float32Array> {
    const before = new Uint32Array(this.context).fill(vocabulary.numberOf(BEGIN))
    const last = words.subarray(Math.max(0, words.length - this.context))
    before.set(last, this.context - last.length)
    return (await this.network.encode([before], settings)).row(0)
  }
}

/** Every word and every end is an example, with so many words before it. */
async function inContext(
  texts: NumberedTexts,
  length: number,
  vocabulary: Vocabulary,
  settings: RunSettings,
  who: string,
) {
  const before = { length, begin: BEGIN }
  const { contexts, next } = await wordsWithContext(texts, before, vocabulary, settings, who)
  return { inputs: contexts, targets: next }
}
