// What neural models of text are worth: perplexities and accuracies on the sets that their papers report, and
// what they cost.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import {
  type Labelled,
  type NeuralLanguageModel,
  NgramLanguageModel,
  Nnlm,
  RecurrentClassifier,
  RecurrentLanguageModel,
  SequenceTagger,
  type TaggedSentence,
  TextCnn,
  type TextCnnOptions,
  TransformerClassifier,
  Word2Vec,
  type WordVectors,
  readConllu,
} from 'inlay'
import type { Family, Scores, Settings } from './family.js'
import { benchmarkText, dataFolder } from './texts.js'

const data = join(dataFolder, 'text')

/** Marcus et al. 1993, as Mikolov et al. 2010 prepared it: 10,000 words. */
const pennTreebank = ['train', 'valid', 'test'].map((part) => `ptb/ptb.${part}.txt.gz`)

interface Task {
  readonly id: string
  /** The files of the data folder that it needs. */
  readonly files: readonly string[]
  readonly run: (settings: Settings, run: Run) => Promise<Scores>
}

/** What all trainings of a run share. */
interface Run {
  /** A limit of threads, if there is one. */
  readonly threads: { readonly threads?: number }
  /** Word vectors of the benchmarks' English text, trained here once. */
  readonly vectors: () => Promise<WordVectors>
}

const tasks: readonly Task[] = [
  { id: 'nnlm', files: pennTreebank, run: wordsInContext },
  { id: 'recurrent-language-model', files: pennTreebank, run: wordsInOneStream },
  ...(['trec', 'sst2', 'mr'] as const).map((set) => ({
    id: `text-cnn-${set}`,
    files: [
      set === 'mr'
        ? 'classification/mr-rt-polarity.pos.txt.gz'
        : `classification/${set}.train.txt.gz`,
    ],
    run: (_: Settings, run: Run) => kim(set, run),
  })),
  {
    id: 'classifiers-sst2',
    files: ['classification/sst2.train.txt.gz'],
    run: (_, run) => classifiers(run),
  },
  {
    id: 'tagger-english',
    files: ['ud/en_ewt-ud-train.conllu.gz'],
    run: async (_, run) => tagging('english', 'en_ewt-ud-train', 'en_ewt-ud-test', run),
  },
  {
    id: 'tagger-chinese',
    files: ['ud/zh_gsdsimp-ud-dev.conllu.gz'],
    run: async (_, run) => tagging('chinese', 'zh_gsdsimp-ud-dev', 'zh_gsdsimp-ud-test', run),
  },
]

export const neuralText: Family = {
  name: 'neural-text',
  summary: 'perplexities and accuracies of neural models of text, beside published ones',
  about: `Models with their defaults but for what is said, trained here, scored on the test sets. CPU seconds are those of
the whole process while the model was trained.`,
  options: ['only', 'megabytes', 'threads'],
  contests: () => tasks.map(({ id }) => id),

  async run(settings: Settings) {
    const { chosen, say, tell, threads } = settings
    let made: Promise<WordVectors> | undefined
    const run: Run = {
      threads: threads > 0 ? { threads } : {},
      vectors: () => (made ??= englishVectors(settings, run)),
    }
    for (const task of tasks.filter(({ id }) => chosen(id))) {
      const missing = task.files.find((file) => !existsSync(join(data, file)))
      if (missing === undefined) tell(await task.run(settings, run))
      else say(`${task.id}: INLAY_DATA has no ${missing}`)
    }
  },
}

async function englishVectors({ megabytes, say }: Settings, { threads }: Run) {
  const text = await benchmarkText(megabytes ?? 100, say)
  say(`word vectors of ${text.title}`)
  const options = { dimensions: 300, epochs: 3, negative: 5, ...threads }
  return (await Word2Vec.train(text.path, options)).vectors
}

const lines = (file: string) =>
  gunzipSync(readFileSync(join(data, file)))
    .toString('utf8')
    .trimEnd()
    .split('\n')

/** What something gives, and the CPU seconds that it takes. */
interface Costing<T> {
  readonly found: T
  readonly seconds: number
}

async function costing<T>(work: () => Promise<T>): Promise<Costing<T>> {
  const before = process.cpuUsage()
  const found = await work()
  const { user, system } = process.cpuUsage(before)
  return { found, seconds: (user + system) / 1e6 }
}

