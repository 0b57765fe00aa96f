// The layers of `VideoAutoencoder`: from frames to vectors, and back.
import type { Layer } from '../nn/layer.js'
import { dense, pixelShuffle, pixelUnshuffle, silu, sum, variational } from '../nn/layers.js'
import { conv3d } from '../nn/windows.js'
import { COLOURS } from './clips.js'

/** What the layers of a video autoencoder are made of. */
export interface VideoLayerOptions {
  /** Pixels of a side that a vector stands for. */
  readonly space: number
  /** Frames that a vector stands for. */
  readonly time: number
  /** Values of a vector. */
  readonly channels: number
  /** Values at each place between. */
  readonly hidden: number
  /** Blocks on each way. */
  readonly depth: number
  /** What the divergence of a variational latent counts. */
  readonly divergence?: number
}

/** Steps that a block looks back: two of the three of its window are earlier ones. */
const LOOKS_BACK = 2

/** Steps before one that it depends on, either way. */
export function lookback({ depth }: VideoLayerOptions): number {
  return LOOKS_BACK * depth
}

/** Values of the pixels that a vector stands for. */
export function groupSize({ space, time }: VideoLayerOptions): number {
  return time * space ** 2 * COLOURS
}

/** Frames, whole groups of them, to vectors: what is linear in the pixels of a group, and what is seen beyond that. */
export function encoderLayers(options: VideoLayerOptions): Layer[] {
  const { space, time, channels, divergence } = options
  return [
    pixelUnshuffle({ name: 'encoder.groups', factor: [time, space, space] }),
    sum([
      [dense({ name: 'encoder.linear', units: channels })],
      beyond('encoder', channels, options),
    ]),
    ...(divergence === undefined
      ? []
      : [variational({ name: 'latent', units: channels, weight: divergence })]),
  ]
}

/** Vectors to frames: the same in the other direction. */
export function decoderLayers(options: VideoLayerOptions): Layer[] {
  const { space, time } = options
  const size = groupSize(options)
  return [
    sum([[dense({ name: 'decoder.linear', units: size })], beyond('decoder', size, options)]),
    pixelShuffle({ name: 'decoder.groups', factor: [time, space, space] }),
  ]
}

/** Convolutions over space and, backwards only, time, each beside what goes round it. */
function beyond(name: string, units: number, { hidden, depth }: VideoLayerOptions): Layer[] {
  const convolution = { kernel: 3, padding: [0, 1, 1], causal: true }
  const block = (at: number) =>
    sum([
      [],
      [
        conv3d({ name: `${name}.${at}.conv`, channels: hidden, ...convolution }),
        silu(),
        dense({ name: `${name}.${at}.out`, units: hidden }),
      ],
    ])
  return [
    dense({ name: `${name}.in`, units: hidden }),
    ...Array.from({ length: depth }, (_, at) => block(at)),
    dense({ name: `${name}.out`, units }),
  ]
}
