import { createReadStream, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { Corpus, type CorpusSource, InlayError, InvalidOptionError, type Text } from 'inlay'
import { folder } from '../fixtures/folder.js'
import { longestHold } from '../fixtures/longest-hold.js'

const all = { minCount: 1 }
/** What is never bounded, and says when it was given back. */
class Endless {
  async *later(): AsyncGenerator<string> {
    yield* this.now()
  }
  *now(): Generator<string> {
    try {
      for (;;) {
        this.taken++
        yield 'some words of a sentence'
      }
    } finally {
      this.returned++
    }
  }
  taken = 0
  returned = 0
}

const words = async (source: CorpusSource) => {
  using corpus = await Corpus.read(source, all)
  return [...corpus.words]
}

test('strings are split; arrays of words, and of integers, are taken as they are', async (t) => {
  t.deepEqual(await words(['a b', 'a']), ['a', 'b'])
  t.deepEqual(await words([['a b', 'a'], ['a b']]), ['a b', 'a'])
  t.deepEqual(await words([[7, -7, 7], [2 ** 53 - 1]]), ['7', '-7', '9007199254740991'])
  t.deepEqual(await words([Uint32Array.of(4294967295), Int32Array.of(-1)]), ['4294967295', '-1'])
})

test('one source may mix all kinds of texts, and keeps their order', async (t) => {
  using corpus = await Corpus.read(['x y', ['x'], [5, 5, 5], [], 'y', Uint32Array.of(5)], all)
  t.deepEqual([...corpus.words], ['5', 'x', 'y'])
  t.is(corpus.tokens, 8)
  t.is(corpus.sentences, 5)
})

test('an iterable, an async iterable and a function that gives one are the same', async (t) => {
  const texts = ['b a b', 'c']
  async function* later() {
    for (const text of texts) {
      await sleep(1)
      yield text
    }
  }
  for (const source of [texts, new Set(texts), later(), () => texts, () => later(), later]) {
    t.deepEqual(await words(source as CorpusSource), ['b', 'a', 'c'])
  }
})

test('a text may be longer than a batch, in the middle of words and of surrogate pairs', async (t) => {
  const word = '😀é€x'.repeat(50)
  const text = `${word} `.repeat(3000)
  using corpus = await Corpus.read([text, `${word} end`], all)
  t.deepEqual([...corpus.words], [word, 'end'])
  t.is(corpus.count(word), 3001)
})

test('a sentence of words and one of integers may be longer than a batch', async (t) => {
  const numbers = Uint32Array.from({ length: 200_000 }, (_, i) => i % 7)
  using items = await Corpus.read([numbers], all)
  t.like(items, { size: 7, tokens: 200_000, sentences: 1 })
  using strings = await Corpus.read([Array.from(numbers, (n) => `item ${n}`)], all)
  t.like(strings, { size: 7, tokens: 200_000, sentences: 1 })
})

test('a word may be longer than a batch', async (t) => {
  const long = 'é'.repeat(300_000)
  t.deepEqual(await words([[long, 'a', 'a', long, long]]), [long, 'a'])
})

test('reading takes no more from an iterator than there is room for', async (t) => {
  const endless = new Endless()
  const controller = new AbortController()
  const reading = Corpus.read(endless.later(), { signal: controller.signal })
  while (endless.taken < 100_000) await sleep(5)
  controller.abort()
  await t.throwsAsync(reading, { any: true, instanceOf: DOMException })
  const { taken } = endless
  await sleep(50)
  t.is(endless.taken, taken)
  t.is(endless.returned, 1)
})

test('an abort ends the wait for an iterator that gives nothing', async (t) => {
  const controller = new AbortController()
  let returned = 0
  const silent: AsyncIterable<Text> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => {}),
      return: async () => {
        returned++
        return { done: true, value: undefined }
      },
    }),
  }
  const reading = Corpus.read(silent, { signal: controller.signal })
  await sleep(20)
  controller.abort(new Error('enough'))
  await t.throwsAsync(reading, { message: 'enough' })
  t.is(returned, 1)
})

test('what an iterator throws is the rejection', async (t) => {
  function* throwing() {
    yield 'a'
    throw new RangeError('from the iterator')
  }
  async function* rejecting() {
    yield* throwing()
  }
  const expected = { instanceOf: RangeError, message: 'from the iterator' }
  await t.throwsAsync(Corpus.read(throwing(), all), expected)
  await t.throwsAsync(Corpus.read(rejecting(), all), expected)
  await t.throwsAsync(
    Corpus.read(() => {
      throw new RangeError('from the iterator')
    }, all),
    expected,
  )
})

