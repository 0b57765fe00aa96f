// How parameters follow their gradients.
import { type Options, custom, flag, real, settleAlone, wrongOption } from '../options.js'

/** An optimizer: a frozen value. */
export interface Optimizer {
  readonly kind: 'sgd' | 'adam' | 'adamw'
  readonly [option: string]: unknown
}

/** Whether it is one of those that are made here. @internal */
export function isOptimizer(given: unknown): given is Optimizer {
  return ['sgd', 'adam', 'adamw'].includes((given as Partial<Optimizer> | null)?.kind ?? '')
}

const weightDecay = real(0, { from: 0 }, 'draws weights to zero; biases and norms are spared')

const sgdOptions = {
  /** Share of the last step that goes into the next. */
  momentum: real(0, { from: 0, below: 1 }, 'share of the last step that goes into the next'),
  /** Whether a step looks ahead (Nesterov 1983). With momentum only. */
  nesterov: flag(false, 'whether a step looks ahead'),
  /** This share of a weight is added to its gradient. */
  weightDecay,
}

/** Stochastic gradient descent, as PyTorch's `SGD`. */
export function sgd(options: Options<typeof sgdOptions> = {}): Optimizer {
  const { momentum, nesterov, weightDecay: decay } = settleAlone(sgdOptions, options, 'sgd')
  if (nesterov && momentum === 0) {
    throw wrongOption('momentum', 'above 0 where `nesterov` is true', momentum, 'sgd')
  }
  return Object.freeze({ kind: 'sgd', momentum, nesterov, decay })
}

const adamOptions = {
  /** How much of the mean gradient and of the mean square stays at each step. */
  betas: custom<readonly [number, number]>(
    'two numbers from 0 up to 1',
    (given) =>
      Array.isArray(given) && given.length === 2 && given.every((beta) => beta >= 0 && beta < 1),
    'how much of the means stays at each step',
  ),
  /** Added to the root of the mean square. */
  epsilon: real(1e-8, { above: 0 }, 'added to the root of the mean square'),
  /** As for `sgd`; in `adamw` weights shrink by this share of the learning rate instead. */
  weightDecay,
}

/** Adam (Kingma and Ba 2015, arXiv:1412.6980), as PyTorch's. */
export function adam(options: Options<typeof adamOptions> = {}): Optimizer {
  return adaptive('adam', options, 0)
}

/** AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), as PyTorch's; `weightDecay` is 0.01 if it is not
 * given. */
export function adamw(options: Options<typeof adamOptions> = {}): Optimizer {
  return adaptive('adamw', options, 0.01)
}

function adaptive(
  kind: 'adam' | 'adamw',
  options: Options<typeof adamOptions>,
  otherwise: number,
): Optimizer {
  const { betas = [0.9, 0.999], epsilon } = settleAlone(adamOptions, options, kind)
  const decay = options.weightDecay ?? otherwise
  return Object.freeze({ kind, betas: Object.freeze([...betas]), epsilon, decay })
}
