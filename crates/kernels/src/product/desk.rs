//! Where products work, and who helps.

use std::ops::Range;
use std::sync::Arc;

use inlay_base::Crew;

use super::ahead::{LINE, Wanted};
use super::{Matrix, TALLEST, WIDEST};
use crate::Aligned;
#[cfg(target_arch = "x86_64")]
use crate::attention::Room;
use crate::bytes::Lines;

/// Memory that products work in; one for each thread, used again and again. It grows with what lies on it:
/// a short call must not pay for the largest one.
#[derive(Default)]
pub struct Desk {
    a: Aligned<f32>,
    b: Aligned<f32>,
    /// Rows that are not there (see `convolve`).
    zeros: Vec<f32>,
    /// Rows copied under the taps of windows.
    pub(crate) copies: Vec<f32>,
    /// What lies under tiles, and their products (see `convolve_winograd`).
    pub(crate) tiles: Aligned<f32>,
    /// See `multiply_bytes`.
    pub(crate) lines: Lines,
    /// See `Attention::narrow`.
    #[cfg(target_arch = "x86_64")]
    pub(crate) narrow: Room,
    pub(super) wanted: Wanted,
    crew: Option<Arc<Crew>>,
}

impl Desk {
    /// Who helps with large products from here on; nobody by default.
    pub fn share(&mut self, crew: Option<Arc<Crew>>) {
        self.crew = crew;
    }

    /// Says what is wanted when the next so many products of matrices that are not packed are done: they bring it into
    /// the second cache meanwhile. A hint, which replaces the one before.
    pub fn want<'a>(&mut self, products: usize, values: impl IntoIterator<Item = &'a [f32]>) {
        self.wanted.begin(products);
        values.into_iter().for_each(|values| self.wanted.push(values));
    }

    /// The crew, if it is worth its while for so many products of two numbers.
    pub(crate) fn crew_for(&self, products: usize) -> Option<Arc<Crew>> {
        self.crew.as_ref().filter(|_| products >= 1 << 20).map(Arc::clone)
    }

    /// Room for a block of A, and a vector behind it.
    pub(super) fn rows(&mut self, rows: usize, depth: usize) -> &mut [f32] {
        self.a.grow(0.0, (rows + TALLEST) * depth + 16);
        &mut self.a
    }

    /// Copies rows of A that would crowd one set of the first cache; and the step from one copy to the next.
    pub(super) fn spread(
        &mut self,
        a: Matrix<'_>,
        down: Range<usize>,
        deep: Range<usize>,
    ) -> (*const f32, usize) {
        let depth = deep.len();
        // An odd number of lines: each row begins in a set of its own.
        let step = (depth.div_ceil(LINE) | 1) * LINE;
        let room = self.rows(down.len(), step);
        for (row, to) in down.zip(room.chunks_exact_mut(step)) {
            to[..depth].copy_from_slice(a.part_of_row(row, deep.clone()));
        }
        (room.as_ptr(), step)
    }

    /// Room for panels of B.
    pub(super) fn columns(&mut self, depth: usize, columns: usize) -> &mut [f32] {
        self.b.grow(0.0, depth * (columns + WIDEST));
        &mut self.b
    }

    pub(crate) fn zeros(&mut self, length: usize) -> &[f32] {
        self.zeros.resize(self.zeros.len().max(length), 0.0);
        &self.zeros
    }
}

/// Cuts a product for so many threads: by rows if there are many, else by columns, at the panels of any set.
pub(crate) fn shares(
    rows: usize,
    columns: usize,
    threads: usize,
) -> Vec<(Range<usize>, Range<usize>)> {
    let cut = |length: usize, unit: usize| {
        let units = length.div_ceil(unit);
        let step = units.div_ceil(2 * threads) * unit;
        (0..length).step_by(step.max(1)).map(move |first| first..length.min(first + step))
    };
    match rows >= 8 * TALLEST * threads {
        true => cut(rows, TALLEST).map(|down| (down, 0..columns)).collect(),
        false => cut(columns, WIDEST).map(|across| (0..rows, across)).collect(),
    }
}
