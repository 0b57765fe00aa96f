import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { ClapEncoder } from 'inlay'
import { farthest } from '../fixtures/cifar.js'
import { openDamaged } from '../fixtures/damaged-files.js'
import { longestHoldOf } from '../fixtures/longest-hold.js'
import { safetensorsOf } from '../fixtures/safetensors.js'
import { clapFolder, expected, sound, soundsOf, wavOf } from '../fixtures/sound-models.js'
import { giveExpected } from '../fixtures/two-towers.js'
import { farFrom, tensorsOf } from '../fixtures/vision-models.js'

const model = expected.clap
const sounds = soundsOf(model)

/** A folder that is gone when the test is over. */
function made(
  t: { teardown: (end: () => void) => void },
  change: Parameters<typeof clapFolder>[1] = {},
  of = model,
): string {
  const folder = clapFolder(of, change)
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

/** What a configuration says of the tower of sounds, or of texts, changed. */
function part(name: 'audio_config' | 'text_config', change: object) {
  return { config: { [name]: { ...Object(model.config![name]), ...change } } }
}

for (const name of ['clap', 'clap-overlapping', 'clap-fused'] as const) {
  test(`both towers of ${name} give what PyTorch's give, for sounds of any length`, async (t) => {
    const own = expected[name]
    using clap = await ClapEncoder.load(made(t, {}, own))
    t.is(clap.dimensions, 16)
    t.is(clap.maxTokens, 24)
    const all = soundsOf(own)
    for (const [layer, taps] of Object.entries(own.layers)) {
      const { values, dimensions } = await clap.encodeSounds(all, { layer, batchSize: 2 })
      const far = farFrom(values, dimensions, taps)
      t.true(far < 2e-5, `${layer}: ${far}`)
    }
    await giveExpected(t, clap, all, own, [2, 3])
  })
}

test('a vector depends on its sound or text alone, and both have length 1', async (t) => {
  using clap = await ClapEncoder.load(made(t))
  const some = await clap.encodeSounds(sounds, { threads: 2 })
  const all = await clap.encodeTexts(model.texts, { threads: 2 })
  for (const [at, one] of sounds.entries()) {
    t.deepEqual((await clap.encodeSounds([one], { threads: 1 })).row(0), some.row(at))
    t.deepEqual((await clap.sounds.encode([one])).row(0), some.row(at))
  }
  for (const [at, one] of model.texts.entries()) {
    t.deepEqual((await clap.encodeTexts([one], { threads: 1 })).row(0), all.row(at))
    t.deepEqual((await clap.texts.encode([one])).row(0), all.row(at))
  }
  for (const row of [...some, ...all]) {
    t.true(Math.abs(row.reduce((sum, value) => sum + value * value, 0) - 1) < 1e-5)
  }
  t.is((await clap.encodeSounds([])).length, 0)
  t.is((await clap.encodeTexts([])).length, 0)
})

test('of a long sound the middle is heard, of several channels their mean, and silence is a sound', async (t) => {
  using clap = await ClapEncoder.load(made(t))
  const { length } = clap.preparation
  t.is(length, 2000)
  const long = sounds[2]!
  const from = Math.floor((long.samples.length - length) / 2)
  const middle = { ...long, samples: long.samples.slice(from, from + length) }
  const both = Float32Array.from({ length: 2 * length }, (_, at) => {
    return middle.samples[at >> 1]! * (at % 2 === 0 ? 1.5 : 0.5)
  })
  const wanted = await clap.encodeSounds([long])
  t.deepEqual((await clap.encodeSounds([middle])).values, wanted.values)
  const mixed = await clap.encodeSounds([{ samples: both, sampleRate: 2000, channels: 2 }])
  t.true(farthest(mixed.values, wanted.values) < 1e-5)
  const silence = (samples: number) => ({ ...long, samples: new Float32Array(samples) })
  const [short, all] = await clap.encodeSounds([silence(1), silence(length)])
  t.deepEqual(short, all)
})

test('a model may look at longer sounds in four views', async (t) => {
  const own = expected['clap-fused']
  using clap = await ClapEncoder.load(made(t, {}, own))
  t.is(clap.preparation.long, 'views')
  const all = soundsOf(own)
  const rows = await clap.encodeSounds(all)
  for (const [at, one] of all.entries()) {
    t.deepEqual((await clap.encodeSounds([one], { threads: 1 })).row(0), rows.row(at))
  }
  const [layer, before] = await Promise.all(
    ['embeddings', 'layers.1'].map(async (name) => clap.encodeSounds([all[0]!], { layer: name })),
  )
  t.deepEqual([layer!.dimensions, before!.dimensions], [32 * 32 * 8, 16 * 16 * 16])
  t.is((await clap.encodeSounds([])).length, 0)
  await t.throwsAsync(clap.encodeSounds([all[3]!, 7 as never]), {
    code: 'INVALID_OPTION',
    message: /sounds\[1\]/,
  })
  for (const name of ['no', 'map']) {
    await t.throwsAsync(clap.encodeSounds(all, { layer: name }), { code: 'INVALID_OPTION' })
  }
  const tensors = tensorsOf(own)
  const encoder = 'audio_model.audio_encoder.patch_embed'
  for (const name of [
    `${encoder}.mel_conv2d.weight`,
    `${encoder}.fusion_model.local_att.0.weight`,
    `${encoder}.fusion_model.global_att.5.running_var`,
  ]) {
    const { [name]: _, ...others } = tensors
    await t.throwsAsync(ClapEncoder.load(made(t, { tensors: others }, own)), {
      code: 'INVALID_INPUT',
      message: new RegExp(name),
    })
  }
  const audio = Object(own.config!['audio_config'])
  const channels = { config: { audio_config: { ...audio, fusion_type: 'channel_map' } } }
  await t.throwsAsync(ClapEncoder.load(made(t, channels, own)), { message: /channel_map/ })
  const first = await clap.fingerprint()
  const name = `${encoder}.mel_conv2d.bias`
  const changed = { ...tensors[name]!, values: tensors[name]!.values.map((value) => value + 1) }
  using other = await ClapEncoder.load(made(t, { tensors: { ...tensors, [name]: changed } }, own))
  t.not(await other.fingerprint(), first)
})

test('files are read and resampled', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'inlay-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  using clap = await ClapEncoder.load(made(t))
  const file = join(folder, 'sound.wav')
  const bytes = wavOf(sounds[1]!)
  writeFileSync(file, bytes)
  const [wanted, ...others] = await clap.encodeSounds([sounds[1]!, file, bytes])
  // Of 16 bits.
  for (const other of others) t.true(farthest(other, wanted!) < 1e-3)
  const twice = wavOf({ ...sounds[3]!, sampleRate: 4000 })
  t.is((await clap.encodeSounds([twice])).length, 1)
  await t.throwsAsync(clap.encodeSounds([sounds[0]!, twice], { maxSeconds: 0.5 }), {
    code: 'INVALID_INPUT',
    message: /clap\.encodeSounds: sounds\[1\]/,
  })
})

