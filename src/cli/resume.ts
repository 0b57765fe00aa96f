// How a training that was stopped goes on: the file that keeps its state, and what is said of it.
import { existsSync } from 'node:fs'
import { text } from '../options.js'
import type { Session } from './session.js'

export const checkpoint = text(
  'keeps the state of the training here, and goes on from it if it is there',
)

/** A training; where it is stopped and its state is kept, that is said. */
export async function resumable<T>(
  path: string | undefined,
  session: Session,
  training: () => Promise<T>,
): Promise<T> {
  try {
    return await training()
  } catch (error) {
    if (path !== undefined && existsSync(path)) {
      session.lastWords = `stopped; the same command goes on from ${path}`
    }
    throw error
  }
}
