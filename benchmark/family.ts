// What the families of benchmarks have in common: how they are chosen, told what to do, and heard.
import type { Outcome } from './rounds.js'

/** What was asked for on the command line; undefined: the family's own default. */
export interface Settings {
  /** Whether a contest was asked for. */
  readonly chosen: (id: string) => boolean
  readonly rounds: number
  readonly megabytes: number | undefined
  readonly tools: readonly string[] | undefined
  readonly rows: number | undefined
  readonly seeds: number
  readonly epochs: number
  readonly threads: number
  readonly fresh: boolean
  /** A folder for files of this run alone. */
  readonly folder: string
  /** Says what goes on. */
  readonly say: (text: string) => void
  /** Takes a result: prints and keeps it. */
  readonly tell: (result: Outcome | Scores) => void
}

/** Figures that are no speeds: a table as it is to be read. */
export interface Scores {
  readonly id: string
  readonly title: string
  readonly about: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** The result in a few words, for the table that opens the page. */
  readonly summary?: string
}

export interface Family {
  readonly name: string
  readonly summary: string
  /** What its figures mean, for the page. */
  readonly about: string
  /** The options that it reads. */
  readonly options: readonly string[]
  /** The names of its contests. */
  readonly contests: () => readonly string[]
  readonly run: (settings: Settings) => Promise<void>
}
