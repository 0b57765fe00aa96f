//! Unicode words (UAX #29, "Default Word Boundary Specification"). What is ASCII is split here by
//! the part of the rules that ASCII can reach; the rest is left to `unicode-segmentation`.

use unicode_segmentation::UnicodeSegmentation;

/// Calls `word` with the ends of each word in `text`, which holds no white space. A word holds a
/// letter or a digit. What is not UTF-8 holds no words: it was repaired or refused before.
pub fn words(text: &[u8], mut word: impl FnMut(usize, usize)) {
    if !text.is_empty() && text.iter().all(u8::is_ascii_alphanumeric) {
        return word(0, text.len());
    }
    if text.is_ascii() {
        return ascii_words(text, word);
    }
    let text = std::str::from_utf8(text).unwrap_or_default();
    for (start, segment) in text.unicode_word_indices() {
        word(start, start + segment.len());
    }
}

/// Letters, digits and underscores stay together (WB5, WB8 to WB10, WB13a and b). A mark between
/// two letters (WB6, WB7) or between two digits (WB11, WB12) stays with them.
fn ascii_words(text: &[u8], mut word: impl FnMut(usize, usize)) {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut at = 0;
    while at < text.len() {
        let start = at;
        while at < text.len() && (part(text[at]) || (at > start && is_inside(text, at))) {
            at += 1;
        }
        if text[start..at].iter().any(u8::is_ascii_alphanumeric) {
            word(start, at);
        }
        at = at.max(start + 1);
    }
}

/// Whether the mark at `at` joins what is on both sides of it.
fn is_inside(text: &[u8], at: usize) -> bool {
    let (Some(&before), Some(&after)) = (text.get(at.wrapping_sub(1)), text.get(at + 1)) else {
        return false;
    };
    match text[at] {
        b'.' | b'\'' => {
            (before.is_ascii_alphabetic() && after.is_ascii_alphabetic())
                || (before.is_ascii_digit() && after.is_ascii_digit())
        }
        b':' => before.is_ascii_alphabetic() && after.is_ascii_alphabetic(),
        b',' | b';' => before.is_ascii_digit() && after.is_ascii_digit(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use inlay_base::Random;

    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        words(text.as_bytes(), |start, end| found.push(&text[start..end]));
        found
    }

    #[test]
    fn punctuation_is_dropped_and_what_belongs_to_a_word_stays() {
        assert_eq!(found("(don't)"), ["don't"]);
        assert_eq!(found("3,141.59;x..y_1--__"), ["3,141.59", "x", "y_1"]);
        assert_eq!(found("«l’été»,"), ["l’été"]);
        assert_eq!(found("文字"), ["文", "字"]);
        assert_eq!(found("..."), [""; 0]);
    }

    #[test]
    fn ascii_is_split_as_the_library_splits_it() {
        let mut random = Random::new(1, 0);
        let alphabet = b"aZ09_.,:;'\"-!@#/(x7";
        for _ in 0..200_000 {
            let length = random.below(12);
            let text: String = (0..length)
                .map(|_| alphabet[random.below(alphabet.len() as u32) as usize] as char)
                .collect();
            assert_eq!(found(&text), text.unicode_words().collect::<Vec<_>>(), "{text:?}");
        }
        for byte in 33..127u8 {
            for other in ["a", "1", "_", "."] {
                let text = format!("{other}{}{other}", byte as char);
                assert_eq!(found(&text), text.unicode_words().collect::<Vec<_>>(), "{text:?}");
            }
        }
    }
}
