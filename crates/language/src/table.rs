use std::ops::Deref;

use inlay_base::{Error, Result, Run};
use inlay_formats::Array;
use inlay_kernels::fetch;

use crate::room::{Numbers, Room};

/// What stands for no cell.
pub const NO_CELL: u32 = u32::MAX;
/// The key of a cell without an n-gram: the highest.
const EMPTY: u64 = u64::MAX;
/// Cells that a search looks at, at most: more means a damaged file.
const PROBES: usize = 1 << 12;
/// Cells behind the last home, so that no search goes on at the beginning. A row of so many taken
/// cells is met once in 10^25 tables.
const TAIL: usize = 1 << 10;

/// The n-grams of one order from 2 on, found by their newest word and the cell of their context in the
/// table of the order below (at order 2 the context is a word). So every n-gram is stored exactly, and
/// can be read back: its words are its own and those of its context.
///
/// A hash table with linear probing, cells in the order of their keys (Amble, Knuth 1974, "Ordered hash
/// tables"): a search ends at the first key that is not lower, after two cells on average where it would
/// look at six until an empty one. A cell is the key (context and word, mixed), log10 probability, and but
/// for the highest order log10 back-off.
pub struct Table {
    cells: Cells,
    width: usize,
    /// Homes: cells but the tail.
    slots: usize,
    /// How many n-grams there are.
    pub len: usize,
}

/// Why an n-gram is not taken.
#[derive(Debug)]
pub enum Refused {
    /// It is there already.
    Twice,
    /// Others have all cells that it may have: they were made to collide.
    Crowded,
}

/// N-grams whose cells are asked for together.
const TOGETHER: usize = 64;

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

const FACTORS: [u64; 2] = [0x9FB2_1C65_1E98_DF25, 0xD6E8_FEB8_6659_FD93];
const INVERSES: [u64; 2] = [inverse(FACTORS[0]), inverse(FACTORS[1])];
/// Makes the pair that stands for nothing the highest key.
const TURN: u64 = !mixed(u64::MAX);

/// Mixes 64 bits so that no two numbers become one.
const fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(FACTORS[0]);
    mixed = (mixed ^ (mixed >> 29)).wrapping_mul(FACTORS[1]);
    mixed ^ (mixed >> 32)
}

/// Of an odd number modulo 2^64, by Newton's method.
const fn inverse(odd: u64) -> u64 {
    let (mut inverse, mut round) = (odd, 0);
    while round < 6 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        round += 1;
    }
    inverse
}

#[inline(always)]
fn key(context: u32, word: u32) -> u64 {
    mixed((u64::from(context) << 32) | u64::from(word)) ^ TURN
}

/// Context and word of a key.
#[inline(always)]
fn unmixed(key: u64) -> (u32, u32) {
    let mut number = key ^ TURN;
    number = (number ^ (number >> 32)).wrapping_mul(INVERSES[1]);
    number = (number ^ (number >> 29) ^ (number >> 58)).wrapping_mul(INVERSES[0]);
    ((number >> 32) as u32, number as u32)
}

/// Where the search for a key begins: rises with the key.
#[inline(always)]
fn home(key: u64, slots: usize) -> usize {
    ((u128::from(key) * slots as u128) >> 64) as usize
}

#[inline(always)]
fn key_of(cell: &[u32]) -> u64 {
    u64::from(cell[0]) | (u64::from(cell[1]) << 32)
}

impl Table {
    /// An empty table for so many n-grams.
    ///
    /// # Errors
    /// `Unsupported`: more than cells can be numbered; `OutOfMemory`, `DiskFull`.
    pub fn for_entries(entries: usize, highest: bool, room: &Room) -> Result<Self> {
        // Of 20 cells at most 14 are taken.
        let slots = entries + entries * 6 / 14 + 1;
        if slots + TAIL >= NO_CELL as usize {
            let what = format!("{entries} n-grams of one order are more than 2^31");
            return Err(Error::Unsupported { what });
        }
        let width = width(highest);
        let mut cells = room.numbers((slots + TAIL) * width)?;
        for cell in cells.chunks_exact_mut(width) {
            cell[..2].fill(u32::MAX);
        }
        Ok(Self { cells: Cells::Made(cells), width, slots, len: 0 })
    }

    /// The table that lies in a file.
    pub fn mapped(cells: Array<u32>, highest: bool, len: usize) -> Option<Self> {
        let width = width(highest);
        let all = cells.len() / width;
        let slots = all.checked_sub(TAIL).filter(|&slots| slots > 0)?;
        let fits = cells.len().is_multiple_of(width) && all > len && all < NO_CELL as usize;
        fits.then_some(Self { cells: Cells::Mapped(cells), width, slots, len })
    }

