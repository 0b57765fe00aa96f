//! Where the shards of a batch meet: a layer or a loss that must know of all items has each shard put
//! down numbers of its own, and reads those of all.
//!
//! ```text
//! shard 0:  items 0, 1, 2   ─▶ numbers ─┐            ┌─▶ all numbers, in the order of items
//! shard 1:  items 3, 4      ─▶ numbers ─┴─ barrier ──┴─▶ all numbers, in the order of items
//! ```
//!
//! What is made of them item by item is the same in each shard, and does not depend on where the batch
//! was cut. All shards meet equally often, those without items as well.

use std::cell::Cell;
use std::sync::{PoisonError, RwLock};

use inlay_base::{Barrier, Run};

/// The table around which the threads of a training sit.
pub struct Meeting {
    barrier: Barrier,
    /// Two sheets for each shard, by turns: nobody writes on one before all have read it.
    sheets: Vec<[RwLock<Vec<f32>>; 2]>,
}

impl Meeting {
    /// For so many shards, each on a thread of its own.
    pub fn new(shards: usize) -> Self {
        let sheets = (0..shards).map(|_| Default::default()).collect();
        Self { barrier: Barrier::new(shards), sheets }
    }

    /// A shard's seat, for one pass forward and backward.
    pub fn seat<'a>(&'a self, shard: usize, run: &'a Run) -> Seat<'a> {
        Seat { place: Some((self, shard, run)), turn: Cell::new(0) }
    }
}

/// A shard's seat at a meeting.
pub struct Seat<'a> {
    place: Option<(&'a Meeting, usize, &'a Run)>,
    turn: Cell<usize>,
}

impl Seat<'_> {
    /// Of a shard that is the whole batch.
    pub fn alone() -> Self {
        Self { place: None, turn: Cell::new(0) }
    }

    /// Puts down numbers of the shard's items, waits for all shards, and gives those of each to `read`, in
    /// the order of items. `false`: the run has been stopped, nothing was read, and whatever the pass
    /// gives from here on is thrown away.
    #[must_use]
    pub fn share(&self, own: &[f32], mut read: impl FnMut(&[f32])) -> bool {
        let Some((meeting, shard, run)) = self.place else {
            read(own);
            return true;
        };
        let turn = self.turn.replace(1 - self.turn.get());
        {
            let mut sheet =
                meeting.sheets[shard][turn].write().unwrap_or_else(PoisonError::into_inner);
            sheet.clear();
            sheet.extend_from_slice(own);
        }
        if meeting.barrier.wait(run).is_err() {
            return false;
        }
        for sheets in &meeting.sheets {
            read(&sheets[turn].read().unwrap_or_else(PoisonError::into_inner));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inlay_base::Error;

    #[test]
    fn all_read_the_same_in_the_order_of_shards_however_often_they_meet() {
        let run = Run::quiet(3, 1);
        let meeting = Meeting::new(3);
        run.workers(|worker| {
            for pass in 0..50 {
                let seat = meeting.seat(worker, &run);
                for time in 0..pass % 4 {
                    let mut all = Vec::new();
                    // As many numbers as the shard's number says.
                    let own = vec![(10 * pass + time) as f32 + worker as f32 / 4.0; worker];
                    assert!(seat.share(&own, |numbers| all.extend_from_slice(numbers)));
                    let base = (10 * pass + time) as f32;
                    assert_eq!(all, [base + 0.25, base + 0.5, base + 0.5]);
                }
                // As between two batches.
                meeting.barrier.wait(&run)?;
            }
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn who_meets_one_that_failed_or_panicked_is_let_go() {
        for panics in [false, true] {
            let run = Run::quiet(3, 1);
            let meeting = Meeting::new(3);
            let outcome = run.workers(|worker| {
                if worker == 1 {
                    assert!(!panics, "a fault of our own");
                    return Err(Error::Diverged { what: "test".into() });
                }
                let seat = meeting.seat(worker, &run);
                assert!(!seat.share(&[1.0], |_| panic!("nobody has all numbers")));
                run.check()
            });
            let code = if panics { "INTERNAL" } else { "DIVERGED" };
            assert_eq!(outcome.unwrap_err().code(), code);
        }
    }
}
