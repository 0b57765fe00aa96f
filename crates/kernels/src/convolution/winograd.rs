//! Convolutions of 3x3 windows, one beside the other, with fewer multiplications.
//!
//! A tile of m x m outputs depends on (m+2) x (m+2) inputs. As polynomials, the convolution is a product, and a
//! product is found from its values at m+2 points (Toom 1963; Winograd 1980; Lavin and Gray 2016, "Fast Algorithms
//! for Convolutional Neural Networks"):
//!
//! ```text
//! Y = Aᵀ·[Σ over channels: (G·g·Gᵀ) ⊙ (Bᵀ·d·B)]·A
//! ```
//!
//! Each of the (m+2)² places of a tile is a product of matrices of its own, [tiles, channels] by [channels, output
//! channels], so that 9m² multiplications become (m+2)²: 2.25 times fewer for m = 2, 4 times for m = 4. What it costs
//! is rounding: the points are chosen to keep that small.
//!
//! As in `multiply`, a value does not depend on what is computed beside it.

use std::ops::Range;

use inlay_base::Crew;

use crate::product::Start;
use crate::{Activation, Aligned, Desk, Kernels, Matrix, Packed, Simd, Target, Task, multiply};

/// Points of tiles of 4 x 4 beside 0 and infinity: these and their negatives.
const POINTS: (f32, f32) = (0.75, 1.5);
/// Blocks have a multiple of so many tiles, which fills those of products.
const TILES: usize = 28;
/// Sides of the largest tile, with its rim.
const LARGEST: usize = 6;

/// Weights of a convolution of 3x3 windows as products take them: [outputs of a tile and its rim]² matrices of
/// [channels, output channels].
pub struct Winograd {
    side: usize,
    products: Vec<Packed>,
}

/// Pictures of one size, with zeros around them.
#[derive(Clone, Copy)]
pub struct Plane {
    /// Rows and columns of an item of the input.
    pub size: (usize, usize),
    /// Rows of zeros above and below, and columns left and right.
    pub padding: (usize, usize),
}

impl Plane {
    fn outputs(&self) -> (usize, usize) {
        let ((height, width), (above, left)) = (self.size, self.padding);
        ((height + 2 * above).saturating_sub(2), (width + 2 * left).saturating_sub(2))
    }
}

impl Winograd {
    /// The side of the tiles that pay for pictures of a size and so many channels in and out; none, where windows are
    /// better taken as they are.
    pub fn side(plane: Plane, inputs: usize, outputs: usize) -> Option<usize> {
        let (height, width) = plane.outputs();
        let least = height.min(width);
        match inputs >= 32 && outputs >= 32 {
            true if least >= 20 => Some(4),
            true if least >= 7 => Some(2),
            _ => None,
        }
    }

    /// Room for the weights of tiles of that side, 2 or 4.
    pub fn new(kernels: Kernels, side: usize, inputs: usize, outputs: usize) -> Self {
        assert!(side == 2 || side == 4);
        let products = (0..(side + 2).pow(2)).map(|_| Packed::new(kernels, inputs, outputs));
        Self { side, products: products.collect() }
    }

    /// Takes in weights, [taps x channels, output channels], as the output channels from `first` on.
    ///
    /// # Panics
    /// If there is no room for them there, or a panel would have columns of two matrices.
    pub fn take(&mut self, kernels: Kernels, first: usize, weights: Matrix<'_>) {
        let weights = weights.lying();
        let (inputs, columns) = (self.products[0].rows(), weights.columns());
        assert_eq!(weights.rows(), 9 * inputs);
        let points = match self.side {
            2 => kernel_points::<4>(),
            _ => kernel_points::<6>(),
        };
        let points = &points[..self.side + 2];
        let places = points.iter().flat_map(|down| points.iter().map(move |across| (down, across)));
        let mut values = vec![0.0f32; inputs * columns];
        for ((down, across), product) in places.zip(&mut self.products) {
            for (input, values) in values.chunks_exact_mut(columns).enumerate() {
                values.fill(0.0);
                for tap in 0..9 {
                    let factor = (down[tap / 3] * across[tap % 3]) as f32;
                    let weights = weights.some_rows(tap * inputs + input, 1).values();
                    for (value, weight) in values.iter_mut().zip(weights) {
                        *value += factor * weight;
                    }
                }
            }
            product.pack_columns(kernels, first, Matrix::new(&values, inputs, columns));
        }
    }

    /// Values that it holds.
    pub fn size(&self) -> usize {
        self.products.iter().map(Packed::size).sum()
    }
}

