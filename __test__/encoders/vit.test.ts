import { copyFileSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { ClipEncoder, Vit } from 'inlay'
import { farthest } from '../fixtures/cifar.js'
import { arrayOf, lastChannels } from '../fixtures/golden-arrays.js'
import { openDamaged } from '../fixtures/damaged-files.js'
import { longestHoldOf } from '../fixtures/longest-hold.js'
import {
  expected,
  farFrom,
  folderOf,
  noise,
  pictures,
  tensorsOf,
} from '../fixtures/vision-models.js'

const hub = ['vit', 'vit-model', 'deit', 'deit-teacher'] as const
const torchvision = {
  heads: 4,
  preparation: { resize: 36, interpolation: 'bilinear' },
} as const

for (const name of [...hub, 'torchvision'] as const) {
  test(`each layer of ${name} gives what PyTorch's gives`, async (t) => {
    const model = expected[name]
    const folder = folderOf(model)
    t.teardown(() => rmSync(folder, { recursive: true }))
    using vit =
      name === 'torchvision'
        ? await Vit.load(join(folder, 'model.safetensors'), torchvision)
        : await Vit.load(folder)
    t.is(vit.depth, 2)
    t.is(vit.dimensions, 32)
    for (const [layer, taps] of Object.entries(model.layers)) {
      const { values, dimensions } = await vit.encode(pictures, { layer })
      const far = farFrom(values, dimensions, taps)
      t.true(far < 3e-6, `${layer}: ${far}`)
    }
  })
}

test('the classes of a folder have its names', async (t) => {
  const folder = folderOf(expected.vit)
  t.teardown(() => rmSync(folder, { recursive: true }))
  using vit = await Vit.load(folder, { depth: 2, heads: 4 })
  t.deepEqual(vit.labels, ['cat', 'dog', 'car', 'tree', 'house'])
  const [first] = await vit.predict(pictures)
  const probabilities = await vit.predictProbabilities(pictures)
  t.is(first!.probability, Math.max(...probabilities.row(0)))
  t.is(first!.label, vit.labels![first!.index])
  using other = await Vit.load(folder, { labels: ['a', 'b', 'c', 'd', 'e'] })
  t.is((await other.predict(pictures))[0]!.label, 'abcde'[first!.index])
  const deit = folderOf(expected.deit)
  t.teardown(() => rmSync(deit, { recursive: true }))
  // Its names are numbers and no more.
  using numbered = await Vit.load(deit)
  t.is(numbered.labels, undefined)
})

test('classes are read of the class token, though there is a pooler that was learnt before', async (t) => {
  const tensors = tensorsOf(expected.vit)
  const pooler = {
    'vit.pooler.dense.weight': { shape: [32, 32], values: new Float32Array(1024) },
    'vit.pooler.dense.bias': { shape: [32], values: new Float32Array(32) },
  }
  const folder = folderOf(expected.vit, { tensors: { ...tensors, ...pooler } })
  t.teardown(() => rmSync(folder, { recursive: true }))
  using vit = await Vit.load(folder)
  const { values, dimensions } = await vit.encode(pictures, { layer: 'scores' })
  t.true(farFrom(values, dimensions, expected.vit.layers['scores']!) < 3e-6)
})

test('sizes without numbers take no memory', async (t) => {
  for (const [name, shape] of [
    ['vit.encoder.layer.0.intermediate.dense.weight', [2 ** 40, 0]],
    ['vit.embeddings.position_embeddings', [1, 2 ** 40, 0]],
    ['classifier.weight', [2 ** 40, 0]],
  ] as const) {
    const empty = { shape, values: new Float32Array() }
    const folder = folderOf(expected.vit, {
      tensors: { ...tensorsOf(expected.vit), [name]: empty },
    })
    await t.throwsAsync(Vit.load(folder), { code: 'INVALID_INPUT', message: new RegExp(name) })
    rmSync(folder, { recursive: true })
  }
})

test('vectors do not depend on batches, threads or what else is asked', async (t) => {
  const folder = folderOf(expected.vit)
  t.teardown(() => rmSync(folder, { recursive: true }))
  using vit = await Vit.load(folder)
  const some = [...pictures, noise(70, 90), noise(32, 32)]
  const all = await vit.encode(some, { batchSize: 3, threads: 2 })
  for (const [at, one] of some.entries()) {
    const alone = await vit.encode([one], { threads: 1 })
    t.deepEqual(alone.row(0), all.row(at))
  }
  t.is((await vit.encode([])).length, 0)
})

test('what a folder lacks, or has otherwise, is one clear error', async (t) => {
  const model = expected.vit
  const made: string[] = []
  t.teardown(() => made.forEach((folder) => rmSync(folder, { recursive: true })))
  const folder = (change: Parameters<typeof folderOf>[1] = {}) => {
    made.push(folderOf(model, change))
    return made.at(-1)!
  }
  const wrong = async (path: string, expectation: object) =>
    t.throwsAsync(Vit.load(path), expectation)
  await wrong(join(folder(), 'none'), { code: 'NOT_FOUND' })
  for (const file of ['config.json', 'model.safetensors']) {
    const lacking = folder()
    rmSync(join(lacking, file))
    await wrong(lacking, { code: 'NOT_FOUND', message: new RegExp(file) })
  }
  // An old folder has weights that `torch.save` wrote; these are of another network.
  const old = folder()
  rmSync(join(old, 'model.safetensors'))
  copyFileSync('__test__/golden/resnet18.pth', join(old, 'pytorch_model.bin'))
  await wrong(old, {
    code: 'INVALID_INPUT',
    message: /pytorch_model\.bin has no tensors of a Vision/,
  })
  // A file by itself, which does not say how many heads it has.
  const alone = folder()
  rmSync(join(alone, 'config.json'))
  await wrong(join(alone, 'model.safetensors'), { code: 'NOT_FOUND', message: /config\.json/ })
  const tensors = tensorsOf(model)
  const { 'vit.layernorm.bias': _, ...others } = tensors
  const query = 'vit.encoder.layer.1.attention.attention.query.weight'
  const misshapen = { ...others, [query]: { ...tensors[query]!, shape: [16, 64] } }
  await wrong(folder({ tensors: misshapen }), {
    code: 'INVALID_INPUT',
    message:
      /query\.weight` is \[16, 64\].*`vit\.layernorm\.bias` \[32\] is missing|missing.*\[16, 64\]/,
  })
  const notSquare = { 'conv_proj.weight': { shape: [4, 3, 2, 1], values: new Float32Array(24) } }
  await wrong(folder({ tensors: notSquare }), {
    code: 'INVALID_INPUT',
    message: /\[4, 3, 2, 1\] and should be \[width, 3, patch, patch\]/,
  })
  const none = { weight: { shape: [1], values: new Float32Array(1) } }
  await wrong(folder({ tensors: none }), {
    code: 'INVALID_INPUT',
    message: /no tensors of a Vision/,
  })
  writeFileSync(join(alone, 'config.json'), '{')
  await wrong(alone, { code: 'INVALID_INPUT', message: /is no JSON/ })
  const config = async (change: Record<string, unknown>, code: string, message: RegExp) =>
    wrong(folder({ config: change }), { code, message })
  await config({ model_type: 'swin' }, 'UNSUPPORTED', /type swin; .* vit, deit, dinov2/)
  await config({ model_type: 'clip' }, 'UNSUPPORTED', /ClipEncoder\.load/)
  await config({ qkv_bias: false }, 'UNSUPPORTED', /qkv_bias/)
  await config({ hidden_act: 'tanhshrink' }, 'UNSUPPORTED', /tanhshrink/)
  await config({ patch_size: 0 }, 'INVALID_INPUT', /patch_size 0/)
  await config({ patch_size: 16 }, 'INVALID_INPUT', /patch_size 16 and should have 8/)
  await config({ patch_size: [8, 4] }, 'INVALID_INPUT', /patch_size "\[8,4\]"/)
  await config({ image_size: 64 }, 'INVALID_INPUT', /image_size 64.*16 patches/)
  await config({ image_size: 1e300 }, 'INVALID_INPUT', /image_size/)
  await config({ num_attention_heads: 5 }, 'INVALID_INPUT', /divides 32/)
  await config({ num_attention_heads: 0 }, 'INVALID_INPUT', /num_attention_heads 0/)
  await config({ num_hidden_layers: 1e9 }, 'INVALID_INPUT', /num_hidden_layers 1000000000.*2/)
  await config({ hidden_size: 2 ** 40 }, 'INVALID_INPUT', /hidden_size/)
  await config({ intermediate_size: 65 }, 'INVALID_INPUT', /intermediate_size 65/)
  await config({ layer_norm_eps: -1 }, 'INVALID_INPUT', /layer_norm_eps -1/)
  await config({ layer_norm_eps: 1e99 }, 'INVALID_INPUT', /layer_norm_eps 1e\+99/)
})

test('a preparation that is not known, or does not fit, is one clear error', async (t) => {
  const model = expected.vit
  const loaded = async (change: Record<string, unknown>) => {
    const folder = folderOf(model, { preprocessor: { ...model.preprocessor, ...change } })
    try {
      using vit = await Vit.load(folder)
      return vit.preparation
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  const wrong = async (change: Record<string, unknown>, code: string, message: RegExp) =>
    t.throwsAsync(loaded(change), { code, message })
  await wrong({ image_processor_type: 'LlavaImageProcessor' }, 'UNSUPPORTED', /Llava/)
  await wrong({ image_processor_type: 'constructor' }, 'UNSUPPORTED', /constructor/)
  await wrong({ do_resize: false }, 'UNSUPPORTED', /do_resize/)
  await wrong({ resample: 4 }, 'UNSUPPORTED', /resample/)
  await wrong({ size: { shortest_edge: 32 } }, 'UNSUPPORTED', /any ratio/)
  await wrong({ size: 64 }, 'INVALID_INPUT', /64 x 64 pixels, and the model takes 32 x 32/)
  await wrong({ size: { longest_edge: 3 } }, 'INVALID_INPUT', /has size an object/)
  await wrong({ size: 1e9 }, 'INVALID_INPUT', /16384/)
  await wrong({ image_mean: [1, 2] }, 'INVALID_INPUT', /image_mean/)
  await wrong({ image_std: [1, 0, 1] }, 'INVALID_INPUT', /image_std/)
  await wrong({ rescale_factor: 0 }, 'INVALID_INPUT', /rescale_factor/)
  t.deepEqual(await loaded({ size: 32 }), await loaded({}))
  const fast = await loaded({ image_processor_type: 'ViTImageProcessorFast' })
  t.deepEqual(fast, await loaded({ image_processor_type: 'ViTFeatureExtractor' }))
  t.deepEqual(await loaded({ do_normalize: false, do_rescale: false }), {
    ...fast,
    mean: [0, 0, 0],
    deviation: [1 / 255, 1 / 255, 1 / 255],
  })
  const cut = await loaded({ do_center_crop: true, size: { shortest_edge: 40 }, crop_size: 32 })
  t.deepEqual(cut, { ...fast, resize: 40 })
  // Without a file, as its kind does it.
  const folder = folderOf(model, { preprocessor: undefined })
  t.teardown(() => rmSync(folder, { recursive: true }))
  using vit = await Vit.load(folder)
  t.deepEqual(vit.preparation, fast)
})

test('options that do not fit the file are refused', async (t) => {
  const folder = folderOf(expected.vit)
  t.teardown(() => rmSync(folder, { recursive: true }))
  const refuse = async (options: Parameters<typeof Vit.load>[1], message: RegExp) =>
    t.throwsAsync(Vit.load(folder, options), { code: 'INVALID_OPTION', message })
  await refuse({ depth: 3 }, /`depth` must be 2/)
  await refuse({ heads: 8 }, /`heads` must be 4/)
  await refuse({ labels: ['a'] }, /5 names/)
  await refuse({ preparation: { crop: 64 } }, /`preparation\.crop` must be 32/)
  await refuse({ preparation: { resize: [1, 2, 3] as never } }, /preparation/)
  const file = folderOf(expected.torchvision)
  t.teardown(() => rmSync(file, { recursive: true }))
  await t.throwsAsync(Vit.load(join(file, 'model.safetensors'), { heads: 5 }), {
    code: 'INVALID_OPTION',
    message: /divides 32/,
  })
  using vit = await Vit.load(folder)
  await t.throwsAsync(vit.encode(pictures, { layer: 'layers.2' }), { code: 'INVALID_OPTION' })
  const damaged = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')
  await t.throwsAsync(vit.encode([damaged]), { code: 'INVALID_INPUT', message: /pictures\[0\]/ })
  using wide = await Vit.load(folder, { preparation: { resize: [50, 40] } })
  t.deepEqual(wide.preparation.resize, [50, 40])
  t.is((await wide.encode(pictures)).length, 3)
})

test('files with other bytes give a network or one error', async (t) => {
  const folder = folderOf(expected.vit)
  t.teardown(() => rmSync(folder, { recursive: true }))
  const names = ['config.json', 'preprocessor_config.json', 'model.safetensors']
  await openDamaged(t, folder, { names, rounds: 40, seed: 7 }, async () => {
    using vit = await Vit.load(folder)
    await vit.encode([pictures[1]!])
  })
})

test('an abort ends a run, and no run holds the event loop', async (t) => {
  const folder = folderOf(expected.vit)
  t.teardown(() => rmSync(folder, { recursive: true }))
  using vit = await Vit.load(folder)
  const controller = new AbortController()
  const reason = new Error('enough')
  const many = (async function* () {
    for (let i = 0; ; i++) {
      if (i === 40) setImmediate(() => controller.abort(reason))
      yield pictures[0]!
    }
  })()
  await t.throwsAsync(vit.encode(many, { signal: controller.signal }), { is: reason })
  const hold = await longestHoldOf(async () => vit.encode(Array(200).fill(pictures[0])))
  t.log(`${hold} ms`)
  t.true(hold < 5, `${hold} ms`)
})

const data = process.env['INLAY_DATA'] ?? '../shared/data'

test('a folder of Hugging Face gives what transformers gives (INLAY_DATA)', async (t) => {
  const folder = join(data, 'models/tiny/vit')
  if (!existsSync(folder)) {
    t.log('skipped: no tiny/vit in INLAY_DATA')
    t.pass()
    return
  }
  using vit = await Vit.load(folder)
  const inputs = lastChannels(arrayOf(join(folder, 'io.npz'), 'in.pixel_values'), 3, 3, 32 * 32)
  for (const [layer, name] of [
    ['embeddings', 'hidden_0'],
    ['layers.0', 'hidden_1'],
    ['layers.1', 'hidden_2'],
    ['norm', 'last_hidden_state'],
    ['pooler', 'pooler_output'],
  ] as const) {
    const { values } = await vit.network.encode(inputs, { layer })
    const wanted = arrayOf(join(folder, 'io.npz'), `out.${name}`)
    t.is(values.length, wanted.length)
    const far = farthest(values, wanted)
    t.true(far < 1e-4, `${layer}: ${far}`)
  }
  await t.throwsAsync(ClipEncoder.load(folder), { code: 'UNSUPPORTED', message: /Vit\.load/ })
})
