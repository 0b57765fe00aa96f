// Numbers as people read them: three figures with k, M or G, and times as a clock shows them.

/** 17_899_234 and 'words': "17.9 M words"; bytes take their prefix: "17.9 MB". */
export function quantity(value: number, unit: string): string {
  const [figures, prefix] = scaled(value)
  if (unit === 'bytes') return `${figures} ${prefix}B`
  return prefix === '' ? `${figures} ${unit}` : `${figures} ${prefix} ${unit}`
}

/** 4096: "4,096". What Node.js has for it reads its tables of languages first, for 15 ms. */
export function grouped(value: number): string {
  if (!Number.isInteger(value)) return String(value)
  return String(value).replaceAll(/\B(?=(?:\d{3})+$)/g, ',')
}

/** Seconds as "0:08", "12:34" or "1:02:03". */
export function clock(seconds: number): string {
  const whole = Math.round(seconds)
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const [first, ...rest] = parts[0] === 0 ? parts.slice(1) : parts
  return [first, ...rest.map((part) => String(part).padStart(2, '0'))].join(':')
}

/** Seconds that something took: "0.42 s", "12.3 s", then as a clock shows them. */
export function duration(seconds: number): string {
  if (seconds >= 60) return clock(seconds)
  return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`
}

function scaled(value: number): [figures: string, prefix: string] {
  for (const [size, prefix] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    // 999,950 would be rounded to "1000 k".
    if (value >= size * 0.9995) return [threeFigures(value / size), prefix]
  }
  return [String(Math.round(value)), '']
}

function threeFigures(value: number): string {
  if (value >= 99.95) return value.toFixed(0)
  return value.toFixed(value >= 9.995 ? 1 : 2)
}
