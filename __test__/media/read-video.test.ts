import { execFileSync } from 'node:child_process'
import { createReadStream, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import {
  type MediaSource,
  type ReadVideoOptions,
  type VideoFrame,
  readVideo,
  readVideoOptions,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { longestHoldOf } from '../fixtures/longest-hold.js'
import { bmp, y4m } from '../fixtures/media-files.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const small = Buffer.concat([...y4m(4, 2, 4, [16, 60, 120, 235])])

async function all(source: MediaSource, options: ReadVideoOptions = {}): Promise<VideoFrame[]> {
  const frames: VideoFrame[] = []
  for await (const frame of readVideo(source, options)) frames.push(frame)
  return frames
}

test('a file, its bytes and its bytes as they come give the same frames', async (t) => {
  const path = join(folder(t), 'a.y4m')
  writeFileSync(path, small)
  const wanted = await all(path)
  t.deepEqual(
    wanted.map(({ time, width, height, channels, data }) => [
      time,
      width,
      height,
      channels,
      data[0],
    ]),
    [0, 51, 121, 255].map((light, at) => [at / 4, 4, 2, 3, light]),
  )
  for (const source of [
    small,
    createReadStream(path),
    Readable.from([...y4m(4, 2, 4, [16, 60, 120, 235])]),
  ]) {
    t.deepEqual(await all(source), wanted)
  }
})

test('a rate, a part and a size choose what is given', async (t) => {
  const frames = await all(small, { rate: 8, from: 0.25, to: 0.75, width: 8 })
  t.deepEqual(
    frames.map(({ time, width, height, data }) => [time, width, height, data[0]]),
    [0.25, 0.375, 0.5, 0.625].map((time) => [time, 8, 4, time < 0.5 ? 51 : 121]),
  )
  t.is((await all(bmp, { rate: 100 })).length, 1, 'a picture is a film of one frame')
})

for (const { option, value } of wrongValues(readVideoOptions)) {
  test(`refuses ${option}: ${String(value)} (${typeof value})`, (t) => {
    const options = { [option]: value } as ReadVideoOptions
    t.throws(() => readVideo(small, options), { code: 'INVALID_OPTION' })
  })
}

test('wrong sources and options are one clear error', async (t) => {
  const option = { code: 'INVALID_OPTION' }
  t.throws(() => readVideo(7 as unknown as string), option)
  t.throws(() => readVideo(small, { from: 2, to: 1 }), option)
  t.throws(() => readVideo(small, { threads: 2 } as object), option)
  const input = 'INVALID_INPUT'
  await t.throwsAsync(all(Buffer.alloc(0)), { code: input, message: /source is empty/ })
  await t.throwsAsync(all(small.subarray(0, 50)), { code: input, message: /cut short in frame 1/ })
  await t.throwsAsync(all(small, { maxPixels: 7 }), { code: input, message: /at most 7/ })
  for (const list of ['#EXTM3U\nfile:///etc/hosts\n', '#EXTM3U\n\0', 'plain text, größer']) {
    const expectation = { code: input, message: /a text and no film/ }
    await t.throwsAsync(all(Buffer.from(list)), expectation)
  }
  await t.throwsAsync(all('none.mp4'), { code: 'NOT_FOUND' })
  await t.throwsAsync(all(folder(t)), { code: input, message: /is a directory/ })
})

test('one frame is made ahead, and leaving the loop lets the source go at once', async (t) => {
  let given = 0
  let isLetGo = false
  const endless = (async function* () {
    try {
      for (const piece of y4m(64, 64, 10, Array(1e6).fill(100))) {
        given++
        yield piece
      }
    } finally {
      isLetGo = true
    }
  })()
  let seen = 0
  for await (const { data } of readVideo(endless)) {
    t.is(data.length, 64 * 64 * 3)
    seen++
    await new Promise((resolve) => setTimeout(resolve, 5))
    t.true(given <= seen + 3, `${given} given, ${seen} seen`)
    if (seen === 5) break
  }
  t.true(isLetGo)
})

test('an abort stops it, also while the source has nothing to give', async (t) => {
  const silent = (async function* () {
    yield small.subarray(0, 60)
    await new Promise(() => undefined)
  })()
  const begun = performance.now()
  const patient = new AbortController()
  setTimeout(() => patient.abort(new Error('waited')), 50)
  await t.throwsAsync(all(silent, { signal: patient.signal }), { message: 'waited' })
  t.true(performance.now() - begun < 1000)
  const controller = new AbortController()
  const reading = async () => {
    for await (const { time } of readVideo(small, { signal: controller.signal })) {
      if (time === 0.25) controller.abort(new Error('enough'))
    }
  }
  await t.throwsAsync(reading(), { message: 'enough' })
  const failing = (async function* () {
    yield small.subarray(0, 60)
    throw new RangeError('the source failed')
  })()
  await t.throwsAsync(all(failing), { instanceOf: RangeError })
})

test.serial('the event loop has its turn while large frames come', async (t) => {
  const film = Buffer.concat([...y4m(1920, 1080, 25, Array(12).fill(100))])
  const held = await longestHoldOf(() => all(film, { width: 224 }))
  t.log(`${held.toFixed(1)} ms`)
  t.true(held < 5, `${held} ms`)
})

test.serial('a long film of 3840 x 2160 takes the memory of a few frames', async (t) => {
  const frames = 100
  const source = Readable.from(y4m(3840, 2160, 24, Array(frames).fill(100)), { highWaterMark: 1 })
  let [seen, begun, grown] = [0, 0, 0]
  for await (const { data } of readVideo(source)) {
    t.is(data[0], 98)
    // What is collected late is no growth.
    if (seen % 10 === 0) globalThis.gc?.()
    const megabytes = process.memoryUsage.rss() / 1e6
    if (++seen === 20) begun = megabytes
    if (seen > 20) grown = Math.max(grown, megabytes - begun)
  }
  t.is(seen, frames)
  t.log(`grown by ${grown.toFixed(0)} MB, all frames are ${((frames * 24.9) / 1e3).toFixed(1)} GB`)
  t.true(grown < 500, `${grown} MB`)
})

const hasFfmpeg = (() => {
  try {
    execFileSync('ffmpeg', ['-version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

function lacksFfmpeg(t: ExecutionContext): boolean {
  if (!hasFfmpeg) {
    t.log('skipped: ffmpeg is not on PATH')
    t.pass()
  }
  return !hasFfmpeg
}

/** Bytes that are no text, and no film of a kind that is decoded here. */
const foreign = Buffer.from(Array.from({ length: 2_000 }, (_, at) => (at * 37) % 251))

test('without ffmpeg, what it is needed for is an error that says what to install', async (t) => {
  const expectation = {
    code: 'UNSUPPORTED',
    message: /`no-such-ffmpeg` is not there; install FFmpeg/,
  }
  await t.throwsAsync(all(foreign, { ffmpeg: 'no-such-ffmpeg' }), expectation)
})

test('what ffmpeg does not decode is an error with what it says', async (t) => {
  if (lacksFfmpeg(t)) return
  const expectation = {
    code: 'INVALID_INPUT',
    message: /source is no film that FFmpeg decodes: .+/,
  }
  await t.throwsAsync(all(foreign), expectation)
})

/** A film of another kind, of greys that rise with the time. */
function encoded(t: ExecutionContext, ...options: string[]): string {
  const path = join(folder(t), 'film.mkv')
  const source = Buffer.concat([
    ...y4m(
      64,
      48,
      10,
      Array.from({ length: 20 }, (_, at) => 16 + 10 * at),
    ),
  ])
  execFileSync('ffmpeg', ['-loglevel', 'error', '-i', '-', ...options, '-c:v', 'ffv1', path], {
    input: source,
  })
  return path
}

test('ffmpeg gives frames with their times, by name and from a stream', async (t) => {
  if (lacksFfmpeg(t)) return
  const path = encoded(t)
  const frames = await all(path)
  t.is(frames.length, 20)
  for (const [at, { time, data, width, height }] of frames.entries()) {
    t.true(Math.abs(time - at / 10) < 1e-6, `${time}`)
    t.true(Math.abs(data[0]! - (10 * at * 255) / 219) <= 1, `${data[0]}`)
    t.deepEqual([width, height], [64, 48])
  }
  const bytes = readFileSync(path)
  t.deepEqual(await all(bytes), frames)
  t.deepEqual(await all(createReadStream(path, { highWaterMark: 999 })), frames)
  t.is((await all(path, { rate: 5 })).length, 10, 'two seconds')
  const some = await all(path, { rate: 4, from: 0.55, to: 1.3, height: 24 })
  t.deepEqual(
    some.map(({ data, time, height }) => [data[0], time, height]),
    [0.55, 0.8, 1.05].map((time) => [frames[Math.floor(time * 10 + 1e-9)]!.data[0], time, 24]),
  )
})

test('frames of a film that is not even in time have their own times', async (t) => {
  if (lacksFfmpeg(t)) return
  const path = encoded(t, '-vf', "select='not(mod(n,3))+lt(n,4)'", '-fps_mode', 'vfr')
  const frames = await all(path)
  const times = [0, 1, 2, 3, 6, 9, 12, 15, 18].map((at) => at / 10)
  t.is(frames.length, times.length)
  for (const [at, { time }] of frames.entries()) t.true(Math.abs(time - times[at]!) < 1e-3)
})

test.serial('leaving the loop and an abort end ffmpeg', async (t) => {
  if (lacksFfmpeg(t)) return
  const running = () => {
    const { pid } = process
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return children.split(' ').filter(Boolean).length
  }
  if (!existsSync(`/proc/${process.pid}/task`)) {
    t.log('skipped: the system does not tell which processes run')
    t.pass()
    return
  }
  const before = running()
  // So many frames that they do not all lie on the pipe.
  const path = encoded(t, '-vf', 'loop=loop=50:size=20')
  for await (const { time } of readVideo(path)) {
    t.is(running(), before + 1)
    if (time > 0.25) break
  }
  t.is(running(), before)
  const controller = new AbortController()
  const reading = async () => {
    for await (const frame of readVideo(path, { signal: controller.signal })) {
      controller.abort(new Error(`enough of ${frame.width}`))
    }
  }
  await t.throwsAsync(reading(), { message: 'enough of 64' })
  t.is(running(), before)
})

const data = join(process.env['INLAY_DATA'] ?? '../shared/data', 'media/video')

interface About {
  readonly width: number
  readonly height: number
  readonly frames: number
  readonly fps?: string
  readonly means_every?: number
  readonly rgb_mean_per_frame: readonly (readonly number[])[]
}

test('all clips have the frames, the times and the colours of their manifest (INLAY_DATA)', async (t) => {
  if (!existsSync(data)) {
    t.log('skipped: no video in INLAY_DATA')
    t.pass()
    return
  }
  const manifest = JSON.parse(readFileSync(join(data, 'manifest.json'), 'utf8')) as Record<
    string,
    About
  >
  const native = /\.(gif|webp|apng|y4m)$|mjpeg/
  for (const [name, about] of Object.entries(manifest)) {
    if (!hasFfmpeg && !native.test(name)) {
      t.log(`skipped: ffmpeg is not on PATH, so ${name} cannot be decoded`)
      continue
    }
    const [frames, seconds] = (about.fps ?? '10').split('/').map(Number)
    let at = 0
    for await (const { data: pixels, width, height, time } of readVideo(join(data, name))) {
      t.deepEqual([width, height], [about.width, about.height], name)
      if (name !== 'newtonscradle.gif') {
        const wanted = (at * (seconds ?? 1)) / frames!
        t.true(Math.abs(time - wanted) < 2e-3, `${name}, frame ${at}: ${time}, not ${wanted}`)
      }
      const every = about.means_every ?? 1
      if (at % every === 0 && at / every < about.rgb_mean_per_frame.length) {
        const sums = [0, 0, 0]
        for (let i = 0; i < pixels.length; i += 3) {
          sums[0]! += pixels[i]!
          sums[1]! += pixels[i + 1]!
          sums[2]! += pixels[i + 2]!
        }
        const means = sums.map((sum) => (3 * sum) / pixels.length)
        const wanted = about.rgb_mean_per_frame[at / every]!
        const far = Math.max(...means.map((mean, channel) => Math.abs(mean - wanted[channel]!)))
        t.true(far < 2, `${name}, frame ${at}: ${means}, not ${wanted}`)
      }
      at++
    }
    t.is(at, about.frames, name)
  }
})
