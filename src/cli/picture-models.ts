// inlay images train, predict and evaluate: labels and codes of pictures by networks that are trained from scratch.
import { InlayError } from '../errors.js'
import { ImageAutoencoder, imageAutoencoderOptions } from '../models/image-autoencoder.js'
import { ImageCnn, imageCnnOptions } from '../models/image-cnn.js'
import { openImageModel } from '../models/open-image-model.js'
import { type Options, type RunOptions, flag, list, oneOf, text } from '../options.js'
import { readPictures, readPicturesOptions } from '../pictures/read-pictures.js'
import { predictOptions } from '../words/classifier-options.js'
import { type Architectures, checkArchitecture, ownGroups, sharedOptions } from './architectures.js'
import { type Command, group } from './command.js'
import { UsageError } from './flags.js'
import { labelRow, likeliest, printEvaluation } from './labels.js'
import {
  type PictureSource,
  type ShapeGiven,
  labelFlags,
  openPictures,
  pictures,
  shapeFlags,
} from './labelled-pictures.js'
import { quantity } from './quantities.js'
import type { Session } from './session.js'
import { networkTrainCommand, ofData, sayable, trainingGroups } from './train-network.js'
import { quietFlags } from './train.js'
import { numbersOf, weightsOf } from './typed-lists.js'

const files = {
  ...labelFlags,
  validation: text('pictures whose loss is worked out after each epoch, as PICTURES'),
  validationLabels: text('the labels of --validation, where that is a file'),
}
const labelWeights = list('what labels count, others 1: cat=2,dog=0.5 (cnn)')
const channels = list('channels of each convolution (default: 32,64)')
const hidden = (about: string) => list(`units of the dense layers ${about}`)
const { architecture: _, ...autoencoding } = sayable(imageAutoencoderOptions, files)
const tables: Architectures<'cnn' | 'autoencoder' | 'dense-autoencoder'> = {
  cnn: {
    ...sayable(imageCnnOptions, files),
    channels,
    hidden: hidden('(default: cnn 128; dense-autoencoder 256)'),
    labelWeights,
    labels: files.labels,
    validationLabels: files.validationLabels,
  },
  autoencoder: { ...autoencoding, channels },
  'dense-autoencoder': { ...autoencoding, hidden: hidden('(default: 256)') },
}
const networkFlags = {
  architecture: oneOf(
    ['cnn', 'autoencoder', 'dense-autoencoder'],
    'a classifier, or short codes of pictures from which they can be made again',
  ),
  labelWeights,
}

type TrainGiven = Options<typeof files & typeof networkFlags> &
  ShapeGiven & {
    readonly channels?: readonly string[] | undefined
    readonly hidden?: readonly string[] | undefined
  }

const train = networkTrainCommand<TrainGiven, ImageCnn | ImageAutoencoder>({
  name: 'images train',
  summary: 'trains a network of pictures from scratch: a classifier or an autoencoder',
  usage: 'PICTURES -o MODEL [flags]',
  operands: { PICTURES: `${pictures}; without labels for an autoencoder` },
  count: { from: 1, to: 1 },
  learnt: 'the pictures',
  files,
  groups: [
    group('Network', networkFlags, { short: { architecture: 'a' } }),
    ...ownGroups(tables, { ...files, ...networkFlags }),
    group('Pictures of a folder', shapeFlags),
    ...trainingGroups(sharedOptions(tables)),
  ],
  examples: [
    'train-images-idx3-ubyte.gz --labels train-labels-idx1-ubyte.gz -o digits.safetensors --epochs 5',
    'animals/train -o animals.safetensors --height 64 --width 64 --validation animals/valid --batch-norm',
    'photos -a autoencoder --code 32 --height 64 --width 64 -o codes.safetensors',
  ],

  check({ architecture = 'cnn', labelWeights: weights, ...given }) {
    checkArchitecture(tables, architecture, { ...given, ...(weights && { labelWeights: weights }) })
    weightsOf(weights, '--label-weights')
    if (given.validationLabels !== undefined && given.validation === undefined) {
      throw new UsageError('--validation-labels has no meaning without --validation')
    }
  },

  async train([path = ''], given, run) {
    const { architecture = 'cnn', labels, validation, validationLabels, ...rest } = given
    const { height, width, grey, maxPixels, labelWeights: weights, ...options } = rest
    const how = { height, width, grey, maxPixels }
    const needsLabels = architecture === 'cnn'
    const source = await openPictures(path, { ...how, labels, needsLabels }, run)
    const { shape } = source
    const held =
      validation === undefined
        ? undefined
        : await openPictures(
            validation,
            { labels: validationLabels, needsLabels, maxPixels, wanted: shape },
            run,
          )
    const common = {
      ...options,
      ...run,
      shape,
      channels: numbersOf(options.channels),
      hidden: numbersOf(options.hidden),
    }
    if (architecture === 'cnn') {
      return await ImageCnn.train(source.examples(), {
        ...common,
        ...(held && { validation: held.examples() }),
        ...(weights && { labelWeights: weightsOf(weights, '--label-weights') }),
      })
    }
    return await ImageAutoencoder.train(inputsOf(source), {
      ...common,
      architecture: architecture === 'autoencoder' ? 'convolutional' : 'dense',
      ...(held && { validation: inputsOf(held) }),
    })
  },
  told: (model) => {
    const shape = `pictures of ${model.shape.join(' x ')}`
    return model instanceof ImageCnn
      ? `${quantity(model.labels.length, 'labels')} of ${shape}`
      : `codes of ${model.dimensions} values of ${shape}`
  },
})

