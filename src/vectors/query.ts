// Searches as users write them, and as they cross: numbers of words with weights, and one vector
// for what is no word.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { InlayError } from '../errors.js'
import type { Found } from '../native.js'
import {
  type Options,
  integer,
  list,
  runOptions,
  settleAlone,
  custom,
  wrongOption,
} from '../options.js'
import { decode } from './word-list.js'

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
  positive: custom<Query['positive']>(someItems, isItems, ''),
  negative: custom<Query['negative']>(someItems, isItems, ''),
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

/** Queries of one call that are searched at once; the next ones wait for their turn. */
export const TOGETHER = 256

/** Checks how a search is to answer. */
export function settleSearch(options: SearchOptions, who: string) {
  const { signal, exclude, ...settings } = settleAlone(searchOptions, options, who)
  return { settings: { ...settings, exclude: [...exclude] }, signal }
}

/**
 * Checks queries and packs them for the crossing; the first has the number `from`.
 *
 * @throws {InvalidOptionError} it is no query
 * @throws {InlayError} `INVALID_INPUT` a vector of the wrong length or not finite
 */
export function packed(
  queries: readonly (WordOrVector | Query)[],
  from: number,
  dimensions: number,
  who: string,
) {
  const words: string[] = []
  const vectors: Float32Array[] = []
  const shape: number[] = []
  for (const [i, query] of queries.entries()) {
    const { positive, negative } = parts(query, from + i, who)
    for (const terms of [positive, negative]) {
      const [wordCount, vectorCount] = [words.length, vectors.length]
      for (const item of terms) {
        if (typeof item === 'string') words.push(item)
        else vectors.push(vectorOf(item, dimensions, who))
      }
      shape.push(words.length - wordCount, vectors.length - vectorCount)
    }
  }
  const values = new Float32Array(vectors.length * dimensions)
  for (const [i, vector] of vectors.entries()) values.set(vector, i * dimensions)
  return { words, vectors: values, shape: Uint32Array.from(shape) }
}

/** Answers whose words are decoded at once, before other events have their turn. */
const DECODED = 4096

/** The neighbours of each query, as users have them. */
export async function unpacked({ words, similarities, ends }: Found): Promise<Neighbour[][]> {
  const neighbours: Neighbour[] = []
  for (let from = 0; from < similarities.length; from += DECODED) {
    if (from > 0) await nextTurn()
    const offsets = words.offsets.subarray(from, from + DECODED + 1)
    for (const word of decode({ bytes: words.bytes, offsets })) {
      neighbours.push({ word, similarity: similarities[neighbours.length]! })
    }
  }
  return Array.from(ends, (end, i) => neighbours.slice(i === 0 ? 0 : ends[i - 1], end))
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
  number: number,
  who: string,
): { positive: readonly WordOrVector[]; negative: readonly WordOrVector[] } {
  if (typeof query === 'string' || query instanceof Float32Array || isNumbers(query)) {
    return { positive: [query], negative: [] }
  }
  if (!isQuery(query)) {
    throw wrongOption(`query ${number}`, 'a word, a vector or `{ positive, negative }`', query, who)
  }
  const { positive, negative } = settleAlone(queryOptions, query, who)
  const found = { positive: items(positive), negative: items(negative) }
  if (found.positive.length + found.negative.length === 0) {
    throw wrongOption(`query ${number}`, 'of one word or vector at least', query, who)
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
