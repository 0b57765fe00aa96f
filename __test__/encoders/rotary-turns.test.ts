// Models whose rotary positions were stretched to longer texts: the vectors of transformers.
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { Network, SentenceEncoder, network, selfAttention, sequence } from 'inlay'
import { folder } from '../fixtures/folder.js'

const golden = fileURLToPath(new URL('../../../__test__/golden/text-models', import.meta.url))

interface Stretched {
  readonly texts: string[]
  readonly models: {
    readonly name: string
    readonly parameters: Record<string, Record<string, unknown>>
    readonly vectors: number[][]
  }[]
}

const { texts, models } = JSON.parse(
  await readFile(join(golden, 'stretched.json'), 'utf8'),
) as Stretched

/** The folder of a ModernBERT with other turns. */
async function folderWith(t: ExecutionContext, parameters: object): Promise<string> {
  const copy = join(folder(t), 'model')
  await cp(join(golden, 'modernbert'), copy, { recursive: true })
  const file = join(copy, 'config.json')
  const config = JSON.parse(await readFile(file, 'utf8')) as object
  await writeFile(file, JSON.stringify({ ...config, rope_parameters: parameters }))
  return copy
}

const apart = (found: Float32Array, wanted: ArrayLike<number>) =>
  found.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0)

for (const { name, parameters, vectors } of models) {
  test(`positions stretched by ${name} give the vectors of transformers`, async (t) => {
    using encoder = await SentenceEncoder.load(await folderWith(t, parameters))
    using plain = await SentenceEncoder.load(join(golden, 'modernbert'))
    const found = await encoder.encode(texts, { normalize: true })
    const others = await plain.encode(texts, { normalize: true })
    for (const [i, wanted] of vectors.entries()) {
      t.true(apart(found.row(i), wanted) < 2e-6, `text ${i}: ${apart(found.row(i), wanted)}`)
      t.true(apart(found.row(i), others.row(i)) > 1e-4, 'the stretching is seen')
    }
  })
}

test('turns that cannot be made are refused', async (t) => {
  const theta = { rope_theta: 10_000 }
  const cases: [object, string, RegExp][] = [
    [{ rope_type: 'dynamic', factor: 2 }, 'UNSUPPORTED', /positions of type "dynamic"/],
    [{ rope_type: 'longrope', factor: 2 }, 'UNSUPPORTED', /positions of type "longrope"/],
    [{ partial_rotary_factor: 0.5 }, 'UNSUPPORTED', /of a part of its heads/],
    [{ rope_type: 'linear' }, 'INVALID_INPUT', /a `factor` above 0/],
    [{ rope_type: 'yarn', factor: 2 }, 'INVALID_INPUT', /`original_max_position_embeddings`/],
    [{ rope_theta: -1 }, 'INVALID_INPUT', /a `rope_theta` above 0/],
  ]
  for (const [said, code, message] of cases) {
    const path = await folderWith(t, { full_attention: { ...theta, ...said } })
    await t.throwsAsync(SentenceEncoder.load(path), { code, message })
  }
})

test('speeds turn as the base does that they come of, and what cannot turn is refused', async (t) => {
  const input = sequence({ width: 8 })
  const made = async (rotary: Parameters<typeof selfAttention>[0]['rotary']) => {
    const layers = [selfAttention({ name: 'look', heads: 2, rotary })]
    using found = await Network.create(network({ input, layers }), { seed: 3 })
    const [rows] = await found.encodeSteps([
      Float32Array.from({ length: 80 }, (_, i) => (i % 7) - 3),
    ])
    return rows!.values
  }
  const byBase = await made(100)
  t.true(apart(await made({ speeds: [1, Math.fround(0.1)] }), byBase) < 1e-5)
  t.true(apart(await made({ speeds: [1, 0.5] }), byBase) > 1e-3)
  t.true(apart(await made({ speeds: [1, Math.fround(0.1)], scale: 2 }), byBase) > 1e-3)
  await t.throwsAsync(made({ speeds: [1] }), { message: /a speed for each of 2 pairs/ })
  for (const wrong of [0, {}, { speeds: [-1, 1] }, { speeds: [1, 1], scale: 0 }, 'fast']) {
    const option = { heads: 2, rotary: wrong as number }
    t.throws(() => selfAttention(option), { code: 'INVALID_OPTION', message: /rotary/ })
  }
})
