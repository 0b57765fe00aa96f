import type { Text } from '../corpus/source.js'
import { type NetworkDescription, ids, network } from '../nn/description.js'
import { concat, dense, dropout, embedding } from '../nn/layers.js'
import type { Layer } from '../nn/layer.js'
import type { Loss } from '../nn/losses.js'
import { gru, lstm } from '../nn/sequences.js'
import { attentionPool, pool } from '../nn/windows.js'
import { type RunOptions, flag, integer, oneOf, real } from '../options.js'
import type { Path } from '../path.js'
import type { LabelledInputs } from './labels.js'
import {
  TextClassifier,
  type TextClassifierOptions,
  textClassifierFile,
  textClassifierOptions,
  trainTextClassifier,
} from './text-classifier.js'
import { ENCODING, openTextNetwork } from './text-network.js'

/** What decides the network. */
export interface RecurrentClassifierShape {
  /** Words that have numbers. */
  readonly words: number
  readonly labels: number
  /** Values of a word's vector. */
  readonly dimensions: number
  /** What goes from word to word. */
  readonly cell: 'lstm' | 'gru'
  /** Values of a state. */
  readonly units: number
  /** Recurrent layers on top of each other. */
  readonly layers: number
  readonly bidirectional: boolean
  /** How the states of a text become one vector. */
  readonly pooling: 'max' | 'mean' | 'last' | 'attention'
  /** With which values become zero while training. */
  readonly dropout: number
  readonly loss?: Loss
}

/** States from word to word, one vector of all of them, and a dense layer. */
export function recurrentClassifier(shape: RecurrentClassifierShape): NetworkDescription {
  const { words, dimensions, cell, units, layers, bidirectional, dropout: probability } = shape
  const recurrent = { name: 'recurrent', units, layers, bidirectional }
  return network({
    input: ids(),
    layers: [
      embedding({ name: 'words', values: words, dimensions, deviation: 0.15 }),
      dropout({ probability }),
      cell === 'lstm' ? lstm(recurrent) : gru(recurrent),
      ...pooled(shape),
      dropout({ name: ENCODING, probability }),
      dense({ name: 'scores', units: shape.labels }),
    ],
    ...(shape.loss && { loss: shape.loss }),
  })
}

function pooled({ pooling, bidirectional }: RecurrentClassifierShape): readonly Layer[] {
  if (pooling === 'attention') return [attentionPool()]
  if (pooling !== 'last' || !bidirectional) return [pool({ by: pooling })]
  // The way back ends at the first word.
  return [concat([[pool({ by: 'last' })], [pool({ by: 'first' })]])]
}

/** Every option of `RecurrentClassifier.train`. */
export const recurrentClassifierOptions = {
  ...textClassifierOptions,
  /** Values of a word's vector. */
  dimensions: integer(100, { from: 1, to: 65_536 }, "values of a word's vector"),
  /** What goes from word to word: long short-term memory (Hochreiter and Schmidhuber 1997), or gated
   * recurrent units (Cho et al. 2014). */
  cell: oneOf(['lstm', 'gru'], 'what goes from word to word'),
  /** Values of a state, in each direction. */
  units: integer(100, { from: 1 }, 'values of a state'),
  /** Recurrent layers on top of each other. */
  layers: integer(1, { from: 1, to: 64 }, 'recurrent layers on top of each other'),
  /** Whether texts are read from their ends as well (Schuster and Paliwal 1997). */
  bidirectional: flag(true, 'whether texts are read from their ends as well'),
  /** How the states of a text become one vector: the largest of each value, their mean, the last one (of
   * both directions), or by shares that are learnt. */
  pooling: oneOf(['max', 'mean', 'last', 'attention'], 'how states become one vector'),
  /** With which values of word vectors and of a text's vector become zero while training. */
  dropout: real(0.5, { from: 0, below: 1 }, 'with which values become zero while training'),
}

/** The options of `RecurrentClassifier.train`: see `recurrentClassifierOptions`. */
export type RecurrentClassifierOptions = TextClassifierOptions<typeof recurrentClassifierOptions>

const file = textClassifierFile('RecurrentClassifier')

/**
 * Labels for texts, and vectors of texts, by a recurrent network that reads them word by word.
 *
 *     words ─▶ vectors ─▶ LSTM or GRU, both ways ─▶ one vector of all states ─▶ scores ─▶ probabilities
 *
 *     const classifier = await RecurrentClassifier.train(examples, { cell: 'gru', pooling: 'mean' })
 *     const [prediction] = await classifier.predict(['how old is the sun ?'])
 */
export class RecurrentClassifier extends TextClassifier {
  /**
   * Trains on texts with labels. The same bytes for the same `seed`, whatever the number of threads.
   *
   * @throws {InvalidOptionError} there are fewer than two labels; a validation example has another one
   * @throws {InlayError} `INVALID_INPUT` an item that is no text, or texts without a word; `DIVERGED`
   */
  static async train(
    examples: LabelledInputs<Text>,
    options: RecurrentClassifierOptions = {},
  ): Promise<RecurrentClassifier> {
    const recipe = {
      file,
      table: recurrentClassifierOptions,
      describe: recurrentClassifier,
      tables: ['words'],
    }
    return new RecurrentClassifier(await trainTextClassifier(recipe, examples, options))
  }

  /**
   * Opens what `save` wrote.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no `RecurrentClassifier`
   */
  static async open(path: Path, options: RunOptions = {}): Promise<RecurrentClassifier> {
    return openTextNetwork(file, path, options, (parts) => new RecurrentClassifier(parts))
  }
}
