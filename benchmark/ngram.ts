// N-gram language models beside KenLM and plain JavaScript: estimation, perplexity, sizes of files.
import { readFile, stat, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { NgramLanguageModel } from 'inlay'
import type { Family, Scores, Settings } from './family.js'
import { type Backoff, estimate, score } from './kneser-ney.js'
import { type Program, timed } from './processes.js'
import { type Contender, type Contest, type Missing, hold, stopwatch } from './rounds.js'
import { benchmarkText, root } from './texts.js'
import { peers } from './trainers.js'

const programs = join(peers, 'kenlm', 'bin')
const cli = join(root, 'dist', 'cli', 'main.js')
const order = 5
const wordsInLine = 20
/** Bytes that plain JavaScript reads: strings of all n-grams of more would not fit into its memory. */
const little = 1e6

export const ngram: Family = {
  name: 'ngram',
  summary: 'NgramLanguageModel beside KenLM and plain JavaScript',
  about: `Order ${order}, nothing pruned, lines of ${wordsInLine} words, one thread each, whole processes from a text file to a
model file or to the perplexity of the text that comes next. The ARPA files of inlay and lmplz must agree in every byte, perplexities
in all digits that KenLM prints. KenLM is looked for in \`kenlm/bin\` of INLAY_PEERS; its figures of perplexity are those of a probing
model. Plain JavaScript has ${little / 1e6} MB of the text; its rate is that of its own words.`,
  options: ['only', 'rounds', 'megabytes'],
  contests: () => ['ngram-train', 'ngram-perplexity', 'ngram-sizes'],

  async run({ chosen, rounds, say, tell, folder, ...settings }: Settings) {
    const megabytes = settings.megabytes ?? 30
    const texts = await textsOf(megabytes, folder, say)
    if (chosen('ngram-train')) tell(await hold(training(texts, folder), rounds, say))
    if (!chosen('ngram-perplexity') && !chosen('ngram-sizes')) return
    const files = await modelsOf(texts, folder)
    if (chosen('ngram-perplexity')) tell(await hold(perplexity(texts, files, folder), rounds, say))
    if (chosen('ngram-sizes')) tell(await sizes(texts, files))
  },
}

interface Texts {
  readonly title: string
  readonly train: string
  readonly test: string
  readonly words: number
  readonly testWords: number
  /** The beginnings of both, as plain JavaScript has them. */
  readonly few: readonly (readonly string[])[]
  readonly fewOfTest: readonly (readonly string[])[]
}

/** Twice the megabytes, cut in the middle. */
async function textsOf(megabytes: number, folder: string, say: Settings['say']): Promise<Texts> {
  const { path, title } = await benchmarkText(2 * megabytes, say)
  const words = (await readFile(path, 'utf8')).split(/\s+/).filter(Boolean)
  const half = Math.floor(words.length / 2 / wordsInLine) * wordsInLine
  const lines = (from: number, to: number) =>
    Array.from({ length: Math.ceil((to - from) / wordsInLine) }, (_, i) =>
      words.slice(from + i * wordsInLine, Math.min(to, from + (i + 1) * wordsInLine)),
    )
  const [train, test] = [lines(0, half), lines(half, words.length)]
  const write = async (name: string, sentences: readonly (readonly string[])[]) => {
    await writeFile(join(folder, name), sentences.map((line) => `${line.join(' ')}\n`).join(''))
    return join(folder, name)
  }
  const beginning = (sentences: readonly (readonly string[])[]) => {
    let left = little
    return sentences.filter((line) => (left -= line.join(' ').length + 1) > 0)
  }
  return {
    title: `half of ${title}`,
    train: await write('train.txt', train),
    test: await write('test.txt', test),
    words: half,
    testWords: words.length - half,
    few: beginning(train),
    fewOfTest: beginning(test),
  }
}

const wordsOf = (sentences: readonly (readonly string[])[]) =>
  sentences.reduce((sum, line) => sum + line.length, 0)

/** A program of KenLM, or why it is not here. */
function kenlm(name: string, tool: string, run: Contender['run']): Contender | Missing {
  return existsSync(join(programs, tool))
    ? { name, run }
    : { name, missing: 'not installed: INLAY_PEERS has no kenlm/bin' }
}

function inlay(folder: string, ...args: readonly string[]): Program {
  return { command: process.execPath, args: [cli, 'ngram', ...args], cwd: folder }
}

function training(texts: Texts, folder: string): Contest {
  const train = (output: string) =>
    inlay(folder, 'train', texts.train, '-o', output, '--order', `${order}`, '--threads', '1', '-q')
  return {
    id: 'ngram-train',
    title: `Estimating a model of order ${order}`,
    about: `${texts.title}.`,
    unit: 'words',
    work: texts.words,
    clock: 'cpu',
    contenders: [
      { name: 'inlay, to an ARPA file', run: () => timed(train('ours.arpa')) },
      { name: 'inlay, to its own file', run: () => timed(train('ours.safetensors')) },
      kenlm('lmplz, to an ARPA file', 'lmplz', async () => {
        const sample = await timed(lmplz(texts, folder))
        await mustAgree(join(folder, 'ours.arpa'), join(folder, 'theirs.arpa'))
        return sample
      }),
      inJavaScript(texts),
    ],
  }
}

function lmplz(texts: Texts, folder: string): Program {
  const args = ['-o', `${order}`, '-S', '4G', '--text', texts.train, '--arpa', 'theirs.arpa']
  return { command: join(programs, 'lmplz'), args, cwd: folder }
}

function inJavaScript(texts: Texts): Contender {
  return {
    name: 'plain JavaScript',
    work: wordsOf(texts.few),
    async run() {
      let made: Backoff | undefined
      const sample = await stopwatch(() => (made = estimate(texts.few, order)))
      await mustSayTheSame(made!, texts)
      return sample
    },
  }
}

/** Ours, of the same few sentences: the discounts of lmplz count one n-gram differently. */
async function mustSayTheSame(made: Backoff, texts: Texts) {
  using model = await NgramLanguageModel.train(texts.few, { order })
  const ngrams = model.ngrams.reduce((sum, count) => sum + count, 0)
  if (made.size !== ngrams) throw new Error(`plain JavaScript: ${made.size} n-grams, not ${ngrams}`)
  const some = texts.fewOfTest.slice(0, 1000)
  const { logProbabilities } = await model.scoreAll(some)
  const ours = logProbabilities.reduce((sum, value) => sum + value, 0)
  const theirs = score(made, order, some)
  if (Math.abs(theirs / ours - 1) > 1e-3)
    throw new Error(`plain JavaScript: ${theirs}, not ${ours}`)
}

async function mustAgree(ours: string, theirs: string) {
  if (!existsSync(ours)) return
  if (!(await readFile(ours)).equals(await readFile(theirs))) {
    throw new Error(`${ours} and ${theirs} differ`)
  }
}

interface Files {
  readonly exact: string
  readonly quantized: string
  readonly probing: string
  readonly trie: string
}

async function modelsOf(texts: Texts, folder: string): Promise<Files> {
  const [exact, quantized] = ['exact.safetensors', 'quantized.safetensors'].map((name) =>
    join(folder, name),
  )
  using model = await NgramLanguageModel.train(texts.train, { order })
  await model.save(exact!)
  await model.save(quantized!, { quantization: 8 })
  const [probing, trie] = ['probing.bin', 'trie.bin'].map((name) => join(folder, name))
  if (existsSync(join(programs, 'build_binary'))) {
    await timed(lmplz(texts, folder))
    const build = (...args: string[]) =>
      timed({ command: join(programs, 'build_binary'), args, cwd: folder })
    await build('probing', 'theirs.arpa', probing!)
    await build('-q', '8', '-b', '8', 'trie', 'theirs.arpa', trie!)
  }
  return { exact: exact!, quantized: quantized!, probing: probing!, trie: trie! }
}

/** What KenLM's `query` finds. */
function query(model: string, texts: Texts, folder: string) {
  // `query` reads standard input only.
  const script = `exec '${join(programs, 'query')}' -v summary '${model}' < '${texts.test}'`
  return timed({ command: 'bash', args: ['-c', script], cwd: folder })
}

const perplexityOf = (output: string) => Number(/including OOVs:\s+(\S+)/.exec(output)?.[1])

function perplexity(texts: Texts, files: Files, folder: string): Contest {
  let expected: number | undefined
  const same = (name: string, found: number) => {
    expected ??= found
    if (!(Math.abs(found / expected - 1) < 1e-5))
      throw new Error(`${name}: ${found}, not ${expected}`)
  }
  return {
    id: 'ngram-perplexity',
    title: `The perplexity of a text, order ${order}`,
    about: `The text that comes next, from a model file that is in the system's memory.`,
    unit: 'words',
    work: texts.testWords,
    clock: 'cpu',
    contenders: [
      {
        name: 'inlay',
        async run() {
          let found: number | undefined
          const sample = await stopwatch(async () => {
            using model = await NgramLanguageModel.open(files.exact)
            found = (await model.perplexity(texts.test, { threads: 1 })).perplexity
          })
          same('inlay', found!)
          return sample
        },
      },
      kenlm('query of KenLM, probing', 'query', async () => {
        const said = await query(files.probing, texts, folder)
        same('query', perplexityOf(said.output))
        return said
      }),
      scoredInJavaScript(texts),
    ],
  }
}

function scoredInJavaScript(texts: Texts): Contender {
  let model: Backoff | undefined
  return {
    name: 'plain JavaScript',
    work: wordsOf(texts.fewOfTest),
    async run() {
      model ??= estimate(texts.few, order)
      let sum = 0
      const sample = await stopwatch(() => (sum = score(model!, order, texts.fewOfTest)))
      if (!(sum < 0)) throw new Error(`plain JavaScript: ${sum}`)
      return sample
    },
  }
}

async function sizes(texts: Texts, files: Files): Promise<Scores> {
  const rows: string[][] = []
  for (const [name, path] of [
    ['inlay', files.exact],
    ['inlay, quantization: 8', files.quantized],
  ] as const) {
    using model = await NgramLanguageModel.open(path)
    const found = await model.perplexity(texts.test)
    rows.push([name, ((await stat(path)).size / 1e6).toFixed(1), found.perplexity.toFixed(4)])
  }
  for (const [name, path] of [
    ['KenLM, probing', files.probing],
    ['KenLM, trie -q 8 -b 8', files.trie],
  ] as const) {
    if (!existsSync(path)) {
      rows.push([name, 'not installed: INLAY_PEERS has no kenlm/bin', ''])
      continue
    }
    const found = perplexityOf((await query(path, texts, join(path, '..'))).output)
    rows.push([name, ((await stat(path)).size / 1e6).toFixed(1), found.toFixed(4)])
  }
  return {
    id: 'ngram-sizes',
    title: `Model files of order ${order}`,
    about: `${texts.title}; the perplexity of the text that comes next.`,
    head: ['', 'MB', 'perplexity'],
    rows,
  }
}
