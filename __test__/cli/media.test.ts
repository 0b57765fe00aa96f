import ava from 'ava'
import { bmp, sine, wav, y4m } from '../fixtures/media-files.js'
import { folder, inlay } from './inlay.js'

// One process at a time: dozens at once would only wait for each other.
const test = ava.serial

const files = {
  'film.y4m': Buffer.concat([...y4m(32, 24, 8, [30, 90, 150, 210])]),
  'sound.wav': wav(sine(440, 8000, 12_000), 8000, 2),
  'picture.bmp': bmp,
}

test('media info tells what pictures, sounds and films are', async (t) => {
  const inside = folder(t, files)
  const found = await inlay(inside, 'media info picture.bmp sound.wav film.y4m')
  t.is(found.code, 0, found.stderr)
  t.is(
    found.stdout,
    `picture.bmp\tpicture\t2 x 2
sound.wav\tsound\t2 channels\t8000 Hz\t0.750 s
film.y4m\tfilm\t32 x 24\t4 frames\t8.00 a second\t0.500 s
`,
  )
  const { stdout } = await inlay(inside, 'media info film.y4m sound.wav --json')
  const [film, sound] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object)
  t.deepEqual(film, {
    path: 'film.y4m',
    kind: 'film',
    width: 32,
    height: 24,
    frames: 4,
    rate: 8,
    duration: 0.5,
  })
  t.deepEqual(sound, {
    path: 'sound.wav',
    kind: 'sound',
    channels: 2,
    sampleRate: 8000,
    duration: 0.75,
  })
})

test('media info says what a file is not', async (t) => {
  const inside = folder(t, {
    ...files,
    'text.txt': 'neither',
    'damaged.wav': files['sound.wav'].subarray(0, 30),
    'cut.y4m': files['film.y4m'].subarray(0, 1500),
  })
  for (const [line, code, message] of [
    ['text.txt', 1, /text\.txt is a text and no film/],
    ['missing.png', 1, /missing\.png/],
    ['cut.y4m', 1, /cut\.y4m is cut short/],
    ['damaged.wav', 1, /damaged\.wav/],
    ['sound.wav --max-seconds 0.1', 1, /has more samples than the 0\.1 seconds/],
    ['film.y4m --max-pixels 10', 1, /pixels/],
    ['', 2, /too little was given/],
  ] as const) {
    const found = await inlay(inside, `media info ${line}`)
    t.is(found.code, code, `${line}: ${found.stderr}`)
    t.regex(found.stderr, message)
    t.is(found.stdout, '')
  }
})
