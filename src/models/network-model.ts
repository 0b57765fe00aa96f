// Models over a network: how they are kept and let go, and how a file becomes a model again.
import { isDeepStrictEqual } from 'node:util'
import { InlayError, shown } from '../errors.js'
import type { Input } from '../nn/description.js'
import type { Layer } from '../nn/layer.js'
import { type Epoch, Network } from '../nn/network.js'
import { type RunOptions, type RunSettings, isCount, settle } from '../options.js'
import type { Path } from '../path.js'

/** A network with a face of its own, which knows more than the network does: labels, words, a scale. */
export class NetworkModel {
  /** The layers, any of which gives vectors. */
  readonly network: Network
  /** How its training went, epoch by epoch; of a model from a file, empty. */
  readonly history: readonly Epoch[]

  /** @internal */
  constructor(network: Network, history: readonly Epoch[] = network.history) {
    this.network = network
    this.history = history
  }

  /** Writes all that it knows to a file, from which `open` makes it again. @throws {InlayError} `DISK_FULL`, `IO` */
  async save(path: Path, options: RunOptions = {}): Promise<void> {
    await this.network.save(path, options)
  }

  /** Frees the memory now rather than when the garbage is collected. */
  close(): void {
    this.network.close()
  }

  /** As `close`: at the end of the block of `using`. */
  [Symbol.dispose](): void {
    this.close()
  }
}

/** What a field of a record must be: an option of a table is one. */
export interface Field {
  /** "an array of strings" */
  readonly expected: string
  accepts(given: unknown, network: Network): boolean | Promise<boolean>
}

/** What the file of a model says beside its network. */
export interface ModelFile<Record> {
  /** The name of the model's class. */
  readonly model: string
  /** Layers that it asks for vectors. */
  readonly layers?: readonly string[]
  readonly record: { readonly [Name in keyof Record]-?: Field }
}

/** What is written beside a network, as its description's `about`. */
export function aboutOf<Record>({ model }: ModelFile<Record>, record: Record): object {
  return { model, ...record }
}

/**
 * Opens what a model of this file's kind wrote, and makes a model of it again.
 *
 * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is of another model, or its record is not what it must be
 */
export async function openModel<Record, Model>(
  file: ModelFile<Record>,
  path: Path,
  options: RunOptions,
  make: (network: Network, record: Record, run: RunSettings, who: string) => Model | Promise<Model>,
): Promise<Model> {
  const who = `${file.model}.open`
  const { run } = settle({}, options, who)
  const network = await Network.open(path, run)
  try {
    return await make(network, await recordOf(file, network), run, who)
  } catch (error) {
    network.close()
    throw error
  }
}

async function recordOf<Record>(
  { model, layers = [], record }: ModelFile<Record>,
  network: Network,
): Promise<Record> {
  const { about } = network.description as { about?: { readonly [name: string]: unknown } | null }
  if (about?.['model'] !== model) throw notOf(model)
  const lacking = layers.find((layer) => widthOf(network, layer) === undefined)
  if (lacking !== undefined) throw notOf(model, `no layer \`${lacking}\` gives vectors`)
  for (const [name, { expected, accepts }] of Object.entries<Field>(record)) {
    const given = Object.hasOwn(about, name) ? about[name] : undefined
    if (await accepts(given, network)) continue
    throw notOf(model, `\`${name}\` must be ${expected}, got ${shown(given)}`)
  }
  return about as Record
}

/** The error of a file that is not what a model of this name wrote. */
export function notOf(model: string, problem?: string): InlayError {
  const reason = problem === undefined ? '' : `: ${problem}`
  const message = `${model}.open: the file holds a network that is no ${model}${reason}`
  return new InlayError('INVALID_INPUT', message, problem === undefined ? {} : { problem })
}

/** Values of the vector that a layer gives, or the last one; `undefined` where it gives no vector. */
export function widthOf(network: Network, layer?: string): number | undefined {
  const lines = network.summary()
  const line = layer === undefined ? lines.at(-1) : lines.find(({ name }) => name === layer)
  const width = Number(line?.shape.slice(1, -1))
  return isCount(width) ? width : undefined
}

/** Scores that the last layer gives, for an item or at each of its positions. */
export function scoresOf(network: Network): number {
  return Number(/\d+(?=\]$)/.exec(network.summary().at(-1)!.shape)?.[0])
}

/** What `embedding` gives. */
interface EmbeddingLayer {
  readonly kind: string
  readonly name: string
  readonly values: number
  readonly dimensions: number
}

/** Rows and width of each table of vectors, by the name of its layer. */
export function tablesOf(network: Network): Map<string, { rows: number; width: number }> {
  const tables = new Map<string, { rows: number; width: number }>()
  const look = (layers: readonly Layer[]): void => {
    for (const layer of layers) {
      const { kind, name, values: rows, dimensions: width } = layer as unknown as EmbeddingLayer
      if (kind === 'embedding') tables.set(name, { rows, width })
      for (const branch of (layer['branches'] ?? []) as Layer[][]) look(branch)
    }
  }
  look(network.description.layers)
  return tables
}

/** The shape of a network's only input, of so many axes. */
export function inputShape(axes: number): Field {
  const accepts = (given: unknown, { description: { inputs } }: Network) => {
    const [{ content, positions, width }, ...others] = inputs as [Input, ...Input[]]
    const shape = [...(positions ?? []), width]
    const isOne = others.length === 0 && content === 'values' && shape.length === axes
    return isOne && isDeepStrictEqual(given, shape)
  }
  return { expected: `the shape of its input, of ${axes} axes`, accepts }
}

/** A field that may be left out. */
export function maybe({ expected, accepts }: Field): Field {
  return {
    expected: `${expected}, or left out`,
    accepts: (given, network) => given === undefined || accepts(given, network),
  }
}

/** Different strings, as many as `count` says of the network. */
export function differentStrings(
  expected: string,
  count: (network: Network) => number | undefined = () => undefined,
): Field {
  const accepts = (given: unknown, network: Network) => {
    if (!Array.isArray(given) || given.some((name) => typeof name !== 'string')) return false
    return given.length === (count(network) ?? given.length) && new Set(given).size === given.length
  }
  return { expected, accepts }
}
