//! A number that tells corpora apart. It goes into files: it may not change.

use inlay_formats::Names;

const A: u64 = 0x9E37_79B9_7F4A_7C15;
const B: u64 = 0xD6E8_FEB8_6659_FD93;

fn mixed(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 32)).wrapping_mul(A);
    let bits = (bits ^ (bits >> 32)).wrapping_mul(B);
    bits ^ (bits >> 32)
}

/// What a part of the ids adds to the sum over all; `first` is the place of its first id. Threads
/// take parts in any order.
pub(crate) fn of_ids(first: u64, ids: &[u32]) -> u64 {
    let one = |(at, &id): (usize, &u32)| {
        mixed((first + at as u64).wrapping_mul(B).wrapping_add(u64::from(id)).wrapping_mul(A))
    };
    ids.iter().enumerate().map(one).fold(0, u64::wrapping_add)
}

/// Of the sum over the ids, the words and their counts.
pub(crate) fn of_corpus(ids: u64, names: &Names, counts: &[u64]) -> u64 {
    let mut state = ids;
    let mut add = |bits: u64| state = mixed(state.rotate_left(23).wrapping_add(mixed(bits)));
    for chunk in names.bytes().chunks(8) {
        let mut eight = [0; 8];
        eight[..chunk.len()].copy_from_slice(chunk);
        add(u64::from_le_bytes(eight));
    }
    names.offsets().iter().chain(counts).for_each(|&bits| add(bits));
    state
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
        let fingerprint = of_corpus(7, &names(&["ab", "c"]), &[2, 1]);
        assert_eq!(of_corpus(7, &names(&["ab", "c"]), &[2, 1]), fingerprint);
        assert_ne!(of_corpus(7, &names(&["a", "bc"]), &[2, 1]), fingerprint);
        assert_ne!(of_corpus(7, &names(&["ab", "c"]), &[1, 2]), fingerprint);
        assert_ne!(of_corpus(8, &names(&["ab", "c"]), &[2, 1]), fingerprint);
    }
}
