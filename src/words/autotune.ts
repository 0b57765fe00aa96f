// The search for a classifier's options: one training after another, each judged on lines that it
// has not seen.
import { InlayError, InvalidOptionError } from '../errors.js'
import {
  type Options,
  type RunSettings,
  type Settings,
  integer,
  oneOf,
  real,
  text,
} from '../options.js'
import type { Progress } from '../run.js'
import {
  type ClassifierOptions,
  type TrainingSettings,
  checkTraining,
  fileSize,
  lines,
  predictOptions,
  refuse,
} from './classifier-options.js'
import type { LabelledSource } from './labelled.js'
import { type Point, type TunedOptions, TuningSpace, costOf, trainingOf } from './tuning-space.js'

/** The options of `FastTextClassifier.autotune` beside those of `train`. In brackets: the names in
 * fastText. */
export const autotuneOptions = {
  /** Lines with labels that are not among those of the training: what models are judged by
   * [-autotune-validation]. */
  validation: lines('lines with labels that models are judged by'),
  /** Seconds to search for. Default: 300, or no limit where `trials` is given
   * [-autotune-duration]. */
  duration: real(undefined, { above: 0, to: 2_000_000 }, 'seconds to search for (default: 300)'),
  /** Trainings at most. */
  trials: integer(undefined, { from: 1, to: 1_000_000 }, 'trainings at most'),
  /** Bytes that the file of the model may have, as a number or such as '2M': it is quantized
   * [-autotune-modelsize]. */
  modelSize: fileSize,
  /** What is to be high: F1, the highest precision with a recall of `metricAt` at least, or the
   * other way round [-autotune-metric]. */
  metric: oneOf(['f1', 'precision-at-recall', 'recall-at-precision'], 'what is to be high'),
  /** The recall or precision that must be reached. */
  metricAt: real(undefined, { above: 0, to: 1 }, 'the recall or precision that must be reached'),
  /** The label whose metric counts, without its prefix. Default: all together. */
  metricLabel: text('the label whose metric counts (default: all together)', 'LABEL'),
  /** Labels that are predicted for a line of the validation [-autotune-predictions]. */
  topK: predictOptions.topK,
}

/** The options of `FastTextClassifier.autotune`: see `autotuneOptions` and `classifierOptions`. */
export type AutotuneOptions = ClassifierOptions &
  Omit<Options<typeof autotuneOptions>, 'validation'> & {
    readonly validation: LabelledSource
  }

type TuningSettings = Settings<typeof autotuneOptions> & TrainingSettings

/** One training of a search. */
export interface Trial {
  /** For `train`. */
  readonly options: TunedOptions
  /** For `quantize`, where there is a model size. */
  readonly dsub?: number
  /** On the validation; absent where there is no model. */
  readonly score?: number
  /** Why there is none: it diverged, did not fit the size, or found no memory. */
  readonly problem?: string
  /** How long it took. */
  readonly seconds: number
}

interface Model {
  close(): void
}

interface Attempt<Result extends Model> {
  readonly model: Result
  readonly score: number
}

/** What ends a trial and not the search. */
const failures: ReadonlySet<string> = new Set(['DIVERGED', 'UNSUPPORTED', 'OUT_OF_MEMORY'])
/** So many trials without a model, and there will be none. */
const patience = 20
/** A trial should take no more of the time than this. */
const largestShare = 1 / 8
/** Seconds to search for where nothing is said. */
const defaultDuration = 300
/** Milliseconds between two reports, less what clocks differ by. */
const reportAfter = 95

/** What no single option can say; what is held rather than searched. */
export function checkAutotune(
  settings: TuningSettings,
  given: AutotuneOptions,
  who: string,
): { validation: LabelledSource; held: Partial<Point> } {
  const { validation, metric, metricAt, initialVectors } = settings
  if (validation === undefined) {
    const expected = autotuneOptions.validation.expected
    const message = `${who}: \`validation\` is missing: ${expected}`
    throw new InvalidOptionError(message, { option: 'validation', expected })
  }
  if (metric === 'f1' && metricAt !== undefined) refuse('metricAt', 'is not for `f1`', who)
  if (metric !== 'f1' && metricAt === undefined) {
    refuse('metricAt', `is missing: what must be reached for \`${metric}\``, who)
  }
  const isHeld = given.minn !== undefined || given.maxn !== undefined
  // N-grams may come with any trial, unless they are held to be none.
  const hasNgrams = !isHeld || settings.maxn > 0 || given.wordNgrams !== 1
  checkTraining(settings, hasNgrams ? { ...given, bucket: undefined } : given, who)
  const dimensions = given.dimensions ?? initialVectors?.dimensions
  const { epochs, learningRate, wordNgrams, bucket } = given
  const all = {
    epochs,
    learningRate,
    dimensions,
    wordNgrams,
    bucket,
    lengths: isHeld ? ([settings.minn, settings.maxn] as const) : undefined,
  }
  const held = Object.entries(all).filter(([, value]) => value !== undefined)
  return { validation, held: Object.fromEntries(held) as Partial<Point> }
}

