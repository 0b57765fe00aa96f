// Sounds as what is in them at each moment.
import { type SpectrogramSpec, transformSound } from '../native.js'
import {
  type Options,
  type RunOptions,
  custom,
  integer,
  maybeOneOf,
  oneOf,
  real,
  refusal,
  settle,
  settleAlone,
  wrongOption,
} from '../options.js'
import { run } from '../run.js'
import { type SoundInput, soundsHandle } from './sound-input.js'

/** Every option of `Spectrogram`, with librosa's names in brackets. */
export const spectrogramOptions = {
  /** Samples a second of the sounds [sr]. It must be given. */
  sampleRate: integer(undefined, { from: 1, to: 10_000_000 }, 'samples a second of the sounds'),
  /** Samples of a Fourier transform [n_fft]. */
  fftSize: integer(400, { from: 2, to: 1 << 20 }, 'samples of a Fourier transform'),
  /** Samples of the window in its middle, a periodic Hann window [win_length]. Default: `fftSize`. */
  windowLength: integer(undefined, { from: 1, to: 1 << 20 }, 'samples of the window'),
  /** Samples from one frame to the next [hop_length]. */
  hop: integer(160, { from: 1, to: 1 << 20 }, 'samples from one frame to the next'),
  /** What is heard before the first sample and behind the last one, so that frame i has sample i · hop in its middle
   * [center, pad_mode]: nothing, or the sound backwards. With 'none', frame i begins at sample i · hop and none goes beyond
   * the end. */
  padding: oneOf(['reflect', 'zero', 'none'], 'what is heard beyond both ends'),
  /** 2: powers; 1: magnitudes. */
  power: custom<1 | 2>('1 or 2', (given) => given === 1 || given === 2, 'powers or magnitudes'),
  /** Bands of the mel scale [n_mels]. Default: none, but the `fftSize` / 2 + 1 bins of the transform. */
  mels: integer(undefined, { from: 1, to: 65_536 }, 'bands of the mel scale'),
  /** Which mel scale: Slaney's, straight up to 1000 Hz, or HTK's [htk]. Default: 'slaney'. */
  melScale: maybeOneOf(['slaney', 'htk'], 'which mel scale'),
  /** Whether bands have the same area or the same height [norm]. Default: 'slaney', the same area. */
  melNorm: maybeOneOf(['slaney', 'none'], 'whether bands have the same area or height'),
  /** Where the first band begins, in Hz [fmin]. Default: 0. */
  minFrequency: real(undefined, { from: 0 }, 'where the first band begins, in Hz'),
  /** Where the last band ends, in Hz [fmax]. Default: half of `sampleRate`. */
  maxFrequency: real(undefined, { above: 0 }, 'where the last band ends, in Hz'),
  /** What becomes of the values: ln(max(value, floor)); decibels, 10 · log10 of powers and 20 · log10 of magnitudes, of at least
   * the floor; (max(log10(max(value, 1e-10)), highest - 8) + 4) / 4 without the last frame, as Whisper takes them; nothing. */
  log: oneOf(['natural', 'decibels', 'whisper', 'none'], 'what becomes of the values'),
  /** What smaller values count as [amin]. Default: 1e-10. */
  floor: real(undefined, { from: 1e-30, to: 1e6 }, 'what smaller values count as'),
  /** Of decibels: none is further below the highest of the sound [top_db]. Default: no limit. */
  range: real(undefined, { above: 0, to: 1e9 }, 'how far decibels may be below the highest'),
}

/** The options of `Spectrogram`: see `spectrogramOptions`. */
export type SpectrogramOptions = Options<typeof spectrogramOptions> & {
  readonly sampleRate: number
}

/** What is in a sound at each moment. */
export interface SpectrogramValues {
  /** [frames, bands]: what librosa and torchaudio have as [bands, frames]. */
  readonly values: Float32Array
  readonly frames: number
  readonly bands: number
}

/**
 * Spectrograms, plain or of the mel scale, as librosa and torchaudio work them out.
 *
 *     const spectrogram = new Spectrogram({ sampleRate: 16_000, fftSize: 400, hop: 160, mels: 80 })
 *     const { values, frames } = await spectrogram.transform(sound) // [frames, 80]
 */
export class Spectrogram {
  /** Samples a second of the sounds. */
  readonly sampleRate: number
  /** Values of a frame. */
  readonly bands: number
  /** What the native side reads. @internal */
  readonly spec: SpectrogramSpec

  /** @throws {InvalidOptionError} */
  constructor(options: SpectrogramOptions) {
    const who = 'Spectrogram'
    const settings = settleAlone(spectrogramOptions, options, who)
    const { sampleRate, fftSize, mels, padding, log } = settings
    if (sampleRate === undefined) {
      throw wrongOption('sampleRate', spectrogramOptions.sampleRate.expected, sampleRate, who)
    }
    const {
      windowLength = fftSize,
      power = 2,
      minFrequency = 0,
      maxFrequency = sampleRate / 2,
    } = settings
    if (windowLength > fftSize) {
      throw wrongOption('windowLength', `at most \`fftSize\`, ${fftSize}`, windowLength, who)
    }
    checkCompany(settings, who)
    if (maxFrequency > sampleRate / 2 || minFrequency >= maxFrequency) {
      const expected = `above \`minFrequency\`, ${minFrequency}, and at most ${sampleRate / 2}`
      throw wrongOption('maxFrequency', expected, maxFrequency, who)
    }
    this.sampleRate = sampleRate
    this.bands = mels ?? Math.floor(fftSize / 2) + 1
    this.spec = Object.freeze({
      sampleRate,
      fftSize,
      window: windowLength,
      hop: settings.hop,
      padding,
      power,
      mels: mels ?? 0,
      melScale: settings.melScale ?? 'slaney',
      melNorm: settings.melNorm ?? 'slaney',
      minFrequency,
      maxFrequency,
      log,
      floor: settings.floor ?? 1e-10,
      ...(settings.range !== undefined && { range: settings.range }),
    })
    Object.freeze(this)
  }

  /**
   * The spectrogram of a sound; several channels are mixed to their mean. The same bits for any number of threads; the
   * memory of the result beside the samples.
   *
   * @throws {InvalidOptionError} no sound, or one of another sample rate
   * @throws {InlayError} `INVALID_INPUT` samples that are no finite numbers, or fewer than a frame wants
   */
  async transform(sound: SoundInput, options: RunOptions = {}): Promise<SpectrogramValues> {
    const who = 'spectrogram.transform'
    const settings = settle({}, options, who).run
    const { handle } = await soundsHandle(
      [sound],
      () => 'sound',
      this.sampleRate,
      settings.signal,
      who,
    )
    const values = await run<Float32Array>(who, settings, (spec, events) =>
      transformSound(handle, this.spec, spec, events),
    )
    return { values, frames: values.length / this.bands, bands: this.bands }
  }
}

/** Refuses options that would do nothing. */
function checkCompany(
  settings: ReturnType<typeof settleAlone<typeof spectrogramOptions>>,
  who: string,
) {
  const refuse = refusal(who)
  for (const name of ['melScale', 'melNorm', 'minFrequency', 'maxFrequency'] as const) {
    if (settings[name] !== undefined && settings.mels === undefined) refuse(name, 'is for `mels`')
  }
  const { floor, log, range } = settings
  if (floor !== undefined && log !== 'natural' && log !== 'decibels') {
    refuse('floor', "is for `log: 'natural'` and `log: 'decibels'`")
  }
  if (range !== undefined && log !== 'decibels') refuse('range', "is for `log: 'decibels'`")
}
