//! Products with weights of 8 bits: y = x·W + b, where each column of W is a scale and bytes, and each row of
//! x becomes a scale, a zero and bytes on the way.
//!
//! ```text
//! W[p][j] ≈ t[j]·w[p][j]          w from -127 to 127, t[j] = max|W[·][j]| / 127
//! x[i][p] ≈ s[i]·(q[i][p] - z[i])  q from 0 to 255, of which z[i] is zero itself
//! y[i][j] = s[i]·t[j]·(Σₚ q[i][p]·w[p][j] - z[i]·Σₚ w[p][j]) + b[j]
//! ```
//!
//! Sums are of integers, and exact. A row has a scale of its own, so that it depends on no other row, and what
//! is rounded in it is small beside its own largest value (Dettmers et al. 2022, arXiv:2208.07339, section 2).

mod sets;
#[cfg(test)]
mod tests;

use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::Mutex;

use inlay_base::{Crew, lock};
use sets::{ByteSet, ByteTask, Bytes};

use crate::{Activation, Aligned, Desk, Kernels, Matrix, Simd, Target};

/// Bytes of a row and of a column that are multiplied and added up by one instruction.
const STEP: usize = 4;
/// Sums of the largest tile of any set.
const LARGEST: usize = 9 * 3 * 16;
/// Rows of x that are turned into bytes at a time: with as many as these W is read seldom, and they stay in the
/// second cache.
const ROWS: usize = 336;

/// A matrix [rows, columns] whose values have 8 bits, in panels as wide as a tile: [columns / width]
/// [rows / 4] [width] [4]. Zeros are beyond its last row and column.
pub struct ByteMatrix {
    set: ByteSet,
    /// Four bytes in each.
    values: Aligned<u32>,
    /// Of each column.
    scales: Vec<f32>,
    /// Of each column, the sum of its bytes.
    sums: Vec<f32>,
    rows: usize,
    columns: usize,
    width: usize,
}

impl ByteMatrix {
    /// Room for a matrix; its columns are given by `take`.
    pub fn new(kernels: Kernels, rows: usize, columns: usize) -> Self {
        Self::with(ByteSet::of(kernels), rows, columns)
    }

    fn with(set: ByteSet, rows: usize, columns: usize) -> Self {
        let width = set.width();
        let panels = columns.div_ceil(width);
        let values = Aligned::new(0, panels * rows.div_ceil(STEP) * width);
        let (scales, sums) = (vec![0.0; panels * width], vec![0.0; panels * width]);
        Self { set, values, scales, sums, rows, columns, width }
    }

    /// Takes in columns from `first` on.
    ///
    /// # Panics
    /// If there is no room for them.
    pub fn take(&mut self, first: usize, columns: Matrix<'_>) {
        let columns = columns.lying();
        let count = columns.columns();
        assert!(columns.rows() == self.rows && first + count <= self.columns);
        let row = |row: usize| &columns.values()[row * columns.step()..][..count];
        let mut largest = vec![0.0f32; count];
        for values in (0..self.rows).map(row) {
            // What is no number makes all of its column none.
            largest.iter_mut().zip(values).for_each(|(largest, value)| {
                *largest = if value.abs() <= *largest { *largest } else { value.abs() };
            });
        }
        let limit = self.set.limit();
        for (scale, largest) in self.scales[first..].iter_mut().zip(&largest) {
            *scale = largest / limit;
        }
        self.sums[first..first + count].fill(0.0);
        let steps = self.rows.div_ceil(STEP);
        let bytes: &mut [i8] = bytemuck::cast_slice_mut(&mut self.values);
        for (at, values) in (0..self.rows).map(row).enumerate() {
            for (column, &value) in (first..).zip(values) {
                let (scale, panel) = (self.scales[column], column / self.width);
                let byte = if scale > 0.0 { (value / scale).round_ties_even() } else { 0.0 };
                let line = (panel * steps + at / STEP) * self.width + column % self.width;
                bytes[line * STEP + at % STEP] = byte as i8;
                self.sums[column] += byte;
            }
        }
    }

    /// The numbers that it stands for, row by row.
    pub fn values(&self) -> Vec<f32> {
        let steps = self.rows.div_ceil(STEP);
        let bytes: &[i8] = bytemuck::cast_slice(&self.values);
        let value = |row: usize, column: usize| {
            let line = (column / self.width * steps + row / STEP) * self.width;
            f32::from(bytes[(line + column % self.width) * STEP + row % STEP]) * self.scales[column]
        };
        let row = |row: usize| (0..self.columns).map(move |column| value(row, column));
        (0..self.rows).flat_map(row).collect()
    }

    /// Bytes that it holds.
    pub fn size(&self) -> usize {
        4 * (self.values.len() + self.scales.len() + self.sums.len())
    }
}

