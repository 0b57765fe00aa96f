// The pages are true: every `ts` block in them is compiled and run, and what repeats the source (tables
// of options, error codes, the help of commands) is made from it.
//
//     node scripts/check-docs.mjs            checks
//     node scripts/check-docs.mjs --write    fills in the generated parts first
//
// Their pictures are there, and all that are there are shown: `npm run draw` makes them.
//
// A block that is fenced as `ts compile` is compiled and not run. A block that imports nothing gets the
// public names that it uses, and `corpus`, `model` and `vectors` of a small text, as blocks before it
// would have left them.
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gunzipSync } from 'node:zlib'

process.chdir(join(import.meta.dirname, '..'))

const pages = [
  'README.md',
  'README.zh-CN.md',
  'CONTRIBUTING.md',
  ...readdirSync('docs').map((name) => `docs/${name}`),
].filter((path) => path.endsWith('.md'))
const inlay = await import(pathToFileURL('dist/index.js').href)
const publicNames = Object.keys(inlay)

/** Prints what became of a check. */
function tell(problems, what) {
  console.log(`${problems.length === 0 ? 'ok' : 'not ok'} ${what}`)
  for (const problem of problems) console.log(`   ${problem.trim().replaceAll('\n', '\n   ')}`)
  if (problems.length > 0) process.exitCode = 1
}

const readSource = (path) => readFileSync(path, 'utf8')
/** A comment's text on one line. */
const unwrapped = (comment) => comment.replaceAll(/\s*\n\s*\*?\s*/g, ' ').trim()
const cell = (text) => text.replaceAll('|', '\\|')

/** What the comments of a table of options say, by option; tables that it spreads are looked into. */
function commentsOf(text, name) {
  const body = new RegExp(`const ${name} = \\{([\\s\\S]*?)(?:\\n\\}|\\}\\n)`).exec(text)?.[1] ?? ''
  const own = [...body.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(\w+)[:,]/g)]
  const found = new Map(own.map(([, comment, option]) => [option, unwrapped(comment)]))
  for (const [, other] of body.matchAll(/\.\.\.(\w+)/g)) {
    for (const [option, comment] of commentsOf(text, other)) found.set(option, comment)
  }
  return found
}

/** The table of a model's options: names and limits as the code checks them, meanings from its comments. */
async function optionsTable(source, name) {
  const compiled = source.replace(/^src/, 'build/src').replace(/ts$/, 'js')
  const { [name]: table } = await import(pathToFileURL(compiled).href)
  const comments = commentsOf(readSource(source), name)
  const rows = Object.entries(table)
    .filter(([option]) => comments.has(option))
    .map(([option, { default: value, expected }]) => {
      const shown =
        value === undefined || Array.isArray(value)
          ? ''
          : `\`${typeof value === 'string' ? `'${value}'` : value}\``
      return `| \`${option}\` | ${shown} | ${cell(expected)} | ${cell(comments.get(option))} |`
    })
  if (rows.length === 0) throw new Error(`${source} has no documented options ${name}`)
  return ['| option | default | allowed | meaning |', '| --- | --- | --- | --- |', ...rows].join(
    '\n',
  )
}

/** The codes of errors, from the type that lists them. */
function errorTable() {
  const [, type] = /export type ErrorCode =([\s\S]*?)\n\n/.exec(readSource('src/errors.ts'))
  const rows = [...type.matchAll(/\/\*\*([\s\S]*?)\*\/\s*\| '(\w+)'/g)].map(
    ([, comment, code]) => `| \`${code}\` | ${cell(unwrapped(comment))} |`,
  )
  return ['| code | meaning |', '| --- | --- |', ...rows].join('\n')
}

const helpOf = (command) =>
  `\`\`\`text\n${execFileSync(process.execPath, ['dist/cli/main.js', ...command, '--help'], { encoding: 'utf8' }).trimEnd()}\n\`\`\``

