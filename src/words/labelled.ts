// Texts with labels from JavaScript become lines as fastText's files have them: the labels with
// their prefix, then the text.
import { type Corpus, type CorpusSettings, corpusOptions, readCorpus } from '../corpus/corpus.js'
import type { CorpusSource, Text, Texts } from '../corpus/source.js'
import { InlayError, shown } from '../errors.js'
import { type RunSettings, settleAlone } from '../options.js'

/** A text and what it is about. */
export interface LabelledText {
  readonly text: string
  /** Without the prefix; none of them may hold white space. */
  readonly labels: readonly string[]
}

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
  const marked = (labels as readonly unknown[]).map((label) => {
    if (typeof label === 'string' && /^[^ \n\r\t\v\f\0]+$/.test(label)) return `${prefix}${label}`
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
