import type { CorpusSource } from '../corpus/source.js'
import type { NumberedTexts } from '../native.js'
import { type NetworkDescription, ids, network, values } from '../nn/description.js'
import { dropout, embedding } from '../nn/layers.js'
import { Network } from '../nn/network.js'
import { gru, lstm } from '../nn/sequences.js'
import { checkTogether, fallingSchedule, networkTrainingOptions } from '../nn/training.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  integer,
  oneOf,
  real,
  settle,
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
import { learningOptionsWithout, networkTraining } from './training.js'
import { Vocabulary, readAllWords, sourceOption, vocabularyOptions } from './vocabulary.js'

/** The layer that gives what goes from word to word. */
const STATES = 'states'

/** Its items have any length: a text as a whole. */
const file = languageModelFile('RecurrentLanguageModel', 'words', [END], (description) => {
  const { inputs, layers } = description
  return !inputs[0]!.positions && layers.some(({ name }) => name === STATES)
})

/** What decides the network. */
export interface RecurrentLanguageModelShape {
  /** Words that have numbers. */
  readonly words: number
  /** Values of a word's vector. */
  readonly dimensions: number
  /** What goes from word to word. */
  readonly cell: 'lstm' | 'gru'
  /** Values of a state. */
  readonly units: number
  /** Recurrent layers on top of each other. */
  readonly layers: number
  /** With which values between layers become zero while training. */
  readonly dropout: number
  /** Words that each batch is compared with while training. Default: all. */
  readonly samples?: number | undefined
  /** How often each word occurs, for a hierarchical softmax. Default: a full one. */
  readonly counts?: readonly number[] | undefined
}

/** Zaremba et al. 2014, figure 2: dropout goes upwards only, never from one word to the next. */
export function recurrentLanguageModel(shape: RecurrentLanguageModelShape): NetworkDescription {
  const { words, dimensions, cell, units, layers, dropout: probability } = shape
  const fall = probability > 0 ? [dropout({ probability })] : []
  const states = { name: STATES, units, layers, dropout: layers > 1 ? probability : 0 }
  return network({
    input: ids(),
    layers: [
      embedding({ name: 'words', values: words, dimensions, deviation: 0.1 }),
      ...fall,
      cell === 'lstm' ? lstm(states) : gru(states),
      ...fall,
      likelihoods('scores', words, shape.counts),
    ],
    loss: lossOfWords(shape.samples),
  })
}

/** Every option of `RecurrentLanguageModel.train`. In brackets: PyTorch's names. */
export const recurrentLanguageModelOptions = {
  // The lanes are the batch of each step, and each goes through its part of the text in order.
  ...learningOptionsWithout('batchSize', 'accumulate', 'shuffle'),
  ...vocabularyOptions,
  /** Words that occur less often are one, `<unk>`, as are words that were never met. */
  minCount: integer(2, { from: 1 }, 'words that occur less often are one'),
  /** Values of a word's vector [ninp]. */
  dimensions: integer(200, { from: 1, to: 65_536 }, "values of a word's vector"),
  /** What goes from word to word: long short-term memory, or gated recurrent units. */
  cell: oneOf(['lstm', 'gru'], 'what goes from word to word'),
  /** Values of a state [nhid]. */
  units: integer(200, { from: 1 }, 'values of a state'),
  /** Recurrent layers on top of each other [nlayers]. */
  layers: integer(2, { from: 1, to: 64 }, 'recurrent layers on top of each other'),
  /** With which values between layers become zero while training. */
  dropout: real(0.2, { from: 0, below: 1 }, 'with which values between layers become zero'),
  /** Words that each batch is compared with while training, drawn by their ranks: faster where there are very many. See
   * `sampledSoftmax`. Default: all. */
  samples: samplesOption,
  /** How a word's probability comes of scores: of one for each word, or of one at each fork of the way to it in a Huffman tree,
   * which is much faster to train where there are very many. See `hierarchicalSoftmax`. */
  softmax: softmaxOption,
  /** Pieces of equal length that the text is cut into; a step is a window of each [batch_size]. Fewer where they would
   * be shorter than a window. */
  lanes: integer(20, { from: 1, to: 1_000_000 }, 'pieces that the text is cut into'),
  /** Words of a window: gradients end where it begins, states go on [bptt]. */
  truncate: { ...networkTrainingOptions.truncate, default: 35 as number },
  /** The highest learning rate [lr]. */
  learningRate: real(0.002, { above: 0 }, 'the highest learning rate'),
  /** How the learning rate goes on from its highest: to zero in a straight line or along half a cosine, or multiplied by
   * `stepFactor` after each `stepEvery` of the training. */
  schedule: fallingSchedule,
  /** The longest that the gradient may be; a longer one is made as long as this [max_norm]. */
  clip: real(1, { above: 0 }, 'the longest that the gradient may be'),
  /** Passes over the text. */
  epochs: integer(13, { from: 1, to: 1_000_000 }, 'passes over the text'),
  /** A text whose loss is worked out after each epoch. */
  validation: sourceOption('a text whose loss is worked out after each epoch'),
}

/** The options of `RecurrentLanguageModel.train`: see `recurrentLanguageModelOptions`. */
export type RecurrentLanguageModelOptions = Options<typeof recurrentLanguageModelOptions> &
  RunOptions

