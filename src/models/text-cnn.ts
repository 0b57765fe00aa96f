import type { Text } from '../corpus/source.js'
import { type NetworkDescription, ids, network } from '../nn/description.js'
import { concat, dense, dropout, embedding, relu } from '../nn/layers.js'
import type { Loss } from '../nn/losses.js'
import { conv1d, pool } from '../nn/windows.js'
import { type RunOptions, custom, integer, isCount, oneOf, real, wrongOption } from '../options.js'
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
export interface TextCnnShape {
  /** Words that have numbers. */
  readonly words: number
  readonly labels: number
  /** Values of a word's vector. */
  readonly dimensions: number
  /** What becomes of word vectors: they learn, they do not, or both beside each other. */
  readonly wordVectors: 'non-static' | 'static' | 'multichannel'
  /** Words of a window, for each kind of filters. */
  readonly windows: readonly number[]
  /** Filters for each length of windows. */
  readonly filters: number
  /** With which values of a text's vector become zero while training. */
  readonly dropout: number
  readonly loss?: Loss
}

/** Kim 2014, figure 1: windows over word vectors, of each filter the largest value, a dense layer. */
export function textCnn(shape: TextCnnShape): NetworkDescription {
  const { words, dimensions, wordVectors, filters } = shape
  const table = (name: string) => [embedding({ name, values: words, dimensions, deviation: 0.15 })]
  return network({
    input: ids(),
    layers: [
      ...(wordVectors === 'multichannel'
        ? [concat([table('non-static'), table('static')])]
        : table(wordVectors)),
      concat(
        shape.windows.map((kernel) => [
          conv1d({ name: `windows${kernel}`, channels: filters, kernel, padding: kernel - 1 }),
          relu(),
          pool({ by: 'max' }),
        ]),
      ),
      dropout({ name: ENCODING, probability: shape.dropout }),
      dense({ name: 'scores', units: shape.labels }),
    ],
    ...(shape.loss && { loss: shape.loss }),
  })
}

/** Every option of `TextCnn.train`. In brackets: the names in Kim's paper. */
export const textCnnOptions = {
  ...textClassifierOptions,
  /** Values of a word's vector [k]. */
  dimensions: integer(300, { from: 1, to: 65_536 }, "values of a word's vector"),
  /** Whether word vectors learn, or stay as they are, or are there twice, once so and once so. The last two
   * need `initialVectors`; without, the first is what Kim calls CNN-rand. */
  wordVectors: oneOf(['non-static', 'static', 'multichannel'], 'whether word vectors learn'),
  /** Words of a window, for each kind of filters [h]. Default: 3, 4 and 5. */
  windows: custom<readonly number[]>(
    'an array of different integers from 1 up, at least one',
    (given) =>
      Array.isArray(given) &&
      given.length > 0 &&
      new Set(given).size === given.length &&
      given.every(isCount),
    'words of a window',
  ),
  /** Filters for each length of windows. */
  filters: integer(100, { from: 1 }, 'filters for each length of windows'),
  /** With which values of a text's vector become zero while training [p]. */
  dropout: real(0.5, { from: 0, below: 1 }, 'with which values become zero while training'),
  /** Texts of a batch. */
  batchSize: integer(50, { from: 1, to: 1_000_000 }, 'texts of a batch'),
}

/** The options of `TextCnn.train`: see `textCnnOptions`. */
export type TextCnnOptions = TextClassifierOptions<typeof textCnnOptions>

const file = textClassifierFile('TextCnn')

/**
 * Labels for texts, and vectors of texts, by windows of words (Kim 2014, "Convolutional Neural Networks for
 * Sentence Classification", arXiv:1408.5882).
 *
 *     words ─▶ vectors ─▶ windows of 3, 4 and 5 words ─▶ the largest of each filter ─▶ scores ─▶ probabilities
 *
 *     const cnn = await TextCnn.train([{ input: 'how far is the moon ?', label: 'number' }, ...])
 *     const [prediction] = await cnn.predict(['how old is the sun ?'])
 *     const rows = await cnn.encode(['how old is the sun ?']) // [1, 300]
 */
export class TextCnn extends TextClassifier {
  /**
   * Trains on texts with labels. The same bytes for the same `seed`, whatever the number of threads.
   *
   * @throws {InvalidOptionError} there are fewer than two labels; a validation example has another one
   * @throws {InlayError} `INVALID_INPUT` an item that is no text, or texts without a word; `DIVERGED`
   */
  static async train(
    examples: LabelledInputs<Text>,
    options: TextCnnOptions = {},
  ): Promise<TextCnn> {
    const { wordVectors = 'non-static', windows = [3, 4, 5] } = options
    if (wordVectors !== 'non-static' && options.initialVectors === undefined) {
      const expected = "'non-static' without `initialVectors`"
      throw wrongOption('wordVectors', expected, wordVectors, 'TextCnn.train')
    }
    const recipe = {
      file,
      table: textCnnOptions,
      describe: (settings: Omit<TextCnnShape, 'windows'>) => textCnn({ ...settings, windows }),
      tables: wordVectors === 'multichannel' ? ['non-static', 'static'] : [wordVectors],
      frozen: wordVectors === 'non-static' ? [] : ['static'],
    }
    return new TextCnn(await trainTextClassifier(recipe, examples, options))
  }

  /**
   * Opens what `save` wrote.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no `TextCnn`
   */
  static async open(path: Path, options: RunOptions = {}): Promise<TextCnn> {
    return openTextNetwork(file, path, options, (parts) => new TextCnn(parts))
  }
}
