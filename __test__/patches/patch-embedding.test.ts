import test from 'ava'
import {
  ImagePatches,
  InvalidOptionError,
  Network,
  PatchEmbedding,
  SoundPatches,
  Spectrogram,
  Tokens,
  VideoPatches,
  crossEntropy,
  dense,
  layerNorm,
  network,
  patchEmbeddingOptions,
  pool,
  sequence,
  transformerBlock,
} from 'inlay'
import { randomFilm, randomImage, randomSound } from '../fixtures/media.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const images = new ImagePatches({ size: 4 })
const sounds = new SoundPatches({
  spectrogram: new Spectrogram({ sampleRate: 8000, fftSize: 64, hop: 32, mels: 8 }),
  size: [4, 8],
})
const clips = new VideoPatches({ size: [2, 4, 4] })
const dimensions = 16
const all = { dimensions, text: 50, image: images.width, sound: sounds.width, video: clips.width }

/** A caption, a picture, a sound and a clip. */
const batch = async (seed: number) => [
  await Tokens.ofIds([[seed % 50, 7, 30]]),
  await images.tokens([randomImage(9, 13, 3, seed)]),
  await sounds.tokens([randomSound(700, 8000, seed)]),
  await clips.tokens([randomFilm(5, 8, 6, 3, seed)]),
]

const encoder = (scores: number) =>
  network({
    input: sequence({ width: dimensions }),
    layers: [
      ...transformerBlock({
        name: 'block',
        heads: 2,
        width: dimensions,
        hidden: 32,
        normFirst: true,
      }),
      layerNorm({ name: 'norm' }),
      pool({ name: 'vector', by: 'mean' }),
      dense({ name: 'scores', units: scores }),
    ],
    loss: crossEntropy(),
  })

test('a caption, a picture, a sound and a clip go through one Transformer, one vector each', async (t) => {
  using embedding = await PatchEmbedding.create(all)
  using model = await Network.create(encoder(4))
  const parts = await batch(1)
  const tokens = await embedding.embed(parts)
  t.deepEqual(tokens.modalities, ['text', 'image', 'sound', 'video'])
  t.deepEqual(
    tokens.lengths,
    parts.flatMap(({ lengths }) => lengths),
  )
  t.deepEqual(
    [...tokens.positions],
    parts.flatMap(({ positions }) => [...positions]),
  )
  const vectors = await model.encode(tokens, { layer: 'vector', threads: 3 })
  t.deepEqual([vectors.length, vectors.dimensions], [4, dimensions])
  for (const [at, part] of parts.entries()) {
    const alone = await embedding.embed(part, { threads: 1 })
    t.deepEqual(alone.values, tokens.item(at), 'tokens alone and in company')
    const vector = await model.encode(alone, { layer: 'vector', threads: 1 })
    t.deepEqual(vector.row(0), vectors.row(at), 'vectors alone and in company')
  }
})

test('the network learns from a mixed batch which modality is which', async (t) => {
  using embedding = await PatchEmbedding.create(all)
  const parts = (await Promise.all([1, 2, 3, 4, 5, 6].map(batch))).flat()
  const tokens = await embedding.embed(parts)
  const kinds = ['text', 'image', 'sound', 'video']
  const targets = tokens.modalities.map((modality) => kinds.indexOf(modality))
  using model = await Network.train(
    encoder(4),
    { inputs: tokens, targets },
    { epochs: 30, batchSize: 8 },
  )
  const { accuracy } = await model.evaluate({
    inputs: await embedding.embed(await batch(9)),
    targets: [0, 1, 2, 3],
  })
  t.is(accuracy, 1)
  using again = await model.train({ inputs: tokens, targets }, { epochs: 1 })
  t.is(again.history.length, 1)
})

