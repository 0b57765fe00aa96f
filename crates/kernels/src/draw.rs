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

#[cfg(test)]
mod tests {
    use inlay_base::Random;

    use super::*;
    use crate::{Kernels, Task};

    /// Topics of a word and a document in f64, and the padded values that kernels take.
    struct Case {
        topics: usize,
        document: Vec<f32>,
        alpha: Vec<f32>,
        counts: Vec<f32>,
        inverse: Vec<f32>,
    }

    const BETA: f32 = 0.01;

    impl Case {
        fn new(topics: usize, random: &mut Random) -> Self {
            let padded = topics.next_multiple_of(DRAW_WIDTH);
            let mut values = |value: &mut dyn FnMut(&mut Random) -> f32| -> Vec<f32> {
                (0..padded).map(|t| if t < topics { value(random) } else { 0.0 }).collect()
            };
            let few = &mut |random: &mut Random| random.below(3) as f32;
            Self {
                topics,
                document: values(few),
                counts: values(&mut |random| random.below(50) as f32),
                alpha: values(&mut |random| 0.01 + random.unit()),
                inverse: values(&mut |random| 1.0 / (10.0 + random.below(1000) as f32)),
            }
        }

        fn weight(&self, t: usize) -> f64 {
            let share = (f64::from(self.counts[t]) + f64::from(BETA)) * f64::from(self.inverse[t]);
            f64::from(self.document[t] + self.alpha[t]) * share
        }

        /// The document as a padded list.
        fn list(&self) -> (Vec<u32>, Vec<f32>) {
            let own = (0..self.topics).filter(|&t| self.document[t] > 0.0);
            let (mut topics, mut counts): (Vec<u32>, Vec<f32>) =
                own.map(|t| (t as u32, self.document[t])).unzip();
            let padded = (topics.len() + 1).next_multiple_of(DRAW_WIDTH);
            topics.resize(padded, u32::MAX);
            counts.resize(padded, 0.0);
            (topics, counts)
        }
    }

