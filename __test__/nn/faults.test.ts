// What networks refuse, and how they say it.
import test from 'ava'
import {
  Network,
  crossEntropy,
  dense,
  dropout,
  embedding,
  flatten,
  layerNorm,
  network,
  networkTrainingOptions,
  sgd,
  squaredError,
  sum,
  summary,
  values,
} from 'inlay'
import { corners, exactlyOne } from '../fixtures/exactly-one.js'
import { wrongValues } from '../fixtures/wrong-values.js'

test('a loss that is no longer finite is DIVERGED', async (t) => {
  const line = network({
    input: values({ shape: [1] }),
    layers: [dense({ units: 1 })],
    loss: squaredError(),
  })
  await t.throwsAsync(
    Network.train(
      line,
      { inputs: [1e3, -1e3], targets: [1, 2] },
      { optimizer: sgd(), learningRate: 100 },
    ),
    { code: 'DIVERGED', message: /no longer finite: a smaller `learningRate` or `clip` may help/ },
  )
})

test('what does not fit is one clear error', async (t) => {
  const refuses = async (inputs: unknown, targets: unknown, message: RegExp) => {
    const examples = { inputs, targets } as Parameters<typeof Network.train>[1]
    const error = await t.throwsAsync(Network.train(exactlyOne, examples))
    t.regex(error!.message, message)
  }
  await refuses([[1, 2], [3]], [0, 1], /`inputs\[1\]` must be rows of 2 numbers, got 1/)
  await refuses([[1, 'x']], [0], /`inputs\[0\]` must be numbers, got "x"/)
  await refuses([null], [0], /`inputs\[0\]` must be a number or an array of numbers, got null/)
  await refuses(7, [0], /`inputs` must be items, or an object with `input`, got 7/)
  await refuses([[1, 2]], undefined, /`targets` must be a class for each item or position/)
  await refuses([[1, 2]], [0.5], /`targets\[0\]` must be whole numbers from 0 up, got 0.5/)
  await refuses([[1, 2]], [2], /the targets: item 0 has the id 2; they are below 2/)
  await refuses([[1, 2]], [0, 1], /the targets: are 2, of 1 items/)
  await refuses([[1, Infinity]], [0], /item 0 has a value that is not finite: inf/)
  const lossless = network({ input: exactlyOne.inputs, layers: exactlyOne.layers })
  await t.throwsAsync(Network.train(lossless, { inputs: [[1, 2]], targets: [0] }), {
    message: /a network with a `loss`/,
  })
  await t.throwsAsync(
    Network.train(exactlyOne, { inputs: [[1, 2]], targets: [0] }, { freeze: ['dense7'] }),
    {
      message: /`freeze` must be the name of a layer: dense1, hidden, dense2, got "dense7"/,
    },
  )
  const few = network({
    input: exactlyOne.inputs,
    layers: exactlyOne.layers,
    loss: crossEntropy({ classWeights: [1] }),
  })
  await t.throwsAsync(Network.train(few, { inputs: [[1, 2]], targets: [0] }), {
    message: /has 2 classes, and 1 weights came/,
  })
})

test('nothing to learn from, and nothing held out, is refused', async (t) => {
  const examples = { inputs: corners, targets: [0, 1, 1, 0] }
  const refused = (message: RegExp) => ({ code: 'INVALID_INPUT', message })
  for (const nothing of [[], new Float32Array(0)]) {
    const none = { inputs: nothing, targets: [] }
    await t.throwsAsync(Network.train(exactlyOne, none), refused(/train: there are no examples/))
    // Its loss would be 0 after each epoch, and the first one the best.
    await t.throwsAsync(
      Network.train(exactlyOne, examples, { validation: none }),
      refused(/train: `validation` has no examples/),
    )
  }
  using model = await Network.create(exactlyOne)
  const none = { inputs: [], targets: [] }
  await t.throwsAsync(model.evaluate(none), refused(/evaluate: there are no examples/))
  t.is((await model.encode([])).length, 0)
})

