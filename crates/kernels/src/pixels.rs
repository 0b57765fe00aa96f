//! Pixels in bytes to numbers and back: a run of them at a time, on the scale of their channels.
//!
//! ```text
//! number = (byte / 255 - mean) / deviation        byte = round(255 · (number · deviation + mean))
//! ```
//!
//! The numbers are the same on all sets: those of torchvision's `ToTensor` and `Normalize`. A division takes longer than the
//! memory, so that a quotient is a product that is corrected by what remains (Markstein 1990), wherever that is right to the
//! last bit; there are only 256 bytes to try.

use crate::Simd;

/// The longest vector.
const MOST: usize = 16;
/// Values of a channel as bytes.
const WHITE: f32 = 255.0;

/// Mean and deviation of each channel of pixels, over and over: what belongs to a vector lies in a row wherever it
/// begins.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelScale {
    channels: usize,
    /// Both empty where numbers are from 0 to 1.
    mean: Vec<f32>,
    deviation: Vec<f32>,
    /// 1 / deviation, where products give the same as divisions by the deviation.
    inverse: Vec<f32>,
}

impl ChannelScale {
    /// Numbers from 0 to 1.
    pub fn unit() -> Self {
        Self { channels: 1, mean: Vec::new(), deviation: Vec::new(), inverse: Vec::new() }
    }

    /// Numbers less the mean of their channel, divided by its deviation.
    ///
    /// # Panics
    /// If there is no channel, or not as many means as deviations.
    pub fn new(mean: &[f32], deviation: &[f32]) -> Self {
        assert!(!mean.is_empty() && mean.len() == deviation.len());
        let over = |values: &[f32]| -> Vec<f32> {
            values.iter().copied().cycle().take(values.len() + MOST).collect()
        };
        let same = mean.iter().zip(deviation).all(|(&mean, &deviation)| {
            (0..=255).map(|byte| byte as f32 / WHITE - mean).all(|number| {
                let inverse = deviation.recip();
                let quotient = number * inverse;
                let rest = (-quotient).mul_add(deviation, number);
                rest.mul_add(inverse, quotient).to_bits() == (number / deviation).to_bits()
            })
        });
        let inverse = deviation.iter().map(|deviation| deviation.recip()).collect::<Vec<_>>();
        let inverse = if same { over(&inverse) } else { Vec::new() };
        Self { channels: mean.len(), mean: over(mean), deviation: over(deviation), inverse }
    }

    fn is_unit(&self) -> bool {
        self.mean.is_empty()
    }

    #[inline(always)]
    fn widen_one(&self, byte: u8, at: usize) -> f32 {
        let number = f32::from(byte) / WHITE;
        if self.is_unit() {
            return number;
        }
        let channel = at % self.channels;
        (number - self.mean[channel]) / self.deviation[channel]
    }

    #[inline(always)]
    fn narrow_one(&self, number: f32, at: usize) -> u8 {
        let channel = at % self.channels;
        let share = if self.is_unit() {
            number
        } else {
            number * self.deviation[channel] + self.mean[channel]
        };
        // What is no number becomes 0.
        (share * WHITE).round_ties_even() as u8
    }
}

/// a / b, where it is what this gives: see `ChannelScale::inverse`.
#[inline(always)]
fn quotient<S: Simd>(simd: S, a: S::Vector, b: S::Vector, inverse: S::Vector) -> S::Vector {
    if S::LANES == 1 {
        return simd.div(a, b); // the scalar set rounds twice
    }
    let quotient = simd.mul(a, inverse);
    let negative = simd.sub(simd.splat(0.0), quotient);
    simd.fma(simd.fma(negative, b, a), inverse, quotient)
}

/// Bytes become numbers. The first one is of the first channel.
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub fn widen_pixels<S: Simd>(simd: S, scale: &ChannelScale, from: &[u8], to: &mut [f32]) {
    assert_eq!(from.len(), to.len());
    if from.len() < S::LANES {
        for (at, (to, &from)) in to.iter_mut().zip(from).enumerate() {
            *to = scale.widen_one(from, at);
        }
        return;
    }
    let (white, inverse) = (simd.splat(WHITE), simd.splat(WHITE.recip()));
    let mut phase = 0;
    let last = from.len() - S::LANES;
    let mut at = 0;
    loop {
        // SAFETY: both are `last + LANES` long and `at` is at most `last`; the lists of a scale go on for a vector
        // behind each channel.
        unsafe {
            let level = simd.load_pixels(from.as_ptr().add(at));
            let mut number = quotient(simd, level, white, inverse);
            if !scale.is_unit() {
                number = simd.sub(number, simd.load(scale.mean.as_ptr().add(phase)));
                let deviation = simd.load(scale.deviation.as_ptr().add(phase));
                number = if scale.inverse.is_empty() {
                    simd.div(number, deviation)
                } else {
                    quotient(simd, number, deviation, simd.load(scale.inverse.as_ptr().add(phase)))
                };
            }
            simd.store(to.as_mut_ptr().add(at), number);
        }
        if at == last {
            return;
        }
        // The last vector begins where it ends with the run: what it shares with the one before is written twice.
        at = last.min(at + S::LANES);
        phase = if scale.is_unit() { 0 } else { at % scale.channels };
    }
}

