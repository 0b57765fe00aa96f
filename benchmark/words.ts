// Word2Vec from a text file to vectors on disk, beside word2vec.c and gensim; and its inner loop
// beside plain JavaScript.
import { linkSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Corpus, Word2Vec } from 'inlay'
import { checkVectors } from './checks.js'
import type { Family, Settings } from './family.js'
import { numbered, trainInJavaScript } from './javascript.js'
import { timed } from './processes.js'
import { type Contender, type Contest, type Missing, hold, stopwatch } from './rounds.js'
import { type BenchmarkText, benchmarkText } from './texts.js'
import { type Model, type Trainer, models, setting, settingText, trainers } from './trainers.js'

const standard = ['inlay', 'inlay-avx2', 'word2vec-O3', 'word2vec-Ofast', 'gensim']
/** Plain JavaScript is slow: it gets the first part of the text. */
const megabytesForJavaScript = 3

export const words: Family = {
  name: 'words',
  summary: 'Word2Vec from text file to vectors on disk, beside word2vec.c and gensim',
  about: `Whole processes, from a text file to vectors on disk: start, vocabulary, one epoch of training
and saving, ${settingText}, learning rate 0.025 (CBOW 0.05). All tools read the same file, which is cut
into lines of 1,000 words. A rate is the words of the text by CPU seconds (user and system, all
threads) unless it says otherwise; a result counts when it holds a finite, trained vector for every
frequent word of the text, as counted by itself here. Speed without quality is none: the quality of the same
settings is below.`,
  options: ['only', 'rounds', 'megabytes', 'tools'],
  contests: () => [
    ...models.map(({ id }) => id),
    'threads-100',
    'threads-300',
    'javascript-100',
    'javascript-300',
  ],

  async run({ chosen, rounds, say, tell, folder, ...settings }: Settings) {
    const text = await benchmarkText(settings.megabytes ?? 30, say)
    linkSync(text.path, join(folder, 'text.txt'))
    const tools = settings.tools ?? standard
    const given = trainers.filter(({ key }) => tools.includes(key))

    for (const model of models) {
      const contest = await wholeProcess(model, given, text, folder)
      if (chosen(contest.id)) tell(await hold(contest, rounds, say))
    }
    for (const dimensions of [100, 300]) {
      const contest = twoThreads(dimensions, given, text, folder)
      if (chosen(contest.id)) tell(await hold(contest, rounds, say))
    }
    for (const dimensions of [100, 300]) {
      if (!chosen(`javascript-${dimensions}`)) continue
      const part = await benchmarkText(megabytesForJavaScript, say)
      tell(await hold(await innerLoop(dimensions, part), rounds, say))
    }
  },
}

/** One thread each, compared by CPU seconds. */
function wholeProcess(
  model: Model,
  tools: readonly Trainer[],
  text: BenchmarkText,
  folder: string,
): Contest {
  return {
    id: model.id,
    title: `${model.title}: one thread`,
    about: `${text.title}, one thread each.`,
    unit: 'words',
    work: text.words,
    clock: 'cpu',
    contenders: tools
      .filter(({ key }) => key !== 'inlay-unshared' || model.objective === 'negative-sampling')
      .map((tool) => contender(tool, tool.name, model, 1, text, folder)),
  }
}

/** From one thread to two: time on the wall, which only an idle machine shows well. */
function twoThreads(
  dimensions: number,
  tools: readonly Trainer[],
  text: BenchmarkText,
  folder: string,
): Contest {
  const model = models.find(({ id }) => id === `sgns-${dimensions}`)!
  return {
    id: `threads-${dimensions}`,
    title: `${model.title}: two threads`,
    about: `${text.title}; time on the wall. The multiple of the second row is how many times as fast two
threads are as one; it means something only where others kept no core busy.`,
    unit: 'words',
    work: text.words,
    clock: 'wall',
    contenders: tools
      .filter(({ key }) => ['inlay', 'word2vec-O3', 'gensim'].includes(key))
      .flatMap((tool) =>
        (tool.key === 'inlay' ? [2, 1] : [2]).map((threads) =>
          contender(tool, `${tool.name}, ${threads} thread(s)`, model, threads, text, folder),
        ),
      ),
  }
}

function contender(
  tool: Trainer,
  name: string,
  model: Model,
  threads: number,
  text: BenchmarkText,
  folder: string,
): Contender | Missing {
  if (tool.missing) return { name, missing: tool.missing }
  return {
    name,
    async run(round) {
      const output = join(folder, tool.output)
      rmSync(output, { force: true })
      const training = { model, text: 'text.txt', folder, epochs: 1, threads, seed: round + 1 }
      const { wall, cpu } = await timed(tool.program(training))
      await checkVectors(name, output, model.dimensions, text)
      rmSync(output)
      return { wall, cpu: cpu! }
    },
  }
}

/** Training alone, on a text that both have read before. */
async function innerLoop(dimensions: number, text: BenchmarkText): Promise<Contest> {
  const lines = (await readFile(text.path, 'utf8')).trimEnd().split('\n')
  const plain = numbered(
    lines.map((line) => line.split(' ')),
    setting.minCount,
  )
  const corpus = await Corpus.read(text.path, { minCount: setting.minCount })
  if (corpus.tokens !== plain.ids.length) throw new Error('the two texts differ')
  const { window, negative, subsample } = setting
  const options = { dimensions, window, negative, subsample, learningRate: 0.025, epochs: 1 }
  const finite = (vectors: Float32Array) => {
    if (vectors.length !== corpus.size * dimensions || !vectors.every(Number.isFinite)) {
      throw new Error('a vector is missing or not finite')
    }
  }
  return {
    id: `javascript-${dimensions}`,
    title: `Skip-gram, negative sampling, ${dimensions} dimensions: the inner loop beside plain JavaScript`,
    about: `${text.title}; training alone, on a text already read, one thread, by CPU seconds.`,
    unit: 'words',
    work: corpus.tokens,
    clock: 'cpu',
    contenders: [
      {
        name: 'inlay',
        async run(round) {
          let model: Word2Vec | undefined
          const sample = await stopwatch(async () => {
            model = await Word2Vec.train(corpus, { ...options, threads: 1, seed: round + 1 })
          })
          finite(await model!.vectors.matrix())
          model!.close()
          return sample
        },
      },
      {
        name: 'plain JavaScript',
        async run() {
          let vectors: Float32Array = new Float32Array()
          const sample = await stopwatch(() => {
            vectors = trainInJavaScript(plain, options).vectors
          })
          finite(vectors)
          return sample
        },
      },
    ],
  }
}
