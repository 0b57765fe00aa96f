// inlay video: from films to a model that compresses them, films to latents and back, and how far they are from what comes
// back.
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { encodeY4m, encodeY4mOptions } from '../media/encode-y4m.js'
import { readVideo, readVideoOptions } from '../media/read-video.js'
import { VideoAutoencoder, videoAutoencoderOptions } from '../models/video-autoencoder.js'
import { type Options, type RunOptions, list, text } from '../options.js'
import { readLatent, saveLatent } from '../patches/latent-file.js'
import { type Command, group } from './command.js'
import { checkWritten } from './files.js'
import { UsageError } from './flags.js'
import { quantity } from './quantities.js'
import { checkpoint, resumable } from './resume.js'
import type { Session } from './session.js'
import { quietFlags, runFlags } from './train.js'

const trainFlags = {
  output: text('where the model goes: a safetensors file'),
  checkpoint,
  checkpointEvery: videoAutoencoderOptions.checkpointEvery,
  validation: list(
    'films that are not learnt from: the best model for them is kept: a,b,c or @FILE',
  ),
}

const training = Object.fromEntries(
  Object.entries(videoAutoencoderOptions).filter(([name]) => !Object.hasOwn(trainFlags, name)),
)

const reading = readVideoOptions
const clip = 'films: animated pictures, y4m and Motion-JPEG, and others by ffmpeg'

type Reading = Options<typeof reading>

/** Films, each read when it is its turn. */
function* filmsOf(paths: readonly string[], how: Reading, signal: AbortSignal) {
  for (const path of paths) yield readVideo(path, { ...how, signal })
}

/** Reading flags, and what is left of others. */
function readingOf<Given extends Reading>(given: Given): [Reading, Omit<Given, keyof Reading>] {
  const isReading = ([name]: [string, unknown]) => Object.hasOwn(reading, name)
  const all = Object.entries(given)
  return [
    Object.fromEntries(all.filter(isReading)),
    Object.fromEntries(all.filter((one) => !isReading(one))) as Omit<Given, keyof Reading>,
  ]
}

type TrainGiven = Options<
  Omit<typeof videoAutoencoderOptions, 'validation'> & typeof trainFlags & typeof runFlags
> &
  Reading

const train: Command = {
  name: 'video train',
  summary: 'learns to compress films to a latent space',
  usage: 'CLIP... -o MODEL [flags]',
  operands: { CLIP: clip },
  count: { from: 1, to: Infinity },
  groups: [
    group('Files', trainFlags, { flags: { checkpoint: 'resume' }, short: { output: 'o' } }),
    group('Training', training),
    group('Reading', reading),
    group('Run', runFlags, { short: { quiet: 'q' } }),
  ],
  examples: [
    'a.mp4 b.gif -o films.safetensors --height 128',
    'a.mp4 -o films.safetensors --channels 8 --validation c.mp4 --resume films.checkpoint',
  ],

  async run(given: TrainGiven, paths: readonly string[], session: Session) {
    const [how, { output, quiet, validation, ...options }] = readingOf(given)
    if (output === undefined) throw new UsageError('-o MODEL is missing')
    checkWritten([...paths, ...(validation ?? [])], {
      '-o': output,
      '--resume': options.checkpoint,
    })
    const { signal } = session
    const work = async (onProgress: RunOptions['onProgress']) => {
      const held = validation && { validation: filmsOf(validation, how, signal) }
      const settings = { ...options, ...held, signal, onProgress }
      using model = await VideoAutoencoder.train(filmsOf(paths, how, signal), settings)
      await model.save(output, { signal })
    }
    await resumable(options.checkpoint, session, () => session.withProgress({ quiet }, work))
    if (!quiet) session.note(`${quantity(paths.length, 'films')} learnt from, ${output} written`)
  },
}

const evaluateFlags = { threads: quietFlags.threads }

type EvaluateGiven = Options<typeof evaluateFlags> & Reading

