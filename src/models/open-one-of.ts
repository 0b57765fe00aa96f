// Which of several models a file holds.
import { InlayError } from '../errors.js'
import { Network } from '../nn/network.js'
import { type RunOptions, settle } from '../options.js'
import type { Path } from '../path.js'

/** How models are opened, by the name that stands in the file. */
type Openers<Model> = Readonly<Record<string, (path: Path, run: RunOptions) => Promise<Model>>>

/** Opens the model that a file holds, if it is one of these. @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` it is none */
export async function openOneOf<Model>(
  openers: Openers<Model>,
  path: Path,
  options: RunOptions,
  who: string,
): Promise<Model> {
  const { run } = settle({}, options, who)
  const name = await modelOf(path, run)
  if (name !== undefined && Object.hasOwn(openers, name)) return openers[name]!(path, run)
  const what =
    name === undefined ? 'a network that is no model' : `a model of another kind, ${name}`
  const known = Object.keys(openers).join(', ')
  const message = `${who}: the file holds ${what}; wanted is one of ${known}`
  throw new InlayError('INVALID_INPUT', message)
}

async function modelOf(path: Path, run: RunOptions): Promise<string | undefined> {
  using network = await Network.open(path, run)
  const { about } = network.description as { about?: { readonly model?: unknown } | null }
  return typeof about?.model === 'string' ? about.model : undefined
}
