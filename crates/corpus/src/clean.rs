//! Bytes as UTF-8: an error with its place, or a repair.

use std::str::Utf8Error;

use crate::options::InvalidUtf8;
use crate::separators::is_separator;

/// What UTF-8 files of some systems begin with; it is no part of their text.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// How many bytes of a file's beginning are no text.
pub fn mark_at_start(text: &[u8]) -> usize {
    if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 }
}

/// Where the first bytes are that are not UTF-8, if there are any.
pub fn first_fault(text: &[u8]) -> Option<Fault> {
    simdutf8::basic::from_utf8(text).err()?;
    // The fast check knows only whether; the exact one is asked once.
    std::str::from_utf8(text).err().map(Fault)
}

/// Bytes that are not UTF-8.
#[derive(Debug, Clone, Copy)]
pub struct Fault(Utf8Error);

impl Fault {
    /// Where they begin.
    pub fn offset(&self) -> usize {
        self.0.valid_up_to()
    }

    /// What they are, as a clause.
    pub fn problem(&self, text: &[u8]) -> String {
        let length = self.0.error_len().unwrap_or(text.len() - self.offset());
        let bytes: Vec<String> =
            text[self.offset()..][..length].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("not UTF-8 ({}); see `invalidUtf8`", bytes.join(" "))
    }
}

/// The text without the bytes that are not UTF-8; replaced or, with the word that
/// holds them, left out.
pub fn repaired(text: &[u8], how: InvalidUtf8) -> Vec<u8> {
    match how {
        InvalidUtf8::Error | InvalidUtf8::Replace => {
            String::from_utf8_lossy(text).into_owned().into_bytes()
        }
        InvalidUtf8::Skip => {
            let mut kept = Vec::with_capacity(text.len());
            for run in text.chunk_by(|&a, &b| is_separator(a) == is_separator(b)) {
                if is_separator(run[0]) || std::str::from_utf8(run).is_ok() {
                    kept.extend_from_slice(run);
                }
            }
            kept
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipping_leaves_out_the_word_and_keeps_white_space() {
        let text = b"one t\xFFwo\n\xC3 three \xE2\x82\xAC\xF0\x9F four";
        assert_eq!(repaired(text, InvalidUtf8::Skip), b"one \n three  four");
        assert_eq!(repaired(b"\xFF", InvalidUtf8::Skip), b"");
    }

    #[test]
    fn a_fault_names_its_place_and_its_bytes() {
        let text = b"ab \xE2\x82 c";
        let fault = first_fault(text).unwrap();
        assert_eq!(fault.offset(), 3);
        assert!(fault.problem(text).contains("(e2 82)"), "{}", fault.problem(text));
        let cut = b"ab \xE2\x82";
        assert!(first_fault(cut).unwrap().problem(cut).contains("(e2 82)"));
        assert!(first_fault("größe €".as_bytes()).is_none());
    }
}
