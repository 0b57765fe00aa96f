import { join } from 'node:path'
import test from 'ava'
import { flag, integer, list, oneOf, real, text } from '#inlay/options.js'
import { group } from '#inlay/cli/command.js'
import { UsageError, meaning, parse, synopsis } from '#inlay/cli/flags.js'
import { folder } from './inlay.js'

const table = {
  minCount: integer(5, { from: 1 }, 'leaves out rare words'),
  exponent: real(0.75, { from: -10, to: 10 }, 'a power'),
  objective: oneOf(['negative-sampling', 'hierarchical-softmax', 'hinge'], 'how'),
  shrinkWindow: flag(true, 'shrinks'),
  lowercase: flag(false, 'lowers'),
  output: text('where to'),
  stopWords: list('left out'),
}
const { flags } = group('All', table, { short: { output: 'o', exponent: 'e' } })
const given = (...argv: string[]) => parse<typeof table>(flags, argv).given

test('what is not typed is absent', (t) => t.deepEqual(given(), {}))

test('values are read by their shape', (t) => {
  const argv =
    '--min-count 3 --exponent=1e-3 --lowercase --no-shrink-window -o out --stop-words a,b'
  t.deepEqual(given(...argv.split(' ')), {
    minCount: 3,
    exponent: 0.001,
    lowercase: true,
    shrinkWindow: false,
    output: 'out',
    stopWords: ['a', 'b'],
  })
})

test('a number may be negative', (t) => {
  t.is(given('--exponent', '-0.5').exponent, -0.5)
  t.is(given('-e', '-.5').exponent, -0.5)
})

test('the beginning of a choice is enough when there is only one such', (t) => {
  t.is(given('--objective', 'neg').objective, 'negative-sampling')
  t.is(given('--objective', 'hie').objective, 'hierarchical-softmax')
  t.throws(() => given('--objective', 'hi'), { instanceOf: UsageError, message: /must be/ })
})

test('a list grows, and is read from a file after @', (t) => {
  const file = join(folder(t, { 'words.txt': '\uFEFFc\n\nd,e\n' }), 'words.txt')
  t.deepEqual(given('--stop-words', 'a,b', '--stop-words', `@${file}`).stopWords, [
    'a',
    'b',
    'c',
    'd,e',
  ])
})

test('a list with nothing between commas is refused', (t) => {
  for (const typed of ['0,,1', ',a', 'a,']) {
    const message = `--stop-words has nothing between commas: "${typed}"`
    t.throws(() => given('--stop-words', typed), { instanceOf: UsageError, message })
  }
})

test('a file of a list that is not there is told with its flag', (t) => {
  const message = '--stop-words @nofile: file not found: nofile'
  t.throws(() => given('--stop-words', '@nofile'), { code: 'NOT_FOUND', message })
})

test('after -- everything is an operand', (t) => {
  const { operands } = parse(flags, ['a', '--lowercase', '--', '--b', '-3'])
  t.deepEqual(operands, ['a', '--b', '-3'])
})

test('help follows from the table', (t) => {
  const lines = flags.map((one) => `${synopsis(one)}  ${meaning(one)}`)
  t.deepEqual(lines, [
    '    --min-count N  leaves out rare words [5; 1 or more]',
    '-e, --exponent X  a power [0.75; -10 to 10]',
    '    --objective NAME  how: negative-sampling, hierarchical-softmax, hinge [negative-sampling]',
    '    --no-shrink-window  off: shrinks',
    '    --lowercase  lowers',
    '-o, --output FILE  where to',
    '    --stop-words LIST  left out',
  ])
})
