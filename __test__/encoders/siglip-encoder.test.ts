import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { ClipEncoder, SiglipEncoder, Vit, loadImageEncoder } from 'inlay'
import { openDamaged } from '../fixtures/damaged-files.js'
import { longestHoldOf } from '../fixtures/longest-hold.js'
import { giveExpected } from '../fixtures/two-towers.js'
import {
  type ExpectedClip,
  farFrom,
  folderOf,
  pictures,
  tensorsOf,
} from '../fixtures/vision-models.js'

const golden = '__test__/golden/vision-models/siglip.json'
const model = JSON.parse(readFileSync(golden, 'utf8')) as ExpectedClip

/** A folder that is gone when the test is over. */
function made(
  t: { teardown: (end: () => void) => void },
  change: Parameters<typeof folderOf>[1] = {},
): string {
  const folder = folderOf(model, change)
  const about = { model_max_length: 24, pad_token: { content: '<|endoftext|>' } }
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(about))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

test("both towers give what PyTorch's give, texts filled up", async (t) => {
  using siglip = await SiglipEncoder.load(made(t))
  t.is(siglip.dimensions, 24)
  t.is(siglip.maxTokens, 24)
  for (const [layer, taps] of Object.entries(model.layers)) {
    const { values, dimensions } = await siglip.encodeImages(pictures, { layer })
    const far = farFrom(values, dimensions, taps)
    t.true(far < 3e-6, `${layer}: ${far}`)
  }
  await giveExpected(t, siglip, pictures, model, [2, 4])
})

test('a vector depends on its picture or text alone, and both have length 1', async (t) => {
  using siglip = await SiglipEncoder.load(made(t))
  const some = await siglip.encodeImages(pictures, { threads: 2 })
  const all = await siglip.encodeTexts(model.texts, { threads: 2 })
  for (const [at, one] of pictures.entries()) {
    t.deepEqual((await siglip.encodeImages([one], { threads: 1 })).row(0), some.row(at))
    t.deepEqual((await siglip.images.encode([one])).row(0), some.row(at))
  }
  for (const [at, one] of model.texts.entries()) {
    t.deepEqual((await siglip.encodeTexts([one], { threads: 1 })).row(0), all.row(at))
    t.deepEqual((await siglip.texts.encode([one])).row(0), all.row(at))
  }
  for (const row of [...some, ...all]) {
    t.true(Math.abs(row.reduce((sum, value) => sum + value * value, 0) - 1) < 1e-5)
  }
  // What a text is together with others changes none of its probabilities.
  const [first] = await siglip.predictProbabilities(pictures, model.texts)
  const [alone] = await siglip.predictProbabilities(pictures, [model.texts[1]!])
  t.true(Math.abs(first![1]! - alone![0]!) < 1e-6)
  t.is((await siglip.encodeImages([])).length, 0)
  t.is((await siglip.encodeTexts([])).length, 0)
})

test('the tower of pictures is loaded by itself, and a fingerprint names what fills texts up', async (t) => {
  const folder = made(t)
  using siglip = await SiglipEncoder.load(folder)
  using images = await loadImageEncoder(folder)
  const vectors = await siglip.encodeImages(pictures)
  t.deepEqual((await images.encode(pictures)).values, vectors.values)
  const other = made(t)
  writeFileSync(join(other, 'tokenizer_config.json'), JSON.stringify({ pad_token: 'a' }))
  using filled = await SiglipEncoder.load(other)
  t.not(await filled.fingerprint(), await siglip.fingerprint())
  const [short] = await filled.encodeTexts([model.texts[0]!])
  t.notDeepEqual(short, (await siglip.encodeTexts([model.texts[0]!])).row(0))
})

test('what a folder lacks, or has otherwise, is one clear error', async (t) => {
  const wrong = async (folder: string, code: string, message: RegExp) =>
    t.throwsAsync(SiglipEncoder.load(folder), { code, message })
  for (const file of ['config.json', 'model.safetensors', 'tokenizer.json']) {
    const lacking = made(t)
    rmSync(join(lacking, file))
    await wrong(lacking, 'NOT_FOUND', new RegExp(file))
  }
  const part = (name: 'text_config' | 'vision_config', change: object) => {
    return { config: { [name]: { ...Object(model.config![name]), ...change } } }
  }
  for (const [change, code, message] of [
    [{ config: { model_type: 'clip' } }, 'UNSUPPORTED', /type clip; .*ClipEncoder\.load/],
    [part('text_config', { num_attention_heads: 5 }), 'INVALID_INPUT', /divides 32/],
    [part('text_config', { num_hidden_layers: 3 }), 'INVALID_INPUT', /num_hidden_layers 3/],
    [part('vision_config', { hidden_act: 'no' }), 'UNSUPPORTED', /activation no/],
    [part('vision_config', { image_size: 2 ** 40 }), 'INVALID_INPUT', /image_size/],
    [part('vision_config', { hidden_size: 2 ** 45 }), 'INVALID_INPUT', /hidden_size/],
  ] as const) {
    await wrong(made(t, change), code, message)
  }
  const tensors = tensorsOf(model)
  for (const name of [
    'logit_bias',
    'text_model.head.weight',
    'vision_model.head.probe',
    'vision_model.head.attention.in_proj_weight',
    'vision_model.embeddings.position_embedding.weight',
    'vision_model.encoder.layers.1.self_attn.k_proj.bias',
  ]) {
    const { [name]: _, ...others } = tensors
    await wrong(made(t, { tensors: others }), 'INVALID_INPUT', new RegExp(name))
  }
  const odd = made(t)
  writeFileSync(join(odd, 'tokenizer_config.json'), JSON.stringify({ pad_token: 7 }))
  await wrong(odd, 'INVALID_INPUT', /`pad_token`/)
  const folder = made(t)
  await t.throwsAsync(ClipEncoder.load(folder), { message: /SiglipEncoder\.load/ })
  await t.throwsAsync(Vit.load(folder), { code: 'UNSUPPORTED', message: /SiglipEncoder\.load/ })
})

test('files with other bytes give an encoder or one error', async (t) => {
  const folder = made(t)
  const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors']
  await openDamaged(t, folder, { names, rounds: 30, seed: 11 }, async () => {
    using siglip = await SiglipEncoder.load(folder)
    await siglip.predict([pictures[1]!], ['a cat', 'a dog'])
  })
})

test('no run holds the event loop', async (t) => {
  using siglip = await SiglipEncoder.load(made(t))
  const held = await longestHoldOf(async () => {
    await siglip.encodeTexts(Array(1000).fill('a cat'))
    await siglip.predictProbabilities(Array(50).fill(pictures[0]), Array(500).fill('a dog'))
  })
  t.log(`${held.toFixed(1)} ms`)
  t.true(held < 5, `${held} ms`)
})
