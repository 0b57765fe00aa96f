import { createReadStream, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { type ReadSoundOptions, type Sound, readSound, readSoundOptions } from 'inlay'
import { folder } from '../fixtures/folder.js'
import { longestHoldOf } from '../fixtures/longest-hold.js'
import { sine, wav } from '../fixtures/media-files.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const short = wav([0, 16_384, -16_384, 32_767], 8_000, 2)

/** Bytes in pieces, with a note of whether they were let go. */
async function* pieces(bytes: Uint8Array, size: number, note: { isLetGo?: boolean } = {}) {
  try {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
  } finally {
    note.isLetGo = true
  }
}

test('a file, its URL, its bytes and its bytes as they come give the same samples', async (t) => {
  const path = join(folder(t), 'a.wav')
  writeFileSync(path, short)
  const wanted: Sound = {
    samples: Float32Array.of(0, 0.5, -0.5, 32_767 / 32_768),
    sampleRate: 8_000,
    channels: 2,
    duration: 2 / 8_000,
  }
  const sources = [path, pathToFileURL(path), short, createReadStream(path), pieces(short, 3)]
  for (const source of sources) t.deepEqual(await readSound(source), wanted)
})

test('a sound is resampled and mixed as it is wanted', async (t) => {
  const left = sine(1_000, 44_100, 44_100)
  const both = Int16Array.from({ length: 88_200 }, (_, at) => (at % 2 ? 0 : left[at >> 1]!))
  const { samples, sampleRate, channels, duration } = await readSound(wav(both, 44_100, 2), {
    sampleRate: 16_000,
    channels: 1,
    from: 0.25,
    to: 0.75,
  })
  t.deepEqual([samples.length, sampleRate, channels, duration], [8_000, 16_000, 1, 0.5])
  const step = (2 * Math.PI * 1_000) / 16_000
  const far = samples.map((sample, at) => Math.abs(sample - Math.sin(step * (at + 4_000)) / 4))
  t.true(Math.max(...far) < 3e-5, `${Math.max(...far)}`)
})

for (const { option, value } of wrongValues(readSoundOptions)) {
  test(`refuses ${option}: ${String(value)} (${typeof value})`, async (t) => {
    const options = { [option]: value } as ReadSoundOptions
    await t.throwsAsync(readSound(short, options), { code: 'INVALID_OPTION' })
  })
}

test('wrong sources and options are one clear error', async (t) => {
  const wrong = (source: unknown, options: ReadSoundOptions, message: RegExp, code: string) =>
    t.throwsAsync(readSound(source as string, options), { code, message })
  const option = 'INVALID_OPTION'
  await wrong(7, {}, /`source` must be a path, bytes of a file, or an async iterable/, option)
  await wrong(short, { from: 2, to: 1 }, /`to` must be above `from`, which is 2, got 1/, option)
  await wrong(short, { channels: 3 }, /`channels` must be 1 or 2, of 2 channels, got 3/, option)
  await wrong(short, { rate: 3 } as object, /there is no option `rate`/, option)
  await wrong(short, { threads: 3 } as object, /there is no option `threads`/, option)
  const numbers = (async function* () {
    yield* [1]
  })()
  await wrong(numbers, {}, /`source` must give Uint8Arrays, gave 1/, option)
  await wrong('none.wav', {}, /none\.wav/, 'NOT_FOUND')
  await wrong(Buffer.from('a text'), {}, /source is no sound of a known kind/, 'INVALID_INPUT')
  await wrong(Buffer.alloc(0), {}, /source is empty/, 'INVALID_INPUT')
  await wrong(short.subarray(0, 30), {}, /source, byte 12: .*cut short/, 'INVALID_INPUT')
  const minute = wav(new Int16Array(60_000), 1_000)
  await wrong(minute, { maxSeconds: 59 }, /59 seconds \(`maxSeconds`\)/, 'INVALID_INPUT')
  t.is((await readSound(minute, { maxSeconds: 59, from: 2 })).duration, 58)
})

test('an abort stops it at once, while it decodes and while its source has nothing to give', async (t) => {
  const long = wav(new Int16Array(30_000_000), 48_000, 2)
  const sleepless = new AbortController()
  const started = performance.now()
  const reading = readSound(long, { sampleRate: 47_999, signal: sleepless.signal })
  setTimeout(() => sleepless.abort(new Error('enough')), 50)
  await t.throwsAsync(reading, { message: 'enough' })
  t.log(`${(performance.now() - started).toFixed(0)} ms`)
  const silent = (async function* () {
    yield short
    await new Promise(() => undefined)
  })()
  const patient = new AbortController()
  setTimeout(() => patient.abort(new Error('waited')), 50)
  await t.throwsAsync(readSound(silent, { signal: patient.signal }), { message: 'waited' })
  await t.throwsAsync(readSound(short, { signal: AbortSignal.abort() }), {
    name: 'AbortError',
    any: true,
  })
})

test('a source is let go when it gives something else, and its own error is what comes', async (t) => {
  const failing = (async function* () {
    yield short.subarray(0, 10)
    throw new RangeError('the source failed')
  })()
  await t.throwsAsync(readSound(failing), { instanceOf: RangeError, message: 'the source failed' })
  const note: { isLetGo?: boolean } = {}
  const many = pieces(short, 3, note)
  await readSound(many)
  t.true(note.isLetGo)
})

test.serial('the event loop has its turn, and progress is heard', async (t) => {
  const long = wav(new Int16Array(8_000_000), 48_000, 2)
  const held = await longestHoldOf(() => readSound(long, { sampleRate: 44_100 }))
  t.log(`${held.toFixed(1)} ms`)
  t.true(held < 5, `${held} ms`)
  const heard: string[] = []
  await readSound(long, {
    sampleRate: 44_100,
    onProgress: ({ phase, unit, done, total }) => heard.push(`${phase} ${done}/${total} ${unit}`),
  })
  t.is(heard.at(-1), 'read 4000000/4000000 samples')
})

const data = join(process.env['INLAY_DATA'] ?? '../shared/data', 'media')

test('spoken digits and one voice in all codings are read (INLAY_DATA)', async (t) => {
  if (!existsSync(join(data, 'sounds'))) {
    t.log('skipped: no sounds in INLAY_DATA')
    t.pass()
    return
  }
  const voice = await readSound(join(data, 'sounds/front-center-16k.wav'))
  t.is(voice.duration, 1.428)
  for (const name of ['front-center-16k.flac', 'front-center-alac.m4a']) {
    t.deepEqual(await readSound(join(data, 'sounds', name)), voice)
  }
  for (const name of ['16k.mp3', 'vbr.mp3', '16k.ogg', 'aac.m4a']) {
    const found = await readSound(readFileSync(join(data, `sounds/front-center-${name}`)))
    t.deepEqual({ ...found, samples: 0 }, { ...voice, samples: 0 }, name)
  }
  const opus = join(data, 'sounds/front-center-opus.opus')
  await t.throwsAsync(readSound(opus), { code: 'UNSUPPORTED', message: /is sound of Opus/ })
})
