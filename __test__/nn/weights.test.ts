// Parameters of networks: from files, into files, and from the caller.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  Network,
  crossEntropy,
  dense,
  embedding,
  flatten,
  gelu,
  ids,
  network,
  sigmoid,
  squaredError,
} from 'inlay'
import { corners, exactlyOne, quick } from '../fixtures/exactly-one.js'
import { folder } from '../fixtures/folder.js'
import { smallDisk } from '../fixtures/small-disk.js'

test("a PyTorch module's parameters give its outputs, layer by layer", async (t) => {
  const golden = JSON.parse(readFileSync('__test__/fixtures/nn/module.json', 'utf8')) as {
    items: number[][]
    outputs: Record<string, number[][]>
  }
  const description = network({
    input: ids({ length: 4 }),
    layers: [
      embedding({ name: '0', values: 7, dimensions: 5 }),
      flatten({ name: '1' }),
      dense({ name: '2', units: 6 }),
      gelu({ name: '3' }),
      dense({ name: '4', units: 3 }),
      sigmoid({ name: '5' }),
    ],
  })
  using model = await Network.load(description, '__test__/fixtures/nn/module.safetensors')
  for (const [layer, wanted] of Object.entries(golden.outputs)) {
    const found = await model.encode(golden.items, { layer })
    wanted.forEach((row, i) =>
      row.forEach((value, j) => {
        t.true(Math.abs(found.row(i)[j]! - value) < 1e-5, `layer ${layer}, ${i}, ${j}`)
      }),
    )
  }
})

test('all tensors that are missing or of another shape are listed', async (t) => {
  const description = network({
    input: ids({ length: 4 }),
    layers: [
      embedding({ name: '0', values: 8, dimensions: 5 }),
      flatten(),
      dense({ name: 'scores', units: 6 }),
    ],
  })
  const error = await t.throwsAsync(
    Network.load(description, '__test__/fixtures/nn/module.safetensors'),
    { code: 'INVALID_INPUT' },
  )
  t.regex(error!.message, /`0\.weight` is \[7, 5\] and should be \[8, 5\]/)
  t.regex(error!.message, /`scores\.weight` \[6, 20\] is missing; `scores\.bias` \[6\] is missing/)
})

test('what is said of tensors is checked', async (t) => {
  const description = network({
    input: ids({ length: 4 }),
    layers: [
      embedding({ name: '0', values: 7, dimensions: 5 }),
      flatten(),
      dense({ name: '2', units: 6 }),
    ],
  })
  const refuses = async (tensors: object, message: RegExp) => {
    const options = { tensors: tensors as Record<string, { tensors: string[] }> }
    const loaded = Network.load(description, '__test__/fixtures/nn/module.safetensors', options)
    await t.throwsAsync(loaded, { code: 'INVALID_OPTION', message })
  }
  const of = (more: object) => ({ '2.weight': { tensors: ['2.weight'], ...more } })
  await refuses(of({ skp: 1 }), /no field `tensors.2.weight.skp`; did you mean .*\.skip`/)
  await refuses(of({ skip: -1 }), /`tensors.2.weight.skip` must be an integer from 0 up, got -1/)
  await refuses(of({ file: 0.5 }), /`tensors.2.weight.file` must be an integer from 0 up, got 0.5/)
  await refuses(of({ row: '1' }), /`tensors.2.weight.row` must be an integer/)
  await refuses(of({ reshaped: 1 }), /`tensors.2.weight.reshaped` must be true or false/)
  for (const tensors of [[], [7]]) {
    await refuses(of({ tensors }), /`tensors.2.weight.tensors` must be names of tensors, at least/)
  }
  // The file has a '2.weight': without a word its own would be taken.
  await refuses(
    { '2.wieght': { tensors: ['2.bias'] } },
    /no parameter `tensors.2.wieght`; did you mean `tensors.2.weight`/,
  )
})

test('a network that was saved gives the same, and goes on learning', async (t) => {
  const path = join(folder(t), 'network.safetensors')
  using model = await Network.train(
    exactlyOne,
    { inputs: corners, targets: [0, 1, 1, 0] },
    { epochs: 3 },
  )
  await model.save(path)
  using opened = await Network.open(path)
  t.deepEqual(opened.description, model.description)
  const before = (await model.encode(corners)).values
  t.deepEqual((await opened.encode(corners)).values, before)
  using further = await opened.train({ inputs: corners, targets: [0, 1, 1, 0] }, quick)
  t.true(further.history.at(-1)!.loss < 0.05)
  t.deepEqual((await opened.encode(corners)).values, before, 'the one before stays as it was')
})

test('files that are no networks, or damaged ones, are refused', async (t) => {
  const path = join(folder(t), 'network.safetensors')
  await t.throwsAsync(Network.open(path), { code: 'NOT_FOUND' })
  await t.throwsAsync(Network.open('__test__/fixtures/nn/module.safetensors'), {
    code: 'INVALID_INPUT',
    message: /is not a network/,
  })
  using model = await Network.train(
    exactlyOne,
    { inputs: corners, targets: [0, 1, 1, 0] },
    { epochs: 1 },
  )
  await model.save(path)
  const whole = readFileSync(path)
  for (let length = 0; length < whole.length; length += 37) {
    writeFileSync(path, whole.subarray(0, length))
    await t.throwsAsync(Network.open(path), { code: 'INVALID_INPUT' })
  }
  writeFileSync(path, whole.toString('latin1').replace('tanh', 'tanj'), 'latin1')
  await t.throwsAsync(Network.open(path), { message: /unknown kind `tanj`/ })
})

test('a full disk leaves nothing behind', async (t) => {
  const disk = smallDisk(t)
  if (disk === undefined) return
  const wide = network({
    input: ids({ length: 1 }),
    layers: [embedding({ values: 9000, dimensions: 50 })],
    loss: squaredError(),
  })

  const targets = new Float32Array(50)
  using model = await Network.train(wide, { inputs: [0], targets }, { epochs: 1 })
  await t.throwsAsync(model.save(join(disk, 'network.safetensors')), { code: 'DISK_FULL' })
  await t.throwsAsync(Network.open(join(disk, 'network.safetensors')), { code: 'NOT_FOUND' })
})

test('a network begins with the parameters that it is given', async (t) => {
  const description = network({
    input: ids({ length: 1 }),
    layers: [
      embedding({ name: 'table', values: 3, dimensions: 2 }),
      flatten(),
      dense({ units: 2 }),
    ],
    loss: crossEntropy(),
  })
  const table = Float32Array.of(1, 2, 3, 4, 5, 6)
  using start = await Network.create(description, { parameters: { 'table.weight': table } })
  t.deepEqual(start.parameter('table.weight')!.values, table)
  const examples = { inputs: [[0], [1]], targets: [0, 1] }
  using after = await start.train(examples, { epochs: 1, freeze: ['table'] })
  t.deepEqual(after.parameter('table.weight')!.values, table)
  t.notDeepEqual(after.parameter('dense1.weight'), start.parameter('dense1.weight'))
  const short = { 'table.weight': table.subarray(1) }
  await t.throwsAsync(Network.create(description, { parameters: short }), {
    message: /6 values.*5 came/,
  })
  await t.throwsAsync(Network.create(description, { parameters: { tables: table } }), {
    code: 'NOT_FOUND',
  })
  await t.throwsAsync(
    Network.create(description, { parameters: { 'table.weight': [1] as never } }),
    {
      message: /Float32Array/,
    },
  )
})
