import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import ava from 'ava'
import { Word2Vec, WordVectors } from 'inlay'
import { colouredText, folder, goesOnAfter, inlay, start } from './inlay.js'

// One process at a time: dozens at once would only wait for each other.
const test = ava.serial

test('train writes vectors that know which words stand together', async (t) => {
  const inside = folder(t, { 'one.txt': colouredText(600), 'two.txt': colouredText(600) })
  const { code, stdout, stderr } = await inlay(
    inside,
    `word2vec train one.txt two.txt -o v.safetensors
     --dimensions 16 --epochs 20 --subsample 0 --threads 1`,
  )
  t.is(code, 0, stderr)
  t.is(stdout, '')
  t.regex(stderr, /30 words of 16 dimensions in v\.safetensors\n$/)
  using vectors = await WordVectors.open(join(inside, 'v.safetensors'))
  for (const { word } of await vectors.mostSimilar('red3', { topK: 5 })) t.regex(word, /^red/)
})

test('the flags reach the model, and --model keeps all of it', async (t) => {
  const inside = folder(t, { 'text.txt': colouredText(300).toUpperCase() })
  const { code, stderr } = await inlay(
    inside,
    `word2vec train text.txt -o v.bin -q --lowercase --architecture cbow --objective hierarchical
     --dimensions=8 --window 3 --no-shrink-window --epochs 2 --model model.safetensors`,
  )
  t.is(code, 0, stderr)
  using model = await Word2Vec.open(join(inside, 'model.safetensors'))
  t.like(model.options, {
    architecture: 'cbow',
    objective: 'hierarchical-softmax',
    dimensions: 8,
    window: 3,
    shrinkWindow: false,
    epochs: 2,
  })
  t.true(model.vectors.has('red0'))
  t.deepEqual(readdirSync(inside).toSorted(), ['model.safetensors', 'text.txt', 'v.bin'])
})

test('progress comes as plain lines when stderr is no terminal', async (t) => {
  const inside = folder(t, { 'text.txt': colouredText(300) })
  const { stderr } = await inlay(inside, 'word2vec train text.txt -o v.txt')
  t.false(stderr.includes('\r') || stderr.includes('\u001b'))
  t.regex(stderr, /^train +[\d.]+ k words in /m)
})

test('-q says nothing at all', async (t) => {
  const inside = folder(t, { 'text.txt': colouredText(300) })
  const quiet = await inlay(inside, 'word2vec train text.txt -o v.txt -q')
  t.deepEqual(quiet, { code: 0, signal: null, stdout: '', stderr: '' })
})

for (const [signal, exit] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal} leaves a checkpoint and ends with ${exit}; the command goes on from it`, async (t) => {
    const inside = folder(t, { 'text.txt': colouredText(3000) })
    const command = 'word2vec train text.txt -o v.safetensors --epochs 300 --threads 1'
    await goesOnAfter(t, [signal, exit], inside, command)
    t.is((await inlay(inside, 'vectors similar v.safetensors red1')).code, 0)
  })
}

test('Ctrl-C without --resume leaves nothing but the text', async (t) => {
  const inside = folder(t, { 'text.txt': colouredText(3000) })
  const { child, ended } = start(inside, 'word2vec train text.txt -o v.txt --epochs 1000000')
  // The first line of progress: the text has been read.
  await new Promise((resolve) => child.stderr?.once('data', resolve))
  child.kill('SIGINT')
  const { code, stderr } = await ended
  t.is(code, 130)
  t.regex(stderr, /inlay: stopped\n$/)
  t.deepEqual(readdirSync(inside), ['text.txt'])
})

test('a checkpoint of another training is refused', async (t) => {
  const inside = folder(t, { 'text.txt': colouredText(300) })
  const command = 'word2vec train text.txt -o v.txt -q --resume state'
  t.is((await inlay(inside, command)).code, 0)
  const { code, stderr } = await inlay(inside, `${command} --window 3`)
  t.is(code, 2)
  t.regex(stderr, /^inlay: [^\n]*window[^\n]*\n$/)
})

test('fasttext: a model answers for words that the text did not have', async (t) => {
  const inside = folder(t, { 'text.txt': colouredText(300) })
  const trained = await inlay(
    inside,
    `fasttext train text.txt -o v.vec -q --dimensions 12 --epochs 5 --subsample 0 --bucket 5000
     --model model.bin`,
  )
  t.is(trained.code, 0, trained.stderr)
  const near = await inlay(inside, 'fasttext similar model.bin redd3 -k 3 --json')
  const words = (JSON.parse(near.stdout) as { word: string }[]).map(({ word }) => word)
  t.is(words.length, 3)
  const vectors = await inlay(inside, 'fasttext vectors model.bin redd3 red3')
  t.deepEqual(
    vectors.stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ').length),
    [13, 13],
  )
  const subwords = await inlay(inside, 'fasttext vectors model.bin red --subwords')
  t.regex(subwords.stdout, /^<re .*\n<red .*\n/)
  const unknown = await inlay(inside, 'fasttext similar text.txt red')
  t.is(unknown.code, 1)
})