const generators = {
  errors: () => errorTable(),
  options: (source, name) => optionsTable(source, name),
  help: (...command) => helpOf(command),
}

/** Fills or compares what stands between `<!-- generated: ... -->` and `<!-- end -->`. */
async function checkGenerated(write) {
  const problems = []
  let count = 0
  for (const page of pages) {
    const before = readSource(page)
    const [begun, ended] = ['<!-- generated: ', '<!-- end -->'].map(
      (mark) => before.split(mark).length,
    )
    if (begun !== ended)
      problems.push(`${page}: each "<!-- generated: ... -->" wants an "<!-- end -->"`)
    let after = before
    for (const [whole, words, text] of before.matchAll(
      /<!-- generated: (.*?) -->\n([\s\S]*?)<!-- end -->/g,
    )) {
      const [kind, ...args] = words.split(' ')
      const fresh = `\n${await generators[kind](...args)}\n\n`
      count++
      if (fresh === text) continue
      after = after.replace(whole, () => `<!-- generated: ${words} -->\n${fresh}<!-- end -->`)
      if (!write)
        problems.push(
          `${page}: "${words}" is out of date; run: node scripts/check-docs.mjs --write`,
        )
    }
    if (write && after !== before) writeFileSync(page, after)
  }
  if (count === 0) problems.push('no page has a generated part')
  tell(problems, `${count} generated parts are as the source has them`)
}

/** Pictures that pages show are there, with words for those who do not see them; those that are there are shown. */
function checkPictures() {
  const problems = []
  const shown = new Set()
  for (const page of pages) {
    for (const [, words, target] of readSource(page).matchAll(/!\[([^\]]*)\]\(([^)\s]+)\)/g)) {
      if (target.includes('://')) continue
      const path = join(dirname(page), target).replaceAll('\\', '/')
      shown.add(path)
      if (!existsSync(path)) problems.push(`${page}: there is no ${path}`)
      if (words.trim() === '') problems.push(`${page}: ${target} has no words beside it`)
    }
  }
  for (const name of readdirSync('docs/pictures')) {
    if (!shown.has(`docs/pictures/${name}`)) problems.push(`no page shows docs/pictures/${name}`)
  }
  tell(shown.size === 0 ? ['no page has a picture'] : problems, `${shown.size} pictures are there`)
}

/** The `ts` blocks of the pages, in order, each with where it stands and its file's name. */
function blocks() {
  const found = []
  for (const page of pages) {
    const text = readSource(page)
    for (const { 1: mark, 2: code, index } of text.matchAll(/^```ts( \w+)?\n([\s\S]*?)^```/gm)) {
      const line = text.slice(0, index).split('\n').length + 1
      const file = `block${found.length}`
      found.push({ page, line, file, compileOnly: mark?.trim() === 'compile', code })
    }
  }
  return found
}

const given = {
  corpus: "await Corpus.read('corpus.txt')",
  model: "await Word2Vec.open('model.safetensors')",
  vectors: "await WordVectors.open('vectors.safetensors')",
}

/** A module of a block: what it uses and does not make itself comes before it, on one line. */
function moduleOf({ code }) {
  if (/^import .* from 'inlay'/m.test(code)) return code
  const declared = (name) =>
    new RegExp(`\\b(?:const|let|using)\\s+(?:${name}\\b|[{[][^=]*\\b${name}\\b[^=]*=)`).test(code)
  const bare = code.replaceAll(/\/\/.*|'[^'\n]*'/g, '')
  const made = Object.entries(given).filter(
    ([name]) => new RegExp(`(?<!\\.)\\b${name}\\b(?!:)`).test(bare) && !declared(name),
  )
  const setting = made.map(([name, value]) => `const ${name} = ${value}`).join('; ')
  const used = publicNames.filter((name) => new RegExp(`\\b${name}\\b`).test(setting + bare))
  return `import { ${used.join(', ')} } from 'inlay'; ${setting}\n${code}\nexport {}\n`
}

