// Phrases beside gensim's, and sentences as means of word vectors beside NumPy and plain JavaScript; and
// what such vectors are worth: correlation with people's judgement (STS-B).
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { MeanEncoder, Phrases, Word2Vec, type WordVectors, englishConnectorWords } from 'inlay'
import type { Family, Scores, Settings } from './family.js'
import { timed } from './processes.js'
import { type Contest, type Sample, hold, stopwatch } from './rounds.js'
import { type BenchmarkText, benchmarkText, dataFolder, root } from './texts.js'
import { missingPeer, oneThreadEach, python } from './trainers.js'

const script = join(root, 'benchmark', 'gensim_sentences.py')
const dimensions = 300
const wordsOfSentence = 20

export const sentences: Family = {
  name: 'sentences',
  summary:
    'phrases, and sentences as means of word vectors, beside gensim, NumPy and plain JavaScript',
  about: `Phrases are whole processes from a text file to a file of phrases; all find the same number. Means are
of sentences of ${wordsOfSentence} words, in memory, ${dimensions} dimensions, one thread; all give the same rows. STS-B is
Spearman's correlation of cosines with people's judgement on its test set.`,
  options: ['only', 'rounds', 'megabytes', 'epochs', 'threads'],
  contests: () => ['phrases', 'means', 'sts'],

  async run({ chosen, rounds, say, tell, folder, ...settings }: Settings) {
    const text = await benchmarkText(settings.megabytes ?? 30, say)
    if (chosen('phrases')) tell(await hold(phrases(text, folder), rounds, say))
    if (!chosen('means') && !chosen('sts')) return
    say(`training ${dimensions} dimensions on ${text.title}`)
    const { epochs, threads } = settings
    const options = { dimensions, epochs, subsample: 1e-4, ...(threads > 0 && { threads }) }
    using model = await Word2Vec.train(text.path, options)
    if (chosen('means')) tell(await hold(await means(model.vectors, text, folder), rounds, say))
    if (chosen('sts')) {
      const scores = await sts(model.vectors, text, epochs)
      if (scores) tell(scores)
      else say('no STS-B in INLAY_DATA')
    }
  },
}

/** One thread each, compared by CPU seconds; and ours on two. */
function phrases(text: BenchmarkText, folder: string): Contest {
  const connectors = englishConnectorWords.join(',')
  const main = join(root, 'dist', 'cli', 'main.js')
  const output = join(folder, 'phrases.safetensors')
  const missing = missingPeer(python)
  let size: number | undefined
  const checked = (name: string, found: number) => {
    size ??= found
    if (found !== size) throw new Error(`${name} found ${found} phrases, not ${size}`)
  }
  const ours = (threads: number) => ({
    name: `inlay, ${threads} thread(s)`,
    async run() {
      const args = ['phrases', 'train', text.path, '-o', output, '-q', '--threads', `${threads}`]
      const program = [main, ...args, '--connector-words', connectors]
      const { wall, cpu } = await timed({ command: process.execPath, args: program, cwd: folder })
      using found = await Phrases.open(output)
      checked('inlay', found.size)
      return { wall, cpu: cpu! }
    },
  })
  return {
    id: 'phrases',
    title: 'Phrases, one pass, English connector words',
    about: `${text.title}; minCount 5, threshold 10.`,
    unit: 'words',
    work: text.words,
    clock: 'cpu',
    contenders: [
      ours(1),
      ours(2),
      missing
        ? { name: 'gensim 4.4.0', missing }
        : {
            name: 'gensim 4.4.0',
            async run() {
              const args = [
                script,
                'phrases',
                text.path,
                join(folder, 'phrases.gensim'),
                connectors,
              ]
              const {
                wall,
                cpu,
                output: said,
              } = await timed({ command: python, args, cwd: folder })
              checked('gensim', Number(said))
              return { wall, cpu: cpu! }
            },
          },
    ],
  }
}

