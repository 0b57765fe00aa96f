// Sentence encoders that learn further: steps are PyTorch's, what is frozen stays, others that share weights stay as they
// were.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import {
  Classifier,
  type Loss,
  SentenceEncoder,
  type SentenceExample,
  contrastive,
  cosineSimilarity,
  crossEntropy,
  sentenceTrainingOptions,
  sgd,
  triplet,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { longestHoldOf } from '../fixtures/longest-hold.js'
import { readSafetensors } from '../fixtures/safetensors.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const golden = fileURLToPath(new URL('../../../__test__/golden/text-models', import.meta.url))

interface Pair {
  readonly text: string
  readonly positive: string
  readonly negative: string
  readonly score: number
}

/** What `make.py` there wrote. */
interface Steps {
  readonly pairs: Pair[]
  readonly steps: Record<string, { loss: number; tensors: Record<string, number[]> }>
}

const plain = {
  optimizer: sgd(),
  learningRate: 0.1,
  schedule: 'constant',
  warmup: 0,
  shuffle: false,
  dropout: 0,
} as const

for (const model of ['bert', 'distilbert', 'roberta', 'mpnet', 'modernbert']) {
  test(`${model}: a step of each loss is that of PyTorch`, async (t) => {
    const { pairs, steps } = JSON.parse(
      await readFile(join(golden, model, 'training.json'), 'utf8'),
    ) as Steps
    using encoder = await SentenceEncoder.load(join(golden, model))
    const kinds: Record<string, [(pair: Pair) => SentenceExample, Loss]> = {
      contrastive: [({ text, positive }: Pair) => ({ text, positive }), contrastive()],
      hardNegatives: [
        ({ text, positive, negative }: Pair) => ({ text, positive, negative }),
        contrastive(),
      ],
      triplet: [({ text, positive, negative }: Pair) => ({ text, positive, negative }), triplet()],
      cosineSimilarity: [
        ({ text, positive: other, score }: Pair) => ({ text, other, score }),
        cosineSimilarity(),
      ],
    }
    const before = await readSafetensors(join(golden, model, 'model.safetensors'))
    for (const [name, [example, loss]] of Object.entries(kinds)) {
      const { loss: wanted, tensors } = steps[name]!
      using tuned = await encoder.train(pairs.map(example), { ...plain, loss })
      t.true(Math.abs(tuned.history[0]!.loss / wanted - 1) < 1e-5, name)
      const path = join(folder(t), 'tuned')
      await tuned.save(path)
      const after = await readSafetensors(join(path, 'model.safetensors'))
      t.deepEqual([...after.keys()].toSorted(), [...before.keys()].toSorted())
      let moved = 0
      for (const [tensor, expected] of Object.entries(tensors)) {
        const values = after.get(tensor)!
        const middle = values.length >> 1
        for (const [i, value] of expected.entries()) {
          const at = middle - expected.length + i
          t.true(Math.abs(values[at]! - value) < 1e-5, `${name}: ${tensor} ${values[at]} ${value}`)
          moved += Number(Math.abs(value - before.get(tensor)![at]!) > 3e-5)
        }
      }
      t.true(moved > 20, `${name}: ${moved} values moved`)
    }
  })
}

const words = ['fox', 'dog', 'test', 'film', 'sound', 'picture', 'number', 'sentence']
/** Which belongs to which, no text says. */
const pairs = words.map((word, i) => ({
  text: `the quick ${word} jumps over a thing`,
  positive: `lazy ${words[(i + 3) % words.length]}`,
}))

test('texts that belong together come together, and the encoder that it began from stays as it was', async (t) => {
  using encoder = await SentenceEncoder.load(join(golden, 'bert'))
  using same = await SentenceEncoder.load(join(golden, 'bert'))
  const texts = pairs.flatMap(({ text, positive }) => [text, positive])
  const before = (await same.encode(texts)).values
  const found = async (of: SentenceEncoder) => {
    const vectors = await of.encode(texts)
    const isFound = words.map((_, i) => {
      const cosines = words.map((__, j) => vectors.similarity(2 * i, 2 * j + 1))
      return cosines.indexOf(Math.max(...cosines)) === i
    })
    return isFound.filter(Boolean).length
  }
  const options = { epochs: 40, batchSize: 8, learningRate: 0.001, dropout: 0.01, seed: 5 }
  using tuned = await encoder.train(pairs, { ...options, threads: 1 })
  t.is(tuned.history.length, 40)
  t.true(tuned.history.at(-1)!.loss < tuned.history[0]!.loss / 4)
  t.true((await found(encoder)) < 4)
  t.is(await found(tuned), 8)
  t.deepEqual((await same.encode(texts)).values, before)
  t.not(await tuned.fingerprint(), await encoder.fingerprint())

  // From a stream and on other threads, to the same bytes.
  async function* streamed() {
    yield* pairs
  }
  using again = await encoder.train(streamed(), { ...options, threads: 3 })
  t.deepEqual((await again.encode(texts)).values, (await tuned.encode(texts)).values)
  t.is(await again.fingerprint(), await tuned.fingerprint())
})