test('a fingerprint stays, and names weights, tokenizer and preparation', async (t) => {
  const folder = made(t)
  using clap = await ClapEncoder.load(folder)
  const fingerprint = await clap.fingerprint()
  t.regex(fingerprint, /^[0-9a-f]{64}$/)
  using again = await ClapEncoder.load(folder)
  t.is(await again.fingerprint(), fingerprint)
  const tensors = tensorsOf(model)
  const name = 'audio_projection.linear1.weight'
  const changed = tensors[name]!.values.slice()
  changed[0]! += 1
  const others = [
    made(t, { tensors: { ...tensors, [name]: { shape: [16, 16], values: changed } } }),
    made(t, { preprocessor: { ...model.preprocessor, padding: 'pad' } }),
    made(t, { preprocessor: { ...model.preprocessor, frequency_max: 800 } }),
    made(t),
  ]
  const tokenizer = join(others.at(-1)!, 'tokenizer.json')
  writeFileSync(tokenizer, `${readFileSync(tokenizer, 'utf8')}\n`)
  for (const other of others) {
    using another = await ClapEncoder.load(other)
    t.not(await another.fingerprint(), fingerprint)
  }
})

test('what a folder lacks, or has otherwise, is one clear error', async (t) => {
  const wrong = async (folder: string, code: string, message: RegExp) =>
    t.throwsAsync(ClapEncoder.load(folder), { code, message })
  for (const file of [
    'config.json',
    'model.safetensors',
    'tokenizer.json',
    'preprocessor_config.json',
  ]) {
    const lacking = made(t)
    rmSync(join(lacking, file))
    await wrong(lacking, 'NOT_FOUND', new RegExp(file))
  }
  const sounding = (change: object) => part('audio_config', change)
  const text = (change: object) => part('text_config', change)
  const prepared = (change: object) => ({ preprocessor: { ...model.preprocessor, ...change } })
  for (const [change, code, message] of [
    [{ config: { model_type: 'siglip' } }, 'UNSUPPORTED', /type siglip; .*clap/],
    [{ config: { model_type: 'clip' } }, 'UNSUPPORTED', /ClipEncoder\.load/],
    [{ config: { audio_config: 7 } }, 'INVALID_INPUT', /an object as `audio_config`/],
    [{ config: { projection_hidden_act: 'no' } }, 'UNSUPPORTED', /activation no/],
    [sounding({ enable_fusion: true }), 'UNSUPPORTED', /`enable_fusion` true .* 'rand_trunc'/],
    [sounding({ qkv_bias: false }), 'UNSUPPORTED', /`qkv_bias` false/],
    [sounding({ depths: [2, 3] }), 'INVALID_INPUT', /depths/],
    [sounding({ depths: [] }), 'INVALID_INPUT', /depths/],
    [sounding({ depths: [2, 1e9] }), 'INVALID_INPUT', /depths/],
    [sounding({ num_attention_heads: [2] }), 'INVALID_INPUT', /num_attention_heads/],
    [sounding({ num_attention_heads: [3, 4] }), 'INVALID_INPUT', /num_attention_heads/],
    [sounding({ num_attention_heads: [4, 4] }), 'INVALID_INPUT', /relative_position_bias_table/],
    [sounding({ window_size: 8 }), 'INVALID_INPUT', /relative_position_bias_table.*\[225, 2\]/],
    [sounding({ window_size: 1e9 }), 'INVALID_INPUT', /window_size/],
    [sounding({ spec_size: 30 }), 'INVALID_INPUT', /spec_size 30/],
    [sounding({ spec_size: 2 ** 40 }), 'INVALID_INPUT', /spec_size/],
    [sounding({ spec_size: 48 }), 'UNSUPPORTED', /6 x 6 positions in windows of 4 x 4/],
    [sounding({ patch_size: 5 }), 'INVALID_INPUT', /patch_size/],
    [sounding({ patch_stride: [3, 4] }), 'INVALID_INPUT', /patch_stride/],
    [sounding({ patch_stride: 5 }), 'INVALID_INPUT', /patch_stride 5/],
    [sounding({ mlp_ratio: 3 }), 'INVALID_INPUT', /mlp_ratio 3/],
    [sounding({ layer_norm_eps: -1 }), 'INVALID_INPUT', /layer_norm_eps -1/],
    [text({ num_attention_heads: 5 }), 'INVALID_INPUT', /divides 32/],
    [text({ num_hidden_layers: 3 }), 'INVALID_INPUT', /num_hidden_layers 3/],
    [text({ vocab_size: 2 ** 40 }), 'INVALID_INPUT', /vocab_size/],
    [text({ max_position_embeddings: 30 }), 'INVALID_INPUT', /max_position_embeddings 30/],
    [text({ pad_token_id: 40 }), 'INVALID_INPUT', /pad_token_id 40/],
    [prepared({ feature_extractor_type: 'Other' }), 'UNSUPPORTED', /type 'Other'|type "Other"/],
    [prepared({ truncation: 'fusion' }), 'UNSUPPORTED', /`enable_fusion` false .* 'fusion'/],
    [prepared({ truncation: 'other' }), 'UNSUPPORTED', /`truncation` .other/],
    [prepared({ padding: 'constant' }), 'UNSUPPORTED', /`padding` .constant/],
    [prepared({ feature_size: 9 }), 'INVALID_INPUT', /num_mel_bins 8.*101 x 9/],
    [prepared({ hop_length: 5 }), 'INVALID_INPUT', /401 x 8/],
    [prepared({ hop_length: 2 ** 21 }), 'INVALID_INPUT', /hop_length/],
    [prepared({ max_length_s: 1e12 }), 'INVALID_INPUT', /max_length_s/],
    [prepared({ sampling_rate: 7 }), 'INVALID_INPUT', /sampling_rate 7/],
    [prepared({ frequency_max: 1001 }), 'INVALID_INPUT', /frequency_max 1001/],
    [prepared({ fft_window_size: 1 }), 'INVALID_INPUT', /fft_window_size 1/],
  ] as const) {
    await wrong(made(t, change), code, message)
  }
  const tensors = tensorsOf(model)
  const without = (name: string) => {
    const { [name]: _, ...others } = tensors
    return made(t, { tensors: others })
  }
  const encoder = 'audio_model.audio_encoder'
  for (const name of [
    'text_projection.linear2.weight',
    'text_model.pooler.dense.bias',
    'text_model.embeddings.word_embeddings.weight',
    'text_model.encoder.layer.1.intermediate.dense.weight',
    `${encoder}.patch_embed.proj.weight`,
    `${encoder}.batch_norm.running_var`,
    `${encoder}.layers.0.downsample.norm.weight`,
    `${encoder}.layers.1.blocks.0.attention.self.key.bias`,
  ]) {
    await wrong(without(name), 'INVALID_INPUT', new RegExp(`${name}|num_hidden_layers`))
  }
  const narrow = { shape: [8, 16], values: new Float32Array(128) }
  const bias = { shape: [8], values: new Float32Array(8) }
  const uneven = {
    ...tensors,
    'text_projection.linear2.weight': narrow,
    'text_projection.linear2.bias': bias,
  }
  await wrong(made(t, { tensors: uneven }), 'INVALID_INPUT', /projections to 16 and to 8/)
  // What was learnt is not in every file.
  using clap = await ClapEncoder.load(without('logit_scale_a'))
  t.true(Math.abs(clap.logitScale - 1 / 0.07) < 1e-9)
})

