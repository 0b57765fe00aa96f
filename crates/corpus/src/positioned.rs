//! Files read and written at given places by many threads at once.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytemuck::Pod;
use inlay_base::{Error, Map, Result};

/// Reads some bytes from a place on; 0 at the end.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(file, buffer, offset);
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(file, buffer, offset);
        match read {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

fn write_at(file: &File, buffer: &[u8], offset: u64) -> io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::write_at(file, buffer, offset);
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_write(file, buffer, offset);
}

/// A temporary file without a name: the system takes it back when nobody holds it any more,
/// whatever becomes of the process.
#[derive(Debug)]
pub struct Spool {
    file: File,
    directory: PathBuf,
    length: AtomicU64,
}

impl Spool {
    /// An empty file in `directory`, or where the system puts temporary files.
    pub fn create(directory: Option<&Path>) -> Result<Self> {
        let directory = directory.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let file = tempfile::tempfile_in(&directory)
            .map_err(|error| Error::io("write a temporary file in", &directory, &error))?;
        Ok(Self { file, directory, length: AtomicU64::new(0) })
    }

    /// Appends values and returns where they lie, in bytes.
    pub fn append<T: Pod>(&self, values: &[T]) -> Result<u64> {
        let offset = self.reserve(size_of_val(values) as u64);
        self.write(values, offset)?;
        Ok(offset)
    }

    /// Makes room for so many bytes, to be written later, and returns where.
    pub fn reserve(&self, bytes: u64) -> u64 {
        self.length.fetch_add(bytes, Relaxed)
    }

    /// Writes values to a place, in bytes.
    pub fn write<T: Pod>(&self, values: &[T], offset: u64) -> Result<()> {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let mut done = 0;
        while done < bytes.len() {
            match write_at(&self.file, &bytes[done..], offset + done as u64) {
                Ok(0) => return Err(Error::DiskFull { path: self.directory.clone() }),
                Ok(written) => done += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(Error::io("write a temporary file in", &self.directory, &error));
                }
            }
        }
        Ok(())
    }

    /// Replaces `values` by `count` values from a place on.
    pub fn read<T: Pod>(&self, values: &mut Vec<T>, count: usize, offset: u64) -> Result<()> {
        values.resize(count, T::zeroed());
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(values);
        let mut done = 0;
        while done < bytes.len() {
            let read = read_at(&self.file, &mut bytes[done..], offset + done as u64)
                .map_err(|error| Error::io("read a temporary file in", &self.directory, &error))?;
            if read == 0 {
                return Err(Error::Internal("a temporary file is shorter than written".into()));
            }
            done += read;
        }
        Ok(())
    }

    /// The whole file as memory; it lives as long as the map.
    pub fn map(self) -> Result<Map> {
        Map::of(&self.file, &self.directory)
    }
}
