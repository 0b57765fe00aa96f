// What every model over a network does with files: those of others, and those that somebody changed.
import { join } from 'node:path'
import test from 'ava'
import {
  CategoryEmbeddings,
  Classifier,
  type Embedder,
  ImageAutoencoder,
  ImageCnn,
  MaskedAutoencoder,
  NetworkModel,
  Nnlm,
  PrincipalComponents,
  RecurrentClassifier,
  RecurrentEncoder,
  RecurrentLanguageModel,
  SequenceTagger,
  TextCnn,
  Tokens,
  TransformerClassifier,
  TransformerEncoder,
  Vectors,
  VideoAutoencoder,
} from 'inlay'
import { folder } from '../fixtures/folder.js'
import { movingShapes } from '../fixtures/moving-shapes.js'
import { shapes } from '../fixtures/shapes.js'

type Fields = Record<string, unknown>
/** A record with something wrong in it, and what the error says of it. */
type Change = [message: RegExp, change: (about: Fields) => unknown]

interface Known {
  train(): Promise<NetworkModel>
  open(path: string): Promise<NetworkModel>
  readonly changes: readonly Change[]
}

const of = (about: Fields, field: string) => about[field] as Fields
const fewer = (given: unknown) => (given as unknown[]).slice(0, -1)
const omitted = (given: Fields, field: string) =>
  Object.fromEntries(Object.entries(given).filter(([name]) => name !== field))
const set = (field: string, value: unknown): Change => [
  new RegExp(`\`${field}\` must be `),
  (about) => ({ ...about, [field]: value }),
]
const without = (field: string): Change => [
  new RegExp(`\`${field}\` must be .*, got undefined`),
  (about) => omitted(about, field),
]

/** What each list of different names refuses. */
const ofNames = (field: string): Change[] => [
  without(field),
  set(field, 'first'),
  set(field, { length: 2 }),
  [new RegExp(`\`${field}\` must be`), (about) => ({ ...about, [field]: fewer(about[field]) })],
  [
    new RegExp(`\`${field}\` must be`),
    (about) => ({ ...about, [field]: (about[field] as string[]).map(() => 'one') }),
  ],
  [
    new RegExp(`\`${field}\` must be`),
    (about) => ({ ...about, [field]: (about[field] as string[]).map((_, at) => at) }),
  ],
]

const listed = (record: Fields) => (record['words'] as string).split(' ')

/** What each vocabulary refuses. */
const ofWords = (field = 'vocabulary'): Change[] => {
  const changed = (change: (record: Fields) => unknown): Change => [
    new RegExp(`\`${field}\` must be the words of its network`),
    (about) => ({ ...about, [field]: change(of(about, field)) }),
  ]
  return [
    without(field),
    set(field, 7),
    changed((record) => ({ ...record, words: undefined })),
    changed((record) => ({ ...record, words: listed(record).slice(0, -1).join(' ') })),
    changed((record) => ({ ...record, words: [...listed(record), 'more'].join(' ') })),
    changed((record) => ({ ...record, words: listed(record).toReversed().join(' ') })),
    changed((record) => ({ ...record, words: listed(record) })),
    changed((record) => ({ ...record, words: '' })),
    changed((record) => ({ ...record, tokenizer: 'by ear' })),
    changed((record) => omitted(record, 'lowercase')),
  ]
}

const quick = { epochs: 1, threads: 1 }
const labelled = [
  { input: 'the cat drinks milk', label: 'animal' },
  { input: 'the treasury counts money', label: 'money' },
]
const texts = labelled.map(({ input }) => input)
const small = { ...quick, dimensions: 8, minCount: 1 }
const points: Embedder<number[]> = {
  dimensions: 2,
  encode: async (inputs) => {
    const rows: number[] = []
    for await (const point of inputs) rows.push(...point)
    return Vectors.from(Float32Array.from(rows), 2)
  },
}
const rows = [
  { town: 'Ulm', size: 30, kind: 'flat' },
  { town: 'Ulm', size: 90, kind: 'house' },
  { town: 'Bonn', size: 40, kind: 'flat' },
  { town: 'Bonn', size: 120, kind: 'house' },
]
const patches = Tokens.from({
  values: Float32Array.from({ length: 60 }, (_, i) => Math.sin(i)),
  // Four at each time.
  positions: Uint32Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? i / 12 : 0)),
  width: 3,
  inputs: [
    { modality: 'video', length: 12 },
    { modality: 'video', length: 8 },
  ],
})
const shape = [12, 12, 1] as const
const pictures = shapes(12, 1)

