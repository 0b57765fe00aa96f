//! Products of queries with the rows of a matrix, for exact search: as many rows as possible for
//! each time that a query is read, and no row read twice for a few queries.

use crate::{Simd, Task};

/// Bytes of a cache line.
const LINE: usize = 64;
/// How far ahead rows that come from memory are asked for, in bytes: beyond the page at whose end
/// the machine's own foresight stops.
const AHEAD: usize = 8192;

/// A value as it is stored in rows. `u16` stands for half-precision floats by their bits.
pub trait Stored: Copy + Default + Sync {
    /// Reads `LANES` values, any alignment.
    ///
    /// # Safety
    /// `from` is good for reading `LANES` values.
    unsafe fn load<S: Simd>(simd: S, from: *const Self) -> S::Vector;
}

impl Stored for f32 {
    #[inline(always)]
    unsafe fn load<S: Simd>(simd: S, from: *const Self) -> S::Vector {
        // SAFETY: the caller's promise.
        unsafe { simd.load(from) }
    }
}

impl Stored for u16 {
    #[inline(always)]
    unsafe fn load<S: Simd>(simd: S, from: *const Self) -> S::Vector {
        // SAFETY: the caller's promise.
        unsafe { simd.load_half(from) }
    }
}

impl Stored for i8 {
    #[inline(always)]
    unsafe fn load<S: Simd>(simd: S, from: *const Self) -> S::Vector {
        // SAFETY: the caller's promise.
        unsafe { simd.load_bytes(from) }
    }
}

/// `scores[q·count + r] = Σᵢ queries[q·dimensions + i] · rows[r·stride + i]` for `count` rows.
///
/// Every product is summed in the same order whatever the number of queries and rows around it:
/// one partial sum for each lane, so a query alone gets the bits that it gets in company.
pub struct Scores<'a, V> {
    /// End to end, each of `dimensions` values.
    pub queries: &'a [f32],
    /// Values of a query and of a row.
    pub dimensions: usize,
    /// Rows, `stride` values from one's start to the next one's; the last may end with its values.
    pub rows: &'a [V],
    /// At least `dimensions`.
    pub stride: usize,
    /// How many rows there are.
    pub count: usize,
    /// One for each query and row; those of a query lie together.
    pub scores: &'a mut [f32],
}

impl<V: Stored> Task for Scores<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { queries, dimensions, rows, stride, count, scores } = self;
        if count == 0 || dimensions == 0 {
            scores.fill(0.0);
            return;
        }
        let span =
            (count - 1).checked_mul(stride).and_then(|before| before.checked_add(dimensions));
        assert!(stride >= dimensions && span.is_some_and(|span| rows.len() >= span));
        assert_eq!(queries.len() % dimensions, 0);
        let many = queries.len() / dimensions;
        assert_eq!(scores.len(), many * count);
        let lanes = S::LANES;
        if dimensions < lanes {
            // Shorter than a register: each row is copied into one.
            let mut query = [0.0f32; 16];
            for q in 0..many {
                query[..dimensions].copy_from_slice(&queries[q * dimensions..][..dimensions]);
                for r in 0..count {
                    let mut row = [V::default(); 16];
                    row[..dimensions].copy_from_slice(&rows[r * stride..][..dimensions]);
                    // SAFETY: 16 values hold the lanes of any set.
                    let product =
                        unsafe { simd.mul(V::load(simd, row.as_ptr()), simd.load(query.as_ptr())) };
                    scores[q * count + r] = simd.sum(product);
                }
            }
            return;
        }
        // The last step of a row reaches back over values that were met already, instead of
        // beyond its end: there the query holds zeros.
        let steps = dimensions.div_ceil(lanes);
        let mut packed = vec![0.0f32; many * steps * lanes];
        for (to, from) in packed.chunks_mut(steps * lanes).zip(queries.chunks(dimensions)) {
            let whole = dimensions / lanes * lanes;
            to[..whole].copy_from_slice(&from[..whole]);
            let tail = steps * lanes - (dimensions - whole);
            if whole < dimensions {
                to[tail..].copy_from_slice(&from[whole..]);
            }
        }
        let tiles = Tiles { queries: &packed, dimensions, steps, rows, stride, count };
        let mut q = 0;
        while q < many {
            // SAFETY: rows and queries are as long as asserted above.
            unsafe {
                // Who comes first reads the rows from memory, one after the other: several at a
                // time are more streams than the machine foresees (a query over 240 MB twice as
                // slow). Whoever follows finds them in the cache. AVX2 has 16 registers: 4 x 4
                // sums would leave none for what is read.
                match (many - q, q) {
                    (1..4, _) => tiles.fill::<S, 1, 1>(simd, q, scores),
                    (_, 0) => tiles.fill::<S, 4, 1>(simd, q, scores),
                    _ if lanes == 8 => tiles.fill::<S, 4, 2>(simd, q, scores),
                    _ => tiles.fill::<S, 4, 4>(simd, q, scores),
                }
            }
            q += if many - q < 4 { 1 } else { 4 };
        }
    }
}

