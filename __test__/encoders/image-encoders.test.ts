import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import {
  type ImageEncoder,
  Network,
  type RawImage,
  ResNet,
  Vgg,
  dense,
  network,
  residualLayers,
  values,
} from 'inlay'
import { cifar, farthest } from '../fixtures/cifar.js'
import { arrayOf, lastChannels } from '../fixtures/golden-arrays.js'
import { longestHoldOf } from '../fixtures/longest-hold.js'

const golden = (name: string) => join('__test__/golden', name)

/** Numbers that look like noise: those of `image_networks.py`. */
function noise(width: number, height: number): RawImage {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, at) =>
    Number(((BigInt(at) * 2654435761n + 12345n) % 0x1_0000_0000n) >> 24n),
  )
  return { data, width, height, channels: 3 }
}

const picture = noise(301, 263)

type Taps = Record<string, { length: number; mean: number; some: number[] }>
const expected = JSON.parse(readFileSync(golden('image-networks.json'), 'utf8')) as Record<
  string,
  Taps
>

for (const [file, depth, kind, side] of [
  ['vgg11-bn.pth', 11, Vgg, 224],
  ['vgg16.safetensors', 16, Vgg, 224],
  ['resnet18.pth', 18, ResNet, 64],
  ['bottleneck.safetensors', 17, ResNet, 64],
] as const) {
  test(`each layer of ${file} gives what torchvision's gives`, async (t) => {
    const preparation = { resize: side + Math.floor(side / 7), crop: side }
    using encoder: ImageEncoder = await kind.load(golden(file), { preparation, depth })
    t.is(encoder.depth, depth)
    const taps = Object.entries(expected[file]!)
    t.true(taps.length >= 10)
    for (const [layer, { length, mean, some }] of taps) {
      const { values: found, dimensions } = await encoder.encode([picture], { layer })
      t.is(dimensions, length, layer)
      const scale = 1 + Math.max(...some.map(Math.abs))
      t.true(Math.abs(found.reduce((sum, v) => sum + v, 0) / length - mean) < 1e-4 * scale, layer)
      const step = Math.max(1, Math.floor(length / 6))
      for (const [at, value] of some.entries()) {
        t.true(
          Math.abs(found[at * step]! - value) < 1e-4 * scale,
          `${layer}: ${found[at * step]}, ${value}`,
        )
      }
    }
  })
}

test('vectors do not depend on batches, threads or how a picture is given; scores have names', async (t) => {
  using encoder = await ResNet.load(golden('resnet18.pth'), {
    preparation: { resize: 64, crop: 64 },
    labels: ['a', 'b', 'c', 'd', 'e'],
  })
  t.is(encoder.dimensions, 10)
  const pictures = [picture, noise(70, 90), noise(1, 1), noise(64, 64)]
  const all = await encoder.encode(pictures, { batchSize: 3, threads: 2 })
  for (const [at, one] of pictures.entries()) {
    const alone = await encoder.encode([one], { threads: 1 })
    t.deepEqual(alone.values, all.values.slice(at * 10, at * 10 + 10))
  }
  t.is((await encoder.encode([])).length, 0)
  const [first] = await encoder.predict([picture])
  const probabilities = (await encoder.predictProbabilities([picture])).values
  t.is(first!.probability, Math.max(...probabilities))
  t.is(first!.label, 'abcde'[first!.index])
})

/** A file of 2 x 2 pixels. */
const bmp = Buffer.from(
  '424d460000000000000036000000280000000200000002000000010018000000000010000000' +
    '130b0000130b000000000000000000000000ffffffff00000000ff0000ff00000000',
  'hex',
)

