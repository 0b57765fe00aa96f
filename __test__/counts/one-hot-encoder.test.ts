import test from 'ava'
import {
  type Category,
  InlayError,
  InvalidOptionError,
  OneHotEncoder,
  SparseMatrix,
  Vectors,
} from 'inlay'

test('each category has a column, in the order in which they came', (t) => {
  const encoder = OneHotEncoder.train(['red', 'green', 'red', 'blue'])
  t.deepEqual(encoder.categories, ['red', 'green', 'blue'])
  t.is(encoder.dimensions, 3)
  t.is(encoder.columnOf('blue'), 2)
  t.is(encoder.columnOf('grey'), undefined)
  const vectors = encoder.encode(['blue', 'red'])
  t.deepEqual([...vectors.values], [0, 0, 1, 1, 0, 0])
})

test('sparse rows are the dense ones, and both lead back to the values', async (t) => {
  const values: Category[] = ['1', 1, true, null, undefined, NaN, 10n, '__proto__', '']
  const encoder = OneHotEncoder.train(values)
  t.is(encoder.dimensions, values.length)
  const [dense, sparse] = [encoder.encode(values), encoder.encodeSparse(values)]
  t.deepEqual((await sparse.toVectors()).values, dense.values)
  t.deepEqual(encoder.decode(dense), values)
  t.deepEqual(encoder.decode(sparse), values)
})

test('what is unknown is an error, zeros or a column', (t) => {
  const values = ['a', 'b']
  const refusing = OneHotEncoder.train(values)
  const error = t.throws(() => refusing.encode(['a', 'c']), { instanceOf: InlayError })
  t.is(error.code, 'INVALID_INPUT')
  t.regex(error.message, /value 1 \("c"\)/)
  const zeros = OneHotEncoder.train(values, { unknown: 'zeros' })
  t.deepEqual([...zeros.encode(['c', 'b']).values], [0, 0, 0, 1])
  t.deepEqual(zeros.decode(zeros.encodeSparse(['c', 'b'])), [undefined, 'b'])
  const column = OneHotEncoder.train(values, { unknown: 'column' })
  t.is(column.dimensions, 3)
  t.deepEqual([...column.encode(['c', 'b']).values], [0, 0, 1, 0, 1, 0])
  t.deepEqual(column.decode(column.encode(['c', 'a'])), [undefined, 'a'])
})

test('nothing to encode gives no rows', (t) => {
  const encoder = OneHotEncoder.train([7])
  t.is(encoder.encode([]).length, 0)
  t.is(encoder.encodeSparse([]).rows, 0)
  t.deepEqual(encoder.decode(encoder.encode([])), [])
})

test('what are no categories, no values and no vectors of its own is refused', (t) => {
  const wrong = { instanceOf: InvalidOptionError }
  for (const values of [[], 'abc', 5, [{}], [Symbol('x')]]) {
    t.throws(() => OneHotEncoder.train(values as string[]), wrong)
  }
  t.throws(() => OneHotEncoder.train(['a'], { unknown: 'ignore' as never }), wrong)
  const encoder = OneHotEncoder.train(['a', 'b'])
  t.throws(() => encoder.decode(Vectors.from(new Float32Array(3), 3)), wrong)
  t.throws(() => encoder.decode([] as unknown as SparseMatrix), wrong)
})
