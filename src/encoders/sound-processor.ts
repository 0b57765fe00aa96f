// What a folder of Hugging Face says of how its sounds are prepared: `ClapFeatureExtractor` of transformers.
import { InlayError, shown } from '../errors.js'
import { Spectrogram } from '../patches/spectrogram.js'
import { processorFile } from './image-processor.js'
import { Fields, type ModelFolder } from './model-folder.js'

/** How sounds become the input of an encoder. */
export interface SoundPreparation {
  /** Samples a second; several channels become their mean. */
  readonly sampleRate: number
  /** Samples that are heard. */
  readonly length: number
  /** What is heard of a longer sound: its middle, or four views: all of it at a faster pace, and parts of its front, middle and back.
   * transformers takes parts at random. */
  readonly long: 'middle' | 'views'
  /** What becomes of a shorter sound: it is heard as often as it fits as a whole, and silence follows; it is heard again and again;
   * silence follows. */
  readonly short: 'repeat-whole' | 'repeat' | 'silence'
  /** What sounds become then. */
  readonly spectrogram: Spectrogram
}

const longs: Readonly<Record<string, SoundPreparation['long']>> = {
  rand_trunc: 'middle',
  fusion: 'views',
}

const shorts: Readonly<Record<string, SoundPreparation['short']>> = {
  repeatpad: 'repeat-whole',
  repeat: 'repeat',
  pad: 'silence',
}

/** Samples that are heard at most: three quarters of an hour of 48,000 a second. */
const LONGEST = 2 ** 27

/**
 * How sounds of a model are prepared.
 *
 * @throws {InlayError} `NOT_FOUND`; `INVALID_INPUT` numbers that cannot be; `UNSUPPORTED` what is not known here
 */
export async function soundProcessor(folder: ModelFolder): Promise<SoundPreparation> {
  const [file, json] = await processorFile(folder, 'feature_extractor')
  if (json === undefined) throw folder.missing(file)
  const config = new Fields(folder, file, json)
  const unsupported = (what: string) =>
    new InlayError('UNSUPPORTED', `${folder.who}: ${folder.file(file)} has ${what}`)
  const type = config.text(['feature_extractor_type'], 'ClapFeatureExtractor')
  if (type !== 'ClapFeatureExtractor') throw unsupported(`a processor of type ${shown(type)}`)
  const truncation = config.text(['truncation'], 'fusion')
  if (!Object.hasOwn(longs, truncation)) throw unsupported(`\`truncation\` ${shown(truncation)}`)
  const long = longs[truncation]!
  const padding = config.text(['padding'], 'repeatpad')
  if (!Object.hasOwn(shorts, padding)) throw unsupported(`\`padding\` ${shown(padding)}`)
  const within = (name: string, fallback: number, from: number, to: number) => {
    const found = config.count([name], fallback)
    if (found >= from && found <= to) return found
    throw config.wrong([name], `an integer from ${from} to ${to}`, found)
  }
  const sampleRate = within('sampling_rate', 48_000, 1000, 768_000)
  const seconds = config.positive(['max_length_s'], 10)
  const length = Math.floor(seconds * sampleRate)
  if (length < 1 || length > LONGEST) {
    throw config.wrong(['max_length_s'], `what makes 1 to ${LONGEST} samples`, seconds)
  }
  const low = config.number(['frequency_min'], 0)
  const high = config.number(['frequency_max'], 14_000)
  if (low < 0 || high <= low || high > sampleRate / 2) {
    const expected = `a number above \`frequency_min\`, ${low}, and at most ${sampleRate / 2}`
    throw config.wrong(['frequency_max'], expected, high)
  }
  const spectrogram = new Spectrogram({
    sampleRate,
    fftSize: within('fft_window_size', 1024, 2, 1 << 20),
    hop: within('hop_length', 480, 1, 1 << 20),
    padding: 'reflect',
    mels: within('feature_size', 64, 1, 65_536),
    // As those that trained with views had it.
    ...(long === 'views' ? { melScale: 'htk', melNorm: 'none' } : {}),
    minFrequency: low,
    maxFrequency: high,
    log: 'decibels',
    floor: 1e-10,
  })
  return Object.freeze({ sampleRate, length, long, short: shorts[padding]!, spectrogram })
}

/** Frames of a prepared sound, or of so many samples. */
export function framesOf({ length, spectrogram }: SoundPreparation, samples = length): number {
  const { fftSize, hop } = spectrogram.spec
  return Math.floor((samples + 2 * Math.floor(fftSize / 2) - fftSize) / hop) + 1
}
