// Which model of texts a file holds.
import type { RunOptions } from '../options.js'
import type { Path } from '../path.js'
import { openOneOf } from './open-one-of.js'
import { RecurrentClassifier } from './recurrent-classifier.js'
import { RecurrentEncoder } from './recurrent-encoder.js'
import { TextCnn } from './text-cnn.js'
import type { TextNetwork } from './text-network.js'
import { TransformerClassifier } from './transformer-classifier.js'
import { TransformerEncoder } from './transformer-encoder.js'

/** By the name that stands in the file. */
const kinds: Readonly<Record<string, (path: Path, run: RunOptions) => Promise<TextNetwork>>> = {
  TextCnn: (path, run) => TextCnn.open(path, run),
  RecurrentClassifier: (path, run) => RecurrentClassifier.open(path, run),
  TransformerClassifier: (path, run) => TransformerClassifier.open(path, run),
  RecurrentEncoder: (path, run) => RecurrentEncoder.open(path, run),
  TransformerEncoder: (path, run) => TransformerEncoder.open(path, run),
}

/**
 * Opens the model of texts that a file holds, whichever it is: a `TextClassifier` (`TextCnn`, `RecurrentClassifier`,
 * `TransformerClassifier`), or an encoder (`RecurrentEncoder`, `TransformerEncoder`).
 *
 *     const model = await openTextModel('questions.safetensors')
 *     if (model instanceof TextClassifier) console.log(await model.predict(['how far is it ?']))
 *
 * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is none of these
 */
export async function openTextModel(path: Path, options: RunOptions = {}): Promise<TextNetwork> {
  return openOneOf(kinds, path, options, 'openTextModel')
}