/**
 * How likely a word is after all words before it, of its sentence and of those before (Mikolov et al. 2010, "Recurrent
 * neural network based language model"; Zaremba et al. 2014, "Recurrent Neural Network Regularization",
 * arXiv:1409.2329).
 *
 *     word ─▶ vector ─▶ LSTM or GRU, layer on layer ─▶ a score for each next word
 *                         ▲ states of the word before
 *
 *     const model = await RecurrentLanguageModel.train('corpus.txt', { cell: 'gru' })
 *     const { perplexity } = await model.perplexity('test.txt')
 *     const [next] = await model.nextWords('members of the')
 */
export class RecurrentLanguageModel extends NeuralLanguageModel {
  /** From a state to the scores of the word behind it. */
  #head: Promise<Network> | undefined

  private constructor(parts: LanguageModelParts) {
    super(parts, file)
  }

  /**
   * Trains on a text: each line of a file and each text of an iterable is a sentence. Together they are one stream of
   * words, with `</s>` behind each sentence, which is read from start to end in as many pieces at once as `lanes` says.
   * The same bytes for the same `seed`, whatever the number of threads.
   *
   * @throws {InvalidOptionError} before anything is read
   * @throws {InlayError} as `Corpus.read`; `DIVERGED`
   */
  static async train(
    source: CorpusSource,
    options: RecurrentLanguageModelOptions = {},
  ): Promise<RecurrentLanguageModel> {
    const who = 'RecurrentLanguageModel.train'
    const { settings, run: runSettings } = settle(recurrentLanguageModelOptions, options, who)
    checkTogether(options, settings.schedule, who)
    const { lanes, truncate, validation } = settings
    using corpus = await readAllWords(source, settings, runSettings, who)
    const vocabulary = await Vocabulary.ofCorpus(corpus, settings, runSettings, who, file.marks)
    checkSamples(settings, vocabulary.size, who)
    const sentences = await vocabulary.numberCorpus(corpus, runSettings, who)
    const ends = { sentences: sentences.ends.length, end: END }
    const counts =
      settings.softmax === 'hierarchical'
        ? await vocabulary.counts(corpus, ends, runSettings)
        : undefined
    const about = aboutOf(file, { vocabulary: await vocabulary.record() })
    const description = {
      ...recurrentLanguageModel({ ...settings, words: vocabulary.size, counts }),
      about,
    }
    const heldOut = validation && (await readSentences(validation, vocabulary, runSettings, who))
    const stream = await streamOf(sentences, vocabulary, runSettings, who)
    const examples = inLanes(stream, lanes, truncate)
    const found = await Network.train(description, examples, {
      ...networkTraining(settings, options, runSettings),
      ...(heldOut && {
        validation: inLanes(await streamOf(heldOut, vocabulary, runSettings, who), 1, truncate),
      }),
      batchSize: examples.inputs.length,
      shuffle: false,
      truncate,
    })
    return new RecurrentLanguageModel({ network: found, vocabulary })
  }

  /**
   * Opens what `save` wrote.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no such model
   */
  static async open(path: Path, options: RunOptions = {}): Promise<RecurrentLanguageModel> {
    return openLanguageModel(file, path, options, (parts) => new RecurrentLanguageModel(parts))
  }

  /** @internal */
  protected override async examplesOf(
    sentences: NumberedTexts,
    vocabulary: Vocabulary,
    settings: RunSettings,
    who: string,
  ) {
    const { before, next } = await streamOf(sentences, vocabulary, settings, who)
    return { inputs: [before], targets: [next] }
  }

  /** @internal */
  protected override async scoresAfter(
    words: Uint32Array,
    vocabulary: Vocabulary,
    settings: RunSettings,
  ): Promise<Float32Array> {
    const context = new Uint32Array(words.length + 1)
    context[0] = vocabulary.numberOf(END)
    context.set(words, 1)
    // Only behind the last word scores are wanted.
    const asked = { layer: STATES, last: 1, ...settings }
    const [state] = await this.network.encodeSteps([context], asked)
    this.#head ??= this.#scoresOfStates(state!.dimensions)
    const head = await this.#head
    return (await head.encode(state!.values, settings)).values
  }

  #scoresOfStates(units: number): Promise<Network> {
    const { layers } = this.network.description
    const above = layers.slice(1 + layers.findIndex(({ name }) => name === STATES))
    return this.network.transfer(network({ input: values({ shape: [units] }), layers: above }))
  }

  override close(): void {
    super.close()
    void this.#head?.then((head) => head.close())
    this.#head = undefined
  }
}

/** A text as one stream: its words and ends, and the word before each. */
interface WordStream {
  readonly before: Uint32Array
  readonly next: Uint32Array
}

async function streamOf(
  sentences: NumberedTexts,
  vocabulary: Vocabulary,
  settings: RunSettings,
  who: string,
): Promise<WordStream> {
  // Before a sentence stands the end of another one, before the first too.
  const one = { length: 1, begin: END }
  const { contexts, next } = await wordsWithContext(sentences, one, vocabulary, settings, who)
  return { before: contexts, next }
}

/** A stream in pieces of equal length that begin at even distances: neighbours may have a word in common. */
function inLanes({ before, next }: WordStream, lanes: number, window: number) {
  const words = next.length
  const count = Math.max(1, Math.min(lanes, Math.floor(words / window)))
  const length = Math.ceil(words / count)
  const starts = Array.from({ length: count }, (_, lane) => Math.floor((lane * words) / count))
  const cut = (stream: Uint32Array) => starts.map((from) => stream.subarray(from, from + length))
  return { inputs: cut(before), targets: cut(next) }
}
