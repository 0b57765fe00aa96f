use std::io::Write;
use std::path::Path;
use std::slice;

use memmap2::MmapMut;

use crate::memory::{afford, available};
use crate::{Error, Result};

/// Two MiB: the size of a large page on x86-64 and ARM.
const LARGE_PAGE: usize = 1 << 21;

/// Zeroed `f32` memory straight from the system, on large pages where it has them: rows are met at
/// random, and with small pages each meeting is a walk through the page table as well.
pub struct Pages {
    map: Option<MmapMut>,
    /// Where the values begin in `map`, in bytes.
    start: usize,
    length: usize,
}

impl Pages {
    /// No memory.
    pub const fn empty() -> Self {
        Self { map: None, start: 0, length: 0 }
    }

    /// `length` zeros; an error, not an abort, where memory does not suffice.
    pub fn zeroed(length: usize) -> Result<Self> {
        if length == 0 {
            return Ok(Self::empty());
        }
        let asked = length.checked_mul(4).and_then(|bytes| bytes.checked_add(LARGE_PAGE));
        afford(asked.map(|bytes| bytes as u64))?;
        let asked = asked.unwrap_or(usize::MAX); // which nobody can afford
        let refused = |_| Error::OutOfMemory { asked: asked as u64, free: available() };
        let map = MmapMut::map_anon(asked).map_err(refused)?;
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage); // a kernel without large pages says no: fine
        let start = map.as_ptr().align_offset(LARGE_PAGE);
        Ok(Self { map: Some(map), start, length })
    }

    /// `length` zeros in a temporary file without a name, for what would not fit into memory: the
    /// system writes pages out and reads them again as it needs room. The file is written in full
    /// first, so that a full disk is an error here and not the end of the process later.
    pub fn in_file(length: usize, directory: Option<&Path>) -> Result<Self> {
        const BLOCK: usize = 1 << 20;
        if length == 0 {
            return Self::zeroed(0);
        }
        let directory = directory.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let failed = |error| Error::io("write a temporary file in", &directory, &error);
        let full = || Error::DiskFull { path: directory.clone() };
        let bytes = length.checked_mul(4).ok_or_else(full)?;
        let mut file = tempfile::tempfile_in(&directory).map_err(failed)?;
        let zeros = vec![0; BLOCK.min(bytes)];
        for start in (0..bytes).step_by(BLOCK) {
            file.write_all(&zeros[..BLOCK.min(bytes - start)]).map_err(failed)?;
        }
        // SAFETY: the file has no name, so nobody else cuts it short or writes to it.
        let map = unsafe { MmapMut::map_mut(&file) }.map_err(failed)?;
        Ok(Self { map: Some(map), start: 0, length })
    }

    /// So many values would fit.
    pub fn capacity(&self) -> usize {
        self.map.as_ref().map_or(0, |map| (map.len() - self.start) / 4)
    }

    /// The same memory for other values, with whatever lies in it; `None` if they do not fit.
    pub fn reused(self, length: usize) -> Option<Self> {
        (length <= self.capacity()).then_some(Self { length, ..self })
    }

    /// All values.
    pub fn as_slice(&self) -> &[f32] {
        // SAFETY: `zeroed` made the map longer than `start` and `length` values, the start is
        // aligned, and any bytes are f32 values.
        unsafe { slice::from_raw_parts(self.as_ptr(), self.length) }
    }

    /// All values, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as above, and `self` is borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.as_ptr().cast_mut(), self.length) }
    }

    pub(crate) fn as_ptr(&self) -> *const f32 {
        match &self.map {
            // SAFETY: `start` lies inside the map.
            Some(map) => unsafe { map.as_ptr().add(self.start).cast() },
            // No value, at a place where values of any kind could be.
            None => std::ptr::without_provenance(LARGE_PAGE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_zeroed_aligned_and_writable() {
        for length in [0, 1, 1000, 3_000_000] {
            let mut pages = Pages::zeroed(length).unwrap();
            assert!(pages.as_slice().iter().all(|&value| value == 0.0));
            assert_eq!(pages.as_slice().len(), length);
            pages.as_mut_slice().fill(1.0);
            assert!(pages.as_slice().iter().all(|&value| value == 1.0));
            if length > 0 {
                assert_eq!(pages.as_ptr() as usize % LARGE_PAGE, 0);
            }
        }
    }

    #[test]
    fn pages_of_a_file_are_zeroed_and_writable_and_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for length in [0, 1, 1000, 700_000] {
            let mut pages = Pages::in_file(length, Some(folder.path())).unwrap();
            assert!(pages.as_slice().iter().all(|&value| value == 0.0));
            assert_eq!(pages.as_slice().len(), length);
            pages.as_mut_slice().fill(1.0);
            assert!(pages.as_slice().iter().all(|&value| value == 1.0));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let missing = Pages::in_file(1, Some(&folder.path().join("no")));
        assert!(matches!(missing.err(), Some(Error::NotFound { .. })));
    }

    #[test]
    fn memory_is_used_again_for_what_fits() {
        let mut pages = Pages::zeroed(1000).unwrap();
        pages.as_mut_slice().fill(2.0);
        let pages = pages.reused(10).unwrap();
        assert_eq!(pages.as_slice(), [2.0; 10]);
        assert_eq!(pages.reused(1000).unwrap().as_slice(), [2.0; 1000]);
        let pages = Pages::zeroed(1000).unwrap();
        let most = pages.capacity();
        assert!(most >= 1000 && pages.reused(most + 1).is_none());
        assert!(Pages::zeroed(0).unwrap().reused(1).is_none());
    }

    #[test]
    fn more_than_the_machine_has_is_an_error() {
        for length in [usize::MAX, usize::MAX / 8, 1 << 50] {
            let outcome = Pages::zeroed(length);
            assert!(matches!(outcome.err(), Some(Error::OutOfMemory { .. })));
        }
    }
}
