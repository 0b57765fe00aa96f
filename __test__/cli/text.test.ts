import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import ava from 'ava'
import {
  RecurrentClassifier,
  TextCnn,
  TransformerClassifier,
  TransformerEncoder,
  WordVectors,
  readLabelledTexts,
} from 'inlay'
import { allRefused, folder, goesOnAfter, inlay, start } from './inlay.js'

// One process at a time: dozens at once would only wait for each other.
const test = ava.serial

const texts = [
  'a fine film',
  'what a dull film',
  'fine acting and a fine end',
  'dull from the start',
]
const lines = texts.map((text, i) => `__label__${i % 2 === 0 ? 'good' : 'bad'} ${text}`)
const labelled = `${lines.join('\n')}\n`.repeat(25)
const fast = '--epochs 6 --dimensions 16 --dropout 0 --learning-rate 0.01 --threads 1'

const kinds = [
  { architecture: 'cnn', flags: '--windows 1,2 --filters 8', open: TextCnn.open },
  { architecture: 'lstm', flags: '--units 8 --no-bidirectional', open: RecurrentClassifier.open },
  { architecture: 'gru', flags: '--units 8 --pooling attention', open: RecurrentClassifier.open },
  { architecture: 'transformer', flags: '--heads 2 --blocks 1', open: TransformerClassifier.open },
] as const

for (const { architecture, flags, open } of kinds) {
  test(`${architecture}: a classifier is trained, asked, compared, and gives vectors`, async (t) => {
    const inside = folder(t, { 'train.txt': labelled, 'texts.txt': texts.join('\n') })
    const trained = await inlay(
      inside,
      `text train train.txt -a ${architecture} ${flags} -o m.safetensors ${fast}`,
    )
    t.is(trained.code, 0, trained.stderr)
    t.is(trained.stdout, '')
    t.regex(
      trained.stderr,
      /2 labels, 12 words; a loss of \d\.\d{4} in epoch 6 of 6; m\.safetensors\n$/,
    )
    using model = await open(join(inside, 'm.safetensors'))
    t.deepEqual(model.labels, ['good', 'bad'])

    const said = await inlay(inside, 'text predict m.safetensors texts.txt')
    t.is(said.code, 0, said.stderr)
    const wanted = await model.predict(texts)
    const rows = wanted.map(({ label, probability }) => `${label}\t${probability.toFixed(6)}\n`)
    t.is(said.stdout, rows.join(''))
    t.deepEqual(
      wanted.map(({ label }) => label),
      ['good', 'bad', 'good', 'bad'],
    )

    const found = await inlay(inside, 'text evaluate m.safetensors train.txt -q')
    t.regex(found.stdout, /^lines\t100\naccuracy\t1\.0000\nmacro F1\t1\.0000\nlabel\t/)
    t.regex(found.stdout, /\ngood\t50\t1\.0000\t1\.0000\t1\.0000\n/)

    const saved = await inlay(inside, 'text encode m.safetensors texts.txt -o v.txt -q')
    t.is(saved.code, 0, saved.stderr)
    using vectors = await WordVectors.open(join(inside, 'v.txt'))
    const encoded = await model.encode(texts)
    t.is(vectors.size, 4)
    t.is(vectors.dimensions, model.dimensions)
    t.true(Math.abs(vectors.vector('2')[0]! - encoded.row(2)[0]!) < 1e-6)
  })
}

test('probabilities of all labels come as JSON too, and weights and vectors are heard', async (t) => {
  const inside = folder(t, { 'train.txt': labelled, 'texts.txt': texts.join('\n') })
  await inlay(inside, 'word2vec train texts.txt -o v.bin --dimensions 6 --min-count 1 -q')
  const command = `text train train.txt -o m.safetensors --initial-vectors v.bin --word-vectors multichannel
    --epochs 20 --learning-rate 0.01 --filters 4 --label-weights bad=0`
  const trained = await inlay(inside, `${command} -q`)
  t.deepEqual(trained, { code: 0, signal: null, stdout: '', stderr: '' })
  const { stdout } = await inlay(inside, 'text predict m.safetensors texts.txt -k 2 --json')
  const rows = stdout.trim().split('\n')
  t.is(rows.length, 4)
  for (const row of rows) {
    const said = JSON.parse(row) as { label: string; probability: number }[]
    t.deepEqual(
      said.map(({ label }) => label),
      ['good', 'bad'],
      'what counts nothing is not learnt',
    )
    t.true(Math.abs(said[0]!.probability + said[1]!.probability - 1) < 1e-5)
  }
  const sure = await inlay(inside, 'text predict m.safetensors texts.txt --threshold 1')
  t.is(sure.stdout, '\n\n\n\n', 'a line for each, though it has no label')
  const json = await inlay(inside, 'text evaluate m.safetensors train.txt -q --json')
  t.like(JSON.parse(json.stdout), {
    count: 100,
    confusion: [
      [50, 0],
      [50, 0],
    ],
  })
})

test('a classifier begins from an encoder', async (t) => {
  const inside = folder(t, { 'train.txt': labelled })
  using encoder = await TransformerEncoder.train(texts, {
    dimensions: 8,
    heads: 2,
    blocks: 1,
    epochs: 1,
  })
  await encoder.save(join(inside, 'encoder.safetensors'))
  const command =
    'text train train.txt -a transformer --encoder encoder.safetensors -o m.safetensors'
  const trained = await inlay(inside, `${command} --epochs 1 -q`)
  t.is(trained.code, 0, trained.stderr)
  using model = await TransformerClassifier.open(join(inside, 'm.safetensors'))
  t.is(model.dimensions, 8)
  const decided = await inlay(inside, `${command} --blocks 2`)
  t.is(decided.code, 2)
  t.regex(decided.stderr, /--blocks is decided by --encoder/)
  const vectors = await inlay(inside, 'text encode encoder.safetensors train.txt -q')
  t.is(vectors.stdout.trim().split('\n').length, 100)
  const none = await inlay(inside, 'text predict encoder.safetensors train.txt')
  t.is(none.code, 1)
  t.regex(none.stderr, /holds an encoder, which knows no labels/)
})

