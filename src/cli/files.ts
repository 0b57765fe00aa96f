// What can be said of a command's files before hours of work are spent on them.
import { accessSync, constants, realpathSync, statSync } from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import type { Options } from '../options.js'
import type { saveOptions } from '../vectors/files.js'
import { UsageError } from './flags.js'

/** How vectors can be written, by the ending of the file's name. */
const endings = ['.safetensors', '.txt', '.vec', '.bin', '.npy', '.tsv']

/** Refuses a name of which no format can be told, and a precision that the format cannot hold; `flag` is
 * what asked for the file. */
export function checkFormat(
  path: string,
  { format, precision = 'float32' }: Options<typeof saveOptions>,
  flag: string,
): void {
  const ending = extname(path).toLowerCase()
  if (precision !== 'float32' && (format ?? ending.slice(1)) !== 'safetensors') {
    throw new UsageError(`${flag}: only safetensors holds ${precision}, not ${format ?? path}`)
  }
  if (format !== undefined || endings.includes(ending)) return
  const known = `${endings.slice(0, -1).join(', ')} or ${endings.at(-1)}`
  throw new UsageError(`${flag}: the name must end in ${known}, got "${path}"`)
}

/** Throws unless a file can be made, or replaced, at `path`. */
function checkWritable(path: string, flag: string): void {
  const folder = dirname(resolve(path))
  const stat = statSync(folder, { throwIfNoEntry: false })
  if (!stat) throw new Error(`${flag} ${path}: there is no folder ${folder}`)
  if (!stat.isDirectory()) throw new Error(`${flag} ${path}: ${folder} is not a folder`)
  const there = statSync(path, { throwIfNoEntry: false })
  if (there?.isDirectory()) throw new Error(`${flag} ${path}: that is a folder`)
  if (there?.isFile() === false) {
    throw new Error(`${flag} ${path}: that is no regular file, which could be replaced by another`)
  }
  try {
    accessSync(folder, constants.W_OK)
  } catch {
    throw new Error(`${flag} ${path}: nothing can be written into ${folder}`)
  }
}

/** Throws if `path` is one of `others`, which would be lost. */
function checkApart(path: string, others: readonly string[], flag: string): void {
  const place = placeOf(path)
  const same = others.find((other) => placeOf(other) === place)
  if (same !== undefined) throw new UsageError(`${flag} ${path}: that would overwrite ${same}`)
}

/** All that is written, by the flag that asked for it, must have a place, and must not be what is read. */
export function checkWritten(
  read: readonly string[],
  written: Readonly<Record<string, string | undefined>>,
): void {
  const seen = [...read]
  for (const [asked, path] of Object.entries(written)) {
    if (path === undefined) continue
    checkApart(path, seen, asked)
    checkWritable(path, asked)
    seen.push(path)
  }
}

/** Where a path leads; its file need not be there yet. */
function placeOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    try {
      return join(realpathSync(dirname(path)), basename(path))
    } catch {
      return resolve(path)
    }
  }
}
