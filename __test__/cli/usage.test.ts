import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import ava from 'ava'
import { word2vecOptions } from 'inlay'
import { flagName } from '#inlay/cli/flags.js'
import { folder, inlay } from './inlay.js'

// One process at a time: dozens at once would only wait for each other.
const test = ava.serial

for (const line of ['--help', '-h', 'help', 'word2vec --help', 'vectors -h', 'vectors']) {
  test(`inlay ${line} lists the commands on stdout`, async (t) => {
    const { code, stdout, stderr } = await inlay('.', line)
    t.is(code, 0)
    t.is(stderr, '')
    t.regex(stdout, /^Usage: inlay/m)
    t.regex(stdout, line.startsWith('vectors') ? /vectors similar/ : /word2vec train/)
  })
}

for (const line of [
  'word2vec train --help',
  'help vectors similar',
  'vectors analogy -h',
  'vectors evaluate file --help',
  'vectors convert --help --limit wrong',
]) {
  test(`inlay ${line} tells the flags on stdout`, async (t) => {
    const { code, stdout, stderr } = await inlay('.', line)
    t.is(code, 0)
    t.is(stderr, '')
    t.regex(stdout, /^Usage: inlay \w+ \w+ [A-Z]/m)
    t.regex(stdout, /^Examples$/m)
    const lines = stdout.split('\n').filter((text) => !text.startsWith('  inlay'))
    t.true(lines.every((text) => text.length <= 100))
  })
}

test('the help of training names every option that text can give', async (t) => {
  const { stdout } = await inlay('.', 'word2vec train --help')
  const names: Record<string, string> = { checkpoint: 'resume' }
  for (const [name, { default: value }] of Object.entries(word2vecOptions)) {
    const flag = names[name] ?? flagName(name)
    t.regex(stdout, new RegExp(`--${value === true ? 'no-' : ''}${flag}\\b`))
  }
  t.regex(stdout, /--dimensions N +values in a word's vector \[100; 1 to 4,096\]/)
})

test('--version prints the version of the package', async (t) => {
  const { code, stdout } = await inlay('.', '--version')
  t.is(code, 0)
  t.regex(stdout, /^\d+\.\d+\.\d+\n$/)
})

test('without a command the help goes to stderr, with exit code 2', async (t) => {
  const { code, stdout, stderr } = await inlay('.', '')
  t.is(code, 2)
  t.is(stdout, '')
  t.regex(stderr, /^Usage: inlay COMMAND/m)
})

const wrong: readonly [line: string, message: RegExp][] = [
  ['vectros similar f w', /no command `inlay vectros`; did you mean `inlay vectors`\?/],
  ['vectors similiar f w', /did you mean `inlay vectors similar`\?/],
  ['--dimensions 5', /a command comes before --dimensions/],
  ['word2vec train', /CORPUS\.\.\. -o VECTORS/],
  ['word2vec train corpus.txt', /-o VECTORS is missing/],
  ['word2vec train corpus.txt -o vectors', /must end in \.safetensors/],
  [
    'word2vec train corpus.txt -o v.txt --precision int8',
    /only safetensors holds int8, not v\.txt/,
  ],
  [
    'word2vec train corpus.txt -o v.safetensors --format npy --precision float16',
    /only safetensors holds float16, not npy/,
  ],
  [
    'word2vec train corpus.txt -o v.txt --dimensons 5',
    /no flag --dimensons; did you mean --dimensions\?/,
  ],
  ['word2vec train corpus.txt -o v.txt --min_count 5', /did you mean --min-count\?/],
  [
    'word2vec train corpus.txt -o v.txt --dimensions 0',
    /--dimensions must be an integer from 1 to 4096, got 0/,
  ],
  [
    'word2vec train corpus.txt -o v.txt --dimensions ten',
    /--dimensions must be an integer .* got "ten"/,
  ],
  ['word2vec train corpus.txt -o v.txt --dimensions', /--dimensions needs a value/],
  ['word2vec train corpus.txt -o --epochs 5', /-o needs a value/],
  [
    'word2vec train corpus.txt -o v.txt --architecture glove',
    /--architecture must be 'skip-gram' or 'cbow'/,
  ],
  ['word2vec train corpus.txt -o v.txt --lowercase=yes', /--lowercase takes no value/],
  ['word2vec train corpus.txt -o v.txt --no-window', /no flag --no-window/],
  ['word2vec train corpus.txt -o corpus.txt', /-o corpus\.txt: that would overwrite corpus\.txt/],
  [
    'word2vec train corpus.txt -o v.txt --resume v.txt',
    /--resume v\.txt: that would overwrite v\.txt/,
  ],
  [
    'word2vec train corpus.txt -o v.txt --objective hier --negative-exponent -0.5',
    /--negative-exponent/,
  ],
  ['vectors similar f', /FILE WORD\.\.\./],
  ['vectors similar f w -k -3', /-k must be an integer from 1 up, got -3/],
  ['vectors analogy f a b', /FILE A B C/],
  ['vectors analogy f a b c d', /too much/],
  ['vectors evaluate f', /--analogies or --similarity is missing/],
  ['vectors convert f', /IN OUT/],
  ['vectors convert f g', /must end in/],
  ['vectors convert f g.bin --precision int8', /OUT: only safetensors holds int8, not g\.bin/],
  ['vectors convert f.txt f.txt', /would overwrite/],
]
for (const [line, message] of wrong) {
  test(`wrong usage is one line and exit code 2: inlay ${line}`, async (t) => {
    const { code, stdout, stderr } = await inlay('.', line)
    t.is(code, 2)
    t.is(stdout, '')
    t.regex(stderr, message)
    t.regex(stderr, /^inlay: [^\n]*; see `inlay [a-z0-9 ]*--help`\n$/)
  })
}

const failing: readonly [line: string, message: RegExp][] = [
  ['vectors similar missing.bin king', /missing\.bin/],
  ['vectors convert missing.bin out.txt', /missing\.bin/],
  ['vectors similar noise king', /noise/],
  ['word2vec train missing.txt -o v.safetensors', /missing\.txt/],
  ['word2vec train noise -o nowhere/v.safetensors', /there is no folder .*nowhere/],
  ['word2vec train noise -o folder.bin', /that is a folder/],
  ...(process.platform === 'win32'
    ? []
    : [['tfidf train few -o /dev/null', /no regular file/] as [string, RegExp]]),
  ['word2vec train noise -o v.bin --resume nowhere/state', /--resume .*there is no folder/],
  ['word2vec train noise -o v.bin --stop-words @nothing.txt', /nothing\.txt/],
  ['word2vec train few -o v.bin', /\(--min-count\)/],
  ['ngram train few -o model.arpa -q', /\(--discount-fallback gives/],
  ['tfidf train empty -o v.safetensors', /^inlay: empty: holds no document/],
]
for (const [line, message] of failing) {
  test(`an error of data or system is one line and exit code 1: inlay ${line}`, async (t) => {
    const inside = folder(t, {
      noise: Buffer.from([7, 0, 255, 254, 1, 2, 3]),
      few: 'a b c\n',
      empty: '',
    })
    mkdirSync(join(inside, 'folder.bin'))
    const { code, stdout, stderr } = await inlay(inside, line)
    t.is(code, 1)
    t.is(stdout, '')
    t.regex(stderr, message)
    t.regex(stderr, /^inlay: [^\n]*\n$/)
    t.notRegex(stderr, /\n {4}at /)
  })
}
