//! Character n-grams of a word, hashed into buckets as fastText does (FNV-1a over signed bytes).

use serde::{Deserialize, Serialize};

/// Which n-grams, and how many buckets they share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subwords {
    /// The shortest, in characters.
    pub min_ngram: usize,
    /// The longest; 0: none.
    pub max_ngram: usize,
    /// Buckets.
    pub buckets: u32,
}

/// Calls `each` for every n-gram of "<word>" with its bytes and bucket, by place and then length. A
/// single "<" or ">" is none. Characters are told by UTF-8's leading bytes, also where the word is
/// no UTF-8.
pub fn for_each_ngram(word: &[u8], subwords: Subwords, mut each: impl FnMut(&[u8], u32)) {
    let Subwords { min_ngram, max_ngram, buckets } = subwords;
    if max_ngram == 0 || buckets == 0 {
        return;
    }
    let word = [b"<", word, b">"].concat();
    let begins = |at: usize| at == word.len() || word[at] & 0xc0 != 0x80;
    for start in (0..word.len()).filter(|&at| begins(at)) {
        let mut hash = 2_166_136_261u32;
        let mut end = start;
        for length in 1..=max_ngram {
            if end == word.len() {
                break;
            }
            loop {
                // The byte with its sign, as C's `char` has it.
                hash = (hash ^ word[end] as i8 as u32).wrapping_mul(16_777_619);
                end += 1;
                if begins(end) {
                    break;
                }
            }
            let is_mark = length == 1 && (start == 0 || end == word.len());
            if length >= min_ngram && !is_mark {
                each(&word[start..end], hash % buckets);
            }
        }
    }
}

/// Calls `each` for the bucket of every n-gram.
pub fn for_each_bucket(word: &[u8], subwords: Subwords, mut each: impl FnMut(u32)) {
    for_each_ngram(word, subwords, |_, bucket| each(bucket));
}
