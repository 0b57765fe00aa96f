import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as zlib from 'node:zlib'
import ava from 'ava'
import { NgramLanguageModel } from 'inlay'
import { folder, inlay, start } from './inlay.js'

// One process at a time: dozens at once would only wait for each other.
const test = ava.serial

const fixture = (name: string) =>
  readFileSync(
    fileURLToPath(new URL(`../../../crates/language/fixtures/${name}`, import.meta.url)),
    'utf8',
  )
const text = fixture('sentences.txt')

test('ngram train writes a model or an ARPA file, as its name says', async (t) => {
  const inside = folder(t, { 'text.txt': text })
  const arpa = await inlay(inside, 'ngram train text.txt -o m.arpa --order 4 --prune 0,0,1')
  t.is(arpa.code, 0, arpa.stderr)
  t.regex(arpa.stderr, /4\.12 k n-grams of orders 1 to 4 in m\.arpa\n$/)
  t.true(readFileSync(join(inside, 'm.arpa'), 'utf8') === fixture('sentences.4.pruned.arpa'))
  const own = await inlay(inside, 'ngram train text.txt -o m.safetensors --order 2 -q')
  t.deepEqual(own, { code: 0, signal: null, stdout: '', stderr: '' })
  using model = await NgramLanguageModel.open(join(inside, 'm.safetensors'))
  t.is(model.order, 2)
})

test('ngram score, perplexity and generate answer on standard output', async (t) => {
  const lines = text.split('\n').slice(0, 40)
  const inside = folder(t, { 'text.txt': text, 'some.txt': lines.join('\n') })
  await inlay(inside, 'ngram train text.txt -o m.arpa.gz --order 3 -q')
  using model = await NgramLanguageModel.openArpa(join(inside, 'm.arpa.gz'))

  const scored = await inlay(inside, 'ngram score m.arpa.gz some.txt')
  const rows = scored.stdout.trim().split('\n').slice(1)
  t.is(rows.length, 40)
  const [log, words] = rows[7]!.split('\t')
  const { logProbability, words: wanted } = model.score(lines[7]!)
  t.deepEqual([log, Number(words)], [logProbability.toFixed(4), wanted.length])

  const byWord = await inlay(inside, 'ngram score m.arpa.gz some.txt --by word')
  const [head, first] = byWord.stdout.split('\n')
  t.is(head, 'word\tlog10\torder\tunknown')
  t.is(first!.split('\t')[0], lines[0]!.split(' ')[0])

  writeFileSync(join(inside, 'mixed.txt'), `${lines[0]}\nno such words here\n${lines[1]}\n`)
  const good = await inlay(inside, 'ngram score m.arpa.gz mixed.txt --max-perplexity 100')
  t.is(good.stdout, `${lines[0]}\n${lines[1]}\n`)

  const told = await inlay(inside, 'ngram perplexity m.arpa.gz some.txt -q')
  const { perplexity } = await model.perplexity(lines)
  t.true(told.stdout.startsWith(`perplexity\t${perplexity.toFixed(4)}\n`), told.stdout)

  const drawn = await inlay(inside, 'ngram generate m.arpa.gz --texts 3 --seed 5 --max-words 9')
  const texts = await model.generate({ texts: 3, seed: 5, maxWords: 9 })
  t.is(drawn.stdout, texts.map((one) => `${one.join(' ')}\n`).join(''))
})

for (const [command, problem] of [
  ['ngram train text.txt', /-o MODEL is missing/],
  ['ngram train text.txt -o text.txt', /overwrite text\.txt/],
  ['ngram train text.txt -o m.arpa.zst', /-o: the name must end in .* got "m\.arpa\.zst"/],
  ['ngram train text.txt -o n.foo', /-o: the name must end in .* got "n\.foo"/],
  ['ngram train text.txt -o m.arpa --prune 1', /--prune must be/],
  ['ngram train text.txt -o m.arpa --prune 0,,1', /--prune has nothing between commas/],
  ['ngram train text.txt -o m.arpa --discount-fallback x', /--discount-fallback must be/],
  ['ngram train text.txt -o m.arpa --order 11', /--order must be an integer/],
  ['ngram score m.arpa --by word --max-perplexity 5', /cannot both be given/],
  ['ngram perplexity m.arpa', /too little was given/],
] as const) {
  test(`wrong usage: inlay ${command}`, async (t) => {
    const inside = folder(t, { 'text.txt': text })
    const { code, stderr } = await inlay(inside, command)
    t.is(code, 2)
    t.regex(stderr, problem)
    t.deepEqual(readdirSync(inside), ['text.txt'])
  })
}

test('a text that is not there is told before anything is answered', async (t) => {
  const inside = folder(t, { 'text.txt': text })
  await inlay(inside, 'ngram train text.txt -o m.safetensors --order 2 -q')
  const { code, stdout, stderr } = await inlay(inside, 'ngram score m.safetensors text.txt nofile')
  t.deepEqual([code, stdout, stderr], [1, '', 'inlay: file not found: nofile\n'])
})

/** One frame of zstd with one block that is stored as it is: at most 255 bytes. */
function zstd(content: string): Buffer {
  const bytes = Buffer.from(content)
  const block = Buffer.alloc(3)
  block.writeUIntLE((bytes.length << 3) | 1, 0, 3)
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, bytes.length]), block, bytes])
}

test('lines of packed files are told by content, not by name', async (t) => {
  const lines = text.split('\n').slice(0, 2).join('\n')
  const inside = folder(t, {
    'text.txt': text,
    'some.txt': lines,
    'packed.txt': zlib.gzipSync(lines),
    'plain.gz': lines,
    'some.zst': zstd(lines),
  })
  await inlay(inside, 'ngram train text.txt -o m.safetensors --order 2 -q')
  const { stdout } = await inlay(inside, 'ngram score m.safetensors some.txt')
  for (const name of ['packed.txt', 'plain.gz']) {
    const scored = await inlay(inside, `ngram score m.safetensors ${name}`)
    t.deepEqual(scored, { code: 0, signal: null, stdout, stderr: '' }, name)
  }
  const { code, ...said } = await inlay(inside, 'ngram score m.safetensors some.zst')
  if ('createZstdDecompress' in zlib) t.is(said.stdout, stdout)
  else {
    t.is(code, 1)
    t.regex(said.stderr, /^inlay: the file some\.zst: it is packed by zstd, [^\n]*`zstd -dc`\n$/)
  }
})

test('lines of standard input are answered as they come, and Ctrl-C ends the waiting', async (t) => {
  const inside = folder(t, { 'text.txt': text })
  await inlay(inside, 'ngram train text.txt -o m.safetensors --order 2 -q')
  const { child, ended } = start(inside, 'ngram score m.safetensors', 'pipe')
  let said = ''
  const answered = new Promise<void>((resolve) => {
    child.stdout!.on('data', (piece: string) => {
      said += piece
      if (said.trimEnd().split('\n').length === 2) resolve()
    })
  })
  child.stdin!.write(`${text.split('\n')[0]}\n`)
  await answered
  child.kill('SIGINT')
  const { code, stderr } = await ended
  t.is(code, 130)
  t.is(stderr, 'inlay: stopped\n')
})
