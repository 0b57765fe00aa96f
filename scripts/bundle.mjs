// Makes dist/index.js, dist/cli/main.js and the one file that both stand on, of the modules in build/src: to load
// two hundred modules one by one takes Node.js longer than all that they do.
import { build } from 'esbuild'
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

process.chdir(join(import.meta.dirname, '..'))

/** The paths of the JavaScript in dist/. */
const scripts = () =>
  readdirSync('dist', { recursive: true })
    .filter((name) => name.endsWith('.js'))
    .map((name) => join('dist', name))

/**
 * The functions of the binary by names that nothing of ours has: those that meet them in one file would be
 * renamed, `configure` to `configure2`, and users see that in stacks.
 */
const nativeNames = {
  name: 'native names',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/]native\.js$/ }, ({ path }) => {
      const [, list] = /export \{([^}]*)\} from '#native'/.exec(readFileSync(path, 'utf8'))
      const names = list.match(/\w+/g)
      const imports = names.map((name) => `${name} as native_${name}`)
      const exports = names.map((name) => `native_${name} as ${name}`)
      return { contents: `import { ${imports} } from '#native'\nexport { ${exports} }` }
    })
  },
}

for (const path of scripts()) rmSync(path)
await build({
  entryPoints: ['build/src/index.js', 'build/src/cli/main.js'],
  outbase: 'build/src',
  outdir: 'dist',
  chunkNames: 'shared',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  external: ['#native'],
  plugins: [nativeNames],
  logLevel: 'warning',
})

// esbuild makes `class X` that names itself `var X = class _X`, and messages have the name of the class. Its
// `keepNames` gives each function its name when it is made: 2.5 ms of an import. Here the class is `X` again.
for (const path of scripts()) {
  const text = readFileSync(path, 'utf8')
  const classes = new Set([...text.matchAll(/^var (\w+) = class _\1\b/gm)].map(([, name]) => name))
  writeFileSync(
    path,
    text.replaceAll(/\b_(\w+)\b/g, (all, name) => (classes.has(name) ? name : all)),
  )
}
