use std::sync::Mutex;

use inlay_base::{Error, Pages, Result, lock};

/// Up to here the allocator has it at hand; a large page would be larger than all of it.
const SMALL: usize = 1 << 19;
/// Values that are kept in all for those who come next: 128 MB.
const KEPT: usize = 1 << 25;

/// Memory that was given back, the last one behind. To be given new memory costs twice as much as to fill it.
static SPARE: Mutex<Vec<Pages>> = Mutex::new(Vec::new());

/// Room for values: much of it lies on large pages, and is used again when it is given back.
pub enum Memory {
    /// A few.
    Small(Vec<f32>),
    /// Many.
    Large(Pages),
}

impl Memory {
    /// Rows of so many values each, with whatever lies in them.
    ///
    /// # Errors
    /// `OutOfMemory`
    pub fn new(rows: usize, width: usize) -> Result<Self> {
        let Some(length) = rows.checked_mul(width) else {
            return Err(Error::OutOfMemory { asked: u64::MAX, free: None });
        };
        if length <= SMALL {
            return Ok(Self::Small(vec![0.0; length]));
        }
        let spare = {
            let mut spare = lock(&SPARE);
            // Not one of which most would lie idle.
            let fits = |pages: &Pages| (length..=4 * length).contains(&pages.capacity());
            let found = spare.iter().rposition(fits);
            found.map(|at| spare.remove(at))
        };
        let reused = spare.and_then(|pages| pages.reused(length));
        reused.map_or_else(|| Pages::zeroed(length), Ok).map(Self::Large)
    }

    /// Gives the memory to those who come next, or to the system.
    pub fn give_back(self) {
        let Self::Large(pages) = self else { return };
        let mut gone = Vec::new();
        {
            let mut spare = lock(&SPARE);
            spare.push(pages);
            while spare.iter().map(Pages::capacity).sum::<usize>() > KEPT {
                gone.push(spare.remove(0));
            }
        }
        drop(gone); // takes its time: not while others wait for the list
    }

    /// Whether it takes long to give back.
    pub fn is_large(&self) -> bool {
        matches!(self, Self::Large(_))
    }

    /// All values.
    pub fn as_slice(&self) -> &[f32] {
        match self {
            Self::Small(values) => values,
            Self::Large(pages) => pages.as_slice(),
        }
    }

    /// All values, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        match self {
            Self::Small(values) => values,
            Self::Large(pages) => pages.as_mut_slice(),
        }
    }
}

/// Such memory for bytes.
pub struct Bytes {
    memory: Memory,
    length: usize,
}

impl Bytes {
    /// So many, with whatever lies in them.
    ///
    /// # Errors
    /// `OutOfMemory`
    pub fn new(length: usize) -> Result<Self> {
        Ok(Self { memory: Memory::new(length.div_ceil(4), 1)?, length })
    }

    /// As `Memory::give_back`.
    pub fn give_back(self) {
        self.memory.give_back();
    }

    /// As `Memory::is_large`.
    pub fn is_large(&self) -> bool {
        self.memory.is_large()
    }

    /// All bytes.
    pub fn as_slice(&self) -> &[u8] {
        &bytemuck::cast_slice(self.memory.as_slice())[..self.length]
    }

    /// All bytes, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(self.memory.as_mut_slice())[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_given_back_is_used_again_where_it_fits_and_no_more_is_kept_than_allowed() {
        let length = 3 * SMALL;
        let mut first = Memory::new(length, 1).unwrap();
        first.as_mut_slice().fill(7.0);
        first.give_back();
        let again = Memory::new(length - 5, 1).unwrap();
        assert_eq!(again.as_slice().len(), length - 5);
        assert!(again.as_slice().iter().all(|&value| value == 7.0));
        again.give_back();
        let less = Memory::new(SMALL / 2, 1).unwrap();
        assert!(less.as_slice().iter().all(|&value| value == 0.0));
        for _ in 0..30 {
            let many: Vec<_> = (0..20).map(|_| Memory::new(length, 1).unwrap()).collect();
            many.into_iter().for_each(Memory::give_back);
            let spare = SPARE.lock().unwrap();
            assert!(spare.iter().map(Pages::capacity).sum::<usize>() <= KEPT);
        }
    }

    #[test]
    fn bytes_are_as_many_as_were_asked_for() {
        for length in [0, 1, 5, 4 * SMALL + 3] {
            let mut bytes = Bytes::new(length).unwrap();
            bytes.as_mut_slice().fill(9);
            assert_eq!(bytes.as_slice(), vec![9; length]);
            bytes.give_back();
        }
    }

    #[test]
    fn more_than_there_is_is_an_error() {
        assert_eq!(Memory::new(usize::MAX, 2).err().unwrap().code(), "OUT_OF_MEMORY");
        assert_eq!(Memory::new(usize::MAX / 8, 1).err().unwrap().code(), "OUT_OF_MEMORY");
    }
}
