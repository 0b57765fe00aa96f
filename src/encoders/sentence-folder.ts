// An encoder as a folder of sentence-transformers: what it was loaded from, with the weights that it has now.
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { RunSettings } from '../options.js'
import { type Path, settlePath } from '../path.js'
import { Fields, type Json, ModelFolder } from './model-folder.js'
import type { SentenceParts } from './sentence-parts.js'
import type { TextReading } from './subword-tokenizer.js'
import { type Content, writeFolder } from './whole-folder.js'

/** What may lie beside the weights of a text model and belongs to it. */
const tokenizerFiles = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.txt',
  'vocab.json',
  'merges.txt',
  'sentencepiece.bpe.model',
  'spiece.model',
]

/** What says how texts are read, in the order in which it is looked for. */
const readingFiles = ['bert', 'roberta', 'distilbert', 'camembert', 'xlm-roberta'].map(
  (model) => `sentence_${model}_config.json`,
)

/** How texts are read, by what the folder says; not more tokens than there are positions for. */
export async function readingOf(
  folder: ModelFolder,
  within: (name: string) => string,
  most: number,
): Promise<TextReading> {
  const said = await Promise.all(readingFiles.map(within).map((file) => fieldsOf(folder, file)))
  const fields = said.find((found) => found !== undefined)
  const length = fields?.json['max_seq_length'] ?? null
  const limit =
    length === null ? await tokenizerLimit(folder, within) : fields!.count(['max_seq_length'])
  return {
    limit: Math.min(limit, most),
    lowercase: fields?.flag(['do_lower_case'], false) ?? false,
  }
}

async function fieldsOf(folder: ModelFolder, file: string): Promise<Fields | undefined> {
  const found = await folder.json(file)
  return found && new Fields(folder, file, found)
}

async function tokenizerLimit(
  folder: ModelFolder,
  within: (name: string) => string,
): Promise<number> {
  const { model_max_length: length } = (await folder.json(within('tokenizer_config.json'))) ?? {}
  // A folder without a limit says 1e30.
  return typeof length === 'number' && length >= 1 ? Math.floor(length) : Infinity
}

const WEIGHTS = 'model.safetensors'

/** Writes an encoder. @throws {InlayError} see `encoder.save` */
export async function saveSentenceFolder(
  parts: SentenceParts,
  to: Path,
  run: RunSettings,
  who: string,
): Promise<void> {
  const target = resolve(settlePath(to, who, 'folder'))
  await writeFolder(target, await filesOf(parts, run, who), run, who)
}

/** All files by their names. */
async function filesOf(
  parts: SentenceParts,
  run: RunSettings,
  who: string,
): Promise<Map<string, Content>> {
  const { network, model, modules, weights, maxTokens, reading } = parts
  const folder = new ModelFolder(parts.folder.path, who)
  const files = new Map<string, Content>()
  const copy = async (name: string) => {
    const content = await contentOf(folder, name)
    if (content !== undefined) files.set(name, content)
  }
  const within = (name: string) => join(modules.transformer, name)
  files.set(within('config.json'), await asFloat32(folder, within('config.json')))
  for (const name of tokenizerFiles) await copy(within(name))
  for (const name of readingFiles) await copy(within(name))
  files.set(within(WEIGHTS), (path) => network.export(weights, model.tensors, path, run, who))
  for (const name of ['modules.json', 'config_sentence_transformers.json']) await copy(name)
  for (const { path } of modules.listed?.slice(1) ?? []) await copy(join(path, 'config.json'))
  for (const { path, file, tensors } of modules.weights) {
    files.set(join(path, WEIGHTS), (to) => network.export([file], tensors, to, run, who))
  }
  if (modules.listed === undefined) addModules(files, model.width)
  const isSaid = modules.listed !== undefined && maxTokens === reading.limit
  if (!isSaid) {
    const name =
      readingFiles.map(within).find((file) => files.has(file)) ?? within(readingFiles[0]!)
    files.set(name, await withLength(folder, name, maxTokens))
  }
  return files
}

/** Of a folder of Hugging Face, what makes one of sentence-transformers of it. */
function addModules(files: Map<string, Content>, width: number): void {
  const types = [
    ['', 'Transformer'],
    ['1_Pooling', 'Pooling'],
  ] as const
  const modules = types.map(([path, type], idx) => {
    return { idx, name: `${idx}`, path, type: `sentence_transformers.models.${type}` }
  })
  const pooling = {
    word_embedding_dimension: width,
    pooling_mode_cls_token: false,
    pooling_mode_mean_tokens: true,
    pooling_mode_max_tokens: false,
    pooling_mode_mean_sqrt_len_tokens: false,
  }
  files.set('modules.json', json(modules))
  files.set(join('1_Pooling', 'config.json'), json(pooling))
  if (!files.has('config_sentence_transformers.json')) {
    const about = { __version__: {}, prompts: {}, default_prompt_name: null }
    files.set('config_sentence_transformers.json', json(about))
  }
}

/** A configuration that says which type weights have, which is float32 now. All else stays letter for letter: to
 * transformers 2.0 is another number than 2. */
async function asFloat32(folder: ModelFolder, name: string): Promise<string> {
  await folder.neededJson(name)
  const text = await readFile(folder.file(name), 'utf8')
  return text.replaceAll(/("(?:torch_)?dtype"\s*:\s*)"\w+"/g, '$1"float32"')
}

/** What says how many tokens are read, with another number of them. */
async function withLength(folder: ModelFolder, name: string, length: number): Promise<string> {
  const key = 'max_seq_length'
  const before = await folder.json(name)
  if (before === undefined || !(key in before)) {
    return json({ do_lower_case: false, ...before, [key]: length })
  }
  const text = await readFile(folder.file(name), 'utf8')
  return text.replace(/("max_seq_length"\s*:\s*)(?:\d+|null)/, `$1${length}`)
}

async function contentOf(folder: ModelFolder, name: string): Promise<Uint8Array | undefined> {
  return (await folder.has(name)) ? readFile(folder.file(name)) : undefined
}

function json(value: Json | readonly Json[]): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
