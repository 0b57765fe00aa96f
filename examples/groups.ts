/**
 * Sorts rows into groups by direction (spherical k-means, Dhillon and Modha 2001): each row joins the
 * centre with which its cosine is highest, each centre becomes the mean direction of its rows.
 * `rows` is [n, dimensions], each row of length 1; the result is a group for each row. A few hundred rows
 * take milliseconds, so plain JavaScript will do.
 */
export function groupsOf(rows: Float32Array, dimensions: number, groups: number): Uint8Array {
  const size = rows.length / dimensions
  const row = (i: number) => rows.subarray(i * dimensions, (i + 1) * dimensions)
  let centres = farApart(size, groups, row)
  const group = new Uint8Array(size)
  for (let round = 0; round < 20; round++) {
    const sums = centres.map(() => new Float32Array(dimensions))
    for (let i = 0; i < size; i++) {
      const scores = centres.map((centre) => dot(row(i), centre))
      group[i] = scores.indexOf(Math.max(...scores))
      const sum = sums[group[i]!]!
      row(i).forEach((value, d) => (sum[d]! += value))
    }
    centres = sums.map((sum) => sum.map((value) => value / (Math.sqrt(dot(sum, sum)) || 1)))
  }
  return group
}

/** The first row, then again and again the row that is least like those chosen before. */
function farApart(size: number, count: number, row: (i: number) => Float32Array): Float32Array[] {
  const chosen = [row(0)]
  while (chosen.length < Math.min(count, size)) {
    const likeness = Array.from({ length: size }, (_, i) =>
      Math.max(...chosen.map((other) => dot(row(i), other))),
    )
    chosen.push(row(likeness.indexOf(Math.min(...likeness))))
  }
  return chosen
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, d) => sum + value * b[d]!, 0)
}
