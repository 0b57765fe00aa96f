// Latents of films in files, piece by piece: neither a film nor its latent has to fit the memory.
import { InlayError } from '../errors.js'
import {
  type LatentHandle,
  LatentWriterHandle,
  finishLatent,
  latentSteps,
  openLatent,
  writeLatent,
} from '../native.js'
import { type RunOptions, isIterable, runOptions, settleAlone, wrongOption } from '../options.js'
import { type Path, settlePath } from '../path.js'
import { run } from '../run.js'
import { type VideoLatent, checkLatent } from './latent-patches.js'
import { pushValues } from './tokens.js'

const signalOption = { signal: runOptions.signal }

/**
 * Writes a latent, or its pieces as `stream` of a `VideoAutoencoder` gives them, to a safetensors file: `values` [times, rows,
 * columns, channels], the `times` of frames in seconds, width and height. It is there in full or not at all.
 *
 *     await saveLatent('film.safetensors', model.stream('film.mp4'))
 *     for await (const { data, time } of model.decode(readLatent('film.safetensors'))) { ... }
 *
 * @throws {InvalidOptionError} pieces of different sizes, or without `times`, `width` and `height`
 * @throws {InlayError} `INVALID_INPUT` there is no piece; `DISK_FULL`, `IO`
 */
export async function saveLatent(
  path: Path,
  latent: VideoLatent | Iterable<VideoLatent> | AsyncIterable<VideoLatent>,
  options: Pick<RunOptions, 'signal'> = {},
): Promise<void> {
  const who = 'saveLatent'
  const file = settlePath(path, who)
  const { signal } = settleAlone(signalOption, options, who)
  const settings = { threads: 1, seed: 1, signal, onProgress: undefined }
  const writer = new LatentWriterHandle()
  try {
    let size: string | undefined
    for await (const given of isIterable(latent) ? latent : [latent]) {
      const { values, shape, times, width, height } = checkPiece(given, who)
      const [, rows, columns, channels] = shape
      const told = `${rows} x ${columns} x ${channels} of ${width} x ${height}`
      if (told !== (size ??= told)) throw wrongOption('latent', `pieces of ${size}`, told, who)
      const piece = { path: file, rows, columns, channels, width, height }
      const numbers = await pushValues([values], signal)
      await run<void>(who, settings, (spec, events) =>
        writeLatent(writer, piece, numbers, Float64Array.from(times), spec, events),
      )
    }
    if (size === undefined) throw new InlayError('INVALID_INPUT', `${who}: there is no latent`, {})
    await run<void>(who, settings, (spec, events) => finishLatent(writer, spec, events))
  } finally {
    writer.close()
  }
}

function checkPiece(given: VideoLatent, who: string): Required<VideoLatent> {
  const channels = given?.shape?.[3] ?? 0
  const checked = checkLatent(given, channels, 'latent', who)
  for (const part of ['times', 'width', 'height'] as const) {
    if (checked[part] === undefined) {
      throw wrongOption(`latent.${part}`, 'given, of what goes into a file', undefined, who)
    }
  }
  return checked as Required<VideoLatent>
}

/**
 * The pieces of a latent that `saveLatent` wrote, as they came: what `decode` takes. One at a time is in memory.
 *
 * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` the file is no latent, or damaged
 */
export async function* readLatent(
  path: Path,
  options: Pick<RunOptions, 'signal'> = {},
): AsyncGenerator<Required<VideoLatent>> {
  const who = 'readLatent'
  const file = settlePath(path, who)
  const { signal } = settleAlone(signalOption, options, who)
  const settings = { threads: 1, seed: 1, signal, onProgress: undefined }
  const found = await run<LatentHandle>(who, settings, (spec, events) =>
    openLatent(file, spec, events),
  )
  const { width, height, pieces, times } = found
  const [, rows, columns, channels] = found.shape as [number, number, number, number]
  let [step, frame] = [0, 0]
  for (let piece = 0; piece < pieces.length; piece += 2) {
    const [steps, frames] = [pieces[piece]!, pieces[piece + 1]!]
    const from = step
    const values = await run<Float32Array>(who, settings, (spec, events) =>
      latentSteps(found, from, steps, spec, events),
    )
    const shown = [...times.subarray(frame, frame + frames)]
    yield { values, shape: [steps, rows, columns, channels], times: shown, width, height }
    step += steps
    frame += frames
  }
}
