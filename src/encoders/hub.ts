// Models by their names on a hub, in the cache that Python's huggingface_hub has too:
//
//     models--owner--name/blobs/<checksum>
//                         snapshots/<commit>/config.json -> ../../blobs/<checksum>
//                         refs/main                      <commit>
import { randomUUID } from 'node:crypto'
import { copyFile, lstat, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, posix, relative } from 'node:path'
import { InlayError, InvalidOptionError, shown } from '../errors.js'
import {
  type Options,
  list,
  runOptions,
  settleAlone,
  text,
  textOr,
  wrongOption,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { ProgressReport } from '../run.js'
import { type HubFile, bringBlob, isChecksum } from './hub-blobs.js'
import { type Hub, ask, patiently } from './hub-requests.js'
import type { Json } from './model-folder.js'
import { refused, writeWhole } from './whole-files.js'

/** Every option of `downloadModel`. */
export const downloadOptions = {
  /** A branch, a tag or a commit. */
  revision: textOr('main', 'a branch, a tag or a commit'),
  /** The hub. Default: `HF_ENDPOINT`, or Hugging Face. */
  endpoint: text('the hub', 'URL'),
  /** The folder of all models. Default: `HF_HUB_CACHE`, or `hub` in `HF_HOME` or in `~/.cache/huggingface`. */
  cache: text('the folder of all models', 'FOLDER'),
  /** What opens private models, and is sent to the hub alone. Default: `HF_TOKEN`, which is sent to Hugging Face itself and
   * to no other hub. */
  token: text('what opens private models', 'TOKEN'),
  /** The files. Default: those that an encoder reads: JSON and safetensors, of the model and of its modules. */
  files: list('the files (default: those that an encoder reads)'),
  signal: runOptions.signal,
  onProgress: runOptions.onProgress,
}

/** The options of `downloadModel`: see `downloadOptions`. */
export type DownloadOptions = Options<typeof downloadOptions>

const itself = 'https://huggingface.co'
/** The longest list of files that is read, in characters. */
const LONGEST_LIST = 1 << 24

/**
 * The folder of a model of a hub, which is brought if it is not there. It is the only function here that ever reaches for a
 * network, and it does so when it is called.
 *
 *     const folder = await downloadModel('sentence-transformers/all-MiniLM-L6-v2')
 *     using encoder = await SentenceEncoder.load(folder)
 *
 * Files lie where Python's huggingface_hub has them, and what either has brought the other one finds. Only files that an
 * encoder reads are brought. Each is checked against its checksum and is there in full or not at all; what a broken
 * connection left is gone on with. With `HF_HUB_OFFLINE=1` what is there is all there is.
 *
 * @throws {InlayError} `NOT_FOUND` no such model, revision or file; `IO` the hub is not reached or refuses, or the disk;
 *   `INVALID_INPUT` other bytes than the hub says, or a hub that answers nonsense; `DISK_FULL`
 */
export async function downloadModel(name: string, options: DownloadOptions = {}): Promise<string> {
  const who = 'downloadModel'
  const settings = settleAlone(downloadOptions, options, who)
  const { revision, files, signal, onProgress } = settings
  if (
    typeof name !== 'string' ||
    !/^[a-z0-9][\w.-]*(\/[a-z0-9][\w.-]*)?$/i.test(name) ||
    /\.\.|--/.test(name)
  ) {
    throw wrongOption('name', "a model's name, as 'owner/model'", name, who)
  }
  if (!isInside(revision))
    throw wrongOption('revision', 'a branch, a tag or a commit', revision, who)
  const folder = join(cacheOf(settings.cache, who), `models--${name.replace('/', '--')}`)
  if (isOn(process.env['HF_HUB_OFFLINE']) || isOn(process.env['TRANSFORMERS_OFFLINE'])) {
    return present(folder, name, revision, who)
  }
  const hub = { ...hubOf(settings.endpoint, settings.token, who), signal, who }
  const { commit, all } = await listed(hub, name, revision)
  const progress = onProgress && new ProgressReport(onProgress)
  let done = 0
  let total = 0
  const advance = (bytes: number) => {
    done += bytes
    progress?.hear({ phase: 'download', done, total: Math.max(total, done), unit: 'bytes' })
  }
  const snapshot = join(folder, 'snapshots', commit)
  const bringAll = async (wanted: readonly HubFile[]) => {
    total += wanted.reduce((sum, { size = 0 }) => sum + size, 0)
    for (const file of wanted)
      await bringFile(hub, `${name}/resolve/${commit}`, file, folder, snapshot, advance)
  }
  try {
    if (files.length > 0) {
      await bringAll(files.map((file) => named(all, file, name, who)))
    } else {
      const modules = all.filter((file) => file.name === 'modules.json')
      await bringAll(modules)
      const folders = await foldersOf(snapshot, modules.length > 0, who)
      await bringAll(all.filter((file) => !modules.includes(file) && isRead(file, folders, all)))
    }
    if (revision !== commit) {
      const ref = join(folder, 'refs', revision)
      await mkdir(dirname(ref), { recursive: true })
      await writeWhole(ref, commit, who)
    }
  } catch (error) {
    throw refused(error, who)
  }
  progress?.end()
  return snapshot
}

/** Where models lie. */
function cacheOf(given: Path | undefined, who: string): string {
  if (given !== undefined) return settlePath(given, who, 'cache')
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = process.env
  const home = HF_HOME || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface')
  const path = HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(home, 'hub')
  return path.startsWith('~') ? join(homedir(), path.slice(1)) : path
}

/** The hub, and the token that it may see: that of the environment is Hugging Face's, and no mirror's. */
function hubOf(
  given: string | undefined,
  token: string | undefined,
  who: string,
): Pick<Hub, 'endpoint' | 'token'> {
  const endpoint = (given ?? (process.env['HF_ENDPOINT'] || itself)).replace(/\/+$/, '')
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
    throw wrongOption('endpoint', 'the address of a hub', endpoint, who)
  }
  const own = new URL(endpoint).origin === itself ? process.env['HF_TOKEN'] || undefined : undefined
  const known = token ?? own
  if (known !== undefined && !/^[\x21-\x7e]+$/.test(known)) {
    // It is not told: messages end up in logs.
    const problem = 'must be one word of plain characters, without a space or the end of a line'
    throw new InvalidOptionError(`${who}: \`token\` ${problem}`, { option: 'token' })
  }
  return { endpoint, token: known }
}

