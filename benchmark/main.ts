// `npm run bench`: measures, prints tables, keeps the results in build/, and with --write makes
// docs/benchmarks.md of all that were kept.
//
//     npm run bench                                    every family, hours
//     npm run bench -- words --only sgns-100 --rounds 3
//     npm run bench -- quality --only sgns --seeds 3 --epochs 3
//     npm run bench -- --write                         the page, of what was measured before
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { classifier } from './classifier.js'
import { corpus } from './corpus.js'
import { counts } from './counts.js'
import { doc2vec } from './doc2vec.js'
import { encoders } from './encoders.js'
import { fastText } from './fasttext.js'
import type { Family, Settings } from './family.js'
import { glove } from './glove.js'
import { kernels } from './kernels.js'
import { lda } from './lda.js'
import { neuralText } from './neural-text.js'
import { networks } from './networks.js'
import { ngram } from './ngram.js'
import { media } from './media.js'
import { keep, writePage } from './page.js'
import { patchModels } from './patch-models.js'
import { patches } from './patches.js'
import { pictures } from './pictures.js'
import { quality } from './quality.js'
import { plainText } from './report.js'
import { sentences } from './sentences.js'
import { shelf } from './texts.js'
import { towersOfMedia } from './towers.js'
import { trainers } from './trainers.js'
import { vectors } from './vectors.js'
import { video } from './video.js'
import { words } from './words.js'

/** Wrong use of the command line: told in a line, without a stack. */
class UsageError extends Error {}

const families: readonly Family[] = [
  words,
  quality,
  fastText,
  classifier,
  glove,
  doc2vec,
  lda,
  ngram,
  kernels,
  networks,
  neuralText,
  pictures,
  sentences,
  encoders,
  towersOfMedia,
  patches,
  patchModels,
  video,
  counts,
  corpus,
  vectors,
  media,
]

const options = {
  only: { type: 'string', about: 'LIST    contests whose names begin so: sgns-100,threads' },
  rounds: { type: 'string', about: 'N       times that each contender runs [5]' },
  megabytes: {
    type: 'string',
    about: 'N       of text [words and sentences 30, corpus and quality 100]',
  },
  tools: { type: 'string', about: `LIST    of ${trainers.map(({ key }) => key).join(', ')}` },
  rows: { type: 'string', about: 'N       vectors to search [400000]' },
  seeds: { type: 'string', about: 'N       seeds whose mean is taken [3]' },
  epochs: { type: 'string', about: 'N       of training [5]' },
  threads: { type: 'string', about: 'N       of training [all cores]' },
  fresh: { type: 'boolean', about: '        trains the peers again, whose scores were kept' },
  write: { type: 'boolean', about: '        writes docs/benchmarks.md' },
  help: { type: 'boolean', about: '        this' },
} as const

await main().catch((error) => {
  console.error(error instanceof UsageError ? error.message : error)
  process.exitCode = error instanceof UsageError ? 2 : 1
})

async function main() {
  const { values, positionals } = readArguments()
  if (values.help) return console.log(help())
  checkNames('families', positionals, (given) => families.some(({ name }) => name === given))
  const asked = families.filter(({ name }) => positionals.includes(name))
  const chosenFamilies = asked.length === 0 && !values.write ? families : asked
  checkOptions(Object.keys(values), chosenFamilies)

  const only = values.only?.split(',')
  const tools = values.tools?.split(',')
  checkNames('--tools', tools ?? [], (name) => trainers.some(({ key }) => key === name))
  const contests = chosenFamilies.flatMap((family) => family.contests())
  checkNames('--only', only ?? [], (name) => contests.some((id) => id.startsWith(name)))

  mkdirSync(shelf, { recursive: true })
  const folder = mkdtempSync(join(shelf, 'run-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))
  const settings: Omit<Settings, 'folder'> = {
    chosen: (id) => only === undefined || only.some((begin) => id.startsWith(begin)),
    rounds: count('rounds', values.rounds) ?? 5,
    megabytes: count('megabytes', values.megabytes),
    tools,
    rows: count('rows', values.rows),
    seeds: count('seeds', values.seeds) ?? 3,
    epochs: count('epochs', values.epochs) ?? 5,
    threads: count('threads', values.threads) ?? 0,
    fresh: values.fresh ?? false,
    say: (text) => process.stderr.write(`${text}\n`),
    tell: (result) => {
      console.log(`\n${plainText(result)}`)
      keep(result)
    },
  }
  for (const family of chosenFamilies) {
    const own = join(folder, family.name)
    mkdirSync(own)
    await family.run({ ...settings, folder: own })
    rmSync(own, { recursive: true })
  }
  if (values.write) settings.say(await writePage(families))
}

function readArguments() {
  try {
    return parseArgs({ options, allowPositionals: true })
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${help()}`)
  }
}

function help(): string {
  const names = families.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`)
  const flags = Object.entries(options).map(
    ([name, { about }]) => `  --${name.padEnd(10)} ${about}`,
  )
  return ['npm run bench [-- FAMILY... FLAGS]', '', ...names, '', ...flags].join('\n')
}

/** A flag that no chosen family reads would be ignored: it is refused. */
function checkOptions(given: readonly string[], chosen: readonly Family[]) {
  for (const name of given) {
    if (['write', 'help'].includes(name)) continue
    if (chosen.some((family) => family.options.includes(name))) continue
    throw new UsageError(
      `--${name} means nothing to ${chosen.map((family) => family.name).join(', ') || '--write'}`,
    )
  }
}

function checkNames(flag: string, names: readonly string[], isKnown: (name: string) => boolean) {
  const unknown = names.find((name) => !isKnown(name))
  if (unknown !== undefined) throw new UsageError(`${flag}: there is no ${unknown}`)
}

function count(name: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  const value = Number(given)
  if (Number.isInteger(value) && value > 0) return value
  throw new UsageError(`--${name} must be a whole number above 0, got ${given}`)
}
