// Models go to fastText and gensim and come back: the same vectors for words that are known and for
// words that are not.
import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { FastText } from 'inlay'
import { folder } from '../fixtures/folder.js'
import { randomNumbers } from '../fixtures/toy.js'

const python = join(resolve(process.env['INLAY_PEERS'] ?? '.peers'), '.venv/bin/python')
const words = ['silvering', 'gärtner', 'unheardof', '国王', 'a', '']

/** Whether Python has the module; a word that the test is skipped if not. */
function has(t: ExecutionContext, module: string): boolean {
  try {
    if (existsSync(python)) {
      execFileSync(python, ['-c', `import ${module}`], { stdio: 'ignore' })
      return true
    }
  } catch {}
  t.log(`skipped: ${module} is not installed (benchmark/peers.sh installs it)`)
  t.pass()
  return false
}

function run(code: string, ...args: string[]): Record<string, number[]> {
  return JSON.parse(
    execFileSync(python, ['-c', code, ...args], { encoding: 'utf8', stdio: 'pipe' }),
  )
}

function close(t: ExecutionContext, ours: Float32Array, theirs: readonly number[], word: string) {
  t.is(ours.length, theirs.length)
  for (const [i, value] of ours.entries()) t.true(Math.abs(value - theirs[i]!) < 1e-5, word)
}

function text(): string[] {
  const random = randomNumbers(8)
  const stems = ['silver', 'copper', 'gärtn', '国', 'garden']
  const ends = ['ing', 'er', '王', 'ed', '']
  const pick = (list: readonly string[]) => list[Math.floor(random() * list.length)]!
  const word = () => pick(stems) + pick(ends)
  return Array.from({ length: 2000 }, () => Array.from({ length: 8 }, word).join(' '))
}

for (const module of ['fasttext', 'gensim']) {
  test(`${module} gives the vectors of our .bin that we give`, async (t) => {
    if (!has(t, module)) return
    using model = await FastText.train(text(), { dimensions: 10, bucket: 5000, epochs: 2 })
    const file = join(folder(t), 'model.bin')
    await model.save(file)
    const load = {
      fasttext: 'import fasttext; get = fasttext.load_model(sys.argv[1]).get_word_vector',
      gensim:
        'from gensim.models.fasttext import load_facebook_vectors; v = load_facebook_vectors(sys.argv[1]); get = v.get_vector',
    }[module]!
    // An unknown word without an n-gram has no vector here, zeros or an error there.
    const asked = words.filter((word) => model.vector(word) !== undefined)
    const code = `import json, sys
${load}
print(json.dumps({w: [float(x) for x in get(w)] for w in json.loads(sys.argv[2])}))`
    const theirs = run(code, file, JSON.stringify(asked))
    for (const word of asked) close(t, model.vector(word)!, theirs[word]!, word)
    t.true(asked.length >= 4)
  })
}

test('we give the vectors of a .bin of fastText that it gives', async (t) => {
  if (!has(t, 'fasttext')) return
  const place = folder(t)
  writeFileSync(join(place, 'text.txt'), text().join('\n'))
  const code = `import fasttext, json, sys
model = fasttext.train_unsupervised(sys.argv[1], dim=10, bucket=5000, minCount=1, epoch=1, verbose=0)
model.save_model(sys.argv[2])
words = json.loads(sys.argv[3]) + model.get_words()[:5]
print(json.dumps({w: [float(x) for x in model.get_word_vector(w)] for w in words}))`
  const asked = JSON.stringify(words)
  const theirs = run(code, join(place, 'text.txt'), join(place, 'theirs.bin'), asked)
  using model = await FastText.open(join(place, 'theirs.bin'))
  t.true(model.vectors.has('</s>'))
  for (const [word, vector] of Object.entries(theirs)) {
    const ours = model.vector(word)
    if (ours) close(t, ours, vector, word)
    else t.true(vector.every((value) => value === 0))
  }
})
