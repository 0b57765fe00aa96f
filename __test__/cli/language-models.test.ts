import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ava from 'ava'
import { Nnlm, RecurrentLanguageModel, WordVectors } from 'inlay'
import { colouredText, folder, goesOnAfter, inlay } from './inlay.js'

// One process at a time: dozens at once would only wait for each other.
const test = ava.serial

const kinds = [
  {
    name: 'nnlm',
    fast: '--epochs 4 --context 2 --dimensions 8 --hidden 16 --batch-size 16 --learning-rate 0.01',
    open: (path: string) => Nnlm.open(path),
  },
  {
    name: 'rnnlm',
    fast: '--epochs 4 --dimensions 8 --units 16 --layers 1 --cell gru --lanes 4 --learning-rate 0.02',
    open: (path: string) => RecurrentLanguageModel.open(path),
  },
] as const

for (const { name, fast, open } of kinds) {
  test(`${name}: a model is trained, and foretells texts and words as the library has it`, async (t) => {
    const inside = folder(t, { 'text.txt': colouredText(300), 'held.txt': colouredText(30) })
    const trained = await inlay(
      inside,
      `${name} train text.txt -o m.safetensors --validation held.txt ${fast} --threads 1`,
    )
    t.is(trained.code, 0, trained.stderr)
    t.is(trained.stdout, '')
    t.regex(
      trained.stderr,
      /\d\d words; a loss of \d\.\d{4} in epoch \d of 4, \d\.\d{4} on held\.txt; m\.safetensors\n$/,
    )
    using model = await open(join(inside, 'm.safetensors'))

    const told = await inlay(inside, `${name} perplexity m.safetensors held.txt -q`)
    t.is(told.code, 0, told.stderr)
    const { perplexity } = await model.perplexity(join(inside, 'held.txt'))
    t.true(perplexity < 20, 'of 33 words most are known not to come')
    t.is(
      told.stdout,
      `perplexity\t${perplexity.toFixed(4)}\nwords\t270\nsentences\t30\nunknown words\t0\n`,
    )

    const next = await inlay(inside, `${name} next m.safetensors red0 red1 -k 3`)
    const words = await model.nextWords('red0 red1', { limit: 3 })
    const lines = words.map(({ word, probability }) => `${word}\t${probability.toFixed(6)}\n`)
    t.is(next.stdout, lines.join(''))
    const first = await inlay(inside, `${name} next m.safetensors --json`)
    t.deepEqual(JSON.parse(first.stdout), await model.nextWords(''))

    const saved = await inlay(inside, `${name} vectors m.safetensors -o v.txt`)
    t.regex(saved.stderr, /31 words of 8 dimensions in v\.txt\n$/)
    using vectors = await WordVectors.open(join(inside, 'v.txt'))
    t.deepEqual([...vectors.words], [...model.vectors.words])
  })

  test(`${name}: Ctrl-C leaves a checkpoint and ends with 130; the command goes on from it`, async (t) => {
    const inside = folder(t, { 'text.txt': colouredText(300) })
    const command = `${name} train text.txt -o m.safetensors ${fast} --epochs 40`
    await goesOnAfter(t, ['SIGINT', 130], inside, command)
    t.is((await inlay(inside, `${name} next m.safetensors red1`)).code, 0)
  })

  test(`${name}: a file that is no such model is refused`, async (t) => {
    const inside = folder(t, { 'text.txt': colouredText(30), 'm.safetensors': 'no model' })
    for (const line of ['perplexity m.safetensors text.txt -q', 'next m.safetensors red0']) {
      const { code, stdout, stderr } = await inlay(inside, `${name} ${line}`)
      t.is(code, 1, line)
      t.is(stdout, '')
      t.regex(stderr, /^inlay: [^\n]*m\.safetensors[^\n]*\n$/)
    }
  })

  test(`${name}: wrong use is told before anything is read`, async (t) => {
    const inside = folder(t, { 'text.txt': colouredText(30) })
    for (const [line, message] of [
      ['train text.txt', /-o MODEL is missing/],
      ['train text.txt -o text.txt', /overwrite text\.txt/],
      ['train text.txt -o m.safetensors --validation m.safetensors', /overwrite m\.safetensors/],
      ['train text.txt -o m.safetensors --dimension 3', /did you mean --dimensions\?/],
      ['train text.txt -o m.safetensors --samples 0', /--samples must be an integer from 1 up/],
      ['train text.txt -o m.safetensors --patience 3', /--patience .* without --validation/],
      ['train text.txt -o m.safetensors --checkpoint-every 3', /--checkpoint-every .* --resume/],
      ['train text.txt -o m.safetensors --softmax hier --samples 9', /--samples must be left out/],
      ['perplexity m.safetensors', /too little was given/],
      ['vectors m.safetensors', /-o VECTORS is missing/],
      ['vectors m.safetensors -o vectors', /must end in/],
    ] as const) {
      const { code, stderr } = await inlay(inside, `${name} ${line}`)
      t.is(code, 2, line)
      t.regex(stderr, message)
    }
    t.deepEqual(readdirSync(inside), ['text.txt'])
  })
}

test('a model of one kind is none of the other, and words may begin as vectors', async (t) => {
  const inside = folder(t, { 'text.txt': colouredText(60) })
  await inlay(inside, 'word2vec train text.txt -o v.bin --dimensions 6 --min-count 1 -q')
  const trained = await inlay(
    inside,
    'nnlm train text.txt -o m.safetensors --initial-vectors v.bin --epochs 1 --hidden 4 -q',
  )
  t.deepEqual(trained, { code: 0, signal: null, stdout: '', stderr: '' })
  using model = await Nnlm.open(join(inside, 'm.safetensors'))
  t.is(model.vectors.dimensions, 6)
  const other = await inlay(inside, 'rnnlm next m.safetensors red0')
  t.is(other.code, 1)
  t.regex(other.stderr, /is no RecurrentLanguageModel/)
  writeFileSync(join(inside, 'empty.txt'), '')
  const empty = await inlay(inside, 'nnlm train empty.txt -o n.safetensors -q')
  t.is(empty.code, 1)
  t.false(readdirSync(inside).includes('n.safetensors'))
})
