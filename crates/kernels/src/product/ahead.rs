//! What tiles ask the memory for before it is wanted.

use crate::Simd;

/// Steps of the depth between asking for a row and its turn.
pub(super) const AHEAD: usize = 24;

/// Asks for the rows of B that a tile itself will want: the machine looks ahead within a page only.
#[inline(always)]
pub(crate) fn ask<S: Simd, const VECTORS: usize>(simd: S, b: *const f32, step: usize) {
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

/// Memory that is wanted when some products are done. They have no other use for the way to it, and ask for a part of it
/// with each tile.
#[derive(Default)]
pub(crate) struct Wanted {
    /// Addresses, and lines from there on. The last are asked for first.
    ranges: Vec<(usize, usize)>,
    /// Products that are to ask for what is left.
    products: usize,
    /// Of the one at hand: tiles, and lines, that are left.
    tiles: usize,
    lines: usize,
}

/// Values of a cache line.
pub(super) const LINE: usize = 16;

impl Wanted {
    /// Nothing but what `push` says, to be asked for by the next so many products.
    pub(super) fn begin(&mut self, products: usize) {
        self.ranges.clear();
        (self.products, self.tiles, self.lines) = (products, 0, 0);
    }

    pub(super) fn push(&mut self, values: &[f32]) {
        if !values.is_empty() {
            self.ranges.push((values.as_ptr().addr(), values.len().div_ceil(LINE)));
        }
    }

    /// A product of so many tiles takes its part.
    pub(super) fn take(&mut self, tiles: usize) {
        let left: usize = self.ranges.iter().map(|range| range.1).sum();
        self.lines = left.div_ceil(self.products.max(1));
        (self.products, self.tiles) = (self.products.saturating_sub(1), tiles);
    }

    /// What its next tile asks for within `depth` steps.
    #[inline(always)]
    pub(super) fn share<S: Simd>(&mut self, depth: usize) -> Option<Soon> {
        let (address, left) = self.ranges.last_mut().filter(|_| self.lines > 0)?;
        let each = (S::PRODUCT.1 * S::LANES).div_ceil(LINE);
        let lines = self.lines.div_ceil(self.tiles.max(1)).next_multiple_of(each);
        let lines = lines.min(depth * each).min(*left);
        let row = std::ptr::without_provenance(*address);
        let every = (depth * each / lines).max(1);
        *address += 4 * LINE * lines;
        *left -= lines;
        if *left == 0 {
            self.ranges.pop();
        }
        self.tiles = self.tiles.saturating_sub(1);
        self.lines = self.lines.saturating_sub(lines);
        Some(Soon { row, step: each * LINE, every })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kernels, Task};

    /// Which lines, counted from the beginning of some values, the tiles of some products ask for.
    struct Ask<'a> {
        values: &'a [f32],
        ranges: &'a [std::ops::Range<usize>],
        products: usize,
        tiles: usize,
    }

    impl Task for Ask<'_> {
        type Output = Vec<usize>;
        #[inline(always)]
        fn run<S: Simd>(self, _simd: S) -> Vec<usize> {
            const DEPTH: usize = 60;
            let Self { values, ranges, products, tiles } = self;
            let (mut wanted, mut found) = (Wanted::default(), Vec::new());
            wanted.begin(products);
            ranges.iter().for_each(|range| wanted.push(&values[range.clone()]));
            for _ in 0..products {
                wanted.take(tiles);
                for _ in 0..tiles {
                    let Some(soon) = wanted.share::<S>(DEPTH) else { continue };
                    let first = (soon.row.addr() - values.as_ptr().addr()) / 4 / LINE;
                    let lines = DEPTH.div_ceil(soon.every) * (soon.step / LINE);
                    found.extend(first..first + lines);
                }
            }
            found
        }
    }

    #[test]
    fn tiles_ask_for_all_that_is_wanted_between_them() {
        let values = vec![0.0; 1 << 16];
        for kernels in Kernels::available() {
            for (products, tiles) in [(1, 30), (1, 90), (2, 45), (3, 17)] {
                let ranges = &[0..20_000, 32_000..32_037, 48_000..49_600];
                let asked = kernels.run(Ask { values: &values, ranges, products, tiles });
                for line in
                    ranges.iter().flat_map(|range| (range.start / LINE)..range.end.div_ceil(LINE))
                {
                    let name = kernels.name();
                    assert!(asked.contains(&line), "{name}: {products} x {tiles}: {line}");
                }
            }
        }
    }

    #[test]
    fn what_was_wanted_before_is_forgotten() {
        let mut wanted = Wanted::default();
        wanted.begin(1);
        wanted.push(&[0.0; 100]);
        wanted.begin(1);
        wanted.take(4);
        assert!(wanted.ranges.is_empty() && wanted.lines == 0);
    }
}
