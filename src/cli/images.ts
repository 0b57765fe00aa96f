// inlay images: pictures as vectors by a pretrained network.
import { loadImageEncoder } from '../encoders/load-image-encoder.js'
import { imageEncodingOptions } from '../encoders/image-encoder.js'
import type { Options, RunOptions } from '../options.js'
import { type Command, group } from './command.js'
import { type RowFiles, checkRows, parted, rowFiles, saveRows, tellRows } from './rows.js'
import type { Session } from './session.js'
import { runFlags } from './train.js'

const { threads, quiet } = runFlags

type Given = RowFiles & Options<typeof imageEncodingOptions> & RunOptions

const encode: Command = {
  name: 'images encode',
  summary: 'makes vectors of pictures by a pretrained network',
  usage: 'MODEL PICTURE... [flags]',
  operands: {
    MODEL:
      'a folder of Hugging Face (ViT, DeiT, CLIP, ResNet), or weights of torchvision (ViT, ResNet, VGG)',
    PICTURE: 'PNG, JPEG, WebP, GIF, BMP or TIFF',
  },
  count: { from: 2, to: Infinity },
  groups: [
    rowFiles('vectors', 'the files as they were given'),
    group('Vectors', imageEncodingOptions),
    group('Run', { threads, quiet }, { short: { quiet: 'q' } }),
  ],
  examples: [
    'vit-base-patch16-224 cat.jpg dog.png -o vectors.npy',
    'clip-vit-base-patch32 photos/*.jpg -o photos.safetensors',
    'resnet50-11ad3fa6.pth cat.jpg --layer layer4.2',
  ],

  async run(given: Given, [path = '', ...pictures]: readonly string[], session: Session) {
    const { files, others } = parted(given)
    checkRows(files, [path, ...pictures])
    const work = async (onProgress: RunOptions['onProgress']) => {
      const run = { signal: session.signal, onProgress }
      using encoder = await loadImageEncoder(path, run)
      const rows = await encoder.encode(pictures, { ...others, ...run })
      await saveRows(rows, pictures, files, run)
      return rows
    }
    const rows = await session.withProgress(files, work)
    tellRows(rows, ['pictures', 'dimensions'], files, session)
  },
}

export const imagesCommands: readonly Command[] = [encode]
