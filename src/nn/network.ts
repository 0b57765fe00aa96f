import { Vectors } from '../embedder.js'
import { Handle } from '../handle.js'
import {
  type Encoded,
  type NetworkEvaluation as Evaluated,
  type NetworkHandle,
  type ShapeOf,
  describeNetwork,
  encodeNetwork,
  evaluateNetwork,
  exportNetwork,
  loadNetwork,
  makeNetwork,
  openNetwork,
  parameterValues,
  saveNetwork,
  trainNetwork,
} from '../native.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  type Settings,
  custom,
  flag,
  integer,
  settle,
  text,
  wrongOption,
} from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run } from '../run.js'
import { arrayOf } from '../turns.js'
import { type LayerSummary, type NetworkDescription, summary, toJson } from './description.js'
import { type Examples, columnsOf, itemsOf, targetsOf, wantedOf } from './examples.js'
import {
  type TensorSource,
  checkParameters,
  checkSources,
  networkLoadingOptions,
} from './loading.js'
import { type ExampleStream, isStream, streamOf } from './stream.js'
import {
  type NetworkTrainingOptions,
  blockOf,
  checkSource,
  checkTogether,
  networkTrainingOptions,
  trainingOf,
} from './training.js'

/** What became of an epoch. */
export interface Epoch {
  /** Mean loss of the examples, each when it was met. */
  readonly loss: number
  /** Mean loss of the validation examples afterwards. */
  readonly validation?: number
}

/** How well a network does on examples. */
export interface NetworkEvaluation {
  /** Mean loss of all that is wanted, in nats for `crossEntropy`: e to its power is the perplexity. */
  readonly loss: number
  /** For `crossEntropy`: the share of the wanted classes that had the highest score. */
  readonly accuracy?: number
}

const evaluateOptions = {
  /** Items that are worked on at once. */
  batchSize: networkTrainingOptions.batchSize,
}

const createOptions = {
  /** Values of parameters, by PyTorch's names and in its order. Default: random ones. */
  parameters: custom<Readonly<Record<string, Float32Array>>>(
    'an object of Float32Arrays',
    (given) =>
      typeof given === 'object' &&
      given !== null &&
      Object.values(given).every((values) => values instanceof Float32Array),
    'values of parameters',
  ),
}

/** The layer whose output is wanted. Default: the last one. */
const layerOption = text('the layer whose output is wanted', 'NAME')

const encodeOptions = {
  layer: layerOption,
  /** Only the first so many values of each vector. Default: all. */
  dimensions: integer(undefined, { from: 1 }, 'only the first values of each vector'),
  /** Whether vectors are divided by their length. */
  normalize: flag(false, 'whether vectors are divided by their length'),
}

const encodeStepsOptions = {
  layer: layerOption,
  /** Only so many positions at the end of each item; of a long one the others take no memory. Default: all. */
  last: integer(undefined, { from: 1, to: 0xffff_ffff }, 'positions at the end of each item'),
}

/**
 * A network that has been trained, or whose parameters come from a file. Any layer's output is a vector of
 * what went in: that is what makes an embedding of it.
 *
 *     const description = network({
 *       input: ids({ length: 4 }),
 *       layers: [embedding({ values: 10_000, dimensions: 100 }), flatten(), dense({ units: 10_000 })],
 *       loss: crossEntropy(),
 *     })
 *     const model = await Network.train(description, { inputs, targets })
 *     const scores = await model.encode(inputs)
 */
export class Network {
  /** Inputs, layers and loss. */
  readonly description: NetworkDescription
  /** How its training went, epoch by epoch; of a network from a file, empty. */
  readonly history: readonly Epoch[]
  readonly #handle: Handle<NetworkHandle>

  private constructor(native: NetworkHandle, description: NetworkDescription) {
    this.#handle = new Handle(native)
    this.description = description
    const validation = native.validationLosses
    this.history = Array.from(native.losses, (loss, epoch) => ({
      loss,
      ...(epoch < validation.length && { validation: validation[epoch]! }),
    }))
  }

  /**
   * Trains a new network, whose parameters begin at random. The same bytes for the same `seed`, whatever the
   * number of threads.
   *
   *     const model = await Network.train(description, { inputs, targets }, { checkpoint: 'training.safetensors' })
   *     const other = await Network.train(description, async function* () {
   *       for await (const row of rows()) yield { input: row.values, target: row.class }
   *     })
   *
   * @throws {InvalidOptionError} before anything is read; a checkpoint of other options or examples
   * @throws {InlayError} `INVALID_INPUT` examples that do not fit, or none, or that are not finite numbers;
   *   `DIVERGED` a loss or gradient is no longer finite; `DISK_FULL`, `IO` of the checkpoint
   */
  static async train(
    description: NetworkDescription,
    examples: Examples | ExampleStream,
    options: NetworkTrainingOptions = {},
  ): Promise<Network> {
    return trained('Network.train', description, undefined, examples, options)
  }

