// What the vectors are worth: analogies and similarities that people gave, of ours and of word2vec.c
// with the same settings, the mean of several seeds.
import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { WordVectors } from 'inlay'
import { checkVectors } from './checks.js'
import type { Family, Scores, Settings } from './family.js'
import { timed } from './processes.js'
import { spread } from './rounds.js'
import { type BenchmarkText, benchmarkText, evaluationFile, shelf, shuffledLines } from './texts.js'
import {
  type Model,
  type Trainer,
  gensimScript,
  missingPeer,
  models,
  python,
  settingText,
  trainers,
} from './trainers.js'

/** Scores in points of a hundred, and what they cost. */
export interface Score {
  readonly analogies: number
  readonly semantic: number
  readonly syntactic: number
  readonly wordsim: number
  readonly simlex: number
  readonly cpu: number
}

export interface Questions {
  readonly analogies: string
  readonly wordsim: string
  readonly simlex: string
}

export const measures = {
  analogies: 'analogies %',
  semantic: 'semantic',
  syntactic: 'syntactic',
  wordsim: 'WordSim353',
  simlex: 'SimLex-999',
} as const
/** Its scores do not hang on how it was built, and so it takes half the time. */
const peer = 'word2vec-Ofast'
const standard = ['inlay', peer]
/** Scores of peers, which do not change: they are long to make, and kept. */
const kept = join(shelf, 'peers-quality.json')

export const quality: Family = {
  name: 'quality',
  summary: 'analogies and word similarities of ours and of word2vec.c',
  about: `The same text, settings and epochs for all (${settingText}, learning rate 0.025, CBOW 0.05), whole processes. Google
analogies among the 30,000 most frequent words (share of right answers in percent), Spearman's correlation with WordSim353 and SimLex-999
(times 100), all scored by inlay, which opens the peers' files. A seed gives both tools the text's lines in one
and the same other order, since word2vec.c's own random numbers begin alike in every run. Mean of the seeds, with the
lowest and the highest; the last row is the difference of the means in points.`,
  options: ['only', 'megabytes', 'tools', 'seeds', 'epochs', 'threads', 'fresh'],
  contests: () => models.map(({ id }) => id),

  async run({ chosen, say, tell, folder, seeds, epochs, fresh, ...settings }: Settings) {
    const questions = await questionFiles()
    if (!questions)
      return say('quality: no evaluation sets here (INLAY_DATA can name their folder)')
    const text = await benchmarkText(settings.megabytes ?? 100, say)
    const keys = settings.tools ?? standard
    const tools = trainers.filter(({ key }) => keys.includes(key))
    for (const { name, missing } of tools) if (missing) say(`${name}: ${missing}`)
    const threads = settings.threads || availableParallelism()

    const known: Record<string, Score> = existsSync(kept)
      ? JSON.parse(await readFile(kept, 'utf8'))
      : {}
    let crossChecked = false
    for (const model of models.filter(({ id }) => chosen(id))) {
      const found = new Map<Trainer, Score[]>()
      for (let seed = 1; seed <= seeds; seed++) {
        await shuffledLines(text.path, join(folder, 'text.txt'), seed)
        for (const tool of tools) {
          if (tool.missing) continue
          if (tool.key === 'inlay-unshared' && model.objective !== 'negative-sampling') continue
          const isPeer = !tool.key.startsWith('inlay')
          const key = `${tool.key} ${model.id} ${text.title} epochs ${epochs} threads ${threads} seed ${seed}`
          let score = isPeer && !fresh ? known[key] : undefined
          if (!score) {
            say(`${model.id}, seed ${seed} of ${seeds}: ${tool.name}`)
            const training = { model, text: 'text.txt', folder, epochs, threads, seed }
            const { cpu } = await timed(tool.program(training))
            const output = join(folder, tool.output)
            await checkVectors(tool.name, output, model.dimensions, text)
            score = { ...(await scoreOf(output, questions)), cpu: cpu! }
            if (isPeer) await writeFile(kept, JSON.stringify({ ...known, [key]: score }, null, 1))
            if (isPeer) known[key] = score
            if (!isPeer && !crossChecked && !missingPeer(python)) {
              tell(await crossCheck(model, output, questions, score, folder))
              crossChecked = true
            }
            await rm(output)
          }
          found.set(tool, [...(found.get(tool) ?? []), score])
        }
      }
      tell(scoresTable(model, text, found, { epochs, threads, seeds }))
    }
  },
}

