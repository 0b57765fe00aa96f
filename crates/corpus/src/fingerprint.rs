//! A number that tells corpora apart. It goes into files: it may not change.

use inlay_base::{Result, Run};
use inlay_formats::Names;

/// Values between two questions whether the run goes on.
const STEP: usize = 1 << 18;

/// What a value stands for.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Id = 1,
    Bytes,
    Offset,
    Count,
}

fn mixed(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let bits = (bits ^ (bits >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    bits ^ (bits >> 32)
}

/// A value at a place. They are summed, so that parts may come in any order.
fn of_value(kind: Kind, place: u64, value: u64) -> u64 {
    let place = (place << 3 | kind as u64).wrapping_mul(0xA076_1D64_78BD_642F);
    mixed(place.wrapping_add(mixed(value)))
}

/// What a part of the ids adds to the sum over all; `first` is the place of its first id.
pub(crate) fn of_ids(first: u64, ids: &[u32]) -> u64 {
    let one = |(at, &id): (usize, &u32)| of_value(Kind::Id, first + at as u64, id.into());
    ids.iter().enumerate().map(one).fold(0, u64::wrapping_add)
}

/// Of the sum over the ids, the words and their counts.
pub(crate) fn of_corpus(ids: u64, names: &Names, counts: &[u64], run: &Run) -> Result<u64> {
    let eight = |bytes: &[u8]| {
        let mut eight = [0; 8];
        eight[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(eight)
    };
    let bytes = sum(Kind::Bytes, names.bytes().chunks(8).map(eight), run)?;
    let offsets = sum(Kind::Offset, names.offsets().iter().copied(), run)?;
    let counts = sum(Kind::Count, counts.iter().copied(), run)?;
    Ok(mixed(ids.wrapping_add(bytes).wrapping_add(offsets).wrapping_add(counts)))
}

fn sum(kind: Kind, values: impl Iterator<Item = u64>, run: &Run) -> Result<u64> {
    let mut sum = 0u64;
    for (place, value) in values.enumerate() {
        if place.is_multiple_of(STEP) {
            run.check()?;
        }
        sum = sum.wrapping_add(of_value(kind, place as u64, value));
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_may_be_summed_in_parts_and_their_order_matters() {
        let ids: Vec<u32> = (0..1000).map(|i| i * i % 77).collect();
        let whole = of_ids(0, &ids);
        assert_eq!(of_ids(300, &ids[300..]).wrapping_add(of_ids(0, &ids[..300])), whole);
        let mut swapped = ids.clone();
        swapped.swap(5, 6);
        assert_ne!(of_ids(0, &swapped), whole);
    }

    #[test]
    fn words_and_counts_matter() {
        let names = |words: &[&str]| Names::new(words).unwrap();
        let of_corpus = |ids, names: Names, counts: &[u64]| {
            of_corpus(ids, &names, counts, &Run::quiet(1, 1)).unwrap()
        };
        let fingerprint = of_corpus(7, names(&["ab", "c"]), &[2, 1]);
        assert_eq!(of_corpus(7, names(&["ab", "c"]), &[2, 1]), fingerprint);
        assert_ne!(of_corpus(7, names(&["a", "bc"]), &[2, 1]), fingerprint);
        assert_ne!(of_corpus(7, names(&["ab", "c"]), &[1, 2]), fingerprint);
        assert_ne!(of_corpus(8, names(&["ab", "c"]), &[2, 1]), fingerprint);
    }
}
