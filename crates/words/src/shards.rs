use std::ops::Range;

use inlay_corpus::SENTENCE_END;

/// Ids in a shard, at most; small enough that threads end together, large enough that claiming one
/// costs nothing.
const LONGEST: usize = 1 << 18;
/// Below this a shard is not worth a claim.
const SHORTEST: usize = 1 << 12;
/// A corpus of middle size is cut into about so many.
const WANTED: usize = 64;

/// Cuts a corpus into shards of whole sentences, the same ones for any number of threads. A
/// sentence much longer than a shard is cut.
pub fn shards(ids: &[u32]) -> Vec<Range<usize>> {
    let size = (ids.len() / WANTED).clamp(SHORTEST, LONGEST);
    let mut shards = Vec::with_capacity(ids.len() / size + 1);
    let mut start = 0;
    while start < ids.len() {
        let wanted = (start + size).min(ids.len());
        let limit = (wanted + size / 4).min(ids.len());
        let end = ids[wanted - 1..limit].iter().position(|&id| id == SENTENCE_END);
        let end = end.map_or(wanted, |place| wanted + place);
        shards.push(start..end);
        start = end;
    }
    shards
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_follow_one_another_and_keep_sentences_whole() {
        for (words, sentence) in [(0, 10), (1, 10), (5000, 7), (1_000_000, 23)] {
            let ids: Vec<u32> =
                (1..=words).map(|i| if i % sentence == 0 { SENTENCE_END } else { 1 }).collect();
            let shards = shards(&ids);
            assert_eq!(shards.iter().map(Range::len).sum::<usize>(), ids.len());
            assert!(shards.windows(2).all(|pair| pair[0].end == pair[1].start));
            for shard in &shards {
                let whole = shard.end == ids.len() || ids[shard.end - 1] == SENTENCE_END;
                assert!(whole && !shard.is_empty());
            }
        }
    }

    #[test]
    fn one_endless_sentence_is_cut() {
        assert!(shards(&vec![1; 1_000_000]).len() >= 60);
    }
}
