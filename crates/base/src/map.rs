use std::fs::File;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::{Error, Result};

/// A file as memory, read only: opened at once whatever its size, shared by all threads and
/// processes that map it. A file of no bytes is an empty map.
///
/// Whoever cuts the file short while it is mapped makes the next read of the lost part a bus
/// error: files are replaced by rename here, never rewritten (see `AtomicFile`).
#[derive(Debug)]
pub struct Map {
    map: Option<Mmap>,
    path: PathBuf,
}

impl Map {
    /// Maps a file by name.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io("open", path, &error))?;
        Self::of(&file, path)
    }

    /// Maps a file that is open; `path` is for messages.
    pub fn of(file: &File, path: &Path) -> Result<Self> {
        let failed = |error| Error::io("map", path, &error);
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(Error::invalid_file(path, None, "is a directory, not a file"));
        }
        let map = match metadata.len() {
            0 => None,
            // SAFETY: the map is read only; that nobody truncates the file is the documented
            // condition of this type.
            _ => Some(unsafe { Mmap::map(file) }.map_err(failed)?),
        };
        Ok(Self { map, path: path.into() })
    }

    /// The name it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the memory of these bytes back to the system; they are read again when next touched.
    /// This keeps a pass over a file larger than memory from filling it.
    pub fn release(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Some(map) = &self.map {
            const PAGE: usize = 1 << 16;
            let start = range.start.next_multiple_of(PAGE);
            let end = range.end.min(map.len()) / PAGE * PAGE;
            if start < end {
                // SAFETY: the map is shared and read only, so a dropped page is read again from
                // the file with the same bytes.
                let _ = unsafe {
                    map.unchecked_advise_range(
                        memmap2::UncheckedAdvice::DontNeed,
                        start,
                        end - start,
                    )
                };
            }
        }
        #[cfg(not(unix))]
        let _ = range;
    }
}

impl Deref for Map {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }
}
