import test from 'ava'
import { merged, sectionsOf, written } from '../../benchmark/sections.js'

const page = `# Benchmarks

- Machine: one

## Words

About words.

### First

| a | 1 |

### Second

| b | 2 |

## Sounds

About sounds.

### Third

| c | 3 |
`

test('a page is its sections and their tables', (t) => {
  const sections = sectionsOf(page)
  t.deepEqual([...sections.keys()], ['', 'Words', 'Sounds'])
  t.regex(sections.get('')!.about, /^# Benchmarks\n\n- Machine: one$/)
  t.is(sections.get('Words')!.about, 'About words.')
  t.deepEqual([...sections.get('Words')!.tables.keys()], ['First', 'Second'])
  const [first, ...rest] = [...sections].map(([title, section]) => written(title, section))
  t.true(first!.includes('- Machine: one'))
  t.is(rest.join('\n'), page.slice(page.indexOf('## Words')))
})

test('what is measured again takes the place of what was there, and nothing else goes', (t) => {
  const old = sectionsOf(page).get('Words')
  const both = merged(old, 'New.', ['### Second\n\n| b | 9 |\n', '### Fourth\n\n| d | 4 |\n'])
  t.is(
    written('Words', both),
    '## Words\n\nNew.\n\n### First\n\n| a | 1 |\n\n### Second\n\n| b | 9 |\n\n### Fourth\n\n| d | 4 |\n',
  )
  t.deepEqual([...merged(undefined, 'New.', ['### One\n']).tables.keys()], ['One'])
})