const isOn = (said: string | undefined) => /^(1|true|yes|on)$/i.test(said ?? '')

/** The folder of a model that has been brought before. */
async function present(
  folder: string,
  name: string,
  revision: string,
  who: string,
): Promise<string> {
  const said = await readFile(join(folder, 'refs', revision), 'utf8').catch(() => revision)
  const commit = said.trim()
  const snapshot = join(folder, 'snapshots', commit)
  const isThere =
    isInside(commit) &&
    (await stat(snapshot).then(
      (found) => found.isDirectory(),
      () => false,
    ))
  if (isThere) return snapshot
  const message = `${who}: ${name} (${revision}) has not been downloaded, and HF_HUB_OFFLINE is set`
  throw new InlayError('NOT_FOUND', message, { name })
}

/** The files of a model. */
async function listed(
  hub: Hub,
  name: string,
  revision: string,
): Promise<{ readonly commit: string; readonly all: readonly HubFile[] }> {
  const path = `api/models/${name}/revision/${encodeURIComponent(revision)}?blobs=true`
  const nonsense = (problem: string) =>
    new InlayError('INVALID_INPUT', `${hub.who}: ${hub.endpoint}/${path} ${problem}`)
  const said = await patiently(hub, path, async () => {
    const { response, heard } = await ask(hub, path)
    return textOf(response, heard, () => nonsense('answers too much'))
  })
  let json: Json | null
  try {
    json = JSON.parse(said) as Json | null
  } catch {
    throw nonsense('does not answer with JSON')
  }
  const { sha, siblings } = json ?? {}
  if (!isChecksum(sha) || !Array.isArray(siblings)) throw nonsense('does not list a model')
  const all = siblings.map((sibling: Json | null): HubFile => {
    const { rfilename, size, blobId, lfs } = sibling ?? {}
    if (typeof rfilename !== 'string' || !isInside(rfilename)) {
      throw nonsense(`lists ${shown(rfilename)}, which is no file of a model`)
    }
    const checksum = (lfs as Json | undefined)?.['sha256'] ?? (lfs ? undefined : blobId)
    return {
      name: rfilename,
      checksum: isChecksum(checksum) ? checksum : undefined,
      size: Number.isSafeInteger(size) && (size as number) >= 0 ? (size as number) : undefined,
    }
  })
  return { commit: sha, all }
}

