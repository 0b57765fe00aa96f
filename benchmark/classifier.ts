// FastTextClassifier beside fastText: the time of a training in each one's process, from a file of
// lines to a model in memory, and the accuracy that it gives.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { FastTextClassifier } from 'inlay'
import type { Family, Settings } from './family.js'
import { answerOf, timed } from './processes.js'
import { type Contender, type Missing, hold, stopwatch } from './rounds.js'
import { dataFolder, root } from './texts.js'
import { python } from './trainers.js'

const ngrams = [1, 2]
const sets = [
  { name: 'trec', title: 'TREC questions, 6 classes', lines: trec },
  {
    name: 'ag-news',
    title: 'AG News, 4 classes, rows 1 to 6,000 and the last 1,600',
    lines: agNews,
  },
]
/** What a run must reach before its time counts. */
const leastAccuracy = 0.75

export const classifier: Family = {
  name: 'classifier',
  summary: 'FastTextClassifier from lines to labels, beside fastText',
  about: `A training each, in the process of its tool, from a file of lines to a model in memory: softmax, 100
dimensions, 25 epochs, learning rate 0.5, no n-grams of characters, 2 M buckets where there are n-grams of
words. Texts in lower case, split by one regular expression for all. Each round has the lines in another order.
AG News is the half of it that was published for tests: its figures are not those of papers.`,
  options: ['only', 'rounds'],
  contests: () => [
    ...sets.flatMap(({ name }) => ngrams.map((n) => `classifier-${name}-${n}`)),
    'classifier-threads',
    'classifier-predict',
  ],

  async run({ chosen, rounds, say, tell, folder }: Settings) {
    if (!existsSync(join(dataFolder, 'text', 'classification'))) {
      return say('classifier: INLAY_DATA has no labelled texts')
    }
    const hasPeer = (await answerOf(python, '-c', 'import fasttext; print(1)')) === '1'
    for (const { name, title, lines } of sets) {
      const { train, test } = lines()
      const [testFile, work] = [join(folder, `${name}.test.txt`), 25 * wordsOf(train)]
      writeFileSync(testFile, test.join('\n'))
      const inOrder = (round: number) => {
        const path = join(folder, `${name}.${round}.txt`)
        if (!existsSync(path)) writeFileSync(path, shuffled(train, round).join('\n'))
        return path
      }
      for (const n of ngrams) {
        const id = `classifier-${name}-${n}`
        if (!chosen(id)) continue
        const accuracies: Record<string, number[]> = { inlay: [], fastText: [] }
        const contenders: (Contender | Missing)[] = [
          {
            name: 'inlay',
            async run(round) {
              const { sample, accuracy } = await ours(inOrder(round), testFile, n, 1)
              accuracies['inlay']!.push(accuracy)
              return sample
            },
          },
          hasPeer
            ? {
                name: 'fastText 0.9.3',
                async run(round) {
                  const { sample, accuracy } = await theirs(inOrder(round), testFile, n, 1)
                  accuracies['fastText']!.push(accuracy)
                  return sample
                },
              }
            : { name: 'fastText 0.9.3', missing: 'not installed' },
        ]
        const about = 'words of all epochs by CPU seconds, one thread'
        const contest = { id, title: `${title}, word n-grams up to ${n}`, about, unit: 'words' }
        tell(await hold({ ...contest, work, clock: 'cpu', contenders }, rounds, say))
        tell({
          id: `${id}-accuracy`,
          title: `${contest.title}: accuracy`,
          about: `Per cent, an order of the lines each; their mean.`,
          head: ['tool', 'accuracies', 'mean'],
          rows: Object.entries(accuracies).map(([tool, scores]) => [
            tool,
            scores.map((score) => (100 * score).toFixed(1)).join(', '),
            ((100 * scores.reduce((sum, score) => sum + score, 0)) / scores.length).toFixed(2),
          ]),
        })
      }
    }
    if (chosen('classifier-threads')) {
      const { train, test } = agNews()
      const [path, testFile] = [join(folder, 'many.txt'), join(folder, 'many.test.txt')]
      const many = Array.from({ length: 5 }, (_, order) => shuffled(train, order)).flat()
      writeFileSync(path, many.join('\n'))
      writeFileSync(testFile, test.join('\n'))
      const contenders = [1, 2].map((threads) => ({
        name: `inlay, ${threads} thread${threads === 1 ? '' : 's'}`,
        run: async () => (await ours(path, testFile, 2, threads)).sample,
      }))
      const title = 'AG News five times over, word n-grams up to 2, one thread and two'
      const about = 'words of all epochs by seconds on the wall'
      const contest = { id: 'classifier-threads', title, about, unit: 'words', contenders }
      tell(await hold({ ...contest, work: 25 * wordsOf(many), clock: 'wall' }, rounds, say))
    }
    if (chosen('classifier-predict')) {
      const { train, test } = trec()
      const [path, texts] = [
        join(folder, 'asked.txt'),
        test.map((line) => line.replace(/^\S+ /, '')),
      ]
      writeFileSync(path, train.join('\n'))
      const rows: string[][] = []
      for (const [shape, options] of shapes) {
        using dense = await FastTextClassifier.train(path, {
          epochs: 5,
          learningRate: 0.5,
          ...options,
        })
        using small = await dense.quantize({ cutoff: 30_000, qnorm: true })
        rows.push([shape, ...[dense, small].map((model) => microseconds(model, texts, rounds))])
      }
      tell({
        id: 'classifier-predict',
        title: 'The labels of a question of TREC, one call each',
        about: 'Microseconds of CPU in a call of `predict`, the median of the rounds.',
        head: ['model', 'dense', 'quantized, 30,000 vectors'],
        rows,
      })
    }
  },
}

