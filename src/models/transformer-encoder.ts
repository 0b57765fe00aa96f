import { isDeepStrictEqual } from 'node:util'
import type { CorpusSource, Text } from '../corpus/source.js'
import { type MaskedTexts, maskTexts } from '../native.js'
import { type NetworkDescription, ids, network } from '../nn/description.js'
import type { Layer } from '../nn/layer.js'
import { dense, dropout, embedding, gelu, layerNorm } from '../nn/layers.js'
import { contrastive, crossEntropy } from '../nn/losses.js'
import { Network } from '../nn/network.js'
import { checkTogether, fallingSchedule } from '../nn/training.js'
import { positions, transformerBlock } from '../nn/sequences.js'
import { pool } from '../nn/windows.js'
import {
  type Options,
  type RunOptions,
  type Settings,
  integer,
  isCount,
  isIterable,
  oneOf,
  real,
  settle,
  wrongOption,
} from '../options.js'
import type { Path } from '../path.js'
import { run } from '../run.js'
import { Turns } from '../turns.js'
import { type Field, type ModelFile, aboutOf } from './network-model.js'
import {
  ENCODING,
  TextNetwork,
  type TextNetworkParts,
  type TextNetworkRecord,
  openTextNetwork,
  textNetworkFile,
} from './text-network.js'
import { networkTraining, wholeTrainingOptions } from './training.js'
import { Vocabulary, readAllWords, vocabularyOptions } from './vocabulary.js'
import { each } from '../nn/columns.js'

/** What stands for a hidden word. */
const MASK = '<mask>'

/** What decides the network that reads texts. */
export interface TransformerShape {
  /** Words that have numbers. */
  readonly words: number
  /** Values of each position. */
  readonly dimensions: number
  /** Parts of the values that look around by themselves. */
  readonly heads: number
  /** Blocks on top of each other. */
  readonly blocks: number
  /** Values of each block's hidden layer. */
  readonly hidden: number
  /** What tells places apart. */
  readonly places: 'sinusoidal' | 'learned'
  /** The most words of a text; further ones are not read. */
  readonly maxWords: number
  /** With which values become zero while training. */
  readonly dropout: number
}

/** Vaswani et al. 2017, figure 1, its left half: word vectors and places, and blocks of attention. */
export function transformerBody(shape: TransformerShape): readonly Layer[] {
  const { words, dimensions, heads, blocks, hidden, places, maxWords, dropout: share } = shape
  const fall = share > 0 ? [dropout({ probability: share })] : []
  const block = (_: unknown, number: number) =>
    transformerBlock({
      name: `layers.${number}`,
      heads,
      width: dimensions,
      hidden,
      activation: 'gelu',
      normFirst: true,
      dropout: share,
    })
  return [
    embedding({ name: 'words', values: words, dimensions, deviation: 0.02 ** 0.5 }),
    places === 'learned'
      ? positions({ name: 'places', code: 'learned', length: maxWords, deviation: 0.02 })
      : positions({ name: 'places' }),
    ...fall,
    ...Array.from({ length: blocks }, block).flat(),
    layerNorm({ name: 'norm' }),
  ]
}

/** The network of a text's vector: the mean of what all positions became. */
export function transformerEncoder(shape: TransformerShape): NetworkDescription {
  return network({
    input: ids(),
    layers: [...transformerBody(shape), pool({ name: ENCODING, by: 'mean' })],
    loss: contrastive(),
  })
}

/** The network that guesses hidden words (Devlin et al. 2019, arXiv:1810.04805). */
export function maskedLanguageModel(shape: TransformerShape): NetworkDescription {
  const { dimensions, words } = shape
  return network({
    input: ids(),
    layers: [
      ...transformerBody(shape),
      dense({ name: 'guess', units: dimensions }),
      gelu(),
      layerNorm({ name: 'guessNorm' }),
      dense({ name: 'scores', units: words }),
    ],
    loss: crossEntropy(),
  })
}

/** What decides a Transformer's layers. */
export const transformerOptions = {
  /** Values of each position, and of a text's vector. */
  dimensions: integer(
    128,
    { from: 1, to: 65_536 },
    "values of each position and of a text's vector",
  ),
  /** Parts of the values that look around by themselves; they divide `dimensions`. */
  heads: integer(4, { from: 1 }, 'parts of the values that look around by themselves'),
  /** Blocks on top of each other. */
  blocks: integer(2, { from: 1, to: 256 }, 'blocks on top of each other'),
  /** Values of each block's hidden layer. Default: four times `dimensions`. */
  hidden: integer(undefined, { from: 1 }, "values of each block's hidden layer"),
  /** What tells places apart: sines and cosines, or a table that is learnt. */
  places: oneOf(['sinusoidal', 'learned'], 'what tells places apart'),
  /** The most words of a text; further ones are not read. */
  maxWords: integer(256, { from: 1, to: 1_000_000 }, 'the most words of a text'),
  /** With which values become zero while training. */
  dropout: real(0.1, { from: 0, below: 1 }, 'with which values become zero while training'),
}