/// y = `activation`(`start` + Σ x·W) for each window of 3x3 of each item, the rows of which are those of `plane`.
///
/// # Panics
/// If the shapes do not fit.
#[allow(clippy::too_many_arguments)]
pub fn convolve_winograd(
    kernels: Kernels,
    x: Matrix<'_>,
    plane: Plane,
    weights: &Winograd,
    start: Start<'_>,
    activation: Option<Activation>,
    y: Target<'_>,
    desk: &mut Desk,
) {
    let x = x.lying();
    let (inputs, outputs) = (weights.products[0].rows(), weights.products[0].columns());
    assert_eq!((x.columns(), y.columns()), (inputs, outputs));
    assert!(start.bias().is_none_or(|bias| bias.len() == outputs));
    let (height, width) = plane.outputs();
    let items = y.rows().checked_div(height * width).unwrap_or(0);
    let size = plane.size.0 * plane.size.1;
    assert_eq!((items * size, items * height * width), (x.rows(), y.rows()));
    let side = weights.side;
    let grid = (height.div_ceil(side), width.div_ceil(side));
    let convolve = Convolve { kernels, x, plane, grid, weights, start, activation };
    let total = items * grid.0 * grid.1;
    let crew = desk.crew_for(total * weights.products.len() * inputs * outputs);
    // As many values in and out of a block as weights, which each block reads once; in crews, whoever works at a place.
    let balance = inputs * outputs / (inputs + outputs).max(1);
    let block = balance * crew.as_ref().map_or(1, |crew| crew.size());
    let blocks = total.div_ceil(block.max(TILES));
    let block = total.div_ceil(blocks.max(1)).next_multiple_of(TILES).max(TILES);
    let mut tiles = std::mem::take(&mut desk.tiles);
    desk.zeros(inputs);
    for first in (0..total).step_by(block) {
        let of_block = first..total.min(first + block);
        match side {
            2 => convolve.block::<4>(of_block, &y, crew.as_deref(), &mut tiles, desk),
            _ => convolve.block::<6>(of_block, &y, crew.as_deref(), &mut tiles, desk),
        }
    }
    desk.tiles = tiles;
}

struct Convolve<'a> {
    kernels: Kernels,
    x: Matrix<'a>,
    plane: Plane,
    /// Tiles of an item, down and across.
    grid: (usize, usize),
    weights: &'a Winograd,
    start: Start<'a>,
    activation: Option<Activation>,
}

impl Convolve<'_> {
    /// The tiles of a block, counted over all items: what lies under them, the products, and what these mean.
    fn block<const RIM: usize>(
        &self,
        tiles: Range<usize>,
        y: &Target<'_>,
        crew: Option<&Crew>,
        room: &mut Aligned<f32>,
        desk: &mut Desk,
    ) {
        let (places, count) = (RIM * RIM, tiles.len());
        let (inputs, outputs) = (self.x.columns(), y.columns());
        // A line more, so that the same tile of all places does not fall into the same corner of the cache.
        let step = |channels: usize| (count * channels).next_multiple_of(16) + 16;
        let (from, to) = (step(inputs), step(outputs));
        room.grow(0.0, places * (from + to));
        let (before, after) = room.split_at_mut(places * from);
        let shares = crew.map_or(1, |crew| 4 * crew.size());
        let share = count.div_ceil(shares);
        let shares = count.div_ceil(share);
        let share_of = |number: usize| number * share..count.min((number + 1) * share);

        let spread = Target::spaced(before, places, count * inputs, from);
        let zeros = desk.zeros(inputs);
        each(crew, shares, &|number| {
            let share = share_of(number);
            // SAFETY: no two shares have a tile in common.
            let to = unsafe { spread.part(0..places, share.start * inputs..share.end * inputs) };
            let tiles = tiles.start + share.start..tiles.start + share.end;
            self.kernels.run(Spread::<RIM> { convolve: self, tiles, zeros, to });
        });

        let products = Target::spaced(after, places, count * outputs, to);
        let product = |place: usize, desk: &mut Desk| {
            let x = Matrix::new(&before[place * from..], count, inputs);
            // SAFETY: each place has a product of its own.
            let row = unsafe { products.part(place..place + 1, 0..count * outputs) };
            let weights = &self.weights.products[place];
            multiply(self.kernels, x, weights, Start::Zero, None, row.folded(outputs), desk);
        };
        match crew {
            Some(crew) => crew.each(places, &|place| product(place, &mut Desk::default())),
            None => (0..places).for_each(|place| product(place, desk)),
        }

        let after = Matrix::spaced(after, places, count * outputs, to);
        each(crew, shares, &|number| {
            let share = share_of(number);
            // SAFETY: no two tiles have an output in common.
            let y = unsafe { y.part(0..y.rows(), 0..outputs) };
            let first = tiles.start;
            self.kernels.run(Gather::<RIM> { convolve: self, first, share, from: after, y });
        });
    }

    /// The item of a tile, and where in it the tile begins: row and column of the output.
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let (down, across) = self.grid;
        let (item, tile) = (tile / (down * across), tile % (down * across));
        let side = self.weights.side;
        (item, tile / across * side, tile % across * side)
    }
}

