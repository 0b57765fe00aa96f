import test from 'ava'
import { ImagePatches, InvalidOptionError, Tokens, VideoPatches, Vectors } from 'inlay'
import { longestHoldOf } from '../fixtures/longest-hold.js'
import { randomFilm, randomImage } from '../fixtures/media.js'

const cut = new ImagePatches({ size: 4 })

test('tokens are put together and taken apart', async (t) => {
  const images = [randomImage(9, 9, 3, 1), randomImage(4, 4, 3, 2), randomImage(5, 3, 3, 3)]
  const all = await cut.tokens(images)
  const parts = await Promise.all(images.map((image) => cut.tokens([image])))
  const joined = await Tokens.concat(parts)
  t.deepEqual([...joined], [...all])
  t.deepEqual(joined.positions, all.positions)
  t.deepEqual(joined.inputs, all.inputs)
  for (const [from, to] of [
    [0, 2],
    [1, 3],
    [2, 2],
    [-1, 3],
    [1, -1],
    [5, 9],
    [-9, 1],
    [1.5, 3],
    [Number.NaN, 1],
  ] as const) {
    const slice = all.slice(from, to)
    t.deepEqual([...slice], [...all].slice(from, to), `${from} ${to}`)
    t.deepEqual(slice.inputs, all.inputs.slice(from, to))
    t.is(slice.positions.length, 3 * slice.count)
  }
  t.deepEqual(await cut.restore(all.slice(1)), images.slice(1))
  t.is(all.item(1).length, 48)
  t.throws(() => all.item(3), { message: /`i` must be an input from 0 to 2, got 3/ })
})

test('films and pictures of one width are tokens side by side', async (t) => {
  const clips = new VideoPatches({ size: [3, 4, 4], channels: 1 })
  const mixed = await Tokens.concat([
    await cut.tokens([randomImage(8, 4, 3, 1)]),
    await clips.tokens([randomFilm(4, 4, 4, 1, 1)]),
  ])
  t.deepEqual(mixed.modalities, ['image', 'video'])
  t.deepEqual(mixed.lengths, [2, 2])
  await t.throwsAsync(cut.restore(mixed), { message: /`tokens.inputs\[1\]` must be of 'image'/ })
})

test('texts are numbers or vectors of their words, in their order', async (t) => {
  const ids = await Tokens.ofIds([[3, 1, 2], Uint32Array.of(7), []])
  t.deepEqual([...ids.values], [3, 1, 2, 7])
  t.deepEqual([...ids.positions], [0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0])
  t.deepEqual([ids.width, ids.lengths], [1, [3, 1, 0]])
  const vectors = await Tokens.ofVectors([Vectors.from(Float32Array.of(1, 2, 3, 4), 2)])
  t.deepEqual([vectors.width, vectors.count, vectors.modalities], [2, 2, ['text']])
  await t.throwsAsync(Tokens.ofIds([[1.5]]), {
    message: /`texts\[0\]\[0\]` must be an integer from 0 below 16777216, got 1.5/,
  })
  await t.throwsAsync(Tokens.ofIds([[-1]]), { instanceOf: InvalidOptionError })
  await t.throwsAsync(Tokens.ofIds([[1 << 24]]), { instanceOf: InvalidOptionError })
  await t.throwsAsync(Tokens.ofIds(['ab'] as never), {
    message: /`texts\[0\]` must be an array of ids/,
  })
  await t.throwsAsync(Tokens.ofIds(5 as never), { message: /`texts` must be an iterable/ })
  await t.throwsAsync(Tokens.ofVectors([]), {
    message: /`texts` must be an array of Vectors, at least one/,
  })
  await t.throwsAsync(Tokens.ofVectors([[1]] as never), { message: /`texts\[0\]` must be Vectors/ })
})

test('tokens of different widths are not put together', async (t) => {
  const parts = [await Tokens.ofIds([[1]]), await cut.tokens([randomImage(4, 4, 3, 1)])]
  await t.throwsAsync(Tokens.concat(parts), {
    message: /`parts` must be of one width, got 1 and 48/,
  })
  await t.throwsAsync(Tokens.concat([]), {
    message: /`parts` must be an array of Tokens, at least one/,
  })
  await t.throwsAsync(Tokens.concat([{}] as never), { message: /`parts\[0\]` must be Tokens/ })
  await t.throwsAsync(Tokens.concat(parts, { sgnal: 1 } as never), {
    message: /did you mean `signal`/,
  })
})

test('parts of one’s own must fit each other', (t) => {
  const parts = {
    values: new Float32Array(6),
    positions: new Uint32Array(9),
    width: 2,
    inputs: [
      { modality: 'image' as const, length: 1 },
      { modality: 'text' as const, length: 2 },
    ],
  }
  t.is(Tokens.from(parts).count, 3)
  const refused = (other: object, message: RegExp) =>
    t.throws(() => Tokens.from({ ...parts, ...other }), { instanceOf: InvalidOptionError, message })
  refused({ width: 0 }, /`width` must be an integer from 1 up, got 0/)
  refused({ width: 4 }, /`values` must be a Float32Array of rows of 4/)
  refused({ values: [1, 2] }, /`values` must be a Float32Array/)
  refused({ positions: new Uint32Array(8) }, /`positions` must be a Uint32Array of 9 numbers/)
  refused({ inputs: 3 }, /`inputs` must be an array/)
  refused(
    { inputs: [{ modality: 'smell', length: 3 }] },
    /`inputs\[0\].modality` must be 'text', 'image'/,
  )
  refused(
    { inputs: [{ modality: 'text', length: -1 }] },
    /`inputs\[0\].length` must be an integer from 0 up/,
  )
  refused(
    { inputs: [{ modality: 'text', length: 2 }] },
    /`inputs` must be inputs of 3 tokens in all/,
  )
})

test('tokens do not change', async (t) => {
  const tokens = await cut.tokens([randomImage(4, 4, 3, 1)])
  t.throws(() => ((tokens as { width: number }).width = 3), { instanceOf: TypeError })
  t.throws(() => ((tokens.inputs as unknown[])[0] = 3), { instanceOf: TypeError })
})

test.serial('a hundred megabytes are put together while the event loop is free', async (t) => {
  const values = new Float32Array(12_500_000)
  const positions = new Uint32Array(3 * 12_500)
  const part = Tokens.from({
    values,
    positions,
    width: 1000,
    inputs: [{ modality: 'image', length: 12_500 }],
  })
  const hold = await longestHoldOf(async () => Tokens.concat([part, part]))
  t.log({ hold })
  t.true(hold < 5)
  const signal = AbortSignal.abort(new Error('no more'))
  await t.throwsAsync(Tokens.concat([part, part], { signal }), { message: 'no more' })
})
