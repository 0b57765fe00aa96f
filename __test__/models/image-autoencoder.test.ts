import { join } from 'node:path'
import test from 'ava'
import {
  ImageAutoencoder,
  type ImageAutoencoderOptions,
  Vectors,
  imageAutoencoderOptions,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomNumbers } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

/** Pictures of 12 x 12 bytes: a soft spot somewhere. */
function pictures(count: number, seed: number): Uint8Array[] {
  const next = randomNumbers(seed)
  return Array.from({ length: count }, () => {
    const [row, column] = [2 + 8 * next(), 2 + 8 * next()]
    const distance = (i: number) => (Math.floor(i / 12) - row) ** 2 + ((i % 12) - column) ** 2
    return Uint8Array.from({ length: 144 }, (_, i) => 250 * Math.exp(-distance(i) / 6))
  })
}

const small: ImageAutoencoderOptions = {
  shape: [12, 12, 1],
  code: 8,
  channels: [8, 16],
  epochs: 20,
  batchSize: 32,
  learningRate: 0.005,
}
const flat: ImageAutoencoderOptions = {
  ...small,
  architecture: 'dense',
  channels: undefined,
  hidden: [64],
}

/** The error of always giving the mean of each pixel. */
function errorOfMean(given: readonly Uint8Array[]): number {
  const means = given[0]!.map((_, i) => given.reduce((sum, one) => sum + one[i]!, 0) / given.length)
  const errors = given.map((one) =>
    one.reduce((sum, value, i) => sum + (value - means[i]!) ** 2, 0),
  )
  return errors.reduce((sum, error) => sum + error, 0) / (given.length * 144 * 255 ** 2)
}

for (const options of [small, flat]) {
  const name = options.architecture ?? 'convolutional'
  test(`${name}: what is made of a code is nearer than the mean picture`, async (t) => {
    using model = await ImageAutoencoder.train(pictures(600, 1), options)
    const held = pictures(100, 2)
    const { count, meanSquaredError } = await model.evaluate(held)
    t.is(count, 100)
    t.true(meanSquaredError < 0.4 * errorOfMean(held), `${meanSquaredError} ${errorOfMean(held)}`)
    const made = await model.reconstruct(held)
    const squares = held.flatMap((picture, at) =>
      Array.from(picture, (value, i) => (value / 255 - made.row(at)[i]!) ** 2),
    )
    const mean = squares.reduce((sum, square) => sum + square, 0) / squares.length
    t.true(Math.abs(meanSquaredError / mean - 1) < 1e-5, `${meanSquaredError} ${mean}`)
    await t.throwsAsync(model.evaluate([]), { code: 'INVALID_INPUT' })
    t.true(mean > 0 && made.values.every((value) => value >= 0 && value <= 1))
    t.true(model.history.at(-1)!.loss < model.history[0]!.loss)
  })
}

test('pictures go through codes: encoded and decoded they are what reconstruct gives', async (t) => {
  for (const options of [small, flat]) {
    const path = join(folder(t), 'model.safetensors')
    using model = await ImageAutoencoder.train(pictures(64, 1), { ...options, epochs: 1 })
    const held = pictures(7, 2)
    const codes = await model.encode(held)
    t.deepEqual([codes.length, codes.dimensions, model.dimensions], [7, 8, 8])
    t.deepEqual((await model.decode(codes)).values, (await model.reconstruct(held)).values)
    t.deepEqual((await model.encode(held.slice(2, 3))).row(0), codes.row(2))
    await model.save(path)
    using opened = await ImageAutoencoder.open(path)
    t.deepEqual((await opened.decode(codes)).values, (await model.reconstruct(held)).values)
    const between = codes.row(0).map((value, i) => (value + codes.row(1)[i]!) / 2)
    t.is((await opened.decode(Vectors.from(between, 8))).length, 1)
  }
})

test('of noisy pictures a denoising autoencoder makes better ones', async (t) => {
  const spoil = (given: readonly Uint8Array[]) =>
    given.map((one, at) => one.map((value, i) => ((i * 7 + at * 13) % 5 < 2 ? 0 : value)))
  const train = pictures(600, 1)
  const held = pictures(100, 2)
  const errorAfter = async (options: object) => {
    using model = await ImageAutoencoder.train(train, { ...flat, code: 24, ...options })
    const made = await model.reconstruct(spoil(held))
    return held
      .map((one, at) => one.reduce((sum, v, i) => sum + (v / 255 - made.row(at)[i]!) ** 2, 0))
      .reduce((sum, error) => sum + error, 0)
  }
  const plain = await errorAfter({})
  const masked = await errorAfter({ mask: 0.4 })
  const noisy = await errorAfter({ noise: 0.2 })
  t.true(masked < 0.9 * plain, `${masked} ${plain}`)
  t.not(noisy, plain)
})

