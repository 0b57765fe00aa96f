import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { InlayError } from '../errors.js'
import type { Layer } from '../nn/layer.js'
import { concat, dense, layerNorm, reshape, slice, tanh } from '../nn/layers.js'
import type { TensorSource } from '../nn/loading.js'
import { pool } from '../nn/windows.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  integer,
  settle,
  wrongOption,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { type ImagePreparation, imageNet } from '../pictures/prepare-pictures.js'
import {
  ImageEncoder,
  type ImageModel,
  imageEncoderOptions,
  loadImageModel,
} from './image-encoder.js'
import { dinov2 } from './dinov2.js'
import { imageProcessor } from './image-processor.js'
import { Fields, ModelFolder } from './model-folder.js'
import { type BlockNames, TensorNames } from './tensor-names.js'
import { TensorShapes } from './tensor-shapes.js'
import { activationOf } from './text-transformer.js'
import {
  type VisionShape,
  checkSizes,
  headsOf,
  sideOf,
  sizesOf,
  visionLayers,
} from './vision-transformer.js'

/** What may be said when a Vision Transformer is loaded. */
export const vitOptions = {
  ...imageEncoderOptions,
  /** Blocks that the file must have. Default: as many as its tensors make. */
  depth: integer(undefined, { from: 1 }, 'blocks that the file must have'),
  /** Heads of attention, which weights do not tell: of a file without a `config.json` beside it. Default: as published models of
   * this width have. */
  heads: integer(undefined, { from: 1 }, 'heads of attention'),
}

/** The options of `Vit.load`: see `vitOptions`. */
export type VitOptions = Options<typeof vitOptions>

/** What was found in a file or folder. */
interface Found {
  readonly files: readonly string[]
  readonly folder: ModelFolder
  readonly shapes: TensorShapes
}

/**
 * Vision Transformer (Dosovitskiy et al. 2020, arXiv:2010.11929) and its distilled kin, DeiT (Touvron et al. 2020,
 * arXiv:2012.12877), and DINOv2 (Oquab et al. 2023, arXiv:2304.07193), with pretrained weights of Hugging Face or torchvision.
 *
 *     picture 224 x 224 ─▶ 14 x 14 patches ─▶ class token + 196 + places ─▶ layers.0 ─▶ ... ─▶ norm ─▶ class ─▶ scores
 *                                                                                               └─▶ patches ─▶ mean
 *
 *     const vit = await Vit.load('vit-base-patch16-224')
 *     const vectors = await vit.encode(['cat.jpg', 'dog.png']) // of the class token, 768 values each
 *     const means = await vit.encode(['cat.jpg'], { layer: 'mean' })
 *     const patches = await vit.encode(['cat.jpg'], { layer: 'patches' }) // 196 · 768 values, row after row
 */
export class Vit extends ImageEncoder {
  /**
   * Reads a Hugging Face folder (`config.json`, `model.safetensors` or the several of an index, `preprocessor_config.json`), or a
   * file of weights, safetensors or as `torch.save` wrote it (of which nothing is run). A file with torchvision's names needs
   * nothing else; one with Hugging Face's names needs the `config.json` beside it. Pictures are prepared as the folder says, and
   * classes have its names.
   *
   * @throws {InvalidOptionError} the file has another `depth`, or more or fewer `labels`; `heads` that do not divide the width
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is damaged or no Vision Transformer, or lacks tensors: with all of
   *   them; a configuration that its weights do not fit; `UNSUPPORTED` a model or a preparation that is not known here
   */
  static async load(path: Path, options: VitOptions & RunOptions = {}): Promise<Vit> {
    const who = 'Vit.load'
    const { settings, run } = settle(vitOptions, options, who)
    const found = await find(settlePath(path, who), run, who)
    const ofTorch = found.shapes.find((name) => /^(|module\.)conv_proj\.weight$/.test(name))
    const { model, labels } = ofTorch
      ? { model: ofTorchvision(found, settings.heads, who), labels: undefined }
      : await ofHub(found, settings.heads, who)
    const preparation: ImagePreparation = { ...model.preparation, ...settings.preparation }
    if (preparation.crop !== model.preparation.crop) {
      const expected = `${model.preparation.crop}, which the model has places for`
      throw wrongOption('preparation.crop', expected, preparation.crop, who)
    }
    const prepared = { ...model, preparation }
    const named = { ...settings, labels: settings.labels ?? labels }
    return new Vit(...(await loadImageModel(prepared, found.files, named, run, who)))
  }
}