const models: Record<string, Known> = {
  Classifier: {
    train: () =>
      Classifier.train(
        points,
        [
          { input: [1, 0], label: 'right' },
          { input: [0, 1], label: 'up' },
        ],
        quick,
      ),
    open: (path) => Classifier.open(points, path),
    changes: ofNames('labels'),
  },
  ImageCnn: {
    train: () => ImageCnn.train(pictures, { ...quick, shape, channels: [2], hidden: [4] }),
    open: (path) => ImageCnn.open(path),
    changes: [
      ...ofNames('labels'),
      without('shape'),
      set('shape', [12, 12]),
      set('shape', [12, 12.5, 1]),
      set('shape', [6, 24, 1]),
      without('scale'),
      set('scale', { mean: [0], deviation: [] }),
      set('scale', { mean: ['0'], deviation: [1] }),
      set('scale', { mean: [0], deviation: [0] }),
    ],
  },
  ImageAutoencoder: {
    train: () =>
      ImageAutoencoder.train(
        pictures.map(({ input }) => input),
        { ...quick, shape, code: 3, architecture: 'dense', hidden: [4] },
      ),
    open: (path) => ImageAutoencoder.open(path),
    changes: [
      without('shape'),
      set('shape', [144]),
      set('code', 4),
      without('decoder'),
      set('decoder', []),
      set('decoder', [{ kind: 'dense', units: 1e9 }]),
    ],
  },
  TextCnn: {
    train: () => TextCnn.train(labelled, { ...small, windows: [2], filters: 4 }),
    open: (path) => TextCnn.open(path),
    changes: [...ofNames('labels'), ...ofWords(), set('maxWords', -1), set('maxWords', '9')],
  },
  RecurrentClassifier: {
    train: () => RecurrentClassifier.train(labelled, { ...small, units: 4 }),
    open: (path) => RecurrentClassifier.open(path),
    changes: [...ofNames('labels'), ...ofWords()],
  },
  RecurrentEncoder: {
    train: () => RecurrentEncoder.train(texts, { ...small, units: 4 }),
    open: (path) => RecurrentEncoder.open(path),
    changes: ofWords(),
  },
  TransformerEncoder: {
    train: () => TransformerEncoder.train(texts, { ...small, heads: 2, blocks: 1, maskings: 1 }),
    open: (path) => TransformerEncoder.open(path),
    changes: [
      ...ofWords(),
      without('shape'),
      set('shape', 'round'),
      ...[{ blocks: 2 }, { blocks: 1e9 }, { heads: 3 }, { words: 1 }, { places: 'none' }].map(
        (wrong): Change => [
          /`shape` must be the shape of its layers, got an object/,
          (about) => ({ ...about, shape: { ...of(about, 'shape'), ...wrong } }),
        ],
      ),
    ],
  },
  TransformerClassifier: {
    train: () => TransformerClassifier.train(labelled, { ...small, heads: 2, blocks: 1 }),
    open: (path) => TransformerClassifier.open(path),
    changes: [...ofNames('labels'), ...ofWords(), set('maxWords', 0)],
  },
  Nnlm: {
    train: () => Nnlm.train(texts, { ...small, hidden: 4, context: 2 }),
    open: (path) => Nnlm.open(path),
    changes: ofWords(),
  },
  RecurrentLanguageModel: {
    train: () => RecurrentLanguageModel.train(texts, { ...small, units: 4, layers: 1 }),
    open: (path) => RecurrentLanguageModel.open(path),
    changes: ofWords(),
  },
  SequenceTagger: {
    train: () =>
      SequenceTagger.train([{ words: ['she', 'reads'], tags: ['PRON', 'VERB'] }], {
        ...small,
        units: 4,
        characters: 1,
      }),
    open: (path) => SequenceTagger.open(path),
    changes: [
      ...ofNames('tags'),
      ...ofWords('words'),
      ...ofWords('letters'),
      without('characters'),
      set('characters', 2),
      [/`known` must be/, (about) => ({ ...about, known: about['words'] })],
    ],
  },
  CategoryEmbeddings: {
    train: () => CategoryEmbeddings.train(rows, { ...quick, target: 'kind', hidden: [4] }),
    open: (path) => CategoryEmbeddings.open(path),
    changes: [
      without('columns'),
      set('columns', []),
      set('columns', [null]),
      set('columns', [{ kind: 'categorical', name: 'town', missing: false, values: [] }]),
      [/`columns` must be/, (about) => ({ ...about, columns: fewer(about['columns']) })],
      [
        /`columns` must be/,
        (about) => ({
          ...about,
          columns: [
            { ...(of(about, 'columns')[0] as Fields), values: ['Ulm'] },
            of(about, 'columns')[1],
          ],
        }),
      ],
      without('target'),
      set('target', { task: 'classification', name: 'kind', labels: ['flat'] }),
      set('target', { task: 'classification', labels: ['flat', 'house'] }),
      set('target', { task: 'regression', name: 'kind', mean: 0, deviation: 1 }),
      without('missing'),
      set('missing', [7]),
    ],
  },
  PrincipalComponents: {
    train: () =>
      PrincipalComponents.train(Vectors.from(patches.values, 3), { dimensions: 2, threads: 1 }),
    open: (path) => PrincipalComponents.open(path),
    changes: [without('dimensions'), set('dimensions', 3), set('dimensions', '2')],
  },
  MaskedAutoencoder: {
    train: () =>
      MaskedAutoencoder.train(patches, {
        ...quick,
        dimensions: 8,
        blocks: 1,
        heads: 2,
        decoderDimensions: 4,
        tubes: true,
      }),
    open: (path) => MaskedAutoencoder.open(path),
    changes: [
      ...[
        ['dimensions', 0],
        ['blocks', 1e9],
        ['heads', 1.5],
        ['decoderDimensions', '4'],
        ['decoderBlocks', -1],
        ['normalize', 'yes'],
        ['mask', 1],
        ['period', 0],
      ].map(([field, value]) => set(field as string, value)),
      // Each is possible by itself, and the layers are of others.
      ...[
        { width: 4 },
        { width: undefined },
        { dimensions: 16 },
        { dimensions: 9 },
        { blocks: 2 },
        { heads: 3 },
        { decoderDimensions: 6 },
        { normalize: false },
        { mask: 0.5 },
        { period: 3 },
      ].map((wrong): Change => [
        /`width` must be the values of a patch/,
        (about) => ({ ...about, ...wrong }),
      ]),
    ],
  },
  VideoAutoencoder: {
    train: () =>
      VideoAutoencoder.train([movingShapes(5, { width: 8, height: 8 })], {
        ...quick,
        space: 4,
        time: 2,
        channels: 4,
        hidden: 4,
        depth: 1,
        crop: 8,
        frames: 3,
        windows: 2,
      }),
    open: (path) => VideoAutoencoder.open(path),
    changes: [
      ...[
        ['space', 0],
        ['time', 33],
        ['channels', '4'],
        ['hidden', 1.5],
        ['divergence', 0],
      ].map(([field, value]) => set(field as string, value)),
      ...[
        { depth: 2 },
        { depth: -1 },
        { space: 8 },
        { time: 4 },
        { channels: 5 },
        { hidden: 8 },
        { divergence: 1 },
      ].map((wrong): Change => [
        /`depth` must be the number of blocks/,
        (about) => ({ ...about, ...wrong }),
      ]),
    ],
  },
}