/** What the time of a prediction depends on: how many vectors a text has. */
const shapes = [
  ['word n-grams up to 2', { wordNgrams: 2 }],
  [
    'as lid.176: characters 2 to 4, 16 dimensions, hierarchical softmax',
    { minn: 2, maxn: 4, dimensions: 16, loss: 'hierarchical-softmax' },
  ],
  ['word n-grams up to 2, characters 3 to 6', { wordNgrams: 2, minn: 3, maxn: 6 }],
] as const

/** Median over rounds of ten passes. */
function microseconds(model: FastTextClassifier, texts: readonly string[], rounds: number): string {
  const times = Array.from({ length: rounds + 1 }, () => {
    const before = process.cpuUsage()
    for (let pass = 0; pass < 10; pass++) for (const text of texts) model.predict(text)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / texts.length / 10
  })
  const sorted = times.slice(1).toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]!.toFixed(1)
}

async function ours(train: string, test: string, wordNgrams: number, threads: number) {
  let model: FastTextClassifier | undefined
  const sample = await stopwatch(async () => {
    const options = { epochs: 25, learningRate: 0.5, wordNgrams, threads }
    model = await FastTextClassifier.train(train, options)
  })
  const { precision: accuracy } = await model!.evaluate(test)
  model!.close()
  return { sample, accuracy: checked(accuracy) }
}

async function theirs(train: string, test: string, wordNgrams: number, threads: number) {
  const script = join(root, 'benchmark', 'classifier_contender.py')
  const args = [script, train, test, String(wordNgrams), String(threads)]
  const { output } = await timed({ command: python, args, cwd: root })
  const { cpu, wall, accuracy } = JSON.parse(output)
  return { sample: { cpu, wall }, accuracy: checked(accuracy) }
}

function checked(accuracy: number): number {
  if (accuracy > leastAccuracy) return accuracy
  throw new Error(`an accuracy of ${accuracy}: nothing was learnt`)
}

interface Lines {
  readonly train: readonly string[]
  readonly test: readonly string[]
}

function trec(): Lines {
  const part = (name: string) =>
    read(`trec.${name}.txt.gz`).map((line) => {
      const space = line.indexOf(' ')
      return lineOf(line.slice(0, line.indexOf(':')), line.slice(space + 1))
    })
  return { train: part('train'), test: part('test') }
}

function agNews(): Lines {
  const rows = read('ag-news.test.csv.gz').map((row) => {
    const [label = '', title, text] = [...row.matchAll(/"((?:[^"]|"")*)"/g)].map(([, field = '']) =>
      field.replaceAll('""', '"'),
    )
    return lineOf(label, `${title} ${text}`)
  })
  return { train: rows.slice(0, 6000), test: rows.slice(-1600) }
}

function read(name: string): string[] {
  const bytes = readFileSync(join(dataFolder, 'text', 'classification', name))
  return gunzipSync(bytes).toString().trimEnd().split('\n')
}

function lineOf(label: string, text: string): string {
  const words = text.toLowerCase().match(/[\p{L}\p{N}_']+|[^\p{L}\p{N}_\s]/gu) ?? []
  return `__label__${label} ${words.join(' ')}`
}

function wordsOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.split(' ').length, 0)
}

/** The same order for the same number (Fisher, Yates; a linear congruential generator). */
function shuffled(lines: readonly string[], seed: number): string[] {
  const all = [...lines]
  let state = seed + 1
  for (let i = all.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const other = Math.floor((state / 2 ** 32) * (i + 1))
    ;[all[i], all[other]] = [all[other]!, all[i]!]
  }
  return all
}
