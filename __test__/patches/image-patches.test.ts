import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { ImagePatches, InvalidOptionError, type RawImage, Tokens, imagePatchesOptions } from 'inlay'
import { folder } from '../fixtures/folder.js'
import { longestHoldOf } from '../fixtures/longest-hold.js'
import { generator, randomImage, upTo } from '../fixtures/media.js'
import { wrongValues } from '../fixtures/wrong-values.js'

/** A picture of 3 x 2 pixels, whose bytes are 0, 1, 2, ... */
const small: RawImage = {
  data: Uint8Array.from({ length: 18 }, (_, i) => i),
  width: 3,
  height: 2,
  channels: 3,
}

test('a patch has its rows, a row its pixels, a pixel its channels, and zeros are behind the end', async (t) => {
  const cut = new ImagePatches({ size: 2 })
  const tokens = await cut.tokens([small])
  t.is(cut.width, 12)
  t.deepEqual([tokens.width, tokens.count, tokens.length], [12, 2, 1])
  const bytes = [0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 6, 7, 8, 0, 0, 0, 15, 16, 17, 0, 0, 0]
  t.deepEqual([...tokens.values], [...Float32Array.from(bytes, (byte) => Math.fround(byte) / 255)])
  t.deepEqual([...tokens.positions], [0, 0, 0, 0, 0, 1])
  t.deepEqual(tokens.lengths, [2])
  t.deepEqual(tokens.modalities, ['image'])
  t.deepEqual(tokens.inputs, [{ modality: 'image', length: 2, extent: [1, 2, 3] }])
})

test('mean and deviation are those of torchvision, to the last bit', async (t) => {
  const [mean, deviation] = [
    [0.485, 0.456, 0.406],
    [0.229, 0.224, 0.225],
  ]
  const image = randomImage(20, 10, 3, 1)
  const tokens = await new ImagePatches({ size: [10, 20], mean, deviation }).tokens([image])
  const wanted = Float32Array.from(image.data, (byte, i) => {
    const moved = Math.fround(Math.fround(byte / 255) - Math.fround(mean[i % 3]!))
    return moved / Math.fround(deviation[i % 3]!)
  })
  t.deepEqual(tokens.values, wanted)
})

test('any pictures come back bit for bit, whatever their sizes, channels, patches and overlap', async (t) => {
  const random = generator(5)
  for (let round = 0; round < 60; round++) {
    const channels = ([1, 3, 4] as const)[Math.floor(random() * 3)]!
    const size = [upTo(12, random), upTo(20, random)]
    const stride = round % 2 === 0 ? size : size.map((side) => upTo(side, random))
    const scale =
      round % 3 === 0
        ? { mean: Array(channels).fill(0.4), deviation: Array(channels).fill(0.2) }
        : {}
    const cut = new ImagePatches({ size, stride, channels, ...scale })
    const images = Array.from({ length: upTo(4, random) }, (_, i) =>
      randomImage(upTo(40, random), upTo(30, random), channels, round * 10 + i),
    )
    const tokens = await cut.tokens(images, { threads: upTo(3, random) })
    t.is(tokens.length, images.length)
    t.is(
      tokens.count,
      tokens.lengths.reduce((sum, length) => sum + length, 0),
    )
    t.deepEqual(await cut.restore(tokens, { threads: upTo(3, random) }), images)
  }
})

test('a picture’s patches depend neither on the others nor on the number of threads', async (t) => {
  const cut = new ImagePatches({ size: 16, stride: 8 })
  const images = [randomImage(300, 200, 3, 1), randomImage(50, 400, 3, 2), randomImage(7, 7, 3, 3)]
  const together = await cut.tokens(images, { threads: 3 })
  for (const [at, image] of images.entries()) {
    const alone = await cut.tokens([image], { threads: 1 })
    t.deepEqual(alone.values, together.item(at))
    t.deepEqual(alone.positions, together.slice(at, at + 1).positions)
  }
})

