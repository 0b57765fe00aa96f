// All that a sentence encoder is made of.
import type { Epoch, Network } from '../nn/network.js'
import type { Json, ModelFolder } from './model-folder.js'
import type { SentenceModules } from './sentence-modules.js'
import type { SubwordTokenizer, TextReading } from './subword-tokenizer.js'
import type { TextTransformer } from './text-transformer.js'

export interface SentenceParts {
  readonly folder: ModelFolder
  readonly network: Network
  readonly tokenizer: SubwordTokenizer
  /** How many tokens are read. */
  readonly maxTokens: number
  /** What the folder says of that, and of the letters of texts. */
  readonly reading: TextReading
  readonly precision: 'float32' | 'int8'
  readonly model: TextTransformer
  readonly modules: SentenceModules
  /** The files of the text model's weights. */
  readonly weights: readonly string[]
  readonly about: Json
  /** How it learnt further. */
  readonly learnt?: { readonly history: readonly Epoch[]; readonly truncated: number }
}
