// Doc2Vec beside gensim: training and inference by CPU seconds, and what was learnt: does a document's
// half find its other half, does a linear classifier name the newsgroup.
import { createReadStream, existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createGunzip } from 'node:zlib'
import { Doc2Vec, WordVectors } from 'inlay'
import type { Family, Scores, Settings } from './family.js'
import { type Sample, hold, stopwatch } from './rounds.js'
import { timed } from './processes.js'
import { dataFolder, root } from './texts.js'
import { missingPeer, oneThreadEach, python } from './trainers.js'

const script = join(root, 'benchmark', 'gensim_doc2vec.py')
const source = join(dataFolder, 'text', 'newsgroups20')
const setting = { dimensions: 100, window: 5, minCount: 5, negative: 5, subsample: 1e-3 }
const architectures = [
  { id: 'dbow', title: 'PV-DBOW', architecture: 'distributed-bag-of-words' },
  { id: 'dm', title: 'PV-DM, mean', architecture: 'distributed-memory' },
] as const
type Kind = (typeof architectures)[number]

const settingText =
  '20 Newsgroups (bydate), words [a-z]+ in lower case; 100 dimensions, window 5, 5 negatives, subsample 1e-3, words that occur 5 times or more, gensim 4.4.0'

export const doc2vec: Family = {
  name: 'doc2vec',
  summary: 'Doc2Vec training, inference and quality, beside gensim',
  about: `${settingText}. gensim's seconds are those of \`train\` and \`infer_vector\` alone, on documents already in memory;
ours are from a file of lines. Quality: the share of half documents (every other word) whose nearest
vector is their other half's, and the accuracy of scikit-learn's logistic regression on the training vectors, asked
about inferred vectors of the test documents.`,
  options: ['only', 'rounds', 'seeds', 'epochs'],
  contests: () =>
    architectures.flatMap(({ id }) => [
      `train-${id}`,
      `threads-${id}`,
      `infer-${id}`,
      `quality-${id}`,
    ]),

  async run({ chosen, rounds, say, tell, folder, seeds, epochs }: Settings) {
    if (!existsSync(source))
      return say('doc2vec: no 20 Newsgroups here (INLAY_DATA can name their folder)')
    const texts = await prepare(folder)
    const missing = missingPeer(python)
    if (missing) say(`gensim: ${missing}`)
    const model = (kind: Kind, threads: number, seed: number) =>
      train(join(folder, 'train.txt'), kind, threads, seed, epochs)
    for (const kind of architectures) {
      const gensim = (threads: number, seed: number, text = 'train.txt') =>
        peer(folder, [
          'train',
          text,
          `gensim-${kind.id}`,
          JSON.stringify({ ...setting, ...kind, threads, seed, epochs }),
        ])
      const about = `${epochs} epochs over ${texts.documents} documents.`
      if (chosen(`train-${kind.id}`)) {
        tell(
          await hold(
            {
              id: `train-${kind.id}`,
              title: `${kind.title}: training, one thread`,
              about,
              unit: 'words',
              work: epochs * texts.words,
              clock: 'cpu',
              contenders: [
                {
                  name: 'inlay',
                  run: (round) => stopwatch(async () => (await model(kind, 1, round + 1)).close()),
                },
                missing
                  ? { name: 'gensim 4.4.0', missing }
                  : { name: 'gensim 4.4.0', run: (round) => gensim(1, round + 1) },
              ],
            },
            rounds,
            say,
          ),
        )
      }
      if (chosen(`threads-${kind.id}`)) {
        tell(
          await hold(
            {
              id: `threads-${kind.id}`,
              title: `${kind.title}: two threads`,
              about: `${about} Time on the wall, which means something only where others kept no core busy.`,
              unit: 'words',
              work: epochs * texts.words,
              clock: 'wall',
              contenders: [2, 1].map((threads) => ({
                name: `inlay, ${threads} thread(s)`,
                run: (round: number) =>
                  stopwatch(async () => (await model(kind, threads, round + 1)).close()),
              })),
            },
            rounds,
            say,
          ),
        )
      }
      if (chosen(`infer-${kind.id}`)) {
        using ours = await model(kind, 2, 1)
        if (!missing) await gensim(1, 1)
        tell(
          await hold(
            {
              id: `infer-${kind.id}`,
              title: `${kind.title}: vectors of ${texts.tests} new documents`,
              about: `${epochs} epochs over each.`,
              unit: 'documents',
              work: texts.tests,
              clock: 'cpu',
              contenders: [
                {
                  name: 'inlay',
                  run: () =>
                    stopwatch(
                      async () => void (await ours.infer(join(folder, 'test.txt'), { threads: 1 })),
                    ),
                },
                missing
                  ? { name: 'gensim 4.4.0', missing }
                  : {
                      name: 'gensim 4.4.0',
                      run: () =>
                        peer(folder, [
                          'infer',
                          `gensim-${kind.id}.model`,
                          'test.txt',
                          'gensim-test.npy',
                          `${epochs}`,
                        ]),
                    },
              ],
            },
            rounds,
            say,
          ),
        )
      }
      if (chosen(`quality-${kind.id}`) && !missing) {
        tell(await quality(kind, { seeds, epochs, folder, say, gensim }))
      }
    }
  },
}

