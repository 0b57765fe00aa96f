import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import test from 'ava'
import { ImageCnn, Network, dense, network, residualLayers, summary, values } from 'inlay'
import { shapes } from '../fixtures/shapes.js'

const resnet20 = network({
  input: values({ shape: [32, 32, 3] }),
  layers: [...residualLayers(), dense({ name: 'linear', units: 10 })],
})

test('ResNet-20 has the layers of the paper’s table', (t) => {
  const lines = summary(resnet20)
  const learnt = lines.filter(({ name }) => /conv|linear/.test(name))
  t.is(learnt.length, 20)
  const weights = learnt.reduce((sum, { parameters }) => sum + parameters, 0)
  // Table 6: 0.27 million.
  t.is(weights, 432 + 6 * 2304 + 4608 + 5 * 9216 + 18_432 + 5 * 36_864 + 650)
  t.is(lines.find(({ name }) => name === 'layer2.0.conv1')!.shape, '[16, 16, 32]')
  t.is(lines.find(({ name }) => name === 'layer3.2.conv2')!.shape, '[8, 8, 64]')
  t.is(lines.find(({ name }) => name === 'pool')!.shape, '[64]')
  t.is(
    summary(
      network({ input: values({ shape: [32, 32, 3] }), layers: residualLayers({ depth: 110 }) }),
    ).filter(({ name }) => /conv/.test(name)).length,
    109,
  )
})

test('a small residual network learns from scratch', async (t) => {
  using model = await ImageCnn.train(shapes(600, 1), {
    shape: [12, 12, 1],
    layers: residualLayers({ depth: 6, channels: [8, 12] }),
    epochs: 6,
    learningRate: 0.01,
  })
  t.is(model.dimensions, 12)
  const { accuracy } = await model.evaluate(shapes(150, 2))
  t.true(accuracy > 0.9, `${accuracy}`)
})

test('depths that no blocks make are refused', (t) => {
  t.throws(() => residualLayers({ depth: 21 }), {
    message: /`depth` must be a multiple of 6, and 2 more/,
  })
  t.throws(() => residualLayers({ channels: [16, 8] }), { message: /`channels` must be/ })
  t.throws(() => residualLayers({ depth: 2 }), { code: 'INVALID_OPTION' })
})

const data = process.env['INLAY_DATA'] ?? '../shared/data'

test('with the weights of PyTorch’s ResNet-20 it says what that says (INLAY_DATA)', async (t) => {
  const weights = join(data, 'models/resnet20-cifar10/resnet20.safetensors')
  if (!existsSync(weights)) {
    t.log('skipped: no resnet20-cifar10 in INLAY_DATA')
    t.pass()
    return
  }
  const cifar = join(data, 'media/cifar10')
  const bytes = gunzipSync(readFileSync(join(cifar, 'test1000.bin.gz')))
  const pictures = Array.from({ length: 1000 }, (_, i) =>
    normalised(bytes.subarray(i * 3073 + 1, (i + 1) * 3073)),
  )
  using model = await Network.load(resnet20, weights)
  const logits = await model.encode(pictures)
  const wanted = numbersOf(join(cifar, 'test1000-logits.npy'))
  const farthest = logits.values.reduce((most, v, i) => Math.max(most, Math.abs(v - wanted[i]!)), 0)
  t.log(`farthest logit: ${farthest}`)
  t.is(wanted.length, logits.values.length)
  t.true(farthest < 1e-4, `${farthest}`)
  const right = Array.from(logits, (row, i) => row.indexOf(Math.max(...row)) === bytes[i * 3073])
  t.is(right.filter(Boolean).length, 915)
  const features = await model.encode(pictures.slice(0, 10), { layer: 'pool' })
  const pooled = numbersOf(join(cifar, 'test1000-features64.npy'))
  t.true(features.values.every((value, i) => Math.abs(value - pooled[i]!) < 1e-4))
})

/** Planes of red, green and blue as pixels, on the scale that the weights were learnt with. */
function normalised(planes: Uint8Array): Float32Array {
  const [mean, deviation] = [
    [0.485, 0.456, 0.406],
    [0.229, 0.224, 0.225],
  ] as const
  return Float32Array.from({ length: 3072 }, (_, i) => {
    const channel = i % 3
    const value = planes[channel * 1024 + Math.floor(i / 3)]! / 255
    return (value - mean[channel]!) / deviation[channel]!
  })
}

/** The values of a .npy file of float32. */
function numbersOf(path: string): Float32Array {
  const bytes = readFileSync(path)
  const start = 10 + bytes.readUInt16LE(8)
  return new Float32Array(Uint8Array.from(bytes.subarray(start)).buffer)
}
