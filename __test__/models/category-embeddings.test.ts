import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  CategoryEmbeddings,
  Classifier,
  type Row,
  Vectors,
  categoryEmbeddingsOptions,
  readTable,
} from 'inlay'
import { areaUnderCurve, regressionOf } from '#inlay/models/table-evaluation.js'
import { runOptions, settleAlone } from '#inlay/options.js'
import { folder } from '../fixtures/folder.js'
import { randomNumbers } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

/** Flats in eight towns, four of them dear: rent and whether it is high follow town and size. */
function flats(count: number, seed: number): Row[] {
  const next = randomNumbers(seed)
  return Array.from({ length: count }, (_, i) => {
    const town = i % 8
    const size = 20 + Math.round(80 * next())
    const rent = (town < 4 ? 1000 : 200) + 8 * size + 40 * (next() - 0.5)
    return {
      town: `${town < 4 ? 'dear' : 'cheap'}${town % 4}`,
      size,
      floor: `0${1 + (i % 3)}`,
      rent,
      high: rent > 1000 ? 'yes' : 'no',
    }
  })
}

const short = { epochs: 30, batchSize: 32, hidden: [16] }
const high = { ...short, target: 'high', columns: { rent: 'ignored' } } as const
const rent = {
  ...short,
  target: 'rent',
  task: 'regression',
  columns: { high: 'ignored' },
  dropout: 0,
} as const

test('labels are foretold, and values that do the same have vectors near each other', async (t) => {
  using model = await CategoryEmbeddings.train(flats(800, 1), high)
  t.deepEqual(
    model.columns.map(({ name, kind }) => [name, kind]),
    [
      ['town', 'categorical'],
      ['size', 'numeric'],
      ['floor', 'categorical'],
    ],
  )
  const { accuracy, auc, count, labels } = await model.evaluate(flats(200, 2))
  t.is(count, 200)
  t.true(accuracy > 0.95, `${accuracy}`)
  t.true(auc! > 0.98, `${auc}`)
  t.deepEqual(labels.map(({ label }) => label).toSorted(), ['no', 'yes'])
  const vectors = model.vectors('town')
  t.is(vectors.size, 8)
  const near = await vectors.mostSimilar('dear0', { topK: 3 })
  t.true(
    near.every(({ word }) => word.startsWith('dear')),
    JSON.stringify(near),
  )
})

test('numbers are foretold in their own units', async (t) => {
  using model = await CategoryEmbeddings.train(flats(800, 1), rent)
  const { rmse, mae, r2 } = await model.evaluate(flats(200, 2))
  t.true(rmse < 60 && mae <= rmse && r2 > 0.97, `${rmse} ${mae} ${r2}`)
  const found: Float32Array = await model.predict([
    { town: 'dear1', size: 50 },
    { town: 'cheap1', size: 50 },
  ])
  t.true(Math.abs(found[0]! - 1400) < 120, `${found[0]}`)
  t.true(Math.abs(found[1]! - 600) < 120, `${found[1]}`)
})

test('what was never seen and what is missing has an answer of its own', async (t) => {
  // Who gives no age says yes; who gives no town says no. Of others it is even.
  const people = Array.from({ length: 400 }, (_, i): Row => {
    if (i % 4 === 0) return { age: null, town: `t${i % 5}`, says: 'yes' }
    if (i % 4 === 1) return { age: String(20 + (i % 50)), town: '?', says: 'no' }
    return { age: 20 + (i % 50), town: `t${i % 5}`, says: i % 8 < 4 ? 'yes' : 'no' }
  })
  using model = await CategoryEmbeddings.train(people, { ...short, target: 'says', missing: ['?'] })
  const shares = await model.predictProbabilities([
    { town: 't1' },
    { age: 30 },
    { age: 30, town: 't1' },
    { age: 30, town: 'never' },
  ])
  const yes = Array.from(shares, (row) => row[model.labels.indexOf('yes')]!)
  t.true(yes[0]! > 0.9, `without age: ${yes[0]}`)
  t.true(yes[1]! < 0.1, `without town: ${yes[1]}`)
  t.true(yes[2]! > 0.2 && yes[2]! < 0.8, `with both: ${yes[2]}`)
  t.not(yes[3], yes[2])
  t.not(yes[3], yes[1])
  t.false(model.vectors('town').has('?'))
  for (const row of shares) t.true(Math.abs(row[0]! + row[1]! - 1) < 1e-5)
})

