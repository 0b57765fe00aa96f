// ARPA files go to KenLM and give the same scores there. Its programs are looked for in `kenlm/bin` of the
// folder of the peers.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { NgramLanguageModel } from 'inlay'
import { folder } from '../fixtures/folder.js'

const programs = join(resolve(process.env['INLAY_PEERS'] ?? '.peers'), 'kenlm', 'bin')
const text = fileURLToPath(
  new URL('../../../crates/language/fixtures/sentences.txt', import.meta.url),
)
const lines = readFileSync(text, 'utf8').trim().split('\n')

/** Runs a program of KenLM; undefined, and a word that the test is skipped, where it is not. */
function tool(t: ExecutionContext, name: string) {
  const path = join(programs, name)
  if (!existsSync(path)) {
    t.log(`skipped: ${name} of KenLM is not installed`)
    t.pass()
    return undefined
  }
  return (args: readonly string[], input = '') =>
    execFileSync(path, args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })
}

for (const settings of [
  { order: 3, prune: [0] },
  { order: 5, prune: [0, 0, 1], discountFallback: [0.5, 1, 1.5] },
]) {
  test(`KenLM reads our ARPA files and says the same of sentences: order ${settings.order}`, async (t) => {
    const query = tool(t, 'query')
    if (query === undefined) return
    const path = join(folder(t), 'model.arpa')
    using model = await NgramLanguageModel.train(text, settings)
    await model.saveArpa(path)
    const sentences = [...lines.slice(0, 20), 'never heard of such words', 'the people of the']
    const said = query(['-v', 'word', path], `${sentences.join('\n')}\n`)
    // Of every word and end: word=number length log10.
    const theirs = [...said.matchAll(/(\S+)=\d+ (\d+) (\S+)/g)]
    const ours = sentences.flatMap((sentence) => model.score(sentence).words)
    t.is(theirs.length, ours.length)
    for (const [at, [, word, length, log]] of theirs.entries()) {
      t.is(Number(length), ours[at]!.order, `${word}, word ${at}`)
      t.true(Math.abs(Number(log) - ours[at]!.logProbability) < 1e-4, `${word}, word ${at}`)
    }
  })
}

test('lmplz writes the ARPA file that we do, pruned or not', async (t) => {
  const lmplz = tool(t, 'lmplz')
  if (lmplz === undefined) return
  const inside = folder(t)
  // Sentences of the fixture in another order are another text.
  writeFileSync(join(inside, 'text'), `${lines.toReversed().join('\n')}\n`)
  for (const [order, prune] of [
    [3, [0]],
    [4, [0, 0, 1]],
  ] as const) {
    const [ours, theirs] = [join(inside, 'ours.arpa'), join(inside, 'theirs.arpa')]
    using model = await NgramLanguageModel.train(join(inside, 'text'), { order, prune })
    await model.saveArpa(ours)
    const thresholds = prune.length > 1 ? ['--prune', ...prune.map(String)] : []
    lmplz([
      '-o',
      `${order}`,
      '-S',
      '100M',
      '--text',
      join(inside, 'text'),
      '--arpa',
      theirs,
      ...thresholds,
    ])
    t.true(readFileSync(ours, 'utf8') === readFileSync(theirs, 'utf8'))
  }
})
