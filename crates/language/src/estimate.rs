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

use std::sync::Mutex;

use bytemuck::cast_slice_mut;
use inlay_base::{Result, Run, Workers, lock};
use inlay_kernels::fetch;

use crate::discounts::Discounts;
use crate::levels::{self, Level, PRUNED};
use crate::picks::pick;
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

/// Phases "count" and "estimate". The words and parts of the text are gone then.
///
/// # Errors
/// `InvalidInput`: a text without discounts; `Unsupported`, `OutOfMemory`, `DiskFull`, `Aborted`.
pub fn estimate(
    text: &mut Text,
    smoothing: &Smoothing,
    room: &Room,
    run: &Run,
) -> Result<Estimate> {
    let Smoothing { order, ref thresholds, fallback } = *smoothing;
    let levels = levels::count(text, order, thresholds, room, run)?;
    (text.words, text.parts) = (room.numbers(0)?, Vec::new());
    let discounts =
        (1..).zip(&levels).map(|(m, level)| Discounts::of(level, m, m == order, fallback));
    let discounts = discounts.collect::<Result<Vec<_>>>()?;
    let all = levels.iter().map(|level| level.len as u64).sum();
    run.phase("estimate", "n-grams", 0, Some(all));

    let (mut unigrams, mut orders) = (room.unset(2 * levels[0].len)?, Vec::new());
    let mut levels = levels.into_iter();
    let mut level = levels.next().expect("words");
    let mut chances = words(&mut level, discounts[0], room)?;
    let mut kept = None;
    for m in 1..=order {
        let mut above = levels.next();
        let (mut next, mut backoffs) = (None, None);
        if let Some(above) = &mut above {
            let masses = Masses::of(above, level.len, discounts[m], thresholds[m] > 0, room, run)?;
            next = Some(interpolate(above, discounts[m], &masses, &chances, room, run)?);
            backoffs = Some(masses.backoffs(level.len, room, run)?);
        }
        run.advance(level.len as u64);
        if m == 1 {
            logs(&mut chances, run)?;
            for (word, pair) in unigrams.pairs_mut().iter_mut().enumerate() {
                *pair = [chances[word], backoffs.as_ref().map_or(0, |backoffs| backoffs[word])];
            }
        } else {
            let mut sorted = level.into_sorted(chances, backoffs);
            if thresholds[m - 1] > 0 {
                kept = Some(sorted.prune(kept.as_ref(), room)?);
            }
            logs(&mut sorted.probabilities, run)?;
            orders.push(sorted);
        }
        let (Some(above), Some(next)) = (above, next) else { break };
        (level, chances) = (above, next);
    }
    Ok(Estimate { unigrams, orders, discounts })
}

/// p of every word.
fn words(level: &mut Level, discounts: Discounts, room: &Room) -> Result<Numbers> {
    let mut chances = take_counts(level, room)?;
    let total = chances.iter().copied().map(u64::from).sum::<u64>() as f32;
    let mut with = [0u32; 3];
    let counts = chances.iter().filter(|&&count| count > 0);
    counts.for_each(|&count| with[count.min(3) as usize - 1] += 1);
    let discounted = discounts.values().into_iter().zip(with);
    let gamma = discounted.fold(0.0f32, |sum, (discount, n)| sum + discount * n as f32) / total;
    // <s> is no word that could follow.
    let uniform = (1.0 / f64::from((level.len - 1) as f32)) as f32;
    for chance in chances.iter_mut() {
        *chance = (discounts.left_of(*chance) / total + gamma * uniform).to_bits();
    }
    chances.reals_mut()[BEGIN as usize] = 1.0;
    Ok(chances)
}

/// The counts of a level, to be written over.
fn take_counts(level: &mut Level, room: &Room) -> Result<Numbers> {
    Ok(std::mem::replace(&mut level.counts, room.numbers(0)?))
}