/** Every option of `TransformerEncoder.train`. */
export const transformerEncoderOptions = {
  ...wholeTrainingOptions,
  ...vocabularyOptions,
  ...transformerOptions,
  /** Only so many words, the most frequent ones; the others are `<unk>`. */
  maxVocabulary: integer(10_000, { from: 1, to: 0xffff_fff0 }, 'keeps only so many words'),
  /** This share of words is hidden, to be guessed. */
  masked: real(0.15, { above: 0, to: 1 }, 'share of words that is to be guessed'),
  /** Times that each text comes in an epoch, each time with other words hidden. */
  maskings: integer(5, { from: 1, to: 1000 }, 'times that a text comes with other words hidden'),
  /** Steps at the beginning over which the learning rate rises from nothing. */
  warmup: integer(100, { from: 0 }, 'steps over which the learning rate rises'),
  /** How the learning rate goes on from its highest: to zero in a straight line or along half a cosine, or multiplied by
   * `stepFactor` after each `stepEvery` of the training. */
  schedule: fallingSchedule,
  /** The longest that the gradient may be. */
  clip: real(1, { above: 0 }, 'the longest that the gradient may be'),
  /** Passes over the texts with all their maskings. */
  epochs: integer(2, { from: 1, to: 1_000_000 }, 'passes over the texts'),
}

/** The options of `TransformerEncoder.train`: see `transformerEncoderOptions`. */
export type TransformerEncoderOptions = Options<typeof transformerEncoderOptions> & RunOptions

/** Every option of `encoder.contrast`. */
export const contrastOptions = {
  ...wholeTrainingOptions,
  /** By which cosines are divided: the smaller, the more the nearest other texts count. */
  temperature: real(0.05, { above: 0 }, 'by which cosines are divided'),
  /** Texts of a batch: each is told from all others of its batch. */
  batchSize: integer(64, { from: 2, to: 1_000_000 }, 'texts of a batch'),
  /** The highest learning rate. */
  learningRate: real(0.0001, { above: 0 }, 'the highest learning rate'),
  /** Passes over the texts. */
  epochs: integer(1, { from: 1, to: 1_000_000 }, 'passes over the texts'),
}

/** The options of `encoder.contrast`: see `contrastOptions`. */
export type ContrastOptions = Options<typeof contrastOptions> & RunOptions

/** Two texts that mean the same. */
export interface TextPair {
  readonly text: Text
  readonly positive: Text
}

/** What the file says beside the network. */
interface TransformerRecord extends TextNetworkRecord {
  readonly shape: TransformerShape
}

/** The shape in a file is that of the layers beside it. */
const shapeField: Field = {
  expected: 'the shape of its layers',
  accepts: (given, { description }) => {
    const { words, ...chosen } = (given ?? {}) as Partial<TransformerShape>
    const options = Object.entries(transformerOptions)
    return (
      isCount(words) &&
      options.every(([name, { accepts }]) => accepts(chosen[name as keyof typeof chosen])) &&
      Number.isInteger(chosen.dimensions! / chosen.heads!) &&
      isDeepStrictEqual(
        transformerEncoder({ words, ...chosen } as TransformerShape).layers,
        description.layers,
      )
    )
  },
}

const { record: fields, ...kind } = textNetworkFile('TransformerEncoder')
const file: ModelFile<TransformerRecord> = { ...kind, record: { ...fields, shape: shapeField } }

/**
 * A Transformer that reads texts (Vaswani et al. 2017, arXiv:1706.03762), trained from nothing on a text of yours: it
 * guesses hidden words (Devlin et al. 2019), and then may learn which texts belong together.
 *
 *     words, some hidden ─▶ vectors + places ─▶ blocks of attention ─▶ a score for each word, where one is hidden
 *                                                       └─▶ mean ─▶ the text's vector
 *
 *     const pretrained = await TransformerEncoder.train('corpus.txt', { blocks: 2 })
 *     const encoder = await pretrained.contrast(texts)
 *     const rows = await encoder.encode(['the state of the union'])
 */
export class TransformerEncoder extends TextNetwork {
  /** What decides its layers. */
  readonly shape: TransformerShape
  readonly #record: TransformerRecord

  /** @internal */
  constructor(parts: TextNetworkParts<TransformerRecord>) {
    super(parts)
    this.#record = parts.record
    this.shape = parts.record.shape
  }

