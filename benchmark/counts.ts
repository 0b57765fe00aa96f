// TF-IDF of short and of long documents beside scikit-learn, plain JavaScript and the package `natural`.
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { TfidfVectorizer } from 'inlay'
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
import { type BenchmarkText, benchmarkText, root } from './texts.js'
import { missingPeer, oneThreadEach, python } from './trainers.js'

const script = join(root, 'benchmark', 'sklearn_contender.py')
const peers = resolve(root, process.env['INLAY_PEERS'] ?? '.peers')
const wordsInDocument = [20, 200] as const
/** `natural` looks at all documents for each term of each. */
const fewDocuments = 1000

/** What all must agree on. */
interface Weights {
  readonly rows: number
  readonly columns: number
  readonly sum: number
}

export const counts: Family = {
  name: 'counts',
  summary: 'TF-IDF beside scikit-learn, plain JavaScript and natural',
  about: `Texts in memory to sparse weights of their words, a vocabulary included: lower case, words of two or more letters or
digits, smooth idf, rows of length 1. One thread each, compared by CPU seconds. All but natural, which has weights of its own kind, find the same
columns and the same sum of weights.`,
  options: ['only', 'rounds', 'megabytes'],
  contests: () => [...wordsInDocument.map((words) => `tfidf-${words}`), 'tfidf-natural'],

  async run({ chosen, rounds, say, tell, folder, ...settings }: Settings) {
    const text = await benchmarkText(settings.megabytes ?? 6, say)
    for (const words of wordsInDocument) {
      if (!chosen(`tfidf-${words}`)) continue
      tell(await hold(await beside(words, text, folder), rounds, say))
    }
    if (chosen('tfidf-natural')) tell(await hold(await besideNatural(text), rounds, say))
  },
}

async function documentsOf(text: BenchmarkText, words: number): Promise<string[]> {
  const all = (await readFile(text.path, 'utf8')).split(/\s+/).filter(Boolean)
  return Array.from({ length: Math.ceil(all.length / words) }, (_, i) =>
    all.slice(i * words, (i + 1) * words).join(' '),
  )
}

async function beside(words: number, text: BenchmarkText, folder: string): Promise<Contest> {
  const documents = await documentsOf(text, words)
  const path = join(folder, `documents-${words}.txt`)
  await writeFile(path, `${documents.join('\n')}\n`)
  let expected: Weights | undefined
  const same = (name: string, found: Weights) => {
    expected ??= found
    const { rows, columns, sum } = expected
    const isSame = found.rows === rows && found.columns === columns
    if (!isSame || Math.abs(found.sum / sum - 1) > 1e-5) {
      throw new Error(`${name}: ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`)
    }
  }
  const missing = missingPeer(python)
  const learn: Contender | Missing = missing
    ? { name: 'scikit-learn', missing }
    : {
        name: 'scikit-learn 1.9.1',
        async run() {
          const program = { command: python, args: [script, path], cwd: folder, env: oneThreadEach }
          const said: Sample & Weights = JSON.parse((await timed(program)).output)
          same('scikit-learn', said)
          return said
        },
      }
  return {
    id: `tfidf-${words}`,
    title: `TF-IDF of ${documents.length.toLocaleString('en')} documents of ${words} words`,
    about: `${text.title}.`,
    unit: 'documents',
    work: documents.length,
    clock: 'cpu',
    contenders: [
      ours('inlay', documents, (found) => same('inlay', found)),
      ours('inlay, from a file', path, (found) => same('inlay', found)),
      {
        name: 'plain JavaScript',
        async run() {
          let found: Weights | undefined
          const sample = await stopwatch(() => {
            found = inJavaScript(documents)
          })
          same('plain JavaScript', found!)
          return sample
        },
      },
      learn,
    ],
  }
}

function ours(
  name: string,
  source: string | readonly string[],
  check: (found: Weights) => void,
): Contender {
  return {
    name,
    async run() {
      let trained: Awaited<ReturnType<typeof TfidfVectorizer.trainAndTransform>> | undefined
      const sample = await stopwatch(async () => {
        trained = await TfidfVectorizer.trainAndTransform(source, { threads: 1 })
      })
      const { vectorizer, matrix } = trained!
      const sum = matrix.parts().values.reduce((total, value) => total + value, 0)
      check({ rows: matrix.rows, columns: matrix.columns, sum })
      vectorizer.close()
      matrix.close()
      return sample
    },
  }
}

/** As one would write it: a map of terms, rows of pairs. */
function inJavaScript(documents: readonly string[]): Weights {
  const vocabulary = new Map<string, number>()
  const frequencies: number[] = []
  const rows = documents.map((text) => {
    const row = new Map<number, number>()
    for (const [word] of text.toLowerCase().matchAll(/[\p{L}\p{N}_]{2,}/gu)) {
      let term = vocabulary.get(word)
      if (term === undefined) vocabulary.set(word, (term = vocabulary.size))
      const count = row.get(term)
      if (count === undefined) frequencies[term] = (frequencies[term] ?? 0) + 1
      row.set(term, (count ?? 0) + 1)
    }
    return row
  })
  const places = new Map([...vocabulary.keys()].toSorted().map((word, place) => [word, place]))
  const columns = Uint32Array.from(vocabulary.keys(), (word) => places.get(word)!)
  const idf = frequencies.map((df) => Math.log((1 + documents.length) / (1 + df)) + 1)
  let sum = 0
  for (const row of rows) {
    const indices = Uint32Array.from(row.keys(), (term) => columns[term]!).toSorted()
    const values = Float32Array.from(row, ([term, count]) => count * idf[term]!)
    const length = Math.hypot(...values)
    for (const value of values) sum += value / length
    if (indices.length !== values.length) throw new Error('a term without a weight')
  }
  return { rows: rows.length, columns: vocabulary.size, sum }
}

/** Weights of a thousand documents: `natural` has no sparse matrix, so terms with weights are listed. */
async function besideNatural(text: BenchmarkText): Promise<Contest> {
  const documents = (await documentsOf(text, 20)).slice(0, fewDocuments)
  const home = join(peers, 'node_modules', 'natural')
  const natural: Contender | Missing = existsSync(home)
    ? {
        name: 'natural 8.1.1',
        async run() {
          const { TfIdf } = createRequire(join(peers, 'x.js'))('natural')
          return stopwatch(() => {
            const tfidf = new TfIdf()
            for (const document of documents) tfidf.addDocument(document)
            let terms = 0
            for (const i of documents.keys()) terms += tfidf.listTerms(i).length
            if (terms < documents.length) throw new Error('natural: too few terms')
          })
        },
      }
    : { name: 'natural', missing: 'not installed: see benchmark/peers.sh' }
  return {
    id: 'tfidf-natural',
    title: `TF-IDF of ${fewDocuments.toLocaleString('en')} documents of 20 words`,
    about: `${text.title}.`,
    unit: 'documents',
    work: documents.length,
    clock: 'cpu',
    contenders: [
      ours('inlay', documents, ({ rows }) => {
        if (rows !== documents.length) throw new Error('inlay: too few rows')
      }),
      natural,
    ],
  }
}
