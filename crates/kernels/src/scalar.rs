use crate::{Simd, Task};

/// Plain Rust: runs everywhere and is the oracle of the other sets.
#[derive(Clone, Copy)]
pub struct Scalar;

impl Simd for Scalar {
    type Vector = f32;
    const LANES: usize = 1;
    const TILE: (usize, usize) = (2, 3);
    const PRODUCT: (usize, usize) = (4, 2);

    #[inline(never)]
    fn call<T: Task>(self, task: T) -> T::Output {
        task.run(self)
    }

    #[inline(always)]
    fn splat(self, x: f32) -> f32 {
        x
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> f32 {
        // SAFETY: the caller's pointer is good for one value.
        unsafe { from.read() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: f32) {
        // SAFETY: the caller's pointer is good for one value.
        unsafe { to.write(v) }
    }
    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, count: usize) -> f32 {
        // SAFETY: the caller's pointer is good for `count` values.
        if count > 0 { unsafe { from.read() } } else { 0.0 }
    }
    #[inline(always)]
    fn add(self, a: f32, b: f32) -> f32 {
        a + b
    }
    #[inline(always)]
    fn sub(self, a: f32, b: f32) -> f32 {
        a - b
    }
    #[inline(always)]
    fn mul(self, a: f32, b: f32) -> f32 {
        a * b
    }
    #[inline(always)]
    fn div(self, a: f32, b: f32) -> f32 {
        a / b
    }
    #[inline(always)]
    fn min(self, a: f32, b: f32) -> f32 {
        if a < b { a } else { b }
    }
    #[inline(always)]
    fn max(self, a: f32, b: f32) -> f32 {
        if a > b { a } else { b }
    }
    #[inline(always)]
    fn fma(self, a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
    #[inline(always)]
    fn round(self, v: f32) -> f32 {
        v.round_ties_even()
    }
    #[inline(always)]
    fn scale(self, v: f32, n: f32) -> f32 {
        v * f32::from_bits(((n as i32 + 127) << 23) as u32)
    }
    #[inline(always)]
    fn split(self, v: f32) -> (f32, f32) {
        let bits = v.to_bits();
        let exponent = (bits >> 23) as i32 - 127;
        (f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000), exponent as f32)
    }
    #[inline(always)]
    fn inverse_root(self, v: f32) -> f32 {
        1.0 / v.sqrt()
    }
    #[inline(always)]
    fn inverse(self, v: f32) -> f32 {
        1.0 / v
    }
    #[inline(always)]
    fn root(self, v: f32) -> f32 {
        v.sqrt()
    }
    #[inline(always)]
    fn sum(self, v: f32) -> f32 {
        v
    }
    #[inline(always)]
    fn sums(self, vectors: &[f32; 16]) -> f32 {
        vectors[0]
    }
    #[inline(always)]
    fn prefetch(self, _address: *const f32) {}
}
