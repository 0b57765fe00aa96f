// Tokens of all modalities to vectors of one width, each with its place.
import { InvalidOptionError } from '../errors.js'
import { placeTokens } from '../native.js'
import { ids, network, sequence } from '../nn/description.js'
import { dense, embedding } from '../nn/layers.js'
import { Network } from '../nn/network.js'
import { type Options, type RunOptions, integer, oneOf, settle, wrongOption } from '../options.js'
import { run } from '../run.js'
import { Turns } from '../turns.js'
import { type Modality, type TokenInput, Tokens, checkAll, inOne, pushValues } from './tokens.js'

const positionsOption = {
  /** What is added to each vector for its place: sines and cosines, or nothing. */
  positions: oneOf(['sinusoidal', 'none'], 'what is added for the place'),
}

/** Every option of `PatchEmbedding.create`. */
export const patchEmbeddingOptions = {
  /** Values of a vector. It must be given. */
  dimensions: integer(undefined, { from: 1, to: 65_536 }, 'values of a vector'),
  /** Values of a picture's patch, `ImagePatches.width`. */
  image: integer(undefined, { from: 1 }, "values of a picture's patch"),
  /** Values of a sound's patch, `SoundPatches.width`. */
  sound: integer(undefined, { from: 1 }, "values of a sound's patch"),
  /** Values of a film's patch, `VideoPatches.width`. */
  video: integer(undefined, { from: 1 }, "values of a film's patch"),
  /** How many numbers words or pieces of a text may have: `Tokens.ofIds`. */
  text: integer(undefined, { from: 1, to: 1 << 24 }, 'numbers that words may have'),
  ...positionsOption,
}

/** The options of `PatchEmbedding.create`: see `patchEmbeddingOptions`. */
export type PatchEmbeddingOptions = Options<typeof patchEmbeddingOptions> & {
  readonly dimensions: number
}

/** A network for each modality: what makes vectors of its tokens. */
export type PatchProjections = { readonly [M in Modality]?: Network }

const modalities = ['text', 'image', 'sound', 'video'] as const satisfies readonly Modality[]

/**
 * A mixed batch of texts, pictures, sounds and films as tokens of one width, which one network takes.
 *
 *     vector = W · patch + b, or the row of a word's number; then for its place along time, row and column
 *     pair 3k + axis:  sin(place · 10000^(-k/K)), cos(place · 10000^(-k/K))      K pairs for each axis
 *
 * (Dosovitskiy et al. 2020, equation 1; Vaswani et al. 2017, section 3.5, with three axes.)
 *
 *     const embedding = await PatchEmbedding.create({ dimensions: 64, text: 1000, image: cut.width })
 *     const tokens = await embedding.embed([captions, pictures])
 *     const vectors = await network.encode(tokens) // its input: sequence({ width: 64 })
 */
export class PatchEmbedding {
  /** Values of a vector. */
  readonly dimensions: number
  /** Of each modality: to save, to go on with. */
  readonly projections: PatchProjections
  readonly #positions: 'sinusoidal' | 'none'

  private constructor(
    projections: PatchProjections,
    dimensions: number,
    positions: 'sinusoidal' | 'none',
  ) {
    this.projections = Object.freeze({ ...projections })
    this.dimensions = dimensions
    this.#positions = positions
    Object.freeze(this)
  }

  /**
   * Random projections, by `seed`, which keep the distances of patches as they are, more or less (Johnson and Lindenstrauss
   * 1984); those of each modality are its own.
   *
   * @throws {InvalidOptionError} no modality
   */
  static async create(options: PatchEmbeddingOptions & RunOptions): Promise<PatchEmbedding> {
    const who = 'PatchEmbedding.create'
    const { settings, run: runSettings } = settle(patchEmbeddingOptions, options, who)
    const { dimensions } = settings
    if (dimensions === undefined) {
      throw wrongOption('dimensions', patchEmbeddingOptions.dimensions.expected, dimensions, who)
    }
    const wanted = modalities.filter((modality) => settings[modality] !== undefined)
    if (wanted.length === 0)
      throw wrongOption('image', 'given, or another modality', undefined, who)
    const made: [Modality, Network][] = []
    for (const modality of wanted) {
      const size = settings[modality]!
      const description =
        modality === 'text'
          ? network({
              input: ids(),
              layers: [embedding({ name: 'patch', values: size, dimensions, deviation: 0.5 })],
            })
          : network({
              input: sequence({ width: size }),
              layers: [dense({ name: 'patch', units: dimensions })],
            })
      // Two modalities of one width are not to have the same projection.
      const seed = (runSettings.seed % 2 ** 50) * 4 + modalities.indexOf(modality)
      made.push([modality, await Network.create(description, { ...runSettings, seed })])
    }
    return new PatchEmbedding(Object.fromEntries(made), dimensions, settings.positions)
  }

