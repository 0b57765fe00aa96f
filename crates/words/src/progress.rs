//! How far a training has come: what a checkpoint keeps, and what shards of work are left.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use inlay_base::{Random, lock};

/// A shard of the corpus in one epoch that is not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// epoch · shards + shard
    pub number: usize,
    /// Where to go on, as an index of the corpus' ids.
    pub position: usize,
    /// With which random numbers.
    pub random: Random,
}

/// Work that threads claim, and what came of it.
pub struct Progress {
    next: AtomicUsize,
    unfinished: Mutex<Vec<Part>>,
    done: AtomicU64,
    losses: Mutex<Vec<(f64, u64)>>,
}

/// `Progress` at rest, to be written to a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Shards that were begun.
    pub next: usize,
    /// Those of them that are not finished.
    pub unfinished: Vec<Part>,
    /// Words done, of all epochs.
    pub done: u64,
    /// For each epoch: sum of losses, number of predictions.
    pub losses: Vec<(f64, u64)>,
}

impl Standing {
    /// At the beginning.
    pub fn start(epochs: usize) -> Self {
        Self { next: 0, unfinished: Vec::new(), done: 0, losses: vec![(0.0, 0); epochs] }
    }
}

impl Progress {
    /// Goes on from here.
    pub fn new(standing: Standing) -> Self {
        Self {
            next: AtomicUsize::new(standing.next),
            unfinished: Mutex::new(standing.unfinished),
            done: AtomicU64::new(standing.done),
            losses: Mutex::new(standing.losses),
        }
    }

    /// The next shard to work on: one that was laid aside, or a new one below `total`.
    pub fn claim(&self, total: usize, begin: impl Fn(usize) -> Part) -> Option<Part> {
        let laid_aside = lock(&self.unfinished).pop();
        laid_aside.or_else(|| {
            let claim = |next| (next < total).then_some(next + 1);
            self.next.fetch_update(Relaxed, Relaxed, claim).ok().map(begin)
        })
    }

    /// Lays a shard aside.
    pub fn lay_aside(&self, part: Part) {
        lock(&self.unfinished).push(part);
    }

    /// Counts words; returns how many are done.
    pub fn advance(&self, words: u64) -> u64 {
        self.done.fetch_add(words, Relaxed) + words
    }

    /// Words done, of all epochs.
    pub fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    /// Adds what was lost in an epoch, from 0.
    pub fn lose(&self, epoch: usize, loss: f64, predictions: u64) {
        let mut losses = lock(&self.losses);
        losses[epoch].0 += loss;
        losses[epoch].1 += predictions;
    }

    /// Whether every shard is finished.
    pub fn finished(&self, total: usize) -> bool {
        let unfinished = lock(&self.unfinished);
        unfinished.is_empty() && self.next.load(Relaxed) >= total
    }

    /// What to keep; meaningful while no thread works.
    pub fn standing(&self) -> Standing {
        Standing {
            next: self.next.load(Relaxed),
            unfinished: lock(&self.unfinished).clone(),
            done: self.done(),
            losses: lock(&self.losses).clone(),
        }
    }
}
