//! Runs of two or more letters, digits and underscores: what scikit-learn's default pattern
//! `(?u)\b\w\w+\b` finds.

use unicode_normalization::char::is_combining_mark;

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

fn ascii_words(text: &[u8], mut word: impl FnMut(usize, usize)) {
    let mut start = 0;
    for (at, &byte) in text.iter().chain(b" ").enumerate() {
        if !(byte.is_ascii_alphanumeric() || byte == b'_') {
            if at >= start + 2 {
                word(start, at);
            }
            start = at + 1;
        }
    }
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
    fn letters_of_any_script_are_word_characters_and_marks_are_none() {
        assert_eq!(found("Größe,été 中文 字 x²"), ["Größe", "été", "中文", "x²"]);
        assert_eq!(found("cafe\u{301}s Ⓐbc"), ["cafe", "bc"]);
    }
}
