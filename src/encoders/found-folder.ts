// A folder of a model of two towers, one of which is of texts.
import { InlayError } from '../errors.js'
import type { RunSettings } from '../options.js'
import { Fields, type ModelFolder } from './model-folder.js'
import { TensorShapes } from './tensor-shapes.js'

/** What the files of a folder were found to be. */
export interface FoundFolder {
  readonly folder: ModelFolder
  readonly config: Fields
  readonly files: readonly string[]
  readonly shapes: TensorShapes
}

/** Looks at a folder of a `type` of model. */
export async function findFolder(
  folder: ModelFolder,
  type: string,
  hints: Readonly<Record<string, string>>,
  run: RunSettings,
): Promise<FoundFolder> {
  const { who } = folder
  const config = new Fields(folder, 'config.json', await folder.neededJson('config.json'))
  const found = config.text(['model_type'])
  if (found !== type) {
    const hint = Object.hasOwn(hints, found) ? `; \`${hints[found]}.load\` reads it` : ''
    const problem = `a model of type ${found}; these can be read: ${type}${hint}`
    throw new InlayError('UNSUPPORTED', `${who}: ${problem}`)
  }
  if (!(await folder.has('tokenizer.json'))) throw folder.missing('tokenizer.json')
  const files = await folder.weightsOfAnyAge()
  return { folder, config, files, shapes: await TensorShapes.of(files, who, run) }
}
