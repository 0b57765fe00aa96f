// Writes THIRD-PARTY.txt: whose work is in the binary besides ours, and its licences. The crates are those that
// the crate `node` stands on, on all platforms of package.json; what only builds or tests is not among them.
//
//     node scripts/notices.mjs                for the package of JavaScript
//     node scripts/notices.mjs FOLDER         and for each package of a platform in FOLDER
import { execFileSync } from 'node:child_process'
import { copyFileSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { findRust } from './rust.mjs'

const folder = process.argv[2] && resolve(process.argv[2])
process.chdir(join(import.meta.dirname, '..'))
const notices = 'THIRD-PARTY.txt'

/** The crates of others in the binary, by name. */
function thirdParties() {
  const { targets } = JSON.parse(readFileSync('package.json', 'utf8')).napi
  const platforms = targets.flatMap((target) => ['--filter-platform', target])
  const output = execFileSync(
    'cargo',
    ['metadata', '--locked', '--format-version=1', ...platforms],
    {
      env: findRust().env,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const { packages, resolve: graph } = JSON.parse(output)
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]))
  const reached = new Set()
  const visit = (id) => {
    if (reached.has(id)) return
    reached.add(id)
    for (const { pkg, dep_kinds: kinds } of nodes.get(id).deps) {
      // Cargo writes the kind of an ordinary dependency as null.
      if (kinds.some(({ kind }) => kind === null)) visit(pkg)
    }
  }
  visit(packages.find((crate) => crate.name === 'inlay-node').id)
  return packages
    .filter(({ id, source }) => reached.has(id) && source !== null)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** The texts beside a crate's Cargo.toml that say what may be done with it. */
function licenceTexts({ manifest_path: manifest }) {
  return readdirSync(dirname(manifest))
    .filter((file) => /^(licen[cs]e|copying|copyright|notice|unlicense)/i.test(file))
    .map((file) => join(dirname(manifest), file))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, 'utf8').replaceAll('\r\n', '\n'))
}

/**
 * Each text once, with the crates that it belongs to. The Apache License ends in an appendix that many change:
 * it counts as a text of its own, so that the terms are there once.
 */
function distinctTexts(crates) {
  const texts = new Map()
  for (const crate of crates) {
    const pieces = licenceTexts(crate).flatMap((text) =>
      text.split(/(?<=END OF TERMS AND CONDITIONS)/),
    )
    for (const piece of pieces) {
      const words = piece.replaceAll(/https?:/g, '').match(/[\p{L}\p{N}]+/gu)
      if (words === null) continue
      const key = words.join(' ').toLowerCase()
      const text = piece.replace(/^\s*\n/, '').trimEnd()
      if (!texts.has(key)) texts.set(key, { text, names: new Set() })
      texts.get(key).names.add(crate.name)
    }
  }
  return [...texts.values()]
}

/** What is said of one crate. */
function entry(crate) {
  const { name, version, repository, authors } = crate
  const license = crate.license ?? 'see its text below'
  const lines = [
    `${name} ${version}`,
    `  ${license}`,
    `  ${repository ?? 'no repository is named'}`,
  ]
  if (license.includes('MPL')) {
    lines.push(`  used unchanged; its source: ${repository}, version ${version}`)
  }
  if (licenceTexts(crate).length === 0) {
    const by = authors.length > 0 ? `; by ${authors.join(', ')}` : ''
    lines.push(`  published without a text of its licence${by}`)
  }
  return lines.join('\n')
}

const crates = thirdParties()
const texts = distinctTexts(crates).map(
  ({ text, names }) => `${'-'.repeat(80)}\n${[...names].join(', ')}:\n\n${text}`,
)
const parts = [
  `The binary of inlay holds these works of others, and Rust's standard library (MIT OR Apache-2.0,
https://github.com/rust-lang/rust). The texts of their licences stand below. The JavaScript of inlay
holds nothing of others.`,
  ...crates.map(entry),
  ...texts,
]
writeFileSync(notices, `${parts.join('\n\n')}\n`)

for (const platform of folder ? readdirSync(folder) : []) {
  copyFileSync(notices, join(folder, platform, notices))
  const path = join(folder, platform, 'package.json')
  const description = JSON.parse(readFileSync(path, 'utf8'))
  description.files = [...new Set([...description.files, notices])]
  writeFileSync(path, `${JSON.stringify(description, null, 2)}\n`)
}
