import { readFileSync, writeFileSync } from 'node:fs'
import test from 'ava'
import { WordVectors } from 'inlay'
import { folder, inlay, start } from './inlay.js'

/** Angles in a plane: cosines are known without a model. */
const angles = { east: 0, eastish: 10, north: 90, northish: 80, west: 180, south: 270 }

async function planeFile(path: string): Promise<string> {
  const rows = Object.values(angles).flatMap((degrees) => {
    const angle = (degrees * Math.PI) / 180
    return [Math.cos(angle), Math.sin(angle)]
  })
  using vectors = WordVectors.from(Object.keys(angles), Float32Array.from(rows), 2)
  await vectors.save(path)
  return path
}

test('similar prints words and cosines, the nearest first', async (t) => {
  const file = await planeFile(folder(t)('plane.safetensors'))
  const { code, stdout, stderr } = await inlay('vectors', 'similar', file, 'east', '-k', '2')
  t.is(code, 0)
  t.is(stdout, 'eastish\t0.9848\nnorthish\t0.1736\n')
  t.is(stderr, '')
})

test('similar takes several words, and words to be away from', async (t) => {
  const file = await planeFile(folder(t)('plane.txt'))
  const both = await inlay('vectors', 'similar', file, 'east', 'north', '-k1', '--json')
  const [first] = JSON.parse(both.stdout) as { word: string; similarity: number }[]
  t.true(first?.word === 'eastish' || first?.word === 'northish')
  const away = await inlay('vectors', 'similar', file, 'north', '--not', 'east', '-k', '1')
  t.regex(away.stdout, /^west\t0\.7071/)
})

test('--json is one array of words and similarities', async (t) => {
  const file = await planeFile(folder(t)('plane.bin'))
  const { stdout } = await inlay('vectors', 'similar', file, 'north', '--json')
  const neighbours = JSON.parse(stdout) as { word: string; similarity: number }[]
  t.deepEqual(
    neighbours.map(({ word }) => word),
    ['northish', 'eastish', 'east', 'west', 'south'].toSorted(
      (a, b) => cosine(b, 'north') - cosine(a, 'north'),
    ),
  )
  for (const { word, similarity } of neighbours) {
    t.true(Math.abs(similarity - cosine(word, 'north')) < 1e-5)
  }
})

function cosine(a: string, b: string): number {
  const angle = (word: string) => angles[word as keyof typeof angles]
  return Math.cos(((angle(a) - angle(b)) * Math.PI) / 180)
}

test('analogy lists what is to C as B is to A', async (t) => {
  const file = await planeFile(folder(t)('plane.safetensors'))
  const { code, stdout } = await inlay(
    'vectors',
    'analogy',
    file,
    'east',
    'eastish',
    'north',
    '-k',
    '1',
  )
  t.is(code, 0)
  t.regex(stdout, /^\w+\t-?\d\.\d{4}\n$/)
})

test('an unknown word is one line and exit code 1', async (t) => {
  const file = await planeFile(folder(t)('plane.safetensors'))
  const { code, stdout, stderr } = await inlay('vectors', 'similar', file, 'up')
  t.is(code, 1)
  t.is(stdout, '')
  t.regex(stderr, /^inlay: [^\n]*up[^\n]*\n$/)
})

test('control characters of a word do not reach the terminal', async (t) => {
  const file = folder(t)('red.safetensors')
  using vectors = WordVectors.from(['a', '\u001b[31mred'], Float32Array.of(1, 0, 1, 0), 2)
  await vectors.save(file)
  const { stdout } = await inlay('vectors', 'similar', file, 'a')
  t.is(stdout, '\\u001b[31mred\t1.0000\n')
})

test('evaluate scores analogies and similarities', async (t) => {
  const inFolder = folder(t)
  const file = await planeFile(inFolder('plane.safetensors'))
  writeFileSync(
    inFolder('questions.txt'),
    ': turns\neast eastish north northish\neast up north down\n',
  )
  writeFileSync(
    inFolder('pairs.tsv'),
    'east\teastish\t9\neast\tnorthish\t4\neast\tnorth\t3\neast\twest\t0\n',
  )
  const files = ['--analogies', inFolder('questions.txt'), '--similarity', inFolder('pairs.tsv')]
  const asJson = await inlay('vectors', 'evaluate', file, ...files, '--json')
  t.is(asJson.code, 0)
  const [analogies, similarity] = JSON.parse(asJson.stdout) as Record<string, unknown>[]
  t.is(analogies?.['kind'], 'analogies')
  t.is(analogies?.['total'], 1)
  t.is(analogies?.['skipped'], 1)
  t.is(similarity?.['kind'], 'similarity')
  t.is(similarity?.['spearman'], 1)
  t.is(similarity?.['pairs'], 4)

  const asText = await inlay('vectors', 'evaluate', file, ...files)
  t.regex(asText.stdout, /turns/)
  t.regex(asText.stdout, /spearman 1\.0000/)
})

test('convert writes the format that the name tells, and the first words only', async (t) => {
  const inFolder = folder(t)
  const file = await planeFile(inFolder('plane.safetensors'))
  const { code, stdout, stderr } = await inlay(
    'vectors',
    'convert',
    file,
    inFolder('two.txt'),
    '--limit',
    '2',
  )
  t.is(code, 0)
  t.is(stdout, '')
  t.regex(stderr, /2 words in .*two\.txt\n$/)
  t.regex(readFileSync(inFolder('two.txt'), 'utf8'), /^2 2\neast 1 0 ?\neastish 0\.98/)

  t.is((await inlay('vectors', 'convert', inFolder('two.txt'), inFolder('b.bin'), '-q')).stderr, '')
  using back = await WordVectors.open(inFolder('b.bin'))
  t.deepEqual(back.words.slice(0, 2), ['east', 'eastish'])
})

test('a reader that has seen enough is no error', async (t) => {
  const file = folder(t)('many.safetensors')
  const words = Array.from({ length: 20_000 }, (_, i) => `word-${i}`)
  using vectors = WordVectors.from(words, new Float32Array(20_000).fill(1), 1)
  await vectors.save(file)
  const { child, ended } = start('vectors', 'similar', file, 'word-0', '-k', '20000')
  child.stdout?.destroy()
  const { code, stderr } = await ended
  t.is(code, 0)
  t.is(stderr, '')
})
