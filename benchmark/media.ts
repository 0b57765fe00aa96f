// Sounds decoded and resampled beside libsndfile and soxr, by Python's soundfile and soxr; frames of films that are not
// compressed beside FFmpeg.
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { type ReadSoundOptions, type Sound, readSound, readVideo } from 'inlay'
import type { Family, Settings } from './family.js'
import { answerOf, timed } from './processes.js'
import {
  type Contender,
  type Contest,
  type Missing,
  type Sample,
  hold,
  stopwatch,
} from './rounds.js'
import { root } from './texts.js'
import { oneThreadEach, python } from './trainers.js'

const script = join(root, 'benchmark', 'media_contender.py')
const kinds = ['wav', 'flac', 'mp3', 'ogg'] as const
const rates = [16_000, 48_000] as const
const film = { width: 1920, height: 1080, frames: 48 } as const

/** What all must agree on: how many moments there are, and how loud they are. */
interface Heard {
  readonly moments: number
  readonly square: number
}

export const media: Family = {
  name: 'media',
  summary: 'sounds and films decoded beside libsndfile, soxr and FFmpeg',
  about: `A minute of two tones and noise, 44,100 samples a second, in two channels; resampling in one. One thread each, compared by
CPU seconds. All find the same number of samples and the same loudness, lossy codings to a hundredth.`,
  options: ['only', 'rounds'],
  contests: () => [...kinds, ...rates, 'y4m'].map((name) => `media-${name}`),

  async run({ chosen, rounds, say, tell, folder }: Settings) {
    if ((await answerOf(python, '-c', 'import soundfile, soxr')) === undefined) {
      say('media: soundfile and soxr, which make the sounds, are not there: benchmark/peers.sh')
    } else {
      await timed({ command: python, args: [script, 'make', folder], cwd: folder })
      for (const kind of kinds) {
        if (chosen(`media-${kind}`)) tell(await hold(decoding(kind, folder), rounds, say))
      }
      for (const rate of rates) {
        if (chosen(`media-${rate}`)) tell(await hold(await resampling(rate, folder), rounds, say))
      }
    }
    if (chosen('media-y4m')) tell(await hold(await frames(folder), rounds, say))
  },
}

function decoding(kind: string, folder: string): Contest {
  const path = join(folder, `sound.${kind}`)
  const agree = agreement(kind === 'mp3' || kind === 'ogg' ? 1e-2 : 1e-4)
  return {
    id: `media-${kind}`,
    title: `A minute of sound from ${kind.toUpperCase()}`,
    about: 'From the file to numbers of 32 bits. FLAC: inlay also checks the MD5 of the samples.',
    unit: 'seconds of sound',
    work: 60,
    clock: 'cpu',
    contenders: [ours(path, {}, agree), theirs('soundfile', ['decode', path], folder, agree)],
  }
}

/** Decoding of the file is counted as well here, and not there: it is a hundredth of it. */
async function resampling(rate: number, folder: string): Promise<Contest> {
  const path = join(folder, 'mono.wav')
  const agree = agreement(1e-2)
  return {
    id: `media-${rate}`,
    title: `A minute of sound from 44,100 to ${rate.toLocaleString('en')} samples a second`,
    about: 'One channel. What would alias is 100 dB down; soxr: 120 dB (HQ, its default).',
    unit: 'seconds of sound',
    work: 60,
    clock: 'cpu',
    contenders: [
      ours(path, { sampleRate: rate }, agree),
      theirs('soxr', ['resample', path, String(rate)], folder, agree),
    ],
  }
}

function agreement(tolerance: number): (name: string, found: Heard) => void {
  let expected: Heard | undefined
  return (name, found) => {
    expected ??= found
    const isSame = Math.abs(found.moments - expected.moments) <= 1
    if (!isSame || Math.abs(found.square / expected.square - 1) > tolerance) {
      throw new Error(`${name}: ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`)
    }
  }
}

type Agree = ReturnType<typeof agreement>

function ours(path: string, options: ReadSoundOptions, agree: Agree): Contender {
  return {
    name: 'inlay',
    async run() {
      let sound: Sound | undefined
      const sample = await stopwatch(async () => {
        sound = await readSound(path, options)
      })
      const { samples, channels } = sound!
      const square = samples.reduce((sum, value) => sum + value * value, 0) / samples.length
      agree('inlay', { moments: samples.length / channels, square })
      return sample
    },
  }
}

function theirs(
  name: string,
  args: readonly string[],
  cwd: string,
  agree: Agree,
): Contender | Missing {
  return {
    name,
    async run() {
      const program = { command: python, args: [script, ...args], cwd, env: oneThreadEach }
      const said: Sample & Heard = JSON.parse((await timed(program)).output)
      agree(name, said)
      return said
    },
  }
}

/** Frames of noise, written once. */
async function frames(folder: string): Promise<Contest> {
  const path = join(folder, 'film.y4m')
  const { width, height, frames: count } = film
  const file = await open(path, 'w')
  await file.writeFile(`YUV4MPEG2 W${width} H${height} F24:1 Ip A1:1 C420jpeg\n`)
  const noise = Buffer.from(
    Uint8Array.from({ length: (width * height * 3) / 2 }, (_, at) => 16 + ((at * 7919) % 220)),
  )
  for (let frame = 0; frame < count; frame++) {
    await file.writeFile('FRAME\n')
    await file.writeFile(noise)
  }
  await file.close()
  const bytes = width * height * 3 * count
  const ffmpeg = ['-nostdin', '-loglevel', 'error', '-threads', '1', '-i', path]
  const output = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-']
  const isThere = (await answerOf('ffmpeg', '-version')) !== undefined
  return {
    id: 'media-y4m',
    title: `Frames of ${width} x ${height} from y4m to red, green and blue`,
    about: 'FFmpeg writes them to a pipe from which nobody reads more than their number.',
    unit: 'frames',
    work: count,
    clock: 'cpu',
    contenders: [
      {
        name: 'inlay',
        async run() {
          let length = 0
          const sample = await stopwatch(async () => {
            for await (const { data } of readVideo(path)) length += data.length
          })
          if (length !== bytes) throw new Error(`inlay: ${length} bytes, not ${bytes}`)
          return sample
        },
      },
      isThere
        ? {
            name: 'FFmpeg',
            async run() {
              const command = `ffmpeg ${[...ffmpeg, ...output].join(' ')} | wc -c`
              const { output: said, ...sample } = await timed({
                command: 'bash',
                args: ['-c', command],
                cwd: folder,
              })
              if (Number(said) !== bytes) throw new Error(`FFmpeg: ${said} bytes, not ${bytes}`)
              return sample
            },
          }
        : { name: 'FFmpeg', missing: 'it is not on PATH' },
    ],
  }
}