async function find(given: string, run: RunSettings, who: string): Promise<Found> {
  const isFolder = await stat(given).then(
    (entry) => entry.isDirectory(),
    () => false,
  )
  const folder = new ModelFolder(isFolder ? given : dirname(given), who)
  // Of a folder that is something else, that is said, and not which tensors are missing.
  if (isFolder) typeOf(await configOf(folder))
  const files = isFolder ? await folder.weightsOfAnyAge() : [given]
  return { files, folder, shapes: await TensorShapes.of(files, who, run) }
}

async function configOf(folder: ModelFolder): Promise<Fields> {
  return new Fields(folder, 'config.json', await folder.neededJson('config.json'))
}

/** @throws {InlayError} `UNSUPPORTED` another model */
function typeOf(config: Fields): 'vit' | 'deit' | 'dinov2' {
  const type = config.text(['model_type'])
  if (type === 'vit' || type === 'deit' || type === 'dinov2') return type
  const hints: Readonly<Record<string, string>> = { clip: 'ClipEncoder', siglip: 'SiglipEncoder' }
  const hint = Object.hasOwn(hints, type) ? `; \`${hints[type]}.load\` reads it` : ''
  const problem = `a model of type ${type}; these can be read: vit, deit, dinov2${hint}`
  throw new InlayError('UNSUPPORTED', `${config.folder.who}: ${problem}`)
}

/** Names of torchvision: https://github.com/pytorch/vision, `models/vision_transformer.py`. */
function ofTorchvision({ shapes }: Found, given: number | undefined, who: string): ImageModel {
  const prefix = shapes.has('module.conv_proj.weight') ? 'module.' : ''
  const layer = (i: number) => `encoder.layers.encoder_layer_${i}`
  const isOld = shapes.has(`${prefix}${layer(0)}.mlp.linear_1.weight`)
  const [first, second] = isOld ? ['linear_1', 'linear_2'] : ['0', '3']
  const sizes = sizesOf(shapes, {
    patch: `${prefix}conv_proj.weight`,
    positions: `${prefix}encoder.pos_embedding`,
    tokens: ['class_token'],
    hidden: (i) => `${prefix}${layer(i)}.mlp.${first}.weight`,
  })
  const side = Math.round(Math.sqrt(sizes.rows - 1)) * sizes.patch
  if ((side / sizes.patch) ** 2 + 1 !== sizes.rows) {
    throw shapes.error(` has ${sizes.rows} places, which are no square and one`)
  }
  const heads = settleHeads(given ?? usualHeads(sizes.width), sizes.width, who)
  const shape = { ...sizes, side, heads, activation: 'gelu', epsilon: 1e-6, isClip: false } as const
  const block = (i: number): BlockNames => ({
    attention: [`${layer(i)}.self_attention.in_proj`],
    out: `${layer(i)}.self_attention.out_proj`,
    norm1: `${layer(i)}.ln_1`,
    linear1: `${layer(i)}.mlp.${first}`,
    linear2: `${layer(i)}.mlp.${second}`,
    norm2: `${layer(i)}.ln_2`,
  })
  return modelOf(shape, shapes, prefix, {
    patch: 'conv_proj',
    tokens: ['class_token'],
    positions: 'encoder.pos_embedding',
    norm: 'encoder.ln',
    block,
    pooler: 'heads.pre_logits',
    scores: [`${prefix}heads.head`],
    // The weights that were tuned on larger pictures want them resized otherwise.
    preparation:
      side === 224 ? imageNet : { ...imageNet, resize: side, crop: side, interpolation: 'bicubic' },
  })
}

