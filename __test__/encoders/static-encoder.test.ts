// Static encoders: vectors are those of model2vec and sentence-transformers; distilled ones are model2vec's; what is saved
// is what was.
import { cp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import {
  SentenceEncoder,
  StaticEncoder,
  distillingOptions,
  sentenceEncodingOptions,
  staticEncoderOptions,
  staticSavingOptions,
} from 'inlay'
import { takesAnyTexts } from '../fixtures/any-texts.js'
import { folder } from '../fixtures/folder.js'
import { longestHoldOf } from '../fixtures/longest-hold.js'
import { wrongValues } from '../fixtures/wrong-values.js'

/** Small tables with random rows, and what their libraries give for them: see `make.py` there. */
const golden = fileURLToPath(new URL('../../../__test__/golden/static-models', import.meta.url))
const bert = fileURLToPath(new URL('../../../__test__/golden/text-models/bert', import.meta.url))

interface Expected {
  readonly texts: string[]
  readonly vectors: number[][]
}

const jsonOf = async <T>(...path: string[]) =>
  JSON.parse(await readFile(join(golden, ...path), 'utf8')) as T

const furthest = (found: Float32Array, wanted: readonly number[]) =>
  found.length === wanted.length
    ? found.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0)
    : Infinity

const models = [
  ['model2vec', 1e-6, 48],
  ['shared-rows', 2e-5, 512],
  // Python rounds what it gives to float16 here.
  ['bytes', 2e-3, Infinity],
  ['nested', 1e-6, Infinity],
  ['plain', 1e-6, Infinity],
] as const

for (const [model, distance, maxTokens] of models) {
  test(`${model}: vectors are those of Python`, async (t) => {
    using encoder = await StaticEncoder.load(join(golden, model))
    const { texts, vectors } = await jsonOf<Expected>(model, 'expected.json')
    t.is(encoder.maxTokens, maxTokens)
    const found = await encoder.encode(texts)
    for (const [i, wanted] of vectors.entries()) {
      const away = furthest(found.row(i), wanted)
      t.true(away < distance, `${texts[i]}: ${away}`)
    }
    t.is(found.known?.[2], 0)
    t.is(found.tokens[2], 0)
    t.deepEqual(found.truncated, maxTokens === 48 ? [4] : [])
  })

  test(`${model}: what is saved gives the same bytes and has one fingerprint`, async (t) => {
    using encoder = await StaticEncoder.load(join(golden, model))
    const { texts } = await jsonOf<Expected>(model, 'expected.json')
    const path = join(folder(t), 'new', 'model')
    await encoder.save(path)
    using again = await StaticEncoder.load(path)
    t.deepEqual((await again.encode(texts)).values, (await encoder.encode(texts)).values)
    t.is(again.maxTokens, encoder.maxTokens)
    t.deepEqual(again.prompts, encoder.prompts)
    t.is(await again.fingerprint(), await encoder.fingerprint())
    t.regex(await again.fingerprint(), /^[0-9a-f]{64}$/)
  })
}

test('rows are saved in half of the bytes, and vectors stay where they were', async (t) => {
  using encoder = await StaticEncoder.load(join(golden, 'model2vec'))
  const { texts, vectors } = await jsonOf<Expected>('model2vec', 'expected.json')
  const path = folder(t)
  await encoder.save(path, { precision: 'float16' })
  const sizes = [join(golden, 'model2vec'), path].map((one) => stat(join(one, 'model.safetensors')))
  const [whole, half] = await Promise.all(sizes)
  t.true(half!.size < whole!.size * 0.6)
  using small = await StaticEncoder.load(path)
  const found = await small.encode(texts)
  for (const [i, wanted] of vectors.entries()) t.true(furthest(found.row(i), wanted) < 1e-3)
  t.not(await small.fingerprint(), await encoder.fingerprint())
})

test('a vector depends on its text alone, bit for bit', async (t) => {
  using encoder = await StaticEncoder.load(join(golden, 'model2vec'))
  const { texts } = await jsonOf<Expected>('model2vec', 'expected.json')
  const many = Array.from({ length: 3000 }, (_, i) => texts[i % texts.length]!.slice(i % 7))
  const all = await encoder.encode(many, { threads: 2 })
  for (const threads of [1, 2]) {
    const backwards = await encoder.encode(many.toReversed(), { threads })
    t.deepEqual(backwards.row(0), all.row(2999))
  }
  for (const i of [0, 57, 2999]) t.deepEqual((await encoder.encode([many[i]!])).values, all.row(i))
  async function* streamed() {
    yield* many
  }
  t.deepEqual((await encoder.encode(streamed())).values, all.values)
  t.deepEqual((await encoder.encode(many.slice(0, 100))).values, all.values.slice(0, 100 * 16))
})

