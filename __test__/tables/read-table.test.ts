import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { type ReadTableOptions, readTable, readTableOptions } from 'inlay'
import { CsvReader } from '#inlay/tables/csv.js'
import { folder } from '../fixtures/folder.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const wrong = (line: number, problem: string) => new Error(`line ${line} ${problem}`)

function records(text: string, piece = text.length): (readonly string[])[] {
  const reader = new CsvReader(',', wrong)
  const found = []
  for (let at = 0; at < text.length; at += piece)
    found.push(...reader.read(text.slice(at, at + piece)))
  return [...found, ...reader.end()].map(({ fields }) => fields)
}

async function rows(t: ExecutionContext, name: string, text: string | Buffer, options = {}) {
  const path = join(folder(t), name)
  writeFileSync(path, text)
  return collected(readTable(path, options))
}

async function collected<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const all: Value[] = []
  for await (const value of values) all.push(value)
  return all
}

/** Text, and the records that RFC 4180 has for it. */
const samples: readonly (readonly [string, readonly (readonly string[])[]])[] = [
  [
    'a,b\r\n1,2\r\n',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  [
    'a,b\n1,2',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  ['"a","b ""quoted"" c",""\n', [['a', 'b "quoted" c', '']]],
  ['"two\r\nlines, and a comma",x\r\n', [['two\r\nlines, and a comma', 'x']]],
  ['"a"\r\n"b"', [['a'], ['b']]],
  [
    ',\n,,\n',
    [
      ['', ''],
      ['', '', ''],
    ],
  ],
  ['a\n\n\r\nb\n', [['a'], ['b']]],
  ['""\n', [['']]],
  ['5" pipe,x"y"\n', [['5" pipe', 'x"y"']]],
  ['a,', [['a', '']]],
  ['', []],
]

test('records are those of RFC 4180, wherever the text is cut', (t) => {
  for (const [text, wanted] of samples) {
    for (const piece of [1, 2, 3, 5, 100]) t.deepEqual(records(text, piece), wanted, text)
  }
})

test('what is no CSV is refused with its line', (t) => {
  t.throws(() => records('a\n"b\n\nc'), {
    message: 'line 2 begins a field in quotes that never ends',
  })
  t.throws(() => records('"a\nb"c\n'), { message: /^line 2 has text between a closing quote/ })
  t.throws(() => records('"a"\rb'), { message: /^line 1 has text between a closing quote/ })
})

test('CSV has a row for each record, by the names of the first', async (t) => {
  t.deepEqual(await rows(t, 'a.csv', '\uFEFFname,age\n"Ann, B.",39\nBob,\n'), [
    { name: 'Ann, B.', age: '39' },
    { name: 'Bob', age: '' },
  ])
  t.deepEqual(await rows(t, 'a.tsv', 'a\tb\n1,5\t2'), [{ a: '1,5', b: '2' }])
  t.deepEqual(await rows(t, 'a.csv', 'a\n'), [])
})

test('files without names, with lines before them, with white space, and packed ones', async (t) => {
  const text = '# made by hand, "\n# twice\n 1, x \n 2, y \n'
  const options: ReadTableOptions = { header: ['n', 'letter'], skipLines: 2, trim: true }
  t.deepEqual(await rows(t, 'table.data.gz', gzipSync(text), options), [
    { n: '1', letter: 'x' },
    { n: '2', letter: 'y' },
  ])
  t.deepEqual(await rows(t, 'named.gz', 'a\n1\n'), [{ a: '1' }])
  t.deepEqual(await rows(t, 'packed.csv', gzipSync('a\n1\n')), [{ a: '1' }])
  t.deepEqual(await rows(t, 'table.txt', 'a;b\n1;2', { delimiter: ';' }), [{ a: '1', b: '2' }])
})

test('JSON lines are rows as they are', async (t) => {
  const text = '{"name":"Ann","age":39,"here":true}\r\n\n{"name":null}'
  t.deepEqual(await rows(t, 'a.jsonl', text), [
    { name: 'Ann', age: 39, here: true },
    { name: null },
  ])
})

test('a table can be read again, and larger ones come in pieces', async (t) => {
  const path = join(folder(t), 'long.csv')
  const long = Array.from({ length: 30_000 }, (_, i) => `${i},"line ${i}\näöü"`)
  writeFileSync(path, ['n,text', ...long].join('\n'))
  const table = readTable(path)
  for (let pass = 0; pass < 2; pass++) {
    let next = 0
    for await (const row of table) {
      if (row['n'] !== String(next) || row['text'] !== `line ${next}\näöü`) t.fail(`row ${next}`)
      next += 1
    }
    t.is(next, 30_000)
  }
})

test('what is no table is refused with file and line', async (t) => {
  const refused = async (name: string, text: string | Buffer, message: RegExp, options = {}) => {
    await t.throwsAsync(rows(t, name, text, options), { code: 'INVALID_INPUT', message }, name)
  }
  await refused('a.csv', 'a,b\n1,2\n3\n', /a\.csv: line 3 has 1 fields where there are 2 columns/)
  await refused('a.csv', '#\na,b\n1,2,3\n', /line 3 has 3 fields/, { skipLines: 1 })
  await refused('a.csv', 'a,b,a\n', /line 1 names the column "a" twice/)
  await refused('a.csv', '', /the file is empty/)
  await refused('a.csv', Buffer.from([0x61, 0xff, 0x0a]), /is not UTF-8/)
  await refused('a.csv', gzipSync('a\n1\n').subarray(0, 12), /unexpected end/)
  await refused('a.jsonl', '{"a":1}\n{a}', /line 2 is no JSON: "\{a\}"/)
  await refused('a.jsonl', '[1]', /line 1 is no object: an array of 1/)
  await refused('a.jsonl', '{"a":{}}', /line 1 has no string, number or boolean in `a`/)
  const name = join(folder(t), 'nowhere.csv')
  const message = `readTable: file not found: ${name}`
  const error = await t.throwsAsync(collected(readTable(name)), { code: 'NOT_FOUND', message })
  t.like(error, { context: { what: 'file', name } })
})

test('wrong options are refused at once', (t) => {
  for (const { option, value } of wrongValues(readTableOptions)) {
    t.throws(() => readTable('a.csv', { [option]: value }), { code: 'INVALID_OPTION' }, option)
  }
  t.throws(() => readTable('a.jsonl', { trim: true }), { message: /`trim` must be left out/ })
  t.throws(() => readTable('a.csv', { delimiter: '\n' }), { code: 'INVALID_OPTION' })
})
