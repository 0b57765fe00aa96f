// What `Network.load` reads of files, and how.
import type { NetworkHandle } from '../native.js'
import { checkKnown, custom, flag, integer, oneOf, wrongOption } from '../options.js'
import { type NetworkDescription, summary } from './description.js'

/** Of which tensors of a file a parameter is made. */
export interface TensorSource {
  /** Their names. Rows of several stand one after the other: queries, keys and values in one `in_proj_weight`. */
  readonly tensors: readonly string[]
  /** In which of the files they are, counted from 0. Default: the first that has them. */
  readonly file?: number
  /** Rows that are left out before the first. Default: 0. */
  readonly skip?: number
  /** Whether their rows may be of another shape with as many values: of a dense layer that is a convolution here. */
  readonly reshaped?: boolean
  /** Only this row of the tensor, for a parameter that is a vector. */
  readonly row?: number
}

/** What a `TensorSource` may hold. */
const sourceFields = {
  tensors: custom<readonly string[]>(
    'names of tensors, at least one',
    (given) =>
      Array.isArray(given) && given.length > 0 && given.every((name) => typeof name === 'string'),
    'their names',
  ),
  file: integer(undefined, { from: 0 }, 'in which of the files they are'),
  skip: integer(0, { from: 0 }, 'rows that are left out before the first'),
  reshaped: flag(false, 'whether their rows may be of another shape'),
  row: integer(undefined, { from: 0 }, 'only this row of the tensor'),
}

/** Every option of `Network.load`. */
export const networkLoadingOptions = {
  /** Where parameters are that have other names in the file, by their own names: 'layers.0.norm1.weight'. */
  tensors: custom<Readonly<Record<string, TensorSource>>>(
    'an object with lists of tensors by the names of parameters',
    (given) =>
      typeof given === 'object' &&
      given !== null &&
      Object.values(given).every((source: unknown) =>
        Array.isArray((source as TensorSource | null)?.tensors),
      ),
    'where parameters are that have other names in the file',
  ),
  /** `'int8'`: the weights of dense layers and of attention have 8 bits, and what they are multiplied with has so too: in less
   * memory and less time, for vectors that are a little less exact. What is asked, saved or trained of such a network is what its
   * bytes stand for. */
  precision: oneOf(['float32', 'int8'], 'how exact the weights of dense layers and attention are'),
  /** Whether all threads of the process that load the same network from the same files share its memory. What can be read where the
   * files have it is read there: they may be replaced by others meanwhile, and not be written to. */
  shared: flag(false, 'whether all threads of the process share its memory'),
  /** What stands before each name in the file: 'encoder.'. */
  prefix: custom<string>(
    'a string',
    (given) => typeof given === 'string',
    'what stands before names',
  ),
}

/** @throws {InvalidOptionError} a source that says something else than a `TensorSource` does @internal */
export function checkSources(sources: Readonly<Record<string, TensorSource>>, who: string): void {
  for (const [parameter, source] of Object.entries(sources)) {
    const place = `tensors.${parameter}.`
    checkKnown(Object.keys(source), Object.keys(sourceFields), 'field', who, place)
    for (const [name, { accepts, expected }] of Object.entries(sourceFields)) {
      const given = source[name as keyof TensorSource]
      if (given === undefined || accepts(given)) continue
      throw wrongOption(place + name, expected, given, who)
    }
  }
}

/** @throws {InvalidOptionError} a source of a parameter that the network does not have @internal */
export function checkParameters(
  sources: Readonly<Record<string, TensorSource>>,
  native: NetworkHandle,
  description: NetworkDescription,
  who: string,
): void {
  const has = (name: string) => native.parameterShape(name) !== null
  const given = Object.keys(sources)
  if (given.every(has)) return
  const layers = summary(description, who).map((layer) => layer.name)
  const known = layers.flatMap((layer) => [`${layer}.weight`, `${layer}.bias`].filter(has))
  checkKnown(given, [...given.filter(has), ...known], 'parameter', who, 'tensors.')
}
