import { join } from 'node:path'
import { readFileSync } from 'node:fs'
import test from 'ava'
import {
  type Example,
  type FrameInput,
  ImagePatches,
  InvalidOptionError,
  Network,
  PatchEmbedding,
  type PlacedItem,
  SoundPatches,
  Tokens,
  VideoPatches,
  conv1d,
  crossEntropy,
  dense,
  gru,
  hide,
  ids,
  layerNorm,
  masked,
  network,
  pool,
  positions,
  prefixTokens,
  selfAttention,
  sequence,
  slice,
  squaredError,
  sum,
  transformerBlock,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomFilm, randomImage, randomSound } from '../fixtures/media.js'
import { randomNumbers } from '../fixtures/toy.js'

const images = new ImagePatches({ size: 4 })
const clips = new VideoPatches({ size: [1, 4, 4] })

/** Frames of 4 to 6 rows and columns of patches, with one bright patch: where it is in each. */
function frame(side: readonly [rows: number, columns: number], row: number, column: number) {
  const [height, width] = side.map((patches) => 4 * patches) as [number, number]
  const data = new Uint8Array(height * width)
  for (let y = 0; y < 4; y++)
    data.fill(255, (4 * row + y) * width + 4 * column, (4 * row + y) * width + 4 * column + 4)
  return { data, width, height, channels: 1 } as const
}

/** Pictures of several sizes, and in which quarter of the first four rows and columns the bright patch is. */
async function spots(count: number, seed: number) {
  const next = randomNumbers(seed)
  const below = (end: number) => Math.floor(next() * end)
  const places = Array.from({ length: count }, () => ({
    side: [4 + below(3), 4 + below(3)] as const,
    at: [below(4), below(4)] as const,
  }))
  const pictures = places.map(({ side, at }) => frame(side, ...at))
  const targets = places.map(({ at: [row, column] }) => 2 * (row >> 1) + (column >> 1))
  return { inputs: await images.tokens(pictures), targets }
}

/** Films of two frames of several sizes whose bright patch goes up, right, down or left. */
async function moves(count: number, seed: number) {
  const next = randomNumbers(seed)
  const below = (end: number) => Math.floor(next() * end)
  const ways = [
    [-1, 0],
    [0, 1],
    [1, 0],
    [0, -1],
  ] as const
  const targets = Array.from({ length: count }, () => below(4))
  const films = targets.map((way): FrameInput[] => {
    const side = [4 + below(3), 4 + below(3)] as const
    const [row, column] = [1 + below(side[0] - 2), 1 + below(side[1] - 2)]
    const [down, right] = ways[way]!
    return [
      { ...frame(side, row, column), time: 0 },
      { ...frame(side, row + down, column + right), time: 0.1 },
    ]
  })
  return { inputs: await clips.tokens(films), targets }
}

const learned = (axes: 3 | undefined) =>
  network({
    input: sequence({ width: images.width, ...(axes && { axes }) }),
    layers: [
      dense({ name: 'patch', units: 16 }),
      ...(axes ? [positions({ code: 'learned', length: [2, 6, 6], deviation: 0.3 })] : []),
      ...transformerBlock({ heads: 2, width: 16, hidden: 32, normFirst: true }),
      layerNorm(),
      pool({ name: 'vector', by: 'max' }),
      dense({ units: 4 }),
    ],
    loss: crossEntropy(),
  })

test('a network says where in a picture of any size a spot is, if it learns from places', async (t) => {
  const [known, others] = [await spots(240, 1), await spots(80, 2)]
  const options = { epochs: 30, batchSize: 16, learningRate: 0.01 }
  using model = await Network.train(learned(3), known, options)
  t.is((await model.evaluate(others)).accuracy, 1)
  // Without places, pictures of one size are all the same.
  using blind = await Network.train(learned(undefined), known, options)
  t.true((await blind.evaluate(others)).accuracy! < 0.5)
})

const turning = (rotary: { rotary?: number; axes?: readonly number[] }) =>
  network({
    input: sequence({ width: clips.width, axes: 3 }),
    layers: [
      dense({ name: 'patch', units: 32 }),
      ...transformerBlock({ heads: 2, width: 32, hidden: 64, normFirst: true, ...rotary }),
      ...transformerBlock({ heads: 2, width: 32, hidden: 64, normFirst: true, ...rotary }),
      layerNorm(),
      pool({ by: 'max' }),
      dense({ units: 4 }),
    ],
    loss: crossEntropy(),
  })

