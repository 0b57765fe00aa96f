// docs/benchmarks.md, made of the results that were kept: parts measured one after the other, on one
// machine, become one page, and what was not measured again stays on it.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem, type as system, release } from 'node:os'
import { join } from 'node:path'
import { simd } from '#inlay/native.js'
import type { Family, Scores } from './family.js'
import { answerOf } from './processes.js'
import { type Kept, glance, markdown } from './report.js'
import type { Outcome } from './rounds.js'
import { rust } from './rust.js'
import { merged, sectionsOf, written } from './sections.js'
import { root, shelf } from './texts.js'
import { compiler, missingPeer, models, python } from './trainers.js'

const results = join(shelf, 'results')

/** Keeps a result for the page; an older one of the same contest is replaced. */
export function keep(result: Outcome | Scores): void {
  mkdirSync(results, { recursive: true })
  const kept: Kept = {
    result,
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    machine: machine(),
  }
  writeFileSync(join(results, `${result.id}.json`), JSON.stringify(kept, null, 1))
}

/** Writes the page; gives a line that says what was measured and what was not. What the page says of this machine
 * stays until it is measured again. */
export async function writePage(families: readonly Family[]): Promise<string> {
  const path = join(root, 'docs', 'benchmarks.md')
  const old = sectionsOf(existsSync(path) ? readFileSync(path, 'utf8') : '')
  if (!old.get('')!.about.includes(machine())) old.clear()
  const parts: string[] = []
  const absent: string[] = []
  let measured = 0
  for (const family of families) {
    const ids = family.contests().map((id) => (family.name === 'quality' ? `quality-${id}` : id))
    if (family.name === 'quality') ids.push('quality-check')
    const found = ids.flatMap((id) => {
      const kept = read(id)
      if (!kept) absent.push(id)
      return kept ? [kept] : []
    })
    const title = `${family.summary[0]!.toUpperCase()}${family.summary.slice(1)}`
    const about = family.about.replaceAll('\n', ' ')
    const section = merged(old.get(title), about, found.map(markdown))
    if (section.tables.size === 0) continue
    measured += found.length
    parts.push(written(title, section))
  }
  if (parts.length === 0) return 'nothing was measured: no page'
  const summary = atAGlance(old.get(glanceTitle)?.about)
  const first = summary === undefined ? [] : [`## ${glanceTitle}`, '', summary.trimEnd(), '']
  const page = ['# Benchmarks', '', await opening(), '', ...first, ...parts].join('\n')
  writeFileSync(path, `${page.trimEnd()}\n`)
  const missing = absent.length === 0 ? '' : `; not measured now: ${absent.join(', ')}`
  return `docs/benchmarks.md: ${measured} results${missing}`
}

const glanceTitle = 'At a glance'

/** Speed and quality of each model in a row; of those that were not measured now what the page has. */
function atAGlance(before?: string): string | undefined {
  const measured = models.flatMap(({ id, title }) => {
    const speed = read(id)?.result as Outcome | undefined
    const quality = read(`quality-${id}`)?.result as Scores | undefined
    return speed ? [{ title, speed, quality }] : []
  })
  if (before === undefined && measured.length < models.length) return undefined
  return glance(measured, before)
}

/** A result that was had on this machine. */
function read(id: string): Kept | undefined {
  const path = join(results, `${id}.json`)
  if (!existsSync(path)) return undefined
  const kept = JSON.parse(readFileSync(path, 'utf8')) as Kept
  return kept.machine === machine() ? kept : undefined
}

async function opening(): Promise<string> {
  const found = await rust()
  const gensim = missingPeer(python)
    ? undefined
    : await answerOf(
        python,
        '-c',
        'import sys, gensim, numpy; print("gensim", gensim.__version__, "with NumPy", numpy.__version__, "on Python", sys.version.split()[0])',
      )
  const c = compiler()
  const flags = '`-O3` or `-Ofast`, `-march=native -funroll-loops`'
  const tools = [
    `Node ${process.versions.node}`,
    found?.version ?? 'no Rust',
    `instruction set of inlay: ${simd()}`,
    c ? `word2vec.c of the PyPI package word2vec 0.11.1, ${c}, ${flags}` : 'word2vec.c: missing',
    gensim ?? 'gensim: missing',
  ]
  return `Made by \`npm run bench -- --write\`; no figure is typed by hand.

- Machine: ${machine()}
${tools.map((tool) => `- ${tool}`).join('\n')}

Contenders take turns, all in each round; medians with the lowest and the highest, ratios within a round. "× the first's time" says
how many times as long a row takes as the first row of its table. Peers are installed by \`benchmark/peers.sh\`; one that
is not here is named as missing. No test asserts a time.`
}

function machine(): string {
  const memory = (totalmem() / 2 ** 30).toFixed(0)
  const model = cpus()[0]?.model.trim() ?? process.arch
  return `${model}, ${availableParallelism()} cores, ${memory} GiB, ${system()} ${release().split('-')[0]}`
}

/** Which state of the project it is: the commit, and whether files differ from it. */
function commit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no', 'src', 'crates') !== ''
    return git('rev-parse', '--short', 'HEAD') + (changed ? ' with changes' : '')
  } catch {
    return 'no commit'
  }
}
