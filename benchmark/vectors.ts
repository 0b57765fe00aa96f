// Exact search in word vectors, beside merely reading them and beside gensim; and opening files.
import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { WordVectors } from 'inlay'
import { AnsweringProgram } from './answering.js'
import type { Family, Settings } from './family.js'
import { timed } from './processes.js'
import {
  type Contender,
  type Contest,
  type Missing,
  type Sample,
  hold,
  stopwatch,
} from './rounds.js'
import { rust } from './rust.js'
import type { Kept, Question } from './searcher.js'
import { root } from './texts.js'
import { gensimScript, missingPeer, python } from './trainers.js'

const dimensions = 300
/** Queries in one turn: one alone would be measured with the clock's and the scheduler's noise. */
const queriesInTurn = 5
const queriesTogether = 64
const topK = 10

type Found = readonly (readonly [word: string, similarity: number])[]
type Answer = Sample & { readonly found: readonly Found[] }
type Searcher = AnsweringProgram<Answer>

export const vectors: Family = {
  name: 'vectors',
  summary: 'exact search beside reading the matrix and beside gensim; opening files',
  about: `Exact search for the 10 nearest of all rows by cosine, ${dimensions} dimensions, in clusters so that
neighbours exist. "Reading" adds up the same number of bytes on as many threads, in plain Rust with large pages: what
any exact search must do at least. Answers count when they are those of a plain loop in JavaScript (words and
similarities; of float16 and int8, most of the words).`,
  options: ['only', 'rounds', 'rows'],
  contests: () => ['search-one', 'search-all', 'open'],

  async run({ chosen, rounds, say, tell, folder, ...settings }: Settings) {
    const size = settings.rows ?? 400_000
    say(`making ${size} x ${dimensions} values`)
    const words = Array.from({ length: size }, (_, i) => `word${i}`)
    const rows = clusteredRows(size)
    using all = WordVectors.from(words, rows, dimensions)
    await all.save(join(folder, 'v.safetensors'))
    await all.save(join(folder, 'v.npy'))
    writeFileSync(join(folder, 'names'), `${words.join('\n')}\n`)

    const asked = Array.from({ length: queriesInTurn }, (_, i) => words[(i * 7919) % size]!)
    const expected = new Map(asked.map((word) => [word, nearest(rows, words.indexOf(word))]))
    const cores = availableParallelism()
    for (const threads of cores > 1 ? [1, cores] : [1]) {
      if (!chosen(threads === 1 ? 'search-one' : 'search-all')) continue
      say(`loading searchers of ${threads} thread(s)`)
      await searches(threads, size, asked, expected, folder, async (contest) =>
        tell(await hold(contest, rounds, say)),
      )
    }
    if (chosen('open')) tell(await hold(await opening(all, folder), rounds, say))
  },
}

/** The searches on so many threads; programs are ended when `use` is done. */
async function searches(
  threads: number,
  size: number,
  asked: readonly string[],
  expected: ReadonlyMap<string, Found>,
  folder: string,
  use: (contest: Contest) => Promise<void>,
): Promise<void> {
  const searcher = join(import.meta.dirname, 'searcher.js')
  await using ours: Searcher = await AnsweringProgram.start<Answer>({
    command: process.execPath,
    args: [searcher, 'v.safetensors', `${threads}`],
    cwd: folder,
  })
  const missing = missingPeer(python)
  await using gensim: Searcher | undefined = missing
    ? undefined
    : await AnsweringProgram.start<Answer>({
        command: python,
        args: [gensimScript, 'search', 'v.npy', 'names'],
        cwd: folder,
        env: { OMP_NUM_THREADS: `${threads}`, OPENBLAS_NUM_THREADS: `${threads}` },
      })
  const built = await builtReader(folder)
  await using reader = built
    ? await AnsweringProgram.start({
        command: built,
        args: [`${size * dimensions}`, `${threads}`],
        cwd: folder,
      })
    : undefined

  const one = (name: string, kept: Kept, least = 1): Contender => ({
    name,
    work: queriesInTurn,
    async run() {
      const question: Question = { kept, words: asked, together: false }
      return checked(name, await ours.ask(JSON.stringify(question)), asked, expected, least)
    },
  })
  const many = Array.from(
    { length: queriesTogether },
    (_, i) => asked[i] ?? `word${(i * 31) % size}`,
  )
  const together = (name: string, kept: Kept, least = 1): Contender => ({
    name,
    work: many.length,
    async run() {
      const question: Question = { kept, words: many, together: true }
      return checked(name, await ours.ask(JSON.stringify(question)), asked, expected, least)
    },
  })
  const reading: Contender | Missing = reader
    ? {
        name: 'merely reading float32',
        work: queriesInTurn,
        run: () => reader.ask(`${queriesInTurn}`),
      }
    : { name: 'merely reading float32', missing: 'no rustc' }
  const peer: Contender | Missing = gensim
    ? {
        name: 'gensim most_similar',
        work: queriesInTurn,
        run: async () =>
          checked('gensim', await gensim.ask(JSON.stringify(asked)), asked, expected, 1),
      }
    : { name: 'gensim most_similar', missing: missing! }

  await use({
    id: threads === 1 ? 'search-one' : 'search-all',
    title: `One query over ${size.toLocaleString('en')} x ${dimensions}: ${threads} thread(s)`,
    about: `${((size * dimensions * 4) / 1e6).toFixed(0)} MB of float32, ${threads} thread(s); milliseconds on the wall for one query,
from JavaScript to its answer in JavaScript. Rows of ${queriesTogether} are per query, when so many are asked at once.`,
    unit: 'queries',
    work: queriesInTurn,
    clock: 'wall',
    shows: 'milliseconds',
    contenders: [
      reading,
      one('inlay, float32', 'float32'),
      one('inlay, float32, mapped file', 'mapped'),
      one('inlay, float16', 'float16', 0.9),
      one('inlay, int8', 'int8', 0.7),
      together(`inlay, float32, ${queriesTogether} at once`, 'float32'),
      together(`inlay, int8, ${queriesTogether} at once`, 'int8', 0.7),
      peer,
    ],
  })
}

