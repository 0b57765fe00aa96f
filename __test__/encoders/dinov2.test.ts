import { readFileSync, rmSync } from 'node:fs'
import test from 'ava'
import { Vit, loadImageEncoder } from 'inlay'
import { openDamaged } from '../fixtures/damaged-files.js'
import { type Expected, farFrom, folderOf, pictures, tensorsOf } from '../fixtures/vision-models.js'

type Name = 'dinov2' | 'dinov2-larger' | 'dinov2-classes'
const golden = '__test__/golden/vision-models/dinov2.json'
const expected = JSON.parse(readFileSync(golden, 'utf8')) as Readonly<Record<Name, Expected>>

/** A folder that is gone when the test is over. */
function made(
  t: { teardown: (end: () => void) => void },
  change: Parameters<typeof folderOf>[1] = {},
  name: Name = 'dinov2',
): string {
  const folder = folderOf(expected[name], change)
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

for (const name of Object.keys(expected) as Name[]) {
  test(`each layer of ${name} gives what PyTorch's gives`, async (t) => {
    using vit = await Vit.load(made(t, {}, name))
    t.is(vit.depth, 2)
    t.is(vit.dimensions, 32)
    for (const [layer, taps] of Object.entries(expected[name].layers)) {
      const { values, dimensions } = await vit.encode(pictures, { layer })
      const far = farFrom(values, dimensions, taps)
      t.true(far < 3e-6, `${layer}: ${far}`)
    }
    const all = await vit.encode(pictures, { threads: 2 })
    for (const [at, one] of pictures.entries()) {
      t.deepEqual((await vit.encode([one], { threads: 1 })).row(0), all.row(at))
    }
  })
}

test('classes have their names, and the encoder is told by its folder', async (t) => {
  const folder = made(t, {}, 'dinov2-classes')
  using vit = await Vit.load(folder)
  t.deepEqual(vit.labels, ['cat', 'dog', 'car'])
  const [first] = await vit.predict(pictures)
  t.is(first!.label, vit.labels![first!.index])
  using found = await loadImageEncoder(folder)
  t.deepEqual((await found.encode(pictures)).values, (await vit.encode(pictures)).values)
})

test('what a folder lacks, or has otherwise, is one clear error', async (t) => {
  const wrong = async (folder: string, code: string, message: RegExp) =>
    t.throwsAsync(Vit.load(folder), { code, message })
  const model = expected.dinov2
  const prepared = (change: object) => ({ preprocessor: { ...model.preprocessor, ...change } })
  const square = (side: number) => ({ height: side, width: side })
  for (const [change, code, message] of [
    [{ config: { use_swiglu_ffn: true } }, 'UNSUPPORTED', /`use_swiglu_ffn` true/],
    [{ config: { qkv_bias: false } }, 'UNSUPPORTED', /`qkv_bias` false/],
    [{ config: { model_type: 'dinov2_with_registers' } }, 'UNSUPPORTED', /dinov2_with_registers/],
    [{ config: { image_size: 49 } }, 'INVALID_INPUT', /image_size 49/],
    [{ config: { num_attention_heads: 5 } }, 'INVALID_INPUT', /divides 32/],
    [{ config: { num_hidden_layers: 3 } }, 'INVALID_INPUT', /num_hidden_layers 3/],
    [{ config: { hidden_act: 'no' } }, 'UNSUPPORTED', /activation no/],
    [prepared({ crop_size: square(6) }), 'UNSUPPORTED', /6 x 6 pixels/],
    [prepared({ crop_size: square(16_000) }), 'UNSUPPORTED', /16000 x 16000 pixels/],
    [prepared({ crop_size: { height: 28, width: 35 } }), 'INVALID_INPUT', /takes squares/],
  ] as const) {
    await wrong(made(t, change), code, message)
  }
  const tensors = tensorsOf(model)
  for (const name of [
    'embeddings.cls_token',
    'embeddings.position_embeddings',
    'encoder.layer.0.mlp.fc1.weight',
    'encoder.layer.1.layer_scale2.lambda1',
  ]) {
    const { [name]: _, ...others } = tensors
    await wrong(made(t, { tensors: others }), 'INVALID_INPUT', new RegExp(name))
  }
  await t.throwsAsync(Vit.load(made(t), { heads: 2 }), { code: 'INVALID_OPTION', message: /heads/ })
})

test('files with other bytes give a network or one error', async (t) => {
  const folder = made(t)
  const names = ['config.json', 'preprocessor_config.json', 'model.safetensors']
  await openDamaged(t, folder, { names, rounds: 30, seed: 11 }, async () => {
    using vit = await Vit.load(folder)
    await vit.encode([pictures[1]!])
  })
})
