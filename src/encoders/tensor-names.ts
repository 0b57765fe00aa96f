// Where the parameters of layers are among the tensors of files, by the names of both.
import type { TensorSource } from '../nn/loading.js'

/** What the parameters of a Transformer's block are called, without `weight` and `bias`. */
export interface BlockNames {
  /** Queries, keys and values; or all in one as PyTorch has it, whose parameters end in `_weight` and `_bias`. */
  readonly attention: readonly [query: string, key: string, value: string] | readonly [all: string]
  readonly out: string
  readonly norm1: string
  readonly linear1: string
  readonly linear2: string
  readonly norm2: string
}

type Sources = Record<string, TensorSource>

/** Sources of parameters whose tensors have something before their names. */
export class TensorNames {
  readonly #prefix: string
  readonly #norm: readonly [weight: string, bias: string]

  /** `norm`: what the two parameters of a norm are called. */
  constructor(prefix: string, norm: readonly [weight: string, bias: string] = ['weight', 'bias']) {
    this.#prefix = prefix
    this.#norm = norm
  }

  /** What a parameter is made of. */
  of(...tensors: string[]): TensorSource {
    return { tensors: tensors.map((name) => this.#prefix + name) }
  }

  /** The weight of a layer, and as a rule its bias. */
  linear(to: string, from: string, { bias = true } = {}): Sources {
    const weight = { [`${to}.weight`]: this.of(`${from}.weight`) }
    return bias ? { ...weight, [`${to}.bias`]: this.of(`${from}.bias`) } : weight
  }

  /** The parameters of a norm. */
  norm(to: string, from: string): Sources {
    const [weight, bias] = this.#norm
    return {
      [`${to}.weight`]: this.of(`${from}.${weight}`),
      [`${to}.bias`]: this.of(`${from}.${bias}`),
    }
  }

  /** The parameters of a block whose layers are called as those of `transformerBlock`. */
  block(to: string, { attention, out, norm1, linear1, linear2, norm2 }: BlockNames): Sources {
    const joint = attention.length === 1 ? '_' : '.'
    const inward = (part: string) => this.of(...attention.map((name) => name + joint + part))
    return {
      [`${to}.self_attn.in_proj_weight`]: inward('weight'),
      [`${to}.self_attn.in_proj_bias`]: inward('bias'),
      ...this.linear(`${to}.self_attn.out_proj`, out),
      ...this.norm(`${to}.norm1`, norm1),
      ...this.linear(`${to}.linear1`, linear1),
      ...this.linear(`${to}.linear2`, linear2),
      ...this.norm(`${to}.norm2`, norm2),
    }
  }
}