test('what is not read of a text is said, or refused', async (t) => {
  using encoder = await StaticEncoder.load(join(golden, 'model2vec'), { maxTokens: 3 })
  const texts = ['the fox', 'the quick brown fox jumps over the lazy dog', '']
  const found = await encoder.encode(texts)
  t.deepEqual(found.truncated, [1])
  t.true(found.tokens[1]! > 3)
  t.is(found.maxTokens, 3)
  await t.throwsAsync(encoder.encode(texts, { truncate: 'error' }), {
    code: 'INVALID_INPUT',
    message: /text 1 has \d+ tokens, and 3 are read/,
  })
})

test('prompts stand before texts, and vectors are cut', async (t) => {
  using encoder = await StaticEncoder.load(join(golden, 'nested'))
  t.deepEqual(encoder.prompts, { query: 'the quick ', document: '' })
  const of = async (text: string) => (await encoder.encode([text])).values
  t.deepEqual((await encoder.encodeQuery(['fox'])).values, await of('the quick fox'))
  t.deepEqual((await encoder.encodeDocument(['fox'])).values, await of('fox'))
  const cut = await encoder.encode(['a fox', 'a dog'], { dimensions: 5 })
  t.is(cut.dimensions, 5)
  t.true(Math.abs(Math.hypot(...cut.row(1)) - 1) < 1e-6)
  const mean = await encoder.encode(['a dog'], { dimensions: 5, normalize: false })
  t.true(Math.abs(Math.hypot(...mean.row(0)) - 1) > 1e-3)
  await t.throwsAsync(encoder.encode(['a'], { dimensions: 17 }), { message: /at most 16/ })
  await t.throwsAsync(encoder.encodeQuery('a' as never), { code: 'INVALID_OPTION' })
})

test('a distilled encoder is that of model2vec', async (t) => {
  using teacher = await SentenceEncoder.load(bert)
  using student = await StaticEncoder.distill(teacher, { dimensions: 8 })
  const { texts, cosines } = await jsonOf<{ texts: string[]; cosines: number[][] }>(
    'distilled.json',
  )
  const found = await student.encode(texts)
  for (const [i, row] of cosines.entries()) {
    for (const [j, wanted] of row.entries()) {
      t.true(Math.abs(found.similarity(i, j) - wanted) < 1e-5, `${i} ${j}`)
    }
  }
  const path = folder(t)
  await student.save(path)
  using saved = await StaticEncoder.load(path)
  t.deepEqual((await saved.encode(texts)).values, found.values)
  t.is(await saved.fingerprint(), await student.fingerprint())
  // The teacher is as it was.
  t.is((await teacher.encode(['a fox'])).dimensions, 32)
  using two = await StaticEncoder.distill(teacher, { dimensions: 8, threads: 2 })
  t.deepEqual((await two.encode(texts)).values, found.values)
})

test('words of a vocabulary are tokens of a distilled encoder, and mean what they mean to the teacher', async (t) => {
  using teacher = await SentenceEncoder.load(bert)
  const vocabulary = ['foxdog', 'Lazy Dog', 'fox']
  const options = { vocabulary, dimensions: 32, weights: 'equal' } as const
  using student = await StaticEncoder.distill(teacher, options)
  using plain = await StaticEncoder.distill(teacher, { dimensions: 32, weights: 'equal' })
  const known = async (encoder: StaticEncoder, text: string) =>
    (await encoder.encode([text])).tokens[0]
  t.is(await known(student, 'foxdog'), 1)
  t.true((await known(plain, 'foxdog'))! > 1)
  t.is(
    await known(student, 'a LAZY DOG and a fox'),
    (await known(plain, 'a lazy dog and a fox'))! - 1,
  )
  const path = folder(t)
  await student.save(path)
  using saved = await StaticEncoder.load(path)
  t.is(await known(saved, 'lazy dog'), 1)
  // Without weights, and with all directions, a row is the teacher's own mean less that of all: differences are kept.
  const texts = ['foxdog', 'lazy dog', 'fox']
  const rows = await student.encode(texts, { normalize: false })
  const steps = await teacher.encodeTokens(texts)
  const means = steps.map((step) => {
    const values = Array.from({ length: 32 }, () => 0)
    for (const row of step)
      for (const [i, value] of row.entries()) values[i]! += value / step.length
    return values
  })
  const apart = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Math.hypot(...Array.from(a, (value, i) => value - b[i]!))
  for (const [i, j] of [
    [0, 1],
    [0, 2],
    [1, 2],
  ] as const) {
    const [found, wanted] = [apart(rows.row(i), rows.row(j)), apart(means[i]!, means[j]!)]
    t.true(Math.abs(found - wanted) < 1e-4, `${found} ${wanted}`)
  }
})

