// All that a sentence encoder is made of.
import type { Epoch, Network } from '../nn/network.js'
import type { Json, ModelFolder } from './model-folder.js'
import type { SentenceModules } from './sentence-modules.js'
import type { SubwordTokenizer } from './subword-tokenizer.js'
import type { TextTransformer } from './text-transformer.js'

export interface SentenceParts {
  readonly folder: ModelFolder
  readonly network: Network
  readonly tokenizer: SubwordTokenizer
  /** Tokens that are read, and how many the folder says. */
  readonly maxTokens: number
  readonly folderTokens: number
  readonly precision: 'float32' | 'int8'
  readonly model: TextTransformer
  readonly modules: SentenceModules
  /** The files of the text model's weights. */
  readonly weights: readonly string[]
  readonly about: Json
  /** How it learnt further. */
  readonly learnt?: { readonly history: readonly Epoch[]; readonly truncated: number }
}
