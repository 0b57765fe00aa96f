// Chinese text from news headlines to vectors, where the data sets are.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { Corpus, Lda, TfidfVectorizer, Word2Vec } from 'inlay'

const root = join(import.meta.dirname, '..', '..', '..')
const data = process.env['INLAY_DATA'] ?? join(root, '..', 'shared', 'data')
const chinese = { tokenizer: 'chinese' } as const

/** Lines of a data set; undefined, and a word that the test is skipped, where it is not. */
function linesOf(name: string, t: ExecutionContext): string[] | undefined {
  const path = join(data, 'text', 'chinese', name)
  if (!existsSync(path)) {
    t.log(`skipped: no ${name} in INLAY_DATA`)
    t.pass()
    return undefined
  }
  return gunzipSync(readFileSync(path)).toString('utf8').trimEnd().split('\n')
}

/** Titles of news. */
function titles(t: ExecutionContext): string[] | undefined {
  return linesOf('toutiao-titles.tsv.gz', t)?.map((line) => line.split('\t').at(-1)!)
}

test('a corpus of Chinese has words, not sentences', async (t) => {
  const sentences = ['我来到北京清华大学。', '他来到了网易杭研大厦,在北京。']
  using corpus = await Corpus.read(sentences, { ...chinese, minCount: 1 })
  t.deepEqual(corpus.words.slice(0, 2), ['来到', '北京'])
  t.is(corpus.count('清华大学'), 1)
  t.is(corpus.count('。'), 0)
})

test('words of Chinese titles find titles that share them', async (t) => {
  const texts = titles(t)
  if (!texts) return
  const { vectorizer, matrix } = await TfidfVectorizer.trainAndTransform(texts, chinese)
  const place = texts.findIndex((text) => text.length > 20)
  const [near] = await matrix.mostSimilar(matrix.rowsAt([place]), { topK: 2 })
  t.is(near![0]!.row, place)
  t.true(near![0]!.score > 0.999 && near![1]!.score < 1.001)
  t.true(vectorizer.terms.length > 10_000)
})

test('Word2Vec learns Chinese words', async (t) => {
  const texts = titles(t)
  if (!texts) return
  using model = await Word2Vec.train(texts, {
    ...chinese,
    dimensions: 50,
    epochs: 20,
    minCount: 10,
  })
  const near = await model.vectors.mostSimilar('手机', { topK: 30 })
  t.true(
    near.some(({ word }) =>
      ['智能手机', '苹果', '小米', '华为', 'iPhone', '旗舰机'].includes(word),
    ),
    near.map(({ word }) => word).join(' '),
  )
})

test('topics of Chinese news tell its classes apart', async (t) => {
  const lines = linesOf('sogou-news.jsonl.gz', t)
  if (!lines) return
  const news = lines.map((line) => JSON.parse(line) as { class: string; text: string })
  const some = news.filter((_, i) => i % 3 === 0)
  const texts = some.map(({ text }) => text)
  const stopWords = [
    '的',
    '了',
    '在',
    '是',
    '和',
    '有',
    '不',
    '也',
    '为',
    '与',
    '将',
    '对',
    '中',
    '上',
  ]
  using model = await Lda.train(texts, { ...chinese, stopWords, topics: 20, iterations: 100 })
  const rows = await model.encode(texts)
  const classesOf = new Map<number, Map<string, number>>()
  for (const [document, row] of [...rows].entries()) {
    const topic = row.indexOf(Math.max(...row))
    const classes = classesOf.get(topic) ?? new Map<string, number>()
    const name = some[document]!.class
    classesOf.set(topic, classes.set(name, (classes.get(name) ?? 0) + 1))
  }
  // The largest class of each topic, of ten that are as large as each other.
  const largest = [...classesOf.values()].map((classes) => Math.max(...classes.values()))
  const share = largest.reduce((sum, count) => sum + count) / some.length
  t.true(share > 0.45, `${share}`)
})
