// Folders that an encoder is saved to: what is in them, and that they are there in full or not at all.
import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { SentenceEncoder } from 'inlay'
import { filesIn } from '../fixtures/files-in.js'
import { folder } from '../fixtures/folder.js'
import { readSafetensors, safetensorsOf } from '../fixtures/safetensors.js'

const golden = fileURLToPath(new URL('../../../__test__/golden/text-models', import.meta.url))
const texts = ['the fox', 'a lazy dog and a film', '']
const pairs = [
  { text: 'a fox', positive: 'the quick fox' },
  { text: 'a dog', positive: 'the lazy dog' },
]

const jsonOf = async (path: string) => JSON.parse(await readFile(path, 'utf8')) as unknown

test('a folder of Hugging Face becomes one of sentence-transformers', async (t) => {
  const from = join(folder(t), 'from')
  await cp(join(golden, 'bert'), from, { recursive: true })
  await rm(join(from, 'expected.json'))
  await rm(join(from, 'training.json'))
  const config = JSON.stringify(await jsonOf(join(from, 'config.json')))
  const halved = `${config.slice(0, -1)},"torch_dtype": "float16", "cutoff":2.0}`
  await writeFile(join(from, 'config.json'), halved)
  using encoder = await SentenceEncoder.load(from)
  const to = join(folder(t), 'to')
  await encoder.save(to)
  t.deepEqual(await filesIn(to), [
    join('1_Pooling', 'config.json'),
    'config.json',
    'config_sentence_transformers.json',
    'model.safetensors',
    'modules.json',
    'sentence_bert_config.json',
    'tokenizer.json',
    'tokenizer_config.json',
  ])
  // Letter for letter: to transformers 2.0 is no 2.
  const wanted = halved.replace('float16', 'float32')
  t.is(await readFile(join(to, 'config.json'), 'utf8'), wanted)
  t.like(await jsonOf(join(to, 'sentence_bert_config.json')), { max_seq_length: 64 })
  const before = await readSafetensors(join(from, 'model.safetensors'))
  t.deepEqual(await readSafetensors(join(to, 'model.safetensors')), before)
})

