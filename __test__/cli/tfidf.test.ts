import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ava from 'ava'
import { SparseMatrix, TfidfVectorizer } from 'inlay'
import { folder, inlay } from './inlay.js'

// One process at a time: dozens at once would only wait for each other.
const test = ava.serial

const text = Array.from({ length: 300 }, (_, i) => `cat${i % 7} dog${i % 3} the bird`).join('\n')

test('a vectorizer, its terms and its matrix are written, and other texts are weighed by it', async (t) => {
  const inside = folder(t, { 'text.txt': text, 'more.txt': 'the cat1\n\nnothing known\n' })
  const train = await inlay(
    inside,
    'tfidf train text.txt -o v.safetensors --matrix m.npz --terms t.txt --max-ngram 2 --stop-words the',
  )
  t.is(train.code, 0, train.stderr)
  t.is(train.stdout, '')
  t.regex(train.stderr, /terms of 300 documents in v\.safetensors\n$/)
  using vectorizer = await TfidfVectorizer.open(join(inside, 'v.safetensors'))
  t.is(vectorizer.options.maxNgram, 2)
  const terms = readFileSync(join(inside, 't.txt'), 'utf8').trimEnd().split('\n')
  t.deepEqual(terms, vectorizer.terms.slice())
  t.true(terms.includes('cat1') && terms.includes('dog1 bird') && !terms.includes('the'))
  using matrix = await SparseMatrix.open(join(inside, 'm.npz'))
  t.deepEqual([matrix.rows, matrix.columns], [300, terms.length])

  const transform = await inlay(inside, 'tfidf transform v.safetensors more.txt -o more.npz')
  t.is(transform.code, 0, transform.stderr)
  using more = await SparseMatrix.open(join(inside, 'more.npz'))
  t.is(more.rows, 3)
  t.deepEqual([...more.row(0).indices], [terms.indexOf('cat1')])
  t.is(more.row(2).indices.length, 0)
})

test('wrong use is one line, and nothing that is read is overwritten', async (t) => {
  const inside = folder(t, { 'text.txt': text })
  for (const [line, message] of [
    ['tfidf train text.txt', /-o VECTORIZER is missing/],
    ['tfidf train text.txt -o text.txt', /would overwrite text\.txt/],
    ['tfidf train text.txt -o v --max-ngram 0', /--max-ngram must be/],
    ['tfidf train text.txt -o v --unit characters --stop-words the', /stop/],
    ['tfidf train text.txt -o v --hashed-columns 50 --terms terms.txt', /--terms has no meaning/],
    ['tfidf transform v.safetensors text.txt', /-o MATRIX is missing/],
    ['tfidf transform text.txt text.txt -o m.npz', /text\.txt/],
  ] as const) {
    const { code, stderr } = await inlay(inside, line)
    t.true(code === 1 || code === 2, `${line}: ${stderr}`)
    t.regex(stderr, message)
  }
  t.false(existsSync(join(inside, 'm.npz')) || existsSync(join(inside, 'v')))
  t.is(readFileSync(join(inside, 'text.txt'), 'utf8'), text)
})
