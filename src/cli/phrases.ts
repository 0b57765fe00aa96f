// inlay phrases: from text files to a file of phrases, and what is in it.
import { type Options, type RunOptions, integer, text } from '../options.js'
import { Phrases, phrasesOptions } from '../corpus/phrases.js'
import { textOptions } from '../corpus/text.js'
import { type Command, group } from './command.js'
import { checkWritten } from './files.js'
import { UsageError } from './flags.js'
import { quantity } from './quantities.js'
import type { Session } from './session.js'
import { quietFlags } from './train.js'

const fileFlags = { output: text('where the phrases go: a safetensors file') }

const phraseFlags = Object.fromEntries(
  Object.entries(phrasesOptions).filter(([name]) => !Object.hasOwn(textOptions, name)),
)

type Given = Options<typeof phrasesOptions & typeof fileFlags & typeof quietFlags>

const train: Command = {
  name: 'phrases train',
  summary: 'finds words that stand together more often than chance would have it',
  usage: 'CORPUS... -o PHRASES [flags]',
  operands: {
    CORPUS: 'text: files, globs or folders/; .gz and .zst are read as they are',
  },
  count: { from: 1, to: Infinity },
  groups: [
    group('Files', fileFlags, { short: { output: 'o' } }),
    group('Phrases', phraseFlags),
    group('Text', textOptions),
    group('Run', quietFlags, { short: { quiet: 'q' } }),
  ],
  examples: [
    'corpus.txt -o phrases.safetensors --passes 2 --connector-words of,the,and',
    "'news/*.txt.gz' -o phrases.safetensors --scoring npmi --threshold 0.6",
  ],

  async run(given: Given, corpora: readonly string[], session: Session) {
    const { output, quiet, ...options } = given
    if (output === undefined) throw new UsageError('-o PHRASES is missing')
    checkWritten(corpora, { '-o': output })
    const { signal } = session
    const work = async (onProgress: RunOptions['onProgress']) => {
      using phrases = await Phrases.train({ files: corpora }, { ...options, signal, onProgress })
      await phrases.save(output, { signal, onProgress })
      return phrases.size
    }
    const size = await session.withProgress({ quiet }, work)
    if (!quiet) session.note(`${quantity(size, 'phrases')} in ${output}`)
  },
}

const listFlags = {
  topK: integer(undefined, { from: 1 }, 'only so many of each pass (default: all)'),
}

const list: Command = {
  name: 'phrases list',
  summary: 'prints the phrases of a file: score, occurrences, pass, phrase; best first',
  usage: 'PHRASES [flags]',
  operands: { PHRASES: 'a file that `inlay phrases train` wrote' },
  count: { from: 1, to: 1 },
  groups: [group('Flags', listFlags, { short: { topK: 'k' } })],
  examples: ['phrases.safetensors -k 20'],

  async run({ topK }: Options<typeof listFlags>, [path]: readonly string[], session: Session) {
    using phrases = await Phrases.open(path!)
    const seen = new Map<number, number>()
    for (const { phrase, score, count, pass } of phrases) {
      const before = seen.get(pass) ?? 0
      seen.set(pass, before + 1)
      if (topK === undefined || before < topK) {
        session.print(`${score.toPrecision(6)}\t${count}\t${pass}\t${phrase}`)
      }
    }
  },
}

export const phrasesCommands: readonly Command[] = [train, list]
