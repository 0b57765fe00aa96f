// Options that models of pictures have in common.
import { custom } from '../options.js'
import type { Picture } from '../pictures/pictures.js'

/** Some whole numbers from 1: one for each layer. */
export const counts = (about: string) =>
  custom<readonly number[]>(
    'an array of integers from 1 up',
    (given) => Array.isArray(given) && given.every((n) => Number.isInteger(n) && n > 0),
    about,
  )

/** Pictures that are held out. */
export const picturesToJudgeBy = custom<Iterable<Picture> | AsyncIterable<Picture>>(
  'an iterable of pictures',
  (given) =>
    typeof given === 'object' &&
    given !== null &&
    (Symbol.iterator in given || Symbol.asyncIterator in given),
  'pictures whose loss is worked out after each epoch',
)
