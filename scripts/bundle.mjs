// Makes dist/index.js, dist/cli/main.js and the one file that both stand on, of the modules in build/src: to load
// two hundred modules one by one takes Node.js longer than all that they do.
import { build } from 'esbuild'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

process.chdir(join(import.meta.dirname, '..'))

for (const name of readdirSync('dist', { recursive: true })) {
  if (name.endsWith('.js')) rmSync(join('dist', name))
}
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
  logLevel: 'warning',
})
