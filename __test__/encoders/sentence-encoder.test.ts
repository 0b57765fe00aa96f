// Folders of pretrained text models: vectors are those of Python, whatever is beside them; what is wrong is said.
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { SentenceEncoder, sentenceEncoderOptions, sentenceEncodingOptions } from 'inlay'
import { takesAnyTexts } from '../fixtures/any-texts.js'
import { folder } from '../fixtures/folder.js'
import { longestHoldOf } from '../fixtures/longest-hold.js'
import { wrongValues } from '../fixtures/wrong-values.js'

/** Small models with random weights, and what transformers gives for them: see `make.py` there. */
const golden = fileURLToPath(new URL('../../../__test__/golden/text-models', import.meta.url))
const models = ['bert', 'distilbert', 'roberta', 'mpnet', 'modernbert'] as const

interface Expected {
  readonly texts: string[]
  readonly ids: number[][]
  readonly vectors: number[][]
  readonly hidden: number[][][]
}

const expectedOf = async (model: string) =>
  JSON.parse(await readFile(join(golden, model, 'expected.json'), 'utf8')) as Expected

const furthest = (found: Float32Array, wanted: readonly number[]) =>
  found.length === wanted.length
    ? found.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0)
    : Infinity

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, v, i) => sum + v * y[i]!, 0)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}

for (const model of models) {
  test(`${model}: vectors, tokens and hidden states are those of transformers`, async (t) => {
    using encoder = await SentenceEncoder.load(join(golden, model))
    const { texts, ids, vectors, hidden } = await expectedOf(model)
    const found = await encoder.encode(texts, { normalize: true })
    t.deepEqual(
      Array.from(found.tokens),
      ids.map((tokens) => tokens.length),
    )
    t.deepEqual(found.truncated, [])
    for (const [i, wanted] of vectors.entries()) t.true(furthest(found.row(i), wanted) < 1e-5)
    for (const [layer, wanted] of hidden[0]!.entries()) {
      const [tokens] = await encoder.encodeTokens(texts.slice(0, 1), { layer })
      t.is(tokens!.length, ids[0]!.length)
      t.true(furthest(tokens!.values, wanted) < 2e-5, `hidden ${layer}`)
    }
  })
}

test('a vector depends on its text alone, bit for bit', async (t) => {
  using encoder = await SentenceEncoder.load(join(golden, 'bert'))
  const { texts } = await expectedOf('bert')
  const many = Array.from({ length: 400 }, (_, i) => texts[i % texts.length]!.slice(i % 7))
  const all = await encoder.encode(many, { threads: 2 })
  for (const threads of [1, 2]) {
    const backwards = await encoder.encode(many.toReversed(), { threads })
    t.deepEqual(backwards.row(0), all.row(399))
    t.deepEqual(backwards.values.toSorted(), all.values.toSorted())
  }
  for (const i of [0, 57, 399]) {
    const [alone] = await encoder.encode([many[i]!])
    t.deepEqual(alone, all.row(i))
  }
  async function* streamed() {
    yield* many
  }
  t.deepEqual((await encoder.encode(streamed())).values, all.values)
})

for (const model of models) {
  test(`${model}: weights of 8 bits give nearly the same vectors`, async (t) => {
    const path = join(golden, model)
    using exact = await SentenceEncoder.load(path)
    using encoder = await SentenceEncoder.load(path, { precision: 'int8' })
    const { texts } = await expectedOf(model)
    const [wanted, found] = [await exact.encode(texts), await encoder.encode(texts)]
    for (const i of texts.keys()) {
      t.true(cosine(wanted.row(i), found.row(i)) > 0.99, `text ${i}`)
      t.notDeepEqual(found.row(i), wanted.row(i))
    }
    const [one] = await encoder.encode(texts.slice(1, 2), { threads: 2 })
    t.deepEqual(one, found.row(1))
    // Which are other vectors than those of an index that was made before.
    t.not(await encoder.fingerprint(), await exact.fingerprint())
    // Those who ask for a weight get what its bytes stand for.
    const [float, byte] = [exact, encoder].map(({ network }) =>
      network.parameter('layers.0.self_attn.in_proj_weight')!,
    )
    t.deepEqual(byte!.shape, float!.shape)
    const width = float!.shape[1]!
    for (let at = 0; at < float!.values.length; at += width) {
      const row = Array.from(float!.values.subarray(at, at + width))
      const apart = furthest(byte!.values.subarray(at, at + width), row)
      // Half a step; a machine without instructions of its own has 64 of them on each side.
      t.true(apart > 0 && apart <= Math.max(...row.map(Math.abs)) / 126)
    }
  })
}

