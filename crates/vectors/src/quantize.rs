//! Vectors in fewer bits, to be kept by others: as sentence-transformers' `quantize_embeddings` makes them, bit for bit.
//!
//! ```text
//!     bucket = floor((x - least) / ((most - least) / 255)), from 0 to 255       least and most of each column
//!     bits: 1 where x > 0, eight to a byte, the first one the highest
//! ```

use inlay_kernels::{Kernels, Simd, Task};

/// What a value becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A bucket.
    Byte,
    /// A bit.
    Bit,
}

impl Form {
    /// Bytes of a row of so many values.
    pub fn width(self, dimensions: usize) -> usize {
        match self {
            Form::Byte => dimensions,
            Form::Bit => dimensions.div_ceil(8),
        }
    }
}

/// Makes the ranges of columns, their least values and then their largest ones, as wide as rows want them. What is no
/// number widens nothing.
///
/// # Panics
/// If the values are no whole number of rows.
pub fn widen(values: &[f32], ranges: &mut [f32]) {
    let (least, most) = ranges.split_at_mut(ranges.len() / 2);
    assert!(values.len().is_multiple_of(least.len().max(1)));
    Kernels::get().run(Widen { values, least, most });
}

struct Widen<'a> {
    values: &'a [f32],
    least: &'a mut [f32],
    most: &'a mut [f32],
}

impl Task for Widen<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { values, least, most } = self;
        for row in values.chunks_exact(least.len().max(1)) {
            least
                .iter_mut()
                .zip(row)
                .for_each(|(least, &x)| *least = if x < *least { x } else { *least });
            most.iter_mut()
                .zip(row)
                .for_each(|(most, &x)| *most = if x > *most { x } else { *most });
        }
    }
}

/// Rows in another form; `signed` counts bytes from -128. What is no number is the first bucket, and no bit.
///
/// # Panics
/// If the values are no whole number of rows, or there is not a range for each column of buckets.
pub fn quantize(
    values: &[f32],
    dimensions: usize,
    form: Form,
    ranges: &[f32],
    signed: bool,
) -> Vec<u8> {
    assert!(dimensions > 0 && values.len().is_multiple_of(dimensions));
    let mut bytes = vec![0; values.len() / dimensions * form.width(dimensions)];
    let shift = if signed { 0x80 } else { 0 };
    match form {
        Form::Byte => {
            assert_eq!(ranges.len(), 2 * dimensions);
            let (least, most) = ranges.split_at(dimensions);
            let step = |(&least, &most): (&f32, &f32)| match (most - least) / 255.0 {
                0.0 => 1.0,
                step => step,
            };
            let steps: Vec<f32> = least.iter().zip(most).map(step).collect();
            Kernels::get().run(Buckets { values, least, steps: &steps, shift, bytes: &mut bytes });
        }
        Form::Bit => {
            let rows =
                values.chunks_exact(dimensions).zip(bytes.chunks_exact_mut(form.width(dimensions)));
            for (row, bytes) in rows {
                for (eight, byte) in row.chunks(8).zip(bytes) {
                    let bits = (0..).zip(eight).map(|(place, &x)| u8::from(x > 0.0) << (7 - place));
                    *byte = bits.sum::<u8>() ^ shift;
                }
            }
        }
    }
    bytes
}

struct Buckets<'a> {
    values: &'a [f32],
    least: &'a [f32],
    steps: &'a [f32],
    shift: u8,
    bytes: &'a mut [u8],
}

impl Task for Buckets<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { values, least, steps, shift, bytes } = self;
        let width = least.len();
        for (row, bytes) in values.chunks_exact(width).zip(bytes.chunks_exact_mut(width)) {
            let columns = row.iter().zip(least.iter().zip(steps));
            for (byte, (&x, (least, step))) in bytes.iter_mut().zip(columns) {
                // What is negative and what is beyond is brought to the ends, and what is between is cut.
                *byte = ((x - least) / step) as u8 ^ shift;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_into_buckets_of_their_column() {
        let values = [0.0, -2.0, 5.0, 1.0, 2.0, 5.0, 0.5, 0.0, f32::NAN, -9.0, 9.0, 7.0];
        let mut ranges = [f32::INFINITY; 6];
        ranges[3..].fill(f32::NEG_INFINITY);
        widen(&values[..9], &mut ranges);
        assert_eq!(ranges, [0.0, -2.0, 5.0, 1.0, 2.0, 5.0]);
        let bytes = quantize(&values, 3, Form::Byte, &ranges, false);
        // 4 / (4 / 255) is a little less than 255 in f32, in NumPy too.
        assert_eq!(bytes, [0, 0, 0, 254, 254, 0, 127, 127, 0, 0, 255, 2]);
        let signed = quantize(&values, 3, Form::Byte, &ranges, true);
        assert!(signed.iter().zip(&bytes).all(|(&s, &b)| i32::from(s as i8) == i32::from(b) - 128));
    }

    #[test]
    fn signs_are_packed_highest_bit_first() {
        let values = [1.0, -1.0, 0.0, -0.0, 2.0, f32::NAN, 1.0, 1.0, 3.0, -3.0];
        assert_eq!(quantize(&values, 10, Form::Bit, &[], false), [0b1000_1011, 0b1000_0000]);
        assert_eq!(quantize(&values, 5, Form::Bit, &[], true), [0b0000_1000, 0b1111_0000]);
    }
}
