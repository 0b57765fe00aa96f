//! Where the white space of a text is: one bit for each byte, 64 at once, in plain 64-bit
//! arithmetic. It takes a tenth of the time that the words take, so no instruction set is asked.

/// Whether a byte is ASCII white space: space, tab, line feed, vertical tab, form feed, return.
#[inline(always)]
pub fn is_separator(byte: u8) -> bool {
    matches!(byte, 9..=13 | b' ')
}

/// Bytes that `separators` looks at.
pub const CHUNK: usize = 64;

/// Bit i is set if byte i is ASCII white space.
#[inline(always)]
pub fn separators(chunk: &[u8; CHUNK]) -> u64 {
    let mut bits = 0;
    for (at, bytes) in chunk.as_chunks::<8>().0.iter().enumerate() {
        bits |= u64::from(separators_of_eight(u64::from_le_bytes(*bytes))) << (8 * at);
    }
    bits
}

#[inline(always)]
fn separators_of_eight(bytes: u64) -> u8 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = ONES << 7;
    // The sums stay inside their bytes, as the top bits are left out, and reach the top bit from
    // the number on that is named.
    let low = bytes & !TOP;
    let from_9 = low + ONES * (128 - 9);
    let from_14 = low + ONES * (128 - 14);
    let not_space = (low ^ (ONES * 0x20)) + ONES * 127;
    let marks = ((from_9 & !from_14) | !not_space) & !bytes & TOP;
    // Gathers the top bits of the eight bytes in the uppermost byte.
    ((marks >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place_is_told_right() {
        for byte in 0..=u8::MAX {
            for other in [b'x', b' ', 0, 255, 0x80, 0x89, b'\n'] {
                for at in 0..CHUNK {
                    let mut chunk = [other; CHUNK];
                    chunk[at] = byte;
                    let expected = (0..CHUNK)
                        .map(|i| u64::from(is_separator(chunk[i])) << i)
                        .fold(0, |a, b| a | b);
                    assert_eq!(separators(&chunk), expected, "{byte} at {at} among {other}");
                }
            }
        }
    }
}
