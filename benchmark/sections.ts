// A page of sections that hold tables, read so that new ones can take the place of old ones.

/** Tables by their titles, as they are written. */
export interface Section {
  readonly about: string
  readonly tables: ReadonlyMap<string, string>
}

/** The sections of a page by their titles. What stands before the first one is under ''. */
export function sectionsOf(page: string): Map<string, Section> {
  const sections = new Map<string, Section>()
  for (const [title, text] of split(page, '## ')) {
    const parts = split(text, '### ')
    const about = parts.get('')!.trim()
    parts.delete('')
    const tables = [...parts].map(([name, table]) => [name, `### ${name}\n${table.trimEnd()}\n`])
    sections.set(title, { about, tables: new Map(tables as [string, string][]) })
  }
  return sections
}

/** New tables in the places of those of the same titles, the others behind them. */
export function merged(
  old: Section | undefined,
  about: string,
  tables: readonly string[],
): Section {
  const titled = tables.map((table) => [/^### (.*)/.exec(table)![1]!, table] as const)
  return { about, tables: new Map([...(old?.tables ?? []), ...titled]) }
}

/** A section as a part of a page. */
export function written(title: string, { about, tables }: Section): string {
  return [`## ${title}\n`, `${about}\n`, ...tables.values()].join('\n')
}

/** Text by the line that begins with a mark and stands before it; '' for what comes first. */
function split(text: string, mark: string): Map<string, string> {
  const parts = `\n${text}`.split(`\n${mark}`)
  return new Map(
    parts.map((part, i) => {
      if (i === 0) return ['', part]
      const end = part.indexOf('\n')
      return end < 0 ? [part, ''] : [part.slice(0, end), part.slice(end + 1)]
    }),
  )
}