/** The plain mean of each sentence. */
async function means(vectors: WordVectors, text: BenchmarkText, folder: string): Promise<Contest> {
  const words = (await readFile(text.path, 'utf8')).split(/\s+/).slice(0, 2_000_000)
  const lines = Array.from({ length: Math.floor(words.length / wordsOfSentence) }, (_, i) =>
    words.slice(i * wordsOfSentence, (i + 1) * wordsOfSentence).join(' '),
  )
  writeFileSync(join(folder, 'lines.txt'), lines.join('\n'))
  await vectors.save(join(folder, 'v.bin'))
  const encoder = await MeanEncoder.train(vectors)
  const expected = (await encoder.encode(lines)).values
  const same = (name: string, rows: Float32Array) => {
    const off = rows.findIndex((value, i) => !(Math.abs(value - expected[i]!) < 1e-4))
    if (rows.length !== expected.length || off >= 0)
      throw new Error(`${name}: other rows at ${off}`)
  }
  const missing = missingPeer(python)
  return {
    id: 'means',
    title: `The mean of the word vectors of ${lines.length.toLocaleString('en')} sentences`,
    about: `Sentences of ${wordsOfSentence} words of ${text.title}.`,
    unit: 'sentences',
    work: lines.length,
    clock: 'cpu',
    contenders: [
      {
        name: 'inlay',
        async run() {
          let rows = new Float32Array()
          const sample = await stopwatch(async () => {
            rows = (await encoder.encode(lines, { threads: 1 })).values as typeof rows
          })
          same('inlay', rows)
          return sample
        },
      },
      {
        name: 'plain JavaScript',
        async run() {
          const matrix = await vectors.matrix()
          const index = new Map([...vectors.words].map((word, i) => [word, i]))
          let rows = new Float32Array()
          const sample = await stopwatch(() => {
            rows = meansInJavaScript(lines, index, matrix)
          })
          same('plain JavaScript', rows)
          return sample
        },
      },
      missing
        ? { name: 'NumPy with gensim', missing }
        : {
            name: 'NumPy with gensim',
            async run() {
              const args = [script, 'mean', 'v.bin', 'lines.txt', 'means.npy']
              const program = { command: python, args, cwd: folder, env: oneThreadEach }
              const sample: Sample = JSON.parse((await timed(program)).output)
              const file = readFileSync(join(folder, 'means.npy'))
              const header = 10 + file.readUInt16LE(8)
              same(
                'NumPy',
                new Float32Array(
                  file.buffer.slice(file.byteOffset + header, file.byteOffset + file.length),
                ),
              )
              return sample
            },
          },
    ],
  }
}

function meansInJavaScript(
  lines: readonly string[],
  index: ReadonlyMap<string, number>,
  matrix: Float32Array,
): Float32Array<ArrayBuffer> {
  const rows = new Float32Array(lines.length * dimensions)
  for (const [i, line] of lines.entries()) {
    const row = rows.subarray(i * dimensions, (i + 1) * dimensions)
    let known = 0
    for (const word of line.split(/\s+/)) {
      const at = index.get(word)
      if (at === undefined) continue
      known++
      for (let d = 0; d < dimensions; d++) row[d]! += matrix[at * dimensions + d]!
    }
    if (known > 0) for (let d = 0; d < dimensions; d++) row[d]! /= known
  }
  return rows
}

interface Pair {
  readonly a: string
  readonly b: string
  readonly score: number
}

/** What means are worth. The common direction is found on the training sentences. */
async function sts(
  vectors: WordVectors,
  text: BenchmarkText,
  epochs: number,
): Promise<Scores | undefined> {
  const [test, train] = [stsb('test'), stsb('train')]
  if (!test || !train) return undefined
  const split = { tokenizer: 'words', lowercase: true } as const
  const sample = train.flatMap(({ a, b }) => [a, b])
  const encoders = [
    ['mean', {}],
    ['TF-IDF', { weights: 'tf-idf', documents: sample }],
    ['a / (a + p)', { weights: 'frequency' }],
    ['SIF', { weights: 'frequency', sentences: sample }],
  ] as const
  const rows: string[][] = []
  for (const [name, options] of encoders) {
    using encoder = await MeanEncoder.train(vectors, { ...split, ...options })
    const found = await encoder.encode(test.flatMap(({ a, b }) => [a, b]))
    const cosines = test.map((_, i) => found.similarity(2 * i, 2 * i + 1))
    rows.push([
      name,
      (
        100 *
        spearman(
          cosines,
          test.map(({ score }) => score),
        )
      ).toFixed(1),
    ])
  }
  return {
    id: 'sts',
    title: 'STS-B, test set: Spearman x 100',
    about: `${test.length.toLocaleString('en')} pairs; skip-gram, ${dimensions} dimensions, trained on ${text.title}, ${epochs} epoch(s).`,
    head: ['weights', 'Spearman'],
    rows,
  }
}

function stsb(part: string): Pair[] | undefined {
  const path = join(dataFolder, 'text', 'stsb', `stsb-en.${part}.csv.gz`)
  if (!existsSync(path)) return undefined
  const text = gunzipSync(readFileSync(path)).toString('utf8')
  // Fields in quotes hold commas, and quotes twice.
  return text.split(/\r?\n/).flatMap((line) => {
    const fields = [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)]
    const [a, b, score] = fields.map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain!)
    return score === undefined || score === '' ? [] : [{ a: a!, b: b!, score: Number(score) }]
  })
}

/** The correlation of ranks; equal values share their mean rank. */
function spearman(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [ranks(a), ranks(b)]
  const middle = (a.length + 1) / 2
  const sum = (f: (i: number) => number) => x.reduce((total, _, i) => total + f(i), 0)
  const [dx, dy] = [(i: number) => x[i]! - middle, (i: number) => y[i]! - middle]
  return sum((i) => dx(i) * dy(i)) / Math.sqrt(sum((i) => dx(i) ** 2) * sum((i) => dy(i) ** 2))
}

function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).toSorted((i, j) => values[i]! - values[j]!)
  const ranked = Array.from<number>({ length: values.length })
  for (let from = 0; from < order.length;) {
    let to = from
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++
    for (let i = from; i < to; i++) ranked[order[i]!] = (from + to + 1) / 2
    from = to
  }
  return ranked
}
