import { join } from 'node:path'
import test from 'ava'
import {
  Classifier,
  ImagePatches,
  MaskedAutoencoder,
  type MaskedAutoencoderOptions,
  type RawImage,
  SoundPatches,
  Spectrogram,
  Tokens,
  Vectors,
  VideoPatches,
  dense,
  hide,
  masked,
  maskedAutoencoderOptions,
  network,
  sequence,
  summary,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { movingShapes } from '../fixtures/moving-shapes.js'
import { randomNumbers } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const cut = new ImagePatches({ size: 4, channels: 1 })
const small: MaskedAutoencoderOptions = {
  dimensions: 32,
  blocks: 2,
  heads: 2,
  decoderDimensions: 16,
  mask: 0.5,
  epochs: 2,
  warmup: 5,
}

const raw = (data: Uint8Array, side = 12): RawImage => ({
  data,
  width: side,
  height: data.length / side,
  channels: 1,
})

/** Waves over 12 x 12 pixels that run one way or the other, of any phase and strength, over noise. */
async function pictures(count: number, seed: number) {
  const next = randomNumbers(seed)
  const labels = Array.from({ length: count }, (_, at) => ['up', 'down'][at % 2]!)
  const items = labels.map((label) => {
    const [phase, strength, light] = [6.3 * next(), 20 + 40 * next(), 80 + 90 * next()]
    const pixel = (row: number, column: number) => {
      const along = label === 'up' ? row + column : row - column
      return light + strength * Math.sin(along * 1.1 + phase) + 20 * (next() - 0.5)
    }
    return raw(Uint8Array.from({ length: 144 }, (_, i) => pixel(Math.floor(i / 12), i % 12)))
  })
  return { tokens: await cut.tokens(items), labels }
}

/** The accuracy of softmax regression on vectors: they are learnt from half of them, and judged by the rest. */
async function probed(vectors: Vectors, labels: readonly string[]): Promise<number> {
  const all = Array.from(vectors, (input, at) => ({ input, label: labels[at]! }))
  const half = all.length / 2
  const encode = async (rows: Iterable<Float32Array> | AsyncIterable<Float32Array>) => {
    const found: number[] = []
    for await (const row of rows) found.push(...row)
    return Vectors.from(Float32Array.from(found), vectors.dimensions)
  }
  const embedder = { dimensions: vectors.dimensions, encode }
  const options = { epochs: 60, learningRate: 0.02 }
  using model = await Classifier.train(embedder, all.slice(0, half), options)
  return (await model.evaluate(all.slice(half))).accuracy
}

test('vectors of pictures say what is in them, without labels, where those of random weights do not', async (t) => {
  const { tokens } = await pictures(900, 1)
  const held = await pictures(600, 2)
  const options = { ...small, epochs: 30, batchSize: 32, learningRate: 0.003 }
  using model = await MaskedAutoencoder.train(tokens, { ...options, validation: held.tokens })
  using begun = await MaskedAutoencoder.train(tokens, { ...options, epochs: 1, learningRate: 1e-9 })
  const learnt = await probed(await model.encode(held.tokens), held.labels)
  const chance = await probed(await begun.encode(held.tokens), held.labels)
  t.log(`${learnt.toFixed(3)} are right, of random weights ${chance.toFixed(3)}`)
  t.true(learnt > 0.8 && learnt > chance + 0.2, `${learnt} ${chance}`)
  t.is(model.history.length, 30)
  t.true(model.history.at(-1)!.validation! < 0.9 * model.history[0]!.validation!)
})

test('masked patches are made again of the others, which stay as they are', async (t) => {
  // Each picture is one grey: what is masked is told by any patch.
  const greys = Array.from({ length: 400 }, (_, i) => raw(new Uint8Array(144).fill((i * 37) % 256)))
  const tokens = await cut.tokens(greys)
  const options = { ...small, normalize: false, epochs: 30, learningRate: 0.003 }
  using model = await MaskedAutoencoder.train(tokens, options)
  const few = tokens.slice(0, 20)
  const made = await model.reconstruct(few)
  let [changed, error] = [0, 0]
  for (const [at, value] of made.values.entries()) {
    changed += Number(value !== few.values[at])
    error += (value - few.values[at]!) ** 2
  }
  // Five of nine patches, of 16 values.
  t.is(changed, 20 * 5 * 16)
  const mean = error / changed
  t.true(mean < 0.003, `${mean}`)
  const back = await cut.restore(made)
  t.deepEqual([back.length, back[0]!.width], [20, 12])
  t.deepEqual((await model.reconstruct(few, { threads: 1 })).values, made.values)
})

test('what is wanted may be each patch on its own scale, and comes back on that', async (t) => {
  const { tokens } = await pictures(200, 3)
  using model = await MaskedAutoencoder.train(tokens, { ...small, epochs: 4 })
  const made = await model.reconstruct(tokens)
  // A masked patch has kept its mean only roughly, and its range.
  const moved = Array.from(made).flatMap((rows, at) =>
    Array.from(rows, (value, i) => [value, tokens.item(at)[i]!] as const),
  )
  const other = moved.filter(([value, was]) => value !== was)
  t.true(other.length > 0.5 * moved.length && other.length < 0.6 * moved.length)
  const error = other.reduce((sum, [value, was]) => sum + (value - was) ** 2, 0) / other.length
  const power = other.reduce((sum, [, was]) => sum + was ** 2, 0) / other.length
  t.true(error < 0.5 * power, `${error} ${power}`)
})

test('films are masked by tubes, and inputs of any size have vectors', async (t) => {
  const films = new VideoPatches({ size: [2, 4, 4] })
  const tokens = await films.tokens([1, 2, 3, 4].map((seed) => movingShapes(8, { seed })))
  const options = { ...small, mask: 0.9, tubes: true }
  using model = await MaskedAutoencoder.train(tokens, options)
  const made = await model.reconstruct(tokens.slice(0, 1))
  const isMasked = Array.from({ length: made.count }, (_, at) => {
    const of = (all: Tokens) => Array.from(all.values.subarray(at * 96, at * 96 + 96))
    return of(made).some((value, i) => value !== of(tokens)[i])
  })
  t.is(isMasked.length, 4 * 48)
  t.is(isMasked.filter(Boolean).length, 4 * 43)
  t.deepEqual(isMasked.slice(0, 48), isMasked.slice(48, 96))
  t.deepEqual(isMasked.slice(0, 48), isMasked.slice(144))
  const other = await films.tokens([movingShapes(3, { width: 20 }), movingShapes(8, { seed: 2 })])
  const vectors = await model.encode(other)
  t.deepEqual([vectors.length, vectors.dimensions, model.dimensions], [2, 32, 32])
  // A vector depends on its own input alone.
  t.deepEqual(vectors.row(1), (await model.encode(tokens)).row(1))
  const mixed = await films.tokens([movingShapes(8), movingShapes(8, { width: 16 })])
  await t.throwsAsync(MaskedAutoencoder.train(mixed, options), {
    message:
      /`tokens.inputs\[1\]` must be of films with 48 patches at each time, for `tubes`, got 24/,
  })
})

test('spectrograms of any length are learnt from, and low and high sounds told apart', async (t) => {
  const tone = (pitch: number, at: number) => ({
    samples: Float32Array.from(
      { length: 4000 + 400 * (at % 3) },
      (_, i) => 0.5 * Math.sin(2 * Math.PI * ((pitch + at) / 8000) * i + at),
    ),
    sampleRate: 8000,
    channels: 1,
  })
  const sounds = Array.from({ length: 24 }, (_, at) => tone(at % 2 ? 400 : 1600, 7 * at))
  const spectrogram = new Spectrogram({ sampleRate: 8000, fftSize: 256, hop: 128, mels: 32 })
  const patches = new SoundPatches({ spectrogram, size: [4, 8] })
  const tokens = await patches.tokens(sounds)
  using model = await MaskedAutoencoder.train(tokens, { ...small, epochs: 20, batchSize: 8 })
  const vectors = await model.encode(tokens)
  t.is(vectors.length, 24)
  const far = (a: number, b: number) =>
    vectors.row(a).reduce((sum, value, i) => sum + (value - vectors.row(b)[i]!) ** 2, 0)
  for (let at = 0; at + 2 < 24; at++) t.true(far(at, at + 2) < far(at, at + 1), `${at}`)
})

test('a model is kept in a file, and is the same for any number of threads', async (t) => {
  const { tokens } = await pictures(60, 1)
  const path = join(folder(t), 'model.safetensors')
  using model = await MaskedAutoencoder.train(tokens, { ...small, threads: 1 })
  using again = await MaskedAutoencoder.train(tokens, { ...small, threads: 3 })
  using other = await MaskedAutoencoder.train(tokens, { ...small, seed: 2 })
  const vectors = await model.encode(tokens)
  t.deepEqual((await again.encode(tokens)).values, vectors.values)
  t.notDeepEqual((await other.encode(tokens)).values, vectors.values)
  await model.save(path)
  using opened = await MaskedAutoencoder.open(path)
  t.deepEqual([opened.width, opened.dimensions], [16, 32])
  t.deepEqual((await opened.encode(tokens)).values, vectors.values)
  const made = await model.reconstruct(tokens)
  t.deepEqual((await opened.reconstruct(tokens)).values, made.values)
})

test('masked layers see fewer positions, and give all again', (t) => {
  const mask = { share: 0.75 }
  const layers = [masked({ mask, layers: [dense({ units: 5 })] }), hide({ mask, keep: 'masked' })]
  const found = summary(network({ input: sequence({ width: 3 }), layers }))
  t.deepEqual(
    found.map(({ name, shape }) => [name, shape]),
    [
      ['masked1.visible', '[any, 3]'],
      ['dense1', '[any, 5]'],
      ['masked1', '[any, 5]'],
      ['hide1', '[any, 5]'],
    ],
  )
  for (const wrong of [{}, { share: 1 }, { share: 0.5, period: 0 }, 7]) {
    t.throws(() => hide({ mask: wrong as { share: number }, keep: 'masked' }), {
      message: /`mask` must be an object with a `share` from 0 below 1/,
    })
  }
})

test('what makes no sense is refused', async (t) => {
  const { tokens } = await pictures(6, 1)
  const refused = (given: unknown, options: object, message: RegExp) =>
    t.throwsAsync(MaskedAutoencoder.train(given as Tokens, { ...small, ...options }), { message })
  await refused([1], {}, /`tokens` must be Tokens/)
  await refused(tokens, { heads: 5 }, /`dimensions` must be a multiple of `heads`, 5, got 32/)
  await refused(tokens, { decoderDimensions: 15 }, /`decoderDimensions` must be a multiple/)
  const wide = await new ImagePatches({ size: 2, channels: 1 }).tokens([raw(new Uint8Array(16), 4)])
  await refused(tokens, { validation: wide }, /`validation` must be tokens of 16 values, got 4/)
  using model = await MaskedAutoencoder.train(tokens, { ...small, epochs: 1 })
  await t.throwsAsync(model.encode(wide), {
    message: /`tokens` must be tokens of 16 values, got 4/,
  })
  await t.throwsAsync(model.reconstruct(wide), { message: /`tokens` must be tokens of 16 values/ })
  for (const { option, value } of wrongValues(maskedAutoencoderOptions)) {
    const trained = MaskedAutoencoder.train(tokens, { ...small, [option]: value })
    await t.throwsAsync(trained, { code: 'INVALID_OPTION' }, option)
  }
})