test('what cannot be encoded is one clear error', async (t) => {
  using clap = await ClapEncoder.load(made(t))
  await t.throwsAsync(clap.encodeTexts(model.texts, { truncate: 'error' }), {
    code: 'INVALID_INPUT',
    message: /clap\.encodeTexts: text 2 has 25 tokens, and 24 are read/,
  })
  await t.throwsAsync(clap.encodeSounds('no' as never), { code: 'INVALID_OPTION' })
  for (const [given, code, message] of [
    [7, 'INVALID_OPTION', /clap\.encodeSounds: `sounds\[0\]`/],
    [{ ...sounds[0]!, sampleRate: 3000 }, 'INVALID_OPTION', /sampleRate.*2000/],
    [{ ...sounds[0]!, samples: new Float32Array() }, 'INVALID_INPUT', /sounds\[0\] has no samples/],
    [{ ...sounds[0]!, samples: Float32Array.of(1, NaN) }, 'INVALID_INPUT', /not finite/],
    ['no-such-file.wav', 'NOT_FOUND', /no-such-file/],
    [Buffer.from('no sound'), 'INVALID_INPUT', /sounds\[0\]/],
  ] as const) {
    await t.throwsAsync(clap.encodeSounds([given as never]), { code, message })
  }
  await t.throwsAsync(clap.encodeSounds(sounds, { layer: 'text' }), { code: 'INVALID_OPTION' })
  await t.throwsAsync(clap.predict(sounds, []), {
    code: 'INVALID_OPTION',
    message: /clap\.predict: `texts`/,
  })
  const controller = new AbortController()
  controller.abort(new Error('enough'))
  for (const run of [
    clap.encodeTexts(model.texts, { signal: controller.signal }),
    clap.encodeSounds(sounds, { signal: controller.signal }),
    clap.predict(sounds, model.texts, { signal: controller.signal }),
    ClapEncoder.load(made(t), { signal: controller.signal }),
  ]) {
    await t.throwsAsync(run, { message: 'enough' })
  }
  clap.close()
  await t.throwsAsync(clap.encodeTexts(['a']), { code: 'CLOSED' })
})

