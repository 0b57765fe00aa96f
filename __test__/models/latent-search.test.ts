// What latents are good for: clips told apart by segments that were not learnt from, and frames found again that somebody has
// changed a little.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  type FrameInput,
  LatentPatches,
  VideoAutoencoder,
  type VideoAutoencoderOptions,
  type VideoFrame,
  readVideo,
} from 'inlay'
import { movingShapes } from '../fixtures/moving-shapes.js'

const films = join(process.env['INLAY_DATA'] ?? '../shared/data', 'media/video')

/** The mean of the patches of a segment's latent, and how far they are from it: [2 · width]. */
async function ofSegment(model: VideoAutoencoder, segment: readonly FrameInput[]) {
  const cut = new LatentPatches({ size: [1, 2, 2], channels: model.channels })
  const { values, width, count } = await cut.tokens([await model.encode(segment)])
  const [sums, squares] = [new Float64Array(width), new Float64Array(width)]
  for (const [i, value] of values.entries()) {
    sums[i % width]! += value / count
    squares[i % width]! += value ** 2 / count
  }
  return [...sums, ...squares.map((square, i) => Math.sqrt(Math.max(0, square - sums[i]! ** 2)))]
}

/** The latent of a picture: one step of time. */
async function ofFrame(model: VideoAutoencoder, frame: FrameInput): Promise<number[]> {
  return Array.from((await model.encode([frame])).values)
}

/** Which of `known` is nearest, by its number. */
function nearest(vector: readonly number[], known: readonly (readonly number[])[]): number {
  const far = known.map((other) =>
    other.reduce((sum, value, i) => sum + (value - vector[i]!) ** 2, 0),
  )
  return far.indexOf(Math.min(...far))
}

function segments<Frame>(frames: readonly Frame[], length: number): Frame[][] {
  const count = Math.floor(frames.length / length)
  return Array.from({ length: count }, (_, at) => frames.slice(at * length, (at + 1) * length))
}

async function each<From, To>(
  items: readonly From[],
  make: (item: From) => Promise<To>,
): Promise<To[]> {
  const made: To[] = []
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  for (const item of items) made.push(await make(item))
  return made
}

/** Each fourth segment of all clips finds the nearest one of the others: the share of those of the same clip. */
async function toldApart(
  model: VideoAutoencoder,
  clips: readonly FrameInput[][],
  length: number,
): Promise<number> {
  const all = clips.flatMap((clip, at) =>
    segments(clip, length).map((segment) => ({ segment, at })),
  )
  const vectors = await each(all, ({ segment }) => ofSegment(model, segment))
  const isAsked = (_: unknown, at: number) => at % 4 === 2
  const known = vectors.filter((_, at) => !isAsked(_, at))
  const clipsOf = all.filter((_, at) => !isAsked(_, at)).map(({ at }) => at)
  const asked = all.filter(isAsked).map(({ at }) => at)
  const right = vectors
    .filter(isAsked)
    .map((vector, at) => clipsOf[nearest(vector, known)] === asked[at])
  return right.filter(Boolean).length / right.length
}

/** The share of changed frames that find the frame they were. */
async function foundAgain(
  model: VideoAutoencoder,
  frames: readonly FrameInput[],
  changed: readonly FrameInput[],
): Promise<number> {
  const known = await each(frames, (frame) => ofFrame(model, frame))
  const asked = await each(changed, (frame) => ofFrame(model, frame))
  const right = asked.map((vector, at) => nearest(vector, known) === at)
  return right.filter(Boolean).length / right.length
}

/** A frame with other light: darker, or of less contrast. */
function relit(frame: FrameInput, factor: number, more: number): FrameInput {
  return { ...frame, data: Uint8ClampedArray.from(frame.data, (byte) => byte * factor + more) }
}

/** A frame in which each 2 x 2 pixels are their first. */
function coarse(frame: FrameInput): FrameInput {
  const { width, channels } = frame
  const data = frame.data.map((_, i) => {
    const [pixel, channel] = [Math.floor(i / channels), i % channels]
    const [row, column] = [Math.floor(pixel / width), pixel % width]
    const from = (row - (row % 2)) * width + column - (column % 2)
    return frame.data[from * channels + channel]!
  })
  return { ...frame, data }
}