test('rows come from files and from iterables, and are the same', async (t) => {
  const inside = folder(t)
  const [csv, jsonl] = [join(inside, 'flats.csv'), join(inside, 'flats.jsonl')]
  const rows = flats(200, 1)
  const names = Object.keys(rows[0]!)
  const lines = rows.map((row) => names.map((name) => row[name]).join(','))
  writeFileSync(csv, [names.join(','), ...lines].join('\n'))
  writeFileSync(jsonl, rows.map((row) => JSON.stringify(row)).join('\n'))
  async function* oneByOne() {
    yield* rows
  }
  const bytes = await Promise.all(
    [rows, csv, jsonl, oneByOne()].map(async (source, i) => {
      using model = await CategoryEmbeddings.train(source, {
        ...high,
        epochs: 2,
        threads: 1 + (i % 2),
      })
      return (await model.encode(csv)).values
    }),
  )
  for (const other of bytes.slice(1)) t.deepEqual(other, bytes[0])
})

test('rows have vectors, which a classifier takes', async (t) => {
  using model = await CategoryEmbeddings.train(flats(400, 1), high)
  t.is(model.dimensions, 16)
  const rows = flats(10, 2)
  const vectors = await model.encode(rows)
  t.deepEqual([vectors.length, vectors.dimensions], [10, 16])
  t.deepEqual((await model.encode(rows.slice(3, 4))).row(0), vectors.row(3))
  const examples = flats(400, 1).map((input) => ({
    input,
    label: String(input['town']).slice(0, 4),
  }))
  using towns = await Classifier.train(model, examples)
  t.true((await towns.evaluate(examples)).accuracy > 0.9)
})

test('what is kept is opened as it was', async (t) => {
  const path = join(folder(t), 'model.safetensors')
  using model = await CategoryEmbeddings.train(flats(200, 1), { ...rent, epochs: 3 })
  await model.save(path)
  using opened = await CategoryEmbeddings.open(path, { task: 'regression' })
  t.deepEqual(await opened.predict(flats(20, 2)), await model.predict(flats(20, 2)))
  t.deepEqual([...opened.vectors('town').words], [...model.vectors('town').words])
  t.deepEqual(opened.columns, model.columns)
  const other = CategoryEmbeddings.open(path)
  await t.throwsAsync(other, { message: /a model for regression: say so by `task`/ })
})

test('a vector is as long as is asked for, or as the rule has it', async (t) => {
  const options = { ...high, epochs: 1, dimensions: { floor: 7 } }
  using model = await CategoryEmbeddings.train(flats(100, 1), options)
  t.is(model.vectors('floor').dimensions, 7)
  t.is(model.vectors('town').dimensions, Math.round(1.6 * 8 ** 0.56))
  using flat = await CategoryEmbeddings.train(flats(100, 1), { ...options, hidden: [] })
  t.is(flat.dimensions, 7 + 5 + 1)
})

test('a column is called as it likes: as what every object has, too', async (t) => {
  const rows = flats(40, 1).map(({ town, size, high: dear }) => ({
    constructor: town!,
    valueOf: size!,
    high: dear!,
  }))
  const options = { target: 'high', epochs: 1 } as const
  using model = await CategoryEmbeddings.train(rows as unknown as Row[], options)
  t.deepEqual(
    model.columns.map(({ name, kind }) => [name, kind]),
    [
      ['constructor', 'categorical'],
      ['valueOf', 'numeric'],
    ],
  )
  t.is(model.vectors('constructor').dimensions, 5)
})

test('how well numbers and pairs of classes are foretold is worked out', async (t) => {
  const area = (seconds: number[], wanted: number[]) => {
    const shares = seconds.flatMap((share) => [1 - share, share])
    const settings = settleAlone(runOptions, {}, 'test')
    return areaUnderCurve(Vectors.from(Float32Array.from(shares), 2), wanted, 'test', settings)
  }
  t.is(await area([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]), 0.75)
  t.is(await area([0.5, 0.7], [1, 1]), undefined)
  t.like(await regressionOf([1, 2, 3], [1, 2, 6]), {
    count: 3,
    rmse: Math.sqrt(3),
    mae: 1,
    r2: 1 - 3 / (2 / 3),
  })
})

