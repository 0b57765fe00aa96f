// What Transformers over patches are worth that were trained from scratch: spoken digits by patches of their
// spectrograms, Fashion-MNIST by patches of its pictures.
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  ImagePatches,
  type Layer,
  Network,
  type RawImage,
  type Sound,
  SoundPatches,
  Spectrogram,
  type Tokens,
  crossEntropy,
  dense,
  dropout,
  layerNorm,
  network,
  pool,
  positions,
  readIdx,
  readSound,
  sequence,
  transformerBlock,
} from 'inlay'
import type { Family, Scores, Settings } from './family.js'
import { shelf } from './texts.js'

/** The recordings, unpacked, and the four files of Fashion-MNIST: folders outside the project. */
const digits = process.env['SPOKEN_DIGITS'] ?? join(shelf, 'spoken-digits')
const fashion = process.env['FASHION_MNIST'] ?? join(shelf, 'fashion-mnist')

interface Labelled {
  readonly tokens: Tokens
  readonly labels: readonly number[]
}

export const patchModels: Family = {
  name: 'patch-models',
  summary: 'accuracy of Transformers over patches, trained from scratch',
  about: `SPOKEN_DIGITS names a folder of the 3,000 recordings of the Free Spoken Digit Dataset (the first five of each speaker
and digit are the test), FASHION_MNIST one of the four files of that data set.`,
  options: ['only', 'epochs', 'threads'],
  contests: () => ['patches-digits', 'patches-fashion'],

  async run({ chosen, say, tell, epochs, threads }: Settings) {
    if (chosen('patches-digits')) {
      if (existsSync(digits)) tell(await spokenDigits(3 * epochs, threads))
      else say(`patches-digits: there is no ${digits}`)
    }
    if (chosen('patches-fashion')) {
      if (existsSync(fashion)) tell(await clothes(2 * epochs, threads))
      else say(`patches-fashion: there is no ${fashion}`)
    }
  },
}

async function spokenDigits(epochs: number, threads: number): Promise<Scores> {
  const settings = { sampleRate: 8000, fftSize: 256, windowLength: 200, hop: 80, mels: 40 }
  const spectrogram = new Spectrogram({ ...settings, floor: 1e-6 })
  const cut = new SoundPatches({ spectrogram, size: [4, 40] })
  const parts: Record<'train' | 'test', { sounds: Sound[]; labels: number[] }> = {
    train: { sounds: [], labels: [] },
    test: { sounds: [], labels: [] },
  }
  const files = (await readdir(digits)).filter((file) => /^\d_\w+_\d+\.(flac|wav)$/.test(file))
  for (const file of files.toSorted()) {
    const [digit, , number] = file.split(/[_.]/)
    const part = parts[Number(number) < 5 ? 'test' : 'train']
    // oxlint-disable-next-line no-await-in-loop -- a file after the other is fast enough
    part.sounds.push(await readSound(join(digits, file)))
    part.labels.push(Number(digit))
  }
  const labelled = async ({ sounds, labels }: (typeof parts)['train']): Promise<Labelled> => ({
    tokens: await cut.tokens(sounds),
    labels,
  })
  const layers = [
    layerNorm(),
    dense({ units: 96 }),
    positions(),
    dropout({ probability: 0.1 }),
    ...blocks(2, 96, 0.1),
    layerNorm(),
    pool({ by: 'mean' }),
    dropout({ probability: 0.2 }),
    dense({ units: 10 }),
  ]
  const [train, test] = [await labelled(parts.train), await labelled(parts.test)]
  const title = `Spoken digits, a Transformer over patches of spectrograms, ${epochs} epochs`
  const about = `${train.labels.length} recordings to learn from, ${test.labels.length} to be judged by; patches of 40 ms.`
  return score(
    'patches-digits',
    title,
    about,
    layers,
    { train, test },
    { epochs, threads, batchSize: 32 },
  )
}

async function clothes(epochs: number, threads: number): Promise<Scores> {
  const cut = new ImagePatches({ size: 8, stride: 4, channels: 1 })
  const labelled = async (part: string): Promise<Labelled> => {
    const { items } = await readIdx(join(fashion, `${part}-images-idx3-ubyte.gz`))
    const { values } = await readIdx(join(fashion, `${part}-labels-idx1-ubyte.gz`))
    const picture = (data: (typeof items)[number]): RawImage => ({
      data: data as Uint8Array,
      width: 28,
      height: 28,
      channels: 1,
    })
    return { tokens: await cut.tokens(items.map(picture)), labels: Array.from(values) }
  }
  const layers = [
    dense({ units: 96 }),
    positions({ code: 'learned', length: 36, deviation: 0.02 }),
    ...blocks(2, 96, 0),
    layerNorm(),
    pool({ by: 'mean' }),
    dense({ units: 10 }),
  ]
  const [train, test] = [await labelled('train'), await labelled('t10k')]
  const title = `Fashion-MNIST, a Transformer over patches, ${epochs} epochs`
  const about =
    '60,000 pictures to learn from, 10,000 to be judged by; patches of 8 x 8 pixels, every four pixels.'
  return score(
    'patches-fashion',
    title,
    about,
    layers,
    { train, test },
    { epochs, threads, batchSize: 128 },
  )
}

function blocks(count: number, width: number, share: number): Layer[] {
  const block = (_: unknown, i: number) =>
    transformerBlock({
      name: `blocks.${i}`,
      heads: 4,
      width,
      hidden: 2 * width,
      activation: 'gelu',
      normFirst: true,
      dropout: share,
    })
  return Array.from({ length: count }, block).flat()
}

async function score(
  id: string,
  title: string,
  about: string,
  layers: readonly Layer[],
  { train, test }: { train: Labelled; test: Labelled },
  { epochs, threads, batchSize }: { epochs: number; threads: number; batchSize: number },
): Promise<Scores> {
  const description = network({
    input: sequence({ width: train.tokens.width }),
    layers: [...layers],
    loss: crossEntropy({ labelSmoothing: 0.1 }),
  })
  const begin = process.cpuUsage()
  using model = await Network.train(
    description,
    { inputs: train.tokens, targets: train.labels },
    {
      epochs,
      batchSize,
      learningRate: 0.002,
      schedule: 'cosine',
      warmup: 200,
      clip: 1,
      ...(threads > 0 && { threads }),
    },
  )
  const { user, system } = process.cpuUsage(begin)
  const scores = await model.encode(test.tokens)
  const right = Array.from(scores, (row, i) => row.indexOf(Math.max(...row)) === test.labels[i])
  const accuracy = `${((100 * right.filter(Boolean).length) / right.length).toFixed(1)} %`
  return {
    id,
    title,
    about,
    head: ['accuracy', 'last loss', 'CPU seconds'],
    rows: [[accuracy, model.history.at(-1)!.loss.toFixed(3), ((user + system) / 1e6).toFixed(0)]],
    summary: accuracy,
  }
}
