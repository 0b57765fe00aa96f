use std::ops::Deref;

use inlay_base::{Error, Result};
use inlay_formats::Array;
use inlay_kernels::fetch;

use crate::room::{Numbers, Room};

/// What a cell without an n-gram has for its word.
pub const EMPTY: u32 = u32::MAX;
/// Cells that a search looks at, at most: more means a damaged file.
const PROBES: usize = 1 << 12;

/// The n-grams of one order from 2 on, found by their newest word and the cell of their context in the
/// table of the order below (at order 2 the context is a word). So every n-gram is stored exactly, and
/// can be read back: its words are its own and those of its context.
///
/// A hash table with linear probing. A cell is context, word, log10 probability, and but for the
/// highest order log10 back-off.
pub struct Table {
    cells: Cells,
    width: usize,
    slots: usize,
    /// How many n-grams there are.
    pub len: usize,
}

/// Values that were made, or that lie in a file.
pub enum Cells {
    /// They can be written.
    Made(Numbers),
    /// They are only read.
    Mapped(Array<u32>),
}

impl Deref for Cells {
    type Target = [u32];
    #[inline(always)]
    fn deref(&self) -> &[u32] {
        match self {
            Cells::Made(numbers) => numbers,
            Cells::Mapped(array) => array,
        }
    }
}

/// Values of a cell of the highest order, and of the others.
pub const fn width(highest: bool) -> usize {
    if highest { 3 } else { 4 }
}

