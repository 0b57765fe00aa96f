// Which encoder of pictures a folder or file holds.
import { stat } from 'node:fs/promises'
import { InlayError } from '../errors.js'
import { type RunOptions, settle } from '../options.js'
import { type Path, settlePath } from '../path.js'
import { clipImage, towerConfig } from './clip-towers.js'
import { ImageEncoder, type ImageModel, loadImageModel } from './image-encoder.js'
import { Fields, ModelFolder } from './model-folder.js'
import { ResNet } from './resnet.js'
import { siglipImage } from './siglip-towers.js'
import { TensorShapes } from './tensor-shapes.js'
import { Vgg } from './vgg.js'
import { Vit } from './vit.js'

/** By the `model_type` of a folder's `config.json`; of CLIP and SigLIP, the tower of pictures. */
const folders: Readonly<Record<string, (path: string, run: RunOptions) => Promise<ImageEncoder>>> =
  {
    vit: (path, run) => Vit.load(path, run),
    deit: (path, run) => Vit.load(path, run),
    dinov2: (path, run) => Vit.load(path, run),
    resnet: (path, run) => ResNet.load(path, run),
    clip: (path, run) => loadTower(path, run, clipImage),
    siglip: (path, run) => loadTower(path, run, siglipImage),
  }

/** By a tensor that no other has. */
const files = [
  [/^(|module\.)conv_proj\.weight$|embeddings\.patch_embeddings\.projection\.weight$/, Vit],
  [/^features\.\d+\.weight$/, Vgg],
  [/^(|module\.)conv1\.weight$|embedder\.embedder\.convolution\.weight$/, ResNet],
] as const

/**
 * Loads the encoder of pictures that a folder of Hugging Face or a file of weights holds, whichever it is: a `Vit`, `ResNet` or `Vgg`,
 * or of a `ClipEncoder` or `SiglipEncoder` the tower of pictures. With options of their own there are `Vit.load` and the others.
 *
 *     using encoder = await loadImageEncoder('clip-vit-base-patch32')
 *     const vectors = await encoder.encode(['cat.jpg', 'dog.png'])
 *
 * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is damaged or none of these; `UNSUPPORTED` a folder of another model
 */
export async function loadImageEncoder(
  path: Path,
  options: RunOptions = {},
): Promise<ImageEncoder> {
  const who = 'loadImageEncoder'
  const { run } = settle({}, options, who)
  const given = settlePath(path, who)
  const isFolder = await stat(given).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (isFolder) {
    const folder = new ModelFolder(given, who)
    const json = await folder.neededJson('config.json')
    const type = new Fields(folder, 'config.json', json).text(['model_type'])
    if (Object.hasOwn(folders, type)) return folders[type]!(given, run)
    const known = Object.keys(folders).join(', ')
    const problem = `a model of type ${type}; these can be read: ${known}`
    throw new InlayError('UNSUPPORTED', `${who}: ${problem}`)
  }
  const shapes = await TensorShapes.of([given], who, run)
  const found = files.find(([pattern]) => shapes.find((name) => pattern.test(name)))
  if (found) return found[1].load(given, run)
  throw shapes.error(' has the tensors of no Vision Transformer, VGG or ResNet')
}

/** The tower of pictures of a model that has another one. */
async function loadTower(
  path: string,
  options: RunOptions,
  modelOf: (config: Fields, shapes: TensorShapes) => Promise<ImageModel>,
): Promise<ImageEncoder> {
  const who = 'loadImageEncoder'
  const { run } = settle({}, options, who)
  const folder = new ModelFolder(path, who)
  const config = towerConfig(folder, await folder.neededJson('config.json'), 'vision')
  const weights = await folder.weightsOfAnyAge()
  const model = await modelOf(config, await TensorShapes.of(weights, who, run))
  return new ImageEncoder(...(await loadImageModel(model, weights, {}, run, who)))
}