for (const [name, { train, open, changes }] of Object.entries(models)) {
  test(`${name}: a file of another model, or with a record that is not its own, is refused`, async (t) => {
    const path = join(folder(t), 'model.safetensors')
    using model = await train()
    t.true(model instanceof NetworkModel)
    await model.save(path)
    using opened = await open(path)
    t.deepEqual(opened.network.description, model.network.description)
    t.deepEqual(opened.history, [])

    const { description } = model.network
    const refuses = async (about: unknown, message: RegExp) => {
      using changed = await model.network.transfer({ ...description, about })
      await changed.save(path)
      const error = await t.throwsAsync(
        open(path),
        { code: 'INVALID_INPUT', message },
        `${message}`,
      )
      t.true(error?.message.startsWith(`${name}.open: the file holds a network that is no ${name}`))
    }
    for (const about of [undefined, null, 7, 'words', [], {}]) await refuses(about, /is no \w+$/)
    await refuses({ ...(description.about as Fields), model: 'Another' }, /is no \w+$/)
    for (const [message, change] of changes) {
      await refuses(change(description.about as Fields), message)
    }
  })
}

test('a record that is right beside layers that are not is refused', async (t) => {
  const path = join(folder(t), 'model.safetensors')
  using cnn = await models['TextCnn']!.train()
  using other = await models['RecurrentClassifier']!.train()
  const { inputs, layers, about } = cnn.network.description
  // Neither the vector nor the scores of a text; the vector of all its words.
  const headless = { inputs, layers: layers.slice(0, 1), about }
  using first = await cnn.network.transfer(headless)
  await first.save(path)
  await t.throwsAsync(TextCnn.open(path), { code: 'INVALID_INPUT', message: /no layer `encoding`/ })
  const language = { ...other.network.description, about: { ...(about as Fields), model: 'Nnlm' } }
  using second = await other.network.transfer(language)
  await second.save(path)
  await t.throwsAsync(Nnlm.open(path), { code: 'INVALID_INPUT', message: /`vocabulary` must be/ })
})
