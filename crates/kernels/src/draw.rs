//! Draws of topics in proportion to their weights: the inner loops of Gibbs sampling. For a word w in
//! a document d, without the occurrence that is drawn for:
//!
//! ```text
//! share_t  = (n_wt + β) / (n_t + Vβ)
//! weight_t = (n_dt + α_t) · share_t
//! ```
//!
//! Weights are summed in columns: each lane of a vector is the sum of that lane over the vectors
//! before it. A draw finds its lane by the prefix sums of the last vector, then its vector in that
//! lane, without a branch that depends on what is drawn. Lists of topics are padded to `DRAW_WIDTH`.
//! Whatever changes between two draws is stored by whole vectors: the next load of a vector of which
//! one value was just stored would wait for that store to reach the cache.

#[cfg(test)]
mod tests;

use crate::{Aligned, Simd};

/// Values of topics come in a multiple of this many, those beyond the last topic with weights of zero.
pub const DRAW_WIDTH: usize = 16;

/// Row i has one at place i.
static ONE: Lines = {
    let mut rows = [[0.0; DRAW_WIDTH]; DRAW_WIDTH];
    let mut i = 0;
    while i < DRAW_WIDTH {
        rows[i][i] = 1.0;
        i += 1;
    }
    Lines(rows)
};

#[repr(align(64))]
struct Lines([[f32; DRAW_WIDTH]; DRAW_WIDTH]);

/// `one` in lane `at % LANES`, zeros elsewhere.
#[inline(always)]
fn one_at<S: Simd>(simd: S, at: usize) -> S::Vector {
    // SAFETY: a row holds the lanes of any set.
    unsafe { simd.load(ONE.0[at % S::LANES].as_ptr()) }
}

/// The place of the vector that has value `at`.
#[inline(always)]
fn vector_of<S: Simd>(values: &[f32], at: usize) -> usize {
    assert!(at < values.len() && values.len().is_multiple_of(DRAW_WIDTH));
    at / S::LANES * S::LANES
}

/// `values[at] += by`.
///
/// # Panics
/// If there is no such value, or their number is no multiple of `DRAW_WIDTH`.
#[inline(always)]
pub fn add_at<S: Simd>(simd: S, values: &mut [f32], at: usize, by: f32) {
    let first = vector_of::<S>(values, at);
    // SAFETY: the vector lies inside, since the length is a multiple of every `LANES`.
    unsafe {
        let place = values.as_mut_ptr().add(first);
        simd.store(place, simd.fma(one_at(simd, at), simd.splat(by), simd.load(place)));
    }
}

/// The shares of all topics in a word.
///
/// # Panics
/// If lengths differ or are no multiple of `DRAW_WIDTH`.
#[inline(always)]
pub fn share_word<S: Simd>(
    simd: S,
    counts: &[f32],
    beta: f32,
    inverse: &[f32],
    shares: &mut [f32],
) {
    let length = shares.len();
    assert!(counts.len() == length && inverse.len() == length);
    assert!(length.is_multiple_of(DRAW_WIDTH));
    let beta = simd.splat(beta);
    for i in (0..length).step_by(S::LANES) {
        // SAFETY: all are `length` long, a multiple of `LANES`.
        unsafe {
            let count = simd.add(simd.load(counts.as_ptr().add(i)), beta);
            let share = simd.mul(count, simd.load(inverse.as_ptr().add(i)));
            simd.store(shares.as_mut_ptr().add(i), share);
        }
    }
}

/// Changes the count of one topic in a word, and its share with it.
///
/// # Panics
/// As `share_word`, and if there is no such topic.
#[inline(always)]
pub fn share_word_at<S: Simd>(
    simd: S,
    (counts, shares): (&mut [f32], &mut [f32]),
    beta: f32,
    inverse: &[f32],
    (topic, by): (usize, f32),
) {
    assert!(counts.len() == shares.len() && inverse.len() == shares.len());
    let first = vector_of::<S>(shares, topic);
    // SAFETY: the vector lies inside of all three.
    unsafe {
        let place = counts.as_mut_ptr().add(first);
        let count = simd.fma(one_at(simd, topic), simd.splat(by), simd.load(place));
        simd.store(place, count);
        let share = simd.add(count, simd.splat(beta));
        let share = simd.mul(share, simd.load(inverse.as_ptr().add(first)));
        simd.store(shares.as_mut_ptr().add(first), share);
    }
}