test('modules, prompts and lengths go along: several dense ones, with and without a way round', async (t) => {
  const from = join(folder(t), 'from')
  await cp(join(golden, 'bert'), from, { recursive: true })
  const type = (name: string) => `sentence_transformers.models.${name}`
  const modules = ['Transformer', 'Pooling', 'Dense', 'Dense', 'Dense', 'Dropout'].map(
    (name, i) => {
      return { idx: i, name: `${i}`, path: i === 0 ? '' : `${i}_${name}`, type: type(name) }
    },
  )
  let drawn = 1
  const random = (length: number) =>
    Float32Array.from({ length }, () => (drawn = (drawn * 48_271) % 2_147_483_647) / 2 ** 32 - 0.25)
  const sizes = [
    [32, 32],
    [32, 8],
    [8, 6],
  ] as const
  const dense = sizes.map(([inputs, units], i) => ({
    'linear.weight': { shape: [units, inputs], values: random(units * inputs) },
    ...(i < 2 && { 'linear.bias': { shape: [units], values: random(units) } }),
    ...(i === 1 && {
      'residual.weight': { shape: [units, inputs], values: random(units * inputs) },
    }),
  }))
  const files: Record<string, unknown> = {
    'modules.json': modules,
    '1_Pooling/config.json': { pooling_mode: 'weightedmean' },
    'config_sentence_transformers.json': {
      prompts: { query: 'find: ' },
      similarity_fn_name: 'dot',
    },
    'sentence_roberta_config.json': { max_seq_length: 30, do_lower_case: false },
  }
  const activations = ['Tanh', 'ReLU', 'Identity']
  for (const [i, [inputs, units]] of sizes.entries()) {
    files[`${i + 2}_Dense/config.json`] = {
      in_features: inputs,
      out_features: units,
      bias: i < 2,
      activation_function: `torch.nn.modules.activation.${activations[i]}`,
      ...(i < 2 && { use_residual: true }),
    }
  }
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(from, name)), { recursive: true })
    await writeFile(join(from, name), JSON.stringify(content))
  }
  for (const [i, tensors] of dense.entries()) {
    await writeFile(join(from, `${i + 2}_Dense`, 'model.safetensors'), safetensorsOf(tensors))
  }
  using encoder = await SentenceEncoder.load(from)
  t.is(encoder.dimensions, 6)
  t.is(encoder.maxTokens, 30)

  const [tokens] = await encoder.encodeTokens(texts.slice(1, 2))
  const count = tokens!.length
  const shares = Array.from({ length: count }, (_, i) => (2 * (i + 1)) / (count * (count + 1)))
  let vector = Array.from({ length: 32 }, (_, j) =>
    shares.reduce((sum, share, i) => sum + share * tokens!.row(i)[j]!, 0),
  )
  const product = (weight: Float32Array, x: readonly number[]) =>
    Array.from({ length: weight.length / x.length }, (_, unit) =>
      x.reduce((sum, value, i) => sum + value * weight[unit * x.length + i]!, 0),
    )
  for (const [i, tensors] of dense.entries()) {
    const bias = tensors['linear.bias']?.values
    const values = product(tensors['linear.weight'].values, vector).map((value, unit) => {
      const whole = value + (bias?.[unit] ?? 0)
      return i === 0 ? Math.tanh(whole) : i === 1 ? Math.max(0, whole) : whole
    })
    const round =
      i === 0 ? vector : i === 1 ? product(tensors['residual.weight']!.values, vector) : []
    vector = values.map((value, unit) => value + (round[unit] ?? 0))
  }
  const found = await encoder.encode(texts)
  for (const [j, value] of vector.entries()) t.true(Math.abs(found.row(1)[j]! - value) < 1e-5)

  using tuned = await encoder.train(pairs, { freeze: ['3_Dense'], learningRate: 0.01 })
  const to = join(folder(t), 'to')
  await tuned.save(to)
  using opened = await SentenceEncoder.load(to)
  t.deepEqual((await opened.encodeQuery(texts)).values, (await tuned.encodeQuery(texts)).values)
  t.deepEqual(opened.prompts, { query: 'find: ' })
  t.is(opened.maxTokens, 30)
  for (const [i, tensors] of dense.entries()) {
    const after = await readSafetensors(join(to, `${i + 2}_Dense`, 'model.safetensors'))
    const isSame = Object.entries(tensors).every(([name, { values }]) => {
      return after.get(name)!.every((value, at) => value === values[at])
    })
    t.is(isSame, i === 1)
  }
  for (const name of ['modules.json', 'config_sentence_transformers.json']) {
    t.deepEqual(await jsonOf(join(to, name)), files[name])
  }
})

test('a folder is there in full or not at all, and others are left alone', async (t) => {
  using encoder = await SentenceEncoder.load(join(golden, 'bert'))
  const parent = folder(t)
  const to = join(parent, 'model')
  await t.throwsAsync(encoder.save(to, { signal: AbortSignal.abort() }), { any: true })
  t.deepEqual(await readdir(parent), [])

  await mkdir(to)
  await encoder.save(to)
  t.deepEqual(await readdir(parent), ['model'])
  const weights = await readFile(join(to, 'model.safetensors'))
  await writeFile(join(to, 'notes.txt'), 'mine')
  await t.throwsAsync(encoder.save(to), {
    code: 'INVALID_OPTION',
    message: /`folder` must be a folder without other files than a model's: not notes.txt/,
  })
  t.deepEqual(await readFile(join(to, 'model.safetensors')), weights)
  await rm(join(to, 'notes.txt'))
  await t.throwsAsync(encoder.save(join(to, 'config.json')), { message: /must be a folder/ })
  await t.throwsAsync(encoder.save(''), { code: 'INVALID_OPTION' })

  const from = join(folder(t), 'from')
  await cp(join(golden, 'bert'), from, { recursive: true })
  using orphan = await SentenceEncoder.load(from)
  await rm(from, { recursive: true })
  await t.throwsAsync(orphan.save(to), { code: 'NOT_FOUND', message: /config\.json/ })
  t.deepEqual(await readdir(parent), ['model'])
  using again = await SentenceEncoder.load(to)
  t.deepEqual((await again.encode(texts)).values, (await encoder.encode(texts)).values)
  encoder.close()
  await t.throwsAsync(encoder.save(to), { code: 'CLOSED' })
})
