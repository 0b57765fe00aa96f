// Sounds <-> patches, of spectrograms or of samples.
import { type CutSpec, type CutTokens, cutSounds, restoreNumbers } from '../native.js'
import {
  type Options,
  type RunOptions,
  custom,
  integer,
  isIterable,
  refusal,
  settle,
  settleAlone,
  wrongOption,
} from '../options.js'
import { run } from '../run.js'
import { edgeOption, extentsOf, sides, partsOf, sizeAndStride, widthOf } from './cut.js'
import { type SoundInput, soundsHandle } from './sound-input.js'
import { Spectrogram } from './spectrogram.js'
import { Tokens, pushValues } from './tokens.js'

const expected = 'a number, or frames and bands'

/** Every option of `SoundPatches`. */
export const soundPatchesOptions = {
  /** What sounds become before they are cut. Either this and `size`, or `samples`. */
  spectrogram: custom<Spectrogram>(
    'a Spectrogram',
    (given) => given instanceof Spectrogram,
    'what sounds become before they are cut',
  ),
  /** Frames and bands of a patch of a spectrogram, or one number for both. */
  size: sides(2, expected, 'frames and bands of a patch'),
  /** Samples of a patch, without a spectrogram; several channels are mixed to their mean. */
  samples: integer(undefined, { from: 1, to: 1 << 20 }, 'samples of a patch'),
  /** From one patch to the next, at most its size: frames and bands, or samples. Default: the size. */
  stride: sides(2, expected, 'from one patch to the next'),
  ...edgeOption,
}

/** The options of `SoundPatches`: see `soundPatchesOptions`. */
export type SoundPatchesOptions = Options<typeof soundPatchesOptions>

/**
 * Sounds of any length as patches of time and frequency (Gong et al. 2021, arXiv:2104.01778), or of samples, and back.
 *
 *     const spectrogram = new Spectrogram({ sampleRate: 16_000, mels: 80 })
 *     const cut = new SoundPatches({ spectrogram, size: [16, 16], stride: [10, 10] })
 *     const tokens = await cut.tokens([sound])
 */
export class SoundPatches {
  /** Values of a patch: frames · bands, of each frame its bands; or samples. */
  readonly width: number
  /** What sounds become before they are cut. */
  readonly spectrogram: Spectrogram | undefined
  readonly #spec: CutSpec

  /** @throws {InvalidOptionError} */
  constructor(options: SoundPatchesOptions) {
    const who = 'SoundPatches'
    const { spectrogram, size, samples, stride, edge } = settleAlone(
      soundPatchesOptions,
      options,
      who,
    )
    const rest = { channels: 1, edge, mean: [], deviation: [] }
    if (spectrogram === undefined) {
      if (size !== undefined) refusal(who)('size', 'is for `spectrogram`')
      if (samples === undefined)
        throw wrongOption('spectrogram', 'given, or `samples`', spectrogram, who)
      if (stride !== undefined && typeof stride !== 'number') {
        throw wrongOption('stride', 'a number of samples', stride, who)
      }
      const found = sizeAndStride({ size: samples, stride }, 1, 'a number', who)
      this.#spec = { size: [1, 1, ...found.size], stride: [1, 1, ...found.stride], ...rest }
    } else {
      if (samples !== undefined) refusal(who)('samples', 'is for sounds without `spectrogram`')
      const found = sizeAndStride({ size, stride }, 2, expected, who)
      this.#spec = { size: [1, ...found.size], stride: [1, ...found.stride], ...rest }
    }
    this.spectrogram = spectrogram
    this.width = widthOf(this.#spec)
    Object.freeze(this)
  }

  /**
   * The patches of sounds: of a spectrogram those of its first frames, from low to high, then the next. Positions are time,
   * band and 0, counted in patches. The same bits for any number of threads.
   *
   * @throws {InvalidOptionError} an item is no sound, or of another sample rate than the spectrogram's
   * @throws {InlayError} `INVALID_INPUT` samples that are no finite numbers, or a sound that does not fit the patches as
   *   `edge` wants it
   */
  async tokens(
    sounds: Iterable<SoundInput> | AsyncIterable<SoundInput>,
    options: RunOptions = {},
  ): Promise<Tokens> {
    const who = 'soundPatches.tokens'
    const settings = settle({}, options, who).run
    if (!isIterable(sounds)) throw wrongOption('sounds', 'an iterable of sounds', sounds, who)
    const { spectrogram } = this
    const { signal } = settings
    const named = (number: number) => `sounds[${number}]`
    const { handle, rates } = await soundsHandle(
      sounds,
      named,
      spectrogram?.sampleRate,
      signal,
      who,
    )
    const found = await run<CutTokens>(who, settings, (spec, events) =>
      cutSounds(handle, spectrogram?.spec, this.#spec, spec, events),
    )
    return new Tokens(partsOf(found, this.width, 'sound', (at) => ({ sampleRate: rates[at]! })))
  }

  /**
   * What was cut, of each sound: its spectrogram, [frames, bands], or its samples, mixed to one channel. Where patches overlap,
   * a value is the mean of what they say; what `edge: 'drop'` left out is missing.
   *
   * @throws {InvalidOptionError} tokens of another width or of what is no sound
   */
  async restore(tokens: Tokens, options: RunOptions = {}): Promise<Float32Array[]> {
    const who = 'soundPatches.restore'
    const settings = settle({}, options, who).run
    const extents = extentsOf(tokens, this.#spec, 'sound', who)
    const values = await pushValues([tokens.values], settings.signal)
    return run<Float32Array[]>(who, settings, (spec, events) =>
      restoreNumbers(values, extents, this.#spec, spec, events),
    )
  }
}
