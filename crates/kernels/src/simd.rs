use crate::Task;

/// One instruction set. A value of it is the proof that this machine has it: only `Kernels` makes
/// one. The methods hold intrinsics and become single instructions inside `Kernels::run`, and only
/// there. None of them takes or makes a closure: a closure does not inherit the set of the function
/// around it, and each instruction in it may become a call.
pub trait Simd: Copy + Send + Sync {
    /// `LANES` numbers of f32.
    type Vector: Copy;
    /// 1 to 16, a power of two: rows padded to 16 have no tail.
    const LANES: usize;
    /// Inputs and outputs of a tile whose sums stay in registers (see `logistic`).
    const TILE: (usize, usize);
    /// Rows of a tile of `product` and vectors in each of them: its sums, a row of B and a value of A
    /// fill the registers. At most 14 rows of at most 2 vectors.
    const PRODUCT: (usize, usize);

    /// Runs a task as a function of its own, compiled once for this set whoever calls it: for a
    /// large kernel, where a copy in every caller would cost more than the call.
    fn call<T: Task>(self, task: T) -> T::Output;

    /// `x` in every lane.
    fn splat(self, x: f32) -> Self::Vector;

    /// Reads `LANES` values, any alignment.
    ///
    /// # Safety
    /// `from` is good for reading `LANES` values.
    unsafe fn load(self, from: *const f32) -> Self::Vector;

    /// Writes `LANES` values, any alignment.
    ///
    /// # Safety
    /// `to` is good for writing `LANES` values.
    unsafe fn store(self, to: *mut f32, v: Self::Vector);

    /// Reads `count` values, at most `LANES`; the other lanes are zero.
    ///
    /// # Safety
    /// `from` is good for reading `count` values.
    unsafe fn load_first(self, from: *const f32, count: usize) -> Self::Vector;

