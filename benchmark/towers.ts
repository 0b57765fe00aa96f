// Towers of pictures and sounds beside PyTorch: the networks of ViT-B/16, CLIP ViT-B/32 and CLAP with random weights, which take
// as long as others.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type RawImage,
  type SoundInput,
  type Vectors,
  loadImageEncoder,
  loadSoundEncoder,
} from 'inlay'
import type { Family, Settings } from './family.js'
import { answerOf, timed } from './processes.js'
import { type Sample, hold, stopwatch } from './rounds.js'
import { root } from './texts.js'
import { peers } from './trainers.js'

const script = join(root, 'benchmark', 'tower_contender.py')
const python = join(peers, '.torch', 'bin', 'python')
const side = 224
const rate = 48_000
const seconds = 10

interface Tower {
  readonly id: string
  readonly kind: 'vit' | 'clip' | 'clap'
  readonly title: string
  readonly unit: 'pictures' | 'sounds'
  readonly count: number
  /** Of texts, which the folder must have. */
  readonly tokenizer: string
}

const golden = (...path: string[]) => join(root, '__test__', 'golden', ...path, 'tokenizer.json')
const ofPictures = { unit: 'pictures', count: 32, tokenizer: golden('vision-models') } as const
const towers: readonly Tower[] = [
  { id: 'tower-vit', kind: 'vit', title: 'ViT-B/16', ...ofPictures },
  { id: 'tower-clip', kind: 'clip', title: 'CLIP ViT-B/32, its tower of pictures', ...ofPictures },
  {
    id: 'tower-clap',
    kind: 'clap',
    title: 'CLAP (HTSAT), its tower of sounds',
    unit: 'sounds',
    count: 16,
    tokenizer: golden('text-models', 'roberta'),
  },
]

export const towersOfMedia: Family = {
  name: 'towers',
  summary: 'pictures through ViT-B/16 and CLIP ViT-B/32, sounds through CLAP, beside PyTorch',
  about: `32 pictures of 224 x 224 random pixels, or 16 sounds of ten seconds of noise; networks with random weights. PyTorch (eager, batches
of 16, transformers' own classes) gets them prepared: from pixels and samples to what the network takes is in our time and not in its. The
vectors of both are compared in each round.`,
  options: ['only', 'rounds', 'threads'],
  contests: () => towers.map(({ id }) => id),

  async run({ chosen, rounds, threads: given, folder, say, tell }: Settings) {
    const threads = given || 1
    const asked = 'import torch; print(torch.__version__.split("+")[0])'
    const version = await answerOf(python, '-c', asked)
    if (version === undefined) {
      say('towers: PyTorch, which makes the weights, is not installed (benchmark/peers.sh)')
      return
    }
    for (const tower of towers.filter(({ id }) => chosen(id))) {
      const { id, kind, title, unit, count, tokenizer } = tower
      const model = join(folder, kind)
      mkdirSync(model)
      await timed({ command: python, args: [script, 'make', kind, model, tokenizer], cwd: root })
      const inputs = inputsOf(tower)
      const file = join(folder, `${kind}.inputs`)
      writeFileSync(file, Buffer.concat(inputs.map(bytesOf)))
      const theirs = async () => {
        const args = [script, 'run', kind, model, file, String(count), String(threads)]
        const { output } = await timed({ command: python, args, cwd: root })
        return JSON.parse(output) as Required<Sample> & { vectors: number[][] }
      }
      const { vectors: wanted } = await theirs()
      const ours = async () => {
        const [sample, vectors] = await encoded(model, inputs, threads)
        check(vectors, wanted, id)
        return sample
      }
      const contest = {
        id: threads === 1 ? id : `${id}-${threads}`,
        title: threads === 1 ? title : `${title}; ${threads} threads`,
        about: `${count} ${unit}.`,
        unit,
        work: count,
        clock: threads === 1 ? 'cpu' : 'wall',
        contenders: [
          { name: 'inlay', run: ours },
          { name: `torch ${version}`, run: theirs },
        ],
      } as const
      tell(await hold(contest, rounds, say))
    }
  },
}

type Input = (RawImage & { readonly data: Uint8Array }) | SoundInput

async function encoded(
  model: string,
  inputs: readonly Input[],
  threads: number,
): Promise<[Sample, Vectors]> {
  let found: Vectors | undefined
  const time = async (encode: (some: readonly Input[]) => Promise<Vectors>) => {
    await encode(inputs.slice(0, 16))
    return stopwatch(async () => (found = await encode(inputs)))
  }
  if ('data' in inputs[0]!) {
    using encoder = await loadImageEncoder(model)
    return [await time((some) => encoder.encode(some as RawImage[], { threads })), found!]
  }
  using encoder = await loadSoundEncoder(model)
  return [await time((some) => encoder.encode(some as SoundInput[], { threads })), found!]
}

/** Noise, the same in each run (xorshift, Marsaglia 2003). */
function inputsOf({ unit, count }: Tower): Input[] {
  let state = 1
  const bits = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state & 0xffff
  }
  return Array.from({ length: count }, (): Input => {
    if (unit === 'pictures') {
      const data = Uint8Array.from({ length: side * side * 3 }, () => bits() & 255)
      return { data, width: side, height: side, channels: 3 }
    }
    const samples = Float32Array.from({ length: rate * seconds }, () => bits() / 0x8000 - 1)
    return { samples, sampleRate: rate, channels: 1 }
  })
}

function bytesOf(input: Input): Uint8Array {
  return 'data' in input ? input.data : new Uint8Array(input.samples.buffer)
}

/** Whether vectors begin as the peer's, to a thousandth of the largest value. */
function check(found: Vectors, wanted: readonly (readonly number[])[], id: string): void {
  const most = Math.max(...wanted.flat().map(Math.abs))
  const far = wanted.flatMap((row, item) =>
    row.map((value, i) => Math.abs(value - found.row(item)[i]!)),
  )
  const worst = Math.max(...far) / most
  if (!(found.length === wanted.length && worst < 1e-3)) {
    throw new Error(`${id}: vectors are ${worst} from those of PyTorch`)
  }
}