test('what is not read of a text is said, or refused', async (t) => {
  using encoder = await SentenceEncoder.load(join(golden, 'bert'), { maxTokens: 8 })
  const texts = ['the fox', 'the quick brown fox jumps over the lazy dog and the lazy fox', '']
  const found = await encoder.encode(texts)
  t.deepEqual(found.truncated, [1])
  t.true(found.tokens[1]! > 8)
  t.is(found.tokens[2], 2)
  const [tokens] = await encoder.encodeTokens(texts.slice(1, 2))
  t.is(tokens!.length, 8)
  await t.throwsAsync(encoder.encode(texts, { truncate: 'error' }), {
    code: 'INVALID_INPUT',
    message: /text 1 has \d+ tokens, and 8 are read/,
  })
  await t.throwsAsync(SentenceEncoder.load(join(golden, 'bert'), { maxTokens: 65 }), {
    code: 'INVALID_OPTION',
    message: /at most 64/,
  })
})

test('letters of texts are made small where the folder says so', async (t) => {
  const reading = { 'sentence_roberta_config.json': { max_seq_length: 30, do_lower_case: true } }
  const path = await folderWith(t, reading, 'roberta')
  using plain = await SentenceEncoder.load(join(golden, 'roberta'))
  using small = await SentenceEncoder.load(path)
  const wanted = await plain.encode(['The FOX', 'the fox'])
  const found = await small.encode(['The FOX'])
  t.notDeepEqual(wanted.row(0), wanted.row(1))
  t.deepEqual(found.row(0), wanted.row(1))
  t.not(await small.fingerprint(), await plain.fingerprint())
  const to = join(folder(t), 'to')
  await small.save(to)
  using opened = await SentenceEncoder.load(to)
  t.deepEqual((await opened.encode(['The FOX'])).values, found.values)
})

/** A copy of a model's folder with other files beside or instead. */
async function folderWith(
  t: Parameters<typeof folder>[0],
  files: Readonly<Record<string, unknown>>,
  model = 'bert',
): Promise<string> {
  const copy = join(folder(t), 'model')
  await cp(join(golden, model), copy, { recursive: true })
  for (const [name, content] of Object.entries(files)) {
    const path = join(copy, name)
    if (content === null) await rm(path)
    else {
      await cp(join(golden, model, 'config.json'), path, { recursive: true })
      await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
    }
  }
  return copy
}

const moduleOf = (type: string, path = '') => ({
  type: `sentence_transformers.models.${type}`,
  path,
})

test('a pooling that modules.json names and the folder lacks is not taken for a mean', async (t) => {
  const modules = [moduleOf('Transformer'), moduleOf('Pooling', '1_Pooling')]
  const path = await folderWith(t, { 'modules.json': modules })
  await t.throwsAsync(SentenceEncoder.load(path), { code: 'NOT_FOUND', message: /1_Pooling/ })
})

