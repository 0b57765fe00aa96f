// How models of this folder are trained: the options of networks, with defaults of their own.
import { learningOptions } from '../nn/training.js'

export { networkTraining } from '../nn/training.js'

/** The options of networks without those that a model has no place for. */
export function learningOptionsWithout<const Name extends keyof typeof learningOptions>(
  ...names: readonly Name[]
): Omit<typeof learningOptions, Name> {
  const left = Object.entries(learningOptions).filter(([name]) => !names.includes(name as Name))
  return Object.fromEntries(left) as Omit<typeof learningOptions, Name>
}

/** The options of networks without those of examples that are held out. */
export const wholeTrainingOptions = learningOptionsWithout('validation', 'patience')