test('what is saved is opened again: vectors, fingerprint and prompts are the same', async (t) => {
  using encoder = await SentenceEncoder.load(join(golden, 'roberta'), { maxTokens: 20 })
  using tuned = await encoder.train(pairs, { epochs: 3, learningRate: 0.01 })
  const path = join(folder(t), 'models', 'tuned')
  await tuned.save(path)
  using opened = await SentenceEncoder.load(path)
  t.is(opened.maxTokens, 20)
  const texts = [
    ...words,
    'a longer text of more than twenty tokens, it goes on and on and on'.repeat(3),
  ]
  const [found, wanted] = [await opened.encode(texts), await tuned.encode(texts)]
  t.deepEqual(found.values, wanted.values)
  t.deepEqual(found.truncated, wanted.truncated)
  t.is(await opened.fingerprint(), await tuned.fingerprint())
  // A folder that is there already is replaced, and then opened anew.
  await encoder.save(path)
  using first = await SentenceEncoder.load(path)
  t.deepEqual((await first.encode(texts)).values, (await encoder.encode(texts)).values)
})

test('names of PyTorch say what stays as it is', async (t) => {
  using encoder = await SentenceEncoder.load(join(golden, 'bert'))
  const before = await readSafetensors(join(golden, 'bert', 'model.safetensors'))
  const changed = async (freeze: string[]) => {
    using tuned = await encoder.train(pairs, { freeze, learningRate: 0.01 })
    const path = join(folder(t), 'tuned')
    await tuned.save(path)
    const after = await readSafetensors(join(path, 'model.safetensors'))
    const names = [...after.keys()].filter((name) => {
      return after.get(name)!.some((value, i) => value !== before.get(name)![i])
    })
    return names.toSorted()
  }
  const ofLayer = (name: string, layer: number) => name.startsWith(`encoder.layer.${layer}.`)
  t.true((await changed(['embeddings', 'layer.0'])).every((name) => ofLayer(name, 1)))
  const second = await changed(['embeddings', 'encoder.layer.0', 'LayerNorm', 'layers.1.linear1'])
  t.true(second.length > 5 && second.every((name) => ofLayer(name, 1)))
  t.false(second.some((name) => name.includes('LayerNorm') || name.includes('intermediate')))
  const whole = await changed(['layer.1'])
  t.true(whole.includes('embeddings.token_type_embeddings.weight'))
  t.false(whole.some((name) => name.includes('pooler')))
  await t.throwsAsync(encoder.train(pairs, { freeze: ['encoder.layer.2'] }), {
    code: 'INVALID_OPTION',
    message: /`freeze` must be names of parameters as PyTorch has them.*"encoder.layer.2"/,
  })
  const part = encoder.train(pairs, { freeze: ['encoder.layer.0.attention.self.query'] })
  await t.throwsAsync(part, { message: /`layers.0.self_attn` has .*attention.self.key.weight/ })
})

test('labels teach an encoder, and a classifier takes it', async (t) => {
  using encoder = await SentenceEncoder.load(join(golden, 'distilbert'))
  const examples = words.flatMap((word, i) => [
    { input: `a ${word} and a fox`, label: i % 2 === 0 ? 'even' : 'odd' },
    { input: `the lazy ${word}`, label: i % 2 === 0 ? 'even' : 'odd' },
  ])
  using tuned = await encoder.train(examples, {
    loss: crossEntropy({ labelSmoothing: 0.05 }),
    epochs: 30,
    batchSize: 16,
    learningRate: 0.003,
  })
  t.true(tuned.history.at(-1)!.loss < 0.5)
  t.is(tuned.dimensions, encoder.dimensions)
  const accuracy = async (of: SentenceEncoder) => {
    using classifier = await Classifier.train(of, examples, { epochs: 20 })
    return (await classifier.evaluate(examples)).accuracy
  }
  t.true((await accuracy(tuned)) > 0.95)
  t.true((await accuracy(encoder)) < 0.95)
})

