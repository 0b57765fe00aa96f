// How models of this folder are trained: the options of networks, with defaults of their own.
import { type NetworkTrainingOptions, learningOptions } from '../nn/training.js'
import type { RunSettings } from '../options.js'

/** The options of networks without those that a model has no place for. */
export function learningOptionsWithout<const Name extends keyof typeof learningOptions>(
  ...names: readonly Name[]
): Omit<typeof learningOptions, Name> {
  const left = Object.entries(learningOptions).filter(([name]) => !names.includes(name as Name))
  return Object.fromEntries(left) as Omit<typeof learningOptions, Name>
}

/** The options of networks without those of examples that are held out. */
export const wholeTrainingOptions = learningOptionsWithout('validation', 'patience')

/** A model's settled options. */
type Settled = { readonly [name: string]: unknown }

/**
 * Of a model's options those of `Network.train`: what was given, and the model's own defaults where they are
 * not the network's. The model makes `validation` of its own.
 */
export function networkTraining(
  settings: Settled,
  given: object,
  run: RunSettings,
): NetworkTrainingOptions {
  const chosen = Object.entries(learningOptions).filter(([name, option]) => {
    if (name === 'validation') return false
    return name in given || settings[name] !== option.default
  })
  return { ...Object.fromEntries(chosen.map(([name]) => [name, settings[name]])), ...run }
}
