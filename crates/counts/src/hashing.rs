//! Columns of terms without a vocabulary: MurmurHash3 (Austin Appleby, public domain) for 32 bits with
//! the seed 0, as in scikit-learn's HashingVectorizer.

/// The column of a term, and whether it counts as negative.
#[inline]
pub fn column(term: &[u8], columns: u32) -> (u32, bool) {
    let hash = murmur3(term) as i32;
    (hash.unsigned_abs() % columns, hash < 0)
}

fn murmur3(bytes: &[u8]) -> u32 {
    let (blocks, rest) = bytes.as_chunks::<4>();
    let mut hash = 0u32;
    for block in blocks {
        hash ^= scrambled(u32::from_le_bytes(*block));
        hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xE654_6B64);
    }
    if !rest.is_empty() {
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        hash ^= scrambled(u32::from_le_bytes(last));
    }
    hash ^= bytes.len() as u32;
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85EB_CA6B);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(0xC2B2_AE35);
    hash ^ (hash >> 16)
}

fn scrambled(block: u32) -> u32 {
    block.wrapping_mul(0xCC9E_2D51).rotate_left(15).wrapping_mul(0x1B87_3593)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_reference() {
        // Of MurmurHash3_x86_32 with the seed 0.
        for (text, hash) in [
            ("", 0),
            ("a", 0x3C25_69B2),
            ("hello", 0x248B_FA47),
            ("hello, world", 0x149B_BB7F),
            ("The quick brown fox jumps over the lazy dog", 0x2E4F_F723),
        ] {
            assert_eq!(murmur3(text.as_bytes()), hash, "{text}");
        }
    }
}
