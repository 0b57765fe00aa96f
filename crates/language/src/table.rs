use std::ops::Deref;

use bytemuck::{cast_ref, cast_slice, cast_slice_mut};
use inlay_base::{Error, Result, Workers};
use inlay_formats::Array;
use inlay_kernels::{Kernels, Simd, Task, fetch, same};

use crate::fill::{Entries, Went, fill};
use crate::room::{Numbers, Room};

/// What stands for no cell.
pub const NO_CELL: u32 = u32::MAX;
/// Words that a key can tell apart: two of its bits are marks.
pub const WORDS: usize = (1 << 30) - 1;
/// The key of a cell without an n-gram.
pub const EMPTY: u64 = u64::MAX >> MARKS;
/// The highest bits of each key of a line are marks of that line.
pub const MARKS: u32 = 2;
/// Lines that a search looks at, at most, and lines behind the last home, so that no search goes on at
/// the beginning: a row of so many full lines is met once in 10^25 tables.
pub const PROBES: usize = 1 << 8;
/// A line of the cache: the keys of its cells, their log10 probabilities, and but for the highest order
/// their log10 back-offs. The highest order has marks in the place of one value.
pub type Line = [u64; 8];
/// Cells of a line with back-offs.
pub const INNER: usize = 4;
/// Cells of a line of the highest order.
pub const HIGHEST: usize = 5;

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
pub fn key(context: u32, word: u32) -> u64 {
    u64::from(word) << 32 | u64::from(context)
}

/// The line where the search for a hash begins.
#[inline(always)]
pub fn home(hash: u64, lines: usize) -> usize {
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

pub fn mark<const CELLS: usize>(line: &mut Line, hash: u64) {
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
pub const fn values(cells: usize) -> usize {
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
    /// A table of n-grams, the same for any number of threads. `went` hears how many more are done.
    ///
    /// # Errors
    /// `Unsupported`: more than cells can be numbered, n-grams that were made to collide; `OutOfMemory`,
    /// `DiskFull`, those of `went` and of `Entries::twice`.
    pub fn of(
        entries: &impl Entries,
        highest: bool,
        room: &Room,
        workers: &dyn Workers,
        went: Went<'_>,
    ) -> Result<Self> {
        let mut numbers = room.unset(16 * lines_for(entries.len(), highest)?)?;
        let lines = cast_slice_mut(&mut numbers);
        match highest {
            true => fill::<HIGHEST, _>(lines, entries, workers, went)?,
            false => fill::<INNER, _>(lines, entries, workers, went)?,
        }
        Ok(Self { lines: Lines::Made(numbers), highest, len: entries.len() })
    }

    /// The table that lies in a file.
    pub fn mapped(lines: Array<u64>, highest: bool, len: usize) -> Option<Self> {
        let table = Self { lines: Lines::Mapped(lines), highest, len };
        let Lines::Mapped(numbers) = &table.lines else { return None };
        let slots = (numbers.len() / 8).checked_mul(table.cells())?;
        let fits = numbers.len().is_multiple_of(8) && slots > len && slots < NO_CELL as usize;
        (fits && numbers.len() / 8 > PROBES).then_some(table)
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
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use inlay_base::Run;

    use super::*;
    use crate::fill::{Entry, Zones};

    /// N-grams that lie in a list, and where they were put.
    struct Listed(Vec<Entry>, Vec<AtomicU32>);

    impl Entries for Listed {
        fn len(&self) -> usize {
            self.0.len()
        }
        fn fetch(&self, _: usize) {}
        fn reader(&self) -> impl FnMut(usize) -> Entry {
            |number| self.0[number]
        }
        fn placed(&self, number: usize, _: u64, slot: u32) {
            self.1[number].store(slot, Relaxed);
        }
        fn twice(&self) -> Error {
            Error::Internal("twice".into())
        }
    }

    fn filled(entries: Vec<Entry>, highest: bool, threads: usize) -> Result<(Table, Vec<u32>)> {
        let slots = entries.iter().map(|_| AtomicU32::new(NO_CELL)).collect();
        let (listed, room) = (Listed(entries, slots), Room::new(u64::MAX, None));
        let table = Table::of(&listed, highest, &room, &Run::quiet(threads, 1), &|_| Ok(()))?;
        Ok((table, listed.1.into_iter().map(AtomicU32::into_inner).collect()))
    }

    #[test]
    fn every_entry_is_found_with_its_values_and_no_other() {
        for (entries, highest) in [(0, true), (1, false), (3000, false), (200_000, true)] {
            let entry = |i: usize| {
                let (context, word) = ((i / 7) as u32, (i % 7) as u32);
                let hash = extend(extend(0, context), word);
                Entry { hash, context, word, values: [i as f32, 0.5 * i as f32] }
            };
            let all: Vec<Entry> = (0..entries).map(entry).collect();
            let (table, slots) = filled(all.clone(), highest, 1).unwrap();
            let (other, same) = filled(all.clone(), highest, 3).unwrap();
            assert!(table.lines() == other.lines() && slots == same, "whatever the threads");
            assert_eq!((table.len, slots.len()), (entries, entries));
            let again: Vec<Entry> = all.iter().chain(all.first()).copied().collect();
            assert!(entries == 0 || filled(again, highest, 2).is_err());
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
    fn ngrams_at_the_end_of_a_zone_go_on_to_the_next() {
        // Thirty for each cell of the last line of a zone.
        let count = lines_for(100_000, false).unwrap();
        let last = (1 << Zones::of(count).bits) - 1;
        let hash = |i: u64| {
            let first = (last as u128) * (1u128 << 64) / (count - PROBES) as u128 + 1;
            first as u64 + i
        };
        let some = (0..120).map(|i| Entry {
            hash: hash(u64::from(i)),
            context: i,
            word: 1,
            values: [0.0; 2],
        });
        let others = (120..100_000).map(|i| Entry {
            hash: extend(extend(0, i), 2),
            context: i,
            word: 2,
            values: [0.0; 2],
        });
        let all: Vec<Entry> = some.chain(others).collect();
        let (table, slots) = filled(all.clone(), false, 1).unwrap();
        assert!(slots[..120].iter().any(|&slot| slot as usize / INNER > last));
        assert!(slots[..120].iter().all(|&slot| slot as usize / INNER >= last));
        for (entry, &slot) in all.iter().zip(&slots) {
            let found = Search(table.view(), entry.hash, entry.context, entry.word).found();
            assert_eq!(found.slot, slot);
        }
        let (other, same) = filled(all, false, 4).unwrap();
        assert!(table.lines() == other.lines() && slots == same);
    }

    #[test]
    fn ngrams_that_were_made_to_collide_are_refused() {
        for highest in [false, true] {
            let same = |word| Entry { hash: 7 << 60, context: 1, word, values: [0.0; 2] };
            let outcome = filled((0..20_000).map(same).collect(), highest, 1);
            assert!(matches!(outcome, Err(Error::Unsupported { .. })), "{highest}");
        }
    }
}
