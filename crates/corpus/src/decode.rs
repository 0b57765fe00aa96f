//! Files as text: plain, gzip or zstd, told by their first bytes.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flate2::bufread::MultiGzDecoder;
use inlay_base::{Error, Result, Run};

use crate::pipe::Pipe;

/// A file that was opened.
pub(crate) enum Opened<'a> {
    /// Plain text of known length, which threads read at their own places.
    Plain(File, u64),
    /// Text that comes only in order.
    Sequence(Sequence<'a>),
}

/// Text that comes only in order: decompressed, or from a pipe.
pub struct Sequence<'a> {
    reader: Box<dyn Read + Send + 'a>,
    /// "gzip" or "zstd".
    form: &'static str,
    path: PathBuf,
    run: &'a Run,
    /// Bytes of the file that the decoder has asked for.
    taken: Arc<AtomicU64>,
    /// Of these, how many the run has heard of.
    reported: u64,
    /// Whether the run hears of any.
    reports: bool,
    /// Bytes of text read.
    pub(crate) offset: u64,
}

/// Counts what is read from a file.
struct Counted<R> {
    reader: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.taken.fetch_add(read as u64, Relaxed);
        Ok(read)
    }
}

/// Opens a file and looks at its first bytes.
pub(crate) fn open<'a>(path: &Path, run: &'a Run) -> Result<Opened<'a>> {
    let failed = |error| Error::io("open", path, &error);
    // Asked before it is opened: a pipe is open only when somebody writes to it.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return sequence(Pipe::open(path, run)?, path, run).map(Opened::Sequence);
    }
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let magic = magic(&mut file).map_err(|error| Error::io("read", path, &error))?;
    match form(&magic) {
        None => Ok(Opened::Plain(file, length)),
        Some(_) => {
            file.rewind().map_err(|error| Error::io("read", path, &error))?;
            sequence(file, path, run).map(Opened::Sequence)
        }
    }
}

/// Opens a file to be read from its beginning to its end. The run hears nothing of it.
pub(crate) fn open_quietly<'a>(path: &Path, run: &'a Run) -> Result<Sequence<'a>> {
    let opened = match open(path, run)? {
        Opened::Plain(mut file, _) => {
            file.rewind().map_err(|error| Error::io("read", path, &error))?;
            sequence(file, path, run)?
        }
        Opened::Sequence(sequence) => sequence,
    };
    Ok(Sequence { reports: false, ..opened })
}

/// Opens a file to be read from beginning to end, plain, gzip or zstd: phase "read" in bytes as they
/// lie on the disk.
///
/// # Errors
/// `NotFound`, `Io`; `InvalidInput`: a directory.
pub fn in_order<'a>(path: &Path, run: &'a Run) -> Result<Sequence<'a>> {
    let opened = open_quietly(path, run)?;
    let metadata = std::fs::metadata(path).ok().filter(|metadata| metadata.is_file());
    let total = metadata.map(|metadata| metadata.len());
    run.phase("read", "bytes", 0, total);
    Ok(Sequence { reports: true, ..opened })
}

fn sequence<'a, R: Read + Send + 'a>(reader: R, path: &Path, run: &'a Run) -> Result<Sequence<'a>> {
    let failed = |error| match run.check() {
        Ok(()) => Error::io("read", path, &error),
        Err(aborted) => aborted,
    };
    let taken = Arc::new(AtomicU64::new(0));
    let mut counted = Counted { reader, taken: Arc::clone(&taken) };
    let magic = magic(&mut counted).map_err(failed)?;
    let form = form(&magic);
    let whole = BufReader::with_capacity(1 << 16, Cursor::new(magic).chain(counted));
    let reader: Box<dyn Read + Send + 'a> = match form {
        Some("gzip") => Box::new(MultiGzDecoder::new(whole)),
        Some(_) => Box::new(zstd::stream::read::Decoder::with_buffer(whole).map_err(failed)?),
        None => Box::new(whole),
    };
    let (form, path) = (form.unwrap_or("plain"), path.into());
    Ok(Sequence { reader, form, path, run, taken, reported: 0, reports: true, offset: 0 })
}

fn magic(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut magic = Vec::new();
    reader.take(4).read_to_end(&mut magic)?;
    Ok(magic)
}

fn form(magic: &[u8]) -> Option<&'static str> {
    match magic {
        [0x1F, 0x8B, ..] => Some("gzip"),
        [0x28, 0xB5, 0x2F, 0xFD] => Some("zstd"),
        [0x50..=0x5F, 0x2A, 0x4D, 0x18] => Some("zstd"), // a skippable frame, as pzstd begins with
        _ => None,
    }
}

impl Sequence<'_> {
    /// The file's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends some text to `buffer`, at most `limit` bytes; 0 at the end.
    pub fn read(&mut self, buffer: &mut Vec<u8>, limit: usize) -> Result<usize> {
        let before = buffer.len();
        let outcome = self.reader.by_ref().take(limit as u64).read_to_end(buffer);
        if self.reports {
            let taken = self.taken.load(Relaxed);
            self.run.advance(taken - self.reported);
            self.reported = taken;
        }
        self.offset += (buffer.len() - before) as u64;
        outcome.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> Error {
        if let Err(aborted) = self.run.check() {
            return aborted;
        }
        if error.raw_os_error().is_some() {
            return Error::io("read", &self.path, error);
        }
        let problem = match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("the {} data ends too early", self.form),
            _ => format!("the {} data is damaged ({error})", self.form),
        };
        Error::invalid_file(&self.path, Some(self.offset), problem)
    }
}
