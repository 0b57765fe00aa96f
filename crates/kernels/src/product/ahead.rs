//! What tiles ask the memory for before it is wanted.

use crate::Simd;

/// Asks for the rows of B that a tile itself will want: the machine looks ahead within a page only.
#[inline(always)]
pub(crate) fn ask<S: Simd, const VECTORS: usize>(simd: S, b: *const f32, step: usize) {
    const AHEAD: usize = 24;
    for line in (0..VECTORS * S::LANES).step_by(16) {
        simd.prefetch(b.wrapping_add(AHEAD * step + line));
    }
}

/// A tile's share of the panel of B that comes next. Weights come from the third cache, and the first tile of a panel
/// would wait for most of it: all tiles of the panel before bring it into the second cache, a row at a time.
#[derive(Clone, Copy)]
pub(crate) struct Soon {
    row: *const f32,
    step: usize,
    /// Steps of the depth between two rows.
    pub every: usize,
}

impl Soon {
    /// The share of one of so many tiles in a panel of `depth` rows that are `step` values apart.
    pub(crate) fn share(
        panel: *const f32,
        step: usize,
        depth: usize,
        (tile, tiles): (usize, usize),
    ) -> Self {
        // One tile or two ask for rows of their own that are nearly as far ahead.
        let every = if tiles > 2 { tiles } else { depth.max(1) };
        Self { row: panel.wrapping_add(tile * depth / tiles * step), step, every }
    }

    /// Asks for a row.
    #[inline(always)]
    pub(crate) fn ask<S: Simd>(&mut self, simd: S) {
        for line in (0..S::PRODUCT.1 * S::LANES).step_by(16) {
            simd.prefetch_second(self.row.wrapping_add(line));
        }
        self.row = self.row.wrapping_add(self.step);
    }
}
