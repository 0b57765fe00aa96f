// A map of words as one HTML file that needs nothing beside it: its points, labels and neighbours
// are in it, and the page lays out the labels itself as one zooms in.
import { readFileSync } from 'node:fs'

/** A word on the map. */
export interface MapWord {
  readonly word: string
  /** How often it occurs: frequent words are larger and keep their labels. */
  readonly count: number
  readonly x: number
  readonly y: number
  /** Words of one group share one of eight colours. */
  readonly group: number
  /** Words of this map, the nearest first. */
  readonly neighbours: readonly { readonly word: string; readonly similarity: number }[]
}

// Compiled, this file is build/examples/map-page.js; the page stays where it was written.
const template = new URL('../../examples/map-page.html', import.meta.url)

/** The page. `about` is the line under the title. */
export function mapPage(title: string, about: string, words: readonly MapWord[]): string {
  const sorted = words.toSorted((a, b) => b.count - a.count)
  const index = new Map(sorted.map(({ word }, place) => [word, place]))
  const rows = sorted.map(({ word, count, x, y, group, neighbours }) => [
    word,
    count,
    rounded(x),
    rounded(y),
    group,
    neighbours
      .filter((neighbour) => index.has(neighbour.word))
      .map((neighbour) => [index.get(neighbour.word), rounded(neighbour.similarity)]),
  ])
  const parts: Record<string, string> = {
    title: escaped(title),
    about: escaped(about),
    // A word such as "</script>" must not end the element that the data lies in.
    data: JSON.stringify(rows).replaceAll('<', String.raw`\u003c`),
  }
  return readFileSync(template, 'utf8').replaceAll(
    /\{\{(\w+)\}\}/g,
    (whole, name: string) => parts[name] ?? whole,
  )
}

function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000
}

function escaped(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return text.replaceAll(/[&<>"]/g, (character) => entities[character]!)
}
