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
/// sentence much longer than a shard is cut, unless sentences are documents.
pub fn shards(ids: &[u32], documents: bool) -> Vec<Range<usize>> {
    let size = (ids.len() / WANTED).clamp(SHORTEST, LONGEST);
    let mut shards = Vec::with_capacity(ids.len() / size + 1);
    let mut start = 0;
    while start < ids.len() {
        let wanted = (start + size).min(ids.len());
        let limit = if documents { ids.len() } else { (wanted + size / 4).min(ids.len()) };
        let end = ids[wanted - 1..limit].iter().position(|&id| id == SENTENCE_END);
        let end = end.map_or(if documents { limit } else { wanted }, |place| wanted + place);
        shards.push(start..end);
        start = end;
    }
    shards
}

/// Sentences that end among these ids.
pub fn ends(ids: &[u32]) -> usize {
    ids.iter().filter(|&&id| id == SENTENCE_END).count()
}

/// The number of the first sentence of each shard.
pub fn firsts(ids: &[u32], shards: &[Range<usize>]) -> Vec<usize> {
    let mut next = 0;
    let first = |shard: &Range<usize>| {
        let first = next;
        next += ends(&ids[shard.clone()]);
        first
    };
    shards.iter().map(first).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_follow_one_another_and_keep_sentences_whole() {
        for (words, sentence) in [(0, 10), (1, 10), (5000, 7), (1_000_000, 23)] {
            let ids: Vec<u32> =
                (1..=words).map(|i| if i % sentence == 0 { SENTENCE_END } else { 1 }).collect();
            let shards = shards(&ids, false);
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
        assert!(shards(&vec![1; 1_000_000], false).len() >= 60);
    }

    #[test]
    fn a_document_is_never_cut_and_shards_know_the_number_of_their_first() {
        let mut ids = vec![1; 1_000_000];
        for at in [0, 3, 4, 700_000, 710_000, 999_999] {
            ids[at] = SENTENCE_END;
        }
        let shards = shards(&ids, true);
        assert!(shards.iter().all(|shard| ids[shard.end - 1] == SENTENCE_END));
        assert_eq!(shards.iter().map(Range::len).sum::<usize>(), ids.len());
        assert_eq!(firsts(&ids, &shards), [0, 4]);
        let whole = super::shards(&[1; 1_000_000], true);
        assert_eq!((whole.len(), whole[0].clone()), (1, 0..1_000_000), "one without an end");
    }
}
