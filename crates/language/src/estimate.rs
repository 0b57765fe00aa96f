//! Interpolated modified Kneser-Ney: Chen and Goodman 1998; Heafield et al. 2013, "Scalable Modified
//! Kneser-Ney Language Model Estimation".
//!
//! ```text
//!     p(w | h) = (c(h w) - D(c(h w))) / Σ c(h ·) + γ(h) p(w | h')         h' is h without its oldest word
//!     γ(h)     = Σ D(c(h ·)) / Σ c(h ·)        p(w | no word) = 1 / vocabulary
//! ```
//!
//! c are adjusted counts (see `levels`). What is pruned gives its count to γ. Values are rounded to f32
//! after every operation, in lmplz's order: they print as its own.

use std::sync::{Mutex, PoisonError};

use inlay_base::{Result, Run, Workers};
use inlay_kernels::fetch;

use crate::discounts::Discounts;
use crate::levels::{self, Level};
use crate::room::{Numbers, Room};
use crate::sorted::Sorted;
use crate::text::{BEGIN, Text};

/// N-grams of a part that one thread works on at a time.
const PART: usize = 1 << 16;

/// N-grams that the memory is asked for ahead.
const AHEAD: usize = 24;

/// How a model is estimated.
#[derive(Debug, Clone)]
pub struct Smoothing {
    /// Words of the longest n-gram.
    pub order: usize,
    /// For each order, what an n-gram must occur more often than to be kept; not falling, the first 0.
    pub thresholds: Vec<u32>,
    /// Discounts where the text has none of its own.
    pub fallback: Option<[f32; 3]>,
}

/// All n-grams with their log10 probabilities and back-offs.
pub struct Estimate {
    /// By word.
    pub unigrams: Numbers,
    /// From order 2 on.
    pub orders: Vec<Sorted>,
    /// For each order.
    pub discounts: Vec<Discounts>,
}

/// Phases "count" and "estimate".
///
/// # Errors
/// `InvalidInput`: a text without discounts; `Unsupported`, `OutOfMemory`, `DiskFull`, `Aborted`.
pub fn estimate(text: &Text, smoothing: &Smoothing, room: &Room, run: &Run) -> Result<Estimate> {
    let order = smoothing.order;
    let mut levels = levels::count(text, order, &smoothing.thresholds, room, run)?;
    let discounts = levels.iter().enumerate().map(|(below, level)| {
        Discounts::of(level, below + 1, below + 1 == order, smoothing.fallback)
    });
    let discounts = discounts.collect::<Result<Vec<_>>>()?;
    let all = levels.iter().map(|level| level.len as u64).sum();
    run.phase("estimate", "n-grams", 0, Some(all));

    let mut unigrams = room.unset(2 * levels[0].len)?;
    let mut orders = Vec::new();
    let mut chances = words(&levels[0], discounts[0], room)?;
    let mut pruned = None;
    for m in 1..=order {
        let above = levels.get(m).map(|above| (above, discounts[m], smoothing.thresholds[m] > 0));
        let (mut next, mut backoffs) = (None, None);
        if let Some((above, discounts, pruned)) = above {
            let masses = Masses::of(above, levels[m - 1].len, discounts, pruned, room, run)?;
            next = Some(interpolate(above, discounts, &masses, &chances, room, run)?);
            backoffs = Some(masses.backoffs(room, run)?);
        }
        logs(&mut chances, run)?;
        run.advance(levels[m - 1].len as u64);
        if m == 1 {
            for (word, pair) in unigrams.pairs_mut().iter_mut().enumerate() {
                *pair = [chances[word], backoffs.as_ref().map_or(0, |backoffs| backoffs[word])];
            }
        } else {
            let mut sorted = levels[m - 1].sorted(chances, backoffs, room)?;
            if smoothing.thresholds[m - 1] > 0 {
                let is_kept = |entry: usize| !levels[m - 1].is_pruned(entry);
                pruned = Some(sorted.prune(is_kept, pruned.as_ref(), room)?);
            }
            orders.push(sorted);
        }
        levels[m - 1].free(room)?;
        match next {
            Some(next) => chances = next,
            None => break,
        }
    }
    Ok(Estimate { unigrams, orders, discounts })
}

/// p of every word.
fn words(level: &Level, discounts: Discounts, room: &Room) -> Result<Numbers> {
    let counts = || (0..level.len).map(|word| level.count(word));
    let total = counts().map(u64::from).sum::<u64>() as f32;
    let mut with = [0u32; 3];
    counts().filter(|&count| count > 0).for_each(|count| with[count.min(3) as usize - 1] += 1);
    let discounted = discounts.values().into_iter().zip(with);
    let gamma = discounted.fold(0.0f32, |sum, (discount, n)| sum + discount * n as f32) / total;
    // <s> is no word that could follow.
    let uniform = (1.0 / f64::from((level.len - 1) as f32)) as f32;
    let mut chances = room.numbers(level.len)?;
    for (chance, count) in chances.reals_mut().iter_mut().zip(counts()) {
        *chance = discounts.left_of(count) / total + gamma * uniform;
    }
    chances.reals_mut()[BEGIN as usize] = 1.0;
    Ok(chances)
}

