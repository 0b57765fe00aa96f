import { join } from 'node:path'
import ava from 'ava'
import { WordVectors } from 'inlay'
import { folder, goesOnAfter, inlay } from './inlay.js'

// One process at a time: dozens at once would only wait for each other.
const test = ava.serial

/** Fruits that are sweet or sour, and what they cost. */
const lines = Array.from({ length: 240 }, (_, i) => {
  const fruit = ['plum', 'fig', 'date', 'lime', 'lemon', 'sloe'][i % 6]!
  return `${fruit};${i % 7};${i % 6 < 3 ? 'sweet' : 'sour'};${(i % 6) * 10 + (i % 7)}.5`
})
const csv = ['fruit;weight;taste;price', ...lines].join('\n')
const fast = '--epochs 20 --batch-size 16 --threads 1'

test('labels of a table are learnt, foretold and compared, and categories have vectors', async (t) => {
  const inside = folder(t, { 'fruits.csv': csv, 'new.csv': 'fruit;weight\nfig;3\nlemon;2\n' })
  const trained = await inlay(
    inside,
    `table train fruits.csv --target taste --ignored price --delimiter ; -o m.safetensors ${fast}`,
  )
  t.is(trained.code, 0, trained.stderr)
  t.is(trained.stdout, '')
  t.regex(trained.stderr, /what `taste` is from 2 columns in m\.safetensors\n$/)
  const found = await inlay(inside, 'table predict m.safetensors new.csv --delimiter ; -q')
  t.regex(found.stdout, /^sweet\t0\.9\d+\nsour\t0\.9\d+\n$/)
  const { stdout } = await inlay(inside, 'table evaluate m.safetensors fruits.csv --delimiter ; -q')
  t.regex(stdout, /^count\t240\.000\naccuracy\t1\.00000\nmacroF1\t1\.00000\nauc\t1\.00000\n$/)
  const saved = await inlay(inside, 'table vectors m.safetensors --column fruit -o fruits.txt')
  t.regex(saved.stderr, /6 vectors of 4 values in fruits\.txt\n$/)
  using vectors = await WordVectors.open(join(inside, 'fruits.txt'))
  t.deepEqual([...vectors.words].toSorted(), ['date', 'fig', 'lemon', 'lime', 'plum', 'sloe'])
})

test('numbers are foretold too', async (t) => {
  const inside = folder(t, { 'fruits.csv': csv })
  const how = '--target price --task regression --categorical weight --delimiter ;'
  const trained = await inlay(
    inside,
    `table train fruits.csv ${how} -o m.safetensors ${fast} --dropout 0 --validation fruits.csv -q`,
  )
  t.is(trained.code, 0, trained.stderr)
  t.is(trained.stderr, '')
  const { stdout } = await inlay(inside, 'table evaluate m.safetensors fruits.csv --delimiter ; -q')
  const r2 = Number(/r2\t(.*)\n/.exec(stdout)?.[1])
  t.true(r2 > 0.98, stdout)
  const found = await inlay(inside, 'table predict m.safetensors fruits.csv --delimiter ; -q')
  t.is(found.stdout.trim().split('\n').length, 240)
})

test('table train that is stopped says so, and goes on from its checkpoint', async (t) => {
  const inside = folder(t, { 'fruits.csv': csv })
  const flags = '--target taste --delimiter ; --epochs 400 --batch-size 4 --threads 1'
  await goesOnAfter(t, ['SIGINT', 130], inside, `table train fruits.csv -o m.safetensors ${flags}`)
})

test('what is missing or wrong is told in one line', async (t) => {
  const inside = folder(t, { 'fruits.csv': csv })
  const none = await inlay(inside, 'table train fruits.csv -o m.safetensors')
  t.is(none.code, 2)
  t.regex(none.stderr, /--target COLUMN is missing/)
  const wrong = await inlay(inside, 'table train fruits.csv --target taste -o m.safetensors -q')
  t.is(wrong.code, 1)
  t.regex(wrong.stderr, /^inlay: there is no column "taste"; there are fruit;weight;taste;price\n$/)
  const same = await inlay(inside, 'table train fruits.csv --target taste -o fruits.csv')
  t.regex(same.stderr, /would overwrite fruits\.csv/)
})
