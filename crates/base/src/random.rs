//! xoshiro256++ (Blackman, Vigna 2019), seeded by SplitMix64 from (seed, stream).

/// Random numbers, the same on every machine for the same seed and stream. Streams are numbered by
/// shard of work, never by thread, so that the number of threads does not choose the numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Random([u64; 4]);

impl Random {
    /// Generator number `stream` of a seed.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut state = seed ^ stream.wrapping_mul(0xD1B5_4A32_D192_ED03);
        Self(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        }))
    }

    /// What a checkpoint keeps.
    pub fn state(&self) -> [u64; 4] {
        self.0
    }

    /// The generator that a checkpoint kept.
    pub fn from_state(state: [u64; 4]) -> Self {
        Self(state)
    }

    /// 64 random bits.
    #[inline(always)]
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let t = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= t;
        *d = d.rotate_left(45);
        result
    }

    /// An integer below `bound`, which is at least 1 and below 2^32.
    #[inline(always)]
    pub fn below(&mut self, bound: u32) -> u32 {
        (((self.bits() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// A number in [0, 1), of 24 bits.
    #[inline(always)]
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 * (1.0 / (1u64 << 24) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_sequence_of_xoshiro256_plus_plus() {
        // The first outputs for the state 1, 2, 3, 4, as the authors' C code gives them.
        let mut random = Random::from_state([1, 2, 3, 4]);
        let first: [u64; 4] = std::array::from_fn(|_| random.bits());
        assert_eq!(first, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    #[test]
    fn units_and_bounds_are_uniform_within_five_sigma() {
        let mut random = Random::new(7, 3);
        let n = 100_000;
        let mean = (0..n).map(|_| f64::from(random.unit())).sum::<f64>() / f64::from(n);
        assert!((mean - 0.5).abs() < 5.0 * (1.0f64 / 12.0 / f64::from(n)).sqrt(), "{mean}");
        let mut counts = [0u32; 10];
        (0..n).for_each(|_| counts[random.below(10) as usize] += 1);
        let expected = f64::from(n) / 10.0;
        let chi2: f64 = counts.iter().map(|&c| (f64::from(c) - expected).powi(2) / expected).sum();
        assert!(chi2 < 40.0, "{chi2} for 9 degrees of freedom: {counts:?}");
    }

    #[test]
    fn streams_of_a_seed_differ() {
        let (mut a, mut b) = (Random::new(1, 0), Random::new(1, 1));
        assert_ne!(a.bits(), b.bits());
    }
}