test('clips of moving shapes are told apart by their latent patches, and changed frames found', async (t) => {
  const seeds = [1, 2, 3, 4, 5, 6, 7, 8]
  const learnt = seeds.map((seed) => movingShapes(24, { seed }))
  const rest = seeds.map((seed) => movingShapes(20, { seed, first: 24 }))
  const options: VideoAutoencoderOptions = {
    space: 4,
    time: 2,
    channels: 8,
    hidden: 24,
    depth: 1,
    crop: 16,
    frames: 5,
    windows: 100,
    epochs: 2,
  }
  using model = await VideoAutoencoder.train(learnt, options)
  const told = await toldApart(model, rest, 5)
  // Four frames of a clip, so that its shapes are elsewhere in each.
  const frames = rest.flatMap((clip) => clip.filter((_, at) => at % 3 === 0))
  const found = {
    darker: await foundAgain(
      model,
      frames,
      frames.map((frame) => relit(frame, 0.9, 0)),
    ),
    coarse: await foundAgain(model, frames, frames.map(coarse)),
  }
  t.log({ told, ...found })
  t.true(told >= 0.9, `${told}`)
  t.true(Math.min(found.darker, found.coarse) >= 0.9, JSON.stringify(found))
})

const size = { width: 128, height: 96 }
const learntFrom = ['bikes.mp4', 'carphone_pristine.mp4', 'cockatoo.mp4', 'newtonscradle.gif']

async function framesOf(name: string, options: object = {}): Promise<VideoFrame[]> {
  const frames: VideoFrame[] = []
  const reading = { ...size, rate: 10, ...options }
  for await (const frame of readVideo(join(films, name), reading)) frames.push(frame)
  return frames
}

/** One of five. */
function some<Frame>(frames: readonly Frame[]): Frame[] {
  return frames.filter((_, at) => at % 5 === 0)
}

test('real clips are told apart, and frames found that were resized, recompressed or relit (INLAY_DATA)', async (t) => {
  if (!existsSync(films)) {
    t.log('skipped: no video in INLAY_DATA')
    t.pass()
    return
  }
  t.timeout(600_000)
  const clips = await each(learntFrom, (name) => framesOf(name))
  const learnt = clips.map((clip) => clip.slice(0, Math.floor(clip.length * 0.75)))
  using model = await VideoAutoencoder.train(learnt, {
    hidden: 64,
    depth: 1,
    windows: 160,
    epochs: 2,
  })
  const told = await toldApart(model, clips, 5)
  const frames = some(clips.flat())
  const found = {
    darker: await foundAgain(
      model,
      frames,
      frames.map((frame) => relit(frame, 0.8, 10)),
    ),
    resized: await foundAgain(
      model,
      frames,
      some((await each(learntFrom, (name) => resized(name))).flat()),
    ),
    // The same film, by an encoder that has left little of it.
    recompressed: await foundAgain(
      model,
      some(clips[1]!),
      some(await framesOf('carphone_distorted.mp4')),
    ),
  }
  t.log({ told, ...found })
  t.true(told >= 0.9, `${told}`)
  t.true(Math.min(found.darker, found.resized, found.recompressed) >= 0.9, JSON.stringify(found))
})

/** Frames that have been half as large: each of their pixels is four. */
async function resized(name: string): Promise<FrameInput[]> {
  const half = await framesOf(name, { width: size.width / 2, height: size.height / 2 })
  return half.map(({ data, width, channels, time }) => {
    const doubled = Uint8Array.from({ length: size.width * size.height * channels }, (_, i) => {
      const pixel = Math.floor(i / channels)
      const [row, column] = [Math.floor(pixel / size.width), pixel % size.width]
      const from = Math.floor(row / 2) * width + Math.floor(column / 2)
      return data[from * channels + (i % channels)]!
    })
    return { data: doubled, width: size.width, height: size.height, channels, time }
  })
}
