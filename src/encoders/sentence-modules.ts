// What comes behind a text model in a folder of sentence-transformers: `modules.json` as layers.
import { join } from 'node:path'
import { InlayError, shown } from '../errors.js'
import type { Layer } from '../nn/layer.js'
import { concat, dense, gelu, normalize, relu, sigmoid, silu, sum, tanh } from '../nn/layers.js'
import type { TensorSource } from '../nn/loading.js'
import { pool } from '../nn/windows.js'
import { Fields, type Json, type ModelFolder } from './model-folder.js'

/** What is done with the vectors of tokens, and where the weights for it are. */
export interface SentenceModules {
  /** The modules of `modules.json`; `undefined`: there is none. */
  readonly listed: readonly Module[] | undefined
  /** The path of the text model. */
  readonly transformer: string
  /** The last of them is called `sentence`. */
  readonly layers: readonly Layer[]
  readonly weights: readonly ModuleWeights[]
  /** Whether the last step divides vectors by their length. */
  readonly normalizes: boolean
  /** What becomes of a prompt's tokens where those of a text become one vector: they take part, or do not, or are to be left
   * out of what they cannot be left out of here. */
  readonly prompts: 'part' | 'left-out' | 'refused'
}

/** The weights of a module. */
export interface ModuleWeights {
  /** The module's path. */
  readonly path: string
  readonly file: string
  /** Where in the file parameters are. */
  readonly tensors: Readonly<Record<string, TensorSource>>
}

type Pooling = 'mean' | 'max' | 'first' | 'last' | 'mean-root' | 'rising-mean'

/** Old keys of `1_Pooling/config.json`, in the order in which several are put together. */
const flags: Readonly<Record<string, string>> = {
  pooling_mode_cls_token: 'cls',
  pooling_mode_max_tokens: 'max',
  pooling_mode_mean_tokens: 'mean',
  pooling_mode_mean_sqrt_len_tokens: 'mean_sqrt_len_tokens',
  pooling_mode_weightedmean_tokens: 'weightedmean',
  pooling_mode_lasttoken: 'lasttoken',
}

const poolings: Readonly<Record<string, Pooling>> = {
  cls: 'first',
  max: 'max',
  mean: 'mean',
  lasttoken: 'last',
  mean_sqrt_len_tokens: 'mean-root',
  weightedmean: 'rising-mean',
}

const activations: Readonly<Record<string, readonly Layer[]>> = {
  Identity: [],
  Tanh: [tanh()],
  ReLU: [relu()],
  GELU: [gelu()],
  Sigmoid: [sigmoid()],
  SiLU: [silu()],
}

/** A module of `modules.json`. */
export interface Module {
  readonly type: string
  readonly path: string
}

/** The modules of a folder; `undefined`: there is no list of them. */
export async function modulesOf(folder: ModelFolder): Promise<Module[] | undefined> {
  const file = 'modules.json'
  const found = await folder.parsed(file)
  if (found === undefined) return undefined
  if (!Array.isArray(found)) throw folder.wrong(file, 'should hold a list')
  return found.map((module: Json | null) => {
    const { type, path } = module ?? {}
    if (typeof type !== 'string' || typeof path !== 'string') {
      throw folder.wrong(file, 'has a module without `type` and `path`')
    }
    // They were moved from package to package: the last name has stayed.
    return { type: type.split('.').at(-1)!, path }
  })
}

function poolingOf(folder: ModelFolder, file: string, config: Json): Pooling[] {
  const { pooling_mode: named } = config
  const old = Object.keys(flags).filter((key) => config[key] === true)
  const modes: unknown[] =
    named === undefined || named === null ? old.map((key) => flags[key]) : [named].flat()
  return (modes.length === 0 ? ['mean'] : modes).map((mode) => {
    const by =
      typeof mode === 'string' && Object.hasOwn(poolings, mode) ? poolings[mode]! : undefined
    if (by === undefined) {
      throw new InlayError('UNSUPPORTED', `${folder.who}: ${file} pools by ${shown(mode)}`)
    }
    return by
  })
}

/** A rising mean counts from the prompt's first token on; and versions of sentence-transformers differ in whether the first token
 * is that of a prompt which is left out. */