    /// Adds n-grams (context, word, values). The memory is asked for the cells of a block before they
    /// are looked at. They are found once `finish` has been called.
    ///
    /// # Errors
    /// The first that is not taken.
    ///
    /// # Panics
    /// If the table is one of a file.
    pub fn insert_all(
        &mut self,
        mut ngrams: impl Iterator<Item = (u32, u32, [f32; 2])>,
    ) -> std::result::Result<(), Refused> {
        let mut block = Vec::with_capacity(TOGETHER);
        loop {
            block.extend(ngrams.by_ref().take(TOGETHER));
            if block.is_empty() {
                return Ok(());
            }
            let view = self.view();
            block.iter().for_each(|&(context, word, _)| view.fetch(context, word));
            for (context, word, values) in block.drain(..) {
                self.insert(context, word, values)?;
            }
        }
    }

    #[inline(always)]
    fn insert(
        &mut self,
        context: u32,
        word: u32,
        values: [f32; 2],
    ) -> std::result::Result<(), Refused> {
        let Self { cells: Cells::Made(cells), width, slots, len } = self else {
            panic!("tables of files are finished");
        };
        let key = key(context, word);
        let cells = cells[home(key, *slots) * *width..].chunks_exact_mut(*width);
        for cell in cells.take(TAIL) {
            let found = key_of(cell);
            if found == EMPTY {
                (cell[0], cell[1]) = (key as u32, (key >> 32) as u32);
                cell[2] = values[0].to_bits();
                if let Some(backoff) = cell.get_mut(3) {
                    *backoff = values[1].to_bits();
                }
                *len += 1;
                return Ok(());
            }
            if found == key {
                return Err(Refused::Twice);
            }
        }
        Err(Refused::Crowded)
    }

    /// Puts the cells in order.
    ///
    /// # Errors
    /// `Unsupported`: n-grams that were made to collide; `Aborted`.
    pub fn finish(&mut self, run: &Run) -> Result<()> {
        let Self { cells: Cells::Made(cells), width, .. } = self else { return Ok(()) };
        let (width, all) = (*width, cells.len() / *width);
        let mut row: Vec<(u64, [u32; 2])> = Vec::new();
        for slot in 0..all {
            if slot.is_multiple_of(1 << 16) {
                run.check()?;
            }
            let cell = &cells[slot * width..(slot + 1) * width];
            let key = key_of(cell);
            if key != EMPTY && row.len() == PROBES {
                return Err(crowded());
            }
            if key != EMPTY {
                row.push((key, [cell[2], cell.get(3).copied().unwrap_or(0)]));
                continue;
            }
            if !row.is_sorted() {
                row.sort_unstable();
                let places =
                    cells[(slot - row.len()) * width..slot * width].chunks_exact_mut(width);
                for (cell, (key, values)) in places.zip(&row) {
                    (cell[0], cell[1]) = (*key as u32, (*key >> 32) as u32);
                    cell[2..].copy_from_slice(&values[..width - 2]);
                }
            }
            row.clear();
        }
        Ok(())
    }

    /// Writes the cell of each n-gram (number, context, word) to its number's place.
    ///
    /// # Panics
    /// If one is not there.
    pub fn find_all(&self, mut ngrams: impl Iterator<Item = (usize, u32, u32)>, slots: &mut [u32]) {
        let view = self.view();
        let mut block = Vec::with_capacity(TOGETHER);
        loop {
            block.extend(ngrams.by_ref().take(TOGETHER));
            if block.is_empty() {
                return;
            }
            block.iter().for_each(|&(_, context, word)| view.fetch(context, word));
            for (number, context, word) in block.drain(..) {
                slots[number] = view.find(context, word).expect("it was inserted").0;
            }
        }
    }

    /// As `fetch`, by the cell.
    #[inline(always)]
    pub fn fetch_cell(&self, slot: u32) {
        fetch(&self.cells, slot as usize * self.width);
    }

    /// What searches read, found once for many of them.
    pub fn view(&self) -> View<'_> {
        let (inner, highest): (&[[u32; 4]], &[[u32; 3]]) = match self.width {
            4 => (bytemuck::cast_slice(&self.cells), &[]),
            _ => (&[], bytemuck::cast_slice(&self.cells)),
        };
        View { inner, highest, slots: self.slots }
    }

    /// See `View::find`.
    pub fn find(&self, context: u32, word: u32) -> Option<(u32, f32, f32)> {
        self.view().find(context, word)
    }

    /// Context, word, log10 probability and log10 back-off of a cell; a back-off of the highest order
    /// is 0. `None` for an empty cell and for one that is not there.
    #[inline(always)]
    pub fn get(&self, slot: u32) -> Option<(u32, u32, f32, f32)> {
        let start = (slot as usize).checked_mul(self.width)?;
        let cell = self.cells.get(start..start + self.width)?;
        let backoff = cell.get(3).map_or(0.0, |&bits| f32::from_bits(bits));
        let (context, word) = unmixed(key_of(cell));
        (key_of(cell) != EMPTY).then_some((context, word, f32::from_bits(cell[2]), backoff))
    }

    /// Cells, taken or not.
    pub fn slots(&self) -> usize {
        self.cells.len() / self.width
    }

    /// All cells, end to end.
    pub fn cells(&self) -> &[u32] {
        &self.cells
    }
}

