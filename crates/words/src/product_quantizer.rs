//! Product quantization (Jégou et al. 2011; Joulin et al. 2016, arXiv:1612.03651): each part of a
//! few columns is clustered by itself, by k-means with 256 centroids.

use std::sync::Mutex;

use inlay_base::{Error, Random, Result, Run, Workers, lock};
use inlay_formats::fasttext::{CENTROIDS, Codebook, Norms, Quantized};
use inlay_formats::{GiveRows, Matrix};
use inlay_kernels::{Kernels, Simd, Task};

/// Rows that are clustered, at most: 256 for each centroid, as fastText takes.
const SAMPLE: usize = 256 * CENTROIDS;
/// Rounds of k-means, as fastText's.
const ROUNDS: usize = 25;
/// How far the halves of a cluster that is split begin from one another.
const APART: f32 = 1e-7;
/// Rows that are encoded at a time.
const BLOCK: usize = 4096;

/// Quantizes rows in parts of `width` values. With `norms` the length of each row is quantized by
/// itself, and the rows are brought to length 1 before. The same bytes for any number of threads.
///
/// # Errors
/// `Unsupported`: fewer than 256 rows, too few for the centroids. `Aborted`.
pub fn quantize(rows: &dyn GiveRows, width: usize, norms: bool, run: &Run) -> Result<Quantized> {
    let (count, columns) = (rows.rows(), rows.dimensions());
    enough(count)?;
    let mut chosen: Vec<usize> = (0..count).collect();
    if count > SAMPLE {
        let mut random = Random::new(run.seed(), 0);
        for place in 0..SAMPLE {
            // The number of rows of a fastText model is below 2^31 + 2^31.
            let other = place + random.below((count - place) as u32) as usize;
            chosen.swap(place, other);
        }
        chosen.truncate(SAMPLE);
        chosen.sort_unstable();
    }
    let mut sample = vec![0.0; chosen.len() * columns];
    for (&row, values) in chosen.iter().zip(sample.chunks_exact_mut(columns)) {
        rows.give(row, values);
    }
    let mut lengths: Vec<f32> = Vec::new();
    if norms {
        lengths.extend(sample.chunks_exact_mut(columns).map(normalize));
    }
    let codebook = cluster(&sample, columns, width, run)?;
    drop(sample);
    let norm_book = if norms { Some(cluster(&lengths, 1, 1, run)?) } else { None };
    encode_all(rows, codebook, norm_book, run)
}

/// Whether there are rows enough for the centroids.
///
/// # Errors
/// `Unsupported`.
pub fn enough(rows: usize) -> Result<()> {
    if rows < CENTROIDS {
        let what = format!("quantizing needs {CENTROIDS} rows at least, there are {rows}");
        return Err(Error::Unsupported { what });
    }
    Ok(())
}

/// Brings a row to length 1 and returns what it was; one of length 0 stays.
fn normalize(row: &mut [f32]) -> f32 {
    let square: f64 = row.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    let length = square.sqrt() as f32;
    if length > 0.0 {
        row.iter_mut().for_each(|value| *value /= length);
    }
    length
}

/// The centroids of every part of the rows of `sample`.
fn cluster(sample: &[f32], columns: usize, width: usize, run: &Run) -> Result<Codebook> {
    let mut centroids = vec![0.0; columns * CENTROIDS];
    let parts: Vec<_> = centroids.chunks_mut(width * CENTROIDS).map(Mutex::new).collect();
    run.phase("cluster", "parts", 0, Some(parts.len() as u64));
    run.each(parts.len(), &|part| {
        let first = part * width;
        let width = width.min(columns - first);
        let points: Vec<f32> = sample
            .chunks_exact(columns)
            .flat_map(|row| &row[first..first + width])
            .copied()
            .collect();
        let mut centroids = lock(&parts[part]);
        k_means(&points, width, &mut centroids, part as u64, run)?;
        run.advance(1);
        Ok(())
    })?;
    drop(parts);
    Ok(Codebook::new(columns, width, centroids))
}

