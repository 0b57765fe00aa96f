use crate::Simd;

/// Which of eight keys agree with one in the bits of a mask: the lowest bit of the result is the first.
#[inline(always)]
pub fn same<S: Simd>(simd: S, keys: &[u64; 8], key: u64, mask: u64) -> u32 {
    simd.same(keys, key, mask)
}

#[cfg(test)]
mod tests {
    use inlay_base::Random;

    use super::*;
    use crate::{Kernels, Task};

    struct Same<'a>(&'a [u64; 8], u64, u64);
    impl Task for Same<'_> {
        type Output = u32;
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> u32 {
            same(simd, self.0, self.1, self.2)
        }
    }

    #[test]
    fn keys_agree_where_the_mask_says() {
        let mut random = Random::new(1, 0);
        for set in Kernels::available() {
            for wanted in 0..256 {
                let (key, mask) = (random.bits(), random.bits() | 1);
                let keys = std::array::from_fn(|at| match wanted >> at & 1 {
                    1 => key ^ (random.bits() & !mask),
                    _ => key ^ 1 ^ (random.bits() & !1),
                });
                assert_eq!(set.run(Same(&keys, key, mask)), wanted, "{}", set.name());
            }
        }
    }
}
