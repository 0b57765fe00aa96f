// Which encoder of sounds a folder holds.
import { InlayError } from '../errors.js'
import { type RunOptions, settle } from '../options.js'
import type { Path } from '../path.js'
import { clapSound } from './clap-towers.js'
import { towerConfig } from './clip-towers.js'
import { Fields, ModelFolder } from './model-folder.js'
import { SoundEncoder } from './sound-encoder.js'
import { soundProcessor } from './sound-processor.js'
import { TensorShapes } from './tensor-shapes.js'

/**
 * Loads the encoder of sounds that a folder of Hugging Face holds: of a `ClapEncoder` the tower of sounds.
 *
 *     using encoder = await loadSoundEncoder('clap-htsat-unfused')
 *     const vectors = await encoder.encode(['dog.wav', 'rain.mp3'])
 *
 * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the folder is damaged; `UNSUPPORTED` a folder of another model
 */
export async function loadSoundEncoder(
  path: Path,
  options: RunOptions = {},
): Promise<SoundEncoder> {
  const who = 'loadSoundEncoder'
  const { run } = settle({}, options, who)
  const folder = new ModelFolder(path, who)
  const json = await folder.neededJson('config.json')
  const config = new Fields(folder, 'config.json', json)
  const type = config.text(['model_type'])
  if (type !== 'clap') {
    throw new InlayError('UNSUPPORTED', `${who}: a model of type ${type}; these can be read: clap`)
  }
  const preparation = await soundProcessor(folder)
  const files = await folder.weightsOfAnyAge()
  const shapes = await TensorShapes.of(files, who, run)
  const sound = clapSound(config, towerConfig(folder, json, 'audio'), preparation, shapes)
  return SoundEncoder.load(sound, files, run)
}