fn k_means(
    points: &[f32],
    width: usize,
    centroids: &mut [f32],
    part: u64,
    run: &Run,
) -> Result<()> {
    let count = points.len() / width;
    let mut random = Random::new(run.seed(), 1 + part);
    let mut order: Vec<u32> = (0..count as u32).collect();
    for (place, centroid) in centroids.chunks_exact_mut(width).enumerate() {
        order.swap(place, place + random.below((count - place) as u32) as usize);
        centroid.copy_from_slice(&points[order[place] as usize * width..][..width]);
    }
    let mut codes = vec![0u8; count];
    for _ in 0..ROUNDS {
        let nearest = Nearest::new(centroids, width);
        for (points, codes) in points.chunks(BLOCK * width).zip(codes.chunks_mut(BLOCK)) {
            run.check()?;
            Kernels::get().run(Assign { nearest: &nearest, points, stride: width, codes, step: 1 });
        }
        move_to_means(points, width, &codes, centroids);
    }
    Ok(())
}

/// Moves each centroid to the mean of its points. One without points takes half of the largest
/// cluster.
fn move_to_means(points: &[f32], width: usize, codes: &[u8], centroids: &mut [f32]) {
    let mut sizes = [0usize; CENTROIDS];
    let mut sums = vec![0.0f64; centroids.len()];
    for (point, &code) in points.chunks_exact(width).zip(codes) {
        let code = usize::from(code);
        sizes[code] += 1;
        let sum = &mut sums[code * width..][..width];
        sum.iter_mut().zip(point).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    for (code, &size) in sizes.iter().enumerate().filter(|&(_, &size)| size > 0) {
        for i in code * width..(code + 1) * width {
            centroids[i] = (sums[i] / size as f64) as f32;
        }
    }
    for empty in 0..CENTROIDS {
        if sizes[empty] > 0 {
            continue;
        }
        let largest = (0..CENTROIDS).max_by_key(|&code| sizes[code]).unwrap_or(0);
        for i in 0..width {
            let value = centroids[largest * width + i];
            let apart = if i % 2 == 0 { -APART } else { APART };
            centroids[empty * width + i] = value + apart;
            centroids[largest * width + i] = value - apart;
        }
        sizes[empty] = sizes[largest] / 2;
        sizes[largest] -= sizes[empty];
    }
}

fn encode_all(
    rows: &dyn GiveRows,
    codebook: Codebook,
    norm_book: Option<Codebook>,
    run: &Run,
) -> Result<Quantized> {
    let (count, columns, parts) = (rows.rows(), rows.dimensions(), codebook.parts());
    let mut codes = vec![0u8; count * parts];
    let mut norm_codes = vec![0u8; if norm_book.is_some() { count } else { 0 }];
    let nearest: Vec<Nearest> = (0..parts)
        .map(|part| {
            let (centroids, width) = codebook.part(part);
            Nearest::new(centroids, width)
        })
        .collect();
    let nearest_norm = norm_book.as_ref().map(|book| Nearest::new(book.part(0).0, 1));
    run.phase("encode", "rows", 0, Some(count as u64));
    let norm_blocks = norm_codes.chunks_mut(BLOCK).map(Some).chain(std::iter::repeat_with(|| None));
    let blocks: Vec<_> = codes.chunks_mut(BLOCK * parts).zip(norm_blocks).map(Mutex::new).collect();
    run.each(blocks.len(), &|block| {
        let mut outputs = lock(&blocks[block]);
        let (codes, norm_codes) = &mut *outputs;
        let mut values = vec![0.0; codes.len() / parts * columns];
        rows.give(block * BLOCK, &mut values);
        let kernels = Kernels::get();
        if let (Some(nearest), Some(codes)) = (&nearest_norm, norm_codes) {
            let lengths: Vec<f32> = values.chunks_exact_mut(columns).map(normalize).collect();
            kernels.run(Assign { nearest, points: &lengths, stride: 1, codes, step: 1 });
        }
        for (part, nearest) in nearest.iter().enumerate() {
            let points = &values[part * codebook.width()..];
            let codes = &mut codes[part..];
            kernels.run(Assign { nearest, points, stride: columns, codes, step: parts });
        }
        run.advance((codes.len() / parts) as u64);
        Ok(())
    })?;
    drop(blocks);
    let norms = norm_book.map(|codebook| Norms { codes: norm_codes.into(), codebook });
    Ok(Quantized { rows: count, codes: codes.into(), codebook, norms })
}

/// The centroids of a part, in the form in which the nearest one is found.
struct Nearest {
    /// Half the square of each one's length.
    halves: [f32; CENTROIDS],
    /// Column by column.
    columns: Vec<[f32; CENTROIDS]>,
}

impl Nearest {
    fn new(centroids: &[f32], width: usize) -> Self {
        let mut halves = [0.0; CENTROIDS];
        let mut columns = vec![[0.0; CENTROIDS]; width];
        for (code, centroid) in centroids.chunks_exact(width).enumerate() {
            halves[code] = centroid.iter().map(|value| value * value).sum::<f32>() / 2.0;
            (0..width).for_each(|i| columns[i][code] = centroid[i]);
        }
        Self { halves, columns }
    }
}

/// Finds the nearest centroid of each point: |x - c|² / 2 less what all c have in common.
struct Assign<'a> {
    nearest: &'a Nearest,
    /// The first point begins here, the next one `stride` values later.
    points: &'a [f32],
    stride: usize,
    /// The code of the first point, the next one `step` later.
    codes: &'a mut [u8],
    step: usize,
}

