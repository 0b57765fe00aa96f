import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import {
  InvalidOptionError,
  type SoundInput,
  Spectrogram,
  type SpectrogramOptions,
  spectrogramOptions,
} from 'inlay'
import { longestHoldOf } from '../fixtures/longest-hold.js'
import { randomSound } from '../fixtures/media.js'
import { readNpz } from '../fixtures/npz.js'
import { wrongValues } from '../fixtures/wrong-values.js'

test('a tone is in its bin, with the power of its window', async (t) => {
  // 1 kHz is bin 8 of 64 at 8 kHz; the mean of a Hann window is a half.
  const samples = Float32Array.from({ length: 640 }, (_, i) => Math.cos((2 * Math.PI * i) / 8))
  const spectrogram = new Spectrogram({
    sampleRate: 8000,
    fftSize: 64,
    hop: 32,
    padding: 'none',
    log: 'none',
  })
  const { values, frames, bands } = await spectrogram.transform({
    samples,
    sampleRate: 8000,
    channels: 1,
  })
  t.deepEqual([frames, bands, spectrogram.bands], [19, 33, 33])
  for (let frame = 0; frame < frames; frame++) {
    const row = values.subarray(frame * bands, (frame + 1) * bands)
    t.true(Math.abs(row[8]! - 16 ** 2) < 1e-3)
    t.true(row.every((value, bin) => Math.abs(bin - 8) < 2 || value < 1e-6))
  }
})

test('magnitudes are roots of powers, and logarithms those of values', async (t) => {
  const sound = randomSound(4000, 16_000, 1)
  const made = async (options: Partial<SpectrogramOptions>) =>
    (await new Spectrogram({ sampleRate: 16_000, log: 'none', ...options }).transform(sound)).values
  const powers = await made({})
  const near = (found: Float32Array, wanted: (power: number) => number) =>
    found.every((value, i) => Math.abs(value - wanted(powers[i]!)) < 1e-5 * (1 + Math.abs(value)))
  t.true(near(await made({ power: 1 }), Math.sqrt))
  t.true(
    near(await made({ log: 'natural', floor: 1e-3 }), (power) => Math.log(Math.max(power, 1e-3))),
  )
  t.true(near(await made({ log: 'decibels' }), (power) => 10 * Math.log10(Math.max(power, 1e-10))))
  t.true(
    near(
      await made({ log: 'decibels', power: 1 }),
      (power) => 20 * Math.log10(Math.max(Math.sqrt(power), 1e-10)),
    ),
  )
  const held = await made({ log: 'decibels', range: 20 })
  const highest = held.reduce((a, b) => Math.max(a, b))
  t.is(
    held.reduce((a, b) => Math.min(a, b)),
    Math.fround(highest - 20),
  )
  const whisper = await made({ log: 'whisper', mels: 80 })
  t.is(whisper.length, 25 * 80)
})

test('several channels are their mean, and the number of threads changes no bit', async (t) => {
  const [a, b] = [randomSound(20_000, 16_000, 1), randomSound(20_000, 16_000, 2)]
  const both = Float32Array.from(
    { length: 40_000 },
    (_, i) => (i % 2 === 0 ? a : b).samples[i >> 1]!,
  )
  const mixed = a.samples.map((sample, i) => Math.fround(sample + b.samples[i]!) / 2)
  const spectrogram = new Spectrogram({ sampleRate: 16_000, mels: 80 })
  const made = async (samples: Float32Array, channels: number, threads: number) =>
    (await spectrogram.transform({ samples, sampleRate: 16_000, channels }, { threads })).values
  t.deepEqual(await made(both, 2, 1), await made(mixed, 1, 3))
})

for (const { option, value } of wrongValues(spectrogramOptions)) {
  test(`refuses ${option}: ${String(value)} (${typeof value})`, (t) => {
    const options = { sampleRate: 16_000, mels: 40, ...(option === 'range' && { log: 'decibels' }) }
    const error = t.throws(
      () => new Spectrogram({ ...options, [option]: value } as SpectrogramOptions),
      {
        instanceOf: InvalidOptionError,
      },
    )
    t.is(error.context['option'], option)
  })
}

test('options that would do nothing or do not fit are errors', (t) => {
  const refused = (options: object, message: RegExp) =>
    t.throws(() => new Spectrogram({ sampleRate: 16_000, ...options }), {
      instanceOf: InvalidOptionError,
      message,
    })
  refused({ melScale: 'htk' }, /`melScale` is for `mels`/)
  refused({ maxFrequency: 100 }, /`maxFrequency` is for `mels`/)
  refused({ log: 'none', floor: 1 }, /`floor` is for `log: 'natural'`/)
  refused({ range: 80 }, /`range` is for `log: 'decibels'`/)
  refused({ windowLength: 500 }, /`windowLength` must be at most `fftSize`, 400/)
  refused(
    { mels: 4, maxFrequency: 9000 },
    /`maxFrequency` must be above `minFrequency`, 0, and at most 8000/,
  )
  refused({ mels: 4, minFrequency: 8000 }, /`maxFrequency` must be above/)
  t.throws(() => new Spectrogram({} as never), { message: /`sampleRate` must be an integer/ })
})