/// C = `activation`(A·B + bias), each column of C with its own of the bias, if there is one.
///
/// # Panics
/// If the shapes do not fit, or the bias is not as long as a row of C.
pub fn multiply_bytes(
    a: Matrix<'_>,
    b: &ByteMatrix,
    bias: Option<&[f32]>,
    activation: Option<Activation>,
    c: Target<'_>,
    desk: &mut Desk,
) {
    let a = a.lying();
    assert_eq!((a.columns(), c.columns()), (b.rows, b.columns));
    assert_eq!(a.rows(), c.rows());
    assert!(bias.is_none_or(|bias| bias.len() == b.columns));
    let (rows, columns) = (c.rows(), c.columns());
    let crew = desk.crew_for(rows * columns * b.rows);
    for first in (0..rows).step_by(ROWS) {
        let down = first..rows.min(first + ROWS);
        let lines = &mut desk.lines;
        lines.turn(b.set, a.some_rows(first, down.len()), crew.as_deref());
        let some = |panels: Range<usize>| {
            // SAFETY: no two calls have panels in common.
            let c = unsafe { c.part(down.clone(), 0..columns) };
            b.set.run(Product { lines, b, panels, bias, activation, c });
        };
        let panels = columns.div_ceil(b.width);
        let Some(crew) = &crew else {
            some(0..panels);
            continue;
        };
        let step = panels.div_ceil(2 * crew.size());
        crew.each(panels.div_ceil(step), &|number| {
            some(number * step..panels.min((number + 1) * step));
        });
    }
}

/// Rows of x as bytes.
#[derive(Default)]
pub(crate) struct Lines {
    bytes: Vec<u8>,
    meanings: Vec<Meaning>,
    /// From one row to the next.
    stride: usize,
}

/// What a row of bytes stands for: scale·(byte - zero).
#[derive(Clone, Copy, Default)]
struct Meaning {
    scale: f32,
    zero: f32,
}

impl Lines {
    /// Takes in other rows.
    fn turn(&mut self, set: ByteSet, rows: Matrix<'_>, crew: Option<&Crew>) {
        // Whole vectors of bytes are written; an odd number of lines, so that rows do not crowd a set of the first cache.
        self.stride = (rows.columns().div_ceil(64) | 1) * 64;
        self.bytes.resize(self.bytes.len().max(rows.rows() * self.stride), 0);
        self.meanings.clear();
        self.meanings.resize(rows.rows(), Meaning::default());
        let each = rows.rows().div_ceil(crew.map_or(1, |crew| 2 * crew.size())).max(1);
        let parts = self.bytes.chunks_mut(each * self.stride).zip(self.meanings.chunks_mut(each));
        let parts = parts.zip((0..).step_by(each)).map(|((to, meanings), first)| {
            let rows = rows.some_rows(first, meanings.len());
            Turn { rows, to, meanings, stride: self.stride }
        });
        match crew {
            None => parts.for_each(|part| set.run(part)),
            Some(crew) => {
                let parts: Vec<_> = parts.map(|part| Mutex::new(Some(part))).collect();
                crew.each(parts.len(), &|number| {
                    let part = lock(&parts[number]).take();
                    part.into_iter().for_each(|part| set.run(part));
                });
            }
        }
    }
}

/// Some rows become bytes.
struct Turn<'a> {
    rows: Matrix<'a>,
    to: &'a mut [u8],
    meanings: &'a mut [Meaning],
    stride: usize,
}

impl ByteTask for Turn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<B: Bytes>(self, bytes: B) {
        let simd = bytes.floats();
        let groups = self.to.chunks_mut(B::Floats::LANES * self.stride);
        let groups = groups.zip(self.meanings.chunks_mut(B::Floats::LANES));
        for (group, (to, meanings)) in groups.enumerate() {
            let first = group * B::Floats::LANES;
            let row = |row: usize| {
                &self.rows.values()[(first + row) * self.rows.step()..][..self.rows.columns()]
            };
            // Lane i of what is found of all rows of a group is of row i.
            let mut found = [[simd.splat(0.0); 16]; 3];
            let [lows, highs, spoilt] = &mut found;
            let each = lows.iter_mut().zip(&mut *highs).zip(&mut *spoilt).enumerate();
            for (i, ((low, high), spoilt)) in each.take(meanings.len()) {
                [*low, *high, *spoilt] = reach(simd, row(i));
            }
            simd.transpose(lows);
            simd.transpose(highs);
            let (mut low, mut high) = (lows[0], highs[0]);
            for (&other_low, &other_high) in lows.iter().zip(&*highs).take(B::Floats::LANES).skip(1)
            {
                (low, high) = (simd.min(low, other_low), simd.max(high, other_high));
            }
            let mut known = [[0.0f32; 16]; 3];
            for (to, from) in known.iter_mut().zip([low, high, simd.sums(spoilt)]) {
                // SAFETY: sixteen values hold the lanes of any set.
                unsafe { simd.store(to.as_mut_ptr(), from) };
            }
            let [lows, highs, spoilt] = known;
            let lines = to.chunks_exact_mut(self.stride);
            for (i, (to, meaning)) in lines.zip(meanings).enumerate() {
                *meaning = turn(bytes, row(i), (lows[i], highs[i], spoilt[i]), to);
            }
        }
    }
}