test('files with other bytes give an encoder or one error', async (t) => {
  const folder = made(t)
  const names = ['config.json', 'preprocessor_config.json', 'tokenizer.json', 'model.safetensors']
  await openDamaged(t, folder, { names, rounds: 40, seed: 11 }, async () => {
    using clap = await ClapEncoder.load(folder)
    const { sampleRate } = clap.preparation
    await clap.predict([sound(50, 7, sampleRate)], ['a cat', 'a dog'])
  })
})

test('a folder may have several files of weights, and one file for all that is prepared', async (t) => {
  using clap = await ClapEncoder.load(made(t))
  const vectors = await clap.encodeSounds(sounds)
  const folder = made(t, { preprocessor: undefined })
  const said = JSON.stringify({ feature_extractor: model.preprocessor })
  writeFileSync(join(folder, 'processor_config.json'), said)
  const tensors = Object.entries(tensorsOf(model))
  const weight_map: Record<string, string> = {}
  for (const [number, some] of [tensors.slice(0, 30), tensors.slice(30)].entries()) {
    const name = `model-0000${number + 1}-of-00002.safetensors`
    for (const [tensor] of some) weight_map[tensor] = name
    writeFileSync(join(folder, name), safetensorsOf(Object.fromEntries(some)))
  }
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map }))
  rmSync(join(folder, 'model.safetensors'))
  using parted = await ClapEncoder.load(folder)
  t.deepEqual((await parted.encodeSounds(sounds)).values, vectors.values)
})

test('no run holds the event loop', async (t) => {
  using clap = await ClapEncoder.load(made(t))
  const many = Array(200).fill(sounds[3])
  const held = await longestHoldOf(async () => {
    await clap.encodeTexts(Array(1000).fill('the sound of a dog'))
    await clap.predictProbabilities(many, model.texts)
  })
  t.log(`${held.toFixed(1)} ms`)
  t.true(held < 5, `${held} ms`)
})
