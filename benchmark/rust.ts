// The Rust that builds the project, for the contenders that are written in it.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './texts.js'

export interface Rust {
  readonly version: string
  /** The environment in which its commands work. */
  readonly env: Readonly<Record<string, string>>
}

/** As scripts/setup.mjs finds it; undefined where there is none. */
export async function rust(): Promise<Rust | undefined> {
  const { findRust } = await import(pathToFileURL(join(root, 'scripts', 'rust.mjs')).href)
  try {
    const { env } = findRust() as { env: Record<string, string> }
    const version = execFileSync('rustc', ['--version'], { encoding: 'utf8', env, cwd: root })
    return { version: version.trim(), env }
  } catch {
    return undefined
  }
}