/// Rows of bytes and some panels of B.
struct Product<'a> {
    lines: &'a Lines,
    b: &'a ByteMatrix,
    panels: Range<usize>,
    bias: Option<&'a [f32]>,
    activation: Option<Activation>,
    c: Target<'a>,
}

impl ByteTask for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<B: Bytes>(mut self, bytes: B) {
        let Lines { bytes: rows, meanings, stride } = self.lines;
        let count = meanings.len();
        for panel in self.panels.clone() {
            let mut at = 0;
            while at < count {
                // Tiles of about the same height: a low one has too few sums to add to at once.
                let height = (count - at).div_ceil((count - at).div_ceil(B::ROWS));
                let tile = Tile {
                    steps: self.b.rows.div_ceil(STEP),
                    rows: rows[at * stride..].as_ptr(),
                    stride: *stride,
                    meanings: &meanings[at..at + height],
                    panel,
                };
                self.tile(bytes, tile, at);
                at += height;
            }
        }
    }
}

/// Some rows of bytes beside a panel of B.
struct Tile<'a> {
    steps: usize,
    rows: *const u8,
    /// From one row to the next.
    stride: usize,
    meanings: &'a [Meaning],
    panel: usize,
}

impl Product<'_> {
    #[inline(always)]
    fn tile<B: Bytes>(&mut self, bytes: B, tile: Tile<'_>, first: usize) {
        let height = tile.meanings.len();
        let columns = (self.b.columns - tile.panel * self.b.width).min(self.b.width);
        const {
            // As tall as there are tiles below.
            assert!(B::ROWS <= if B::VECTORS == 3 { 9 } else { 6 });
            assert!(B::ROWS * B::VECTORS * B::Floats::LANES <= LARGEST);
        }
        let mut sums = MaybeUninit::<[f32; LARGEST]>::uninit();
        let sums = sums.as_mut_ptr().cast::<f32>();
        macro_rules! of_rows {
            ($vectors:literal: $($rows:literal)*) => {
                match height {
                    // Tiles that are taller than this set's own never come.
                    $($rows if $rows <= B::ROWS => {
                        // SAFETY: `run` has made as many rows of bytes, each of all steps; a panel has them too, and
                        // there is room for the sums of the largest tile.
                        unsafe { self.add_up::<B, $rows, $vectors>(bytes, &tile, sums) }
                    })*
                    _ => unreachable!("a tile is as tall as the set says"),
                }
            };
        }
        if B::VECTORS == 3 {
            of_rows!(3: 1 2 3 4 5 6 7 8 9);
        } else {
            of_rows!(2: 1 2 3 4 5 6);
        }
        // SAFETY: they were written above; C and the bias have so many columns.
        unsafe { self.write(bytes, &tile, sums, first, columns) };
        if let Some(activation) = self.activation {
            let to = self.c.row(first).wrapping_add(tile.panel * self.b.width);
            // SAFETY: these values of C were written above.
            unsafe { activation.on_rows(bytes.floats(), to, (height, columns), self.c.step()) };
        }
    }

    /// The sums of a tile's products, row by row.
    ///
    /// # Safety
    /// There are `ROWS` rows of bytes, and room for as many rows of a panel's width.
    #[inline(always)]
    unsafe fn add_up<B: Bytes, const ROWS: usize, const VECTORS: usize>(
        &self,
        bytes: B,
        tile: &Tile<'_>,
        to: *mut f32,
    ) {
        let (simd, lanes, width) = (bytes.floats(), B::Floats::LANES, self.b.width);
        let mut panel =
            self.b.values.as_ptr().wrapping_add(tile.panel * tile.steps * width).cast::<i8>();
        let mut row = tile.rows;
        // SAFETY: the caller's promise; a panel has all steps.
        unsafe {
            let mut sums = [[bytes.nothing(); VECTORS]; ROWS];
            for _ in 0..tile.steps {
                let mut across = [bytes.weights(panel); VECTORS];
                for (v, across) in across.iter_mut().enumerate().skip(1) {
                    *across = bytes.weights(panel.add(v * lanes * STEP));
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let down = bytes.four(row.add(i * tile.stride));
                    for (sum, &across) in sums.iter_mut().zip(&across) {
                        *sum = bytes.add_products(*sum, down, across);
                    }
                }
                panel = panel.wrapping_add(width * STEP);
                row = row.wrapping_add(STEP);
            }
            // A loop that is short enough to be unrolled: else the sums would lie in memory from the start.
            for (i, sums) in sums.iter().enumerate() {
                for (v, &sum) in sums.iter().enumerate() {
                    simd.store(to.add(i * width + v * lanes), bytes.numbers(sum));
                }
            }
        }
    }

    /// What sums stand for goes to C.
    ///
    /// # Safety
    /// `sums` has a row of a panel's width for each row of the tile; C and the bias have so many columns.
    #[inline(always)]
    unsafe fn write<B: Bytes>(
        &mut self,
        bytes: B,
        tile: &Tile<'_>,
        sums: *const f32,
        first: usize,
        columns: usize,
    ) {
        let (simd, lanes, width) = (bytes.floats(), B::Floats::LANES, self.b.width);
        for v in 0..columns.div_ceil(lanes) {
            let at = tile.panel * width + v * lanes;
            let count = (columns - v * lanes).min(lanes);
            // SAFETY: the caller's promise; scales and sums of columns are as many as whole panels have.
            unsafe {
                let of_column = simd.load(self.b.sums.as_ptr().add(at));
                let scales = simd.load(self.b.scales.as_ptr().add(at));
                let start = match self.bias {
                    Some(bias) => simd.load_first(bias.as_ptr().add(at), count),
                    None => simd.splat(0.0),
                };
                let (mut from, mut to) = (sums.add(v * lanes), self.c.row(first).add(at));
                for &Meaning { scale, zero } in tile.meanings {
                    let sum = simd.fma(simd.splat(-zero), of_column, simd.load(from));
                    let value = simd.fma(sum, simd.mul(simd.splat(scale), scales), start);
                    if count == lanes {
                        simd.store(to, value);
                    } else {
                        simd.store_first(to, value, count);
                    }
                    from = from.wrapping_add(width);
                    to = to.wrapping_add(self.c.step());
                }
            }
        }
    }
}