/** The evaluation sets, where they are. */
export async function questionFiles(): Promise<Questions | undefined> {
  const [analogies, wordsim, simlex] = await Promise.all(
    ['questions-words.txt.gz', 'wordsim353.tsv', 'simlex999.tsv'].map(evaluationFile),
  )
  return analogies && wordsim && simlex ? { analogies, wordsim, simlex } : undefined
}

/** What a file of vectors is worth. */
export async function scoreOf(path: string, questions: Questions): Promise<Omit<Score, 'cpu'>> {
  using vectors = await WordVectors.open(path, { invalidUtf8: 'keep' })
  const { accuracy, semantic, syntactic } = await vectors.evaluateAnalogies(questions.analogies)
  const [wordsim, simlex] = await Promise.all(
    [questions.wordsim, questions.simlex].map((file) => vectors.evaluateSimilarity(file)),
  )
  return {
    analogies: 100 * accuracy,
    semantic: (100 * semantic.correct) / semantic.total,
    syntactic: (100 * syntactic.correct) / syntactic.total,
    wordsim: 100 * wordsim!.spearman,
    simlex: 100 * simlex!.spearman,
  }
}

/** gensim scores one of our files: the same, or our evaluation is wrong. */
async function crossCheck(
  model: Model,
  path: string,
  questions: Questions,
  score: Omit<Score, 'cpu'>,
  folder: string,
): Promise<Scores> {
  using vectors = await WordVectors.open(path)
  await vectors.save(join(folder, 'check.bin'))
  const { analogies, wordsim, simlex } = questions
  const { output } = await timed({
    command: python,
    args: [gensimScript, 'evaluate', 'check.bin', analogies, wordsim, simlex],
    cwd: folder,
  })
  await rm(join(folder, 'check.bin'))
  const theirs = JSON.parse(output) as { analogies: number; pairs: [number, number] }
  const rows = [
    [measures.analogies, score.analogies, theirs.analogies],
    [measures.wordsim, score.wordsim, theirs.pairs[0]],
    [measures.simlex, score.simlex, theirs.pairs[1]],
  ] as const
  for (const [measure, own, other] of rows) {
    if (!(Math.abs(own - other) < 0.1)) {
      throw new Error(`our evaluation says ${own} for ${measure}, gensim's ${other}`)
    }
  }
  return {
    id: 'quality-check',
    title: 'One file, scored by inlay and by gensim',
    about: `Vectors of inlay (${model.title.toLowerCase()}): a difference of 0.1 ends the benchmark.`,
    head: ['measure', 'by inlay', 'by gensim'],
    rows: rows.map(([measure, own, other]) => [measure, own.toFixed(2), other.toFixed(2)]),
  }
}

function scoresTable(
  model: Model,
  text: BenchmarkText,
  found: ReadonlyMap<Trainer, readonly Score[]>,
  { epochs, threads, seeds }: { epochs: number; threads: number; seeds: number },
): Scores {
  const keys = Object.keys(measures) as (keyof typeof measures)[]
  const mean = (scores: readonly Score[], key: keyof Score) =>
    scores.reduce((sum, score) => sum + score[key], 0) / scores.length
  const cell = (scores: readonly Score[], key: keyof Score) => {
    const { low, high } = spread(scores.map((score) => score[key]))
    return `${mean(scores, key).toFixed(1)} (${low.toFixed(1)} to ${high.toFixed(1)})`
  }
  const rows = [...found].map(([{ name }, scores]) =>
    [name].concat(
      keys.map((key) => cell(scores, key)),
      mean(scores, 'cpu').toPrecision(3),
    ),
  )
  let summary: string | undefined
  const ours = [...found].find(([{ key }]) => key === 'inlay')?.[1]
  const theirs = [...found].find(([{ key }]) => key === peer)?.[1]
  if (ours && theirs) {
    const difference = (key: keyof Score) => {
      const points = mean(ours, key) - mean(theirs, key)
      return `${points < 0 ? '−' : '+'}${Math.abs(points).toFixed(1)}`
    }
    const faster = mean(theirs, 'cpu') / mean(ours, 'cpu')
    summary = `analogies ${difference('analogies')}, WordSim353 ${difference('wordsim')}, SimLex-999 ${difference('simlex')}`
    rows.push(['inlay less word2vec.c', ...keys.map(difference), `${faster.toFixed(1)}x faster`])
  }
  return {
    id: `quality-${model.id}`,
    title: `Quality: ${model.title}`,
    about: `${text.title}, ${epochs} epoch(s), ${threads} thread(s), ${seeds} seed(s).`,
    head: ['', ...Object.values(measures), 'CPU s'],
    rows,
    ...(summary && { summary }),
  }
}
