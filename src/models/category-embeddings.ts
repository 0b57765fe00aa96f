import { type Embedder, Vectors } from '../embedder.js'
import { InlayError } from '../errors.js'
import { crossEntropy, squaredError } from '../nn/losses.js'
import { type Epoch, Network } from '../nn/network.js'
import { checkTogether } from '../nn/training.js'
import type { Examples } from '../nn/examples.js'
import { type Options, type RunOptions, settle, wrongOption } from '../options.js'
import type { Path } from '../path.js'
import {
  Cells,
  type Column,
  columnsOf,
  firstValueOf,
  idsOf,
  numbersOf,
  scaledNumbers,
} from '../tables/columns.js'
import type { Row, TableSource } from '../tables/read-table.js'
import { Turns } from '../turns.js'
import { WordVectors } from '../vectors/word-vectors.js'
import {
  type CategoryEmbeddingsOptions,
  type TableTask,
  categoryEmbeddingsOptions,
  openTableOptions,
} from './category-options.js'
import { evaluationOf } from './class-evaluation.js'
import {
  NUMBERS,
  type TableRecord,
  categoryInput,
  entityEmbeddings,
  file,
} from './entity-embeddings.js'
import { type ClassPrediction, Labels, bestOf, withProbabilities } from './labels.js'
import {
  type RegressionEvaluation,
  type TableClassEvaluation,
  areaUnderCurve,
  regressionOf,
} from './table-evaluation.js'
import { checkNames, targetOf, wantedOf } from './table-target.js'
import { NetworkModel, aboutOf, openModel, widthOf } from './network-model.js'
import { networkTraining } from './training.js'

/** What a model of each task gives. */
export interface TableAnswers {
  readonly classification: {
    /** The most probable label of each row. */
    readonly predictions: ClassPrediction[]
    readonly evaluation: TableClassEvaluation
  }
  readonly regression: {
    /** A number for each row. */
    readonly predictions: Float32Array
    readonly evaluation: RegressionEvaluation
  }
}

/**
 * Tables with categories and numbers: each category gets a vector, and a row of the table is what they and the
 * numbers become together (Guo and Berkhahn 2016, arXiv:1604.06737). For labels or for numbers. Its layers: 'column.NAME'
 * has the vectors of a category, 'row' all that goes in, 'hidden1' and so on.
 *
 *     occupation ─▶ embedding ────┐
 *     education ──▶ embedding ────┼▶ concat ─▶ [dense ─▶ relu]* ─▶ dense ─▶ label | number
 *     age, hours ─▶ standardised ─┘
 *
 *     const model = await CategoryEmbeddings.train('people.csv', { target: 'income' })
 *     const [prediction] = await model.predict([{ occupation: 'Sales', age: 39 }])
 *     await model.vectors('occupation').mostSimilar('Sales')
 */
