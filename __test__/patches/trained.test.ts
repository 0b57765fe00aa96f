// Transformers over patches, trained from scratch on real data: what is wanted of them is what the field has from far larger ones.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
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

const recordings = join(process.env['INLAY_DATA'] ?? '', 'media/fsdd/recordings-flac.zip')
const clothes = process.env['FASHION_MNIST'] ?? ''

interface Labelled {
  readonly tokens: Tokens
  readonly labels: readonly number[]
}

/** Files of an archive that holds them as they are. */
function* storedFiles(archive: Buffer): Generator<[name: string, bytes: Buffer]> {
  for (let at = 0; archive.readUInt32LE(at) === 0x04034b50;) {
    const [size, name, extra] = [18, 26, 28].map((from, i) =>
      i === 0 ? archive.readUInt32LE(at + from) : archive.readUInt16LE(at + from),
    ) as [number, number, number]
    const begin = at + 30 + name + extra
    yield [archive.toString('utf8', at + 30, at + 30 + name), archive.subarray(begin, begin + size)]
    at = begin + size
  }
}

function block(name: string, share: number): readonly Layer[] {
  const shape = { heads: 4, width: 96, hidden: 192, activation: 'gelu', normFirst: true } as const
  return transformerBlock({ name, ...shape, dropout: share })
}

/** The share of test inputs that a network of these layers tells right. */
async function accuracy(
  layers: readonly Layer[],
  train: Labelled,
  judged: Labelled,
  options: { readonly epochs: number; readonly batchSize: number },
): Promise<number> {
  const description = network({
    input: sequence({ width: train.tokens.width }),
    layers: [...layers],
    loss: crossEntropy({ labelSmoothing: 0.1 }),
  })
  using model = await Network.train(
    description,
    { inputs: train.tokens, targets: train.labels },
    { ...options, learningRate: 0.002, schedule: 'cosine', warmup: 200, clip: 1 },
  )
  const scores = await model.encode(judged.tokens)
  const right = Array.from(scores, (row, i) => row.indexOf(Math.max(...row)) === judged.labels[i])
  return right.filter(Boolean).length / right.length
}

function skipped(t: ExecutionContext, what: string): void {
  t.log(`skipped: ${what}`)
  t.pass()
}

test('spoken digits are told apart by patches of their spectrograms', async (t) => {
  t.timeout(600_000)
  if (!existsSync(recordings)) return skipped(t, 'INLAY_DATA has no media/fsdd/recordings-flac.zip')
  const spectrogram = new Spectrogram({
    sampleRate: 8000,
    fftSize: 256,
    windowLength: 200,
    hop: 80,
    mels: 40,
    floor: 1e-6,
  })
  const cut = new SoundPatches({ spectrogram, size: [4, 40] })
  const parts = { train: [] as [Sound, number][], judged: [] as [Sound, number][] }
  for (const [name, bytes] of storedFiles(readFileSync(recordings))) {
    const [digit, , number] = name.split(/[_.]/)
    // The first five of each speaker and digit are what the authors of the data set test with.
    const part = parts[Number(number) < 5 ? 'judged' : 'train']
    // oxlint-disable-next-line no-await-in-loop -- a file after the other is fast enough
    part.push([await readSound(bytes), Number(digit)])
  }
  t.deepEqual([parts.train.length, parts.judged.length], [2700, 300])
  const labelled = async (part: readonly [Sound, number][]): Promise<Labelled> => ({
    tokens: await cut.tokens(part.map(([sound]) => sound)),
    labels: part.map(([, digit]) => digit),
  })
  const layers = [
    layerNorm(),
    dense({ units: 96 }),
    positions(),
    dropout({ probability: 0.1 }),
    ...block('blocks.0', 0.1),
    ...block('blocks.1', 0.1),
    layerNorm(),
    pool({ by: 'mean' }),
    dense({ units: 10 }),
  ]
  const settings = { epochs: 15, batchSize: 32 }
  const share = await accuracy(
    layers,
    await labelled(parts.train),
    await labelled(parts.judged),
    settings,
  )
  t.log(`${(100 * share).toFixed(1)} %`)
  t.true(share >= 0.95)
})

test('pictures of clothes are told apart by their patches', async (t) => {
  t.timeout(1_800_000)
  if (!existsSync(join(clothes, 'train-images-idx3-ubyte.gz'))) {
    return skipped(t, 'FASHION_MNIST names no folder of the four files of Fashion-MNIST')
  }
  const cut = new ImagePatches({ size: 8, stride: 4, channels: 1 })
  const labelled = async (part: string): Promise<Labelled> => {
    const { items } = await readIdx(join(clothes, `${part}-images-idx3-ubyte.gz`))
    const { values } = await readIdx(join(clothes, `${part}-labels-idx1-ubyte.gz`))
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
    ...block('blocks.0', 0),
    ...block('blocks.1', 0),
    layerNorm(),
    pool({ by: 'mean' }),
    dense({ units: 10 }),
  ]
  const settings = { epochs: 10, batchSize: 128 }
  const share = await accuracy(layers, await labelled('train'), await labelled('t10k'), settings)
  t.log(`${(100 * share).toFixed(1)} %`)
  t.true(share >= 0.88)
})
