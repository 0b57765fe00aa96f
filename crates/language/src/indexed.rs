//! Tables of n-grams that lie in suffix order.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use inlay_base::{Error, Result, Workers, atomic_u64};
use inlay_kernels::fetch;

use crate::fill::{Entries, Entry, Went};
use crate::room::{Numbers, Room};
use crate::sorted::Sorted;
use crate::table::{Table, extend};

/// Makes the tables of all orders, one after the other.
pub struct Maker<'a> {
    orders: &'a [Sorted],
    room: &'a Room,
    workers: &'a dyn Workers,
    /// Of each n-gram of the order below, its hash and its cell.
    below: Option<Numbers>,
    /// How many are made.
    made: usize,
}

impl<'a> Maker<'a> {
    pub fn new(orders: &'a [Sorted], room: &'a Room, workers: &'a dyn Workers) -> Self {
        Self { orders, room, workers, below: None, made: 0 }
    }

    /// The table of the next order.
    ///
    /// # Panics
    /// If there is no next one.
    pub fn next(&mut self, went: Went<'_>) -> Result<Table> {
        let sorted = &self.orders[self.made];
        self.made += 1;
        let highest = self.made == self.orders.len();
        let kept = if highest { 0 } else { sorted.len };
        let mut placed = self.room.unset(4 * kept)?;
        let ngrams = Ngrams {
            sorted,
            below: self.below.as_ref().map(|below| bytemuck::cast_slice(below)),
            placed: atomic_u64(placed.wide_mut()),
        };
        let table = Table::of(&ngrams, highest, self.room, self.workers, went)?;
        self.below = Some(placed);
        Ok(table)
    }
}

/// A table for each order.
pub fn tables(
    orders: &[Sorted],
    room: &Room,
    workers: &dyn Workers,
    went: Went<'_>,
) -> Result<Vec<Table>> {
    let mut maker = Maker::new(orders, room, workers);
    orders.iter().map(|_| maker.next(went)).collect()
}

/// The n-grams of one order.
struct Ngrams<'a> {
    sorted: &'a Sorted,
    below: Option<&'a [[u64; 2]]>,
    /// Takes hash and cell of each; empty at the highest order.
    placed: &'a [AtomicU64],
}

impl Entries for Ngrams<'_> {
    fn len(&self) -> usize {
        self.sorted.len
    }

    #[inline(always)]
    fn fetch(&self, number: usize) {
        if let (Some(below), Some(&context)) = (self.below, self.sorted.context.get(number)) {
            fetch(below, context as usize);
        }
    }

    #[inline(always)]
    fn reader(&self) -> impl FnMut(usize) -> Entry {
        let Self { sorted, below, .. } = *self;
        let mut newest = 0;
        move |number| {
            while sorted.starts[newest + 1] as usize <= number {
                newest += 1;
            }
            let (context, word) = (sorted.context[number], newest as u32);
            let [hash, context] = match below {
                None => [extend(0, context), u64::from(context)],
                Some(below) => below[context as usize],
            };
            let values = [sorted.probabilities.reals()[number], sorted.backoff(number)];
            Entry { hash: extend(hash, word), context: context as u32, word, values }
        }
    }

    #[inline(always)]
    fn placed(&self, number: usize, hash: u64, slot: u32) {
        if let Some([of_hash, of_slot]) = self.placed.get(2 * number..2 * number + 2) {
            of_hash.store(hash, Relaxed);
            of_slot.store(u64::from(slot), Relaxed);
        }
    }

    fn twice(&self) -> Error {
        Error::Internal("an n-gram was counted twice".into())
    }
}
