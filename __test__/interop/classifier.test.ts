// Classifiers go to fastText and say the same there. The peer is that of the benchmarks: see
// benchmark/peers.sh.
import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { FastTextClassifier } from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomNumbers } from '../fixtures/toy.js'

const python = join(resolve(process.env['INLAY_PEERS'] ?? '.peers'), '.venv', 'bin', 'python')
const script = resolve('__test__/interop/fasttext_predict.py')

/** Whether the peer is here; it tells when it is not. */
function hasPeer(log: (text: string) => void): boolean {
  try {
    if (!existsSync(python)) throw new Error('no Python of the peers')
    execFileSync(python, ['-c', 'import fasttext'], { stdio: 'ignore' })
    return true
  } catch {
    log('skipped: fasttext is not installed (benchmark/peers.sh installs it)')
    return false
  }
}

const random = randomNumbers(3)
const lines = Array.from({ length: 400 }, () => {
  const kind = Math.floor(random() * 4)
  const words = Array.from({ length: 6 }, () => `wörd${kind + 4 * Math.floor(random() * 12)}`)
  return `__label__${kind} ${words.join(' ')}`
})
const texts = [...lines.slice(0, 30).map((line) => line.slice(11)), 'unheard of 文字', '']

for (const loss of [
  'softmax',
  'hierarchical-softmax',
  'negative-sampling',
  'one-versus-all',
] as const) {
  test(`fastText says what we say: ${loss}, as trained and quantized`, async (t) => {
    if (!hasPeer((text) => t.log(text))) return t.pass()
    const place = folder(t)
    const options = { loss, wordNgrams: 2, minn: 2, maxn: 3, bucket: 700, dimensions: 9 }
    using large = await FastTextClassifier.train(lines, { ...options, learningRate: 0.5 })
    using small = await large.quantize({ cutoff: 500, qnorm: true })
    for (const [name, model] of [
      ['large.bin', large],
      ['small.ftz', small],
    ] as const) {
      const path = join(place, name)
      await model.save(path)
      compare(t, model, texts, answersOf(script, path, JSON.stringify(texts)))
    }
  })
}

/** Three labels for each text, and their probabilities. */
type Answers = [labels: string[], probabilities: number[]][]

function answersOf(...args: string[]): Answers {
  const output = execFileSync(python, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  return JSON.parse(output.toString())
}

/** Holds that we say what fastText says, to 1e-5. */
function compare(
  t: ExecutionContext,
  model: FastTextClassifier,
  asked: readonly string[],
  theirs: Answers,
) {
  t.is(theirs.length, asked.length)
  for (const [i, text] of asked.entries()) {
    const [labels, probabilities] = theirs[i]!
    const said = model.predict(text, { topK: 3 })
    t.is(said.length, labels.length, text)
    for (const [rank, { label, probability }] of said.entries()) {
      // Equal probabilities come in any order.
      const others = labels.filter((_, j) => Math.abs(probabilities[j]! - probability) < 1e-5)
      t.true(Math.abs(probability - Math.min(1, probabilities[rank]!)) < 1e-5, text)
      t.true(others.length > 1 || others[0] === `__label__${label}` || rank === 2, text)
    }
  }
}

/** Lines of 176 languages, each with syllables of its own, some of them in other scripts. */
function languages(): { lines: string[]; texts: string[] } {
  const draw = randomNumbers(5)
  const below = (n: number) => Math.floor(draw() * n)
  const letters = [
    'abcdefghijklmnopqrstuvwxyz',
    'àéîõüßçñøåðþ',
    'бгджзлнрстфш',
    'αβγδεζηθλξ',
    '日月火水木金土人',
  ].map((alphabet) => Array.from(alphabet))
  const pick = (list: readonly string[]) => list[below(list.length)]!
  const several = (least: number, most: number, one: () => string) =>
    Array.from({ length: least + below(most - least + 1) }, one)
  const all = Array.from({ length: 176 }, (_, number) => {
    const own = letters[number % letters.length]!
    return Array.from({ length: 12 }, () => several(2, 3, () => pick(own)).join(''))
  })
  const sentence = (number: number) => {
    const word = () => several(1, 3, () => pick(all[number]!)).join('')
    return several(5, 10, word).join(' ')
  }
  const known = Array.from({ length: 25 * 176 }, (_, i) => {
    // Some languages have far more lines than others, so the tree is deep.
    const number = i < 176 ? i : Math.floor(176 * draw() ** 2)
    return `__label__l${number} ${sentence(number)}`
  })
  const asked = Array.from({ length: 60 }, () => sentence(below(176)))
  return { lines: known, texts: [...asked, 'x', '', 'Ελλάδα and россия 日本'] }
}

test('models of the shape of lid.176.ftz say the same here and in fastText', async (t) => {
  if (!hasPeer((text) => t.log(text))) return t.pass()
  const place = folder(t)
  const all = languages()
  const [source, theirs, ours] = ['lines.txt', 'theirs.ftz', 'ours.ftz'].map((name) =>
    join(place, name),
  )
  writeFileSync(source!, `${all.lines.join('\n')}\n`)
  const make = resolve('__test__/interop/fasttext_languages.py')
  const said = answersOf(make, source!, theirs!, JSON.stringify(all.texts))
  const shape = {
    loss: 'hierarchical-softmax',
    dimensions: 16,
    minn: 2,
    maxn: 4,
    bucket: 200_000,
  } as const
  using opened = await FastTextClassifier.open(theirs!)
  t.like(opened.options, shape)
  t.true(opened.isQuantized)
  t.is(opened.labels.length, 176)
  compare(t, opened, all.texts, said)

  using large = await FastTextClassifier.train(source!, { ...shape, learningRate: 0.5 })
  using small = await large.quantize({ cutoff: 8000, qnorm: true, retrain: source! })
  await small.save(ours!)
  compare(t, small, all.texts, answersOf(script, ours!, JSON.stringify(all.texts)))
  // Both have learnt their languages.
  const f1 = [(await opened.evaluate(all.lines)).f1, (await small.evaluate(all.lines)).f1]
  t.true(Math.min(...f1) > 0.8 && Math.abs(f1[0]! - f1[1]!) < 0.05, `${f1}`)
  t.log(`F1 of theirs and ours: ${f1}`)
})
