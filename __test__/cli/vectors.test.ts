import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ava, { type ExecutionContext } from 'ava'
import { WordVectors } from 'inlay'
import { folder, inlay, start } from './inlay.js'

// One process at a time: dozens at once would only wait for each other.
const test = ava.serial

/** Directions in a plane: cosines are known without a model. */
const degrees = { east: 0, eastish: 10, north: 90, northish: 80, west: 180, south: 270 }
const cosine = (a: number, b: number) => Math.cos(((a - b) * Math.PI) / 180)

/** A folder with the file `name` of the plane's words. */
async function plane(t: ExecutionContext, name: string): Promise<string> {
  const inside = folder(t)
  const rows = Object.values(degrees).flatMap((angle) => [cosine(angle, 0), cosine(angle, 90)])
  using vectors = WordVectors.from(Object.keys(degrees), Float32Array.from(rows), 2)
  await vectors.save(join(inside, name))
  return inside
}

test('similar prints words and cosines, the nearest first', async (t) => {
  const inside = await plane(t, 'plane.safetensors')
  const { code, stdout, stderr } = await inlay(
    inside,
    'vectors similar plane.safetensors east -k 2',
  )
  t.is(code, 0)
  t.is(stdout, 'eastish\t0.9848\nnorthish\t0.1736\n')
  t.is(stderr, '')
})

test('similar takes several words, and words to be away from', async (t) => {
  const inside = await plane(t, 'plane.txt')
  const both = await inlay(inside, 'vectors similar plane.txt east north')
  t.deepEqual(both.stdout.match(/^\w+/gm)?.slice(0, 2).toSorted(), ['eastish', 'northish'])
  const away = await inlay(inside, 'vectors similar plane.txt north --not east -k 1')
  t.is(away.stdout, 'west\t0.7071\n')
})

test('--json is one array of words and similarities', async (t) => {
  const inside = await plane(t, 'plane.bin')
  const { stdout } = await inlay(inside, 'vectors similar plane.bin north --json')
  const neighbours = JSON.parse(stdout) as { word: keyof typeof degrees; similarity: number }[]
  t.is(neighbours.length, 5)
  t.deepEqual(
    neighbours.slice(0, 2).map(({ word }) => word),
    ['northish', 'eastish'],
  )
  for (const { word, similarity } of neighbours) {
    t.true(Math.abs(similarity - cosine(degrees[word], degrees.north)) < 1e-5)
  }
})

test('analogy lists what is to C as B is to A', async (t) => {
  const inside = await plane(t, 'plane.safetensors')
  const line = 'vectors analogy plane.safetensors east north eastish'
  const { code, stdout } = await inlay(inside, line)
  t.is(code, 0)
  t.deepEqual(stdout.match(/^\w+/gm), ['northish', 'west', 'south'])
})

test('an unknown word is one line and exit code 1', async (t) => {
  const inside = await plane(t, 'plane.safetensors')
  const { code, stdout, stderr } = await inlay(inside, 'vectors similar plane.safetensors upwards')
  t.is(code, 1)
  t.is(stdout, '')
  t.regex(stderr, /^inlay: [^\n]*upwards[^\n]*\n$/)
})

test('control characters of a word do not reach the terminal', async (t) => {
  const inside = folder(t)
  using vectors = WordVectors.from(['a', '\u001b[31mred'], Float32Array.of(1, 0, 1, 0), 2)
  await vectors.save(join(inside, 'red.safetensors'))
  const { stdout } = await inlay(inside, 'vectors similar red.safetensors a')
  t.is(stdout, '\\u001b[31mred\t1.0000\n')
})

test('evaluate scores analogies and similarities', async (t) => {
  const inside = folder(t, {
    'plane.txt': '4 2\neast 1 0\neastish 1 0.2\nnorth 0 1\nnorthish -0.2 1\n',
    'questions.txt': ': turns\neast eastish north northish\neast up north down\n',
    'pairs.tsv': 'east\teastish\t9\nnorth\teastish\t4\neast\tnorthish\t0\neast\tup\t5\n',
  })
  const line = 'vectors evaluate plane.txt --analogies questions.txt --similarity pairs.tsv'
  const asJson = await inlay(inside, `${line} --json`)
  t.is(asJson.code, 0, asJson.stderr)
  const [analogies, similarity] = JSON.parse(asJson.stdout) as Record<string, unknown>[]
  t.like(analogies, { kind: 'analogies', file: 'questions.txt', correct: 1, total: 1, skipped: 1 })
  t.like(similarity, { kind: 'similarity', file: 'pairs.tsv', spearman: 1, pairs: 3, skipped: 1 })

  const { stdout } = await inlay(inside, line)
  t.regex(stdout, /^ +100\.00 % +1 \/ 1 +turns$/m)
  t.regex(stdout, /^pairs\.tsv {2}spearman 1\.0000 /m)
})

test('convert writes the format that the name tells, and the first words only', async (t) => {
  const inside = await plane(t, 'plane.safetensors')
  const line = 'vectors convert plane.safetensors two.txt --limit 2'
  const { code, stdout, stderr } = await inlay(inside, line)
  t.is(code, 0)
  t.is(stdout, '')
  t.regex(stderr, /2 words in two\.txt\n$/)
  t.regex(readFileSync(join(inside, 'two.txt'), 'utf8'), /^2 2\neast 1\S* \S+ ?\neastish 0\.98/)

  t.is((await inlay(inside, 'vectors convert two.txt two.bin -q')).stderr, '')
  using back = await WordVectors.open(join(inside, 'two.bin'))
  t.deepEqual(back.words.slice(0, 2), ['east', 'eastish'])
})

test('a reader that has seen enough is no error', async (t) => {
  const inside = folder(t)
  const words = Array.from({ length: 20_000 }, (_, i) => `word-${i}`)
  using vectors = WordVectors.from(words, new Float32Array(20_000).fill(1), 1)
  await vectors.save(join(inside, 'many.safetensors'))
  const { child, ended } = start(inside, 'vectors similar many.safetensors word-0 -k 20000')
  child.stdout?.destroy()
  const { code, stderr } = await ended
  t.is(code, 0)
  t.is(stderr, '')
})
