import { SoundsHandle } from '../native.js'
import { isCount, wrongOption } from '../options.js'
import { Turns } from '../turns.js'
import { inTurns } from './tokens.js'

/** A sound: samples from -1 to 1, those of all channels one after the other for each moment. */
export interface SoundInput {
  /** [moments, channels] */
  readonly samples: Float32Array
  /** Moments a second. */
  readonly sampleRate: number
  readonly channels: number
}

/** Samples that are brought over at once. */
const TOGETHER = 1 << 17

/** Brings sounds over; all are of one rate, if there is one.
 *
 * @throws {InvalidOptionError} what is no sound, or one of another rate
 * @internal */
export async function soundsHandle(
  sounds: Iterable<SoundInput> | AsyncIterable<SoundInput>,
  nameOf: (number: number) => string,
  rate: number | undefined,
  signal: AbortSignal | undefined,
  who: string,
): Promise<{ handle: SoundsHandle; rates: number[] }> {
  const handle = new SoundsHandle()
  const turns = new Turns(signal)
  const rates: number[] = []
  for await (const sound of sounds) {
    const name = nameOf(rates.length)
    const { samples, sampleRate, channels } = checkSound(sound, name, who)
    if (rate !== undefined && sampleRate !== rate) {
      throw wrongOption(`${name}.sampleRate`, `${rate}, as the spectrogram's`, sampleRate, who)
    }
    handle.begin(name, channels, samples.length)
    await inTurns(samples, TOGETHER, turns, (some) => handle.push(some))
    rates.push(sampleRate)
  }
  return { handle, rates }
}

function checkSound(given: unknown, name: string, who: string): SoundInput {
  const { samples, sampleRate, channels } = (given ?? {}) as Partial<SoundInput>
  if (!(samples instanceof Float32Array)) {
    const expected = '{ samples, sampleRate, channels }, samples a Float32Array'
    throw wrongOption(name, expected, given, who)
  }
  if (!Number.isFinite(sampleRate) || sampleRate! <= 0) {
    throw wrongOption(`${name}.sampleRate`, 'a number above 0', sampleRate, who)
  }
  if (!isCount(channels) || channels > 1024) {
    throw wrongOption(`${name}.channels`, 'an integer from 1 to 1024', channels, who)
  }
  if (samples.length % channels !== 0) {
    throw wrongOption(
      `${name}.samples`,
      `whole moments of ${channels} samples`,
      samples.length,
      who,
    )
  }
  return { samples, sampleRate: sampleRate!, channels }
}
