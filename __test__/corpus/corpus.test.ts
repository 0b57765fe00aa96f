import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { Corpus, InlayError, InvalidOptionError, corpusOptions } from 'inlay'
import { folder } from '../fixtures/folder.js'
import { smallDisk } from '../fixtures/small-disk.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const all = { minCount: 1 }
const invalidInput = { instanceOf: InlayError, code: 'INVALID_INPUT' }

test('words are counted, most frequent first, ties in the order of their bytes', async (t) => {
  using corpus = await Corpus.read(['b a c', 'b a b'], all)
  t.deepEqual([...corpus.words], ['b', 'a', 'c'])
  t.deepEqual(
    ['b', 'a', 'c', 'd'].map((word) => corpus.count(word)),
    [3, 2, 1, 0],
  )
  t.like(corpus, { size: 3, tokens: 6, sentences: 2, dropped: { words: 0, tokens: 0 } })
})

test('a path, a URL, a glob, a directory and a list of them give the same corpus', async (t) => {
  const path = folder(t)
  const file = join(path, 'a.txt')
  writeFileSync(file, 'one two two\nthree three three\n')
  for (const source of [
    file,
    pathToFileURL(file),
    join(path, '*.txt'),
    `${path}/`,
    { files: [file] },
    { files: [pathToFileURL(file)] },
  ]) {
    using corpus = await Corpus.read(source, all)
    t.deepEqual([...corpus.words], ['three', 'two', 'one'])
    t.is(corpus.sentences, 2)
  }
})

test('packed files are read as what they hold', async (t) => {
  const file = join(folder(t), 'a.txt.gz')
  writeFileSync(file, gzipSync('one two two'))
  using corpus = await Corpus.read(file, all)
  t.deepEqual([...corpus.words], ['two', 'one'])
})

test('what is rare, beyond the limit or a stop word is dropped and counted', async (t) => {
  const text = ['a a a a', 'b b b', 'c c', 'd']
  using rare = await Corpus.read(text, { minCount: 2 })
  t.deepEqual([...rare.words], ['a', 'b', 'c'])
  t.deepEqual(rare.dropped, { words: 1, tokens: 1 })
  using few = await Corpus.read(text, { minCount: 1, maxVocabulary: 2 })
  t.deepEqual([...few.words], ['a', 'b'])
  t.deepEqual(few.dropped, { words: 2, tokens: 3 })
  using stopped = await Corpus.read(text, { minCount: 1, stopWords: ['a', 'd'] })
  t.deepEqual([...stopped.words], ['b', 'c'])
  t.is(stopped.dropped.tokens, 5)
})

test('a tokenizer, lower case and a normalization form make the words', async (t) => {
  const text = ['Don’t stop, STRASSE ﬁn e\u0301']
  const words = async (options: object) => {
    using corpus = await Corpus.read(text, { ...all, ...options })
    return [...corpus.words].toSorted()
  }
  t.deepEqual(await words({}), ['Don’t', 'STRASSE', 'e\u0301', 'stop,', 'ﬁn'].toSorted())
  t.deepEqual(
    await words({ tokenizer: 'words', lowercase: true, normalization: 'NFKC' }),
    ['don’t', 'fin', 'stop', 'strasse', '\u00e9'].toSorted(),
  )
})

test('a sentence ends with the line or with a blank line', async (t) => {
  const text = ['a b\nc d\n\ne f']
  using lines = await Corpus.read(text, all)
  using paragraphs = await Corpus.read(text, { ...all, sentences: 'paragraph' })
  t.deepEqual([lines.sentences, paragraphs.sentences], [3, 2])
})

test('a corpus that was saved opens as it was', async (t) => {
  const path = join(folder(t), 'a.corpus')
  using corpus = await Corpus.read(['a b b', '__proto__ constructor', ['two words', '']], all)
  await corpus.save(path)
  using opened = await Corpus.open(path)
  t.deepEqual([...opened.words], [...corpus.words])
  for (const name of ['size', 'tokens', 'sentences', 'dropped'] as const) {
    t.deepEqual(opened[name], corpus[name])
  }
  t.is(opened.count('__proto__'), 1)
  t.is(opened.count('two words'), 1)
  await opened.save(pathToFileURL(join(path, '..', 'b.corpus')))
  t.deepEqual(readFileSync(join(path, '..', 'b.corpus')), readFileSync(path))
})

