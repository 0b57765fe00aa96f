import { isDeepStrictEqual } from 'node:util'
import type { Vectors } from '../embedder.js'
import { type NetworkDescription, ids, network } from '../nn/description.js'
import { concat, dense, dropout, embedding, take, tanh } from '../nn/layers.js'
import { crossEntropy } from '../nn/losses.js'
import { Network } from '../nn/network.js'
import { checkTogether, fallingSchedule, learningOptions } from '../nn/training.js'
import { lstm } from '../nn/sequences.js'
import {
  type Options,
  type RunOptions,
  type RunSettings,
  type Settings,
  flag,
  integer,
  iterable,
  real,
  settle,
} from '../options.js'
import type { Path } from '../path.js'
import { Turns, arrayOf } from '../turns.js'
import type { WordVectors } from '../vectors/word-vectors.js'
import { type ClassEvaluation, evaluationOf } from './class-evaluation.js'
import { Labels, bestIn } from './labels.js'
import {
  type ModelFile,
  NetworkModel,
  aboutOf,
  differentStrings,
  openModel,
  scoresOf,
  tablesOf,
} from './network-model.js'
import {
  type Numbering,
  type TaggedSentence,
  type TaggedSentences,
  checkWords,
  collectedSentences,
  lettersOf,
  numbered,
  places,
} from './tagged-sentences.js'
import { networkTraining } from './training.js'
import {
  Vocabulary,
  UNKNOWN,
  type VocabularyRecord,
  readAllWords,
  vocabularyField,
  vocabularyOptions,
  wordVectors,
} from './vocabulary.js'

/** What decides the network. */
export interface SequenceTaggerShape {
  /** Words that have numbers, characters, and tags. */
  readonly words: number
  readonly letters: number
  readonly tags: number
  /** Words that have vectors beforehand, and values of such a vector; none: 0. */
  readonly known: number
  readonly knownDimensions: number
  /** Values of a vector that is learnt. */
  readonly dimensions: number
  /** Characters that are looked at, at either end of a word. */
  readonly characters: number
  /** Values of a state, in each direction. */
  readonly units: number
  /** Recurrent layers on top of each other. */
  readonly layers: number
  /** With which values become zero while training. */
  readonly dropout: number
}

/** Values of a character's vector, and of all of a word's characters. */
const [LETTER, LETTERS] = [16, 64]

/** Words, what is known of them, and their characters side by side; states both ways; a score for each tag. */
export function sequenceTagger(shape: SequenceTaggerShape): NetworkDescription {
  const { characters, units, layers, dropout: probability } = shape
  const table = (name: string, values: number, dimensions: number) => [
    take(name),
    embedding({ name, values, dimensions, deviation: 0.15 }),
  ]
  const letters = places(characters).map((place) => table(place, shape.letters, LETTER))
  return network({
    input: inputsOf(shape).map((name) => ids({ name })),
    layers: [
      concat([
        table('words', shape.words, shape.dimensions),
        ...(shape.known > 0 ? [table('known', shape.known, shape.knownDimensions)] : []),
        ...(characters > 0
          ? [[concat(letters), dense({ name: 'characters', units: LETTERS }), tanh()]]
          : []),
      ]),
      dropout({ probability }),
      lstm({
        name: 'recurrent',
        units,
        layers,
        bidirectional: true,
        dropout: layers > 1 ? probability : 0,
      }),
      dropout({ probability }),
      dense({ name: 'scores', units: shape.tags }),
    ],
    loss: crossEntropy(),
  })
}

function inputsOf({ known, characters }: Pick<SequenceTaggerShape, 'known' | 'characters'>) {
  return ['words', ...(known > 0 ? ['known'] : []), ...places(characters)]
}

/** Every option of `SequenceTagger.train`. */
export const sequenceTaggerOptions = {
  ...learningOptions,
  ...vocabularyOptions,
  /** Words that occur less often are one, `<unk>`, as are words that were never met. */
  minCount: integer(2, { from: 1 }, 'words that occur less often are one'),
  /** Whether words become lower case; their characters stay as they are. */
  lowercase: flag(true, 'makes words lower case'),
  /** Vectors of words, which stay as they are, beside those that are learnt: words that are not in the examples
   * are known by them. */
  knownVectors: wordVectors('vectors of words, which stay as they are'),
  /** Values of a word's vector that is learnt. */
  dimensions: integer(64, { from: 1, to: 65_536 }, "values of a word's vector"),
  /** Characters that are looked at, at either end of a word; 0 for none. */
  characters: integer(4, { from: 0, to: 32 }, 'characters at either end of a word'),
  /** Values of a state, in each direction. */
  units: integer(128, { from: 1 }, 'values of a state'),
  /** Recurrent layers on top of each other. */
  layers: integer(1, { from: 1, to: 64 }, 'recurrent layers on top of each other'),
  /** With which values become zero while training. */
  dropout: real(0.4, { from: 0, below: 1 }, 'with which values become zero while training'),
  /** The highest learning rate. */
  learningRate: real(0.003, { above: 0 }, 'the highest learning rate'),
  /** How the learning rate goes on from its highest: to zero in a straight line or along half a cosine, or multiplied by
   * `stepFactor` after each `stepEvery` of the training. */
  schedule: fallingSchedule,
  /** Sentences whose loss is worked out after each epoch. */
  validation: iterable<TaggedSentences>(
    'sentences with tags',
    'sentences whose loss is worked out after each epoch',
  ),
}

