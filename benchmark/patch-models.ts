// What Transformers over patches are worth that were trained from scratch.
import { existsSync } from 'node:fs'
import type { Family, Scores, Settings } from './family.js'
import {
  type TaskOutcome,
  clothes,
  digitsArchive,
  fashionFolder,
  spokenDigits,
} from './patch-tasks.js'

export const patchModels: Family = {
  name: 'patch-models',
  summary: 'accuracy of Transformers over patches, trained from scratch',
  about: `INLAY_DATA has the recordings of the Free Spoken Digit Dataset (the first five of each speaker and digit are the test),
FASHION_MNIST names a folder of the four files of that data set.`,
  options: ['only', 'epochs', 'threads'],
  contests: () => ['patches-digits', 'patches-fashion'],

  async run({ chosen, say, tell, epochs, threads }: Settings) {
    if (chosen('patches-digits')) {
      const [title, rounds] = [
        'Spoken digits, a Transformer over patches of spectrograms',
        3 * epochs,
      ]
      if (!existsSync(digitsArchive)) say(`patches-digits: there is no ${digitsArchive}`)
      else {
        const outcome = await spokenDigits({ epochs: rounds, threads })
        tell(scores('patches-digits', title, 'Patches of 40 ms', rounds, outcome))
      }
    }
    if (chosen('patches-fashion')) {
      const [title, rounds] = ['Fashion-MNIST, a Transformer over patches', 2 * epochs]
      if (!existsSync(fashionFolder)) say('patches-fashion: FASHION_MNIST names no folder')
      else {
        const outcome = await clothes({ epochs: rounds, threads })
        const about = 'Patches of 8 x 8 pixels, every four pixels'
        tell(scores('patches-fashion', title, about, rounds, outcome))
      }
    }
  },
}

function scores(
  id: string,
  title: string,
  about: string,
  epochs: number,
  { accuracy, loss, seconds, inputs: [train, test] }: TaskOutcome,
): Scores {
  const told = `${(100 * accuracy).toFixed(1)} %`
  return {
    id,
    title: `${title}, ${epochs} epochs`,
    about: `${about}; ${train} inputs to learn from, ${test} to be judged by.`,
    head: ['accuracy', 'last loss', 'CPU seconds'],
    rows: [[told, loss.toFixed(3), seconds.toFixed(0)]],
    summary: told,
  }
}
