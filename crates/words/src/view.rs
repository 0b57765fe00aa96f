//! A matrix as one thread sees it. Threads share its rows without locks, but the cache lines of what
//! all of them write all the time (the upper nodes of a Huffman tree, frequent words) would travel
//! from core to core at every step. Of such rows a thread has copies; what it has learnt on them
//! joins the shared ones every few hundred words:
//!
//! ```text
//! shared += own - before          own = before = shared
//! ```

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, TryLockError};

use inlay_base::{Result, SharedMatrix, SharedRow, lock};
use inlay_kernels::{Kernels, Simd, Task, join_rows, prefetch_to_write};

/// Rows that join every time: three levels of a tree.
const FIRST: usize = 8;
/// Times that as many rows again have copies.
const DOUBLINGS: u32 = 7;
/// Centre words of all threads between two joinings of one: the more threads, the more often.
const TOGETHER: usize = 2048;
/// Joining more often than this is more work than learning.
const LEAST: usize = 16;
/// Rows that one thread joins at a time.
const GROUP: usize = 8;
/// Shared rows that are asked for ahead.
const AHEAD: u32 = 2;

/// Rows by falling frequency, the first of them as copies of one thread.
pub struct View<'a> {
    shared: &'a SharedMatrix,
    own: SharedMatrix,
    /// `own` when it was last as the shared rows.
    before: SharedMatrix,
    /// Rows below this number are copies.
    hot: u32,
    /// Rows below this number join every time.
    first: u32,
    /// Centre words from one joining to the next, and left until then.
    every: u32,
    left: Cell<u32>,
    /// How often some have joined.
    joined: Cell<u32>,
    turns: &'a Turns,
}

/// Whose turn it is to join some of the rows: of what two threads add at once, half would be lost. Nobody waits for a turn while
/// there is something to learn.
pub struct Turns(Vec<Turn>);

/// Alone in its lines of the cache.
#[repr(align(128))]
#[derive(Default)]
struct Turn(Mutex<()>);

impl Turns {
    /// For copies of so many rows.
    pub fn new(hot: usize) -> Self {
        Self((0..hot.div_ceil(GROUP)).map(|_| Turn::default()).collect())
    }

    /// For as many as `View::new` makes.
    pub fn usual() -> Self {
        Self::new(FIRST << DOUBLINGS)
    }
}