const predictFlags = { ...predictOptions, maxPixels: readPicturesOptions.maxPixels }

const predict: Command = {
  name: 'images predict',
  summary: 'tells the label of each picture, and how probable it is',
  usage: 'MODEL PICTURE... [flags]',
  operands: {
    MODEL: 'what `inlay images train` wrote, a cnn',
    PICTURE: 'PNG, JPEG, WebP, GIF, BMP or TIFF',
  },
  count: { from: 2, to: Infinity },
  groups: [
    group('Answers', predictFlags, { short: { topK: 'k' } }),
    group('Run', { threads: quietFlags.threads }),
  ],
  examples: ['animals.safetensors cat.jpg dog.png -k 3'],

  async run(
    { threads, maxPixels, ...how }: Options<typeof predictFlags & typeof quietFlags>,
    [path = '', ...paths]: readonly string[],
    session: Session,
  ) {
    const run = { signal: session.signal, threads }
    using model = await openClassifier(path, run)
    for (let from = 0; from < paths.length; from += TOGETHER) {
      const batch = paths.slice(from, from + TOGETHER)
      const pixels = readPictures(batch, { shape: model.shape, maxPixels, ...run })
      const rows = await model.predictProbabilities(pixels, run)
      for (const [at, row] of [...rows].entries()) {
        session.print(`${batch[at]}\t${labelRow(likeliest(model.labels, row, how))}`)
      }
    }
  },
}

/** Pictures that are asked about together. */
const TOGETHER = 64

const evaluateFlags = {
  ...labelFlags,
  maxPixels: readPicturesOptions.maxPixels,
  json: flag(false, 'writes JSON, with the confusion matrix'),
}

const evaluate: Command = {
  name: 'images evaluate',
  summary: 'tells how well a model knows the labels of pictures, or makes them again from codes',
  usage: 'MODEL PICTURES [flags]',
  operands: { MODEL: 'what `inlay images train` wrote', PICTURES: pictures },
  count: { from: 2, to: 2 },
  groups: [group('Pictures', evaluateFlags), group('Run', quietFlags, { short: { quiet: 'q' } })],
  examples: [
    'digits.safetensors t10k-images-idx3-ubyte.gz --labels t10k-labels-idx1-ubyte.gz',
    'animals.safetensors animals/test --json',
  ],

  async run(
    given: Options<typeof evaluateFlags & typeof quietFlags>,
    [path = '', from = '']: readonly string[],
    session: Session,
  ) {
    const { labels, maxPixels, json, quiet, threads } = given
    const print = await session.withProgress({ quiet }, async (onProgress) => {
      const run = { signal: session.signal, threads, onProgress }
      using model = await openImageModel(path, run)
      const needsLabels = model instanceof ImageCnn
      const how = { labels, needsLabels, maxPixels, wanted: model.shape }
      const source = await openPictures(from, how, run)
      if (model instanceof ImageCnn) {
        const found = await ofData('the pictures', () => model.evaluate(source.examples(), run))
        return () => printEvaluation(found, 'pictures', json, session)
      }
      const found = await model.evaluate(inputsOf(source), run)
      const { count, meanSquaredError } = found
      const lines = `pictures\t${count}\nmean squared error\t${meanSquaredError.toPrecision(6)}`
      return () => session.print(json === true ? JSON.stringify(found) : lines)
    })
    print()
  },
}

export const pictureModelCommands: readonly Command[] = [train, predict, evaluate]

async function* inputsOf(source: PictureSource): AsyncGenerator<Uint8Array> {
  for await (const { input } of source.examples()) yield input
}

async function openClassifier(path: string, run: RunOptions): Promise<ImageCnn> {
  const model = await openImageModel(path, run)
  if (model instanceof ImageCnn) return model
  model.close()
  throw new InlayError('INVALID_INPUT', `${path} holds an autoencoder, which knows no labels`)
}
