// By how much pairs of a head's values turn from one position to the next, where a model was stretched to longer texts than it
// began with. In single precision, as those that trained with it have it.
import { InlayError, shown } from '../errors.js'
import type { Fields } from './model-folder.js'

/** What `selfAttention` takes as `rotary`: the base of all turns, or each by itself. */
export type RotaryTurns = number | { readonly speeds: readonly number[]; readonly scale?: number }

type Numbers = (key: string, fallback?: number) => number

/**
 * The turns that a configuration has, which are by base `base` if nothing else is said of them.
 *
 * @throws {InlayError} `UNSUPPORTED` turns that depend on how long a text is, or are of a kind that is not known here;
 *   `INVALID_INPUT` a number is missing
 */
export function turnsOf(
  config: Fields,
  said: Readonly<Record<string, unknown>>,
  base: number,
  pairs: number,
): RotaryTurns {
  const numbers: Numbers = (key, fallback) => {
    const given = said[key] ?? fallback
    if (typeof given === 'number' && given > 0) return given
    throw config.wrong(['rope_parameters'], `a \`${key}\` above 0`, given)
  }
  const theta = numbers('rope_theta', base)
  const type = said['rope_type'] ?? said['type'] ?? 'default'
  const isWhole = (said['partial_rotary_factor'] ?? 1) === 1
  if (type === 'default' && isWhole) return theta
  const kind =
    typeof type === 'string' && isWhole && Object.hasOwn(kinds, type) ? kinds[type] : undefined
  if (kind === undefined) {
    const problem = `a model with rotary positions ${isWhole ? `of type ${shown(type)}` : 'of a part of its heads'}`
    throw new InlayError('UNSUPPORTED', `${config.folder.who}: ${problem}`)
  }
  const speeds = Array.from({ length: pairs }, (_, i) =>
    Math.fround(1 / Math.fround(theta ** Math.fround(i / pairs))),
  )
  return kind(speeds, theta, numbers, said)
}

type Kind = (
  speeds: readonly number[],
  base: number,
  numbers: Numbers,
  said: Readonly<Record<string, unknown>>,
) => RotaryTurns

const kinds: Readonly<Record<string, Kind>> = { linear, yarn, llama3 }

/** All turn more slowly (Chen et al. 2023, arXiv:2306.15595). */
function linear(speeds: readonly number[], _: number, numbers: Numbers): RotaryTurns {
  const factor = numbers('factor')
  return { speeds: speeds.map((speed) => Math.fround(speed / factor)) }
}

/**
 * Those that turn often within the texts that a model began with stay, those that turn less than once go as slowly as in
 * `linear`, and between them they pass from one to the other; queries and keys become longer (Peng et al. 2023,
 * arXiv:2309.00071).
 */
function yarn(
  speeds: readonly number[],
  base: number,
  numbers: Numbers,
  said: Readonly<Record<string, unknown>>,
): RotaryTurns {
  const factor = numbers('factor')
  const length = numbers('original_max_position_embeddings')
  const pairs = speeds.length
  // The pair that turns so many times along such a text.
  const pairOf = (times: number) =>
    (pairs * Math.log(length / (times * 2 * Math.PI))) / Math.log(base)
  const first = Math.max(Math.floor(pairOf(numbers('beta_fast', 32))), 0)
  const last = Math.min(Math.ceil(pairOf(numbers('beta_slow', 1))), 2 * pairs - 1)
  const span = last === first ? 0.001 : last - first
  const longer = (scale: number) => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1)
  const isScaled = Boolean(said['mscale']) && Boolean(said['mscale_all_dim'])
  const scale = isScaled ? longer(numbers('mscale')) / longer(numbers('mscale_all_dim')) : longer(1)
  return {
    scale: numbers('attention_factor', scale),
    speeds: speeds.map((speed, i) => {
      const slow = Math.min(Math.max(Math.fround((i - first) / span), 0), 1)
      return Math.fround((speed / factor) * slow + speed * (1 - slow))
    }),
  }
}

/** As `yarn`, by how long a turn takes (Dubey et al. 2024, arXiv:2407.21783, section 3.4.2). */
function llama3(speeds: readonly number[], _: number, numbers: Numbers): RotaryTurns {
  const factor = numbers('factor')
  const [low, high] = [numbers('low_freq_factor'), numbers('high_freq_factor')]
  const length = numbers('original_max_position_embeddings')
  return {
    speeds: speeds.map((speed) => {
      const times = (length * speed) / (2 * Math.PI)
      const fast = Math.min(Math.max((times - low) / (high - low), 0), 1)
      return Math.fround((speed / factor) * (1 - fast) + speed * fast)
    }),
  }
}
