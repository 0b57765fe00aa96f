// Runs the built command line as a process of its own, as a shell does.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'

const main = fileURLToPath(new URL('cli/main.js', import.meta.resolve('inlay')))

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
  env = process.env,
): { child: ChildProcess; ended: Promise<Ended> } {
  const argv = [main, ...line.split(/\s+/).filter((word) => word !== '')]
  const child = spawn(process.execPath, argv, { cwd, env, stdio: [stdin, 'pipe', 'pipe'] })
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

/** A training that keeps its state in `state` ends by a signal, leaves nothing else, and the same command goes on from there. */
export async function goesOnAfter(
  t: ExecutionContext,
  [signal, code]: readonly ['SIGINT' | 'SIGTERM', number],
  cwd: string,
  command: string,
): Promise<void> {
  const before = readdirSync(cwd)
  const first = start(cwd, `${command} --resume state --checkpoint-every 0.02`)
  await appears(join(cwd, 'state'), first)
  first.child.kill(signal)
  const stopped = await first.ended
  t.is(stopped.code, code)
  t.regex(stopped.stderr, /inlay: stopped; the same command goes on from state\n$/)
  t.deepEqual(readdirSync(cwd).toSorted(), [...before, 'state'].toSorted())
  const second = await inlay(cwd, `${command} --resume state -q`)
  t.is(second.code, 0, second.stderr)
}

/** Each of the lines ends with its exit code, nothing on stdout and one line on stderr. */
export async function allRefused(
  t: ExecutionContext,
  cwd: string,
  command: string,
  cases: readonly (readonly [line: string, code: number, message: RegExp])[],
): Promise<void> {
  for (const [line, exit, message] of cases) {
    const { code, stdout, stderr } = await inlay(cwd, `${command} ${line}`)
    t.is(code, exit, line)
    t.is(stdout, '')
    t.regex(stderr, message)
    t.regex(stderr, /^inlay: [^\n]*\n$/)
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
