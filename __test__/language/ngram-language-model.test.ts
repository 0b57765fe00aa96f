import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import test from 'ava'
import {
  Corpus,
  InlayError,
  InvalidOptionError,
  NgramLanguageModel,
  type NgramOptions,
  arpaOptions,
  filterOptions,
  generateOptions,
  nextWordsOptions,
  ngramOptions,
  perplexityOptions,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { smallDisk } from '../fixtures/small-disk.js'
import { toySentences } from '../fixtures/toy.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const fixture = (name: string) =>
  fileURLToPath(new URL(`../../../crates/language/fixtures/${name}`, import.meta.url))
const sentences = readFileSync(fixture('sentences.txt'), 'utf8').trim().split('\n')
const tiny: NgramOptions = { order: 3, discountFallback: [0.5, 1, 1.5] }
const refused = { instanceOf: InvalidOptionError }

test('an ARPA file is that of lmplz, byte for byte, from a file or from strings', async (t) => {
  const inside = folder(t)
  const target = join(inside, 'model.arpa')
  const wanted = readFileSync(fixture('sentences.3.arpa'), 'utf8')
  using model = await NgramLanguageModel.train(fixture('sentences.txt'), { order: 3 })
  await model.saveArpa(target)
  t.true(readFileSync(target, 'utf8') === wanted)
  const pruned = { order: 4, prune: [0, 0, 1], threads: 2, memory: 1_000_000 }
  using other = await NgramLanguageModel.train(sentences, pruned)
  await other.saveArpa(`${target}.gz`)
  const written = gunzipSync(readFileSync(`${target}.gz`)).toString()
  t.true(written === readFileSync(fixture('sentences.4.pruned.arpa'), 'utf8'))
  t.deepEqual(other.options?.prune, [0, 0, 1, 1])
  t.is(other.options?.discounts.length, 4)
})

test('a model is the same after save and open, and after an ARPA file', async (t) => {
  const inside = folder(t)
  using model = await NgramLanguageModel.train(sentences, { ...tiny, lowercase: true })
  await model.save(join(inside, 'model.safetensors'))
  await model.saveArpa(join(inside, 'model.arpa'))
  using opened = await NgramLanguageModel.open(join(inside, 'model.safetensors'))
  using read = await NgramLanguageModel.openArpa(join(inside, 'model.arpa'), { lowercase: true })
  t.deepEqual(opened.ngrams, model.ngrams)
  t.deepEqual(opened.options, model.options)
  t.is(read.options, undefined)
  t.deepEqual(model.words.slice(0, 3), ['<unk>', '<s>', '</s>'])
  for (const sentence of [sentences[3]!, 'The PEOPLE of nowhere', '']) {
    t.deepEqual(opened.score(sentence), model.score(sentence))
    t.deepEqual(read.score(sentence), model.score(sentence))
  }
  t.deepEqual(model.score('THE'), model.score(['the'], { begin: true }))
})

test('a sentence has a score for each word: its order, and whether it is known', async (t) => {
  using model = await NgramLanguageModel.train(['a b c', 'a b d', 'b c'], tiny)
  const { words, logProbability, perplexity } = model.score('a b nothing c')
  t.deepEqual(
    words.map(({ word, order, unknown }) => [word, order, unknown]),
    [
      ['a', 2, false],
      ['b', 3, false],
      ['nothing', 1, true],
      ['c', 1, false],
      ['</s>', 2, false],
    ],
  )
  const sum = words.reduce((total, word) => total + word.logProbability, 0)
  t.is(logProbability, sum)
  t.is(perplexity, 10 ** (-sum / 5))
  t.is(model.score('a b', { end: false }).words.length, 2)
  t.is(model.score('c', { begin: false }).words[0]!.order, 1)
  t.is(model.score([]).words.length, 1)
})

test('perplexity, scores of many sentences and of one agree', async (t) => {
  using model = await NgramLanguageModel.train(sentences.slice(0, 200), {
    order: 4,
    discountFallback: [0.5, 1, 1.5],
  })
  const held = sentences.slice(200)
  const one = held.map((sentence) => model.score(sentence))
  const all = await model.scoreAll(held)
  t.true(
    one.every(
      ({ logProbability }, i) => Math.abs(logProbability - all.logProbabilities[i]!) < 1e-6,
    ),
  )
  t.deepEqual(
    [...all.words],
    one.map(({ words }) => words.length),
  )
  const logProbability = all.logProbabilities.reduce((sum, log) => sum + log, 0)
  for (const threads of [1, 2]) {
    const found = await model.perplexity(held, { threads })
    t.true(Math.abs(found.logProbability - logProbability) < 1e-6)
    t.is(found.sentences, held.length)
    t.is(
      found.unknown,
      all.unknown.reduce((sum, count) => sum + count, 0),
    )
    t.true(found.unknown > 0 && found.perplexityOfKnown < found.perplexity)
  }
  using corpus = await Corpus.read(held, { minCount: 1 })
  t.deepEqual(await model.perplexity(corpus), await model.perplexity(held))
})

test('the next words come likeliest first and have 1 together', async (t) => {
  using model = await NgramLanguageModel.train(sentences, { order: 3 })
  const all = await model.nextWords('of the', { limit: 1e6 })
  t.is(all.length, model.words.length - 1)
  t.true(Math.abs(all.reduce((sum, { probability }) => sum + probability, 0) - 1) < 1e-5)
  t.true(all.every(({ probability }, i) => i === 0 || probability <= all[i - 1]!.probability))
  const [first] = await model.nextWords(['of', 'the'], { limit: 1, from: 'middle' })
  const score = model.score(['of', 'the', first!.word], { begin: false, end: false }).words[2]!
  t.is(first!.probability, 10 ** score.logProbability)
})

test('a seed gives the same texts, which are made of words of the model', async (t) => {
  using model = await NgramLanguageModel.train(sentences, { order: 3 })
  const options = { texts: 5, maxWords: 12, prompt: 'the people', seed: 7 }
  const texts = await model.generate(options)
  t.deepEqual(await model.generate(options), texts)
  t.notDeepEqual(await model.generate({ ...options, seed: 8 }), texts)
  const known = new Set(model.words)
  for (const words of texts) {
    t.deepEqual(words.slice(0, 2), ['the', 'people'])
    t.true(words.length <= 14 && words.every((word) => known.has(word)))
    t.false(words.some((word) => ['<unk>', '<s>', '</s>'].includes(word)))
  }
  const cold = { texts: 3, maxWords: 5, temperature: 0.01 }
  const [a, b, c] = await model.generate(cold)
  t.true(a!.join(' ') === b!.join(' ') && b!.join(' ') === c!.join(' '))
})

test('filter gives the texts of a stream that are likely enough, as they come', async (t) => {
  using model = await NgramLanguageModel.train(sentences, { order: 3 })
  async function* lines() {
    for (const sentence of sentences.slice(0, 5)) {
      yield sentence
      yield sentence.split(' ').toReversed().join(' ')
    }
  }
  const kept: string[] = []
  for await (const text of model.filter(lines(), { maxPerplexity: 20 })) kept.push(text)
  t.deepEqual(kept, sentences.slice(0, 5))
  const rest: string[] = []
  for await (const text of model.filter(lines(), { minPerplexity: 20 })) rest.push(text)
  t.is(rest.length, 5)
  await t.throwsAsync(model.filter(lines(), {}).next(), refused)
  const wrong = model.filter([1] as never, { maxPerplexity: 2 }).next()
  await t.throwsAsync(wrong, { instanceOf: InlayError, code: 'INVALID_INPUT' })
})

test('rare words are <unk>, which is then a word to be foretold', async (t) => {
  using model = await NgramLanguageModel.train(sentences, { order: 2, minCount: 3 })
  t.true(model.words.length < 400)
  const { words } = model.score('xyzzy')
  t.true(words[0]!.unknown && words[0]!.logProbability > -1.5)
  using small = await NgramLanguageModel.train(sentences, { order: 2, maxVocabulary: 50 })
  t.is(small.words.length, 53)
})

test('a corpus gives the model of its text, if it has all words', async (t) => {
  const inside = folder(t)
  using corpus = await Corpus.read(sentences, { minCount: 1 })
  using model = await NgramLanguageModel.train(corpus, { order: 3 })
  await model.saveArpa(join(inside, 'a.arpa'))
  const wanted = readFileSync(fixture('sentences.3.arpa'), 'utf8')
  t.true(readFileSync(join(inside, 'a.arpa'), 'utf8') === wanted)
  await t.throwsAsync(NgramLanguageModel.train(corpus, { sentences: 'paragraph' }), refused)
  using cut = await Corpus.read(sentences, { minCount: 2 })
  await t.throwsAsync(NgramLanguageModel.train(cut, tiny), { ...refused, message: /minCount: 1/ })
  await t.throwsAsync(model.perplexity(cut), refused)
})

test('one sentence, empty lines, and a text that is too small without a fallback', async (t) => {
  using one = await NgramLanguageModel.train(['', 'a single sentence', ''], tiny)
  t.deepEqual(one.ngrams, [6, 4, 3])
  using unigrams = await NgramLanguageModel.train(['a b'], { ...tiny, order: 1 })
  t.is(unigrams.order, 1)
  const problem = { instanceOf: InlayError, code: 'INVALID_INPUT', message: /discountFallback/ }
  await t.throwsAsync(NgramLanguageModel.train(['a b']), problem)
  const marked = NgramLanguageModel.train(['a <s> b'], tiny)
  await t.throwsAsync(marked, { instanceOf: InlayError, code: 'INVALID_INPUT' })
  await t.throwsAsync(NgramLanguageModel.train([], tiny), { code: 'INVALID_INPUT' })
})

test('files that are damaged or of another kind are errors', async (t) => {
  const inside = folder(t)
  const path = join(inside, 'model')
  const invalid = { instanceOf: InlayError, code: 'INVALID_INPUT' }
  const good = readFileSync(fixture('sentences.3.arpa'))
  for (const bytes of [
    good,
    good.subarray(0, 5000),
    gzipSync(good).subarray(0, 5000),
    Buffer.from(''),
  ]) {
    writeFileSync(path, bytes)
    await t.throwsAsync(NgramLanguageModel.open(path), invalid)
    if (bytes !== good) await t.throwsAsync(NgramLanguageModel.openArpa(path), invalid)
  }
  writeFileSync(path, good.toString().replace('\t<s>\t', '\tbegin\t'))
  await t.throwsAsync(NgramLanguageModel.openArpa(path), { ...invalid, message: /<s>|unigram/ })
  const missing = NgramLanguageModel.openArpa(join(inside, 'no'))
  await t.throwsAsync(missing, { code: 'NOT_FOUND' })
})

test('an abort stops every verb, and leaves no file', async (t) => {
  const inside = folder(t)
  using corpus = await Corpus.read(toySentences(600_000), { minCount: 1 })
  const reason = new Error('enough')
  const controller = new AbortController()
  const { signal } = controller
  const onProgress = () => controller.abort(reason)
  const training = NgramLanguageModel.train(corpus, { ...tiny, signal, onProgress })
  t.is(await t.throwsAsync(training), reason)
  using model = await NgramLanguageModel.train(sentences, { order: 3 })
  const target = join(inside, 'model.arpa')
  for (const verb of [
    () => model.save(target, { signal }),
    () => model.saveArpa(target, { signal }),
    () => model.perplexity(sentences, { signal }),
    () => model.generate({ signal }),
    () => model.nextWords('a', { signal }),
    () => model.scoreAll(['a'], { signal }),
    () => NgramLanguageModel.openArpa(fixture('sentences.3.arpa'), { signal }),
  ]) {
    t.is(await t.throwsAsync(verb() as Promise<unknown>), reason)
  }
  t.deepEqual(readdirSync(inside), [])
})

test('progress tells what is done, phase after phase', async (t) => {
  const phases = new Set<string>()
  const onProgress = ({ phase }: { phase: string }) => phases.add(phase)
  using model = await NgramLanguageModel.train(toySentences(100_000), { ...tiny, onProgress })
  // A phase of a few milliseconds may pass unheard.
  t.is([...phases].at(-1), 'estimate')
  t.is(model.order, 3)
})

test('an ARPA file is not written as zstd, which is only read', async (t) => {
  const target = join(folder(t), 'model.arpa.zst')
  const model = await NgramLanguageModel.train(['a b', 'a c', 'b c'], tiny)
  const message = /^NgramLanguageModel\.saveArpa: `path` must be a name that does not end in \.zst/
  await t.throwsAsync(model.saveArpa(target), { code: 'INVALID_OPTION', message })
  t.false(existsSync(target))
})

test('a full disk is its own error, and leaves no file', async (t) => {
  const disk = smallDisk(t)
  if (disk === undefined) return
  using model = await NgramLanguageModel.train(toySentences(200_000), tiny)
  const target = join(disk, 'model.safetensors')
  for (const writing of [model.save(target), model.saveArpa(target)]) {
    await t.throwsAsync(writing, { instanceOf: InlayError, code: 'DISK_FULL' })
  }
  t.deepEqual(readdirSync(disk), [])
})

test('a closed model says so', async (t) => {
  const model = await NgramLanguageModel.train(sentences, tiny)
  model.close()
  model.close()
  t.throws(() => model.score('a'), { instanceOf: InlayError, code: 'CLOSED' })
  await t.throwsAsync(model.scoreAll(['a']), { code: 'CLOSED' })
})

for (const { option, value } of wrongValues(ngramOptions)) {
  // One number may be a discount.
  if (option === 'discountFallback' && Array.isArray(value)) continue
  const shown = typeof value === 'object' ? JSON.stringify(value) : String(value)
  test(`train refuses ${option}: ${typeof value} ${shown}`, async (t) => {
    await t.throwsAsync(NgramLanguageModel.train(sentences, { [option]: value }), refused)
  })
}

for (const prune of [[], [1], [0, 2, 1], [0, 0.5], [0, -1], [0, 0, 0, 0], '0']) {
  test(`train refuses prune: ${JSON.stringify(prune)}`, async (t) => {
    await t.throwsAsync(
      NgramLanguageModel.train(sentences, { order: 3, prune: prune as never }),
      refused,
    )
  })
}

for (const discountFallback of [[], [2], [0.5, 1, 4], [0.5, 1, 1.5, 2], [Number.NaN]]) {
  test(`train refuses discountFallback: ${JSON.stringify(discountFallback)}`, async (t) => {
    await t.throwsAsync(NgramLanguageModel.train(sentences, { discountFallback }), refused)
  })
}

test('other verbs refuse wrong values', async (t) => {
  using model = await NgramLanguageModel.train(sentences, tiny)
  for (const [table, verb] of [
    [perplexityOptions, (options: object) => model.perplexity(sentences, options)],
    [generateOptions, (options: object) => model.generate(options)],
    [nextWordsOptions, (options: object) => model.nextWords('a', options)],
    [filterOptions, (options: object) => model.filter(['a'], options).next()],
    [arpaOptions, (options: object) => NgramLanguageModel.openArpa('no', options)],
  ] as const) {
    // Any text may be a prompt.
    for (const { option, value } of wrongValues(table)) {
      if (option === 'prompt' && typeof value === 'string') continue
      await t.throwsAsync(
        verb({ [option]: value }) as Promise<unknown>,
        refused,
        `${option}: ${String(value)}`,
      )
    }
  }
  for (const sentence of [undefined, 1, [1], {}]) {
    t.throws(() => model.score(sentence as never), refused)
    await t.throwsAsync(model.scoreAll([sentence] as never), refused)
  }
})