struct Tiles<'a, V> {
    /// Each of `steps · LANES` values.
    queries: &'a [f32],
    dimensions: usize,
    steps: usize,
    rows: &'a [V],
    stride: usize,
    count: usize,
}

impl<V: Stored> Tiles<'_, V> {
    /// The scores of queries `first` to `first + Q - 1` with all rows, `R` of them at a time.
    ///
    /// # Safety
    /// There are so many queries, and `count` rows of at least `LANES` values.
    #[inline(always)]
    unsafe fn fill<S: Simd, const Q: usize, const R: usize>(
        &self,
        simd: S,
        first: usize,
        scores: &mut [f32],
    ) {
        // To add up the lanes of a full register of sums takes no longer than those of one.
        let together = (S::LANES / (Q * R)).max(1);
        let mut lanes = [simd.splat(0.0); 16];
        let mut totals = [0.0f32; 32];
        let mut row = 0;
        while row < self.count {
            let tiles = ((self.count - row) / R).min(together);
            if tiles == 0 {
                // SAFETY: as the caller promised; one row at a time is left by none.
                return unsafe { self.rest::<S, Q>(simd, first, row, scores) };
            }
            for tile in 0..tiles {
                // SAFETY: `row + tiles · R` stays within the rows, the caller's promise covers the
                // queries.
                let sums = unsafe { self.tile::<S, Q, R>(simd, first, row + tile * R) };
                for (to, from) in lanes[tile * Q * R..].iter_mut().zip(sums.as_flattened()) {
                    *to = *from;
                }
            }
            add_up(simd, &lanes, tiles * Q * R, &mut totals);
            for (tile, totals) in totals.chunks(Q * R).enumerate().take(tiles) {
                for (q, totals) in totals.chunks(R).enumerate() {
                    let at = (first + q) * self.count + row + tile * R;
                    scores[at..at + R].copy_from_slice(totals);
                }
            }
            row += tiles * R;
        }
    }

    /// What `fill` leaves, from `row` on.
    ///
    /// # Safety
    /// As for `fill`.
    #[inline(always)]
    unsafe fn rest<S: Simd, const Q: usize>(
        &self,
        simd: S,
        first: usize,
        row: usize,
        scores: &mut [f32],
    ) {
        let mut lanes = [simd.splat(0.0); 16];
        let mut totals = [0.0f32; 32];
        for row in row..self.count {
            // SAFETY: as the caller promised.
            let sums = unsafe { self.tile::<S, Q, 1>(simd, first, row) };
            lanes[..Q].copy_from_slice(sums.as_flattened());
            add_up(simd, &lanes, Q, &mut totals);
            for (q, total) in totals[..Q].iter().enumerate() {
                scores[(first + q) * self.count + row] = *total;
            }
        }
    }

    /// The products of some queries and rows, each still spread over lanes.
    ///
    /// # Safety
    /// Queries `first..first + Q` and rows `row..row + R` are there.
    #[inline(always)]
    unsafe fn tile<S: Simd, const Q: usize, const R: usize>(
        &self,
        simd: S,
        first: usize,
        row: usize,
    ) -> [[S::Vector; R]; Q] {
        let lanes = S::LANES;
        let length = self.steps * lanes;
        let mut sums = [[simd.splat(0.0); R]; Q];
        // SAFETY: a step begins at `dimensions - LANES` at most, so it ends with the row; queries
        // are packed to whole steps.
        unsafe {
            let rows = self.rows.as_ptr().add(row * self.stride);
            let queries = self.queries.as_ptr().add(first * length);
            for step in 0..self.dimensions / lanes {
                // Several rows at a time are in the cache already.
                if R == 1 && (step * lanes * size_of::<V>()).is_multiple_of(LINE) {
                    let ahead = rows.add(step * lanes).cast::<u8>().wrapping_add(AHEAD);
                    simd.prefetch(ahead.cast());
                }
                let from = (rows.add(step * lanes), self.stride);
                step_of::<S, V, Q, R>(simd, from, (queries.add(step * lanes), length), &mut sums);
            }
            if !self.dimensions.is_multiple_of(lanes) {
                let from = (rows.add(self.dimensions - lanes), self.stride);
                let last = queries.add(length - lanes);
                step_of::<S, V, Q, R>(simd, from, (last, length), &mut sums);
            }
        }
        sums
    }
}