/** The options of `SequenceTagger.train`: see `sequenceTaggerOptions`. */
export type SequenceTaggerOptions = Options<typeof sequenceTaggerOptions> & RunOptions

/** What the file says beside the network. */
interface About {
  readonly tags: readonly string[]
  /** As in the options. */
  readonly characters: number
  readonly words: VocabularyRecord
  readonly letters: VocabularyRecord
  readonly known?: VocabularyRecord
}

/** A vocabulary of as many words as a table has rows, if it is there. */
const ofTable = (name: string) =>
  vocabularyField([], (words, found) => words === (tablesOf(found).get(name)?.rows ?? words))

const file: ModelFile<About> = {
  model: 'SequenceTagger',
  record: {
    tags: differentStrings('different strings, one for each score', scoresOf),
    characters: {
      expected: 'what its inputs are',
      accepts: (given, { description }) =>
        sequenceTaggerOptions.characters.accepts(given) &&
        [0, 1].some((known) =>
          isDeepStrictEqual(
            inputsOf({ known, characters: given as number }).map((name) => ids({ name })),
            description.inputs,
          ),
        ),
    },
    words: ofTable('words'),
    letters: ofTable('first1'),
    known: {
      expected: 'the words of the table of that name',
      accepts: (given, found) =>
        tablesOf(found).has('known') ? ofTable('known').accepts(given, found) : given === undefined,
    },
  },
}

/**
 * A tag for each word of a sentence, by its vectors, its characters and what stands around it (Graves and
 * Schmidhuber 2005; Plank et al. 2016, arXiv:1604.05529). Of its network 'recurrent' gives what the tagger knows of each
 * word, 'scores' a score for each tag.
 *
 *     words ─▶ vectors ───────────────────┐
 *     first and last characters ─▶ tanh ──┴─▶ LSTM, both ways ─▶ a score for each tag
 *
 *     const tagger = await SequenceTagger.train([{ words: ['she', 'reads'], tags: ['PRON', 'VERB'] }, ...])
 *     await tagger.tag([['he', 'reads']]) // [['PRON', 'VERB']]
 */
export class SequenceTagger extends NetworkModel {
  /** The tags, in the order in which they first came. */
  readonly tags: readonly string[]
  readonly #numbering: Numbering

  private constructor(found: Network, tags: readonly string[], numbering: Numbering) {
    super(found)
    this.tags = tags
    this.#numbering = numbering
  }

  /**
   * Trains on sentences with tags. The same bytes for the same `seed`, whatever the number of threads.
   *
   * @throws {InvalidOptionError} a sentence has not as many tags as words; fewer than two tags; a tag of
   *   `validation` that no example has
   * @throws {InlayError} `DIVERGED`
   */
  static async train(
    examples: TaggedSentences,
    options: SequenceTaggerOptions = {},
  ): Promise<SequenceTagger> {
    const who = 'SequenceTagger.train'
    const { settings, run } = settle(sequenceTaggerOptions, options, who)
    checkTogether(options, settings.schedule, who)
    const { knownVectors, characters, validation } = settings
    const given = await collectedSentences(examples, 'examples', who)
    const labels = await Labels.of(tagsIn(given), who)
    const spelled = { ...settings, lowercase: false, minCount: 1, maxVocabulary: undefined }
    const sentences = given.map(({ words }) => words)
    using corpus = await readAllWords(sentences, settings, run, who)
    using written = await readAllWords(() => lettersOf(sentences), spelled, run, who)
    const numbering: Numbering = {
      words: await Vocabulary.ofCorpus(corpus, settings, run, who),
      letters: await Vocabulary.ofCorpus(written, spelled, run, who),
      known: knownVectors && (await knownWords(knownVectors, settings, run, who)),
      characters,
    }
    const description = {
      ...sequenceTagger({
        ...settings,
        words: numbering.words.size,
        letters: numbering.letters.size,
        tags: labels.names.length,
        known: numbering.known?.size ?? 0,
        knownDimensions: knownVectors?.dimensions ?? 0,
      }),
      about: aboutOf(file, await recordOf(labels.names, numbering)),
    }
    const columns = async (tagged: readonly TaggedSentence[], option: string) => ({
      inputs: await numbered(
        tagged.map(({ words }) => words),
        numbering,
        run,
        who,
      ),
      targets: classesOf(tagged, labels, option, who),
    })
    const heldOut = validation && (await collectedSentences(validation, 'validation', who))
    using start = await Network.create(description, {
      parameters: await knownRows(knownVectors),
      ...run,
    })
    const found = await start.train(await columns(given, 'examples'), {
      ...networkTraining(settings, options, run),
      freeze: [...(settings.freeze ?? []), ...(knownVectors ? ['known'] : [])],
      ...(heldOut && { validation: await columns(heldOut, 'validation') }),
    })
    return new SequenceTagger(found, labels.names, numbering)
  }

