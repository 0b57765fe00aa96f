import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import ava from 'ava'
import { Lda, WordVectors } from 'inlay'
import { colouredText, folder, inlay, start } from './inlay.js'

// One process at a time: dozens at once would only wait for each other.
const test = ava.serial

test('lda train finds topics, topics prints them, and transform gives those of new lines', async (t) => {
  const inside = folder(t, {
    'text.txt': colouredText(300),
    'new.txt': 'red1 red2 red3\n\nnobody\nblue1 blue2\n',
  })
  const flags = '--topics 3 --iterations 60 --optimize-every 0 --min-count 1'
  const trained = await inlay(inside, `lda train text.txt -o m.safetensors ${flags}`)
  t.is(trained.code, 0, trained.stderr)
  t.regex(trained.stderr, /3 topics in m\.safetensors\n$/)
  using model = await Lda.open(join(inside, 'm.safetensors'))
  t.is(model.options.iterations, 60)

  const printed = await inlay(inside, 'lda topics m.safetensors -k 4')
  t.is(printed.code, 0, printed.stderr)
  const lines = printed.stdout.trimEnd().split('\n')
  t.is(lines.length, 3)
  for (const line of lines) t.regex(line, /^\d\t0\.\d{4}\t0\.100\t(\w+\d)( \w+\d){3}$/)
  const colours = lines.map((line) => line.split('\t')[3]!.replaceAll(/\d/g, '').split(' ')[0])
  t.is(new Set(colours).size, 3)

  const transformed = await inlay(inside, 'lda transform m.safetensors new.txt -q')
  t.is(transformed.code, 0, transformed.stderr)
  const rows = transformed.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as number[])
  t.is(rows.length, 4)
  t.deepEqual(rows[2], [0, 0, 0])
  const same = await model.transform(join(inside, 'new.txt'))
  t.deepEqual(Float32Array.from(rows.flat()), same.values)

  const saved = await inlay(inside, 'lda transform m.safetensors new.txt -o new.bin')
  t.is(saved.code, 0, saved.stderr)
  t.regex(saved.stderr, /4 documents of 3 topics in new\.bin\n$/)
  using vectors = await WordVectors.open(join(inside, 'new.bin'))
  t.deepEqual(vectors.vector('3'), same.row(3))
})

test('lda transform takes standard input as it takes a file, and Ctrl-C ends the waiting', async (t) => {
  const noise = Buffer.concat([Buffer.from('\uFEFFred1\rred2\n'), Buffer.from([0xff, 10])])
  const inside = folder(t, {
    'text.txt': colouredText(300),
    'noise.txt': noise,
    'paragraphs.txt': 'red1 red2\nred3\n\nblue1\n',
  })
  const spool = folder(t)
  const env = { ...process.env, TMPDIR: spool, TEMP: spool }
  const flags = '--topics 3 --iterations 20 --min-count 1 -q'
  t.is((await inlay(inside, `lda train text.txt -o m ${flags}`)).code, 0)
  for (const [file, how] of [
    ['noise.txt', '--invalid-utf8 replace'],
    ['noise.txt', ''],
    ['paragraphs.txt', '--sentences paragraph'],
  ] as const) {
    const named = await inlay(inside, `lda transform m ${file} ${how} -q`)
    const { child, ended } = start(inside, `lda transform m ${how} -q`, 'pipe', env)
    child.stdin!.end(readFileSync(join(inside, file)))
    const stderr = named.stderr.replace(file, 'standard input')
    t.deepEqual(await ended, { ...named, stderr }, `${file} ${how}`)
  }
  const waiting = start(inside, 'lda transform m -q', 'pipe', env)
  waiting.child.stdin!.write('red1\n')
  // The file of what came is there: it reads.
  while (readdirSync(spool).length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  waiting.child.kill('SIGINT')
  const stopped = { code: 130, signal: null, stdout: '', stderr: 'inlay: stopped\n' }
  t.deepEqual(await waiting.ended, stopped)
  t.deepEqual(readdirSync(spool), [])
})

test('lda map prints a page of its topics', async (t) => {
  const inside = folder(t, { 'text.txt': colouredText(300) })
  const flags = '--topics 3 --iterations 20 --min-count 1 -q'
  t.is((await inlay(inside, `lda train text.txt -o m ${flags}`)).code, 0)
  const { code, stdout, stderr } = await inlay(inside, 'lda map m --title Colours --top-words 5')
  t.is(code, 0, stderr)
  t.regex(stdout, /^<!doctype html>[^]*<h1>Colours<\/h1>[^]*<\/html>\n$/)
})

test('lda train goes on from a checkpoint, and learns on from a model', async (t) => {
  const inside = folder(t, { 'text.txt': colouredText(300), 'more.txt': 'red1 new new\n' })
  const train = (rest: string) => inlay(inside, `lda train ${rest} --min-count 1 -q`)
  const flags = '--topics 4 --resume a.checkpoint'
  const short = await train(`text.txt -o short ${flags} --iterations 5`)
  t.is(short.code, 0, short.stderr)
  t.is((await train(`text.txt -o long ${flags} --iterations 25`)).code, 0)
  t.is((await train('text.txt -o whole --topics 4 --iterations 25')).code, 0)
  const read = (name: string) => readFileSync(join(inside, name))
  t.deepEqual(read('long'), read('whole'))

  const updated = await train('more.txt -o newer --model whole --iterations 5')
  t.is(updated.code, 0, updated.stderr)
  using newer = await Lda.open(join(inside, 'newer'))
  t.is(newer.documents, 1)
  t.true([...newer.words].includes('new'))
})

test('lda says what is missing or wrong', async (t) => {
  const inside = folder(t, { 'text.txt': 'a b\n' })
  for (const [line, problem] of [
    ['lda train text.txt', /-o MODEL is missing/],
    ['lda train text.txt -o text.txt', /would overwrite/],
    ['lda train text.txt -o m --topics 0', /--topics/],
    ['lda transform text.txt text.txt --format npy', /need -o VECTORS/],
  ] as const) {
    const { code, stderr } = await inlay(inside, line)
    t.is(code, 2, stderr)
    t.regex(stderr, problem)
  }
  const { code, stderr } = await inlay(inside, 'lda topics text.txt')
  t.is(code, 1)
  t.regex(stderr, /text\.txt/)
})
