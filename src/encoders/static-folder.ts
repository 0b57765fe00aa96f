// Folders of static encoders: what model2vec writes, and sentence-transformers' StaticEmbedding.
import { join } from 'node:path'
import { InlayError, shown } from '../errors.js'
import { Fields, type Json, type ModelFolder } from './model-folder.js'
import { modulesOf } from './sentence-modules.js'
import type { Content } from './whole-folder.js'

/** What a folder says of a static encoder. */
export interface StaticFolder {
  /** By whose rules texts are read. */
  readonly library: 'model2vec' | 'sentence-transformers'
  /** Where its files are. */
  readonly tokenizer: string
  readonly rows: string
  /** Tokens of a text that are read; `undefined`: what the tokenizer says. */
  readonly maxTokens: number | undefined
  readonly normalizes: boolean
  /** What is in `config.json`, for a folder of model2vec. */
  readonly config: Json
  /** What is in `config_sentence_transformers.json`. */
  readonly about: Json
}

/** Tokens of a text that model2vec reads. */
export const model2vecTokens = 512

const aboutFile = 'config_sentence_transformers.json'

/** Whether a folder is one of a static encoder: told by what it says of itself. */
export async function isStaticFolder(folder: ModelFolder): Promise<boolean> {
  const config = await folder.json('config.json')
  if (config?.['model_type'] === 'model2vec') return true
  const [first] = (await modulesOf(folder)) ?? []
  return first?.type === 'StaticEmbedding'
}

/**
 * Reads what a folder says.
 *
 * @throws {InlayError} `NOT_FOUND` a file is missing; `INVALID_INPUT`; `UNSUPPORTED` a folder of another model
 */
export async function readStaticFolder(folder: ModelFolder): Promise<StaticFolder> {
  const about = (await folder.json(aboutFile)) ?? {}
  const config = await folder.json('config.json')
  const type = config?.['model_type']
  if (config && (type === undefined || type === 'model2vec')) {
    const fields = new Fields(folder, 'config.json', config)
    const limit = config['max_length']
    return {
      library: 'model2vec',
      ...(await filesOf(folder, '')),
      maxTokens: limit === null ? Infinity : fields.count(['max_length'], model2vecTokens),
      normalizes: fields.flag(['normalize'], false),
      config,
      about,
    }
  }
  if (type !== undefined) {
    const problem = `a model of type ${shown(type)}, and a table of tokens is read here`
    throw new InlayError('UNSUPPORTED', `${folder.who}: config.json describes ${problem}`)
  }
  const { path, normalizes } = await staticModules(folder)
  const files = await filesOf(folder, path)
  const library = 'sentence-transformers'
  return { library, ...files, maxTokens: undefined, normalizes, config: {}, about }
}

/** Where in a folder of sentence-transformers the table is, and whether vectors are divided by their length. */
async function staticModules(
  folder: ModelFolder,
): Promise<{ readonly path: string; readonly normalizes: boolean }> {
  if (!(await folder.has('modules.json'))) {
    const nested = '0_StaticEmbedding'
    const isNested = await folder.has(join(nested, 'model.safetensors'))
    return { path: isNested ? nested : '', normalizes: false }
  }
  const [first, ...rest] = (await modulesOf(folder)) ?? []
  const unknown = [first, ...rest.filter(({ type }) => type !== 'Normalize')].find(
    (module, i) => i > 0 || module?.type !== 'StaticEmbedding',
  )
  if (first === undefined || unknown) {
    const problem = `has a module ${shown(unknown?.type)}, and StaticEmbedding and Normalize are read here`
    throw new InlayError('UNSUPPORTED', `${folder.who}: modules.json ${problem}`)
  }
  folder.file(first.path, 'modules.json')
  return { path: first.path, normalizes: rest.length > 0 }
}

async function filesOf(
  folder: ModelFolder,
  within: string,
): Promise<Pick<StaticFolder, 'tokenizer' | 'rows'>> {
  const name = join(within, 'tokenizer.json')
  if (!(await folder.has(name))) throw folder.missing(name)
  const [rows, ...others] = await folder.weights(within)
  if (others.length > 0) {
    throw new InlayError('UNSUPPORTED', `${folder.who}: rows that lie in several files`)
  }
  return { tokenizer: folder.file(name), rows: rows! }
}

/** What is written of a static encoder beside its tokenizer and its rows. */
export type SavedFolder = Pick<StaticFolder, 'library' | 'config' | 'about' | 'normalizes'> & {
  readonly maxTokens: number
  readonly dimensions: number
}

/** The files that say what `readStaticFolder` reads, as model2vec and sentence-transformers do. */
export function describedFolder({
  library,
  config,
  about,
  normalizes,
  maxTokens,
  dimensions,
}: SavedFolder): Map<string, Content> {
  const files = new Map<string, Content>()
  const write = (name: string, content: unknown) =>
    files.set(name, JSON.stringify(content, undefined, 2) + '\n')
  const moduleOf = (idx: number, type: string, within: string) => {
    const name = `sentence_transformers.models.${type}`
    return { idx, name: String(idx), path: within, type: name }
  }
  const modules = [moduleOf(0, 'StaticEmbedding', '')]
  if (normalizes) modules.push(moduleOf(1, 'Normalize', '1_Normalize'))
  write('modules.json', modules)
  if (library === 'model2vec') {
    write('config.json', {
      ...config,
      model_type: 'model2vec',
      architectures: ['StaticModel'],
      hidden_dim: dimensions,
      normalize: normalizes,
      max_length: maxTokens === Infinity ? null : maxTokens,
    })
  }
  if (library !== 'model2vec' || Object.keys(about).length > 0) {
    write(aboutFile, { model_type: 'SentenceTransformer', ...about })
  }
  return files
}
