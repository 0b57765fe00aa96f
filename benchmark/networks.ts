// Training steps of networks beside PyTorch on the CPU (eager, which is how most of them are trained): the same
// layers, batches and optimizer. Where lengths are mixed, PyTorch pads or packs, and nothing is padded here.
import {
  type Examples,
  type Layer,
  Network,
  batchNorm,
  concat,
  contrastive,
  conv1d,
  conv2d,
  conv3d,
  convTranspose2d,
  crossEntropy,
  dense,
  embedding,
  flatten,
  gru,
  ids,
  lstm,
  maxPool,
  network,
  pixelShuffle,
  pixelUnshuffle,
  pool,
  relu,
  sequence,
  sigmoid,
  silu,
  squaredError,
  sum,
  summary,
  tanh,
  transformerBlock,
  values,
} from 'inlay'
import { join } from 'node:path'
import type { Family, Settings } from './family.js'
import { peakOfMachine } from './kernels.js'
import { byHand, tensorflow } from './network-peers.js'
import { answerOf, timed } from './processes.js'
import { type Contest, type Sample, hold, spread, stopwatch } from './rounds.js'
import { root } from './texts.js'
import { peers } from './trainers.js'

const script = join(root, 'benchmark', 'torch_contender.py')
const python = join(peers, '.torch', 'bin', 'python')
const steps = 30
const vocabulary = 10_000

/** Numbers that are the same in every run: a linear congruence (Numerical Recipes). */
function* numbers(): Generator<number> {
  for (let state = 1; ; state = (Math.imul(state, 1664525) + 1013904223) >>> 0)
    yield state / 2 ** 32
}

function drawn(count: number, below?: number): Float32Array | Uint32Array {
  const source = numbers()
  const next = () => source.next().value as number
  return below === undefined
    ? Float32Array.from({ length: count }, () => next() - 0.5)
    : Uint32Array.from({ length: count }, () => Math.floor(next() * below))
}

/** Lengths from 5 to 60, as the script of the peer has them. */
const mixed = (item: number) => 5 + ((item * 37) % 56)

/** Items of mixed lengths, so many numbers a step. */
function ragged(items: number, width: number, below?: number): ArrayLike<number>[] {
  const all = drawn(60 * width, below)
  return Array.from({ length: items }, (_, item) => all.subarray(0, mixed(item) * width))
}

interface Case {
  readonly title: string
  readonly batch: number
  readonly input: Parameters<typeof network>[0]['input']
  readonly layers: readonly Layer[]
  readonly inputs: (items: number) => Examples['inputs']
  /** Of items of one length: operations of the first layer's way back to what comes in, which nobody wants. */
  readonly spared?: number
  /** Classes; none: what goes in is wanted. */
  readonly classes?: number
  /** Whether each item is to find its positive in the place of that. */
  readonly pairs?: boolean
}

const steady = (cell: Layer, gates: number) => ({
  batch: 64,
  spared: 2 * 32 * 128 * gates * 256,
  input: values({ shape: [32, 128] }),
  layers: [cell, pool({ by: 'last' }), dense({ units: 10 })],
  inputs: (items: number) => drawn(items * 32 * 128),
  classes: 10,
})
/** What is linear, and two blocks of convolutions that look back: one way of a `VideoAutoencoder`. */
function beside(units: number): Layer {
  const window = { channels: 128, kernel: 3, padding: [0, 1, 1], causal: true }
  const block = sum([[], [conv3d(window), silu(), dense({ units: 128 })]])
  return sum([[dense({ units })], [dense({ units: 128 }), block, block, dense({ units })]])
}

const block = transformerBlock({ heads: 4, width: 128, hidden: 512 })
const blocks = [block, block].flat()