  /**
   * Opens what `save` wrote.
   *
   * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no such model
   */
  static async open(path: Path, options: RunOptions = {}): Promise<SequenceTagger> {
    return openModel(file, path, options, async (found, record, run, who) => {
      const of = (vocabulary: VocabularyRecord) => Vocabulary.of(vocabulary, run, who)
      const { tags, characters, known } = record
      const [words, letters] = [await of(record.words), await of(record.letters)]
      const numbering = { words, letters, known: known && (await of(known)), characters }
      return new SequenceTagger(found, tags, numbering)
    })
  }

  /**
   * The tags of each sentence's words. They do not depend on the other sentences.
   *
   * @throws {InvalidOptionError} a sentence is no array of words
   */
  async tag(
    sentences: Iterable<readonly string[]> | AsyncIterable<readonly string[]>,
    options: RunOptions = {},
  ): Promise<string[][]> {
    const who = 'SequenceTagger.tag'
    const { run } = settle({}, options, who)
    const given: (readonly string[])[] = []
    const turns = new Turns(run.signal)
    for await (const words of sentences) {
      checkWords(words, `sentences[${given.length}]`, who)
      given.push(words)
      if (turns.isOver(words.length)) await turns.next()
    }
    const inputs = await numbered(given, this.#numbering, run, who)
    const scores = await this.network.encodeSteps(inputs, run)
    const tagsOf = ({ values, dimensions, length }: Vectors) =>
      Array.from({ length }, (_, word) => this.tags[bestIn(values, word, dimensions)]!)
    return arrayOf(scores.length, (i) => tagsOf(scores[i]!), turns, 8 * this.tags.length)
  }

  /**
   * How well it finds tags: accuracy over words, the confusion matrix, and precision, recall and F1 of each tag.
   *
   * @throws {InvalidOptionError} a tag that the tagger does not know
   */
  async evaluate(examples: TaggedSentences, options: RunOptions = {}): Promise<ClassEvaluation> {
    const who = 'SequenceTagger.evaluate'
    const given = await collectedSentences(examples, 'examples', who)
    const labels = new Labels(this.tags)
    const wanted = await inOneRow(classesOf(given, labels, 'examples', who))
    const words = given.map((sentence) => sentence.words)
    const tagged = (await this.tag(words, options)).map((tags) => ({ tags }))
    const found = await inOneRow(classesOf(tagged, labels, 'tags', who))
    return evaluationOf(this.tags, wanted, found)
  }

  override close(): void {
    super.close()
    const { words, letters, known } = this.#numbering
    for (const vocabulary of [words, letters, known]) vocabulary?.close()
  }
}

/** All tags of sentences. */
function* tagsIn(sentences: Iterable<{ readonly tags: readonly string[] }>): Generator<string> {
  for (const { tags } of sentences) yield* tags
}

/** The numbers of each sentence's tags. */
function* classesOf(
  sentences: Iterable<{ readonly tags: readonly string[] }>,
  labels: Labels,
  option: string,
  who: string,
): Generator<number[]> {
  for (const { tags } of sentences) yield tags.map((tag) => labels.classOf(tag, option, who))
}

async function inOneRow(rows: Iterable<readonly number[]>): Promise<number[]> {
  const all: number[] = []
  const turns = new Turns()
  for (const row of rows) {
    for (const number of row) all.push(number)
    if (turns.isOver(row.length)) await turns.next()
  }
  return all
}

async function recordOf(tags: readonly string[], numbering: Numbering): Promise<About> {
  const { words, letters, known, characters } = numbering
  return {
    tags,
    characters,
    words: await words.record(),
    letters: await letters.record(),
    ...(known && { known: await known.record() }),
  }
}

/** The words that have vectors beforehand. */
async function knownWords(
  { words, size }: WordVectors,
  settings: Settings<typeof vocabularyOptions>,
  run: RunSettings,
  who: string,
): Promise<Vocabulary> {
  const known = await arrayOf(size + 1, (i) => (i === 0 ? UNKNOWN : words.at(i - 1)!))
  return Vocabulary.ofWords(known, settings, run, who)
}

/** The table of vectors that are there beforehand; a row of zeros for words that have none. */
async function knownRows(
  vectors: WordVectors | undefined,
): Promise<Readonly<Record<string, Float32Array>>> {
  if (!vectors) return {}
  const rows = new Float32Array((vectors.size + 1) * vectors.dimensions)
  rows.set(await vectors.matrix(), vectors.dimensions)
  return { 'known.weight': rows }
}
