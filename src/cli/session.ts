// What a command has of the process around it: where its data goes, who hears of its progress, and
// the signal that ends it.
import { ProgressBar } from './progress-bar.js'
import type { Progress } from '../run.js'

/** Exit codes by signal: 128 and the signal's number, as shells have it. */
const endings = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
type Ending = keyof typeof endings

export class Session {
  /** What is said when a signal has ended the command. */
  lastWords = 'stopped'
  readonly #abort = new AbortController()
  #ending: Ending | undefined

  /** Aborted by Ctrl-C and its like. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** The exit code of the signal that ended this session, if one did. */
  get ending(): number | undefined {
    return this.#ending && endings[this.#ending]
  }

  /** The first signal asks the command to end, which leaves a checkpoint; the second ends at once. */
  listen(): void {
    for (const name of Object.keys(endings) as Ending[]) {
      process.on(name, () => {
        if (this.#ending) process.exit(endings[name])
        this.#ending = name
        this.#abort.abort()
      })
    }
    // The reader has seen enough, as `head` has: that is no error.
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0)
      this.note(`inlay: the output cannot be written: ${error.message}`)
      process.exit(1)
    })
    // No one to tell: the work goes on.
    process.stderr.on('error', () => {})
  }

  /** Shows `work`'s progress on stderr unless told to be quiet. */
  async withProgress<T>(
    { quiet = false }: { quiet?: boolean | undefined },
    work: (onProgress: ((progress: Progress) => void) | undefined) => Promise<T>,
  ): Promise<T> {
    if (quiet) return work(undefined)
    const bar = new ProgressBar()
    try {
      const result = await work(bar.hear)
      bar.end()
      return result
    } catch (error) {
      bar.end({ failed: true })
      throw error
    }
  }

  /** Data, for the next program. */
  print(text: string): void {
    process.stdout.write(`${text}\n`)
  }

  /** News, for who watches. */
  note(text: string): void {
    process.stderr.write(`${text}\n`)
  }
}