test('a network says which way a spot moves if queries and keys turn by time, row and column', async (t) => {
  const [known, others] = [await moves(300, 3), await moves(100, 4)]
  const options = { epochs: 30, batchSize: 16, learningRate: 0.005 }
  using model = await Network.train(turning({ rotary: 20, axes: [2, 3, 3] }), known, options)
  const { accuracy } = await model.evaluate(others)
  t.true(accuracy! > 0.95, `${accuracy}`)
  using blind = await Network.train(turning({}), known, options)
  t.true((await blind.evaluate(others)).accuracy! < 0.5)
})

const sounds = new SoundPatches({ samples: 100 })

/** A caption, a picture, a sound and a clip as tokens of 16 values, whose places are the network's. */
async function mixed(): Promise<Tokens> {
  using embedding = await PatchEmbedding.create({
    dimensions: 16,
    text: 50,
    image: images.width,
    sound: sounds.width,
    video: clips.width,
    positions: 'none',
  })
  return await embedding.embed([
    await Tokens.ofIds([[4, 7, 30]]),
    await images.tokens([randomImage(9, 13, 1, 1)]),
    await sounds.tokens([randomSound(700, 8000, 2)]),
    await clips.tokens([randomFilm(3, 8, 6, 1, 3)]),
  ])
}

/** Places of all axes and modalities, learnt and turning, with a class token before them. */
const encoder = network({
  input: sequence({ width: 16, axes: 4 }),
  layers: [
    positions({ name: 'places', code: 'learned', length: [8, 4, 4, 4], deviation: 0.3 }),
    prefixTokens({ name: 'class' }),
    ...transformerBlock({ name: 'block', heads: 2, width: 16, rotary: 100, axes: [1, 2, 0, 1] }),
    slice({ to: 1 }),
    pool({ name: 'vector', by: 'first' }),
    dense({ name: 'scores', units: 4 }),
  ],
  loss: crossEntropy(),
})
const targets = [0, 1, 2, 3]
const options = { epochs: 3, batchSize: 2 }
const weights = (model: Network) =>
  ['places.0.weight', 'places.3.weight', 'block.self_attn.in_proj_weight'].map(
    (name) => model.parameter(name)!.values,
  )

test('a mixed batch has places in one network, and none depends on its company or on threads', async (t) => {
  const tokens = await mixed()
  using model = await Network.train(
    encoder,
    { inputs: tokens, targets },
    { ...options, threads: 1 },
  )
  using again = await Network.train(
    encoder,
    { inputs: tokens, targets },
    { ...options, threads: 3 },
  )
  t.deepEqual(weights(again), weights(model))
  const vectors = await model.encode(tokens, { layer: 'vector', threads: 2 })
  t.deepEqual([vectors.length, vectors.dimensions], [4, 16])
  for (let item = 0; item < 4; item++) {
    const alone = await model.encode(tokens.slice(item, item + 1), { layer: 'vector', threads: 1 })
    t.deepEqual(alone.row(0), vectors.row(item))
  }
  // The same rows elsewhere are something else.
  const elsewhere = tokens.positions.map((place, at) => (at % 3 === 0 ? place ^ 1 : place))
  const others = Tokens.from({ ...tokens, positions: elsewhere })
  const moved = await model.encode(others, { layer: 'vector' })
  for (let item = 0; item < 4; item++) t.notDeepEqual(moved.row(item), vectors.row(item))
  const wanted = await model.encodeSteps(tokens, { layer: 'places' })
  const table = (axis: number) => model.parameter(`places.${axis}.weight`)!.values
  for (const [item, { positions: places }] of [...tokens.placed(4)].entries()) {
    t.deepEqual(
      [...places].filter((_, at) => at % 4 === 3),
      Array(places.length / 4).fill(item),
    )
    for (const [at, value] of wanted[item]!.values.entries()) {
      const row = Math.floor(at / 16)
      const rows = [0, 1, 2, 3].map(
        (axis) => table(axis)[places[4 * row + axis]! * 16 + (at % 16)]!,
      )
      const all = rows.reduce((added, one) => added + one, tokens.item(item)[at]!)
      t.true(Math.abs(value - all) < 1e-5)
    }
  }
})