function train(
  path: string,
  { architecture }: Kind,
  threads: number,
  seed: number,
  epochs: number,
): Promise<Doc2Vec> {
  const { window, ...others } = setting
  const around = architecture === 'distributed-memory' ? { window } : {}
  return Doc2Vec.train(path, { ...others, ...around, architecture, epochs, threads, seed })
}

interface Trial {
  readonly seeds: number
  readonly epochs: number
  readonly folder: string
  readonly say: (text: string) => void
  readonly gensim: (threads: number, seed: number, text?: string) => Promise<Sample>
}

async function quality(kind: Kind, { seeds, epochs, folder, say, gensim }: Trial): Promise<Scores> {
  const scores = { inlay: [[], []] as number[][], gensim: [[], []] as number[][] }
  const number = async (args: string[]) => Number((await ask(folder, args)).trim())
  const classify = (own: string, test: string) =>
    number(['classify', own, 'train.labels', test, 'test.labels'])
  for (let seed = 1; seed <= seeds; seed++) {
    say(`${kind.title}, seed ${seed} of ${seeds}: inlay`)
    {
      using halves = await train(join(folder, 'halves.txt'), kind, 1, seed, epochs)
      await halves.tags.save(join(folder, 'inlay.npy'))
      scores.inlay[0]!.push(await number(['halves', 'inlay.npy']))
      using whole = await train(join(folder, 'train.txt'), kind, 1, seed, epochs)
      await whole.tags.save(join(folder, 'inlay.npy'))
      const rows = await whole.infer(join(folder, 'test.txt'))
      const names = Array.from({ length: rows.length / setting.dimensions }, (_, i) => `${i}`)
      using found = WordVectors.from(names, rows, setting.dimensions)
      await found.save(join(folder, 'inlay-test.npy'))
      scores.inlay[1]!.push(await classify('inlay.npy', 'inlay-test.npy'))
    }
    say(`${kind.title}, seed ${seed} of ${seeds}: gensim`)
    await gensim(1, seed, 'halves.txt')
    scores.gensim[0]!.push(await number(['halves', `gensim-${kind.id}.npy`]))
    await gensim(1, seed)
    await ask(folder, [
      'infer',
      `gensim-${kind.id}.model`,
      'test.txt',
      'gensim-test.npy',
      `${epochs}`,
    ])
    scores.gensim[1]!.push(await classify(`gensim-${kind.id}.npy`, 'gensim-test.npy'))
  }
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / values.length
  const rows = Object.entries(scores).map(([name, both]) =>
    [name].concat(both.map((values) => mean(values).toFixed(1))),
  )
  const differences = [0, 1].map((i) => mean(scores.inlay[i]!) - mean(scores.gensim[i]!))
  const [halves, groups] = differences.map(
    (points) => `${points < 0 ? '−' : '+'}${Math.abs(points).toFixed(1)}`,
  )
  return {
    id: `quality-${kind.id}`,
    title: `Quality: ${kind.title}`,
    about: `${settingText}; ${epochs} epochs, one thread, ${seeds} seed(s); per cent.`,
    head: ['', 'other half nearest', 'newsgroup by a linear classifier'],
    rows: [...rows, ['inlay less gensim', halves!, groups!]],
    summary: `other half ${halves}, newsgroup ${groups}`,
  }
}

/** Runs gensim; the seconds are those that it says its work took. */
async function peer(folder: string, args: string[]): Promise<Sample> {
  return JSON.parse(await ask(folder, args)) as Sample
}

async function ask(folder: string, args: string[]): Promise<string> {
  return (
    await timed({ command: python, args: [script, ...args], cwd: folder, env: oneThreadEach })
  ).output
}

/** Writes train.txt, test.txt, their labels, and halves.txt: every other word of the training's. */
async function prepare(
  folder: string,
): Promise<{ documents: number; tests: number; words: number }> {
  const counted = { documents: 0, tests: 0, words: 0 }
  for (const part of ['train', 'test'] as const) {
    const [lines, labels, halves] = [[] as string[], [] as string[], [] as string[]]
    const file = createReadStream(join(source, `20news-bydate.${part}.jsonl.gz`)).pipe(
      createGunzip(),
    )
    for await (const line of createInterface({ input: file })) {
      const { text, group } = JSON.parse(line) as { text: string; group: string }
      const words = text.toLowerCase().match(/[a-z]+/g) ?? []
      lines.push(words.join(' '))
      labels.push(group)
      for (const half of [0, 1]) halves.push(words.filter((_, i) => i % 2 === half).join(' '))
      if (part === 'train') counted.words += words.length
    }
    counted[part === 'train' ? 'documents' : 'tests'] = lines.length
    const write = (name: string, content: string[]) =>
      writeFile(join(folder, name), content.map((line) => `${line}\n`).join(''))
    await write(`${part}.txt`, lines)
    await write(`${part}.labels`, labels)
    if (part === 'train') await write('halves.txt', halves)
  }
  return counted
}