/** Compiles all blocks at once; complaints are moved to the pages' own lines. */
function compile(all, folder) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const block of all) writeFileSync(join(folder, `${block.file}.mts`), moduleOf(block))
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: '../../tsconfig.base.json',
      compilerOptions: { rootDir: '.', outDir: '.', incremental: false, skipLibCheck: false },
      include: ['*.mts'],
      exclude: [],
    }),
  )
  try {
    execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', folder], {
      encoding: 'utf8',
      stdio: 'pipe',
    })
    return []
  } catch ({ stdout }) {
    return stdout
      .trim()
      .split('\n')
      .map((line) =>
        line.replace(/^.*?block(\d+)\.mts\((\d+),\d+\)/, (_, number, row) => {
          const { page, line: start, code } = all[number]
          return `${page}:${start + Number(row) - (/^import .* from 'inlay'/m.test(code) ? 1 : 2)}`
        }),
      )
  }
}

/** A folder with what the examples name: a text, and what was trained on it. */
async function makeFixture() {
  const folder = mkdtempSync(join(tmpdir(), 'inlay-docs-'))
  const at = (name) => join(folder, name)
  const text = gunzipSync(readFileSync('examples/data/state-of-the-union.txt.gz')).toString()
  // A quarter is enough to show that the examples work.
  const lines = text.split('\n').filter((_, i) => i % 4 === 0)
  writeFileSync(at('corpus.txt'), lines.join('\n'))
  writeFileSync(at('news.txt'), lines.slice(-2000).join('\n'))
  writeFileSync(
    at('questions-words.txt'),
    ': gram1-plural\nyear years nation nations\nman men woman women\n',
  )
  writeFileSync(at('wordsim353.tsv'), 'war\tpeace\t6.5\nmoney\tbank\t8.5\nman\twoman\t8.3\n')
  const model = await inlay.Word2Vec.train(at('corpus.txt'), { dimensions: 32, epochs: 1 })
  await model.save(at('model.safetensors'))
  await model.vectors.save(at('vectors.safetensors'))
  model.close()
  return folder
}

async function checkBlocks() {
  const all = blocks()
  const complaints = compile(all, 'build/docs')
  tell(all.length === 0 ? ['no page has a ts block'] : complaints, `${all.length} blocks compile`)
  if (complaints.length > 0) return
  const problems = []
  const fixture = await makeFixture()
  const run = all.filter(({ compileOnly }) => !compileOnly)
  try {
    for (const { page, line, file } of run) {
      const module = join(process.cwd(), 'build', 'docs', `${file}.mjs`)
      try {
        execFileSync(process.execPath, [module], {
          cwd: fixture,
          stdio: 'pipe',
          encoding: 'utf8',
          timeout: 60_000,
        })
      } catch (error) {
        problems.push(`${page}:${line}: ${error.stderr || error.message}`)
      }
    }
  } finally {
    rmSync(fixture, { recursive: true, force: true })
  }
  tell(run.length === 0 ? ['no block is run'] : problems, `${run.length} blocks run`)
}

/** Both READMEs show the same code; only comments are translated. */
function checkTranslation() {
  const codeOf = (path) =>
    blocks()
      .filter(({ page }) => page === path)
      .map(({ code }) => code.replaceAll(/\s*\/\/.*/g, ''))
  const [english, chinese] = [codeOf('README.md'), codeOf('README.zh-CN.md')]
  const different = english.flatMap((code, i) =>
    code === chinese[i] ? [] : [`block ${i + 1} differs`],
  )
  if (english.length !== chinese.length)
    different.push(`${english.length} blocks and ${chinese.length}`)
  tell(different, `README.md and README.zh-CN.md have the same ${english.length} examples`)
}

await checkGenerated(process.argv.includes('--write'))
checkTranslation()
checkPictures()
await checkBlocks()
