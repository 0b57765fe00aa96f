// What the tensors of a model's files say of its sizes, which are then those that memory is made for.
import { InlayError } from '../errors.js'
import type { RunSettings } from '../options.js'
import { tensorsOf } from './model-folder.js'

/** Shapes of tensors, by name. */
export class TensorShapes {
  private constructor(
    readonly all: ReadonlyMap<string, readonly number[]>,
    /** The first of the files. */
    readonly file: string,
    readonly who: string,
  ) {}

  /** Those of files. */
  static async of(files: readonly string[], who: string, run: RunSettings): Promise<TensorShapes> {
    return new TensorShapes(await tensorsOf(files, who, run), files[0]!, who)
  }

  has(name: string): boolean {
    return this.all.has(name)
  }

  /** The first name for which something holds. */
  find(holds: (name: string) => boolean): string | undefined {
    return [...this.all.keys()].find(holds)
  }

  get(name: string): readonly number[] | undefined {
    return this.all.get(name)
  }

  /** How many numbers from 0 up there is a tensor for. */
  count(nameOf: (number: number) => string): number {
    let count = 0
    while (this.has(nameOf(count))) count++
    return count
  }

  /** Rows of a matrix with so many values in each, or as many as it has; axes of 1 may stand before. */
  rows(name: string, width?: number): number {
    const shape = this.get(name) ?? []
    const [rows = 0, values = 0] = shape.slice(-2)
    const isMatrix = shape.length >= 2 && shape.slice(0, -2).every((axis) => axis === 1)
    if (isMatrix && rows > 0 && values > 0 && values === (width ?? values)) return rows
    throw this.wrong(name, `[rows, ${width ?? 'width'}]`)
  }

  /** The same, of a tensor that need not be there. */
  rowsIfAny(name: string, width: number): number | undefined {
    return this.has(name) ? this.rows(name, width) : undefined
  }

  /** An error about a tensor. */
  wrong(name: string, expected: string): InlayError {
    const found = this.get(name)
    const problem = found === undefined ? 'is missing' : `is [${found.join(', ')}]`
    return this.error(`: \`${name}\` ${problem} and should be ${expected}`)
  }

  /** An error about the file. */
  error(problem: string): InlayError {
    const { file, who } = this
    return new InlayError('INVALID_INPUT', `${who}: ${file}${problem}`, { file })
  }
}