const cases: Readonly<Record<string, Case>> = {
  nnlm: {
    title: 'NNLM: vocabulary 10,000, 4 x 100 - 200',
    batch: 256,
    input: ids({ length: 4 }),
    layers: [
      embedding({ values: vocabulary, dimensions: 100 }),
      flatten(),
      dense({ units: 200 }),
      tanh(),
      dense({ units: vocabulary }),
    ],
    inputs: (items) => drawn(items * 4, vocabulary),
    classes: vocabulary,
  },
  lstm: { title: 'LSTM 128 - 256, length 32', ...steady(lstm({ units: 256 }), 4) },
  gru: { title: 'GRU 128 - 256, length 32', ...steady(gru({ units: 256 }), 3) },
  'lstm-mixed': {
    title: 'LSTM 128 - 256, lengths 5 to 60',
    ...steady(lstm({ units: 256 }), 4),
    input: sequence({ width: 128 }),
    inputs: (items) => ragged(items, 128),
  },
  'text-cnn': {
    title: 'Text CNN (Kim): 300, 3 x 100, lengths 5 to 60',
    batch: 50,
    input: ids(),
    layers: [
      embedding({ values: vocabulary, dimensions: 300 }),
      concat(
        [3, 4, 5].map((kernel) => [conv1d({ channels: 100, kernel }), relu(), pool({ by: 'max' })]),
      ),
      dense({ units: 2 }),
    ],
    inputs: (items) => ragged(items, 1, vocabulary),
    classes: 2,
  },
  transformer: {
    title: 'Transformer: 128, 4 heads, 2 layers, hidden 512, length 64',
    batch: 64,
    spared: 2 * 64 * 128 * 3 * 128,
    input: values({ shape: [64, 128] }),
    layers: [...blocks, pool(), dense({ units: 10 })],
    inputs: (items) => drawn(items * 64 * 128),
    classes: 10,
  },
  'transformer-mixed': {
    title: 'Transformer: the same, lengths 5 to 60',
    batch: 64,
    input: sequence({ width: 128 }),
    layers: [...blocks, pool(), dense({ units: 10 })],
    inputs: (items) => ragged(items, 128),
    classes: 10,
  },
  cnn: {
    title: 'CNN at 28 x 28: 32, 64, 128',
    batch: 64,
    spared: 2 * 784 * 9 * 32,
    input: values({ shape: [28, 28, 1] }),
    layers: [
      conv2d({ channels: 32, kernel: 3, padding: 1 }),
      relu(),
      maxPool({ kernel: 2 }),
      conv2d({ channels: 64, kernel: 3, padding: 1 }),
      relu(),
      maxPool({ kernel: 2 }),
      flatten(),
      dense({ units: 128 }),
      relu(),
      dense({ units: 10 }),
    ],
    inputs: (items) => drawn(items * 784),
    classes: 10,
  },
  'cnn-normed': {
    title: 'CNN with batch norms at 28 x 28: 32, 64',
    batch: 64,
    spared: 2 * 784 * 9 * 32,
    input: values({ shape: [28, 28, 1] }),
    layers: [
      conv2d({ channels: 32, kernel: 3, padding: 1, bias: false }),
      batchNorm(),
      relu(),
      conv2d({ channels: 64, kernel: 3, stride: 2, padding: 1, bias: false }),
      batchNorm(),
      relu(),
      flatten(),
      dense({ units: 10 }),
    ],
    inputs: (items) => drawn(items * 784),
    classes: 10,
  },
  contrastive: {
    title: 'Contrastive: 128 - 512 - 128, 512 pairs',
    batch: 512,
    spared: 2 * 128 * 512,
    input: values({ shape: [128] }),
    layers: [dense({ units: 512 }), relu(), dense({ units: 128 })],
    inputs: (items) => drawn(items * 128),
    pairs: true,
  },
  autoencoder: {
    title: 'Convolutional autoencoder at 28 x 28: 16, 32',
    batch: 64,
    spared: 2 * 196 * 9 * 16,
    input: values({ shape: [28, 28, 1] }),
    layers: [
      conv2d({ channels: 16, kernel: 3, stride: 2, padding: 1 }),
      relu(),
      conv2d({ channels: 32, kernel: 3, stride: 2, padding: 1 }),
      relu(),
      convTranspose2d({ channels: 16, kernel: 2, stride: 2 }),
      relu(),
      convTranspose2d({ channels: 1, kernel: 2, stride: 2 }),
      sigmoid(),
    ],
    inputs: (items) => drawn(items * 784),
  },
  video: {
    title: 'Films of 20 frames of 64 x 64: groups of pixels, 3-D causal convolutions of 128',
    batch: 4,
    spared: 2 * 320 * 768 * (16 + 128),
    input: values({ shape: [20, 64, 64, 3] }),
    layers: [
      pixelUnshuffle({ factor: [4, 8, 8] }),
      beside(16),
      beside(768),
      pixelShuffle({ factor: [4, 8, 8] }),
    ],
    inputs: (items) => drawn(items * 20 * 64 * 64 * 3),
  },
}