test('an item that is no text is refused with its number, and the iterator given back', async (t) => {
  const wrong = [5, null, undefined, {}, new Uint8Array(2), ['a', 5], [5, 'a'], [1.5], [NaN], true]
  for (const item of wrong) {
    let returned = 0
    function* items() {
      try {
        yield 'a'
        yield ['b']
        yield item as Text
      } finally {
        returned++
      }
    }
    async function whoeverCalled() {
      return Corpus.read(items(), all)
    }
    const expected = { instanceOf: InlayError, code: 'INVALID_INPUT' }
    const error = await t.throwsAsync(whoeverCalled(), expected)
    t.is(error.context['index'], 2)
    t.regex(error.message, /^Corpus\.read: item 2 of the source: /)
    t.regex(error.stack!, /whoeverCalled/)
    t.is(returned, 1)
  }
})

test('half a surrogate pair is an error, or replaced, or its word skipped', async (t) => {
  const texts = ['good \ud83d bad', 'x\udc00']
  await t.throwsAsync(Corpus.read(texts, all), { code: 'INVALID_INPUT' })
  using replaced = await Corpus.read(texts, { ...all, invalidUtf8: 'replace' })
  t.deepEqual([...replaced.words].toSorted(), ['bad', 'good', 'x\ufffd', '\ufffd'].toSorted())
  using skipped = await Corpus.read(texts, { ...all, invalidUtf8: 'skip' })
  t.deepEqual([...skipped.words], ['good', 'bad'])
})

test('two halves of a pair at the ends of two texts make no pair, and the error names the first', async (t) => {
  const texts = [
    'plain',
    'écrit',
    'a\ud83d',
    '\udc00b',
    ...Array.from({ length: 100 }, (_, i) => `w${i}`),
  ]
  const error = await t.throwsAsync(Corpus.read(texts, all), { instanceOf: InlayError })
  t.is(error.context['index'], 2)
  using skipped = await Corpus.read(texts, { ...all, invalidUtf8: 'skip' })
  t.is(skipped.words.length, 102)
  t.true([...skipped.words].includes('écrit'))
})

test('what is no source is refused before anything is read', async (t) => {
  const wrong = [5, null, undefined, '', {}, { files: [] }, { files: [5] }, { files: 'a' }]
  for (const source of [...wrong, new URL('https://example.org/a.txt'), () => 5, () => undefined]) {
    await t.throwsAsync(Corpus.read(source as CorpusSource), { instanceOf: InvalidOptionError })
  }
})

test('a stream of bytes is refused; its lines are not', async (t) => {
  const file = join(folder(t), 'a.txt')
  writeFileSync(file, 'a b\nb')
  const stream = createReadStream(file, 'utf8')
  const error = await t.throwsAsync(Corpus.read(stream), { instanceOf: InvalidOptionError })
  t.regex(error.message, /readline/)
  t.deepEqual(await words(createInterface({ input: stream })), ['b', 'a'])
})

test.serial('a stream of long texts is read in bounded memory', async (t) => {
  const text = 'some words '.repeat(50_000)
  const before = process.memoryUsage.rss()
  let [most, sentences] = [0, 0]
  function* texts() {
    for (; sentences < 1_000; sentences++) {
      yield text
      most = Math.max(most, process.memoryUsage.rss())
    }
  }
  using corpus = await Corpus.read(texts(), all)
  t.is(corpus.sentences, sentences)
  t.is(corpus.count('words'), 50_000 * sentences)
  const megabytes = (most - before) / 1e6
  t.true(megabytes < 150, `${megabytes} MB for 550 MB of text`)
})

test.serial('a long source never holds the event loop, and an abort ends it', async (t) => {
  const text = 'some words '.repeat(4_000_000)
  const list = Array.from({ length: 2_000_000 }, (_, i) => `word ${i % 1000}`)
  const numbers = new Uint32Array(20_000_000)
  /** The same without end, so that reading is under way as long as it is looked at. */
  function* again(item: Text): Generator<Text> {
    for (;;) yield item
  }
  for (const [name, source] of Object.entries({
    now: new Endless().now(),
    later: new Endless().later(),
    text: again(text),
    list: again(list),
    numbers: again(numbers),
  })) {
    const controller = new AbortController()
    const reading = Corpus.read(source, { ...all, threads: 1, signal: controller.signal })
    const ended = t.throwsAsync(reading, { any: true, instanceOf: DOMException })
    const hold = await longestHold()
    const aborted = performance.now()
    controller.abort()
    await ended
    const wait = performance.now() - aborted
    t.log(name, { hold, wait })
    t.true(hold < 5, name)
    t.true(wait < 500, name)
  }
})