/// Adds the products of one register of each query and row; a place comes with the way to the next
/// one's.
///
/// # Safety
/// `LANES` values can be read of each.
#[inline(always)]
unsafe fn step_of<S: Simd, V: Stored, const Q: usize, const R: usize>(
    simd: S,
    (rows, stride): (*const V, usize),
    (queries, length): (*const f32, usize),
    sums: &mut [[S::Vector; R]; Q],
) {
    let mut x = [simd.splat(0.0); R];
    for (r, x) in x.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *x = unsafe { V::load(simd, rows.add(r * stride)) };
    }
    for (q, sums) in sums.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        let y = unsafe { simd.load(queries.add(q * length)) };
        for (sum, x) in sums.iter_mut().zip(x) {
            *sum = simd.fma(x, y, *sum);
        }
    }
}

/// The sums over the lanes of the first `count` vectors, all by the same tree.
#[inline(always)]
fn add_up<S: Simd>(simd: S, vectors: &[S::Vector; 16], count: usize, totals: &mut [f32; 32]) {
    for done in (0..count).step_by(S::LANES) {
        let mut group = [simd.splat(0.0); 16];
        group[..S::LANES].copy_from_slice(&vectors[done..done + S::LANES]);
        // SAFETY: `done` is below 16, and 16 more values hold the lanes of any set.
        unsafe { simd.store(totals.as_mut_ptr().add(done), simd.sums(&group)) };
    }
}

#[cfg(test)]
mod tests {
    use inlay_base::Random;

    use super::*;
    use crate::Kernels;

    /// Half-precision numbers of which f32 is exact, with their bits.
    fn half(random: &mut Random) -> (u16, f32) {
        let (exponent, fraction) = (random.below(31), random.below(1 << 10));
        let sign = random.below(2);
        let magnitude = match exponent {
            0 => f64::from(fraction) * 2f64.powi(-24),
            _ => (1.0 + f64::from(fraction) / 1024.0) * 2f64.powi(exponent as i32 - 15),
        };
        let value = if sign == 1 { -magnitude } else { magnitude };
        ((sign << 15 | exponent << 10 | fraction) as u16, value as f32)
    }

    fn check<V: Stored>(make: impl Fn(&mut Random) -> (V, f32)) {
        let mut random = Random::new(1, 0);
        for dimensions in (1..40).chain([64, 100, 129, 300]) {
            for (many, count) in [(1, 1), (1, 9), (4, 4), (5, 3), (7, 10)] {
                let stride = dimensions + random.below(3) as usize;
                let pairs: Vec<(V, f32)> =
                    (0..(count - 1) * stride + dimensions).map(|_| make(&mut random)).collect();
                let rows: Vec<V> = pairs.iter().map(|pair| pair.0).collect();
                let queries: Vec<f32> =
                    (0..many * dimensions).map(|_| random.unit() - 0.5).collect();
                for set in Kernels::available() {
                    let mut scores = vec![f32::NAN; many * count];
                    let out = &mut scores[..];
                    let (rows, queries) = (&rows[..], &queries[..]);
                    set.run(Scores { queries, dimensions, rows, stride, count, scores: out });
                    for q in 0..many {
                        let mut alone = vec![0.0; count];
                        let query = &queries[q * dimensions..][..dimensions];
                        let scores_alone = &mut alone[..];
                        set.run(Scores {
                            queries: query,
                            dimensions,
                            rows,
                            stride,
                            count,
                            scores: scores_alone,
                        });
                        assert_eq!(alone, scores[q * count..][..count], "company changes bits");
                        for r in 0..count {
                            let row = &pairs[r * stride..][..dimensions];
                            let products = || {
                                query.iter().zip(row).map(|(q, x)| f64::from(*q) * f64::from(x.1))
                            };
                            let exact: f64 = products().sum();
                            let size: f64 = products().map(f64::abs).sum();
                            let error = (f64::from(alone[r]) - exact).abs();
                            let bound = size * (dimensions as f64 + 2.0) * 6e-8;
                            assert!(error <= bound, "{} {dimensions}: {error}", set.name());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn scores_are_within_rounding_of_the_formula_and_the_same_in_any_company() {
        check::<f32>(|random| {
            let value = random.unit() * 4.0 - 2.0;
            (value, value)
        });
    }

    #[test]
    fn scores_of_halves_are_within_rounding_of_the_formula() {
        check::<u16>(half);
    }

    #[test]
    fn scores_of_bytes_are_within_rounding_of_the_formula() {
        check::<i8>(|random| {
            let value = random.bits() as i8;
            (value, f32::from(value))
        });
    }
}
