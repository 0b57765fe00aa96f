//! Which rows the buckets have that pruning has left.

/// Rows by bucket. Buckets lie in their order, and a table says where those begin that share their
/// upper bits: about one each, since they are hashes. A file that was made to collide costs a binary
/// search.
pub(super) struct Left {
    pairs: Vec<(u32, u32)>,
    /// By the upper bits of a bucket; one more at the end.
    starts: Vec<u32>,
    shift: u32,
}

impl Left {
    /// Of buckets that are named twice the last pair counts.
    pub fn new(mut pairs: Vec<(u32, u32)>) -> Self {
        pairs.reverse();
        pairs.sort_by_key(|&(bucket, _)| bucket);
        pairs.dedup_by_key(|&mut (bucket, _)| bucket);
        let last = pairs.last().map_or(0, |&(bucket, _)| bucket);
        let bits = u32::BITS - last.leading_zeros();
        let wanted = usize::BITS - pairs.len().leading_zeros();
        let shift = bits.saturating_sub(wanted);
        let slots = (last >> shift) as usize + 1;
        let mut starts = vec![0; slots + 1];
        for &(bucket, _) in &pairs {
            starts[(bucket >> shift) as usize + 1] += 1;
        }
        for slot in 0..slots {
            starts[slot + 1] += starts[slot];
        }
        Self { pairs, starts, shift }
    }

    /// The row of a bucket that is left.
    #[inline]
    pub fn get(&self, bucket: u32) -> Option<u32> {
        let slot = (bucket >> self.shift) as usize;
        let &[start, end] = self.starts.get(slot..slot + 2)?.first_chunk()?;
        let pairs = &self.pairs[start as usize..end as usize];
        let place = match pairs.len() {
            0..8 => pairs.iter().position(|pair| pair.0 == bucket)?,
            _ => pairs.binary_search_by_key(&bucket, |pair| pair.0).ok()?,
        };
        Some(pairs[place].1)
    }

    /// Bytes of memory.
    pub fn memory(&self) -> u64 {
        (size_of_val(self.pairs.as_slice()) + size_of_val(self.starts.as_slice())) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inlay_base::Random;
    use std::collections::HashMap;

    #[test]
    fn every_bucket_has_the_row_of_its_last_pair_and_others_have_none() {
        let mut random = Random::new(1, 0);
        for (count, range) in [(0, 1), (1, 1), (1, u32::MAX), (500, 700), (500, u32::MAX), (90, 20)]
        {
            let mut pairs: Vec<(u32, u32)> = (0..count).map(|i| (random.below(range), i)).collect();
            if count == 500 {
                // Many that share their upper bits.
                pairs.extend((0..300).map(|i| (i, 1000 + i)));
                pairs.push((u32::MAX, 7));
            }
            let left = Left::new(pairs.clone());
            let wanted: HashMap<u32, u32> = pairs.iter().copied().collect();
            for bucket in (0..1000).chain(wanted.keys().copied()).chain([u32::MAX, u32::MAX - 1]) {
                assert_eq!(left.get(bucket), wanted.get(&bucket).copied(), "{bucket} of {count}");
            }
            assert!(left.starts.len() <= 2 * left.pairs.len() + 2);
        }
    }
}