test('what is no sound is one clear error', async (t) => {
  const spectrogram = new Spectrogram({ sampleRate: 16_000, padding: 'none' })
  const refused = (sound: object, message: RegExp) =>
    t.throwsAsync(
      spectrogram.transform({ ...randomSound(800, 16_000, 1), ...sound } as SoundInput),
      { message },
    )
  await refused({ samples: [1, 2] }, /`sound` must be \{ samples, sampleRate, channels \}/)
  await refused(
    { sampleRate: 8000 },
    /`sound.sampleRate` must be 16000, as the spectrogram's, got 8000/,
  )
  await refused({ sampleRate: Number.NaN }, /`sound.sampleRate` must be a number above 0, got NaN/)
  await refused({ channels: 0 }, /`sound.channels` must be an integer from 1 to 1024, got 0/)
  await refused({ channels: 3 }, /`sound.samples` must be whole moments of 3 samples, got 800/)
  await refused(
    { samples: new Float32Array(399) },
    /sound has 399 samples, fewer than a frame wants of 400/,
  )
  await refused({ samples: new Float32Array(0) }, /sound has no samples/)
  const broken = new Float32Array(800)
  broken[777] = Number.NaN
  await refused({ samples: broken }, /sound has a sample that is not finite: number 777 is NaN/)
  const loud = new Float32Array(800).fill(3e38)
  const { values } = await spectrogram.transform({ samples: loud, sampleRate: 16_000, channels: 1 })
  t.true(values.every(Number.isFinite))
})

test.serial('an hour never holds the event loop, and stops within 50 ms', async (t) => {
  const sound = { samples: new Float32Array(3600 * 8000).fill(0.1), sampleRate: 8000, channels: 1 }
  const spectrogram = new Spectrogram({ sampleRate: 8000, mels: 80 })
  const controller = new AbortController()
  const run = spectrogram.transform(sound, { signal: controller.signal, threads: 1 })
  await sleep(100)
  const asked = performance.now()
  controller.abort()
  await t.throwsAsync(run, { any: true, instanceOf: DOMException })
  const latency = performance.now() - asked
  const minutes = { ...sound, samples: sound.samples.subarray(0, 3_000_000) }
  const hold = await longestHoldOf(async () => spectrogram.transform(minutes))
  t.log({ latency, hold })
  t.true(latency < 50)
  t.true(hold < 5)
})

const folder = join(process.env['INLAY_DATA'] ?? '../shared/data', 'media/sounds')

/** 16-bit PCM of one channel. */
function wav(name: string): SoundInput {
  const bytes = readFileSync(join(folder, name))
  const start = bytes.indexOf('data') + 8
  const count = bytes.readUInt32LE(start - 4) / 2
  const samples = Float32Array.from(
    { length: count },
    (_, i) => bytes.readInt16LE(start + 2 * i) / 32_768,
  )
  return { samples, sampleRate: bytes.readUInt32LE(24), channels: 1 }
}

const settings = (rate: number): Record<string, Partial<SpectrogramOptions>> => ({
  'a.logmel': { fftSize: 400, hop: 160, mels: 80, padding: 'zero' },
  'b.logmel': {
    fftSize: 512,
    windowLength: 400,
    hop: 128,
    mels: 40,
    melScale: 'htk',
    melNorm: 'none',
    minFrequency: 60,
    maxFrequency: 0.45 * rate,
    power: 1,
  },
  'c.logmel': { fftSize: 1024, hop: 256, mels: 64, log: 'decibels', range: 80 },
  stft_abs: { fftSize: 400, hop: 160, power: 1, log: 'none' },
  'whisper.logmel': { fftSize: 400, hop: 160, mels: 80, log: 'whisper' },
})

for (const name of ['front-center-16k', '7_jackson_3', 'sine-440-16k']) {
  test(`${name}: the values of librosa and Whisper to 1e-4 (INLAY_DATA)`, async (t) => {
    if (!existsSync(join(folder, `${name}-mel.npz`))) {
      t.log(`skipped: no ${name}-mel.npz in INLAY_DATA`)
      return t.pass()
    }
    const wanted = readNpz(join(folder, `${name}-mel.npz`))
    const sound = wav(`${name}.wav`)
    for (const [key, options] of Object.entries(settings(sound.sampleRate))) {
      const array = wanted.get(key)
      if (key.startsWith('whisper') && sound.sampleRate !== 16_000) continue
      const samples = new Float32Array(
        key.startsWith('whisper') ? 30 * 16_000 : sound.samples.length,
      )
      samples.set(sound.samples)
      const spectrogram = new Spectrogram({ sampleRate: sound.sampleRate, ...options })
      const { values, bands, frames } = await spectrogram.transform({ ...sound, samples })
      const [rows, columns] = array!.shape as [number, number]
      t.is(bands, rows)
      t.true(key.startsWith('whisper') ? frames === 3000 : frames === columns)
      const linear = (value: number) =>
        Math.exp(key === 'c.logmel' ? (value * Math.LN10) / 10 : value)
      let farthest = 0
      for (let band = 0; band < rows; band++) {
        for (let frame = 0; frame < columns; frame++) {
          const [found, value] = [
            values[frame * bands + band]!,
            array!.values[band * columns + frame]!,
          ]
          // Near silence f32 has no digits left: there the values themselves are compared, not their logarithms.
          const silent = /^[abc]/.test(key) && linear(value) < 1e-7
          const difference = silent ? linear(found) - linear(value) : found - value
          farthest = Math.max(farthest, Math.abs(difference))
        }
      }
      t.log(key, farthest)
      t.true(farthest < 1e-4, key)
    }
  })
}
