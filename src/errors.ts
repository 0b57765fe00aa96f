/** What `error.code` can be. Aborts are not here: they reject with the signal's own reason. */
export type ErrorCode =
  /** An option is unknown, of the wrong type or out of range; nothing was read. */
  | 'INVALID_OPTION'
  /** A file, stream, query or word list is not what it should be. */
  | 'INVALID_INPUT'
  /** A file or word that is not there. */
  | 'NOT_FOUND'
  /** Right, but not something that this model, file or machine can do. */
  | 'UNSUPPORTED'
  /** Memory could not be had; `context` holds `asked` and `free` in bytes. */
  | 'OUT_OF_MEMORY'
  /** A file could not be written for lack of room. */
  | 'DISK_FULL'
  /** The system refused to read or write. */
  | 'IO'
  /** Training left the finite numbers. */
  | 'DIVERGED'
  /** A model, corpus or word vectors were used after `close()`. */
  | 'CLOSED'
  /** A fault of this library; the process goes on. */
  | 'INTERNAL'

/** The fields of an error: the file, the byte offset, the option, what was allowed. */
export type ErrorContext = Readonly<Record<string, string | number>>

/** Every error that this library makes. */
export class InlayError extends Error {
  override readonly name: string = 'InlayError'

  constructor(
    /** Tells errors apart; it never changes, as the message may. */
    readonly code: ErrorCode,
    message: string,
    /** The parts of the message, for programs. */
    readonly context: ErrorContext = {},
  ) {
    super(message)
  }
}

/** An option that the caller can correct: `context.option` names it. */
export class InvalidOptionError extends InlayError {
  override readonly name = 'InvalidOptionError'

  constructor(message: string, context: ErrorContext) {
    super('INVALID_OPTION', message, context)
  }
}

/** What came, short enough for a message. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return clipped(JSON.stringify(value))
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value !== 'object' || value === null) return String(value)
  const { name } = (value.constructor as { name?: string } | undefined) ?? {}
  return name && name !== 'Object' ? `a ${name}` : 'an object'
}

function clipped(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
