// What networks of pictures are worth that were trained from scratch: Fashion-MNIST's labels, and codes from which
// its pictures are made again.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ImageAutoencoder, ImageCnn, type Labelled, Vectors, WordVectors, readIdx } from 'inlay'
import type { Family, Scores, Settings } from './family.js'
import { root, shelf } from './texts.js'
import { peers } from './trainers.js'

/** The four files, in a folder outside the project. */
const folder = process.env['FASHION_MNIST'] ?? join(shelf, 'fashion-mnist')
const python = join(peers, '.torch', 'bin', 'python')
const script = join(root, 'benchmark', 'torch_autoencoder.py')

interface Fashion {
  readonly train: readonly Labelled<Uint8Array>[]
  readonly test: readonly Labelled<Uint8Array>[]
}

export const pictures: Family = {
  name: 'pictures',
  summary: 'accuracy and reconstruction on Fashion-MNIST, trained from scratch',
  about: `60,000 pictures to learn from, 10,000 to be judged by. CPU seconds are those of the whole process while the model was
trained. FASHION_MNIST names the folder of the four files of the data set.`,
  options: ['only', 'epochs', 'threads'],
  contests: () => ['pictures-cnn', 'pictures-autoencoder'],

  async run(settings: Settings) {
    const { chosen, say, tell } = settings
    if (!existsSync(join(folder, 'train-images-idx3-ubyte.gz'))) {
      say(`pictures: ${folder} has no train-images-idx3-ubyte.gz`)
      return
    }
    const fashion = { train: await labelled('train'), test: await labelled('t10k') }
    if (chosen('pictures-cnn')) tell(await cnn(fashion, settings))
    if (chosen('pictures-autoencoder')) tell(await autoencoder(fashion, settings))
  },
}

async function labelled(part: string): Promise<Labelled<Uint8Array>[]> {
  const given = await readIdx(join(folder, `${part}-images-idx3-ubyte.gz`))
  const labels = await readIdx(join(folder, `${part}-labels-idx1-ubyte.gz`))
  return given.items.map((input, i) => ({
    input: input as Uint8Array,
    label: String(labels.values[i]),
  }))
}

async function cnn({ train, test }: Fashion, { threads, epochs }: Settings): Promise<Scores> {
  const count = 2 * epochs
  const options = { shape: [28, 28, 1] as const, epochs: count, ...limit(threads) }
  const { result: model, cpu } = await timed(() => ImageCnn.train(train, options))
  const { accuracy } = await model.evaluate(test)
  const shown = `${(100 * accuracy).toFixed(2)} %`
  return {
    id: 'pictures-cnn',
    title: `ImageCnn on Fashion-MNIST, ${count} epochs`,
    about: 'Defaults: convolutions of 32 and 64 channels, a hidden layer of 128.',
    head: ['accuracy', 'last loss', 'CPU seconds'],
    rows: [[shown, model.history.at(-1)!.loss.toFixed(3), cpu.toFixed(0)]],
    summary: shown,
  }
}

async function autoencoder(fashion: Fashion, settings: Settings): Promise<Scores> {
  const { epochs, threads, say } = settings
  const [train, test] = [fashion.train, fashion.test].map((part) => part.map(({ input }) => input))
  const plain = {
    shape: [28, 28, 1] as const,
    epochs,
    batchSize: 128,
    schedule: 'constant' as const,
    ...limit(threads),
  }
  const rows: string[][] = []
  for (const [name, options] of [
    ['convolutional', plain],
    ['denoising (mask 0.25)', { ...plain, mask: 0.25 }],
    ['dense', { ...plain, architecture: 'dense' as const, hidden: [512] }],
  ] as const) {
    say(`autoencoder: ${name}`)
    const { result: model, cpu } = await timed(() => ImageAutoencoder.train(train!, options))
    const { meanSquaredError } = await model.evaluate(test!)
    const codes = await model.encode([...train!, ...test!])
    const neighbours = accuracyOfNeighbours(codes, fashion)
    rows.push([name, meanSquaredError.toFixed(5), neighbours, cpu.toFixed(0)])
    model.close()
  }
  if (existsSync(python)) {
    say('autoencoder: the convolutional one in PyTorch')
    const answer = execFileSync(python, [script, folder, String(epochs), String(threads || 1)])
    const { error, cpu } = JSON.parse(answer.toString('utf8')) as { error: number; cpu: number }
    rows.push(['convolutional, PyTorch', error.toFixed(5), '', cpu.toFixed(0)])
  }
  rows.push([
    'principal components',
    '',
    accuracyOfNeighbours(await components(fashion), fashion),
    '',
  ])
  return {
    id: 'pictures-autoencoder',
    title: `Autoencoders of Fashion-MNIST, codes of 32 values, ${epochs} epochs`,
    about: `The mean squared error of the test pictures' values from 0 to 1, and how many of them the five nearest of 20,000
training pictures label right, by the codes' distances. Principal components are those of all pictures.`,
    head: ['', 'test error', '5 nearest', 'CPU seconds'],
    rows,
  }
}

/** The first 32 principal components of the pictures. */
async function components({ train, test }: Fashion): Promise<Vectors> {
  const all = [...train, ...test]
  const values = new Float32Array(all.length * 784)
  all.forEach(({ input }, i) => values.set(input, i * 784))
  const names = all.map((_, i) => String(i))
  using vectors = WordVectors.from(names, values, 784)
  return Vectors.from(await vectors.principalComponents(32, { restrict: all.length }), 32)
}

/** Of the test pictures, how many the five nearest of 20,000 others label right. */
function accuracyOfNeighbours(codes: Vectors, { train, test }: Fashion): string {
  const places = Array.from({ length: 20_000 }, (_, i) => i)
  const right = test.filter(({ label }, at) => {
    const code = codes.row(train.length + at)
    const near: { place: number; distance: number }[] = []
    for (const place of places) {
      const distance = squaredDistance(code, codes.values, place * codes.dimensions)
      if (near.length === 5 && distance >= near[4]!.distance) continue
      near.push({ place, distance })
      near.sort((a, b) => a.distance - b.distance)
      near.length = Math.min(5, near.length)
    }
    return label === mostFrequent(near.map(({ place }) => train[place]!.label))
  })
  return `${((100 * right.length) / test.length).toFixed(2)} %`
}

function squaredDistance(code: Float32Array, values: Float32Array, start: number): number {
  let sum = 0
  for (let i = 0; i < code.length; i++) sum += (code[i]! - values[start + i]!) ** 2
  return sum
}

/** Of as many, the one that comes first. */
function mostFrequent(labels: readonly string[]): string {
  const votes = new Map<string, number>()
  for (const label of labels) votes.set(label, (votes.get(label) ?? 0) + 1)
  return [...votes].toSorted(([, a], [, b]) => b - a)[0]![0]
}

function limit(threads: number): { threads?: number } {
  return threads > 0 ? { threads } : {}
}

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; cpu: number }> {
  const begin = process.cpuUsage()
  const result = await work()
  const { user, system } = process.cpuUsage(begin)
  return { result, cpu: (user + system) / 1e6 }
}
