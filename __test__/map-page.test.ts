import test from 'ava'
import { mapPage } from '../examples/map-page.js'

const words = [
  {
    word: 'rare',
    count: 2,
    x: 0,
    y: 0,
    group: 0,
    neighbours: [{ word: 'often', similarity: 0.5 }],
  },
  {
    word: 'often',
    count: 9,
    x: 1,
    y: 2,
    group: 1,
    neighbours: [{ word: 'elsewhere', similarity: 0.7 }],
  },
  { word: '</script><b>', count: 1, x: 3, y: 4, group: 2, neighbours: [] },
]

function dataOf(page: string): unknown {
  const [, json = ''] =
    /<script type="application\/json" id="data">\s*([\s\S]*?)\s*<\/script>/.exec(page) ?? []
  return JSON.parse(json)
}

test('a map holds its words, the most frequent first, with the neighbours that are on it', (t) => {
  t.deepEqual(dataOf(mapPage('Title', 'About', words)), [
    ['often', 9, 1, 2, 1, []],
    ['rare', 2, 0, 0, 0, [[0, 0.5]]],
    ['</script><b>', 1, 3, 4, 2, []],
  ])
})

test('title and words cannot break out of the page', (t) => {
  const page = mapPage('A < B & "C"', '<i>', words)
  t.regex(page, /<title>A &lt; B &amp; &quot;C&quot;<\/title>/)
  t.notRegex(page, /<i>|<b>/)
})

test('a map needs nothing beside it', (t) => {
  t.notRegex(mapPage('Title', 'About', words), /(src|href)=|https?:|@import|url\(|fetch\(/)
})
