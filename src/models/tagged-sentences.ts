// Sentences of words with tags, and what a tagger reads of them.
import { type RunSettings, checkIterable, wrongOption } from '../options.js'
import { Turns } from '../turns.js'
import { type Vocabulary } from './vocabulary.js'
import { each } from '../nn/columns.js'

/** A sentence's words, with a tag for each. */
export interface TaggedSentence {
  readonly words: readonly string[]
  readonly tags: readonly string[]
}

/** Sentences with tags, that are here or that come one by one. */
export type TaggedSentences = Iterable<TaggedSentence> | AsyncIterable<TaggedSentence>

/** The first characters of a word from its begin, and the last ones from its end: 'first1', 'last1', ... */
export function places(characters: number): string[] {
  const numbers = Array.from({ length: characters }, (_, i) => i + 1)
  return ['first', 'last'].flatMap((end) => numbers.map((number) => `${end}${number}`))
}

/** What sentences are numbered by. */
export interface Numbering {
  readonly words: Vocabulary
  readonly letters: Vocabulary
  readonly known?: Vocabulary | undefined
  readonly characters: number
}

/** All examples. @throws {InvalidOptionError} one has not as many tags as words */
export async function collectedSentences(
  examples: TaggedSentences,
  option: string,
  who: string,
): Promise<TaggedSentence[]> {
  checkIterable(examples, option, 'an iterable of objects with `words` and `tags`', who)
  const all: TaggedSentence[] = []
  const turns = new Turns()
  for await (const example of examples) {
    const name = `${option}[${all.length}]`
    if (typeof example !== 'object' || example === null || !Array.isArray(example.tags)) {
      throw wrongOption(name, 'an object with `words` and `tags`', example, who)
    }
    checkWords(example.words, `${name}.words`, who)
    if (example.tags.length !== example.words.length) {
      const expected = `as many as words, which are ${example.words.length}`
      throw wrongOption(`${name}.tags`, expected, example.tags.length, who)
    }
    all.push(example)
    if (turns.isOver(example.words.length)) await turns.next()
  }
  return all
}

/** @throws {InvalidOptionError} it is no sentence */
export function checkWords(words: unknown, name: string, who: string): void {
  const fits =
    Array.isArray(words) && words.every((word) => typeof word === 'string' && word !== '')
  if (!fits) throw wrongOption(name, 'an array of words that are not empty', words, who)
}

/** All characters of each sentence. */
export function* lettersOf(sentences: Iterable<readonly string[]>): Generator<string[]> {
  for (const words of sentences) yield Array.from(words.join(''))
}

/** Stands where a word is too short; it has no number, as a character that was never met. */
const NO_LETTER = '\u{0}'

/** The character of each word at one of its places. */
function* lettersAt(
  sentences: Iterable<readonly string[]>,
  place: string,
): Generator<readonly string[]> {
  const at = Number(/\d+/.exec(place)![0])
  const isFirst = place.startsWith('first')
  const letter = (word: string) => [...word].at(isFirst ? at - 1 : -at) ?? NO_LETTER
  for (const sentence of sentences) yield sentence.map(letter)
}

/** The columns of sentences, by the names of the inputs. */
export async function numbered(
  sentences: readonly (readonly string[])[],
  { words, letters, known, characters }: Numbering,
  run: RunSettings,
  who: string,
): Promise<Record<string, Iterable<Uint32Array>>> {
  const columns: Record<string, Iterable<Uint32Array>> = {
    words: each(await words.number(sentences, run, who)),
  }
  if (known) columns['known'] = each(await known.number(sentences, run, who))
  for (const place of places(characters)) {
    columns[place] = each(await letters.number(lettersAt(sentences, place), run, who))
  }
  return columns
}
