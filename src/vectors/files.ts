// How files of vectors are opened and saved.
import { integer, maybeOneOf, oneOf, text } from '../options.js'

/** How values may be kept. */
export const precisions = ['float32', 'float16', 'int8'] as const

/** The formats of files of vectors. */
export const vectorFormats = [
  'safetensors',
  'word2vec-text',
  'glove-text',
  'word2vec-binary',
  'npy',
  'projector',
] as const

/** How a file of vectors is opened. */
export const openOptions = {
  /** The file's format; told by its content unless given. */
  format: maybeOneOf(vectorFormats, 'the format (default: told by content)'),
  /** Reads the first, most frequent words only. Default: all. */
  limit: integer(undefined, { from: 1 }, 'reads the first words only'),
  /** How values are kept in memory: float16 halves it, int8 (a scale for each row) quarters it.
   * Default: as in the file. */
  precision: maybeOneOf(precisions, 'how values are kept (default: as in the file)'),
  /** The file of words, one a line, that belongs to a .npy or .tsv file. */
  vocabulary: text('the file of words of a .npy or .tsv file'),
  /** Words that are no UTF-8: their bytes kept as they are, an error, or U+FFFD in their place. */
  invalidUtf8: oneOf(['keep', 'error', 'replace'], 'what to do with words that are no UTF-8'),
}

/** How vectors are saved. */
export const saveOptions = {
  /** The file's format. Default: by the name's end: .safetensors, .txt and .vec (word2vec-text),
   * .bin (word2vec-binary), .npy, .tsv (projector). */
  format: maybeOneOf(vectorFormats, "the format (default: by the name's end)"),
  /** How values are written; safetensors only. Default: as they are kept. */
  precision: maybeOneOf(precisions, 'how values are written (safetensors only)'),
}

/** How values are kept in memory. */
export type Precision = (typeof precisions)[number]
