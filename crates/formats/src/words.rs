//! Words as they are read: collected end to end, their bytes judged as UTF-8 on the way.

use std::path::Path;

use inlay_base::{Error, Result};

use crate::Names;

/// What becomes of a word whose bytes are not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InvalidUtf8 {
    /// It stays as it is, byte for byte.
    #[default]
    Keep,
    /// The file is refused, with the number of the word and the offset of the byte.
    Error,
    /// Each wrong part becomes U+FFFD.
    Replace,
}

/// What a reader is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// Only the first so many rows are read.
    pub limit: Option<usize>,
    /// What becomes of a word whose bytes are not UTF-8.
    pub invalid_utf8: InvalidUtf8,
}

impl ReadOptions {
    /// How many of `rows` are read.
    pub(crate) fn limited(&self, rows: usize) -> usize {
        self.limit.map_or(rows, |limit| limit.min(rows))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Words {
    bytes: Vec<u8>,
    ends: Vec<u64>,
}

impl Words {
    /// Adds word number `number`, which stands at byte `offset` of the file.
    pub(crate) fn push(
        &mut self,
        word: &[u8],
        invalid: InvalidUtf8,
        path: &Path,
        number: usize,
        offset: usize,
    ) -> Result<()> {
        match (invalid, std::str::from_utf8(word)) {
            (InvalidUtf8::Keep, _) | (_, Ok(_)) => self.bytes.extend_from_slice(word),
            (InvalidUtf8::Replace, Err(_)) => {
                self.bytes.extend_from_slice(String::from_utf8_lossy(word).as_bytes());
            }
            (InvalidUtf8::Error, Err(error)) => {
                let at = (offset + error.valid_up_to()) as u64;
                let problem = format!("word {number} (from 0) is not UTF-8");
                return Err(Error::invalid_file(path, Some(at), problem));
            }
        }
        self.ends.push(self.bytes.len() as u64);
        Ok(())
    }

    pub(crate) fn append(&mut self, other: &Words) {
        let before = self.bytes.len() as u64;
        self.bytes.extend_from_slice(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| before + end));
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn into_names(mut self) -> Result<Names> {
        self.ends.insert(0, 0);
        Names::from_parts(self.bytes, self.ends)
    }
}

/// A word for a message: short, and readable whatever its bytes are.
pub(crate) fn shown(word: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(word).chars().take(40).collect();
    format!("`{}`", text.escape_debug())
}