/// For each n-gram as a context: Σ c, and γ.
struct Masses(Numbers);

impl Masses {
    /// Of the n-grams `above`, whose contexts they are.
    fn of(
        above: &Level,
        contexts: usize,
        discounts: Discounts,
        pruned: bool,
        room: &Room,
        run: &Run,
    ) -> Result<Self> {
        // Σ c; how many counts are 1, 2, more; Σ c of what is pruned.
        let width = if pruned { 5 } else { 4 };
        let mut sums = room.numbers(width * contexts)?;
        let parts = contexts.div_ceil(run.threads()).max(1);
        let split: Vec<_> = sums.chunks_mut(width * parts).map(Mutex::new).collect();
        run.each(split.len(), &|part| {
            let mut sums = split[part].lock().unwrap_or_else(PoisonError::into_inner);
            let first = part * parts;
            for from in (0..above.len).step_by(PART) {
                run.check()?;
                for entry in from..above.len.min(from + PART) {
                    if let Some(&context) = above.context.get(entry + AHEAD) {
                        fetch(
                            &sums[..],
                            width.wrapping_mul((context as usize).wrapping_sub(first)),
                        );
                    }
                    // A thread looks at all, and takes those of its contexts.
                    let context = (above.context[entry] as usize).wrapping_sub(first);
                    if context < parts {
                        let count = above.count(entry);
                        let sums = &mut sums[width * context..width * (context + 1)];
                        sums[0] += count;
                        if above.is_pruned(entry) {
                            sums[4] += count;
                        } else {
                            sums[count.min(3) as usize] += 1;
                        }
                    }
                }
            }
            Ok(())
        })?;
        drop(split);
        let mut masses = room.unset(2 * contexts)?;
        for (mass, sums) in masses.reals_mut().chunks_exact_mut(2).zip(sums.chunks_exact(width)) {
            let discounted = discounts.values().into_iter().zip(&sums[1..4]);
            let left = discounted.fold(0.0f32, |left, (discount, &n)| left + discount * n as f32);
            let left = left + sums.get(4).map_or(0.0, |&pruned| pruned as f32);
            let sum = sums[0] as f32;
            mass.copy_from_slice(&[sum, if sums[0] == 0 { 1.0 } else { left / sum }]);
        }
        Ok(Self(masses))
    }

    /// log10 of γ.
    fn backoffs(self, room: &Room, run: &Run) -> Result<Numbers> {
        let masses = self.0.reals();
        let mut backoffs = room.unset(masses.len() / 2)?;
        each_part(backoffs.reals_mut(), run, |from, backoffs| {
            let masses = masses[2 * from..].chunks_exact(2);
            for (backoff, mass) in backoffs.iter_mut().zip(masses) {
                *backoff = mass[1].log10();
            }
        })?;
        Ok(backoffs)
    }

    #[inline(always)]
    fn at(&self, context: usize) -> (f32, f32) {
        let masses = self.0.reals();
        (masses[2 * context], masses[2 * context + 1])
    }
}

/// p of the n-grams of an order, by those of the order below.
fn interpolate(
    level: &Level,
    discounts: Discounts,
    masses: &Masses,
    below: &Numbers,
    room: &Room,
    run: &Run,
) -> Result<Numbers> {
    let mut chances = room.unset(level.len)?;
    let below = below.reals();
    each_part(chances.reals_mut(), run, |from, chances| {
        for (entry, chance) in (from..).zip(chances.iter_mut()) {
            if let Some(&context) = level.context.get(entry + AHEAD) {
                fetch(masses.0.pairs(), context as usize);
            }
            let (sum, gamma) = masses.at(level.context[entry] as usize);
            let left = discounts.left_of(level.count(entry)) / sum;
            *chance = left + gamma * below[level.suffix[entry] as usize];
        }
    })?;
    Ok(chances)
}

/// Makes log10 of probabilities.
fn logs(chances: &mut Numbers, run: &Run) -> Result<()> {
    each_part(chances.reals_mut(), run, |_, chances| {
        // The sum of parts of 1 may be a little more.
        chances.iter_mut().for_each(|chance| *chance = chance.log10().min(0.0));
    })
}

/// Has all parts worked on, each with where it begins, on all threads.
fn each_part(values: &mut [f32], run: &Run, work: impl Fn(usize, &mut [f32]) + Sync) -> Result<()> {
    let parts: Vec<_> = values.chunks_mut(PART).map(Mutex::new).collect();
    run.each(parts.len(), &|part| {
        work(part * PART, &mut parts[part].lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    })
}
