// GloVe from a text file to vectors on disk, beside the C tool of its authors: speed, and the scores of
// the very vectors that were timed.
import { linkSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { checkVectors } from './checks.js'
import type { Family, Scores, Settings } from './family.js'
import { type Program, timed } from './processes.js'
import { type Score, measures, questionFiles, scoreOf } from './quality.js'
import { type Contender, type Contest, type Missing, hold, spread } from './rounds.js'
import { type BenchmarkText, benchmarkText, root } from './texts.js'
import { missingPeer } from './trainers.js'

const setting = { dimensions: 100, window: 15, minCount: 5, xMax: 10, epochs: 15 } as const
/** Where the C tool's own Makefile puts its programs. */
const programs = join(resolve(root, process.env['INLAY_PEERS'] ?? '.peers'), 'glove-src', 'build')

interface Tool {
  readonly name: string
  readonly missing?: string | undefined
  readonly output: string
  readonly program: (training: { folder: string; threads: number; seed: number }) => Program
}

const ours: Tool = {
  name: 'inlay',
  output: 'inlay.safetensors',
  program({ folder, threads, seed }) {
    const { dimensions, window, minCount, xMax, epochs } = setting
    const flags = {
      dimensions,
      window,
      'min-count': minCount,
      'x-max': xMax,
      epochs,
      threads,
      seed,
    }
    const typed = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, `${value}`])
    const command = [join(root, 'dist', 'cli', 'main.js'), 'glove', 'train', 'text.txt']
    const args = [...command, '-o', 'inlay.safetensors', '--quiet', ...typed]
    return { command: process.execPath, args, cwd: folder }
  },
}

/** Four programs after one another, as its `demo.sh` runs them. */
const theirs: Tool = {
  name: 'GloVe, the C tool',
  missing: missingPeer(join(programs, 'glove')) && 'not installed',
  output: 'c.txt',
  program({ folder, threads, seed }) {
    const { dimensions, window, minCount, xMax, epochs } = setting
    const steps = [
      `vocab_count -verbose 0 -min-count ${minCount} < text.txt > vocab.txt`,
      `cooccur -verbose 0 -memory 4 -vocab-file vocab.txt -window-size ${window} < text.txt > pairs.bin`,
      `shuffle -verbose 0 -memory 4 -seed ${seed} < pairs.bin > shuffled.bin`,
      `glove -verbose 0 -save-file c -threads ${threads} -input-file shuffled.bin -x-max ${xMax} -iter ${epochs} -vector-size ${dimensions} -binary 0 -vocab-file vocab.txt -seed ${seed}`,
    ]
    const script = steps.map((step) => `"$0"/${step}`).join(' && ')
    return { command: 'bash', args: ['-c', script, programs], cwd: folder }
  },
}

export const glove: Family = {
  name: 'glove',
  summary: 'GloVe from text file to vectors on disk, beside the C tool, with the scores of both',
  about: `Whole processes, from a text file to vectors on disk: vocabulary, pairs, shuffle, ${setting.epochs} epochs of
training, window ${setting.window}, ${setting.dimensions} dimensions, words that occur ${setting.minCount} times or more, x-max ${setting.xMax}. A rate is the words
of the text by CPU seconds (user and system, all threads) unless it says otherwise. Quality is that of the vectors of these
runs: Google analogies (share of right answers in percent), Spearman's correlation with WordSim353 and SimLex-999 (times 100),
scored by inlay. Each round has another seed.`,
  options: ['only', 'rounds', 'megabytes'],
  contests: () => ['glove-100', 'glove-threads', 'glove-quality'],

  async run({ chosen, rounds, say, tell, folder, megabytes }: Settings) {
    const text = await benchmarkText(megabytes ?? 20, say)
    linkSync(text.path, join(folder, 'text.txt'))
    const questions = await questionFiles()
    const scores = new Map<string, Omit<Score, 'cpu'>[]>()
    const score = async (name: string, path: string) => {
      if (!questions) return
      scores.set(name, [...(scores.get(name) ?? []), await scoreOf(path, questions)])
    }
    if (chosen('glove-100') || chosen('glove-quality')) {
      const outcome = await hold(oneThread(text, folder, score), rounds, say)
      if (chosen('glove-100')) tell(outcome)
      if (questions && chosen('glove-quality')) tell(qualityTable(text, rounds, scores))
      if (!questions) say('glove: no evaluation sets here (INLAY_DATA can name their folder)')
    }
    if (chosen('glove-threads')) tell(await hold(twoThreads(text, folder), rounds, say))
  },
}

type Judge = (name: string, path: string) => Promise<void>

function oneThread(text: BenchmarkText, folder: string, judge: Judge): Contest {
  return {
    id: 'glove-100',
    title: `GloVe, ${setting.dimensions} dimensions: one thread`,
    about: `${text.title}, one thread each.`,
    unit: 'words',
    work: text.words,
    clock: 'cpu',
    contenders: [ours, theirs].map((tool) => contender(tool, tool.name, 1, text, folder, judge)),
  }
}

/** From one thread to two: time on the wall, which only an idle machine shows well. */
function twoThreads(text: BenchmarkText, folder: string): Contest {
  const judge = async () => {}
  return {
    id: 'glove-threads',
    title: `GloVe, ${setting.dimensions} dimensions: two threads`,
    about: `${text.title}; time on the wall. The multiple of the second row is how many times as fast two
threads are as one; it means something only where others kept no core busy.`,
    unit: 'words',
    work: text.words,
    clock: 'wall',
    contenders: [
      contender(ours, 'inlay, 2 threads', 2, text, folder, judge),
      contender(ours, 'inlay, 1 thread', 1, text, folder, judge),
      contender(theirs, `${theirs.name}, 2 threads`, 2, text, folder, judge),
    ],
  }
}

function contender(
  tool: Tool,
  name: string,
  threads: number,
  text: BenchmarkText,
  folder: string,
  judge: Judge,
): Contender | Missing {
  if (tool.missing) return { name, missing: tool.missing }
  return {
    name,
    async run(round) {
      const output = join(folder, tool.output)
      rmSync(output, { force: true })
      const { wall, cpu } = await timed(tool.program({ folder, threads, seed: round + 1 }))
      await checkVectors(name, output, setting.dimensions, text)
      await judge(name, output)
      rmSync(output)
      return { wall, cpu: cpu! }
    },
  }
}

function qualityTable(
  text: BenchmarkText,
  rounds: number,
  scores: ReadonlyMap<string, readonly Omit<Score, 'cpu'>[]>,
): Scores {
  const keys = Object.keys(measures) as (keyof typeof measures)[]
  const cell = (found: readonly Omit<Score, 'cpu'>[], key: keyof typeof measures) => {
    const values = found.map((one) => one[key])
    const { low, high } = spread(values)
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    return `${mean.toFixed(1)} (${low.toFixed(1)} to ${high.toFixed(1)})`
  }
  return {
    id: 'glove-quality',
    title: `GloVe, ${setting.dimensions} dimensions: quality`,
    about: `${text.title}, one thread each, the mean of ${rounds} seed(s), lowest to highest.`,
    head: ['', ...Object.values(measures)],
    rows: [...scores].map(([name, found]) => [name].concat(keys.map((key) => cell(found, key)))),
  }
}
