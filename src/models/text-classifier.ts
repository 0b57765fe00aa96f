// Labels for texts by a network that reads their words: what such models have in common.
import type { Text, Texts } from '../corpus/source.js'
import type { Vectors } from '../embedder.js'
import type { NetworkDescription } from '../nn/description.js'
import { type Loss, crossEntropy } from '../nn/losses.js'
import { Network } from '../nn/network.js'
import { checkTogether, learningOptions } from '../nn/training.js'
import {
  type Option,
  type Options,
  type RunOptions,
  type RunSettings,
  type Settings,
  type Table,
  settle,
  wrongOption,
} from '../options.js'
import type { ClassEvaluation } from './class-evaluation.js'
import {
  type ClassPrediction,
  type Collected,
  Labels,
  type LabelledInputs,
  collected,
  labelNames,
  labelWeights,
  labelledValidation,
  withProbabilities,
} from './labels.js'
import { type ModelFile, aboutOf } from './network-model.js'
import {
  TextNetwork,
  type TextNetworkParts,
  type TextNetworkRecord,
  textNetworkFile,
} from './text-network.js'
import { networkTraining } from './training.js'
import { Vocabulary, readAllWords, vocabularyOptions, wordVectors } from './vocabulary.js'
import { each } from '../nn/columns.js'

/** What every classifier of texts may be told. */
export const textClassifierOptions = {
  ...learningOptions,
  ...vocabularyOptions,
  /** The vectors that words begin with; they decide the dimensions. Default: random ones. */
  initialVectors: wordVectors('the vectors that words begin with'),
  /** What each label counts. Default: all the same. */
  labelWeights,
  /** Examples whose loss is worked out after each epoch. */
  validation: labelledValidation,
}

/** The options of a classifier of texts. */
export type TextClassifierOptions<T extends Table> = Omit<Options<T>, 'validation'> &
  RunOptions & { readonly validation?: LabelledInputs<Text> | undefined }

/** Texts with labels, and what is learnt of them. */
type ClassifierTable = typeof textClassifierOptions & {
  readonly dimensions: Option<number>
}

/** How a classifier is made of its settings. */
export interface ClassifierRecipe<T extends Table> {
  readonly file: ModelFile<TextClassifierRecord>
  readonly table: T
  /** Its layers, for so many words and labels; all but the probabilities. */
  readonly describe: (
    shape: Settings<T> & { readonly words: number; readonly labels: number; readonly loss: Loss },
  ) => NetworkDescription
  /** The tables that begin with word vectors. */
  readonly tables: readonly string[]
  /** The layers that do not learn. */
  readonly frozen?: readonly string[]
  /** The most words of a text that are read, if there is a limit. */
  readonly maxWords?: number
  /** What is known beforehand: its words, and parameters of layers of the same names. */
  readonly base?: TextNetwork | undefined
}

/** What the file of a classifier says beside the network. */
export interface TextClassifierRecord extends TextNetworkRecord {
  readonly labels: readonly string[]
}

/** The file of a classifier of texts. */
export function textClassifierFile(model: string): ModelFile<TextClassifierRecord> {
  const file = textNetworkFile(model)
  return { ...file, record: { ...file.record, labels: labelNames } }
}

/** A network that reads a text's words and gives a probability for each label. */
export class TextClassifier extends TextNetwork {
  /** The labels, in the order in which they first came. */
  readonly labels: readonly string[]
  readonly #labels: Labels

  /** @internal */
  constructor(parts: TextNetworkParts<TextClassifierRecord>) {
    super(parts)
    this.labels = parts.record.labels
    this.#labels = new Labels(this.labels)
  }

  /** The most probable label of each text. */
  async predict(texts: Texts, options: RunOptions = {}): Promise<ClassPrediction[]> {
    return this.#labels.predictions(await this.predictProbabilities(texts, options))
  }

