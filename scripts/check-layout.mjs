// Proves the rules of the house (docs/ARCHITECTURE.md): each line says what was looked at and how much
// of it. A rule that found nothing to look at has failed, because it proves nothing.
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join, posix, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Each crate imports only crates before it; `node` is the last, so nobody imports it. */
const crates = [
  'base',
  'kernels',
  'formats',
  'corpus',
  'vectors',
  'words',
  'counts',
  'language',
  'topics',
  'nn',
  'media',
  'patches',
  'node',
]
/** The crates that may say `unsafe`: instruction sets, shared memory and maps, N-API. */
const unsafeCrates = new Set(['base', 'kernels', 'node'])
/** Files that may be over 1 MB, each with its reason. */
const largeFiles = new Set([
  // The corpus of the quickstart.
  'examples/data/state-of-the-union.txt.gz',
])

/** The files of the project, by path with forward slashes: text where it is text, and size in bytes. */
export function readTree(root) {
  const ignored = readFileSync(join(root, '.gitignore'), 'utf8').split('\n').filter(Boolean)
  const isIgnored = (name, path) =>
    ['.git', 'shared'].includes(name) ||
    ignored.some((pattern) =>
      pattern.startsWith('*')
        ? name.endsWith(pattern.slice(1))
        : `/${path}/`.endsWith(`/${pattern.replace(/^\//, '').replace(/\/?$/, '/')}`),
    )
  const files = new Map()
  const walk = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const full = join(folder, entry.name)
      const path = relative(root, full).replaceAll('\\', '/')
      if (isIgnored(entry.name, path)) continue
      if (entry.isDirectory()) walk(full)
      else if (entry.isFile()) {
        const { size } = statSync(full)
        files.set(path, { size, text: size < 1_000_000 ? readFileSync(full, 'utf8') : '' })
      }
    }
  }
  walk(root)
  return files
}

/** [path, text] of the files whose path matches. */
const matching = (tree, pattern) =>
  [...tree].filter(([path]) => pattern.test(path)).map(([path, { text }]) => [path, text])

/** Rust without its comments, strings and characters: one pass, as each of them may hold a sign of the others. */
const rustCode = (text) =>
  text.replaceAll(
    /\/\*[\s\S]*?\*\/|\/\/.*|r(#*)"[\s\S]*?"\1|"(?:\\[\s\S]|[^"\\])*"|'(?:\\.[^']*|[^'\\])'/g,
    '""',
  )

/** What a TypeScript file imports or re-exports: `types` when nothing of it is left after compiling. */
function importsOf(text) {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*/g, '')
  const pattern =
    /^(?:import|export)\s+(type\s)?[^'"=]*?from\s*['"]([^'"]+)['"]|^import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm
  return [...code.matchAll(pattern)].map(([, type, from, bare, dynamic]) => ({
    from: from ?? bare ?? dynamic,
    types: type !== undefined,
  }))
}

/** Every import between files under src/: { path, target, types }, `target` as a path of a .ts file. */
function sourceImports(tree) {
  return matching(tree, /^src\/.*\.ts$/).flatMap(([path, text]) =>
    importsOf(text)
      .filter(({ from }) => from.startsWith('.'))
      .map(({ from, types }) => {
        const target = posix.join(posix.dirname(path), from).replace(/\.js$/, '.ts')
        return { path, target, types }
      }),
  )
}

/** The public names, with the file that defines each: src/index.ts re-exports and does nothing else. */
function publicNames(tree) {
  const code = (tree.get('src/index.ts')?.text ?? '').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
  const pattern = /export\s+(?:type\s+)?\{([^}]*)\}\s*from\s*'([^']+)'/g
  return [...code.matchAll(pattern)].flatMap(([, names, from]) =>
    names
      .split(',')
      .map((name) =>
        name
          .trim()
          .replace(/^type\s+/, '')
          .replace(/^.* as /, ''),
      )
      .filter(Boolean)
      .map((name) => ({ name, path: posix.join('src', from).replace(/\.js$/, '.ts') })),
  )
}

/** A rule of one question asked of many things: what is examined, and which of it breaks the rule. */
const each = (things, problemOf) => ({
  examined: things.length,
  problems: things.map(problemOf).filter(Boolean),
})

