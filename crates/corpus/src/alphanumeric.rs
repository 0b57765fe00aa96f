//! Runs of two or more letters, digits and underscores: what scikit-learn's default pattern
//! `(?u)\b\w\w+\b` finds.

use unicode_normalization::char::is_combining_mark;

use crate::separators::CHUNK;

/// Calls `word` with the ends of each word in `text`. What is not UTF-8 holds no words.
pub fn words(text: &[u8], mut word: impl FnMut(usize, usize)) {
    if text.is_ascii() {
        return ascii_words(text, word);
    }
    let text = std::str::from_utf8(text).unwrap_or_default();
    let (mut start, mut characters) = (0, 0);
    for (at, character) in text.char_indices().chain([(text.len(), ' ')]) {
        if is_word_character(character) {
            if characters == 0 {
                start = at;
            }
            characters += 1;
        } else {
            if characters >= 2 {
                word(start, at);
            }
            characters = 0;
        }
    }
}

/// As `words`, of a text that is ASCII and may hold white space. 64 bytes are told at once, in plain
/// 64-bit arithmetic, and only the ends of runs are looked at.
#[inline(always)]
pub fn ascii_words(text: &[u8], mut word: impl FnMut(usize, usize)) {
    let (chunks, rest) = text.as_chunks::<CHUNK>();
    let mut last = [0; CHUNK];
    last[..rest.len()].copy_from_slice(rest);
    let (mut start, mut inside) = (0, 0);
    for (at, chunk) in chunks.iter().chain([&last]).enumerate() {
        let bits = word_characters(chunk);
        let mut ends = bits ^ (bits << 1 | inside);
        while ends != 0 {
            let end = at * CHUNK + ends.trailing_zeros() as usize;
            ends &= ends - 1;
            if inside == 0 {
                start = end;
            } else if end - start >= 2 {
                word(start, end);
            }
            inside ^= 1;
        }
    }
    if inside == 1 && text.len() - start >= 2 {
        word(start, text.len());
    }
}

/// Bit i is set if byte i, which is ASCII, is a letter, a digit or an underscore.
#[inline(always)]
fn word_characters(chunk: &[u8; CHUNK]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = ONES << 7;
    // A sum reaches the top bit of its byte from the first of the bytes on, and stays inside it.
    let within = |bytes: u64, first: u8, last: u8| {
        let from = bytes + ONES * u64::from(128 - first);
        from & !(bytes + ONES * u64::from(127 - last))
    };
    let mut bits = 0;
    for (at, bytes) in chunk.as_chunks::<8>().0.iter().enumerate() {
        let bytes = u64::from_le_bytes(*bytes);
        let letters = within(bytes | (ONES * 0x20), b'a', b'z');
        let others = within(bytes, b'0', b'9') | within(bytes, b'_', b'_');
        let marks = (letters | others) & TOP;
        // Gathers the top bits of the eight bytes in the uppermost byte.
        bits |= ((marks >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * at);
    }
    bits
}

/// Python's `\w`: letters, numbers and the underscore. Marks and circled letters are alphabetic to
/// Unicode, but no letters.
fn is_word_character(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || character == '_';
    }
    let circled = matches!(character,
        '\u{24B6}'..='\u{24E9}' | '\u{1F130}'..='\u{1F149}' | '\u{1F150}'..='\u{1F169}'
        | '\u{1F170}'..='\u{1F189}');
    character.is_alphanumeric() && !is_combining_mark(character) && !circled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        words(text.as_bytes(), |start, end| found.push(&text[start..end]));
        found
    }

    #[test]
    fn words_are_runs_of_two_characters_or_more() {
        assert_eq!(
            found("Don't stop, a_b x y2 _ __ 3.14"),
            ["Don", "stop", "a_b", "y2", "__", "14"]
        );
        assert_eq!(found(""), [""; 0]);
    }

    #[test]
    fn every_byte_at_every_place_is_told_right() {
        for byte in 0..128 {
            for at in 0..CHUNK {
                for other in [b'x', b' '] {
                    let mut chunk = [other; CHUNK];
                    chunk[at] = byte;
                    let is_word = |&byte: &u8| byte.is_ascii_alphanumeric() || byte == b'_';
                    let expected =
                        (0..CHUNK).fold(0, |bits, i| bits | u64::from(is_word(&chunk[i])) << i);
                    assert_eq!(word_characters(&chunk), expected, "{byte} at {at}");
                }
            }
        }
    }

    #[test]
    fn words_of_every_length_and_place_are_found() {
        for before in 0..70 {
            for length in 2..140 {
                let text = format!("{}{}", " ".repeat(before), "w".repeat(length));
                assert_eq!(found(&text), [&text[before..]]);
                assert_eq!(found(&format!("{text} ")), [&text[before..]]);
            }
        }
    }

    #[test]
    fn letters_of_any_script_are_word_characters_and_marks_are_none() {
        assert_eq!(found("Größe,été 中文 字 x²"), ["Größe", "été", "中文", "x²"]);
        assert_eq!(found("cafe\u{301}s Ⓐbc"), ["cafe", "bc"]);
    }
}