test('what is no picture, damaged or too large is one clear error', async (t) => {
  using encoder = await ResNet.load(golden('resnet18.pth'), {
    preparation: { resize: 64, crop: 64 },
  })
  const folder = mkdtempSync(join(tmpdir(), 'inlay-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'a.bmp')
  writeFileSync(file, bmp)
  const [byBytes, byName] = [await encoder.encode([bmp]), await encoder.encode([file])]
  t.deepEqual(byBytes.values, byName.values)
  const wrong = async (given: unknown, expectation: object) =>
    t.throwsAsync(encoder.encode([picture, given as RawImage]), expectation)
  await wrong(bmp.subarray(0, 60), { code: 'INVALID_INPUT', message: /pictures\[1\].*damaged BMP/ })
  await wrong(Buffer.from('a text'), {
    code: 'INVALID_INPUT',
    message: /no picture of a known kind/,
  })
  await wrong(join(folder, 'none.png'), { code: 'NOT_FOUND' })
  await wrong(7, { code: 'INVALID_OPTION', message: /pictures\[1\]/ })
  await wrong(
    { ...picture, width: 300 },
    { code: 'INVALID_OPTION', message: /300 x 263 x 3 bytes/ },
  )
  const large = Buffer.from(bmp)
  large.writeInt32LE(20_000, 18)
  large.writeInt32LE(20_000, 22)
  await wrong(large, { code: 'INVALID_INPUT', message: /20000 x 20000 pixels; at most 100000000/ })
  await t.throwsAsync(encoder.encode([bmp], { maxPixels: 3 }), {
    message: /2 x 2 pixels; at most 3/,
  })
  await t.throwsAsync(encoder.encode([bmp], { layer: 'layer9' }), { code: 'INVALID_OPTION' })
})

test('a file that is no such network says what is missing, all at once', async (t) => {
  await t.throwsAsync(Vgg.load(golden('resnet18.pth')), {
    code: 'INVALID_INPUT',
    message: /0 convolutions/,
  })
  await t.throwsAsync(ResNet.load(golden('vgg16.safetensors')), {
    message: /no tensors of a ResNet/,
  })
  await t.throwsAsync(ResNet.load(golden('resnet18.pth'), { depth: 50 }), {
    code: 'INVALID_OPTION',
    message: /`depth` must be 18/,
  })
  await t.throwsAsync(ResNet.load(golden('resnet18.pth'), { labels: ['a'] }), {
    message: /5 names/,
  })
  await t.throwsAsync(Vgg.load(golden('vgg11-bn.pth'), { preparation: { crop: 100 } }), {
    message: /224/,
  })
  await t.throwsAsync(ResNet.load(golden('resnet18.pth'), { preparation: { size: 3 } as object }), {
    code: 'INVALID_OPTION',
  })
  const folder = mkdtempSync(join(tmpdir(), 'inlay-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const hostile = join(folder, 'a.pth')
  writeFileSync(
    hostile,
    Buffer.concat([
      readFileSync(golden('old.th')).subarray(0, 137),
      Buffer.from('\x80\x02cposix\nsystem\n', 'latin1'),
    ]),
  )
  await t.throwsAsync(ResNet.load(hostile), {
    code: 'INVALID_INPUT',
    message: /posix\.system.*nothing of it was run/,
  })
  // Two names of which nothing is left.
  const lacking = join(folder, 'b.safetensors')
  const bytes = readFileSync(golden('bottleneck.safetensors'), 'latin1')
  writeFileSync(
    lacking,
    bytes
      .replace('"layer3.0.bn2.weight"', '"layer3.0.bn2.other_"')
      .replace('"fc.bias"', '"fc.bi__"'),
    'latin1',
  )
  await t.throwsAsync(ResNet.load(lacking), {
    message: /`layer3\.0\.bn2\.weight` \[\d+\] is missing.*`fc\.bias` \[5\] is missing/,
  })
})

const data = process.env['INLAY_DATA'] ?? '../shared/data'

test('ResNet-20 as PyTorch wrote it says of CIFAR pictures what PyTorch says (INLAY_DATA)', async (t) => {
  const found = cifar()
  if (!found) {
    t.log('skipped: no resnet20-cifar10 in INLAY_DATA')
    t.pass()
    return
  }
  const weights = found.weights('resnet20-12fca82f.th')
  const pictures = found.pictures.map((pixels): RawImage => ({
    data: pixels,
    width: 32,
    height: 32,
    channels: 3,
  }))
  using encoder = await ResNet.load(weights)
  t.is(encoder.depth, 20)
  const logits = await encoder.encode(pictures, { layer: 'linear', batchSize: 250 })
  const far = farthest(logits.values, found.logits)
  t.log(`farthest logit: ${far}`)
  t.is(found.logits.length, logits.values.length)
  t.true(far < 1e-4, `${far}`)
  const features = await encoder.encode(pictures.slice(0, 10))
  t.true(farthest(features.values, found.features) < 1e-4)
  const description = network({
    input: values({ shape: [32, 32, 3] }),
    layers: [...residualLayers(), dense({ name: 'linear', units: 10 })],
  })
  using same = await Network.load(description, weights, { prefix: 'module.' })
  t.truthy(same.parameter('layer3.2.conv2.weight'))
})

test('a Hugging Face folder gives what transformers gives (INLAY_DATA)', async (t) => {
  const folder = join(data, 'models/tiny/resnet')
  if (!existsSync(folder)) {
    t.log('skipped: no tiny/resnet in INLAY_DATA')
    t.pass()
    return
  }
  const preparation = { resize: 64, crop: 64 }
  using encoder = await ResNet.load(folder, { preparation })
  const file = (name: string) => arrayOf(join(folder, 'io.npz'), name)
  const inputs = lastChannels(file('in.pixel_values'), 2, 3, 64 * 64)
  for (const [layer, name, channels, pixels] of [
    ['maxpool', 'out.hidden_0', 16, 256],
    ['layer1.0', 'out.hidden_1', 16, 256],
    ['layer2.1', 'out.hidden_2', 32, 64],
    ['layer3.0', 'out.hidden_3', 48, 16],
    ['layer4.0', 'out.hidden_4', 64, 4],
    ['avgpool', 'out.pooler_output', 64, 1],
  ] as const) {
    const { values: found } = await encoder.network.encode(inputs, { layer })
    const wanted = lastChannels(file(name), 2, channels, pixels)
    const far = farthest(found, wanted)
    t.is(found.length, wanted.length)
    t.true(far < 1e-4, `${layer}: ${far}`)
  }
})

test('the event loop has its turn while pictures are encoded', async (t) => {
  using encoder = await ResNet.load(golden('resnet18.pth'), {
    preparation: { resize: 64, crop: 64 },
  })
  const many = Array.from({ length: 120 }, (_, i) => noise(200 + i, 150))
  const held = await longestHoldOf(() => encoder.encode(many))
  t.log(`${held.toFixed(1)} ms`)
  t.true(held < 5, `${held} ms`)
})
