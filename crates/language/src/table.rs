use std::ops::Deref;

use bytemuck::{cast_ref, cast_slice, cast_slice_mut};
use inlay_base::{Error, Result};
use inlay_formats::Array;
use inlay_kernels::{Kernels, Simd, Task, fetch, same};

use crate::room::{Numbers, Room};

/// What stands for no cell.
pub const NO_CELL: u32 = u32::MAX;
/// Words that a key can tell apart: two of its bits are marks.
pub const WORDS: usize = (1 << 30) - 1;
/// The key of a cell without an n-gram.
const EMPTY: u64 = u64::MAX >> MARKS;
/// The highest bits of each key of a line are marks of that line.
const MARKS: u32 = 2;
/// Lines that a search looks at, at most, and lines behind the last home, so that no search goes on at
/// the beginning: a row of so many full lines is met once in 10^25 tables.
const PROBES: usize = 1 << 8;
/// N-grams whose lines are asked for together.
const TOGETHER: usize = 64;

/// A line of the cache: the keys of its cells, their log10 probabilities, and but for the highest order
/// their log10 back-offs. The highest order has marks in the place of one value.
pub type Line = [u64; 8];
/// Cells of a line with back-offs.
const INNER: usize = 4;
/// Cells of a line of the highest order.
const HIGHEST: usize = 5;

/// The n-grams of one order from 2 on. A cell has the newest word of its n-gram and the cell of its
/// context in the table of the order below (at order 2 the context is a word). So every n-gram is stored
/// exactly, and can be read back: its words are its own and those of its context.
///
/// A hash table whose buckets are lines of the cache. Where an n-gram lies is known from its words alone
/// (`extend`), before its context has been found: the memory brings all orders at once. Whatever finds its
/// line full goes to the next one and leaves a mark, so that a search ends at the first line in nine of ten
/// cases, found or not.
pub struct Table {
    lines: Lines,
    highest: bool,
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

/// Values that were made, or that lie in a file.
enum Lines {
    /// They can be written.
    Made(Numbers),
    /// They are only read.
    Mapped(Array<u64>),
}

impl Deref for Lines {
    type Target = [Line];
    #[inline(always)]
    fn deref(&self) -> &[Line] {
        match self {
            Lines::Made(numbers) => cast_slice(numbers),
            Lines::Mapped(array) => cast_slice(array),
        }
    }
}

/// An n-gram on its way into a table.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// See `extend`.
    pub hash: u64,
    /// The cell of its context.
    pub context: u32,
    /// Its newest word.
    pub word: u32,
    /// log10 probability, log10 back-off.
    pub values: [f32; 2],
}

/// What was found of an n-gram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Its place, or `NO_CELL`.
    pub slot: u32,
    /// log10.
    pub probability: f32,
    /// log10; 0 at the highest order.
    pub backoff: f32,
}

impl Found {
    /// Nothing.
    pub const NOTHING: Self = Self { slot: NO_CELL, probability: 0.0, backoff: 0.0 };

    /// Whether there is such an n-gram.
    #[inline(always)]
    pub fn is_there(&self) -> bool {
        self.slot != NO_CELL
    }
}

/// The hash of an n-gram, from that of its words but the newest, which is 0 for none. No two contexts
/// of one word become one.
#[inline(always)]
pub const fn extend(context: u64, word: u32) -> u64 {
    let turned = (word as u64).wrapping_mul(0x9FB2_1C65_1E98_DF25);
    let mixed = (context ^ turned).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    mixed ^ (mixed >> 29)
}

#[inline(always)]
fn key(context: u32, word: u32) -> u64 {
    u64::from(word) << 32 | u64::from(context)
}

/// The line where the search for a hash begins.
#[inline(always)]
fn home(hash: u64, lines: usize) -> usize {
    let homes = lines - PROBES;
    ((u128::from(hash) * homes as u128) >> 64) as usize
}

/// 1 if an n-gram of this hash may have gone on to the next line, else 0.
#[inline(always)]
fn passed<const CELLS: usize>(line: &Line, hash: u64) -> u32 {
    let bits = match CELLS {
        INNER => line[hash as usize % INNER] >> (62 + (hash >> 2) % 2),
        _ => line[7] >> (32 + hash % 32),
    };
    bits as u32 & 1
}

fn mark<const CELLS: usize>(line: &mut Line, hash: u64) {
    match CELLS {
        INNER => line[hash as usize % INNER] |= 1 << (62 + (hash >> 2) % 2),
        _ => line[7] |= 1 << (32 + hash % 32),
    }
}

#[inline(always)]
fn value(line: &Line, place: usize) -> f32 {
    f32::from_bits(cast_ref::<Line, [u32; 16]>(line)[place % 16])
}

/// Where the values of a line begin.
const fn values(cells: usize) -> usize {
    2 * cells
}

