//! Merges sorted counts: those of one pair become their sum.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::counting::Count;

/// The counts of several sources, each sorted by pair, in the order of pairs. A sum that would not
/// fit stays at what fits.
pub struct Merge<I> {
    sources: Vec<I>,
    /// Of each source that has more: its next pair, and which it is.
    next: BinaryHeap<Reverse<(u64, usize)>>,
    /// The count of each source's next pair.
    units: Vec<u64>,
}

impl<I: Iterator<Item = Count>> Merge<I> {
    pub fn new(sources: impl Iterator<Item = I>) -> Self {
        let mut sources: Vec<I> = sources.collect();
        let mut units = vec![0; sources.len()];
        let mut next = BinaryHeap::with_capacity(sources.len());
        for (number, source) in sources.iter_mut().enumerate() {
            if let Some([pair, first]) = source.next() {
                units[number] = first;
                next.push(Reverse((pair, number)));
            }
        }
        Self { sources, next, units }
    }
}

impl<I: Iterator<Item = Count>> Iterator for Merge<I> {
    type Item = Count;

    fn next(&mut self) -> Option<Count> {
        let Reverse((pair, _)) = *self.next.peek()?;
        let mut sum = 0u64;
        while let Some(mut top) = self.next.peek_mut() {
            let Reverse((other, number)) = *top;
            if other != pair {
                break;
            }
            sum = sum.saturating_add(self.units[number]);
            // A source stays on top, without a look at the others, while it has the same pair.
            let more = loop {
                match self.sources[number].next() {
                    Some([again, units]) if again == pair => sum = sum.saturating_add(units),
                    more => break more,
                }
            };
            match more {
                Some([pair, units]) => {
                    self.units[number] = units;
                    *top = Reverse((pair, number));
                }
                None => _ = PeekMut::pop(top),
            }
        }
        Some([pair, sum])
    }
}

/// Cuts all pairs into about `parts` ranges of as many counts: where each range begins. The first
/// begins with the first pair of all.
pub fn cuts(runs: &[&[Count]], parts: usize) -> Vec<u64> {
    let mut sample: Vec<u64> = runs
        .iter()
        .flat_map(|run| {
            let step = run.len().div_ceil(parts).max(1);
            run.iter().skip(step - 1).step_by(step).map(|count| count[0])
        })
        .collect();
    sample.sort_unstable();
    let step = sample.len().div_ceil(parts).max(1);
    let mut cuts = vec![0];
    cuts.extend(sample.into_iter().skip(step).step_by(step));
    cuts.dedup();
    cuts
}

/// The part of a sorted run from one pair to before another.
pub fn between(run: &[Count], from: u64, to: Option<u64>) -> &[Count] {
    let place = |pair: u64| run.partition_point(|count| count[0] < pair);
    &run[place(from)..to.map_or(run.len(), place)]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use inlay_base::Random;

    use super::*;

    fn runs(random: &mut Random) -> Vec<Vec<Count>> {
        (0..random.below(9))
            .map(|_| {
                let length = random.below(60);
                let mut run: Vec<Count> = (0..length)
                    .map(|_| [u64::from(random.below(40)), 1 + random.bits() % 9])
                    .collect();
                run.sort_unstable();
                run
            })
            .collect()
    }

    #[test]
    fn merged_runs_are_the_sums_in_order_whole_or_by_ranges() {
        let mut random = Random::new(3, 0);
        for _ in 0..300 {
            let runs = runs(&mut random);
            let mut wanted = BTreeMap::new();
            for &[pair, units] in runs.iter().flatten() {
                *wanted.entry(pair).or_insert(0) += units;
            }
            let wanted: Vec<Count> =
                wanted.into_iter().map(|(pair, units)| [pair, units]).collect();
            let whole: Vec<Count> =
                Merge::new(runs.iter().map(|run| run.iter().copied())).collect();
            assert_eq!(whole, wanted);
            let runs: Vec<&[Count]> = runs.iter().map(Vec::as_slice).collect();
            let cuts = cuts(&runs, 5);
            let parts = cuts.iter().enumerate().flat_map(|(i, &from)| {
                let to = cuts.get(i + 1).copied();
                Merge::new(runs.iter().map(move |run| between(run, from, to).iter().copied()))
            });
            assert_eq!(parts.collect::<Vec<_>>(), wanted);
        }
    }

    #[test]
    fn a_sum_that_does_not_fit_stays_at_the_most() {
        let run = [[1, u64::MAX - 1]];
        let merged: Vec<Count> =
            Merge::new([run, run].iter().map(|run| run.iter().copied())).collect();
        assert_eq!(merged, [[1, u64::MAX]]);
    }
}