fn each(crew: Option<&Crew>, tasks: usize, work: &(dyn Fn(usize) + Sync)) {
    match crew {
        Some(crew) => crew.each(tasks, work),
        None => (0..tasks).for_each(work),
    }
}

/// What lies under tiles, at the points: Bᵀ·d·B, [places, tiles x channels].
struct Spread<'a, const RIM: usize> {
    convolve: &'a Convolve<'a>,
    tiles: Range<usize>,
    zeros: &'a [f32],
    to: Target<'a>,
}

impl<const RIM: usize> Task for Spread<'_, RIM> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let Convolve { x, plane, .. } = self.convolve;
        let (size, padding, channels) = (plane.size, plane.padding, x.columns());
        for (number, tile) in self.tiles.clone().enumerate() {
            let (item, top, left) = self.convolve.place(tile);
            let mut from = [[self.zeros.as_ptr(); RIM]; RIM];
            for (down, from) in from.iter_mut().enumerate() {
                let Some(row) = (top + down).checked_sub(padding.0).filter(|&at| at < size.0)
                else {
                    continue;
                };
                for (across, from) in from.iter_mut().enumerate() {
                    let column = (left + across).checked_sub(padding.1);
                    if let Some(column) = column.filter(|&at| at < size.1) {
                        *from = x.row((item * size.0 + row) * size.1 + column);
                    }
                }
            }
            let to: [[*mut f32; RIM]; RIM] = std::array::from_fn(|down| {
                std::array::from_fn(|across| {
                    self.to.row(down * RIM + across).wrapping_add(number * channels)
                })
            });
            for first in (0..channels).step_by(S::LANES) {
                let lanes = (channels - first).min(S::LANES);
                // SAFETY: each place is a row of x, or zeros, as many as a row has; the tile has room in each row
                // of `to`.
                unsafe {
                    let mut half = [[simd.splat(0.0); RIM]; RIM];
                    for across in 0..RIM {
                        let mut column = [simd.splat(0.0); RIM];
                        for (value, from) in column.iter_mut().zip(&from) {
                            *value = load(simd, from[across].add(first), lanes);
                        }
                        let column = at_points(simd, column);
                        for (half, value) in half.iter_mut().zip(column) {
                            half[across] = value;
                        }
                    }
                    for (half, to) in half.into_iter().zip(&to) {
                        let row = at_points(simd, half);
                        for (value, to) in row.into_iter().zip(to) {
                            store(simd, to.add(first), value, lanes);
                        }
                    }
                }
            }
        }
    }
}

/// What products at the points mean: `activation`(bias + Aᵀ·m·A).
struct Gather<'a, const RIM: usize> {
    convolve: &'a Convolve<'a>,
    /// The first tile of the block, and those of the block that it is about.
    first: usize,
    share: Range<usize>,
    from: Matrix<'a>,
    y: Target<'a>,
}

impl<const RIM: usize> Task for Gather<'_, RIM> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let side = RIM - 2;
        let &Convolve { plane, start, activation, .. } = self.convolve;
        let ((height, width), channels) = (plane.outputs(), self.y.columns());
        for tile in self.share.clone() {
            let (item, top, left) = self.convolve.place(self.first + tile);
            let (rows, columns) = ((height - top).min(side), (width - left).min(side));
            let from: [[*const f32; RIM]; RIM] = std::array::from_fn(|down| {
                std::array::from_fn(|across| {
                    self.from.row(down * RIM + across).wrapping_add(tile * channels)
                })
            });
            let mut to = [[std::ptr::null_mut(); LARGEST]; LARGEST];
            for (down, to) in to.iter_mut().enumerate().take(rows) {
                let row = (item * height + top + down) * width + left;
                for (across, to) in to.iter_mut().enumerate().take(columns) {
                    *to = self.y.row(row + across);
                }
            }
            for first in (0..channels).step_by(S::LANES) {
                let lanes = (channels - first).min(S::LANES);
                // SAFETY: the tile has a value for each channel in each row of `from`; `to` are rows of y.
                unsafe {
                    let mut bias = simd.splat(0.0);
                    if let Some(values) = start.bias() {
                        bias = load(simd, values.as_ptr().add(first), lanes);
                    }
                    let mut half = [[simd.splat(0.0); RIM]; RIM];
                    for across in 0..RIM {
                        let mut column = [simd.splat(0.0); RIM];
                        for (value, from) in column.iter_mut().zip(&from) {
                            *value = load(simd, from[across].add(first), lanes);
                        }
                        let column = from_points(simd, column);
                        for (half, value) in half.iter_mut().zip(column) {
                            half[across] = value;
                        }
                    }
                    for (half, to) in half.into_iter().zip(&to).take(rows) {
                        let row = from_points(simd, half);
                        for (value, to) in row.into_iter().zip(to).take(columns) {
                            let mut value = simd.add(value, bias);
                            if start.is_held() {
                                value = simd.add(value, load(simd, to.add(first), lanes));
                            }
                            store(simd, to.add(first), value, lanes);
                        }
                    }
                }
            }
            if let Some(activation) = activation {
                for &row in to.iter().take(rows).flat_map(|to| to.iter().take(columns)) {
                    // SAFETY: the row was written above.
                    activation.on(simd, unsafe { std::slice::from_raw_parts_mut(row, channels) });
                }
            }
        }
    }
}