/** Heads of published models: of 64 values each, but for the largest. */
function usualHeads(width: number): number {
  return width === 1280 ? 16 : Math.max(1, Math.floor(width / 64))
}

function settleHeads(heads: number, width: number, who: string): number {
  if (width % heads === 0) return heads
  throw wrongOption('heads', `a number that divides ${width}, the width`, heads, who)
}

/** Names of Hugging Face: `ViTModel`, `ViTForImageClassification`, and those of DeiT. */
async function ofHub(
  { folder, shapes }: Found,
  given: number | undefined,
  who: string,
): Promise<{ model: ImageModel; labels: readonly string[] | undefined }> {
  const words = 'embeddings.patch_embeddings.projection.weight'
  const patch = shapes.find((name) => name.endsWith(words))
  if (patch === undefined) {
    const names = `\`${words}\`, or \`conv_proj.weight\``
    throw shapes.error(` has no tensors of a Vision Transformer: ${names}`)
  }
  const config = await configOf(folder)
  const type = typeOf(config)
  if (!config.flag(['qkv_bias'], true)) {
    throw new InlayError('UNSUPPORTED', `${who}: a model with \`qkv_bias\` false`)
  }
  const prefix = patch.slice(0, -words.length)
  if (type === 'dinov2') {
    const model = await dinov2(config, shapes, prefix, given)
    return { model, labels: labelsOf(config, shapes.get('classifier.weight')?.[0]) }
  }
  const isDistilled = shapes.has(`${prefix}embeddings.distillation_token`)
  const tokens = ['embeddings.cls_token', ...(isDistilled ? ['embeddings.distillation_token'] : [])]
  const layer = (i: number) => `encoder.layer.${i}`
  const positions = 'embeddings.position_embeddings'
  const hidden = (i: number) => `${prefix}${layer(i)}.intermediate.dense.weight`
  const sizes = sizesOf(shapes, { patch, positions: prefix + positions, tokens, hidden })
  checkSizes(config, sizes)
  const side = sideOf(config, sizes)
  const said = headsOf(config, sizes.width, 12)
  if (given !== undefined && given !== said) {
    throw wrongOption('heads', `${said}, as ${folder.file('config.json')} says`, given, who)
  }
  const shape: VisionShape = {
    ...sizes,
    side,
    heads: said,
    activation: activationOf(config, ['hidden_act']),
    epsilon: config.positive(['layer_norm_eps'], 1e-12),
    isClip: false,
  }
  const hasTeacher = shapes.has('distillation_classifier.weight')
  const scores: VitNames['scores'] = hasTeacher
    ? ['cls_classifier', 'distillation_classifier']
    : ['classifier']
  const names: VitNames = {
    patch: 'embeddings.patch_embeddings.projection',
    tokens,
    positions,
    norm: 'layernorm',
    block: (i) => ({
      attention: [
        `${layer(i)}.attention.attention.query`,
        `${layer(i)}.attention.attention.key`,
        `${layer(i)}.attention.attention.value`,
      ],
      out: `${layer(i)}.attention.output.dense`,
      norm1: `${layer(i)}.layernorm_before`,
      linear1: `${layer(i)}.intermediate.dense`,
      linear2: `${layer(i)}.output.dense`,
      norm2: `${layer(i)}.layernorm_after`,
    }),
    // Classes are those of the class token itself.
    pooler: shapes.has(`${scores[0]}.weight`) ? undefined : 'pooler.dense',
    scores,
    preparation: await imageProcessor(folder, type === 'vit' ? 'ViT' : 'DeiT', side),
  }
  const pooled = config.text(['pooler_act'], 'tanh')
  if (pooled !== 'tanh' && names.pooler && shapes.has(`${prefix}${names.pooler}.weight`)) {
    throw new InlayError('UNSUPPORTED', `${who}: a model with \`pooler_act\` ${pooled}`)
  }
  const model = modelOf(shape, shapes, prefix, names)
  return {
    model,
    labels: labelsOf(config, shapes.rowsIfAny(`${names.scores[0]}.weight`, shape.width)),
  }
}

