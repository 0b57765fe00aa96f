//! WAV files: RIFF (Microsoft and IBM 1991), big-endian RIFX, and RF64 and BW64 for files over 4 GB (EBU Tech 3306,
//! ITU-R BS.2088). What a header claims is held against what is there: files are often written by programs that
//! never came to say how long they are, so of a cut one the samples are read that it has.

use inlay_base::{Error, Result};

use super::chunks::{Chunk, Chunks};
use super::pcm::{Encoding, Layout, Pcm};

/// What codecs are called that files may name and that are not read.
const OTHERS: [(u16, &str); 6] = [
    (0x0002, "Microsoft ADPCM"),
    (0x0011, "IMA ADPCM"),
    (0x0031, "GSM 6.10"),
    (0x0050, "MPEG layer 2"),
    (0x0055, "MP3 in WAV"),
    (0x00ff, "AAC in WAV"),
];

/// Whether a file begins as a WAV does.
pub fn is_wav(bytes: &[u8]) -> bool {
    let kinds: [&[u8]; 4] = [b"RIFF", b"RIFX", b"RF64", b"BW64"];
    bytes.get(..4).is_some_and(|kind| kinds.contains(&kind)) && bytes.get(8..12) == Some(b"WAVE")
}

/// The samples of a WAV.
///
/// # Errors
/// `InvalidInput` for a damaged header; `Unsupported` for samples that are compressed otherwise than by G.711.
pub fn open<'a>(name: &'a str, bytes: &'a [u8]) -> Result<Pcm<'a>> {
    let wrong = |offset: usize, problem: &str| Error::InvalidInput {
        source: name.into(),
        offset: Some(offset as u64),
        problem: problem.into(),
    };
    let is_big_endian = bytes.starts_with(b"RIFX");
    let mut layout = None;
    let mut long = None;
    for Chunk { id, at, claimed, data } in Chunks::new(bytes, 12, is_big_endian) {
        match &id {
            b"ds64" => {
                let length = data.get(8..16).and_then(|size| size.try_into().ok());
                long = length.map(u64::from_le_bytes);
            }
            b"fmt " => {
                let found = format(name, data, is_big_endian)?;
                layout = Some(found.ok_or_else(|| wrong(at, "the chunk `fmt ` is cut short"))?);
            }
            b"data" => {
                let layout = layout.ok_or_else(|| wrong(at, "`data` comes before `fmt `"))?;
                let length = if claimed == u32::MAX { long } else { Some(claimed.into()) };
                let rest = &bytes[at + 8..];
                let length = length.unwrap_or(u64::MAX).min(rest.len() as u64) as usize;
                return Pcm::new(name, layout, &rest[..length]);
            }
            _ => {}
        }
    }
    Err(wrong(bytes.len(), "the file ends before its samples (the chunk `data`)"))
}

/// What the chunk `fmt ` says; `None`: it is too short.
fn format(name: &str, data: &[u8], is_big_endian: bool) -> Result<Option<Layout>> {
    let word = |at: usize| {
        let bytes = data.get(at..at + 2)?.try_into().ok()?;
        Some(if is_big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let fields = || Some((word(0)?, word(2)?, word(4)?, word(6)?, word(12)?, word(14)?));
    let Some((tag, channels, low, high, block, bits)) = fields() else { return Ok(None) };
    let (low, high) = if is_big_endian { (high, low) } else { (low, high) };
    let rate = u32::from(high) << 16 | u32::from(low);
    // WAVE_FORMAT_EXTENSIBLE: what it is stands in the first 32 bits of a GUID.
    let first = if is_big_endian { 26 } else { 24 };
    let tag = if tag == 0xfffe { word(first).unwrap_or(tag) } else { tag };
    let bytes = container(block, channels, bits);
    let encoding = match (tag, bytes) {
        (1, 1) => Encoding::Unsigned,
        (1, 2..=8) => Encoding::Signed(bytes),
        (3, 4 | 8) => Encoding::Float(bytes),
        (6, 1) => Encoding::ALaw,
        (7, 1) => Encoding::MuLaw,
        (1 | 3 | 6 | 7, _) => {
            let problem = format!("has samples of {bits} bits, which codec {tag} does not have");
            return Err(Error::InvalidInput { source: name.into(), offset: None, problem });
        }
        _ => {
            let known = OTHERS.iter().find(|(other, _)| *other == tag);
            let codec =
                known.map_or_else(|| format!("codec {tag:#06x}"), |(_, name)| (*name).into());
            let what = format!(
                "{name} is a WAV of {codec}, which is not read; PCM, floats, A-law and μ-law are"
            );
            return Err(Error::Unsupported { what });
        }
    };
    Ok(Some(Layout { rate, channels: channels.into(), encoding, is_big_endian }))
}

/// Bytes of a sample: as the size of a moment says, if that can be; some headers have it wrong.
fn container(block: u16, channels: u16, bits: u16) -> usize {
    let least = bits.div_ceil(8).max(1);
    match block.checked_div(channels) {
        Some(bytes) if block.is_multiple_of(channels) && bytes >= least && bytes <= 8 => {
            bytes.into()
        }
        _ => least.into(),
    }
}
