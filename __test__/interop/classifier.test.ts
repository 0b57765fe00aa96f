// Classifiers go to fastText and say the same there. The peer is that of the benchmarks: see
// benchmark/peers.sh.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import test from 'ava'
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
      const args = [script, path, JSON.stringify(texts)]
      const theirs = JSON.parse(execFileSync(python, args, { encoding: 'utf8' })) as [
        string[],
        number[],
      ][]
      for (const [i, text] of texts.entries()) {
        const [labels, probabilities] = theirs[i]!
        const said = model.predict(text, { topK: 3 })
        t.is(said.length, labels.length)
        for (const [rank, { label, probability }] of said.entries()) {
          // Equal probabilities come in any order.
          const others = labels.filter((_, j) => Math.abs(probabilities[j]! - probability) < 1e-5)
          t.true(Math.abs(probability - Math.min(1, probabilities[rank]!)) < 1e-5)
          t.true(others.length > 1 || others[0] === `__label__${label}` || rank === 2)
        }
      }
    }
  })
}