export class CategoryEmbeddings<Task extends TableTask = 'classification'>
  extends NetworkModel
  implements Embedder<Row>
{
  /** What is foretold: labels or numbers. */
  readonly task: TableTask
  /** The column that is foretold. */
  readonly target: string
  /** The labels, in the order in which they first came; none for numbers. */
  readonly labels: readonly string[]
  /** What is known of the columns that it reads. */
  readonly columns: readonly Column[]
  /** Values of a row's vector. */
  readonly dimensions: number
  readonly #about: TableRecord
  /** The layer that gives the vectors of rows. */
  readonly #features: string

  private constructor(found: Network, about: TableRecord, history?: readonly Epoch[]) {
    super(found, history)
    const { target, columns } = about
    this.columns = columns
    this.task = target.task
    this.target = target.name
    this.labels = target.task === 'classification' ? target.labels : []
    this.#about = about
    const layers = found.summary().filter(({ name }) => /^(row|hidden\d+)$/.test(name))
    this.#features = layers.at(-1)!.name
    this.dimensions = widthOf(found, this.#features)!
  }

  /**
   * Trains on the rows of a table. Same bytes for the same `seed`, whatever the number of threads.
   *
   * @throws {InvalidOptionError} before anything is read; there are fewer than two labels
   * @throws {InlayError} `INVALID_INPUT` a file or item that is no row, a row without target, or text in a
   *   column of numbers, or numbers too large for a standard deviation; `NOT_FOUND`; `DIVERGED`
   */
  static async train<Task extends TableTask = 'classification'>(
    rows: TableSource,
    options: CategoryEmbeddingsOptions<Task>,
  ): Promise<CategoryEmbeddings<Task>> {
    const who = 'CategoryEmbeddings.train'
    const { settings, run } = settle(categoryEmbeddingsOptions, options, who)
    checkTogether(options, settings.schedule, who)
    const {
      target: name,
      task,
      columns: kinds,
      missing,
      minCount,
      dimensions,
      unseenShare,
      hidden,
      dropout: share,
      validation,
    } = settings
    if (name === undefined) {
      throw wrongOption('target', categoryEmbeddingsOptions.target.expected, name, who)
    }
    const cells = await Cells.of(rows, 'rows', who, run.signal)
    if (cells.length === 0) throw new InlayError('INVALID_INPUT', `${who}: there are no rows`)
    for (const option of [kinds, dimensions]) checkNames(cells, Object.keys(option ?? {}), who)
    const target = await targetOf(cells, name, task, missing, who)
    const choices = { kinds: kinds ?? {}, missing, minCount, dimensions: dimensions ?? {} }
    const columns = await columnsOf(cells, name, choices, who)
    if (columns.length === 0) {
      throw new InlayError('INVALID_INPUT', `${who}: no column has anything to learn from`)
    }
    const about = { columns, target, missing }
    const description = entityEmbeddings(columns, {
      hidden: hidden ?? [128, 64],
      share,
      outputs: target.task === 'classification' ? target.labels.length : 1,
      loss: target.task === 'classification' ? crossEntropy() : squaredError(),
    })
    const heldOut = validation && (await Cells.of(validation, 'validation', who, run.signal))
    const examples = await examplesOf(cells, about, who, hiding(unseenShare, run.seed))
    using trained = await Network.train(description, examples, {
      ...networkTraining(settings, options, run),
      ...(heldOut && { validation: await examplesOf(heldOut, about, who) }),
    })
    const kept = aboutOf(file, about)
    const isLabel = target.task === 'classification'
    const asked = isLabel ? withProbabilities(description, kept) : { ...description, about: kept }
    const found = await trained.transfer(asked, run)
    return new CategoryEmbeddings<Task>(found, about, trained.history)
  }

  /**
   * Opens what `save` wrote.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no such model, or one of another `task`
   */
  static async open<Task extends TableTask = 'classification'>(
    path: Path,
    options: Omit<Options<typeof openTableOptions>, 'task'> &
      RunOptions & { readonly task?: Task } = {},
  ): Promise<CategoryEmbeddings<Task>> {
    const { settings, run } = settle(openTableOptions, options, 'CategoryEmbeddings.open')
    return CategoryEmbeddings.opened<Task>(path, settings.task, run)
  }

  /** As `open`, of any task if none is given. @internal */
  static async opened<Task extends TableTask>(
    path: Path,
    task: TableTask | undefined,
    run: RunOptions,
  ): Promise<CategoryEmbeddings<Task>> {
    return openModel(file, path, run, (found, about) => {
      const { task: learnt } = about.target
      if (task === undefined || learnt === task) return new CategoryEmbeddings<Task>(found, about)
      const problem = `a model for ${learnt}: say so by \`task\``
      throw new InlayError('INVALID_INPUT', `CategoryEmbeddings.open: the file holds ${problem}`)
    })
  }

  /** The most probable label of each row, with its probability; for regression a number for each row. */
  async predict(
    rows: TableSource,
    options: RunOptions = {},
  ): Promise<TableAnswers[Task]['predictions']> {
    const who = 'model.predict'
    const outputs = await this.#outputs(rows, undefined, options, who)
    return this.#predictions(outputs)
  }

  /** The probability of each label, in the order of `labels`, for each row: [rows, labels]. */
  async predictProbabilities(
    this: CategoryEmbeddings<'classification'>,
    rows: TableSource,
    options: RunOptions = {},
  ): Promise<Vectors> {
    return this.#outputs(rows, undefined, options, 'model.predictProbabilities')
  }

  /**
   * How near predictions come to the target's column: accuracy, confusion matrix, F1 and, of two classes, AUC;
   * for regression RMSE.
   *
   * @throws {InvalidOptionError} a row has a label that the model does not know
   * @throws {InlayError} `INVALID_INPUT` a row has no target
   */
  async evaluate(
    rows: TableSource,
    options: RunOptions = {},
  ): Promise<TableAnswers[Task]['evaluation']> {
    const who = 'model.evaluate'
    const { run } = settle({}, options, who)
    const { target } = this.#about
    const cells = await Cells.of(rows, 'rows', who, run.signal)
    const wanted = await wantedOf(cells, target, this.#about.missing, who)
    const outputs = await this.#encoded(cells, undefined, options, who)
    if (target.task === 'regression') {
      return regressionOf(wanted, outputs.values, target.deviation)
    }
    const auc =
      target.labels.length === 2 ? await areaUnderCurve(outputs, wanted, who, run) : undefined
    const evaluation = await evaluationOf(target.labels, wanted, await bestOf(outputs))
    return { ...evaluation, ...(auc !== undefined && { auc }) }
  }

  /** The vectors of rows: what the last hidden layer gives, or without one all that goes in. */
  async encode(rows: TableSource, options: RunOptions = {}): Promise<Vectors> {
    return this.#outputs(rows, this.#features, options, 'model.encode')
  }

  /**
   * The vectors of a column's categories, the most frequent first; those of what is missing or was not seen are
   * not among them.
   *
   * @throws {InvalidOptionError} there is no such column of categories
   */
  vectors(column: string): WordVectors {
    const categories = this.columns.filter((known) => known.kind === 'categorical')
    const found = categories.find(({ name }) => name === column)
    if (found === undefined) {
      const names = categories.map(({ name }) => name).join(', ')
      throw wrongOption('column', `a column of categories: ${names}`, column, 'model.vectors')
    }
    const table = this.network.parameter(`${categoryInput(column)}.weight`)!
    const rows = table.values.subarray(firstValueOf(found) * found.dimensions)
    return WordVectors.from(found.values, rows, found.dimensions)
  }

  async #outputs(
    rows: TableSource,
    layer: string | undefined,
    options: RunOptions,
    who: string,
  ): Promise<Vectors> {
    const { run } = settle({}, options, who)
    return this.#encoded(await Cells.of(rows, 'rows', who, run.signal), layer, options, who)
  }

  async #encoded(
    cells: Cells,
    layer: string | undefined,
    options: RunOptions,
    who: string,
  ): Promise<Vectors> {
    if (cells.length > 0 && this.columns.every(({ name }) => !cells.columns.has(name))) {
      const names = this.columns.map(({ name }) => name).join(', ')
      throw new InlayError('INVALID_INPUT', `${who}: the rows have none of the columns ${names}`)
    }
    return this.network.encode(await inputsOf(cells, this.#about, who), { layer, ...options })
  }

  async #predictions(outputs: Vectors): Promise<ClassPrediction[] | Float32Array> {
    const { target } = this.#about
    if (target.task === 'classification') return new Labels(target.labels).predictions(outputs)
    const turns = new Turns()
    const { values } = outputs
    for (let row = 0; row < values.length; row++) {
      values[row] = values[row]! * target.deviation + target.mean
      if (turns.isOver()) await turns.next()
    }
    return values
  }
}

async function inputsOf(
  cells: Cells,
  { columns, missing }: TableRecord,
  who: string,
  hide?: () => boolean,
): Promise<Record<string, Uint32Array | Float32Array>> {
  const nothing = new Set(missing)
  const inputs: Record<string, Uint32Array | Float32Array> = {}
  // One after the other: `hide` is asked in the same order each time.
  for (const column of columns) {
    if (column.kind !== 'categorical') continue
    inputs[categoryInput(column.name)] = await idsOf(cells, column, nothing, hide)
  }
  if (numbersOf(columns) > 0) inputs[NUMBERS] = await scaledNumbers(cells, columns, nothing, who)
  return inputs
}

async function examplesOf(
  cells: Cells,
  about: TableRecord,
  who: string,
  hide?: () => boolean,
): Promise<Examples> {
  const wanted = await wantedOf(cells, about.target, about.missing, who)
  const isLabel = about.target.task === 'classification'
  return {
    inputs: await inputsOf(cells, about, who, hide),
    targets: isLabel ? Uint32Array.from(wanted) : Float32Array.from(wanted),
  }
}

/** True with a probability, by a seed: xorshift (Marsaglia 2003). */
function hiding(probability: number, seed: number): () => boolean {
  let state = (seed ^ 0x9e3779b9) | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32 < probability
  }
}