/** Tries options until the time or the trials are used up, and keeps the best model. */
export async function search<Result extends Model>(
  { duration, trials: most, modelSize: size }: TuningSettings,
  held: Partial<Point>,
  widest: number,
  attempt: (point: Point, run: RunSettings) => Promise<Attempt<Result>>,
  run: RunSettings,
) {
  const seconds = duration ?? (most === undefined ? defaultDuration : undefined)
  // Without a size nothing is quantized.
  const unused = size === undefined ? { dsub: 2 } : {}
  const space = new TuningSpace({ ...held, ...unused }, widest, run.seed)
  const clock = new Clock(run.signal, seconds)
  const report = new Report(run.onProgress, clock, most)
  const budget = new Budget()
  const trials: Trial[] = []
  let failure: unknown
  let best: { model: Result; score: number; trial: Trial } | undefined
  try {
    while (trials.length < (most ?? Infinity)) {
      run.signal?.throwIfAborted()
      if (trials.length > 0 && clock.isOver) break
      const share = Math.max(trials.length / (most ?? Infinity), clock.share)
      const point = space.next(share, budget.most(clock))
      if (!point) break
      const options = trainingOf(point)
      const chosen = size === undefined ? { options } : { options, dsub: point.dsub }
      report.begin(trials.length + 1)
      const started = performance.now()
      const took = () => (performance.now() - started) / 1000
      try {
        // The first one has the time that it needs: a search always has a model.
        const signal = trials.length === 0 ? run.signal : clock.signal
        const onProgress = run.onProgress && report.hear
        const { model, score } = await attempt(point, { ...run, signal, onProgress })
        const trial: Trial = { ...chosen, score, seconds: took() }
        trials.push(trial)
        budget.learn(point, trial.seconds)
        // A score may be no number, where nothing is predicted.
        if (best && !(score > best.score)) {
          model.close()
          continue
        }
        best?.model.close()
        best = { model, score: Number.isNaN(score) ? 0 : score, trial }
        report.score = best.score
        space.goOnFrom(point)
      } catch (error) {
        if (error === clock.timeIsUp) break
        if (!(error instanceof InlayError) || !failures.has(error.code)) throw error
        trials.push({ ...chosen, problem: error.message, seconds: took() })
        failure = error
        if (!best && trials.length >= patience) break
      }
    }
    if (!best) throw failure
    report.end(trials.length)
    const { model, score, trial } = best
    const { options, dsub } = trial
    return { model, score, options, ...(dsub !== undefined && { dsub }), trials }
  } catch (error) {
    best?.model.close()
    throw error
  } finally {
    clock.stop()
  }
}

/** What a trial may cost, so that one does not take the time of many. */
class Budget {
  #cost = 0
  #seconds = 0

  learn(point: Point, seconds: number): void {
    this.#cost += costOf(point)
    this.#seconds += seconds
  }

  /** What is likely to be done in the time that is left, and in a share of the whole. */
  most({ seconds, elapsed }: Clock): number {
    if (seconds === undefined || this.#seconds === 0) return Infinity
    const time = Math.min(seconds - elapsed, seconds * largestShare)
    return (this.#cost / this.#seconds) * time
  }
}

/** The time of a search, and the signal that ends its trials: the caller's, or the time's. */
class Clock {
  readonly timeIsUp = new Error('the time is up')
  readonly #started = performance.now()
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout | undefined
  readonly #onAbort = () => this.#controller.abort(this.caller?.reason)

  constructor(
    readonly caller: AbortSignal | undefined,
    readonly seconds: number | undefined,
  ) {
    caller?.addEventListener('abort', this.#onAbort, { once: true })
    if (seconds === undefined) return
    this.#timer = setTimeout(() => this.#controller.abort(this.timeIsUp), seconds * 1000)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get elapsed(): number {
    return (performance.now() - this.#started) / 1000
  }

  /** From 0 to 1; 0 without a limit. */
  get share(): number {
    return Math.min(1, this.elapsed / (this.seconds ?? Infinity))
  }

  get isOver(): boolean {
    return this.elapsed >= (this.seconds ?? Infinity)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.caller?.removeEventListener('abort', this.#onAbort)
  }
}

/** Tells how far the search has come while its trials tell how far they have come. */
class Report {
  score: number | undefined
  #trial = 0
  #told = -Infinity

  constructor(
    readonly listener: ((progress: Progress) => void) | undefined,
    readonly clock: Clock,
    readonly trials: number | undefined,
  ) {}

  begin(trial: number): void {
    this.#trial = trial
  }

  readonly hear = ({ epoch, loss }: Progress): void => {
    if (performance.now() - this.#told < reportAfter) return
    this.#told = performance.now()
    const within = { ...(epoch !== undefined && { epoch }), ...(loss !== undefined && { loss }) }
    this.listener?.({ ...this.#progress(this.#trial - 1), ...within })
  }

  end(trials: number): void {
    this.listener?.(this.#progress(trials))
  }

  /** In trials where their number is given, in seconds where only the time is. */
  #progress(trials: number): Progress {
    const { elapsed, seconds = Infinity } = this.clock
    const rate = trials / elapsed
    const forAll = this.trials !== undefined && rate > 0 ? (this.trials - trials) / rate : Infinity
    const remaining = Math.max(0, Math.min(seconds - elapsed, forAll))
    return {
      phase: 'tune',
      ...(this.trials === undefined
        ? { unit: 'seconds', done: Math.min(elapsed, seconds), total: seconds, rate: 1 }
        : { unit: 'trials', done: trials, total: this.trials, rate }),
      ...(Number.isFinite(remaining) && { remaining }),
      ...(this.#trial > 0 && { trial: this.#trial }),
      ...(this.score !== undefined && { score: this.score }),
    }
  }
}
