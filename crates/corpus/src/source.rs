use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use inlay_base::{Error, Result};

/// Where a corpus comes from. Every source is read once.
#[derive(Debug)]
pub enum Source {
    /// Files in this order, a name given twice is read twice. Each string is
    /// - a path; plain text, .gz or .zst, told by content; a pipe (`/dev/stdin`) is read as it
    ///   comes;
    /// - a directory whose name ends with a slash: the files right in it in the order of their names, without those whose names
    ///   begin with a dot and without what lies in directories below;
    /// - a glob (`*`, `?`, `[...]`, `**`), where no file has the name itself: the files that match,
    ///   in the order of their paths. As in a shell, `*` does not match a dot at a name's start.
    Files(Vec<String>),
    /// Batches until the sender is gone. A bounded channel makes the sender wait for the reader.
    /// The sender of a stream that failed stops the run before it goes: its going means the end.
    Stream(Receiver<Batch>),
}

impl Source {
    /// What messages call it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Source::Files(names) => match names.as_slice() {
                [] => "files".into(),
                [name] => name.clone(),
                [name, others @ ..] => format!("{name} and {} more", others.len()),
            },
            Source::Stream(_) => "stream".into(),
        }
    }
}

/// A part of a stream, best about a megabyte: it is what a thread works on at a time.
#[derive(Debug, Clone, PartialEq)]
pub enum Batch {
    /// Texts to be split: each ends its last word and its last sentence.
    Texts {
        /// UTF-8, all texts end to end.
        bytes: Vec<u8>,
        /// Where each text ends in `bytes`.
        ends: Vec<usize>,
    },
    /// Sentences of words, which are taken as they are but for lower-casing and normalization: a
    /// word may hold any bytes, and none. Words that are not UTF-8 are not changed.
    Words {
        /// All words end to end.
        bytes: Vec<u8>,
        /// Where each word ends in `bytes`.
        word_ends: Vec<usize>,
        /// Where each sentence ends in `word_ends`.
        sentence_ends: Vec<usize>,
    },
    /// Sentences of integers, the words being their decimal form.
    Integers {
        /// All integers.
        values: Vec<i64>,
        /// Where each sentence ends in `values`.
        sentence_ends: Vec<usize>,
    },
}

impl Batch {
    /// How many items of the stream it holds, texts or sentences.
    pub fn items(&self) -> usize {
        match self {
            Batch::Texts { ends, .. } => ends.len(),
            Batch::Words { sentence_ends, .. } | Batch::Integers { sentence_ends, .. } => {
                sentence_ends.len()
            }
        }
    }

    /// A text whole; of a sentence its words, with a space between them.
    pub fn text(&self, item: usize) -> Cow<'_, [u8]> {
        let from = |ends: &[usize], at: usize| if at == 0 { 0 } else { ends[at - 1] };
        match self {
            Batch::Texts { bytes, ends } => bytes[from(ends, item)..ends[item]].into(),
            Batch::Words { bytes, word_ends, sentence_ends } => {
                let words = from(sentence_ends, item)..sentence_ends[item];
                let words = words.map(|word| &bytes[from(word_ends, word)..word_ends[word]]);
                words.collect::<Vec<_>>().join(&b' ').into()
            }
            Batch::Integers { values, sentence_ends } => {
                let values = &values[from(sentence_ends, item)..sentence_ends[item]];
                let words: Vec<_> = values.iter().map(i64::to_string).collect();
                words.join(" ").into_bytes().into()
            }
        }
    }

    /// Its size, for the progress of a run.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Batch::Texts { bytes, .. } | Batch::Words { bytes, .. } => bytes.len(),
            Batch::Integers { values, .. } => size_of_val(values.as_slice()),
        }
    }

    /// Fails unless all ends rise to the end of what they cut.
    pub fn check(&self) -> Result<()> {
        // Places in a batch are counted in 32 bits.
        if self.bytes() > 1 << 31 {
            return Err(stream_error("a batch of more than 2 GiB; about 1 MiB is best"));
        }
        let rises = |ends: &[usize], length: usize| {
            ends.is_sorted() && ends.last().copied().unwrap_or(0) == length
        };
        let right = match self {
            Batch::Texts { bytes, ends } => rises(ends, bytes.len()),
            Batch::Words { bytes, word_ends, sentence_ends } => {
                rises(word_ends, bytes.len()) && rises(sentence_ends, word_ends.len())
            }
            Batch::Integers { values, sentence_ends } => rises(sentence_ends, values.len()),
        };
        if right { Ok(()) } else { Err(stream_error("a batch whose ends do not fit its content")) }
    }
}

pub(crate) fn stream_error(problem: impl Into<String>) -> Error {
    Error::InvalidInput { source: "stream".into(), offset: None, problem: problem.into() }
}

/// The files that paths, directories and globs stand for.
pub(crate) fn resolve(names: &[String]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for name in names {
        let path = Path::new(name);
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() && name.ends_with(std::path::is_separator) => {
                files.extend(files_of_directory(path)?);
            }
            // A folder named by mistake would be trained on, whatever lies in it.
            Ok(metadata) if metadata.is_dir() => {
                let problem = format!("is a directory; to read the files in it, write {name}/");
                return Err(Error::invalid_file(path, None, problem));
            }
            Ok(_) => files.push(path.into()),
            Err(_) if name.contains(['*', '?', '[']) => files.extend(files_of_glob(name)?),
            Err(error) => return Err(Error::io("open", path, &error)),
        }
    }
    if files.is_empty() {
        let source = "files".into();
        return Err(Error::InvalidInput { source, offset: None, problem: "none is named".into() });
    }
    Ok(files)
}

fn files_of_directory(directory: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| Error::io("read", directory, &error);
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        // Asked of the path, not the entry: a link to a file is a file.
        if !hidden && fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file()) {
            files.push(entry.path());
        }
    }
    if files.is_empty() {
        return Err(Error::invalid_file(directory, None, "is a directory without files"));
    }
    files.sort();
    Ok(files)
}

fn files_of_glob(pattern: &str) -> Result<Vec<PathBuf>> {
    let options =
        glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let paths = glob::glob_with(pattern, options).map_err(|error| {
        let problem = format!("is neither a file nor a glob ({})", error.msg);
        Error::invalid_file(Path::new(pattern), Some(error.pos as u64), problem)
    })?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| Error::io("read", error.path(), error.error()))?;
        if path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Error::NotFound { what: "file that matches", name: pattern.into() });
    }
    Ok(files)
}