/// The lowest and the highest value of a row and 0, and what is 0 unless one is infinite or no number: each of all lanes.
#[inline(always)]
fn reach<S: Simd>(simd: S, row: &[f32]) -> [S::Vector; 3] {
    let zero = simd.splat(0.0);
    let whole = row.len() - row.len() % S::LANES;
    // Of every other vector, so that one need not wait for the next.
    let mut found = [[zero; 3]; 2];
    macro_rules! see {
        ($turn:expr, $x:expr) => {
            let (x, [low, high, spoilt]) = ($x, &mut found[$turn]);
            (*low, *high) = (simd.min(*low, x), simd.max(*high, x));
            *spoilt = simd.fma(x, zero, *spoilt);
        };
    }
    // SAFETY: so many values are there; zeros behind them change nothing.
    unsafe {
        for at in (0..whole).step_by(2 * S::LANES) {
            see!(0, simd.load(row.as_ptr().add(at)));
            if at + S::LANES < whole {
                see!(1, simd.load(row.as_ptr().add(at + S::LANES)));
            }
        }
        if whole < row.len() {
            see!(0, simd.load_first(row.as_ptr().add(whole), row.len() - whole));
        }
    }
    let [[low, high, spoilt], other] = found;
    [simd.min(low, other[0]), simd.max(high, other[1]), simd.add(spoilt, other[2])]
}

/// A row becomes bytes, of which it is known how far it reaches.
#[inline(always)]
fn turn<B: Bytes>(
    bytes: B,
    row: &[f32],
    (low, high, spoilt): (f32, f32, f32),
    to: &mut [u8],
) -> Meaning {
    let (simd, lanes) = (bytes.floats(), B::Floats::LANES);
    let range = high - low;
    let inverse = if range > 0.0 && range.is_finite() { 255.0 / range } else { 0.0 };
    let place = (-low * inverse).round_ties_even();
    let (zero, most) = (simd.splat(0.0), simd.splat(255.0));
    let (inverses, places) = (simd.splat(inverse), simd.splat(place));
    macro_rules! write {
        ($x:expr, $to:expr) => {
            bytes.store($to, simd.max(zero, simd.min(most, simd.fma($x, inverses, places))))
        };
    }
    let whole = row.len() - row.len() % lanes;
    let (row, to, rest) = (row.as_ptr(), to.as_mut_ptr(), row.len() - whole);
    // SAFETY: so many values are there; there is room for a byte for each lane of whole vectors.
    unsafe {
        for at in (0..whole).step_by(lanes) {
            write!(simd.load(row.add(at)), to.add(at));
        }
        if rest > 0 {
            write!(simd.load_first(row.add(whole), rest), to.add(whole));
        }
    }
    Meaning { scale: range / 255.0 + spoilt, zero: place }
}