test('a teacher of byte-pair encoding is distilled too', async (t) => {
  using teacher = await SentenceEncoder.load(join(bert, '..', 'roberta'))
  using student = await StaticEncoder.distill(teacher, { vocabulary: ['lazy dog'], dimensions: 4 })
  const found = await student.encode(['a lazy dog', 'a lazy', ''])
  t.deepEqual(
    Array.from(found.known!).map((known) => known > 0),
    [true, true, false],
  )
  const path = folder(t)
  await student.save(path)
  using saved = await StaticEncoder.load(path)
  t.deepEqual((await saved.encode(['a lazy dog'])).values, found.row(0))
})

/** A copy of a model's folder with other files beside or instead. */
async function folderWith(
  t: ExecutionContext,
  model: string,
  files: Readonly<Record<string, unknown>>,
): Promise<string> {
  const copy = join(folder(t), 'model')
  await cp(join(golden, model), copy, { recursive: true })
  for (const [name, content] of Object.entries(files)) {
    if (content === null) await rm(join(copy, name))
    else {
      await writeFile(
        join(copy, name),
        typeof content === 'string' ? content : JSON.stringify(content),
      )
    }
  }
  return copy
}

test('a folder that is not what it should be is one clear error', async (t) => {
  const config = (fields: object) => ({ 'config.json': { model_type: 'model2vec', ...fields } })
  const modules = (...all: object[]) => ({ 'modules.json': all })
  const cases: [string, Readonly<Record<string, unknown>>, string, RegExp][] = [
    ['model2vec', { 'tokenizer.json': null }, 'NOT_FOUND', /there is no file .*tokenizer\.json/],
    ['model2vec', { 'model.safetensors': null }, 'NOT_FOUND', /there is no file .*model\.safe/],
    ['model2vec', { 'model.safetensors': 'no' }, 'INVALID_INPUT', /safetensors/],
    ['model2vec', { 'config.json': '{' }, 'INVALID_INPUT', /config\.json is no JSON/],
    ['model2vec', config({ max_length: -1 }), 'INVALID_INPUT', /has max_length -1/],
    ['model2vec', config({ normalize: 'yes' }), 'INVALID_INPUT', /has normalize "yes"/],
    ['model2vec', config({ model_type: 'bert' }), 'UNSUPPORTED', /a model of type "bert"/],
    ['model2vec', { 'tokenizer.json': '{}' }, 'INVALID_INPUT', /is no tokenizer/],
    ['nested', modules({ type: 'a.Transformer', path: '' }), 'UNSUPPORTED', /a module "Transf/],
    [
      'plain',
      modules({ type: 'StaticEmbedding', path: '' }, { type: 'x.Dense', path: '1' }),
      'UNSUPPORTED',
      /a module "Dense"/,
    ],
    ['plain', modules(), 'UNSUPPORTED', /a module undefined/],
    [
      'plain',
      modules({ type: 'StaticEmbedding', path: '../..' }),
      'INVALID_INPUT',
      /lies outside the folder/,
    ],
  ]
  for (const [model, files, code, message] of cases) {
    const path = await folderWith(t, model, files)
    await t.throwsAsync(StaticEncoder.load(path), { code, message }, JSON.stringify(files))
  }
  const other = await folderWith(t, 'bytes', {})
  await cp(join(golden, 'shared-rows', 'model.safetensors'), join(other, 'model.safetensors'))
  await t.throwsAsync(StaticEncoder.load(other), { code: 'INVALID_INPUT', message: /for each of/ })
  await t.throwsAsync(StaticEncoder.load(join(golden, 'none')), { code: 'NOT_FOUND' })
  await t.throwsAsync(StaticEncoder.load(bert), { code: 'UNSUPPORTED' })
})

test('a folder with other files is not written over, and one of its own is replaced', async (t) => {
  const path = await folderWith(t, 'model2vec', { 'notes.txt': 'mine' })
  const before = await readFile(join(path, 'model.safetensors'))
  using encoder = await StaticEncoder.load(join(golden, 'plain'))
  const message = /`folder` must be a folder without other files/
  await t.throwsAsync(encoder.save(path), { code: 'INVALID_OPTION', message })
  t.deepEqual(await readFile(join(path, 'model.safetensors')), before)
  const file = join(path, 'notes.txt')
  await t.throwsAsync(encoder.save(file), { code: 'INVALID_OPTION', message: /a folder/ })
  const own = join(path, 'own')
  await encoder.save(own)
  await encoder.save(own)
  using again = await StaticEncoder.load(own)
  t.is(await again.fingerprint(), await encoder.fingerprint())
})

test('folders without a list of modules are found by where their files are', async (t) => {
  for (const model of ['plain', 'nested']) {
    const path = await folderWith(t, model, { 'modules.json': null })
    using encoder = await StaticEncoder.load(path)
    using whole = await StaticEncoder.load(join(golden, model))
    const texts = ['a fox', '✂ dog']
    const [found, wanted] = [encoder, whole].map((one) => one.encode(texts, { normalize: true }))
    t.deepEqual((await found!).values, (await wanted!).values)
  }
})

test('texts of any kind: empty, very long, no text at all', async (t) => {
  using encoder = await StaticEncoder.load(join(golden, 'bytes'))
  await takesAnyTexts(t, encoder)
})

test('whoever takes it for a Transformer hears what reads it', async (t) => {
  for (const layout of ['model2vec', 'nested']) {
    const load = SentenceEncoder.load(join(golden, layout))
    await t.throwsAsync(load, { code: 'UNSUPPORTED', message: /`StaticEncoder\.load` reads it/ })
  }
})

test('options that are wrong are refused, and so is a closed encoder', async (t) => {
  const path = join(golden, 'model2vec')
  const encoder = await StaticEncoder.load(path)
  using teacher = await SentenceEncoder.load(bert)
  for (const { option, value } of wrongValues(sentenceEncodingOptions)) {
    if (option === 'prompt' && typeof value === 'string') continue
    await t.throwsAsync(encoder.encode(['a'], { [option]: value }), { code: 'INVALID_OPTION' })
  }
  for (const { option, value } of wrongValues(staticEncoderOptions)) {
    await t.throwsAsync(StaticEncoder.load(path, { [option]: value }), { code: 'INVALID_OPTION' })
  }
  for (const { option, value } of wrongValues(staticSavingOptions)) {
    const run = encoder.save(folder(t), { [option]: value })
    await t.throwsAsync(run, { code: 'INVALID_OPTION' })
  }
  for (const { option, value } of wrongValues(distillingOptions)) {
    const run = StaticEncoder.distill(teacher, { [option]: value })
    await t.throwsAsync(run, { code: 'INVALID_OPTION' }, `${option} ${String(value)}`)
  }
  for (const [options, message] of [
    [{ dimensions: 33 }, /at most 32/],
    [{ weights: 'equal', smoothing: 0.5 }, /is for the weights 'zipf' only/],
  ] as const) {
    await t.throwsAsync(StaticEncoder.distill(teacher, options), { message })
  }
  await t.throwsAsync(StaticEncoder.distill(encoder as never), { code: 'INVALID_OPTION' })
  encoder.close()
  await t.throwsAsync(encoder.encode(['a']), { code: 'CLOSED' })
})

test('the event loop has its turn while texts are encoded', async (t) => {
  using encoder = await StaticEncoder.load(join(golden, 'model2vec'))
  const { texts } = await jsonOf<Expected>('model2vec', 'expected.json')
  const many = Array.from({ length: 200_000 }, (_, i) => texts[i % texts.length]!)
  const held = await longestHoldOf(() => encoder.encode(many))
  t.log(`${held.toFixed(1)} ms`)
  t.true(held < 5, `${held} ms`)
})
