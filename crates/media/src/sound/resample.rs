//! Another number of samples a second, by a band-limited filter: a sinc under a Kaiser window (Smith, "Digital Audio
//! Resampling", ccrma.stanford.edu/~jos/resample; Kaiser 1974). What lies below 92 % of the lower of the two highest
//! frequencies stays, and what would alias is 100 dB down. A moment of the new rate is worked out from where it lies
//! alone, so that a part of a sound has the samples that the whole has there.

use std::f64::consts::PI;
use std::ops::Range;

use inlay_base::Result;
use inlay_kernels::{Kernels, Simd, Task, dots};

use super::moments_after;

/// Zeros of the sinc on each side.
const ZEROS: f64 = 80.0;
/// Where the filter is half of the way down, as a share of the lower of the two highest frequencies.
const CUTOFF: f64 = 0.96;
/// Kaiser's β of 100 dB: 0.1102 · (100 - 8.7).
const BETA: f64 = 10.06;
/// Values of the filter that are worked out for the places that occur, if they are not more.
const EXACT: u64 = 1 << 18;
/// Places between two samples, else: what lies between two of them is drawn by a straight line (130 dB).
const PLACES: f64 = 1024.0;

/// Samples of a channel that are worked on at once, beside those around them: they stay in the nearest cache while all
/// places between two samples have their turn.
const TOGETHER: usize = 1 << 12;
/// Products that are worked out at once: two milliseconds of them.
const WORK: u64 = 1 << 24;

/// Samples of one rate to samples of another.
pub struct Resampler {
    /// In lowest terms.
    up: u64,
    down: u64,
    have: u32,
    want: u32,
    channels: usize,
    bank: Option<Bank>,
    /// Samples of each channel that are still needed, and where the first of them lies; before 0 there is silence.
    history: Vec<Vec<f32>>,
    start: i64,
    /// Samples of a channel that are worked on at once.
    together: usize,
    /// Where the next sample lies that comes.
    at: u64,
    /// The moment that is made next, and where it lies: between two samples, in parts of `up`.
    next: u64,
    place: (u64, u64),
    /// The first moment that is not made.
    end: u64,
    made: Vec<f32>,
}

impl Resampler {
    /// From `have` to `want` moments a second, each of so many channels; only a part of the new ones is made.
    pub fn new(have: u32, want: u32, channels: usize, part: Range<u64>) -> Self {
        let Range { start: first, end } = part;
        let divisor = greatest_divisor(have.into(), want.into());
        let (up, down) = (u64::from(want) / divisor, u64::from(have) / divisor);
        let bank = (up != down).then(|| Bank::new(up, down));
        let before = bank.as_ref().map_or(0, |bank| bank.half as i64 - 1);
        let at = u128::from(first) * u128::from(down);
        let whole = u64::try_from(at / u128::from(up)).unwrap_or(u64::MAX / 2);
        let start = i64::try_from(whole).unwrap_or(i64::MAX / 2) - before;
        let silence = usize::try_from(-start).unwrap_or(0);
        Self {
            up,
            down,
            have,
            want,
            channels,
            history: vec![vec![0.0; silence]; channels],
            start,
            together: bank.as_ref().map_or(0, |bank| TOGETHER + 2 * bank.half),
            bank,
            at: 0,
            next: first,
            end,
            place: (whole, (at % u128::from(up)) as u64),
            made: Vec::new(),
        }
    }

    /// The first moment that is needed.
    pub fn needed(&self) -> u64 {
        self.start.max(0) as u64
    }

    /// The moment that comes first.
    pub fn begin(&mut self, at: u64) {
        self.at = at;
    }

    /// Takes the samples of some moments, and gives those of which all is known, part by part.
    pub fn push(
        &mut self,
        block: &[f32],
        give: &mut impl FnMut(&[f32]) -> Result<()>,
    ) -> Result<()> {
        let moments = (block.len() / self.channels) as u64;
        let expected = self.start + self.history.first().map_or(0, |held| held.len() as i64);
        let early = (expected.max(0) as u64).saturating_sub(self.at).min(moments);
        self.at += moments;
        let block = &block[early as usize * self.channels..];
        if self.bank.is_none() {
            self.start += (block.len() / self.channels) as i64;
            return give(block);
        }
        for (channel, held) in self.history.iter_mut().enumerate() {
            held.extend(block.iter().skip(channel).step_by(self.channels));
        }
        if self.history.first().is_some_and(|held| held.len() >= self.together) {
            self.make(u64::MAX, give)?;
            self.forget();
        }
        Ok(())
    }

    /// No more samples come: gives the rest.
    pub fn end(&mut self, give: &mut impl FnMut(&[f32]) -> Result<()>) -> Result<()> {
        let Some(bank) = &self.bank else { return Ok(()) };
        let taps = 2 * bank.half;
        self.history.iter_mut().for_each(|held| held.resize(held.len() + taps, 0.0));
        self.make(moments_after(self.at, self.have, self.want), give)
    }

