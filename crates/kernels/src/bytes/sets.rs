//! Sums of products of bytes, by what machines have for them.

#[cfg(target_arch = "aarch64")]
use std::arch::aarch64::*;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

#[cfg(target_arch = "aarch64")]
use crate::neon::Neon;
use crate::{Kernels, Scalar, Simd};
#[cfg(target_arch = "x86_64")]
use crate::{avx2::Avx2, avx512::Avx512};

/// A loop over bytes, compiled once for each way of multiplying them (see `Task`).
pub(super) trait ByteTask {
    type Output;
    fn run<B: Bytes>(self, bytes: B) -> Self::Output;
}

/// One way of multiplying bytes. As with `Simd`, a value is the proof that this machine has it.
pub(super) trait Bytes: Copy {
    /// Everything else is done with this set.
    type Floats: Simd;
    /// A sum for each lane.
    type Sums: Copy;
    /// Four bytes of each of as many columns as there are lanes.
    type Weights: Copy;
    /// Four bytes of a row, for each lane.
    type Four: Copy;
    /// Vectors of a panel's columns, 2 or 3.
    const VECTORS: usize = 2;
    /// Rows of a tile whose sums, of so many vectors, stay in registers.
    const ROWS: usize;
    /// The largest weight: sums on the way must not overflow.
    const LIMIT: f32 = 127.0;

    fn floats(self) -> Self::Floats;
    fn nothing(self) -> Self::Sums;
    /// # Safety
    /// Four bytes for each lane are there.
    unsafe fn weights(self, from: *const i8) -> Self::Weights;
    /// # Safety
    /// Four bytes are there.
    unsafe fn four(self, from: *const u8) -> Self::Four;
    /// Lane i of `sums` and Σₖ a[k]·b[i][k], exactly.
    fn add_products(self, sums: Self::Sums, a: Self::Four, b: Self::Weights) -> Self::Sums;
    fn numbers(self, sums: Self::Sums) -> <Self::Floats as Simd>::Vector;

    /// Writes numbers from 0 to 255, rounded to the nearest, as bytes.
    ///
    /// # Safety
    /// There is room for a byte for each lane.
    #[inline(always)]
    unsafe fn store(self, to: *mut u8, v: <Self::Floats as Simd>::Vector) {
        let simd = self.floats();
        let mut lanes = [0.0f32; 16];
        // SAFETY: sixteen values hold the lanes of any set; the caller's promise.
        unsafe {
            simd.store(lanes.as_mut_ptr(), simd.round(v));
            for (i, &lane) in lanes.iter().enumerate().take(Self::Floats::LANES) {
                to.add(i).write(lane as u8);
            }
        }
    }
}

/// The way that was chosen.
#[derive(Clone, Copy)]
pub(super) enum ByteSet {
    #[cfg(target_arch = "x86_64")]
    Vnni512(Vnni512),
    #[cfg(target_arch = "x86_64")]
    Vnni256(Vnni256),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    Scalar(Scalar),
}

impl ByteSet {
    /// The best one of those that belong to a set.
    pub(super) fn of(kernels: Kernels) -> Self {
        Self::all_of(kernels)[0]
    }

    /// Those that this machine has and that belong to a set, best first.
    pub(super) fn all_of(kernels: Kernels) -> Vec<Self> {
        let mut sets = Vec::new();
        match kernels.name() {
            #[cfg(target_arch = "x86_64")]
            name @ ("avx512" | "avx2") => {
                if name == "avx512" && is_x86_feature_detected!("avx512vnni") {
                    sets.extend(Avx512::detect().map(|simd| Self::Vnni512(Vnni512(simd))));
                }
                if is_x86_feature_detected!("avxvnni") {
                    sets.extend(Avx2::detect().map(|simd| Self::Vnni256(Vnni256(simd))));
                }
                sets.extend(Avx2::detect().map(Self::Avx2));
            }
            #[cfg(target_arch = "aarch64")]
            "neon" => sets.push(Self::Neon(Neon)),
            _ => sets.push(Self::Scalar(Scalar)),
        }
        sets
    }

