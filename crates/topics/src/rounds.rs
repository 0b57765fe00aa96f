//! When the cells of a pass are drawn: in an order that no number of threads changes, and without everybody waiting for the
//! last of each round.
//!
//! ```text
//! round 0   a  a  a  a     a cell begins when its documents (its row in the round before) and its words (the next row there)
//! round 1   b  b  b  b     are free, and every cell of the last round but one has ended: that is how old the totals of the
//! round 2   c  c  c  c     topics are which it sees
//! ```

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Arc, Mutex, MutexGuard};

use inlay_base::{Patience, Result, Run, lock};

/// How many rounds are under way at a time.
const OPEN: usize = 2;

/// The rounds of one pass.
pub struct Rounds {
    size: usize,
    /// The next cell, row by row and round by round.
    next: AtomicUsize,
    /// Of each row: rounds that have ended there.
    ended: Vec<AtomicUsize>,
    /// Rounds after which the totals are known.
    known: AtomicUsize,
    ledger: Mutex<Ledger>,
}

/// What is added up.
struct Ledger {
    /// The totals of the topics before the first round, and after each that has ended everywhere.
    totals: Vec<Arc<[i64]>>,
    rounds: Vec<Changes>,
}

#[derive(Clone)]
struct Changes {
    /// Of the totals, by the cells that have ended.
    sums: Vec<i64>,
    /// Cells that have not.
    left: usize,
}

/// A cell that may be drawn.
pub struct Turn {
    pub round: usize,
    pub row: usize,
    /// The column: a block of words.
    pub column: usize,
    /// The totals of the topics, as it has to take them.
    pub totals: Arc<[i64]>,
}

impl Rounds {
    /// For so many rows, columns and rounds.
    pub fn new(size: usize, totals: &[i64]) -> Self {
        let none = Changes { sums: vec![0; totals.len()], left: size };
        Self {
            size,
            next: AtomicUsize::new(0),
            ended: (0..size).map(|_| AtomicUsize::new(0)).collect(),
            known: AtomicUsize::new(0),
            ledger: Mutex::new(Ledger { totals: vec![totals.into()], rounds: vec![none; size] }),
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// The next cell, when it may be drawn; none after the last. Cells are taken in order, so that whoever one waits for
    /// has begun.
    ///
    /// # Errors
    /// `Aborted` if the run has been stopped or another thread has failed.
    pub fn take(&self, run: &Run) -> Result<Option<Turn>> {
        run.check()?;
        let cell = self.next.fetch_add(1, Relaxed);
        let (round, row) = (cell / self.size, cell % self.size);
        if round >= self.size {
            return Ok(None);
        }
        let seen = (round + 1).saturating_sub(OPEN);
        let is_free = |row: usize| self.ended[row % self.size].load(Acquire) >= round;
        let mut patience = Patience::default();
        while !(is_free(row) && is_free(row + 1) && self.known.load(Acquire) >= seen) {
            patience.wait_or_sleep();
            if patience.has_yielded() {
                run.check()?;
            }
        }
        let totals = Arc::clone(&self.ledger().totals[seen]);
        Ok(Some(Turn { round, row, column: (row + round) % self.size, totals }))
    }

    /// A cell has ended: by how much it changed the totals.
    pub fn end(&self, turn: &Turn, changes: &[i32]) {
        let mut ledger = self.ledger();
        let Ledger { totals, rounds } = &mut *ledger;
        let round = &mut rounds[turn.round];
        round.left -= 1;
        for (sum, &change) in round.sums.iter_mut().zip(changes) {
            *sum += i64::from(change);
        }
        while let Some(round) = rounds.get(totals.len() - 1).filter(|round| round.left == 0) {
            let before = &totals[totals.len() - 1];
            let after = before.iter().zip(&round.sums).map(|(before, sum)| before + sum).collect();
            totals.push(after);
        }
        self.known.store(totals.len() - 1, Release);
        self.ended[turn.row].store(turn.round + 1, Release);
    }

    /// The totals after the last round that has ended everywhere.
    pub fn totals(&self) -> Arc<[i64]> {
        let ledger = self.ledger();
        Arc::clone(&ledger.totals[ledger.totals.len() - 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads in no order: each cell adds 1 to the total of its row, and sees only what it must.
    #[test]
    fn cells_of_a_row_or_a_column_never_meet_and_see_the_same_totals_in_every_run() {
        let (size, run) = (7, Run::quiet(5, 1));
        let rounds = Rounds::new(size, &vec![10; size]);
        let taken: Vec<_> = (0..2 * size).map(|_| Mutex::new(Vec::new())).collect();
        run.workers(|_| {
            while let Some(turn) = rounds.take(&run)? {
                let mut documents = taken[turn.row].try_lock().expect("a row is one thread's");
                let mut words = taken[size + turn.column].try_lock().expect("so is a column");
                documents.push(turn.column);
                words.push(turn.row);
                let seen = 10 + turn.round.saturating_sub(1) as i64;
                assert_eq!(*turn.totals, *vec![seen; size]);
                std::thread::yield_now();
                let mut changes = vec![0; size];
                changes[turn.row] = 1;
                drop((documents, words));
                rounds.end(&turn, &changes);
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(*rounds.totals(), *vec![10 + size as i64; size]);
        for (line, taken) in taken.into_iter().enumerate() {
            let mut met = taken.into_inner().unwrap();
            let rotated = (0..size).map(|i| match line < size {
                true => (line + i) % size,
                false => (line - i) % size,
            });
            assert_eq!(met, rotated.collect::<Vec<_>>(), "in the order of the rounds");
            met.sort_unstable();
            met.dedup();
            assert_eq!(met.len(), size, "each once");
        }
    }

    #[test]
    fn who_waits_for_a_thread_that_failed_is_let_go() {
        let run = Run::quiet(3, 1);
        let rounds = Rounds::new(3, &[0]);
        let outcome = run.workers(|_| {
            while let Some(turn) = rounds.take(&run)? {
                assert_ne!(turn.row, 1, "a fault of our own");
                rounds.end(&turn, &[0]);
            }
            Ok(())
        });
        assert_eq!(outcome.unwrap_err().code(), "INTERNAL");
    }
}
