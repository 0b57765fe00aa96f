import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import ava, { type ExecutionContext } from 'ava'
import { ImageAutoencoder, ImageCnn, readPictures } from 'inlay'
import { bmpOf } from '../fixtures/bmp.js'
import { allRefused, folder, goesOnAfter, inlay } from './inlay.js'

// One process at a time: dozens at once would only wait for each other.
const test = ava.serial

const SIDE = 8
/** Bright on the left, or above: by the number of the picture, no two alike. */
const brightness = (label: number, at: number, column: number, row: number) =>
  (label === 0 ? column : row) < SIDE / 2 ? 200 + (at % 50) : (at * 7) % 40

/** An array of bytes of MNIST's format. */
function idx(axes: readonly number[], bytes: Iterable<number>): Buffer {
  const header = Buffer.alloc(4 + 4 * axes.length)
  header.set([0, 0, 8, axes.length])
  for (const [i, axis] of axes.entries()) header.writeUInt32BE(axis, 4 + 4 * i)
  return Buffer.concat([header, Buffer.from([...bytes])])
}

const count = 60
const places = Array.from(
  { length: SIDE * SIDE },
  (_, i) => [i % SIDE, Math.floor(i / SIDE)] as const,
)
const pixels = Array.from({ length: count }, (_, at) =>
  places.map(([column, row]) => brightness(at % 2, at, column, row)),
).flat()
const images = idx([count, SIDE, SIDE], pixels)
const labels = idx(
  [count],
  Array.from({ length: count }, (_, at) => at % 2),
)

/** A folder of pictures for each label. */
function pictures(t: ExecutionContext, size = SIDE): string {
  const inside = folder(t)
  for (const [label, name] of ['left', 'above'].entries()) {
    mkdirSync(join(inside, 'shapes', name), { recursive: true })
    for (let at = 0; at < count / 2; at++) {
      const scale = SIDE / size
      const picture = bmpOf(size, size, (column, row) => {
        const value = brightness(label, at, column * scale, row * scale)
        return [value, value, 255 - value]
      })
      writeFileSync(join(inside, 'shapes', name, `${at}.bmp`), picture)
    }
  }
  return inside
}

const fast = '--epochs 6 --channels 4 --hidden 8 --dropout 0 --batch-size 8 --threads 1'

test("a classifier is learnt from files of MNIST's format, and asked about picture files", async (t) => {
  const inside = folder(t, {
    'images.gz': gzipSync(images),
    'labels.gz': gzipSync(labels),
    'left.bmp': bmpOf(16, 16, (column) => (column < 8 ? [220, 220, 220] : [9, 9, 9])),
    'above.bmp': bmpOf(16, 16, (_, row) => (row < 8 ? [220, 220, 220] : [9, 9, 9])),
  })
  const trained = await inlay(
    inside,
    `images train images.gz --labels labels.gz -o m.safetensors ${fast} --learning-rate 0.02
     --validation images.gz --validation-labels labels.gz --label-weights 1=2`,
  )
  t.is(trained.code, 0, trained.stderr)
  t.is(trained.stdout, '')
  t.regex(
    trained.stderr,
    /\n2 labels of pictures of 8 x 8 x 1; a loss of .* of 6, .* on images\.gz; m\.safetensors\n$/,
  )
  const found = await inlay(inside, 'images evaluate m.safetensors images.gz --labels labels.gz -q')
  t.regex(found.stdout, /^pictures\t60\naccuracy\t1\.0000\nmacro F1\t1\.0000\nlabel\tpictures\t/)

  const said = await inlay(inside, 'images predict m.safetensors left.bmp above.bmp -k 2')
  t.is(said.code, 0, said.stderr)
  t.regex(
    said.stdout,
    /^left\.bmp\t0\t[01]\.\d+\t1\t0\.\d+\nabove\.bmp\t1\t[01]\.\d+\t0\t0\.\d+\n$/,
  )

  using model = await ImageCnn.open(join(inside, 'm.safetensors'))
  const files = ['left.bmp', 'above.bmp'].map((name) => join(inside, name))
  const wanted = await model.encode(readPictures(files, { shape: model.shape }), { layer: 'pool1' })
  const rows = await inlay(
    inside,
    'images encode m.safetensors left.bmp above.bmp --layer pool1 -q',
  )
  t.deepEqual(
    rows.stdout
      .trim()
      .split('\n')
      .map((row) => Float32Array.from(JSON.parse(row) as number[])),
    Array.from(wanted),
  )
})

test('a classifier is learnt from folders of pictures, which are brought to one size', async (t) => {
  const inside = pictures(t, 24)
  const trained = await inlay(
    inside,
    `images train shapes -o m.safetensors --height 8 --width 8 ${fast} --learning-rate 0.02 -q`,
  )
  t.deepEqual(trained, { code: 0, signal: null, stdout: '', stderr: '' })
  using model = await ImageCnn.open(join(inside, 'm.safetensors'))
  t.deepEqual(
    [model.labels, model.shape],
    [
      ['above', 'left'],
      [8, 8, 3],
    ],
  )
  const found = await inlay(inside, 'images evaluate m.safetensors shapes -q --json')
  t.like(JSON.parse(found.stdout), {
    count: 60,
    confusion: [
      [30, 0],
      [0, 30],
    ],
  })
  const own = await inlay(
    inside,
    `images train shapes -o grey.safetensors --grey ${fast} --epochs 1`,
  )
  t.regex(own.stderr, /pictures of 24 x 24 x 1; /)
})