const encodeFlags = { output: text('where the latent goes: a safetensors file') }

type EncodeGiven = EvaluateGiven & Options<typeof encodeFlags>

const encode: Command = {
  name: 'video encode',
  summary: 'compresses a film to a latent in a file',
  usage: 'MODEL CLIP -o LATENT [flags]',
  operands: { MODEL: 'what `inlay video train` wrote', CLIP: clip },
  count: { from: 2, to: 2 },
  groups: [
    group('Files', encodeFlags, { short: { output: 'o' } }),
    group('Reading', reading),
    group('Run', evaluateFlags),
  ],
  examples: ['films.safetensors c.mp4 -o c.safetensors --height 128 --rate 12'],

  async run(given: EncodeGiven, [path = '', film = '']: readonly string[], session: Session) {
    const [how, { threads, output }] = readingOf(given)
    if (output === undefined) throw new UsageError('-o LATENT is missing')
    checkWritten([path, film], { '-o': output })
    const { signal } = session
    using model = await VideoAutoencoder.open(path, { signal })
    const latent = model.stream(readVideo(film, { ...how, signal }), { threads, signal })
    await saveLatent(output, latent, { signal })
  },
}

const decodeFlags = {
  output: text('where the film goes, as y4m (default: to stdout, for the next program)'),
  ...encodeY4mOptions,
}

type DecodeGiven = Options<typeof decodeFlags> & Options<typeof evaluateFlags>

const decode: Command = {
  name: 'video decode',
  summary: 'makes a film of a latent',
  usage: 'MODEL LATENT [flags]',
  operands: { MODEL: 'what `inlay video train` wrote', LATENT: 'what `inlay video encode` wrote' },
  count: { from: 2, to: 2 },
  groups: [group('Film', decodeFlags, { short: { output: 'o' } }), group('Run', evaluateFlags)],
  examples: [
    'films.safetensors c.safetensors -o c.y4m',
    'films.safetensors c.safetensors | ffmpeg -i - c.mp4',
  ],

  async run(given: DecodeGiven, [path = '', latent = '']: readonly string[], session: Session) {
    const { output, rate, threads } = given
    if (output === undefined && process.stdout.isTTY) {
      throw new UsageError('-o FILM is missing: a film is nothing for a terminal')
    }
    if (output !== undefined) checkWritten([path, latent], { '-o': output })
    const { signal } = session
    using model = await VideoAutoencoder.open(path, { signal })
    const frames = model.decode(readLatent(latent, { signal }), { threads, signal })
    const film = encodeY4m(frames, { rate, signal })
    if (output === undefined) return await pipeline(film, process.stdout, { end: false })
    // It is there in full or not at all.
    const unfinished = `${output}.${process.pid}.tmp`
    try {
      await pipeline(film, createWriteStream(unfinished))
      await rename(unfinished, output)
    } finally {
      await rm(unfinished, { force: true })
    }
  },
}

const evaluate: Command = {
  name: 'video evaluate',
  summary: 'prints the peak signal-to-noise ratio of films that were compressed, in decibels',
  usage: 'MODEL CLIP... [flags]',
  operands: { MODEL: 'what `inlay video train` wrote', CLIP: clip },
  count: { from: 2, to: Infinity },
  groups: [group('Reading', reading), group('Run', evaluateFlags)],
  examples: ['films.safetensors c.mp4 d.gif --height 128'],

  async run(given: EvaluateGiven, [path = '', ...paths]: readonly string[], session: Session) {
    const [how, { threads }] = readingOf(given)
    const { signal } = session
    using model = await VideoAutoencoder.open(path, { signal })
    const found = await model.evaluate(filmsOf(paths, how, signal), { threads, signal })
    for (const [at, decibels] of found.clips.entries()) {
      session.print(`${paths[at]}\t${decibels.toFixed(2)}`)
    }
    session.print(`all\t${found.psnr.toFixed(2)}`)
  },
}

export const videoCommands: readonly Command[] = [train, evaluate, encode, decode]