async function wordsInContext({ say }: Settings, { threads }: Run): Promise<Scores> {
  const [train, valid, test] = pennTreebank.map(lines) as [string[], string[], string[]]
  const trigram = await costing(() => NgramLanguageModel.train(train, { order: 3, ...threads }))
  say('Penn Treebank: 10 epochs')
  const options = { minCount: 1, validation: valid, ...threads }
  const neural = await costing(() => Nnlm.train(train, options))
  const tree = await costing(() => Nnlm.train(train, { ...options, softmax: 'hierarchical' }))
  const rows = [
    ['Kneser-Ney trigram', trigram],
    ['Nnlm, 5 words before, 100 values, 200 hidden units', neural],
    ['the same with a hierarchical softmax', tree],
  ] as const
  return perplexities('Nnlm', 'nnlm', rows, test, threads)
}

async function wordsInOneStream({ say }: Settings, { threads }: Run): Promise<Scores> {
  const [train, valid, test] = pennTreebank.map(lines) as [string[], string[], string[]]
  const rows: [string, Costing<RecurrentLanguageModel>][] = []
  for (const cell of ['lstm', 'gru'] as const) {
    say(`Penn Treebank: 13 epochs, ${cell}`)
    const options = { cell, minCount: 1, validation: valid, ...threads }
    const made = await costing(() => RecurrentLanguageModel.train(train, options))
    rows.push([`${cell}, 2 layers of 200 units`, made])
  }
  const about = 'The LSTM of Zaremba et al. 2014 (2 layers of 200 units, no dropout) has 114.5.'
  const id = 'recurrent-language-model'
  const scores = await perplexities('RecurrentLanguageModel', id, rows, test, threads)
  return { ...scores, about: `${scores.about} ${about}` }
}

/** What models of language are worth on a text, and what their training took. */
async function perplexities(
  model: string,
  id: string,
  rows: readonly (readonly [string, Costing<NgramLanguageModel | NeuralLanguageModel>])[],
  test: readonly string[],
  threads: Run['threads'],
): Promise<Scores> {
  const cells = rows.map(async ([name, { found, seconds }]) => {
    const { perplexity, words } = await found.perplexity(test, threads)
    return [name, perplexity.toFixed(1), String(words), seconds.toFixed(0)]
  })
  return {
    id,
    title: `${model}: Penn Treebank, test`,
    about: "Perplexity with the ends of sentences and the treebank's own `<unk>` among the words.",
    head: ['', 'perplexity', 'words', 'CPU s'],
    rows: await Promise.all(cells),
  }
}

interface Split {
  readonly train: Labelled<string>[]
  readonly dev: Labelled<string>[]
  readonly test: Labelled<string>[]
}

const published = { trec: 91.2, sst2: 82.7, mr: 76.1 }

/** The texts of Kim's sets. Where there is no development set, a tenth of the training texts is one. */
function textsOf(set: keyof typeof published, fold = 0): Split {
  if (set === 'mr') {
    const of = (label: string) =>
      lines(`classification/mr-rt-polarity.${label}.txt.gz`).map((input) => ({ input, label }))
    // Both in turn, so that every tenth is balanced.
    const [bad, good] = [of('neg'), of('pos')]
    const all = bad.flatMap((one, i) => [one, good[i]!])
    const part = (i: number) => Math.floor(i / 2) % 10
    return {
      test: all.filter((_, i) => part(i) === fold),
      dev: all.filter((_, i) => part(i) === (fold + 1) % 10),
      train: all.filter((_, i) => part(i) !== fold && part(i) !== (fold + 1) % 10),
    }
  }
  const read = (part: string) =>
    lines(`classification/${set}.${part}.txt.gz`).map((line) => {
      const space = line.indexOf(' ')
      const label = line.slice(0, space).replace(/:.*/, '')
      return { input: line.slice(space + 1), label }
    })
  const [train, test] = [read('train'), read('test')]
  if (set === 'sst2') return { train, dev: read('dev'), test }
  return {
    train: train.filter((_, i) => i % 10 !== 9),
    dev: train.filter((_, i) => i % 10 === 9),
    test,
  }
}

