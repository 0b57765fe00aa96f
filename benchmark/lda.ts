// Lda beside tomotopy: CPU seconds of so many passes over 20 Newsgroups, and the perplexity of held-out
// words with the very models that were timed, by one evaluator for both.
import { createReadStream, existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createGunzip } from 'node:zlib'
import { Lda } from 'inlay'
import type { Family, Scores, Settings } from './family.js'
import { timed } from './processes.js'
import { type Contest, type Sample, hold, spread, stopwatch } from './rounds.js'
import { dataFolder, root } from './texts.js'
import { missingPeer, oneThreadEach, python } from './trainers.js'

const script = join(root, 'benchmark', 'tomotopy_contender.py')
const source = join(dataFolder, 'text', 'newsgroups20')
const sizes = [
  { topics: 100, iterations: 100 },
  { topics: 1000, iterations: 50 },
] as const
const priors = { alpha: 0.1, beta: 0.01 }
const peer = 'tomotopy 0.14.0'

export const lda: Family = {
  name: 'lda',
  summary: 'Lda on 20 Newsgroups, beside tomotopy, with the perplexity of both',
  about: `20 Newsgroups (bydate): words [a-z]{3,} in lower case that are in 5 training documents or more and in half of them at
most, without scikit-learn's English stop words; alpha ${priors.alpha} and beta ${priors.beta}, not fitted. tomotopy's seconds are those of
\`train\` alone, on documents already in memory; ours are from a file of lines. Quality is that of the models of these runs: the
perplexity of every second word of the first 2,000 test documents, whose mixtures a fixed point finds from the others, the same
for both.`,
  options: ['only', 'rounds'],
  contests: () => [
    ...sizes.flatMap(({ topics }) => [`lda-${topics}`, `lda-${topics}-quality`]),
    'lda-threads',
  ],

  async run({ chosen, rounds, say, tell, folder }: Settings) {
    if (!existsSync(source)) {
      return say('lda: no 20 Newsgroups here (INLAY_DATA can name their folder)')
    }
    const missing = missingPeer(python) ?? (await without(folder))
    if (missing) return say(`lda: ${missing}; its evaluator is needed for both`)
    const words = await prepare(folder)
    for (const size of sizes) {
      const id = `lda-${size.topics}`
      if (!chosen(id) && !chosen(`${id}-quality`)) continue
      const scores = new Map<string, number[]>()
      const outcome = await hold(oneThread(id, size, words, folder, scores), rounds, say)
      if (chosen(id)) tell(outcome)
      if (chosen(`${id}-quality`)) tell(qualityTable(`${id}-quality`, size, rounds, scores))
    }
    if (chosen('lda-threads')) tell(await hold(twoThreads(words, folder), rounds, say))
  },
}

type Size = (typeof sizes)[number]

function oneThread(
  id: string,
  { topics, iterations }: Size,
  words: number,
  folder: string,
  scores: Map<string, number[]>,
): Contest {
  const judged = async (name: string, path: string, sample: Sample) => {
    const score = Number(await ask(folder, ['perplexity', path, 'test.txt']))
    if (!Number.isFinite(score)) throw new Error(`${name}: the perplexity is ${score}`)
    scores.set(name, [...(scores.get(name) ?? []), score])
    return sample
  }
  return {
    id,
    title: `Lda, ${topics} topics: one thread`,
    about: `${iterations} passes.`,
    unit: 'words',
    work: iterations * words,
    clock: 'cpu',
    contenders: [
      {
        name: 'inlay',
        async run(round) {
          const sample = await train(folder, { topics, iterations }, 1, round)
          return judged('inlay', 'inlay.safetensors', sample)
        },
      },
      {
        name: peer,
        async run(round) {
          const settings = JSON.stringify({ topics, iterations, ...priors, seed: round + 1 })
          const answer = await ask(folder, ['train', 'train.txt', 'tomotopy', settings])
          return judged(peer, 'tomotopy.npz', JSON.parse(answer) as Sample)
        },
      },
    ],
  }
}

/** From one thread to two: time on the wall, which only an idle machine shows well. */
function twoThreads(words: number, folder: string): Contest {
  const size = { topics: 100, iterations: 50 }
  return {
    id: 'lda-threads',
    title: 'Lda, 100 topics: two threads',
    about: 'Time on the wall, which means something only where others kept no core busy.',
    unit: 'words',
    work: size.iterations * words,
    clock: 'wall',
    contenders: [2, 1].map((threads) => ({
      name: `inlay, ${threads} thread(s)`,
      run: (round: number) => train(folder, size, threads, round),
    })),
  }
}

/** Trains from the file of lines, and saves the model when the clock has stopped. */
async function train(
  folder: string,
  size: { topics: number; iterations: number },
  threads: number,
  round: number,
): Promise<Sample> {
  const fixed = { ...priors, minCount: 1, optimizeEvery: 0 }
  let model: Lda | undefined
  const sample = await stopwatch(async () => {
    const options = { ...size, ...fixed, threads, seed: round + 1 }
    model = await Lda.train(join(folder, 'train.txt'), options)
  })
  await model?.save(join(folder, 'inlay.safetensors'))
  model?.close()
  return sample
}

function qualityTable(
  id: string,
  { topics, iterations }: Size,
  rounds: number,
  scores: ReadonlyMap<string, readonly number[]>,
): Scores {
  const row = ([name, values]: readonly [string, readonly number[]]) => {
    const { low, high } = spread(values)
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    return [name, `${mean.toFixed(0)} (${low.toFixed(0)} to ${high.toFixed(0)})`]
  }
  return {
    id,
    title: `Lda, ${topics} topics: quality`,
    about: `After ${iterations} passes, one thread each, the mean of ${rounds} seed(s), lowest to highest; lower is better.`,
    head: ['', 'perplexity of held-out words'],
    rows: [...scores].map(row),
  }
}

/** Why the peer cannot be asked, if it cannot. */
async function without(folder: string): Promise<string | undefined> {
  try {
    await ask(folder, ['version'])
    return undefined
  } catch {
    return 'tomotopy is not installed (benchmark/peers.sh installs it)'
  }
}

async function ask(folder: string, args: string[]): Promise<string> {
  const program = { command: python, args: [script, ...args], cwd: folder, env: oneThreadEach }
  return (await timed(program)).output
}

/** Writes train.txt and test.txt, a document a line, and gives the words of the first. */
async function prepare(folder: string): Promise<number> {
  for (const part of ['train', 'test']) {
    const lines: string[] = []
    const file = createReadStream(join(source, `20news-bydate.${part}.jsonl.gz`))
    for await (const line of createInterface({ input: file.pipe(createGunzip()) })) {
      const { text } = JSON.parse(line) as { text: string }
      lines.push((text.toLowerCase().match(/[a-z]{3,}/g) ?? []).join(' '))
    }
    await writeFile(join(folder, `${part}.all`), lines.map((line) => `${line}\n`).join(''))
  }
  return Number(await ask(folder, ['choose']))
}
