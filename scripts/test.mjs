// `npm test`: set-up, then every suite, cheapest first, whatever an earlier one said. Each suite
// counts for itself; the last line is their sum. A suite that ran nothing has failed.
//
//     npm test                     all
//     npm test -- layout rust      these suites only
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { findRust } from './rust.mjs'

process.chdir(join(import.meta.dirname, '..'))

/** `ok` of the Rust harness: "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; ...". */
function countCargo(line) {
  const found = /^test result: .*?(\d+) passed; (\d+) failed; (\d+) ignored/.exec(line)
  return found && { passed: +found[1], failed: +found[2], skipped: +found[3] }
}

/** The TAP of ava: its own sums at the end; a crash counts as failed there. */
function countTap(line) {
  const [, key, number] = /^# (pass|fail|skip|todo) (\d+)$/.exec(line) ?? []
  const names = { pass: 'passed', fail: 'failed', skip: 'skipped', todo: 'skipped' }
  return key && { [names[key]]: +number }
}

/** Our own checks begin each line with what became of it. */
function countChecks(line) {
  const [, begin] = /^(ok|not ok|skipped:) ./.exec(line) ?? []
  return begin && { [{ ok: 'passed', 'not ok': 'failed', 'skipped:': 'skipped' }[begin]]: 1 }
}

/** What begins the report of a failure: in TAP and of our own checks, of a Rust test, of a compiler. */
const failure = /^(not ok .|---- .* stdout ----$|error\b)/

/** The lines of such a report that are said once more at the end, where they are found. */
const reported = 12

