import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import ava from 'ava'
import { Glove, WordVectors } from 'inlay'
import { colouredText, folder, goesOnAfter, inlay } from './inlay.js'

// One process at a time: dozens at once would only wait for each other.
const test = ava.serial

test('glove train writes vectors that know which words stand together', async (t) => {
  // Each line ends with a word of the next: of words that never meet, GloVe learns nothing.
  const lines = colouredText(1200).split('\n')
  const mixed = lines.map((line, i) => `${line} ${lines[i + 1]?.split(' ')[0] ?? ''}`)
  const inside = folder(t, { 'text.txt': mixed.join('\n') })
  const { code, stdout, stderr } = await inlay(
    inside,
    `glove train text.txt -o v.txt --format glove-text --dimensions 16 --epochs 60 --x-max 10
     --threads 1 --model model.safetensors`,
  )
  t.is(code, 0, stderr)
  t.is(stdout, '')
  t.regex(stderr, /30 words of 16 dimensions in v\.txt\n$/)
  using vectors = await WordVectors.open(join(inside, 'v.txt'))
  for (const { word } of await vectors.mostSimilar('red3', { topK: 5 })) t.regex(word, /^red/)
  using model = await Glove.open(join(inside, 'model.safetensors'))
  t.like(model.options, { dimensions: 16, epochs: 60, xMax: 10 })
})

test('glove cooccurrence writes pairs, which glove train takes as it takes the text', async (t) => {
  const inside = folder(t, { 'text.txt': colouredText(300) })
  const counted = await inlay(
    inside,
    'glove cooccurrence text.txt -o pairs.bin --vocabulary vocab.txt --window 4',
  )
  t.is(counted.code, 0, counted.stderr)
  t.regex(counted.stderr, /pairs in pairs\.bin, their words in vocab\.txt\n$/)
  t.is(statSync(join(inside, 'pairs.bin')).size % 16, 0)
  const flags = '--dimensions 8 --epochs 3 --threads 1 -q'
  const source = '--cooccurrence pairs.bin --vocabulary vocab.txt'
  const two = await inlay(inside, `glove train ${source} -o two.safetensors ${flags}`)
  t.deepEqual(two, { code: 0, signal: null, stdout: '', stderr: '' })
  const one = await inlay(inside, `glove train text.txt -o one.safetensors --window 4 ${flags}`)
  t.is(one.code, 0, one.stderr)
  const matrix = async (name: string) => {
    using vectors = await WordVectors.open(join(inside, name))
    return vectors.matrix()
  }
  t.deepEqual(await matrix('two.safetensors'), await matrix('one.safetensors'))
})

test('SIGINT leaves a checkpoint; the command goes on from it', async (t) => {
  const inside = folder(t, { 'text.txt': colouredText(3000) })
  const command = 'glove train text.txt -o v.safetensors --epochs 300000 --threads 1'
  await goesOnAfter(t, ['SIGINT', 130], inside, command)
})

for (const [command, problem] of [
  ['glove train -o v.txt', /CORPUS or --cooccurrence PAIRS is wanted/],
  ['glove train text.txt', /-o VECTORS is missing/],
  ['glove train text.txt --cooccurrence c --vocabulary v -o v.txt', /cannot both be given/],
  ['glove train --cooccurrence c.bin -o v.txt', /belong together/],
  ['glove train text.txt --vocabulary v.txt -o v.txt', /belong together/],
  ['glove train text.txt -o text.txt', /overwrite text\.txt/],
  ['glove train text.txt -o v.txt --memory 5', /--memory must be an integer/],
  ['glove cooccurrence text.txt -o c.bin', /--vocabulary WORDS is missing/],
  ['glove cooccurrence text.txt --vocabulary v.txt', /-o PAIRS is missing/],
] as const) {
  test(`wrong usage: inlay ${command}`, async (t) => {
    const inside = folder(t, { 'text.txt': colouredText(10) })
    const { code, stderr } = await inlay(inside, command)
    t.is(code, 2)
    t.regex(stderr, problem)
    t.deepEqual(readdirSync(inside), ['text.txt'])
  })
}
