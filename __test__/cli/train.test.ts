import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import test from 'ava'
import { Word2Vec, WordVectors } from 'inlay'
import { appears, colouredText, folder, inlay, start } from './inlay.js'

test('train writes vectors that know which words stand together', async (t) => {
  const inFolder = folder(t)
  writeFileSync(inFolder('one.txt'), colouredText(600))
  writeFileSync(inFolder('two.txt'), colouredText(600))
  const { code, stdout, stderr } = await inlay(
    'word2vec',
    'train',
    inFolder('one.txt'),
    inFolder('two.txt'),
    '-o',
    inFolder('v.safetensors'),
    '--dimensions',
    '16',
    '--epochs',
    '20',
    '--subsample',
    '0',
    '--threads',
    '1',
  )
  t.is(stderr.match(/^inlay: .*/m)?.[0], undefined)
  t.is(code, 0)
  t.is(stdout, '')
  t.regex(stderr, /30 words of 16 dimensions in .*v\.safetensors\n$/)
  using vectors = await WordVectors.open(inFolder('v.safetensors'))
  for (const { word } of await vectors.mostSimilar('red3', { topK: 5 })) t.regex(word, /^red/)
})

test('the flags reach the model, and --model keeps all of it', async (t) => {
  const inFolder = folder(t)
  writeFileSync(inFolder('text.txt'), colouredText(300).toUpperCase())
  const { code } = await inlay(
    'word2vec',
    'train',
    inFolder('text.txt'),
    '-o',
    inFolder('v.bin'),
    '-q',
    '--lowercase',
    '--architecture',
    'cbow',
    '--objective',
    'hierarchical',
    '--dimensions=8',
    '--window',
    '3',
    '--no-shrink-window',
    '--epochs',
    '2',
    '--model',
    inFolder('model.safetensors'),
  )
  t.is(code, 0)
  using model = await Word2Vec.open(inFolder('model.safetensors'))
  const { architecture, objective, dimensions, window, shrinkWindow, epochs } = model.options
  t.deepEqual(
    { architecture, objective, dimensions, window, shrinkWindow, epochs },
    {
      architecture: 'cbow',
      objective: 'hierarchical-softmax',
      dimensions: 8,
      window: 3,
      shrinkWindow: false,
      epochs: 2,
    },
  )
  t.true(model.vectors.has('red0'))
})

test('progress comes as plain lines when stderr is no terminal', async (t) => {
  const inFolder = folder(t)
  writeFileSync(inFolder('text.txt'), colouredText(300))
  const { stderr } = await inlay('word2vec', 'train', inFolder('text.txt'), '-o', inFolder('v.txt'))
  t.false(stderr.includes('\r') || stderr.includes('\u001b'))
  t.regex(stderr, /^train +[\d.]+ k words in /m)
})

test('-q says nothing at all', async (t) => {
  const inFolder = folder(t)
  writeFileSync(inFolder('text.txt'), colouredText(300))
  const quiet = await inlay(
    'word2vec',
    'train',
    inFolder('text.txt'),
    '-o',
    inFolder('v.txt'),
    '-q',
  )
  t.deepEqual(quiet, { code: 0, signal: null, stdout: '', stderr: '' })
})

for (const [signal, exit] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal} leaves a checkpoint and exits with ${exit}, and the same command goes on from it`, async (t) => {
    const inFolder = folder(t)
    writeFileSync(inFolder('text.txt'), colouredText(3000))
    const command = [
      'word2vec',
      'train',
      inFolder('text.txt'),
      '-o',
      inFolder('v.safetensors'),
      '--threads',
      '1',
      '--dimensions',
      '32',
      '--epochs',
      '300',
      '--resume',
      inFolder('state'),
    ]
    const first = start(...command, '--checkpoint-every', '0.02')
    await appears(inFolder('state'), first)
    first.child.kill(signal)
    const stopped = await first.ended
    t.is(stopped.code, exit)
    t.regex(stopped.stderr, /inlay: stopped; the same command goes on from .*state\n$/)
    t.deepEqual(readdirSync(inFolder('')).toSorted(), ['state', 'text.txt'])

    const second = await inlay(...command)
    t.is(second.code, 0, second.stderr)
    t.true(existsSync(inFolder('v.safetensors')))
    t.is((await inlay('vectors', 'similar', inFolder('v.safetensors'), 'red1')).code, 0)
  })
}

test('Ctrl-C without --resume leaves nothing but the text', async (t) => {
  const inFolder = folder(t)
  writeFileSync(inFolder('text.txt'), colouredText(3000))
  // No way to see from outside that training has begun: the signal goes as soon as the process can take it.
  const { child, ended } = start(
    'word2vec',
    'train',
    inFolder('text.txt'),
    '-o',
    inFolder('v.txt'),
    '--epochs',
    '1000000',
  )
  await new Promise((resolve) => child.stderr?.once('data', resolve))
  child.kill('SIGINT')
  const { code, stderr } = await ended
  t.is(code, 130)
  t.regex(stderr, /inlay: stopped\n$/)
  t.deepEqual(readdirSync(inFolder('')), ['text.txt'])
})

test('a checkpoint of another training is refused before it is overwritten', async (t) => {
  const inFolder = folder(t)
  writeFileSync(inFolder('text.txt'), colouredText(300))
  const command = ['word2vec', 'train', inFolder('text.txt'), '-o', inFolder('v.txt'), '-q']
  const resume = ['--resume', inFolder('state')]
  t.is((await inlay(...command, ...resume)).code, 0)
  const { code, stderr } = await inlay(...command, ...resume, '--window', '3')
  t.is(code, 2)
  t.regex(stderr, /^inlay: [^\n]*window[^\n]*\n$/)
})
