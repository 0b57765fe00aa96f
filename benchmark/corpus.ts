// Text to a vocabulary and word numbers, beside plain maps in Rust and in JavaScript.
import { createReadStream } from 'node:fs'
import { availableParallelism } from 'node:os'
import { Corpus } from 'inlay'
import type { Family, Settings } from './family.js'
import { timed } from './processes.js'
import { type Contender, type Missing, hold, stopwatch } from './rounds.js'
import { rust } from './rust.js'
import { type BenchmarkText, benchmarkText, root } from './texts.js'

export const corpus: Family = {
  name: 'corpus',
  summary: 'text to word numbers, beside plain maps in Rust and JavaScript',
  about: `Bytes of text a second: split at white space, counted, and (text to ids) written to a file as numbers of a sorted
vocabulary. Files that the system has in memory. "Count" is the first half of the work and what the plain maps are compared
with. Every contender must find the same number of words and of different words.`,
  options: ['only', 'rounds', 'megabytes'],
  contests: () => ['text'],

  async run({ chosen, rounds, say, tell, megabytes }: Settings) {
    if (!chosen('text')) return
    const text = await benchmarkText(megabytes ?? 100, say)
    const threads = availableParallelism()
    const contest = {
      id: 'text',
      title: 'Splitting and counting text',
      about: `${text.title}: ${text.words.toLocaleString('en')} words, ${text.types.toLocaleString('en')} different ones.`,
      unit: 'bytes',
      work: text.bytes,
      clock: 'wall' as const,
      contenders: [
        reading(text, threads),
        ...(threads > 1 ? [reading(text, 1)] : []),
        ...(await inRust(text, threads, say)),
        countingInJavaScript(text),
        numberingInJavaScript(text),
      ],
    }
    tell(await hold(contest, rounds, say))
  },
}

/** Ours, from JavaScript. */
function reading(text: BenchmarkText, threads: number): Contender {
  return {
    name: `inlay, text to ids, ${threads} thread(s)`,
    async run() {
      let read: Corpus | undefined
      const sample = await stopwatch(async () => {
        read = await Corpus.read(text.path, { minCount: 5, threads })
      })
      const { size, tokens, dropped } = read!
      check('inlay', text, { types: size + dropped.words, words: tokens + dropped.tokens })
      if (size !== text.frequent) throw new Error(`inlay kept ${size} words of ${text.frequent}`)
      read!.close()
      return sample
    },
  }
}

/** The example `count` of the crate: counting alone, and the plain HashMap. It compares their results itself. */
async function inRust(
  text: BenchmarkText,
  threads: number,
  say: (text: string) => void,
): Promise<(Contender | Missing)[]> {
  const names = [
    ...[`count, ${threads} threads`, 'count, 1 thread'].map((line) => [line, `inlay, ${line}`]),
    ['std split + HashMap, 1 thread', 'plain Rust, count, std HashMap, 1 thread'],
  ] as [line: string, name: string][]
  const found = await rust()
  if (!found) return names.map(([, name]) => ({ name, missing: 'no Rust' }))
  say('building the example of crates/corpus')
  const cargo = (...args: string[]) => timed({ command: 'cargo', args, cwd: root, env: found.env })
  const example = ['--quiet', '--release', '-p', 'inlay-corpus', '--example', 'count']
  await cargo('build', ...example)

  let measured = -1
  const rates = new Map<string, number>()
  return names.map(([line, name]) => ({
    name,
    async run(round) {
      if (measured !== round) {
        const { output } = await cargo('run', ...example, '--', text.path, `${threads}`, '1')
        const [, types, words] = /^(\d+) types, (\d+) words/m.exec(output) ?? []
        check('the example of crates/corpus', text, { types: Number(types), words: Number(words) })
        for (const [, about, rate] of output.matchAll(/^(.+?) {2,}(\d+) MB\/s/gm)) {
          rates.set(about!.trim(), Number(rate) * 1e6)
        }
        measured = round
      }
      const rate = rates.get(line)
      if (rate === undefined) throw new Error(`the example of crates/corpus tells no "${line}"`)
      return { wall: text.bytes / rate }
    },
  }))
}

/** What one would write: a stream, `split`, a Map. */
function countingInJavaScript(text: BenchmarkText): Contender {
  return {
    name: 'plain JavaScript, count, Map',
    async run() {
      const counts = new Map<string, number>()
      let words = 0
      const sample = await stopwatch(async () => {
        for await (const some of wordsByChunk(text.path)) {
          for (const word of some) counts.set(word, (counts.get(word) ?? 0) + 1)
          words += some.length
        }
      })
      check('JavaScript', text, { types: counts.size, words })
      return sample
    },
  }
}

/** The whole work: numbers by rank, of words that occur five times or more. */
function numberingInJavaScript(text: BenchmarkText): Contender {
  return {
    name: 'plain JavaScript, text to ids, Map',
    async run() {
      const numbers = new Map<string, number>()
      const counts: number[] = []
      const ids: number[] = []
      let kept = 0
      const sample = await stopwatch(async () => {
        for await (const some of wordsByChunk(text.path)) {
          for (const word of some) {
            let number = numbers.get(word)
            if (number === undefined) numbers.set(word, (number = counts.push(0) - 1))
            counts[number]!++
            ids.push(number)
          }
        }
        const ranked = [...counts.keys()].filter((number) => counts[number]! >= 5)
        ranked.sort((a, b) => counts[b]! - counts[a]!)
        const ranks = new Int32Array(counts.length).fill(-1)
        for (const [rank, number] of ranked.entries()) ranks[number] = rank
        const final = Int32Array.from(ids, (number) => ranks[number]!).filter((rank) => rank >= 0)
        kept = ranked.length
        if (final.length === 0) throw new Error('no words')
      })
      check('JavaScript', text, { types: counts.length, words: ids.length })
      if (kept !== text.frequent) throw new Error(`JavaScript kept ${kept} words`)
      return sample
    },
  }
}

async function* wordsByChunk(path: string): AsyncGenerator<string[]> {
  let rest = ''
  for await (const chunk of createReadStream(path, { encoding: 'utf8', highWaterMark: 1 << 20 })) {
    const some = (rest + (chunk as string)).split(/\s+/)
    rest = some.pop()!
    yield some[0] === '' ? some.slice(1) : some
  }
  if (rest !== '') yield [rest]
}

function check(
  name: string,
  text: BenchmarkText,
  { types, words }: { types: number; words: number },
): void {
  if (types === text.types && words === text.words) return
  throw new Error(
    `${name} found ${words} words and ${types} different ones, there are ${text.words} and ${text.types}`,
  )
}