/// Draws a topic for a document that has a count for each; `unit` is in [0, 1). Gives the sum of all
/// weights as well. `sums` is room for as many values.
///
/// # Panics
/// If lengths differ or are no multiple of `DRAW_WIDTH`.
#[inline(always)]
pub fn draw_dense<S: Simd>(
    simd: S,
    (document, alpha): (&[f32], &[f32]),
    shares: &[f32],
    sums: &mut [f32],
    unit: f32,
) -> (usize, f32) {
    let length = shares.len();
    assert!(document.len() == length && alpha.len() == length && sums.len() == length);
    assert!(length.is_multiple_of(DRAW_WIDTH));
    let mut sum = simd.splat(0.0);
    for i in (0..length).step_by(S::LANES) {
        // SAFETY: all are `length` long, a multiple of `LANES`.
        unsafe {
            let weight = simd.load(document.as_ptr().add(i));
            let weight = simd.add(weight, simd.load(alpha.as_ptr().add(i)));
            sum = simd.fma(weight, simd.load(shares.as_ptr().add(i)), sum);
            simd.store(sums.as_mut_ptr().add(i), sum);
        }
    }
    find(simd, sums, unit)
}

/// Two vectors, neither of them across a border of cache lines.
#[repr(align(64))]
struct Line([f32; 2 * DRAW_WIDTH]);

/// Finds what `unit`, in [0, 1), falls on among columns of sums, and gives the sum of all.
///
/// # Panics
/// If there are none, or their number is no multiple of `DRAW_WIDTH`.
#[inline(always)]
pub fn find<S: Simd>(simd: S, sums: &[f32], unit: f32) -> (usize, f32) {
    assert!(!sums.is_empty() && sums.len().is_multiple_of(DRAW_WIDTH));
    // The sums of the lanes before each stand in the second half, one place further.
    let mut before = Line([0.0; 2 * DRAW_WIDTH]);
    // SAFETY: the last vector is inside of `sums`, and half of `before` holds the lanes of any set.
    let prefix = unsafe {
        let prefix = simd.prefix_sums(simd.load(sums.as_ptr().add(sums.len() - S::LANES)));
        simd.store(before.0.as_mut_ptr().add(DRAW_WIDTH), prefix);
        prefix
    };
    let total = before.0[DRAW_WIDTH + S::LANES - 1];
    let at = unit * total;
    let lane = simd.first_above(prefix, at).min(S::LANES - 1);
    let rest = at - before.0[DRAW_WIDTH - 1 + lane];
    let column = sums[lane..].iter().step_by(S::LANES);
    let vectors = sums.len() / S::LANES;
    let vector: usize = column.take(vectors - 1).map(|&sum| usize::from(sum <= rest)).sum();
    (vector * S::LANES + lane, total)
}

/// The weights αₜ·shareₜ of all topics, and their sums by blocks of `DRAW_WIDTH`: what a draw that
/// does not fall on the document's own topics falls on.
pub struct Tree {
    weights: Aligned<f32>,
    /// Padded like the weights.
    blocks: Aligned<f32>,
}

impl Tree {
    /// A tree over `padded` topics.
    pub fn new(padded: usize) -> Self {
        let blocks = (padded / DRAW_WIDTH).next_multiple_of(DRAW_WIDTH);
        Self { weights: Aligned::new(0.0, padded), blocks: Aligned::new(0.0, blocks) }
    }
}

/// Works out a tree.
///
/// # Panics
/// If lengths differ from the tree's.
#[inline(always)]
pub fn weigh_word<S: Simd>(simd: S, alpha: &[f32], shares: &[f32], tree: &mut Tree) {
    let length = tree.weights.len();
    assert!(alpha.len() == length && shares.len() == length);
    for block in 0..length / DRAW_WIDTH {
        tree.blocks[block] = weigh_block(simd, alpha, shares, &mut tree.weights, block);
    }
}

/// Brings a tree up to date where the share of one topic has changed.
///
/// # Panics
/// As `weigh_word`, and if there is no such topic.
#[inline(always)]
pub fn weigh_word_at<S: Simd>(
    simd: S,
    alpha: &[f32],
    shares: &[f32],
    tree: &mut Tree,
    topic: usize,
) {
    let length = tree.weights.len();
    assert!(alpha.len() == length && shares.len() == length && topic < length);
    let block = topic / DRAW_WIDTH;
    let sum = weigh_block(simd, alpha, shares, &mut tree.weights, block);
    let first = vector_of::<S>(&tree.blocks, block);
    // SAFETY: the vector lies inside.
    unsafe {
        // One lane is set, exactly: what was there is taken away first.
        let place = tree.blocks.as_mut_ptr().add(first);
        let (one, old) = (one_at(simd, block), simd.load(place));
        let others = simd.sub(old, simd.mul(one, old));
        simd.store(place, simd.fma(one, simd.splat(sum), others));
    }
}

