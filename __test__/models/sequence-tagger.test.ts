import { join } from 'node:path'
import test from 'ava'
import {
  InvalidOptionError,
  SequenceTagger,
  type SequenceTaggerOptions,
  type TaggedSentence,
  WordVectors,
  sequenceTaggerOptions,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomNumbers } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const stems = ['walk', 'talk', 'jump', 'play', 'help', 'work']

/** 'the walk', 'they walk': what a stem is hangs on the word before; what ends in -ed is a verb. */
function sentences(
  count: number,
  seed: number,
  words: readonly string[] = stems,
): TaggedSentence[] {
  const next = randomNumbers(seed)
  return Array.from({ length: count }, () => {
    const stem = words[Math.floor(next() * words.length)]!
    const kind = Math.floor(next() * 3)
    if (kind === 0) return { words: ['The', stem, 'ends'], tags: ['DET', 'NOUN', 'VERB'] }
    if (kind === 1) return { words: ['They', stem], tags: ['PRON', 'VERB'] }
    return { words: ['They', `${stem}ed`, 'here', '.'], tags: ['PRON', 'VERB', 'ADV', 'PUNCT'] }
  })
}

const small: SequenceTaggerOptions = {
  dimensions: 8,
  units: 12,
  characters: 2,
  epochs: 10,
  batchSize: 16,
  learningRate: 0.02,
  dropout: 0.2,
  threads: 1,
}

test('tags hang on what stands around a word', async (t) => {
  using tagger = await SequenceTagger.train(sentences(200, 1), small)
  t.deepEqual(await tagger.tag([['the', 'talk', 'ends'], ['They', 'talk'], []]), [
    ['DET', 'NOUN', 'VERB'],
    ['PRON', 'VERB'],
    [],
  ])
  const { accuracy, count, labels } = await tagger.evaluate(sentences(100, 2))
  t.true(accuracy > 0.99, `${accuracy}`)
  t.true(count > 200)
  t.deepEqual(labels.map(({ label }) => label).toSorted(), [
    'ADV',
    'DET',
    'NOUN',
    'PRON',
    'PUNCT',
    'VERB',
  ])
})

test('words that were never met are known by their characters', async (t) => {
  const strange = ['zorb', 'quill', 'vamp', 'snark']
  using tagger = await SequenceTagger.train(sentences(300, 1), small)
  const { accuracy } = await tagger.evaluate(sentences(100, 2, strange))
  t.true(accuracy > 0.95, `${accuracy}`)
})

test('words that were never met are known by vectors that are given, which stay as they are', async (t) => {
  const rows = Float32Array.of(1, 0, 0, 1, 1, 0, 0, 1)
  const vectors = WordVectors.from(['red', 'run', 'blue', 'sing'], rows, 2)
  const pair = (adjective: string, verb: string): TaggedSentence => ({
    words: [adjective, verb],
    tags: ['ADJ', 'VERB'],
  })
  const turned = { words: ['run', 'red'], tags: ['VERB', 'ADJ'] }
  const examples = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? pair('red', 'run') : turned))
  const options = { ...small, characters: 0, knownVectors: vectors, minCount: 100, epochs: 30 }
  using tagger = await SequenceTagger.train(examples, options)
  t.deepEqual(
    await tagger.tag([
      ['sing', 'blue'],
      ['blue', 'sing'],
    ]),
    [
      ['VERB', 'ADJ'],
      ['ADJ', 'VERB'],
    ],
  )
  const table = tagger.network.parameter('known.weight')!
  t.deepEqual(table.values, Float32Array.of(0, 0, ...rows))
})

test('a tagger that was saved tags the same, on any number of threads', async (t) => {
  const path = join(folder(t), 'tagger.safetensors')
  const options = { ...small, epochs: 1 }
  using one = await SequenceTagger.train(sentences(50, 1), { ...options, threads: 1 })
  using two = await SequenceTagger.train(sentences(50, 1), { ...options, threads: 2 })
  await one.save(path)
  using opened = await SequenceTagger.open(path)
  const texts = sentences(20, 2).map(({ words }) => words)
  t.deepEqual(await two.tag(texts), await one.tag(texts))
  t.deepEqual(await opened.tag(texts), await one.tag(texts))
  t.deepEqual(two.network.parameter('scores.weight'), one.network.parameter('scores.weight'))
  t.deepEqual(opened.tags, one.tags)
})

test('sentences that do not fit are refused', async (t) => {
  const refused = { instanceOf: InvalidOptionError }
  const short = [{ words: ['a', 'b'], tags: ['A'] }]
  await t.throwsAsync(SequenceTagger.train(short), { ...refused, message: /examples\[0\]\.tags/ })
  await t.throwsAsync(SequenceTagger.train([{ words: ['a'], tags: ['A'] }]), refused)
  await t.throwsAsync(SequenceTagger.train([{ words: [''], tags: ['A'] }]), refused)
  await t.throwsAsync(SequenceTagger.train(['a b' as never]), refused)
  await t.throwsAsync(SequenceTagger.train(undefined as never), refused)
  const two = [{ words: ['a', 'b'], tags: ['A', 'B'] }]
  await t.throwsAsync(SequenceTagger.train(two, { validation: [] }), {
    message: /`validation` has no examples/,
  })
  using tagger = await SequenceTagger.train(sentences(10, 1), { ...small, epochs: 1 })
  await t.throwsAsync(tagger.tag(['They walk' as never]), refused)
  await t.throwsAsync(tagger.evaluate([{ words: ['a'], tags: ['A'] }]), refused)
})

for (const { option, value } of wrongValues(sequenceTaggerOptions)) {
  if (option === 'validation' && Array.isArray(value)) continue
  test(`refuses ${option}: ${String(value)} ${typeof value}`, async (t) => {
    const training = SequenceTagger.train(sentences(4, 1), { [option]: value })
    await t.throwsAsync(training, { instanceOf: InvalidOptionError })
  })
}
