//! Puts n-grams into a table on all threads, each of which has some zones of the lines. Whatever finds all lines
//! full to the end of its zone comes last, so that nothing depends on how many threads there are.

use std::sync::Mutex;

use inlay_base::{Error, Result, Workers, gather, lock};
use inlay_kernels::{Kernels, Simd, Task, fetch, same};

use crate::picks::pick;
use crate::table::{EMPTY, INNER, Line, PROBES, home, key, mark, values};

/// Zones of a large table.
const ZONES: usize = 64;
/// Lines of a zone, at least.
const LINES: usize = 1 << 10;
/// N-grams between two questions whether the run goes on.
const STEP: usize = 1 << 14;
/// N-grams that the memory is asked for ahead.
const AHEAD: usize = 32;

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

/// N-grams on their way into a table.
pub trait Entries: Sync {
    /// How many there are.
    fn len(&self) -> usize;

    /// Asks the memory for what reading one will need.
    fn fetch(&self, number: usize);

    /// Gives them one at a time, by rising numbers.
    fn reader(&self) -> impl FnMut(usize) -> Entry;

    /// Hears where one lies, and its hash.
    fn placed(&self, number: usize, hash: u64, slot: u32);

    /// What is said if one comes twice.
    fn twice(&self) -> Error;
}

/// Hears how many more n-grams are done, and says whether to go on.
pub type Went<'a> = &'a (dyn Fn(usize) -> Result<()> + Sync);

/// Why an n-gram is not taken.
#[derive(Debug, Clone, Copy)]
enum Refused {
    /// It is there already.
    Twice,
    /// All cells that it may have are taken.
    Crowded,
}

/// Equal parts of the lines of a table.
#[derive(Clone, Copy)]
pub struct Zones {
    /// Of all lines.
    lines: usize,
    /// A zone has 2^bits.
    pub bits: u32,
}

impl Zones {
    pub fn of(lines: usize) -> Self {
        Self { lines, bits: (lines / ZONES).max(LINES).next_power_of_two().trailing_zeros() }
    }

    /// All lines as one.
    fn all(lines: usize) -> Self {
        Self { lines, bits: usize::BITS - 1 }
    }

    fn len(self) -> usize {
        self.lines.div_ceil(1 << self.bits)
    }

    /// The zone that an n-gram belongs to.
    #[inline(always)]
    fn zone(self, hash: u64) -> usize {
        home(hash, self.lines) >> self.bits
    }
}

/// Fills lines, which may hold anything.
///
/// # Errors
/// `Unsupported`: n-grams that were made to collide; those of `went` and of `Entries::twice`.
pub fn fill<const CELLS: usize, E: Entries>(
    lines: &mut [Line],
    entries: &E,
    workers: &dyn Workers,
    went: Went<'_>,
) -> Result<()> {
    let zones = Zones::of(lines.len());
    // For each share somebody looks at all n-grams: as many as threads, and they are equal.
    let share = zones.len().div_ceil(workers.width());
    let of_each =
        if share < zones.len() { zones_of(zones, entries, workers, went)? } else { Vec::new() };
    let shares: Vec<_> = lines.chunks_mut(share << zones.bits).map(Mutex::new).collect();
    let left = gather(workers, shares.len(), |number| {
        let is_own = |entry: usize| {
            let zone = of_each.get(entry).copied().map_or(0, usize::from);
            of_each.is_empty() || zone.wrapping_sub(number * share) < share
        };
        let first = (number * share) << zones.bits;
        fill_share::<CELLS, E>(&mut lock(&shares[number]), first, zones, entries, is_own, went)
    })?;
    drop(shares);
    let left: Vec<_> = left.into_iter().flatten().collect();
    let mut slots = Vec::with_capacity(left.len());
    let zones = Zones::all(lines.len());
    Kernels::get().run(Insert::<CELLS> { lines, first: 0, zones, block: &left, slots: &mut slots });
    for (&(number, entry), slot) in left.iter().zip(slots) {
        match slot {
            Ok(slot) => entries.placed(number, entry.hash, slot),
            Err(Refused::Crowded) => return Err(crowded()),
            Err(Refused::Twice) => return Err(entries.twice()),
        }
    }
    Ok(())
}