/// Lines of a table for so many n-grams.
///
/// # Errors
/// `Unsupported`: more than cells can be numbered.
pub fn lines_for(entries: usize, highest: bool) -> Result<usize> {
    // Of 100 cells at most 70 are taken, 75 of the highest order, whose lines hold more.
    let (cells, taken) = if highest { (HIGHEST, 75) } else { (INNER, 70) };
    let lines = (entries as u64 * 100 / taken).div_ceil(cells as u64) + 1 + PROBES as u64;
    if lines * cells as u64 >= u64::from(NO_CELL) {
        let what = format!("{entries} n-grams of one order are more than 2^31");
        return Err(Error::Unsupported { what });
    }
    Ok(lines as usize)
}

impl Table {
    /// An empty table for so many n-grams.
    ///
    /// # Errors
    /// `Unsupported`: more than cells can be numbered; `OutOfMemory`, `DiskFull`.
    pub fn for_entries(entries: usize, highest: bool, room: &Room) -> Result<Self> {
        let lines = lines_for(entries, highest)?;
        let cells = if highest { HIGHEST } else { INNER };
        let mut numbers = room.unset(lines * 16)?;
        for line in cast_slice_mut::<u32, Line>(&mut numbers) {
            *line = [0; 8];
            line[..cells].fill(EMPTY);
        }
        Ok(Self { lines: Lines::Made(numbers), highest, len: 0 })
    }

    /// The table that lies in a file.
    pub fn mapped(lines: Array<u64>, highest: bool, len: usize) -> Option<Self> {
        let table = Self { lines: Lines::Mapped(lines), highest, len };
        let Lines::Mapped(numbers) = &table.lines else { return None };
        let slots = (numbers.len() / 8).checked_mul(table.cells())?;
        let fits = numbers.len().is_multiple_of(8) && slots > len && slots < NO_CELL as usize;
        (fits && numbers.len() / 8 > PROBES).then_some(table)
    }

    /// Adds n-grams and says where each lies. The memory is asked for the lines of a block before they are
    /// looked at.
    ///
    /// # Errors
    /// The first that is not taken.
    ///
    /// # Panics
    /// If the table is one of a file.
    pub fn insert_all(
        &mut self,
        mut entries: impl Iterator<Item = Entry>,
        mut at: impl FnMut(u32),
    ) -> std::result::Result<(), Refused> {
        let highest = self.highest;
        let Lines::Made(numbers) = &mut self.lines else { panic!("tables of files are finished") };
        let lines: &mut [Line] = cast_slice_mut(numbers);
        let mut block = Vec::with_capacity(TOGETHER);
        loop {
            block.extend(entries.by_ref().take(TOGETHER));
            if block.is_empty() {
                return Ok(());
            }
            let count = lines.len();
            block.iter().for_each(|entry: &Entry| fetch(lines, home(entry.hash, count)));
            for entry in block.drain(..) {
                at(if highest {
                    insert::<HIGHEST>(lines, &entry)?
                } else {
                    insert::<INNER>(lines, &entry)?
                });
                self.len += 1;
            }
        }
    }

    /// As `fetch`, by the cell.
    #[inline(always)]
    pub fn fetch_cell(&self, slot: u32) {
        fetch(&self.lines, slot as usize / self.cells());
    }

    /// What searches read, found once for many of them.
    pub fn view(&self) -> View<'_> {
        View { lines: &self.lines, highest: self.highest }
    }

    /// Context, word, log10 probability and log10 back-off of a cell; a back-off of the highest order
    /// is 0. `None` for an empty cell and for one that is not there.
    #[inline(always)]
    pub fn get(&self, slot: u32) -> Option<(u32, u32, f32, f32)> {
        let cells = self.cells();
        let line = self.lines.get(slot as usize / cells)?;
        let cell = slot as usize % cells;
        let key = line[cell] << MARKS >> MARKS;
        let probability = value(line, values(cells) + cell);
        let backoff = if self.highest { 0.0 } else { value(line, values(cells) + cells + cell) };
        (key != EMPTY).then_some((key as u32, (key >> 32) as u32, probability, backoff))
    }

    /// Cells, taken or not.
    pub fn slots(&self) -> usize {
        self.lines.len() * self.cells()
    }

    /// All lines, end to end.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    fn cells(&self) -> usize {
        if self.highest { HIGHEST } else { INNER }
    }
}

#[inline(always)]
fn insert<const CELLS: usize>(
    lines: &mut [Line],
    entry: &Entry,
) -> std::result::Result<u32, Refused> {
    let key = key(entry.context, entry.word);
    let home = home(entry.hash, lines.len());
    for (number, line) in (home..).zip(&mut lines[home..]).take(PROBES) {
        for cell in 0..CELLS {
            let there = line[cell] << MARKS >> MARKS;
            if there == key {
                return Err(Refused::Twice);
            }
            if there == EMPTY {
                line[cell] = line[cell] & !EMPTY | key;
                let words: &mut [u32; 16] = bytemuck::cast_mut(line);
                words[values(CELLS) + cell] = entry.values[0].to_bits();
                if CELLS == INNER {
                    words[values(CELLS) + CELLS + cell] = entry.values[1].to_bits();
                }
                return Ok((number * CELLS + cell) as u32);
            }
        }
        mark::<CELLS>(line, entry.hash);
    }
    Err(Refused::Crowded)
}

