// What the pictures of the pages are drawn with: inputs made by a seeded generator, a sheet to put them on, and PNG.
import { crc32, deflateSync } from 'node:zlib'

/** Numbers from 0 to 1 that look random, the same in each run (Mulberry32). */
export function randomNumbers(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const mix = (a, b, share) => a.map((value, at) => value + (b[at] - value) * share)

/** A landscape: sky, sun, and hills one behind the other, of which each seed gives another. `moved` pixels further on. */
export function landscape(seed, width, height, moved = 0) {
  const random = randomNumbers(seed)
  const between = (from, to) => from + (to - from) * random()
  const [high, low] = [
    [between(40, 130), between(110, 170), between(180, 240)],
    [between(210, 255), between(170, 225), between(130, 210)],
  ]
  const sun = { x: between(0.1, 0.9), y: between(0.1, 0.4), size: between(0.07, 0.13) }
  const [near, far] = [
    [between(20, 60), between(60, 110), between(25, 60)],
    [between(110, 160), between(130, 180), between(150, 190)],
  ]
  const hills = Array.from({ length: 4 }, (_, layer) => ({
    base: 0.45 + 0.13 * layer + between(-0.04, 0.04),
    waves: [1, 2, 5].map((wave) => [wave * between(2, 4), between(0, 7), 0.09 / wave]),
    colour: mix(far, near, layer / 3),
    speed: (layer + 1) / 4,
  }))
  const data = new Uint8Array(width * height * 3)
  for (let x = 0; x < width; x++) {
    const tops = hills.map(({ base, waves, speed }) => {
      const along = (x + moved * speed) / height
      return waves.reduce(
        (top, [rate, phase, size]) => top + size * Math.sin(rate * along + phase),
        base,
      )
    })
    for (let y = 0; y < height; y++) {
      const at = y / height
      const hill = tops.findLastIndex((top) => at > top)
      const isSun = Math.hypot(x / height - (sun.x * width) / height, at - sun.y) < sun.size
      const sky = isSun ? [255, 240, 190] : mix(high, low, Math.min(1, at / 0.6))
      const ground =
        hill < 0 ? sky : mix(hills[hill].colour, [20, 25, 30], Math.min(0.5, at - tops[hill]))
      for (let c = 0; c < 3; c++) data[(y * width + x) * 3 + c] = Math.round(ground[c])
    }
  }
  return { data, width, height, channels: 3 }
}

/** Four notes of a plucked string, each with its overtones, over a tone that rises. */
export function melody(seconds, sampleRate) {
  const notes = [220, 330, 277.2, 440]
  const samples = Float32Array.from({ length: seconds * sampleRate }, (_unused, i) => {
    const time = i / sampleRate
    const note = Math.floor((time / seconds) * notes.length)
    const since = time - (note * seconds) / notes.length
    const overtone = (_, k) =>
      Math.sin(2 * Math.PI * notes[note] * (k + 1) * time) * Math.exp(-since * (2 + 1.5 * k))
    const string = Array.from({ length: 12 }, overtone).reduce((sum, value) => sum + value, 0)
    // Its frequency is the derivative of the angle: 500 to 6,500 Hz.
    const rising = Math.sin(2 * Math.PI * (500 * time + (3000 / seconds) * time * time))
    return 0.08 * string + 0.02 * rising
  })
  return { samples, sampleRate, channels: 1 }
}

/** From dark blue over red to light yellow, for a share from 0 to 1. */
export function heat(share) {
  const colours = [
    [8, 8, 40],
    [90, 20, 110],
    [200, 55, 80],
    [250, 150, 40],
    [252, 250, 190],
  ]
  const place = Math.min(1, Math.max(0, share)) * (colours.length - 1)
  const from = Math.min(colours.length - 2, Math.floor(place))
  return mix(colours[from], colours[from + 1], place - from)
}

/** White paper. */
export class Sheet {
  constructor(width, height) {
    Object.assign(this, { width, height, data: new Uint8Array(width * height * 3).fill(255) })
  }

  /** Lays a picture on it, each pixel so many times as large. */
  lay({ data, width, height }, left, top, scale = 1) {
    for (let y = 0; y < height * scale; y++) {
      for (let x = 0; x < width * scale; x++) {
        const from = (Math.floor(y / scale) * width + Math.floor(x / scale)) * 3
        this.data.set(data.subarray(from, from + 3), ((top + y) * this.width + left + x) * 3)
      }
    }
    return this
  }

  /** As a PNG file: each row by Paeth's filter. */
  png() {
    const { width, height, data } = this
    const row = 3 * width
    const filtered = new Uint8Array((row + 1) * height)
    const at = (x, y) => (x < 0 || y < 0 ? 0 : data[y * row + x])
    for (let y = 0; y < height; y++) {
      filtered[y * (row + 1)] = 4
      for (let x = 0; x < row; x++) {
        const [left, up, corner] = [at(x - 3, y), at(x, y - 1), at(x - 3, y - 1)]
        const [a, b, c] = [left, up, corner].map((value) => Math.abs(left + up - corner - value))
        const guess = a <= b && a <= c ? left : b <= c ? up : corner
        filtered[y * (row + 1) + 1 + x] = data[y * row + x] - guess
      }
    }
    const header = Buffer.alloc(13)
    header.writeUInt32BE(width, 0)
    header.writeUInt32BE(height, 4)
    // 8 bits, red, green and blue.
    header.set([8, 2], 8)
    return Buffer.concat([
      Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
      chunk('IHDR', header),
      chunk('IDAT', deflateSync(filtered, { level: 9 })),
      chunk('IEND', Buffer.alloc(0)),
    ])
  }
}

function chunk(kind, body) {
  const named = Buffer.concat([Buffer.from(kind, 'latin1'), body])
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(body.length)
  sum.writeUInt32BE(crc32(named))
  return Buffer.concat([length, named, sum])
}
