// Texts with labels from JavaScript become lines as fastText's files have them: the labels with
// their prefix, then the text.
import { type Corpus, type CorpusSettings, corpusOptions, readCorpus } from '../corpus/corpus.js'
import type { CorpusSource, Text, Texts } from '../corpus/source.js'
import { InlayError, shown } from '../errors.js'
import { type NumberedTexts, numberCorpus } from '../native.js'
import { type Options, type RunOptions, type RunSettings, settle, settleAlone } from '../options.js'
import { run } from '../run.js'
import { Turns, arrayOf } from '../turns.js'
import { labelledLineOptions } from './classifier-options.js'

/** A text and what it is about. */
export interface LabelledText {
  readonly text: string
  /** Without the prefix; none of them may hold white space. */
  readonly labels: readonly string[]
}

/** What is between the words of a line. */
const whiteSpace = /[ \n\r\t\v\f\0]/

/** A text or a line that has its labels in it already. */
type Item = Text | LabelledText
type Items = Iterable<Item> | AsyncIterable<Item>

/** What a classifier learns from: files or texts with the labels in their lines
 * (`__label__sport the match ...`), or texts with labels beside them. */
export type LabelledSource = CorpusSource | Items | (() => Items)

/** The same source, every item of it a line. */
function linesOf(source: LabelledSource, prefix: string, who: string): CorpusSource {
  if (typeof source === 'function') return () => linesOfItems(source(), prefix, who)
  if (typeof source !== 'object' || source === null || source instanceof URL) return source
  // What is no source of items is told by `settleSource`.
  const isItems = Symbol.iterator in source || Symbol.asyncIterator in source
  const isBytes = (source as { readableObjectMode?: boolean }).readableObjectMode === false
  return isItems && !isBytes ? linesOfItems(source as Items, prefix, who) : (source as CorpusSource)
}

function linesOfItems(items: Items, prefix: string, who: string): Texts {
  if (typeof items !== 'object' || items === null) return items
  if (Symbol.asyncIterator in items) return asyncLines(items, prefix, who)
  return Symbol.iterator in items ? lines(items, prefix, who) : items
}

function* lines(items: Iterable<Item>, prefix: string, who: string): Generator<Text> {
  let index = 0
  for (const item of items) yield lineOf(item, index++, prefix, who)
}

async function* asyncLines(
  items: AsyncIterable<Item>,
  prefix: string,
  who: string,
): AsyncGenerator<Text> {
  let index = 0
  for await (const item of items) yield lineOf(item, index++, prefix, who)
}

function lineOf(item: Item, index: number, prefix: string, who: string): Text {
  if (typeof item !== 'object' || item === null || !('text' in item)) return item as Text
  const wrong = (problem: string) =>
    new InlayError('INVALID_INPUT', `${who}: item ${index} of the source: ${problem}`, {
      index,
      problem,
    })
  const { text, labels } = item
  if (typeof text !== 'string') throw wrong(`\`text\` must be a string, got ${shown(text)}`)
  if (!Array.isArray(labels)) {
    throw wrong(`\`labels\` must be an array of strings, got ${shown(labels)}`)
  }
  if (text.includes(prefix)) {
    const label = text.split(whiteSpace).find((word) => word.startsWith(prefix))
    const why = 'would be read as a label: name another `labelPrefix`'
    if (label !== undefined) throw wrong(`${shown(label)} in \`text\` ${why}`)
  }
  const marked = (labels as readonly unknown[]).map((label) => {
    const isWord = typeof label === 'string' && label !== '' && !whiteSpace.test(label)
    if (isWord) return `${prefix}${label}`
    throw wrong(`a label must be a string without white space, got ${shown(label)}`)
  })
  return `${marked.join(' ')} ${text.replaceAll('\n', ' ')}`
}

/** Every word of the lines, between white space: what is left out is the classifier's to say. */
export function readLines(
  source: LabelledSource,
  labelPrefix: string,
  { invalidUtf8, spoolDirectory }: Pick<CorpusSettings, 'invalidUtf8' | 'spoolDirectory'>,
  runSettings: RunSettings,
  who: string,
): Promise<Corpus> {
  const settings = settleAlone(corpusOptions, { minCount: 1, invalidUtf8, spoolDirectory }, who)
  return readCorpus(linesOf(source, labelPrefix, who), settings, runSettings, who)
}

/** The options of `readLabelledTexts`: see `labelledLineOptions`. */
export type LabelledLineOptions = Options<typeof labelledLineOptions> & RunOptions

/**
 * The lines of fastText's files, for models that take texts and labels one beside the other: labels are the words that begin
 * with the prefix, wherever they stand, and the text is the other words, a space between them.
 *
 *     for await (const { text, labels } of readLabelledTexts('train.txt.gz')) console.log(labels[0], text)
 *
 * A line without a label has none; empty lines are left out.
 *
 * @throws {InvalidOptionError} before anything is read
 * @throws {InlayError} as `Corpus.read`
 */
export async function* readLabelledTexts(
  source: CorpusSource,
  options: LabelledLineOptions = {},
): AsyncGenerator<LabelledText> {
  const who = 'readLabelledTexts'
  const { settings, run: runSettings } = settle(labelledLineOptions, options, who)
  const { labelPrefix } = settings
  using corpus = await readLines(source, labelPrefix, settings, runSettings, who)
  const turns = new Turns(runSettings.signal)
  const words = await arrayOf(corpus.size, (i) => corpus.words.at(i)!, turns)
  const numbers = new Uint32Array(corpus.size)
  for (let i = 0; i < numbers.length; i++) {
    numbers[i] = i
    if (turns.isOver()) await turns.next()
  }
  const { ids, ends } = await run<NumberedTexts>(who, runSettings, (spec, events) =>
    numberCorpus(corpus.native(who), numbers, spec, events),
  )
  let from = 0
  for (const to of ends) {
    const labels: string[] = []
    const text: string[] = []
    for (let at = from; at < to; at++) {
      const word = words[ids[at]!]!
      if (word.startsWith(labelPrefix)) labels.push(word.slice(labelPrefix.length))
      else text.push(word)
    }
    yield { text: text.join(' '), labels }
    if (turns.isOver(to - from)) await turns.next()
    from = to
  }
}
