import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  Classifier,
  ImageCnn,
  Network,
  conv2d,
  crossEntropy,
  dense,
  imageCnnOptions,
  network,
  pool,
  readIdx,
  relu,
  values,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { shapes } from '../fixtures/shapes.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const shape = [12, 12, 1] as const
const small = { shape, channels: [8, 8], hidden: [16], dropout: 0, epochs: 8, learningRate: 0.01 }

test('shapes are told apart wherever they are', async (t) => {
  using model = await ImageCnn.train(shapes(600, 1), small)
  t.deepEqual(model.labels, ['lies', 'stands', 'cross'])
  const { accuracy, count } = await model.evaluate(shapes(150, 2))
  t.is(count, 150)
  t.true(accuracy > 0.95, `${accuracy}`)
  const [first] = await model.predict([shapes(1, 3)[0]!.input])
  t.is(first!.label, 'lies')
  t.true(first!.probability > 0.5)
})

test('any layer gives vectors, and a picture has the same in any company', async (t) => {
  using model = await ImageCnn.train(shapes(300, 1), { ...small, epochs: 2 })
  const pictures = shapes(9, 2).map(({ input }) => input)
  const vectors = await model.encode(pictures)
  t.deepEqual([vectors.length, vectors.dimensions], [9, model.dimensions])
  t.is(model.dimensions, 16)
  t.deepEqual((await model.encode([pictures[4]!])).row(0), vectors.row(4))
  t.is((await model.encode(pictures, { layer: 'pool2' })).dimensions, 3 * 3 * 8)
  await t.throwsAsync(model.encode(pictures, { layer: 'pool3' }), { message: /conv1.*pool2/ })
  // Numbers on another scale than bytes are the same picture.
  const shares = pictures.map((picture) => Float32Array.from(picture, (value) => value / 255))
  const same = await model.encode(shares)
  t.true(same.values.every((value, i) => Math.abs(value - vectors.values[i]!) < 1e-4))
  // It is an embedder as any other.
  using other = await Classifier.train(model, shapes(300, 3), { epochs: 20 })
  t.true((await other.evaluate(shapes(90, 4))).accuracy > 0.8)
})

test('the same seed gives the same bytes, and what is kept is opened as it was', async (t) => {
  const path = join(folder(t), 'shapes.safetensors')
  const options = { ...small, epochs: 2, dropout: 0.3 }
  using model = await ImageCnn.train(shapes(150, 1), { ...options, threads: 1 })
  using again = await ImageCnn.train(shapes(150, 1), { ...options, threads: 2 })
  await model.save(path)
  using opened = await ImageCnn.open(path)
  const pictures = shapes(9, 2).map(({ input }) => input)
  const wanted = await model.predictProbabilities(pictures)
  t.deepEqual(await again.predictProbabilities(pictures), wanted)
  t.deepEqual(await opened.predictProbabilities(pictures), wanted)
  t.deepEqual([opened.labels, opened.shape], [model.labels, shape])
})

test('layers of one’s own are taken in place of those that it has', async (t) => {
  const layers = [conv2d({ channels: 8, kernel: 5 }), relu(), pool({ by: 'max' })]
  const options = { shape, layers, epochs: 8, learningRate: 0.02, validation: shapes(60, 2) }
  using model = await ImageCnn.train(shapes(600, 1), options)
  t.is(model.dimensions, 8)
  t.true((await model.evaluate(shapes(150, 3))).accuracy > 0.9)
  t.is(model.history.length, 8)
  t.true(model.history.every(({ validation }) => validation! > 0))
})

test('with batch norms it learns in fewer passes', async (t) => {
  const options = { ...small, epochs: 5, batchSize: 32, learningRate: 0.005 }
  using plain = await ImageCnn.train(shapes(600, 1), options)
  using normed = await ImageCnn.train(shapes(600, 1), { ...options, batchNorm: true })
  const [one, other] = [plain, normed].map(({ history }) => history[1]!.loss)
  t.true(other! < 0.85 * one!, `${other} ${one}`)
  t.true((await normed.evaluate(shapes(150, 2))).accuracy > 0.95)
})

