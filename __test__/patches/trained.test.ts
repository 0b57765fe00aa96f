// Transformers over patches, trained from scratch on real data: what is wanted of them is what the field has from far larger ones.
import { existsSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { clothes, digitsArchive, fashionFolder, spokenDigits } from '../../benchmark/patch-tasks.js'

function skipped(t: ExecutionContext, what: string): void {
  t.log(`skipped: ${what}`)
  t.pass()
}

test('spoken digits are told apart by patches of their spectrograms', async (t) => {
  t.timeout(600_000)
  if (!process.env['INLAY_DATA']) return skipped(t, 'INLAY_DATA names no folder')
  if (!existsSync(digitsArchive)) return skipped(t, `there is no ${digitsArchive}`)
  const { accuracy, inputs } = await spokenDigits({ epochs: 15 })
  t.log(`${(100 * accuracy).toFixed(1)} %`)
  t.deepEqual(inputs, [2700, 300])
  t.true(accuracy >= 0.95)
})

test('pictures of clothes are told apart by their patches', async (t) => {
  t.timeout(1_800_000)
  if (!existsSync(fashionFolder)) {
    return skipped(t, 'FASHION_MNIST names no folder of the four files of Fashion-MNIST')
  }
  const { accuracy, inputs } = await clothes({ epochs: 10 })
  t.log(`${(100 * accuracy).toFixed(1)} %`)
  t.deepEqual(inputs, [60_000, 10_000])
  t.true(accuracy >= 0.88)
})