export const rules = [
  {
    name: 'a crate imports only crates above it, and only `node` knows N-API',
    check: (tree) =>
      each(
        matching(tree, /^crates\/[^/]+\/Cargo\.toml$/).flatMap(([path, text]) => {
          const dependencies = [...text.matchAll(/^([\w-]+)(?:\.workspace)?\s*=/gm)].map(
            ([, name]) => name,
          )
          const named = dependencies.filter((name) => /^(inlay-|napi)/.test(name))
          return [undefined, ...named].map((dependency) => ({ path, dependency }))
        }),
        ({ path, dependency }) => {
          const crate = path.split('/')[1]
          const place = crates.indexOf(crate)
          if (place < 0)
            return `${path}: the crate has no place in the list of scripts/check-layout.mjs`
          if (dependency === undefined) return
          if (dependency.startsWith('napi'))
            return crate !== 'node' && `${path} imports ${dependency}`
          const above = crates.indexOf(dependency.slice('inlay-'.length))
          return (
            (above < 0 || above >= place) && `${path} imports ${dependency}, which is not above it`
          )
        },
      ),
  },
  {
    name: '`unsafe` stands in base, kernels and node only: the compiler refuses it elsewhere',
    check: (tree) =>
      each(
        matching(tree, /^crates\/[^/]+\/src\/lib\.rs$/).filter(
          ([path]) => !unsafeCrates.has(path.split('/')[1]),
        ),
        ([path, text]) =>
          !/^#!\[forbid\(unsafe_code\)\]$/m.test(text) && `${path} does not forbid unsafe code`,
      ),
  },
  {
    name: 'instruction sets are known to kernels only',
    check: (tree) =>
      each(matching(tree, /^crates\/.*\.rs$/), ([path, text]) => {
        const found = /\b(?:std|core)::arch\b|target_feature|is_\w+_feature_detected/.exec(
          rustCode(text),
        )
        return !path.startsWith('crates/kernels/') && found && `${path} has ${found[0]}`
      }),
  },
  {
    name: 'only src/native.ts touches the binary',
    check: (tree) =>
      each(
        matching(tree, /^src\/.*\.ts$/).flatMap(([path, text]) =>
          importsOf(text).map(({ from }) => ({ path, from })),
        ),
        ({ path, from }) =>
          path !== 'src/native.ts' &&
          /(^|\/)native\/|\.node$/.test(from) &&
          `${path} imports ${from}`,
      ),
  },
  {
    name: 'a folder of src imports its own files, the roots, and the public face of others',
    check: (tree) => {
      const faces = new Set(publicNames(tree).map(({ path }) => path))
      const folder = (path) => posix.dirname(path)
      return each(sourceImports(tree), ({ path, target }) => {
        if (path === 'src/index.ts' || target.startsWith('native/')) return
        if (target === 'src/index.ts') return `${path} imports index.ts, which is for users`
        if (folder(path) === folder(target) || (folder(target) === 'src' && path !== target)) return
        if (folder(path) === 'src') return `${path} is a root and imports ${target} of a folder`
        return !faces.has(target) && `${path} imports ${target}, an inner file of another folder`
      })
    },
  },
  {
    name: 'no file of src imports itself by a circle',
    check: (tree) => {
      const imports = sourceImports(tree).filter(({ types }) => !types)
      const graph = byPath(imports)
      const done = new Set()
      const problems = []
      const visit = (path, trail) => {
        if (trail.includes(path)) {
          problems.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
        } else if (!done.has(path)) {
          for (const { target } of graph.get(path) ?? []) visit(target, [...trail, path])
          done.add(path)
        }
      }
      for (const { path } of imports) visit(path, [])
      return { examined: imports.length, problems }
    },
  },
  {
    name: 'src/index.ts re-exports and does nothing else',
    check: (tree) => {
      const text = (tree.get('src/index.ts')?.text ?? '').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
      const rest = text.replaceAll(/export\s+(?:type\s+)?\{[^}]*\}\s*from\s*'[^']+'/g, '').trim()
      const problems = rest === '' ? [] : [`src/index.ts has more: ${rest.slice(0, 60)}`]
      return { examined: publicNames(tree).length, problems }
    },
  },
  {
    name: 'every public name is documented',
    check: (tree) => {
      const docs = matching(tree, /^(README|docs\/.*)\.md$/)
        .map(([, text]) => text)
        .join('\n')
      return each(
        publicNames(tree),
        ({ name }) => !new RegExp(`\\b${name}\\b`).test(docs) && `${name} is in no page of docs/`,
      )
    },
  },
  {
    name: 'the library prints nothing: only src/cli does',
    check: (tree) =>
      each(
        matching(tree, /^src\/(?!cli\/).*\.ts$/),
        ([path, text]) =>
          /\bconsole\.\w|process\.(stdout|stderr)/.test(
            text.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*/g, ''),
          ) && `${path} prints`,
      ),
  },
  {
    name: 'every dependency has its reason in docs/ARCHITECTURE.md',
    check: (tree) => {
      const page = tree.get('docs/ARCHITECTURE.md')?.text ?? ''
      const [, table = ''] =
        /\[workspace\.dependencies\]([\s\S]*?)(?:\n\[|$)/.exec(
          tree.get('Cargo.toml')?.text ?? '',
        ) ?? []
      const rust = [...table.matchAll(/^([\w-]+)\s*=/gm)].map(([, name]) => name)
      const { dependencies, devDependencies } = JSON.parse(tree.get('package.json')?.text ?? '{}')
      const names = [...rust, ...Object.keys({ ...dependencies, ...devDependencies })]
      return each(
        names.filter((name) => !name.startsWith('inlay-')),
        (name) => !page.includes(`\`${name}\``) && `${name} is not named there`,
      )
    },
  },
  {
    name: 'rooms are named by their idea, files in kebab-case or snake_case',
    check: (tree) =>
      each([...tree.keys()], (path) => {
        const parts = path.split('/')
        const stem = parts.at(-1).replace(/^\./, '').split('.')[0]
        const room = parts.find((part) => /^(utils?|helpers?|common|misc)(\.|$)/i.test(part))
        if (room) return `${path}: ${room} says nothing of what is in it`
        const cased = path.endsWith('.rs') ? /^[a-z0-9_]+$/ : /^[a-z0-9]+(-[a-z0-9]+)*$/
        return /\.(ts|mjs|rs)$/.test(path) && !cased.test(stem) && `${path} is in no known case`
      }),
  },
  {
    name: 'no file over 1 MB but the listed ones',
    check: (tree) =>
      each(
        [...tree],
        ([path, { size }]) =>
          size > 1 << 20 && !largeFiles.has(path) && `${path} has ${(size / 1e6).toFixed(1)} MB`,
      ),
  },
  {
    name: 'package-lock.json names no host',
    check: (tree) => {
      const text = tree.get('package-lock.json')?.text ?? '{}'
      const hosts = text.split('\n').filter((line) => /"resolved":/.test(line))
      return { examined: Object.keys(JSON.parse(text).packages ?? {}).length, problems: hosts }
    },
  },
  {
    name: 'no file names a folder of one machine',
    check: (tree) =>
      each(matching(tree, /\.(ts|mjs|rs|toml|json|yml|md|sh|py)$|^\.ci\//), ([path, text]) => {
        const found = /(?<=[\s"'`(=])\/(?:work|root|tmp|home\/\w+|Users\/\w+)\/[\w.-]+/.exec(text)
        return found && `${path}: ${found[0]}`
      }),
  },
  {
    name: 'links between pages lead somewhere',
    check: (tree) => {
      const folders = new Set(
        [...tree.keys()].flatMap((path) =>
          path.split('/').map((_, depth, parts) => parts.slice(0, depth).join('/')),
        ),
      )
      const links = matching(tree, /\.md$/).flatMap(([path, text]) =>
        [
          ...text
            .replaceAll(/```[\s\S]*?```|`[^`\n]*`/g, '')
            .matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g),
        ]
          .map(([, to]) => to)
          .filter((to) => !/^\w+:/.test(to))
          .map((to) => ({
            path,
            to,
            target: posix.join(posix.dirname(path), to).replace(/\/$/, ''),
          })),
      )
      return each(
        links,
        ({ path, to, target }) =>
          !tree.has(target) && !folders.has(target) && `${path} links to ${to}`,
      )
    },
  },
  {
    name: 'one version: package.json, Cargo.toml, CHANGELOG.md',
    check: (tree) => {
      const { version } = JSON.parse(tree.get('package.json')?.text ?? '{}')
      const cargo = /\[workspace\.package\][^[]*?^version = "([^"]+)"/m.exec(
        tree.get('Cargo.toml')?.text ?? '',
      )?.[1]
      const changes = [...(tree.get('CHANGELOG.md')?.text ?? '').matchAll(/^## (\S+)/gm)].map(
        ([, name]) => name,
      )
      const problems = []
      if (cargo !== version) problems.push(`package.json has ${version}, Cargo.toml ${cargo}`)
      if (!changes.includes(version)) problems.push(`CHANGELOG.md says nothing of ${version}`)
      return { examined: version === undefined ? 0 : 3, problems }
    },
  },
]

/** Imports by the file that has them. */
function byPath(imports) {
  const map = new Map()
  for (const one of imports) map.set(one.path, [...(map.get(one.path) ?? []), one])
  return map
}

/** What became of a rule: the problems, or that it found nothing to look at. */
export function verdict({ check }, tree) {
  const { examined, problems } = check(tree)
  return { examined, problems: examined === 0 ? ['found nothing to look at'] : problems }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const tree = readTree(resolve(import.meta.dirname, '..'))
  for (const rule of rules) {
    const { examined, problems } = verdict(rule, tree)
    console.log(`${problems.length === 0 ? 'ok' : 'not ok'} ${rule.name} (${examined})`)
    for (const problem of problems) console.log(`   ${problem}`)
    if (problems.length > 0) process.exitCode = 1
  }
  const long = matching(tree, /\.(rs|ts|mjs)$/)
    .map(([path, text]) => ({ path, lines: text.split('\n').length }))
    .filter(({ lines }) => lines > 400)
  for (const { path, lines } of long) console.log(`note: ${path} has ${lines} lines: two ideas?`)
}