  /**
   * A network that has learnt nothing: its parameters begin at random, by `seed`, as PyTorch's do, but those that
   * are given. For layers that have nothing to learn, for random projections, and to begin a training with
   * vectors that are there already.
   *
   *     const start = await Network.create(description, { parameters: { 'embedding1.weight': rows } })
   *     const model = await start.train({ inputs, targets })
   *
   * @throws {InlayError} `INVALID_INPUT` layers that do not fit, or a parameter with more or fewer values;
   *   `NOT_FOUND` there is no such parameter
   */
  static async create(
    description: NetworkDescription,
    options: Options<typeof createOptions> & RunOptions = {},
  ): Promise<Network> {
    const who = 'Network.create'
    const { settings, run: runSettings } = settle(createOptions, options, who)
    const { parameters = {} } = settings
    const [names, given] = [Object.keys(parameters), Object.values(parameters)]
    const native = await run<NetworkHandle>(who, runSettings, (spec, events) =>
      makeNetwork(toJson(description), names, given, spec, events),
    )
    return Network.#of(native, description)
  }

  /**
   * Opens what `save` wrote.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no network, or damaged
   */
  static async open(path: Path, options: RunOptions = {}): Promise<Network> {
    const who = 'Network.open'
    const file = settlePath(path, who)
    const settings = settle({}, options, who).run
    const native = await run<NetworkHandle>(who, settings, (spec, events) =>
      openNetwork(file, spec, events),
    )
    return Network.#of(native, JSON.parse(native.description) as NetworkDescription)
  }

  /**
   * A network whose parameters are those of a PyTorch module of the same layers: its `state_dict` in a safetensors file or as
   * `torch.save` wrote it (of which nothing is run), or the several of a large one, whose names are those of the layers (`name: '0'` for the first of
   * an `nn.Sequential`) or what `tensors` says.
   *
   * @throws {InvalidOptionError} `tensors` has a parameter that the network does not have, or what is no source of one
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT`, with all tensors that are missing or of another shape
   */
  static async load(
    description: NetworkDescription,
    path: Path | readonly Path[],
    options: Options<typeof networkLoadingOptions> & RunOptions = {},
  ): Promise<Network> {
    const who = 'Network.load'
    const paths = Array.isArray(path) ? (path as readonly Path[]) : [path as Path]
    if (paths.length === 0) throw wrongOption('path', 'a path, or several', path, who)
    const files = paths.map((file) => settlePath(file, who))
    const { settings, run: runSettings } = settle(networkLoadingOptions, options, who)
    const { prefix = '', tensors = {}, shared, precision } = settings
    checkSources(tensors, who)
    const origins = JSON.stringify({ prefix, tensors })
    const how = { origins, bytes: precision === 'int8', shared }
    const native = await run<NetworkHandle>(who, runSettings, (spec, events) =>
      loadNetwork(toJson(description), files, how, spec, events),
    )
    const network = Network.#of(native, description)
    try {
      checkParameters(tensors, native, description, who)
    } catch (error) {
      network.close()
      throw error
    }
    return network
  }

  /** @internal */
  static of(native: NetworkHandle, description: NetworkDescription): Network {
    return Network.#of(native, description)
  }