test('modules.json says what becomes of the vectors of tokens', async (t) => {
  const { texts, hidden } = await expectedOf('bert')
  const last = hidden[0]!.at(-1)!
  const rows = last.length / 32
  const column = (j: number) => Array.from({ length: rows }, (_, i) => last[i * 32 + j]!)
  const places = Array.from({ length: 32 }, (_, j) => j)
  const max = places.map((j) => Math.max(...column(j)))
  const mean = places.map((j) => column(j).reduce((sum, value) => sum + value, 0) / rows)
  const rising = (values: readonly number[]) =>
    values.reduce((sum, value, i) => sum + value * (i + 1), 0) / ((rows * (rows + 1)) / 2)
  const unit = (values: readonly number[]) => values.map((value) => value / Math.hypot(...values))
  const vectorWith = async (pooling: object, ...behind: string[]) => {
    const modules = [moduleOf('Transformer'), moduleOf('Pooling', '1_Pooling')]
    const path = await folderWith(t, {
      'modules.json': [...modules, ...behind.map((type) => moduleOf(type, `2_${type}`))],
      '1_Pooling/config.json': pooling,
    })
    using encoder = await SentenceEncoder.load(path)
    const found = await encoder.encode(texts.slice(0, 1))
    return found.row(0)
  }
  const cases: [readonly number[], object, ...string[]][] = [
    [mean, {}],
    [mean, { pooling_mode_mean_tokens: true, word_embedding_dimension: 32 }],
    [last.slice(0, 32), { pooling_mode_cls_token: true, pooling_mode_mean_tokens: false }],
    [last.slice(-32), { pooling_mode: 'lasttoken', pooling_mode_mean_tokens: true }],
    [unit(max), { pooling_mode: 'max' }, 'Normalize'],
    [
      mean.map((value) => value * Math.sqrt(rows)),
      { pooling_mode_mean_sqrt_len_tokens: true, pooling_mode_mean_tokens: false },
    ],
    [places.map((j) => rising(column(j))), { pooling_mode: 'weightedmean' }],
    [
      [...max, ...mean],
      { pooling_mode_mean_tokens: true, pooling_mode_max_tokens: true },
      'Dropout',
    ],
  ]
  for (const [wanted, pooling, ...behind] of cases) {
    t.true(furthest(await vectorWith(pooling, ...behind), wanted) < 2e-5, JSON.stringify(pooling))
  }
  await t.throwsAsync(vectorWith({ pooling_mode: 'median' }), {
    code: 'UNSUPPORTED',
    message: /pools by "median"/,
  })
  await t.throwsAsync(vectorWith({}, 'WordWeights'), {
    code: 'UNSUPPORTED',
    message: /a module WordWeights/,
  })
})

test('prompts that say nothing are an error, and not left out', async (t) => {
  for (const about of [
    { prompts: 'query: ' },
    { prompts: { query: 5 } },
    { prompts: { query: 'q: ' }, default_prompt_name: 'nope' },
  ]) {
    const path = await folderWith(t, { 'config_sentence_transformers.json': about })
    const message = /config_sentence_transformers\.json: `(prompts|default_prompt_name)` must be/
    await t.throwsAsync(SentenceEncoder.load(path), { code: 'INVALID_INPUT', message })
  }
})

test('prompts stand before texts, by name or as they are', async (t) => {
  const path = await folderWith(t, {
    'config_sentence_transformers.json': {
      prompts: { query: 'the quick ', passage: 'lazy: ' },
      default_prompt_name: null,
    },
  })
  using encoder = await SentenceEncoder.load(path)
  t.deepEqual(encoder.prompts, { query: 'the quick ', passage: 'lazy: ' })
  const of = async (text: string) => (await encoder.encode([text])).values
  const wanted = await of('the quick fox')
  t.deepEqual((await encoder.encodeQuery(['fox'])).values, wanted)
  t.deepEqual((await encoder.encode(['fox'], { prompt: 'query' })).values, wanted)
  t.deepEqual((await encoder.encode(['fox'], { prompt: 'the quick ' })).values, wanted)
  t.deepEqual((await encoder.encodeDocument(['fox'])).values, await of('lazy: fox'))
  t.notDeepEqual(await of('fox'), wanted)
})

