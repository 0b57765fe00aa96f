// Runs the built command line as a process of its own, as a shell does.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'

const main = fileURLToPath(import.meta.resolve('#inlay/cli/main.js'))

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts `inlay` in a folder with the words of `line`; `ended` tells how it went. */
export function start(
  cwd: string,
  line: string,
  stdin: 'ignore' | 'pipe' = 'ignore',
): { child: ChildProcess; ended: Promise<Ended> } {
  const argv = [main, ...line.split(/\s+/).filter((word) => word !== '')]
  const child = spawn(process.execPath, argv, { cwd, stdio: [stdin, 'pipe', 'pipe'] })
  if (!child.stdout || !child.stderr) throw new Error('there are pipes')
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  return { child, ended }
}

export function inlay(cwd: string, line: string): Promise<Ended> {
  return start(cwd, line).ended
}

/** A folder for one test with these files in it, gone after it. */
export function folder(t: ExecutionContext, files: Record<string, string | Buffer> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'inlay-cli-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content)
  return path
}

/** Resolves when there is such a file, rejects when the process ended before. */
export async function appears(file: string, { ended }: { ended: Promise<Ended> }): Promise<void> {
  let end: Ended | undefined
  void ended.then((result) => (end = result))
  while (!existsSync(file)) {
    if (end) throw new Error(`ended with ${end.code} before ${file} was there: ${end.stderr}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Text in which the words of one colour stand together: red0 with red1 to red9, and so on. */
export function colouredText(lines: number): string {
  const colours = ['red', 'green', 'blue']
  return Array.from({ length: lines }, (_, line) => {
    const colour = colours[line % colours.length]!
    const shades = [0, 1, 4, 9, 6, 5, 6, 9].map((step) => (line * 7 + step) % 10)
    return shades.map((shade) => `${colour}${shade}`).join(' ')
  }).join('\n')
}
