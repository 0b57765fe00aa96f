/** A line of a table: its fields, and the line of the file on which it begins, from 1. */
export interface CsvRecord {
  readonly fields: readonly string[]
  readonly line: number
}

/** Where in a field the text has come to. */
type Place = 'start' | 'plain' | 'quoted' | 'quote' | 'return'

/**
 * Cuts text into records (RFC 4180): fields between delimiters, in quotes where they hold delimiters, ends of
 * lines or quotes, which are doubled. Lines end in LF or CRLF; empty ones are no records. A quote within a field
 * that did not begin with one is itself. Text comes in pieces that are cut anywhere.
 *
 *     const reader = new CsvReader(',', (line, problem) => new Error(`line ${line} ${problem}`))
 *     reader.read('a,"b ""c"""\nd')  // [{ fields: ['a', 'b "c"'], line: 1 }]
 *     reader.end()                   // [{ fields: ['d'], line: 2 }]
 */
export class CsvReader {
  #place: Place = 'start'
  #field = ''
  #fields: string[] = []
  #records: CsvRecord[] = []
  /** The line at hand, and that on which the record began. */
  #line = 1
  #begin = 1

  constructor(
    /** One character. */
    readonly delimiter: string,
    /** The error of a line that is no CSV. */
    readonly wrong: (line: number, problem: string) => Error,
  ) {}

  /** The records that end within `text`. */
  read(text: string): CsvRecord[] {
    let at = 0
    while (at < text.length) {
      if (this.#place === 'quoted') at = this.#readQuoted(text, at)
      else if (this.#place === 'quote' || this.#place === 'return') at = this.#readAfter(text, at)
      else at = this.#readPlain(text, at)
    }
    return this.#taken()
  }

  /** The last record, if no end of a line came after it. */
  end(): CsvRecord[] {
    if (this.#place === 'quoted') {
      throw this.wrong(this.#begin, 'begins a field in quotes that never ends')
    }
    if (this.#place !== 'start' || this.#fields.length > 0) this.#endRecord()
    return this.#taken()
  }

  #readPlain(text: string, from: number): number {
    if (this.#place === 'start' && text[from] === '"') {
      this.#place = 'quoted'
      return from + 1
    }
    this.#place = 'plain'
    let end = from
    while (end < text.length && text[end] !== this.delimiter && text[end] !== '\n') end += 1
    this.#field += text.slice(from, end)
    if (text[end] === '\n') {
      if (this.#field.endsWith('\r')) this.#field = this.#field.slice(0, -1)
      this.#endRecord()
    } else if (end < text.length) this.#endField()
    return end + 1
  }

  #readQuoted(text: string, from: number): number {
    const quote = text.indexOf('"', from)
    const end = quote < 0 ? text.length : quote
    const part = text.slice(from, end)
    for (let at = part.indexOf('\n'); at >= 0; at = part.indexOf('\n', at + 1)) this.#line += 1
    this.#field += part
    if (quote >= 0) this.#place = 'quote'
    return end + 1
  }

  /** Behind a quote that was the field's last, or the first of two. */
  #readAfter(text: string, at: number): number {
    const next = text[at]
    if (next === '\n') this.#endRecord()
    else if (this.#place === 'quote' && next === '"') {
      this.#field += '"'
      this.#place = 'quoted'
    } else if (this.#place === 'quote' && next === this.delimiter) this.#endField()
    else if (this.#place === 'quote' && next === '\r') this.#place = 'return'
    else throw this.wrong(this.#line, 'has text between a closing quote and the next field')
    return at + 1
  }

  #endField(): void {
    this.#fields.push(this.#field)
    this.#field = ''
    this.#place = 'start'
  }

  #endRecord(): void {
    const isEmpty = this.#fields.length === 0 && this.#field === '' && this.#place === 'plain'
    this.#endField()
    if (!isEmpty) this.#records.push({ fields: this.#fields, line: this.#begin })
    this.#fields = []
    this.#line += 1
    this.#begin = this.#line
  }

  #taken(): CsvRecord[] {
    const records = this.#records
    this.#records = []
    return records
  }
}