test('the end is filled, left out or refused', async (t) => {
  const image = randomImage(10, 7, 1, 1)
  const dropped = new ImagePatches({ size: 4, channels: 1, edge: 'drop' })
  const tokens = await dropped.tokens([image])
  t.is(tokens.count, 2)
  const [back] = await dropped.restore(tokens)
  t.deepEqual([back!.width, back!.height], [8, 4])
  t.is(back!.data[9], image.data[11])
  const repeating = new ImagePatches({ size: 4, channels: 1, edge: 'repeat' })
  const repeated = await repeating.tokens([image])
  t.is(repeated.count, 6)
  // Rows 4 to 7 and columns 8 to 11, of which the picture has three and two.
  const [last, width] = [repeated.values.subarray(5 * 16), image.width]
  const at = (row: number, column: number) =>
    Math.fround(image.data[Math.min(row, 6) * width + Math.min(column, 9)]! / 255)
  t.deepEqual(
    Array.from(last),
    Array.from({ length: 16 }, (_, i) => at(4 + Math.floor(i / 4), 8 + (i % 4))),
  )
  t.deepEqual(await repeating.restore(repeated), [image])
  const message = /images\[0\] has 7 of an axis that patches of 4 at steps of 4 do not end with/
  const refusing = new ImagePatches({ size: 4, channels: 1, edge: 'refuse' })
  await t.throwsAsync(refusing.tokens([image]), { code: 'INVALID_INPUT', message })
  await t.throwsAsync(dropped.tokens([randomImage(3, 9, 1, 1)]), {
    code: 'INVALID_INPUT',
    message: /has 3 of an axis/,
  })
})

test('pictures of other channels are converted as Pillow does it', async (t) => {
  const pixel = (...data: number[]): RawImage => ({
    data: Uint8Array.from(data),
    width: 1,
    height: 1,
    channels: data.length as 1 | 3 | 4,
  })
  const made = async (channels: 1 | 3 | 4, image: RawImage) => {
    const tokens = await new ImagePatches({ size: 1, channels }).tokens([image])
    return [...tokens.values].map((value) => Math.round(255 * value))
  }
  t.deepEqual(await made(1, pixel(255, 0, 0)), [76])
  t.deepEqual(await made(1, pixel(0, 255, 0, 9)), [150])
  t.deepEqual(await made(3, pixel(7)), [7, 7, 7])
  t.deepEqual(await made(3, pixel(1, 2, 3, 4)), [1, 2, 3])
  t.deepEqual(await made(4, pixel(1, 2, 3)), [1, 2, 3, 255])
  t.deepEqual(await made(4, pixel(5)), [5, 5, 5, 255])
})

test('files and their bytes are pictures too, and come one by one', async (t) => {
  // A BMP of 2 x 1 pixels: red, green.
  const header = Buffer.alloc(54)
  header.write('BM')
  header.writeUInt32LE(62, 2)
  header.writeUInt32LE(54, 10)
  header.writeUInt32LE(40, 14)
  header.writeInt32LE(2, 18)
  header.writeInt32LE(1, 22)
  header.writeUInt16LE(1, 26)
  header.writeUInt16LE(24, 28)
  const bytes = Buffer.concat([header, Buffer.from([0, 0, 255, 0, 255, 0, 0, 0])])
  const path = join(folder(t), 'two.bmp')
  writeFileSync(path, bytes)
  const images = async function* () {
    yield path
    yield bytes
  }
  const tokens = await new ImagePatches({ size: [1, 2] }).tokens(images())
  t.deepEqual([...tokens.values], [1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0])
  const cut = new ImagePatches({ size: 1 })
  await t.throwsAsync(cut.tokens([join(folder(t), 'nowhere.png')]), { code: 'NOT_FOUND' })
  await t.throwsAsync(cut.tokens([bytes.subarray(0, 60)]), {
    code: 'INVALID_INPUT',
    message: /images\[0\]/,
  })
  await t.throwsAsync(cut.tokens([bytes], { maxPixels: 1 }), {
    code: 'INVALID_INPUT',
    message: /maxPixels/,
  })
})

for (const { option, value } of wrongValues(imagePatchesOptions)) {
  test(`refuses ${option}: ${String(value)} (${typeof value})`, (t) => {
    const error = t.throws(() => new ImagePatches({ size: 4, [option]: value }), {
      instanceOf: InvalidOptionError,
    })
    t.is(error.context['option'], option)
  })
}