  static #of(native: NetworkHandle, description: NetworkDescription): Network {
    return new Network(native, description)
  }

  /** Goes on training, with other examples or options: another network comes of it, and this one stays as
   * it is. The loss is the description's. Errors as for `Network.train`. */
  async train(
    examples: Examples | ExampleStream,
    options: NetworkTrainingOptions = {},
  ): Promise<Network> {
    const who = 'network.train'
    this.#handle.use(who)
    return trained(who, this.description, this.#handle, examples, options)
  }

  /**
   * Another network that knows what this one does: layers of the same name and shape keep their parameters,
   * and the others begin at random, by `seed`. A head for another task is put on a network so.
   *
   * @throws {InlayError} `CLOSED`
   */
  async transfer(description: NetworkDescription, options: RunOptions = {}): Promise<Network> {
    const who = 'network.transfer'
    const settings = settle({}, options, who).run
    const native = this.#handle.use(who)
    const other = await run<NetworkHandle>(who, settings, (spec, events) =>
      describeNetwork(native, toJson(description), spec, events),
    )
    return Network.#of(other, description)
  }

  /**
   * What a layer gives for each item, all positions in one row: [items, values]. It depends on the item
   * alone.
   *
   * @throws {InvalidOptionError} the layer gives as many rows as the item has: see `encodeSteps`
   * @throws {InlayError} `INVALID_INPUT` items that do not fit
   */
  async encode(
    inputs: Examples['inputs'],
    options: Options<typeof encodeOptions> & RunOptions = {},
  ): Promise<Vectors> {
    const who = 'network.encode'
    const { settings, run: runSettings } = settle(encodeOptions, options, who)
    const { positions, width } = this.#output(settings.layer, who)
    if (positions === undefined) {
      const expected =
        'a layer that gives one vector for each item: for sequences there is `encodeSteps`'
      throw wrongOption('layer', expected, settings.layer ?? 'the last one', who)
    }
    const all = positions.reduce((product, axis) => product * axis, width)
    const { dimensions = all } = settings
    if (dimensions > all) throw wrongOption('dimensions', `at most ${all}`, dimensions, who)
    const { values } = await this.#encoded(inputs, settings, runSettings, who)
    return new Vectors(values, dimensions)
  }

  /** What a layer gives at each position of each item, or at its last ones: for an item, [positions, width]. */
  async encodeSteps(
    inputs: Examples['inputs'],
    options: Options<typeof encodeStepsOptions> & RunOptions = {},
  ): Promise<Vectors[]> {
    const who = 'network.encodeSteps'
    const { settings, run: runSettings } = settle(encodeStepsOptions, options, who)
    const { width } = this.#output(settings.layer, who)
    const { values, offsets } = await this.#encoded(inputs, settings, runSettings, who)
    return arrayOf(offsets.length - 1, (item) => {
      const [from, to] = [offsets[item]! * width, offsets[item + 1]! * width]
      return new Vectors(values.subarray(from, to), width)
    })
  }

  /**
   * The mean loss on examples, in the memory of a batch. A long sequence is walked along in windows, where no
   * layer has to see it as a whole: a text of any length can be one item. The same for any number of threads.
   *
   *     const { loss } = await model.evaluate({ inputs, targets })
   *     console.log('perplexity', Math.exp(loss))
   *
   * @throws {InvalidOptionError} the description has no `loss`
   * @throws {InlayError} `INVALID_INPUT` examples that do not fit, or none; `DIVERGED` a loss that is no finite
   *   number
   */
  async evaluate(
    examples: Examples,
    options: Options<typeof evaluateOptions> & RunOptions = {},
  ): Promise<NetworkEvaluation> {
    const who = 'network.evaluate'
    const { settings, run: runSettings } = settle(evaluateOptions, options, who)
    const { inputs, loss } = this.description
    if (loss === undefined) {
      throw wrongOption('description', 'a network with a `loss`', 'one without', who)
    }
    const given = await itemsOf(inputs, loss, examples, '', who, runSettings)
    const targets = targetsOf(this.description, who)
    const wanted = await wantedOf(targets, examples, 'targets', who, runSettings)
    const native = this.#handle.use(who)
    const found = await run<Evaluated>(who, runSettings, (spec, events) =>
      evaluateNetwork(
        native,
        JSON.stringify(loss),
        settings.batchSize,
        given,
        wanted,
        spec,
        events,
      ),
    )
    return { loss: found.loss, ...(found.accuracy !== undefined && { accuracy: found.accuracy }) }
  }

  #output(layer: string | undefined, who: string): ShapeOf {
    if (layer !== undefined) checkLayer('layer', layer, this.description, who)
    return this.#handle.use(who).output(layer)
  }

  async #encoded(
    inputs: Examples['inputs'],
    {
      layer,
      last,
      dimensions,
      normalize = false,
    }: Partial<Settings<typeof encodeStepsOptions & typeof encodeOptions>>,
    settings: RunSettings,
    who: string,
  ): Promise<Encoded> {
    const columns = await columnsOf(this.description.inputs, inputs, who, settings)
    const native = this.#handle.use(who)
    const part = {
      ...(last !== undefined && { last }),
      ...(dimensions !== undefined && { dimensions }),
      normalize,
    }
    return run<Encoded>(who, settings, (spec, events) =>
      encodeNetwork(native, columns, layer, part, spec, events),
    )
  }

  /** The layers, with shapes, parameters and operations. */
  summary(): LayerSummary[] {
    return summary(this.description, 'network.summary')
  }

  /**
   * A parameter by PyTorch's name, as 'dense1.weight': its numbers in PyTorch's order, copied, and its shape.
   * `undefined` if there is none.
   */
  parameter(name: string): { values: Float32Array; shape: number[] } | undefined {
    const native = this.#handle.use('network.parameter')
    const [found, shape] = [native.parameter(name), native.parameterShape(name)]
    return found && shape ? { values: found, shape } : undefined
  }

  /**
   * Writes description and parameters to a safetensors file, these under PyTorch's names and in its shapes:
   * `module.load_state_dict(safetensors.torch.load_file(path))`. It is there in full or not at all.
   *
   * @throws {InlayError} `DISK_FULL`, `IO`
   */
  async save(path: Path, options: RunOptions = {}): Promise<void> {
    const who = 'network.save'
    const file = settlePath(path, who)
    const settings = settle({}, options, who).run
    const native = this.#handle.use(who)
    await run<void>(who, settings, (spec, events) => saveNetwork(native, file, spec, events))
  }

  /** Writes all tensors of files to one, those of which parameters are made (`tensors`) with what these are now. @internal */
  async export(
    files: readonly string[],
    tensors: Readonly<Record<string, TensorSource>>,
    path: string,
    settings: RunSettings,
    who: string,
  ): Promise<void> {
    const native = this.#handle.use(who)
    const origins = JSON.stringify({ tensors })
    await run<void>(who, settings, (spec, events) =>
      exportNetwork(native, [...files], origins, path, spec, events),
    )
  }

  /** What runs work with. @internal */
  native(who: string): NetworkHandle {
    return this.#handle.use(who)
  }

  /** The values of all parameters, one after the other. @internal */
  async *parameterValues(settings: RunSettings, who: string): AsyncGenerator<Float32Array> {
    for (let number = 0; ; number++) {
      const native = this.#handle.use(who)
      const values = await run<Float32Array | undefined>(who, settings, (spec, events) =>
        parameterValues(native, number, spec, events),
      )
      if (!values) return
      yield values
    }
  }

  /** Frees the memory now rather than when the garbage is collected. */
  close(): void {
    this.#handle.close()
  }

  /** As `close`: at the end of the block of `using`. */
  [Symbol.dispose](): void {
    this.close()
  }
}