async function textOf(
  response: Response,
  heard: () => void,
  tooMuch: () => Error,
): Promise<string> {
  let all = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    heard()
    all += decoder.decode(chunk, { stream: true })
    if (all.length > LONGEST_LIST) throw tooMuch()
  }
  return all
}

/** Whether a name from elsewhere stays where it is put. */
function isInside(name: string): boolean {
  const parts = name.split('/')
  return !/[\\:*?"<>|\0]/.test(name) && parts.every((part) => !['', '.', '..'].includes(part))
}

function named(all: readonly HubFile[], file: string, name: string, who: string): HubFile {
  const found = all.find((other) => other.name === file)
  if (found) return found
  throw new InlayError('NOT_FOUND', `${who}: ${name} has no file ${shown(file)}`, { name: file })
}

/** The folders of a model's modules. */
async function foldersOf(snapshot: string, hasModules: boolean, who: string): Promise<string[]> {
  if (!hasModules) return ['']
  const modules: unknown = await readFile(join(snapshot, 'modules.json'), 'utf8')
    .then(JSON.parse)
    .catch(() => undefined)
  if (!Array.isArray(modules)) {
    throw new InlayError('INVALID_INPUT', `${who}: modules.json should hold a list`)
  }
  const paths = modules.map((module: Json | null) => module?.['path'])
  const texts = paths.filter((path) => typeof path === 'string')
  return ['', ...texts.map((path) => posix.normalize(path).replace(/^\.$|\/$/, ''))]
}

/** Whether an encoder reads a file: what describes it and its weights, whole or in parts. */
function isRead({ name }: HubFile, folders: readonly string[], all: readonly HubFile[]): boolean {
  const folder = posix.dirname(name) === '.' ? '' : posix.dirname(name)
  const base = posix.basename(name)
  if (!folders.includes(folder)) return false
  const whole = posix.join(folder, 'model.safetensors')
  const isWhole = all.some((file) => file.name === whole)
  if (isWhole && /^model[-.].*(safetensors|index\.json)$/.test(base)) return name === whole
  return base.endsWith('.json') || /^model(-\d+-of-\d+)?\.safetensors$/.test(base)
}

/** Brings a file, and lays it where it belongs. */
async function bringFile(
  hub: Hub,
  within: string,
  file: HubFile,
  folder: string,
  snapshot: string,
  advance: (bytes: number) => void,
): Promise<void> {
  const path = `${within}/${file.name.split('/').map(encodeURIComponent).join('/')}`
  const pathOf = ({ checksum }: { readonly checksum: string }) => join(folder, 'blobs', checksum)
  const blob = await bringBlob(hub, file, path, pathOf, advance)
  const to = join(snapshot, file.name)
  const from = pathOf(blob)
  if (
    await lstat(to).then(
      (found) => found.isSymbolicLink() || found.size === blob.size,
      () => false,
    )
  )
    return
  await mkdir(dirname(to), { recursive: true })
  const partial = `${to}.${randomUUID()}`
  try {
    // Where links need a right that one may not have, it is a copy.
    await symlink(relative(dirname(to), from), partial).catch(() => copyFile(from, partial))
    await rename(partial, to)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}
