// FastText from a text file to vectors on disk, beside fastText: speed, and what the vectors are
// worth.
import { existsSync, linkSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { checkVectors } from './checks.js'
import type { Family, Scores, Settings } from './family.js'
import { type Program, timed } from './processes.js'
import { questionFiles, scoreOf } from './quality.js'
import { type Contender, type Contest, type Missing, hold } from './rounds.js'
import { type BenchmarkText, benchmarkText, root, shuffledLines } from './texts.js'
import { python } from './trainers.js'

const dimensions = 100
const architectures = ['skip-gram', 'cbow'] as const
type Architecture = (typeof architectures)[number]
const script = join(root, 'benchmark', 'fasttext_contender.py')
const same = { window: 5, negative: 5, subsample: 1e-4, minCount: 5 }

interface Training {
  readonly architecture: Architecture
  readonly folder: string
  readonly epochs: number
  readonly threads: number
  readonly seed: number
}

interface Tool {
  readonly name: string
  readonly missing?: string
  readonly output: string
  readonly program: (training: Training) => Program
}

const ours: Tool = {
  name: 'inlay',
  output: 'ours.vec',
  program: ({ architecture, folder, epochs, threads, seed }) => ({
    command: process.execPath,
    args: [
      join(root, 'dist', 'cli', 'main.js'),
      ...`fasttext train text.txt -o ours.vec --quiet --architecture ${architecture}
        --epochs ${epochs} --threads ${threads} --seed ${seed}`.split(/\s+/),
    ],
    cwd: folder,
  }),
}

const theirs: Tool = {
  name: 'fastText 0.9.3',
  ...(!existsSync(python) && { missing: 'not installed: see benchmark/peers.sh' }),
  output: 'theirs.vec',
  program: ({ folder, ...training }) => ({
    command: python,
    args: [script, 'text.txt', 'theirs.vec', JSON.stringify({ ...same, ...training, dimensions })],
    cwd: folder,
  }),
}

export const fastText: Family = {
  name: 'fasttext',
  summary: 'FastText from text file to vectors on disk, beside fastText',
  about: `Whole processes, from a text file to vectors on disk as text: n-grams of 3 to 6 characters, 2,000,000
buckets, ${dimensions} dimensions, window 5, 5 negatives, subsample 1e-4, learning rate 0.05, one thread each, compared by CPU
seconds. fastText is the package of PyPI, called from Python. Scores: analogies among the 30,000 most frequent
words, Spearman's correlation with people (times 100), the mean of seeds, each with the text's lines in an order of its own.`,
  options: ['only', 'rounds', 'megabytes', 'seeds', 'epochs'],
  contests: () => architectures.flatMap((name) => [`fasttext-${name}`, `fasttext-quality-${name}`]),

  async run({ chosen, rounds, say, tell, folder, seeds, ...settings }: Settings) {
    const text = await benchmarkText(settings.megabytes ?? 20, say)
    linkSync(text.path, join(folder, 'text.txt'))
    for (const architecture of architectures) {
      const contest = speed(architecture, text, folder)
      if (chosen(contest.id)) tell(await hold(contest, rounds, say))
    }
    for (const architecture of architectures) {
      if (!chosen(`fasttext-quality-${architecture}`)) continue
      tell(await scores(architecture, text, { folder, seeds, say, epochs: settings.epochs }))
    }
  },
}

function speed(architecture: Architecture, text: BenchmarkText, folder: string): Contest {
  const training = { architecture, folder, epochs: 1, threads: 1 }
  const contender = (tool: Tool): Contender | Missing => {
    if (tool.missing) return { name: tool.name, missing: tool.missing }
    return {
      name: tool.name,
      async run(round) {
        const output = join(folder, tool.output)
        rmSync(output, { force: true })
        const { wall, cpu } = await timed(tool.program({ ...training, seed: round + 1 }))
        await checkVectors(tool.name, output, dimensions, text)
        return { wall, cpu: cpu! }
      },
    }
  }
  return {
    id: `fasttext-${architecture}`,
    title: `FastText, ${architecture}: one thread`,
    about: `${text.title}, one epoch.`,
    unit: 'words',
    work: text.words,
    clock: 'cpu',
    contenders: [ours, theirs].map(contender),
  }
}

async function scores(
  architecture: Architecture,
  text: BenchmarkText,
  {
    folder,
    seeds,
    epochs,
    say,
  }: { folder: string; seeds: number; epochs: number; say: (text: string) => void },
): Promise<Scores> {
  const questions = await questionFiles()
  if (!questions) throw new Error('no evaluation sets here (INLAY_DATA can name their folder)')
  const measures = ['analogies', 'semantic', 'syntactic', 'wordsim', 'simlex'] as const
  const rows: string[][] = []
  for (const tool of [ours, theirs]) {
    if (tool.missing) continue
    const found: number[][] = []
    for (let seed = 1; seed <= seeds; seed++) {
      say(`fasttext, ${architecture}, seed ${seed} of ${seeds}: ${tool.name}`)
      rmSync(join(folder, 'text.txt'), { force: true })
      await shuffledLines(text.path, join(folder, 'text.txt'), seed)
      const training = { architecture, folder, epochs, threads: 1, seed }
      const { cpu } = await timed(tool.program(training))
      const score = await scoreOf(join(folder, tool.output), questions)
      found.push([...measures.map((measure) => score[measure]), cpu!])
    }
    const mean = (i: number) => found.reduce((sum, values) => sum + values[i]!, 0) / found.length
    rows.push([
      tool.name,
      ...measures.map((_, i) => mean(i).toFixed(1)),
      mean(measures.length).toPrecision(3),
    ])
  }
  return {
    id: `fasttext-quality-${architecture}`,
    title: `Quality: FastText, ${architecture}`,
    about: `${text.title}, ${epochs} epoch(s), ${seeds} seed(s).`,
    head: ['', 'analogies %', 'semantic', 'syntactic', 'WordSim353', 'SimLex-999', 'CPU s'],
    rows,
  }
}
