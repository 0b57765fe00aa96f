import { join } from 'node:path'
import ava from 'ava'
import { Phrases, WordVectors } from 'inlay'
import { folder, inlay } from './inlay.js'

// One process at a time: dozens at once would only wait for each other.
const test = ava.serial

const text = Array.from({ length: 400 }, (_, i) =>
  i % 2 === 0 ? `we saw new york in w${i % 11}` : `w${i % 7} and w${i % 5} saw us`,
).join('\n')

test('phrases are found, listed, and joined where vectors are trained', async (t) => {
  const inside = folder(t, { 'text.txt': text })
  const train = await inlay(
    inside,
    'phrases train text.txt -o p.safetensors --scoring npmi --threshold 0.6 --connector-words in,and',
  )
  t.is(train.code, 0, train.stderr)
  t.is(train.stdout, '')
  t.regex(train.stderr, /phrases in p\.safetensors\n$/)
  using phrases = await Phrases.open(join(inside, 'p.safetensors'))
  t.deepEqual(phrases.options.connectorWords, ['in', 'and'])

  const list = await inlay(inside, 'phrases list p.safetensors')
  const listed = list.stdout.trimEnd().split('\n')
  t.is(listed.length, phrases.size)
  t.true(
    listed.some((line) => /^[\d.]+\t200\t1\tnew_york$/.test(line)),
    list.stdout,
  )
  const first = await inlay(inside, 'phrases list p.safetensors -k 1')
  t.is(first.stdout, `${listed[0]}\n`)

  const words = await inlay(
    inside,
    'word2vec train text.txt -o v.txt -q --phrases p.safetensors --dimensions 4 --epochs 1',
  )
  t.is(words.code, 0, words.stderr)
  using vectors = await WordVectors.open(join(inside, 'v.txt'))
  t.true(vectors.has('new_york'))
  t.false(vectors.has('york'))
})

test('wrong use is one line, and nothing that is read is overwritten', async (t) => {
  const inside = folder(t, { 'text.txt': text })
  for (const [line, message] of [
    ['phrases train text.txt', /-o PHRASES is missing/],
    ['phrases train text.txt -o text.txt', /would overwrite text\.txt/],
    ['phrases train text.txt -o p --delimiter ab', /--delimiter must be one character/],
    ['phrases train text.txt -o p --threshold -1', /--threshold must be a number above 0/],
  ] as const) {
    const { code, stderr } = await inlay(inside, line)
    t.is(code, 2, line)
    t.regex(stderr, message)
  }
  const none = await inlay(inside, 'phrases list text.txt')
  t.is(none.code, 1)
})