    /// Writes the first `count` values, at most `LANES`.
    ///
    /// # Safety
    /// `to` is good for writing `count` values.
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, v: Self::Vector, count: usize) {
        let mut lanes = [0.0f32; 16];
        // SAFETY: 16 values hold the lanes of any set; the caller's pointer is good for `count`.
        unsafe {
            self.store(lanes.as_mut_ptr(), v);
            to.copy_from_nonoverlapping(lanes.as_ptr(), count.min(Self::LANES));
        }
    }

    /// See `keys::same`.
    #[inline(always)]
    fn same(self, keys: &[u64; 8], key: u64, mask: u64) -> u32 {
        let mut same = 0;
        for (at, other) in keys.iter().enumerate() {
            same |= u32::from((other ^ key) & mask == 0) << at;
        }
        same
    }

    /// Value j of vector i becomes value i of vector j, among the first `LANES` vectors.
    #[inline(always)]
    fn transpose(self, square: &mut [Self::Vector; 16]) {
        let mut values = [0.0f32; 256];
        for (i, &row) in square.iter().enumerate().take(Self::LANES) {
            let mut lanes = [0.0f32; 16];
            // SAFETY: 16 values hold the lanes of any set.
            unsafe { self.store(lanes.as_mut_ptr(), row) };
            for (j, &value) in lanes.iter().enumerate().take(Self::LANES) {
                values[j * 16 + i] = value;
            }
        }
        for (column, values) in square.iter_mut().zip(values.chunks(16)).take(Self::LANES) {
            // SAFETY: 16 values hold the lanes of any set.
            *column = unsafe { self.load(values.as_ptr()) };
        }
    }

    /// Reads `LANES` half-precision numbers by their bits, any alignment. Finite ones only: an
    /// infinity comes out as 65536, where the set has no instruction of its own.
    ///
    /// # Safety
    /// `from` is good for reading `LANES` values.
    #[inline(always)]
    unsafe fn load_half(self, from: *const u16) -> Self::Vector {
        let mut lanes = [0.0f32; 16];
        for (i, lane) in lanes.iter_mut().enumerate().take(Self::LANES) {
            // SAFETY: the caller's pointer is good for `LANES` values.
            let bits = u32::from(unsafe { from.add(i).read_unaligned() });
            // The exponent counts from 15 there and from 127 here: 2^112 corrects it, also for the
            // numbers below the normal ones.
            let magnitude = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits(0x7780_0000);
            *lane = f32::from_bits(magnitude.to_bits() | (bits & 0x8000) << 16);
        }
        // SAFETY: 16 values hold the lanes of any set.
        unsafe { self.load(lanes.as_ptr()) }
    }

    /// Reads `LANES` bytes with a sign as numbers.
    ///
    /// # Safety
    /// `from` is good for reading `LANES` values.
    #[inline(always)]
    unsafe fn load_bytes(self, from: *const i8) -> Self::Vector {
        let mut lanes = [0.0f32; 16];
        for (i, lane) in lanes.iter_mut().enumerate().take(Self::LANES) {
            // SAFETY: the caller's pointer is good for `LANES` values.
            *lane = f32::from(unsafe { from.add(i).read() });
        }
        // SAFETY: 16 values hold the lanes of any set.
        unsafe { self.load(lanes.as_ptr()) }
    }

    /// Reads `LANES` bytes without a sign as numbers.
    ///
    /// # Safety
    /// `from` is good for reading `LANES` values.
    #[inline(always)]
    unsafe fn load_pixels(self, from: *const u8) -> Self::Vector {
        let mut lanes = [0.0f32; 16];
        for (i, lane) in lanes.iter_mut().enumerate().take(Self::LANES) {
            // SAFETY: the caller's pointer is good for `LANES` values.
            *lane = f32::from(unsafe { from.add(i).read() });
        }
        // SAFETY: 16 values hold the lanes of any set.
        unsafe { self.load(lanes.as_ptr()) }
    }

    /// Writes `LANES` whole numbers from 0 to 255 as bytes.
    ///
    /// # Safety
    /// `to` is good for writing `LANES` values.
    #[inline(always)]
    unsafe fn store_pixels(self, to: *mut u8, v: Self::Vector) {
        let mut lanes = [0.0f32; 16];
        // SAFETY: 16 values hold the lanes of any set.
        unsafe { self.store(lanes.as_mut_ptr(), v) };
        for (i, &lane) in lanes.iter().enumerate().take(Self::LANES) {
            // SAFETY: the caller's pointer is good for `LANES` values.
            unsafe { to.add(i).write(lane as u8) };
        }
    }

    /// a + b
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a - b
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a · b
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a / b
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The smaller; b where one is not a number.
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The larger; b where one is not a number.
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a · b + c, rounded once (the scalar set rounds twice).
    fn fma(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// The nearest integer.
    fn round(self, v: Self::Vector) -> Self::Vector;
    /// v · 2ⁿ for integers n from -126 to 127.
    fn scale(self, v: Self::Vector, n: Self::Vector) -> Self::Vector;
    /// m and e of v = m · 2ᵉ, 1 ≤ m < 2, for normal v > 0.
    fn split(self, v: Self::Vector) -> (Self::Vector, Self::Vector);
    /// 1 / √v to 3e-7 of itself, for normal v > 0: exact in the scalar set, elsewhere the
    /// machine's estimate made better by Newton's steps, which costs a third of root and division.
    fn inverse_root(self, v: Self::Vector) -> Self::Vector;
    /// 1 / v to 1e-7 of itself, for normal v whose inverse is normal: the machine's estimate made better by Newton's
    /// steps, where that costs less than a division. Of 1 it is 1.
    fn inverse(self, v: Self::Vector) -> Self::Vector;
    /// √v, exact to its last bit.
    fn root(self, v: Self::Vector) -> Self::Vector;
    /// The sum of all lanes.
    fn sum(self, v: Self::Vector) -> f32;
    /// Lane i is the sum of all lanes of `vectors[i]`: `LANES` sums for little more than one.
    fn sums(self, vectors: &[Self::Vector; 16]) -> Self::Vector;
    /// Lane i is the sum of lanes 0 to i.
    #[inline(always)]
    fn prefix_sums(self, v: Self::Vector) -> Self::Vector {
        let mut lanes = [0.0f32; 16];
        // SAFETY: 16 values hold the lanes of any set.
        unsafe {
            self.store(lanes.as_mut_ptr(), v);
            for i in 1..Self::LANES {
                lanes[i] += lanes[i - 1];
            }
            self.load(lanes.as_ptr())
        }
    }
    /// The first lane that is above `limit`; `LANES` if none is.
    #[inline(always)]
    fn first_above(self, v: Self::Vector, limit: f32) -> usize {
        let mut lanes = [0.0f32; 16];
        // SAFETY: 16 values hold the lanes of any set.
        unsafe { self.store(lanes.as_mut_ptr(), v) };
        let lanes = &lanes[..Self::LANES];
        lanes.iter().position(|&lane| lane > limit).unwrap_or(Self::LANES)
    }
    /// Lane i is `from[at[i]]`; a place beyond the end stands for the last one.
    ///
    /// # Panics
    /// If `from` has no value or more than 2³¹ - 1, or `at` has fewer places than there are lanes.
    #[inline(always)]
    fn gather(self, from: &[f32], at: &[u32]) -> Self::Vector {
        let mut lanes = [0.0f32; 16];
        for (lane, &at) in lanes.iter_mut().zip(&at[..Self::LANES]) {
            *lane = from[(at as usize).min(from.len() - 1)];
        }
        // SAFETY: 16 values hold the lanes of any set.
        unsafe { self.load(lanes.as_ptr()) }
    }
    /// A bit for each of the first `LANES` values that is `wanted`.
    ///
    /// # Panics
    /// If there are fewer values than lanes.
    #[inline(always)]
    fn matches(self, values: &[u32], wanted: u32) -> u32 {
        let values = values[..Self::LANES].iter().enumerate();
        values.fold(0, |bits, (i, &value)| bits | u32::from(value == wanted) << i)
    }
    /// Asks for the cache line of an address, which need not be valid.
    fn prefetch(self, address: *const f32);
    /// As `prefetch`, into the second cache.
    #[inline(always)]
    fn prefetch_second(self, address: *const f32) {
        self.prefetch(address);
    }
    /// As `prefetch`, for a line that will be written: other cores give it up now, and not when it is
    /// written.
    #[inline(always)]
    fn prefetch_to_write(self, address: *const f32) {
        self.prefetch(address);
    }
}
