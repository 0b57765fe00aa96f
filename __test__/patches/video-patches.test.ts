import test from 'ava'
import { type FrameInput, InvalidOptionError, VideoPatches, videoPatchesOptions } from 'inlay'
import { longestHoldOf } from '../fixtures/longest-hold.js'
import { generator, randomFilm, upTo } from '../fixtures/media.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const black = (time: number): FrameInput => ({
  data: new Uint8Array(4),
  width: 2,
  height: 2,
  channels: 1,
  time,
})

test('a patch has its frames, a frame its rows, a row its pixels', async (t) => {
  const cut = new VideoPatches({ size: [2, 1, 2], channels: 1 })
  const film = [0, 1, 2].map((at): FrameInput => {
    const data = Uint8Array.of(0, 1, 2, 3).map((byte) => 10 * at + byte)
    return { data, width: 2, height: 2, channels: 1, time: at / 10 }
  })
  const tokens = await cut.tokens([film])
  t.is(cut.width, 4)
  const bytes = [0, 1, 10, 11, 2, 3, 12, 13, 20, 21, 0, 0, 22, 23, 0, 0]
  t.deepEqual([...tokens.values], [...Float32Array.from(bytes, (byte) => byte / 255)])
  t.deepEqual([...tokens.positions], [0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 1, 0])
  t.deepEqual(tokens.inputs, [
    { modality: 'video', length: 4, extent: [3, 2, 2], times: [0, 0.1, 0.2] },
  ])
})

test('any films come back bit for bit, whatever their sizes, lengths, patches and overlap', async (t) => {
  const random = generator(9)
  for (let round = 0; round < 40; round++) {
    const channels = ([1, 3, 4] as const)[Math.floor(random() * 3)]!
    const size = [upTo(4, random), upTo(6, random), upTo(8, random)]
    const stride = round % 2 === 0 ? size : size.map((side) => upTo(side, random))
    const cut = new VideoPatches({ size, stride, channels })
    const films = Array.from({ length: upTo(3, random) }, (_, i) =>
      randomFilm(upTo(9, random), upTo(12, random), upTo(12, random), channels, round * 50 + i),
    )
    const tokens = await cut.tokens(films, { threads: upTo(3, random) })
    t.deepEqual(
      tokens.modalities,
      films.map(() => 'video'),
    )
    t.deepEqual(await cut.restore(tokens), films, JSON.stringify({ size, stride }))
  }
})

test('the frames that come last are filled up, left out or refused', async (t) => {
  const film = randomFilm(5, 4, 4, 3, 1)
  const counts = async (edge: 'fill' | 'drop', stride: number) => {
    const cut = new VideoPatches({ size: [2, 4, 4], stride: [stride, 4, 4], edge })
    const tokens = await cut.tokens([film])
    return [tokens.count, (await cut.restore(tokens))[0]!.length]
  }
  t.deepEqual(await counts('fill', 2), [3, 5])
  t.deepEqual(await counts('drop', 2), [2, 4])
  t.deepEqual(await counts('fill', 1), [4, 5])
  t.deepEqual(await counts('drop', 1), [4, 5])
  const refusing = new VideoPatches({ size: [2, 4, 4], edge: 'refuse' })
  await t.throwsAsync(refusing.tokens([film]), {
    code: 'INVALID_INPUT',
    message: /films\[0\] has 1 of an axis/,
  })
  const long = new VideoPatches({ size: [6, 4, 4], edge: 'drop' })
  await t.throwsAsync(long.tokens([film]), {
    code: 'INVALID_INPUT',
    message: /has 5 of an axis of which a patch has 6/,
  })
})