    /// Makes what the history is enough for, before `end`, in parts of some milliseconds.
    fn make(&mut self, end: u64, give: &mut impl FnMut(&[f32]) -> Result<()>) -> Result<()> {
        let Some(bank) = &self.bank else { return Ok(()) };
        let held = self.start + self.history.first().map_or(0, |held| held.len() as i64);
        let most = (WORK / (2 * bank.half * self.channels) as u64).max(1);
        loop {
            self.made.clear();
            let task = Make {
                bank,
                history: &self.history,
                start: self.start,
                end: held - bank.half as i64,
                up: self.up,
                down: self.down,
                limit: end.min(self.end).saturating_sub(self.next).min(most),
                place: self.place,
                made: &mut self.made,
            };
            self.place = Kernels::get().run(task);
            self.next += (self.made.len() / self.channels) as u64;
            if self.made.is_empty() {
                return Ok(());
            }
            give(&self.made)?;
        }
    }

    /// Lets go what no moment needs any more.
    fn forget(&mut self) {
        let half = self.bank.as_ref().map_or(0, |bank| bank.half as i64);
        let first = self.place.0 as i64 - half + 1;
        let held = self.history.first().map_or(0, Vec::len);
        let over = usize::try_from(first - self.start).unwrap_or(0).min(held);
        self.history.iter_mut().for_each(|held| _ = held.drain(..over));
        self.start += over as i64;
    }
}

/// The filter at the places between two samples that occur, or at some from which the others follow.
struct Bank {
    /// Samples on each side of a place.
    half: usize,
    /// [places, 2 · half]
    values: Vec<f32>,
    /// Places between two samples where the filter is known; `None`: at all that occur.
    places: Option<u64>,
}

impl Bank {
    fn new(up: u64, down: u64) -> Self {
        let stretch = (down as f64 / up as f64).max(1.0);
        let half = (ZEROS * stretch).ceil() as usize;
        let places = (up.saturating_mul(2 * half as u64) > EXACT)
            .then(|| (PLACES / stretch).ceil().max(2.0) as u64);
        // Drawn lines need the place at the next sample too.
        let (count, parts) = places.map_or((up, up), |places| (places + 1, places));
        let rows = (0..count).flat_map(|row| filter(row as f64 / parts as f64, half, stretch));
        Self { half, values: rows.collect(), places }
    }

    #[inline(always)]
    fn row(&self, place: u64) -> &[f32] {
        &self.values[place as usize * 2 * self.half..][..2 * self.half]
    }
}

/// The filter at a place: what each of the samples around it counts. What is constant stays so.
fn filter(place: f64, half: usize, stretch: f64) -> Vec<f32> {
    let value = |tap: usize| {
        let distance = tap as f64 - (half as f64 - 1.0) - place;
        let x = PI * CUTOFF * distance / stretch;
        let sinc = if x == 0.0 { 1.0 } else { x.sin() / x };
        let edge = (distance / half as f64).powi(2);
        if edge < 1.0 { sinc * bessel(BETA * (1.0 - edge).sqrt()) } else { 0.0 }
    };
    let values: Vec<f64> = (0..2 * half).map(value).collect();
    let sum: f64 = values.iter().sum();
    values.iter().map(|value| (value / sum) as f32).collect()
}

/// The modified Bessel function of the first kind of order 0, by its series.
fn bessel(x: f64) -> f64 {
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-12 {
        term *= (x / (2.0 * k)).powi(2);
        sum += term;
        k += 1.0;
    }
    sum
}

/// See `Resampler::make`; gives where the next moment lies.
struct Make<'a> {
    bank: &'a Bank,
    history: &'a [Vec<f32>],
    start: i64,
    /// The first place that the history is not enough for.
    end: i64,
    up: u64,
    down: u64,
    limit: u64,
    place: (u64, u64),
    made: &'a mut Vec<f32>,
}

impl Make<'_> {
    /// Moments that can be made.
    fn count(&self) -> u64 {
        let (at, over) = self.place;
        let samples = u64::try_from(self.end - at as i64).unwrap_or(0);
        let parts = u128::from(samples) * u128::from(self.up);
        let count = parts.saturating_sub(over.into()).div_ceil(self.down.into());
        u64::try_from(count).unwrap_or(u64::MAX).min(self.limit)
    }

    /// Where a moment lies that is so many after the first.
    fn place(&self, moment: u64) -> (u64, u64) {
        let parts = u128::from(self.place.1) + u128::from(moment) * u128::from(self.down);
        let up = u128::from(self.up);
        (self.place.0 + (parts / up) as u64, (parts % up) as u64)
    }
}

