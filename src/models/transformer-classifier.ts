import type { Text } from '../corpus/source.js'
import { type NetworkDescription, ids, network } from '../nn/description.js'
import { dense, dropout } from '../nn/layers.js'
import { type Loss, crossEntropy } from '../nn/losses.js'
import { fallingSchedule } from '../nn/training.js'
import { pool } from '../nn/windows.js'
import { type RunOptions, type Settings, custom, real, refusal, settle } from '../options.js'
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
import {
  TransformerEncoder,
  type TransformerShape,
  checkHeads,
  shapeOf,
  transformerBody,
  transformerOptions,
} from './transformer-encoder.js'
import { vocabularyOptions } from './vocabulary.js'

/** A Transformer's body, the mean of what all positions became, and a dense layer. */
export function transformerClassifier(
  shape: TransformerShape & { readonly labels: number; readonly loss?: Loss },
): NetworkDescription {
  return network({
    input: ids(),
    layers: [
      ...transformerBody(shape),
      pool({ by: 'mean' }),
      dropout({ name: ENCODING, probability: shape.dropout }),
      dense({ name: 'scores', units: shape.labels }),
    ],
    loss: shape.loss ?? crossEntropy(),
  })
}

/** Every option of `TransformerClassifier.train`. */
export const transformerClassifierOptions = {
  ...textClassifierOptions,
  ...transformerOptions,
  /** A `TransformerEncoder` to begin from: its words, its shape and what it learnt. */
  encoder: custom<TransformerEncoder>(
    'a TransformerEncoder',
    (given) => given instanceof TransformerEncoder,
    'what it begins from',
  ),
  /** The highest learning rate. */
  learningRate: real(0.0005, { above: 0 }, 'the highest learning rate'),
  /** How the learning rate goes on from its highest: to zero in a straight line or along half a cosine, or multiplied by
   * `stepFactor` after each `stepEvery` of the training. */
  schedule: fallingSchedule,
}

/** The options of `TransformerClassifier.train`: see `transformerClassifierOptions`. */
export type TransformerClassifierOptions = TextClassifierOptions<
  typeof transformerClassifierOptions
>

const file = textClassifierFile('TransformerClassifier')

/**
 * Labels for texts by a Transformer, from nothing or from a `TransformerEncoder` that knows the language already.
 *
 *     words ─▶ vectors + places ─▶ blocks of attention ─▶ mean ─▶ scores ─▶ probabilities
 *
 *     const classifier = await TransformerClassifier.train(examples, { encoder })
 */
export class TransformerClassifier extends TextClassifier {
  /**
   * Trains on texts with labels. The same bytes for the same `seed`, whatever the number of threads.
   *
   * @throws {InvalidOptionError} an option that `encoder` has decided; there are fewer than two labels; a
   *   validation example has another one
   * @throws {InlayError} `INVALID_INPUT` an item that is no text, or texts without a word; `DIVERGED`
   */
  static async train(
    examples: LabelledInputs<Text>,
    options: TransformerClassifierOptions = {},
  ): Promise<TransformerClassifier> {
    const who = 'TransformerClassifier.train'
    const { settings } = settle(transformerClassifierOptions, options, who)
    const { encoder } = settings
    if (encoder) checkDecided(options, who)
    const known = encoder?.shape
    if (!known)
      checkHeads(
        { ...settings, dimensions: settings.initialVectors?.dimensions ?? settings.dimensions },
        who,
      )
    const recipe = {
      file,
      table: transformerClassifierOptions,
      describe: (
        given: Settings<typeof transformerOptions> & { words: number; labels: number; loss: Loss },
      ) => {
        const { words, labels, loss, dropout: share } = given
        return transformerClassifier({
          ...(known ?? shapeOf(given, words)),
          dropout: share,
          labels,
          loss,
        })
      },
      tables: ['words'],
      maxWords: known?.maxWords ?? settings.maxWords,
      base: encoder,
    }
    return new TransformerClassifier(await trainTextClassifier(recipe, examples, options))
  }

  /**
   * Opens what `save` wrote.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no `TransformerClassifier`
   */
  static async open(path: Path, options: RunOptions = {}): Promise<TransformerClassifier> {
    return openTextNetwork(file, path, options, (parts) => new TransformerClassifier(parts))
  }
}

/** What an encoder has decided is not asked again. */
function checkDecided(given: TransformerClassifierOptions, who: string): void {
  const { dropout: _, ...shape } = transformerOptions
  for (const option of [...Object.keys({ ...shape, ...vocabularyOptions }), 'initialVectors']) {
    if (given[option as keyof typeof given] !== undefined) {
      refusal(who)(option, 'is decided by `encoder`')
    }
  }
}