test('a prompt that the folder leaves out of vectors is read, and only what is behind it pooled', async (t) => {
  const encoderBy = async (mode: string | string[], include = false) => {
    const modules = [moduleOf('Transformer'), moduleOf('Pooling', '1_Pooling')]
    const path = await folderWith(t, {
      'modules.json': modules,
      '1_Pooling/config.json': { pooling_mode: mode, include_prompt: include },
    })
    return SentenceEncoder.load(path)
  }
  const prompt = 'the lazy: '
  const texts = ['fox', 'a quick dog and a fox', '']
  using mean = await encoderBy('mean')
  const tokens = await mean.encodeTokens(texts, { prompt })
  // [CLS] and what the prompt is by itself, without [SEP].
  const [alone] = await mean.encodeTokens([prompt], { prompt: '' })
  const rows = tokens.map((text) => Array.from(text).slice(alone!.length - 1))
  t.deepEqual(
    rows.map(({ length }) => length),
    [2, 7, 1],
  )
  const meanOf = (text: Float32Array[]) =>
    text[0]!.map((_, i) => text.reduce((sum, row) => sum + row[i]!, 0) / text.length)
  const found = await mean.encode(texts, { prompt })
  for (const [i, text] of rows.entries()) t.true(furthest(found.row(i), [...meanOf(text)]) < 1e-6)
  t.deepEqual(
    Array.from(found.tokens),
    tokens.map(({ length }) => length),
  )
  using whole = await encoderBy('mean', true)
  t.notDeepEqual((await whole.encode(texts, { prompt })).values, found.values)
  t.deepEqual((await whole.encode(texts)).values, (await mean.encode(texts)).values)

  const short = await mean.encode(texts, { prompt, dimensions: 5, normalize: true })
  const length = Math.hypot(...found.row(1).subarray(0, 5))
  const cut = Array.from(found.row(1).subarray(0, 5), (value) => value / length)
  t.true(furthest(short.row(1), cut) < 1e-6)
  // The same alone as among many, on any number of threads.
  const many = Array.from({ length: 600 }, (_, i) => texts[i % 3]!)
  const all = await mean.encode(many, { prompt, threads: 3 })
  t.deepEqual(all.row(599), (await mean.encode([many[599]!], { prompt, threads: 1 })).row(0))

  using max = await encoderBy(['max', 'mean'])
  const largest = rows[1]![0]!.map((_, i) => Math.max(...rows[1]!.map((row) => row[i]!)))
  const both = (await max.encode(texts, { prompt })).row(1)
  t.true(furthest(both, [...largest, ...meanOf(rows[1]!)]) < 1e-6)
  using last = await encoderBy('lasttoken')
  t.true(furthest((await last.encode(texts, { prompt })).row(1), [...rows[1]!.at(-1)!]) < 1e-6)
  for (const mode of ['cls', 'weightedmean', ['mean', 'cls']]) {
    using other = await encoderBy(mode)
    t.is((await other.encode(texts)).length, 3)
    await t.throwsAsync(other.encode(texts, { prompt }), {
      code: 'UNSUPPORTED',
      message: /leaves prompts out of vectors by `cls` or `weightedmean`/,
    })
  }
  await t.throwsAsync(mean.train([{ text: 'fox', positive: 'dog' }], { prompt }), {
    code: 'UNSUPPORTED',
    message: /cannot be learnt here/,
  })
})

test('vectors are cut and get the length of one', async (t) => {
  using encoder = await SentenceEncoder.load(join(golden, 'bert'))
  const texts = ['the fox', 'a dog']
  const [whole] = await encoder.encode(texts)
  const cut = await encoder.encode(texts, { dimensions: 5, normalize: true })
  t.is(cut.dimensions, 5)
  const length = Math.hypot(...whole!.subarray(0, 5))
  t.true(
    furthest(
      cut.row(0),
      Array.from(whole!.subarray(0, 5), (value) => value / length),
    ) < 1e-6,
  )
  await t.throwsAsync(encoder.encode(texts, { dimensions: 33 }), { message: /at most 32/ })
})

test('encoders of one folder share weights and have one fingerprint', async (t) => {
  const path = await folderWith(t, {})
  const [one, two] = await Promise.all([SentenceEncoder.load(path), SentenceEncoder.load(path)])
  const before = (await one.encode(['a dog'])).values
  t.is(await one.fingerprint(), await two.fingerprint())
  one.close()
  t.deepEqual((await two.encode(['a dog'])).values, before)
  await t.throwsAsync(one.encode(['a dog']), { code: 'CLOSED' })
  two.close()
  using short = await SentenceEncoder.load(path, { maxTokens: 9 })
  using again = await SentenceEncoder.load(path)
  t.not(await short.fingerprint(), await again.fingerprint())
})