/// What is said of n-grams that were made to collide.
pub fn crowded() -> Error {
    let what = "n-grams that collide in the table: no text has such ones".into();
    Error::Unsupported { what }
}

/// A table that is searched.
#[derive(Clone, Copy)]
pub struct View<'a> {
    lines: &'a [Line],
    highest: bool,
}

impl View<'_> {
    /// Asks the memory for where an n-gram of this hash lies, if there is such a one.
    #[inline(always)]
    pub fn fetch(&self, hash: u64) {
        fetch(self.lines, home(hash, self.lines.len()));
    }

    /// The n-gram of a context's cell and a word, whose hash this is.
    #[inline(always)]
    pub fn find<S: Simd>(&self, simd: S, hash: u64, context: u32, word: u32) -> Found {
        match self.highest {
            true => self.search::<S, HIGHEST>(simd, hash, context, word),
            false => self.search::<S, INNER>(simd, hash, context, word),
        }
    }

    /// There is no branch but that to the next line: whether an n-gram is there cannot be foretold.
    #[inline(always)]
    fn search<S: Simd, const CELLS: usize>(
        &self,
        simd: S,
        hash: u64,
        context: u32,
        word: u32,
    ) -> Found {
        let key = key(context, word);
        let home = home(hash, self.lines.len());
        for number in home..home + PROBES {
            let Some(line) = self.lines.get(number) else { break };
            let same = same(simd, line, key, EMPTY) & ((1 << CELLS) - 1);
            // One comparison, for one branch: marked, and none that is the same.
            if passed::<CELLS>(line, hash) <= same {
                let cell = (same | 1 << CELLS).trailing_zeros() as usize;
                let slot = (number * CELLS + cell) as u32;
                let at = values(CELLS) + cell;
                return Found {
                    slot: if same == 0 { NO_CELL } else { slot },
                    probability: value(line, at),
                    backoff: if CELLS == INNER { value(line, at + CELLS) } else { 0.0 },
                };
            }
        }
        Found::NOTHING
    }
}

/// One search, for those who have few.
pub struct Search<'a>(pub View<'a>, pub u64, pub u32, pub u32);

impl Search<'_> {
    /// See `View::find`.
    pub fn found(self) -> Found {
        Kernels::get().run(self)
    }
}

impl Task for Search<'_> {
    type Output = Found;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Found {
        let Self(view, hash, context, word) = self;
        view.find(simd, hash, context, word)
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
            let entry = |i: usize| {
                let (context, word) = ((i / 7) as u32, (i % 7) as u32);
                let hash = extend(extend(0, context), word);
                Entry { hash, context, word, values: [i as f32, 0.5 * i as f32] }
            };
            let (all, mut slots) = ((0..entries).map(entry), Vec::new());
            table.insert_all(all.clone(), |slot| slots.push(slot)).unwrap();
            assert_eq!((table.len, slots.len()), (entries, entries));
            assert!(entries == 0 || table.insert_all(all.take(1), |_| ()).is_err());
            for (i, &slot) in slots.iter().enumerate() {
                let Entry { hash, context, word, values: [probability, backoff] } = entry(i);
                let backoff = if highest { 0.0 } else { backoff };
                let found = Found { slot, probability, backoff };
                assert_eq!(Search(table.view(), hash, context, word).found(), found);
                assert_eq!(table.get(slot), Some((context, word, probability, backoff)));
            }
            let taken = (0..table.slots() as u32).filter(|&slot| table.get(slot).is_some());
            assert_eq!(taken.count(), entries);
            let hash = extend(extend(0, 1), 9);
            assert!(!Search(table.view(), hash, 1, 9).found().is_there());
            assert!(!Search(table.view(), extend(extend(0, 0), 0), NO_CELL, 0).found().is_there());
            assert_eq!(table.get(NO_CELL), None);
        }
    }

    #[test]
    fn ngrams_that_were_made_to_collide_are_refused() {
        let room = Room::new(u64::MAX, None);
        for highest in [false, true] {
            let mut table = Table::for_entries(20_000, highest, &room).unwrap();
            let same = |word| Entry { hash: 7 << 60, context: 1, word, values: [0.0; 2] };
            let outcome = table.insert_all((0..20_000).map(same), |_| ());
            assert!(matches!(outcome, Err(Refused::Crowded)), "{highest}");
            assert!(Search(table.view(), 7 << 60, 1, 500).found().is_there());
        }
    }
}
