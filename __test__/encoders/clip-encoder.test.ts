import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { ClipEncoder, Vit } from 'inlay'
import { farthest } from '../fixtures/cifar.js'
import { arrayOf, lastChannels } from '../fixtures/golden-arrays.js'
import { openDamaged } from '../fixtures/damaged-files.js'
import { longestHoldOf } from '../fixtures/longest-hold.js'
import { safetensorsOf } from '../fixtures/safetensors.js'
import { giveExpected } from '../fixtures/two-towers.js'
import { expected, farFrom, folderOf, pictures, tensorsOf } from '../fixtures/vision-models.js'

const model = expected.clip

/** A folder that is gone when the test is over. */
function made(
  t: { teardown: (end: () => void) => void },
  change: Parameters<typeof folderOf>[1] = {},
  of: Parameters<typeof folderOf>[0] = model,
): string {
  const folder = folderOf(of, change)
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

for (const name of ['clip', 'clip-first'] as const) {
  test(`both towers of ${name} give what PyTorch's give`, async (t) => {
    const own = expected[name]
    using clip = await ClipEncoder.load(made(t, {}, own))
    t.is(clip.dimensions, 16)
    t.is(clip.maxTokens, 24)
    for (const [layer, taps] of Object.entries(own.layers)) {
      const { values, dimensions } = await clip.encodeImages(pictures, { layer })
      const far = farFrom(values, dimensions, taps)
      t.true(far < 3e-6, `${layer}: ${far}`)
    }
    await giveExpected(t, clip, pictures, own, [2, 4])
  })
}

test('a vector depends on its picture or text alone, and both have length 1', async (t) => {
  using clip = await ClipEncoder.load(made(t))
  const [some, texts] = [await clip.encodeImages(pictures, { threads: 2 }), model.texts]
  const all = await clip.encodeTexts(texts, { threads: 2 })
  for (const [at, one] of pictures.entries()) {
    t.deepEqual((await clip.encodeImages([one], { threads: 1 })).row(0), some.row(at))
    t.deepEqual((await clip.images.encode([one])).row(0), some.row(at))
  }
  for (const [at, one] of texts.entries()) {
    t.deepEqual((await clip.encodeTexts([one], { threads: 1 })).row(0), all.row(at))
    t.deepEqual((await clip.texts.encode([one])).row(0), all.row(at))
  }
  for (const row of [...some, ...all]) {
    t.true(Math.abs(row.reduce((sum, value) => sum + value * value, 0) - 1) < 1e-5)
  }
  t.is((await clip.encodeImages([])).length, 0)
  t.is((await clip.encodeTexts([])).length, 0)
})

test('a fingerprint stays, and names weights, tokenizer and preparation', async (t) => {
  const folder = made(t)
  using clip = await ClipEncoder.load(folder)
  const fingerprint = await clip.fingerprint()
  t.regex(fingerprint, /^[0-9a-f]{64}$/)
  using again = await ClipEncoder.load(folder)
  t.is(await again.fingerprint(), fingerprint)
  const tensors = tensorsOf(model)
  const changed = tensors['text_projection.weight']!.values.slice()
  changed[0]! += 1
  const others = [
    made(t, {
      tensors: { ...tensors, 'text_projection.weight': { shape: [16, 32], values: changed } },
    }),
    made(t, { preprocessor: { ...model.preprocessor, resample: 2 } }),
    made(t),
  ]
  const tokenizer = join(others[2]!, 'tokenizer.json')
  writeFileSync(tokenizer, `${readFileSync(tokenizer, 'utf8')}\n`)
  for (const other of others) {
    using another = await ClipEncoder.load(other)
    t.not(await another.fingerprint(), fingerprint)
  }
})

test('a folder may have several files of weights, and what old ones have', async (t) => {
  using clip = await ClipEncoder.load(made(t))
  const vectors = await clip.encodeTexts(model.texts)
  const folder = made(t, {
    config: {
      text_config: { hidden_size: 7 },
      text_config_dict: model.config!['text_config'],
      vision_config_dict: null,
    },
  })
  const tensors = Object.entries(tensorsOf(model))
  const weight_map: Record<string, string> = {}
  for (const [number, part] of [tensors.slice(0, 30), tensors.slice(30)].entries()) {
    const name = `model-0000${number + 1}-of-00002.safetensors`
    for (const [tensor] of part) weight_map[tensor] = name
    const extra = { [`positions_${number}`]: { shape: [1, 3], values: new Float32Array(3) } }
    writeFileSync(join(folder, name), safetensorsOf({ ...Object.fromEntries(part), ...extra }))
  }
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map }))
  rmSync(join(folder, 'model.safetensors'))
  using parted = await ClipEncoder.load(folder)
  t.deepEqual((await parted.encodeTexts(model.texts)).values, vectors.values)
  t.is(parted.logitScale, clip.logitScale)
})