test('places go along with a stream, with an evaluation, and with a network that is saved', async (t) => {
  const tokens = await mixed()
  function* examples(): Generator<Example> {
    for (const [item, input] of [...tokens.placed(4)].entries()) yield { input, target: item }
  }
  using model = await Network.train(encoder, examples, { ...options, shuffle: false })
  using held = await Network.train(
    encoder,
    { inputs: tokens, targets },
    { ...options, shuffle: false },
  )
  t.deepEqual(weights(model), weights(held))
  const path = join(folder(t), 'network.safetensors')
  await model.save(path)
  using opened = await Network.open(path)
  t.deepEqual(opened.description.inputs, encoder.inputs)
  t.deepEqual((await opened.encode(tokens)).values, (await model.encode(tokens)).values)
  t.deepEqual(
    await opened.evaluate({ inputs: tokens, targets }),
    await model.evaluate({ inputs: [...tokens.placed(4)], targets }),
  )
  const checkpoint = join(folder(t), 'checkpoint.safetensors')
  await Network.train(encoder, { inputs: tokens, targets }, { ...options, checkpoint })
  const other = Tokens.from({ ...tokens, positions: tokens.positions.map((place) => place ^ 1) })
  const resumed = Network.train(encoder, { inputs: other, targets }, { ...options, checkpoint })
  await t.throwsAsync(resumed, { instanceOf: InvalidOptionError }, 'examples of other places')
})

test('a long item keeps its places when it comes in windows', async (t) => {
  const input = sequence({ width: 3, axes: 2 })
  const recurrent = [gru({ name: 'along', units: 4 }), dense({ name: 'last', units: 2 })]
  const table = positions({ name: 'places', code: 'learned', length: [900, 5] })
  const loss = squaredError()
  using model = await Network.create(network({ input, layers: [table, ...recurrent], loss }))
  const next = randomNumbers(3)
  const items = [700, 3].map((rows) => ({
    values: Float32Array.from({ length: 3 * rows }, next),
    positions: Uint32Array.from({ length: 2 * rows }, (_, at) =>
      at % 2 === 0 ? (at * 7) % 900 : at % 5,
    ),
  }))
  // The same rows with what the tables have for them, without a place.
  const row = (axis: number, place: number) =>
    model.parameter(`places.${axis}.weight`)!.values.subarray(3 * place, 3 * place + 3)
  const plain = items.map(({ values, positions: places }) =>
    values.map((value, at) => {
      const from = 2 * Math.floor(at / 3)
      return value + row(0, places[from]!)[at % 3]! + row(1, places[from + 1]!)[at % 3]!
    }),
  )
  const bare = network({ input: sequence({ width: 3 }), layers: recurrent, loss })
  using other = await model.transfer(bare)
  const [found, wanted] = [await model.encodeSteps(items), await other.encodeSteps(plain)]
  for (const [item, { values }] of found.entries()) {
    t.true(values.every((value, at) => Math.abs(value - wanted[item]!.values[at]!) < 1e-5))
  }
  const wishes = found.map((steps) => new Float32Array(steps.values.length).fill(0.5))
  const losses = [
    await model.evaluate({ inputs: items, targets: wishes }),
    await other.evaluate({ inputs: plain, targets: wishes }),
  ]
  t.true(Math.abs(losses[0]!.loss - losses[1]!.loss) < 1e-6)
  const examples = { inputs: items, targets: wishes }
  using trained = await model.train(examples, { truncate: 100, epochs: 2, batchSize: 2 })
  t.true(trained.history[1]!.loss < losses[0]!.loss)
})

test('ids have places as well', async (t) => {
  const table = network({
    input: ids({ axes: 1 }),
    layers: [
      { kind: 'embedding', values: 5, dimensions: 2 },
      positions({ name: 'places', code: 'learned', length: [9] }),
    ],
  })
  using model = await Network.create(table)
  const item: PlacedItem = { values: [3, 3], positions: [0, 8] }
  const [steps] = await model.encodeSteps([item])
  const rows = model.parameter('places.0.weight')!.values
  const difference = (at: number) => steps!.row(1)[at]! - steps!.row(0)[at]!
  for (const at of [0, 1]) t.true(Math.abs(difference(at) - (rows[16 + at]! - rows[at]!)) < 1e-6)
})

