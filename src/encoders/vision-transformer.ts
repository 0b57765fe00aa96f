// The Vision Transformer (Dosovitskiy et al. 2020, arXiv:2010.11929) as layers, as far as its blocks go.
import { InlayError } from '../errors.js'
import { dropout, layerNorm } from '../nn/layers.js'
import type { Layer } from '../nn/layer.js'
import { positions, prefixTokens, transformerBlock } from '../nn/sequences.js'
import { conv2d } from '../nn/windows.js'
import type { Fields } from './model-folder.js'
import type { TensorShapes } from './tensor-shapes.js'
import type { Activation } from './text-transformer.js'

/** Blocks of a Transformer whose norms come first. */
export interface Blocks {
  /** Values of a token. */
  readonly width: number
  readonly hidden: number
  readonly heads: number
  readonly depth: number
  readonly activation: Activation
  readonly epsilon: number
  /** Whether what branches add is scaled first. */
  readonly layerScale?: boolean
}

/** What a Vision Transformer is, but for its weights. */
export interface VisionShape extends Blocks {
  /** Pixels of a picture's side. */
  readonly side: number
  /** Pixels of a patch's side. */
  readonly patch: number
  /** Tokens before those of patches. */
  readonly tokens: number
  /** Side of the grid of places that the file has, if it is not that of the patches. */
  readonly grid?: number
  /** Of CLIP: patches without a bias, and a norm before the first block. */
  readonly isClip: boolean
}

/** `layers.0`, `layers.1`, ...: what each block gives has this name. */
export function blocks(
  { depth, width, hidden, heads, activation, epsilon, layerScale = false }: Blocks,
  { causal = false } = {},
): Layer[] {
  const shape = { width, hidden, heads, activation, epsilon, causal, layerScale, normFirst: true }
  const layers: Layer[] = []
  for (let i = 0; i < depth; i++) {
    const name = `layers.${i}`
    layers.push(...transformerBlock({ ...shape, name }), dropout({ name, probability: 0 }))
  }
  return layers
}

/** From a picture to what the last block gives; `embeddings` is what goes into the first. */
export function visionLayers(shape: VisionShape): Layer[] {
  const { side, patch, width, tokens, epsilon, isClip } = shape
  const across = Math.floor(side / patch)
  const { grid = across } = shape
  const length = grid ** 2 + tokens
  const brought = grid === across ? {} : { grid: { from: [grid, grid], to: [across, across] } }
  return [
    conv2d({ name: 'patch', channels: width, kernel: patch, stride: patch, bias: !isClip }),
    ...(tokens > 0 ? [prefixTokens({ name: 'tokens', count: tokens })] : []),
    positions({ name: isClip ? 'positions' : 'embeddings', code: 'learned', length, ...brought }),
    ...(isClip ? [layerNorm({ name: 'embeddings', epsilon })] : []),
    ...blocks(shape),
  ]
}

/** What the tensors of a Vision Transformer say of its shape: the patches' weights, the places', and those of hidden layers. */
export interface VisionTensors {
  readonly patch: string
  readonly positions: string
  /** Tokens before those of patches: one tensor for each. */
  readonly tokens: readonly string[]
  /** Of the hidden layer of a block. */
  readonly hidden: (block: number) => string
}

/** The sizes that tensors say. @throws {InlayError} `INVALID_INPUT` they do not fit together; `UNSUPPORTED` other pictures */
export function sizesOf(
  shapes: TensorShapes,
  { patch, positions: places, tokens, hidden }: VisionTensors,
): Pick<VisionShape, 'patch' | 'width' | 'hidden' | 'depth' | 'tokens'> & { rows: number } {
  const [width = 0, channels = 0, pixels = 0, across = 0] = shapes.get(patch) ?? []
  if (width === 0 || pixels === 0 || pixels !== across) {
    throw shapes.wrong(patch, '[width, 3, patch, patch]')
  }
  if (channels !== 3) {
    const problem = `pictures of ${channels} channels; these can be read: 3`
    throw new InlayError('UNSUPPORTED', `${shapes.who}: ${shapes.file} takes ${problem}`)
  }
  const sizes = { patch: pixels, width, hidden: shapes.rows(hidden(0), width) }
  const rows = shapes.rows(places, width)
  if (rows <= tokens.length) throw shapes.wrong(places, 'a row for each token')
  return { ...sizes, depth: shapes.count(hidden), tokens: tokens.length, rows }
}

/** Heads as a configuration has them. @throws {InlayError} `INVALID_INPUT` they cannot share the width */
export function headsOf(config: Fields, width: number, fallback?: number): number {
  const heads = config.count(['num_attention_heads'], fallback)
  if (width % heads === 0) return heads
  throw config.wrong(['num_attention_heads'], `a number that divides ${width}`, heads)
}

/** The side of the pictures that a configuration names, if tensors have as many places. */
export function sideOf(
  config: Fields,
  { rows, tokens, patch }: { rows: number; tokens: number; patch: number },
  fallback = 224,
): number {
  const said = squareOf(config, 'patch_size', patch)
  if (said !== patch) throw config.wrong(['patch_size'], `${patch}, as its weights`, said)
  const side = squareOf(config, 'image_size', fallback)
  if (Math.floor(side / patch) ** 2 + tokens !== rows) {
    const expected = `a side that makes ${rows - tokens} patches of ${patch} x ${patch}`
    throw config.wrong(['image_size'], expected, side)
  }
  return side
}

/** A size that is a number, or twice the same one. */
function squareOf(config: Fields, name: string, fallback: number): number {
  const given = config.json[name]
  if (!Array.isArray(given)) return config.count([name], fallback)
  const [height, width] = given as unknown[]
  if (given.length === 2 && height === width && Number.isInteger(height) && Number(height) > 0) {
    return height as number
  }
  throw config.wrong([name], 'a number, or twice the same one', JSON.stringify(given))
}

/** Whether a configuration says of sizes what tensors say. @throws {InlayError} `INVALID_INPUT` */
export function checkSizes(
  config: Fields,
  { width, hidden, depth }: Pick<Blocks, 'width' | 'hidden' | 'depth'>,
): void {
  for (const [name, size] of [
    ['hidden_size', width],
    ['intermediate_size', hidden],
    ['num_hidden_layers', depth],
  ] as const) {
    const said = config.count([name], size)
    if (said !== size) throw config.wrong([name], `${size}, as its weights`, said)
  }
}
