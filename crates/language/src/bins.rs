use inlay_base::{Result, Run};
use inlay_formats::Array;

/// Rounds in which bins are moved to where their values are, at most.
const ROUNDS: usize = 30;
/// Values between two questions whether the run goes on.
const STEP: usize = 1 << 20;

/// Values in 2^bits bins, each read back as the mean of its bin: bins of Lloyd's rounds, which
/// lessen the mean squared error (Federico and Bertoldi 2006, "How Many Bits Are Needed to Store
/// Probabilities for Phrase-Based Translation?", has bins of equally many values, whose error is larger).
/// Few different values are kept as they are, and 0 always is.
pub struct Bins {
    /// Rising; those that are not used repeat the last.
    values: Array<f32>,
    bits: u32,
}

impl Bins {
    /// Of values, none of which is NaN.
    pub fn of(values: impl Iterator<Item = f32>, bits: u32, run: &Run) -> Result<Self> {
        let mut sorted: Vec<f32> = values.collect();
        run.check()?;
        sorted.sort_unstable_by(f32::total_cmp);
        run.check()?;
        let bins = 1 << bits;
        let mut distinct: Vec<f32> = Vec::new();
        for &value in &sorted {
            if distinct.last() != Some(&value) {
                distinct.push(value);
                if distinct.len() > bins {
                    break;
                }
            }
        }
        let mut means = match distinct.len() > bins {
            false => distinct,
            true => {
                let has_zero = sorted.binary_search_by(|value| value.total_cmp(&0.0)).is_ok();
                sorted.retain(|&value| value != 0.0);
                let mut means = lloyd(&sorted, bins - usize::from(has_zero), run)?;
                means.extend(has_zero.then_some(0.0));
                means.sort_unstable_by(f32::total_cmp);
                means
            }
        };
        means.resize(bins, means.last().copied().unwrap_or(0.0));
        Ok(Self { values: means.into(), bits })
    }

    /// Those of a file, if it has as many.
    pub fn mapped(values: Array<f32>, bits: u32) -> Option<Self> {
        (values.len() == 1 << bits).then_some(Self { values, bits })
    }

    /// The bin whose value is nearest.
    pub fn bin(&self, value: f32) -> u64 {
        let above = self.values.partition_point(|&bin| bin < value).min(self.values.len() - 1);
        let below = above.saturating_sub(1);
        let is_below = value - self.values[below] < self.values[above] - value;
        (if is_below { below } else { above }) as u64
    }

    /// The value of a bin; higher bits are others'.
    #[inline(always)]
    pub fn value(&self, bin: u64) -> f32 {
        self.values[bin as usize & ((1 << self.bits) - 1)]
    }

    /// Of a bin's number.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// By bin.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

/// The means of so many bins of sorted values.
fn lloyd(sorted: &[f32], bins: usize, run: &Run) -> Result<Vec<f32>> {
    let mut sums = Vec::with_capacity(sorted.len() + 1);
    sums.push(0.0f64);
    for values in sorted.chunks(STEP) {
        run.check()?;
        for &value in values {
            sums.push(sums[sums.len() - 1] + f64::from(value));
        }
    }
    let mean = |from: usize, to: usize| ((sums[to] - sums[from]) / (to - from) as f64) as f32;
    // Half by their number and half by their width: Lloyd's rounds move few values from crowded bins to far ones.
    let (Some(&least), Some(&most)) = (sorted.first(), sorted.last()) else {
        return Ok(Vec::new());
    };
    let share = |at: usize| {
        let by_width = f64::from(sorted[at] - least) / f64::from(most - least).max(1e-30);
        0.5 * (at as f64 / sorted.len() as f64 + by_width)
    };
    let cut = |bin: usize| {
        let (mut from, mut to) = (0, sorted.len());
        while from < to {
            let middle = from + (to - from) / 2;
            match share(middle) < bin as f64 / bins as f64 {
                true => from = middle + 1,
                false => to = middle,
            }
        }
        from
    };
    let mut ends: Vec<usize> = (1..bins).map(cut).chain([sorted.len()]).collect();
    let mut means = Vec::new();
    for _ in 0..ROUNDS {
        run.check()?;
        means.clear();
        let mut from = 0;
        for &end in &ends {
            if end > from {
                means.push(mean(from, end));
            }
            from = end.max(from);
        }
        let moved = means.windows(2).map(|pair| {
            let border = f64::midpoint(f64::from(pair[0]), f64::from(pair[1]));
            sorted.partition_point(|&value| f64::from(value) <= border)
        });
        let moved: Vec<usize> = moved.chain([sorted.len()]).collect();
        if moved == ends {
            break;
        }
        ends = moved;
    }
    Ok(means)
}

#[cfg(test)]
mod tests {
    use inlay_base::Random;

    use super::*;

    fn of(values: &[f32], bits: u32) -> Bins {
        Bins::of(values.iter().copied(), bits, &Run::quiet(1, 1)).unwrap()
    }

    #[test]
    fn few_values_are_kept_and_zero_always_is() {
        let bins = of(&[-1.5, 0.0, -0.25, -1.5], 2);
        assert_eq!([-1.5, -0.25, 0.0].map(|value| bins.value(bins.bin(value))), [-1.5, -0.25, 0.0]);
        let mut random = Random::new(1, 0);
        let many: Vec<f32> =
            (0..5000).map(|i| if i % 9 == 0 { 0.0 } else { -random.unit() }).collect();
        let bins = of(&many, 4);
        assert_eq!(bins.value(bins.bin(0.0)), 0.0);
        assert_eq!(of(&[], 3).values(), [0.0; 8]);
    }

    #[test]
    fn values_are_near_their_bins_and_more_bits_bring_them_nearer() {
        let mut random = Random::new(2, 0);
        let values: Vec<f32> =
            (0..20_000).map(|_| -(random.unit() * random.unit() * 6.0)).collect();
        let error = |bits| {
            let bins = of(&values, bits);
            assert!(bins.values().is_sorted() && bins.values().len() == 1 << bits);
            let squares = values.iter().map(|&value| {
                let bin = bins.value(bins.bin(value));
                let nearest = bins.values().iter().map(|bin| (bin - value).abs());
                assert_eq!((bin - value).abs(), nearest.fold(f32::MAX, f32::min));
                f64::from(bin - value).powi(2)
            });
            (squares.sum::<f64>() / values.len() as f64).sqrt()
        };
        let errors: Vec<f64> = [2, 4, 8, 12].map(error).into();
        // Equal steps of 6 / 256 would have a root mean square error of 0.0068.
        assert!(errors.is_sorted_by(|a, b| *a > 8.0 / 3.0 * b) && errors[2] < 0.0065, "{errors:?}");
    }
}
