// node scripts/new-model.mjs glove [GloVe]
//
// Makes the files of a new word model: the face with its table of options, a test, a page, and the
// line in src/index.ts. All of it compiles and passes the layout's rules; the test fails until it
// says what the model learns. docs/adding-a-model.md leads on from there.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

process.chdir(join(import.meta.dirname, '..'))

const [name, given] = process.argv.slice(2)
if (name === undefined || !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) {
  console.error('usage: node scripts/new-model.mjs name-in-kebab-case [ClassName]')
  process.exit(2)
}
const pascal = name.replaceAll(/(?:^|-)(.)/g, (_, letter) => letter.toUpperCase())
const Model = given ?? pascal
const options = `${Model.charAt(0).toLowerCase()}${Model.slice(1)}Options`

const face = `import { type Corpus, corpusOptions, readCorpus } from '../corpus/corpus.js'
import type { CorpusSource } from '../corpus/source.js'
import { InlayError } from '../errors.js'
import { type Options, type RunOptions, integer, settle } from '../options.js'

/** Every option of \`${Model}.train\`: default, limits, meaning. In brackets: names elsewhere. */
export const ${options} = {
  ...corpusOptions,
  /** Values in a word's vector. */
  dimensions: integer(100, { from: 1, to: 4096 }, "values in a word's vector"),
}

/** The options of \`${Model}.train\`: see \`${options}\`. */
export type ${Model}Options = Options<typeof ${options}> & RunOptions

/**
 * What it learns, in a sentence, with the paper (authors, year, arXiv number) and its formula.
 *
 *     source ─▶ corpus ─▶ ...
 */
export class ${Model} {
  /**
   * Trains on \`source\`. Say what a seed promises.
   *
   * @throws {InvalidOptionError} before anything is read
   * @throws {InlayError} as \`Corpus.read\`
   */
  static async train(source: CorpusSource, given: ${Model}Options = {}): Promise<${Model}> {
    const who = '${Model}.train'
    const { settings, run } = settle(${options}, given, who)
    using corpus = await readCorpus(source, settings, run, who)
    return new ${Model}(corpus)
  }

  private constructor(corpus: Corpus) {
    throw new InlayError('UNSUPPORTED', \`${Model} has \${corpus.size} words and nothing to learn yet\`)
  }
}
`

const test = `import test from 'ava'
import { ${Model} } from 'inlay'

const sentences = [
  ['the', 'cat', 'drinks', 'milk'],
  ['the', 'dog', 'drinks', 'water'],
]

test('describe what ${Model} learns', async (t) => {
  const training = ${Model}.train(sentences, { minCount: 1, seed: 1, threads: 1 })
  await t.notThrowsAsync(
    training,
    'describe what it learns: a property of its result on sentences small enough to read here, and the step of its formula as a finite difference of its loss in crates/words',
  )
})
`

const page = `# ${Model}

What it is for, in a sentence, with the paper. \`${Model}\` does not train yet.

## What it learns

The formula, with every letter said in words; what is the same as in the paper, and what is not and why.

## Options

<!-- generated: options src/words/${name}.ts ${options} -->
<!-- end -->

And those of the [corpus](corpus.md#options) and of [every run](ARCHITECTURE.md#the-run-contract). \`${options}\` is this table for
programs, \`${Model}Options\` its type.

## Same seed, same bytes

## Errors
`

const index = 'src/index.ts'
const made = {
  [`src/words/${name}.ts`]: face,
  [`__test__/words/${name}.test.ts`]: test,
  [`docs/${name}.md`]: page,
}
const there = Object.keys(made).filter((path) => existsSync(path))
if (there.length > 0) {
  console.error(`${there.join(', ')}: there already; nothing was changed`)
  process.exit(1)
}
for (const [path, text] of Object.entries(made)) {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  console.log(`made     ${path}`)
}
const line = `export { ${Model}, ${options}, type ${Model}Options } from './words/${name}.js'\n`
writeFileSync(index, `${readFileSync(index, 'utf8').trimEnd()}\n${line}`)
console.log(`changed  ${index}`)
spawnSync(process.execPath, ['node_modules/oxfmt/bin/oxfmt', ...Object.keys(made), index])
console.log(`
Next: docs/adding-a-model.md, step 2. The test fails until it says what ${Model} learns:
  node scripts/check-docs.mjs --write && npm test -- layout ava`)