impl Task for Make<'_> {
    type Output = (u64, u64);

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> (u64, u64) {
        let (bank, channels, count) = (self.bank, self.history.len(), self.count());
        let taps = 2 * bank.half;
        self.made.resize(count as usize * channels, 0.0);
        // Moments that lie at the same place between two samples are as many samples apart as `down` says: several of
        // them share the reading of their row of the bank.
        let (mut at, mut over) = self.place;
        for first in 0..count.min(self.up) {
            let begin = (at as i64 - bank.half as i64 + 1 - self.start) as usize;
            let turns = (count - first).div_ceil(self.up);
            for (channel, held) in self.history.iter().enumerate() {
                let window = |turn: u64| &held[begin + (turn * self.down) as usize..][..taps];
                let made = |turn: u64| (first + turn * self.up) as usize * channels + channel;
                if let Some(places) = bank.places {
                    let exact = over as f64 / self.up as f64 * places as f64;
                    let (row, share) = (exact as u64, (exact - exact.floor()) as f32);
                    for turn in 0..turns {
                        let around = [bank.row(row), bank.row(row + 1)];
                        let [below, above] = dots(simd, window(turn), around);
                        self.made[made(turn)] = below + share * (above - below);
                    }
                    continue;
                }
                for turn in (0..turns).step_by(4) {
                    let four = [0, 1, 2, 3].map(|more| window((turn + more).min(turns - 1)));
                    let sums = dots(simd, bank.row(over), four);
                    for (turn, sum) in (turn..turns).zip(sums) {
                        self.made[made(turn)] = sum;
                    }
                }
            }
            over += self.down;
            at += over / self.up;
            over %= self.up;
        }
        self.place(count)
    }
}

fn greatest_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(rate: u32, frequency: f64, moments: usize) -> Vec<f32> {
        let step = 2.0 * PI * frequency / f64::from(rate);
        (0..moments).map(|at| (0.5 * (step * at as f64).sin()) as f32).collect()
    }

    fn resampled(samples: &[f32], have: u32, want: u32, first: u64, block: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(have, want, 1, first..u64::MAX);
        let mut made = Vec::new();
        let mut give = |more: &[f32]| {
            made.extend_from_slice(more);
            Ok(())
        };
        samples.chunks(block).for_each(|block| resampler.push(block, &mut give).unwrap());
        resampler.end(&mut give).unwrap();
        made
    }

    /// Pairs of rates: some have places that are all known, one has too many of them.
    const PAIRS: [(u32, u32); 7] = [
        (44_100, 16_000),
        (48_000, 16_000),
        (16_000, 44_100),
        (8_000, 16_000),
        (44_100, 48_000),
        (44_100, 44_101),
        (96_000, 22_051),
    ];

    #[test]
    fn a_sine_stays_the_sine() {
        for (have, want) in PAIRS {
            for share in [0.01, 0.3, 0.9] {
                let frequency = share * f64::from(have.min(want)) / 2.0;
                let moments = have as usize / 4;
                let made = resampled(&sine(have, frequency, moments), have, want, 0, 5_000);
                assert_eq!(made.len() as u64, moments_after(moments as u64, have, want));
                let wanted = sine(want, frequency, made.len());
                // The ends are next to silence.
                let edge = made.len() / 8;
                let inner = edge..made.len() - edge;
                let far =
                    made[inner.clone()].iter().zip(&wanted[inner]).map(|(a, b)| (a - b).abs());
                let far = far.fold(0.0, f32::max);
                assert!(far < 2e-5, "{have} to {want} at {frequency}: {far}");
            }
        }
    }

    #[test]
    fn what_would_alias_is_100_decibels_down() {
        for (have, want) in PAIRS.into_iter().filter(|(have, want)| have > want) {
            for share in [1.0, 1.02, 1.2, 1.5] {
                let frequency = share * f64::from(want) / 2.0;
                if frequency > f64::from(have) / 2.0 {
                    continue;
                }
                let made = resampled(&sine(have, frequency, have as usize / 4), have, want, 0, 999);
                let edge = made.len() / 8;
                let inner = &made[edge..made.len() - edge];
                let power: f64 = inner.iter().map(|&sample| f64::from(sample).powi(2)).sum();
                let level = 10.0 * (power / inner.len() as f64 / 0.125).log10();
                assert!(level < -100.0, "{have} to {want} at {frequency}: {level} dB");
            }
        }
    }

    #[test]
    fn a_part_has_the_samples_of_the_whole_in_blocks_of_any_size() {
        let samples = sine(44_100, 1_234.5, 9_000);
        for want in [16_000, 44_100, 44_101, 96_000] {
            let whole = resampled(&samples, 44_100, want, 0, 9_000);
            for (first, block) in [(0, 1), (1, 77), (500, 1_000), (whole.len() - 1, 50)] {
                let part = resampled(&samples, 44_100, want, first as u64, block);
                assert!(part == whole[first..], "{want} from {first} in blocks of {block}");
            }
        }
        assert!(resampled(&samples, 44_100, 16_000, 1 << 40, 100).is_empty());
    }

    #[test]
    fn silence_constants_and_few_samples_stay_what_they_are() {
        assert!(resampled(&[], 44_100, 16_000, 0, 10).is_empty());
        assert_eq!(resampled(&[0.5], 8_000, 8_000, 0, 10), [0.5]);
        assert_eq!(resampled(&[0.5], 8_000, 16_000, 0, 10).len(), 2);
        let constant = resampled(&[0.25; 4_000], 48_000, 16_000, 0, 100);
        assert!(constant[200..1_000].iter().all(|sample| (sample - 0.25).abs() < 1e-6));
    }
}