function promptsIn(ways: readonly Pooling[], config: Json): SentenceModules['prompts'] {
  if (config['include_prompt'] !== false) return 'part'
  return ways.some((by) => by === 'first' || by === 'rising-mean') ? 'refused' : 'left-out'
}

/**
 * What stands behind the text model, in order, and the path of that model itself.
 *
 * @throws {InlayError} `UNSUPPORTED` a module that is not known here: a vector without it would be another
 */
export async function sentenceModules(folder: ModelFolder): Promise<SentenceModules> {
  const listed = await modulesOf(folder)
  const [first, ...rest] = listed ?? [{ type: 'Transformer', path: '' }]
  if (first?.type !== 'Transformer') {
    const problem = `begins with ${shown(first?.type)}, and a text model is read here`
    throw new InlayError('UNSUPPORTED', `${folder.who}: modules.json ${problem}`)
  }
  const known = rest.filter(({ type }) => type !== 'Dropout')
  // Without any, vectors are means over tokens.
  const modules = known.length > 0 ? known : [{ type: 'Pooling', path: '' }]
  const layers: Layer[] = []
  const weights: ModuleWeights[] = []
  let prompts: SentenceModules['prompts'] = 'part'
  for (const [number, { type, path }] of modules.entries()) {
    folder.file(path, 'modules.json')
    const file = join(path, 'config.json')
    // Without it a vector would be another one, and nobody would know.
    const reads = path !== '' && (type === 'Pooling' || type === 'Dense')
    const config = reads ? await folder.neededJson(file) : undefined
    if (type === 'Pooling') {
      const found = poolingOf(folder, file, config ?? {})
      const pools = found.map((by) => pool({ by }))
      layers.push(...(pools.length === 1 ? pools : [concat(pools.map((layer) => [layer]))]))
      prompts = promptsIn(found, config ?? {})
    } else if (type === 'Normalize') {
      layers.push(normalize())
    } else if (type === 'Dense') {
      const name = number === modules.length - 1 ? 'sentence' : `dense${weights.length + 1}`
      const [own] = await folder.weights(path)
      const module = denseOf(new Fields(folder, file, config ?? {}), name)
      layers.push(...module.layers)
      weights.push({ path, file: own!, tensors: module.tensors })
    } else {
      throw new InlayError('UNSUPPORTED', `${folder.who}: modules.json has a module ${type}`)
    }
  }
  const normalizes = layers.at(-1)?.kind === 'normalize'
  return {
    listed,
    transformer: first.path,
    layers: lastNamed(layers),
    weights,
    normalizes,
    prompts,
  }
}

/** The last layer is called `sentence`; several side by side have no name. */
function lastNamed(layers: readonly Layer[]): Layer[] {
  const [before, last] = [layers.slice(0, -1), layers.at(-1)!]
  return [...before, 'branches' in last ? last : { ...last, name: 'sentence' }]
}

/** act(x·Wᵀ + b), and x or a projection of it added where there is a residual connection. The dense layer has `name` if
 * it is what comes out. */
function denseOf(
  config: Fields,
  name: string,
): { layers: Layer[]; tensors: Record<string, TensorSource> } {
  const activationName = config.text(['activation_function'], 'Tanh').split('.').at(-1)!
  const activation = Object.hasOwn(activations, activationName)
    ? activations[activationName]!
    : undefined
  if (activation === undefined) {
    const what = `a Dense module with ${activationName}`
    throw new InlayError('UNSUPPORTED', `${config.folder.who}: ${config.file} describes ${what}`)
  }
  const units = config.count(['out_features'])
  const bias = config.flag(['bias'], true)
  const residual = config.flag(['use_residual'], false)
  const isLast = activation.length === 0 && !residual
  const own = isLast || name !== 'sentence' ? name : 'dense'
  const layers = [dense({ name: own, units, bias }), ...activation]
  const tensors: Record<string, TensorSource> = {
    [`${own}.weight`]: { tensors: ['linear.weight'] },
  }
  if (bias) tensors[`${own}.bias`] = { tensors: ['linear.bias'] }
  if (!residual) return { layers, tensors }
  if (config.count(['in_features']) === units) return { layers: [sum([layers, []])], tensors }
  const projection = dense({ name: `${own}.residual`, units, bias: false })
  tensors[`${own}.residual.weight`] = { tensors: ['residual.weight'] }
  return { layers: [sum([layers, [projection]])], tensors }
}
