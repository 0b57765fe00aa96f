use std::arch::x86_64::*;

use crate::{Simd, Task};

/// AVX2 with FMA: 8 numbers at a time.
#[derive(Clone, Copy)]
pub struct Avx2(());

impl Avx2 {
    /// The proof, where the machine has both features.
    pub(crate) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        found.then_some(Self(()))
    }
}

/// Eight ones and eight zeros: `load_first(count)` reads its mask at 8 - count.
static MASK: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

// SAFETY of every block: `self` proves that the machine has AVX2 and FMA; pointers are the caller's
// promise, and all loads and stores are unaligned ones.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Simd for Avx2 {
    type Vector = __m256;
    const LANES: usize = 8;
    const TILE: (usize, usize) = (3, 3);
    const PRODUCT: (usize, usize) = (6, 2);

    #[inline(always)]
    fn call<T: Task>(self, task: T) -> T::Output {
        #[inline(never)]
        #[target_feature(enable = "avx2,fma")]
        fn called<T: Task>(simd: Avx2, task: T) -> T::Output {
            task.run(simd)
        }
        unsafe { called(self, task) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: __m256) {
        unsafe { _mm256_storeu_ps(to, v) }
    }
    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, count: usize) -> __m256 {
        let start = 8 - count.min(8);
        unsafe {
            let mask = _mm256_loadu_si256(MASK.as_ptr().add(start).cast());
            _mm256_maskload_ps(from, mask)
        }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, v: __m256, count: usize) {
        let start = 8 - count.min(8);
        unsafe {
            let mask = _mm256_loadu_si256(MASK.as_ptr().add(start).cast());
            _mm256_maskstore_ps(to, mask, v);
        }
    }
    #[inline(always)]
    fn same(self, keys: &[u64; 8], key: u64, mask: u64) -> u32 {
        unsafe {
            let (key, mask) = (_mm256_set1_epi64x(key as i64), _mm256_set1_epi64x(mask as i64));
            let mut same = 0;
            for half in 0..2 {
                let keys = _mm256_loadu_si256(keys.as_ptr().add(4 * half).cast());
                let other = _mm256_and_si256(_mm256_xor_si256(keys, key), mask);
                let none = _mm256_cmpeq_epi64(other, _mm256_setzero_si256());
                same |= (_mm256_movemask_pd(_mm256_castsi256_pd(none)) as u32) << (4 * half);
            }
            same
        }
    }
    #[inline(always)]
    fn transpose(self, square: &mut [__m256; 16]) {
        unsafe {
            let s = square;
            let mut t = [_mm256_setzero_ps(); 8];
            for i in 0..4 {
                t[2 * i] = _mm256_unpacklo_ps(s[2 * i], s[2 * i + 1]);
                t[2 * i + 1] = _mm256_unpackhi_ps(s[2 * i], s[2 * i + 1]);
            }
            for i in (0..8).step_by(4) {
                s[i] = _mm256_shuffle_ps::<0x44>(t[i], t[i + 2]);
                s[i + 1] = _mm256_shuffle_ps::<0xee>(t[i], t[i + 2]);
                s[i + 2] = _mm256_shuffle_ps::<0x44>(t[i + 1], t[i + 3]);
                s[i + 3] = _mm256_shuffle_ps::<0xee>(t[i + 1], t[i + 3]);
            }
            for i in 0..4 {
                (s[i], s[i + 4]) = (
                    _mm256_permute2f128_ps::<0x20>(s[i], s[i + 4]),
                    _mm256_permute2f128_ps::<0x31>(s[i], s[i + 4]),
                );
            }
        }
    }
    #[inline(always)]
    unsafe fn load_bytes(self, from: *const i8) -> __m256 {
        unsafe { _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn load_pixels(self, from: *const u8) -> __m256 {
        unsafe { _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn store_pixels(self, to: *mut u8, v: __m256) {
        unsafe {
            let whole = _mm256_cvtps_epi32(v);
            let (low, high) = (_mm256_castsi256_si128(whole), _mm256_extracti128_si256::<1>(whole));
            let words = _mm_packus_epi32(low, high);
            _mm_storel_epi64(to.cast(), _mm_packus_epi16(words, words));
        }
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    fn fma(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn round(self, v: __m256) -> __m256 {
        unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(v) }
    }
    #[inline(always)]
    fn scale(self, v: __m256, n: __m256) -> __m256 {
        unsafe {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_mul_ps(v, _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent)))
        }
    }
    #[inline(always)]
    fn split(self, v: __m256) -> (__m256, __m256) {
        unsafe {
            let bits = _mm256_castps_si256(v);
            let exponent = _mm256_sub_epi32(_mm256_srli_epi32::<23>(bits), _mm256_set1_epi32(127));
            let fraction = _mm256_and_si256(bits, _mm256_set1_epi32(0x007f_ffff));
            let mantissa = _mm256_or_si256(fraction, _mm256_set1_epi32(0x3f80_0000));
            (_mm256_castsi256_ps(mantissa), _mm256_cvtepi32_ps(exponent))
        }
    }
    #[inline(always)]
    fn inverse_root(self, v: __m256) -> __m256 {
        // y·(3 - v·y²) / 2 squares the estimate's error of 2⁻¹¹.
        unsafe {
            let y = _mm256_rsqrt_ps(v);
            let three = _mm256_fnmadd_ps(_mm256_mul_ps(v, y), y, _mm256_set1_ps(3.0));
            _mm256_mul_ps(_mm256_mul_ps(y, _mm256_set1_ps(0.5)), three)
        }
    }
    #[inline(always)]
    fn inverse(self, v: __m256) -> __m256 {
        // The estimate would need two steps, and eight lanes are divided in five cycles.
        unsafe { _mm256_div_ps(_mm256_set1_ps(1.0), v) }
    }
    #[inline(always)]
    fn root(self, v: __m256) -> __m256 {
        unsafe { _mm256_sqrt_ps(v) }
    }
    #[inline(always)]
    fn sum(self, v: __m256) -> f32 {
        unsafe {
            let halves = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let pairs = _mm_add_ps(halves, _mm_movehl_ps(halves, halves));
            _mm_cvtss_f32(_mm_add_ss(pairs, _mm_movehdup_ps(pairs)))
        }
    }
    #[inline(always)]
    fn sums(self, vectors: &[__m256; 16]) -> __m256 {
        // Two rounds of pairwise sums give four sums in each half; the halves are added last.
        #[inline(always)]
        unsafe fn four(v: &[__m256; 16], i: usize) -> __m256 {
            unsafe {
                let front = _mm256_hadd_ps(v[i], v[i + 1]);
                _mm256_hadd_ps(front, _mm256_hadd_ps(v[i + 2], v[i + 3]))
            }
        }
        unsafe {
            let (a, b) = (four(vectors, 0), four(vectors, 4));
            let low = _mm256_permute2f128_ps::<0x20>(a, b);
            _mm256_add_ps(low, _mm256_permute2f128_ps::<0x31>(a, b))
        }
    }
    #[inline(always)]
    fn prefix_sums(self, v: __m256) -> __m256 {
        // Within each half, then the first half's sum is added to the second.
        #[inline(always)]
        unsafe fn moved<const BYTES: i32>(v: __m256) -> __m256 {
            unsafe {
                let moved = _mm256_slli_si256::<BYTES>(_mm256_castps_si256(v));
                _mm256_add_ps(v, _mm256_castsi256_ps(moved))
            }
        }
        unsafe {
            let halves = moved::<8>(moved::<4>(v));
            let last = _mm256_permute_ps::<0xff>(halves);
            _mm256_add_ps(halves, _mm256_permute2f128_ps::<0x08>(last, last))
        }
    }
    #[inline(always)]
    fn first_above(self, v: __m256, limit: f32) -> usize {
        // A bit beyond the last lane ends the search.
        let above = unsafe { _mm256_cmp_ps::<_CMP_GT_OQ>(v, _mm256_set1_ps(limit)) };
        (unsafe { _mm256_movemask_ps(above) } | 1 << 8).trailing_zeros() as usize
    }
    #[inline(always)]
    fn gather(self, from: &[f32], at: &[u32]) -> __m256 {
        assert!(!from.is_empty() && from.len() <= i32::MAX as usize && at.len() >= 8);
        // SAFETY: 8 places are there, and each is held below the length.
        unsafe {
            let last = _mm256_set1_epi32(from.len() as i32 - 1);
            let at = _mm256_min_epu32(_mm256_loadu_si256(at.as_ptr().cast()), last);
            _mm256_i32gather_ps::<4>(from.as_ptr(), at)
        }
    }
    #[inline(always)]
    fn matches(self, values: &[u32], wanted: u32) -> u32 {
        assert!(values.len() >= 8);
        unsafe {
            let values = _mm256_loadu_si256(values.as_ptr().cast());
            let same = _mm256_cmpeq_epi32(values, _mm256_set1_epi32(wanted as i32));
            _mm256_movemask_ps(_mm256_castsi256_ps(same)) as u32
        }
    }
    #[inline(always)]
    fn prefetch(self, address: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }
    #[inline(always)]
    fn prefetch_second(self, address: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T1>(address.cast()) }
    }
}