/// Numbers become bytes, those beyond both ends 0 and 255. The first one is of the first channel.
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub fn narrow_pixels<S: Simd>(simd: S, scale: &ChannelScale, from: &[f32], to: &mut [u8]) {
    assert_eq!(from.len(), to.len());
    if from.len() < S::LANES {
        for (at, (to, &from)) in to.iter_mut().zip(from).enumerate() {
            *to = scale.narrow_one(from, at);
        }
        return;
    }
    let (zero, white) = (simd.splat(0.0), simd.splat(WHITE));
    let mut phase = 0;
    let last = from.len() - S::LANES;
    let mut at = 0;
    loop {
        // SAFETY: as in `widen_pixels`.
        unsafe {
            let mut number = simd.load(from.as_ptr().add(at));
            if !scale.is_unit() {
                number = simd.mul(number, simd.load(scale.deviation.as_ptr().add(phase)));
                number = simd.add(number, simd.load(scale.mean.as_ptr().add(phase)));
            }
            let level = simd.round(simd.mul(number, white));
            // `max` gives its second operand for what is no number.
            let level = simd.min(simd.max(level, zero), white);
            simd.store_pixels(to.as_mut_ptr().add(at), level);
        }
        if at == last {
            return;
        }
        at = last.min(at + S::LANES);
        phase = if scale.is_unit() { 0 } else { at % scale.channels };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kernels, Scalar, Task};

    struct There<'a>(&'a ChannelScale, &'a [u8]);
    impl Task for There<'_> {
        type Output = Vec<f32>;
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Vec<f32> {
            let mut numbers = vec![9.0; self.1.len()];
            widen_pixels(simd, self.0, self.1, &mut numbers);
            numbers
        }
    }

    struct Back<'a>(&'a ChannelScale, &'a [f32]);
    impl Task for Back<'_> {
        type Output = Vec<u8>;
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Vec<u8> {
            let mut bytes = vec![7; self.1.len()];
            narrow_pixels(simd, self.0, self.1, &mut bytes);
            bytes
        }
    }

    fn scales() -> [ChannelScale; 5] {
        let new = ChannelScale::new;
        let imagenet = new(&[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]);
        // Of a deviation whose inverse is no number of f32, quotients are divisions.
        let divided = new(&[0.25, 0.5], &[1e-40, 1.0]);
        assert!(divided.inverse.is_empty() && !imagenet.inverse.is_empty());
        let others = [new(&[0.5], &[1e-3]), new(&[1.0, 0.1, 0.0, 0.5], &[9.0; 4])];
        let [a, b] = others;
        [ChannelScale::unit(), imagenet, divided, a, b]
    }

    #[test]
    fn every_set_gives_the_numbers_of_the_formula_to_the_last_bit() {
        let bytes: Vec<u8> = (0..=255).cycle().skip(3).take(600).collect();
        for scale in scales() {
            for length in (0..80).chain([599, 600]) {
                let bytes = &bytes[..length];
                let wanted: Vec<f32> =
                    bytes.iter().enumerate().map(|(at, &byte)| scale.widen_one(byte, at)).collect();
                for set in Kernels::available() {
                    assert_eq!(set.run(There(&scale, bytes)), wanted, "{} {length}", set.name());
                }
            }
        }
    }

    #[test]
    fn bytes_come_back_as_they_were() {
        let bytes: Vec<u8> = (0..=255).cycle().skip(3).take(600).collect();
        for scale in scales().into_iter().filter(|scale| !scale.deviation.contains(&1e-40)) {
            for length in (0..80).chain([599, 600]) {
                let numbers = There(&scale, &bytes[..length]).run(Scalar);
                for set in Kernels::available() {
                    let back = set.run(Back(&scale, &numbers));
                    assert_eq!(back, &bytes[..length], "{} {length} {scale:?}", set.name());
                }
            }
        }
    }

    #[test]
    fn what_lies_beyond_both_ends_or_is_no_number_becomes_a_byte_all_the_same() {
        let strange = [f32::NAN, -0.0, -1.0, 2.0, f32::INFINITY, f32::NEG_INFINITY, 1e-40, 0.999];
        let numbers: Vec<f32> = strange.iter().copied().cycle().take(40).collect();
        let wanted: Vec<u8> = [0, 0, 0, 255, 255, 0, 0, 255].into_iter().cycle().take(40).collect();
        for set in Kernels::available() {
            assert_eq!(set.run(Back(&ChannelScale::unit(), &numbers)), wanted, "{}", set.name());
        }
    }
}
