//! Which rows of fastText's table words and n-grams have (Bojanowski et al. 2017,
//! arXiv:1607.04606): n-grams of characters and of words share buckets by their hashes, bit for bit
//! as fastText makes them.

use std::ops::Range;

/// What stands for the end of each line.
pub const END_OF_LINE: &[u8] = b"</s>";

const START: u32 = 2_166_136_261;
const PRIME: u32 = 16_777_619;

/// FNV-1a of 32 bits over bytes with a sign: one above 127 flips the upper bits as well, as it did
/// in the first fastText, whose models would be of no use otherwise.
#[inline]
pub fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(START, |state, &byte| mix(state, byte))
}

#[inline(always)]
fn mix(state: u32, byte: u8) -> u32 {
    (state ^ i32::from(byte.cast_signed()).cast_unsigned()).wrapping_mul(PRIME)
}

/// Which n-grams have buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ngrams {
    /// The shortest n-gram of characters.
    pub minn: u32,
    /// The longest one; 0: none.
    pub maxn: u32,
    /// The longest n-gram of words; 1: none.
    pub words: u32,
    /// How many buckets there are; 0: no n-gram has one.
    pub bucket: u32,
}

impl Ngrams {
    /// The buckets of the character n-grams of `<word>`, in fastText's order: by where they begin,
    /// then by length. Characters are code points: a byte 10xxxxxx belongs to the one before it,
    /// whatever that is. `<` and `>` alone are none. The end of a line has none.
    pub fn of_word(&self, word: &[u8], mut found: impl FnMut(u32)) {
        self.parts_of_word(word, |_, bucket| found(bucket));
    }

    /// As `of_word`, with the bytes of `<word>` that an n-gram is.
    pub fn parts_of_word(&self, word: &[u8], mut found: impl FnMut(Range<usize>, u32)) {
        if self.maxn == 0 || self.bucket == 0 || word == END_OF_LINE {
            return;
        }
        let length = word.len() + 2;
        let byte = |at: usize| match at {
            0 => b'<',
            at if at + 1 == length => b'>',
            at => word[at - 1],
        };
        let goes_on = |at: usize| at < length && byte(at) & 0xC0 == 0x80;
        for start in (0..length).filter(|&start| !goes_on(start)) {
            let (mut end, mut state) = (start, START);
            for n in 1..=self.maxn {
                if end == length {
                    break;
                }
                state = mix(state, byte(end));
                end += 1;
                while goes_on(end) {
                    state = mix(state, byte(end));
                    end += 1;
                }
                let is_border = n == 1 && (start == 0 || end == length);
                if n >= self.minn && !is_border {
                    found(start..end, state % self.bucket);
                }
            }
        }
    }

    /// The buckets of the word n-grams of a line, two words and longer, from the hashes of its
    /// words: by where they begin, then by length.
    #[inline]
    pub fn of_line(&self, hashes: &[u32], mut found: impl FnMut(u32)) {
        if self.words < 2 || self.bucket == 0 {
            return;
        }
        let signed = |hash: u32| i64::from(hash.cast_signed()).cast_unsigned();
        for (start, &first) in hashes.iter().enumerate() {
            let mut state = signed(first);
            for &next in hashes[start + 1..].iter().take(self.words as usize - 1) {
                state = state.wrapping_mul(116_049_371).wrapping_add(signed(next));
                found((state % u64::from(self.bucket)) as u32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(word: &[u8], minn: u32, maxn: u32) -> usize {
        let mut count = 0;
        Ngrams { minn, maxn, words: 1, bucket: 100 }.of_word(word, |_| count += 1);
        count
    }

    #[test]
    fn the_hash_is_fnv_1a_for_ascii_and_signed_beyond() {
        assert_eq!(hash(b""), 0x811c_9dc5);
        assert_eq!(hash(b"a"), 0xe40c_292c);
        assert_eq!(hash(b"foobar"), 0xbf9c_f968);
        // 0xC3 as -61: the upper 24 bits are flipped before the product.
        assert_eq!(hash(b"\xc3"), (0x811c_9dc5u32 ^ 0xffff_ffc3).wrapping_mul(16_777_619));
    }

    #[test]
    fn n_grams_are_counted_in_characters() {
        // <ab>: <a ab b>, <ab ab>
        assert_eq!(buckets(b"ab", 2, 3), 5);
        assert_eq!(buckets("äö".as_bytes(), 2, 3), 5);
        assert_eq!(buckets(b"ab", 1, 1), 2, "< and > are none");
        assert_eq!(buckets(b"ab", 3, 0), 0);
        assert_eq!(buckets(b"", 1, 6), 1, "<>");
        assert_eq!(buckets(END_OF_LINE, 1, 6), 0);
        // Stray continuation bytes belong to the < before them.
        assert_eq!(buckets(b"\x80\xbf", 1, 6), buckets(b"", 1, 6));
    }

    #[test]
    fn n_grams_of_words_go_up_to_their_length() {
        let ngrams = |words| Ngrams { minn: 0, maxn: 0, words, bucket: 1000 };
        let count = |words, line: &[u32]| {
            let mut count = 0;
            ngrams(words).of_line(line, |bucket| {
                assert!(bucket < 1000);
                count += 1;
            });
            count
        };
        assert_eq!(count(1, &[1, 2, 3]), 0);
        assert_eq!(count(2, &[1, 2, 3]), 2);
        assert_eq!(count(3, &[1, 2, 3]), 3);
        assert_eq!(count(5, &[]), 0);
        let mut first = None;
        ngrams(2).of_line(&[u32::MAX, 5], |bucket| first = Some(bucket));
        // A hash is a number with a sign there: -1 · 116049371 + 5, in 64 bits.
        assert_eq!(first, Some(((5i64 - 116_049_371).cast_unsigned() % 1000) as u32));
    }
}
