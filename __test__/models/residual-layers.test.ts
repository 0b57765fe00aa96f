import test from 'ava'
import { ImageCnn, Network, dense, network, residualLayers, summary, values } from 'inlay'
import { cifar, farthest } from '../fixtures/cifar.js'
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

test('with the weights of PyTorch’s ResNet-20 it says what that says (INLAY_DATA)', async (t) => {
  const found = cifar()
  if (!found) {
    t.log('skipped: no resnet20-cifar10 in INLAY_DATA')
    t.pass()
    return
  }
  const pictures = found.pictures.map(normalised)
  using model = await Network.load(resnet20, found.weights('resnet20.safetensors'))
  const logits = await model.encode(pictures)
  const far = farthest(logits.values, found.logits)
  t.log(`farthest logit: ${far}`)
  t.is(found.logits.length, logits.values.length)
  t.true(far < 1e-4, `${far}`)
  const right = Array.from(logits, (row, i) => row.indexOf(Math.max(...row)) === found.classes[i])
  t.is(right.filter(Boolean).length, 915)
  const features = await model.encode(pictures.slice(0, 10), { layer: 'pool' })
  t.true(farthest(features.values, found.features) < 1e-4)
})

/** Pixels on the scale that the weights were learnt with. */
function normalised(pixels: Uint8Array): Float32Array {
  const [mean, deviation] = [
    [0.485, 0.456, 0.406],
    [0.229, 0.224, 0.225],
  ] as const
  return Float32Array.from(pixels, (value, i) => (value / 255 - mean[i % 3]!) / deviation[i % 3]!)
}
