import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import ava from 'ava'
import { VideoAutoencoder, readVideo } from 'inlay'
import { y4m } from '../fixtures/media-files.js'
import { folder, inlay } from './inlay.js'

// One process at a time: dozens at once would only wait for each other.
const test = ava.serial

const greys = (from: number, count: number) =>
  Buffer.concat([
    ...y4m(
      32,
      32,
      8,
      Array.from({ length: count }, (_, i) => 40 + ((from + 9 * i) % 180)),
    ),
  ])
const flags = '--crop 8 --frames 5 --hidden 8 --depth 1 --channels 4 --windows 8 --epochs 2'

test('video train writes a model that evaluate judges', async (t) => {
  const inside = folder(t, { 'a.y4m': greys(0, 12), 'b.y4m': greys(50, 9), 'c.y4m': greys(80, 7) })
  const train = `video train a.y4m b.y4m -o m.safetensors --height 16 --validation c.y4m ${flags}`
  const trained = await inlay(inside, train)
  t.is(trained.code, 0, trained.stderr)
  t.regex(trained.stderr, /2 films learnt from, m\.safetensors written\n$/)
  const { code, stdout, stderr } = await inlay(
    inside,
    'video evaluate m.safetensors a.y4m c.y4m --height 16',
  )
  t.is(code, 0, stderr)
  t.regex(stdout, /^a\.y4m\t\d+\.\d\d\nc\.y4m\t\d+\.\d\d\nall\t\d+\.\d\d\n$/)
  using model = await VideoAutoencoder.open(join(inside, 'm.safetensors'))
  const film = () => readVideo(join(inside, 'c.y4m'), { height: 16 })
  const { psnr } = await model.evaluate([film()])
  t.true(stdout.includes(`c.y4m\t${psnr.toFixed(2)}\n`), `${stdout} ${psnr}`)
})

test('video train goes on from its checkpoint, and says what is wrong', async (t) => {
  const inside = folder(t, { 'a.y4m': greys(0, 12), 'not.txt': 'no film' })
  const train = (rest: string) => inlay(inside, `video train ${rest} ${flags} -q`)
  t.is((await train('a.y4m -o one.safetensors --resume a.checkpoint')).code, 0)
  t.is((await train('a.y4m -o two.safetensors --resume a.checkpoint')).code, 0)
  const [one, two] = ['one', 'two'].map((name) => readFileSync(join(inside, `${name}.safetensors`)))
  t.deepEqual(one, two)
  const missing = await train('a.y4m')
  t.is(missing.code, 2)
  t.regex(missing.stderr, /-o MODEL is missing/)
  const text = await train('not.txt -o m.safetensors')
  t.is(text.code, 1)
  t.regex(text.stderr, /not\.txt is a text and no film/)
  const wrong = await train('a.y4m -o m.safetensors --space 0')
  t.is(wrong.code, 2)
  t.regex(wrong.stderr, /--space/)
})

test('video encode writes a latent that decode makes a film of again, to a file or for the next program', async (t) => {
  const inside = folder(t, { 'a.y4m': greys(0, 14), 'b.y4m': greys(70, 6) })
  await inlay(inside, `video train a.y4m b.y4m -o m.safetensors ${flags} -q`)
  const encoded = await inlay(inside, 'video encode m.safetensors a.y4m -o a.latent')
  t.deepEqual([encoded.code, encoded.stdout], [0, ''], encoded.stderr)
  const decoded = await inlay(inside, 'video decode m.safetensors a.latent -o again.y4m')
  t.deepEqual([decoded.code, decoded.stdout], [0, ''], decoded.stderr)
  t.deepEqual(readdirSync(inside).toSorted(), [
    'a.latent',
    'a.y4m',
    'again.y4m',
    'b.y4m',
    'm.safetensors',
  ])
  const bytes = readFileSync(join(inside, 'again.y4m'))
  t.is(bytes.indexOf('YUV4MPEG2 W32 H32 F8:1 '), 0)
  const piped = await inlay(inside, 'video decode m.safetensors a.latent --rate 4')
  t.is(piped.code, 0, piped.stderr)
  t.true(piped.stdout.startsWith('YUV4MPEG2 W32 H32 F4:1 '))

  using model = await VideoAutoencoder.open(join(inside, 'm.safetensors'))
  const wanted: Uint8Array[] = []
  const latent = await model.encode(join(inside, 'a.y4m'))
  for await (const { data } of model.decode(latent)) wanted.push(data)
  let [frames, far] = [0, 0]
  for await (const { data, time } of readVideo(join(inside, 'again.y4m'))) {
    t.is(time, frames / 8)
    far = data.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - wanted[frames]![i]!)),
      far,
    )
    frames += 1
  }
  t.is(frames, 14)
  t.true(far <= 2, `${far}`)
})

test('video encode and decode say what is wrong, and leave nothing behind', async (t) => {
  const inside = folder(t, { 'a.y4m': greys(0, 9), 'cut.y4m': greys(0, 9).subarray(0, 5000) })
  await inlay(inside, `video train a.y4m -o m.safetensors ${flags} -q`)
  const before = readdirSync(inside).toSorted()
  for (const [line, code, message] of [
    ['encode m.safetensors a.y4m', 2, /-o LATENT is missing/],
    ['encode m.safetensors a.y4m -o a.y4m', 2, /a\.y4m/],
    ['encode m.safetensors cut.y4m -o a.latent', 1, /is cut short/],
    ['encode a.y4m a.y4m -o a.latent', 1, /a\.y4m, byte 0: the header/],
    ['decode m.safetensors m.safetensors -o b.y4m', 1, /is not a latent of a film/],
    ['decode m.safetensors missing -o b.y4m', 1, /missing/],
    ['decode m.safetensors a.latent -o b.y4m --rate 0', 2, /--rate/],
  ] as const) {
    const found = await inlay(inside, `video ${line}`)
    t.is(found.code, code, line)
    t.regex(found.stderr, message)
    t.deepEqual(readdirSync(inside).toSorted(), before, line)
  }
})
