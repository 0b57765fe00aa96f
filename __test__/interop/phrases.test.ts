// Phrases are those of gensim: of what it said once, and of what it says here.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Phrases, englishConnectorWords } from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomNumbers } from '../fixtures/toy.js'

interface Options {
  readonly minCount: number
  readonly threshold: number
  readonly scoring: 'default' | 'npmi'
  readonly passes: number
  readonly connectorWords: readonly string[]
}

interface Found {
  /** Phrases with their scores. */
  readonly passes: readonly Readonly<Record<string, number>>[]
  readonly joined: readonly (readonly string[])[]
}

const python = join(resolve(process.env['INLAY_PEERS'] ?? '.peers'), '.venv/bin/python')
const script = resolve('__test__/interop/gensim_phrases.py')
const golden: {
  readonly englishConnectorWords: readonly string[]
  readonly sentences: readonly (readonly string[])[]
  readonly cases: readonly (Found & { readonly options: Options })[]
} = JSON.parse(readFileSync(resolve('__test__/interop/phrases.golden.json'), 'utf8'))

/** Each phrase that gensim finds is found, with its score; and sentences are joined alike. */
async function compare(
  t: ExecutionContext,
  sentences: readonly (readonly string[])[],
  options: Options,
  expected: Found,
): Promise<void> {
  using phrases = await Phrases.train(sentences, options)
  for (const [i, pass] of expected.passes.entries()) {
    const ours = new Map(
      [...phrases].filter((one) => one.pass === i + 1).map((one) => [one.phrase, one.score]),
    )
    for (const [phrase, score] of Object.entries(pass)) {
      const found = ours.get(phrase) ?? Number.NaN
      t.true(Math.abs(found - score) <= 1e-9 * Math.abs(score), `${phrase}: ${found}, not ${score}`)
    }
    const more = [...ours.keys()].filter((phrase) => !Object.hasOwn(pass, phrase))
    t.deepEqual(more, [], `pass ${i + 1}`)
  }
  t.deepEqual(
    sentences.map((sentence) => phrases.apply(sentence)),
    expected.joined,
  )
}

test('the connector words are those of gensim', (t) => {
  t.deepEqual([...englishConnectorWords].toSorted(), golden.englishConnectorWords)
})

for (const { options, ...expected } of golden.cases) {
  const connectors = options.connectorWords.length > 0 ? 'with' : 'without'
  test(`${options.scoring}, ${connectors} connector words: what gensim said`, async (t) => {
    t.true(expected.passes.every((pass) => Object.keys(pass).length > 0))
    await compare(t, golden.sentences, options, expected)
  })
}

test('phrases of a random text are those that gensim finds', async (t) => {
  if (!existsSync(python)) {
    t.log('skipped: gensim is not installed (benchmark/peers.sh installs it)')
    return t.pass()
  }
  const random = randomNumbers(7)
  const word = () => {
    const rank = Math.floor(60 * random() ** 2)
    return rank % 9 === 0 ? englishConnectorWords[rank % 17]! : `w${rank}`
  }
  const sentences = Array.from({ length: 3000 }, () =>
    Array.from({ length: 1 + Math.floor(random() * 20) }, word),
  )
  const file = join(folder(t), 'given.json')
  for (const scoring of ['default', 'npmi'] as const) {
    const options = {
      minCount: 4,
      threshold: scoring === 'npmi' ? 0.02 : 0.08,
      scoring,
      passes: 2,
      connectorWords: englishConnectorWords,
    }
    writeFileSync(file, JSON.stringify({ sentences, options }))
    const limit = { encoding: 'utf8', maxBuffer: 1 << 28 } as const
    const expected: Found = JSON.parse(execFileSync(python, [script, file], limit))
    t.true(expected.passes.every((pass) => Object.keys(pass).length > 20))
    await compare(t, sentences, options, expected)
  }
})