test('codes of a variational autoencoder are about standard normal, and others make pictures too', async (t) => {
  const given = pictures(600, 1)
  const options = { ...flat, code: 2, divergence: 0.5, epochs: 60, validation: pictures(50, 3) }
  using model = await ImageAutoencoder.train(given, options)
  using plain = await ImageAutoencoder.train(given, { ...flat, code: 2, epochs: 60 })
  const spread = async (of: ImageAutoencoder) => {
    const { values } = await of.encode(pictures(200, 2))
    return values.reduce((sum, value) => sum + value * value, 0) / values.length
  }
  // Of the standard normal distribution 1 at most; of a code that nothing holds, anything.
  const [held, free] = [await spread(model), await spread(plain)]
  t.true(held > 0.5 && held < 1.3, `${held}`)
  t.true(free > 2, `${free}`)
  t.true((await model.evaluate(pictures(100, 2))).meanSquaredError < 0.7 * errorOfMean(given))
  // What no picture had: there is a spot all the same.
  const made = await model.decode(Vectors.from(Float32Array.from([0.3, -0.4, -0.5, 0.2]), 2))
  for (const row of made) t.true(Math.max(...row) > 0.5 && Math.min(...row) < 0.1)
  t.true(model.history.every(({ loss, validation }) => loss > 0 && validation! > 0))
})

test('pictures of odd sizes and of several channels come back in their shape', async (t) => {
  const shape = [7, 10, 3] as const
  const given = Array.from({ length: 20 }, (_unused, at) =>
    Float32Array.from({ length: 210 }, (_, i) => ((at * 31 + i * 17) % 50) / 50),
  )
  using model = await ImageAutoencoder.train(given, {
    ...small,
    shape,
    epochs: 1,
    channels: [4, 4, 4],
  })
  t.is((await model.reconstruct(given)).dimensions, 210)
})

test('the same seed gives the same bytes, whatever the number of threads', async (t) => {
  const codes = async (threads: number) => {
    const options = { ...small, epochs: 2, noise: 0.1, mask: 0.2, threads }
    using model = await ImageAutoencoder.train(pictures(100, 1), options)
    return (await model.encode(pictures(10, 2))).values
  }
  t.deepEqual(await codes(2), await codes(1))
})

test('what is no picture, or has no meaning, is refused', async (t) => {
  const refused = (given: unknown, options: object, message: RegExp) =>
    t.throwsAsync(ImageAutoencoder.train(given as [], { ...small, epochs: 1, ...options }), {
      message,
    })
  const good = pictures(4, 1)
  await refused(good, { shape: undefined }, /`shape` must be height, width and channels/)
  await refused(
    [...good, new Uint8Array(3)],
    {},
    /`pictures\[4\]` must be .* 12 x 12 x 1 numbers, got 3/,
  )
  const loud = new Float32Array(144).fill(2)
  await refused([loud], {}, /`pictures\[0\]` must be bytes, or numbers from 0 to 1, got 2/)
  await refused(good, { validation: [loud] }, /`validation\[0\]` must be bytes/)
  await refused(good, { hidden: [3] }, /`hidden` has no meaning where the architecture is 'conv/)
  await refused(good, { architecture: 'dense' }, /`channels` has no meaning where the architecture/)
  await refused(good, { channels: [] }, /`channels` must be of one convolution or more/)
  await refused([], {}, /there are no examples/)
  await refused(good, { validation: [] }, /`validation` has no examples/)
  await refused(7, {}, /`pictures` must be an iterable of pictures, got 7/)
  using model = await ImageAutoencoder.train(good, { ...small, epochs: 1 })
  const codes = Vectors.from(new Float32Array(3), 3)
  await t.throwsAsync(model.decode(codes), { message: /`codes` must be Vectors of 8 values/ })
})

test('wrong options are refused', async (t) => {
  for (const { option, value } of wrongValues(imageAutoencoderOptions)) {
    // One channel, or one unit, is narrow and not wrong; an array may be pictures.
    if (['channels', 'hidden', 'validation'].includes(option) && Array.isArray(value)) continue
    const options = { ...small, channels: undefined, [option]: value }
    const trained = ImageAutoencoder.train(pictures(4, 1), options)
    await t.throwsAsync(trained, { code: 'INVALID_OPTION' }, option)
  }
})