impl Turn {
    fn wait(&self) -> MutexGuard<'_, ()> {
        lock(&self.0)
    }

    /// Nothing while another thread has it.
    fn take(&self) -> Option<MutexGuard<'_, ()>> {
        match self.0.try_lock() {
            Ok(turn) => Some(turn),
            Err(TryLockError::Poisoned(turn)) => Some(turn.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl<'a> View<'a> {
    /// For one of so many threads; a single one needs no copies. `turns` are theirs all.
    pub fn new(shared: &'a SharedMatrix, turns: &'a Turns, threads: usize) -> Result<Self> {
        Self::joined_every(shared, turns, threads, (TOGETHER / threads.max(1)).max(LEAST) as u32)
    }

    /// As `new`, where the first rows join after so many steps.
    pub fn joined_every(
        shared: &'a SharedMatrix,
        turns: &'a Turns,
        threads: usize,
        every: u32,
    ) -> Result<Self> {
        let view = Self::with(shared, turns, threads, FIRST << DOUBLINGS, every)?;
        Ok(Self { first: view.hot.min(FIRST as u32), ..view })
    }

    /// Copies of so many rows, which all join after so many steps.
    pub fn with(
        shared: &'a SharedMatrix,
        turns: &'a Turns,
        threads: usize,
        hot: usize,
        every: u32,
    ) -> Result<Self> {
        let hot = if threads > 1 { hot.min(shared.rows()) } else { 0 };
        assert!(hot <= turns.0.len() * GROUP);
        let own = SharedMatrix::zeros(hot, shared.columns())?;
        let before = SharedMatrix::zeros(hot, shared.columns())?;
        for row in 0..hot as u32 {
            let mut values = vec![0.0; shared.columns()];
            shared.read(row, &mut values);
            own.write(row, &values);
            before.write(row, &values);
        }
        let (left, joined) = (Cell::new(every), Cell::new(0));
        Ok(Self {
            shared,
            own,
            before,
            hot: hot as u32,
            first: hot as u32,
            every,
            left,
            joined,
            turns,
        })
    }

    /// # Panics
    /// If there is no such row.
    #[inline(always)]
    pub fn row(&self, row: u32) -> SharedRow<'_> {
        if row < self.hot { self.own.row(row) } else { self.shared.row(row) }
    }

    /// Counts a centre word, and joins when it is time.
    #[inline(always)]
    pub fn step<S: Simd>(&self, simd: S) {
        if self.hot > 0 {
            self.left.set(self.left.get() - 1);
            if self.left.get() == 0 {
                self.left.set(self.every);
                self.joined.set(self.joined.get().wrapping_add(1));
                let doublings = self.joined.get().trailing_zeros().min(DOUBLINGS);
                let rows = self.hot.min(self.first << doublings);
                simd.call(Join { view: self, rows, waits: false });
            }
        }
    }
}

impl<'a> View<'a> {
    /// Joins all rows.
    pub fn join(&self) {
        Kernels::get().run(Join { view: self, rows: self.hot, waits: true });
    }
}

/// Gives what was learnt on the first copies to the shared rows, and takes what others gave.
struct Join<'v, 'a> {
    view: &'v View<'a>,
    rows: u32,
    /// Whether it waits for its turn. Rows that it leaves join another time.
    waits: bool,
}

impl Task for Join<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let View { shared, own, before, turns, .. } = self.view;
        let groups = (0..self.rows).step_by(GROUP).zip(&turns.0);
        for (row, turn) in groups {
            let turn = if self.waits { Some(turn.wait()) } else { turn.take() };
            let Some(_turn) = turn else { continue };
            for row in row..self.rows.min(row + GROUP as u32) {
                if row + AHEAD < self.rows {
                    prefetch_to_write(simd, shared.row(row + AHEAD));
                }
                join_rows(simd, shared.row(row), own.row(row), before.row(row));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize) -> SharedMatrix {
        let matrix = SharedMatrix::zeros(rows, 20).unwrap();
        (0..rows as u32).for_each(|row| matrix.write(row, &[row as f32; 20]));
        matrix
    }

    #[test]
    fn what_two_threads_learn_on_hot_rows_is_added_up() {
        let (shared, turns) = (matrix(1100), Turns::usual());
        let views = [0, 1].map(|_| View::new(&shared, &turns, 2).unwrap());
        views[0].own.write(1, &[5.0; 20]);
        views[1].own.write(1, &[3.0; 20]);
        views.iter().for_each(View::join);
        views[0].join();
        let mut row = [0.0; 20];
        for rows in [&shared, &views[0].own, &views[1].own] {
            rows.read(1, &mut row);
            assert_eq!(row, [7.0; 20]);
            rows.read(3, &mut row);
            assert_eq!(row, [3.0; 20]);
        }
    }

    struct Steps<'v, 'a>(&'v View<'a>);

    impl Task for Steps<'_, '_> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            (0..self.0.every).for_each(|_| self.0.step(simd));
        }
    }

    #[test]
    fn nobody_waits_for_rows_that_another_thread_joins_and_nothing_is_lost() {
        let (shared, turns) = (matrix(1100), Turns::usual());
        let view = View::new(&shared, &turns, 2).unwrap();
        let row = |row: u32| {
            let mut values = [0.0; 20];
            shared.read(row, &mut values);
            values[0]
        };
        view.own.write(1, &[5.0; 20]);
        let other = turns.0[0].wait();
        Kernels::get().run(Steps(&view));
        assert_eq!(row(1), 1.0, "its turn is another's");
        drop(other);
        Kernels::get().run(Steps(&view));
        assert_eq!(row(1), 5.0);
    }

    #[test]
    fn other_rows_are_the_shared_ones_and_so_are_all_of_a_single_thread() {
        let (shared, turns) = (matrix(1100), Turns::usual());
        let copies = FIRST << DOUBLINGS;
        for (threads, hot) in [(1, 0), (2, copies), (1000, copies)] {
            let view = View::new(&shared, &turns, threads).unwrap();
            for row in 0..1100 {
                let own = view.row(row).as_ptr() != shared.row(row).as_ptr();
                assert_eq!(own, (row as usize) < hot);
            }
        }
    }

    #[test]
    fn fewer_rows_than_would_be_hot() {
        let (shared, turns) = (matrix(2), Turns::usual());
        assert_eq!(View::new(&shared, &turns, 2).unwrap().hot, 2);
    }
}