/** Kim 2014, table 2: random vectors, and those of words that were trained here. */
async function kim(set: keyof typeof published, { threads, vectors }: Run): Promise<Scores> {
  const initialVectors = await vectors()
  const variants: [string, TextCnnOptions][] = [
    ['random', {}],
    ['static', { initialVectors, wordVectors: 'static' }],
    ['non-static', { initialVectors }],
    ['multichannel', { initialVectors, wordVectors: 'multichannel' }],
  ]
  const rows: string[][] = []
  const folds = set === 'mr' ? [0, 1, 2] : [0]
  for (const [name, options] of variants) {
    const scores: number[] = []
    let [cpu, epochs] = [0, 0]
    for (const fold of folds) {
      const { train, dev, test } = textsOf(set, fold)
      const training = { lowercase: true, validation: dev, patience: 3, ...options, ...threads }
      const { found, seconds } = await costing(() => TextCnn.train(train, training))
      using cnn = found
      scores.push(100 * (await cnn.evaluate(test, threads)).accuracy)
      cpu += seconds
      epochs += cnn.history.length
    }
    const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length
    const count = (n: number) => (n / scores.length).toFixed(0)
    rows.push([name, mean.toFixed(1), count(epochs), count(cpu)])
  }
  return {
    id: `text-cnn-${set}`,
    title: `TextCnn: ${set.toUpperCase()}, test accuracy %`,
    about: `Kim's CNN-rand has ${published[set]}. ${folds.length > 1 ? `The mean of ${folds.length} of ten folds.` : ''}`,
    head: ['word vectors', 'accuracy', 'epochs', 'CPU s'],
    rows,
  }
}

/** Recurrent and Transformer classifiers, whose published figures are of larger data or larger models. */
async function classifiers({ threads, vectors }: Run): Promise<Scores> {
  const { train, dev, test } = textsOf('sst2')
  const common = { lowercase: true, validation: dev, patience: 3, ...threads }
  const initialVectors = await vectors()
  const variants = [
    ['BiLSTM', () => RecurrentClassifier.train(train, common)],
    [
      'BiLSTM from word vectors',
      () => RecurrentClassifier.train(train, { ...common, initialVectors }),
    ],
    ['Transformer, 2 blocks of 128', () => TransformerClassifier.train(train, common)],
  ] as const
  const rows: string[][] = []
  for (const [name, training] of variants) {
    const { found, seconds } = await costing(training)
    using classifier = found
    const { accuracy } = await classifier.evaluate(test, threads)
    const epochs = String(classifier.history.length)
    rows.push([name, (100 * accuracy).toFixed(1), epochs, seconds.toFixed(0)])
  }
  return {
    id: 'classifiers-sst2',
    title: 'RecurrentClassifier and TransformerClassifier: SST-2, test accuracy %',
    about: 'Whole sentences only.',
    head: ['', 'accuracy', 'epochs', 'CPU s'],
    rows,
  }
}

/** Sentences of a treebank with their universal tags. */
async function treebank(name: string): Promise<TaggedSentence[]> {
  const sentences: TaggedSentence[] = []
  for await (const one of readConllu(join(data, `ud/${name}.conllu.gz`))) sentences.push(one)
  return sentences
}

async function tagging(
  language: string,
  trainFile: string,
  testFile: string,
  { threads, vectors }: Run,
): Promise<Scores> {
  const [train, test] = [await treebank(trainFile), await treebank(testFile)]
  // The Chinese sentences are few: more passes, smaller batches, and no word is rare.
  const few = { epochs: 30, batchSize: 8, minCount: 1 }
  const options = { ...(language === 'english' ? { epochs: 5 } : few), ...threads }
  const variants: [string, object][] = [
    ['words and characters', options],
    ['words alone', { ...options, characters: 0 }],
  ]
  if (language === 'english') {
    const knownVectors = await vectors()
    variants.unshift(['words, characters and word vectors', { ...options, knownVectors }])
  }
  const rows: string[][] = []
  for (const [name, settings] of variants) {
    const { found, seconds } = await costing(() => SequenceTagger.train(train, settings))
    using tagger = found
    const { accuracy } = await tagger.evaluate(test, threads)
    rows.push([
      name,
      (100 * accuracy).toFixed(1),
      String(tagger.history.length),
      seconds.toFixed(0),
    ])
  }
  return {
    id: `tagger-${language}`,
    title: `SequenceTagger: universal tags of ${testFile}, accuracy %`,
    about: `Trained on ${trainFile}: ${train.length} sentences.`,
    head: ['', 'accuracy', 'epochs', 'CPU s'],
    rows,
  }
}
