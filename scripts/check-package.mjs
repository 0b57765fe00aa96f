// What a user gets: the packed packages, installed into an empty folder without a network, tried as a
// module, by `require`, by the command line, and by the compiler.
//
//     node scripts/check-package.mjs            packs, then tries
//     node scripts/check-package.mjs FOLDER     tries the .tgz in FOLDER; needs nothing but Node
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = join(import.meta.dirname, '..')
const home = mkdtempSync(join(tmpdir(), 'inlay-package-'))

/** Runs a command in the empty folder and gives what it printed; a failure shows all of it. */
function run(command, args) {
  try {
    const shell = process.platform === 'win32' && command === 'npm'
    return execFileSync(command, args, { cwd: home, shell, encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    throw new Error(`${command} ${args.join(' ')}: ${error.stdout}${error.stderr}`, {
      cause: error,
    })
  }
}

/** One check: `what` it says in the list, and what throws or gives a reason if it does not hold. */
function check(what, holds) {
  try {
    const note = holds()
    console.log(`ok ${what}${note ? ` (${note})` : ''}`)
  } catch (error) {
    console.log(`not ok ${what}\n   ${error.message.trim().replaceAll('\n', '\n   ')}`)
    process.exitCode = 1
  }
}

const installed = (...path) => join(home, 'node_modules', ...path)
const bytesUnder = (path) =>
  statSync(path).isDirectory()
    ? readdirSync(path).reduce((sum, name) => sum + bytesUnder(join(path, name)), 0)
    : statSync(path).size

/** A hundred short sentences of two topics, and what every installation must be able to do with them. */
const use = `
const sentences = Array.from({ length: 100 }, (_, i) => (i % 2 ? ['cat', 'dog', 'pet'] : ['car', 'road', 'wheel']))
async function main({ Word2Vec }) {
  const model = await Word2Vec.train(sentences, { dimensions: 16, minCount: 1, epochs: 2, threads: 1 })
  if (model.vectors.size !== 6) throw new Error(model.vectors.size + ' words')
  const neighbours = await model.vectors.mostSimilar('cat', { topK: 2 })
  if (neighbours.length !== 2) throw new Error(JSON.stringify(neighbours))
}
`
/** What a bundler may rename: messages and stacks say the names of classes and functions. */
const named = `
const functions = Object.entries(await import('inlay')).filter(([, it]) => typeof it === 'function')
const wrong = functions.filter(([name, it]) => it.name !== name)
if (wrong.length > 0) throw new Error(wrong.map(([name, it]) => name + ' is called ' + it.name).join(', '))
console.log(functions.length)
`
const typed = `
import { Word2Vec, type Neighbour, type Progress } from 'inlay'
export async function neighbours(path: string): Promise<readonly Neighbour[]> {
  const onProgress = ({ done, total }: Progress) => void [done, total]
  const model = await Word2Vec.train(path, { dimensions: 100, onProgress })
  return await model.vectors.mostSimilar('king', { topK: 5 })
}
`

/** Compiles \`typed\` as users do, with the declarations checked too. */
function compile(extension, flags) {
  const file = `typed.${extension}`
  writeFileSync(join(home, file), typed)
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const types = join(root, 'node_modules', '@types')
  run(process.execPath, [
    tsc,
    '--ignoreConfig',
    '--noEmit',
    '--strict',
    '--typeRoots',
    types,
    '--types',
    'node',
    ...flags,
    file,
  ])
}

try {
  let [folder] = process.argv.slice(2)
  if (folder === undefined) {
    folder = join(root, 'build', 'package')
    const { pack } = await import('./pack.mjs')
    pack(folder)
  }
  const packages = readdirSync(folder)
    .filter((name) => name.endsWith('.tgz'))
    .map((name) => resolve(folder, name))
  writeFileSync(join(home, 'package.json'), '{ "private": true }')
  writeFileSync(join(home, 'use.mjs'), `import * as inlay from 'inlay'\n${use}\nawait main(inlay)`)
  writeFileSync(join(home, 'named.mjs'), named)
  writeFileSync(join(home, 'use.cjs'), `${use}\nmain(require('inlay'))`)

  check('installs without a network and without scripts', () => {
    run('npm', ['install', '--offline', '--no-audit', '--no-fund', ...packages])
    const { scripts = {}, dependencies = {} } = JSON.parse(
      readFileSync(installed('inlay', 'package.json'), 'utf8'),
    )
    const atInstall = ['preinstall', 'install', 'postinstall'].filter((name) => name in scripts)
    if (atInstall.length > 0) throw new Error(`runs ${atInstall.join(', ')} when it is installed`)
    if (Object.keys(dependencies).length > 0)
      throw new Error(`depends on ${Object.keys(dependencies).join(', ')}`)
    return `${packages.length} packages`
  })
  // 0.4 MB of it are the licences of others, in both packages.
  check('is below 23.4 MB', () => {
    const bytes = bytesUnder(installed('inlay')) + bytesUnder(installed('@inlay'))
    if (bytes > 23.4e6) throw new Error(`${(bytes / 1e6).toFixed(1)} MB`)
    return `${(bytes / 1e6).toFixed(1)} MB`
  })
  check('names the works of others in the binary, and where the source of MPL-2.0 is', () => {
    const [platform] = readdirSync(installed('@inlay'))
    for (const place of [installed('inlay'), installed('@inlay', platform)]) {
      const text = readFileSync(join(place, 'THIRD-PARTY.txt'), 'utf8')
      if (!/^symphonia .*\n +MPL-2\.0\n.*\n.* its source: https:/m.test(text))
        throw new Error(`${place} does not say where the source of symphonia is`)
      if (!text.includes('Mozilla Public License Version 2.0'))
        throw new Error(`${place} lacks the text of MPL-2.0`)
    }
  })
  check('its JavaScript is ours alone', () => {
    // esbuild names the module above what it took of it.
    const scripts = readdirSync(installed('inlay', 'dist'), { recursive: true }).filter((name) =>
      name.endsWith('.js'),
    )
    for (const name of scripts) {
      const text = readFileSync(installed('inlay', 'dist', name), 'utf8')
      const [module] = /(?<=^\/\/ ).*node_modules\/.*/m.exec(text) ?? []
      if (module) throw new Error(`${name} holds ${module}: name it in scripts/notices.mjs`)
    }
    return `${scripts.length} files`
  })
  check('works as a module', () => void run(process.execPath, ['use.mjs']))
  check('works by require', () => void run(process.execPath, ['use.cjs']))
  check('classes and functions bear the names by which they are exported', () =>
    run(process.execPath, ['named.mjs']).trim(),
  )
  check('has a command line', () => {
    const bin = installed('.bin', process.platform === 'win32' ? 'inlay.cmd' : 'inlay')
    if (!existsSync(bin)) throw new Error('npm linked no command inlay')
    const { bin: bins } = JSON.parse(readFileSync(installed('inlay', 'package.json'), 'utf8'))
    return run(process.execPath, [
      installed('inlay', typeof bins === 'string' ? bins : bins.inlay),
      '--version',
    ]).trim()
  })
  if (existsSync(join(root, 'node_modules', 'typescript'))) {
    check('its types hold in a module', () =>
      compile('mts', ['--module', 'nodenext', '--target', 'es2022']),
    )
    check('its types hold in CommonJS', () =>
      compile('cts', ['--module', 'nodenext', '--target', 'es2022']),
    )
    check('its types hold for bundlers', () =>
      compile('ts', [
        '--module',
        'esnext',
        '--moduleResolution',
        'bundler',
        '--target',
        'es2022',
        '--exactOptionalPropertyTypes',
      ]),
    )
  } else {
    console.log('skipped: no TypeScript here to check the types with')
  }
} finally {
  rmSync(home, { recursive: true, force: true })
}
