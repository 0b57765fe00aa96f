import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { ClipEncoder, ResNet, Vgg, Vit, WordVectors, loadImageEncoder } from 'inlay'
import { expected, folderOf } from '../fixtures/vision-models.js'
import { folder, inlay } from './inlay.js'

/** A picture of 2 x 2 pixels, the first of which has this red. */
function bmp(red: number): Buffer {
  const bytes = Buffer.from(
    '424d460000000000000036000000280000000200000002000000010018000000000010000000' +
      '130b0000130b000000000000000000000000ffffffff00000000ff0000ff00000000',
    'hex',
  )
  bytes[56] = red
  return bytes
}

test('pictures become vectors, on standard output or in a file', async (t) => {
  const path = folder(t, {})
  await cp(folderOf(expected.vit), join(path, 'model'), { recursive: true })
  await writeFile(join(path, 'a.bmp'), bmp(3))
  await writeFile(join(path, 'b.bmp'), bmp(200))
  using vit = await Vit.load(join(path, 'model'))
  const wanted = await vit.encode([bmp(3), bmp(200)], { layer: 'mean' })
  const printed = await inlay(path, 'images encode model a.bmp b.bmp --layer mean -q')
  t.is(printed.code, 0, printed.stderr)
  const rows = printed.stdout.trim().split('\n')
  t.deepEqual(
    rows.map((row) => Float32Array.from(JSON.parse(row) as number[])),
    Array.from(wanted),
  )
  const saved = await inlay(
    path,
    'images encode model a.bmp b.bmp --layer mean -o rows.safetensors',
  )
  t.is(saved.code, 0, saved.stderr)
  t.regex(saved.stderr, /2 pictures of 32 dimensions in rows\.safetensors/)
  using vectors = await WordVectors.open(join(path, 'rows.safetensors'))
  t.deepEqual(vectors.vector('b.bmp'), wanted.row(1))
})

test('what is missing or none is one line', async (t) => {
  const path = folder(t, { 'text.txt': 'no picture' })
  await writeFile(join(path, 'a.bmp'), bmp(1))
  await cp(folderOf(expected.vit), join(path, 'model'), { recursive: true })
  for (const [words, code, message] of [
    ['model none.png', 1, /none\.png/],
    ['model text.txt', 1, /no picture of a known kind/],
    ['nothing text.txt', 1, /nothing/],
    ['model', 2, /too little/],
    ['model a.bmp --layer no', 2, /--layer/],
    ['model a.bmp -o a.bmp', 2, /must end in/],
    ['model a.npy -o a.npy', 2, /would overwrite/],
  ] as const) {
    const found = await inlay(path, `images encode ${words}`)
    t.is(found.code, code, found.stderr)
    t.regex(found.stderr, message)
    t.is(found.stderr.trim().split('\n').length, 1, found.stderr)
  }
})

test('an encoder is told by its folder or its tensors', async (t) => {
  const golden = (name: string) => join('__test__/golden', name)
  const clip = folderOf(expected.clip)
  for (const [given, kind] of [
    [folderOf(expected.deit), Vit],
    [golden('vgg16.safetensors'), Vgg],
    [golden('resnet18.pth'), ResNet],
  ] as const) {
    using found = await loadImageEncoder(given)
    t.true(found instanceof kind)
  }
  using images = await loadImageEncoder(clip)
  using whole = await ClipEncoder.load(clip)
  const picture = bmp(7)
  t.deepEqual((await images.encode([picture])).values, (await whole.encodeImages([picture])).values)
  await t.throwsAsync(
    loadImageEncoder(folderOf(expected.vit, { config: { model_type: 'bert' } })),
    {
      code: 'UNSUPPORTED',
      message: /loadImageEncoder: a model of type bert; .* vit, deit, dinov2, resnet, clip, siglip/,
    },
  )
  await t.throwsAsync(loadImageEncoder(golden('tensors.pth')), {
    code: 'INVALID_INPUT',
    message: /no Vision Transformer, VGG or ResNet/,
  })
  await t.throwsAsync(loadImageEncoder('none'), { code: 'NOT_FOUND' })
})