test('what a folder lacks, or has otherwise, is one clear error', async (t) => {
  const wrong = async (folder: string, code: string, message: RegExp) =>
    t.throwsAsync(ClipEncoder.load(folder), { code, message })
  for (const file of ['config.json', 'model.safetensors', 'tokenizer.json']) {
    const lacking = made(t)
    rmSync(join(lacking, file))
    await wrong(lacking, 'NOT_FOUND', new RegExp(file))
  }
  const text = (change: object) => ({
    text_config: { ...Object(model.config!['text_config']), ...change },
  })
  const vision = (change: object) => {
    return { vision_config: { ...Object(model.config!['vision_config']), ...change } }
  }
  for (const [config, code, message] of [
    [{ model_type: 'siglip' }, 'UNSUPPORTED', /type siglip; .*clip/],
    [{ model_type: 'vit' }, 'UNSUPPORTED', /Vit\.load/],
    [{ text_config: 7 }, 'INVALID_INPUT', /an object as `text_config`/],
    [text({ num_attention_heads: 5 }), 'INVALID_INPUT', /divides 32/],
    [text({ num_hidden_layers: 3 }), 'INVALID_INPUT', /num_hidden_layers 3/],
    [text({ hidden_act: 'no' }), 'UNSUPPORTED', /activation no/],
    [text({ eos_token_id: -1 }), 'INVALID_INPUT', /eos_token_id -1/],
    [text({ layer_norm_eps: 0 }), 'INVALID_INPUT', /layer_norm_eps 0/],
    [vision({ patch_size: 0 }), 'INVALID_INPUT', /patch_size 0/],
    [vision({ image_size: 33e9 }), 'INVALID_INPUT', /image_size/],
    [vision({ hidden_size: 2 ** 45 }), 'INVALID_INPUT', /hidden_size/],
  ] as const) {
    await wrong(made(t, { config }), code, message)
  }
  const tensors = tensorsOf(model)
  const without = (name: string) => {
    const { [name]: _, ...others } = tensors
    return made(t, { tensors: others })
  }
  for (const name of [
    'text_projection.weight',
    'vision_model.embeddings.class_embedding',
    'text_model.embeddings.token_embedding.weight',
    'text_model.encoder.layers.0.mlp.fc1.weight',
    'vision_model.encoder.layers.1.self_attn.k_proj.bias',
  ]) {
    await wrong(without(name), 'INVALID_INPUT', new RegExp(name))
  }
  const narrow = { shape: [8, 32], values: new Float32Array(256) }
  const uneven = made(t, { tensors: { ...tensors, 'text_projection.weight': narrow } })
  await wrong(uneven, 'INVALID_INPUT', /projections to 16 and to 8/)
  // What was learnt is not in every file.
  using clip = await ClipEncoder.load(without('logit_scale'))
  t.true(Math.abs(clip.logitScale - Math.exp(2.6592)) < 1e-9)
})

