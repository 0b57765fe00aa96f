// A folder of a pretrained model, as the Hugging Face hub lays it out: JSON files that say what it is, and weights.
import { readFile, stat } from 'node:fs/promises'
import { isAbsolute, join, normalize, sep } from 'node:path'
import { InlayError, shown } from '../errors.js'
import { type TensorList, listTensors } from '../native.js'
import type { RunSettings } from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run } from '../run.js'

/** What a JSON file holds. */
export type Json = { readonly [key: string]: unknown }

/** A folder, all of whose files are data: nothing in them is run, and no path in them leaves it. */
export class ModelFolder {
  readonly path: string

  constructor(
    path: Path,
    readonly who: string,
  ) {
    this.path = settlePath(path, who, 'folder')
  }

  /** An error about one of its files. */
  wrong(file: string, problem: string): InlayError {
    const path = join(this.path, file)
    return new InlayError('INVALID_INPUT', `${this.who}: ${path} ${problem}`, { file: path })
  }

  /** The path of a file. @throws {InlayError} `INVALID_INPUT` it would lie outside the folder */
  file(name: string, said = name): string {
    const inside = normalize(name)
    if (isAbsolute(name) || inside === '..' || inside.startsWith(`..${sep}`)) {
      throw this.wrong(said, `names ${shown(name)}, which lies outside the folder`)
    }
    return join(this.path, inside)
  }

  /** Whether there is such a file. */
  async has(name: string): Promise<boolean> {
    return stat(this.file(name)).then(
      (found) => found.isFile(),
      () => false,
    )
  }

  /** What a JSON file holds; `undefined` if there is none. */
  async json(name: string): Promise<Json | undefined> {
    const found = await this.parsed(name)
    if (found === undefined) return undefined
    if (typeof found !== 'object' || found === null || Array.isArray(found)) {
      throw this.wrong(name, 'should hold an object')
    }
    return found as Json
  }

  /** The same, of any kind. */
  async parsed(name: string): Promise<unknown> {
    let text: string
    try {
      text = await readFile(this.file(name), 'utf8')
    } catch (error) {
      const { code } = error as { code?: string }
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
      throw new InlayError('IO', `${this.who}: ${(error as Error).message}`)
    }
    try {
      return JSON.parse(text) as unknown
    } catch (error) {
      throw this.wrong(name, `is no JSON: ${(error as Error).message}`)
    }
  }

  /** The same, of a file that must be there. @throws {InlayError} `NOT_FOUND` */
  async neededJson(name: string): Promise<Json> {
    const found = await this.json(name)
    if (found !== undefined) return found
    throw this.missing(name)
  }

  missing(name: string): InlayError {
    const path = join(this.path, name)
    return new InlayError('NOT_FOUND', `${this.who}: there is no file ${path}`, { name: path })
  }

  /** The files that hold a module's weights: one, or those that an index names. */
  async weights(within = ''): Promise<string[]> {
    const whole = join(within, 'model.safetensors')
    if (await this.has(whole)) return [this.file(whole)]
    const index = join(within, 'model.safetensors.index.json')
    const found = await this.json(index)
    if (found === undefined) throw this.missing(whole)
    const map = found['weight_map']
    if (typeof map !== 'object' || map === null) throw this.wrong(index, 'has no `weight_map`')
    const names = new Set<unknown>(Object.values(map))
    const files: string[] = []
    for (const name of names) {
      if (typeof name !== 'string' || name.includes('/') || name.includes('\\')) {
        throw this.wrong(index, `names ${shown(name)}, which is no file of its folder`)
      }
      files.push(this.file(join(within, name), index))
    }
    if (files.length === 0) throw this.wrong(index, 'names no file')
    return files
  }

  /** The same, or what old folders have in their place: a file that `torch.save` wrote, of which nothing is run. */
  async weightsOfAnyAge(): Promise<string[]> {
    const old = 'pytorch_model.bin'
    const today = ['model.safetensors', 'model.safetensors.index.json']
    const isNew = (await Promise.all(today.map((name) => this.has(name)))).includes(true)
    return !isNew && (await this.has(old)) ? [this.file(old)] : this.weights()
  }
}

/** The tensors of files, by name, with their shapes. */
export async function tensorsOf(
  files: readonly string[],
  who: string,
  settings: RunSettings,
): Promise<Map<string, readonly number[]>> {
  const tensors = new Map<string, readonly number[]>()
  for (const file of files) {
    const { names, shapes } = await run<TensorList>(who, settings, (spec, events) =>
      listTensors(file, spec, events),
    )
    for (const [i, name] of names.entries()) tensors.set(name, shapes[i]!)
  }
  return tensors
}

/** Reads the fields of a JSON file. */
export class Fields {
  constructor(
    readonly folder: ModelFolder,
    readonly file: string,
    readonly json: Json,
  ) {}

  /** The first of these that is there and not null. */
  #find(names: readonly string[]): unknown {
    return names
      .map((name) => this.json[name])
      .find((found) => found !== undefined && found !== null)
  }

  wrong(names: readonly string[], expected: string, got: unknown): InlayError {
    return this.folder.wrong(this.file, `has ${names[0]} ${shown(got)} and should have ${expected}`)
  }

  /** An integer from 1 up, under the first of its names that is there. */
  count(names: readonly string[], fallback?: number): number {
    const found = this.#find(names) ?? fallback
    if (Number.isInteger(found) && (found as number) > 0) return found as number
    throw this.wrong(names, 'an integer from 1 up', found)
  }

  /** How many blocks a model has, each with tensors of its own among these. */
  blocks(names: readonly string[], tensors: ReadonlySet<string>): number {
    const found = this.count(names)
    if (found <= tensors.size) return found
    throw this.wrong(names, `at most ${tensors.size}, as the weights have so many tensors`, found)
  }

  /** A finite number. */
  number(names: readonly string[], fallback: number): number {
    const found = this.#find(names) ?? fallback
    if (typeof found === 'number' && Number.isFinite(found)) return found
    throw this.wrong(names, 'a number', found)
  }

  /** A number above 0, as float32 has them. */
  positive(names: readonly string[], fallback: number): number {
    const found = this.number(names, fallback)
    if (Math.fround(found) > 0 && Math.fround(found) < Infinity) return found
    throw this.wrong(names, 'a number above 0', found)
  }

  text(names: readonly string[], fallback?: string): string {
    const found = this.#find(names) ?? fallback
    if (typeof found === 'string') return found
    throw this.wrong(names, 'a text', found)
  }

  flag(names: readonly string[], fallback: boolean): boolean {
    const found = this.#find(names) ?? fallback
    if (typeof found === 'boolean') return found
    throw this.wrong(names, 'true or false', found)
  }
}