test('a file that is no corpus is refused', async (t) => {
  const file = join(folder(t), 'a.corpus')
  writeFileSync(file, 'something else altogether, long enough to be looked at')
  await t.throwsAsync(Corpus.open(file), invalidInput)
  await t.throwsAsync(Corpus.open(join(file, '..', 'b')), { code: 'NOT_FOUND' })
})

test('bytes that are no UTF-8 are an error with file and offset, or replaced, or skipped', async (t) => {
  const file = join(folder(t), 'a.txt')
  writeFileSync(file, Buffer.from('good b\u00ffd fine', 'latin1'))
  const error = await t.throwsAsync(Corpus.read(file, all), invalidInput)
  t.is(error.context['offset'], 6)
  t.is(error.context['source'], file)
  using replaced = await Corpus.read(file, { ...all, invalidUtf8: 'replace' })
  t.deepEqual([...replaced.words].toSorted(), ['b\ufffdd', 'fine', 'good'].toSorted())
  using skipped = await Corpus.read(file, { ...all, invalidUtf8: 'skip' })
  t.deepEqual([...skipped.words].toSorted(), ['fine', 'good'])
})

test('what cannot be read is one clear error', async (t) => {
  const path = folder(t)
  mkdirSync(join(path, 'empty'))
  writeFileSync(join(path, 'nothing.txt'), '')
  const missing = await t.throwsAsync(Corpus.read(join(path, 'missing.txt')), { code: 'NOT_FOUND' })
  t.regex(missing.message, /^Corpus\.read: .*missing\.txt$/)
  await t.throwsAsync(Corpus.read(join(path, '*.md')), { code: 'NOT_FOUND' })
  await t.throwsAsync(Corpus.read(join(path, 'empty')), invalidInput)
  await t.throwsAsync(Corpus.read(join(path, 'nothing.txt')), invalidInput)
  await t.throwsAsync(Corpus.read([]), invalidInput)
  await t.throwsAsync(Corpus.read(['rare words'], { minCount: 3 }), invalidInput)
})

test('a full disk is an error, and leaves nothing behind', async (t) => {
  const disk = smallDisk(t)
  if (disk === undefined) return
  const words = Array.from({ length: 400_000 }, (_, i) => `w${i % 1000}`).join(' ')
  await t.throwsAsync(Corpus.read([words], { spoolDirectory: disk }), { code: 'DISK_FULL' })
  using corpus = await Corpus.read([words])
  await t.throwsAsync(corpus.save(join(disk, 'a.corpus')), { code: 'DISK_FULL' })
  t.deepEqual(readdirSync(disk), [])
})

test('a corpus that is closed refuses its use, but for what is known already', async (t) => {
  const corpus = await Corpus.read(['a b'], all)
  corpus.close()
  corpus.close()
  t.is(corpus.size, 2)
  t.throws(() => corpus.count('a'), { instanceOf: InlayError, code: 'CLOSED' })
  t.throws(() => corpus.words.at(0), { code: 'CLOSED' })
  await t.throwsAsync(corpus.save('never'), { code: 'CLOSED' })
})

test('the list of words is read like an array', async (t) => {
  const names = Array.from({ length: 5000 }, (_, i) => `w${String(i).padStart(4, '0')}`)
  using corpus = await Corpus.read([names], all)
  const { words } = corpus
  t.is(words.length, 5000)
  t.deepEqual([...words], names)
  t.deepEqual([words.at(0), words.at(4999), words.at(-1)], ['w0000', 'w4999', 'w4999'])
  t.deepEqual(
    [words.at(5000), words.at(-5001), words.bytes(5000)],
    [undefined, undefined, undefined],
  )
  t.deepEqual(words.slice(1022, 1026), names.slice(1022, 1026))
  t.deepEqual(words.slice(-2), names.slice(-2))
  t.deepEqual(words.bytes(1), new TextEncoder().encode('w0001'))
})

for (const { option, value } of wrongValues(corpusOptions)) {
  const shown = typeof value === 'object' ? JSON.stringify(value) : String(value)
  test(`Corpus.read refuses ${option}: ${typeof value} ${shown}`, async (t) => {
    const read = Corpus.read('never-read.txt', { [option]: value })
    await t.throwsAsync(read, { instanceOf: InvalidOptionError, code: 'INVALID_OPTION' })
  })
}
