//! Files as text: plain, gzip or zstd, told by their first bytes.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flate2::bufread::MultiGzDecoder;
use inlay_base::{Error, Result, Run};

/// A file that was opened.
pub(crate) enum Opened {
    /// Plain text of known length, which threads read at their own places.
    Plain(File, u64),
    /// Text that comes only in order.
    Sequence(Sequence),
}

/// Text that comes only in order: decompressed, or from a pipe.
pub(crate) struct Sequence {
    reader: Box<dyn Read + Send>,
    /// "gzip" or "zstd".
    form: &'static str,
    path: PathBuf,
    /// Bytes of the file that the decoder has asked for.
    taken: Arc<AtomicU64>,
    /// Of these, how many `advance` has heard of.
    reported: u64,
    /// Bytes of text read.
    pub offset: u64,
}

/// Counts what is read from a file.
struct Counted {
    file: File,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.taken.fetch_add(read as u64, Relaxed);
        Ok(read)
    }
}

/// Opens a file and looks at its first bytes.
pub(crate) fn open(path: &Path) -> Result<Opened> {
    let failed = |error| Error::io("open", path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mut magic = Vec::new();
    (&mut file).take(4).read_to_end(&mut magic).map_err(|error| Error::io("read", path, &error))?;
    let form = form(&magic);
    if form.is_none() && metadata.is_file() {
        return Ok(Opened::Plain(file, metadata.len()));
    }
    let taken = Arc::new(AtomicU64::new(magic.len() as u64));
    let rest = Counted { file, taken: Arc::clone(&taken) };
    let whole = BufReader::with_capacity(1 << 16, Cursor::new(magic).chain(rest));
    let reader: Box<dyn Read + Send> = match form {
        Some("gzip") => Box::new(MultiGzDecoder::new(whole)),
        Some(_) => Box::new(zstd::stream::read::Decoder::with_buffer(whole).map_err(failed)?),
        None => Box::new(whole),
    };
    let form = form.unwrap_or("plain");
    Ok(Opened::Sequence(Sequence {
        reader,
        form,
        path: path.into(),
        taken,
        reported: 0,
        offset: 0,
    }))
}

fn form(magic: &[u8]) -> Option<&'static str> {
    match magic {
        [0x1F, 0x8B, ..] => Some("gzip"),
        [0x28, 0xB5, 0x2F, 0xFD] => Some("zstd"),
        [0x50..=0x5F, 0x2A, 0x4D, 0x18] => Some("zstd"), // a skippable frame, as pzstd begins with
        _ => None,
    }
}

impl Sequence {
    /// The file's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends some text to `buffer`, at most `limit` bytes; 0 at the end.
    pub fn read(&mut self, buffer: &mut Vec<u8>, limit: usize, run: &Run) -> Result<usize> {
        let before = buffer.len();
        let outcome = self.reader.by_ref().take(limit as u64).read_to_end(buffer);
        let taken = self.taken.load(Relaxed);
        run.advance(taken - self.reported);
        self.reported = taken;
        self.offset += (buffer.len() - before) as u64;
        outcome.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> Error {
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
