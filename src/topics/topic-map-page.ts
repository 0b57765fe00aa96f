// The map of topics as one HTML page that needs nothing beside it, in the manner of LDAvis (Sievert, Shirley
// 2014): topics as circles, near one another where they have like words; for the chosen one its words by
// relevance, λ ln p(w|t) + (1 - λ) ln (p(w|t) / p(w)), with how much of each word is in it.

/** A topic on the map. */
export interface MappedTopic {
  readonly x: number
  readonly y: number
  /** Words of the text that have it. */
  readonly size: number
  /** Words that may stand first: p(word | topic), and how often the word is there at all. */
  readonly words: readonly {
    readonly word: string
    readonly probability: number
    readonly count: number
  }[]
}

/** The page; `topWords` are shown of a topic. */
export function topicMapPage(
  title: string,
  topWords: number,
  topics: readonly MappedTopic[],
): string {
  const rows = topics.map(({ x, y, size, words }) => [
    rounded(x),
    rounded(y),
    size,
    words.map(({ word, probability, count }) => [word, Number(probability.toPrecision(4)), count]),
  ])
  const parts: Record<string, string> = {
    title: escaped(title),
    topWords: String(topWords),
    // A word such as "</script>" must not end the element that the data lies in.
    data: JSON.stringify(rows).replaceAll('<', String.raw`\u003c`),
  }
  return template.replaceAll(/\{\{(\w+)\}\}/g, (whole, name: string) => parts[name] ?? whole)
}

function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000
}

function escaped(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return text.replaceAll(/[&<>"]/g, (character) => entities[character]!)
}

const template = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{title}}</title>
<style>
:root { color-scheme: light dark; --mark: #2a7ab8; --rest: #8886; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; font: 15px/1.4 system-ui, sans-serif; }
main { display: flex; flex-wrap: wrap; gap: 2rem; }
main > * { flex: 1 1 26rem; min-width: 0; }
svg { width: 100%; height: auto; }
circle { fill: var(--mark); fill-opacity: .35; stroke: var(--mark); cursor: pointer; }
circle.chosen { fill-opacity: .85; }
text { fill: currentColor; font-size: 12px; pointer-events: none; text-anchor: middle; }
table { border-collapse: collapse; width: 100%; }
td { padding: 1px 4px; }
td:first-child { text-align: right; width: 9rem; overflow-wrap: anywhere; }
.bar { background: var(--rest); height: 1em; }
.own { background: var(--mark); height: 100%; }
input { vertical-align: middle; }
</style>
</head>
<body>
<h1>{{title}}</h1>
<main>
<svg id="map" viewBox="-300 -300 600 600" role="img" aria-label="Topics, near one another where they have like words"></svg>
<section>
<p><button id="back">←</button> <b id="name"></b> <button id="next">→</button>
<label>λ <input id="weight" type="range" min="0" max="1" step="0.1" value="0.6"> <span id="shown"></span></label></p>
<table><tbody id="words"></tbody></table>
<p>Blue: how often a word has this topic; grey: how often it is there at all. λ = 1 puts the most likely words first, λ = 0 those
that the other topics lack.</p>
</section>
</main>
<script type="application/json" id="data">{{data}}</script>
<script>
const topics = JSON.parse(document.getElementById('data').textContent)
const at = (id) => document.getElementById(id)
const all = topics.reduce((sum, topic) => sum + topic[2], 0)
const draw = (name, attributes) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const key in attributes) element.setAttribute(key, attributes[key])
  return element
}
const largest = topics.map((_, i) => i).sort((a, b) => topics[b][2] - topics[a][2])
const circles = []
for (const i of largest) {
  const [x, y, size] = topics[i]
  const place = { cx: x * 240, cy: y * 240, r: 2 + 90 * Math.sqrt(size / all) }
  const circle = circles[i] = draw('circle', place)
  circle.addEventListener('click', () => choose(i))
  at('map').append(circle)
  const label = draw('text', { x: place.cx, y: place.cy + 4 })
  label.textContent = i
  at('map').append(label)
}
let chosen = largest[0] ?? 0
function choose(i) {
  circles[chosen]?.classList.remove('chosen')
  chosen = (i + topics.length) % topics.length
  circles[chosen].classList.add('chosen')
  const weight = Number(at('weight').value)
  const [, , size, words] = topics[chosen]
  at('name').textContent = 'Topic ' + chosen + ': ' + (100 * size / all).toFixed(1) + ' % of the words'
  at('shown').textContent = weight.toFixed(1)
  const relevance = ([, share, count]) => Math.log(share) - (1 - weight) * Math.log(count / all)
  const first = [...words].sort((a, b) => relevance(b) - relevance(a)).slice(0, {{topWords}})
  const most = Math.max(1, ...first.map(([, , count]) => count))
  at('words').replaceChildren(...first.map(([word, share, count]) => {
    const row = document.createElement('tr')
    const bar = document.createElement('div')
    const own = document.createElement('div')
    bar.className = 'bar'
    own.className = 'own'
    bar.style.width = 100 * count / most + '%'
    own.style.width = Math.min(100, 100 * share * size / count) + '%'
    bar.append(own)
    row.insertCell().textContent = word
    row.insertCell().append(bar)
    return row
  }))
}
at('back').addEventListener('click', () => choose(chosen - 1))
at('next').addEventListener('click', () => choose(chosen + 1))
at('weight').addEventListener('input', () => choose(chosen))
if (topics.length > 0) choose(chosen)
</script>
</body>
</html>
`