async function trained(
  who: string,
  description: NetworkDescription,
  base: Handle<NetworkHandle> | undefined,
  examples: Examples | ExampleStream,
  options: NetworkTrainingOptions,
): Promise<Network> {
  const { settings, run: runSettings } = settle(networkTrainingOptions, options, who)
  checkTogether(options, settings.schedule, who)
  const { inputs, loss } = description
  if (loss === undefined) {
    throw wrongOption('description', 'a network with a `loss`', 'one without', who)
  }
  for (const name of settings.freeze ?? []) checkLayer('freeze', name, description, who)
  const targets = targetsOf(description, who)
  checkSource(isStream(examples), options, settings.schedule, loss, who)
  const source = isStream(examples)
    ? streamOf(examples, blockOf(inputs, targets, settings), who)
    : {
        native: await itemsOf(inputs, loss, examples, '', who, runSettings),
        wanted: await wantedOf(targets, examples, 'targets', who, runSettings),
      }
  const { wanted, feed } = { wanted: undefined, feed: undefined, ...source }
  const { validation } = settings
  const heldOut = validation
    ? await itemsOf(inputs, loss, validation, 'validation.', who, runSettings)
    : []
  const heldOutWanted =
    validation && (await wantedOf(targets, validation, 'validation.targets', who, runSettings))
  const spec = { description: toJson(description), training: trainingOf(settings, loss) }
  // Not before: it may have been closed while the examples were brought over.
  const begun = base?.use(who)
  const native = await run<NetworkHandle>(
    who,
    runSettings,
    (runSpec, events) =>
      trainNetwork(spec, begun, source.native, wanted, heldOut, heldOutWanted, runSpec, events),
    feed,
  )
  return Network.of(native, description)
}

function checkLayer(
  option: string,
  name: string,
  description: NetworkDescription,
  who: string,
): void {
  const names = summary(description, who).map((layer) => layer.name)
  if (!names.includes(name))
    throw wrongOption(option, `the name of a layer: ${names.join(', ')}`, name, who)
}
