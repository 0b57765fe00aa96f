//! Samples that are not compressed, as WAV and AIFF hold them.

use inlay_base::{Error, Result};

use super::Decoder;

/// Moments that are decoded at once.
const BLOCK: usize = 1 << 12;
/// Channels of a sound at most.
pub const CHANNELS: u32 = 256;
/// Samples a second at most.
pub const RATE: u32 = 1_000_000;

/// How a sample is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// A whole number of so many bytes, 1 to 8; its highest bit is the sign. Fewer bits than the bytes have are the highest.
    Signed(usize),
    /// A byte of which 128 is silence.
    Unsigned,
    /// A number of 4 or 8 bytes (IEEE 754).
    Float(usize),
    /// μ-law (ITU-T G.711).
    MuLaw,
    /// A-law (ITU-T G.711).
    ALaw,
}

impl Encoding {
    fn bytes(self) -> usize {
        match self {
            Encoding::Signed(bytes) | Encoding::Float(bytes) => bytes,
            Encoding::Unsigned | Encoding::MuLaw | Encoding::ALaw => 1,
        }
    }
}

/// How the samples of a file are laid down.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    pub rate: u32,
    pub channels: u32,
    pub encoding: Encoding,
    /// Whether the highest byte comes first.
    pub is_big_endian: bool,
}

/// The samples of a file: [moments, channels].
pub struct Pcm<'a> {
    name: &'a str,
    layout: Layout,
    data: &'a [u8],
    at: usize,
}

impl<'a> Pcm<'a> {
    /// Samples that lie in `data`; a moment that is cut off at its end is left out.
    ///
    /// # Errors
    /// `InvalidInput` for a rate or a number of channels that no sound has.
    pub fn new(name: &'a str, layout: Layout, data: &'a [u8]) -> Result<Self> {
        let Layout { rate, channels, .. } = layout;
        let wrong =
            |problem| Err(Error::InvalidInput { source: name.into(), offset: None, problem });
        if !(1..=RATE).contains(&rate) {
            return wrong(format!("has {rate} samples a second; 1 to {RATE} are read"));
        }
        if !(1..=CHANNELS).contains(&channels) {
            return wrong(format!("has {channels} channels; 1 to {CHANNELS} are read"));
        }
        Ok(Self { name, layout, data, at: 0 })
    }

    fn moment(&self) -> usize {
        self.layout.channels as usize * self.layout.encoding.bytes()
    }
}

impl Decoder for Pcm<'_> {
    fn rate(&self) -> u32 {
        self.layout.rate
    }

    fn channels(&self) -> usize {
        self.layout.channels as usize
    }

    fn length(&self) -> Option<u64> {
        Some((self.data.len() / self.moment()) as u64)
    }

    fn skip(&mut self, moments: u64) -> Result<u64> {
        let all = (self.data.len() / self.moment()) as u64;
        self.at = moments.min(all) as usize * self.moment();
        Ok(moments.min(all))
    }

    fn decode(&mut self, to: &mut Vec<f32>) -> Result<bool> {
        let left = (self.data.len() - self.at) / self.moment();
        let bytes = left.min(BLOCK) * self.moment();
        let block = &self.data[self.at..self.at + bytes];
        self.at += bytes;
        decode(self.layout, block, to);
        let is_float = matches!(self.layout.encoding, Encoding::Float(_));
        if is_float && to.iter().any(|sample| !sample.is_finite()) {
            let problem = "has samples that are no finite numbers".into();
            return Err(Error::InvalidInput { source: self.name.into(), offset: None, problem });
        }
        Ok(left > 0)
    }
}

fn decode(Layout { encoding, is_big_endian, .. }: Layout, block: &[u8], to: &mut Vec<f32>) {
    match (encoding, is_big_endian) {
        (Encoding::Signed(2), false) => {
            of(block, to, |at| f32::from(i16::from_le_bytes(at)) / 32_768.0)
        }
        (Encoding::Signed(2), true) => {
            of(block, to, |at| f32::from(i16::from_be_bytes(at)) / 32_768.0)
        }
        (Encoding::Signed(bytes), _) => {
            to.extend(block.chunks_exact(bytes).map(|at| whole(at, is_big_endian)));
        }
        (Encoding::Unsigned, _) => of(block, to, |[at]| (f32::from(at) - 128.0) / 128.0),
        (Encoding::Float(4), false) => of(block, to, f32::from_le_bytes),
        (Encoding::Float(4), true) => of(block, to, f32::from_be_bytes),
        (Encoding::Float(_), false) => of(block, to, |at| f64::from_le_bytes(at) as f32),
        (Encoding::Float(_), true) => of(block, to, |at| f64::from_be_bytes(at) as f32),
        (Encoding::MuLaw, _) => of(block, to, |[at]| mu_law(at)),
        (Encoding::ALaw, _) => of(block, to, |[at]| a_law(at)),
    }
}