test('examples and inputs have no names but those that are known', async (t) => {
  const refuses = async (examples: object, message: RegExp) => {
    const training = Network.train(exactlyOne, examples as Parameters<typeof Network.train>[1])
    await t.throwsAsync(training, { code: 'INVALID_OPTION', message })
  }
  const [inputs, targets] = [corners, [0, 1, 1, 0]]
  await refuses({ inputs, target: targets }, /no part of examples `target`; did you mean `targets`/)
  await refuses({ inputs: { input: corners, size: [1] }, targets }, /no input `inputs.size`$/)
  await refuses(undefined as never, /`examples` must be an object with `inputs`, or a stream/)
  const validation = { inputs, targets, positve: inputs } as never
  await t.throwsAsync(Network.train(exactlyOne, { inputs, targets }, { validation }), {
    message: /`validation.positve`; did you mean `validation.positives`/,
  })
  using model = await Network.create(exactlyOne)
  await t.throwsAsync(model.encode({ imput: corners }), {
    message: /network.encode: there is no input `inputs.imput`; did you mean `inputs.input`/,
  })
})

test('descriptions are refused where they do not fit, and are frozen values where they do', (t) => {
  const refuses = (make: () => unknown, message: RegExp) => {
    t.regex(t.throws(make, { code: 'INVALID_OPTION' })!.message, message)
  }
  const input = values({ shape: [2, 3] })
  refuses(() => network({ input, layers: [] }), /`layers` must be a list of layers, at least one/)
  refuses(
    () =>
      network({ input, layers: [dense({ units: 4 }), embedding({ values: 3, dimensions: 2 })] }),
    /`embedding1` expects ids; `dense1` gives \[2, 4\]/,
  )
  refuses(
    () => network({ input, layers: [sum([[], [flatten()]])] }),
    /adds up branches of \[2, 3\] and \[6\]/,
  )
  refuses(
    () => dense({} as { units: number }),
    /dense: `units` must be an integer from 1 up, got undefined/,
  )
  refuses(() => dropout({ probability: 1 }), /dropout: `probability`/)
  refuses(() => values({ shape: [] }), /values: `shape`/)
  refuses(
    () => network({ input: [input, input], layers: [flatten()] }),
    /`input` must be inputs of different names, got "input"/,
  )
  t.true(Object.isFrozen(exactlyOne) && Object.isFrozen(exactlyOne.layers[0]))
  t.deepEqual(JSON.parse(JSON.stringify(exactlyOne)), exactlyOne)
  t.deepEqual(summary(exactlyOne), [
    { name: 'dense1', shape: '[8]', parameters: 24, operations: 32 },
    { name: 'hidden', shape: '[8]', parameters: 0, operations: 8 },
    { name: 'dense2', shape: '[2]', parameters: 18, operations: 32 },
  ])
})

for (const { option, value } of wrongValues(networkTrainingOptions)) {
  test(`refuses ${option}: ${typeof value} ${String(value)}`, async (t) => {
    const options = { [option]: value } as object
    const examples = { inputs: corners, targets: [0, 1, 1, 0] }
    await t.throwsAsync(Network.train(exactlyOne, examples, options), { code: 'INVALID_OPTION' })
  })
}

test('options that would do nothing are refused', async (t) => {
  const examples = { inputs: corners, targets: [0, 1, 1, 0] }
  for (const [options, message] of [
    [{ patience: 3 }, /`patience` has no meaning without `validation`/],
    [{ stepFactor: 0.5 }, /`stepFactor` is for the schedule 'steps' only/],
    [{ stepEvery: 0.5, schedule: 'cosine' }, /`stepEvery` is for the schedule 'steps' only/],
    [{ stepAfter: 0.5, schedule: 'linear' }, /`stepAfter` is for the schedule 'steps' only/],
  ] as const) {
    await t.throwsAsync(Network.train(exactlyOne, examples, options), {
      code: 'INVALID_OPTION',
      message,
    })
  }
  t.throws(() => sgd({ nesterov: true }), {
    message: /sgd: `momentum` must be above 0 where `nesterov` is true/,
  })
  t.throws(() => layerNorm({ affine: false, bias: true }), {
    message: /layerNorm: `bias` must be left out/,
  })
})

test('a network that was closed says so', async (t) => {
  const model = await Network.train(
    exactlyOne,
    { inputs: corners, targets: [0, 1, 1, 0] },
    { epochs: 1 },
  )
  model.close()
  await t.throwsAsync(model.encode(corners), { code: 'CLOSED' })
  const examples = { inputs: corners, targets: [0, 1, 1, 0] }
  await t.throwsAsync(model.train(examples), { code: 'CLOSED' })
  // Closed while what goes in is brought over.
  for (const verb of ['train', 'evaluate'] as const) {
    const other = await Network.create(exactlyOne)
    const working = other[verb](examples)
    other.close()
    await t.throwsAsync(working, { code: 'CLOSED', message: /called after `close\(\)`/ })
  }
})
