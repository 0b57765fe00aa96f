import test from 'ava'
import { InvalidOptionError, SoundPatches, Spectrogram, soundPatchesOptions } from 'inlay'
import { generator, randomSound, upTo } from '../fixtures/media.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const spectrogram = new Spectrogram({ sampleRate: 8000, fftSize: 64, hop: 32, mels: 10 })

test('a patch of a spectrogram has its frames, a frame its bands, and places are time and band', async (t) => {
  const sound = randomSound(200, 8000, 1)
  const { values, frames } = await spectrogram.transform(sound)
  t.is(frames, 7)
  const cut = new SoundPatches({ spectrogram, size: [4, 5] })
  const tokens = await cut.tokens([sound])
  t.deepEqual([cut.width, tokens.count], [20, 4])
  t.deepEqual([...tokens.positions], [0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 1, 0])
  t.deepEqual(tokens.inputs, [
    { modality: 'sound', length: 4, extent: [1, 7, 10], sampleRate: 8000 },
  ])
  const second = Array.from({ length: 20 }, (_, i) => values[Math.floor(i / 5) * 10 + 5 + (i % 5)]!)
  t.deepEqual([...tokens.values.subarray(20, 40)], second)
})

test('patches of samples are samples, in time', async (t) => {
  const sound = { samples: Float32Array.of(0.1, 0.2, 0.3, 0.4, 0.5), sampleRate: 8000, channels: 1 }
  const cut = new SoundPatches({ samples: 2 })
  const tokens = await cut.tokens([sound, { ...sound, sampleRate: 16_000 }])
  t.deepEqual([...tokens.item(0)], [...Float32Array.of(0.1, 0.2, 0.3, 0.4, 0.5, 0)])
  t.deepEqual([...tokens.slice(1).positions], [0, 0, 0, 1, 0, 0, 2, 0, 0])
  t.deepEqual(
    tokens.inputs.map(({ sampleRate }) => sampleRate),
    [8000, 16_000],
  )
})

test('spectrograms and samples come back bit for bit, and overlapping ones to the last digits', async (t) => {
  const random = generator(3)
  for (let round = 0; round < 40; round++) {
    const sounds = Array.from({ length: upTo(3, random) }, (_, i) =>
      randomSound(upTo(900, random), 8000, round * 7 + i),
    )
    const overlaps = round % 2 === 1
    const [frames, bands, samples] = [upTo(9, random), upTo(12, random), upTo(50, random)]
    const size = [frames, bands]
    const part = (side: number) => (overlaps ? upTo(side, random) : side)
    const near = (found: Float32Array, wanted: Float32Array) =>
      found.length === wanted.length &&
      found.every((value, i) => Math.abs(value - wanted[i]!) <= (overlaps ? 1e-5 : 0))
    const [cut, plain] = [
      new SoundPatches({ spectrogram, size, stride: size.map(part) }),
      new SoundPatches({ samples, stride: part(samples) }),
    ]
    const back = await cut.restore(await cut.tokens(sounds, { threads: upTo(3, random) }))
    const again = await plain.restore(await plain.tokens(sounds))
    for (const [at, sound] of sounds.entries()) {
      t.true(near(back[at]!, (await spectrogram.transform(sound)).values))
      t.true(near(again[at]!, sound.samples))
    }
  }
})

test('several channels are mixed', async (t) => {
  const sound = { samples: Float32Array.of(0, 1, 0.5, 0.25), sampleRate: 8000, channels: 2 }
  const tokens = await new SoundPatches({ samples: 2 }).tokens([sound])
  t.deepEqual([...tokens.values], [0.5, 0.375])
})

for (const { option, value } of wrongValues(soundPatchesOptions)) {
  test(`refuses ${option}: ${String(value)} (${typeof value})`, (t) => {
    const rest = ['spectrogram', 'size'].includes(option)
      ? { spectrogram, size: 4 }
      : { samples: 4 }
    const error = t.throws(() => new SoundPatches({ ...rest, [option]: value } as never), {
      instanceOf: InvalidOptionError,
    })
    t.is(error.context['option'], option)
  })
}

test('either a spectrogram is cut or samples are', async (t) => {
  t.throws(() => new SoundPatches({}), { message: /`spectrogram` must be given, or `samples`/ })
  t.throws(() => new SoundPatches({ samples: 4, size: 4 }), {
    message: /`size` is for `spectrogram`/,
  })
  t.throws(() => new SoundPatches({ samples: 4, stride: [1, 1] }), {
    message: /`stride` must be a number of samples/,
  })
  t.throws(() => new SoundPatches({ spectrogram, size: 4, samples: 4 }), {
    message: /`samples` is for sounds without/,
  })
  t.throws(() => new SoundPatches({ spectrogram }), {
    message: /`size` must be a number, or frames and bands/,
  })
  const cut = new SoundPatches({ spectrogram, size: 4 })
  await t.throwsAsync(cut.tokens([randomSound(99, 16_000, 1)]), {
    message: /`sounds\[0\].sampleRate` must be 8000/,
  })
  await t.throwsAsync(cut.tokens(7 as never), { message: /`sounds` must be an iterable of sounds/ })
  const silent = { samples: new Float32Array(0), sampleRate: 8000, channels: 1 }
  await t.throwsAsync(cut.tokens([silent]), {
    code: 'INVALID_INPUT',
    message: /sounds\[0\] has no samples/,
  })
})
