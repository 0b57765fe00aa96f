use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use inlay_base::{Pages, Result, lock};

/// How much memory a run may take, and where what does not fit goes: to temporary files, which the
/// system keeps in memory as far as it has some to spare.
#[derive(Debug, Clone)]
pub struct Room {
    memory: u64,
    directory: Option<PathBuf>,
    used: Arc<AtomicU64>,
    spare: Arc<Mutex<Spare>>,
}

/// Memory that a run has done with: the system clears what it gives, which is a fifth of a run's time
/// where nothing is used again.
#[derive(Default)]
struct Spare {
    pages: Vec<Pages>,
    /// Whether some more is taken.
    open: bool,
}

impl std::fmt::Debug for Spare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes to spare", self.bytes())
    }
}

impl Spare {
    fn bytes(&self) -> u64 {
        self.pages.iter().map(bytes_of).sum()
    }

    /// The smallest that so many values fit into and do not waste: what is not written is not there.
    fn take(&mut self, length: usize) -> Option<Pages> {
        let fits = |pages: &Pages| (length..=4 * length).contains(&pages.capacity());
        let fitting = self.pages.iter().enumerate().filter(|(_, pages)| fits(pages));
        let best = fitting.min_by_key(|(_, pages)| pages.capacity())?.0;
        self.pages.swap_remove(best).reused(length)
    }
}

fn bytes_of(pages: &Pages) -> u64 {
    4 * pages.capacity() as u64
}

/// Numbers in memory, or in a temporary file where there is no more room.
pub struct Numbers {
    pages: Pages,
    room: Room,
    /// Of memory.
    bytes: u64,
}

impl Room {
    /// `memory` in bytes; `directory` of the temporary files, or the system's.
    pub fn new(memory: u64, directory: Option<PathBuf>) -> Self {
        Self { memory, directory, used: Arc::default(), spare: Arc::default() }
    }

    /// The same room, in which what is dropped is used again until `close`.
    pub fn open(&self) -> &Self {
        self.spare().open = true;
        self
    }

    /// Gives back what is to spare.
    pub fn close(&self) {
        *self.spare() = Spare::default();
    }

    /// So many zeros. What was never written takes no memory.
    ///
    /// # Errors
    /// `OutOfMemory`; `DiskFull`, `Io`: the temporary file could not be written.
    pub fn numbers(&self, length: usize) -> Result<Numbers> {
        let (mut numbers, is_clear) = self.find(length)?;
        if !is_clear {
            numbers.fill(0);
        }
        Ok(numbers)
    }

    /// So many numbers of any kind, all of which will be written.
    ///
    /// # Errors
    /// As `numbers`.
    pub fn unset(&self, length: usize) -> Result<Numbers> {
        Ok(self.find(length)?.0)
    }

    /// Numbers, and whether they are zeros.
    fn find(&self, length: usize) -> Result<(Numbers, bool)> {
        let used = |pages: Pages, bytes| Numbers { pages, room: self.clone(), bytes };
        let mut spare = self.spare();
        if let Some(pages) = spare.take(length) {
            let bytes = bytes_of(&pages);
            self.used.fetch_add(bytes, Relaxed);
            return Ok((used(pages, bytes), false));
        }
        let bytes = (length as u64).saturating_mul(4);
        let taken = self.used.fetch_add(bytes, Relaxed).saturating_add(bytes);
        while taken.saturating_add(spare.bytes()) > self.memory && spare.pages.pop().is_some() {}
        drop(spare);
        if taken <= self.memory {
            let pages = Pages::zeroed(length).inspect_err(|_| self.give_back(bytes))?;
            return Ok((used(pages, bytes), true));
        }
        self.give_back(bytes);
        Ok((used(Pages::in_file(length, self.directory.as_deref())?, 0), true))
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Relaxed);
    }

    fn spare(&self) -> MutexGuard<'_, Spare> {
        lock(&self.spare)
    }
}

impl Drop for Numbers {
    fn drop(&mut self) {
        self.room.give_back(self.bytes);
        let mut spare = self.room.spare();
        if spare.open && self.bytes > 0 {
            let pages = std::mem::replace(&mut self.pages, Pages::empty());
            spare.pages.push(pages);
        }
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

    /// Neighbours as numbers of 64 bits.
    #[inline]
    pub fn wide(&self) -> &[u64] {
        bytemuck::cast_slice(self)
    }

    /// The same, to be written.
    #[inline]
    pub fn wide_mut(&mut self) -> &mut [u64] {
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

    #[test]
    fn an_open_room_uses_memory_again_and_zeros_are_zeros() {
        const MANY: usize = 2_000_000;
        let room = Room::new(1 << 30, None);
        let made = |room: &Room| {
            let mut numbers = room.unset(MANY).unwrap();
            numbers.fill(7);
        };
        made(&room);
        assert!(room.spare().pages.is_empty());
        made(room.open());
        assert_eq!(room.spare().pages.len(), 1);
        assert_eq!(room.unset(MANY - 9).unwrap()[5], 7);
        assert!(room.numbers(MANY - 9).unwrap().iter().all(|&number| number == 0));
        assert_eq!(room.spare().pages.len(), 1);
        room.close();
        assert_eq!((room.spare().pages.len(), room.used.load(Relaxed)), (0, 0));
        made(&room);
        assert!(room.spare().pages.is_empty());
    }
}
