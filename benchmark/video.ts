// What latents of films are worth: how near what is made of them comes to the film, beside principal components of the
// same size; and what vectors of masked patches know of pictures that nobody has labelled.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  Classifier,
  ImagePatches,
  MaskedAutoencoder,
  PrincipalComponents,
  type RawImage,
  Tokens,
  Vectors,
  VideoAutoencoder,
  type VideoFrame,
  VideoPatches,
  readIdx,
  readVideo,
} from 'inlay'
import type { Family, Scores, Settings } from './family.js'
import { dataFolder, shelf } from './texts.js'

const films = join(dataFolder, 'media', 'video')
/** The four files of Fashion-MNIST: a folder outside the project. */
const fashion = process.env['FASHION_MNIST'] ?? join(shelf, 'fashion-mnist')

/** Clips and the size that they are read in; of the last one nothing is learnt from. */
const clips = [
  { name: 'bikes.mp4', width: 256, height: 112 },
  { name: 'carphone_pristine.mp4', width: 176, height: 144 },
  { name: 'cockatoo.mp4', width: 160, height: 96 },
  { name: 'realshort.mp4', width: 128, height: 96 },
  { name: 'newtonscradle.gif', width: 128, height: 96 },
  { name: 'asl-bird.mkv', width: 128, height: 96 },
] as const
/** The share of a clip that is learnt from; the rest is judged by. */
const LEARNT = 0.75

export const video: Family = {
  name: 'video',
  summary: 'films from their latents, and vectors of masked patches',
  about: `The clips are those of the data set's folder media/video, six of them at a height of 96 to 144. What is learnt from is the first
three quarters of five clips; what is judged by is the last quarter of these, and all of asl-bird. Principal components are those of the same
groups of 4 x 8 x 8 pixels, as many as a latent vector has values, the first frame as a group of its own. FASHION_MNIST names a folder of
the four files of that data set.`,
  options: ['only', 'epochs', 'threads'],
  contests: () => ['video-latents', 'video-masked'],

  async run({ chosen, say, tell, epochs, threads }: Settings) {
    const limit = threads > 0 ? { threads } : {}
    if (chosen('video-latents')) {
      if (existsSync(films)) tell(await latents(8 * epochs, limit, say))
      else say(`video-latents: there is no ${films}`)
    }
    if (chosen('video-masked')) {
      if (existsSync(fashion)) tell(await maskedPictures(10 * epochs, limit, say))
      else say(`video-masked: there is no ${fashion}`)
    }
  },
}

type Limit = { readonly threads?: number }

async function latents(epochs: number, limit: Limit, say: Settings['say']): Promise<Scores> {
  const all: VideoFrame[][] = []
  for (const { name, ...size } of clips) {
    const frames: VideoFrame[] = []
    for await (const frame of readVideo(join(films, name), size)) frames.push(frame)
    all.push(frames)
  }
  const end = ({ length }: VideoFrame[], at: number) =>
    at === clips.length - 1 ? 0 : Math.floor(length * LEARNT)
  const learnt = all.slice(0, -1).map((frames, at) => frames.slice(0, end(frames, at)))
  const rest = all.map((frames, at) => frames.slice(end(frames, at)))
  const rows: string[][] = []
  const gains: string[] = []
  for (const channels of [8, 16]) {
    say(`video-latents: ${channels} values`)
    const linear = await timed(() => byComponents(learnt, rest, channels))
    const model = await timed(() => VideoAutoencoder.train(learnt, { channels, epochs, ...limit }))
    const found = await model.result.evaluate(rest, limit)
    model.result.close()
    const cells = (psnr: number, each: readonly number[], cpu: number) => [
      ...[psnr, ...each].map((one) => one.toFixed(2)),
      cpu.toFixed(0),
    ]
    const { psnr, clips: each } = linear.result
    rows.push([`${channels} principal components`, ...cells(psnr, each, linear.cpu)])
    rows.push([
      `VideoAutoencoder, ${channels} channels`,
      ...cells(found.psnr, found.clips, model.cpu),
    ])
    gains.push(`+${(found.psnr - psnr).toFixed(2)} dB`)
  }
  return {
    id: 'video-latents',
    title: `Films from latents: peak signal-to-noise ratio in decibels, ${epochs} epochs`,
    about: 'A vector stands for 8 x 8 pixels of 4 frames.',
    head: ['', 'all', ...clips.map(({ name }) => name.replace(/[._].*/, '')), 'CPU seconds'],
    rows,
    summary: gains.join(', '),
  }
}

async function byComponents(
  learnt: readonly VideoFrame[][],
  rest: readonly VideoFrame[][],
  dimensions: number,
) {
  const cut = new VideoPatches({ size: [4, 8, 8] })
  // The first frame stands for a group, as in a latent, and what does not fill the last group is its last frame.
  const groups = async (frames: readonly VideoFrame[]) => {
    const [first, last] = [frames[0]!, frames.at(-1)!]
    const missing = (4 - ((frames.length + 3) % 4)) % 4
    return cut.tokens([[first, first, first, ...frames, ...Array(missing).fill(last)]])
  }
  const given: Tokens[] = []
  for (const frames of learnt) given.push(await groups(frames))
  const { values, width } = await Tokens.concat(given)
  using model = await PrincipalComponents.train(Vectors.from(values, width), { dimensions })
  const sums = { error: 0, values: 0 }
  const each: number[] = []
  for (const frames of rest) {
    const tokens = await groups(frames)
    const codes = await model.encode(Vectors.from(tokens.values, width))
    const made = await model.decode(codes)
    const [again] = await cut.restore(Tokens.from({ ...partsOf(tokens), values: made.values }))
    let error = 0
    for (const [at, { data }] of frames.entries()) {
      const found = again![at + 3]!.data
      error += data.reduce((sum, byte, i) => sum + (byte - found[i]!) ** 2, 0)
    }
    const count = frames.length * frames[0]!.data.length
    each.push(decibels(error / count))
    sums.error += error
    sums.values += count
  }
  return { psnr: decibels(sums.error / sums.values), clips: each }
}

