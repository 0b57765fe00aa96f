import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { ClapEncoder, WordVectors, loadSoundEncoder } from 'inlay'
import { clapFolder, expected, sound, wavOf } from '../fixtures/sound-models.js'
import { folder, inlay } from './inlay.js'

const sounds = [sound(700, 97, 2000), sound(2500, 151, 2000)].map(wavOf)

test('sounds become vectors, on standard output or in a file', async (t) => {
  const path = folder(t, {})
  await cp(clapFolder(expected.clap), join(path, 'model'), { recursive: true })
  for (const [at, bytes] of sounds.entries()) await writeFile(join(path, `${at}.wav`), bytes)
  using clap = await ClapEncoder.load(join(path, 'model'))
  const wanted = await clap.encodeSounds(sounds)
  const printed = await inlay(path, 'sounds encode model 0.wav 1.wav -q')
  t.is(printed.code, 0, printed.stderr)
  const rows = printed.stdout.trim().split('\n')
  t.deepEqual(
    rows.map((row) => Float32Array.from(JSON.parse(row) as number[])),
    Array.from(wanted),
  )
  const words = 'sounds encode model 0.wav 1.wav --layer mean -o rows.safetensors'
  const saved = await inlay(path, words)
  t.is(saved.code, 0, saved.stderr)
  t.regex(saved.stderr, /2 sounds of 16 dimensions in rows\.safetensors/)
  using vectors = await WordVectors.open(join(path, 'rows.safetensors'))
  const means = await clap.encodeSounds(sounds, { layer: 'mean' })
  t.deepEqual(vectors.vector('1.wav'), means.row(1))
})

test('what is missing or none is one line', async (t) => {
  const path = folder(t, { 'text.txt': 'no sound' })
  await cp(clapFolder(expected.clap), join(path, 'model'), { recursive: true })
  await writeFile(join(path, 'a.wav'), sounds[1]!)
  for (const [words, code, message] of [
    ['model none.wav', 1, /none\.wav/],
    ['model text.txt', 1, /text\.txt/],
    ['nothing text.txt', 1, /nothing/],
    ['model', 2, /too little/],
    ['model a.wav --layer no', 2, /--layer/],
    ['model a.wav --max-seconds 0.1', 1, /a\.wav/],
    ['model a.wav -o a.wav', 2, /must end in/],
  ] as const) {
    const found = await inlay(path, `sounds encode ${words}`)
    t.is(found.code, code, found.stderr)
    t.regex(found.stderr, message)
    t.is(found.stderr.trim().split('\n').length, 1, found.stderr)
  }
})

test('the tower of sounds is loaded by itself', async (t) => {
  const model = clapFolder(expected.clap)
  using tower = await loadSoundEncoder(model)
  using whole = await ClapEncoder.load(model)
  t.deepEqual((await tower.encode(sounds)).values, (await whole.encodeSounds(sounds)).values)
  await t.throwsAsync(
    loadSoundEncoder(clapFolder(expected.clap, { config: { model_type: 'ast' } })),
    { code: 'UNSUPPORTED', message: /loadSoundEncoder: a model of type ast; .* clap/ },
  )
  await t.throwsAsync(loadSoundEncoder('none'), { code: 'NOT_FOUND' })
})
