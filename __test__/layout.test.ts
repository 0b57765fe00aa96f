// The rules of scripts/check-layout.mjs: each is shown to fail on a made-up violation, and to fail
// when there is nothing that it could look at.
import { fileURLToPath } from 'node:url'
import test from 'ava'

interface File {
  readonly size: number
  readonly text: string
}
type Tree = ReadonlyMap<string, File>
interface Rule {
  readonly name: string
}
interface Layout {
  readTree(root: string): Tree
  rules: readonly Rule[]
  verdict(rule: Rule, tree: Tree): { readonly examined: number; readonly problems: string[] }
}

const root = new URL('../../', import.meta.url)
const { readTree, rules, verdict } = (await import(
  new URL('scripts/check-layout.mjs', root).href
)) as Layout
const tree = readTree(fileURLToPath(root))

/** A rule, what one does to break it (file and what it then holds), and a word of the complaint. */
const violations: readonly [rule: string, path: string, text: string, complaint: string][] = [
  ['a crate imports', 'crates/base/Cargo.toml', 'inlay-words.workspace = true', 'not above it'],
  ['a crate imports', 'crates/words/Cargo.toml', 'napi.workspace = true', 'imports napi'],
  ['a crate imports', 'crates/nowhere/Cargo.toml', '[package]', 'no place'],
  ['a crate imports', 'crates/words/Cargo.toml', 'inlay-node.workspace = true', 'inlay-node'],
  ['`unsafe` stands', 'crates/words/src/lib.rs', '//! Words.\n\nmod fast;', 'not forbid unsafe'],
  ['instruction sets', 'crates/words/src/fast.rs', 'use std::arch::x86_64::*;', 'std::arch'],
  [
    'only src/native.ts',
    'src/words/fast.ts',
    "import { f } from '../../native/index.js'",
    'native',
  ],
  ['a folder of src', 'src/words/fast.ts', "import { x } from '../corpus/packer.js'", 'inner file'],
  ['a folder of src', 'src/words/fast.ts', "import { x } from '../index.js'", 'for users'],
  ['a folder of src', 'src/fast.ts', "import { x } from './corpus/corpus.js'", 'is a root'],
  ['no file of src', 'src/one.ts', "import { x } from './one.js'", 'src/one.ts -> src/one.ts'],
  [
    'src/index.ts re-exports',
    'src/index.ts',
    "export { a } from './a.js'\nexport const surprise = 1",
    'surprise',
  ],
  ['every public name', 'src/index.ts', "export { Unheard } from './x.js'", 'Unheard'],
  ['the library prints', 'src/words/fast.ts', "console.log('here')", 'prints'],
  ['every dependency', 'Cargo.toml', '[workspace.dependencies]\nleftpad = "1"', 'leftpad'],
  ['rooms are named', 'src/utils.ts', '', 'says nothing'],
  ['rooms are named', 'src/camelCase.ts', '', 'no known case'],
  ['no file over 1 MB', 'big.bin', ' '.repeat((1 << 20) + 1), 'big.bin'],
  [
    'package-lock.json',
    'package-lock.json',
    '{"packages": {"a": {\n"resolved": "https://host/a.tgz"\n}}}',
    'resolved',
  ],
  [
    'no file names a folder',
    'src/fast.ts',
    `const path = '${['', 'home', 'me', 'x'].join('/')}'`,
    'me',
  ],
  ['links between pages', 'docs/x.md', '[gone](gone.md)', 'gone.md'],
  ['one version', 'CHANGELOG.md', '## 0.0.1', 'says nothing'],
]

const ruleOf = (start: string): Rule => {
  const found = rules.find(({ name }) => name.startsWith(start))
  if (!found) throw new Error(`no rule starts with: ${start}`)
  return found
}

for (const [start, path, text, complaint] of violations) {
  test(`"${start}..." refuses ${path} with ${text.slice(0, 40)}`, (t) => {
    const broken = new Map([...tree, [path, { size: text.length, text }]])
    const before = verdict(ruleOf(start), tree).problems
    const { problems } = verdict(ruleOf(start), broken)
    const added = problems.filter((problem) => !before.includes(problem))
    t.true(
      added.some((problem) => problem.includes(complaint)),
      added.join('; '),
    )
  })
}

for (const rule of rules) {
  test(`fails where it finds nothing: ${rule.name}`, (t) => {
    t.deepEqual(verdict(rule, new Map()).problems, ['found nothing to look at'])
  })
  test(`is broken by a violation above: ${rule.name}`, (t) => {
    t.true(violations.some(([start]) => rule.name.startsWith(start)))
  })
}

test('comments and strings are not code', (t) => {
  const text = '// use std::arch\nconst X: &str = "use std::arch"; /* use std::arch */'
  const commented = new Map([...tree, ['crates/words/src/fast.rs', { size: 1, text }]])
  const { problems } = verdict(ruleOf('instruction sets'), commented)
  t.false(problems.some((problem) => problem.includes('fast')))
})

test('between two comments with a quote is code', (t) => {
  const text = '// a "\nuse std::arch::x86_64::*;\n// b "'
  const broken = new Map([...tree, ['crates/words/src/fast.rs', { size: 1, text }]])
  const { problems } = verdict(ruleOf('instruction sets'), broken)
  t.true(problems.some((problem) => problem.includes('fast')))
})