/** Names of classes, if there is one for each and they are not only numbered. */
function labelsOf(config: Fields, classes: number | undefined): readonly string[] | undefined {
  const given = Object(config.json['id2label']) as Readonly<Record<string, unknown>>
  const labels = Array.from({ length: Object.keys(given).length }, (_, i) => given[i])
  const isText = (label: unknown): label is string => typeof label === 'string'
  if (labels.length !== classes || !labels.every(isText)) return undefined
  return labels.every((label, i) => label === `LABEL_${i}`) ? undefined : labels
}

/** What the parts of a model are called in its files. */
interface VitNames {
  readonly patch: string
  readonly tokens: readonly string[]
  readonly positions: string
  readonly norm: string
  readonly block: (i: number) => BlockNames
  /** A dense layer with tanh behind the class token, if there is one; what reads scores stands behind it. */
  readonly pooler: string | undefined
  /** Of the class token; and of the token that learnt from a teacher, if there is one. Whole names, but for the part. */
  readonly scores: readonly [own: string, taught?: string]
  readonly preparation: ImagePreparation
}

function modelOf(
  shape: VisionShape,
  shapes: TensorShapes,
  prefix: string,
  names: VitNames,
): ImageModel {
  const { depth, epsilon, tokens } = shape
  const named = new TensorNames(prefix)
  const width = names.pooler && shapes.rowsIfAny(`${prefix}${names.pooler}.weight`, shape.width)
  const sources: Record<string, TensorSource> = {
    ...named.linear('patch', names.patch),
    'tokens.weight': { ...named.of(...names.tokens), reshaped: true },
    'embeddings.weight': { ...named.of(names.positions), reshaped: true },
    ...named.norm('norm', names.norm),
    ...(names.pooler && width && named.linear('pooler.dense', names.pooler)),
  }
  for (let i = 0; i < depth; i++) Object.assign(sources, named.block(`layers.${i}`, names.block(i)))
  const classes = shapes.rowsIfAny(`${names.scores[0]}.weight`, width || shape.width)
  const vector: Layer[] = [pool({ name: 'class', by: 'first' })]
  if (width) vector.push(dense({ name: 'pooler.dense', units: width }), tanh({ name: 'pooler' }))
  return {
    trunk: [...visionLayers(shape), layerNorm({ name: 'norm', epsilon })],
    layers: classes === undefined ? vector : scored(vector, classes, names.scores, sources),
    beside: [slice({ name: 'patches', from: tokens }), pool({ name: 'mean', by: 'mean' })],
    tensors: sources,
    vector: 'class',
    scores: classes === undefined ? undefined : 'scores',
    depth,
    preparation: names.preparation,
  }
}

/** Layers to scores: of the class token, or the mean of those and what the token gives that learnt from a teacher. */
function scored(
  vector: readonly Layer[],
  classes: number,
  [own, taught]: VitNames['scores'],
  sources: Record<string, TensorSource>,
): Layer[] {
  const named = new TensorNames('')
  if (taught === undefined) {
    Object.assign(sources, named.linear('scores', own))
    return [...vector, dense({ name: 'scores', units: classes })]
  }
  Object.assign(sources, named.linear('scores.class', own), named.linear('scores.taught', taught))
  const second = [slice({ from: 1, to: 2 }), pool({ name: 'distillation', by: 'first' })]
  return [
    concat([
      [...vector, dense({ name: 'scores.class', units: classes })],
      [...second, dense({ name: 'scores.taught', units: classes })],
    ]),
    reshape({ shape: [2, classes] }),
    pool({ name: 'scores', by: 'mean' }),
  ]
}