test('a vector is the projection of its patch and the sines of its place', async (t) => {
  using embedding = await PatchEmbedding.create({ dimensions, image: images.width })
  using plain = PatchEmbedding.of(embedding.projections, { positions: 'none' })
  const tokens = await images.tokens([randomImage(9, 13, 3, 1)])
  const [placed, bare] = [await embedding.embed(tokens), await plain.embed(tokens)]
  const { values: weight } = embedding.projections.image!.parameter('patch.weight')!
  const { values: bias } = embedding.projections.image!.parameter('patch.bias')!
  const { width } = images
  for (let token = 0; token < tokens.count; token++) {
    for (let value = 0; value < dimensions; value++) {
      let wanted = bias[value]!
      for (let i = 0; i < width; i++)
        wanted += weight[value * width + i]! * tokens.values[token * width + i]!
      const at = token * dimensions + value
      t.true(Math.abs(bare.values[at]! - wanted) < 1e-5)
      // Eight pairs: three for time and for rows, two for columns.
      const [axis, k] = [(value >> 1) % 3, Math.floor((value >> 1) / 3)]
      const angle = tokens.positions[3 * token + axis]! * 10_000 ** (-k / [3, 3, 2][axis]!)
      const place = value % 2 === 0 ? Math.sin(angle) : Math.cos(angle)
      t.true(Math.abs(placed.values[at]! - bare.values[at]! - place) < 1e-6)
    }
  }
  t.deepEqual(bare.positions, tokens.positions)
})

test('a seed gives the same projections, another one others, and modalities of one width have their own', async (t) => {
  const options = { dimensions: 8, image: 48, video: 48 }
  const weights = async (seed: number) => {
    using embedding = await PatchEmbedding.create({ ...options, seed })
    const { image, video } = embedding.projections
    return [image!, video!].map((projection) => projection.parameter('patch.weight')!.values)
  }
  const [[image, video], same, [other]] = [await weights(1), await weights(1), await weights(2)]
  t.deepEqual([image, video], same)
  t.notDeepEqual(image, video)
  t.notDeepEqual(image, other)
})

test('projections that were learnt are taken as they are', async (t) => {
  const description = network({
    input: sequence({ width: 48 }),
    layers: [dense({ name: 'patch', units: 3 })],
  })
  const weight = Float32Array.from({ length: 144 }, (_, i) => (i % 49 === 0 ? 1 : 0))
  using image = await Network.create(description, {
    parameters: { 'patch.weight': weight, 'patch.bias': new Float32Array(3) },
  })
  const embedding = PatchEmbedding.of({ image }, { positions: 'none' })
  const tokens = await images.tokens([randomImage(4, 4, 3, 1)])
  t.deepEqual((await embedding.embed(tokens)).values, tokens.values.slice(0, 3))
  using flat = await Network.create(encoder(4))
  t.throws(() => PatchEmbedding.of({ image: flat }), {
    message: /`image` must be a network of one `sequence`/,
  })
  t.throws(() => PatchEmbedding.of({ text: image }), {
    message: /`text` must be a network of one `ids\(\)`/,
  })
  t.throws(() => PatchEmbedding.of({}), { message: /`projections` must be a network, or several/ })
  t.throws(() => PatchEmbedding.of({ image: 5 } as never), { message: /`image` must be a Network/ })
})

for (const { option, value } of wrongValues(patchEmbeddingOptions)) {
  test(`refuses ${option}: ${String(value)} (${typeof value})`, async (t) => {
    const error = await t.throwsAsync(
      PatchEmbedding.create({ dimensions: 4, image: 48, [option]: value }),
      {
        instanceOf: InvalidOptionError,
      },
    )
    t.is(error.context['option'], option)
  })
}

test('tokens that it has no projection for are an error that names them', async (t) => {
  using embedding = await PatchEmbedding.create({ dimensions: 4, image: images.width, text: 10 })
  const [text, image, sound] = await batch(1)
  await t.throwsAsync(embedding.embed([image!, sound!]), {
    message: /`tokens\[1\].inputs\[0\]` must be of another modality, got sound/,
  })
  const other = await new ImagePatches({ size: 2 }).tokens([randomImage(4, 4, 3, 1)])
  await t.throwsAsync(embedding.embed(other), {
    message: /must be of 48 values, as `image` takes, got 12/,
  })
  await t.throwsAsync(embedding.embed(text!), { code: 'INVALID_INPUT', message: /has the id 30/ })
  await t.throwsAsync(embedding.embed([]), { message: /`tokens` must be an array of Tokens/ })
  await t.throwsAsync(PatchEmbedding.create({ dimensions: 4 }), {
    message: /`image` must be given, or another modality/,
  })
  await t.throwsAsync(PatchEmbedding.create({ image: 4 } as never), {
    message: /`dimensions` must be an integer/,
  })
  embedding.close()
  await t.throwsAsync(embedding.embed(image!), { code: 'CLOSED' })
})