/// The zone of each n-gram.
fn zones_of(
    zones: Zones,
    entries: &impl Entries,
    workers: &dyn Workers,
    went: Went<'_>,
) -> Result<Vec<u8>> {
    let mut of_each = vec![0; entries.len()];
    let parts: Vec<_> = of_each.chunks_mut(STEP).map(Mutex::new).collect();
    workers.each(parts.len(), &|part| {
        went(0)?;
        let mut read = entries.reader();
        for (number, zone) in (part * STEP..).zip(lock(&parts[part]).iter_mut()) {
            entries.fetch(number + AHEAD);
            *zone = zones.zone(read(number).hash) as u8;
        }
        Ok(())
    })?;
    drop(parts);
    Ok(of_each)
}

/// Fills the lines of some zones, of which `first` is the first, and says what is left.
fn fill_share<const CELLS: usize, E: Entries>(
    lines: &mut [Line],
    first: usize,
    zones: Zones,
    entries: &E,
    is_own: impl Fn(usize) -> bool,
    went: Went<'_>,
) -> Result<Vec<(usize, Entry)>> {
    for line in lines.iter_mut() {
        *line = [0; 8];
        line[..CELLS].fill(EMPTY);
    }
    let (kernels, mut read, mut left) = (Kernels::get(), entries.reader(), Vec::new());
    let (mut block, mut slots) = (Vec::new(), Vec::new());
    for from in (0..entries.len()).step_by(STEP) {
        let (mut done, mut twice) = (0, false);
        pick(from..entries.len().min(from + STEP), &is_own, |numbers| {
            numbers.iter().for_each(|&number| entries.fetch(number as usize));
            block.clear();
            block.extend(numbers.iter().map(|&number| (number as usize, read(number as usize))));
            slots.clear();
            kernels.run(Insert::<CELLS> { lines, first, zones, block: &block, slots: &mut slots });
            for (&(number, entry), slot) in block.iter().zip(&slots) {
                match slot {
                    Ok(slot) => entries.placed(number, entry.hash, (first * CELLS) as u32 + slot),
                    Err(Refused::Crowded) => left.push((number, entry)),
                    Err(Refused::Twice) => twice = true,
                }
            }
            done += block.len();
        });
        if twice {
            return Err(entries.twice());
        }
        went(done)?;
    }
    Ok(left)
}

/// Puts a block of n-grams into lines of their zones, of which `first` is the first: a cell for each, or why not.
struct Insert<'a, const CELLS: usize> {
    lines: &'a mut [Line],
    first: usize,
    zones: Zones,
    block: &'a [(usize, Entry)],
    slots: &'a mut Vec<std::result::Result<u32, Refused>>,
}

impl<const CELLS: usize> Task for Insert<'_, CELLS> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { lines, first, zones, block, slots } = self;
        for (_, entry) in block {
            fetch(&*lines, home(entry.hash, zones.lines) - first);
        }
        for (_, entry) in block {
            let home = home(entry.hash, zones.lines);
            let end = zones.lines.min(((home >> zones.bits) + 1) << zones.bits);
            slots.push(insert::<S, CELLS>(simd, &mut lines[..end - first], home - first, entry));
        }
    }
}

/// Says in which cell of the lines the n-gram is now.
#[inline(always)]
fn insert<S: Simd, const CELLS: usize>(
    simd: S,
    lines: &mut [Line],
    home: usize,
    entry: &Entry,
) -> std::result::Result<u32, Refused> {
    let key = key(entry.context, entry.word);
    for (number, line) in (home..).zip(&mut lines[home..]).take(PROBES) {
        let cells = |key| same(simd, line, key, EMPTY) & ((1 << CELLS) - 1);
        if cells(key) != 0 {
            return Err(Refused::Twice);
        }
        let free = cells(EMPTY);
        if free != 0 {
            let cell = free.trailing_zeros() as usize;
            line[cell] = line[cell] & !EMPTY | key;
            let words: &mut [u32; 16] = bytemuck::cast_mut(line);
            words[values(CELLS) + cell] = entry.values[0].to_bits();
            if CELLS == INNER {
                words[values(CELLS) + CELLS + cell] = entry.values[1].to_bits();
            }
            return Ok((number * CELLS + cell) as u32);
        }
        mark::<CELLS>(line, entry.hash);
    }
    Err(Refused::Crowded)
}

fn crowded() -> Error {
    let what = "n-grams that collide in the table: no text has such ones".into();
    Error::Unsupported { what }
}
