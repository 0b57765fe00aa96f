// A softmax over many classes that is learnt from a few of them at a time.
import test from 'ava'
import {
  Network,
  crossEntropy,
  dense,
  embedding,
  estimateMemory,
  flatten,
  ids,
  network,
  relu,
  sampledSoftmax,
  sgd,
  sum,
  values,
} from 'inlay'

const classes = 400
const layers = [
  embedding({ values: classes, dimensions: 16 }),
  flatten(),
  dense({ name: 'scores', units: classes }),
]
const describe = (loss: ReturnType<typeof crossEntropy>) =>
  network({ input: ids({ length: 1 }), layers, loss })

/** Of most numbers it is known what follows, a neighbour; small ones come most often. */
function examples(items: number) {
  const drawn = (i: number) => Math.floor(classes ** (i % 1)) - 1
  const inputs = Array.from({ length: items }, (_, i) => [drawn(i * 0.618034)])
  const targets = inputs.map(([id], i) => (i % 9 === 0 ? drawn(i * 0.4142) : id! ^ 1))
  return { inputs, targets }
}

test('it comes near the loss of all classes, by which it is examined', async (t) => {
  const [data, validation] = [examples(6000), examples(900)]
  const options = { epochs: 15, batchSize: 32, learningRate: 0.01, validation, threads: 1 }
  using whole = await Network.train(describe(crossEntropy()), data, options)
  using few = await Network.train(describe(sampledSoftmax({ samples: 100 })), data, options)
  const [all, some] = [await whole.evaluate(validation), await few.evaluate(validation)]
  t.true(some.loss < 1.1 * all.loss && all.loss < 0.7, `${some.loss} ${all.loss}`)
  t.true(some.accuracy! > 0.97 * all.accuracy!, `${some.accuracy} ${all.accuracy}`)
  const best = Math.min(...few.history.map((epoch) => epoch.validation!))
  t.true(Math.abs(best - some.loss) < 1e-5, `${best} ${some.loss}`)
  // The loss of all scores is the same, by hand.
  const scores = await few.encode(validation.inputs)
  t.is(scores.dimensions, classes)
  const losses = validation.targets.map((wanted, item) => {
    const row = scores.row(item)
    return Math.log(row.reduce((total, score) => total + Math.exp(score), 0)) - row[wanted]!
  })
  const mean = losses.reduce((total, loss) => total + loss, 0) / losses.length
  t.true(Math.abs(mean - some.loss) < 1e-4, `${mean} ${some.loss}`)
})

test('a seed gives the same bytes on any number of threads, and another seed others', async (t) => {
  const description = describe(sampledSoftmax({ samples: 9, distribution: 'uniform' }))
  const trained = async (threads: number, seed: number) => {
    const options = { epochs: 1, accumulate: 2, clip: 0.5, threads, seed }
    using model = await Network.train(description, examples(300), options)
    return model.parameter('scores.weight')!.values
  }
  const one = await trained(1, 1)
  t.deepEqual(await trained(3, 1), one)
  t.notDeepEqual(await trained(1, 2), one)
})

test('with all classes it is cross-entropy', async (t) => {
  const trained = async (loss: ReturnType<typeof crossEntropy>) => {
    const options = { epochs: 1, optimizer: sgd(), learningRate: 0.5, threads: 1 }
    using model = await Network.train(describe(loss), examples(200), options)
    return { values: model.parameter('scores.weight')!.values, loss: model.history[0]!.loss }
  }
  const [whole, all] = [
    await trained(crossEntropy()),
    await trained(sampledSoftmax({ samples: classes })),
  ]
  t.true(Math.abs(whole.loss - all.loss) < 1e-4, `${whole.loss} ${all.loss}`)
  t.true(all.values.every((value, i) => Math.abs(value - whole.values[i]!) < 1e-4))
})

test('memory is estimated without the scores and copies that are not there', async (t) => {
  const of = (loss: ReturnType<typeof crossEntropy>) =>
    estimateMemory(
      network({
        input: values({ shape: [8] }),
        layers: [dense({ units: 30_000 })],
        loss,
      }),
      { batchSize: 128, threads: 1 },
    )
  const [all, few] = [await of(crossEntropy()), await of(sampledSoftmax({ samples: 100 }))]
  t.true(few + 2 * 4 * 8 * 30_000 < all, `${few} ${all}`)
})

test('what it cannot take over, or draw, is one clear error', async (t) => {
  const refuses = (make: () => unknown, message: RegExp) => {
    t.regex(t.throws(make, { code: 'INVALID_OPTION' })!.message, message)
  }
  const none = {} as { samples: number }
  refuses(() => sampledSoftmax(none), /sampledSoftmax: `samples` must be an integer .*, got undef/)
  refuses(() => sampledSoftmax({ samples: 0 }), /`samples` must be an integer from 1 up, got 0/)
  refuses(
    () => describe(sampledSoftmax({ samples: classes + 1 })),
    /network: `loss` must be one with at most as many `samples` as there are classes, 400, got 401/,
  )
  const input = values({ shape: [2] })
  const loss = sampledSoftmax({ samples: 2 })
  for (const last of [relu(), sum([[dense({ units: 3 })], [dense({ units: 3 })]])]) {
    refuses(
      () => network({ input, layers: [dense({ units: 3 }), last], loss }),
      /`layers` must be layers that end with a `dense`, which `sampledSoftmax` takes over, got "(relu|sum)"/,
    )
  }
  const plain = network({ input, layers: [dense({ units: 3 }), relu()] })
  await t.throwsAsync(Network.train({ ...plain, loss }, { inputs: [[1, 2]], targets: [0] }), {
    code: 'INVALID_INPUT',
    message: /whose last layer is a `dense` with a unit for each class/,
  })
  await t.throwsAsync(
    Network.train(network({ input, layers: [dense({ units: 3 })], loss }), {
      inputs: [[1, 2]],
      targets: [3],
    }),
    { message: /item 0 has the id 3; they are below 3/ },
  )
})
