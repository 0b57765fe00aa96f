// inlay images: pictures as vectors by a pretrained network.
import { imageEncodingOptions } from '../encoders/image-encoder.js'
import { loadImageEncoder } from '../encoders/load-image-encoder.js'
import type { Command } from './command.js'
import { encodeFiles } from './encode-files.js'

const encode = encodeFiles(
  {
    name: 'images encode',
    summary: 'makes vectors of pictures by a pretrained network',
    usage: 'MODEL PICTURE... [flags]',
    operands: {
      MODEL:
        'a folder of Hugging Face (ViT, DeiT, DINOv2, CLIP, SigLIP, ResNet), or weights of torchvision (ViT, ResNet, VGG)',
      PICTURE: 'PNG, JPEG, WebP, GIF, BMP or TIFF',
    },
    examples: [
      'vit-base-patch16-224 cat.jpg dog.png -o vectors.npy',
      'clip-vit-base-patch32 photos/*.jpg -o photos.safetensors',
      'resnet50-11ad3fa6.pth cat.jpg --layer layer4.2',
    ],
  },
  'pictures',
  imageEncodingOptions,
  loadImageEncoder,
)

export const imagesCommands: readonly Command[] = [encode]
