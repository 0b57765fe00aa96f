//! Everything that can go wrong below the N-API door: fields, not sentences. The sentence is made
//! here, once, and JavaScript gets the code, the sentence and the fields.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The result of anything that can fail in this library.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong below the N-API door.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// An option that the caller can correct and that only the data could prove wrong.
    InvalidOption {
        /// The option's name as the caller wrote it.
        option: &'static str,
        /// What is allowed, to follow "must be".
        expected: String,
        /// What came.
        got: String,
    },
    /// Data that is not what it should be.
    InvalidInput {
        /// The file, or a name for what is no file ("stream", "query").
        source: String,
        /// Where in it, in bytes; for streams the item's index stands in `problem`.
        offset: Option<u64>,
        /// What is wrong, as a clause: "the header promises 10 rows, the file holds 3".
        problem: String,
    },
    /// A file, word or other named thing that is not there.
    NotFound {
        /// What was looked for: "word", "file", "model".
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Something that is right and that this build, machine or model cannot do.
    Unsupported {
        /// The whole clause.
        what: String,
    },
    /// Memory could not be had.
    OutOfMemory {
        /// Bytes that were wanted.
        asked: u64,
        /// Bytes that are free, where the system tells.
        free: Option<u64>,
    },
    /// A file could not be written for lack of room.
    DiskFull {
        /// The file that was being written.
        path: PathBuf,
    },
    /// The system refused to read or write.
    Io {
        /// What was being done: "read", "write", "open".
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// The system's own word, with its code ("Permission denied (os error 13)").
        reason: String,
    },
    /// Training left the finite numbers.
    Diverged {
        /// What is not finite, and what to change.
        what: String,
    },
    /// The run was asked to stop.
    Aborted,
    /// A fault of this library: a panic in one of its threads.
    Internal(String),
}

/// A field of an error, for JavaScript's `error.context`.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A number: bytes, an offset.
    Number(f64),
}

impl Error {
    /// The stable code by which JavaScript tells errors apart.
    pub fn code(&self) -> &'static str {
        match self {
            Error::InvalidOption { .. } => "INVALID_OPTION",
            Error::InvalidInput { .. } => "INVALID_INPUT",
            Error::NotFound { .. } => "NOT_FOUND",
            Error::Unsupported { .. } => "UNSUPPORTED",
            Error::OutOfMemory { .. } => "OUT_OF_MEMORY",
            Error::DiskFull { .. } => "DISK_FULL",
            Error::Io { .. } => "IO",
            Error::Diverged { .. } => "DIVERGED",
            Error::Aborted => "ABORTED",
            Error::Internal(_) => "INTERNAL",
        }
    }

    /// The fields by name, for `error.context`.
    pub fn context(&self) -> Vec<(&'static str, Value)> {
        let text = |text: &dyn fmt::Display| Value::Text(text.to_string());
        match self {
            Error::InvalidOption { option, expected, got } => {
                vec![("option", text(option)), ("expected", text(expected)), ("got", text(got))]
            }
            Error::InvalidInput { source, offset, problem } => {
                let mut fields = vec![("source", text(source)), ("problem", text(problem))];
                fields.extend(offset.map(|offset| ("offset", Value::Number(offset as f64))));
                fields
            }
            Error::NotFound { what, name } => vec![("what", text(what)), ("name", text(name))],
            Error::OutOfMemory { asked, free } => {
                let mut fields = vec![("asked", Value::Number(*asked as f64))];
                fields.extend(free.map(|free| ("free", Value::Number(free as f64))));
                fields
            }
            Error::DiskFull { path } => vec![("path", text(&path.display()))],
            Error::Io { doing, path, reason } => {
                vec![
                    ("doing", text(doing)),
                    ("path", text(&path.display())),
                    ("reason", text(reason)),
                ]
            }
            Error::Unsupported { .. }
            | Error::Diverged { .. }
            | Error::Aborted
            | Error::Internal(_) => Vec::new(),
        }
    }

    /// What the system said about a file, sorted into the codes that a caller can act on.
    pub fn io(doing: &'static str, path: &Path, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => {
                Error::NotFound { what: "file", name: path.display().to_string() }
            }
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Error::DiskFull { path: path.into() },
            _ => Error::Io { doing, path: path.into(), reason: error.to_string() },
        }
    }

    /// Data in a file that is not what it should be.
    pub fn invalid_file(path: &Path, offset: Option<u64>, problem: impl Into<String>) -> Self {
        Error::InvalidInput { source: path.display().to_string(), offset, problem: problem.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::InvalidOption { option, expected, got } => {
                write!(f, "`{option}` must be {expected}, got {got}")
            }
            Error::InvalidInput { source, offset: Some(offset), problem } => {
                write!(f, "{source}, byte {offset}: {problem}")
            }
            Error::InvalidInput { source, offset: None, problem } => {
                // A problem that begins with its verb has the source for its subject.
                let verbs = ["is ", "has ", "does ", "lacks "];
                let joint =
                    if verbs.iter().any(|verb| problem.starts_with(verb)) { "" } else { ":" };
                write!(f, "{source}{joint} {problem}")
            }
            Error::NotFound { what, name } => write!(f, "{what} not found: {name}"),
            Error::Unsupported { what } => f.write_str(what),
            Error::OutOfMemory { asked, free: Some(free) } => {
                write!(f, "{} of memory are needed, {} are free", bytes(*asked), bytes(*free))
            }
            Error::OutOfMemory { asked, free: None } => {
                write!(f, "{} of memory are needed and could not be had", bytes(*asked))
            }
            Error::DiskFull { path } => {
                write!(f, "no room on the disk while writing {}", path.display())
            }
            Error::Io { doing, path, reason } => {
                write!(f, "cannot {doing} {}: {reason}", path.display())
            }
            Error::Diverged { what } => f.write_str(what),
            Error::Aborted => f.write_str("the run was aborted"),
            Error::Internal(message) => write!(f, "a fault in inlay itself: {message}"),
        }
    }
}

impl std::error::Error for Error {}

fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} bytes"),
        10_000..10_000_000 => format!("{} KB", count / 1000),
        10_000_000..10_000_000_000 => format!("{} MB", count / 1_000_000),
        _ => format!("{} GB", count / 1_000_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_the_file_the_place_and_the_problem() {
        let error = |offset, problem| Error::invalid_file(Path::new("a.bin"), offset, problem);
        assert_eq!(error(None, "is a directory").to_string(), "a.bin is a directory");
        assert_eq!(error(None, "no rows").to_string(), "a.bin: no rows");
        assert_eq!(error(Some(7), "not a number").to_string(), "a.bin, byte 7: not a number");
    }
}