    #[cfg(test)]
    pub(super) fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Vnni512(_) => "avx512vnni",
            #[cfg(target_arch = "x86_64")]
            Self::Vnni256(_) => "avxvnni",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            #[cfg(target_arch = "aarch64")]
            Self::Neon(_) => "neon",
            Self::Scalar(_) => "scalar",
        }
    }

    /// Columns of a panel.
    pub(super) fn width(self) -> usize {
        struct Width;
        impl ByteTask for Width {
            type Output = usize;
            #[inline(always)]
            fn run<B: Bytes>(self, _bytes: B) -> usize {
                B::VECTORS * B::Floats::LANES
            }
        }
        self.run(Width)
    }

    /// The largest weight.
    pub(super) fn limit(self) -> f32 {
        struct Limit;
        impl ByteTask for Limit {
            type Output = f32;
            #[inline(always)]
            fn run<B: Bytes>(self, _bytes: B) -> f32 {
                B::LIMIT
            }
        }
        self.run(Limit)
    }

    /// Runs a loop compiled for it.
    pub(super) fn run<T: ByteTask>(self, task: T) -> T::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the value proves that the machine has the features.
            Self::Vnni512(bytes) => unsafe { compiled_for_vnni512(bytes, task) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Vnni256(bytes) => unsafe { compiled_for_vnni256(bytes, task) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx2(bytes) => unsafe { compiled_for_avx2(bytes, task) },
            #[cfg(target_arch = "aarch64")]
            Self::Neon(bytes) => task.run(bytes),
            Self::Scalar(bytes) => task.run(bytes),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vnni,avx2,fma")]
fn compiled_for_vnni512<T: ByteTask>(bytes: Vnni512, task: T) -> T::Output {
    task.run(bytes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avxvnni")]
fn compiled_for_vnni256<T: ByteTask>(bytes: Vnni256, task: T) -> T::Output {
    task.run(bytes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn compiled_for_avx2<T: ByteTask>(bytes: Avx2, task: T) -> T::Output {
    task.run(bytes)
}

/// AVX-512's own instruction for it, 16 lanes.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Vnni512(Avx512);

// SAFETY of every block: `self` proves that the machine has AVX-512F and its VNNI; pointers are the caller's
// promise.
#[cfg(target_arch = "x86_64")]
#[allow(clippy::undocumented_unsafe_blocks)]
impl Bytes for Vnni512 {
    type Floats = Avx512;
    type Sums = __m512i;
    type Weights = __m512i;
    type Four = __m512i;
    // More to multiply for each vector that is read than with 14 rows and two vectors: 1.01 to 1.02 times as fast.
    const VECTORS: usize = 3;
    const ROWS: usize = 9;

    #[inline(always)]
    fn floats(self) -> Avx512 {
        self.0
    }
    #[inline(always)]
    fn nothing(self) -> __m512i {
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    unsafe fn weights(self, from: *const i8) -> __m512i {
        unsafe { _mm512_loadu_si512(from.cast()) }
    }
    #[inline(always)]
    unsafe fn four(self, from: *const u8) -> __m512i {
        unsafe { _mm512_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }
    #[inline(always)]
    fn add_products(self, sums: __m512i, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_dpbusd_epi32(sums, a, b) }
    }
    #[inline(always)]
    fn numbers(self, sums: __m512i) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(sums) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut u8, v: __m512) {
        unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtusepi32_epi8(_mm512_cvtps_epi32(v))) }
    }
}

/// That of 8 lanes.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Vnni256(Avx2);

/// What both ways of 8 lanes have in common.
#[cfg(target_arch = "x86_64")]
macro_rules! eight_lanes {
    () => {
        type Floats = Avx2;
        type Sums = __m256i;
        type Weights = __m256i;
        type Four = __m256i;

        #[inline(always)]
        fn nothing(self) -> __m256i {
            unsafe { _mm256_setzero_si256() }
        }
        #[inline(always)]
        unsafe fn weights(self, from: *const i8) -> __m256i {
            unsafe { _mm256_loadu_si256(from.cast()) }
        }
        #[inline(always)]
        unsafe fn four(self, from: *const u8) -> __m256i {
            unsafe { _mm256_set1_epi32(from.cast::<i32>().read_unaligned()) }
        }
        #[inline(always)]
        fn numbers(self, sums: __m256i) -> __m256 {
            unsafe { _mm256_cvtepi32_ps(sums) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut u8, v: __m256) {
            unsafe {
                let v = _mm256_cvtps_epi32(v);
                let (low, high) = (_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v));
                let words = _mm_packus_epi32(low, high);
                _mm_storel_epi64(to.cast(), _mm_packus_epi16(words, words));
            }
        }
    };
}

// SAFETY of every block: `self` proves that the machine has AVX2 and its VNNI; pointers are the caller's
// promise.
#[cfg(target_arch = "x86_64")]
#[allow(clippy::undocumented_unsafe_blocks)]
impl Bytes for Vnni256 {
    const ROWS: usize = 6;
    eight_lanes!();

    #[inline(always)]
    fn floats(self) -> Avx2 {
        self.0
    }
    #[inline(always)]
    fn add_products(self, sums: __m256i, a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_dpbusd_avx_epi32(sums, a, b) }
    }
}

// SAFETY of every block: `self` proves that the machine has AVX2; pointers are the caller's promise.
#[cfg(target_arch = "x86_64")]
#[allow(clippy::undocumented_unsafe_blocks)]
impl Bytes for Avx2 {
    const ROWS: usize = 5;
    /// Two products are added up in 16 bits: 2·255·64 fits.
    const LIMIT: f32 = 64.0;
    eight_lanes!();

    #[inline(always)]
    fn floats(self) -> Avx2 {
        self
    }
    #[inline(always)]
    fn add_products(self, sums: __m256i, a: __m256i, b: __m256i) -> __m256i {
        unsafe {
            let pairs = _mm256_maddubs_epi16(a, b);
            _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }
}

// SAFETY of every block: every aarch64 machine has NEON; pointers are the caller's promise.
#[cfg(target_arch = "aarch64")]
#[allow(clippy::undocumented_unsafe_blocks)]
impl Bytes for Neon {
    type Floats = Neon;
    /// Two sums for each of the first two lanes, and for the others.
    type Sums = (int32x4_t, int32x4_t);
    type Weights = (int16x8_t, int16x8_t);
    type Four = int16x8_t;
    const ROWS: usize = 6;

    #[inline(always)]
    fn floats(self) -> Neon {
        self
    }
    #[inline(always)]
    fn nothing(self) -> Self::Sums {
        unsafe { (vdupq_n_s32(0), vdupq_n_s32(0)) }
    }
    #[inline(always)]
    unsafe fn weights(self, from: *const i8) -> Self::Weights {
        unsafe {
            let bytes = vld1q_s8(from);
            (vmovl_s8(vget_low_s8(bytes)), vmovl_s8(vget_high_s8(bytes)))
        }
    }
    #[inline(always)]
    unsafe fn four(self, from: *const u8) -> int16x8_t {
        unsafe {
            let bytes = vdup_n_u32(from.cast::<u32>().read_unaligned());
            vreinterpretq_s16_u16(vmovl_u8(vreinterpret_u8_u32(bytes)))
        }
    }
    #[inline(always)]
    fn add_products(self, sums: Self::Sums, a: int16x8_t, b: Self::Weights) -> Self::Sums {
        #[inline(always)]
        unsafe fn both(sums: int32x4_t, a: int16x8_t, b: int16x8_t) -> int32x4_t {
            unsafe {
                let low = vmull_s16(vget_low_s16(a), vget_low_s16(b));
                let high = vmull_s16(vget_high_s16(a), vget_high_s16(b));
                vaddq_s32(sums, vpaddq_s32(low, high))
            }
        }
        unsafe { (both(sums.0, a, b.0), both(sums.1, a, b.1)) }
    }
    #[inline(always)]
    fn numbers(self, sums: Self::Sums) -> float32x4_t {
        unsafe { vcvtq_f32_s32(vpaddq_s32(sums.0, sums.1)) }
    }
}

impl Bytes for Scalar {
    type Floats = Scalar;
    type Sums = i32;
    type Weights = [i8; 4];
    type Four = [u8; 4];
    const ROWS: usize = 4;

    #[inline(always)]
    fn floats(self) -> Scalar {
        self
    }
    #[inline(always)]
    fn nothing(self) -> i32 {
        0
    }
    #[inline(always)]
    unsafe fn weights(self, from: *const i8) -> [i8; 4] {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<[i8; 4]>().read() }
    }
    #[inline(always)]
    unsafe fn four(self, from: *const u8) -> [u8; 4] {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<[u8; 4]>().read() }
    }
    #[inline(always)]
    fn add_products(self, sums: i32, a: [u8; 4], b: [i8; 4]) -> i32 {
        a.iter().zip(&b).fold(sums, |sum, (&a, &b)| sum + i32::from(a) * i32::from(b))
    }
    #[inline(always)]
    fn numbers(self, sums: i32) -> f32 {
        sums as f32
    }
}
