// Files that are there in full or not at all, and what the system says when they cannot be.
import { randomUUID } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'
import { InlayError } from '../errors.js'

/** Writes a file. @throws {InlayError} `DISK_FULL`, `IO` */
export async function writeWhole(
  path: string,
  content: string | Uint8Array,
  who: string,
): Promise<void> {
  const partial = `${path}.${randomUUID()}`
  try {
    await writeFile(partial, content, { flush: true })
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw refused(error, who)
  }
}

/** What the system refuses, as an error of ours; other errors as they are. */
export function refused(error: unknown, who: string): unknown {
  const { code, message, syscall } = error as NodeJS.ErrnoException
  if (error instanceof InlayError || syscall === undefined) return error
  return new InlayError(code === 'ENOSPC' ? 'DISK_FULL' : 'IO', `${who}: ${message}`)
}
