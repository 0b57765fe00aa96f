//! Which format a file has, told by its content and never by its name.

use std::path::Path;

use inlay_base::{Error, Map, Result};

use crate::word2vec::{Dialect, dialect};

/// A file of named rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Tensors with a JSON header; ours.
    Safetensors,
    /// A word and its values on each line, after a line `rows dimensions` or, as GloVe writes it,
    /// without one.
    Word2VecText,
    /// As `Word2VecText` without the first line: what GloVe's C tool writes. Told to be
    /// `Word2VecText` when it is read, which is both.
    GloveText,
    /// word2vec.c's binary file: words in text, values in bytes.
    Word2VecBinary,
    /// A NumPy array; the words lie in another file.
    Npy,
    /// The embedding projector's tab-separated values; the words lie in another file.
    Projector,
}

impl Format {
    /// The name in options and messages.
    pub fn name(self) -> &'static str {
        match self {
            Format::Safetensors => "safetensors",
            Format::Word2VecText => "word2vec-text",
            Format::GloveText => "glove-text",
            Format::Word2VecBinary => "word2vec-binary",
            Format::Npy => "npy",
            Format::Projector => "projector",
        }
    }

    /// The format of that name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [
            Format::Safetensors,
            Format::Word2VecText,
            Format::GloveText,
            Format::Word2VecBinary,
            Format::Npy,
            Format::Projector,
        ];
        all.into_iter().find(|format| format.name() == name)
    }

    /// What a file to be written gets by the ending of its name: `.safetensors`, `.txt` and `.vec`,
    /// `.bin`, `.npy`, `.tsv`.
    pub fn by_extension(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "safetensors" => Some(Format::Safetensors),
            "txt" | "vec" => Some(Format::Word2VecText),
            "bin" => Some(Format::Word2VecBinary),
            "npy" => Some(Format::Npy),
            "tsv" => Some(Format::Projector),
            _ => None,
        }
    }
}

/// The format of a file, by its content.
///
/// # Errors
/// `Unsupported` for a file that is recognised and cannot be read (compressed, pickled, a fastText
/// model), `InvalidInput` for one that is not recognised.
pub fn sniff(map: &Map) -> Result<Format> {
    let unsupported = |what: &str| {
        Err(Error::Unsupported { what: format!("{} is {what}", map.path().display()) })
    };
    match &map[..] {
        [] => Err(Error::invalid_file(map.path(), None, "the file is empty")),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Ok(Format::Npy),
        [0x1f, 0x8b, ..] => unsupported("compressed with gzip: unpack it first"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => unsupported("compressed with zstd: unpack it first"),
        [b'B', b'Z', b'h', b'0'..=b'9', ..] => {
            unsupported("compressed with bzip2: unpack it first")
        }
        [b'P', b'K', 3, 4, ..] => unsupported("a zip archive: unpack it first"),
        [0xba, 0x16, 0x4f, 0x2f, ..] => {
            unsupported("a fastText model: FastText.open or FastTextClassifier.open read it")
        }
        [0x80, 2..=5, ..] => unsupported(
            "a Python pickle, which can run code when it is read: save it with \
             save_word2vec_format",
        ),
        bytes if bytes.get(8) == Some(&b'{') && bytes[..8].contains(&0) => Ok(Format::Safetensors),
        _ => match dialect(map)? {
            Dialect::Text => Ok(Format::Word2VecText),
            Dialect::Binary => Ok(Format::Word2VecBinary),
            Dialect::Projector => Ok(Format::Projector),
        },
    }
}
