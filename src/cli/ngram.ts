// inlay ngram: language models of n-grams from text, and what they say of other texts.
import { type Options, list, oneOf, real, text } from '../options.js'
import { Phrases } from '../corpus/phrases.js'
import { NgramLanguageModel, type SentenceScore } from '../language/ngram-language-model.js'
import {
  generateOptions,
  ngramOptions,
  ngramSaveOptions,
  perplexityOptions,
} from '../language/ngram-options.js'
import { Turns } from '../turns.js'
import { type Command, group } from './command.js'
import { checkWritten } from './files.js'
import { UsageError } from './flags.js'
import { linesFrom } from './lines.js'
import { quantity } from './quantities.js'
import type { Session } from './session.js'
import { quietFlags, runFlags } from './train.js'
import { numbersOf } from './typed-lists.js'

const model = 'a model: .safetensors, .arpa or .arpa.gz'
const output = {
  output: text('where the model goes: .safetensors, or .arpa or .arpa.gz'),
  ...ngramSaveOptions,
}
/** Options that are lists of numbers, as they are typed. */
const lists = {
  prune: list('leaves out n-grams that occur so often or less, by order: 0,0,1'),
  discountFallback: list('discounts for texts that have none of their own: 0.5,1,1.5'),
}
const {
  order,
  minCount,
  maxVocabulary,
  memory,
  prune: _,
  discountFallback: __,
  ...reading
} = ngramOptions
const textFlags = {
  ...reading,
  phrases: text('joins the phrases of this file, as `inlay phrases train` writes it'),
}
const estimationFlags = { order, minCount, maxVocabulary, memory, ...lists }

type TrainGiven = Options<
  typeof output & typeof estimationFlags & typeof textFlags & typeof quietFlags
>

const train: Command = {
  name: 'ngram train',
  summary: 'estimates a language model of n-grams',
  usage: 'CORPUS... -o MODEL [flags]',
  operands: { CORPUS: 'text: files, globs or folders/; .gz and .zst are read as they are' },
  count: { from: 1, to: Infinity },
  groups: [
    group('Files', output, { short: { output: 'o' } }),
    group('Estimation', estimationFlags),
    group('Text', textFlags),
    group('Run', quietFlags, { short: { quiet: 'q' } }),
  ],
  examples: [
    'corpus.txt -o model.safetensors',
    "'news/*.txt.gz' -o model.arpa.gz --order 4 --prune 0,0,1 --min-count 2",
  ],

  async run(given: TrainGiven, corpora: readonly string[], session: Session) {
    const {
      output: target,
      quiet,
      phrases,
      prune,
      discountFallback,
      quantization,
      ...options
    } = given
    if (target === undefined) throw new UsageError('-o MODEL is missing')
    if (isArpa(target) && quantization !== undefined) {
      throw new UsageError('--quantization has no meaning for an ARPA file, which has exact values')
    }
    checkWritten([...corpora, ...(phrases === undefined ? [] : [phrases])], { '-o': target })
    if (!/\.(safetensors|arpa|arpa\.gz)$/i.test(target)) {
      const known = '.safetensors, .arpa or .arpa.gz'
      throw new UsageError(`-o: the name must end in ${known}, got "${target}"`)
    }
    const { signal } = session
    const ngrams = await session.withProgress({ quiet }, async (onProgress) => {
      const run = { signal, onProgress, threads: options.threads }
      const joined = phrases === undefined ? undefined : await Phrases.open(phrases, run)
      using trained = await NgramLanguageModel.train(
        { files: corpora },
        {
          ...options,
          ...run,
          phrases: joined,
          prune: numbersOf(prune),
          discountFallback: numbersOf(discountFallback),
        },
      )
      if (isArpa(target)) await trained.saveArpa(target, run)
      else await trained.save(target, { ...run, quantization })
      return trained.ngrams
    })
    if (quiet) return
    const all = ngrams.reduce((sum, count) => sum + count, 0)
    session.note(`${quantity(all, 'n-grams')} of orders 1 to ${ngrams.length} in ${target}`)
  },
}

const scoreFlags = {
  by: oneOf(['sentence', 'word'], 'a line for each sentence, or for each word'),
  maxPerplexity: real(
    undefined,
    { from: 1 },
    'prints only sentences of no higher perplexity, as they are',
  ),
}

