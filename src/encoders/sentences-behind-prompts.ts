// Vectors of texts whose prompts are read, and are no part of them: `include_prompt: false` of sentence-transformers.
import { InlayError } from '../errors.js'
import type { TokenizedTexts } from '../native.js'
import { each } from '../nn/columns.js'
import { network, sequence } from '../nn/description.js'
import type { RunSettings } from '../options.js'
import { inBatches } from './in-batches.js'
import type { SentenceParts } from './sentence-parts.js'
import type { SubwordTokenizer } from './subword-tokenizer.js'

/** Texts whose tokens' rows are in memory at once. */
const TOGETHER = 256

/** The vectors of texts that have a prompt before them, of the tokens behind it: that of a text which ends before is zeros, before
 * what modules make of it. */
export async function vectorsBehindPrompts(
  { network: found, tokenizer, model, modules }: SentenceParts,
  texts: TokenizedTexts,
  { dimensions, normalize, prompt }: { dimensions: number; normalize: boolean; prompt: string },
  settings: RunSettings,
  who: string,
): Promise<Float32Array> {
  if (modules.prompts === 'refused') {
    const problem = 'the folder leaves prompts out of vectors by `cls` or `weightedmean`'
    throw new InlayError('UNSUPPORTED', `${who}: ${problem}`)
  }
  const skipped = (await tokensBefore(tokenizer, prompt, settings, who)) * model.width
  const input = sequence({ name: 'rows', width: model.width })
  using behind = await found.transfer(network({ input, layers: modules.layers }), settings)
  const layer = model.hidden(model.depth)
  const { values } = await inBatches(each(texts), TOGETHER, async (batch) => {
    const rows = await found.encodeSteps(batch, { ...settings, layer })
    const others = rows.map((row) => row.values.subarray(skipped))
    return behind.encode(others, { ...settings, dimensions, normalize })
  })
  return values
}

/** How many tokens of a text stand before what follows the prompt, special ones among them, as sentence-transformers counts
 * them: those of the prompt alone but for one that closes it. */
async function tokensBefore(
  tokenizer: SubwordTokenizer,
  prompt: string,
  settings: RunSettings,
  who: string,
): Promise<number> {
  const { ids, ends } = await tokenizer.tokenize(['', prompt], settings, who)
  const [special, own] = [ids.subarray(0, ends[0]), ids.subarray(ends[0], ends[1])]
  const isClosed = special.length > 0 && own.at(-1) === special.at(-1)
  return own.length - (isClosed ? 1 : 0)
}