fn of<const BYTES: usize>(block: &[u8], to: &mut Vec<f32>, sample: impl Fn([u8; BYTES]) -> f32) {
    to.extend(block.as_chunks::<BYTES>().0.iter().map(|&bytes| sample(bytes)));
}

/// A whole number of 1 to 8 bytes, of which the highest counts most.
fn whole(bytes: &[u8], is_big_endian: bool) -> f32 {
    let mut value = [0; 8];
    if is_big_endian {
        value[..bytes.len()].copy_from_slice(bytes);
    } else {
        let highest_first = bytes.iter().rev();
        value.iter_mut().zip(highest_first).for_each(|(to, &from)| *to = from);
    }
    (i64::from_be_bytes(value) as f64 / -(i64::MIN as f64)) as f32
}

/// G.711: sign, three bits of exponent, four of mantissa, all inverted; 14 bits, here of 16.
fn mu_law(byte: u8) -> f32 {
    let byte = !byte;
    let (exponent, mantissa) = (i32::from(byte >> 4 & 7), i32::from(byte & 15));
    let magnitude = (((mantissa << 3) + 132) << exponent) - 132;
    (if byte & 128 != 0 { -magnitude } else { magnitude }) as f32 / 32_768.0
}

/// G.711: as μ-law, with every other bit inverted; 13 bits, here of 16.
fn a_law(byte: u8) -> f32 {
    let byte = byte ^ 0x55;
    let (exponent, mantissa) = (i32::from(byte >> 4 & 7), i32::from(byte & 15));
    let magnitude = match exponent {
        0 => (mantissa << 4) + 8,
        _ => ((mantissa << 4) + 264) << (exponent - 1),
    };
    (if byte & 128 != 0 { magnitude } else { -magnitude }) as f32 / 32_768.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(encoding: Encoding, is_big_endian: bool, bytes: &[u8]) -> Vec<f32> {
        let mut to = Vec::new();
        decode(Layout { rate: 1, channels: 1, encoding, is_big_endian }, bytes, &mut to);
        to
    }

    #[test]
    fn whole_numbers_of_all_sizes_are_shares_of_the_largest() {
        for bytes in 1..=8 {
            let mut lowest = vec![0; bytes];
            lowest[bytes - 1] = 0x80;
            let mut half = vec![0; bytes];
            half[bytes - 1] = 0x40;
            let all: Vec<u8> = [lowest, half].concat();
            let found = samples(Encoding::Signed(bytes), false, &all);
            assert_eq!(found, [-1.0, 0.5], "{bytes}");
            let backward: Vec<u8> =
                all.chunks(bytes).flat_map(|at| at.iter().rev().copied()).collect();
            assert_eq!(samples(Encoding::Signed(bytes), true, &backward), [-1.0, 0.5], "{bytes}");
        }
        assert_eq!(samples(Encoding::Unsigned, false, &[0, 128, 192]), [-1.0, 0.0, 0.5]);
    }

    #[test]
    fn the_laws_of_g711_give_the_values_of_its_tables() {
        // The ends of the tables, silence, and the steps around it, of 16 bits.
        let of = |encoding, bytes: &[u8]| -> Vec<f32> {
            samples(encoding, false, bytes).iter().map(|sample| sample * 32_768.0).collect()
        };
        assert_eq!(
            of(Encoding::MuLaw, &[0x00, 0x80, 0xff, 0x7f, 0xfe, 0x7e, 0xaa]),
            [-32_124.0, 32_124.0, 0.0, 0.0, 8.0, -8.0, 5_372.0]
        );
        assert_eq!(
            of(Encoding::ALaw, &[0xd5, 0x55, 0xaa, 0x2a, 0x80]),
            [8.0, -8.0, 32_256.0, -32_256.0, 5_504.0]
        );
    }
}