test('tables of axes and the attention of Qwen2-VL give what PyTorch gives', async (t) => {
  const { items, outputs } = JSON.parse(
    readFileSync('__test__/fixtures/nn/places.json', 'utf8'),
  ) as {
    items: { values: number[][]; positions: number[][] }[]
    outputs: { last: number[][] }
  }
  const description = network({
    input: sequence({ width: 16, axes: 3 }),
    layers: [
      positions({ name: 'table', code: 'learned', length: [2, 4, 5] }),
      selfAttention({ name: 'look', heads: 2, rotary: 100, axes: [0, 2, 2] }),
    ],
  })
  using model = await Network.load(description, '__test__/fixtures/nn/places.safetensors', {
    tensors: {
      'look.in_proj_weight': { tensors: ['look.qkv.weight'] },
      'look.in_proj_bias': { tensors: ['look.qkv.bias'] },
      'look.out_proj.weight': { tensors: ['look.proj.weight'] },
      'look.out_proj.bias': { tensors: ['look.proj.bias'] },
    },
  })
  const inputs = items.map(({ values, positions: places }) => ({
    values: values.flat(),
    positions: places.flat(),
  }))
  const found = (await model.encodeSteps(inputs)).flatMap((rows) => Array.from(rows))
  t.is(found.length, outputs.last.length)
  for (const [row, wanted] of outputs.last.entries()) {
    for (const [i, value] of wanted.entries()) {
      t.true(Math.abs(found[row]![i]! - value) < 1e-5, `${row}, ${i}`)
    }
  }
})

test('layers whose rows have lost their places are refused when they are described', (t) => {
  const table = positions({ name: 'places', code: 'learned', length: [2, 6, 6] })
  const input = sequence({ width: 16, axes: 3 })
  const refused = (layers: Parameters<typeof network>[0]['layers'], message: RegExp, own = input) =>
    t.throws(() => network({ input: own, layers }), { instanceOf: InvalidOptionError, message })
  refused(
    [conv1d({ channels: 16, kernel: 3 }), table],
    /`places` expects rows whose place along 3 axes is known.*`conv1d1`/,
  )
  refused([pool(), table], /`places` expects rows whose place/)
  refused(
    [table],
    /`places` expects rows whose place along 3 axes is known .*; the input gives/,
    sequence({ width: 16 }),
  )
  refused([table], /places along 3 axes, and they have 2/, sequence({ width: 16, axes: 2 }))
  refused([selfAttention({ heads: 2, rotary: 10, axes: [2, 1, 2] })], /share out half of a head/)
  // What leaves rows out, or puts them back, keeps their places.
  const mask = { share: 0.5 }
  const kept = [masked({ mask, layers: [sum([[], [hide({ mask, keep: 'visible' })]])] }), table]
  t.notThrows(() => network({ input, layers: kept }))
  t.throws(() => positions({ length: [3] }), { message: /`code` must be 'learned' where/ })
  t.throws(() => selfAttention({ heads: 2, axes: [2] }), { message: /`axes` must be left out/ })
  t.throws(() => ids({ length: 2, axes: 1 }), { message: /`axes` must be left out/ })
  t.throws(() => sequence({ width: 2, axes: 9 }), { message: /from 1 to 8/ })
})

test('items whose places do not fit are refused with their name', async (t) => {
  using model = await Network.create(encoder)
  const values = new Float32Array(32)
  const refused = async (inputs: Parameters<Network['encode']>[0], message: RegExp) => {
    await t.throwsAsync(model.encode(inputs), { message })
  }
  await refused([values], /`inputs\[0\]` must be an object with `values` and `positions`/)
  await refused(
    [{ values, positions: [1, 2] }],
    /`inputs\[0\].positions` must be 4 numbers for each of 2 rows/,
  )
  await refused(
    [{ values, positions: [0, 0, 0, 0, 0, 0, 0, -1] }],
    /positions` must be whole numbers/,
  )
  await refused(
    [{ values, positions: [0, 0, 0, 0, 0, 0, 4, 0] }],
    /item 0 has a row at place 4 of axis 2/,
  )
  await refused([{ values: 3, positions: [] } as never], /`inputs\[0\]` must be an object/)
  const tokens = Tokens.from({
    values,
    positions: new Uint32Array(6),
    width: 16,
    inputs: [{ modality: 'image', length: 2 }],
  })
  await t.notThrowsAsync(model.encode(tokens))
  t.throws(() => [...tokens.placed(5 as never)], { message: /`axes` must be 3 or 4/ })
})
