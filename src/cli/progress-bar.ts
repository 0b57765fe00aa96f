// How far a run has come. On a terminal one line is drawn again and again and left as a summary when
// its phase ends; in a file or a pipe a plain line comes every five seconds and one for each phase:
//
//     read   10.8 MB in 0.21 s, 51.4 MB/s
//     train  ━━━━━━━━━━━━━━━━━━━━━━━━  58 %  epoch 3  2.13 M words/s  loss 2.113  0:08 left
import type { Progress } from '../run.js'
import { clock, duration, quantity } from './quantities.js'

/** Where a bar is drawn: `process.stderr`, or what a test puts in its place. */
export interface BarStream {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  write(text: string): unknown
}

export interface BarOptions {
  readonly stream?: BarStream
  /** Milliseconds, from any start. */
  readonly now?: () => number
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/** Milliseconds between two drawings on a terminal; a little less than a tenth of a second, which
 * is how often a run reports. */
const redrawAfter = 95
/** Milliseconds between two plain lines. */
const lineAfter = 5000

/** Give its `hear` as `onProgress`, and call `end` when the run has ended, however it ended. */
export class ProgressBar {
  readonly #stream: BarStream
  readonly #now: () => number
  readonly #style: Style | undefined
  #last: Progress | undefined
  #phaseStarted: number
  #told: number
  #isDrawn = false

  constructor({
    stream = process.stderr,
    now = () => performance.now(),
    environment = process.env,
  }: BarOptions = {}) {
    this.#stream = stream
    this.#now = now
    const isTerminal = stream.isTTY === true && environment['TERM'] !== 'dumb'
    this.#style = isTerminal ? styleFor(environment) : undefined
    this.#phaseStarted = this.#told = now()
  }

  readonly hear = (progress: Progress): void => {
    const time = this.#now()
    const isNew = progress.phase !== this.#last?.phase
    if (isNew) this.#finishPhase(time)
    this.#last = progress
    if (this.#style) {
      if (!isNew && time - this.#told < redrawAfter) return
      this.#stream.write(`\r\u001b[2K${barLine(progress, this.#width(), this.#style)}`)
      this.#isDrawn = true
    } else {
      if (time - this.#told < lineAfter) return
      this.#stream.write(`${heading(progress)}${fields(progress).join('  ')}\n`)
    }
    this.#told = time
  }

  /** Writes the last phase's summary; for a run that `failed` only takes the bar away. */
  end({ failed = false } = {}): void {
    if (failed) this.#clear()
    else this.#finishPhase(this.#now())
    this.#last = undefined
  }

  #finishPhase(time: number): void {
    const last = this.#last
    if (last) {
      this.#clear()
      const line = `${heading(last)}${this.#summary(last, time)}`
      this.#stream.write(`${this.#style ? line.slice(0, this.#width()) : line}\n`)
    }
    this.#phaseStarted = this.#told = time
  }

  /** A phase that has ended did all there was to do, whichever event was the last to come through. */
  #summary({ done, begun = 0, total, unit, loss }: Progress, time: number): string {
    const own = Math.max(done, total ?? 0) - begun
    const seconds = (time - this.#phaseStarted) / 1000
    const speed = seconds > 0 ? `, ${quantity(own / seconds, unit)}/s` : ''
    const lastLoss = loss === undefined ? '' : `, loss ${loss.toFixed(3)}`
    return `${quantity(own, unit)} in ${duration(seconds)}${speed}${lastLoss}`
  }

  /** Room for the ^C that a terminal writes, too. */
  #width(): number {
    return (this.#stream.columns ?? 80) - 3
  }

  #clear(): void {
    if (this.#isDrawn) this.#stream.write('\r\u001b[2K')
    this.#isDrawn = false
  }
}

interface Style {
  /** One column done, one half done, one to do. */
  readonly full: string
  readonly half: string
  readonly empty: string
  readonly done: (text: string) => string
  readonly rest: (text: string) => string
}

function styleFor(environment: BarOptions['environment'] = {}): Style {
  const isPlain = Boolean(environment['NO_COLOR'])
  const paint = (code: number) => (text: string) =>
    isPlain || text === '' ? text : `\u001b[${code}m${text}\u001b[0m`
  const colours = { done: paint(36), rest: paint(90) }
  // The Linux console has no such strokes in its font, and without colours they would look alike.
  if (environment['TERM'] === 'linux' || isPlain)
    return { full: '#', half: '-', empty: '.', ...colours }
  return { full: '━', half: '╸', empty: '━', ...colours }
}

/** The line on a terminal: what does not fit is left out, the least important first. */
function barLine(progress: Progress, width: number, style: Style): string {
  const head = heading(progress)
  const shown = fields(progress)
  const length = () => head.length + shown.join('  ').length
  while (shown.length > 1 && length() > width) shown.splice(leastImportant(shown), 1)
  const line = (drawn: string) => `${head}${drawn}${shown.join('  ')}`
  const { total } = progress
  const room = Math.min(32, width - length() - 2)
  if (total === undefined || room < 8) return line('').slice(0, Math.max(width, 0))
  return line(`${bar(total > 0 ? progress.done / total : 1, room, style)}  `)
}

/** The share that is done comes last of all, then the time left, the speed, the loss, the epoch. */
function leastImportant(shown: readonly string[]): number {
  const isMinor = [/^epoch /, /^loss /, /\/s$/, / left$/]
  for (const minor of isMinor) {
    const index = shown.findIndex((field) => minor.test(field))
    if (index >= 0) return index
  }
  return shown.length - 1
}

function bar(share: number, columns: number, { full, half, empty, done, rest }: Style): string {
  const halves = Math.round(Math.min(Math.max(share, 0), 1) * columns * 2)
  const solid = Math.floor(halves / 2)
  const drawn = full.repeat(solid) + half.repeat(halves % 2)
  return done(drawn) + rest(empty.repeat(columns - drawn.length))
}

function heading({ phase }: Progress): string {
  return `${phase.padEnd(5)}  `
}

function fields({
  done,
  total,
  unit,
  rate,
  remaining,
  epoch,
  loss,
  trial,
  score,
}: Progress): string[] {
  const percent = total === undefined || total === 0 ? undefined : (100 * done) / total
  return [
    // Rounded down: 100 % is said when it is so.
    percent === undefined ? quantity(done, unit) : `${String(Math.floor(percent)).padStart(3)} %`,
    trial === undefined ? '' : `trial ${trial}`,
    score === undefined ? '' : `best ${score.toFixed(4)}`,
    epoch === undefined ? '' : `epoch ${epoch}`,
    rate > 0 && unit !== 'seconds' ? `${quantity(rate, unit)}/s` : '',
    loss === undefined ? '' : `loss ${loss.toFixed(3)}`,
    remaining === undefined ? '' : `${clock(remaining)} left`,
  ].filter((field) => field !== '')
}