const score: Command = {
  name: 'ngram score',
  summary: 'tells how likely each line of a text is',
  usage: 'MODEL [TEXTS...] [flags]',
  operands: { MODEL: model, TEXTS: 'sentences, one a line; standard input without' },
  count: { from: 1, to: Infinity },
  groups: [group('Answers', scoreFlags)],
  examples: [
    'model.safetensors texts.txt',
    'model.arpa.gz --by word < texts.txt',
    'model.safetensors crawled.txt --max-perplexity 500 > good.txt',
  ],

  async run(
    { by = 'sentence', maxPerplexity }: Options<typeof scoreFlags>,
    [path = '', ...texts]: readonly string[],
    session: Session,
  ) {
    if (by === 'word' && maxPerplexity !== undefined) {
      throw new UsageError('--by word and --max-perplexity cannot both be given')
    }
    const { signal } = session
    const pieces = linesFrom(texts, session)
    using opened = await open(path, { signal })
    if (maxPerplexity !== undefined) {
      for await (const line of opened.filter(each(pieces), { maxPerplexity, signal }))
        session.print(line)
      return
    }
    session.print(
      by === 'word' ? 'word\tlog10\torder\tunknown' : 'log10\twords\tunknown\tperplexity',
    )
    const turns = new Turns(signal)
    for await (const lines of pieces) {
      if (by === 'word') {
        for (const line of lines) {
          session.print(wordRows(opened.score(line)))
          if (turns.isOver(line.length)) await turns.next()
        }
        continue
      }
      const { logProbabilities, words, unknown } = await opened.scoreAll(lines, { signal })
      for (const [i, log] of logProbabilities.entries()) {
        const perplexity = 10 ** (-log / words[i]!)
        session.print([log.toFixed(4), words[i], unknown[i], perplexity.toFixed(2)].join('\t'))
      }
    }
  },
}

const perplexity: Command = {
  name: 'ngram perplexity',
  summary: 'tells how well a model foretells texts',
  usage: 'MODEL TEXTS... [flags]',
  operands: { MODEL: model, TEXTS: 'text: files, globs or folders/' },
  count: { from: 2, to: Infinity },
  groups: [group('Text', perplexityOptions), group('Run', quietFlags, { short: { quiet: 'q' } })],
  examples: ['model.safetensors test.txt'],

  async run(
    given: Options<typeof perplexityOptions & typeof quietFlags>,
    [path = '', ...files]: readonly string[],
    session: Session,
  ) {
    const { quiet, ...options } = given
    const { signal } = session
    const found = await session.withProgress({ quiet }, async (onProgress) => {
      using opened = await open(path, { signal, onProgress, threads: options.threads })
      return await opened.perplexity({ files }, { ...options, signal, onProgress })
    })
    session.print(
      [
        `perplexity\t${found.perplexity.toFixed(4)}`,
        `perplexity of known words\t${found.perplexityOfKnown.toFixed(4)}`,
        `words\t${found.words}`,
        `sentences\t${found.sentences}`,
        `unknown words\t${found.unknown}`,
      ].join('\n'),
    )
  },
}

const { texts, maxWords, temperature } = generateOptions
const generateFlags = {
  prompt: text('what the texts begin with', 'TEXT'),
  texts,
  maxWords,
  temperature,
}

const generate: Command = {
  name: 'ngram generate',
  summary: 'draws texts from a model, one a line',
  usage: 'MODEL [flags]',
  operands: { MODEL: model },
  count: { from: 1, to: 1 },
  groups: [group('Texts', generateFlags), group('Run', { seed: runFlags.seed })],
  examples: ['model.safetensors --texts 5 --seed 7', "model.safetensors --prompt 'the people'"],

  async run(
    given: Options<typeof generateFlags & { seed: typeof runFlags.seed }>,
    [path = '']: readonly string[],
    session: Session,
  ) {
    const { signal } = session
    using opened = await open(path, { signal })
    const drawn = await opened.generate({ ...given, signal })
    for (const words of drawn) session.print(words.join(' '))
  },
}

export const ngramCommands: readonly Command[] = [train, score, perplexity, generate]

function isArpa(path: string): boolean {
  return /\.arpa(\.gz|\.zst)?$/i.test(path)
}

function open(
  path: string,
  run: Parameters<typeof NgramLanguageModel.open>[1],
): Promise<NgramLanguageModel> {
  return isArpa(path) ? NgramLanguageModel.openArpa(path, run) : NgramLanguageModel.open(path, run)
}

/** A line for each word: how likely it is, by how many words, and whether it is unknown. */
function wordRows({ words }: SentenceScore): string {
  return words
    .map((one) =>
      [one.word, one.logProbability.toFixed(4), one.order, one.unknown ? 1 : 0].join('\t'),
    )
    .join('\n')
}

async function* each(pieces: AsyncIterable<readonly string[]>): AsyncGenerator<string> {
  for await (const lines of pieces) yield* lines
}