  /**
   * Projections that have been learnt: networks from a `sequence` of patches (or the `ids` of a text) to vectors of one width.
   * They stay the caller's.
   *
   *     const vit = network({ input: sequence({ width: 768 }), layers: [dense({ name: 'patch', units: 384 })] })
   *     const image = await Network.load(vit, 'projection.safetensors')
   *     const embedding = PatchEmbedding.of({ image })
   *
   * @throws {InvalidOptionError} no network, or networks that give vectors of different widths
   */
  static of(
    projections: PatchProjections,
    options: Options<typeof positionsOption> = {},
  ): PatchEmbedding {
    const who = 'PatchEmbedding.of'
    const { positions } = settle(positionsOption, options, who).settings
    const given = modalities.filter((modality) => projections?.[modality] !== undefined)
    if (given.length === 0)
      throw wrongOption('projections', 'a network, or several', projections, who)
    const widths = given.map((modality) => {
      const found = projections[modality]
      if (!(found instanceof Network)) throw wrongOption(modality, 'a Network', found, who)
      return widthOf(found, modality, who)
    })
    if (widths.some((width) => width !== widths[0])) {
      throw wrongOption('projections', 'networks of one width', widths.join(', '), who)
    }
    return new PatchEmbedding(projections, widths[0]!, positions)
  }

  /**
   * The vectors of tokens of any modalities, all inputs in order; their places, lengths and modalities stay. An input's
   * vectors depend on it alone, bit for bit.
   *
   * @throws {InvalidOptionError} tokens of a modality that it has no projection for, or of another width
   * @throws {InlayError} `INVALID_INPUT` a word's number that is too high
   */
  async embed(tokens: Tokens | readonly Tokens[], options: RunOptions = {}): Promise<Tokens> {
    const who = 'patchEmbedding.embed'
    const settings = settle({}, options, who).run
    const given = tokens instanceof Tokens ? [tokens] : tokens
    checkAll(given, 'tokens', who)
    const inputs = given.flatMap(({ inputs: own }) => own)
    const items = given.flatMap((some, part) =>
      Array.from(some, (item, at) => ({
        item,
        width: some.width,
        name: `tokens[${part}].inputs[${at}]`,
      })),
    )
    const vectors = Array<Float32Array>(items.length)
    for (const modality of new Set(inputs.map((input) => input.modality))) {
      const projection = this.projections[modality]
      const places = items.flatMap((_, at) => (inputs[at]!.modality === modality ? [at] : []))
      const { width } = projection?.description.inputs[0] ?? {}
      for (const at of places) {
        const { name, width: own } = items[at]!
        if (own === width) continue
        const problem = projection
          ? `of ${width} values, as \`${modality}\` takes`
          : 'of another modality'
        const got = projection ? own : modality
        const message = `${who}: \`${name}\` must be ${problem}, got ${got}`
        throw new InvalidOptionError(message, { option: name, expected: problem, got })
      }
      const found = await projection!.encodeSteps(
        places.map((at) => items[at]!.item),
        settings,
      )
      for (const [number, at] of places.entries()) vectors[at] = found[number]!.values
    }
    const positions = await inOne(
      given.map((some) => some.positions),
      (length) => new Uint32Array(length),
      new Turns(settings.signal),
    )
    return this.#placed(vectors, positions, inputs, settings, who)
  }

  async #placed(
    vectors: readonly Float32Array[],
    positions: Uint32Array,
    inputs: readonly TokenInput[],
    settings: Parameters<typeof run>[1],
    who: string,
  ): Promise<Tokens> {
    const width = this.dimensions
    if (this.#positions === 'none') {
      const make = (length: number) => new Float32Array(length)
      const values = await inOne(vectors, make, new Turns(settings.signal))
      return new Tokens({ values, positions, width, inputs })
    }
    const given = await pushValues(vectors, settings.signal)
    const values = await run<Float32Array>(who, settings, (spec, events) =>
      placeTokens(given, positions, width, spec, events),
    )
    return new Tokens({ values, positions, width, inputs })
  }

  /** Frees the memory of the projections now rather than when the garbage is collected. */
  close(): void {
    for (const projection of Object.values(this.projections)) projection.close()
  }

  /** As `close`: at the end of the block of `using`. */
  [Symbol.dispose](): void {
    this.close()
  }
}

/** Values of the vectors that a network makes of a sequence. */
function widthOf(found: Network, modality: Modality, who: string): number {
  const [input, ...others] = found.description.inputs
  const content = modality === 'text' ? 'ids' : 'values'
  const shape = /^\[any, (\d+)\]$/.exec(found.summary().at(-1)!.shape)
  const plain = others.length === 0 && input!.positions === null && input!.axes === undefined
  if (plain && input!.content === content && shape) return Number(shape[1])
  const expected = `a network of one ${content === 'ids' ? '`ids()`' : '`sequence`'} that gives a vector for each step`
  throw wrongOption(modality, expected, found.summary().at(-1)!.shape, who)
}
