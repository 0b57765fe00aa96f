// Layers that see a part of the positions of an item only.
import { type Options, custom, isCount, maybeOneOf, real } from '../options.js'
import { type Layer, type Required, layer, name } from './layer.js'

/** Which positions of an item are masked, drawn anew for each item and step; while encoding the same for all items of a length.
 * All layers of a network that say the same have the same. */
export interface Mask {
  /** The share of positions that are masked, from 0 below 1; one stays. */
  readonly share: number
  /** Positions after which the mask repeats itself, in items that are whole periods: those of a frame give tubes through a
   * film (Tong et al. 2022, arXiv:2203.12602). Default: it does not. */
  readonly period?: number
}

const mask = custom<Mask>(
  'an object with a `share` from 0 below 1, and maybe a `period` from 1 up',
  (given) => {
    const { share, period } = (given ?? {}) as Partial<Mask>
    const isShare = typeof share === 'number' && share >= 0 && share < 1
    return isShare && (period === undefined || isCount(period))
  },
  'which positions are masked',
)

const maskedOptions = {
  name,
  mask,
  /** What is done with the positions that are not masked, each of which must come out again. */
  layers: custom<readonly Layer[]>(
    'a list of layers, at least one',
    (given) => Array.isArray(given) && given.length > 0,
    'what is done with the positions that are not masked',
  ),
  /** The standard deviation of the first values of what stands for masked positions. */
  deviation: real(0.02, { from: 0 }, 'standard deviation of the first values'),
}

/** Layers that see only the positions that are not masked, and take so much less work; behind them all positions are there
 * again, the masked ones as one vector that is learnt: masked autoencoding (He et al. 2021, arXiv:2111.06377). */
export function masked(options: Required<Options<typeof maskedOptions>, 'mask' | 'layers'>): Layer {
  const made = layer('masked', maskedOptions, options, ['mask', 'layers'])
  const layers = Object.freeze([...(made['layers'] as Layer[])])
  return Object.freeze({ ...made, layers })
}

const hideOptions = {
  name,
  mask,
  /** What stays as it is. */
  keep: maybeOneOf(['masked', 'visible'], 'what stays as it is'),
}

/** Positions become zero: those that are masked, or the others. */
export function hide(options: Required<Options<typeof hideOptions>, 'mask' | 'keep'>): Layer {
  return layer('hide', hideOptions, options, ['mask', 'keep'])
}