test('what cannot be learnt from is refused', async (t) => {
  const refused = (rows: Iterable<unknown>, options: object, message: RegExp) =>
    t.throwsAsync(
      CategoryEmbeddings.train(rows as Row[], { target: 'high', ...options }),
      { message },
      String(message),
    )
  const rows = flats(20, 1)
  await refused(rows, { target: undefined }, /`target` must be a string/)
  await refused(rows, { target: 'hihg' }, /no column "hihg"; there are town, size/)
  await refused(rows, { target: 'rent' }, /a column of labels; for numbers there is `task/)
  await refused(rows, { columns: { twn: 'numeric' } }, /no column "twn"/)
  await refused(rows, { columns: { town: 'numeric' } }, /row 0 has no number in `town`: "dear0"/)
  await refused([...rows, { town: 'x' }], {}, /row 20 has nothing in `high`/)
  await refused([], {}, /there are no rows/)
  const huge = rows.map((row, i) => ({ ...row, size: i % 2 === 0 ? 1e308 : -1e308 }))
  const tooLarge = /the numbers in `size` are too large for a standard deviation/
  await refused(huge, {}, tooLarge)
  await refused(huge, { target: 'size', task: 'regression' }, tooLarge)
  await refused(rows, { validation: [] }, /`validation` has no examples/)
  await refused([...rows, 5], {}, /row 20 is no object: 5/)
  await refused([{ high: 'yes' }, { high: 'no' }], {}, /no column has anything to learn from/)
  await refused(rows, { patience: 2 }, /`patience` has no meaning without `validation`/)
  const one = rows.map((row) => ({ ...row, high: 'yes' }))
  await refused(one, {}, /two labels or more/)
  await refused(rows, { task: 'regression' }, /row 0 has no number in `high`/)
  using model = await CategoryEmbeddings.train(rows, { ...high, epochs: 1 })
  await t.throwsAsync(model.evaluate([{ ...rows[0], high: 'maybe' }]), { message: /"maybe"/ })
  await t.throwsAsync(model.predict([{ size: 'large' }]), {
    message: /row 0 has no number in `size`/,
  })
  await t.throwsAsync(model.predict([{ twon: 1 }]), {
    message: /have none of the columns town, size/,
  })
  t.throws(() => model.vectors('size'), { message: /a column of categories: town, floor/ })
  t.is((await model.predict([])).length, 0)
})

test('wrong options are refused before a row is read', async (t) => {
  const rows: Iterable<Row> = {
    [Symbol.iterator]: () => {
      throw new Error('a row was read')
    },
  }
  for (const { option, value } of wrongValues(categoryEmbeddingsOptions)) {
    // A hidden layer of one unit is narrow and not wrong; any string may be a path, any array rows.
    if (option === 'hidden' && Array.isArray(value)) continue
    if (option === 'validation' && (Array.isArray(value) || value === 'no such choice')) continue
    const options = { target: 'high', [option]: value }
    await t.throwsAsync(CategoryEmbeddings.train(rows, options), { code: 'INVALID_OPTION' }, option)
  }
})

const adult = join(process.env['INLAY_DATA'] ?? '../shared/data', 'text/tabular')

test('Adult income: 85 % and an AUC of 0.91 (INLAY_DATA)', async (t) => {
  if (!existsSync(join(adult, 'adult.data.gz'))) {
    t.log('skipped: no Adult income table in INLAY_DATA')
    t.pass()
    return
  }
  const header =
    `age workclass fnlwgt education education-num marital-status occupation relationship race sex
    capital-gain capital-loss hours-per-week native-country income`.split(/\s+/)
  const options = { header, trim: true }
  async function* held(): AsyncGenerator<Row> {
    const rows = readTable(join(adult, 'adult.test.gz'), { ...options, skipLines: 1 })
    for await (const row of rows) yield { ...row, income: String(row['income']).replace('.', '') }
  }
  using model = await CategoryEmbeddings.train(readTable(join(adult, 'adult.data.gz'), options), {
    target: 'income',
    missing: ['?'],
  })
  const { accuracy, auc, count } = await model.evaluate(held())
  t.log(`accuracy ${accuracy.toFixed(4)}, AUC ${auc?.toFixed(4)}`)
  t.is(count, 16_281)
  t.true(accuracy > 0.85, `${accuracy}`)
  t.true(auc! > 0.91, `${auc}`)
})