test('a stream gives the same tokens, one place in time after the other, and lets frames go', async (t) => {
  const film = randomFilm(7, 10, 6, 3, 1)
  const cut = new VideoPatches({ size: [3, 4, 4], stride: [2, 4, 4] })
  const whole = await cut.tokens([film])
  let [given, at] = [0, 0]
  const frames = async function* () {
    for (const frame of film) {
      given++
      yield frame
    }
  }
  for await (const slab of cut.stream(frames())) {
    t.is(given, Math.min(7, 3 + 2 * at), 'no frame is read before it is wanted')
    const [from, to] = [at * slab.values.length, (at + 1) * slab.values.length]
    t.deepEqual(slab.values, whole.values.subarray(from, to))
    t.is(slab.positions[0], at++)
    const [back] = await cut.restore(slab)
    t.deepEqual(back, film.slice(2 * (at - 1), 2 * (at - 1) + 3))
  }
  t.is(at, 3)
})

test('leaving a stream lets the film go', async (t) => {
  let isOver = false
  const frames = async function* () {
    try {
      for (let at = 0; ; at++) yield black(at)
    } finally {
      isOver = true
    }
  }
  const cut = new VideoPatches({ size: 2, channels: 1 })
  for await (const slab of cut.stream(frames())) {
    t.is(slab.count, 1)
    break
  }
  t.true(isOver)
})

for (const { option, value } of wrongValues(videoPatchesOptions)) {
  test(`refuses ${option}: ${String(value)} (${typeof value})`, (t) => {
    const error = t.throws(() => new VideoPatches({ size: 2, [option]: value }), {
      instanceOf: InvalidOptionError,
    })
    t.is(error.context['option'], option)
  })
}

test('what is no film is one clear error', async (t) => {
  const cut = new VideoPatches({ size: 2, channels: 1 })
  const refused = (films: unknown, message: RegExp) =>
    t.throwsAsync(cut.tokens(films as never), { message })
  await refused(5, /`films` must be an iterable of films/)
  await refused([5], /`films\[0\]` must be an iterable of frames/)
  await refused([[black(0), 5]], /`films\[0\]\[1\]` must be \{ data, width, height, channels \}/)
  await refused([[black(Number.NaN)]], /`films\[0\]\[0\].time` must be seconds, got NaN/)
  const wide = { ...black(1), data: new Uint8Array(6), width: 3 }
  await refused([[black(0), wide]], /`films\[0\]\[1\]` must be of 2 x 2 x 1, as the first frame/)
  await t.throwsAsync(cut.tokens([[]]), { code: 'INVALID_INPUT', message: /films\[0\] is empty/ })
  const failing = async function* () {
    yield black(0)
    throw new Error('the camera is off')
  }
  await t.throwsAsync(cut.tokens([failing()]), { message: 'the camera is off' })
  t.is((await cut.tokens([])).count, 0)
})

test('an abort stops a film that has no end', async (t) => {
  const controller = new AbortController()
  const frames = function* () {
    for (let at = 0; ; at++) {
      if (at === 100) controller.abort(new Error('enough'))
      yield black(at)
    }
  }
  const cut = new VideoPatches({ size: 2, channels: 1 })
  await t.throwsAsync(cut.tokens([frames()], { signal: controller.signal }), { message: 'enough' })
})

test.serial('frames of 4K never hold the event loop', async (t) => {
  const [frame] = randomFilm(1, 3840, 2160, 3, 1)
  const cut = new VideoPatches({ size: [2, 16, 16] })
  const hold = await longestHoldOf(async () => {
    for await (const slab of cut.stream([frame!, frame!, frame!])) t.true(slab.count > 0)
  })
  t.log({ hold })
  t.true(hold < 5)
})

test.serial('a film that is longer than the memory streams in little of it', async (t) => {
  const [frame] = randomFilm(1, 1280, 720, 3, 1)
  const frames = function* () {
    for (let at = 0; at < 400; at++) yield { ...frame!, time: at / 25 }
  }
  const cut = new VideoPatches({ size: [2, 16, 16] })
  const before = process.memoryUsage().rss
  let [patches, most] = [0, 0]
  for await (const slab of cut.stream(frames())) {
    patches += slab.count
    if (slab.positions[0]! % 10 === 0) globalThis.gc!()
    most = Math.max(most, process.memoryUsage().rss - before)
  }
  t.is(patches, 200 * 45 * 80)
  t.log({ megabytes: most / 2 ** 20 })
  // All tokens would be 4.4 GB.
  t.true(most < 700 * 2 ** 20)
})
