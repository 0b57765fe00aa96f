// Which layers stay as they are, by the names that PyTorch has for their parameters.
import type { TensorSource } from '../nn/loading.js'
import { wrongOption } from '../options.js'

/**
 * The layers whose parameters have one of the given names: a whole name of PyTorch, or some of its parts ('embeddings',
 * 'encoder.layer.0', 'LayerNorm'), or a layer's name here ('layers.0').
 *
 * @throws {InvalidOptionError} a name that no parameter has; a layer of which only a part would stay
 */
export function frozenLayers(
  given: readonly string[],
  tensors: Readonly<Record<string, TensorSource>>,
  layers: readonly string[],
  who: string,
): string[] {
  const namesOf = (layer: string) => {
    const sources = Object.entries(tensors).filter(([name]) => name.startsWith(`${layer}.`))
    return sources.flatMap(([, source]) => source.tensors)
  }
  const used = new Set<string>()
  const stays = (name: string) => {
    const found = given.filter((part) => `.${name}.`.includes(`.${part}.`))
    for (const part of found) used.add(part)
    return found.length > 0
  }
  const frozen = layers.filter((layer) => {
    const names = namesOf(layer)
    if (names.length === 0) return false
    const isNamed = stays(layer)
    const kept = names.map(stays)
    if (isNamed || kept.every(Boolean)) return true
    if (!kept.some(Boolean)) return false
    const others = names.filter((_, i) => !kept[i])
    const expected = `names of whole layers: \`${layer}\` has ${others.join(', ')} as well`
    throw wrongOption(
      'freeze',
      expected,
      given.find((part) => used.has(part)),
      who,
    )
  })
  const unknown = given.find((part) => !used.has(part))
  if (unknown === undefined) return frozen
  const example = Object.values(tensors)[0]?.tensors[0]
  const expected = `names of parameters as PyTorch has them, or parts of such names, as in ${example}`
  throw wrongOption('freeze', expected, unknown, who)
}