test('channels are put on one scale each', async (t) => {
  // The first channel is the same everywhere, the second says it all in a tenth of its range.
  const coloured = shapes(300, 1).map(({ input, label }) => ({
    input: Uint8Array.from({ length: 288 }, (_, i) => (i % 2 ? 100 + input[i >> 1]! / 10 : 7)),
    label,
  }))
  using model = await ImageCnn.train(coloured, { ...small, shape: [12, 12, 2] })
  t.true((await model.evaluate(coloured)).accuracy > 0.95)
})

test('what is no picture, or has no meaning, is refused', async (t) => {
  const refused = (examples: unknown, options: object, message: RegExp) =>
    t.throwsAsync(ImageCnn.train(examples as [], { ...small, epochs: 1, ...options }), { message })
  const good = shapes(6, 1)
  await refused(good, { shape: undefined }, /`shape` must be height, width and channels/)
  await refused(good, { shape: [12, 12] }, /`shape` must be height, width and channels/)
  const short = [{ input: new Uint8Array(9), label: 'lies' }]
  await refused([...good, ...short], {}, /`examples\[6\]` must be .* of 12 x 12 x 1 numbers, got 9/)
  await refused([...good, { input: [1, 2], label: 'lies' }], {}, /`examples\[6\]` must be/)
  await refused(good.slice(0, 1), {}, /two labels or more/)
  await refused(good, { layers: [relu()] }, /`channels` has no meaning beside `layers`/)
  const trained = () => t.fail('it was trained')
  const named = { shape, layers: [relu({ name: 'probabilities' })], onProgress: trained }
  await t.throwsAsync(ImageCnn.train(good, named), {
    code: 'INVALID_OPTION',
    message: /ImageCnn.train: the network .*`probabilities`/,
  })
  await refused(good, { channels: [4, 4, 4, 4, 4] }, /`pool4`/)
  await refused(good, { validation: [] }, /`validation` has no examples/)
  await refused(good, { labelWeights: { falls: 1 } }, /labels of the examples/)
  await refused([{ ...good[0], input: new Float32Array(144).fill(NaN) }, ...good], {}, /not finite/)
  using model = await ImageCnn.train(good, { ...small, epochs: 1 })
  await t.throwsAsync(model.predict([new Uint8Array(3)]), { message: /`pictures\[0\]` must be/ })
  t.is((await model.predict([])).length, 0)
  const path = join(folder(t), 'other.safetensors')
  const layers = [dense({ units: 2 })]
  const plain = network({ input: values({ shape: [2] }), layers, loss: crossEntropy() })
  using other = await Network.train(plain, { inputs: [[1, 2]], targets: [1] }, { epochs: 1 })
  await other.save(path)
  await t.throwsAsync(ImageCnn.open(path), { code: 'INVALID_INPUT' })
})

test('wrong options are refused', async (t) => {
  for (const { option, value } of wrongValues(imageCnnOptions)) {
    // One channel, or one unit, is narrow and not wrong; an array may be examples.
    if (['channels', 'hidden', 'validation'].includes(option) && Array.isArray(value)) continue
    const options = { ...small, [option]: value }
    await t.throwsAsync(ImageCnn.train(shapes(6, 1), options), { code: 'INVALID_OPTION' }, option)
  }
})

const fashion = join(process.env['INLAY_DATA'] ?? '../shared/data', 'media/fashion-mnist')

test('Fashion-MNIST: of 8,000 pictures the clothes of 2,000 others are learnt (INLAY_DATA)', async (t) => {
  if (!existsSync(join(fashion, 't10k-images-idx3-ubyte.gz'))) {
    t.log('skipped: no Fashion-MNIST in INLAY_DATA')
    t.pass()
    return
  }
  const pictures = await readIdx(join(fashion, 't10k-images-idx3-ubyte.gz'))
  const labels = await readIdx(join(fashion, 't10k-labels-idx1-ubyte.gz'))
  t.deepEqual([pictures.length, ...pictures.shape, labels.length], [10_000, 28, 28, 10_000])
  const examples = pictures.items.map((input, i) => ({
    input: input as Uint8Array,
    label: String(labels.values[i]),
  }))
  using model = await ImageCnn.train(examples.slice(0, 8000), {
    shape: [28, 28, 1],
    channels: [16, 32],
    hidden: [64],
    epochs: 5,
  })
  const { accuracy } = await model.evaluate(examples.slice(8000))
  t.log(`accuracy ${accuracy}`)
  t.true(accuracy > 0.83, `${accuracy}`)
})
