// Programs that stay: a line on stdin asks for work, a line of JSON on stdout says what it took. What
// is to be compared is loaded once, and still takes turns.
import { type ChildProcess, spawn } from 'node:child_process'
import { type Interface, createInterface } from 'node:readline'
import type { Program } from './processes.js'
import type { Sample } from './rounds.js'

export class AnsweringProgram<Answer extends Sample> {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #name: string
  #complaints = ''

  private constructor({ command, args, cwd, env }: Program) {
    this.#name = [command, ...args].join(' ')
    this.#child = spawn(command, args, { cwd, env: { ...process.env, ...env } })
    this.#child.on('error', (error) => (this.#complaints += error.message))
    this.#child.stdin!.on('error', () => {}) // what it died of is told by `#line`
    this.#child.stderr!.setEncoding('utf8').on('data', (text) => (this.#complaints += text))
    const reader: Interface = createInterface({ input: this.#child.stdout! })
    this.#lines = reader[Symbol.asyncIterator]()
  }

  /** Starts a program and waits for its first line, "ready". */
  static async start<Answer extends Sample>(program: Program): Promise<AnsweringProgram<Answer>> {
    const started = new AnsweringProgram<Answer>(program)
    await started.#line()
    return started
  }

  async ask(question: string): Promise<Answer> {
    this.#child.stdin!.write(`${question}\n`)
    return JSON.parse(await this.#line()) as Answer
  }

  /** Ends the program and waits until it is gone, with all the memory that it held. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = new Promise((resolve) => this.#child.on('close', resolve))
    this.#child.stdin!.end()
    await gone
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next()
    if (done) throw new Error(`${this.#name} ended: ${this.#complaints.trim().slice(-2000)}`)
    return value
  }
}
