#!/usr/bin/env node
// The command line `inlay`: finds the command, reads its flags, and makes one line and an exit code
// of whatever goes wrong: 1 an error of data or system, 2 wrong usage, 128 and more a signal.
import { readFileSync } from 'node:fs'
import { InlayError } from '../errors.js'
import { nearest } from '../options.js'
import { classifierCommands } from './fasttext-classifier.js'
import { type Command, helpOf, overviewOf } from './command.js'
import { type Flag, UsageError, parse } from './flags.js'
import { Session } from './session.js'
import { doc2vecCommands } from './doc2vec.js'
import { fastTextCommands } from './fasttext.js'
import { gloveCommands } from './glove.js'
import { imagesCommands } from './images.js'
import { ldaCommands } from './lda.js'
import { nnlmCommands, rnnlmCommands } from './language-models.js'
import { mediaCommands } from './media.js'
import { ngramCommands } from './ngram.js'
import { phrasesCommands } from './phrases.js'
import { sentencesCommands } from './sentences.js'
import { soundsCommands } from './sounds.js'
import { tableCommands } from './table.js'
import { tagCommands } from './tag.js'
import { textCommands } from './text.js'
import { tfidfCommands } from './tfidf.js'
import { vectorsCommands } from './vectors.js'
import { videoCommands } from './video.js'
import { word2vecCommands } from './word2vec.js'

const commands: readonly Command[] = [
  ...word2vecCommands,
  ...fastTextCommands,
  ...gloveCommands,
  ...doc2vecCommands,
  ...ldaCommands,
  ...classifierCommands,
  ...phrasesCommands,
  ...tfidfCommands,
  ...ngramCommands,
  ...nnlmCommands,
  ...rnnlmCommands,
  ...textCommands,
  ...tagCommands,
  ...tableCommands,
  ...sentencesCommands,
  ...imagesCommands,
  ...soundsCommands,
  ...videoCommands,
  ...mediaCommands,
  ...vectorsCommands,
]

/** Who says so, at the beginning of what the library says: "Word2Vec.train: ", "readTable: ". */
const speaker = /^(\w+\.\w+|(read|open|load)[A-Z]\w*): /

void main(process.argv.slice(2)).then((code) => {
  // Not `process.exit`: what was printed may still be on its way into a pipe.
  process.exitCode = code
})

async function main(argv: readonly string[]): Promise<number> {
  const session = new Session()
  session.listen()
  if (argv.length === 0) {
    session.note(overviewOf('', commands).trimEnd())
    return 2
  }
  if (argv[0] === '--version' || argv[0] === '-V') {
    session.print(version())
    return 0
  }
  let hint = 'inlay --help'
  let flags: readonly Flag[] = []
  try {
    const help = helpFor(argv)
    if (help !== undefined) {
      session.print(help.trimEnd())
      return 0
    }
    const command = find(argv)
    hint = `inlay ${command.name} --help`
    flags = command.groups.flatMap((group) => group.flags)
    await start(command, flags, argv.slice(2), session)
    return 0
  } catch (error) {
    if (session.ending !== undefined) {
      session.note(`inlay: ${session.lastWords}`)
      return session.ending
    }
    const isUsage = isWrongUsage(error)
    session.note(`inlay: ${oneLine(error, flags)}${isUsage ? `; see \`${hint}\`` : ''}`)
    return isUsage ? 2 : 1
  }
}

async function start(
  command: Command,
  flags: readonly Flag[],
  argv: readonly string[],
  session: Session,
): Promise<void> {
  const { given, operands } = parse(flags, argv)
  const { from, to } = command.count
  if (operands.length < from || operands.length > to) {
    const wanted = `inlay ${command.name} ${command.usage}`
    const problem = operands.length < from ? 'too little' : 'too much'
    throw new UsageError(`${problem} was given: \`${wanted}\` is wanted`)
  }
  await command.run(given, operands, session)
}

/** The help that `argv` asks for, by --help, -h or `help`, at whichever level. */
function helpFor(argv: readonly string[]): string | undefined {
  const end = argv.indexOf('--')
  const before = end < 0 ? argv : argv.slice(0, end)
  const isAsked = before[0] === 'help' || before.includes('--help') || before.includes('-h')
  if (!isAsked) {
    const isGroup = argv.length === 1 && !argv[0]!.startsWith('-')
    return isGroup ? overviewOf(argv[0]!, groupOf(argv[0]!)) : undefined
  }
  const [first, second] = before.filter((word) => word !== 'help' && !word.startsWith('-'))
  if (first === undefined) return overviewOf('', commands)
  if (second === undefined) return overviewOf(first, groupOf(first))
  return helpOf(find([first, second]))
}

function find([first = '', second = '']: readonly string[]): Command {
  const group = groupOf(first)
  const command = group.find(({ name }) => name === `${first} ${second}`)
  if (command) return command
  throw unknownCommand(
    `${first} ${second}`,
    group.map(({ name }) => name),
  )
}

function groupOf(first: string): readonly Command[] {
  const group = commands.filter(({ name }) => name.startsWith(`${first} `))
  if (group.length > 0) return group
  throw unknownCommand(first, [...new Set(commands.map(({ name }) => name.split(' ')[0]!))])
}

function unknownCommand(typed: string, known: readonly string[]): UsageError {
  if (typed.startsWith('-')) return new UsageError(`a command comes before ${typed}`)
  const suggestion = nearest(typed, known)
  const question = suggestion === undefined ? '' : `; did you mean \`inlay ${suggestion}\`?`
  return new UsageError(`there is no command \`inlay ${typed.trim()}\`${question}`)
}

function isWrongUsage(error: unknown): boolean {
  if (error instanceof UsageError) return true
  return error instanceof InlayError && error.code === 'INVALID_OPTION'
}

/** The library says "Word2Vec.train: `minCount` must be ..."; here it is --min-count. */
function oneLine(error: unknown, flags: readonly Flag[]): string {
  if (!(error instanceof Error)) return String(error)
  const message = error.message.replaceAll(/\s*\n\s*/g, ' ').replace(speaker, '')
  return message.replaceAll(/`(\w+)`/g, (quoted, option) => {
    const known = flags.find(({ name }) => name === option)
    return known === undefined ? quoted : `--${known.flag}`
  })
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