function partsOf({ positions, width, inputs }: Tokens) {
  return { positions, width, inputs }
}

function decibels(meanSquare: number): number {
  return 10 * Math.log10(255 ** 2 / meanSquare)
}

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; cpu: number }> {
  const begin = process.cpuUsage()
  const result = await work()
  const { user, system } = process.cpuUsage(begin)
  return { result, cpu: (user + system) / 1e6 }
}

/** Pictures that are learnt from without labels, and with them by what stands behind. */
const PICTURES = { learnt: 20_000, judged: 10_000 }

async function maskedPictures(epochs: number, limit: Limit, say: Settings['say']): Promise<Scores> {
  const cut = new ImagePatches({ size: 7, channels: 1 })
  const part = async (name: string, count: number) => {
    const { items } = await readIdx(join(fashion, `${name}-images-idx3-ubyte.gz`))
    const { values } = await readIdx(join(fashion, `${name}-labels-idx1-ubyte.gz`))
    const picture = (data: (typeof items)[number]): RawImage => ({
      data: data as Uint8Array,
      width: 28,
      height: 28,
      channels: 1,
    })
    return {
      tokens: await cut.tokens(items.slice(0, count).map(picture)),
      labels: Array.from(values.subarray(0, count), String),
    }
  }
  const train = await part('train', PICTURES.learnt)
  const test = await part('t10k', PICTURES.judged)
  const options = { batchSize: 128, learningRate: 0.002, clip: 1, ...limit }
  say('video-masked: training')
  const learnt = await timed(() => MaskedAutoencoder.train(train.tokens, { ...options, epochs }))
  using begun = await MaskedAutoencoder.train(train.tokens.slice(0, 128), {
    ...options,
    epochs: 1,
    learningRate: 1e-12,
  })
  const { dimensions } = learnt.result
  const pixels = ({ values }: Tokens) => Vectors.from(values, 28 * 28)
  using components = await PrincipalComponents.train(pixels(train.tokens), {
    dimensions,
    whiten: true,
  })
  const rows: string[][] = []
  const contenders = [
    ['MaskedAutoencoder', (tokens: Tokens) => learnt.result.encode(tokens, limit)],
    ['its random weights', (tokens: Tokens) => begun.encode(tokens, limit)],
    ['principal components of pixels', (tokens: Tokens) => components.encode(pixels(tokens))],
  ] as const
  for (const [name, encode] of contenders) {
    const [a, b] = [await encode(train.tokens), await encode(test.tokens)]
    rows.push([name, percent(await probe(a, train.labels, b, test.labels)), ''])
  }
  rows[0]![2] = learnt.cpu.toFixed(0)
  learnt.result.close()
  return {
    id: 'video-masked',
    title: `Fashion-MNIST by vectors of ${dimensions} values without labels, ${epochs} epochs`,
    about: `${PICTURES.learnt.toLocaleString('en')} pictures to learn from; then softmax regression from vectors to labels, judged by the 10,000 others.`,
    head: ['', 'accuracy', 'CPU seconds'],
    rows,
    summary: rows[0]![1]!,
  }
}

/** The accuracy of softmax regression on vectors that are brought to one scale. */
async function probe(
  train: Vectors,
  trainLabels: readonly string[],
  test: Vectors,
  testLabels: readonly string[],
): Promise<number> {
  const scale = scaleOf(train)
  const embedder = {
    dimensions: train.dimensions,
    encode: async (rows: Iterable<Float32Array> | AsyncIterable<Float32Array>) => {
      const all: number[] = []
      for await (const row of rows)
        for (const [i, value] of row.entries())
          all.push((value - scale.mean[i]!) / scale.deviation[i]!)
      return Vectors.from(Float32Array.from(all), train.dimensions)
    },
  }
  const labelled = (vectors: Vectors, labels: readonly string[]) =>
    Array.from(vectors, (input, at) => ({ input, label: labels[at]! }))
  using model = await Classifier.train(embedder, labelled(train, trainLabels), {
    epochs: 20,
    batchSize: 256,
    learningRate: 0.005,
    schedule: 'cosine',
  })
  return (await model.evaluate(labelled(test, testLabels))).accuracy
}

function scaleOf({ values, dimensions, length }: Vectors) {
  const [mean, square] = [new Float64Array(dimensions), new Float64Array(dimensions)]
  for (const [i, value] of values.entries()) {
    mean[i % dimensions]! += value / length
    square[i % dimensions]! += value ** 2 / length
  }
  return {
    mean,
    deviation: square.map((sum, i) => Math.sqrt(Math.max(1e-12, sum - mean[i]! ** 2))),
  }
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}