test('what cannot be encoded is one clear error', async (t) => {
  using clip = await ClipEncoder.load(made(t))
  await t.throwsAsync(clip.encodeTexts(model.texts, { truncate: 'error' }), {
    code: 'INVALID_INPUT',
    message: /clip\.encodeTexts: text 2 has 34 tokens, and 24 are read/,
  })
  await t.throwsAsync(clip.encodeTexts('one text'), { code: 'INVALID_OPTION' })
  await t.throwsAsync(clip.encodeTexts([7 as never]), { message: /clip\.encodeTexts/ })
  await t.throwsAsync(clip.encodeImages([7 as never]), {
    code: 'INVALID_OPTION',
    message: /clip\.encodeImages: `pictures\[0\]`/,
  })
  await t.throwsAsync(clip.encodeImages(pictures, { layer: 'text' }), { code: 'INVALID_OPTION' })
  await t.throwsAsync(clip.predict(pictures, []), {
    code: 'INVALID_OPTION',
    message: /clip\.predict: `texts`/,
  })
  const controller = new AbortController()
  controller.abort(new Error('enough'))
  for (const run of [
    clip.encodeTexts(model.texts, { signal: controller.signal }),
    clip.encodeImages(pictures, { signal: controller.signal }),
    clip.predict(pictures, model.texts, { signal: controller.signal }),
    ClipEncoder.load(made(t), { signal: controller.signal }),
  ]) {
    await t.throwsAsync(run, { message: 'enough' })
  }
  clip.close()
  await t.throwsAsync(clip.encodeTexts(['a']), { code: 'CLOSED' })
})

test('files with other bytes give an encoder or one error', async (t) => {
  const folder = made(t)
  const names = ['config.json', 'tokenizer.json', 'model.safetensors']
  await openDamaged(t, folder, { names, rounds: 30, seed: 11 }, async () => {
    using clip = await ClipEncoder.load(folder)
    await clip.predict([pictures[1]!], ['a cat', 'a dog'])
  })
})

test('no run holds the event loop', async (t) => {
  using clip = await ClipEncoder.load(made(t))
  const [texts, many] = [Array(2000).fill('a cat'), Array(100).fill(pictures[0])]
  const held = await longestHoldOf(async () => {
    await clip.encodeTexts(texts)
    await clip.predictProbabilities(many, texts)
  })
  t.log(`${held.toFixed(1)} ms`)
  t.true(held < 5, `${held} ms`)
})

const data = process.env['INLAY_DATA'] ?? '../shared/data'

test('a folder of Hugging Face gives what transformers gives (INLAY_DATA)', async (t) => {
  const folder = join(data, 'models/tiny/clip')
  if (!existsSync(folder)) {
    t.log('skipped: no tiny/clip in INLAY_DATA')
    t.pass()
    return
  }
  using clip = await ClipEncoder.load(folder)
  const array = (name: string) => arrayOf(join(folder, 'io.npz'), name)
  const inputs = lastChannels(array('in.pixel_values'), 3, 3, 32 * 32)
  for (const [layer, name] of [
    ['embeddings', 'vision_hidden_0'],
    ['layers.0', 'vision_hidden_1'],
    ['layers.1', 'vision_hidden_2'],
  ] as const) {
    const { values } = await clip.images.network.encode(inputs, { layer })
    const far = farthest(values, array(`out.${name}`))
    t.true(far < 1e-4, `${layer}: ${far}`)
  }
  const texts = JSON.parse(readFileSync(join(folder, 'texts.json'), 'utf8')) as string[]
  const { values: ofTexts } = await clip.encodeTexts(texts)
  const { values: ofImages } = await clip.images.network.encode(inputs, { layer: 'image' })
  t.true(farthest(ofTexts, array('out.text_embeds')) < 1e-5)
  t.true(farthest(ofImages, array('out.image_embeds')) < 1e-5)
  t.is(ofTexts.length, 4 * 16)
  await t.throwsAsync(Vit.load(folder), { code: 'UNSUPPORTED', message: /ClipEncoder\.load/ })
})