/// The weights of one block and their sum. All lengths are the tree's.
#[inline(always)]
fn weigh_block<S: Simd>(
    simd: S,
    alpha: &[f32],
    shares: &[f32],
    weights: &mut [f32],
    block: usize,
) -> f32 {
    let range = block * DRAW_WIDTH..(block + 1) * DRAW_WIDTH;
    let (alpha, shares) = (&alpha[range.clone()], &shares[range.clone()]);
    let weights = &mut weights[range];
    let mut sum = simd.splat(0.0);
    for i in (0..DRAW_WIDTH).step_by(S::LANES) {
        // SAFETY: all are `DRAW_WIDTH` long, a multiple of `LANES`.
        unsafe {
            let weight = simd.load(alpha.as_ptr().add(i));
            let weight = simd.mul(weight, simd.load(shares.as_ptr().add(i)));
            simd.store(weights.as_mut_ptr().add(i), weight);
            sum = simd.add(sum, weight);
        }
    }
    simd.sum(sum)
}

/// The topics of a document that has few: their numbers and counts, padded with counts of zero.
#[derive(Clone, Copy)]
pub struct List<'a> {
    /// Numbers of topics.
    pub topics: &'a [u32],
    /// How often each occurs in the document.
    pub counts: &'a [f32],
}

/// What was drawn: a topic, its place if it stood in the document's list, and the sum of all weights.
pub type Drawn = (usize, Option<usize>, f32);

/// Draws a topic for a document with a list. `units` are in [0, 1). `sums` is room for as many values
/// as the list or the tree's blocks have.
///
/// # Panics
/// If the list's lengths differ or are no multiple of `DRAW_WIDTH`, or `sums` is too short.
#[inline(always)]
pub fn draw_sparse<S: Simd>(
    simd: S,
    list: List<'_>,
    shares: &[f32],
    tree: &Tree,
    sums: &mut [f32],
    units: (f32, f32),
) -> Drawn {
    let length = list.topics.len();
    assert!(list.counts.len() == length && sums.len() >= length);
    assert!(length.is_multiple_of(DRAW_WIDTH) && length > 0);
    let mut own = simd.splat(0.0);
    for i in (0..length).step_by(S::LANES) {
        let share = simd.gather(shares, &list.topics[i..]);
        // SAFETY: the list and `sums` have `length` values, a multiple of `LANES`.
        unsafe {
            own = simd.fma(simd.load(list.counts.as_ptr().add(i)), share, own);
            simd.store(sums.as_mut_ptr().add(i), own);
        }
    }
    let mut others = simd.splat(0.0);
    for i in (0..tree.blocks.len()).step_by(S::LANES) {
        // SAFETY: the blocks are padded to a multiple of `LANES`.
        others = simd.add(others, unsafe { simd.load(tree.blocks.as_ptr().add(i)) });
    }
    let (own, others) = (simd.sum(own), simd.sum(others));
    let at = units.0 * (own + others);
    if at < own {
        let (place, _) = find(simd, &sums[..length], at / own);
        return (list.topics[place] as usize, Some(place), own + others);
    }
    let blocks = running(simd, &tree.blocks, sums);
    // Rounding can lead to a block of no weight beyond the last.
    let last = tree.weights.len() / DRAW_WIDTH - 1;
    let block = find(simd, blocks, (at - own) / others).0.min(last);
    let range = block * DRAW_WIDTH..(block + 1) * DRAW_WIDTH;
    let (place, _) = find(simd, running(simd, &tree.weights[range], sums), units.1);
    (block * DRAW_WIDTH + place, None, own + others)
}

/// Columns of sums over values.
#[inline(always)]
fn running<'a, S: Simd>(simd: S, values: &[f32], sums: &'a mut [f32]) -> &'a [f32] {
    let sums = &mut sums[..values.len()];
    assert!(values.len().is_multiple_of(DRAW_WIDTH));
    let mut sum = simd.splat(0.0);
    for i in (0..values.len()).step_by(S::LANES) {
        // SAFETY: both have as many values, a multiple of `LANES`.
        unsafe {
            sum = simd.add(sum, simd.load(values.as_ptr().add(i)));
            simd.store(sums.as_mut_ptr().add(i), sum);
        }
    }
    sums
}
