// inlay images: pictures as vectors, by a pretrained network or by one that was trained from scratch.
import { InlayError } from '../errors.js'
import { imageEncodingOptions } from '../encoders/image-encoder.js'
import { loadImageEncoder } from '../encoders/load-image-encoder.js'
import { openImageModel } from '../models/open-image-model.js'
import type { Options, RunOptions } from '../options.js'
import { readPictures } from '../pictures/read-pictures.js'
import type { Command } from './command.js'
import { type FileEncoder, encodeFiles } from './encode-files.js'
import { pictureModelCommands } from './picture-models.js'

const encode = encodeFiles(
  {
    name: 'images encode',
    summary: 'makes vectors of pictures by a pretrained network, or by one of `inlay images train`',
    usage: 'MODEL PICTURE... [flags]',
    operands: {
      MODEL:
        'a folder of Hugging Face (ViT, DeiT, DINOv2, CLIP, SigLIP, ResNet), weights of torchvision (ViT, ResNet, VGG), or what `inlay images train` wrote',
      PICTURE: 'PNG, JPEG, WebP, GIF, BMP or TIFF',
    },
    examples: [
      'vit-base-patch16-224 cat.jpg dog.png -o vectors.npy',
      'clip-vit-base-patch32 photos/*.jpg -o photos.safetensors',
      'resnet50-11ad3fa6.pth cat.jpg --layer layer4.2',
      'animals.safetensors cat.jpg --layer pool2',
    ],
  },
  'pictures',
  imageEncodingOptions,
  load,
)

export const imagesCommands: readonly Command[] = [...pictureModelCommands, encode]

type Encoding = Options<typeof imageEncodingOptions> & RunOptions

/** A model of ours takes pictures of its shape; all others bring their preparation along. */
async function load(path: string, run: RunOptions): Promise<FileEncoder> {
  const model = await openImageModel(path, run).catch((error: unknown) => {
    if (error instanceof InlayError) return undefined
    throw error
  })
  if (!model) return loadImageEncoder(path, run)
  return {
    encode(files, { layer, maxPixels, batchSize, ...rest }: Encoding) {
      const together = batchSize ?? imageEncodingOptions.batchSize.default
      const how = { shape: model.shape, maxPixels, batchSize: together, ...rest }
      return model.encode(readPictures(files, how), { layer, ...rest })
    },
    [Symbol.dispose]: () => model.close(),
  }
}
