// How words and their nearness are printed.
import type { Neighbour } from '../vectors/query.js'
import type { Session } from './session.js'

/** A word and its cosine on each line, between them a tab; or one JSON array. */
export function printNeighbours(
  neighbours: readonly Neighbour[],
  json: boolean | undefined,
  session: Session,
): void {
  if (json === true) return session.print(JSON.stringify(neighbours))
  for (const { word, similarity } of neighbours) {
    session.print(`${printable(word)}\t${similarity.toFixed(4)}`)
  }
}

/** Words come from files: what would move a terminal's cursor, or end a line, is written as \u001b. */
export function printable(word: string): string {
  return word.replaceAll(
    /\p{Cc}/gu,
    (control) => String.raw`\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
