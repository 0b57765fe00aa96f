// The map of the quickstart: which words, where, and beside which others.
import { type Corpus, WordVectors } from 'inlay'
import { groupsOf } from './groups.js'
import { mapPage } from './map-page.js'

const title = 'Two centuries of American words'
const about = `The 500 most frequent words of the State of the Union addresses, 1790 to 2021, where two
principal components of their Word2Vec vectors place them. Colours are groups in all dimensions.`

/** Words that say little by themselves: they would fill the middle of the map. */
const functionWords = new Set(
  `a about above after again against ago all almost alone along already also although always am among an and
  another any are around as at away be became because become been before being below between both but by came
  can cannot come could did do does done down during each either else enough especially even ever every far few
  first for from further gave give given go going got had has have having he her here him himself his how
  however i if in into is it its it's itself just keep kept know last least less let like long made make
  makes making many may me might more most much must my myself near nearly necessary neither never next no nor
  not nothing now of off often on once one only or other others otherwise our ours ourselves out over own part
  per perhaps put rather said same say see seen set several shall she should since so some something soon
  still such take taken tell than that that's the their them themselves then there thereby therefore these they
  thing things third this those though three through throughout thus till to together too took toward towards
  two under until up upon us use used very want was way we well went were what whatever when where whether
  which while who whole whom whose why will with within without would yet you your four five six ten second
  year years time day days we're we've don't i'm u.s mr march june july december january september`.split(
    /\s+/,
  ),
)

/** An HTML page with the most frequent words that mean something. */
export async function mapOf(corpus: Corpus, vectors: WordVectors, size = 500): Promise<string> {
  const words = vectors.words
    .slice(0, Math.min(vectors.size, 3 * size))
    .filter((word) => !functionWords.has(word) && /^\p{L}{2,}$/u.test(word))
    .slice(0, size)
  const rows = Float32Array.from(words.flatMap((word) => Array.from(vectors.vector(word))))
  using chosen = WordVectors.from(words, rows, vectors.dimensions)
  // Directions alone: a vector's length tells how frequent and how specific its word is.
  using directions = await chosen.normalized()
  using centered = await directions.centered()
  using spread = await centered.normalized()

  const places = await directions.principalComponents(2)
  const groups = groupsOf(await spread.matrix(), vectors.dimensions, 8)
  const neighbours = await directions.mostSimilarEach(words, { topK: 8 })
  return mapPage(
    title,
    about.replaceAll('\n', ' '),
    words.map((word, i) => ({
      word,
      count: corpus.count(word),
      x: places[2 * i]!,
      y: places[2 * i + 1]!,
      group: groups[i]!,
      neighbours: neighbours[i]!,
    })),
  )
}
