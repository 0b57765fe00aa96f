// What comes behind a text model in a folder of sentence-transformers: `modules.json` as layers.
import { join } from 'node:path'
import { InlayError, shown } from '../errors.js'
import type { Layer } from '../nn/layer.js'
import { concat, dense, gelu, normalize, relu, sigmoid, silu, tanh } from '../nn/layers.js'
import type { TensorSource } from '../nn/network.js'
import { pool } from '../nn/windows.js'
import { Fields, type Json, type ModelFolder } from './model-folder.js'

/** What is done with the vectors of tokens, and where the weights for it are. */
export interface SentenceModules {
  readonly layers: readonly Layer[]
  readonly tensors: Readonly<Record<string, TensorSource>>
  readonly files: readonly string[]
  /** Whether the last step divides vectors by their length. */
  readonly normalizes: boolean
}

type Pooling = 'mean' | 'max' | 'first' | 'last'

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
}

const activations: Readonly<Record<string, readonly Layer[]>> = {
  Identity: [],
  Tanh: [tanh()],
  ReLU: [relu()],
  GELU: [gelu()],
  Sigmoid: [sigmoid()],
  SiLU: [silu()],
}

interface Module {
  readonly type: string
  readonly path: string
}

/** The modules of a folder; without a list of them, a mean over tokens. */
export async function modulesOf(folder: ModelFolder): Promise<Module[]> {
  const file = 'modules.json'
  const found = await folder.parsed(file)
  if (found === undefined) return [{ type: 'Transformer', path: '' }]
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

function poolingOf(folder: ModelFolder, file: string, config: Json): Layer[] {
  const { pooling_mode: named } = config
  const old = Object.keys(flags).filter((key) => config[key] === true)
  const modes: unknown[] =
    named === undefined || named === null ? old.map((key) => flags[key]) : [named].flat()
  const layers = (modes.length === 0 ? ['mean'] : modes).map((mode) => {
    const by =
      typeof mode === 'string' && Object.hasOwn(poolings, mode) ? poolings[mode]! : undefined
    if (by === undefined) {
      throw new InlayError('UNSUPPORTED', `${folder.who}: ${file} pools by ${shown(mode)}`)
    }
    return pool({ by })
  })
  return layers.length === 1 ? layers : [concat(layers.map((layer) => [layer]))]
}

/**
 * What stands behind the text model, in order, and the path of that model itself.
 *
 * @throws {InlayError} `UNSUPPORTED` a module that is not known here: a vector without it would be another
 */
export async function sentenceModules(
  folder: ModelFolder,
): Promise<SentenceModules & { readonly transformer: string }> {
  const [first, ...rest] = await modulesOf(folder)
  if (first?.type !== 'Transformer') {
    const problem = `begins with ${shown(first?.type)}, and a text model is read here`
    throw new InlayError('UNSUPPORTED', `${folder.who}: modules.json ${problem}`)
  }
  const layers: Layer[] = []
  const files: string[] = []
  const tensors: Record<string, TensorSource> = {}
  for (const { type, path } of rest.length > 0 ? rest : [{ type: 'Pooling', path: '' }]) {
    folder.file(path, 'modules.json')
    const file = join(path, 'config.json')
    const config = path === '' ? undefined : await folder.json(file)
    if (type === 'Pooling') {
      layers.push(...poolingOf(folder, file, config ?? {}))
    } else if (type === 'Normalize') {
      layers.push(normalize())
    } else if (type === 'Dense') {
      const name = `dense${files.length + 1}`
      const [own] = await folder.weights(path)
      files.push(own!)
      layers.push(...denseOf(new Fields(folder, file, config ?? {}), name))
      tensors[`${name}.weight`] = { tensors: ['linear.weight'] }
      tensors[`${name}.bias`] = { tensors: ['linear.bias'] }
    } else if (type !== 'Dropout') {
      throw new InlayError('UNSUPPORTED', `${folder.who}: modules.json has a module ${type}`)
    }
  }
  if (files.length > 1) {
    throw new InlayError('UNSUPPORTED', `${folder.who}: modules.json has several Dense modules`)
  }
  const normalizes = layers.at(-1)?.kind === 'normalize'
  return { transformer: first.path, layers, tensors, files, normalizes }
}

function denseOf(config: Fields, name: string): Layer[] {
  const activationName = config.text(['activation_function'], 'Tanh').split('.').at(-1)!
  const activation = Object.hasOwn(activations, activationName)
    ? activations[activationName]!
    : undefined
  const residual = config.flag(['use_residual'], false)
  if (activation === undefined || residual) {
    const what = residual ? 'a residual Dense module' : `a Dense module with ${activationName}`
    throw new InlayError('UNSUPPORTED', `${config.folder.who}: ${config.file} describes ${what}`)
  }
  const units = config.count(['out_features'])
  return [dense({ name, units, bias: config.flag(['bias'], true) }), ...activation]
}
