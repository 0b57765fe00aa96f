// FFmpeg as another program: the frames of a film as pictures on a pipe, and their times beside them.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { InlayError } from '../errors.js'
import type { FilmHandle } from '../native.js'
import { unlessAborted } from '../run.js'

/** What is asked of the program. @internal */
export interface FfmpegSpec {
  /** Its name or path. */
  readonly program: string
  readonly path: string
  /** Seconds: frames come from a place at or before it. */
  readonly from: number
  readonly maxPixels: number
  readonly signal: AbortSignal | undefined
}

/** Where each frame goes: microseconds are written beside it before it is written itself. */
const FILTERS =
  'settb=AVTB,metadata=mode=add:key=inlay:value=1,metadata=mode=print:direct=1:file=pipe\\\\:2'
const TIME = /^frame:\s*\d+\s+pts:\s*(-?\d+)/
/** Lines that come with a time and say nothing. */
const SILENT = /^(inlay=1|frame:.*|To ignore this, .*|\s*)$/
/** How all frames are kept as they are: as FFmpeg 5.1 has it, and as it was called before. */
const KEEP = ['-fps_mode', '-vsync'] as const

type Child = ChildProcessByStdio<null, Readable, Readable>

/** A film that the program decodes. @internal */
export class Ffmpeg {
  #child: Child | undefined
  #output: AsyncIterator<Uint8Array> | undefined
  #chunk: Promise<IteratorResult<Uint8Array, undefined>> | undefined
  #ended: Promise<number> | undefined
  #times: number[] = []
  #wake = () => {}
  #lastLine = ''
  #lacksOption = false
  #hasOutput = false

  constructor(
    readonly spec: FfmpegSpec,
    readonly name: string,
    readonly who: string,
  ) {
    this.#start(KEEP[0])
  }

  /** Gives a film more bytes, about so many, or times; at the end, says that there are no more. */
  async more(film: FilmHandle, bytes: number): Promise<void> {
    for (let taken = 0; taken < bytes;) {
      this.#chunk ??= this.#output!.next()
      const next = Promise.race([this.#chunk, this.#heard()])
      // oxlint-disable-next-line no-await-in-loop -- pieces come one after the other
      const chunk = await unlessAborted(next, this.spec.signal)
      for (const time of this.#times.splice(0)) film.pushTime(time)
      if (!chunk) return
      this.#chunk = undefined
      // oxlint-disable-next-line no-await-in-loop -- it is the last one
      if (chunk.done) return this.#end(film)
      this.#hasOutput = true
      film.push(chunk.value)
      taken += chunk.value.length
    }
  }

  /** Ends the program, wherever it is. */
  async stop(): Promise<void> {
    const child = this.#child
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit').catch(() => undefined)
    child.kill('SIGKILL')
    child.stdout.destroy()
    child.stderr.destroy()
    await gone
  }

  #start(keep: (typeof KEEP)[number]): void {
    const { program, path, from, maxPixels } = this.spec
    const args = [
      ['-nostdin', '-hide_banner', '-loglevel', 'error'],
      // No other file and no address that the film may name is opened.
      ['-protocol_whitelist', 'file,pipe'],
      ['-max_pixels', String(maxPixels)],
      // From the frame that is shown at `from`, or before it.
      from > 0 ? ['-noaccurate_seek', '-ss', String(from)] : [],
      ['-i', `file:${path}`, '-map', '0:V:0'],
      ['-vf', FILTERS, keep, 'passthrough'],
      ['-f', 'image2pipe', '-c:v', 'ppm', 'pipe:1'],
    ]
    const child = spawn(program, args.flat(), {
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    })
    this.#child = child
    this.#output = child.stdout[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
    createInterface({ input: child.stderr }).on('line', (line) => this.#hear(line))
    this.#ended = this.#code(child)
    // Heard when the output ends.
    this.#ended.catch(() => undefined)
  }

  async #code(child: Child): Promise<number> {
    try {
      const [code] = (await once(child, 'close')) as [number | null]
      return code ?? 1
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      const problem =
        code === 'ENOENT'
          ? `\`${this.spec.program}\` is not there`
          : `it does not start: ${message}`
      const remedy =
        'install FFmpeg (apt-get install ffmpeg, brew install ffmpeg, winget install ffmpeg, ffmpeg.org), or name it by the option `ffmpeg` or INLAY_FFMPEG'
      const what = `${this.name} is no film of a kind that is decoded without FFmpeg, and ${problem}`
      throw new InlayError('UNSUPPORTED', `${this.who}: ${what}; ${remedy}`)
    }
  }

  #hear(line: string): void {
    const time = TIME.exec(line)
    if (time) {
      this.#times.push(this.spec.from + Number(time[1]) / 1e6)
      this.#wake()
    } else if (!SILENT.test(line)) {
      this.#lastLine = line.replace(`file:${this.spec.path}: `, '').trim()
      this.#lacksOption ||= line.includes(`'${KEEP[0].slice(1)}'`)
    }
  }

  /** When a time is there. */
  async #heard(): Promise<undefined> {
    if (this.#times.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve))
    return undefined
  }

  async #end(film: FilmHandle): Promise<void> {
    const code = await this.#ended!
    if (this.#lacksOption) {
      this.#lacksOption = false
      return this.#start(KEEP[1])
    }
    for (const time of this.#times.splice(0)) film.pushTime(time)
    if (code !== 0 || !this.#hasOutput) {
      const isMute = code === 0 || this.#lastLine.includes('matches no streams')
      const said = isMute ? 'it has no pictures' : this.#lastLine || `exit code ${code}`
      const message = `${this.who}: ${this.name} is no film that FFmpeg decodes: ${said}`
      throw new InlayError('INVALID_INPUT', message, { source: this.name, problem: said })
    }
    film.finish()
  }
}
