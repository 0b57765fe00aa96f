import { type RunOptions, settle } from '../options.js'
import type { Path } from '../path.js'
import { towerConfig } from './clip-towers.js'
import { findFolder } from './found-folder.js'
import { ImageTextEncoder, loadTowers } from './image-text-encoder.js'
import { ModelFolder } from './model-folder.js'
import { siglipImage, siglipText } from './siglip-towers.js'
import { numberOf } from './text-tower.js'

/**
 * SigLIP (Zhai et al. 2023, arXiv:2303.15343; SigLIP 2 of one size, Tschannen et al. 2025, arXiv:2502.14786): pictures and texts as
 * vectors of one space, as `ClipEncoder`, but each pair was learnt by itself: a picture may be near to several texts, or to none.
 *
 *     picture ─▶ Vision Transformer ─▶ what a probe sees ─┐
 *                                                         ├─▶ length 1: their product is the cosine
 *     text ─▶ tokens, padded ─▶ Transformer ─▶ last token ┘
 *
 *     using siglip = await SiglipEncoder.load('siglip-base-patch16-224')
 *     const pictures = await siglip.encodeImages(['cat.jpg', 'beach.png'])
 *     const texts = await siglip.encodeTexts(['a photo of a cat', 'sand and sea'])
 *     const [shares] = await siglip.predictProbabilities(['cat.jpg'], ['a photo of a cat', 'an animal'])
 *
 * A vector depends on its picture or text alone, bit for bit. Encoders of one folder share their weights, in worker threads too.
 */
export class SiglipEncoder extends ImageTextEncoder {
  /**
   * Reads a Hugging Face folder of a `SiglipModel`: `config.json`, `model.safetensors` (or the several that
   * `model.safetensors.index.json` names), `tokenizer.json`, `preprocessor_config.json`. Nothing in the folder is run.
   *
   * @throws {InlayError} `NOT_FOUND` a file is missing; `INVALID_INPUT` one is not what it should be, with all tensors
   *   that are missing or of another shape; `UNSUPPORTED` another model, or a preparation that is not known here
   */
  static async load(folder: Path, options: RunOptions = {}): Promise<SiglipEncoder> {
    const who = 'SiglipEncoder.load'
    const { run } = settle({}, options, who)
    const hints = { vit: 'Vit', deit: 'Vit', clip: 'ClipEncoder', clap: 'ClapEncoder' }
    const found = await findFolder(new ModelFolder(folder, who), 'siglip', hints, run)
    const { config, files, shapes } = found
    const part = (tower: 'text' | 'vision') => towerConfig(found.folder, config.json, tower)
    const text = await siglipText(part('text'), shapes)
    const image = await siglipImage(part('vision'), shapes)
    const scoresOf = async () => {
      const scale = Math.exp(await numberOf('logit_scale', files, run))
      return { scale, bias: await numberOf('logit_bias', files, run) }
    }
    return new SiglipEncoder(await loadTowers(found, 'siglip', image, text, scoresOf, run))
  }
}
