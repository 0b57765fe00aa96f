import { isDeepStrictEqual } from 'node:util'
import { Vectors } from '../embedder.js'
import { placeTokens } from '../native.js'
import { type NetworkDescription, network, sequence } from '../nn/description.js'
import type { Layer } from '../nn/layer.js'
import { dense, layerNorm, sum, take } from '../nn/layers.js'
import { squaredError } from '../nn/losses.js'
import { type Mask, hide, masked } from '../nn/masks.js'
import { type Epoch, Network } from '../nn/network.js'
import { transformerBlock } from '../nn/sequences.js'
import { checkTogether, learningOptions } from '../nn/training.js'
import { pool } from '../nn/windows.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  type Settings,
  custom,
  flag,
  integer,
  isCount,
  oneOf,
  real,
  settle,
  wrongOption,
} from '../options.js'
import { Tokens, pushValues } from '../patches/tokens.js'
import type { Path } from '../path.js'
import { run } from '../run.js'
import { Turns } from '../turns.js'
import { type ModelFile, NetworkModel, aboutOf, maybe, openModel } from './network-model.js'
import { networkTraining } from './training.js'

/** What decides the layers. */
const shapeOptions = {
  /** Values of a vector. */
  dimensions: integer(128, { from: 1, to: 65_536 }, 'values of a vector'),
  /** Transformer blocks that see patches. */
  blocks: integer(4, { from: 1, to: 256 }, 'Transformer blocks that see patches'),
  /** Parts of the values that look around by themselves. */
  heads: integer(4, { from: 1, to: 1024 }, 'parts of the values that look around by themselves'),
  /** Values at each patch of the blocks that make the masked ones again. */
  decoderDimensions: integer(64, { from: 1, to: 65_536 }, 'values at each patch of the decoder'),
  /** How many of these blocks there are. */
  decoderBlocks: integer(1, { from: 1, to: 256 }, 'Transformer blocks of the decoder'),
  /** Whether what is wanted is each patch with mean 0 and variance 1, and not its own values: vectors mean more so [norm_pix_loss]. */
  normalize: flag(true, 'whether each patch is wanted with mean 0 and variance 1'),
}

/** Every option of `MaskedAutoencoder.train`. */
export const maskedAutoencoderOptions = {
  ...shapeOptions,
  /** The share of the patches that are masked: 0.75 for pictures, 0.9 for films. */
  mask: real(0.75, { above: 0, below: 1 }, 'the share of the patches that are masked'),
  /** Whether a film has the same patches masked at all times, so that none is copied from its neighbours in time. All films must have as
   * many patches at a time. */
  tubes: flag(false, 'whether a film has the same patches masked at all times'),
  ...learningOptions,
  /** The highest learning rate [lr]. */
  learningRate: real(0.001, { above: 0 }, 'the highest learning rate'),
  /** How it goes on: to zero along half a cosine or in a straight line, or multiplied by `stepFactor` after each `stepEvery`
   * of the training. */
  schedule: oneOf(['cosine', 'linear', 'constant', 'steps'], 'how the learning rate goes on'),
  /** Steps at the beginning over which it rises from nothing. */
  warmup: integer(100, { from: 0 }, 'steps over which the learning rate rises'),
  /** Inputs of a batch. */
  batchSize: integer(64, { from: 1, to: 1_000_000 }, 'inputs of a batch'),
  /** Tokens whose loss is worked out after each epoch. */
  validation: custom<Tokens>(
    'Tokens',
    (given) => given instanceof Tokens,
    'tokens whose loss is worked out after each epoch',
  ),
}

/** The options of `MaskedAutoencoder.train`: see `maskedAutoencoderOptions`. */
export type MaskedAutoencoderOptions = Options<typeof maskedAutoencoderOptions> & RunOptions

/** Values of the code of a place: six sines and six cosines for each axis. */
const PLACE = 36
/** Values of a block's hidden layer, for each of its own. */
const WIDER = 4
/** Added to the variance of a patch. */
const EPSILON = 1e-6

