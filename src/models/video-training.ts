// What a video autoencoder learns from, and how it begins.
import { Vectors } from '../embedder.js'
import { type NetworkDescription, network, values } from '../nn/description.js'
import type { Layer } from '../nn/layer.js'
import { pixelUnshuffle } from '../nn/layers.js'
import { squaredError } from '../nn/losses.js'
import { Network } from '../nn/network.js'
import { type RunSettings, wrongOption } from '../options.js'
import { randomNumbers } from '../random-numbers.js'
import { COLOURS, type Clip, type Extent, drawnPlace, placesOf } from './clips.js'
import { PrincipalComponents } from './principal-components.js'
import { type VideoLayerOptions, decoderLayers, encoderLayers, groupSize } from './video-layers.js'

/** Groups of pixels, about, of which the principal components are found. */
const GROUPS = 1 << 14
/** Values of a group of pixels at most: their covariances fill a square of that side. */
const LARGEST_GROUP = 4096
/** The logarithm of a variance with which a variational latent begins: nearly none. */
const NARROW = -6
/** The layers that stay as they begin. */
export const LINEAR = ['encoder.linear', 'decoder.linear']
/** Windows that the loss on `validation` is worked out on. */
export const VALIDATED = 64

/** What the layers are made of, of a model's options.
 *
 * @throws {InvalidOptionError} what cannot be together
 */
export function shapeOf(
  given: Omit<VideoLayerOptions, 'divergence'> & { readonly divergence: number | undefined },
  who: string,
): VideoLayerOptions {
  const { space, time, channels, hidden, depth, divergence } = given
  const shape = { space, time, channels, hidden, depth }
  if (groupSize(shape) > LARGEST_GROUP) {
    const most = Math.floor(Math.sqrt(LARGEST_GROUP / (time * COLOURS)))
    throw wrongOption('space', `at most ${most} where \`time\` is ${time}`, space, who)
  }
  if (channels > groupSize(shape)) {
    const expected = `at most ${groupSize(shape)}, as many as a group of pixels has`
    throw wrongOption('channels', expected, channels, who)
  }
  return { ...shape, ...(divergence !== undefined && { divergence }) }
}

/** The windows that are learnt from, with the frames that the first one stands for.
 *
 * @throws {InvalidOptionError} what cannot be together
 */
export function extentOf(
  given: {
    readonly frames: number | undefined
    readonly crop: number
    readonly time: number
    readonly space: number
  },
  who: string,
): Extent {
  const { time, space, crop } = given
  const { frames = 1 + 4 * time } = given
  if ((frames - 1) % time > 0) {
    throw wrongOption('frames', `1 more than a multiple of \`time\`, ${time}`, frames, who)
  }
  if (crop % space > 0) {
    throw wrongOption('crop', `a multiple of \`space\`, ${space}`, crop, who)
  }
  return [time - 1 + frames, crop, crop]
}

/** Both ways. */
export function layersOf(about: VideoLayerOptions): Layer[] {
  return [...encoderLayers(about), ...decoderLayers(about)]
}

/** What comes in is wanted. */
export function describe(about: VideoLayerOptions, extent: Extent): NetworkDescription {
  const input = values({ shape: [...extent, COLOURS] })
  return network({ input, layers: layersOf(about), loss: squaredError() })
}

/** Films, and what is cut out of them. */
export interface Source {
  readonly clips: readonly Clip[]
  readonly extent: Extent
  /** Times more that the first frame of a window stands there. */
  readonly repeated: number
  readonly signal: AbortSignal | undefined
}

/** Windows of an epoch. */
export async function* drawn(
  { clips, extent, repeated, signal }: Source,
  windows: number,
  seed: number,
): AsyncGenerator<{ input: Float32Array }> {
  const draw = randomNumbers(seed)
  const [frames, ...sides] = extent
  for (let at = 0; at < windows; at++) {
    const [clip, corner] = drawnPlace(clips, [frames - repeated, ...sides], draw)
    yield { input: await clip.window(corner, extent, repeated, { signal }) }
  }
}

/** The same windows each time. */
export async function* windowsOf({
  clips,
  extent,
  repeated,
  signal,
}: Source): AsyncGenerator<Float32Array> {
  const [frames, ...sides] = extent
  for (const [clip, corner] of placesOf(clips, [frames - repeated, ...sides], VALIDATED)) {
    yield await clip.window(corner, extent, repeated, { signal })
  }
}

/** A network that gives the principal components of groups of pixels, whitened, and what they were. */
export async function begin(
  about: VideoLayerOptions,
  source: Source,
  run: RunSettings,
): Promise<Network> {
  const [size, { channels, hidden, space, time, divergence }] = [groupSize(about), about]
  const { signal, threads } = run
  const layers = [pixelUnshuffle({ factor: [time, space, space] })]
  const input = values({ shape: [...source.extent, COLOURS] })
  using cut = await Network.create(network({ input, layers }))
  const places = source.extent.reduce((product, axis) => product * axis, COLOURS) / size
  const some = drawn(source, Math.ceil(GROUPS / places), run.seed)
  const groups = await cut.encode(inputsOf(some), { signal, threads })
  using components = await PrincipalComponents.train(Vectors.from(groups.values, size), {
    dimensions: channels,
    whiten: true,
    signal,
    threads,
  })
  const known = (name: string) => components.network.parameter(name)!.values
  const parameters = {
    'encoder.linear.weight': known('components.weight'),
    'encoder.linear.bias': known('components.bias'),
    'decoder.linear.weight': known('inverse.weight'),
    'decoder.linear.bias': known('inverse.bias'),
    'encoder.out.weight': new Float32Array(channels * hidden),
    'encoder.out.bias': new Float32Array(channels),
    'decoder.out.weight': new Float32Array(size * hidden),
    'decoder.out.bias': new Float32Array(size),
    ...(divergence !== undefined && {
      'latent.mean.weight': identity(channels),
      'latent.mean.bias': new Float32Array(channels),
      'latent.log_variance.weight': new Float32Array(channels * channels),
      'latent.log_variance.bias': new Float32Array(channels).fill(NARROW),
    }),
  }
  return Network.create(describe(about, source.extent), { parameters, ...run })
}

async function* inputsOf(windows: AsyncIterable<{ input: Float32Array }>) {
  for await (const { input } of windows) yield input
}

function identity(size: number): Float32Array {
  return Float32Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0))
}
