// Contenders take turns: each round runs every one of them once, so that a busy machine touches all
// alike, and a ratio is taken within a round.
import { cpus } from 'node:os'

/** Seconds that one run took. */
export interface Sample {
  readonly wall: number
  /** User and system time on all threads; absent where it cannot be told apart from others'. */
  readonly cpu?: number
}

export interface Contender {
  readonly name: string
  /** Does the work once, checks its result, and gives the seconds of the work alone. */
  readonly run: (round: number) => Promise<Sample>
  /** Units of work, if not the contest's. */
  readonly work?: number
}

/** A contender that is not here, and why. */
export interface Missing {
  readonly name: string
  readonly missing: string
}

export interface Contest {
  /** As it is named on the command line and in the results. */
  readonly id: string
  readonly title: string
  /** What the figures mean. */
  readonly about: string
  /** What is counted: 'words', 'bytes', 'queries'. */
  readonly unit: string
  /** Units of work in one run. */
  readonly work: number
  /** What is compared: CPU seconds, which a busy machine disturbs little, or time on the wall. */
  readonly clock: 'cpu' | 'wall'
  /** How a figure is shown: units a second (the default), or the time for one unit. */
  readonly shows?: 'rate' | 'milliseconds'
  /** The first one is what the others are compared with. */
  readonly contenders: readonly (Contender | Missing)[]
}

export interface Standing {
  readonly name: string
  readonly missing: string | undefined
  /** Units a second by the contest's clock, a figure for each round. */
  readonly rates: readonly number[]
  /** Seconds on the wall, by round. */
  readonly walls: readonly number[]
  /** Its time as a multiple of the first contender's, by round. */
  readonly ratios: readonly number[]
}

export interface Outcome extends Omit<Contest, 'contenders'> {
  readonly standings: readonly Standing[]
  readonly rounds: number
  /** Cores that others kept busy meanwhile, on average; undefined where it could not be told. */
  readonly others: number | undefined
}

/** Holds a contest; `say` hears who runs. */
export async function hold(
  contest: Contest,
  rounds: number,
  say: (text: string) => void,
): Promise<Outcome> {
  const { contenders, ...rest } = contest
  const samples = contenders.map<Sample[]>(() => [])
  let watched = 0
  let stolen = 0
  for (let round = 0; round < rounds; round++) {
    for (const [i, contender] of contenders.entries()) {
      if ('missing' in contender) continue
      say(`${contest.id}, round ${round + 1} of ${rounds}: ${contender.name}`)
      const before = busy()
      const started = performance.now()
      const sample = await contender.run(round)
      const wall = (performance.now() - started) / 1000
      samples[i]!.push(sample)
      // Checking the result is ours too: only runs that are mostly work tell of others.
      if (sample.cpu !== undefined && sample.wall > 0.5 && sample.wall > 0.8 * wall) {
        watched += wall
        stolen += Math.max(0, busy() - before - sample.cpu - (wall - sample.wall))
      }
    }
  }
  const rates = contenders.map((contender, i) => {
    const work = ('missing' in contender ? undefined : contender.work) ?? contest.work
    return samples[i]!.map((sample) => work / (sample[contest.clock] ?? sample.wall))
  })
  const standings = contenders.map((contender, i) => ({
    name: contender.name,
    missing: 'missing' in contender ? contender.missing : undefined,
    rates: rates[i]!,
    walls: samples[i]!.map(({ wall }) => wall),
    ratios: rates[i]!.map((rate, round) => rates[0]![round]! / rate),
  }))
  return { ...rest, standings, rounds, others: watched > 0 ? stolen / watched : undefined }
}

/** The middle of some numbers, the least and the greatest. */
export function spread(values: readonly number[]): { median: number; low: number; high: number } {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const median = (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2
  return { median, low: sorted[0]!, high: sorted.at(-1)! }
}

/** Times something done in this process, with the CPU time of all its threads. */
export async function stopwatch(work: () => unknown): Promise<Sample> {
  const before = process.cpuUsage()
  const started = performance.now()
  await work()
  const wall = (performance.now() - started) / 1000
  const { user, system } = process.cpuUsage(before)
  return { wall, cpu: (user + system) / 1e6 }
}

/** Seconds for which the machine's cores have been busy since it started. */
function busy(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys, 0) / 1000
}