export const networks: Family = {
  name: 'networks',
  summary: 'training steps of networks, beside PyTorch on the CPU',
  about: `${steps} steps of Adam on numbers that mean nothing, one thread if \`--threads\` does not say otherwise (time on the wall then, JavaScript
left out); the loss at the end must be finite. PyTorch is eager, with
its three first steps left out; ours are whole calls of \`Network.train\`, the making of the network included. TensorFlow.js has its own backend in JavaScript. Where lengths are
mixed, PyTorch packs what an LSTM reads (\`pack_padded_sequence\`) and pads the rest.`,
  options: ['only', 'rounds', 'threads'],
  contests: () => Object.keys(cases).map((name) => `network-${name}`),

  async run({ chosen, rounds, say, tell, threads: asked }: Settings) {
    const threads = Math.max(1, asked)
    const version = await answerOf(python, '-c', 'import torch; print(torch.__version__)')
    if (version === undefined)
      say('networks: no PyTorch here (see benchmark/peers.sh): ours stand alone')
    const shares: string[][] = []
    for (const [name, given] of Object.entries(cases)) {
      if (!chosen(`network-${name}`)) continue
      const outcome = await hold(contest(name, given, version, threads), rounds, say)
      tell(outcome)
      const rate = spread(outcome.standings[0]!.rates).median
      const operations = threads === 1 ? operationsOf(given) : undefined
      const peak = operations && (await peakOfMachine())
      if (operations && peak) {
        const speed = (operations * rate) / 1e9
        const share = `${Math.round((100 * speed) / peak)} %`
        shares.push([given.title, `${(operations / 1e9).toFixed(2)}`, speed.toFixed(0), share])
      }
    }
    if (shares.length > 0) {
      tell({
        id: 'network-shares',
        title: 'Useful operations as a share of the peak of the machine',
        about: `Multiplications and additions of products, forward and back, of items of one length. Normal work beside them (losses,
gates, Adam) counts as time and not as operations. The peak is that of \`kernels\`, measured right after each.`,
        head: ['', 'GF a step', 'GF/s', 'share'],
        rows: shares,
      })
    }
  },
}

/** Of a step, if all items have one length. */
function operationsOf({ input, layers, batch, spared, pairs }: Case): number | undefined {
  const { inputs } = network({ input, layers })
  if (inputs.some(({ positions }) => positions === null)) return undefined
  const forward = summary(network({ input, layers })).reduce(
    (all, line) => all + line.operations,
    0,
  )
  return batch * (pairs ? 2 : 1) * (3 * forward - (spared ?? 0))
}

function contest(name: string, given: Case, version: string | undefined, threads: number): Contest {
  const peer = `PyTorch ${version?.replace(/\+.*/, '') ?? ''}`.trim()
  return {
    id: threads === 1 ? `network-${name}` : `network-${name}-${threads}`,
    title: threads === 1 ? given.title : `${given.title}; ${threads} threads`,
    about: `Batches of ${given.batch}.`,
    unit: 'steps',
    work: steps,
    clock: threads === 1 ? 'cpu' : 'wall',
    shows: 'milliseconds',
    contenders: [
      { name: 'inlay', run: () => ours(given, threads) },
      version === undefined
        ? { name: peer, missing: 'not installed' }
        : { name: peer, run: () => theirs(name, given, threads) },
      ...(threads === 1 ? tensorflow(name, given.batch) : []),
      ...(threads === 1 && name === 'nnlm' ? [byHand(given.batch)] : []),
    ],
  }
}

async function ours(
  { batch, input, layers, inputs, classes, pairs }: Case,
  threads: number,
): Promise<Sample> {
  const items = steps * batch
  const other = pairs ? contrastive() : squaredError()
  const loss = classes === undefined ? other : crossEntropy()
  const examples = {
    inputs: inputs(items),
    ...(classes !== undefined && { targets: drawn(items, classes) }),
    ...(pairs && { positives: inputs(items) }),
  }
  const description = network({ input, layers, loss })
  let model: Network | undefined
  const options = { epochs: 1, batchSize: batch, threads, shuffle: false }
  const sample = await stopwatch(async () => {
    model = await Network.train(description, examples, options)
  })
  const { loss: found } = model!.history[0]!
  model!.close()
  if (!Number.isFinite(found)) throw new Error(`the loss is ${found}`)
  return sample
}

async function theirs(name: string, { batch }: Case, threads: number): Promise<Sample> {
  const args = [script, name, String(steps), String(batch), String(threads)]
  const { output } = await timed({
    command: python,
    args,
    cwd: root,
    env: { OMP_NUM_THREADS: String(threads) },
  })
  const found = JSON.parse(output) as Sample & { loss: number }
  if (!Number.isFinite(found.loss)) throw new Error(`PyTorch's loss is ${found.loss}`)
  return found
}