/// # Safety
/// `from` is good for `lanes` values.
#[inline(always)]
unsafe fn load<S: Simd>(simd: S, from: *const f32, lanes: usize) -> S::Vector {
    // SAFETY: the caller's promise.
    unsafe { if lanes == S::LANES { simd.load(from) } else { simd.load_first(from, lanes) } }
}

/// # Safety
/// `to` is good for `lanes` values.
#[inline(always)]
unsafe fn store<S: Simd>(simd: S, to: *mut f32, value: S::Vector, lanes: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        if lanes == S::LANES { simd.store(to, value) } else { simd.store_first(to, value, lanes) }
    }
}

/// Bᵀ·d: with the points p, M(x) = Π (x - p), row p holds the coefficients of M(x) / (x - p), the last one those of M.
#[inline(always)]
fn at_points<S: Simd, const RIM: usize>(simd: S, d: [S::Vector; RIM]) -> [S::Vector; RIM] {
    let mut found = d;
    if RIM == 4 {
        found[0] = simd.sub(d[2], d[0]);
        found[1] = simd.add(d[1], d[2]);
        found[2] = simd.sub(d[2], d[1]);
        found[3] = simd.sub(d[3], d[1]);
        return found;
    }
    let (p, q) = POINTS;
    let (both, sum) = (simd.splat(p * p * q * q), simd.splat(-(p * p + q * q)));
    found[0] = simd.fma(both, d[0], simd.fma(sum, d[2], d[4]));
    found[5] = simd.fma(both, d[1], simd.fma(sum, d[3], d[5]));
    for (at, point, other) in [(1, p, q), (3, q, p)] {
        let other = simd.splat(-other * other);
        let (even, odd) = (simd.fma(other, d[2], d[4]), simd.fma(other, d[1], d[3]));
        found[at] = simd.fma(simd.splat(point), odd, even);
        found[at + 1] = simd.fma(simd.splat(-point), odd, even);
    }
    found
}

/// Aᵀ·m: value k is Σ over points: pᵏ·m, to which infinity adds for the last one. Those behind mean nothing.
#[inline(always)]
fn from_points<S: Simd, const RIM: usize>(simd: S, m: [S::Vector; RIM]) -> [S::Vector; RIM] {
    let mut found = m;
    let (even, odd) = (simd.add(m[1], m[2]), simd.sub(m[1], m[2]));
    if RIM == 4 {
        found[0] = simd.add(m[0], even);
        found[1] = simd.add(odd, m[3]);
        return found;
    }
    let (p, q) = POINTS;
    let (far, off) = (simd.add(m[3], m[4]), simd.sub(m[3], m[4]));
    found[0] = simd.add(m[0], simd.add(even, far));
    found[1] = simd.fma(simd.splat(p), odd, simd.mul(simd.splat(q), off));
    found[2] = simd.fma(simd.splat(p * p), even, simd.mul(simd.splat(q * q), far));
    let cubes = (simd.splat(p * p * p), simd.splat(q * q * q));
    found[3] = simd.fma(cubes.0, odd, simd.fma(cubes.1, off, m[5]));
    found
}

/// G: of each point [1, p, p²] / Π (p - other points), of infinity [0, 0, 1].
fn kernel_points<const RIM: usize>() -> [[f64; 3]; LARGEST] {
    let (p, q) = (f64::from(POINTS.0), f64::from(POINTS.1));
    let points = if RIM == 4 { vec![0.0, 1.0, -1.0] } else { vec![0.0, p, -p, q, -q] };
    let mut found = [[0.0; 3]; LARGEST];
    for (at, point) in points.iter().enumerate() {
        let others = points.iter().filter(|&other| other != point);
        let scale: f64 = others.map(|other| point - other).product();
        found[at] = [1.0 / scale, point / scale, point * point / scale];
    }
    found[points.len()] = [0.0, 0.0, 1.0];
    found
}
