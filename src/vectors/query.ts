// Searches as users write them, and as they cross: numbers of words with weights, and one vector
// for what is no word.
import { InlayError, shown } from '../errors.js'
import type { SearchSpec, VectorsHandle } from '../native.js'
import {
  type Options,
  integer,
  list,
  runOptions,
  settleAlone,
  value,
  wrongOption,
} from '../options.js'

/** A word, or a vector of as many values as the words have. */
export type WordOrVector = string | Float32Array | readonly number[]

/** What is looked for: near to all that is positive, far from all that is negative. */
export interface Query {
  readonly positive?: WordOrVector | readonly WordOrVector[] | undefined
  readonly negative?: WordOrVector | readonly WordOrVector[] | undefined
}

const isItems = (given: unknown) =>
  typeof given === 'string' || given instanceof Float32Array || Array.isArray(given)
const someItems = 'a word, a vector, or an array of words and vectors'
const queryOptions = {
  positive: value<Query['positive']>(someItems, isItems, ''),
  negative: value<Query['negative']>(someItems, isItems, ''),
}

/** How a search answers. */
export const searchOptions = {
  /** How many neighbours [topn]. */
  topK: integer(10, { from: 1, to: 0xffff_ffff }, 'how many neighbours'),
  /** Looks at the first, most frequent words only [restrict_vocab]. Default: at all. */
  restrict: integer(undefined, { from: 1 }, 'looks at the most frequent words only'),
  /** Words that are not wanted. The words of the query itself are never among the answers. */
  exclude: list('words that are not wanted'),
  /** Rejects with its reason; a search under way is not waited for. */
  signal: runOptions.signal,
}

/** How a search answers: see `searchOptions`. */
export type SearchOptions = Options<typeof searchOptions>

/** One neighbour. */
export interface Neighbour {
  readonly word: string
  /** Cosine, from -1 to 1. */
  readonly similarity: number
}

/** A search, checked and in numbers. */
export interface SettledSearch {
  readonly spec: SearchSpec
  readonly signal: AbortSignal | undefined
}

/** Checks searches; nothing is looked at but the words' numbers. */
export function settleSearch(
  vectors: VectorsHandle,
  queries: readonly (WordOrVector | Query)[],
  options: SearchOptions,
  who: string,
): SettledSearch {
  const { topK, restrict, exclude, signal } = settleAlone(searchOptions, options, who)
  const { dimensions } = vectors
  const words: number[] = []
  const weights: number[] = []
  const ends: number[] = []
  const sums = new Float32Array(queries.length * dimensions)
  const add = (item: WordOrVector, weight: number, sum: Float32Array) => {
    if (typeof item === 'string') {
      words.push(idOf(vectors, item, who))
      weights.push(weight)
      return
    }
    const vector = vectorOf(item, dimensions, who)
    for (let i = 0; i < dimensions; i++) sum[i]! += weight * vector[i]!
  }
  for (const [i, query] of queries.entries()) {
    const sum = sums.subarray(i * dimensions, (i + 1) * dimensions)
    const { positive, negative } = parts(query, who)
    for (const item of positive) add(item, 1, sum)
    for (const item of negative) add(item, -1, sum)
    ends.push(words.length)
  }
  const unwanted = exclude.map((word) => vectors.find(word)).filter((id) => id >= 0)
  return {
    spec: {
      words: Uint32Array.from(words),
      weights: Float32Array.from(weights),
      ends: Uint32Array.from(ends),
      sums,
      topK,
      restrict,
      exclude: Uint32Array.from(unwanted),
    },
    signal,
  }
}

/**
 * The number of a word.
 *
 * @throws {InlayError} `NOT_FOUND`
 */
export function idOf(vectors: VectorsHandle, word: unknown, who: string): number {
  if (typeof word !== 'string') throw wrongOption('word', 'a string', word, who)
  const id = vectors.find(word)
  if (id >= 0) return id
  throw new InlayError('NOT_FOUND', `${who}: there is no word ${shown(word)}`, { word })
}

/**
 * A vector of finite numbers, as many as there are dimensions.
 *
 * @throws {InlayError} `INVALID_INPUT`
 */
export function vectorOf(given: unknown, dimensions: number, who: string): Float32Array {
  const vector =
    given instanceof Float32Array
      ? given
      : Array.isArray(given)
        ? Float32Array.from(given)
        : undefined
  if (!vector) throw wrongOption('vector', 'a Float32Array or an array of numbers', given, who)
  const wrong = (problem: string) =>
    new InlayError('INVALID_INPUT', `${who}: the vector ${problem}`, { problem })
  if (vector.length !== dimensions) {
    throw wrong(`has ${vector.length} values, the words have ${dimensions}`)
  }
  const i = vector.findIndex((value) => !Number.isFinite(value))
  if (i >= 0) throw wrong(`holds ${vector[i]} at ${i}`)
  return vector
}

/** Whether it is a query of several words, not one word or vector. */
export function isQuery<Q extends Query>(given: WordOrVector | Q): given is Q {
  const isObject = typeof given === 'object' && given !== null
  return isObject && !Array.isArray(given) && !(given instanceof Float32Array)
}

function parts(
  query: WordOrVector | Query,
  who: string,
): { positive: readonly WordOrVector[]; negative: readonly WordOrVector[] } {
  if (typeof query === 'string' || query instanceof Float32Array || isNumbers(query)) {
    return { positive: [query], negative: [] }
  }
  if (!isQuery(query)) {
    throw wrongOption('query', 'a word, a vector or `{ positive, negative }`', query, who)
  }
  const { positive, negative } = settleAlone(queryOptions, query, who)
  const found = { positive: items(positive), negative: items(negative) }
  if (found.positive.length + found.negative.length === 0) {
    throw wrongOption('query', 'of one word or vector at least', query, who)
  }
  return found
}

function items(given: Query['positive']): readonly WordOrVector[] {
  if (given === undefined) return []
  if (typeof given === 'string' || given instanceof Float32Array || isNumbers(given)) return [given]
  return given as readonly WordOrVector[]
}

function isNumbers(given: unknown): given is readonly number[] {
  return Array.isArray(given) && typeof given[0] === 'number'
}
