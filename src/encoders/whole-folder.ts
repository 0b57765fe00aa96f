// A folder of files that is there in full or not at all.
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, normalize } from 'node:path'
import { type RunSettings, wrongOption } from '../options.js'
import { refused } from './whole-files.js'

/** What a file holds, or how it is written. */
export type Content = Uint8Array | string | ((path: string) => Promise<void>)

/**
 * Writes a folder, in the place of one that holds nothing but files of the same names.
 *
 * @throws {InvalidOptionError} `folder` holds something else, or is a file
 * @throws {InlayError} `DISK_FULL`, `IO`
 */
export async function writeFolder(
  target: string,
  files: ReadonlyMap<string, Content>,
  { signal }: Pick<RunSettings, 'signal'>,
  who: string,
): Promise<void> {
  const isThere = await checkTarget(target, [...files.keys()], who)
  const beside = join(dirname(target), `.${basename(target)}-${randomUUID()}`)
  try {
    await mkdir(beside, { recursive: true })
    for (const [name, content] of files) {
      signal?.throwIfAborted()
      const path = join(beside, name)
      await mkdir(dirname(path), { recursive: true })
      if (typeof content === 'function') await content(path)
      else await writeFile(path, content, { flush: true })
    }
    if (isThere) await replace(target, beside)
    else await rename(beside, target)
  } catch (error) {
    await rm(beside, { recursive: true, force: true })
    throw refused(error, who)
  }
}

/** The old folder stays until the new one is whole, and comes back where that cannot take its place. */
async function replace(target: string, beside: string): Promise<void> {
  const old = `${beside}-old`
  await rename(target, old)
  try {
    await rename(beside, target)
  } catch (error) {
    await rename(old, target)
    throw error
  }
  await rm(old, { recursive: true, force: true })
}

/** Whether there is a folder to be replaced. */
async function checkTarget(
  target: string,
  names: readonly string[],
  who: string,
): Promise<boolean> {
  const found = await readdir(target, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      if (error.code === 'ENOTDIR') throw wrongOption('folder', 'a folder', target, who)
      throw refused(error, who)
    },
  )
  if (found === undefined) return false
  const known = new Set(names.map((name) => normalize(join(target, name))))
  const foreign = found.find((entry) => {
    return !entry.isDirectory() && !known.has(join(entry.parentPath, entry.name))
  })
  if (foreign === undefined) return true
  const name = join(foreign.parentPath, foreign.name).slice(target.length + 1)
  throw wrongOption(
    'folder',
    `a folder without other files than a model's: not ${name}`,
    target,
    who,
  )
}