/** What a model says of itself in its file: what its layers are made of. */
interface About extends Settings<typeof shapeOptions> {
  /** Values of a patch. */
  readonly width: number
  readonly mask: number
  /** Patches of a time, where masks are tubes. */
  readonly period?: number
}

const file: ModelFile<About> = {
  model: 'MaskedAutoencoder',
  record: {
    dimensions: shapeOptions.dimensions,
    blocks: shapeOptions.blocks,
    heads: shapeOptions.heads,
    decoderDimensions: shapeOptions.decoderDimensions,
    decoderBlocks: shapeOptions.decoderBlocks,
    normalize: shapeOptions.normalize,
    mask: maskedAutoencoderOptions.mask,
    period: maybe({ expected: 'an integer from 1 up', accepts: isCount }),
    width: {
      expected: 'the values of a patch, of which its layers are made',
      accepts: (given, { description: { layers, about } }) =>
        isCount(given) && isDeepStrictEqual(layers, layersOf(about as About)),
    },
  },
}

/**
 * Vectors of pictures, films and sounds without labels, by patches that are left out and made again (He et al. 2021,
 * arXiv:2111.06377, figure 1; of films, with tubes: Tong et al. 2022, VideoMAE, arXiv:2203.12602). Whoever can say what is missing
 * has understood what is there. The blocks that make vectors see the other patches only, a quarter of the work.
 *
 *     patches ─▶ dense + place ─▶ those that are not masked ─▶ [block]* ─▶ all, masked ones as one vector ─▶ [block]* ─▶ patches
 *
 *     const tokens = await new ImagePatches({ size: 4, channels: 1 }).tokens(pictures)
 *     const model = await MaskedAutoencoder.train(tokens)
 *     const vectors = await model.encode(tokens) // [pictures, 128]: of all patches, none masked, their mean
 */
export class MaskedAutoencoder extends NetworkModel {
  /** Values of a vector. */
  readonly dimensions: number
  /** Values of a patch. */
  readonly width: number
  readonly #about: About
  #encoder: Promise<Network> | undefined

  private constructor(found: Network, about: About, history?: readonly Epoch[]) {
    super(found, history)
    this.dimensions = about.dimensions
    this.width = about.width
    this.#about = about
  }

  /**
   * Trains on the patches of inputs of any size. Same bytes for the same `seed`, whatever the number of threads. The losses of its
   * `history` are means over all patches, of which those that are not masked count as nothing.
   *
   * @throws {InvalidOptionError} no tokens, tokens of another width as `validation`; films of different sizes, for `tubes`
   * @throws {InlayError} `INVALID_INPUT` values that are not finite; `DIVERGED`
   */
  static async train(
    tokens: Tokens,
    options: MaskedAutoencoderOptions = {},
  ): Promise<MaskedAutoencoder> {
    const who = 'MaskedAutoencoder.train'
    const { settings, run: runSettings } = settle(maskedAutoencoderOptions, options, who)
    checkTogether(options, settings.schedule, who)
    checkTokens(tokens, undefined, 'tokens', who)
    const { dimensions, heads, decoderDimensions, validation } = settings
    for (const [name, size] of Object.entries({ dimensions, decoderDimensions })) {
      if (size % heads > 0) throw wrongOption(name, `a multiple of \`heads\`, ${heads}`, size, who)
    }
    const about = aboutTokens(settings, tokens, who)
    if (validation) checkTokens(validation, about.width, 'validation', who)
    const description = describe(about)
    using trained = await Network.train(
      description,
      await examplesOf(tokens, about, runSettings, who),
      {
        ...networkTraining(settings, options, runSettings),
        ...(validation && { validation: await examplesOf(validation, about, runSettings, who) }),
      },
    )
    const asked = { ...description, about: aboutOf(file, about) }
    const found = await trained.transfer(asked, { signal: runSettings.signal })
    return new MaskedAutoencoder(found, about, trained.history)
  }

  /**
   * Opens what `save` wrote.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no such model
   */
  static async open(path: Path, options: RunOptions = {}): Promise<MaskedAutoencoder> {
    return openModel(file, path, options, (found, about) => new MaskedAutoencoder(found, about))
  }

