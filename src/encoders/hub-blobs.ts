// Files of a hub by what is in them: in the cache under their checksum, complete or not at all.
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { InlayError } from '../errors.js'
import { type Answer, type Hub, Interrupted, ask, patiently } from './hub-requests.js'
import { refused } from './whole-files.js'

/** A file of a model, as the hub lists it. */
export interface HubFile {
  /** Its path in the model. */
  readonly name: string
  /** Its SHA-256, or git's SHA-1 of a small one; `undefined` where the list does not say it. */
  readonly checksum: string | undefined
  readonly size: number | undefined
}

/** What a blob is called, and how long it is. */
export interface Blob {
  readonly checksum: string
  readonly size: number
}

/** Downloads of this thread that are under way, by path. */
const busy = new Map<string, Promise<unknown>>()

/**
 * The blob of a file, which is brought if it is not there. What was brought of it before is not brought again. `advance`
 * hears how many bytes have come.
 *
 * @throws {InlayError} `INVALID_INPUT` other bytes than the hub says; `DISK_FULL`, `IO`, `NOT_FOUND`
 */
export async function bringBlob(
  hub: Hub,
  file: HubFile,
  path: string,
  pathOf: (blob: Blob) => string,
  advance: (bytes: number) => void,
): Promise<Blob> {
  const { checksum, size } = file
  const blob =
    checksum !== undefined && size !== undefined
      ? { checksum, size }
      : await patiently(hub, path, () => described(hub, path))
  const to = pathOf(blob)
  // One after the other: who comes second finds what the first has brought.
  for (let other = busy.get(to); other; other = busy.get(to)) await other.catch(() => undefined)
  const bringing = bring(hub, path, blob, to, advance)
  busy.set(to, bringing)
  try {
    await bringing
  } finally {
    busy.delete(to)
  }
  return blob
}

/** What the hub says of a file when it is asked for. */
async function described(hub: Hub, path: string): Promise<Blob> {
  const { response, headers } = await ask(hub, path, { method: 'HEAD' })
  const said = headers.get('x-linked-etag') ?? headers.get('etag') ?? ''
  const checksum = said.replace(/^W\//, '').replaceAll('"', '')
  const size = headers.get('x-linked-size') ?? response.headers.get('content-length') ?? ''
  if (isChecksum(checksum) && /^\d+$/.test(size)) return { checksum, size: Number(size) }
  const message = `${hub.who}: ${path} comes without a checksum and a size: it cannot be checked`
  throw new InlayError('INVALID_INPUT', message)
}

/** Whether something is a SHA-256, or a SHA-1 as git has it. */
export function isChecksum(given: unknown): given is string {
  return typeof given === 'string' && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(given)
}

async function bring(
  hub: Hub,
  path: string,
  blob: Blob,
  to: string,
  advance: (bytes: number) => void,
): Promise<void> {
  if ((await sizeOf(to)) === blob.size) return advance(blob.size)
  await mkdir(dirname(to), { recursive: true })
  const { partial, unlock } = await ownPartial(to)
  try {
    for (let again = false; ; again = true) {
      const before = await sizeOf(partial)
      await complete(hub, path, blob, partial, advance)
      if ((await checksumOf(partial, blob)) === blob.checksum) break
      await rm(partial, { force: true })
      // What was there before may have been of another time.
      if (again || !before) {
        const message = `${hub.who}: ${path} has other bytes than its checksum ${blob.checksum} says`
        throw new InlayError('INVALID_INPUT', message, { file: path })
      }
      advance(-blob.size)
    }
    await rename(partial, to)
  } catch (error) {
    throw refused(error, hub.who)
  } finally {
    await unlock()
  }
}

/** Brings what is missing at the end of a file. */
async function complete(
  hub: Hub,
  path: string,
  { size }: Blob,
  partial: string,
  advance: (bytes: number) => void,
): Promise<void> {
  let have = (await sizeOf(partial)) ?? 0
  if (have > size) {
    await rm(partial)
    have = 0
  }
  advance(have)
  let came = false
  const hasComeOn = () => {
    const did = came
    came = false
    return did
  }
  const once = async () => {
    if (have === size && size > 0) return
    const answer = await ask(hub, path, { from: have })
    const { status, headers } = answer.response
    const isRest = status === 206
    if (!isRest && have > 0) {
      advance(-have)
      have = 0
    }
    if (status === 416 || (isRest && !headers.get('content-range')?.startsWith(`bytes ${have}-`))) {
      await answer.response.body?.cancel()
      throw new Interrupted('the server gives another part than was asked for')
    }
    const file = await open(partial, isRest && have > 0 ? 'a' : 'w')
    try {
      await take(file, answer, size - have, path, hub.who, (bytes) => {
        have += bytes
        came = true
        advance(bytes)
      })
    } finally {
      await file.close()
    }
    if (have < size) throw new Interrupted(`the connection broke after ${have} of ${size} bytes`)
  }
  await patiently(hub, path, once, hasComeOn)
}

async function take(
  file: FileHandle,
  { response, heard }: Answer,
  most: number,
  path: string,
  who: string,
  advance: (bytes: number) => void,
): Promise<void> {
  let left = most
  const chunks = response.body ?? []
  const iterator = (chunks as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  for (;;) {
    const step = await iterator.next().catch((error: Error) => {
      throw new Interrupted(`the connection broke: ${error.message}`)
    })
    if (step.done) return
    heard()
    if (step.value.length > left) {
      await iterator.return?.()
      const message = `${who}: ${path} is longer than the hub says`
      throw new InlayError('INVALID_INPUT', message, { file: path })
    }
    await file.appendFile(step.value)
    left -= step.value.length
    advance(step.value.length)
  }
}

/** A file that nobody else writes to: the one that is gone on with, or one of our own where another process has that. */
async function ownPartial(
  to: string,
): Promise<{ readonly partial: string; readonly unlock: () => Promise<void> }> {
  // Not the name that huggingface_hub has for what it is bringing: it may be at it.
  const partial = `${to}.inlay.incomplete`
  const lock = `${partial}.lock`
  for (let tries = 0; tries < 2; tries++) {
    try {
      const file = await open(lock, 'wx')
      await file.write(String(process.pid))
      await file.close()
      return { partial, unlock: () => rm(lock, { force: true }) }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const holder = Number(await readFile(lock, 'utf8').catch(() => ''))
      if (isAlive(holder)) break
      await rm(lock, { force: true })
    }
  }
  const own = `${to}.${randomUUID()}.incomplete`
  return { partial: own, unlock: () => rm(own, { force: true }) }
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function checksumOf(path: string, { checksum, size }: Blob): Promise<string> {
  const isGit = checksum.length === 40
  const hash = createHash(isGit ? 'sha1' : 'sha256')
  if (isGit) hash.update(`blob ${size}\0`)
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  )
}
