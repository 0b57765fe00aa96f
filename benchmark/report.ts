// Results as people read them: tables for a terminal and for docs/benchmarks.md.
import { quantity } from '#inlay/cli/quantities.js'
import type { Scores } from './family.js'
import { type Outcome, type Standing, spread } from './rounds.js'

interface Table {
  readonly title: string
  readonly about: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** A result with when it was had, of which state of the project. */
export interface Kept {
  readonly result: Outcome | Scores
  readonly date: string
  readonly commit: string
  readonly machine: string
}

/** For the terminal. */
export function plainText(result: Outcome | Scores): string {
  const { title, about, head, rows } = tableOf(result)
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]!.length)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd()
  const rule = widths.map((width) => '─'.repeat(width)).join('  ')
  return [title, wrapped(about), '', line(head), rule, ...rows.map(line), ''].join('\n')
}

function wrapped(text: string): string {
  return text
    .replaceAll('\n', ' ')
    .replaceAll(/(.{1,110})(?: |$)/g, '$1\n')
    .trimEnd()
}

/** For the page. */
export function markdown({ result, date, commit }: Kept): string {
  const { title, about, head, rows } = tableOf(result)
  const line = (row: readonly string[]) => `| ${row.join(' | ')} |`
  return [
    `### ${title}`,
    '',
    `${about.replaceAll('\n', ' ')} Measured on ${date}, at ${commit}.`,
    '',
    line(head),
    `| --- |${' ---: |'.repeat(head.length - 1)}`,
    ...rows.map(line),
    '',
  ].join('\n')
}

function tableOf(result: Outcome | Scores): Table {
  return 'standings' in result ? outcomeTable(result) : result
}

function outcomeTable(outcome: Outcome): Table {
  const { clock, shows, unit, rounds, others, standings } = outcome
  const told = others === undefined ? '' : `; others kept ${others.toFixed(2)} cores busy`
  const figure =
    shows === 'milliseconds' ? 'ms' : `${unit} / ${clock === 'cpu' ? 'CPU second' : 'second'}`
  return {
    title: outcome.title,
    about: `${outcome.about} Median of ${rounds} round(s), lowest to highest${told}.`,
    head: ['', figure, 'spread', "× the first's time", 'spread', 'wall s'],
    rows: standings.map((standing, i) => outcomeRow(standing, i, outcome)),
  }
}

function outcomeRow(standing: Standing, place: number, { shows, unit }: Outcome): string[] {
  const { name, missing, rates, ratios, walls } = standing
  if (missing !== undefined) return [`${name} (${missing})`, 'missing', '', '', '', '']
  const show = (value: number) =>
    shows === 'milliseconds' ? threeFigures(value) : quantity(value, '').trim()
  const scale = (rate: number) => (shows === 'milliseconds' ? 1000 / rate : rate)
  const prefix = unit === 'bytes' && shows !== 'milliseconds' ? 'B' : ''
  const figure = spread(rates.map(scale))
  const ratio = spread(ratios)
  return [
    name,
    show(figure.median) + prefix,
    `${show(figure.low)} to ${show(figure.high)}`,
    place === 0 ? '1' : times(ratio.median),
    place === 0 ? '' : `${times(ratio.low)} to ${times(ratio.high)}`,
    threeFigures(spread(walls).median),
  ]
}

/** The results of one-thread training by model: what inlay does a second, and what of the others'
 * time it needs; speed and quality in one row. Rows of `old`, such a table, stay where a model was not measured again. */
export function glance(
  models: readonly { title: string; speed: Outcome; quality: Scores | undefined }[],
  old = '',
): string {
  const [head, , ...before] = old.trim().split('\n').map(cellsOf)
  const peersBefore = head?.slice(2, -1) ?? []
  const peersNow = models.flatMap(({ speed }) => speed.standings.slice(1).map(nameOf))
  const peers = [...new Set([...peersBefore, ...peersNow.map((peer) => `${peer} takes`)])]
  const rows = new Map<string, readonly string[]>()
  for (const [title, rate, ...others] of before) {
    const [ratios, quality] = [others.slice(0, -1), others.at(-1)]
    rows.set(title!, [title!, rate!, ...peers.map((_, i) => ratios[i] ?? ''), quality!])
  }
  for (const { title, speed, quality } of models) {
    const [first] = speed.standings
    const rate = `${quantity(spread(first!.rates).median, speed.unit)}/s`
    const ratios = peers.map((peer) => {
      const standing = speed.standings.find((one) => `${nameOf(one)} takes` === peer)
      return standing?.ratios.length ? `${times(spread(standing.ratios).median)}x` : ''
    })
    rows.set(title, [title, rate, ...ratios, quality?.summary ?? 'not measured'])
  }
  return [
    `| one thread, CPU time | inlay | ${peers.join(' | ')} | quality, points above word2vec.c |`,
    `| --- | ---: |${' ---: |'.repeat(peers.length)} --- |`,
    ...[...rows.values()].map((row) => `| ${row.join(' | ')} |`),
    '',
  ].join('\n')
}

/** The cells of a row of a table. */
const cellsOf = (row: string) =>
  row
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())

const nameOf = ({ name }: Standing) => name

function threeFigures(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

/** "2.46", "25.1", "251". */
function times(ratio: number): string {
  return ratio.toFixed(ratio < 9.95 ? 2 : ratio < 99.5 ? 1 : 0)
}
