import type { CorpusSource } from '../corpus/source.js'
import type { NumberedTexts } from '../native.js'
import { type NetworkDescription, ids, network } from '../nn/description.js'
import { concat, dense, dropout, embedding, take } from '../nn/layers.js'
import { crossEntropy } from '../nn/losses.js'
import { Network } from '../nn/network.js'
import { checkTogether, learningOptions } from '../nn/training.js'
import { gru, lstm } from '../nn/sequences.js'
import { pool } from '../nn/windows.js'
import { type Options, type RunOptions, integer, oneOf, real, settle } from '../options.js'
import type { Path } from '../path.js'
import { aboutOf } from './network-model.js'
import { ENCODING, TextNetwork, openTextNetwork, textNetworkFile } from './text-network.js'
import { networkTraining } from './training.js'
import { Vocabulary, readAllWords, sourceOption, vocabularyOptions } from './vocabulary.js'
import { each } from '../nn/columns.js'

/** Before a text while it is written again, and behind it. */
const [BEGIN, END] = ['<s>', '</s>']

/** What decides the network. */
export interface RecurrentEncoderShape {
  /** Words that have numbers. */
  readonly words: number
  /** Values of a word's vector. */
  readonly dimensions: number
  /** What goes from word to word. */
  readonly cell: 'lstm' | 'gru'
  /** Values of a state, and of a text's vector. */
  readonly units: number
  /** With which a word before is hidden from the decoder while training. */
  readonly wordDropout: number
}

/** The encoder: the state after the last word is the text's vector. */
function encoderOf({ words, dimensions, cell, units }: RecurrentEncoderShape) {
  const encoder = { name: 'encoder', units }
  return [
    embedding({ name: 'words', values: words, dimensions, deviation: 0.15 }),
    cell === 'lstm' ? lstm(encoder) : gru(encoder),
    pool({ name: ENCODING, by: 'last' }),
  ]
}

/** Encoder and decoder: the text's vector stands beside each word before, and the next one is wanted. */
export function recurrentEncoder(shape: RecurrentEncoderShape): NetworkDescription {
  const { words, dimensions, cell, units, wordDropout } = shape
  const decoder = { name: 'decoder', units }
  const before = [
    take('before'),
    embedding({ name: 'before', values: words, dimensions, deviation: 0.15 }),
    dropout({ probability: wordDropout, rows: true }),
  ]
  return network({
    input: [ids({ name: 'text' }), ids({ name: 'before' })],
    layers: [
      concat([encoderOf(shape), before]),
      cell === 'lstm' ? lstm(decoder) : gru(decoder),
      dense({ name: 'scores', units: words }),
    ],
    loss: crossEntropy(),
  })
}

/** Every option of `RecurrentEncoder.train`. */
export const recurrentEncoderOptions = {
  ...learningOptions,
  ...vocabularyOptions,
  /** Only so many words, the most frequent ones; the others are `<unk>`. */
  maxVocabulary: integer(10_000, { from: 1, to: 0xffff_fff0 }, 'keeps only so many words'),
  /** Values of a word's vector. */
  dimensions: integer(100, { from: 1, to: 65_536 }, "values of a word's vector"),
  /** What goes from word to word: long short-term memory, or gated recurrent units. */
  cell: oneOf(['lstm', 'gru'], 'what goes from word to word'),
  /** Values of a state, and of a text's vector. */
  units: integer(200, { from: 1 }, "values of a state, and of a text's vector"),
  /** With which a word before is hidden from the decoder while training, so that it must ask the text's vector
   * (Bowman et al. 2016, arXiv:1511.06349). */
  wordDropout: real(0.5, { from: 0, below: 1 }, 'with which a word before is hidden'),
  /** Texts whose loss is worked out after each epoch. */
  validation: sourceOption('texts whose loss is worked out after each epoch'),
}

/** The options of `RecurrentEncoder.train`: see `recurrentEncoderOptions`. */
export type RecurrentEncoderOptions = Options<typeof recurrentEncoderOptions> & RunOptions

const file = textNetworkFile('RecurrentEncoder')

/**
 * Vectors of texts that were learnt without labels: a recurrent network reads a text into one vector, and another one
 * writes it again from that (Dai and Le 2015, "Semi-supervised Sequence Learning", arXiv:1511.01432). The vector
 * is given to each step of the second (Cho et al. 2014, arXiv:1406.1078).
 *
 *     text ─▶ vectors ─▶ LSTM or GRU ─▶ the last state ─┐
 *             words before, some hidden ─▶ vectors ─────┴─▶ LSTM or GRU ─▶ a score for each word
 *
 *     const encoder = await RecurrentEncoder.train('corpus.txt', { cell: 'gru' })
 *     const rows = await encoder.encode(['the state of the union'])
 */
export class RecurrentEncoder extends TextNetwork {
  /**
   * Trains on texts: each line of a file and each text of an iterable. The same bytes for the same `seed`, whatever
   * the number of threads. `history` has the mean loss of a word.
   *
   * @throws {InvalidOptionError} before anything is read
   * @throws {InlayError} as `Corpus.read`; `DIVERGED`
   */
  static async train(
    source: CorpusSource,
    options: RecurrentEncoderOptions = {},
  ): Promise<RecurrentEncoder> {
    const who = 'RecurrentEncoder.train'
    const { settings, run } = settle(recurrentEncoderOptions, options, who)
    checkTogether(options, settings.schedule, who)
    using corpus = await readAllWords(source, settings, run, who)
    const vocabulary = await Vocabulary.ofCorpus(corpus, settings, run, who, [BEGIN, END])
    const { validation } = settings
    using heldOut = validation ? await readAllWords(validation, settings, run, who) : undefined
    const numbered = (texts: typeof corpus) => vocabulary.numberCorpus(texts, run, who)
    const shape = { ...settings, words: vocabulary.size }
    using trained = await Network.train(
      recurrentEncoder(shape),
      examplesOf(await numbered(corpus), vocabulary),
      {
        ...networkTraining(settings, options, run),
        ...(heldOut && { validation: examplesOf(await numbered(heldOut), vocabulary) }),
      },
    )
    const record = { vocabulary: await vocabulary.record() }
    const reader = network({ input: ids({ name: 'text' }), layers: encoderOf(shape) })
    const found = await trained.transfer({ ...reader, about: aboutOf(file, record) }, run)
    return new RecurrentEncoder({ network: found, vocabulary, record, history: trained.history })
  }

  /**
   * Opens what `save` wrote.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no `RecurrentEncoder`
   */
  static async open(path: Path, options: RunOptions = {}): Promise<RecurrentEncoder> {
    return openTextNetwork(file, path, options, (parts) => new RecurrentEncoder(parts))
  }
}

/** Texts as they are, as words before, and as words that are wanted. */
function examplesOf(texts: NumberedTexts, vocabulary: Vocabulary) {
  const text = each(texts)
  const begin = vocabulary.numberOf(BEGIN)
  const end = vocabulary.numberOf(END)
  return {
    inputs: { text, before: joined(text, begin, true) },
    targets: joined(text, end, false),
  }
}

/** Texts with a mark before or behind each. */
function* joined(
  texts: Iterable<Uint32Array>,
  mark: number,
  isBefore: boolean,
): Generator<Uint32Array> {
  for (const words of texts) {
    const all = new Uint32Array(words.length + 1).fill(mark)
    all.set(words, isBefore ? 1 : 0)
    yield all
  }
}
