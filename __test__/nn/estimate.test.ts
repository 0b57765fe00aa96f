import { fileURLToPath } from 'node:url'
import test from 'ava'
import { dense, estimateMemory, estimateOptions, network, relu, sgd, values } from 'inlay'
import { networks } from '../fixtures/memory-of-training.js'
import { node } from '../fixtures/node.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const program = fileURLToPath(new URL('../fixtures/memory-of-training.js', import.meta.url))

for (const which of ['batches', 'parameters', 'classes'] as const) {
  test.serial(`a training takes what was estimated, within a quarter: ${which}`, async (t) => {
    const { description, options, length } = networks[which]
    const estimated = await estimateMemory(description, {
      ...options,
      length,
      examples: options.batchSize,
    })
    const { stdout, stderr } = await node([program, which])
    const taken = Number(stdout.split(' ')[0])
    t.true(taken > 5e7, stderr)
    const ratio = estimated / taken
    t.log(`${which}: ${(ratio * 100).toFixed(0)} % of what was taken`)
    t.true(ratio > 0.75 && ratio < 1.25, `estimated ${estimated}, taken ${taken}: ${ratio}`)
  })
}

const small = network({
  input: values({ shape: [100] }),
  layers: [dense({ units: 1000 }), relu(), dense({ units: 10 })],
})

test('an estimate grows with what it depends on', async (t) => {
  const one = await estimateMemory(small, { batchSize: 1 })
  const many = await estimateMemory(small, { batchSize: 1000, examples: 1000 })
  t.true(many > one + 1000 * 4 * (1000 + 1000 + 10))
  const plain = await estimateMemory(small, { batchSize: 1, optimizer: sgd() })
  const parameters = 100 * 1000 + 1000 + 1000 * 10 + 10
  t.is(one - plain, 2 * 4 * parameters)
  const frozen = await estimateMemory(small, { batchSize: 1, freeze: ['dense1'] })
  t.true(one - frozen >= 2 * 4 * (100 * 1000 + 1000))
  const clipped = await estimateMemory(small, { batchSize: 1, optimizer: sgd(), clip: 1 })
  t.is(clipped - plain, 4 * parameters)
  const best = await estimateMemory(small, { batchSize: 1, optimizer: sgd(), validation: true })
  t.is(best - plain, 4 * parameters)
})

test('what an estimate has to know is asked for', async (t) => {
  const { description } = networks.batches
  await t.throwsAsync(estimateMemory(description), { message: /`length` must be given/ })
  await t.throwsAsync(estimateMemory(small, { length: 5 }), { message: /`length` has no meaning/ })
  for (const { option, value } of wrongValues(estimateOptions)) {
    await t.throwsAsync(
      estimateMemory(small, { [option]: value }),
      { code: 'INVALID_OPTION' },
      `${option}: ${String(value)}`,
    )
  }
})
