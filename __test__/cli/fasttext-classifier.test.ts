import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import ava from 'ava'
import { folder, inlay } from './inlay.js'

// One process at a time: dozens at once would only wait for each other.
const test = ava.serial
const text = '__label__good a fine film\n__label__bad a dull film\n'.repeat(100)
const files = { 'train.txt': text, 'texts.txt': 'fine\ndull\n' }

test('train, predict, evaluate and quantize', async (t) => {
  const inside = folder(t, files)
  const trained = await inlay(
    inside,
    `fasttext classify-train train.txt -o m.bin --dimensions 8 --epochs 5 --learning-rate 0.5
     --maxn 3 --minn 2 --bucket 400`,
  )
  t.is(trained.code, 0, trained.stderr)
  t.regex(trained.stderr, /2 labels in m\.bin\n$/)
  const said = await inlay(inside, 'fasttext predict m.bin texts.txt -k 2')
  t.is(said.code, 0, said.stderr)
  t.regex(said.stdout, /^good\t[01]\.\d+\tbad\t0\.\d+\nbad\t[01]\.\d+\tgood\t0\.\d+\n$/)
  const scores = await inlay(inside, 'fasttext test m.bin train.txt -q')
  t.is(scores.code, 0, scores.stderr)
  t.regex(scores.stdout, /\nall \(200 lines\)\t200\t200\t1\.0000\t1\.0000\t1\.0000\n/)
  const small = await inlay(inside, 'fasttext quantize m.bin -o m.ftz --cutoff 256 -q')
  t.is(small.code, 0, small.stderr)
  const again = await inlay(inside, 'fasttext predict m.ftz texts.txt')
  t.regex(again.stdout, /^good\t.*\nbad\t.*\n$/)
})

test('what is kept is trained further, and fits a size', async (t) => {
  const inside = folder(t, files)
  const trained = await inlay(
    inside,
    'fasttext classify-train train.txt -o m.bin --dimensions 8 --maxn 4 --minn 2 --bucket 900 -q',
  )
  t.is(trained.code, 0, trained.stderr)
  const small = await inlay(
    inside,
    'fasttext quantize m.bin -o m.ftz --cutoff 256 --retrain train.txt --epochs 3',
  )
  t.is(small.code, 0, small.stderr)
  t.regex(small.stderr, /train/)
  const sized = await inlay(inside, 'fasttext quantize m.bin -o s.ftz --model-size 13k --qnorm -q')
  t.is(sized.code, 0, sized.stderr)
  t.true(statSync(join(inside, 's.ftz')).size <= 13_000)
  const wrong = await inlay(inside, 'fasttext quantize m.bin -o w.ftz --model-size 2MB -q')
  t.is(wrong.code, 2)
  t.regex(wrong.stderr, /--model-size must be bytes/)
})

test('a search writes the best model and tells its options', async (t) => {
  const inside = folder(t, { ...files, 'valid.txt': text.slice(0, 500) })
  const found = await inlay(
    inside,
    `fasttext autotune train.txt --validation valid.txt -o m.bin --trials 3 --threads 1
     --bucket 500 --minn 0 --maxn 0 --dimensions 6`,
  )
  t.is(found.code, 0, found.stderr)
  t.regex(found.stdout, /^score\t[01]\.\d{4}\ntrials\t\d\nepochs\t\d+\n/)
  t.regex(found.stdout, /\ndimensions\t6\n/)
  t.regex(found.stderr, /tune .*trials/)
  const scores = await inlay(inside, 'fasttext test m.bin valid.txt -q')
  t.is(scores.code, 0, scores.stderr)
  const none = await inlay(inside, 'fasttext autotune train.txt --validation texts.txt -o n.bin -q')
  t.is(none.code, 1)
  t.regex(none.stderr, /the validation: no line has a label/)
  t.false(existsSync(join(inside, 'n.bin')))
})

test('wrong use is told before anything is read', async (t) => {
  const inside = folder(t, files)
  for (const [line, message] of [
    ['fasttext classify-train train.txt', /-o MODEL is missing/],
    ['fasttext classify-train train.txt -o train.txt', /overwrite/],
    ['fasttext classify-train train.txt -o m.bin --minn 2', /--minn/],
    ['fasttext test m.bin', /LINES/],
    ['fasttext autotune train.txt -o m.bin', /--validation LINES is missing/],
    ['fasttext autotune train.txt --validation train.txt -o train.txt', /overwrite/],
    ['fasttext quantize m.bin -o m.ftz --retrain train.txt --cutoff 9', /--cutoff/],
  ] as const) {
    const { code, stderr } = await inlay(inside, line)
    t.is(code, 2, line)
    t.regex(stderr, message)
  }
  t.false(existsSync(join(inside, 'm.bin')))
})
