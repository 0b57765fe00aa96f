import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { type ReadConlluOptions, readConllu } from 'inlay'
import { folder } from '../fixtures/folder.js'

/** Of https://universaldependencies.org/format.html: contracted words, an empty node, a word with a space, no XPOS. */
const treebank = `# sent_id = 1
# text = vámonos al mar 10 000
1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tvamos\tir\tVERB\tv\t_\t0\troot\t_\t_
2\tnos\tnosotros\tPRON\t_\t_\t1\tobj\t_\t_
3\t10 000\t10000\tNUM\tn\t_\t1\tobl\t_\t_
3.1\tsees\tsee\tVERB\tv\t_\t_\t_\t2:conj\t_

# text = #
1\t#\t#\tSYM\ts\t_\t0\troot\t_\t_
`

function file(t: ExecutionContext, name: string, content: string | Buffer): string {
  const path = join(folder(t), name)
  writeFileSync(path, content)
  return path
}

async function all(path: string, options?: ReadConlluOptions) {
  const found = []
  for await (const sentence of readConllu(path, options)) found.push(sentence)
  return found
}

const sentences = [
  { words: ['vamos', 'nos', '10 000'], tags: ['VERB', 'PRON', 'NUM'] },
  { words: ['#'], tags: ['SYM'] },
]

for (const [what, content] of [
  ['as it is', treebank],
  ['with CRLF', treebank.replaceAll('\n', '\r\n')],
  ['without an end', treebank.trimEnd()],
  ['with a byte order mark', `\uFEFF${treebank}`],
  ['with empty lines', `\n\n${treebank}\n\n`],
] as const) {
  test(`words have tags, contractions and empty nodes have none: ${what}`, async (t) => {
    t.deepEqual(await all(file(t, 'a.conllu', content)), sentences)
  })
}

test('a packed file is unpacked, the other column is taken, and a file is read as often as it is asked for', async (t) => {
  const path = file(t, 'a.conllu.gz', gzipSync(treebank))
  const given = readConllu(path, { column: 'xpos' })
  for (let again = 0; again < 2; again++) {
    const tags = []
    for await (const sentence of given) tags.push(sentence.tags)
    t.deepEqual(tags, [['v', '_', 'n'], ['s']])
  }
})

test('many sentences are cut at no other place than where they end', async (t) => {
  const found = await all(file(t, 'a.conllu', `${treebank}\n`.repeat(3000)))
  t.is(found.length, 6000)
  t.deepEqual(found.slice(-2), sentences)
})

for (const [what, line, message, at = 3] of [
  ['too few columns', '1\tone\tone\tNUM', /line 3 must have 10 columns between tabs, got 4/],
  ['no number', 'one\tone\t_\tNUM\t_\t_\t_\t_\t_\t_', /line 3 begins with no number .*"one"/],
  [
    'no empty line before a sentence',
    '1\tone\t_\tNUM\t_\t_\t_\t_\t_\t_\n1\tone\t_\tNUM\t_\t_\t_\t_\t_\t_',
    /line 4 has the number 1, where 2 is next/,
    4,
  ],
  ['an empty word', '1\t\t_\tNUM\t_\t_\t_\t_\t_\t_', /line 3 has an empty column/],
] as const) {
  test(`what is no CoNLL-U is told with its line: ${what}`, async (t) => {
    const path = file(t, 'a.conllu', `# a\n\n${line}\n`)
    const error = await t.throwsAsync(all(path), { code: 'INVALID_INPUT', message })
    t.like(error, { context: { path, line: at } })
  })
}

test('what cannot be read is told', async (t) => {
  await t.throwsAsync(all('missing.conllu'), { code: 'NOT_FOUND', message: /missing\.conllu/ })
  const noise = file(t, 'a.conllu', Buffer.from([49, 9, 0xff, 10]))
  await t.throwsAsync(all(noise), { code: 'INVALID_INPUT', message: /not UTF-8/ })
  const packed = file(t, 'a.conllu', gzipSync(treebank).subarray(0, 40))
  await t.throwsAsync(all(packed), { code: 'INVALID_INPUT' })
  t.throws(() => readConllu('a', { column: 'deprel' as never }), { code: 'INVALID_OPTION' })
})
