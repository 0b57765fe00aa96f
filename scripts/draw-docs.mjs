// Draws the pictures of the pages with the built package, from inputs that are made here.
//
//     node scripts/draw-docs.mjs                          all, into docs/pictures
//     node scripts/draw-docs.mjs patches --to FOLDER      some of them, elsewhere
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  ImagePatches,
  MaskedAutoencoder,
  Network,
  PrincipalComponents,
  Spectrogram,
  Tokens,
  Vectors,
  VideoAutoencoder,
  hide,
  network,
  sequence,
} from 'inlay'
import { Sheet, heat, landscape, melody } from './drawing.mjs'

/** Between pictures on a sheet. */
const GAP = 12

const pictures = {
  /** A picture, its patches, and the three principal components of overlapping patches as colours. */
  async patches() {
    const picture = landscape(11, 192, 128)
    const cut = new ImagePatches({ size: 16 })
    const tokens = await cut.tokens([picture])
    const sheet = new Sheet(192 + 228 + 188 + 2 * GAP, 152)
    sheet.lay(picture, 0, 12)
    for (let at = 0; at < tokens.count; at++) {
      const [, row, column] = tokens.positions.subarray(3 * at, 3 * at + 3)
      const input = { modality: 'image', length: 1, extent: [1, 16, 16] }
      const values = tokens.values.subarray(at * cut.width, (at + 1) * cut.width)
      const one = Tokens.from({
        values,
        positions: new Uint32Array(3),
        width: cut.width,
        inputs: [input],
      })
      const [patch] = await cut.restore(one)
      sheet.lay(patch, 192 + GAP + 19 * column, 19 * row)
    }
    const small = new ImagePatches({ size: 8, stride: 4 })
    const overlapping = await small.tokens([picture])
    const vectors = Vectors.from(overlapping.values, small.width)
    const components = await PrincipalComponents.train(vectors, { dimensions: 3, whiten: true })
    const codes = await components.encode(vectors)
    // Two deviations to either side are all that a colour has.
    const data = Uint8Array.from(codes.values, (value) =>
      Math.min(255, Math.max(0, 128 + 64 * value)),
    )
    return sheet.lay({ data, width: 47, height: 31 }, 192 + 228 + 2 * GAP, 14, 4)
  },

  /** Pictures, a quarter of their patches, and what a masked autoencoder makes of these. */
  async masked() {
    const cut = new ImagePatches({ size: 8 })
    const scene = (seed) => landscape(seed, 64, 64)
    const known = await cut.tokens(Array.from({ length: 2000 }, (_, at) => scene(1000 + at)))
    const settings = { dimensions: 96, blocks: 3, decoderDimensions: 64, normalize: false }
    const model = await MaskedAutoencoder.train(known, {
      ...settings,
      epochs: 60,
      batchSize: 16,
      learningRate: 0.002,
      onProgress: told,
    })
    const others = await cut.tokens([3, 5, 8, 13].map(scene))
    const layers = [hide({ mask: { share: 0.75 }, keep: 'visible' })]
    const hider = await Network.create(network({ input: sequence({ width: cut.width }), layers }))
    const visible = await hider.encodeSteps(others)
    const seen = Tokens.from({
      ...others,
      values: Float32Array.from(visible.flatMap((rows) => Array.from(rows.values))),
    })
    const rows = [
      await cut.restore(others),
      await cut.restore(seen),
      await cut.restore(await model.reconstruct(others)),
    ]
    const sheet = new Sheet(4 * 128 + 3 * GAP, 3 * 128 + 2 * GAP)
    for (const [row, all] of rows.entries()) {
      for (const [column, one] of all.entries())
        sheet.lay(one, column * (128 + GAP), row * (128 + GAP), 2)
    }
    return sheet
  },

  /** Frames of a film, and the same from a latent of a 48th of the numbers. */
  async latents() {
    const film = (seed, frames = 25) =>
      Array.from({ length: frames }, (_, at) => ({
        ...landscape(seed, 160, 96, 3 * at),
        time: at / 12,
      }))
    const known = Array.from({ length: 12 }, (_, at) => film(100 + at))
    const model = await VideoAutoencoder.train(known, { hidden: 64, epochs: 8, onProgress: told })
    const latent = await model.encode(film(7))
    const frames = []
    for await (const frame of model.decode(latent)) frames.push(frame)
    const { psnr } = await model.evaluate([film(7)])
    console.log(`latents: ${latent.shape.join(' x ')}, ${psnr.toFixed(1)} dB`)
    const sheet = new Sheet(3 * 160 + 2 * GAP, 2 * 96 + GAP)
    for (const [column, at] of [0, 12, 24].entries()) {
      sheet.lay(film(7)[at], column * (160 + GAP), 0)
      sheet.lay(frames[at], column * (160 + GAP), 96 + GAP)
    }
    return sheet
  },

  /** A log-mel spectrogram, low tones below. */
  async spectrogram() {
    const spectrogram = new Spectrogram({
      sampleRate: 16_000,
      fftSize: 512,
      hop: 160,
      mels: 80,
      log: 'decibels',
      range: 70,
    })
    const { values, frames, bands } = await spectrogram.transform(melody(3, 16_000))
    const most = values.reduce((highest, value) => Math.max(highest, value), -Infinity)
    const data = new Uint8Array(frames * bands * 3)
    for (let frame = 0; frame < frames; frame++) {
      for (let band = 0; band < bands; band++) {
        const colour = heat(1 + (values[frame * bands + band] - most) / 70)
        data.set(colour.map(Math.round), ((bands - 1 - band) * frames + frame) * 3)
      }
    }
    return new Sheet(2 * frames, 2 * bands).lay({ data, width: frames, height: bands }, 0, 0, 2)
  },
}

function told({ epoch, loss, done, total }) {
  if (process.stderr.isTTY) process.stderr.write(`\repoch ${epoch} loss ${loss} ${done}/${total} `)
}

const {
  values: { to },
  positionals,
} = parseArgs({
  options: { to: { type: 'string', default: join(import.meta.dirname, '..', 'docs', 'pictures') } },
  allowPositionals: true,
})
mkdirSync(to, { recursive: true })
for (const name of positionals.length > 0 ? positionals : Object.keys(pictures)) {
  const png = (await pictures[name]()).png()
  writeFileSync(join(to, `${name}.png`), png)
  console.log(`${name}.png: ${png.length} bytes`)
}
