//! Tables of n-grams that lie in suffix order.

use std::cell::Cell;

use inlay_base::{Error, Result};
use inlay_kernels::fetch;

use crate::room::{Numbers, Room};
use crate::sorted::Sorted;
use crate::table::{Entry, Refused, Table, crowded, extend};

/// N-grams of a part.
const PART: usize = 1 << 16;
/// N-grams whose contexts the memory is asked for ahead.
const AHEAD: usize = 32;

/// For each n-gram of an order, its hash and its cell.
struct Placed {
    hashes: Numbers,
    slots: Numbers,
}

/// Makes the tables of all orders, one after the other.
pub struct Maker<'a> {
    orders: &'a [Sorted],
    room: &'a Room,
    below: Option<Placed>,
    /// How many are made.
    made: usize,
}

impl<'a> Maker<'a> {
    pub fn new(orders: &'a [Sorted], room: &'a Room) -> Self {
        Self { orders, room, below: None, made: 0 }
    }

    /// The table of the next order. `went` hears how many n-grams are done.
    ///
    /// # Panics
    /// If there is no next one.
    pub fn next(&mut self, went: &dyn Fn(usize) -> Result<()>) -> Result<Table> {
        let sorted = &self.orders[self.made];
        self.made += 1;
        let highest = self.made == self.orders.len();
        let mut table = Table::for_entries(sorted.len, highest, self.room)?;
        let kept = if highest { 0 } else { sorted.len };
        let mut placed =
            Placed { hashes: self.room.unset(2 * kept)?, slots: self.room.unset(kept)? };
        for from in (0..sorted.len).step_by(PART) {
            let range = from..sorted.len.min(from + PART);
            went(range.len())?;
            fill(&mut table, sorted, range, self.below.as_ref(), &mut placed, highest)?;
        }
        self.below = Some(placed);
        Ok(table)
    }
}

/// A table for each order. `went` hears how many n-grams are done.
pub fn tables(
    orders: &[Sorted],
    room: &Room,
    went: &dyn Fn(usize) -> Result<()>,
) -> Result<Vec<Table>> {
    let mut maker = Maker::new(orders, room);
    orders.iter().map(|_| maker.next(went)).collect()
}

fn fill(
    table: &mut Table,
    sorted: &Sorted,
    range: std::ops::Range<usize>,
    below: Option<&Placed>,
    placed: &mut Placed,
    highest: bool,
) -> Result<()> {
    let Placed { hashes, slots } = placed;
    let into = if highest { 0..0 } else { range.clone() };
    let hashes = Cell::from_mut(&mut hashes.wide_mut()[into.clone()]).as_slice_of_cells();
    let slots = &mut slots[into];
    let entries = range.clone().zip(sorted.words(range.clone())).enumerate();
    let entries = entries.map(|(number, (entry, word))| {
        let context = sorted.context[entry];
        let (hash, slot) = match below {
            None => (extend(0, context), context),
            Some(Placed { hashes, slots }) => {
                if let Some(&ahead) = sorted.context.get(entry + AHEAD) {
                    fetch(hashes.wide(), ahead as usize);
                    fetch(slots, ahead as usize);
                }
                (hashes.wide()[context as usize], slots[context as usize])
            }
        };
        let hash = extend(hash, word);
        if let Some(place) = hashes.get(number) {
            place.set(hash);
        }
        let values = [sorted.probabilities.reals()[entry], sorted.backoff(entry)];
        Entry { hash, context: slot, word, values }
    });
    let mut places = slots.iter_mut();
    let at = |slot| {
        if let Some(place) = places.next() {
            *place = slot;
        }
    };
    table.insert_all(entries, at).map_err(|refused| match refused {
        Refused::Twice => Error::Internal("an n-gram was counted twice".into()),
        Refused::Crowded => crowded(),
    })
}