  /** The probability of each label, in the order of `labels`, for each text: [texts, labels]. */
  async predictProbabilities(texts: Texts, options: RunOptions = {}): Promise<Vectors> {
    const who = `${this.constructor.name}.predictProbabilities`
    const settings = settle({}, options, who).run
    return this.network.encode(await this.numbered(texts, settings, who), settings)
  }

  /**
   * How well it tells labels apart: accuracy, the confusion matrix, and precision, recall and F1 of each.
   *
   * @throws {InvalidOptionError} an example has a label that the classifier does not know
   */
  async evaluate(
    examples: LabelledInputs<Text>,
    options: RunOptions = {},
  ): Promise<ClassEvaluation> {
    const probabilities = (texts: Text[]) => this.predictProbabilities(texts, options)
    return this.#labels.evaluation(examples, probabilities, `${this.constructor.name}.evaluate`)
  }
}

/** Trains a classifier of texts. */
export async function trainTextClassifier<T extends Table>(
  recipe: ClassifierRecipe<T>,
  examples: LabelledInputs<Text>,
  options: object,
): Promise<TextNetworkParts<TextClassifierRecord>> {
  const { file, table } = recipe
  const who = `${file.model}.train`
  const { settings, run } = settle(table, options, who)
  const chosen = settings as unknown as Settings<ClassifierTable>
  checkTogether(options, chosen.schedule, who)
  const { initialVectors, validation } = chosen
  if (initialVectors && 'dimensions' in options && options.dimensions !== undefined) {
    throw wrongOption('dimensions', 'left out beside `initialVectors`', options.dimensions, who)
  }
  const given = await collected(examples, 'examples', who)
  const labels = await Labels.of(given.labels, who)
  const classWeights = labels.weights(chosen.labelWeights, who)
  const vocabulary = await vocabularyOf(given.inputs, chosen, recipe.base, run, who)
  const columns = async ({ inputs, labels: wanted }: Collected<Text>, option: string) => ({
    inputs: each(await vocabulary.number(inputs, run, who), recipe.maxWords),
    targets: await labels.classesOf(wanted, option, who),
  })
  const description = recipe.describe({
    ...settings,
    words: vocabulary.size,
    labels: labels.names.length,
    dimensions: initialVectors?.dimensions ?? chosen.dimensions,
    loss: crossEntropy({ classWeights }),
  })
  const heldOut = validation && (await collected<Text>(validation, 'validation', who))
  using start = recipe.base
    ? await recipe.base.network.transfer(description, run)
    : await Network.create(description, run)
  const parameters: Record<string, Float32Array> = {}
  for (const name of initialVectors ? recipe.tables : []) {
    const rows = await vocabulary.rows(start, `${name}.weight`, initialVectors!, who)
    Object.assign(parameters, rows)
  }
  using begun = initialVectors
    ? await Network.create(description, { parameters, ...run })
    : undefined
  using trained = await (begun ?? start).train(await columns(given, 'examples'), {
    ...networkTraining(settings, options, run),
    freeze: [...(chosen.freeze ?? []), ...(recipe.frozen ?? [])],
    ...(heldOut && { validation: await columns(heldOut, 'validation') }),
  })
  const record: TextClassifierRecord = {
    vocabulary: await vocabulary.record(),
    labels: labels.names,
    ...(recipe.maxWords !== undefined && { maxWords: recipe.maxWords }),
  }
  const network = await trained.transfer(withProbabilities(description, aboutOf(file, record)), run)
  return { network, vocabulary, record, history: trained.history }
}

async function vocabularyOf(
  texts: readonly Text[],
  settings: Settings<typeof vocabularyOptions>,
  base: TextNetwork | undefined,
  run: RunSettings,
  who: string,
): Promise<Vocabulary> {
  const known = base?.network.description.about as TextNetworkRecord | undefined
  if (known) return Vocabulary.of(known.vocabulary, run, who)
  using corpus = await readAllWords(texts, settings, run, who)
  return await Vocabulary.ofCorpus(corpus, settings, run, who)
}