#[inline(always)]
fn home(context: u32, word: u32, slots: usize) -> usize {
    let key = (u64::from(context) << 32) | u64::from(word);
    let mut hash = key.wrapping_mul(0x9FB2_1C65_1E98_DF25);
    hash = (hash ^ (hash >> 29)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    ((u128::from(hash ^ (hash >> 32)) * slots as u128) >> 64) as usize
}

impl Table {
    /// An empty table for so many n-grams.
    ///
    /// # Errors
    /// `Unsupported`: more than cells can be numbered; `OutOfMemory`, `DiskFull`.
    pub fn for_entries(entries: usize, highest: bool, room: &Room) -> Result<Self> {
        // Of 20 cells at most 14 are taken: a search looks at two on average.
        let slots = entries + entries * 6 / 14 + 1;
        if slots >= EMPTY as usize {
            let what = format!("{entries} n-grams of one order are more than 2^31");
            return Err(Error::Unsupported { what });
        }
        let width = width(highest);
        let mut cells = room.numbers(slots * width)?;
        cells.chunks_exact_mut(width).for_each(|cell| cell[1] = EMPTY);
        Ok(Self { cells: Cells::Made(cells), width, slots, len: 0 })
    }

    /// The table that lies in a file.
    pub fn mapped(cells: Array<u32>, highest: bool, len: usize) -> Option<Self> {
        let width = width(highest);
        let slots = cells.len() / width;
        let fits = cells.len().is_multiple_of(width) && slots > len && slots < EMPTY as usize;
        fits.then_some(Self { cells: Cells::Mapped(cells), width, slots, len })
    }

    /// Adds an n-gram and returns its cell; `None` if it is there already.
    ///
    /// # Panics
    /// If the table is one of a file.
    #[inline(always)]
    pub fn insert(&mut self, context: u32, word: u32, values: [f32; 2]) -> Option<u32> {
        let Self { cells: Cells::Made(cells), width, slots, len } = self else {
            panic!("tables of files are finished");
        };
        let mut slot = home(context, word, *slots);
        loop {
            let cell = &mut cells[slot * *width..(slot + 1) * *width];
            if cell[1] == EMPTY {
                (cell[0], cell[1], cell[2]) = (context, word, values[0].to_bits());
                if let Some(backoff) = cell.get_mut(3) {
                    *backoff = values[1].to_bits();
                }
                *len += 1;
                return Some(slot as u32);
            }
            if cell[0] == context && cell[1] == word {
                return None;
            }
            slot += 1;
            if slot == *slots {
                slot = 0;
            }
        }
    }

    /// Adds n-grams (number, context, word, values) and writes the cell of each to its number's place
    /// in `slots`. The memory is asked for the cells of a block before they are looked at.
    ///
    /// # Errors
    /// The number of the first that was there already.
    pub fn insert_all(
        &mut self,
        mut ngrams: impl Iterator<Item = (usize, u32, u32, [f32; 2])>,
        slots: &mut [u32],
    ) -> std::result::Result<(), usize> {
        const TOGETHER: usize = 64;
        let mut block = Vec::with_capacity(TOGETHER);
        loop {
            block.extend(ngrams.by_ref().take(TOGETHER));
            if block.is_empty() {
                return Ok(());
            }
            block.iter().for_each(|&(_, context, word, _)| self.fetch(context, word));
            for (number, context, word, values) in block.drain(..) {
                slots[number] = self.insert(context, word, values).ok_or(number)?;
            }
        }
    }

    /// Asks the memory for where an n-gram lies, if there is such a one.
    #[inline(always)]
    pub fn fetch(&self, context: u32, word: u32) {
        fetch(&self.cells, home(context, word, self.slots) * self.width);
    }

    /// As `fetch`, by the cell.
    #[inline(always)]
    pub fn fetch_cell(&self, slot: u32) {
        fetch(&self.cells, slot as usize * self.width);
    }

    /// The cell of an n-gram.
    #[inline(always)]
    pub fn find(&self, context: u32, word: u32) -> Option<u32> {
        let mut slot = home(context, word, self.slots);
        for _ in 0..PROBES {
            let cell = &self.cells[slot * self.width..slot * self.width + 2];
            if cell[0] == context && cell[1] == word {
                return Some(slot as u32);
            }
            if cell[1] == EMPTY {
                return None;
            }
            slot += 1;
            if slot == self.slots {
                slot = 0;
            }
        }
        None
    }

    /// Context, word, log10 probability and log10 back-off of a cell; a back-off of the highest order
    /// is 0. `None` for an empty cell and for one that is not there.
    #[inline(always)]
    pub fn get(&self, slot: u32) -> Option<(u32, u32, f32, f32)> {
        let start = (slot as usize).checked_mul(self.width)?;
        let cell = self.cells.get(start..start + self.width)?;
        let backoff = cell.get(3).map_or(0.0, |&bits| f32::from_bits(bits));
        (cell[1] != EMPTY).then_some((cell[0], cell[1], f32::from_bits(cell[2]), backoff))
    }

    /// The two values of a cell that `find` found.
    #[inline(always)]
    pub fn values(&self, slot: u32) -> (f32, f32) {
        let cell = &self.cells[slot as usize * self.width..(slot as usize + 1) * self.width];
        (f32::from_bits(cell[2]), cell.get(3).map_or(0.0, |&bits| f32::from_bits(bits)))
    }

    /// Cells, taken or not.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// All cells, end to end.
    pub fn cells(&self) -> &[u32] {
        &self.cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_found_with_its_values_and_no_other() {
        for (entries, highest) in [(0, true), (1, false), (3000, false), (3000, true)] {
            let room = Room::new(u64::MAX, None);
            let mut table = Table::for_entries(entries, highest, &room).unwrap();
            let value = |i: usize| [i as f32, 0.5 * i as f32];
            let slots: Vec<u32> = (0..entries)
                .map(|i| table.insert((i / 7) as u32, (i % 7) as u32, value(i)).unwrap())
                .collect();
            assert_eq!(table.len, entries);
            for (i, &slot) in slots.iter().enumerate() {
                let (context, word) = ((i / 7) as u32, (i % 7) as u32);
                assert_eq!(table.find(context, word), Some(slot));
                let backoff = if highest { 0.0 } else { value(i)[1] };
                assert_eq!(table.get(slot), Some((context, word, value(i)[0], backoff)));
                assert_eq!(table.insert(context, word, [0.0; 2]), None);
            }
            assert_eq!(table.find(0, 9), None);
            assert_eq!(table.get(table.slots() as u32), None);
        }
    }

    #[test]
    fn a_full_table_of_a_damaged_file_is_searched_to_an_end() {
        let table = Table::mapped(vec![5; 3 * 10_000].into(), true, 9_999).unwrap();
        assert_eq!(table.find(1, 1), None);
        assert!(Table::mapped(vec![5; 7].into(), true, 1).is_none());
        assert!(Table::mapped(vec![5; 6].into(), true, 2).is_none());
    }
}
