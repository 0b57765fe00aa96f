// What a sentence encoder learns from: examples of one kind, as columns of texts.
import type { Text } from '../corpus/source.js'
import { type Labelled } from '../models/labels.js'
import type { TextPair } from '../models/transformer-encoder.js'
import { type Loss, contrastive, cosineSimilarity, crossEntropy } from '../nn/losses.js'
import { isIterable, wrongOption } from '../options.js'
import { Turns } from '../turns.js'

/** Two texts that belong together, and one that belongs to neither. */
export interface TextTriplet extends TextPair {
  readonly negative: Text
}

/** Two texts and how alike they are. */
export interface ScoredPair {
  readonly text: Text
  readonly other: Text
  /** What their cosine is to be: from -1 to 1. */
  readonly score: number
}

/** One of what a sentence encoder learns from. */
export type SentenceExample = TextPair | TextTriplet | ScoredPair | Labelled<Text>

/** Examples, all of one kind, that are here or that come one by one. */
export type SentenceExamples = Iterable<SentenceExample> | AsyncIterable<SentenceExample>

/** A kind of examples. */
export interface ExampleKind {
  /** The fields that are texts, by the columns that a network has for them. */
  readonly texts: Readonly<Record<string, 'inputs' | 'positives' | 'negatives' | 'others'>>
  /** The field that is wanted of them. */
  readonly wanted?: 'score' | 'label'
  /** The losses that can be made of them. */
  readonly losses: readonly Loss['kind'][]
  /** Which one is. */
  readonly loss: () => Loss
}

/** The first whose fields are all there is the kind of an example. */
const kinds: readonly ExampleKind[] = [
  {
    texts: { text: 'inputs', positive: 'positives', negative: 'negatives' },
    losses: ['contrastive', 'triplet'],
    loss: contrastive,
  },
  {
    texts: { text: 'inputs', positive: 'positives' },
    losses: ['contrastive'],
    loss: contrastive,
  },
  {
    texts: { text: 'inputs', other: 'others' },
    wanted: 'score',
    losses: ['cosine-similarity'],
    loss: cosineSimilarity,
  },
  { texts: { input: 'inputs' }, wanted: 'label', losses: ['cross-entropy'], loss: crossEntropy },
]

/** Examples in columns. */
export interface CollectedExamples {
  readonly kind: ExampleKind
  readonly count: number
  /** By the fields of the kind. */
  readonly texts: Readonly<Record<string, Text[]>>
  readonly scores: number[]
  readonly labels: string[]
}

/**
 * All examples; `like` are others whose kind they have.
 *
 * @throws {InvalidOptionError} there are none; one is of no kind that is known, or of another than the first
 */
export async function collectedExamples(
  examples: SentenceExamples,
  option: string,
  who: string,
  like?: CollectedExamples,
): Promise<CollectedExamples> {
  if (!isIterable(examples)) throw wrongOption(option, 'an iterable of examples', examples, who)
  let kind = like?.kind
  const columns: Record<string, Text[]> = {}
  const [scores, labels]: [number[], string[]] = [[], []]
  const turns = new Turns()
  let count = 0
  for await (const example of examples) {
    const name = `${option}[${count++}]`
    const found = kindOf(example)
    if (found === undefined || (kind !== undefined && found !== kind)) {
      const expected = (kind ? [kind] : kinds).map(fieldsOf).join(', or ')
      throw wrongOption(name, `an object with ${expected}`, example, who)
    }
    kind = found
    const fields = example as unknown as Readonly<Record<string, unknown>>
    for (const field of Object.keys(kind.texts)) (columns[field] ??= []).push(fields[field] as Text)
    if (kind.wanted === 'score') scores.push(scoreOf(fields['score'], `${name}.score`, who))
    if (kind.wanted === 'label') labels.push(labelOf(fields['label'], `${name}.label`, who))
    if (turns.isOver()) await turns.next()
  }
  if (kind === undefined || count === 0) {
    throw wrongOption(option, 'examples, at least one', 'none', who)
  }
  return { kind, count, texts: columns, scores, labels }
}

function kindOf(example: unknown): ExampleKind | undefined {
  if (typeof example !== 'object' || example === null) return undefined
  const has = (field: string) => (example as Record<string, unknown>)[field] !== undefined
  return kinds.find(({ texts, wanted }) => {
    return Object.keys(texts).every(has) && (wanted === undefined || has(wanted))
  })
}

/** '`text`, `other` and `score`' */
function fieldsOf({ texts, wanted }: ExampleKind): string {
  const names = [...Object.keys(texts), ...(wanted ? [wanted] : [])].map((name) => `\`${name}\``)
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}

function scoreOf(given: unknown, name: string, who: string): number {
  if (typeof given === 'number' && given >= -1 && given <= 1) return given
  throw wrongOption(name, 'a number from -1 to 1, which is what cosines are', given, who)
}

function labelOf(given: unknown, name: string, who: string): string {
  if (typeof given === 'string') return given
  throw wrongOption(name, 'a string', given, who)
}