for (const [architecture, flags] of [
  ['autoencoder', '--channels 4'],
  ['dense-autoencoder', '--hidden 16 --noise 0.1'],
] as const) {
  test(`${architecture}: no labels are needed, and codes are made`, async (t) => {
    const inside = folder(t, { images })
    const trained = await inlay(
      inside,
      `images train images -a ${architecture} ${flags} --code 3 -o m.safetensors --epochs 20 --batch-size 8
       --learning-rate 0.01 --threads 1`,
    )
    t.is(trained.code, 0, trained.stderr)
    t.regex(trained.stderr, /\ncodes of 3 values of pictures of 8 x 8 x 1; a loss of /)
    using model = await ImageAutoencoder.open(join(inside, 'm.safetensors'))
    const found = await inlay(inside, 'images evaluate m.safetensors images -q --json')
    const items = Array.from({ length: count }, (_, at) =>
      Uint8Array.from(pixels.slice(at * SIDE * SIDE, (at + 1) * SIDE * SIDE)),
    )
    t.deepEqual(JSON.parse(found.stdout), await model.evaluate(items))
    t.true((await model.evaluate(items)).meanSquaredError < 0.05)
    const told = await inlay(inside, 'images evaluate m.safetensors images -q')
    t.regex(told.stdout, /^pictures\t60\nmean squared error\t0\.\d+\n$/)
    writeFileSync(
      join(inside, 'a.bmp'),
      bmpOf(8, 8, () => [255, 0, 0]),
    )
    const codes = await inlay(inside, 'images encode m.safetensors a.bmp -q')
    t.is((JSON.parse(codes.stdout) as number[]).length, 3)
    const none = await inlay(inside, 'images predict m.safetensors a.bmp')
    t.is(none.code, 1)
    t.regex(none.stderr, /holds an autoencoder, which knows no labels/)
  })
}

test('Ctrl-C leaves a checkpoint and ends with 130; the command goes on from it', async (t) => {
  const inside = folder(t, { images, labels })
  const command = `images train images --labels labels -o m.safetensors ${fast} --epochs 200`
  await goesOnAfter(t, ['SIGINT', 130], inside, command)
  t.true(existsSync(join(inside, 'm.safetensors')))
})

test('wrong use is exit code 2, wrong data 1, both in one line', async (t) => {
  const inside = pictures(t)
  const made = { images, labels, short: images.subarray(0, 300), damaged: 'no model' }
  for (const [name, content] of Object.entries(made)) writeFileSync(join(inside, name), content)
  writeFileSync(join(inside, 'wide'), idx([count, 4, 16], pixels))
  mkdirSync(join(inside, 'empty'))
  await inlay(inside, `images train images --labels labels -o m.safetensors ${fast} --epochs 1 -q`)
  await allRefused(t, inside, 'images', [
    ['train images --labels labels', 2, /-o MODEL is missing/],
    ['train images --labels labels -o labels', 2, /overwrite labels/],
    ['train images -o x -q', 2, /the labels of images are missing/],
    ['train shapes --labels labels -o x -q', 2, /folders are labels themselves/],
    ['train images --labels labels --height 8 -o x -q', 2, /for folders of pictures/],
    ['train images -a autoencoder --labels labels -o x', 2, /--labels has no meaning with --arch/],
    ['train images -a autoencoder --hidden 8 -o x', 2, /--hidden has no meaning with --arch/],
    ['train images -a autoencoder --label-weights a=1 -o x', 2, /--label-weights has no meaning/],
    ['train images -a dense --channels 8 -o x', 2, /--channels has no meaning with --arch/],
    ['train images --labels labels --channels 8,x -o x -q', 2, /--channels must be an array of/],
    ['train images --validation-labels labels -o x', 2, /without --validation/],
    ['evaluate m.safetensors images -q', 2, /the labels of images are missing/],
    ['train short --labels labels -o x -q', 1, /short/],
    ['train labels --labels labels -o x -q', 1, /labels holds no pictures, but items of 0 axes/],
    ['train images --labels images -o x -q', 1, /a label for each of 60 pictures is wanted/],
    ['train missing --labels labels -o x -q', 1, /missing/],
    ['train empty -o x -q', 1, /no pictures in folders of empty/],
    ['evaluate m.safetensors wide --labels labels -q', 1, /of 4 x 16 x 1, not of 8 x 8 x 1/],
    ['evaluate m.safetensors shapes -q', 1, /the pictures must be of the labels .* got "above"/],
    ['evaluate damaged images --labels labels -q', 1, /damaged/],
    ['predict damaged shapes/left/0.bmp', 1, /damaged/],
    ['predict m.safetensors images', 1, /images.* no picture/],
    ['encode damaged shapes/left/0.bmp -q', 1, /damaged/],
  ])
  t.false(existsSync(join(inside, 'x')))
})
