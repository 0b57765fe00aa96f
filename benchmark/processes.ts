// A whole program as a contender: its CPU seconds, and what it printed.
import { spawn } from 'node:child_process'
import { Readable } from 'node:stream'
import type { Sample } from './rounds.js'

export interface Program {
  readonly command: string
  readonly args: readonly string[]
  /** word2vec.c keeps paths in 100 bytes: run it beside its files, with short names. */
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

// The shell's `time` asks the kernel (wait4) for the program and all that it waited for; Node does
// not tell what a child used. Its line goes to descriptor 3, away from what the program prints.
const shell = `exec 4>&2; TIMEFORMAT='%3R %3U %3S'; { time "$@" 2>&4; } 2>&3`

/**
 * Runs a program to its end.
 *
 * @throws {Error} with the end of what it printed, if it failed
 */
export async function timed(program: Program): Promise<Sample & { output: string }> {
  const { command, args, cwd, env } = program
  const child = spawn('bash', ['-c', shell, 'time', command, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const texts = ['', '', '', '']
  for (const [i, stream] of child.stdio.entries()) {
    if (stream instanceof Readable) {
      stream.setEncoding('utf8').on('data', (text: string) => (texts[i] += text))
    }
  }
  const status = await new Promise<number | string | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve(code ?? signal))
  })
  const [, output, complaints, line] = texts as [string, string, string, string]
  if (status !== 0) {
    const name = [command, ...args].join(' ')
    throw new Error(`${name} ended with ${status}: ${(output + complaints).trim().slice(-2000)}`)
  }
  const [wall, user, system] = line.replaceAll(',', '.').trim().split(' ').map(Number)
  return { wall: wall!, cpu: user! + system!, output }
}

/** What a short command prints, or undefined if it fails or does not exist. */
export async function answerOf(command: string, ...args: string[]): Promise<string | undefined> {
  try {
    const { output } = await timed({ command, args, cwd: process.cwd() })
    return output.trim()
  } catch {
    return undefined
  }
}
