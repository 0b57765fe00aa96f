// Makes the packages that users install: the one of JavaScript, and the one of the binary in native/
// for this platform. `node scripts/pack.mjs FOLDER` leaves both .tgz there.
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const root = join(import.meta.dirname, '..')

/** Runs npm quietly in `cwd`. */
function npm(args, cwd) {
  const shell = process.platform === 'win32'
  return execFileSync('npm', args, {
    cwd,
    shell,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Packs into `folder`, which is emptied first. */
export function pack(folder) {
  const binaries = readdirSync(join(root, 'native')).filter((name) => name.endsWith('.node'))
  if (binaries.length === 0) throw new Error('native/ holds no binary: run node scripts/setup.mjs')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  // @napi-rs/cli writes inside the project only.
  const staging = join(root, 'build', 'npm')
  rmSync(staging, { recursive: true, force: true })
  try {
    const cli = join(root, 'node_modules', '@napi-rs', 'cli', 'dist', 'cli.js')
    execFileSync(process.execPath, [cli, 'create-npm-dirs', '--npm-dir', staging], {
      cwd: root,
      stdio: 'pipe',
    })
    execFileSync(process.execPath, [join(root, 'scripts', 'notices.mjs'), staging], {
      stdio: 'pipe',
    })
    for (const binary of binaries) {
      const platform = binary.split('.')[1]
      copyFileSync(join(root, 'native', binary), join(staging, platform, binary))
      npm(['pack', '--pack-destination', resolve(folder)], join(staging, platform))
    }
    npm(['pack', '--pack-destination', resolve(folder)], root)
  } finally {
    rmSync(staging, { recursive: true, force: true })
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [folder] = process.argv.slice(2)
  if (folder === undefined) throw new Error('usage: node scripts/pack.mjs FOLDER')
  pack(folder)
  console.log(readdirSync(folder).join('\n'))
}
