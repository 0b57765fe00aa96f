// Training steps of networks in JavaScript: by TensorFlow.js on its own backend, and the NNLM written by
// hand, as one would write it without native code, and write it well.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type Contender, type Missing, type Sample, stopwatch } from './rounds.js'
import { peers } from './trainers.js'

/** Steps that are measured: one takes as long as many of ours. A step on a few items goes before. */
const steps = 1
const few = 4
const vocabulary = 10_000

/** What of TensorFlow.js is used here: its types are where it is. */
interface Tensor {
  dispose(): void
  dataSync(): Float32Array
}
interface TensorFlow {
  readonly layers: Readonly<Record<string, (options: object) => { apply(input: unknown): unknown }>>
  readonly losses: Readonly<Record<string, (wanted: Tensor, found: Tensor) => Tensor>>
  readonly train: { adam(rate: number): { minimize(loss: () => Tensor, cost: true): Tensor } }
  setBackend(name: string): Promise<boolean>
  input(options: { shape: (number | null)[] }): unknown
  model(options: { inputs: unknown; outputs: unknown }): { apply(input: Tensor): Tensor }
  oneHot(ids: Tensor, depth: number): Tensor
  randomUniform(shape: number[], from: number, to: number, type?: 'int32'): Tensor
}

interface TensorFlowCase {
  readonly shape: number[]
  /** None: what goes in is wanted. */
  readonly classes?: number
  /** Names of layers with their options, one after the other. */
  readonly layers: readonly (readonly [string, object])[]
}

const image = { activation: 'relu', padding: 'same' }
const recurrent = (cell: string): TensorFlowCase => ({
  shape: [32, 128],
  classes: 10,
  layers: [
    // Its own beginning, an orthogonal matrix, takes it minutes.
    [cell, { units: 256, recurrentInitializer: 'glorotUniform' }],
    ['dense', { units: 10 }],
  ],
})

/** Those of `networks.ts` that layers of TensorFlow.js can say, and without embeddings: the gradient of a table
 * of 10,000 rows takes its backend minutes. */
const cases: Readonly<Record<string, TensorFlowCase>> = {
  lstm: recurrent('lstm'),
  gru: recurrent('gru'),
  cnn: {
    shape: [28, 28, 1],
    classes: 10,
    layers: [
      ['conv2d', { filters: 32, kernelSize: 3, ...image }],
      ['maxPooling2d', { poolSize: 2 }],
      ['conv2d', { filters: 64, kernelSize: 3, ...image }],
      ['maxPooling2d', { poolSize: 2 }],
      ['flatten', {}],
      ['dense', { units: 128, activation: 'relu' }],
      ['dense', { units: 10 }],
    ],
  },
  autoencoder: {
    shape: [28, 28, 1],
    layers: [
      ['conv2d', { filters: 16, kernelSize: 3, strides: 2, ...image }],
      ['conv2d', { filters: 32, kernelSize: 3, strides: 2, ...image }],
      ['conv2dTranspose', { filters: 16, kernelSize: 2, strides: 2, ...image }],
      ['conv2dTranspose', { filters: 1, kernelSize: 2, strides: 2, activation: 'sigmoid' }],
    ],
  },
}

/** TensorFlow.js at the same layers; nothing where it has none for them. */
export function tensorflow(name: string, batch: number): (Contender | Missing)[] {
  const given = cases[name]
  if (given === undefined) return []
  const title = 'TensorFlow.js 4.22.0'
  if (!existsSync(join(peers, 'node_modules', '@tensorflow', 'tfjs'))) {
    return [{ name: title, missing: 'not installed: see benchmark/peers.sh' }]
  }
  return [{ name: title, work: steps, run: () => inTensorflow(given, batch) }]
}

async function inTensorflow(given: TensorFlowCase, batch: number): Promise<Sample> {
  const tf = createRequire(join(peers, 'x.js'))('@tensorflow/tfjs') as TensorFlow
  await tf.setBackend('cpu')
  const { shape, classes, layers } = given
  const inputs = tf.input({ shape })
  const outputs = layers.reduce<unknown>(
    (input, [kind, options]) => tf.layers[kind]!(options).apply(input),
    inputs,
  )
  const model = tf.model({ inputs, outputs })
  const optimizer = tf.train.adam(0.001)
  const loss = classes === undefined ? 'meanSquaredError' : 'softmaxCrossEntropy'
  const step = (items: number) => {
    const x = tf.randomUniform([items, ...shape], 0, 1)
    const wanted =
      classes === undefined ? x : tf.oneHot(tf.randomUniform([items], 0, classes, 'int32'), classes)
    const cost = optimizer.minimize(() => tf.losses[loss]!(wanted, model.apply(x)), true)
    const [value] = cost.dataSync()
    for (const tensor of [x, wanted, cost]) tensor.dispose()
    if (!Number.isFinite(value)) throw new Error(`TensorFlow.js: the loss is ${value}`)
  }
  step(few)
  return stopwatch(() => {
    for (let i = 0; i < steps; i++) step(batch)
  })
}

/** A matrix of parameters, with what Adam keeps beside it. */
class Parameter {
  readonly gradient: Float32Array
  readonly mean: Float32Array
  readonly square: Float32Array

