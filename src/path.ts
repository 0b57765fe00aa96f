import { fileURLToPath } from 'node:url'
import { wrongOption } from './options.js'

/** A file by its name, or as a `file:` URL. */
export type Path = string | URL

/**
 * A file's name.
 *
 * @throws {InvalidOptionError} it is no path
 */
export function settlePath(path: unknown, who: string, name = 'path'): string {
  if (typeof path === 'string' && path !== '') return path
  if (path instanceof URL && path.protocol === 'file:') return fileURLToPath(path)
  throw wrongOption(name, 'a path or a file URL', path, who)
}
