// The text that all tools read: real English, cut into lines of 1,000 words. Of a text that is one
// line, as wiki8 is, gensim would read the first 20,000 words, and say nothing.
import { spawn } from 'node:child_process'
import { createReadStream, createWriteStream, existsSync, mkdirSync, renameSync } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { StringDecoder } from 'node:string_decoder'
import { createGunzip } from 'node:zlib'

/** The project's folder. */
export const root = join(import.meta.dirname, '..', '..')
/** What benchmarks keep from one run to the next: texts and results. Ignored by git. */
export const shelf = join(root, 'build', 'benchmark-files')
/** Data sets that are not part of the project. */
export const dataFolder = process.env['INLAY_DATA'] ?? join(root, '..', 'shared', 'data')

export interface BenchmarkText {
  readonly path: string
  /** What it is, for the report. */
  readonly title: string
  readonly bytes: number
  /** Words in all, counted here, in plain JavaScript. */
  readonly words: number
  /** Different words. */
  readonly types: number
  /** Different words that occur five times or more. */
  readonly frequent: number
}

const wiki = join(dataFolder, 'text', 'english-100mb', 'wiki8.zst')
const speeches = join(root, 'examples', 'data', 'state-of-the-union.txt.gz')
const wordsInLine = 1000

/** The first megabytes (10^6 bytes) of the best text that is here; made once, then kept. */
export async function benchmarkText(
  megabytes: number,
  say: (text: string) => void,
): Promise<BenchmarkText> {
  const large = existsSync(wiki)
  const name = large ? 'wiki8' : 'state-of-the-union'
  if (!large) say('no English Wikipedia text in INLAY_DATA: the State of the Union corpus instead')
  const path = join(shelf, 'texts', `${name}-${megabytes}.txt`)
  const figures = `${path}.json`
  if (!existsSync(path) || !existsSync(figures)) {
    say(`cutting ${megabytes} MB of ${name} into lines of ${wordsInLine} words`)
    mkdirSync(dirname(path), { recursive: true })
    const source = large ? unpackedZstd(wiki) : createReadStream(speeches).pipe(createGunzip())
    await writeFile(figures, JSON.stringify(await cut(source, path, megabytes * 1e6)))
  }
  const counted = JSON.parse(await readFile(figures, 'utf8'))
  const { size } = await stat(path)
  if (size < megabytes * 0.99e6) say(`the text has ${(size / 1e6).toFixed(1)} MB and no more`)
  const source = large ? 'English Wikipedia (wiki8)' : 'State of the Union addresses'
  return { path, title: `${(size / 1e6).toFixed(0)} MB of ${source}`, bytes: size, ...counted }
}

/** Cuts and counts as much of a text as fits into so many bytes. */
async function cut(source: AsyncIterable<Buffer>, path: string, bytes: number) {
  const counts = new Map<string, number>()
  let total = 0
  async function* lines() {
    let line: string[] = []
    let room = bytes
    for await (const word of wordsOf(source)) {
      room -= Buffer.byteLength(word) + 1
      if (room < 0) break
      counts.set(word, (counts.get(word) ?? 0) + 1)
      total++
      if (line.push(word) === wordsInLine) {
        yield `${line.join(' ')}\n`
        line = []
      }
    }
    if (line.length > 0) yield `${line.join(' ')}\n`
  }
  await pipeline(lines, createWriteStream(`${path}.part`))
  renameSync(`${path}.part`, path)
  let frequent = 0
  for (const count of counts.values()) if (count >= 5) frequent++
  return { words: total, types: counts.size, frequent }
}

/** The words of UTF-8 text, between ASCII white space. */
export async function* wordsOf(source: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  for await (const chunk of source) {
    const words = (rest + decoder.write(chunk)).split(/[ \t\n\v\f\r]+/)
    rest = words.pop()!
    for (const word of words) if (word !== '') yield word
  }
  if (rest !== '') yield rest
}

/** Node reads zstd from 22.15 on only. Whoever stops reading ends the program. */
async function* unpackedZstd(path: string): AsyncGenerator<Buffer> {
  const child = spawn('zstd', ['-dcq', path], { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = new Promise<string | number | null>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', resolve)
  })
  yield* child.stdout
  const status = await ended
  if (status !== 0) throw new Error(`zstd could not unpack the text: ${status}`)
}

/** A file of the data folder's `text/evaluation`, unpacked; undefined if it is not here. */
export async function evaluationFile(name: string): Promise<string | undefined> {
  const source = join(dataFolder, 'text', 'evaluation', name)
  if (!name.endsWith('.gz')) return existsSync(source) ? source : undefined
  if (!existsSync(source)) return undefined
  const path = join(shelf, 'texts', name.replace(/\.gz$/, ''))
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true })
    await pipeline(createReadStream(source), createGunzip(), createWriteStream(path))
  }
  return path
}

/** The same lines in an order that the seed gives: what makes two runs of word2vec.c differ, since
 * its own random numbers begin alike in every run. */
export async function shuffledLines(from: string, to: string, seed: number): Promise<void> {
  const lines = (await readFile(from, 'utf8')).trimEnd().split('\n')
  let state = Math.imul(seed, 0x9e3779b9) | 1
  for (let i = lines.length - 1; i > 0; i--) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    const j = (state >>> 0) % (i + 1)
    ;[lines[i], lines[j]] = [lines[j]!, lines[i]!]
  }
  await writeFile(to, `${lines.join('\n')}\n`)
}
