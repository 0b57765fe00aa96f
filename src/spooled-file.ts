// A stream kept in a temporary file, for what is read by its path, or back and forth.
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InlayError } from './errors.js'

/** Bytes at most: 16 GB. */
const MOST = 2 ** 34

/** A temporary file with what a stream gave. @internal */
export class SpooledFile {
  private constructor(
    readonly path: string,
    readonly folder: string,
  ) {}

  /** Writes all that comes. */
  static async of(
    pieces: AsyncIterable<Uint8Array>,
    name: string,
    who: string,
  ): Promise<SpooledFile> {
    const folder = await mkdtemp(join(tmpdir(), 'inlay-'))
    const spooled = new SpooledFile(join(folder, 'content'), folder)
    try {
      const file = await open(spooled.path, 'wx')
      try {
        await write(file, pieces, name, who)
      } finally {
        await file.close()
      }
    } catch (error) {
      await spooled.remove()
      const { code, message } = error as NodeJS.ErrnoException
      if (code === 'ENOSPC' || code === 'EDQUOT') {
        throw new InlayError('DISK_FULL', `${who}: ${message}`, { path: spooled.path })
      }
      throw error
    }
    return spooled
  }

  /** Removes the file. */
  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }
}

async function write(
  file: FileHandle,
  pieces: AsyncIterable<Uint8Array>,
  name: string,
  who: string,
): Promise<void> {
  let length = 0
  for await (const piece of pieces) {
    length += piece.length
    if (length > MOST) {
      const message = `${who}: ${name} has more than the ${MOST} bytes that are kept; give it as a file`
      throw new InlayError('INVALID_INPUT', message, { source: name })
    }
    await file.writeFile(piece)
  }
}
