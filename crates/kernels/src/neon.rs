use std::arch::aarch64::*;

use crate::{Simd, Task};

/// NEON: 4 numbers at a time, 32 registers; part of every 64-bit ARM.
#[derive(Clone, Copy)]
pub struct Neon;

// SAFETY of every block: every aarch64 machine has NEON; pointers are the caller's promise.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Simd for Neon {
    type Vector = float32x4_t;
    const LANES: usize = 4;
    const TILE: (usize, usize) = (4, 6);
    const PRODUCT: (usize, usize) = (12, 2);

    #[inline(never)]
    fn call<T: Task>(self, task: T) -> T::Output {
        task.run(self)
    }

    #[inline(always)]
    fn splat(self, x: f32) -> float32x4_t {
        unsafe { vdupq_n_f32(x) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> float32x4_t {
        unsafe { vld1q_f32(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: float32x4_t) {
        unsafe { vst1q_f32(to, v) }
    }
    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, count: usize) -> float32x4_t {
        let mut values = [0.0f32; 4];
        for (i, value) in values.iter_mut().enumerate().take(count) {
            *value = unsafe { from.add(i).read() };
        }
        unsafe { vld1q_f32(values.as_ptr()) }
    }
    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vaddq_f32(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vsubq_f32(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vmulq_f32(a, b) }
    }
    #[inline(always)]
    fn div(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vdivq_f32(a, b) }
    }
    #[inline(always)]
    fn min(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vbslq_f32(vcltq_f32(a, b), a, b) }
    }
    #[inline(always)]
    fn max(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vbslq_f32(vcgtq_f32(a, b), a, b) }
    }
    #[inline(always)]
    fn fma(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        unsafe { vfmaq_f32(c, a, b) }
    }
    #[inline(always)]
    fn round(self, v: float32x4_t) -> float32x4_t {
        unsafe { vrndnq_f32(v) }
    }
    #[inline(always)]
    fn scale(self, v: float32x4_t, n: float32x4_t) -> float32x4_t {
        unsafe {
            let exponent = vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127));
            vmulq_f32(v, vreinterpretq_f32_s32(vshlq_n_s32::<23>(exponent)))
        }
    }
    #[inline(always)]
    fn split(self, v: float32x4_t) -> (float32x4_t, float32x4_t) {
        unsafe {
            let bits = vreinterpretq_u32_f32(v);
            let exponent = vreinterpretq_s32_u32(vshrq_n_u32::<23>(bits));
            let exponent = vsubq_s32(exponent, vdupq_n_s32(127));
            let fraction = vandq_u32(bits, vdupq_n_u32(0x007f_ffff));
            let mantissa = vorrq_u32(fraction, vdupq_n_u32(0x3f80_0000));
            (vreinterpretq_f32_u32(mantissa), vcvtq_f32_s32(exponent))
        }
    }
    #[inline(always)]
    fn inverse_root(self, v: float32x4_t) -> float32x4_t {
        // Each step y·(3 - v·y²) / 2 squares the estimate's error of 2⁻⁸: two are needed.
        unsafe {
            let y = vrsqrteq_f32(v);
            let y = vmulq_f32(y, vrsqrtsq_f32(vmulq_f32(v, y), y));
            vmulq_f32(y, vrsqrtsq_f32(vmulq_f32(v, y), y))
        }
    }
    #[inline(always)]
    fn inverse(self, v: float32x4_t) -> float32x4_t {
        // Each step y·(2 - v·y) squares the estimate's error of 2⁻⁸: two are needed.
        unsafe {
            let y = vrecpeq_f32(v);
            let y = vmulq_f32(y, vrecpsq_f32(v, y));
            vmulq_f32(y, vrecpsq_f32(v, y))
        }
    }
    #[inline(always)]
    fn root(self, v: float32x4_t) -> float32x4_t {
        unsafe { vsqrtq_f32(v) }
    }
    #[inline(always)]
    fn sum(self, v: float32x4_t) -> f32 {
        unsafe { vaddvq_f32(v) }
    }
    #[inline(always)]
    fn sums(self, vectors: &[float32x4_t; 16]) -> float32x4_t {
        unsafe {
            let front = vpaddq_f32(vectors[0], vectors[1]);
            let back = vpaddq_f32(vectors[2], vectors[3]);
            vpaddq_f32(front, back)
        }
    }
    #[inline(always)]
    fn prefetch(self, address: *const f32) {
        // The intrinsic is not stable; the instruction is only a hint.
        unsafe {
            std::arch::asm!("prfm pldl1keep, [{0}]", in(reg) address, options(nostack, readonly))
        }
    }
    #[inline(always)]
    fn prefetch_second(self, address: *const f32) {
        unsafe {
            std::arch::asm!("prfm pldl2keep, [{0}]", in(reg) address, options(nostack, readonly))
        }
    }
    #[inline(always)]
    fn prefetch_to_write(self, address: *const f32) {
        unsafe {
            std::arch::asm!("prfm pstl1keep, [{0}]", in(reg) address, options(nostack, readonly))
        }
    }
}
