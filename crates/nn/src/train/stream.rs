//! Examples that do not fit the memory: they come block by block, and the next block is read while one is
//! learnt from.

use std::ops::Deref;

use inlay_base::{Error, Random, Result, Run};

use super::Examples;
use super::checkpoint::Fingerprint;

/// Who brings blocks of examples.
pub trait Blocks: Send {
    /// The next block of an epoch, which is not empty; `None` when the epoch is over, and then the first
    /// one of the next.
    ///
    /// # Errors
    /// `InvalidInput` for examples that do not fit; `Aborted` if the run is stopped while waiting.
    fn next(&mut self, run: &Run) -> Result<Option<Examples>>;
}

/// What a network learns from.
pub(super) enum Source<'a> {
    /// All examples at once.
    Held(&'a Examples),
    /// A block at a time.
    Stream(&'a mut dyn Blocks),
}

/// Examples of somebody else, or a block that is only here.
pub(super) enum Given<'a> {
    Held(&'a Examples),
    Block(Examples),
}

impl Deref for Given<'_> {
    type Target = Examples;

    fn deref(&self) -> &Examples {
        match self {
            Self::Held(examples) => examples,
            Self::Block(examples) => examples,
        }
    }
}

/// How far a stream has been read.
pub(super) struct Stream<'a> {
    blocks: &'a mut dyn Blocks,
    /// Blocks, and ends of epochs.
    pub taken: u64,
    pub seen: Fingerprint,
    epoch: u64,
    random: Random,
    seed: u64,
    /// Whether the epoch has begun.
    begun: bool,
}

impl<'a> Stream<'a> {
    pub(super) fn new(blocks: &'a mut dyn Blocks, seed: u64) -> Self {
        let (seen, random) = (Fingerprint::default(), Random::new(seed, 0));
        Self { blocks, taken: 0, seen, epoch: 0, random, seed, begun: false }
    }

    /// The next block of the epoch with the order of its items; `None` when it is over.
    ///
    /// # Errors
    /// As for `Blocks::next`; `InvalidInput` for an epoch without examples.
    pub(super) fn next(
        &mut self,
        shuffled: bool,
        run: &Run,
    ) -> Result<Option<(Examples, Vec<usize>)>> {
        let block = self.blocks.next(run)?;
        self.taken += 1;
        let Some(block) = block else {
            self.epoch += 1;
            if !std::mem::take(&mut self.begun) {
                let remedy = match self.epoch {
                    1 => "",
                    _ => ": give a function that opens it anew for each, or `epochs: 1`",
                };
                let problem = format!("has no examples in epoch {}{remedy}", self.epoch);
                return Err(Error::InvalidInput {
                    source: "the stream".into(),
                    offset: None,
                    problem,
                });
            }
            self.random = Random::new(self.seed, self.epoch);
            return Ok(None);
        };
        self.begun = true;
        self.seen.examples(&block);
        let items = block.inputs.first().map_or(0, |column| column.items());
        let order = order(items, shuffled, &mut self.random);
        Ok(Some((block, order)))
    }
}

/// An order of so many items.
pub(super) fn order(items: usize, shuffled: bool, random: &mut Random) -> Vec<usize> {
    let mut order: Vec<usize> = (0..items).collect();
    if shuffled {
        // Fisher and Yates.
        for last in (1..items).rev() {
            order.swap(last, random.below(last as u32 + 1) as usize);
        }
    }
    order
}
