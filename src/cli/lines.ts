// Lines of text that a command answers as they come: of files, or of standard input.
import { accessSync, constants } from 'node:fs'
import { addAbortSignal } from 'node:stream'
import type { CorpusSource, Texts } from '../corpus/source.js'
import { errorOf, linesOf, textOf, textOfBytes } from '../text-file.js'
import type { Session } from './session.js'

/** One line that is damaged is no reason to leave the others without an answer. */
const lenient = { invalidUtf8: 'replace' } as const

/**
 * The lines of files, one file after the other, or of standard input; those of a piece together. A file
 * that cannot be read is told at once, before any line is answered.
 */
export function linesFrom(paths: readonly string[], session: Session): AsyncGenerator<string[]> {
  for (const path of paths) {
    try {
      accessSync(path, constants.R_OK)
    } catch (error) {
      throw errorOf(error, path)
    }
  }
  return piecesFrom(paths, session)
}

async function* piecesFrom(paths: readonly string[], session: Session): AsyncGenerator<string[]> {
  for (const path of paths) yield* linesOf(textOf(path, lenient))
  if (paths.length > 0) return
  // It may be that nobody types anything more.
  yield* linesOf(
    textOfBytes(addAbortSignal(session.signal, process.stdin), 'standard input', lenient),
  )
}

/** The lines of the files of a source, or what it gives itself. */
export async function* textsOf(source: CorpusSource): AsyncGenerator<string> {
  if (typeof source === 'object' && 'files' in source) {
    for (const path of source.files) {
      for await (const lines of linesOf(textOf(String(path), lenient))) yield* lines
    }
  } else {
    for await (const text of source as Texts) yield text as string
  }
}
