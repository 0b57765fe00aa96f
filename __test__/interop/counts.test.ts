// Vectorizers beside scikit-learn's, and sparse matrices to SciPy and back.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { InlayError, NgramVectorizer, SparseMatrix, TfidfVectorizer } from 'inlay'
import { folder } from '../fixtures/folder.js'

const python = join(resolve(process.env['INLAY_PEERS'] ?? '.peers'), '.venv', 'bin', 'python')
const here = join(import.meta.dirname, '..', '..', '..', '__test__', 'interop')

function runs(t: ExecutionContext, module: string): boolean {
  try {
    if (!existsSync(python)) throw new Error('no Python')
    execFileSync(python, ['-c', `import ${module}`], { stdio: 'ignore' })
    return true
  } catch {
    t.log(`skipped: ${module} is not installed`)
    t.pass()
    return false
  }
}

const texts = [
  "The cat sat on the mat; the cat's mat!",
  'A dog_1 and 2 dogs: DOGS, naïve café — Größe ΣΊΣΥΦΟΣ',
  '',
  'cafe\u0301 中文 字词 x y\tz  \n\n w',
  'the the the of of and',
  'short a bc def ghij klmnop qrstuvw x²',
  'tabs\t\tand\u00a0spaces \u2003 everywhere',
]

interface Case {
  readonly kind: 'counts' | 'tfidf' | 'hashing'
  /** scikit-learn's. */
  readonly options: object
  readonly ours: object
}

const analyses = [
  [{}, {}],
  [
    { ngram_range: [1, 3], stop_words: ['the', 'of'] },
    { maxNgram: 3, stopWords: ['the', 'of'] },
  ],
  [
    { analyzer: 'char', ngram_range: [2, 4] },
    { unit: 'characters', minNgram: 2, maxNgram: 4 },
  ],
  [
    { analyzer: 'char_wb', ngram_range: [1, 6], lowercase: false },
    { unit: 'characters-in-words', maxNgram: 6, lowercase: false },
  ],
] as const
const limits = [
  [{}, {}],
  [
    { min_df: 2, max_df: 0.6 },
    { minDocuments: 2, maxShare: 0.6 },
  ],
] as const
const weights = [
  ['counts', {}, {}],
  ['counts', { binary: true }, { binary: true }],
  ['tfidf', {}, {}],
  [
    'tfidf',
    { sublinear_tf: true, smooth_idf: false, norm: 'l1' },
    { sublinear: true, smoothIdf: false, norm: 'l1' },
  ],
  ['tfidf', { binary: true, norm: null }, { binary: true, norm: 'none' }],
] as const

const cases: Case[] = []
for (const [theirs, ours] of analyses) {
  for (const [theirLimits, ourLimits] of limits) {
    for (const [kind, theirWeights, ourWeights] of weights) {
      cases.push({
        kind,
        options: { ...theirs, ...theirLimits, ...theirWeights },
        ours: { ...ours, ...ourLimits, ...ourWeights },
      })
    }
  }
  cases.push(
    {
      kind: 'hashing',
      options: { ...theirs, n_features: 64 },
      ours: { ...ours, columns: 64, norm: 'l2' },
    },
    {
      kind: 'hashing',
      options: { ...theirs, alternate_sign: false, norm: null, n_features: 1000 },
      ours: { ...ours, columns: 1000, alternateSign: false },
    },
  )
}

test("terms and rows are scikit-learn's", async (t) => {
  if (!runs(t, 'sklearn')) return
  const input = JSON.stringify(cases.map(({ kind, options }) => ({ kind, options, texts })))
  const script = join(here, 'sklearn_vectorizers.py')
  const answers = JSON.parse(execFileSync(python, [script], { input, encoding: 'utf8' }))
  let compared = 0
  for (const [i, { kind, ours }] of cases.entries()) {
    const what = `${kind} ${JSON.stringify(ours)}`
    const { terms, columns, rows } = answers[i]
    const vectorizer = await {
      counts: () => NgramVectorizer.train(texts, ours),
      tfidf: () => TfidfVectorizer.train(texts, ours),
      hashing: async () => NgramVectorizer.hashing(ours),
    }[kind]()
    using _ = vectorizer
    using matrix = await vectorizer.transform(texts)
    t.deepEqual(vectorizer.terms.slice(), terms, what)
    t.is(matrix.columns, columns, what)
    for (const [r, [indices, values]] of rows.entries()) {
      const row = matrix.row(r)
      t.deepEqual([...row.indices], indices, `${what}, row ${r}`)
      for (const [at, value] of (values as number[]).entries()) {
        t.true(Math.abs(row.values[at]! - value) <= 1e-6 * Math.max(1, Math.abs(value)), what)
        compared++
      }
    }
  }
  t.true(compared > 2000, `${compared} values were compared`)
})

test('matrices go to SciPy and come back', async (t) => {
  if (!runs(t, 'scipy')) return
  const inside = folder(t)
  using matrix = SparseMatrix.from({
    columns: 5,
    offsets: Float64Array.of(0, 2, 2, 3),
    indices: Uint32Array.of(1, 4, 0),
    values: Float32Array.of(0.5, -2, 3),
  })
  const path = join(inside, 'ours.npz')
  await matrix.save(path)
  const script = join(here, 'scipy_sparse.py')
  const back = join(inside, 'theirs.npz')
  const said = JSON.parse(execFileSync(python, [script, path, back], { encoding: 'utf8' }))
  t.deepEqual(said, {
    format: 'csr',
    shape: [3, 5],
    dtype: 'float32',
    rows: [
      [0, 0.5, 0, 0, -2],
      [0, 0, 0, 0, 0],
      [3, 0, 0, 0, 0],
    ],
  })
  using twice = await SparseMatrix.open(back)
  t.deepEqual([...(await twice.toVectors()).values], [0, 1, 0, 0, -4, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0])
  execFileSync(python, [script, path, back, 'csc'])
  const error = await t.throwsAsync(SparseMatrix.open(back), { instanceOf: InlayError })
  t.is(error.code, 'UNSUPPORTED')
  t.true(readFileSync(path).length > 0)
})
