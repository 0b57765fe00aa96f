// Files of models with other bytes than they were written with.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  ImagePatches,
  InlayError,
  MaskedAutoencoder,
  PrincipalComponents,
  Vectors,
  VideoAutoencoder,
} from 'inlay'
import { drawsFrom } from '../fixtures/damaged-files.js'
import { folder } from '../fixtures/folder.js'
import { randomImage } from '../fixtures/media.js'
import { movingShapes } from '../fixtures/moving-shapes.js'

interface Saved {
  save(path: string): Promise<void>
}

/** A model, and all that a file is asked for: whatever it holds, it gives an answer or one error. */
interface Known {
  train(): Promise<Saved>
  use(path: string): Promise<void>
}

const film = movingShapes(5, { width: 12, height: 8 })
const cut = new ImagePatches({ size: 4 })
const tokens = await cut.tokens([randomImage(8, 12, 3, 1), randomImage(8, 8, 3, 2)])
const vectors = Vectors.from(tokens.values.slice(0, 480), 24)

const models: Record<string, Known> = {
  VideoAutoencoder: {
    train: () =>
      VideoAutoencoder.train([film], {
        space: 4,
        time: 2,
        channels: 4,
        hidden: 4,
        depth: 1,
        crop: 8,
        frames: 3,
        windows: 2,
        epochs: 1,
        threads: 1,
      }),
    async use(path) {
      using model = await VideoAutoencoder.open(path)
      const latent = await model.encode(film, { threads: 1 })
      for await (const { data } of model.decode(latent, { threads: 1 })) void data.length
      await model.evaluate([film], { threads: 1 })
    },
  },
  MaskedAutoencoder: {
    train: () =>
      MaskedAutoencoder.train(tokens, {
        dimensions: 8,
        blocks: 1,
        heads: 2,
        decoderDimensions: 4,
        epochs: 1,
        threads: 1,
      }),
    async use(path) {
      using model = await MaskedAutoencoder.open(path)
      await model.encode(tokens, { threads: 1 })
      await model.reconstruct(tokens, { threads: 1 })
    },
  },
  PrincipalComponents: {
    train: () => PrincipalComponents.train(vectors, { dimensions: 3, whiten: true }),
    async use(path) {
      using model = await PrincipalComponents.open(path)
      await model.decode(await model.encode(vectors, { threads: 1 }), { threads: 1 })
    },
  },
}

/** Byte errors that are likely to be read: digits and letters among names and numbers of the header, and anything. */
function* damaged(whole: Buffer, rounds: number): Generator<Buffer> {
  const random = drawsFrom(7)
  const head = 8 + Number(whole.readBigUInt64LE(0))
  for (let i = 0; i < rounds; i++) {
    const bytes = Buffer.from(whole)
    const [place, kind] = [random(i % 4 === 0 ? whole.length : head), random(3)]
    bytes[place] = kind === 0 ? 48 + random(10) : kind === 1 ? 97 + random(26) : random(256)
    yield i % 10 === 9 ? bytes.subarray(0, random(whole.length)) : bytes
  }
}

for (const [name, { train, use }] of Object.entries(models)) {
  test(`${name}: a file with other bytes gives answers or one error`, async (t) => {
    const path = join(folder(t), 'model.safetensors')
    using model = (await train()) as Saved & Disposable
    await model.save(path)
    await use(path)
    const codes = new Set<string>()
    for (const bytes of damaged(readFileSync(path), 300)) {
      writeFileSync(path, bytes)
      try {
        await use(path)
        codes.add('none')
      } catch (error) {
        if (!(error instanceof InlayError)) throw error
        codes.add(error.code)
        t.true(['INVALID_INPUT', 'UNSUPPORTED'].includes(error.code), String(error))
      }
    }
    // Both are met: what is damaged is found, and what means nothing is let be.
    t.true(codes.has('none') && codes.has('INVALID_INPUT'), [...codes].join(', '))
  })
}

test('a record of a video autoencoder that cannot be is an error before layers are made of it', async (t) => {
  const path = join(folder(t), 'model.safetensors')
  const { train, use } = models['VideoAutoencoder']!
  using model = (await train()) as VideoAutoencoder
  const { description } = model.network
  for (const wrong of [{ depth: 1e7 }, { depth: -1 }, { divergence: -1 }, { space: 0 }]) {
    const about = { ...(description.about as object), ...wrong }
    using other = await model.network.transfer({ ...description, about })
    await other.save(path)
    const [name] = Object.keys(wrong)
    await t.throwsAsync(use(path), {
      code: 'INVALID_INPUT',
      message: new RegExp(`VideoAutoencoder.open: .*\`${name}\` must be`),
    })
  }
})