  /**
   * Trains on texts, each line of a file and each text of an iterable: words are hidden, and guessed from what stands around them. The same
   * bytes for the same `seed`, whatever the number of threads. `history` of what comes has the mean loss of a
   * hidden word.
   *
   * @throws {InvalidOptionError} before anything is read
   * @throws {InlayError} as `Corpus.read`; `DIVERGED`
   */
  static async train(
    source: CorpusSource,
    options: TransformerEncoderOptions = {},
  ): Promise<TransformerEncoder> {
    const who = 'TransformerEncoder.train'
    const { settings, run: runSettings } = settle(transformerEncoderOptions, options, who)
    checkTogether(options, settings.schedule, who)
    checkHeads(settings, who)
    using corpus = await readAllWords(source, settings, runSettings, who)
    const vocabulary = await Vocabulary.ofCorpus(corpus, settings, runSettings, who, [MASK])
    const texts = await vocabulary.numberCorpus(corpus, runSettings, who)
    const { masked: share, maskings: copies, maxWords } = settings
    const spec = { share, mask: 1, first: 2, words: vocabulary.size, copies, most: maxWords }
    const hidden = await run<MaskedTexts>(who, runSettings, (runSpec, events) =>
      maskTexts(texts.ids, texts.ends, spec, runSpec, events),
    )
    const examples = {
      inputs: each(hidden),
      targets: each({ ids: hidden.targets, ends: hidden.ends }),
    }
    const shape = shapeOf(settings, vocabulary.size)
    const training = networkTraining(settings, options, runSettings)
    using trained = await Network.train(maskedLanguageModel(shape), examples, training)
    const record = { vocabulary: await vocabulary.record(), maxWords, shape }
    const description = { ...transformerEncoder(shape), about: aboutOf(file, record) }
    const found = await trained.transfer(description, runSettings)
    return new TransformerEncoder({ network: found, vocabulary, record, history: trained.history })
  }

  /**
   * Opens what `save` wrote.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no `TransformerEncoder`
   */
  static async open(path: Path, options: RunOptions = {}): Promise<TransformerEncoder> {
    return openTextNetwork(file, path, options, (parts) => new TransformerEncoder(parts))
  }

  /**
   * Learns further which texts belong together: of pairs, each text is to be nearer to its positive than to those of
   * the other texts of its batch; a text by itself to what it is under other dropout (Gao et al. 2021, SimCSE,
   * arXiv:2104.08821). Another encoder comes of it, and this one stays as it is.
   *
   *     const encoder = await pretrained.contrast(texts, { epochs: 1 })
   *     const paired = await pretrained.contrast([{ text: 'a cat', positive: 'one cat' }, ...])
   *
   * @throws {InvalidOptionError} no iterable, as a string is none; texts and pairs are mixed
   * @throws {InlayError} `INVALID_INPUT` an item that is neither; `DIVERGED`
   */
  async contrast(
    source: Iterable<Text | TextPair> | AsyncIterable<Text | TextPair>,
    options: ContrastOptions = {},
  ): Promise<TransformerEncoder> {
    const who = 'TransformerEncoder.contrast'
    const { settings, run: runSettings } = settle(contrastOptions, options, who)
    checkTogether(options, settings.schedule, who)
    const { texts, positives } = await pairsOf(source, who)
    const inputs = await this.numbered(texts, runSettings, who)
    const { description } = this.network
    const { temperature } = settings
    using begun = await this.network.transfer(
      { ...description, loss: contrastive({ temperature }) },
      runSettings,
    )
    const found = await begun.train(
      {
        inputs,
        positives: positives ? await this.numbered(positives, runSettings, who) : inputs,
      },
      networkTraining(settings, options, runSettings),
    )
    const record = this.#record
    const vocabulary = await Vocabulary.of(record.vocabulary, runSettings, who)
    return new TransformerEncoder({ network: found, vocabulary, record })
  }
}

async function pairsOf(
  source: Iterable<Text | TextPair> | AsyncIterable<Text | TextPair>,
  who: string,
): Promise<{ texts: Text[]; positives?: Text[] }> {
  if (!isIterable(source)) throw wrongOption('source', 'an iterable of texts or pairs', source, who)
  const [texts, positives]: [Text[], Text[]] = [[], []]
  const turns = new Turns()
  for await (const item of source) {
    const isPair = typeof item === 'object' && item !== null && 'positive' in item
    if (isPair !== positives.length > 0 && texts.length > 0) {
      throw wrongOption(`source[${texts.length}]`, 'a pair, or a text, as those before', item, who)
    }
    texts.push(isPair ? item.text : (item as Text))
    if (isPair) positives.push(item.positive)
    if (turns.isOver()) await turns.next()
  }
  return positives.length > 0 ? { texts, positives } : { texts }
}

/** A Transformer's own settings. @internal */
export function shapeOf(
  settings: Settings<typeof transformerOptions>,
  words: number,
): TransformerShape {
  const { dimensions, heads, blocks, places, maxWords, dropout: share } = settings
  const hidden = settings.hidden ?? 4 * dimensions
  return { words, dimensions, heads, blocks, hidden, places, maxWords, dropout: share }
}

/** @throws {InvalidOptionError} heads do not divide the values @internal */
export function checkHeads(
  { heads, dimensions }: { readonly heads: number; readonly dimensions: number },
  who: string,
): void {
  if (dimensions % heads !== 0) {
    throw wrongOption('heads', `a divisor of \`dimensions\`, which is ${dimensions}`, heads, who)
  }
}