/** The time of an answer, if it is the right one: at least this share of the nearest words. */
function checked(
  name: string,
  { wall, cpu, found }: Answer,
  asked: readonly string[],
  expected: ReadonlyMap<string, Found>,
  least: number,
): Sample {
  for (const [i, word] of asked.entries()) {
    const right = new Map(expected.get(word))
    const got = found[i] ?? []
    const share = got.filter(([near]) => right.has(near)).length / right.size
    if (got.length !== right.size || share < least) {
      throw new Error(`${name} found ${share * 100} % of the words nearest to ${word}`)
    }
    const bound = least === 1 ? 1e-5 : 1e-2
    const isOff = ([near, similarity]: Found[number]) =>
      Math.abs((right.get(near) ?? similarity) - similarity) > bound
    const off = got.find(isOff)
    if (off) throw new Error(`${name}: ${word} and ${off[0]} are not similar by ${off[1]}`)
  }
  return { wall, ...(cpu !== undefined && { cpu }) }
}

/** Files of the same vectors, opened until a word's vector can be read. */
async function opening(all: WordVectors, folder: string): Promise<Contest> {
  await all.save(join(folder, 'v.bin'))
  await all.save(join(folder, 'v.txt'))
  const last = all.words.at(-1)!
  const expected = all.vector(last)
  const open = (name: string, file: string, vocabulary?: string): Contender => ({
    name,
    async run() {
      let found: Float32Array = new Float32Array()
      let opened: WordVectors | undefined
      const sample = await stopwatch(async () => {
        opened = await WordVectors.open(join(folder, file), vocabulary ? { vocabulary } : {})
        found = opened.vector(last)
      })
      if (opened?.size !== all.size || found.some((value, i) => value !== expected[i])) {
        throw new Error(`${file} was not opened as it was saved`)
      }
      opened.close()
      return sample
    },
  })
  const missing = missingPeer(python)
  return {
    id: 'open',
    title: `Opening a file of ${all.size.toLocaleString('en')} x ${all.dimensions}`,
    about: `Milliseconds on the wall until the last word's vector can be read, from files that the system has in memory. Our
safetensors file is mapped: its time does not grow with its size.`,
    unit: 'files',
    work: 1,
    clock: 'wall',
    shows: 'milliseconds',
    contenders: [
      open('inlay, safetensors', 'v.safetensors'),
      open('inlay, .npy and its words', 'v.npy', join(folder, 'names')),
      open('inlay, word2vec binary', 'v.bin'),
      open('inlay, word2vec text', 'v.txt'),
      missing
        ? { name: 'gensim, word2vec binary', missing }
        : {
            name: 'gensim, word2vec binary',
            async run() {
              const args = [gensimScript, 'open', 'v.bin']
              const { output } = await timed({ command: python, args, cwd: folder })
              const { wall, cpu, size } = JSON.parse(output) as Sample & { size: number }
              if (size !== all.size) throw new Error(`gensim read ${size} words`)
              return { wall, cpu: cpu! }
            },
          },
    ],
  }
}

/** Rows around a hundredth as many centres. */
function clusteredRows(size: number): Float32Array<ArrayBuffer> {
  let state = 1
  const random = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state / 2 ** 31
  }
  const clusters = Math.ceil(size / 100)
  const centres = Float32Array.from({ length: clusters * dimensions }, random)
  const rows = new Float32Array(size * dimensions)
  for (let row = 0; row < size; row++) {
    const centre = (row % clusters) * dimensions
    for (let i = 0; i < dimensions; i++) {
      rows[row * dimensions + i] = centres[centre + i]! + 0.8 * random()
    }
  }
  return rows
}

/** The nearest rows by the definition, in double precision. */
function nearest(rows: Float32Array, query: number): Found {
  const size = rows.length / dimensions
  const dot = (a: number, b: number) => {
    let sum = 0
    for (let i = 0; i < dimensions; i++)
      sum += rows[a * dimensions + i]! * rows[b * dimensions + i]!
    return sum
  }
  const own = Math.sqrt(dot(query, query))
  const best: [string, number][] = []
  for (let row = 0; row < size; row++) {
    if (row === query) continue
    const cosine = dot(row, query) / own / Math.sqrt(dot(row, row))
    if (best.length === topK && cosine <= best.at(-1)![1]) continue
    const place = best.findIndex(([, similarity]) => cosine > similarity)
    best.splice(place < 0 ? best.length : place, 0, [`word${row}`, cosine])
    if (best.length > topK) best.pop()
  }
  return best
}

/** read_matrix.rs, built for this machine; undefined without Rust. */
async function builtReader(folder: string): Promise<string | undefined> {
  const found = await rust()
  if (!found) return undefined
  const program = join(folder, 'read_matrix')
  const source = join(root, 'benchmark', 'read_matrix.rs')
  const flags = ['--edition', '2024', '-C', 'opt-level=3', '-C', 'target-cpu=native', '-o', program]
  await timed({ command: 'rustc', args: [...flags, source], cwd: root, env: found.env })
  return program
}
