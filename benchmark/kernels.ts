// Products and convolutions: their share of what the machine can do at most, which is measured beside them.
import type { Family, Settings } from './family.js'
import { timed } from './processes.js'
import { type Rust, rust } from './rust.js'
import { root } from './texts.js'

/** What crates/kernels/examples/shares.rs prints. */
async function measured({ env }: Rust, ...what: string[]): Promise<string> {
  const args = [
    'run',
    '-q',
    '--release',
    '-p',
    'inlay-kernels',
    '--example',
    'shares',
    '--',
    ...what,
  ]
  const { output } = await timed({ command: 'cargo', args, cwd: root, env })
  return output.trim()
}

/** Multiplications and additions of one thread, GF/s; undefined where there is no Rust. */
export async function peakOfMachine(): Promise<number | undefined> {
  const found = await rust()
  return found && Number(await measured(found, 'peak'))
}

export const kernels: Family = {
  name: 'kernels',
  summary: 'products and convolutions, as shares of the peak of the machine',
  about: `Multiplications and additions a second, one thread, the best of 15 measurements. The peak is a loop of multiply-adds that
touches no memory, measured in turns with them. \`cargo run --release -p inlay-kernels --example shares\`.`,
  options: ['only'],
  contests: () => ['kernel-shares'],

  async run({ chosen, say, tell }: Settings) {
    if (!chosen('kernel-shares')) return
    const found = await rust()
    if (found === undefined) return say('kernels: no Rust here')
    say('kernels: building and measuring')
    const output = await measured(found)
    const rows = output.split('\n').map((line) => {
      const [name, rate, peak] = line.split('\t')
      const share = `${Math.round((100 * Number(rate)) / Number(peak))} %`
      return [name!, rate!, peak!, share]
    })
    const shares = rows.map((row) => Number.parseInt(row[3]!))
    tell({
      id: 'kernel-shares',
      title: 'Shares of the peak',
      about: 'One thread.',
      head: ['', 'GF/s', 'peak', 'share'],
      rows,
      summary: `${Math.min(...shares)} to ${Math.max(...shares)} % of the peak`,
    })
  },
}
