// Two tasks for Transformers over patches that are trained from scratch: spoken digits by patches of their spectrograms,
// Fashion-MNIST by patches of its pictures.
import { readFile } from 'node:fs/promises'
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
import { dataFolder } from './texts.js'

/** The 3,000 recordings of the Free Spoken Digit Dataset. */
export const digitsArchive = join(dataFolder, 'media', 'fsdd', 'recordings-flac.zip')
/** A folder outside the project: the four files of Fashion-MNIST. */
export const fashionFolder = process.env['FASHION_MNIST'] ?? ''

/** How a network learns. */
export interface TaskOptions {
  readonly epochs: number
  readonly threads?: number | undefined
}

/** What a network learnt. */
export interface TaskOutcome {
  /** The share of test inputs that it tells right. */
  readonly accuracy: number
  readonly loss: number
  /** CPU seconds of the training. */
  readonly seconds: number
  /** Inputs that it learnt from, and those that it is judged by. */
  readonly inputs: readonly [train: number, test: number]
}

interface Labelled {
  readonly tokens: Tokens
  readonly labels: readonly number[]
}

const WIDTH = 96

/** Spoken digits: those that the authors of the data set test with are the first five of each speaker and digit. */
export async function spokenDigits(options: TaskOptions): Promise<TaskOutcome> {
  const settings = { sampleRate: 8000, fftSize: 256, windowLength: 200, hop: 80, mels: 40 }
  const spectrogram = new Spectrogram({ ...settings, floor: 1e-6 })
  const cut = new SoundPatches({ spectrogram, size: [4, 40] })
  const parts = { train: [] as [Sound, number][], test: [] as [Sound, number][] }
  for (const [name, bytes] of storedFiles(await readFile(digitsArchive))) {
    const [digit, , number] = name.split(/[_.]/)
    const part = parts[Number(number) < 5 ? 'test' : 'train']
    // oxlint-disable-next-line no-await-in-loop -- a file after the other is fast enough
    part.push([await readSound(bytes), Number(digit)])
  }
  const labelled = async (part: readonly [Sound, number][]): Promise<Labelled> => ({
    tokens: await cut.tokens(part.map(([sound]) => sound)),
    labels: part.map(([, digit]) => digit),
  })
  const layers = [
    layerNorm(),
    dense({ units: WIDTH }),
    positions(),
    dropout({ probability: 0.1 }),
    ...blocks(0.1),
    layerNorm(),
    pool({ by: 'mean' }),
    dropout({ probability: 0.2 }),
    dense({ units: 10 }),
  ]
  const [train, test] = [await labelled(parts.train), await labelled(parts.test)]
  return learnt(layers, train, test, { ...options, batchSize: 32 })
}

/** Fashion-MNIST: 60,000 pictures to learn from, 10,000 to be judged by. */
export async function clothes(options: TaskOptions): Promise<TaskOutcome> {
  const cut = new ImagePatches({ size: 8, stride: 4, channels: 1 })
  const labelled = async (part: string): Promise<Labelled> => {
    const { items } = await readIdx(join(fashionFolder, `${part}-images-idx3-ubyte.gz`))
    const { values } = await readIdx(join(fashionFolder, `${part}-labels-idx1-ubyte.gz`))
    const picture = (data: (typeof items)[number]): RawImage => ({
      data: data as Uint8Array,
      width: 28,
      height: 28,
      channels: 1,
    })
    return { tokens: await cut.tokens(items.map(picture)), labels: Array.from(values) }
  }
  const layers = [
    dense({ units: WIDTH }),
    positions({ code: 'learned', length: 36, deviation: 0.02 }),
    ...blocks(0),
    layerNorm(),
    pool({ by: 'mean' }),
    dense({ units: 10 }),
  ]
  const [train, test] = [await labelled('train'), await labelled('t10k')]
  return learnt(layers, train, test, { ...options, batchSize: 128 })
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

function blocks(share: number): Layer[] {
  const shape = { heads: 4, width: WIDTH, hidden: 2 * WIDTH, activation: 'gelu' } as const
  const names = ['blocks.0', 'blocks.1']
  return names.flatMap((name) =>
    transformerBlock({ name, ...shape, normFirst: true, dropout: share }),
  )
}

async function learnt(
  layers: readonly Layer[],
  train: Labelled,
  test: Labelled,
  { epochs, threads, batchSize }: TaskOptions & { readonly batchSize: number },
): Promise<TaskOutcome> {
  const description = network({
    input: sequence({ width: train.tokens.width }),
    layers: [...layers],
    loss: crossEntropy({ labelSmoothing: 0.1 }),
  })
  const rate = { learningRate: 0.002, schedule: 'cosine', warmup: 200, clip: 1 } as const
  const begin = process.cpuUsage()
  using model = await Network.train(
    description,
    { inputs: train.tokens, targets: train.labels },
    { epochs, batchSize, ...rate, ...(threads && { threads }) },
  )
  const { user, system } = process.cpuUsage(begin)
  const scores = await model.encode(test.tokens)
  const right = Array.from(scores, (row, i) => row.indexOf(Math.max(...row)) === test.labels[i])
  return {
    accuracy: right.filter(Boolean).length / right.length,
    loss: model.history.at(-1)!.loss,
    seconds: (user + system) / 1e6,
    inputs: [train.labels.length, test.labels.length],
  }
}