/** What a suite says that tells nothing. */
const noise =
  /^(|running 0 tests|test result: ok\. 0 passed; .*|TAP version 13|1\.\.\d+|# (tests|pass|fail|skip|todo) \d+)$/

const testWorkspace = ['test', '--workspace', '--no-fail-fast']

/** Whether an instruction set can change what a crate does: it depends on the kernels, or is them. */
const standsOnKernels = (manifest) => readFileSync(manifest, 'utf8').includes('inlay-kernels')

/**
 * The test programs of the crates that stand on the kernels. They are run as they are: cargo would
 * build other ones for fewer crates, with other features.
 */
function kernelTests(env) {
  const args = [...testWorkspace, '--no-run', '--message-format=json-render-diagnostics']
  const { stdout } = spawnSync('cargo', args, { env, encoding: 'utf8', maxBuffer: 1 << 28 })
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{"reason":"compiler-artifact"'))
    .map((line) => JSON.parse(line))
    .filter(({ executable, profile, manifest_path: path }) => {
      return executable && profile.test && standsOnKernels(path)
    })
    .map(({ executable, manifest_path: path }) => {
      return { command: executable, args: ['--quiet'], cwd: dirname(path) }
    })
}

/**
 * In the order in which they run. A suite is some commands, one after the other; `count` reads a line
 * of their output, and without it their exit status is the one check.
 */
function suites(rust, sets) {
  const cargo = (name, ...args) => {
    return { name, env: rust.env, commands: () => [{ command: 'cargo', args }] }
  }
  const script = (name, ...args) => {
    return { name, commands: () => [{ command: process.execPath, args }] }
  }
  const lacks = (tool, component) =>
    spawnSync('cargo', [tool, '--version'], { env: rust.env }).status === 0
      ? undefined
      : `this Rust has no ${component}; install it with: rustup component add ${component}`
  const lint = ['clippy', '--workspace', '--all-targets', '--quiet', '--', '-D', 'warnings']
  return [
    { ...script('layout', 'scripts/check-layout.mjs'), count: countChecks },
    { ...script('docs', 'scripts/check-docs.mjs'), count: countChecks },
    { ...cargo('rustfmt', 'fmt', '--check'), lacking: lacks('fmt', 'rustfmt') },
    script('oxfmt', 'node_modules/oxfmt/bin/oxfmt', '--check'),
    script('oxlint', 'node_modules/oxlint/bin/oxlint', '--deny-warnings'),
    { ...cargo('rust', ...testWorkspace, '--', '--quiet'), count: countCargo },
    ...sets.map(({ set, lacking }) => {
      const env = { ...rust.env, INLAY_SIMD: set }
      return {
        name: `rust-${set}`,
        env,
        commands: () => kernelTests(env),
        count: countCargo,
        lacking,
      }
    }),
    { ...script('ava', 'node_modules/ava/entrypoints/cli.mjs', '--tap'), count: countTap },
    { ...script('package', 'scripts/check-package.mjs'), count: countChecks },
    { ...cargo('clippy', ...lint), lacking: lacks('clippy', 'clippy') },
  ]
}

/** The other instruction sets to run besides the one that is detected, and why one cannot run here. */
function instructionSets() {
  const ask = (set) => {
    const code = "import('./native/index.js').then(({ simd }) => console.log(simd()))"
    const env = { ...process.env, INLAY_SIMD: set }
    const { status, stdout } = spawnSync(process.execPath, ['-e', code], { env, encoding: 'utf8' })
    return status === 0 ? stdout.trim() : undefined
  }
  const detected = ask(process.env.INLAY_SIMD ?? '')
  if (detected === undefined) throw new Error('the binary in native/ does not load')
  console.log(`instruction set: ${detected}`)
  if (process.env.INLAY_SIMD) return []
  return (process.arch === 'x64' ? ['avx512', 'avx2', 'scalar'] : ['scalar'])
    .filter((set) => set !== detected)
    .map((set) => ({ set, lacking: ask(set) === set ? undefined : 'this machine lacks it' }))
}

/** Runs one suite, its output as it comes, and gives its counts. */
async function run({ name, commands, env = process.env, count, lacking }) {
  console.log(`\n── ${name}`)
  const sum = { name, passed: 0, failed: 0, skipped: 0, seconds: 0, failures: [] }
  if (lacking !== undefined) {
    console.log(`skipped: ${lacking}`)
    return { ...sum, skipped: 1 }
  }
  let left = 0
  const read = (line) => {
    for (const [key, number] of Object.entries(count?.(line) ?? {})) sum[key] += number
    if (noise.test(line)) return
    console.log(line)
    if (failure.test(line)) left = reported
    if (/^ok ./.test(line)) left = 0
    if (left > 0) sum.failures.push(line)
    left--
  }
  const started = performance.now()
  let status = 0
  for (const { command, args, cwd } of commands()) {
    const child = spawn(command, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const input of [child.stdout, child.stderr]) createInterface({ input }).on('line', read)
    const ended = await new Promise((resolve) => {
      child.on('error', (error) => resolve(error.message))
      child.on('close', (code, signal) => resolve(code ?? signal))
    })
    status ||= ended
  }
  sum.seconds = (performance.now() - started) / 1000

  if (count === undefined) sum[status === 0 ? 'passed' : 'failed'] = 1
  const fail = (what) => {
    sum.failed = 1
    sum.failures.push(`not ok ${name} ${what}`)
    console.log(sum.failures.at(-1))
  }
  if (status !== 0 && sum.failed === 0) fail(`ended with ${status}`)
  if (sum.passed + sum.failed === 0) fail('ran nothing')
  return sum
}

/** What failed, the sums by suite, then the one line for all of them. */
function report(sums) {
  for (const { name, failures } of sums) {
    if (failures.length > 0) console.log(`\n── failed: ${name}\n${failures.join('\n')}`)
  }
  console.log('')
  for (const { name, passed, failed, skipped, seconds } of sums) {
    const counts = [
      `${passed} passed`,
      failed && `${failed} FAILED`,
      skipped && `${skipped} skipped`,
    ]
    console.log(
      `${name.padEnd(12)} ${seconds.toFixed(1).padStart(6)} s  ${counts.filter(Boolean).join(', ')}`,
    )
  }
  const total = (key) => sums.reduce((sum, one) => sum + one[key], 0)
  const [passed, failed, skipped] = [total('passed'), total('failed'), total('skipped')]
  console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`)
  return failed === 0 && passed > 0
}

// Whoever reads only the first lines (`npm test | head`) ends the run.
process.stdout.on('error', () => process.exit(1))

const setup = spawnSync(process.execPath, ['scripts/setup.mjs'], { stdio: ['ignore', 2, 2] })
if (setup.status !== 0) {
  console.log('0 passed, 1 failed')
  process.exit(1)
}
const data = process.env.INLAY_DATA ?? '../shared/data'
if (!existsSync(data)) {
  console.log('data sets: none here (INLAY_DATA can name their folder); tests on them are skipped')
}
const all = suites(findRust(), instructionSets())
const asked = process.argv.slice(2)
const chosen = asked.length === 0 ? all : all.filter(({ name }) => asked.includes(name))
const unknown = asked.filter((name) => !all.some((suite) => suite.name === name))
if (unknown.length > 0) {
  console.log(
    `no suite is called ${unknown.join(', ')}; there are: ${all.map(({ name }) => name).join(', ')}`,
  )
  process.exit(2)
}
const sums = []
for (const suite of chosen) sums.push(await run(suite))
process.exitCode = report(sums) ? 0 : 1
