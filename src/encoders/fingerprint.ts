// A number that names all that vectors depend on: an index that keeps it can tell whose they are.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Network } from '../nn/network.js'
import { settle } from '../options.js'
import { Turns } from '../turns.js'

/** SHA-256, in hexadecimal digits, of what is said of an encoder, the parameters of its networks, and files. */
export async function fingerprintOf(
  about: unknown,
  networks: readonly Network[],
  files: readonly string[],
): Promise<string> {
  const hash = createHash('sha256')
  hash.update(JSON.stringify(about))
  const who = 'encoder.fingerprint'
  const turns = new Turns()
  const together = 1 << 14
  for (const found of networks) {
    for await (const values of found.parameterValues(settle({}, {}, who).run, who)) {
      for (let from = 0; from < values.length; from += together) {
        hash.update(values.subarray(from, from + together))
        if (turns.isOver(together)) await turns.next()
      }
    }
  }
  for (const file of files) {
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  }
  return hash.digest('hex')
}
