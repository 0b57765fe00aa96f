// The same training in each tool's words: ours by its command line, word2vec.c, gensim.
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { simd } from '#inlay/native.js'
import type { Program } from './processes.js'
import { root } from './texts.js'

/** One cell of {skip-gram, cbow} x {negative sampling, hierarchical softmax} x dimensions. */
export interface Model {
  /** As it is named on the command line: 'sgns-100'. */
  readonly id: string
  readonly title: string
  readonly architecture: 'skip-gram' | 'cbow'
  readonly objective: 'negative-sampling' | 'hierarchical-softmax'
  readonly dimensions: number
  /** The default of word2vec.c for the architecture. */
  readonly learningRate: number
}

export const models: readonly Model[] = [
  { short: 'sg', architecture: 'skip-gram', learningRate: 0.025 } as const,
  { short: 'cbow', architecture: 'cbow', learningRate: 0.05 } as const,
].flatMap(({ short, architecture, learningRate }) =>
  [
    { code: 'ns', objective: 'negative-sampling', words: 'negative sampling' } as const,
    { code: 'hs', objective: 'hierarchical-softmax', words: 'hierarchical softmax' } as const,
  ].flatMap(({ code, objective, words }) =>
    [100, 300].map((dimensions) => ({
      id: `${short}${code}-${dimensions}`,
      title: `${short === 'sg' ? 'Skip-gram' : 'CBOW'}, ${words}, ${dimensions} dimensions`,
      architecture,
      objective,
      dimensions,
      learningRate,
    })),
  ),
)

/** What all models here have in common. */
export const setting = { window: 5, negative: 5, subsample: 1e-4, minCount: 5 } as const
export const settingText = 'window 5, 5 negatives, subsample 1e-4, words that occur 5 times or more'

export interface Training {
  readonly model: Model
  /** The text's name in `folder`. */
  readonly text: string
  /** Where the tool runs and writes. */
  readonly folder: string
  readonly epochs: number
  readonly threads: number
  readonly seed: number
}

export interface Trainer {
  /** As `--tools` names it. */
  readonly key: string
  readonly name: string
  /** Why it cannot run here. */
  readonly missing?: string
  /** What it writes, in the training's folder. */
  readonly output: string
  readonly program: (training: Training) => Program
}

export const peers = resolve(root, process.env['INLAY_PEERS'] ?? '.peers')
/** The Python of the peers. */
export const python = join(peers, '.venv', 'bin', 'python')
export const gensimScript = join(root, 'benchmark', 'gensim_contender.py')
/** Numerical libraries take no threads of their own beside the ones that are asked for. */
export const oneThreadEach = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' }

/** Why a peer is not here; undefined if it is. */
export function missingPeer(path: string): string | undefined {
  return existsSync(path) ? undefined : 'not installed: see benchmark/peers.sh'
}

/** What built word2vec.c. */
export function compiler(): string | undefined {
  const note = join(peers, 'compiler')
  return existsSync(note) ? readFileSync(note, 'utf8').trim() : undefined
}

const detected = simd()

export const trainers: readonly Trainer[] = [
  inlay('inlay', `inlay, ${detected}`),
  ...(detected === 'avx512' ? [inlay('inlay-avx2', 'inlay, avx2', { INLAY_SIMD: 'avx2' })] : []),
  inlay('inlay-unshared', 'inlay, negatives not shared', {}, ['--no-shared-negatives']),
  word2vec('word2vec-O3', 'word2vec.c -O3'),
  word2vec('word2vec-Ofast', 'word2vec.c -Ofast'),
  gensim(),
]

/** Ours: `inlay word2vec train`. */
function inlay(
  key: string,
  name: string,
  env: Record<string, string> = {},
  more: readonly string[] = [],
): Trainer {
  const output = `${key}.safetensors`
  const command = [join(root, 'dist', 'cli', 'main.js'), 'word2vec', 'train']
  return {
    key,
    name,
    output,
    program: ({ model, text, folder, epochs, threads, seed }) => {
      const { architecture, objective, dimensions, learningRate } = model
      const { window, negative, subsample, minCount } = setting
      const flags = typed('--', {
        output,
        architecture,
        objective,
        dimensions,
        window,
        ...(objective === 'negative-sampling' && { negative }),
        subsample,
        epochs,
        threads,
        seed,
        'learning-rate': learningRate,
        'min-count': minCount,
      })
      const args = [...command, text, '--quiet', ...flags, ...more]
      return { command: process.execPath, args, cwd: folder, env }
    },
  }
}

/** It has no seed: its random numbers begin alike in every run. */
function word2vec(key: string, name: string): Trainer {
  const command = join(peers, key)
  const missing = missingPeer(command)
  const output = `${key}.bin`
  return {
    key,
    name,
    output,
    ...(missing && { missing }),
    program: ({ model, text, folder, epochs, threads }) => {
      const isHierarchical = model.objective === 'hierarchical-softmax'
      const args = typed('-', {
        train: text,
        output,
        binary: 1,
        debug: 0,
        cbow: model.architecture === 'cbow' ? 1 : 0,
        hs: isHierarchical ? 1 : 0,
        negative: isHierarchical ? 0 : setting.negative,
        size: model.dimensions,
        alpha: model.learningRate,
        window: setting.window,
        sample: setting.subsample,
        'min-count': setting.minCount,
        iter: epochs,
        threads,
      })
      return { command, args, cwd: folder }
    },
  }
}

function gensim(): Trainer {
  const missing = missingPeer(python)
  const output = 'gensim.bin'
  return {
    key: 'gensim',
    name: 'gensim 4.4.0',
    output,
    ...(missing && { missing }),
    program: ({ model, text, folder, epochs, threads, seed }) => {
      const settings = JSON.stringify({ ...model, ...setting, epochs, threads, seed })
      const args = [gensimScript, 'train', text, output, settings]
      return { command: python, args, cwd: folder, env: oneThreadEach }
    },
  }
}

/** Flags with their values, as they are typed. */
function typed(dashes: string, flags: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(flags).flatMap(([name, value]) => [`${dashes}${name}`, `${value}`])
}
