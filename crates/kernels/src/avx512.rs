use std::arch::x86_64::*;

use crate::{Simd, Task};

/// AVX-512F: 16 numbers at a time, 32 registers.
#[derive(Clone, Copy)]
pub struct Avx512(());

impl Avx512 {
    /// The proof, where the machine has the feature (and AVX2 with FMA, as all of them do).
    pub(crate) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma");
        found.then_some(Self(()))
    }
}

// SAFETY of every block: `self` proves that the machine has AVX-512F; pointers are the caller's
// promise, and all loads and stores are unaligned ones.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Simd for Avx512 {
    type Vector = __m512;
    const LANES: usize = 16;
    const TILE: (usize, usize) = (4, 6);
    const PRODUCT: (usize, usize) = (14, 2);

    #[inline(always)]
    fn call<T: Task>(self, task: T) -> T::Output {
        #[inline(never)]
        #[target_feature(enable = "avx512f,avx2,fma")]
        fn called<T: Task>(simd: Avx512, task: T) -> T::Output {
            task.run(simd)
        }
        unsafe { called(self, task) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: __m512) {
        unsafe { _mm512_storeu_ps(to, v) }
    }
    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, count: usize) -> __m512 {
        let mask = ((1u32 << count.min(16)) - 1) as u16;
        unsafe { _mm512_maskz_loadu_ps(mask, from) }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, v: __m512, count: usize) {
        let mask = ((1u32 << count.min(16)) - 1) as u16;
        unsafe { _mm512_mask_storeu_ps(to, mask, v) }
    }
    #[inline(always)]
    fn same(self, keys: &[u64; 8], key: u64, mask: u64) -> u32 {
        unsafe {
            let keys = _mm512_loadu_si512(keys.as_ptr().cast());
            let other = _mm512_xor_si512(keys, _mm512_set1_epi64(key as i64));
            u32::from(_mm512_testn_epi64_mask(other, _mm512_set1_epi64(mask as i64)))
        }
    }
    #[inline(always)]
    fn transpose(self, square: &mut [__m512; 16]) {
        // Squares of 1, 2, 4 and 8 are exchanged in turn.
        unsafe {
            let s = square;
            let mut t = [_mm512_setzero_ps(); 16];
            for i in 0..8 {
                t[2 * i] = _mm512_unpacklo_ps(s[2 * i], s[2 * i + 1]);
                t[2 * i + 1] = _mm512_unpackhi_ps(s[2 * i], s[2 * i + 1]);
            }
            for i in (0..16).step_by(4) {
                s[i] = _mm512_shuffle_ps::<0x44>(t[i], t[i + 2]);
                s[i + 1] = _mm512_shuffle_ps::<0xee>(t[i], t[i + 2]);
                s[i + 2] = _mm512_shuffle_ps::<0x44>(t[i + 1], t[i + 3]);
                s[i + 3] = _mm512_shuffle_ps::<0xee>(t[i + 1], t[i + 3]);
            }
            for i in 0..4 {
                t[i] = _mm512_shuffle_f32x4::<0x88>(s[i], s[i + 4]);
                t[i + 4] = _mm512_shuffle_f32x4::<0xdd>(s[i], s[i + 4]);
                t[i + 8] = _mm512_shuffle_f32x4::<0x88>(s[i + 8], s[i + 12]);
                t[i + 12] = _mm512_shuffle_f32x4::<0xdd>(s[i + 8], s[i + 12]);
            }
            for i in 0..4 {
                s[i] = _mm512_shuffle_f32x4::<0x88>(t[i], t[i + 8]);
                s[i + 8] = _mm512_shuffle_f32x4::<0xdd>(t[i], t[i + 8]);
                s[i + 4] = _mm512_shuffle_f32x4::<0x88>(t[i + 4], t[i + 12]);
                s[i + 12] = _mm512_shuffle_f32x4::<0xdd>(t[i + 4], t[i + 12]);
            }
        }
    }
    #[inline(always)]
    unsafe fn load_half(self, from: *const u16) -> __m512 {
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
    }
    #[inline(always)]
    unsafe fn load_bytes(self, from: *const i8) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn load_pixels(self, from: *const u8) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn store_pixels(self, to: *mut u8, v: __m512) {
        unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v))) }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn round(self, v: __m512) -> __m512 {
        unsafe { _mm512_roundscale_ps::<0>(v) }
    }
    #[inline(always)]
    fn scale(self, v: __m512, n: __m512) -> __m512 {
        unsafe { _mm512_scalef_ps(v, n) }
    }
    #[inline(always)]
    fn split(self, v: __m512) -> (__m512, __m512) {
        unsafe {
            let mantissa = _mm512_getmant_ps::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_ZERO>(v);
            (mantissa, _mm512_getexp_ps(v))
        }
    }
    #[inline(always)]
    fn inverse_root(self, v: __m512) -> __m512 {
        // y·(3 - v·y²) / 2 squares the estimate's error of 2⁻¹⁴.
        unsafe {
            let y = _mm512_rsqrt14_ps(v);
            let three = _mm512_fnmadd_ps(_mm512_mul_ps(v, y), y, _mm512_set1_ps(3.0));
            _mm512_mul_ps(_mm512_mul_ps(y, _mm512_set1_ps(0.5)), three)
        }
    }
    #[inline(always)]
    fn inverse(self, v: __m512) -> __m512 {
        // y + y·(1 - v·y) squares the estimate's error of 2⁻¹⁴.
        unsafe {
            let y = _mm512_rcp14_ps(v);
            _mm512_fmadd_ps(y, _mm512_fnmadd_ps(v, y, _mm512_set1_ps(1.0)), y)
        }
    }
    #[inline(always)]
    fn root(self, v: __m512) -> __m512 {
        unsafe { _mm512_sqrt_ps(v) }
    }
    #[inline(always)]
    fn sum(self, v: __m512) -> f32 {
        unsafe { _mm512_reduce_add_ps(v) }
    }
    #[inline(always)]
    fn sums(self, vectors: &[__m512; 16]) -> __m512 {
        // A transposition that adds on the way: 15 additions, 30 shuffles for 16 sums.
        #[inline(always)]
        unsafe fn singles(a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)) }
        }
        #[inline(always)]
        unsafe fn pairs(a: __m512, b: __m512) -> __m512 {
            unsafe {
                let (a, b) = (_mm512_castps_pd(a), _mm512_castps_pd(b));
                let (low, high) = (_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));
                _mm512_add_ps(_mm512_castpd_ps(low), _mm512_castpd_ps(high))
            }
        }
        #[inline(always)]
        unsafe fn quarters(a: __m512, b: __m512) -> __m512 {
            unsafe {
                let even = _mm512_shuffle_f32x4::<0x88>(a, b);
                let odd = _mm512_shuffle_f32x4::<0xdd>(a, b);
                _mm512_add_ps(even, odd)
            }
        }
        #[inline(always)]
        unsafe fn four(v: &[__m512; 16], i: usize) -> __m512 {
            unsafe { pairs(singles(v[i], v[i + 1]), singles(v[i + 2], v[i + 3])) }
        }
        unsafe {
            let front = quarters(four(vectors, 0), four(vectors, 4));
            quarters(front, quarters(four(vectors, 8), four(vectors, 12)))
        }
    }
    #[inline(always)]
    fn prefix_sums(self, v: __m512) -> __m512 {
        // v + (v moved up by N lanes, zeros coming in).
        #[inline(always)]
        unsafe fn moved<const N: i32>(v: __m512) -> __m512 {
            unsafe {
                let zero = _mm512_setzero_si512();
                let moved = _mm512_alignr_epi32::<N>(_mm512_castps_si512(v), zero);
                _mm512_add_ps(v, _mm512_castsi512_ps(moved))
            }
        }
        unsafe { moved::<8>(moved::<12>(moved::<14>(moved::<15>(v)))) }
    }
    #[inline(always)]
    fn first_above(self, v: __m512, limit: f32) -> usize {
        // A bit beyond the last lane ends the search.
        let above = unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(v, _mm512_set1_ps(limit)) };
        (u32::from(above) | 1 << 16).trailing_zeros() as usize
    }
    #[inline(always)]
    fn gather(self, from: &[f32], at: &[u32]) -> __m512 {
        assert!(!from.is_empty() && from.len() <= i32::MAX as usize && at.len() >= 16);
        // SAFETY: 16 places are there, and each is held below the length.
        unsafe {
            let last = _mm512_set1_epi32(from.len() as i32 - 1);
            let at = _mm512_min_epu32(_mm512_loadu_si512(at.as_ptr().cast()), last);
            _mm512_i32gather_ps::<4>(at, from.as_ptr().cast())
        }
    }
    #[inline(always)]
    fn matches(self, values: &[u32], wanted: u32) -> u32 {
        assert!(values.len() >= 16);
        unsafe {
            let values = _mm512_loadu_si512(values.as_ptr().cast());
            _mm512_cmpeq_epi32_mask(values, _mm512_set1_epi32(wanted as i32)).into()
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
    #[inline(always)]
    fn prefetch_to_write(self, address: *const f32) {
        // The intrinsic wants a feature of its own, which every processor with AVX-512 has.
        unsafe {
            std::arch::asm!("prefetchw [{0}]", in(reg) address, options(nostack, preserves_flags))
        }
    }
}