impl Task for Assign<'_> {
    type Output = ();

    /// Plain loops over arrays of a fixed length, which the compiler turns into vectors.
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { nearest, points, stride, codes, step } = self;
        let width = nearest.columns.len();
        for (point, code) in points.chunks(stride).zip(codes.iter_mut().step_by(step)) {
            let mut distances = nearest.halves;
            for (&x, column) in point[..width].iter().zip(&nearest.columns) {
                for k in 0..CENTROIDS {
                    distances[k] -= x * column[k];
                }
            }
            let mut least = [f32::INFINITY; 16];
            for lanes in distances.chunks_exact(16) {
                for k in 0..16 {
                    least[k] = if lanes[k] < least[k] { lanes[k] } else { least[k] };
                }
            }
            let least = least.iter().copied().fold(f32::INFINITY, f32::min);
            let place = distances.iter().position(|&distance| distance == least);
            *code = place.unwrap_or(0) as u8;
        }
    }
}

/// The rows that codes stand for, to be looked at.
pub fn decode(quantized: &Quantized) -> Matrix {
    let dimensions = quantized.codebook.columns();
    let mut values = vec![0.0; quantized.rows * dimensions];
    for (row, values) in values.chunks_exact_mut(dimensions).enumerate() {
        quantized.add_row(row, values);
    }
    Matrix { values, rows: quantized.rows, dimensions }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, dimensions: usize, mut value: impl FnMut(usize) -> f32) -> Matrix {
        Matrix { values: (0..rows * dimensions).map(&mut value).collect(), rows, dimensions }
    }

    fn error(matrix: &Matrix, quantized: &Quantized) -> f64 {
        let decoded = decode(quantized);
        let square = |(a, b): (&f32, &f32)| f64::from(a - b).powi(2);
        let total: f64 = matrix.values.iter().map(|&value| f64::from(value).powi(2)).sum();
        matrix.values.iter().zip(&decoded.values).map(square).sum::<f64>() / total
    }

    #[test]
    fn as_many_points_as_centroids_are_kept_exactly() {
        let given = matrix(256, 6, |i| (i * i % 1013) as f32 - 500.0);
        let quantized = quantize(&given, 4, false, &Run::quiet(1, 1)).unwrap();
        assert_eq!(quantized.codebook.parts(), 2);
        assert_eq!(decode(&quantized), given);
    }

    #[test]
    fn random_rows_keep_most_of_what_they_are_and_norms_help_where_lengths_differ() {
        let mut random = Random::new(7, 0);
        let rows = matrix(3000, 8, |i| (random.unit() - 0.5) * 4f32.powi((i / 8 % 7) as i32));
        let run = Run::quiet(2, 1);
        let plain = error(&rows, &quantize(&rows, 2, false, &run).unwrap());
        let normed = error(&rows, &quantize(&rows, 2, true, &run).unwrap());
        assert!(plain < 0.02, "{plain}");
        assert!(normed < plain / 2.0, "{normed} {plain}");
    }

    #[test]
    fn the_same_bytes_for_any_number_of_threads() {
        let mut random = Random::new(3, 0);
        let rows = matrix(9000, 5, |_| random.unit());
        let codes = |threads| quantize(&rows, 2, true, &Run::quiet(threads, 1)).unwrap();
        let (one, three) = (codes(1), codes(3));
        assert!(*one.codes == *three.codes && one.codebook == three.codebook);
    }

    #[test]
    fn equal_rows_are_no_trouble_and_too_few_are_an_error() {
        let rows = matrix(300, 3, |i| (i % 3) as f32);
        let quantized = quantize(&rows, 2, true, &Run::quiet(1, 1)).unwrap();
        assert!(error(&rows, &quantized) < 1e-6);
        let rows = matrix(255, 3, |_| 0.0);
        let outcome = quantize(&rows, 2, false, &Run::quiet(1, 1));
        assert!(matches!(outcome, Err(Error::Unsupported { .. })));
    }
}