test('a folder that is not what it should be is one clear error', async (t) => {
  const config = JSON.parse(await readFile(join(golden, 'bert', 'config.json'), 'utf8')) as object
  const changed = (fields: object) => ({ 'config.json': { ...config, ...fields } })
  const cases: [Readonly<Record<string, unknown>>, string, RegExp][] = [
    [{ 'config.json': null }, 'NOT_FOUND', /there is no file .*config\.json/],
    [{ 'tokenizer.json': null }, 'NOT_FOUND', /there is no file .*tokenizer\.json/],
    [{ 'model.safetensors': null }, 'NOT_FOUND', /there is no file .*model\.safetensors/],
    [{ 'config.json': '{' }, 'INVALID_INPUT', /config\.json is no JSON/],
    [{ 'config.json': '[]' }, 'INVALID_INPUT', /should hold an object/],
    [changed({ model_type: 'llama' }), 'UNSUPPORTED', /a model of type llama; these can be read/],
    [changed({ model_type: 'constructor' }), 'UNSUPPORTED', /a model of type constructor/],
    [changed({ hidden_act: 'mish' }), 'UNSUPPORTED', /the activation mish/],
    [
      changed({ position_embedding_type: 'relative_key' }),
      'UNSUPPORTED',
      /position embeddings of type relative_key/,
    ],
    [changed({ hidden_size: 'wide' }), 'INVALID_INPUT', /has hidden_size "wide"/],
    [
      changed({ num_hidden_layers: 1e9 }),
      'INVALID_INPUT',
      /at most 39, as the weights have so many tensors/,
    ],
    [changed({ num_attention_heads: 5 }), 'INVALID_OPTION', /5 heads can share/],
    [
      changed({ num_hidden_layers: 3 }),
      'INVALID_INPUT',
      /encoder\.layer\.2\.attention\.self\.query\.weight` \[96, 32\] is missing; .*layer\.2\.output/,
    ],
    [changed({ intermediate_size: 48 }), 'INVALID_INPUT', /\[64, 32\] and should be \[48, 32\]/],
    [{ 'tokenizer.json': '{}' }, 'INVALID_INPUT', /is no tokenizer that can be read/],
    [{ 'model.safetensors': 'not one' }, 'INVALID_INPUT', /safetensors/],
    [
      { 'modules.json': [moduleOf('Transformer'), moduleOf('Pooling', '../../etc')] },
      'INVALID_INPUT',
      /lies outside the folder/,
    ],
    [{ 'modules.json': [{ type: 1 }] }, 'INVALID_INPUT', /without `type` and `path`/],
    [{ 'modules.json': [moduleOf('CLIPModel')] }, 'UNSUPPORTED', /begins with "CLIPModel"/],
    [
      {
        'model.safetensors': null,
        'model.safetensors.index.json': { weight_map: { a: '../b.safetensors' } },
      },
      'INVALID_INPUT',
      /which is no file of its folder/,
    ],
  ]
  for (const [files, code, message] of cases) {
    const path = await folderWith(t, files)
    await t.throwsAsync(SentenceEncoder.load(path), { code, message }, JSON.stringify(files))
  }
  await t.throwsAsync(SentenceEncoder.load(join(golden, 'none')), { code: 'NOT_FOUND' })
})

test('an index of several files is read', async (t) => {
  const path = await folderWith(t, {
    'model.safetensors.index.json': {
      weight_map: { a: 'part.safetensors', b: 'part.safetensors' },
    },
  })
  await cp(join(path, 'model.safetensors'), join(path, 'part.safetensors'))
  await rm(join(path, 'model.safetensors'))
  using encoder = await SentenceEncoder.load(path)
  using other = await SentenceEncoder.load(join(golden, 'bert'))
  t.deepEqual((await encoder.encode(['a fox'])).values, (await other.encode(['a fox'])).values)
})

test('texts of any kind: empty, very long, no text at all', async (t) => {
  using encoder = await SentenceEncoder.load(join(golden, 'roberta'))
  const { truncated } = await takesAnyTexts(t, encoder)
  t.deepEqual(truncated, [1])
})

test('options that are wrong are refused', async (t) => {
  using encoder = await SentenceEncoder.load(join(golden, 'bert'))
  for (const { option, value } of wrongValues(sentenceEncodingOptions)) {
    // Any text may stand before texts.
    if (option === 'prompt' && typeof value === 'string') continue
    await t.throwsAsync(encoder.encode(['a'], { [option]: value }), { code: 'INVALID_OPTION' })
  }
  for (const { option, value } of wrongValues(sentenceEncoderOptions)) {
    const load = SentenceEncoder.load(join(golden, 'bert'), { [option]: value })
    await t.throwsAsync(load, { code: 'INVALID_OPTION' })
  }
  await t.throwsAsync(encoder.encodeTokens(['a'], { layer: 3 }), { message: /at most 2 blocks/ })
})

test('the event loop has its turn while texts are encoded', async (t) => {
  using encoder = await SentenceEncoder.load(join(golden, 'bert'))
  const { texts } = await expectedOf('bert')
  const many = Array.from({ length: 20_000 }, (_, i) => texts[i % texts.length]!)
  const held = await longestHoldOf(() => encoder.encode(many, { dimensions: 20, normalize: true }))
  t.log(`${held.toFixed(1)} ms`)
  t.true(held < 5, `${held} ms`)
})
