//! Lower case and normalization forms: one spelling for each word.

use std::borrow::Cow;

use inlay_base::{Result, Run};
use unicode_normalization::{
    IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfd_quick, is_nfkc_quick, is_nfkd_quick,
};

use crate::options::{Normalization, Options};
use crate::separators::is_separator;

/// Bytes between two questions whether the run goes on.
const STEP: usize = 1 << 16;

/// Which spelling words get.
#[derive(Debug, Clone, Copy)]
pub struct Spelling {
    lowercase: bool,
    normalization: Normalization,
}

impl Spelling {
    pub fn new(options: &Options) -> Self {
        Self { lowercase: options.lowercase, normalization: options.normalization }
    }

    /// Whether everything stays as it is.
    pub fn is_plain(self) -> bool {
        !self.lowercase && self.normalization == Normalization::None
    }

    /// Respells what is ASCII.
    pub fn ascii(self, text: &mut [u8]) {
        if self.lowercase {
            text.make_ascii_lowercase();
        }
    }

    /// Respells a text. The mappings see no further than to the next white space, so the text may
    /// be a block of a longer one.
    pub fn text(self, text: &mut Vec<u8>, run: &Run) -> Result<()> {
        if self.is_plain() || (text.is_ascii() && !self.lowercase) {
            return Ok(());
        }
        if text.is_ascii() {
            text.make_ascii_lowercase();
            return Ok(());
        }
        let mut respelled = Vec::with_capacity(text.len() + text.len() / 16);
        let mut next_check = 0;
        for part in text.chunk_by(|&a, &b| !is_separator(a) || is_separator(b)) {
            if respelled.len() >= next_check {
                run.check()?;
                next_check = respelled.len() + STEP;
            }
            respelled.extend_from_slice(&self.word(part));
        }
        *text = respelled;
        Ok(())
    }

    /// Respells a word, or a word and what white space is around it; bytes that are not UTF-8 stay
    /// as they are.
    pub fn word(self, word: &[u8]) -> Cow<'_, [u8]> {
        if word.is_ascii() {
            let same = !self.lowercase || !word.iter().any(u8::is_ascii_uppercase);
            return if same { word.into() } else { word.to_ascii_lowercase().into() };
        }
        let Ok(text) = std::str::from_utf8(word) else { return word.into() };
        let mut spelled = self.normalized(text);
        if self.lowercase {
            let lower = spelled.to_lowercase();
            // The lower case of a composed letter may be two characters, which compose or order
            // differently.
            spelled = self.normalized(&lower).into_owned().into();
        }
        match spelled {
            Cow::Borrowed(same) => same.as_bytes().into(),
            Cow::Owned(other) => other.into_bytes().into(),
        }
    }

    fn normalized(self, text: &str) -> Cow<'_, str> {
        let chars = text.chars();
        let quick = match self.normalization {
            Normalization::None => return text.into(),
            Normalization::Nfc => is_nfc_quick(chars),
            Normalization::Nfd => is_nfd_quick(chars),
            Normalization::Nfkc => is_nfkc_quick(chars),
            Normalization::Nfkd => is_nfkd_quick(chars),
        };
        if quick == IsNormalized::Yes {
            return text.into();
        }
        let normalized: String = match self.normalization {
            Normalization::None => return text.into(),
            Normalization::Nfc => text.nfc().collect(),
            Normalization::Nfd => text.nfd().collect(),
            Normalization::Nfkc => text.nfkc().collect(),
            Normalization::Nfkd => text.nfkd().collect(),
        };
        normalized.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spell(text: &str, lowercase: bool, normalization: Normalization) -> String {
        let mut bytes = text.as_bytes().to_vec();
        Spelling { lowercase, normalization }.text(&mut bytes, &Run::quiet(1, 1)).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lower_case_is_unicodes_full_mapping() {
        let text = "ÄRGER İstanbul ΟΔΟΣ ΣΑΣ GROẞ plain\tASCII\n";
        assert_eq!(spell(text, true, Normalization::None), text.to_lowercase());
        assert_eq!(spell("Only ASCII", true, Normalization::None), "only ascii");
        assert_eq!(spell("Ä A", false, Normalization::None), "Ä A");
    }

    #[test]
    fn each_normalization_form_is_the_libraries() {
        let text = "e\u{301} é ﬁ Å ① a\u{300}\u{323}\u{301} 가 \u{1100}\u{1161}";
        assert_eq!(spell(text, false, Normalization::Nfc), text.nfc().collect::<String>());
        assert_eq!(spell(text, false, Normalization::Nfd), text.nfd().collect::<String>());
        assert_eq!(spell(text, false, Normalization::Nfkc), text.nfkc().collect::<String>());
        assert_eq!(spell(text, false, Normalization::Nfkd), text.nfkd().collect::<String>());
    }

    #[test]
    fn what_was_lower_cased_is_normalized_again() {
        // The lower case of U+0130 is i and U+0307: with a dot below, the marks change places.
        let spelled = spell("\u{130}\u{323}", true, Normalization::Nfc);
        assert_eq!(spelled, spelled.nfc().collect::<String>());
    }

    #[test]
    fn a_word_that_is_not_utf8_stays() {
        let spelling = Spelling { lowercase: true, normalization: Normalization::Nfc };
        assert_eq!(*spelling.word(b"A\xFFB"), *b"A\xFFB");
    }
}