/// For each n-gram as a context: Σ c, γ, and room for what they are made of.
struct Masses {
    values: Numbers,
    width: usize,
}

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
        let width = if pruned { PRUNED_TOO } else { UNPRUNED };
        let mut values = room.numbers(width * contexts)?;
        match pruned {
            true => sum::<PRUNED_TOO>(above, discounts, cast_slice_mut(&mut values), run)?,
            false => sum::<UNPRUNED>(above, discounts, cast_slice_mut(&mut values), run)?,
        }
        Ok(Self { values, width })
    }

    /// log10 of γ.
    fn backoffs(self, contexts: usize, room: &Room, run: &Run) -> Result<Numbers> {
        let mut backoffs = room.unset(contexts)?;
        each_part(backoffs.reals_mut(), run, |from, backoffs| {
            for (context, backoff) in (from..).zip(backoffs) {
                *backoff = self.at(context).1.log10();
            }
        })?;
        Ok(backoffs)
    }

    #[inline(always)]
    fn at(&self, context: usize) -> (f32, f32) {
        let values = self.values.reals();
        (values[self.width * context], values[self.width * context + 1])
    }

    #[inline(always)]
    fn fetch(&self, context: usize) {
        fetch(&self.values, self.width * context);
    }
}

/// Of a context: Σ c, and how many counts are 1, 2, more;
const UNPRUNED: usize = 4;
/// and Σ c of what is pruned.
const PRUNED_TOO: usize = 5;

/// Makes Σ c and γ of contexts, the first values of each.
fn sum<const WIDTH: usize>(
    above: &Level,
    discounts: Discounts,
    contexts: &mut [[u32; WIDTH]],
    run: &Run,
) -> Result<()> {
    let size = contexts.len().div_ceil(run.threads()).max(1);
    let parts: Vec<_> = contexts.chunks_mut(size).map(Mutex::new).collect();
    run.each(parts.len(), &|part| {
        let mut sums = lock(&parts[part]);
        // A thread looks at all, and takes those of its contexts.
        let place = |entry: usize| (above.context[entry] as usize).wrapping_sub(part * size);
        for from in (0..above.len).step_by(PART) {
            run.check()?;
            pick(
                from..above.len.min(from + PART),
                |entry| place(entry) < size,
                |entries| {
                    entries.iter().for_each(|&entry| fetch(&sums[..], place(entry as usize)));
                    for &entry in entries {
                        let (mark, count) = marked(above.counts[entry as usize]);
                        let sums = &mut sums[place(entry as usize)];
                        sums[0] += count;
                        if WIDTH == PRUNED_TOO && mark > 0 {
                            sums[4] += count;
                        } else {
                            sums[count.min(3) as usize] += 1;
                        }
                    }
                },
            );
        }
        for sums in sums.iter_mut() {
            let discounted = discounts.values().into_iter().zip(&sums[1..4]);
            let left = discounted.fold(0.0f32, |left, (discount, &n)| left + discount * n as f32);
            let left = left + sums.get(4).map_or(0.0, |&pruned| pruned as f32);
            let sum = sums[0] as f32;
            let gamma = if sums[0] == 0 { 1.0 } else { left / sum };
            (sums[0], sums[1]) = (sum.to_bits(), gamma.to_bits());
        }
        Ok(())
    })
}

/// The mark of a count, and the count.
#[inline(always)]
fn marked(count: u32) -> (u32, u32) {
    (count & PRUNED, count & !PRUNED)
}

/// p of the n-grams of an order, by those of the order below; that of one that is pruned is negative.
fn interpolate(
    level: &mut Level,
    discounts: Discounts,
    masses: &Masses,
    below: &Numbers,
    room: &Room,
    run: &Run,
) -> Result<Numbers> {
    let mut chances = take_counts(level, room)?;
    let (context, begins, below) = (&level.context[..], &level.begins[..], below.reals());
    each_part(&mut chances, run, |from, chances| {
        // The last that begins there, as it is the one that has some.
        let mut suffix = begins.partition_point(|&begin| begin as usize <= from) - 1;
        for (entry, chance) in (from..).zip(chances.iter_mut()) {
            if let Some(&context) = context.get(entry + AHEAD) {
                masses.fetch(context as usize);
            }
            while begins[suffix + 1] as usize <= entry {
                suffix += 1;
            }
            let (mark, count) = marked(*chance);
            let (sum, gamma) = masses.at(context[entry] as usize);
            let left = discounts.left_of(count) / sum;
            *chance = mark | (left + gamma * below[suffix].abs()).to_bits();
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
fn each_part<T: Send>(
    values: &mut [T],
    run: &Run,
    work: impl Fn(usize, &mut [T]) + Sync,
) -> Result<()> {
    let parts: Vec<_> = values.chunks_mut(PART).map(Mutex::new).collect();
    run.each(parts.len(), &|part| {
        work(part * PART, &mut lock(&parts[part]));
        Ok(())
    })
}
