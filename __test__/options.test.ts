import test from 'ava'
import { InvalidOptionError } from '#inlay/errors.js'
import {
  flag,
  integer,
  list,
  maybeOneOf,
  nearest,
  oneOf,
  real,
  runOptions,
  settle,
  settleAlone,
  text,
} from '#inlay/options.js'
import { wrongValues } from './fixtures/wrong-values.js'

const table = {
  dimensions: integer(100, { from: 1, to: 4096 }, 'values'),
  limit: integer(undefined, { from: 1 }, 'at most'),
  rate: real(0.025, { above: 0, to: 1 }, 'rate'),
  threshold: real(0, { below: 0.5 }, 'threshold'),
  kind: oneOf(['first', 'second', 'third'], 'kind'),
  format: maybeOneOf(['a', 'b'], 'format'),
  shrink: flag(true, 'shrinks'),
  path: text('path'),
  stopWords: list('words'),
}

const refused = (message: string | RegExp) => ({ instanceOf: InvalidOptionError, message })

test('what is not given has its default', (t) => {
  t.deepEqual(settleAlone(table, undefined, 'f'), {
    dimensions: 100,
    limit: undefined,
    rate: 0.025,
    threshold: 0,
    kind: 'first',
    format: undefined,
    shrink: true,
    path: undefined,
    stopWords: [],
  })
})

test('what is given is taken, and `undefined` is not given', (t) => {
  const given = Object.freeze({ dimensions: 4096, limit: undefined, kind: 'third', shrink: false })
  const settled = settleAlone(table, given, 'f')
  t.like(settled, { dimensions: 4096, limit: undefined, kind: 'third', shrink: false })
})

for (const { option, value } of wrongValues({ ...table, ...runOptions })) {
  const shown = typeof value === 'object' ? JSON.stringify(value) : String(value)
  test(`refuses ${option}: ${typeof value} ${shown}`, (t) => {
    const error = t.throws(() => settle(table, { [option]: value }, 'Some.verb'), {
      instanceOf: InvalidOptionError,
      code: 'INVALID_OPTION',
    })
    t.true(error.message.startsWith(`Some.verb: \`${option}\` must be `), error.message)
    t.is(error.context['option'], option)
  })
}

test('a message says who, what, what is allowed and what came', (t) => {
  const refuse = (given: object, message: string) =>
    t.throws(() => settleAlone(table, given, 'Word2Vec.train'), refused(message))
  refuse({ dimensions: 0 }, 'Word2Vec.train: `dimensions` must be an integer from 1 to 4096, got 0')
  refuse({ limit: 'x' }, 'Word2Vec.train: `limit` must be an integer from 1 up, got "x"')
  refuse({ rate: 2 }, 'Word2Vec.train: `rate` must be a number above 0 to 1, got 2')
  refuse({ threshold: 1 }, 'Word2Vec.train: `threshold` must be a number below 0.5, got 1')
  refuse(
    { kind: 'forth' },
    "Word2Vec.train: `kind` must be 'first', 'second' or 'third', got \"forth\"",
  )
  refuse({ shrink: 1 }, 'Word2Vec.train: `shrink` must be true or false, got 1')
})

test('an unknown option is refused, with the nearest known name', (t) => {
  const refuse = (name: string, message: string) =>
    t.throws(() => settle(table, { [name]: 1 }, 'f'), refused(message))
  refuse('dimension', 'f: there is no option `dimension`; did you mean `dimensions`?')
  refuse('stop_words', 'f: there is no option `stop_words`; did you mean `stopWords`?')
  refuse('thread', 'f: there is no option `thread`; did you mean `threads`?')
  refuse('somethingElse', 'f: there is no option `somethingElse`')
  refuse('__proto__x', 'f: there is no option `__proto__x`')
  refuse('toString', 'f: there is no option `toString`')
})

test('options that are no object are refused', (t) => {
  for (const given of [null, 5, 'x', [1]])
    t.throws(() => settle(table, given, 'f'), refused(/^f: /))
})

test('each property of the caller is read once', (t) => {
  let reads = 0
  const given = {
    get dimensions() {
      reads++
      return 5
    },
  }
  t.is(settle(table, given, 'f').settings.dimensions, 5)
  t.is(reads, 1)
})

test('the nearest name is near, or there is none', (t) => {
  t.is(nearest('minCnt', ['minCount', 'window']), 'minCount')
  t.is(nearest('x', ['minCount', 'window']), undefined)
})
