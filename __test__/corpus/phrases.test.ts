import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import {
  Corpus,
  InlayError,
  InvalidOptionError,
  Phrases,
  Word2Vec,
  englishConnectorWords,
  phrasesOptions,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomNumbers } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

/** Lines in which `new york`, `new york times` and `bank of america` stand together. */
function lines(count: number): string[] {
  const random = randomNumbers(1)
  const filler = 'a man sees the old river in winter and the old town by night'.split(' ')
  const fixed = ['new york', 'new york times', 'bank of america']
  const pick = (from: readonly string[]) => from[Math.floor(random() * from.length)]!
  return Array.from({ length: count }, () =>
    Array.from({ length: 8 }, () => (random() < 0.2 ? pick(fixed) : pick(filler))).join(' '),
  )
}

const text = lines(2000)
const options = {
  scoring: 'npmi',
  threshold: 0.4,
  connectorWords: englishConnectorWords,
  passes: 2,
} as const
const names = (phrases: Phrases) => [...phrases].map(({ phrase }) => phrase)

test('words that stand together are phrases, and several passes find longer ones', async (t) => {
  using phrases = await Phrases.train(text, options)
  t.true(names(phrases).includes('new_york'))
  t.true(names(phrases).includes('bank_of_america'))
  t.true(names(phrases).includes('new_york_times'))
  t.false(names(phrases).some((phrase) => /old_river|sees/.test(phrase)))
  t.is(phrases.size, names(phrases).length)
  const [first] = phrases
  t.true(first!.score > 0.4 && first!.count > 5 && first!.pass === 1)
  t.is([...phrases].find(({ phrase }) => phrase === 'new_york_times')?.pass, 2)
  const once = await Phrases.train(text, { ...options, passes: 1 })
  t.false(names(once).includes('new_york_times'))
})

test('a sentence is joined from left to right, and unknown words stay', async (t) => {
  using phrases = await Phrases.train(text, options)
  const apply = (sentence: string) => phrases.apply(sentence.split(' ')).join(' ')
  t.is(apply('the new york times of new york'), 'the new_york_times of new_york')
  t.is(apply('bank of america zürich bank of'), 'bank_of_america zürich bank of')
  t.is(apply('new new york'), 'new new_york')
  t.deepEqual(phrases.apply([]), [])
  t.throws(() => phrases.apply('new york' as never), { instanceOf: InvalidOptionError })
})

test('the result does not depend on threads, nor on whether files or items are read', async (t) => {
  const file = join(folder(t), 'text')
  writeFileSync(file, text.join('\n'))
  const [expected, ...others] = await Promise.all([
    Phrases.train(file, { ...options, threads: 1 }),
    Phrases.train(file, { ...options, threads: 3 }),
    Phrases.train(text, options),
    Phrases.train(
      text.map((line) => line.split(' ')),
      options,
    ),
  ])
  for (const other of others) t.deepEqual([...other], [...expected!])
})

test('a corpus reads a text as if its sentences had been joined before', async (t) => {
  using phrases = await Phrases.train(text, options)
  const joined = text.map((line) => phrases.apply(line.split(' ')))
  using expected = await Corpus.read(joined, { minCount: 3, stopWords: ['of'] })
  using corpus = await Corpus.read(text, { minCount: 3, stopWords: ['of'], phrases })
  t.deepEqual([...corpus.words], [...expected.words])
  for (const word of corpus.words) t.is(corpus.count(word), expected.count(word))
  for (const name of ['tokens', 'sentences', 'dropped'] as const) {
    t.deepEqual(corpus[name], expected[name])
  }
  const place = folder(t)
  await corpus.save(join(place, 'a'))
  await expected.save(join(place, 'b'))
  t.deepEqual(readFileSync(join(place, 'a')), readFileSync(join(place, 'b')))
})

test('Word2Vec learns vectors of phrases', async (t) => {
  using phrases = await Phrases.train(text, options)
  using model = await Word2Vec.train(text, { phrases, dimensions: 8, epochs: 1 })
  t.true(model.vectors.has('new_york_times'))
  t.true(model.vectors.has('bank_of_america'))
  using newer = await model.update(text, { phrases, epochs: 1 })
  t.is(newer.updated?.added, 0)
})

test('phrases that were saved open as they were', async (t) => {
  const file = join(folder(t), 'phrases.safetensors')
  using phrases = await Phrases.train(text, {
    ...options,
    delimiter: '‿',
    scoring: 'npmi',
    threshold: 0.4,
  })
  await phrases.save(file)
  using opened = await Phrases.open(file)
  t.deepEqual([...opened], [...phrases])
  t.deepEqual(opened.options, phrases.options)
  t.like(opened.options, {
    delimiter: '‿',
    scoring: 'npmi',
    threshold: 0.4,
    passes: 2,
    minCount: 5,
  })
  t.deepEqual(opened.options.connectorWords, [...englishConnectorWords])
  t.deepEqual(opened.apply(['new', 'york']), ['new‿york'])
  writeFileSync(file, 'no phrases at all, and long enough to be looked at')
  await t.throwsAsync(Phrases.open(file), { instanceOf: InlayError, code: 'INVALID_INPUT' })
  await t.throwsAsync(Phrases.open(`${file}.not`), { code: 'NOT_FOUND' })
})

for (const { option, value } of wrongValues(phrasesOptions)) {
  const shown = typeof value === 'object' ? JSON.stringify(value) : String(value)
  test(`refuses ${option}: ${typeof value} ${shown}`, async (t) => {
    const error = await t.throwsAsync(Phrases.train(text, { [option]: value }), {
      instanceOf: InvalidOptionError,
    })
    t.is(error.context['option'], option)
  })
}

test('options that do not fit each other are refused', async (t) => {
  for (const wrong of [
    { threshold: 0 },
    { threshold: 2, scoring: 'npmi' },
    { delimiter: '__' },
    { delimiter: '\ud83d' },
    { connectorWords: [''] },
  ] as const) {
    await t.throwsAsync(Phrases.train(text, wrong), { instanceOf: InvalidOptionError })
  }
  await t.throwsAsync(Word2Vec.train(text, { phrases: {} as never }), {
    instanceOf: InvalidOptionError,
    message: /`phrases` must be Phrases/,
  })
})

test('after close it is an error, and an abort stops the run', async (t) => {
  const phrases = await Phrases.train(text, options)
  phrases.close()
  t.throws(() => phrases.apply(['a']), { code: 'CLOSED' })
  await t.throwsAsync(Corpus.read(text, { phrases }), { code: 'CLOSED' })
  const controller = new AbortController()
  const endless = function* () {
    for (;;) yield* text
  }
  const run = Phrases.train(endless(), { signal: controller.signal })
  await sleep(50)
  const asked = performance.now()
  controller.abort()
  await t.throwsAsync(run, { any: true, name: 'AbortError' })
  t.true(performance.now() - asked < 500)
})

test('progress tells of reading, counting and scoring', async (t) => {
  const phases = new Set<string>()
  const onProgress = ({ phase }: { phase: string }) => phases.add(phase)
  using phrases = await Phrases.train(text, { ...options, onProgress })
  t.true(phases.has('score'))
  using corpus = await Corpus.read(text, { phrases, onProgress })
  t.true(corpus.size > 0 && phases.has('write'))
})
