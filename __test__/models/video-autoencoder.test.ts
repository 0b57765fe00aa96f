import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import {
  type FrameInput,
  LatentPatches,
  Network,
  PrincipalComponents,
  Vectors,
  VideoAutoencoder,
  type VideoAutoencoderOptions,
  type VideoFrame,
  type VideoLatent,
  VideoPatches,
  values,
  network,
  videoAutoencoderOptions,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { y4m } from '../fixtures/media-files.js'
import { movingShapes } from '../fixtures/moving-shapes.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const small: VideoAutoencoderOptions = {
  space: 4,
  time: 2,
  channels: 8,
  hidden: 24,
  depth: 1,
  crop: 16,
  frames: 5,
  windows: 40,
  epochs: 1,
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

const bytesOf = (frames: readonly VideoFrame[]) => frames.map(({ data }) => Buffer.from(data))

/** The signal-to-noise ratio of films by the principal components of their groups of pixels: as many numbers as a latent has. */
async function ofComponents(train: readonly FrameInput[][], rest: readonly FrameInput[][]) {
  const cut = new VideoPatches({ size: [2, 4, 4] })
  const groups = async (clips: readonly FrameInput[][]) => {
    // The first frame stands for a group.
    const { values: all_, width } = await cut.tokens(clips.map((clip) => [clip[0]!, ...clip]))
    return Vectors.from(all_, width)
  }
  using model = await PrincipalComponents.train(await groups(train), { dimensions: 8 })
  const given = await groups(rest)
  const made = await model.decode(await model.encode(given))
  const error = given.values.reduce((sum, value, i) => sum + (value - made.values[i]!) ** 2, 0)
  return -10 * Math.log10(error / given.values.length)
}

test('films come back, better than by principal components of the same size', async (t) => {
  const seeds = [1, 2, 3, 4, 5, 6]
  const clips = seeds.map((seed) => movingShapes(24, { seed }))
  const rest = seeds.map((seed) => movingShapes(9, { seed, first: 24 }))
  const options = { ...small, windows: 160, epochs: 5, validation: rest.slice(0, 1) }
  using model = await VideoAutoencoder.train(clips, options)
  const { psnr, clips: each, frames } = await model.evaluate(rest)
  const linear = await ofComponents(clips, rest)
  t.is(frames, 54)
  t.is(each.length, 6)
  t.log(`${psnr.toFixed(2)} dB, of principal components ${linear.toFixed(2)}`)
  t.true(psnr > linear + 0.8, `${psnr} ${linear}`)
  t.true(Math.min(...each) <= psnr && psnr <= Math.max(...each))
  t.is(model.history.length, 5)
  t.true(model.history.every(({ validation }) => validation! > 0))
  t.true(model.history.at(-1)!.loss < 0.97 * model.history[0]!.loss)
  // What it says is what is seen.
  const made = await all(model.decode(await model.encode(rest[1]!)))
  const error = made.flatMap(({ data }, at) =>
    Array.from(data, (value, i) => (value - rest[1]![at]!.data[i]!) ** 2),
  )
  const mean = error.reduce((sum, square) => sum + square, 0) / error.length
  t.true(Math.abs(10 * Math.log10(255 ** 2 / mean) - each[1]!) < 1e-9)
})

test('no vector and no frame depends on later ones, and the first stands for one frame', async (t) => {
  using model = await VideoAutoencoder.train([movingShapes(9)], small)
  const clip = movingShapes(11, { seed: 7 })
  const latent = await model.encode(clip)
  t.deepEqual(latent.shape, [6, 6, 8, 8])
  t.deepEqual([latent.width, latent.height], [32, 24])
  t.deepEqual(
    latent.times,
    clip.map(({ time }) => time),
  )
  const place = 6 * 8 * 8
  const shown = bytesOf(await all(model.decode(latent)))
  for (const frames of [1, 2, 3, 5, 10]) {
    const part = await model.encode(clip.slice(0, frames))
    const whole = 1 + Math.floor((frames - 1) / 2)
    const begin = part.values.subarray(0, whole * place)
    t.deepEqual(begin, latent.values.subarray(0, whole * place), `${frames}`)
    const again = bytesOf(await all(model.decode(part)))
    t.is(again.length, frames)
    const sure = 1 + 2 * (whole - 1)
    t.deepEqual(again.slice(0, sure), shown.slice(0, sure), `${frames}`)
  }
  const other = [...clip.slice(0, 4), ...movingShapes(7, { seed: 8 })]
  t.notDeepEqual((await model.encode(other)).values, latent.values)
})

test('a long film goes through in pieces, to the bits of the whole', async (t) => {
  using model = await VideoAutoencoder.train([movingShapes(9)], { ...small, depth: 2 })
  const clip = movingShapes(149, { seed: 3 })
  const latent = await model.encode(clip, { threads: 2 })
  const pieces = await all(model.stream(clip, { threads: 1 }))
  t.true(pieces.length > 2)
  t.deepEqual(
    pieces.flatMap((piece) => Array.from(piece.values)),
    Array.from(latent.values),
  )
  // All layers at once, on all frames at once, of which the first stands for a group.
  const { layers } = model.network.description
  const whole = network({ input: values({ shape: [150, 24, 32, 3] }), layers })
  using wide = await model.network.transfer(whole)
  const narrow = Math.fround
  const scaled = (byte: number) => 2 * narrow(narrow(byte / 255) - 0.5)
  const item = Float32Array.from(
    [clip[0]!, ...clip].flatMap(({ data }) => Array.from(data, scaled)),
  )
  const { values: made } = await wide.encode([item])
  const pixels = made.subarray(made.length / 150)
  const frames = bytesOf(await all(model.decode(pieces)))
  t.is(frames.length, 149)
  const level = (value: number) => narrow(narrow(value / 2 + 0.5) * 255)
  const rounded = Buffer.from(Uint8ClampedArray.from(pixels, level))
  t.deepEqual(Buffer.concat(frames), rounded)
  t.deepEqual(bytesOf(await all(model.decode(latent))), frames)
})

test('frames of any size and kind come back in their size', async (t) => {
  using model = await VideoAutoencoder.train([movingShapes(9)], small)
  for (const [width, height] of [
    [1, 1],
    [5, 9],
    [31, 18],
  ] as const) {
    const clip = movingShapes(4, { width, height })
    const latent = await model.encode(clip)
    t.deepEqual(latent.shape, [3, Math.ceil(height / 4), Math.ceil(width / 4), 8])
    const made = await all(model.decode(latent))
    t.deepEqual(
      made.map((frame) => [frame.width, frame.height, frame.data.length, frame.time]),
      clip.map(({ time }) => [width, height, width * height * 3, time]),
    )
  }
  // The same greys with one value for each pixel, and with four.
  const pixelOf = (data: Uint8Array, i: number) => data[3 * i]!
  const asked = movingShapes(3)
  const grey = asked.map(({ data, width, height, time }): FrameInput => {
    const one = Uint8Array.from({ length: width * height }, (_, i) => pixelOf(data, i))
    return { data: one, width, height, time, channels: 1 }
  })
  const clear = asked.map(({ data, width, height, time }): FrameInput => {
    const four = Uint8Array.from({ length: width * height * 4 }, (_, i) =>
      i % 4 === 3 ? i % 256 : pixelOf(data, Math.floor(i / 4)),
    )
    return { data: four, width, height, time, channels: 4 }
  })
  t.deepEqual((await model.encode(clear)).values, (await model.encode(grey)).values)
  // What nobody has encoded: all that it can stand for.
  const drawn: VideoLatent = { values: new Float32Array(3 * 2 * 2 * 8), shape: [3, 2, 2, 8] }
  const made = await all(model.decode(drawn))
  t.deepEqual(
    made.map(({ width, height, time }) => [width, height, time]),
    [0, 1, 2, 3, 4].map((time) => [8, 8, time]),
  )
})

test('files are read, and a model is kept in one', async (t) => {
  const path = join(folder(t), 'grey.y4m')
  await writeFile(path, Buffer.concat([...y4m(16, 16, 8, [16, 90, 235, 120, 50, 60])]))
  using model = await VideoAutoencoder.train([path, await readFile(path)], small)
  const latent = await model.encode(path)
  t.deepEqual(latent.values, (await model.encode(await readFile(path))).values)
  const saved = join(folder(t), 'model.safetensors')
  await model.save(saved)
  using opened = await VideoAutoencoder.open(saved)
  t.deepEqual([opened.space, opened.time, opened.channels], [4, 2, 8])
  t.deepEqual((await opened.encode(path)).values, latent.values)
  t.deepEqual(bytesOf(await all(opened.decode(latent))), bytesOf(await all(model.decode(latent))))
  const other = join(folder(t), 'other.safetensors')
  await model.network.save(other)
  const { layers } = model.network.description
  using plain = await Network.create(network({ input: values({ shape: [6, 8, 8, 3] }), layers }))
  await plain.save(other)
  await t.throwsAsync(VideoAutoencoder.open(other), { code: 'INVALID_INPUT' })
})

test('a variational latent is held near the standard normal distribution', async (t) => {
  const clips = [1, 2].map((seed) => movingShapes(12, { seed }))
  const options = { ...small, windows: 120, epochs: 4, learningRate: 0.01, warmup: 5 }
  const spread = async (model: VideoAutoencoder) => {
    const { values: all_ } = await model.encode(clips[0]!)
    return all_.reduce((sum, value) => sum + value * value, 0) / all_.length
  }
  using free = await VideoAutoencoder.train(clips, options)
  using held = await VideoAutoencoder.train(clips, { ...options, divergence: 0.001 })
  using tight = await VideoAutoencoder.train(clips, { ...options, divergence: 10 })
  const spreads = [await spread(free), await spread(held), await spread(tight)]
  t.log(spreads.map((value) => value.toFixed(3)).join(', '))
  t.true(spreads[2]! < 0.6 * spreads[1]!, `${spreads.join(' ')}`)
  // What is held a little still comes back.
  const [plain, loose] = [await free.evaluate(clips), await held.evaluate(clips)]
  t.true(loose.psnr > plain.psnr - 3, `${loose.psnr} ${plain.psnr}`)
  const saved = join(folder(t), 'model.safetensors')
  await held.save(saved)
  using opened = await VideoAutoencoder.open(saved)
  t.deepEqual((await opened.encode(clips[0]!)).values, (await held.encode(clips[0]!)).values)
})

test('latents go into spacetime patches and come back, bit for bit', async (t) => {
  using model = await VideoAutoencoder.train([movingShapes(9)], small)
  const latents = [await model.encode(movingShapes(9)), await model.encode(movingShapes(3))]
  const cut = new LatentPatches({ size: [1, 2, 2], channels: 8 })
  t.is(cut.width, 32)
  const tokens = await cut.tokens(latents)
  t.deepEqual(
    tokens.inputs.map(({ length, extent }) => [length, extent]),
    [
      [5 * 3 * 4, [5, 6, 8]],
      [2 * 3 * 4, [2, 6, 8]],
    ],
  )
  // The second patch of the first row: two places of two rows.
  const { values: first } = latents[0]!
  const at = (row: number, column: number) =>
    Array.from(first.subarray((row * 8 + column) * 8, (row * 8 + column + 2) * 8))
  t.deepEqual(Array.from(tokens.values.subarray(32, 64)), [...at(0, 2), ...at(1, 2)])
  const restored = await cut.restore(tokens)
  for (const [number, latent] of latents.entries()) {
    const { values: again, shape, times } = restored[number]!
    t.deepEqual([again, shape, times], [latent.values, latent.shape, latent.times])
    const made = bytesOf(await all(model.decode({ ...latent, ...restored[number]! })))
    t.deepEqual(made, bytesOf(await all(model.decode(latent))))
  }
  t.throws(() => new LatentPatches({ size: 2 }), { message: /`channels` must be an integer/ })
  await t.throwsAsync(cut.tokens([{ values: new Float32Array(6), shape: [1, 1, 1, 6] }]), {
    message: /`latents\[0\]` must be a latent of `shape` \[times, rows, columns, 8\]/,
  })
  await t.throwsAsync(cut.tokens([{ values: new Float32Array(6), shape: [1, 1, 1, 8] }]), {
    message: /`latents\[0\]\.values` must be a Float32Array of 8 numbers/,
  })
  const odd = new LatentPatches({ size: 5, channels: 8, edge: 'refuse' })
  await t.throwsAsync(odd.tokens(latents), { code: 'INVALID_INPUT' })
})

test('the same seed gives the same bytes, whatever the number of threads', async (t) => {
  const clips = [movingShapes(9), movingShapes(12, { seed: 2 })]
  const latent = async (options: VideoAutoencoderOptions) => {
    using model = await VideoAutoencoder.train(clips, { ...small, ...options })
    return (await model.encode(clips[1]!, { threads: options.threads })).values
  }
  const one = await latent({ threads: 1 })
  t.deepEqual(await latent({ threads: 3 }), one)
  t.notDeepEqual(await latent({ seed: 2 }), one)
})

test('a training goes on from its checkpoint, and says how far it has come', async (t) => {
  const clips = [movingShapes(9)]
  const checkpoint = join(folder(t), 'training.safetensors')
  const plain = { ...small, epochs: 3, windows: 20 }
  const options = { ...plain, checkpoint, checkpointEvery: 1e-3 }
  using whole = await VideoAutoencoder.train(clips, plain)
  const stop = new AbortController()
  let heard = 0
  const stopped = VideoAutoencoder.train(clips, {
    ...options,
    signal: stop.signal,
    onProgress: ({ phase, done, total }) => {
      if (phase !== 'train') return
      t.is(total, 60)
      heard = done
      if (done >= 24) stop.abort()
    },
  })
  await t.throwsAsync(stopped, { any: true, name: 'AbortError' })
  t.true(heard >= 24)
  using again = await VideoAutoencoder.train(clips, options)
  const { values: found } = await again.encode(clips[0]!)
  t.deepEqual(found, (await whole.encode(clips[0]!)).values)
})

test('memory is estimated before a training', async (t) => {
  const few = await VideoAutoencoder.estimateMemory(small)
  const more = await VideoAutoencoder.estimateMemory({ ...small, batchSize: 16 })
  t.true(few > 1e5 && more > 2 * few, `${few} ${more}`)
})

test('coding stops when it is told to', async (t) => {
  using model = await VideoAutoencoder.train([movingShapes(9)], small)
  const clip = movingShapes(6, { width: 640, height: 360 })
  const stop = new AbortController()
  const stopped = model.encode(clip, { signal: stop.signal })
  setTimeout(() => stop.abort(), 5)
  await t.throwsAsync(stopped, { any: true, name: 'AbortError' })
})

test('what is no film, or has no meaning, is refused', async (t) => {
  const clip = movingShapes(5)
  const refused = (clips: unknown, options: object, message: RegExp) =>
    t.throwsAsync(VideoAutoencoder.train(clips as [], { ...small, ...options }), { message })
  await refused(
    [clip],
    { frames: 4 },
    /`frames` must be 1 more than a multiple of `time`, 2, got 4/,
  )
  await refused([clip], { crop: 15 }, /`crop` must be a multiple of `space`, 4, got 15/)
  await refused(7, {}, /`clips` must be an iterable of films, got 7/)
  await refused([7], {}, /`clips\[0\]` must be an iterable of frames, got 7/)
  await refused([], {}, /there are no films/)
  await refused([clip, []], {}, /clips\[1\] has no frame/)
  await refused(
    [[...clip, movingShapes(1, { width: 8 })[0]]],
    {},
    /`clips\[0\]\[5\]` must be of 32 x 24/,
  )
  await refused([clip], { validation: [[]] }, /validation\[0\] has no frame/)
  await refused(['/nowhere/film.gif'], {}, /nowhere/)
  using model = await VideoAutoencoder.train([clip], small)
  await t.throwsAsync(model.encode([]), { code: 'INVALID_INPUT', message: /has no frame/ })
  await t.throwsAsync(model.evaluate([]), { code: 'INVALID_INPUT' })
  const { values: numbers, shape, ...more } = await model.encode(clip)
  const decode = (latent: object) => all(model.decode(latent as VideoLatent))
  await t.throwsAsync(decode({ values: numbers, shape: [3, 6, 8, 7] }), {
    message: /`latent` must be/,
  })
  await t.throwsAsync(decode({ values: numbers.slice(1), shape }), { message: /`latent.values`/ })
  await t.throwsAsync(decode({ values: numbers, shape, ...more, width: 28 }), {
    message: /`latent.width` must be of 8 places of 4 pixels, got 28/,
  })
  const narrow = await model.encode(movingShapes(3, { width: 20 }))
  const both = all(model.decode([{ values: numbers, shape }, narrow]))
  await t.throwsAsync(both, { message: /`latent` must be pieces of 32 x 24, got "20 x 24"/ })
})

test('wrong options are refused', async (t) => {
  for (const { option, value } of wrongValues(videoAutoencoderOptions)) {
    if (option === 'validation' && Array.isArray(value)) continue
    const trained = VideoAutoencoder.train([movingShapes(5)], { ...small, [option]: value })
    await t.throwsAsync(trained, { code: 'INVALID_OPTION' }, option)
  }
})