/// What is said of n-grams that were made to collide.
pub fn crowded() -> Error {
    let what = "n-grams that collide in the table: no text has such ones".into();
    Error::Unsupported { what }
}

/// A table that is searched.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// Cells with back-offs, or none if the table is that of the highest order.
    inner: &'a [[u32; 4]],
    /// Cells without, or none.
    highest: &'a [[u32; 3]],
    slots: usize,
}

impl View<'_> {
    /// One that nothing is found in.
    pub const EMPTY: Self = Self { inner: &[], highest: &[], slots: 1 };

    /// Asks the memory for where an n-gram lies, if there is such a one, and for what comes behind.
    #[inline(always)]
    pub fn fetch(&self, context: u32, word: u32) {
        let place = home(key(context, word), self.slots);
        if self.highest.is_empty() {
            fetch(self.inner, place);
            fetch(self.inner, place + 3);
        } else {
            fetch(self.highest, place);
            fetch(self.highest, place + 4);
        }
    }

    /// The cell of an n-gram with its two values.
    #[inline(always)]
    pub fn find(&self, context: u32, word: u32) -> Option<(u32, f32, f32)> {
        let key = key(context, word);
        let place = home(key, self.slots);
        if self.highest.is_empty() {
            let (slot, cell) = search(self.inner, key, place)?;
            Some((slot, f32::from_bits(cell[2]), f32::from_bits(cell[3])))
        } else {
            let (slot, cell) = search(self.highest, key, place)?;
            Some((slot, f32::from_bits(cell[2]), 0.0))
        }
    }
}

/// The cell of a key, looked for from its home on.
#[inline(always)]
fn search<const WIDTH: usize>(
    cells: &[[u32; WIDTH]],
    key: u64,
    home: usize,
) -> Option<(u32, &[u32; WIDTH])> {
    let mut slot = home;
    loop {
        let cell = cells.get(slot)?;
        let found = key_of(cell);
        if found >= key {
            return (found == key).then_some((slot as u32, cell));
        }
        slot += 1;
        if slot > home + PROBES {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_context_and_word_mixed_and_back() {
        assert_eq!(key(u32::MAX, u32::MAX), EMPTY);
        for (context, word) in [(0, 0), (1, 0), (0, 1), (77, 123_456), (u32::MAX, 7)] {
            assert_eq!(unmixed(key(context, word)), (context, word));
        }
    }

    #[test]
    fn every_entry_is_found_with_its_values_and_no_other() {
        for (entries, highest) in [(0, true), (1, false), (3000, false), (3000, true)] {
            let (room, run) = (Room::new(u64::MAX, None), Run::quiet(1, 1));
            let mut table = Table::for_entries(entries, highest, &room).unwrap();
            let pair = |i: usize| ((i / 7) as u32, (i % 7) as u32);
            let value = |i: usize| [i as f32, 0.5 * i as f32];
            let all = (0..entries).map(|i| (pair(i).0, pair(i).1, value(i)));
            table.insert_all(all.clone()).unwrap();
            table.finish(&run).unwrap();
            assert_eq!(table.len, entries);
            assert!(entries == 0 || table.insert_all(all.take(1)).is_err());
            let mut slots = vec![NO_CELL; entries];
            table.find_all((0..entries).map(|i| (i, pair(i).0, pair(i).1)), &mut slots);
            for (i, &slot) in slots.iter().enumerate() {
                let (context, word) = pair(i);
                let backoff = if highest { 0.0 } else { value(i)[1] };
                assert_eq!(table.find(context, word), Some((slot, value(i)[0], backoff)));
                assert_eq!(table.get(slot), Some((context, word, value(i)[0], backoff)));
            }
            let taken = (0..table.slots() as u32).filter(|&slot| table.get(slot).is_some());
            assert_eq!(taken.count(), entries);
            assert_eq!(table.find(0, 9), None);
            assert_eq!(table.get(table.slots() as u32), None);
        }
    }

    #[test]
    fn a_full_table_of_a_damaged_file_is_searched_to_an_end() {
        let table = Table::mapped(vec![5; 3 * 10_000].into(), true, 9_999).unwrap();
        (0..100).for_each(|word| assert_eq!(table.find(1, word), None));
        assert!(Table::mapped(vec![5; 3 * TAIL + 4].into(), true, 1).is_none());
        assert!(Table::mapped(vec![5; 3 * TAIL].into(), true, 2).is_none());
        assert!(Table::mapped(vec![5; 3 * TAIL + 3].into(), true, 1_000_000).is_none());
    }
}
