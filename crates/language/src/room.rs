use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use inlay_base::{Pages, Result};

/// How much memory a run may take, and where what does not fit goes: to temporary files, which the
/// system keeps in memory as far as it has some to spare.
#[derive(Debug, Clone)]
pub struct Room {
    memory: u64,
    directory: Option<PathBuf>,
    used: Arc<AtomicU64>,
}

/// Numbers in memory, or in a temporary file where there is no more room. They begin as zeros, and
/// what was never written takes no memory.
pub struct Numbers {
    pages: Pages,
    room: Room,
    /// Of memory.
    bytes: u64,
}

impl Room {
    /// `memory` in bytes; `directory` of the temporary files, or the system's.
    pub fn new(memory: u64, directory: Option<PathBuf>) -> Self {
        Self { memory, directory, used: Arc::default() }
    }

    /// So many zeros.
    ///
    /// # Errors
    /// `OutOfMemory`; `DiskFull`, `Io`: the temporary file could not be written.
    pub fn numbers(&self, length: usize) -> Result<Numbers> {
        let bytes = (length as u64).saturating_mul(4);
        let fits = self.used.fetch_add(bytes, Relaxed).saturating_add(bytes) <= self.memory;
        if fits {
            let pages = Pages::zeroed(length).inspect_err(|_| self.give_back(bytes))?;
            return Ok(Numbers { pages, room: self.clone(), bytes });
        }
        self.give_back(bytes);
        let pages = Pages::in_file(length, self.directory.as_deref())?;
        Ok(Numbers { pages, room: self.clone(), bytes: 0 })
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Relaxed);
    }
}

impl Drop for Numbers {
    fn drop(&mut self) {
        self.room.give_back(self.bytes);
    }
}

impl Deref for Numbers {
    type Target = [u32];
    #[inline]
    fn deref(&self) -> &[u32] {
        bytemuck::cast_slice(self.pages.as_slice())
    }
}

impl DerefMut for Numbers {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u32] {
        bytemuck::cast_slice_mut(self.pages.as_mut_slice())
    }
}

impl Numbers {
    /// The bits as real numbers.
    #[inline]
    pub fn reals(&self) -> &[f32] {
        self.pages.as_slice()
    }

    /// The same, to be written.
    #[inline]
    pub fn reals_mut(&mut self) -> &mut [f32] {
        self.pages.as_mut_slice()
    }

    /// Neighbours in pairs.
    #[inline]
    pub fn pairs(&self) -> &[[u32; 2]] {
        bytemuck::cast_slice(self)
    }

    /// The same, to be written.
    #[inline]
    pub fn pairs_mut(&mut self) -> &mut [[u32; 2]] {
        bytemuck::cast_slice_mut(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_goes_to_files_and_room_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let room = Room::new(400, Some(folder.path().to_path_buf()));
        let first = room.numbers(60).unwrap();
        let mut second = room.numbers(60).unwrap();
        assert_eq!((first.bytes, second.bytes), (240, 0));
        second[59] = 7;
        assert_eq!(second[59], 7);
        drop(first);
        assert_eq!(room.numbers(100).unwrap().bytes, 400);
    }
}
