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

use inlay_base::{Error, Result, Run, Workers};

use crate::discounts::Discounts;
use crate::levels::{self, Level};
use crate::room::{Numbers, Room};
use crate::table::{NO_CELL, Refused, Table, crowded};
use crate::text::{BEGIN, Text};

/// N-grams of a part that one thread works on at a time.
const PART: usize = 1 << 16;

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
    pub tables: Vec<Table>,
    /// For each table, the cells of its n-grams in suffix order; `NO_CELL` for those that are not kept.
    pub sorted: Vec<Numbers>,
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

    let mut made = Estimate {
        unigrams: room.numbers(2 * levels[0].len)?,
        tables: Vec::new(),
        sorted: Vec::new(),
        discounts,
    };
    let discounts = made.discounts.clone();
    let mut chances = words(&levels[0], discounts[0], room)?;
    for m in 1..=order {
        let masses = match levels.get(m) {
            Some(above) => Some(Masses::of(
                above,
                levels[m - 1].len,
                discounts[m],
                smoothing.thresholds[m] > 0,
                room,
                run,
            )?),
            None => None,
        };
        let level = &levels[m - 1];
        if m == 1 {
            for (word, pair) in made.unigrams.pairs_mut().iter_mut().enumerate() {
                *pair = values(&chances, masses.as_ref(), word).map(f32::to_bits);
            }
            run.advance(level.len as u64);
        } else {
            let below = made.sorted.last();
            let (table, slots) = fill(level, &chances, masses.as_ref(), below, room, run)?;
            made.sorted.push(slots);
            made.tables.push(table);
        }
        if let Some(masses) = masses {
            let above = &levels[m];
            chances = interpolate(above, discounts[m], &masses, &chances, room, run)?;
        }
        levels[m - 1].free(room)?;
    }
    Ok(made)
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
        let mut masses = room.numbers(2 * contexts)?;
        for (mass, sums) in masses.reals_mut().chunks_exact_mut(2).zip(sums.chunks_exact(width)) {
            let discounted = discounts.values().into_iter().zip(&sums[1..4]);
            let left = discounted.fold(0.0f32, |left, (discount, &n)| left + discount * n as f32);
            let left = left + sums.get(4).map_or(0.0, |&pruned| pruned as f32);
            let sum = sums[0] as f32;
            mass.copy_from_slice(&[sum, if sums[0] == 0 { 1.0 } else { left / sum }]);
        }
        Ok(Self(masses))
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
    let mut chances = room.numbers(level.len)?;
    let below = below.reals();
    let parts: Vec<_> = chances.reals_mut().chunks_mut(PART).map(Mutex::new).collect();
    run.each(parts.len(), &|part| {
        let mut chances = parts[part].lock().unwrap_or_else(PoisonError::into_inner);
        for (entry, chance) in (part * PART..).zip(chances.iter_mut()) {
            let (sum, gamma) = masses.at(level.context[entry] as usize);
            let left = discounts.left_of(level.count(entry)) / sum;
            *chance = left + gamma * below[level.suffix[entry] as usize];
        }
        Ok(())
    })?;
    drop(parts);
    Ok(chances)
}

/// log10 p and log10 γ.
#[inline(always)]
fn values(chances: &Numbers, masses: Option<&Masses>, entry: usize) -> [f32; 2] {
    // The sum of parts of 1 may be a little more.
    let chance = chances.reals()[entry].log10().min(0.0);
    [chance, masses.map_or(0.0, |masses| masses.at(entry).1.log10())]
}

/// The table of an order, and the cell of each of its n-grams. `below` are the cells of the order below,
/// if that has a table.
fn fill(
    level: &Level,
    chances: &Numbers,
    masses: Option<&Masses>,
    below: Option<&Numbers>,
    room: &Room,
    run: &Run,
) -> Result<(Table, Numbers)> {
    let kept = (0..level.len).filter(|&entry| !level.is_pruned(entry)).count();
    let mut table = Table::for_entries(kept, masses.is_none(), room)?;
    let mut logs = room.numbers(2 * level.len)?;
    let parts: Vec<_> = logs.pairs_mut().chunks_mut(PART).map(Mutex::new).collect();
    run.each(parts.len(), &|part| {
        let mut logs = parts[part].lock().unwrap_or_else(PoisonError::into_inner);
        for (entry, logs) in (part * PART..).zip(logs.iter_mut()) {
            *logs = values(chances, masses, entry).map(f32::to_bits);
        }
        Ok(())
    })?;
    drop(parts);
    let (logs, mut slots) = (logs.pairs(), room.numbers(level.len)?);
    let ngrams = |range: std::ops::Range<usize>| {
        let mut word = level.starts.partition_point(|&start| start as usize <= range.start) - 1;
        range.filter(|&entry| !level.is_pruned(entry)).map(move |entry| {
            while level.starts[word + 1] as usize <= entry {
                word += 1;
            }
            let context = level.context[entry];
            (entry, below.map_or(context, |below| below[context as usize]), word as u32)
        })
    };
    let parts = || (0..level.len).step_by(PART).map(|from| from..level.len.min(from + PART));
    for range in parts() {
        run.check()?;
        let with_logs = ngrams(range.clone())
            .map(|(entry, context, word)| (context, word, logs[entry].map(f32::from_bits)));
        table.insert_all(with_logs).map_err(|refused| match refused {
            Refused::Twice => Error::Internal("an n-gram was counted twice".into()),
            Refused::Crowded => crowded(),
        })?;
        run.advance(range.len() as u64);
    }
    table.finish(run)?;
    for range in parts() {
        run.check()?;
        slots[range.clone()].fill(NO_CELL);
        table.find_all(ngrams(range), &mut slots);
    }
    Ok((table, slots))
}
