// Pretrained encoders beside onnxruntime: MiniLM on sentences and longer texts, mixed, in the order in which they come.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { SentenceEncoder } from 'inlay'
import type { Family, Settings } from './family.js'
import { answerOf, timed } from './processes.js'
import { type Contest, type Sample, hold, stopwatch } from './rounds.js'
import { dataFolder, root } from './texts.js'
import { peers } from './trainers.js'

const script = join(root, 'benchmark', 'encoder_contender.py')
const python = join(peers, '.torch', 'bin', 'python')
const precisions = ['float32', 'int8'] as const
type Precision = (typeof precisions)[number]

export const encoders: Family = {
  name: 'encoders',
  summary: 'sentence vectors of all-MiniLM-L6-v2 beside onnxruntime',
  about: `1,500 sentences of STS-B and 500 texts of newsgroups, mixed. onnxruntime gets them sorted by length, which is what it needs so as
not to work on padding, and as ids of tokens: turning texts into tokens is in our time and not in its. MINILM names the folder of the model.`,
  options: ['only', 'rounds', 'threads'],
  contests: () => [...precisions.map((precision) => `encoder-${precision}`), 'encoder-one'],

  async run({ chosen, rounds, threads, folder, say, tell }: Settings) {
    const model = process.env['MINILM']
    if (!model || !existsSync(join(model, 'model.safetensors'))) {
      say('encoders: MINILM names no folder of all-MiniLM-L6-v2')
      return
    }
    const texts = mixedTexts(say)
    if (!texts) return
    const given = join(folder, 'texts.json')
    writeFileSync(given, JSON.stringify(texts))
    const version = await answerOf(python, '-c', 'import onnxruntime as o; print(o.__version__)')
    for (const precision of precisions) {
      if (!chosen(`encoder-${precision}`)) continue
      const theirs = async () => {
        const args = [script, model, given, precision, String(threads || 1), folder]
        const { output } = await timed({ command: python, args, cwd: root })
        const { wall, cpu, cosine } = JSON.parse(output) as Sample & { cosine?: number }
        if (cosine !== undefined) say(`onnxruntime: least cosine to float32 ${cosine.toFixed(4)}`)
        return { wall, ...(cpu !== undefined && { cpu }) }
      }
      const peer = `onnxruntime ${version ?? ''}`.trim()
      tell(
        await hold(
          {
            ...contest(precision, texts, model, threads || 1),
            contenders: [
              { name: 'inlay', run: () => ours(texts, model, precision, threads || 1) },
              version === undefined
                ? { name: peer, missing: 'not installed' }
                : { name: `${peer}, sorted`, run: theirs },
            ],
          },
          rounds,
          say,
        ),
      )
    }
    if (chosen('encoder-one')) tell(await one(model))
  },
}

function contest(
  precision: Precision,
  texts: readonly string[],
  model: string,
  threads: number,
): Omit<Contest, 'contenders'> {
  return {
    id: threads === 1 ? `encoder-${precision}` : `encoder-${precision}-${threads}`,
    title: `MiniLM, ${precision}${threads === 1 ? '' : `; ${threads} threads`}`,
    about: `${texts.length} texts through \`${model.split('/').at(-1)}\`.`,
    unit: 'texts',
    work: texts.length,
    clock: threads === 1 ? 'cpu' : 'wall',
  }
}

async function ours(
  texts: readonly string[],
  model: string,
  precision: Precision,
  threads: number,
): Promise<Sample> {
  using encoder = await SentenceEncoder.load(model, { precision })
  await encoder.encode(texts.slice(0, 32), { threads })
  return await stopwatch(() => encoder.encode(texts, { threads }))
}

/** What somebody waits for who has one text. */
async function one(model: string) {
  const rows: string[][] = []
  for (const precision of precisions) {
    using encoder = await SentenceEncoder.load(model, { precision })
    for (const words of [3, 12, 126]) {
      const text = [Array.from({ length: words }, () => 'word').join(' ')]
      const times: number[] = []
      let tokens = 0
      for (let i = 0; i < 100; i++) {
        const begin = performance.now()
        const { tokens: found } = await encoder.encode(text)
        times.push(performance.now() - begin)
        tokens = found[0]!
      }
      times.sort((a, b) => a - b)
      rows.push([precision, String(tokens), times[50]!.toFixed(2), times[0]!.toFixed(2)])
    }
  }
  return {
    id: 'encoder-one',
    title: 'One text, from the call to the vector, on all threads',
    about: 'Milliseconds of 100 calls, tokenizing among them.',
    head: ['', 'tokens', 'median', 'best'],
    rows,
    summary: `${rows[1]![2]} ms, with 8 bits ${rows[4]![2]}`,
  }
}

/** The texts, mixed the same way in every run; undefined if they are not here. */
function mixedTexts(say: (text: string) => void): string[] | undefined {
  const read = (...path: string[]) => {
    const file = join(dataFolder, 'text', ...path)
    return existsSync(file) ? gunzipSync(readFileSync(file)).toString('utf8') : undefined
  }
  const sentences = read('stsb', 'stsb-en.test.csv.gz')
  const posts = read('newsgroups20', '20news-bydate.test.jsonl.gz')
  if (!sentences || !posts) {
    say('encoders: INLAY_DATA has no STS-B or no 20 Newsgroups')
    return undefined
  }
  const pairs = sentences.split('\n').flatMap((line) => {
    const fields = line.match(/("([^"]|"")*"|[^,]*)(,|$)/g) ?? []
    return fields.slice(0, 2).map((field) => field.replace(/,$/, '').replaceAll('"', ''))
  })
  const long = posts
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { text: string }).text.split(/\s+/))
    .filter((words) => words.length > 140)
    .slice(0, 500)
    .map((words, i) => words.slice(0, 80 + ((i * 37) % 90)).join(' '))
  const texts = [...pairs.filter((text) => text !== '').slice(0, 1500), ...long]
  // A step that has no divisor in common with their number visits all of them once.
  return texts.map((_, i) => texts[(i * 787) % texts.length]!)
}
