// Makes promises of native runs: progress, abort and errors as every verb of the library has them.
import { type ErrorCode, InlayError, InvalidOptionError } from './errors.js'
import type { Events, Failure, ProgressEvent, RunHandle, RunSpec } from './native.js'
import type { RunSettings } from './options.js'

/** How far a run has come. */
export interface Progress {
  /** What is being done: 'read', 'count', 'train', 'write', ... */
  readonly phase: string
  /** Units done in this phase. */
  readonly done: number
  /** Of these, what was done before it began: of a checkpoint, or passed over, as a header; absent if nothing was. */
  readonly begun?: number
  /** Units in all; absent while unknown, as for a stream. */
  readonly total?: number
  /** What `done` counts: 'words', 'bytes', 'rows', ... */
  readonly unit: string
  /** Units a second, over the last ten seconds. */
  readonly rate: number
  /** Seconds to the end of the phase at this rate; absent while unknown. */
  readonly remaining?: number
  /** The epoch under way, from 1. */
  readonly epoch?: number
  /** Mean loss since the event before. */
  readonly loss?: number
  /** In a search for options: the training under way, from 1. */
  readonly trial?: number
  /** In a search for options: the best score so far. */
  readonly score?: number
}

/** Brings the data that a run asks for. */
export interface Feeder {
  /** The run can take one more batch. */
  more(): void
  /** The run has ended, however it ended: nothing more is wanted. */
  close(): void
}

/** Makes a feeder that can stop its run with a reason, which becomes the rejection; `joined` gives
 * errors of ours the stack of the verb that was called. */
export type MakeFeeder = (
  stop: (reason: unknown) => void,
  joined: (error: InlayError) => InlayError,
) => Feeder

/** A long computation on threads of its own: `start` gets its threads and seed and the callback
 * to report to. `feed` makes the feeder of a run that reads from JavaScript. */
export function run<T>(
  who: string,
  settings: RunSettings,
  start: (spec: RunSpec, events: Events<T>) => RunHandle,
  feed?: MakeFeeder,
): Promise<T> {
  const { threads = 0, seed, signal, onProgress } = settings
  const caller = stackOf(run)
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()

    let stopped: { reason: unknown } | undefined
    const stop = (reason: unknown) => {
      stopped ??= { reason }
      handle.abort()
    }
    const onAbort = () => stop(signal?.reason)
    const progress = onProgress && new ProgressReport(onProgress)
    const tell = (event: ProgressEvent | undefined) => {
      if (stopped || !progress) return
      try {
        if (event) progress.hear(event)
        else progress.end()
      } catch (error) {
        stop(error)
      }
    }
    const feeder = feed?.(stop, (error) => called(error, caller))

    const handle = started(who, caller, () =>
      start({ threads, seed }, (kind, value) => {
        if (kind === 'progress') return tell(value)
        if (kind === 'more') return feeder?.more()
        signal?.removeEventListener('abort', onAbort)
        feeder?.close()
        if (kind === 'done') tell(undefined)
        if (stopped) {
          // A model that came too late is not left to the garbage collector.
          if (kind === 'done') (value as { close?: () => void } | undefined)?.close?.()
          return reject(stopped.reason)
        }
        if (kind === 'done') return resolve(value)
        reject(errorOf(value, who, caller))
      }),
    )
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** What is being worked on, until it is aborted: then it rejects at once, and what is at hand is done in vain. For work
 * that leaves nothing behind and has steps that take long. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

/** A short call on the threads that all such calls share. It cannot be stopped once it is being
 * worked on; an abort rejects at once all the same. */
export function serve<T>(
  who: string,
  signal: AbortSignal | undefined,
  start: (events: Events<T>) => RunHandle,
): Promise<T> {
  const caller = stackOf(serve)
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const onAbort = () => {
      handle.abort()
      reject(signal?.reason)
    }
    const handle = started(who, caller, () =>
      start((kind, value) => {
        signal?.removeEventListener('abort', onAbort)
        if (kind === 'done') return resolve(value)
        if (kind === 'failed') reject(errorOf(value, who, caller))
      }),
    )
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** What `start` gives; what it throws, as when the system has no thread left, becomes ours. */
function started(who: string, caller: { stack?: string }, start: () => RunHandle): RunHandle {
  try {
    return start()
  } catch (error) {
    throw called(faultOf(error, who), caller)
  }
}

/** What a call gives that takes microseconds; what it throws, a panic, becomes ours. */
export function atOnce<T>(who: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw faultOf(error, who)
  }
}

function faultOf(error: unknown, who: string): InlayError {
  const problem = error instanceof Error ? error.message : String(error)
  return new InlayError('INTERNAL', `${who}: ${problem}`)
}

/** What went wrong below, with the stack of the verb that was called. */
function errorOf(failure: Failure, who: string, caller: { stack?: string }): InlayError {
  const { code, context } = failure
  const message = `${who}: ${failure.message}`
  const error =
    code === 'INVALID_OPTION'
      ? new InvalidOptionError(message, context)
      : new InlayError(code as ErrorCode, message, context)
  return called(error, caller)
}

/** An error of ours gets the stack of the verb that was called: it was made on a later turn. */
function called(error: InlayError, caller: { stack?: string }): InlayError {
  const frames = caller.stack?.split('\n').slice(1).join('\n')
  error.stack = `${error.name}: ${error.message}\n${frames}`
  return error
}

/** The frames above `callee`; put into words only when they are read. */
function stackOf(callee: (...args: never[]) => unknown): { stack?: string } {
  const holder = {}
  Error.captureStackTrace(holder, callee)
  return holder
}

/** So long that a pause for a validation says little of the time that is left. */
const recentMilliseconds = 10_000

/** Turns native events into `Progress`: ten a second at most, and always the last one. */
export class ProgressReport {
  /** Events of the phase within `recentMilliseconds`, and the one before them. */
  #recent: { readonly time: number; readonly done: number }[] = []
  #phase = ''
  #told = -Infinity
  #held: Progress | undefined

  constructor(readonly listener: (progress: Progress) => void) {}

  hear(event: ProgressEvent): void {
    const time = performance.now()
    const { phase, done } = event
    if (phase === this.#phase && done === this.#recent.at(-1)?.done && event.loss === undefined) {
      return // nothing has happened since
    }
    const progress = this.#progress(event, time)
    // A tenth of a second less what the clocks of two threads may differ by.
    if (time - this.#told < 95) {
      this.#held = progress
      return
    }
    this.#held = undefined
    this.#told = time
    this.listener(progress)
  }

  end(): void {
    const last = this.#held
    this.#held = undefined
    if (last) this.listener(last)
  }

  #progress(
    { phase, done, begun, total, unit, epoch, loss }: ProgressEvent,
    time: number,
  ): Progress {
    if (phase !== this.#phase) {
      this.#phase = phase
      this.#recent = []
    }
    this.#recent.push({ time, done })
    while (this.#recent.length > 2 && this.#recent[1]!.time < time - recentMilliseconds)
      this.#recent.shift()
    const first = this.#recent[0]!
    const rate = time > first.time ? ((done - first.done) / (time - first.time)) * 1000 : 0
    return {
      phase,
      done,
      unit,
      rate,
      ...(begun !== undefined && { begun }),
      ...(total !== undefined && { total }),
      ...(total !== undefined && rate > 0 && { remaining: (total - done) / rate }),
      ...(epoch !== undefined && { epoch }),
      ...(loss !== undefined && { loss }),
    }
  }
}
