// Requests to a hub of models: its token goes to it alone, and what is busy is asked again.
import { setTimeout as wait } from 'node:timers/promises'
import { InlayError } from '../errors.js'

/** Where requests go, and for whom. */
export interface Hub {
  /** Without a slash at its end. */
  readonly endpoint: string
  readonly token: string | undefined
  readonly signal: AbortSignal | undefined
  readonly who: string
}

/** Times that a request is made before it has failed. */
const TRIES = 5
const REDIRECTS = 5
/** Milliseconds in which a server must say something. */
const PATIENCE = 60_000
/** The longest wait that a server may ask for, in milliseconds: longer ones are an error. */
const LONGEST_WAIT = 120_000
/** Milliseconds before the second try; twice as many before each other one. */
const FIRST_WAIT = 500

/** An answer, and what the hub itself said of the file where it sent us on. */
export interface Answer {
  readonly response: Response
  /** Of the hub's own answer. */
  readonly headers: Headers
  /** Notes that bytes have come: a server that is silent for too long is left. */
  heard(): void
}

/** A try that may be made again: the connection broke, or the server is busy. */
export class Interrupted extends Error {
  constructor(
    message: string,
    /** Milliseconds after which the server wants to be asked. */
    readonly after?: number,
  ) {
    super(message)
  }
}

/**
 * Does `work` until it is not interrupted, `TRIES` times at most: of those after one that has come on.
 */
export async function patiently<T>(
  hub: Hub,
  what: string,
  work: () => Promise<T>,
  hasComeOn: () => boolean = () => false,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      hub.signal?.throwIfAborted()
      if (!(error instanceof Interrupted)) throw error
      if (hasComeOn()) tries = 1
      const { message, after = FIRST_WAIT * 2 ** (tries - 1) } = error
      if (tries === TRIES || after > LONGEST_WAIT) {
        throw new InlayError('IO', `${hub.who}: ${what}: ${message}`)
      }
      await wait(after, undefined, { signal: hub.signal }).catch(() => hub.signal?.throwIfAborted())
    }
  }
}

/**
 * Asks for a path of the hub, from a byte on if it has parts, following it to other hosts, which never see the token.
 *
 * @throws {Interrupted} what may be asked again
 * @throws {InlayError} `NOT_FOUND`; `IO` refused; `INVALID_INPUT` sent somewhere that is none
 */
export async function ask(
  hub: Hub,
  path: string,
  { method = 'GET', from = 0 }: { readonly method?: 'GET' | 'HEAD'; readonly from?: number } = {},
): Promise<Answer> {
  const { origin } = new URL(hub.endpoint)
  let url = new URL(`${hub.endpoint}/${path}`)
  const silence = new AbortController()
  const timer = setTimeout(() => silence.abort(), PATIENCE)
  timer.unref()
  const heard = () => timer.refresh()
  const signal = hub.signal ? AbortSignal.any([hub.signal, silence.signal]) : silence.signal
  let first: Headers | undefined
  for (let redirects = 0; redirects <= REDIRECTS; redirects++) {
    const isHub = url.origin === origin
    const request = {
      method,
      // Bytes are counted: they come as they are.
      headers: {
        'accept-encoding': 'identity',
        ...(from > 0 && { range: `bytes=${from}-` }),
        ...(isHub && hub.token !== undefined && { authorization: `Bearer ${hub.token}` }),
      },
      redirect: 'manual' as const,
      signal,
    }
    const response = await fetch(url.href, request).catch((error: Error & { cause?: Error }) => {
      throw new Interrupted(error.cause?.message ?? error.message)
    })
    if (isHub) first = mixed(first, response.headers)
    const to = response.headers.get('location')
    if (response.status < 300 || response.status >= 400 || to === null) {
      await checkStatus(hub, url, response)
      return { response, headers: first ?? response.headers, heard }
    }
    await response.body?.cancel()
    url = next(hub, url, to)
  }
  throw new InlayError('IO', `${hub.who}: ${hub.endpoint}/${path} is sent on without end`)
}

/** What the hub says of a file, in whichever of its answers. */
function mixed(before: Headers | undefined, headers: Headers): Headers {
  const all = new Headers(before)
  headers.forEach((value, name) => all.set(name, value))
  return all
}

function next(hub: Hub, from: URL, to: string): URL {
  const url = URL.canParse(to, from.href) ? new URL(to, from.href) : undefined
  const isSafe =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && from.protocol === 'http:')
  if (url && isSafe) return url
  throw new InlayError('INVALID_INPUT', `${hub.who}: ${from.href} is sent on to ${to}`)
}

async function checkStatus({ who }: Hub, url: URL, response: Response): Promise<void> {
  const { status, headers } = response
  if (response.ok || status === 416) return
  await response.body?.cancel()
  if (status === 429 || status >= 500) {
    throw new Interrupted(`the server answers ${status}`, retryAfter(headers.get('retry-after')))
  }
  const context = { url: url.href, status }
  if (status === 401 || status === 403) {
    const reason = 'there is none of that name, or it needs a `token`'
    throw new InlayError('IO', `${who}: ${url.href} is refused (${status}): ${reason}`, context)
  }
  const code = status === 404 ? 'NOT_FOUND' : 'IO'
  throw new InlayError(code, `${who}: ${url.href} answers ${status}`, context)
}

/** Seconds or a date, as milliseconds from now. */
function retryAfter(said: string | null): number | undefined {
  if (said === null) return undefined
  const after = /^\d+$/.test(said) ? Number(said) * 1000 : Date.parse(said) - Date.now()
  return Number.isNaN(after) ? undefined : Math.max(0, after)
}