test('hostile sizes are one clear error', async (t) => {
  for (const size of [0, -1, 2 ** 31, Number.NaN, [4, 0], [4, 2 ** 31], [4, 4, 4], []]) {
    t.throws(() => new ImagePatches({ size }), { instanceOf: InvalidOptionError })
  }
  t.throws(() => new ImagePatches({ size: 4, stride: 5 }), {
    message: /`stride` must be at most the size, 4 x 4/,
  })
  t.throws(() => new ImagePatches({} as never), {
    message: /`size` must be a number, or height and width/,
  })
  const cut = new ImagePatches({ size: 4 })
  const refused = (image: unknown, message: RegExp) =>
    t.throwsAsync(cut.tokens([image as RawImage]), { instanceOf: InvalidOptionError, message })
  await refused(null, /images\[0\]` must be a path, the bytes of a picture file, or \{ data/)
  await refused({ ...small, width: 2 ** 31 }, /images\[0\].data` must be 2147483648 x 2 x 3 bytes/)
  await refused({ ...small, width: 0 }, /sides from 1 up/)
  await refused({ ...small, height: Number.NaN }, /sides from 1 up/)
  await refused({ ...small, channels: 2 }, /1, 3 or 4 channels/)
  await t.throwsAsync(cut.tokens('picture.png' as never), {
    message: /`images` must be an iterable/,
  })
  const huge = new ImagePatches({ size: 1 << 20 })
  await t.throwsAsync(huge.tokens([small]), { code: 'OUT_OF_MEMORY' })
  const none = await cut.tokens([])
  t.deepEqual([none.count, none.length], [0, 0])
})

test('only tokens of these patches can be restored', async (t) => {
  const cut = new ImagePatches({ size: 4 })
  const tokens = await cut.tokens([randomImage(9, 9, 3, 1)])
  const other = new ImagePatches({ size: 3 })
  await t.throwsAsync(other.restore(tokens), { message: /must be tokens of 27 values, got 48/ })
  const overlapping = new ImagePatches({ size: 4, stride: 2 })
  await t.throwsAsync(overlapping.restore(tokens), {
    code: 'INVALID_INPUT',
    message: /are not as many/,
  })
  const text = await Tokens.ofIds([[1]])
  await t.throwsAsync(new ImagePatches({ size: 1, channels: 1 }).restore(text), {
    message: /inputs\[0\]` must be of 'image'/,
  })
  await t.throwsAsync(cut.restore({} as never), { message: /`tokens` must be Tokens/ })
})

test('what a network made of tokens is put together as well, and held between black and white', async (t) => {
  const cut = new ImagePatches({ size: 1, channels: 1 })
  const { positions, inputs } = await cut.tokens([randomImage(3, 1, 1, 1)])
  const tokens = Tokens.from({
    values: Float32Array.of(-3, 0.5, Number.NaN),
    positions,
    width: 1,
    inputs,
  })
  const [image] = await cut.restore(tokens)
  t.deepEqual([...image!.data], [0, 128, 0])
})

test('forged sizes of inputs are an error', async (t) => {
  const cut = new ImagePatches({ size: 4 })
  const [values, positions] = [new Float32Array(48), new Uint32Array(3)]
  const forged = (...extent: number[]) => {
    const inputs = [{ modality: 'image' as const, length: 1, extent: extent as never }]
    return Tokens.from({ values, positions, width: 48, inputs })
  }
  for (const extent of [
    [1, 4, Number.NaN],
    [1, -4, 4],
    [1, 4],
    [],
    [2 ** 40, 4, 4],
    [1, 4.5, 4],
    [1, 0, 4],
  ]) {
    t.throws(() => forged(...extent), {
      instanceOf: InvalidOptionError,
      message: /inputs\[0\].extent/,
    })
  }
  for (const extent of [
    [1, 2 ** 31, 2 ** 31],
    [4, 4, 4],
    [1, 5, 4],
  ]) {
    await t.throwsAsync(cut.restore(forged(...extent)), { code: 'INVALID_INPUT' }, String(extent))
  }
})

test.serial('large pictures never hold the event loop', async (t) => {
  const cut = new ImagePatches({ size: 16 })
  const images = [randomImage(2400, 1600, 3, 1), randomImage(2400, 1600, 4, 1)]
  const hold = await longestHoldOf(async () => cut.restore(await cut.tokens(images)))
  t.log({ hold })
  t.true(hold < 5)
})

test.serial('a signal stops the cutting within 50 ms', async (t) => {
  const image = randomImage(3000, 2000, 3, 1)
  const cut = new ImagePatches({ size: 64, stride: 8 })
  const latencies: number[] = []
  for (let i = 0; i < 5; i++) {
    const controller = new AbortController()
    const cutting = cut.tokens([image], { signal: controller.signal, threads: 1 })
    await sleep(30)
    const asked = performance.now()
    controller.abort()
    await t.throwsAsync(cutting, { any: true, instanceOf: DOMException })
    latencies.push(performance.now() - asked)
  }
  t.log('latencies in ms', latencies.map((n) => n.toFixed(1)).join(' '))
  t.true(latencies.toSorted((a, b) => a - b)[2]! < 50)
})