  constructor(readonly values: Float32Array) {
    this.gradient = new Float32Array(values.length)
    this.mean = new Float32Array(values.length)
    this.square = new Float32Array(values.length)
  }

  static random(rows: number, columns: number): Parameter {
    const bound = 1 / Math.sqrt(columns)
    const values = new Float32Array(rows * columns)
    for (let i = 0; i < values.length; i++) values[i] = (2 * Math.random() - 1) * bound
    return new Parameter(values)
  }

  /** Kingma and Ba 2015, algorithm 1. */
  follow(step: number): void {
    const { values, gradient, mean, square } = this
    const [first, second] = [1 - 0.9 ** step, 1 - 0.999 ** step]
    for (let i = 0; i < values.length; i++) {
      const slope = gradient[i]!
      const m = (mean[i] = 0.9 * mean[i]! + 0.1 * slope)
      const v = (square[i] = 0.999 * square[i]! + 0.001 * slope * slope)
      values[i]! -= (0.001 * (m / first)) / (Math.sqrt(v / second) + 1e-8)
      gradient[i] = 0
    }
  }
}

/** The NNLM by hand: C [words, 100], H [200, 400], U [words, 200]; rows of both products lie together. */
export function byHand(batch: number): Contender {
  const [width, hidden] = [400, 200]
  return {
    name: 'plain JavaScript',
    work: steps,
    run: async () => {
      const [c, h, u] = [
        Parameter.random(vocabulary, width / 4),
        Parameter.random(hidden, width),
        Parameter.random(vocabulary, hidden),
      ]
      const draw = () => Math.floor(Math.random() * vocabulary)
      const step = (number: number, items: number) => {
        const contexts = Int32Array.from({ length: items * 4 }, draw)
        const targets = Int32Array.from({ length: items }, draw)
        const loss = nnlmStep(contexts, targets, [c, h, u], [width, hidden])
        for (const parameter of [c, h, u]) parameter.follow(number)
        if (!Number.isFinite(loss)) throw new Error(`plain JavaScript: the loss is ${loss}`)
      }
      step(1, few)
      return stopwatch(() => {
        for (let i = 0; i < steps; i++) step(i + 2, batch)
      })
    },
  }
}

function nnlmStep(
  contexts: Int32Array,
  targets: Int32Array,
  [c, h, u]: readonly [Parameter, Parameter, Parameter],
  [width, hidden]: readonly [number, number],
): number {
  const dimensions = width / 4
  const x = new Float32Array(width)
  const xGradient = new Float32Array(width)
  const y = new Float32Array(hidden)
  const yGradient = new Float32Array(hidden)
  const scores = new Float32Array(vocabulary)
  let loss = 0
  for (let item = 0; item < targets.length; item++) {
    for (let place = 0; place < 4; place++) {
      const row = contexts[item * 4 + place]! * dimensions
      x.set(c.values.subarray(row, row + dimensions), place * dimensions)
    }
    for (let unit = 0; unit < hidden; unit++) y[unit] = Math.tanh(dot(h.values, unit * width, x))
    let highest = -Infinity
    for (let word = 0; word < vocabulary; word++) {
      highest = Math.max(highest, (scores[word] = dot(u.values, word * hidden, y)))
    }
    let sum = 0
    for (let word = 0; word < vocabulary; word++) {
      sum += scores[word] = Math.exp(scores[word]! - highest)
    }
    const target = targets[item]!
    loss -= Math.log(scores[target]! / sum)
    yGradient.fill(0)
    for (let word = 0; word < vocabulary; word++) {
      const slope = (scores[word]! / sum - (word === target ? 1 : 0)) / targets.length
      exchange(u, word * hidden, slope, y, yGradient)
    }
    xGradient.fill(0)
    for (let unit = 0; unit < hidden; unit++) {
      exchange(h, unit * width, yGradient[unit]! * (1 - y[unit]! ** 2), x, xGradient)
    }
    for (let i = 0; i < width; i++) {
      const row = contexts[item * 4 + Math.floor(i / dimensions)]! * dimensions
      c.gradient[row + (i % dimensions)]! += xGradient[i]!
    }
  }
  return loss / targets.length
}

/** Four sums at once, since each addition waits for the one before. */
function dot(matrix: Float32Array, start: number, vector: Float32Array): number {
  let [a, b, c, d] = [0, 0, 0, 0]
  for (let i = 0; i < vector.length; i += 4) {
    a += matrix[start + i]! * vector[i]!
    b += matrix[start + i + 1]! * vector[i + 1]!
    c += matrix[start + i + 2]! * vector[i + 2]!
    d += matrix[start + i + 3]! * vector[i + 3]!
  }
  return a + b + c + d
}

/** What a row learns from a vector, and the vector from the row. */
function exchange(
  { values, gradient }: Parameter,
  start: number,
  slope: number,
  vector: Float32Array,
  vectorGradient: Float32Array,
): void {
  for (let i = 0; i < vector.length; i++) {
    gradient[start + i]! += slope * vector[i]!
    vectorGradient[i]! += slope * values[start + i]!
  }
}
