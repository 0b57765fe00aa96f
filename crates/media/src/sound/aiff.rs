//! AIFF files (Apple 1989) and AIFF-C (1991), as far as their samples are not compressed or by G.711 only.

use inlay_base::{Error, Result};

use super::chunks::{Chunk, Chunks};
use super::pcm::{Encoding, Layout, Pcm};

/// Whether a file begins as an AIFF does.
pub fn is_aiff(bytes: &[u8]) -> bool {
    bytes.starts_with(b"FORM") && matches!(bytes.get(8..12), Some(b"AIFF" | b"AIFC"))
}

/// The samples of an AIFF.
///
/// # Errors
/// `InvalidInput` for a damaged header; `Unsupported` for samples that are compressed.
pub fn open<'a>(name: &'a str, bytes: &'a [u8]) -> Result<Pcm<'a>> {
    let wrong = |offset: usize, problem: &str| Error::InvalidInput {
        source: name.into(),
        offset: Some(offset as u64),
        problem: problem.into(),
    };
    let mut common = None;
    let mut samples = None;
    // Either of the two may come first.
    for Chunk { id, at, data, .. } in Chunks::new(bytes, 12, true) {
        match &id {
            b"COMM" => {
                let found = layout(name, data, bytes.get(8..12) == Some(b"AIFC"))?;
                common = Some(found.ok_or_else(|| wrong(at, "the chunk `COMM` is cut short"))?);
            }
            b"SSND" => {
                let offset = data.get(..4).and_then(|offset| offset.try_into().ok());
                let begin = offset.map(|offset| 8 + u64::from(u32::from_be_bytes(offset)));
                let begin = begin.and_then(|begin| usize::try_from(begin).ok());
                let found = begin.and_then(|begin| data.get(begin..));
                samples = Some(found.ok_or_else(|| wrong(at, "the chunk `SSND` is cut short"))?);
            }
            _ => {}
        }
    }
    let at = bytes.len();
    let layout = common.ok_or_else(|| wrong(at, "the file ends before the chunk `COMM`"))?;
    Pcm::new(name, layout, samples.ok_or_else(|| wrong(at, "the file ends before its samples"))?)
}

fn layout(name: &str, data: &[u8], has_codec: bool) -> Result<Option<Layout>> {
    let fields = || {
        let word = |at: usize| Some(u16::from_be_bytes(data.get(at..at + 2)?.try_into().ok()?));
        let rate = extended(data.get(8..18)?.try_into().ok()?);
        let codec = if has_codec { data.get(18..22)? } else { b"NONE" };
        Some((word(0)?, word(6)?, rate, codec))
    };
    let Some((channels, bits, rate, codec)) = fields() else { return Ok(None) };
    let bytes = usize::from(bits.div_ceil(8));
    let (encoding, is_big_endian) = match codec {
        b"NONE" | b"twos" | b"in24" | b"in32" if (1..=8).contains(&bytes) => {
            (Encoding::Signed(bytes), true)
        }
        b"sowt" if (1..=8).contains(&bytes) => (Encoding::Signed(bytes), false),
        b"raw " if bytes == 1 => (Encoding::Unsigned, true),
        b"fl32" | b"FL32" => (Encoding::Float(4), true),
        b"fl64" | b"FL64" => (Encoding::Float(8), true),
        b"ulaw" | b"ULAW" => (Encoding::MuLaw, true),
        b"alaw" | b"ALAW" => (Encoding::ALaw, true),
        _ => {
            let codec = String::from_utf8_lossy(codec);
            let what =
                format!("{name} is an AIFF of {codec:?} with {bits} bits, which is not read");
            return Err(Error::Unsupported { what });
        }
    };
    Ok(Some(Layout { rate, channels: channels.into(), encoding, is_big_endian }))
}

/// A rate as the numbers of 80 bits have it: sign and exponent of 15 bits, mantissa of 64. One that is none is 0.
fn extended(bytes: [u8; 10]) -> u32 {
    let [high, low, mantissa @ ..] = bytes;
    let exponent = i32::from(u16::from_be_bytes([high, low])) - 16_383;
    match exponent {
        0..=31 => (u64::from_be_bytes(mantissa) >> (63 - exponent)) as u32,
        _ => 0,
    }
}