    /// Draws many times, densely or sparsely, and counts.
    struct Draws<'a> {
        case: &'a Case,
        dense: bool,
        times: usize,
    }

    impl Task for Draws<'_> {
        type Output = (Vec<u32>, f32);
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Self::Output {
            let Case { topics, document, alpha, counts, inverse } = self.case;
            let padded = inverse.len();
            let mut shares = vec![0.0; padded];
            // Begin with one topic wrong and put it right, so that changes are tried as well.
            let mut before = counts.clone();
            before[topics / 2] += 5.0;
            share_word(simd, &before, BETA, inverse, &mut shares);
            let mut tree = Tree::new(padded);
            weigh_word(simd, alpha, &shares, &mut tree);
            let change = (topics / 2, -5.0);
            share_word_at(simd, (&mut before, &mut shares), BETA, inverse, change);
            weigh_word_at(simd, alpha, &shares, &mut tree, topics / 2);
            assert_eq!(&before, counts);
            let (own, times) = self.case.list();
            let list = List { topics: &own, counts: &times };
            let mut sums = vec![0.0; padded.max(own.len())];
            let mut random = Random::new(9, 0);
            let (mut found, mut total) = (vec![0; padded], 0.0);
            for _ in 0..self.times {
                let topic;
                if self.dense {
                    let sums = &mut sums[..padded];
                    let values = (&document[..], &alpha[..]);
                    (topic, total) = draw_dense(simd, values, &shares, sums, random.unit());
                } else {
                    let units = (random.unit(), random.unit());
                    let place;
                    (topic, place, total) =
                        draw_sparse(simd, list, &shares, &tree, &mut sums, units);
                    assert!(place.is_none_or(|place| own[place] as usize == topic));
                }
                found[topic] += 1;
            }
            (found, total)
        }
    }

    #[test]
    fn topics_are_drawn_in_proportion_to_their_weights_on_every_set() {
        let mut random = Random::new(4, 0);
        for set in Kernels::available() {
            for topics in [1, 2, 15, 16, 17, 40, 300] {
                let case = Case::new(topics, &mut random);
                let weights: Vec<f64> = (0..topics).map(|t| case.weight(t)).collect();
                let sum: f64 = weights.iter().sum();
                for dense in [true, false] {
                    let times = 20_000;
                    let (found, total) = set.run(Draws { case: &case, dense, times });
                    let about = format!("{} {topics} topics, dense {dense}", set.name());
                    assert!((f64::from(total) / sum - 1.0).abs() < 1e-5, "{about}: {total} {sum}");
                    let mut chi2 = 0.0;
                    for (&found, weight) in found.iter().zip(&weights) {
                        let wanted = weight / sum * times as f64;
                        chi2 += (f64::from(found) - wanted).powi(2) / wanted;
                    }
                    let freedom = topics as f64 - 1.0;
                    assert!(chi2 <= freedom + 5.0 * (2.0 * freedom).sqrt(), "{about}: {chi2}");
                    assert!(found[topics..].iter().all(|&found| found == 0), "{about}");
                }
            }
        }
    }

    struct Primitives<'a>(&'a [f32], &'a [u32]);

    impl Task for Primitives<'_> {
        type Output = (Vec<f32>, Vec<usize>, Vec<f32>, Vec<u32>);
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Self::Output {
            let Self(values, places) = self;
            let mut results = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            let mut lanes = [0.0f32; 16];
            for first in (0..16).step_by(S::LANES) {
                // SAFETY: 16 values are there, and hold the lanes of any set.
                let v = unsafe { simd.load(values.as_ptr().add(first)) };
                // SAFETY: as above.
                unsafe { simd.store(lanes.as_mut_ptr(), simd.prefix_sums(v)) };
                results.0.extend_from_slice(&lanes[..S::LANES]);
                for limit in [-1.0, values[first], 3.0, 1e9] {
                    let above = values[first..first + S::LANES].iter().position(|&x| x > limit);
                    results.1.push(simd.first_above(v, limit) - above.unwrap_or(S::LANES));
                }
                let gathered = simd.gather(values, &places[first..]);
                // SAFETY: as above.
                unsafe { simd.store(lanes.as_mut_ptr(), gathered) };
                results.2.extend_from_slice(&lanes[..S::LANES]);
                for wanted in [0, 3, u32::MAX] {
                    let bits = places[first..first + S::LANES].iter().rev();
                    let bits = bits.fold(0, |bits, &x| bits << 1 | u32::from(x == wanted));
                    results.3.push(simd.matches(&places[first..], wanted) ^ bits);
                }
            }
            results
        }
    }

    #[test]
    fn the_sets_sum_search_and_gather_as_the_definition_says() {
        let values: Vec<f32> = (0..16).map(|i| (i * 7 % 16) as f32).collect();
        let places: Vec<u32> = (0..16).map(|i| if i % 5 == 4 { u32::MAX } else { i / 2 }).collect();
        for set in Kernels::available() {
            let (prefix, above, gathered, matched) = set.run(Primitives(&values, &places));
            let lanes = 16 / (above.len() / 4);
            for (chunk, sums) in values.chunks(lanes).zip(prefix.chunks(lanes)) {
                let mut sum = 0.0;
                for (value, &got) in chunk.iter().zip(sums) {
                    sum += value;
                    assert_eq!(got, sum, "{}", set.name());
                }
            }
            assert!(above.iter().all(|&off| off == 0), "{}: {above:?}", set.name());
            let wanted = places.iter().map(|&at| values[(at as usize).min(15)]);
            assert!(gathered.iter().copied().eq(wanted), "{}: {gathered:?}", set.name());
            assert!(matched.iter().all(|&off| off == 0), "{}: {matched:?}", set.name());
        }
    }

    struct AddAt<'a>(&'a mut [f32], usize);
    impl Task for AddAt<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            add_at(simd, self.0, self.1, 2.5);
        }
    }

    #[test]
    fn one_value_is_added_to_and_no_other() {
        for set in Kernels::available() {
            for at in 0..48 {
                let mut values: Vec<f32> = (0..48).map(|i| i as f32).collect();
                set.run(AddAt(&mut values, at));
                for (i, &value) in values.iter().enumerate() {
                    let wanted = i as f32 + if i == at { 2.5 } else { 0.0 };
                    assert_eq!(value, wanted, "{}", set.name());
                }
            }
        }
    }
}