test('lines are read as the classifier of fastText reads them: packed, with labels anywhere', async (t) => {
  const inside = folder(t, {
    'a.txt.gz': gzipSync('__label__x one  two\n\nthree __label__y\n'),
    'b.txt': '#z four\r\nno label\n',
  })
  const read = async (source: string, labelPrefix?: string) => {
    const found = []
    const options = labelPrefix === undefined ? {} : { labelPrefix }
    for await (const one of readLabelledTexts(join(inside, source), options)) found.push(one)
    return found
  }
  t.deepEqual(await read('a.txt.gz'), [
    { text: 'one two', labels: ['x'] },
    { text: 'three', labels: ['y'] },
  ])
  t.deepEqual(await read('b.txt', '#'), [
    { text: 'four', labels: ['z'] },
    { text: 'no label', labels: [] },
  ])
  await t.throwsAsync(read('missing.txt'), { code: 'NOT_FOUND' })
})

test('Ctrl-C leaves a checkpoint and ends with 130; the command goes on from it to the same bytes', async (t) => {
  const inside = folder(t, { 'train.txt': labelled })
  const command = 'text train train.txt -a gru --epochs 60 --units 32 --threads 1'
  await goesOnAfter(t, ['SIGINT', 130], inside, `${command} -o m.safetensors`)
  await inlay(inside, `${command} -o whole.safetensors -q`)
  const [resumed, whole] = ['m', 'whole'].map((name) =>
    createHash('sha256')
      .update(readFileSync(join(inside, `${name}.safetensors`)))
      .digest('hex'),
  )
  t.is(resumed, whole)
})

test('Ctrl-C ends a prediction that waits for standard input', async (t) => {
  const inside = folder(t, { 'train.txt': labelled })
  await inlay(inside, 'text train train.txt -o m.safetensors --epochs 1 --filters 2 -q')
  const { child, ended } = start(inside, 'text predict m.safetensors', 'pipe')
  child.stdin!.write('a fine film\n')
  await new Promise((resolve) => child.stdout!.once('data', resolve))
  child.kill('SIGINT')
  const { code, stderr, stdout } = await ended
  t.is(code, 130)
  t.is(stderr, 'inlay: stopped\n')
  t.regex(stdout, /^(good|bad)\t0\.\d{6}\n$/)
})

for (const [line, message] of [
  ['train train.txt', /-o MODEL is missing/],
  ['train train.txt -o train.txt', /overwrite train\.txt/],
  ['train train.txt -o m.safetensors -a rnn', /-a must be 'cnn', 'lstm', 'gru' or 'transformer'/],
  ['train train.txt -o m.safetensors -a lstm --filters 3', /--filters has no meaning with --arch/],
  ['train train.txt -o m.safetensors --encoder e -a cnn', /--encoder has no meaning with --arch/],
  ['train train.txt -o m.safetensors --windows 3,x', /--windows must be an array of different/],
  ['train train.txt -o m.safetensors --label-weights good', /--label-weights must be names with/],
  ['train train.txt -o m.safetensors --cell gru', /there is no flag --cell/],
  ['train train.txt -o m.safetensors --patience 2', /--patience .* without --validation/],
  ['predict', /too little/],
  ['predict m.safetensors texts.txt --threshold 2', /--threshold must be a number from 0 to 1/],
  ['evaluate m.safetensors', /too little/],
  ['encode m.safetensors a b', /too much/],
] as const) {
  test(`wrong usage: inlay text ${line}`, async (t) => {
    const inside = folder(t, { 'train.txt': labelled })
    const { code, stderr } = await inlay(inside, `text ${line}`)
    t.is(code, 2)
    t.regex(stderr, message)
    t.deepEqual(readdirSync(inside), ['train.txt'])
  })
}

test('what is wrong with the data is told in one line, with exit code 1', async (t) => {
  const inside = folder(t, {
    'train.txt': labelled,
    'two.txt': '__label__a __label__b one\n',
    'one.txt': '__label__a one\n',
    'none.txt': 'one\n',
    'damaged.safetensors': 'no model',
  })
  await inlay(inside, 'text train train.txt -o m.safetensors --epochs 1 --filters 2 -q')
  await inlay(inside, 'nnlm train none.txt -o n.safetensors --min-count 1 --epochs 1 -q')
  await allRefused(t, inside, 'text', [
    ['train two.txt -o x.safetensors -q', 1, /has the labels a and b, where one is wanted: "one"/],
    ['train none.txt -o x.safetensors -q', 1, /no line of none\.txt has a label, __label__/],
    ['train one.txt -o x.safetensors -q', 1, /the lines must be of two labels or more, got "a"/],
    ['train missing.txt -o x.safetensors -q', 1, /missing\.txt/],
    ['evaluate m.safetensors one.txt -q', 1, /the lines must be of the labels .*, got "a"/],
    ['evaluate damaged.safetensors one.txt -q', 1, /damaged\.safetensors/],
    ['predict n.safetensors none.txt', 1, /another kind, Nnlm/],
    ['predict m.safetensors missing.txt', 1, /missing\.txt/],
  ])
  t.false(readdirSync(inside).includes('x.safetensors'))
})
