// Which text models can be read, by the `model_type` of their configuration.
import { InlayError } from '../errors.js'
import { bertLike, families } from './bert.js'
import type { Fields } from './model-folder.js'
import { modernBert } from './modern-bert.js'
import type { TextTransformer } from './text-transformer.js'

/**
 * The layers of a model by its configuration; `names` are those of the folder's tensors.
 *
 * @throws {InlayError} `UNSUPPORTED` another kind of model
 */
export function textTransformer(config: Fields, names: ReadonlySet<string>): TextTransformer {
  const type = config.text(['model_type'])
  if (type === 'modernbert') return modernBert(config, names)
  if (Object.hasOwn(families, type)) return bertLike(config, families[type]!, names)
  const known = [...Object.keys(families), 'modernbert'].join(', ')
  const { who } = config.folder
  throw new InlayError(
    'UNSUPPORTED',
    `${who}: a model of type ${type}; these can be read: ${known}`,
  )
}
