//! Pictures made smaller or larger as Pillow does it (`Image.resize`), bit for bit: each pixel is a mean of
//! those that lie under a window, first along rows and then along columns, by weights of 22 bits. The window
//! grows with what is made smaller, so that nothing aliases.

use std::ops::Range;

use crate::decode::Pixels;

/// Bits behind the point of a weight: 8 of the pixel and 2 for sums beyond it are left of 32.
const BITS: u32 = 32 - 8 - 2;

/// How pixels count by their distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// A triangle: in a straight line to nothing.
    Bilinear,
    /// Keys 1981 with a = -0.5.
    Bicubic,
}

impl Filter {
    /// How far it reaches.
    fn support(self) -> f64 {
        match self {
            Filter::Bilinear => 1.0,
            Filter::Bicubic => 2.0,
        }
    }

    fn at(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let x = x.abs();
        match self {
            Filter::Bilinear => (1.0 - x).max(0.0),
            Filter::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Filter::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            Filter::Bicubic => 0.0,
        }
    }
}

/// What a pixel of the new row is made of.
struct Window {
    first: usize,
    weights: Vec<i32>,
}

/// The windows of some pixels of a row or column that becomes so long.
fn windows(from: u32, to: u32, part: Range<u32>, filter: Filter) -> Vec<Window> {
    let scale = f64::from(from) / f64::from(to);
    let stretch = scale.max(1.0);
    let support = filter.support() * stretch;
    let window = |at: u32| {
        let centre = (f64::from(at) + 0.5) * scale;
        let first = ((centre - support + 0.5) as i64).max(0);
        let end = ((centre + support + 0.5) as i64).min(from.into());
        let step = 1.0 / stretch;
        let weights = (first..end).map(|x| filter.at((x as f64 - centre + 0.5) * step));
        let weights: Vec<f64> = weights.collect();
        let sum: f64 = weights.iter().sum();
        let whole = |weight: &f64| {
            let share = if sum == 0.0 { *weight } else { weight / sum };
            let half = if share < 0.0 { -0.5 } else { 0.5 };
            (half + share * f64::from(1 << BITS)) as i32
        };
        Window { first: first as usize, weights: weights.iter().map(whole).collect() }
    };
    part.map(window).collect()
}

/// Some columns and rows of a picture that becomes so large: only what they need is worked out, so that the
/// size of the whole does not matter.
pub fn resize(
    pixels: &Pixels,
    (width, height): (u32, u32),
    columns: Range<u32>,
    rows: Range<u32>,
    filter: Filter,
) -> Pixels {
    let (wide, high) = (columns.len() as u32, rows.len() as u32);
    let row = 3 * pixels.width() as usize;
    let mut down = windows(pixels.height(), height, rows, filter);
    let ends = down.iter().map(|window| window.first + window.weights.len());
    let (first, end) = (down.first().map_or(0, |window| window.first), ends.max().unwrap_or(0));
    let across = windows(pixels.width(), width, columns.clone(), filter);
    let needed = &pixels.data()[first * row..end * row];
    let narrow = if width == pixels.width() {
        let (from, to) = (3 * columns.start as usize, 3 * columns.end as usize);
        needed.chunks_exact(row).flat_map(|row| &row[from..to]).copied().collect()
    } else {
        along_rows(needed, row, &across)
    };
    down.iter_mut().for_each(|window| window.first -= first);
    let data = if height == pixels.height() {
        narrow
    } else {
        along_columns(&narrow, 3 * wide as usize, &down)
    };
    Pixels::of(wide, high, data)
}

fn along_rows(from: &[u8], row: usize, windows: &[Window]) -> Vec<u8> {
    let mut to = Vec::with_capacity(from.len() / row * 3 * windows.len());
    for row in from.chunks_exact(row) {
        for Window { first, weights } in windows {
            let mut sums = [1i32 << (BITS - 1); 3];
            let pixels = row[3 * first..].chunks_exact(3);
            for (pixel, weight) in pixels.zip(weights) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(value) * weight;
                }
            }
            to.extend(sums.map(clipped));
        }
    }
    to
}

fn along_columns(from: &[u8], row: usize, windows: &[Window]) -> Vec<u8> {
    let mut to = Vec::with_capacity(row * windows.len());
    let mut sums = vec![0; row];
    for Window { first, weights } in windows {
        sums.fill(1i32 << (BITS - 1));
        for (row, weight) in from[first * row..].chunks_exact(row).zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += i32::from(value) * weight;
            }
        }
        to.extend(sums.iter().map(|&sum| clipped(sum)));
    }
    to
}

fn clipped(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}