test('validation keeps the best epoch; prompts stand before columns; long texts are counted', async (t) => {
  using encoder = await SentenceEncoder.load(join(golden, 'bert'), { maxTokens: 9 })
  const scored = pairs.map(({ text, positive: other }, i) => ({ text, other, score: i / 8 }))
  using tuned = await encoder.train(scored.slice(2), {
    epochs: 6,
    patience: 2,
    learningRate: 0.05,
    validation: scored.slice(0, 2),
  })
  t.true(tuned.history.every(({ validation }) => validation! > 0))
  const read = (await encoder.encode(scored.slice(2).map(({ text }) => text))).truncated.length
  t.true(read > 0)
  t.is(encoder.truncated, 0)
  t.true(tuned.truncated >= read)
  await t.throwsAsync(encoder.train(scored, { truncate: 'error' }), { code: 'INVALID_INPUT' })
  const learnt = async (prompt: string | Record<string, string>, text: string, other: string) => {
    const short = [
      { text, other, score: 0.5 },
      { text: other, other: text, score: 0.1 },
    ]
    using one = await encoder.train(short, { prompt, dropout: 0 })
    return one.history
  }
  t.deepEqual(
    await learnt({ text: 'the ', other: '' }, 'fox', 'dog'),
    await learnt({ text: 'the ' }, 'fox', 'dog'),
  )
  t.notDeepEqual(await learnt('the ', 'fox', 'dog'), await learnt({ text: 'the ' }, 'fox', 'dog'))
})

test('a training goes on from its checkpoint, and stops when it is told to', async (t) => {
  using encoder = await SentenceEncoder.load(join(golden, 'bert'))
  const checkpoint = join(folder(t), 'state.safetensors')
  const many = Array.from({ length: 100 }, () => pairs).flat()
  const options = { batchSize: 8, epochs: 2, seed: 3, learningRate: 0.001 }
  using whole = await encoder.train(many, options)
  const controller = new AbortController()
  const aborted = encoder.train(many, {
    ...options,
    checkpoint,
    signal: controller.signal,
    onProgress: ({ phase, done }) => {
      if (phase === 'train' && done > 100) controller.abort()
    },
  })
  await t.throwsAsync(aborted, { any: true, instanceOf: DOMException })
  using resumed = await encoder.train(many, { ...options, checkpoint })
  t.deepEqual((await resumed.encode(words)).values, (await whole.encode(words)).values)
})

test('examples and options that are wrong are refused', async (t) => {
  using encoder = await SentenceEncoder.load(join(golden, 'bert'))
  const wrong = async (examples: unknown, message: RegExp, options = {}) => {
    const run = encoder.train(examples as SentenceExample[], options)
    await t.throwsAsync(run, { code: 'INVALID_OPTION', message }, String(message))
  }
  await wrong([], /`examples` must be examples, at least one/)
  await wrong('a', /`examples` must be an iterable/)
  await wrong(
    [{ text: 'a' }],
    /`examples\[0\]` must be an object with `text`, `positive` and `negative`, or/,
  )
  await wrong(
    [...pairs, { text: 'a', other: 'b', score: 1 }],
    /`examples\[8\]` must be an object with `text` and `positive`,/,
  )
  await wrong(
    [{ text: 'a', other: 'b', score: 4 }],
    /`examples\[0\].score` must be a number from -1 to 1/,
  )
  await wrong(pairs, /`loss` must be 'contrastive' for examples with text, positive/, {
    loss: triplet(),
  })
  await wrong(pairs, /`prompt` must be for columns of the examples/, { prompt: { query: 'a' } })
  await wrong(pairs, /has no meaning without `validation`/, { patience: 2 })
  await wrong(pairs, /`validation\[0\]`/, { validation: [{ text: 'a', other: 'b', score: 1 }] })
  await wrong([{ input: 'a', label: 'one' }], /of two labels or more/)
  await t.throwsAsync(encoder.train([{ text: 1 as never, positive: 'a' }]), {
    code: 'INVALID_INPUT',
  })
  for (const { option, value } of wrongValues(sentenceTrainingOptions)) {
    if (option === 'prompt' && typeof value === 'string') continue
    await t.throwsAsync(
      encoder.train(pairs, { [option]: value }),
      { code: 'INVALID_OPTION' },
      `${option}: ${String(value)}`,
    )
  }
})

test('weights of 8 bits are neither trained nor saved', async (t) => {
  using encoder = await SentenceEncoder.load(join(golden, 'bert'), { precision: 'int8' })
  const refused = {
    code: 'UNSUPPORTED',
    message: /its weights have 8 bits: load the folder without/,
  }
  await t.throwsAsync(encoder.train(pairs), refused)
  await t.throwsAsync(encoder.save(join(folder(t), 'model')), refused)
})

test('the event loop has its turn while an encoder learns', async (t) => {
  using encoder = await SentenceEncoder.load(join(golden, 'bert'))
  const many = Array.from({ length: 30_000 }, (_, i) => ({ input: `fox ${i}`, label: `${i % 9}` }))
  const held = await longestHoldOf(async () => {
    const controller = new AbortController()
    const run = encoder.train(many, {
      freeze: ['embeddings', 'layer.0', 'layer.1'],
      batchSize: 512,
      signal: controller.signal,
      onProgress: ({ phase, done }) => {
        if (phase === 'train' && done > 2000) controller.abort()
      },
    })
    await t.throwsAsync(run, { any: true, instanceOf: DOMException })
  })
  t.log(`${held.toFixed(1)} ms`)
  t.true(held < 5, `${held} ms`)
})
