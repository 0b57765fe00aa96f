import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ava from 'ava'
import { FastText } from 'inlay'
import { colouredText, folder, inlay } from './inlay.js'

// One process at a time: dozens at once would only wait for each other.
const test = ava.serial

test('fasttext trains, and is asked about words that nobody wrote', async (t) => {
  const inside = folder(t, { 'text.txt': colouredText(1200) })
  const trained = await inlay(
    inside,
    `fasttext train text.txt -o v.txt --model model.bin --dimensions 16 --epochs 8 --bucket 1000
     --min-count 1 --threads 1 -q`,
  )
  t.deepEqual(trained, { code: 0, signal: null, stdout: '', stderr: '' })

  const similar = await inlay(inside, 'fasttext similar model.bin redish -k 3')
  t.is(similar.code, 0, similar.stderr)
  const near = similar.stdout.trimEnd().split('\n')
  t.is(near.length, 3)
  for (const line of near) t.regex(line, /^red\d+\t0\.\d{4}$/)

  const asked = await inlay(inside, 'fasttext analogy model.bin redish red3 bluest -k 2 --json')
  using model = await FastText.open(join(inside, 'model.bin'))
  const found = await model.analogy('redish', 'red3', 'bluest', { topK: 2 })
  t.deepEqual(JSON.parse(asked.stdout), found)

  const vectors = await inlay(inside, 'fasttext vectors model.bin redish red3')
  const lines = vectors.stdout.trimEnd().split('\n')
  for (const [i, word] of ['redish', 'red3'].entries()) {
    const [first, ...values] = lines[i]!.split(' ')
    t.is(first, word)
    t.deepEqual(Float32Array.from(values, Number), model.vector(word))
  }
})

for (const [command, problem] of [
  ['fasttext train text.txt', /-o VECTORS is missing/],
  ['fasttext analogy text.txt a b', /too little was given/],
  ['fasttext similar text.txt red', /text\.txt/],
] as const) {
  test(`wrong usage: inlay ${command}`, async (t) => {
    const inside = folder(t, { 'text.txt': colouredText(10) })
    const before = readFileSync(join(inside, 'text.txt'))
    const { code, stdout, stderr } = await inlay(inside, command)
    t.not(code, 0)
    t.is(stdout, '')
    t.regex(stderr, problem)
    t.deepEqual(readFileSync(join(inside, 'text.txt')), before)
  })
}
