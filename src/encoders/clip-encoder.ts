import { type RunOptions, settle } from '../options.js'
import type { Path } from '../path.js'
import { clipImage, clipText, towerConfig } from './clip-towers.js'
import { findFolder } from './found-folder.js'
import { ImageTextEncoder, loadTowers } from './image-text-encoder.js'
import { ModelFolder } from './model-folder.js'
import { numberOf } from './text-tower.js'

/**
 * CLIP (Radford et al. 2021, arXiv:2103.00020): pictures and texts as vectors of one space, in which a picture is near to what
 * it shows in words. Pictures are found by a text, and told apart by classes that nobody has trained.
 *
 *     picture ─▶ Vision Transformer ─▶ class token ─▶ projection ─┐
 *                                                                 ├─▶ length 1: their product is the cosine
 *     text ─▶ tokens ─▶ Transformer ─▶ last token ─▶ projection ──┘
 *
 *     using clip = await ClipEncoder.load('clip-vit-base-patch32')
 *     const pictures = await clip.encodeImages(['cat.jpg', 'beach.png'])
 *     const texts = await clip.encodeTexts(['a photo of a cat', 'sand and sea'])
 *     const [found] = await clip.predict(['cat.jpg'], ['a photo of a cat', 'a photo of a dog'])
 *
 * A vector depends on its picture or text alone, bit for bit. Encoders of one folder share their weights, in worker threads too.
 */
export class ClipEncoder extends ImageTextEncoder {
  /**
   * Reads a Hugging Face folder of a `CLIPModel`: `config.json`, `model.safetensors` (or the several that
   * `model.safetensors.index.json` names), `tokenizer.json`, `preprocessor_config.json`. Nothing in the folder is run.
   *
   * @throws {InlayError} `NOT_FOUND` a file is missing; `INVALID_INPUT` one is not what it should be, with all tensors
   *   that are missing or of another shape; `UNSUPPORTED` another model, or a preparation that is not known here
   */
  static async load(folder: Path, options: RunOptions = {}): Promise<ClipEncoder> {
    const who = 'ClipEncoder.load'
    const { run } = settle({}, options, who)
    const hints = { vit: 'Vit', deit: 'Vit', siglip: 'SiglipEncoder', clap: 'ClapEncoder' }
    const found = await findFolder(new ModelFolder(folder, who), 'clip', hints, run)
    const { config, files, shapes } = found
    const part = (tower: 'text' | 'vision') => towerConfig(found.folder, config.json, tower)
    const text = clipText(part('text'), shapes)
    const image = await clipImage(part('vision'), shapes)
    const scoresOf = async () => {
      const scale = shapes.has('logit_scale')
        ? await numberOf('logit_scale', files, run)
        : config.number(['logit_scale_init_value'], 2.6592)
      return { scale: Math.exp(scale) }
    }
    return new ClipEncoder(await loadTowers(found, 'clip', image, text, scoresOf, run))
  }
}
