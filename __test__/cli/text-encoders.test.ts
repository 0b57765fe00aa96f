import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import ava from 'ava'
import { RecurrentEncoder, TransformerEncoder, WordVectors } from 'inlay'
import { colouredText, folder, goesOnAfter, inlay } from './inlay.js'

// One process at a time: dozens at once would only wait for each other.
const test = ava.serial

const small = '--dimensions 8 --threads 1'
const pretrain = `text pretrain text.txt -o e.safetensors ${small} --heads 2 --blocks 1 --maskings 1`

test('a Transformer is pretrained, learns which texts belong together, and begins a classifier', async (t) => {
  const inside = folder(t, {
    'text.txt': colouredText(60),
    'pairs.csv': 'text,positive\nred1 red2,red3 red4\nblue1 blue2,blue3 blue4\n',
    'train.txt': '__label__red red1 red2\n__label__blue blue1 blue2\n',
  })
  const first = await inlay(inside, `${pretrain} --epochs 2`)
  t.is(first.code, 0, first.stderr)
  t.regex(first.stderr, /\nvectors of 8 values by 32 words; a loss of .* in epoch 2 of 2; e\.safet/)
  using encoder = await TransformerEncoder.open(join(inside, 'e.safetensors'))
  t.like(encoder.shape, { heads: 2, blocks: 1, dimensions: 8 })

  const vectors: Float32Array[] = [(await encoder.encode(['red1 red2'])).row(0)]
  for (const texts of ['text.txt', 'pairs.csv']) {
    const better = await inlay(
      inside,
      `text contrast e.safetensors ${texts} -o better.safetensors --learning-rate 0.01 -q`,
    )
    t.deepEqual(better, { code: 0, signal: null, stdout: '', stderr: '' })
    using found = await TransformerEncoder.open(join(inside, 'better.safetensors'))
    vectors.push((await found.encode(['red1 red2'])).row(0))
  }
  t.notDeepEqual(vectors[1], vectors[0])
  t.notDeepEqual(vectors[2], vectors[1], 'pairs are another lesson')

  const classifier = await inlay(
    inside,
    'text train train.txt -a transformer --encoder better.safetensors -o c.safetensors --epochs 1 -q',
  )
  t.is(classifier.code, 0, classifier.stderr)
  const same = await inlay(inside, 'text contrast e.safetensors text.txt -o e.safetensors')
  t.is(same.code, 2)
  t.regex(same.stderr, /overwrite e\.safetensors/)
})

test('recurrent encoders are pretrained, and give vectors', async (t) => {
  const inside = folder(t, { 'text.txt': colouredText(60), 'held.txt': colouredText(6) })
  for (const cell of ['lstm', 'gru']) {
    const trained = await inlay(
      inside,
      `text pretrain text.txt -a ${cell} -o e.safetensors ${small} --units 6 --epochs 2 --validation held.txt`,
    )
    t.is(trained.code, 0, trained.stderr)
    t.regex(trained.stderr, /\nvectors of 6 values by .* on held\.txt; e\.safetensors\n$/)
    using encoder = await RecurrentEncoder.open(join(inside, 'e.safetensors'))
    t.true(encoder.network.description.layers.length > 0)
    const saved = await inlay(inside, 'text encode e.safetensors held.txt -o v.safetensors -q')
    t.is(saved.code, 0, saved.stderr)
    using vectors = await WordVectors.open(join(inside, 'v.safetensors'))
    const [line] = colouredText(6).split('\n')
    t.deepEqual(vectors.vector('0'), (await encoder.encode([line!])).row(0))
  }
  const none = await inlay(inside, 'text contrast e.safetensors held.txt -o x.safetensors -q')
  t.is(none.code, 1)
  t.regex(none.stderr, /is no TransformerEncoder/)
})

test('Ctrl-C leaves a checkpoint and ends with 130; the command goes on from it', async (t) => {
  const inside = folder(t, { 'text.txt': colouredText(300) })
  const command = `${pretrain} --epochs 60`
  await goesOnAfter(t, ['SIGINT', 130], inside, command)
})

test('wrong use is told before anything is read', async (t) => {
  const inside = folder(t, { 'text.txt': colouredText(30) })
  for (const [line, message] of [
    ['pretrain text.txt', /-o MODEL is missing/],
    ['pretrain text.txt -o x --validation text.txt', /--validation has no meaning with --arch/],
    ['pretrain text.txt -o x -a gru --heads 2', /--heads has no meaning with --architecture gru/],
    ['pretrain text.txt -o x -a cnn', /-a must be 'transformer', 'lstm' or 'gru'/],
    ['pretrain text.txt -o x --heads 3', /--heads must be a divisor of/],
    ['contrast text.txt -o x', /too little/],
    ['contrast text.txt text.txt -o x --temperature 0', /--temperature must be a number above 0/],
  ] as const) {
    const { code, stderr } = await inlay(inside, `text ${line}`)
    t.is(code, 2, line)
    t.regex(stderr, message)
  }
  t.deepEqual(readdirSync(inside), ['text.txt'])
})
