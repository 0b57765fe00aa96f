// Which Rust builds this project on this machine: the one of rust-toolchain.toml; where that cannot
// be had, the newest installed one that Cargo.toml's `rust-version` allows.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const howToInstall =
  process.platform === 'win32'
    ? 'Install it with rustup-init.exe from https://rustup.rs, and the C++ build tools that it asks for.'
    : "Install it with: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"

/** Runs a command and gives its output, or undefined if it failed or does not exist. */
function output(command, args, env = process.env) {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', env })
  return status === 0 ? stdout : undefined
}

/** The numbers of the first version in a text: [1, 95, 0]. */
const version = (text) =>
  (/(\d+)\.(\d+)(?:\.(\d+))?/.exec(text) ?? []).slice(1).map((n) => +(n ?? 0))

/** Whether version `a` is at least version `b`. */
export function atLeast(a, b) {
  const [left, right] = [version(a), version(b)]
  const different = left.findIndex((number, place) => number !== right[place])
  return left.length > 0 && (different < 0 || left[different] > (right[different] ?? 0))
}

/**
 * The environment in which `cargo` works here, and what `cargo --version` says in it. Throws a
 * sentence that tells what to install where there is no Rust, or only an older one.
 */
export function findRust() {
  const [wanted] = /(?<=^rust-version = ")[^"]+/m.exec(readFileSync('Cargo.toml', 'utf8')) ?? []
  const fits = (text) => text !== undefined && atLeast(text, wanted)

  // rustup fetches the toolchain of rust-toolchain.toml here, if it may.
  const cargo = output('cargo', ['--version'])
  if (fits(cargo)) return { env: process.env, version: cargo.trim() }

  const toolchains = (output('rustup', ['toolchain', 'list']) ?? '').split('\n')
  const installed = toolchains
    .map((line) => line.split(' ')[0])
    .filter((name) => name !== '' && !name.startsWith('nightly') && !name.startsWith('beta'))
    .map((name) => ({ name, version: output('rustup', ['run', name, 'cargo', '--version']) }))
    .filter((toolchain) => fits(toolchain.version))
    .toSorted((a, b) => (atLeast(a.version, b.version) ? -1 : 1))
  if (installed.length > 0) {
    const [{ name, version: found }] = installed
    return { env: { ...process.env, RUSTUP_TOOLCHAIN: name }, version: found.trim() }
  }
  if (output('rustup', ['--version']) !== undefined) {
    throw new Error(
      `Rust ${wanted} or later is needed and rustup could not fetch it. With a network at hand, run: rustup toolchain install ${wanted}`,
    )
  }
  const has = cargo ? `this machine has ${cargo.trim()}` : 'this machine has none'
  throw new Error(`Rust ${wanted} or later is needed, and ${has}. ${howToInstall}`)
}
