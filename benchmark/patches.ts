// Pixels to patches and back, and spectrograms, beside einops, PyTorch, librosa and torchaudio, and beside what the memory
// allows: a plain copy.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ImagePatches, type RawImage, Spectrogram } from 'inlay'
import type { Family, Settings } from './family.js'
import { answerOf, timed } from './processes.js'
import { type Contender, type Missing, type Sample, hold, stopwatch } from './rounds.js'
import { root } from './texts.js'
import { peers } from './trainers.js'

const script = join(root, 'benchmark', 'patches_contender.py')
const python = join(peers, '.torch', 'bin', 'python')
const [width, height, frames, size] = [1920, 1088, 2, 16]
const bytes = width * height * 3 * frames
const seconds = 600
const rate = 16_000

export const patches: Family = {
  name: 'patches',
  summary:
    'pictures as patches and back, spectrograms, beside einops, PyTorch, librosa and torchaudio',
  about: `Two pictures of 1920 x 1088 random pixels, as patches of 16 x 16 x 3 numbers; ten minutes of sound at 16 kHz as 80 logarithms of
mel bands of 400 samples at steps of 160. A plain copy is one in JavaScript that reads and writes as many bytes in all as cutting does,
half of them each; Programs of Python do the work
once before it is timed. Results are compared by their sums.`,
  options: ['only', 'rounds', 'threads'],
  contests: () => ['patches-cut', 'patches-restore', 'patches-spectrogram'],

  async run(settings: Settings) {
    const { chosen } = settings
    if (chosen('patches-cut') || chosen('patches-restore')) await pictures(settings)
    if (chosen('patches-spectrogram')) await sounds(settings)
  },
}

async function pictures({ chosen, rounds, threads: given, folder, say, tell }: Settings) {
  const threads = given || 1
  const pixels = noise(bytes, (bits) => bits & 255, new Uint8Array(bytes))
  const file = join(folder, 'pixels')
  writeFileSync(file, pixels)
  const images = Array.from({ length: frames }, (_, at): RawImage => {
    const one = bytes / frames
    return { data: pixels.subarray(at * one, (at + 1) * one), width, height, channels: 3 }
  })
  const cut = new ImagePatches({ size })
  const tokens = await cut.tokens(images)
  const sum = sumOf(tokens.values)
  const rest = { unit: 'bytes of pixels', work: bytes, clock: clockOf(threads) } as const
  const contender = (name: string, what: string, wanted: number) =>
    python3(name, what, file, threads, wanted)
  if (chosen('patches-cut')) {
    const contenders = [
      { name: 'inlay', run: () => stopwatch(() => cut.tokens(images, { threads })) },
      { name: 'plain copy', run: plainCopy },
      await contender('einops', 'einops', sum),
      await contender('torch unfold', 'unfold', sum),
    ]
    const title = `Pixels to patches${ofThreads(threads)}`
    const about = `${tokens.count} patches of ${cut.width} numbers.`
    tell(
      await hold(
        { id: idOf('patches-cut', threads), title, about, ...rest, contenders },
        rounds,
        say,
      ),
    )
  }
  if (chosen('patches-restore')) {
    const contenders = [
      { name: 'inlay', run: () => stopwatch(() => cut.restore(tokens, { threads })) },
      await contender('einops', 'restore', sumOf(pixels)),
    ]
    const title = `Patches to pixels${ofThreads(threads)}`
    const about = 'Rounded to bytes, the same bytes.'
    tell(
      await hold(
        { id: idOf('patches-restore', threads), title, about, ...rest, contenders },
        rounds,
        say,
      ),
    )
  }
}

async function sounds({ rounds, threads: given, folder, say, tell }: Settings) {
  const threads = given || 1
  const length = seconds * rate
  const samples = noise(
    length,
    (bits) => (bits & 0xffff) / 0x1_0000 - 0.5,
    new Float32Array(length),
  )
  const file = join(folder, 'samples')
  writeFileSync(file, new Uint8Array(samples.buffer))
  const spectrogram = new Spectrogram({ sampleRate: rate, mels: 80 })
  const sound = { samples, sampleRate: rate, channels: 1 }
  const sum = sumOf((await spectrogram.transform(sound)).values)
  const contenders = [
    { name: 'inlay', run: () => stopwatch(() => spectrogram.transform(sound, { threads })) },
    await python3('torchaudio', 'torchaudio', file, threads, sum),
    await python3('librosa', 'librosa', file, threads, sum),
  ]
  tell(
    await hold(
      {
        id: idOf('patches-spectrogram', threads),
        title: `Log-mel spectrograms${ofThreads(threads)}`,
        about: `${seconds} seconds of sound; a rate of 1,000 is a thousand times as fast as it is heard.`,
        unit: 'seconds of sound',
        work: seconds,
        clock: clockOf(threads),
        contenders,
      },
      rounds,
      say,
    ),
  )
}

/** A program of Python, whose result is to have a sum. */
async function python3(
  name: string,
  what: string,
  file: string,
  threads: number,
  wanted: number,
): Promise<Contender | Missing> {
  const module = ['unfold', 'restore'].includes(what) ? 'torch' : what
  const prelude = module === 'torchaudio' ? 'import torch; torch.version.cuda = None; ' : ''
  const version = await answerOf(
    python,
    '-c',
    `${prelude}import ${module} as m; print(m.__version__)`,
  )
  if (version === undefined) return { name, missing: 'not installed' }
  const run = async (): Promise<Sample> => {
    const args = [script, what, file, String(threads)]
    const { output } = await timed({ command: python, args, cwd: root })
    const { wall, cpu, sum } = JSON.parse(output) as { wall: number; cpu: number; sum: number }
    if (Math.abs(sum / wanted - 1) > 1e-5)
      throw new Error(`${name}: the sum is ${sum}, not ${wanted}`)
    return { wall, cpu }
  }
  return { name: `${name} ${version}`, run }
}

/** As many bytes as are read and written when pixels become numbers, half of them each. */
async function plainCopy(): Promise<Sample> {
  const from = new Float32Array((bytes * 5) / 8).fill(1)
  return stopwatch(() => new Float32Array(from.length).set(from))
}

const clockOf = (threads: number) => (threads === 1 ? 'cpu' : 'wall')
const idOf = (id: string, threads: number) => (threads === 1 ? id : `${id}-${threads}`)
const ofThreads = (threads: number) => (threads === 1 ? '' : `; ${threads} threads`)

function sumOf(values: Float32Array | Uint8Array): number {
  let sum = 0
  for (const value of values) sum += value
  return sum
}

function noise<Numbers extends Uint8Array | Float32Array>(
  length: number,
  of: (bits: number) => number,
  numbers: Numbers,
): Numbers {
  let state = 1
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    numbers[i] = of(state >>> 12)
  }
  return numbers
}