  /**
   * A vector of each input, of any size: [inputs, dimensions]. Nothing is masked.
   *
   * @throws {InvalidOptionError} tokens of another width
   */
  async encode(tokens: Tokens, options: RunOptions = {}): Promise<Vectors> {
    const who = 'model.encode'
    const settings = settle({}, options, who).run
    checkTokens(tokens, this.width, 'tokens', who)
    const places = await placesOf(tokens, settings, who)
    this.#encoder ??= this.network.transfer(describeEncoder(this.#about))
    return (await this.#encoder).encode({ patches: tokens, places }, settings)
  }

  /**
   * Inputs as the model makes them of the patches that are not masked: those stay, and masked ones are what it says, with
   * the mean and variance that they have where it is trained to `normalize`. To look at, by `ImagePatches.restore` and its kin. The mask is the same for
   * all inputs of a length.
   *
   * @throws {InvalidOptionError} tokens of another width
   */
  async reconstruct(tokens: Tokens, options: RunOptions = {}): Promise<Tokens> {
    const who = 'model.reconstruct'
    const settings = settle({}, options, who).run
    checkTokens(tokens, this.width, 'tokens', who)
    const places = await placesOf(tokens, settings, who)
    const made = await this.network.encodeSteps({ patches: tokens, places }, settings)
    const isMasked = await this.#maskedOf(places, settings)
    const turns = new Turns(settings.signal)
    const values = tokens.values.slice()
    let at = 0
    for (const { values: rows } of made) {
      for (let from = 0; from < rows.length; from += this.width, at++) {
        if (!isMasked[at]) continue
        const own = values.subarray(at * this.width, (at + 1) * this.width)
        const { mean, deviation } = this.#about.normalize ? scaleOf(own) : { mean: 0, deviation: 1 }
        for (let i = 0; i < own.length; i++) own[i] = rows[from + i]! * deviation + mean
        if (turns.isOver(this.width)) await turns.next()
      }
    }
    const { positions, width, inputs } = tokens
    return Tokens.from({ values, positions, width, inputs })
  }

  /** Whether each token is masked. No code of a place is zero, but where it is hidden. */
  async #maskedOf(places: Tokens, settings: RunSettings): Promise<boolean[]> {
    const layers = [hide({ mask: maskOf(this.#about), keep: 'masked' })]
    using hider = await Network.create(network({ input: sequence({ width: PLACE }), layers }))
    const found = await hider.encodeSteps(places, settings)
    return found.flatMap((rows) => Array.from(rows, (row) => row.some((value) => value !== 0)))
  }

  override close(): void {
    super.close()
    void this.#encoder?.then((one) => one.close())
    this.#encoder = undefined
  }
}

function checkTokens(given: unknown, width: number | undefined, option: string, who: string): void {
  if (!(given instanceof Tokens) || given.count === 0) {
    throw wrongOption(option, 'Tokens, of one input or more', given, who)
  }
  if (width !== undefined && given.width !== width) {
    throw wrongOption(option, `tokens of ${width} values`, given.width, who)
  }
}

function aboutTokens(
  settings: Settings<typeof maskedAutoencoderOptions>,
  tokens: Tokens,
  who: string,
): About {
  const { dimensions, blocks, heads, decoderDimensions, decoderBlocks, normalize, mask } = settings
  const shape = { dimensions, blocks, heads, decoderDimensions, decoderBlocks, normalize }
  const about = { ...shape, width: tokens.width, mask }
  return settings.tubes ? { ...about, period: periodOf(tokens, who) } : about
}

/** Patches of a film at one time. */
function periodOf({ positions, inputs }: Tokens, who: string): number {
  let first = 0
  let period = 0
  for (const [at, { length }] of inputs.entries()) {
    const end = first + length
    let own = first
    while (own < end && positions[3 * own] === positions[3 * first]) own += 1
    const size = own - first
    if (at === 0) period = size
    if (size !== period || length % period > 0) {
      const expected = `of films with ${period} patches at each time, for \`tubes\``
      throw wrongOption(`tokens.inputs[${at}]`, expected, size, who)
    }
    first = end
  }
  return period
}

function maskOf({ mask: share, period }: About): Mask {
  return { share, ...(period !== undefined && { period }) }
}

/** The codes of places, as tokens of their own. */
async function placesOf(tokens: Tokens, settings: RunSettings, who: string): Promise<Tokens> {
  const { positions, inputs } = tokens
  const zeros = await pushValues([new Float32Array(tokens.count * PLACE)], settings.signal)
  const quiet = { ...settings, onProgress: undefined }
  const values = await run<Float32Array>(who, quiet, (spec, events) =>
    placeTokens(zeros, positions, PLACE, spec, events),
  )
  return Tokens.from({ values, positions, width: PLACE, inputs })
}

/** Patches, their places, and what is wanted of them. */
async function examplesOf(tokens: Tokens, about: About, settings: RunSettings, who: string) {
  const inputs = { patches: tokens, places: await placesOf(tokens, settings, who) }
  if (!about.normalize) return { inputs }
  const input = sequence({ width: about.width })
  using scale = await Network.create(network({ input, layers: [normalized()] }))
  const { signal, threads } = settings
  const rows = await scale.encodeSteps(tokens, { signal, threads })
  return { inputs, targets: rows.map((row) => row.values) }
}

/** Each patch with mean 0 and variance 1. */
function normalized(): Layer {
  return layerNorm({ affine: false, epsilon: EPSILON })
}

/** How `normalized` sees a patch. */
function scaleOf(patch: Float32Array): { mean: number; deviation: number } {
  const mean = patch.reduce((all, value) => all + value, 0) / patch.length
  const variance = patch.reduce((all, value) => all + (value - mean) ** 2, 0) / patch.length
  return { mean, deviation: Math.sqrt(variance + EPSILON) }
}

function inputsOf({ width }: About) {
  return [sequence({ name: 'patches', width }), sequence({ name: 'places', width: PLACE })]
}

/** Patches and where they are. */
function placed({ dimensions }: About): Layer {
  return sum([
    [dense({ name: 'encoder.patch', units: dimensions })],
    [take('places'), dense({ name: 'encoder.place', units: dimensions, bias: false })],
  ])
}

function encoder({ dimensions: width, blocks, heads }: About): Layer[] {
  return [...blocksOf('encoder', blocks, width, heads), layerNorm({ name: 'encoder.norm' })]
}

function blocksOf(name: string, count: number, width: number, heads: number): Layer[] {
  const block = (_: unknown, at: number) =>
    transformerBlock({
      name: `${name}.${at}`,
      heads,
      width,
      hidden: WIDER * width,
      activation: 'gelu',
      normFirst: true,
    })
  return Array.from({ length: count }, block).flat()
}

function describe(about: About): NetworkDescription {
  return network({ input: inputsOf(about), layers: layersOf(about), loss: squaredError() })
}

/** What is wanted of masked patches is what they are; of the others what is wanted is given, and nothing is to be learnt. */
function layersOf(about: About): Layer[] {
  const { decoderDimensions: width, decoderBlocks, heads } = about
  const mask = maskOf(about)
  const found = [
    placed(about),
    masked({
      name: 'mask',
      mask,
      layers: [...encoder(about), dense({ name: 'decoder.in', units: width })],
    }),
    sum([[], [take('places'), dense({ name: 'decoder.place', units: width, bias: false })]]),
    ...blocksOf('decoder', decoderBlocks, width, heads),
    layerNorm({ name: 'decoder.norm' }),
    dense({ name: 'decoder.pixels', units: about.width }),
    hide({ name: 'decoder.masked', mask, keep: 'masked' }),
  ]
  const given = [
    take('patches'),
    ...(about.normalize ? [normalized()] : []),
    hide({ name: 'decoder.visible', mask, keep: 'visible' }),
  ]
  return [sum([found, given])]
}

/** All patches to one vector. */
function describeEncoder(about: About): NetworkDescription {
  const layers = [placed(about), ...encoder(about), pool({ by: 'mean' })]
  return network({ input: inputsOf(about), layers })
}
