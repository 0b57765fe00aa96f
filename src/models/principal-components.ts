import { type Embedder, Vectors } from '../embedder.js'
import { type RowComponents, componentsOfRows } from '../native.js'
import { type NetworkDescription, network, values } from '../nn/description.js'
import { dense } from '../nn/layers.js'
import { Network } from '../nn/network.js'
import { type Options, type RunOptions, flag, integer, settle, wrongOption } from '../options.js'
import { pushValues } from '../patches/tokens.js'
import type { Path } from '../path.js'
import { run } from '../run.js'
import { type ModelFile, NetworkModel, aboutOf, openModel, widthOf } from './network-model.js'

/** Every option of `PrincipalComponents.train`. */
export const principalComponentsOptions = {
  /** Directions: values of a vector that comes out. */
  dimensions: integer(16, { from: 1, to: 65_536 }, 'values of a vector that comes out'),
  /** Whether each of them is divided by its standard deviation, so that all have one scale. */
  whiten: flag(false, 'whether each value is divided by its standard deviation'),
}

/** The options of `PrincipalComponents.train`: see `principalComponentsOptions`. */
export type PrincipalComponentsOptions = Options<typeof principalComponentsOptions> & RunOptions

const file: ModelFile<{ readonly dimensions: number }> = {
  model: 'PrincipalComponents',
  layers: ['components', 'inverse'],
  record: {
    dimensions: {
      expected: 'as many values as the layer `components` gives',
      accepts: (given, found) => given === widthOf(found, 'components'),
    },
  },
}

/**
 * Vectors by the directions along which they vary most, and back: the linear autoencoder with the least squared error (Pearson
 * 1901; Baldi and Hornik 1989), found at once and not by training. With `whiten`, values come out with deviation 1.
 *
 *     x ─▶ (x - mean) · directions [/ deviations] ─▶ code ─▶ code [· deviations] · directionsᵀ + mean ─▶ x
 *
 *     const components = await PrincipalComponents.train(vectors, { dimensions: 16 })
 *     const codes = await components.encode(vectors) // [vectors, 16]
 *     const again = await components.decode(codes)   // [vectors, width]
 */
export class PrincipalComponents extends NetworkModel implements Embedder<ArrayLike<number>> {
  /** Values of a vector that comes out. */
  readonly dimensions: number
  /** Values of a vector that goes in. */
  readonly width: number
  #inverse: Promise<Network> | undefined

  private constructor(found: Network) {
    super(found)
    this.dimensions = widthOf(found, 'components')!
    this.width = found.description.inputs[0]!.width
  }

  /**
   * Finds the directions. Same bytes for any number of threads.
   *
   * @throws {InvalidOptionError} no vectors; more dimensions than they have
   * @throws {InlayError} `INVALID_INPUT` a value that is not finite
   */
  static async train(
    vectors: Vectors,
    options: PrincipalComponentsOptions = {},
  ): Promise<PrincipalComponents> {
    const who = 'PrincipalComponents.train'
    const { settings, run: runSettings } = settle(principalComponentsOptions, options, who)
    if (!(vectors instanceof Vectors) || vectors.length === 0) {
      throw wrongOption('vectors', 'Vectors, one or more', vectors, who)
    }
    const { dimensions, whiten } = settings
    const width = vectors.dimensions
    if (dimensions > width) {
      throw wrongOption('dimensions', `at most ${width}, as the vectors have`, dimensions, who)
    }
    const given = await pushValues([vectors.values], runSettings.signal)
    const found = await run<RowComponents>(who, runSettings, (spec, events) =>
      componentsOfRows(given, width, dimensions, spec, events),
    )
    const parameters = linear(found, width, whiten)
    const about = aboutOf(file, { dimensions })
    const { signal } = runSettings
    using start = await Network.create(describe(width, dimensions), { parameters, signal })
    const asked = { ...describe(width, dimensions), about }
    return new PrincipalComponents(await start.transfer(asked, { signal }))
  }

  /**
   * Opens what `save` wrote.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no such model
   */
  static async open(path: Path, options: RunOptions = {}): Promise<PrincipalComponents> {
    return openModel(file, path, options, (found) => new PrincipalComponents(found))
  }

  /** Vectors by the directions: [vectors, dimensions], the widest direction first. */
  async encode(
    vectors: Iterable<ArrayLike<number>> | AsyncIterable<ArrayLike<number>>,
    options: RunOptions = {},
  ): Promise<Vectors> {
    return this.network.encode(vectors, { layer: 'components', ...options })
  }

  /**
   * What vectors were, as near as the directions can say: [codes, width].
   *
   * @throws {InvalidOptionError} codes of other dimensions
   */
  async decode(codes: Vectors, options: RunOptions = {}): Promise<Vectors> {
    if (!(codes instanceof Vectors) || codes.dimensions !== this.dimensions) {
      throw wrongOption('codes', `Vectors of ${this.dimensions} values`, codes, 'model.decode')
    }
    const layers = [dense({ name: 'inverse', units: this.width })]
    const description = network({ input: values({ shape: [this.dimensions] }), layers })
    this.#inverse ??= this.network.transfer(description)
    return (await this.#inverse).encode(codes.values, options)
  }

  override close(): void {
    super.close()
    void this.#inverse?.then((inverse) => inverse.close())
    this.#inverse = undefined
  }
}

function describe(width: number, dimensions: number): NetworkDescription {
  const layers = [
    dense({ name: 'components', units: dimensions }),
    dense({ name: 'inverse', units: width }),
  ]
  return network({ input: values({ shape: [width] }), layers })
}

/** The directions as weights of the two layers. */
function linear(
  { mean, directions, deviations }: RowComponents,
  width: number,
  whiten: boolean,
): Record<string, Float32Array> {
  const there = new Float32Array(directions.length)
  const back = new Float32Array(directions.length)
  const moved = new Float32Array(deviations.length)
  for (const [k, deviation] of deviations.entries()) {
    // Along what nobody varies there is nothing to divide.
    const scale = whiten && deviation > 1e-12 ? deviation : 1
    let along = 0
    for (let i = 0; i < width; i++) {
      const direction = directions[k * width + i]!
      there[k * width + i] = direction / scale
      back[i * deviations.length + k] = direction * scale
      along += direction * mean[i]!
    }
    moved[k] = -along / scale
  }
  return {
    'components.weight': there,
    'components.bias': moved,
    'inverse.weight': back,
    'inverse.bias': mean,
  }
}
