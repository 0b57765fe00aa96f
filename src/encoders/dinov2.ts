// DINOv2 (Oquab et al. 2023, arXiv:2304.07193) as layers, by a folder's `config.json`, and where its parameters are among its tensors:
// a Vision Transformer whose branches are scaled, and whose places are brought to pictures of another size than it was trained with.
import { InlayError } from '../errors.js'
import { concat, dense, layerNorm, slice } from '../nn/layers.js'
import type { TensorSource } from '../nn/loading.js'
import { pool } from '../nn/windows.js'
import { wrongOption } from '../options.js'
import type { ImageModel } from './image-encoder.js'
import { imageProcessor } from './image-processor.js'
import type { Fields } from './model-folder.js'
import { TensorNames } from './tensor-names.js'
import type { TensorShapes } from './tensor-shapes.js'
import { activationOf } from './text-transformer.js'
import { checkSizes, headsOf, sideOf, sizesOf, visionLayers } from './vision-transformer.js'

/** Pixels of a side at most: no tensor says how large pictures are. */
const LARGEST = 2048

/** The layers of a model whose tensors have a prefix: 'patch', 'embeddings', 'layers.0', ..., 'norm', 'class' and what a `Vit` has beside
 * it; with classes 'both', the class token and the mean of the patches, 'scores' and 'probabilities'. */
export async function dinov2(
  config: Fields,
  shapes: TensorShapes,
  prefix: string,
  given: number | undefined,
): Promise<ImageModel> {
  const { folder } = config
  if (config.flag(['use_swiglu_ffn'], false)) {
    throw new InlayError('UNSUPPORTED', `${folder.who}: a model with \`use_swiglu_ffn\` true`)
  }
  const layer = (i: number) => `encoder.layer.${i}`
  const sizes = sizesOf(shapes, {
    patch: `${prefix}embeddings.patch_embeddings.projection.weight`,
    positions: `${prefix}embeddings.position_embeddings`,
    tokens: ['embeddings.cls_token'],
    hidden: (i) => `${prefix}${layer(i)}.mlp.fc1.weight`,
  })
  checkSizes(config, sizes)
  const grid = Math.floor(sideOf(config, sizes) / sizes.patch)
  const heads = headsOf(config, sizes.width, 12)
  if (given !== undefined && given !== heads) {
    const expected = `${heads}, as ${folder.file('config.json')} says`
    throw wrongOption('heads', expected, given, folder.who)
  }
  const preparation = await imageProcessor(folder, 'Bit')
  const side = preparation.crop
  if (side < sizes.patch || side > LARGEST) {
    const problem = `pictures of ${side} x ${side} pixels; these can be read: ${sizes.patch} to ${LARGEST}`
    throw new InlayError('UNSUPPORTED', `${folder.who}: ${problem}`)
  }
  const epsilon = config.positive(['layer_norm_eps'], 1e-6)
  const activation = activationOf(config, ['hidden_act'])
  const shape = {
    ...sizes,
    side,
    grid,
    heads,
    epsilon,
    activation,
    layerScale: true,
    isClip: false,
  }
  const named = new TensorNames(prefix)
  const tensors: Record<string, TensorSource> = {
    ...named.linear('patch', 'embeddings.patch_embeddings.projection'),
    'tokens.weight': { ...named.of('embeddings.cls_token'), reshaped: true },
    'embeddings.weight': { ...named.of('embeddings.position_embeddings'), reshaped: true },
    ...named.norm('norm', 'layernorm'),
  }
  for (let i = 0; i < sizes.depth; i++) {
    const block = named.block(`layers.${i}`, {
      attention: [
        `${layer(i)}.attention.attention.query`,
        `${layer(i)}.attention.attention.key`,
        `${layer(i)}.attention.attention.value`,
      ],
      out: `${layer(i)}.attention.output.dense`,
      norm1: `${layer(i)}.norm1`,
      linear1: `${layer(i)}.mlp.fc1`,
      linear2: `${layer(i)}.mlp.fc2`,
      norm2: `${layer(i)}.norm2`,
    })
    Object.assign(tensors, block)
    for (const number of [1, 2]) {
      const scale = named.of(`${layer(i)}.layer_scale${number}.lambda1`)
      tensors[`layers.${i}.scale${number}.weight`] = scale
    }
  }
  const classes = shapes.rowsIfAny('classifier.weight', 2 * sizes.width)
  const token = pool({ name: 'class', by: 'first' })
  if (classes !== undefined) {
    Object.assign(tensors, new TensorNames('').linear('scores', 'classifier'))
  }
  return {
    trunk: [...visionLayers(shape), layerNorm({ name: 'norm', epsilon })],
    layers:
      classes === undefined
        ? [token]
        : [
            concat([[token], [slice({ from: 1 }), pool({ by: 'mean' })]]),
            dense({ name: 'scores', units: classes }),
          ],
    beside: [slice({ name: 'patches', from: 1 }), pool({ name: 'mean', by: 'mean' })],
    tensors,
    vector: 'class',
    scores: classes === undefined ? undefined : 'scores',
    depth: sizes.depth,
    preparation,
  }
}
