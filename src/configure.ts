import { configure as native } from './native.js'
import { integer, settleAlone } from './options.js'

const configureOptions = {
  threads: integer(undefined, { from: 1, to: 1024 }, 'threads that short calls share'),
}

/**
 * Sets how many threads the short calls (searches, predictions) of this process share. They are
 * made at the first such call; without this there are as many as the process may use less one, at
 * least one. Runs (training, reading, saving) have threads of their own: see `RunOptions`.
 *
 *     configure({ threads: 2 })
 *
 * @throws {InvalidOptionError}
 */
export function configure(options: { readonly threads?: number | undefined }): void {
  const { threads } = settleAlone(configureOptions, options, 'configure')
  if (threads !== undefined) native(threads)
}
