/** Gives the next number, from 0 to 1, 1 left out. */
export type Draw = () => number

/** Numbers from 0 to 1, 1 left out, the same for the same seed (Steele, Lea and Flood 2014: SplitMix, of 32 bits). */
export function randomNumbers(seed: number): Draw {
  let state = (seed ^ Math.imul(Math.floor(seed / 2 ** 32), 0x9e37_79b1)) >>> 0
  return () => {
    state = (state + 0x9e37_79b9) >>> 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0_aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}
